package hw

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lookEvery is how often Wait looks again by itself: the kernel tells of new
	// names in a folder, but not on every file system, and not when it is out of watches.
	lookEvery = 2 * time.Second

	// linkLimit is how many symlinks Wait follows, the kernel's own limit.
	linkLimit = 40
)

// Wait returns nil as soon as path leads to something: at once if it is there,
// else when the device or the symlink to it appears. That says nothing about
// permissions, which udev may set a moment later. It sleeps in the kernel, and
// its only other return is ctx's error.
func Wait(ctx context.Context, path string) error {
	for {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("wait for %s: %w", path, err)
		}
		if exists(path) {
			return nil
		}
		waitForChange(ctx, path)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// waitForChange returns when a folder on the way to path changes, after
// lookEvery, or when ctx ends.
func waitForChange(ctx context.Context, path string) {
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	events, err := watch(path)
	if err != nil {
		<-ctx.Done()
		return
	}
	defer events.Close()
	stop := context.AfterFunc(ctx, func() { events.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	// What appeared before the watch was set makes no event.
	if exists(path) {
		return
	}
	var buf [4096]byte
	_, _ = events.Read(buf[:])
}

// watch subscribes to the folders where a missing link of the chain from path
// to a device would appear. /dev/serial/by-id goes away with its last device,
// so the nearest folder that exists is the one to watch.
func watch(path string) (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, err
	}
	events := os.NewFile(uintptr(fd), "inotify")
	const mask = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR
	for range linkLimit {
		if _, err := unix.InotifyAddWatch(fd, nearestFolder(path), mask); err != nil {
			events.Close()
			return nil, err
		}
		target, err := os.Readlink(path)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOENT) {
			return events, nil // no link, or nothing there yet
		}
		if err != nil {
			events.Close()
			return nil, err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	events.Close()
	return nil, unix.ELOOP
}

func nearestFolder(path string) string {
	dir := filepath.Dir(path)
	for dir != filepath.Dir(dir) && !exists(dir) {
		dir = filepath.Dir(dir)
	}
	return dir
}
