package qemu_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const crossVariable = "SIMPOST_CROSS"

func crossing(t *testing.T) {
	t.Helper()
	if os.Getenv(crossVariable) != "1" {
		t.Skipf("%s=1 is not set: run `make cross`", crossVariable)
	}
	if os.Getuid() != 0 {
		t.Fatal("only root can make another architecture's Debian: sudo make cross")
	}
	for _, processor := range []string{"aarch64", "arm"} {
		if _, err := os.Stat("/proc/sys/fs/binfmt_misc/qemu-" + processor); err != nil {
			t.Fatal("the kernel does not hand foreign programs to QEMU: apt-get install qemu-user-static binfmt-support && update-binfmts --enable")
		}
	}
}

// demo runs the whole of simpost in one command: the daemon, emulated modems, a long
// message from one to the other, and its reports.
const demo = "simpost demo --once"

// TestForeignPackages installs the packages of the other architectures in a Debian of
// theirs, on an emulated processor, and runs what they hold.
func TestForeignPackages(t *testing.T) {
	crossing(t)
	for _, arch := range []string{"arm64", "armhf"} {
		t.Run(arch, func(t *testing.T) {
			d := newTree(t, arch)
			d.install(newestPackage(t, arch))
			if got := strings.TrimSpace(d.run("dpkg", "--print-architecture")); got != arch {
				t.Fatalf("this is a Debian for %s", got)
			}
			if got := d.run("simpost", "config", "check"); !strings.Contains(got, "good, 1 modem") {
				t.Errorf("the configuration: %s", got)
			}
			d.mode("700 simpost simpost", "/var/lib/simpost")
			// The mounts end with the shell, and so with the test.
			said := command(t, "unshare", "--mount", "sh", "-ec", `
				mount --rbind /dev "$1/dev"
				mount --bind /proc "$1/proc"
				exec chroot "$1" `+demo, "sh", d.dir)
			t.Logf("%s in a Debian for %s:\n%s", demo, arch, tail(said, 5))
		})
	}
}

// Every Raspberry Pi is one of these processors, from the first on; Debian's own
// armhf would not run on it.
func TestProcessors(t *testing.T) {
	crossing(t)
	for processor, arch := range map[string]string{"arm1176": "armhf", "cortex-a7": "armhf", "cortex-a53": "arm64"} {
		t.Run(processor, func(t *testing.T) {
			dir := t.TempDir()
			command(t, "dpkg-deb", "--extract", newestPackage(t, arch), dir)
			said := command(t, "env", "QEMU_CPU="+processor, "sh", "-c", filepath.Join(dir, "usr/bin")+"/"+demo)
			t.Logf("%s on %s:\n%s", demo, processor, tail(said, 5))
		})
	}
}

// TestForeignMachine starts Debian's kernel for arm64, and a modem is plugged in.
func TestForeignMachine(t *testing.T) {
	crossing(t)
	insist(t, foreignMachine)
}

func foreignMachine(t *testing.T) {
	net := emulate(t, 1, "generic")
	d := guest(t, arm64)
	o := &office{machine: boot(t, arm64, d, drive(d), net.ports), network: net}
	o.until("the daemon runs", "systemctl is-active simpost")
	o.plug(0)
	o.ready(1)
	o.send("--wait=delivered")
	o.hear()
	o.settled()
	o.judge()
	t.Log(o.run("uname -a; simpost version; simpost modems"))
}
