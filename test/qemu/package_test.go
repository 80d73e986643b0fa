package qemu_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackage is a package's life in a Debian that does not run: what belongs to
// the administrator, and the messages, outlive everything but a purge with a yes.
func TestPackage(t *testing.T) {
	rounds(t)
	d, deb := newTree(t, "amd64"), newestPackage(t, "amd64")
	t.Run("install", func(t *testing.T) { installed(tree{t, d.dir}, deb) })
	t.Run("upgrade", func(t *testing.T) { upgraded(tree{t, d.dir}, deb) })
	t.Run("remove", func(t *testing.T) { removed(tree{t, d.dir}) })
	t.Run("purge", func(t *testing.T) { purged(tree{t, d.dir}, deb) })
}

const (
	config   = "/etc/simpost/simpost.toml"
	messages = "/var/lib/simpost/simpost.db"
	enabled  = "/etc/systemd/system/multi-user.target.wants/simpost.service"
)

func (d tree) exists(name string) bool {
	_, err := os.Lstat(d.path(name))
	return err == nil
}

// want checks which of some files there are.
func (d tree) want(there bool, names ...string) {
	d.t.Helper()
	for _, name := range names {
		if d.exists(name) != there {
			d.t.Errorf("%s: there is %v, want %v", name, !there, there)
		}
	}
}

// mode checks the rights, the owner and the group of a file.
func (d tree) mode(want, name string) {
	d.t.Helper()
	if got := strings.TrimSpace(d.run("stat", "-c", "%a %U %G", name)); got != want {
		d.t.Errorf("%s: %s, want %s", name, got, want)
	}
}

func installed(d tree, deb string) {
	d.run("groupadd", "--system", "gpio") // as Raspberry Pi OS has it
	d.install(deb)
	d.want(true, "/usr/bin/simpost", config, enabled)
	d.mode("700 simpost simpost", "/var/lib/simpost")
	d.mode("700 simpost simpost", "/var/lib/simpost-mark")
	d.mode("644 root root", config)
	for _, c := range []struct{ want, command string }{
		{"simpost:x:", "grep ^simpost: /etc/passwd"},
		{"/usr/sbin/nologin", "grep ^simpost: /etc/passwd"},
		{"simpost gpio", "id --name --groups simpost"},
		{"good, 1 modem", "simpost config check"},
		{"__start_simpost", "cat /usr/share/bash-completion/completions/simpost"},
		{"/usr/share/man/man1/simpost.1.gz", "dpkg --listfiles simpost"},
		{"/usr/share/man/man5/simpost.toml.5.gz", "dpkg --listfiles simpost"},
		{"ExecStart=/usr/bin/simpost serve", "cat /usr/lib/systemd/system/simpost.service"},
		{"", "systemd-analyze verify simpost.service"},
		{"", "dpkg --verify simpost | grep -v /usr/share/man || true"}, // which this Debian leaves out
	} {
		got := d.run("sh", "-c", c.command)
		if !strings.Contains(got, c.want) || c.want == "" && got != "" {
			d.t.Errorf("%s says %q, want %q", c.command, got, c.want)
		}
	}
}

// upgraded gives the administrator and the daemon something to lose, then a later version.
func upgraded(d tree, deb string) {
	d.write(config, "[[modem]]\nname = \"mine\"\ndevice = \"/dev/ttyUSB7\"\n")
	d.write(messages, "precious")
	command(d.t, "rm", d.path(enabled)) // as systemctl disable does
	later := filepath.Join(d.t.TempDir(), "later.deb")
	parts := filepath.Join(d.t.TempDir(), "later")
	command(d.t, "dpkg-deb", "--raw-extract", deb, parts)
	command(d.t, "sed", "-i", "s/^Version: .*/Version: 99-1/", parts+"/DEBIAN/control")
	command(d.t, "sed", "-i", "1i # A new comment.", parts+config)
	command(d.t, "dpkg-deb", "-Znone", "--build", parts, later)
	d.install(later)
	if got := d.run("cat", config, messages); !strings.Contains(got, `"mine"`) || !strings.Contains(got, "precious") {
		d.t.Errorf("after the upgrade there is %q", got)
	}
	d.want(true, config+".dpkg-dist")
	d.want(false, enabled)
}

func removed(d tree) {
	d.run("dpkg", "--remove", "simpost")
	d.want(true, config, messages)
	d.want(false, "/usr/bin/simpost", "/usr/lib/systemd/system/simpost.service")
}

func purged(d tree, deb string) {
	said := d.run("dpkg", "--purge", "simpost")
	d.want(true, messages)
	d.want(false, config, "/etc/simpost")
	if !strings.Contains(said, "sudo rm -r /var/lib/simpost") {
		d.t.Errorf("the purge says %q, and not how to delete the messages", said)
	}
	d.install(deb)
	if got := d.run("cat", messages); got != "precious" {
		d.t.Errorf("installed again, the messages are %q", got)
	}
	d.write("answer", "simpost simpost/purge-messages boolean true\n")
	d.run("debconf-set-selections", "/answer")
	d.run("dpkg", "--purge", "simpost")
	d.want(false, "/var/lib/simpost", "/var/lib/simpost-mark", config)
}
