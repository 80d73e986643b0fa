package hw

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// ways are how a device that was not there appears; path is modem0 in dir.
var ways = map[string]struct {
	before, appear func(t *testing.T, dir string)
}{
	"the node": {
		func(*testing.T, string) {},
		func(t *testing.T, dir string) { touch(t, filepath.Join(dir, "modem0")) },
	},
	"a link to a node": {
		func(t *testing.T, dir string) { touch(t, filepath.Join(dir, "tty")) },
		func(t *testing.T, dir string) { link(t, "tty", filepath.Join(dir, "modem0")) },
	},
	"the target of a link": {
		func(t *testing.T, dir string) {
			mkdir(t, filepath.Join(dir, "dev"))
			link(t, "dev/tty", filepath.Join(dir, "modem0"))
		},
		func(t *testing.T, dir string) { touch(t, filepath.Join(dir, "dev", "tty")) },
	},
	"the folder of the target": {
		func(t *testing.T, dir string) { link(t, "dev/serial/tty", filepath.Join(dir, "modem0")) },
		func(t *testing.T, dir string) {
			if err := os.MkdirAll(filepath.Join(dir, "dev", "serial"), 0o700); err != nil {
				t.Fatal(err)
			}
			touch(t, filepath.Join(dir, "dev", "serial", "tty"))
		},
	},
	"a rename": {
		func(t *testing.T, dir string) { touch(t, filepath.Join(dir, "new")) },
		func(t *testing.T, dir string) {
			if err := os.Rename(filepath.Join(dir, "new"), filepath.Join(dir, "modem0")); err != nil {
				t.Fatal(err)
			}
		},
	},
}

func TestWait(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "modem0")
			way.before(t, dir)
			done := make(chan error)
			go func() { done <- Wait(t.Context(), path) }()
			way.appear(t, dir)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if err := Wait(t.Context(), path); err != nil {
				t.Fatalf("for what is there: %v", err)
			}
		})
	}
}

// Wait would pass the test above by looking every two seconds; this one holds
// the watch to it that the kernel tells of every way.
func TestWatchIsToldOfEveryWay(t *testing.T) {
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			way.before(t, dir)
			events, err := watch(filepath.Join(dir, "modem0"))
			if err != nil {
				t.Fatal(err)
			}
			defer events.Close()
			way.appear(t, dir)
			events.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := events.Read(make([]byte, 4096)); err != nil {
				t.Fatalf("no event: %v", err)
			}
		})
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- Wait(ctx, filepath.Join(t.TempDir(), "modem0")) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Fatalf("Wait ended with %v, want context.Canceled", err)
	}
}

// This one runs out inside the kernel.
func TestWaitEndsAtItsDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := Wait(ctx, filepath.Join(t.TempDir(), "modem0")); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Wait ended with %v, want context.DeadlineExceeded", err)
	}
}

func TestWaitForALinkThatLeadsToItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "modem0")
	link(t, "modem0", path)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := Wait(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Wait ended with %v, want context.DeadlineExceeded", err)
	}
}
