// Preloaded into a server (LD_PRELOAD): its wall clock is off by what a file says, and a test sets it
// by writing there. The clocks that nobody can set are left alone. tests/harness/clock.mjs builds it.
//
// Environment: CLOCK_OFFSET names a file of 8 bytes, the offset in ms as a little-endian number.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t* offset;
static int (*next_clock_gettime)(clockid_t, struct timespec*);

__attribute__((constructor)) static void start(void) {
  next_clock_gettime = (__typeof__(next_clock_gettime))dlsym(RTLD_NEXT, "clock_gettime");
  const char* name = getenv("CLOCK_OFFSET");
  int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void* at = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, fd, 0);
  close(fd);
  if (at != MAP_FAILED) offset = at;
}

int clock_gettime(clockid_t id, struct timespec* time) {
  if (!next_clock_gettime) start();
  int result = next_clock_gettime(id, time);
  if (result != 0 || !offset || (id != CLOCK_REALTIME && id != CLOCK_REALTIME_COARSE)) return result;
  int64_t ns = time->tv_nsec + *offset % 1000 * 1000000;
  time->tv_sec += *offset / 1000 + ns / 1000000000;
  time->tv_nsec = ns % 1000000000;
  if (time->tv_nsec < 0) {
    time->tv_nsec += 1000000000;
    --time->tv_sec;
  }
  return 0;
}

int gettimeofday(struct timeval* restrict time, void* restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* to) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (to) *to = now.tv_sec;
  return now.tv_sec;
}
