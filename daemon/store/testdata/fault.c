/* Preloaded by disk_test.go, and by the tests of cmd/simpost: lets one call on a file whose path has FAULT_FILE in
   it fail, or all from one on. SQLite is C and writes through libc, so its calls
   come by here; those of Go do not.

   FAULT_CALL  write (pwrite, write, ftruncate), sync (fsync, fdatasync), or
               begin: a write that is the first after a sync, of a transaction
   FAULT_AT    the first that fails, from 1
   FAULT_LAST  the last that fails
   FAULT_ERRNO what it fails with; 0: the process is killed (-9) before the call
   FAULT_LOG   gets one octet for every call: w or s done, W or S failed */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int ours(int fd) {
	char link[64], path[4096];
	const char *want = getenv("FAULT_FILE");
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	if (n <= 0 || !want)
		return 0;
	path[n] = 0;
	return strstr(path, want) && !strstr(path, "-shm");
}

static int fails(char kind, int fd) {
	static int calls, log, written;
	const char *call = getenv("FAULT_CALL");
	if (!call || !ours(fd))
		return 0;
	if (!log)
		log = open(getenv("FAULT_LOG"), O_WRONLY | O_APPEND | O_CREAT, 0600);
	int failed = 0;
	int begins = kind == 'w' && !__sync_lock_test_and_set(&written, 1);
	if (kind == 's')
		__sync_lock_release(&written);
	if (*call == kind || (*call == 'b' && begins)) {
		int n = __sync_add_and_fetch(&calls, 1);
		failed = n >= atoi(getenv("FAULT_AT")) && n <= atoi(getenv("FAULT_LAST"));
	}
	char mark = kind == 's' ? (failed ? 'S' : 's') : (failed ? 'W' : 'w');
	ssize_t (*put)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
	if (log > 0)
		put(log, &mark, 1);
	if (failed) {
		errno = atoi(getenv("FAULT_ERRNO"));
		if (!errno)
			kill(getpid(), SIGKILL);
	}
	return failed;
}

#define SHIM(kind, type, name, args, pass) \
	type name args { \
		static type (*real) args; \
		if (!real) \
			*(void **)&real = dlsym(RTLD_NEXT, #name); \
		return fails(kind, fd) ? -1 : real pass; \
	}

SHIM('w', ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n))
SHIM('w', ssize_t, pwrite, (int fd, const void *b, size_t n, off_t at), (fd, b, n, at))
SHIM('w', ssize_t, pwrite64, (int fd, const void *b, size_t n, off64_t at), (fd, b, n, at))
SHIM('w', int, ftruncate, (int fd, off_t n), (fd, n))
SHIM('w', int, ftruncate64, (int fd, off64_t n), (fd, n))
SHIM('s', int, fsync, (int fd), (fd))
SHIM('s', int, fdatasync, (int fd), (fd))
