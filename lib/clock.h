/* SPDX-License-Identifier: MIT
 *
 * clock.h -- time.  Everywhere a time is a uint64_t in ns: trace time and wall
 * time since 1970 (UTC), monotonic time since an arbitrary point. */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_US UINT64_C(1000)

/* Wall time, ns since 1970. */
uint64_t clock_wall_ns(void);
/* Monotonic time, ns; for timeouts. */
uint64_t clock_mono_ns(void);
/* A duration as libevent and setsockopt() want it. */
struct timeval clock_timeval(uint64_t ns);

/* Writes a duration as a person reads it, three significant figures:
 * "331 ms", "8.82 s", "3 min 12 s", "2 h 5 min".  Returns 'buffer'. */
char *format_duration(uint64_t ns, char *buffer, size_t size);
/* Writes bytes as "16.0 MiB".  Returns 'buffer'. */
char *format_bytes(uint64_t bytes, char *buffer, size_t size);
/* Writes "2026-11-23T06:02:18.123456789Z".  Returns 'buffer'. */
char *format_time_utc(uint64_t ns, char *buffer, size_t size);

#endif /* clock.h */
