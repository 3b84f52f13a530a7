/* SPDX-License-Identifier: MIT
 *
 * connect.h -- ways to a daemon, for conn.c. */
#ifndef CLIENT_CONNECT_H
#define CLIENT_CONNECT_H

#include <stdint.h>
#include <sys/types.h>

#include "client/cloudtrace.h"
#include "lib/error.h"

/* Fills *error (which may be NULL) and returns -'code', as error_set() does. */
#define connect_failed(...) error_negative(connect_fill_error(__VA_ARGS__))
int connect_fill_error(struct cloudtrace_error *error, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Waits for 'events' of poll(2) until the monotonic time 'deadline_ns'.
 * Returns 1, 0 on timeout, or a negative errno. */
int connect_wait(int fd, short events, uint64_t deadline_ns);

/* Each returns a connected non-blocking descriptor or a negative errno. */
int connect_unix(const char *path, uint64_t deadline_ns, struct cloudtrace_error *error);
int connect_tcp(const char *address, uint64_t deadline_ns, struct cloudtrace_error *error);
/* Where cloudtraced is; a name without '/' means PATH.  To be freed. */
char *connect_find_daemon(void);
/* Runs "cloudtraced --store FILE --stdio". */
int connect_store(const char *file, pid_t *ret_child, struct cloudtrace_error *error);

#endif /* connect.h */
