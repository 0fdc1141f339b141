// Preloaded into a server (LD_PRELOAD): records which bytes of which files were synced, and makes
// syncs slow or failing and disks full. tests/harness/crash.mjs starts and reads it.
//
// Environment:
//   SYNCED_RECORD      file that gets one line for each event, appended by one write(2), so that it
//                      survives kill -9; without it nothing is recorded
//   SYNCED_FOLDER      the modes below touch only files under this folder
//   SYNCED_SWITCH      the modes below wait until this file exists, counting from then
//   SYNCED_DELAY_MS    every sync takes this much longer
//   SYNCED_FAIL_AFTER  every sync after so many fails with EIO
//   SYNCED_FULL_AFTER  writes fail with ENOSPC after so many bytes
//
// Lines: "sync LENGTH BEGIN END PATH", where LENGTH is the file's when the sync began (what is
// written during it may be lost) and BEGIN and END are ns of CLOCK_MONOTONIC; "failed PATH";
// "full PATH"; "rename OLD<tab>NEW"; "unlink PATH". What msync and sync_file_range do is no promise
// here: a store that relied on them would be seen to lose what it acknowledged.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int record_fd = -1;
static char folder[PATH_MAX];
static size_t folder_length;
static const char* switch_file;
static long delay_ms;
static long fail_after = -1;
static long full_after = -1;
static atomic_long syncs;
static atomic_long written;

static int (*next_fsync)(int);
static int (*next_fdatasync)(int);
static int (*next_rename)(const char*, const char*);
static int (*next_renameat)(int, const char*, int, const char*);
static int (*next_renameat2)(int, const char*, int, const char*, unsigned int);
static int (*next_unlink)(const char*);
static int (*next_unlinkat)(int, const char*, int);
static ssize_t (*next_write)(int, const void*, size_t);
static ssize_t (*next_pwrite)(int, const void*, size_t, off_t);
static ssize_t (*next_pwrite64)(int, const void*, size_t, off64_t);
static ssize_t (*next_writev)(int, const struct iovec*, int);

static long number(const char* name, long otherwise) {
  const char* text = getenv(name);
  return text && *text ? strtol(text, NULL, 10) : otherwise;
}

// Other constructors may write and sync before this one has run, so each wrapper calls it too.
__attribute__((constructor)) static void start(void) {
  static atomic_int state;  // 0: not started, 1: starting, 2: ready
  if (atomic_load(&state) == 2) return;
  int expected = 0;
  if (!atomic_compare_exchange_strong(&state, &expected, 1)) {
    while (atomic_load(&state) != 2) {}
    return;
  }
  next_fsync = NEXT(fsync);
  next_fdatasync = NEXT(fdatasync);
  next_rename = NEXT(rename);
  next_renameat = NEXT(renameat);
  next_renameat2 = NEXT(renameat2);
  next_unlink = NEXT(unlink);
  next_unlinkat = NEXT(unlinkat);
  next_write = NEXT(write);
  next_pwrite = NEXT(pwrite);
  next_pwrite64 = NEXT(pwrite64);
  next_writev = NEXT(writev);
  switch_file = getenv("SYNCED_SWITCH");
  delay_ms = number("SYNCED_DELAY_MS", 0);
  fail_after = number("SYNCED_FAIL_AFTER", -1);
  full_after = number("SYNCED_FULL_AFTER", -1);
  const char* under = getenv("SYNCED_FOLDER");
  folder_length = under ? strnlen(under, sizeof folder - 1) : 0;
  if (under) memcpy(folder, under, folder_length);
  const char* record = getenv("SYNCED_RECORD");
  if (record) record_fd = open(record, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  atomic_store(&state, 2);
}

__attribute__((format(printf, 1, 2))) static void note(const char* format, ...) {
  if (record_fd < 0) return;
  int error = errno;
  char line[3 * PATH_MAX];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (length > 0 && (size_t)length < sizeof line) {
    if (next_write(record_fd, line, (size_t)length) != length) abort();
  }
  errno = error;
}

// The path that a descriptor has now: right after renames too. Empty if it has none.
static void path_of(int fd, char path[PATH_MAX]) {
  int error = errno;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  path[length > 0 ? length : 0] = '\0';
  errno = error;
}

// A name as it will be recorded: absolute, as far as the directory is known.
static void absolute(int at, const char* name, char path[PATH_MAX]) {
  char base[PATH_MAX];
  if (name[0] == '/') {
    snprintf(path, PATH_MAX, "%s", name);
    return;
  }
  if (at == AT_FDCWD) {
    if (!getcwd(base, sizeof base)) base[0] = '\0';
  } else {
    path_of(at, base);
  }
  if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) path[0] = '\0';
}

// Whether the modes hold for this path now.
static int meant(const char* path) {
  if (folder_length == 0 || strncmp(path, folder, folder_length) != 0) return 0;
  if (path[folder_length] != '/' && path[folder_length] != '\0') return 0;
  if (!switch_file) return 1;
  int error = errno;
  int on = access(switch_file, F_OK) == 0;
  errno = error;
  return on;
}

static int64_t now_ns(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int synced(int fd, int (*next)(int)) {
  start();
  char path[PATH_MAX];
  path_of(fd, path);
  struct stat status;
  int64_t begin = now_ns();
  long long length = fstat(fd, &status) == 0 ? (long long)status.st_size : 0;
  if (meant(path)) {
    if (fail_after >= 0 && atomic_fetch_add(&syncs, 1) >= fail_after) {
      note("failed %s\n", path);
      errno = EIO;
      return -1;
    }
    if (delay_ms > 0) {
      struct timespec delay = {delay_ms / 1000, delay_ms % 1000 * 1000000};
      while (nanosleep(&delay, &delay) != 0 && errno == EINTR) {}
    }
  }
  int result = next(fd);
  if (result == 0) {
    note("sync %lld %lld %lld %s\n", length, (long long)begin, (long long)now_ns(), path);
  } else {
    note("failed %s\n", path);
  }
  return result;
}

int fsync(int fd) {
  start();
  return synced(fd, next_fsync);
}

int fdatasync(int fd) {
  start();
  return synced(fd, next_fdatasync);
}

static int renamed(int result, int from_at, const char* from, int to_at, const char* to) {
  if (result != 0) return result;
  char old_path[PATH_MAX];
  char new_path[PATH_MAX];
  absolute(from_at, from, old_path);
  absolute(to_at, to, new_path);
  note("rename %s\t%s\n", old_path, new_path);
  return result;
}

int rename(const char* from, const char* to) {
  start();
  return renamed(next_rename(from, to), AT_FDCWD, from, AT_FDCWD, to);
}

int renameat(int from_at, const char* from, int to_at, const char* to) {
  start();
  return renamed(next_renameat(from_at, from, to_at, to), from_at, from, to_at, to);
}

int renameat2(int from_at, const char* from, int to_at, const char* to, unsigned int flags) {
  start();
  return renamed(next_renameat2(from_at, from, to_at, to, flags), from_at, from, to_at, to);
}

static int unlinked(int result, int at, const char* name) {
  if (result != 0) return result;
  char path[PATH_MAX];
  absolute(at, name, path);
  note("unlink %s\n", path);
  return result;
}

int unlink(const char* name) {
  start();
  return unlinked(next_unlink(name), AT_FDCWD, name);
}

int unlinkat(int at, const char* name, int flags) {
  start();
  return unlinked(next_unlinkat(at, name, flags), at, name);
}

// How many of `count` bytes still fit; -1 if none does and a full disk is to be reported.
static ssize_t fitting(int fd, size_t count) {
  if (full_after < 0 || count == 0) return (ssize_t)count;
  char path[PATH_MAX];
  path_of(fd, path);
  if (!meant(path)) return (ssize_t)count;
  long before = atomic_fetch_add(&written, (long)count);
  if (before + (long)count <= full_after) return (ssize_t)count;
  if (before < full_after) return full_after - before;
  note("full %s\n", path);
  errno = ENOSPC;
  return -1;
}

ssize_t write(int fd, const void* bytes, size_t count) {
  start();
  ssize_t fits = fitting(fd, count);
  return fits < 0 ? -1 : next_write(fd, bytes, (size_t)fits);
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  start();
  ssize_t fits = fitting(fd, count);
  return fits < 0 ? -1 : next_pwrite(fd, bytes, (size_t)fits, offset);
}

ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t offset) {
  start();
  ssize_t fits = fitting(fd, count);
  return fits < 0 ? -1 : next_pwrite64(fd, bytes, (size_t)fits, offset);
}

ssize_t writev(int fd, const struct iovec* parts, int count) {
  start();
  if (full_after < 0 || count <= 0) return next_writev(fd, parts, count);
  size_t size = 0;
  for (int i = 0; i < count; ++i) size += parts[i].iov_len;
  ssize_t fits = fitting(fd, size);
  if (fits < 0) return -1;
  if ((size_t)fits == size) return next_writev(fd, parts, count);
  // A short write is allowed: of the first part alone.
  size_t first = parts[0].iov_len < (size_t)fits ? parts[0].iov_len : (size_t)fits;
  return next_write(fd, parts[0].iov_base, first);
}
