// Package qemu_test proves the Debian packages where they are used: installed,
// upgraded, removed and purged in a small Debian, and at work in it under QEMU, on
// Debian's kernel, with USB modems that are pulled, plugged, swapped and reset, and
// with the power cut. Judge is the emulated network's own record.
//
// What a reader would get wrong: without SIMPOST_QEMU, which says how many rounds of
// pulling and of power cuts to make, or SIMPOST_CROSS=1 for the other
// architectures, hardly anything runs here; `make qemu` and `make cross` set them.
// Making the guest takes root, and three minutes the first time; it is kept in
// SIMPOST_QEMU_CACHE, ~/.cache/simpost-qemu by default.
package qemu_test

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	roundsVariable = "SIMPOST_QEMU"
	cacheVariable  = "SIMPOST_QEMU_CACHE"
)

// rounds is how often to pull, or to cut the power.
func rounds(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv(roundsVariable))
	if err != nil || n < 1 {
		t.Skipf("%s, the number of rounds, is not set: run `make qemu`", roundsVariable)
	}
	if os.Getuid() != 0 {
		t.Fatal("only root can make the guest's disk: sudo make qemu")
	}
	return n
}

// debian is the tar of a small Debian, made if the one in the cache is not of today's recipe.
func debian(t *testing.T, arch string) string {
	t.Helper()
	recipe := sha256.New()
	for _, root := range []string{"debian", "guest"} {
		err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(name)
			fmt.Fprintf(recipe, "%s %d\n%s", name, len(text), text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	cache := os.Getenv(cacheVariable)
	if cache == "" {
		home, err := os.UserCacheDir()
		if err != nil {
			t.Fatal(err)
		}
		cache = filepath.Join(home, "simpost-qemu")
	}
	tar := filepath.Join(cache, fmt.Sprintf("bookworm-%s-%.8x.tar", arch, recipe.Sum(nil)))
	if _, err := os.Stat(tar); err == nil {
		return tar
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Logf("making %s", tar)
	command(t, "./debian", arch, tar)
	return tar
}

// newestPackage is what `make deb` made last.
func newestPackage(t *testing.T, arch string) string {
	t.Helper()
	found, _ := filepath.Glob("../../dist/simpost_*_" + arch + ".deb")
	if len(found) == 0 {
		t.Fatalf("there is no package in dist/: make deb ARCH=%s", arch)
	}
	return slices.MaxFunc(found, func(a, b string) int { return cmp.Compare(modified(t, a), modified(t, b)) })
}

func modified(t *testing.T, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return info.ModTime().UnixNano()
}

// tree is a small Debian unpacked.
type tree struct {
	t   *testing.T
	dir string
}

func newTree(t *testing.T, arch string) tree {
	t.Helper()
	d := tree{t, t.TempDir()}
	command(t, "tar", "--extract", "--numeric-owner", "--directory", d.dir, "--file", debian(t, arch))
	return d
}

func (d tree) path(name string) string { return filepath.Join(d.dir, name) }

func (d tree) write(name, text string) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Dir(d.path(name)), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(d.path(name), []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

// run runs a program in the tree as root, and returns all it said.
func (d tree) run(args ...string) string {
	d.t.Helper()
	return command(d.t, "chroot", append([]string{d.dir, "env", "DEBIAN_FRONTEND=noninteractive"}, args...)...)
}

// install installs a package that lies outside, and keeps changed configuration, as apt does when nobody can be asked.
func (d tree) install(deb string) string {
	d.t.Helper()
	command(d.t, "cp", deb, d.path("simpost.deb"))
	defer os.Remove(d.path("simpost.deb"))
	return d.run("dpkg", "--force-confold", "--install", "/simpost.deb")
}

// command runs a program to its end and returns all it said; a failure is the test's.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
