/* SPDX-License-Identifier: MIT
 *
 * connect_tls.h -- TLS over a connected descriptor, for conn.c. */
#ifndef CLIENT_CONNECT_TLS_H
#define CLIENT_CONNECT_TLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "client/cloudtrace.h"

struct connect_tls;

/* Shakes hands and checks that the certificate is one of the host in
 * 'address' ("HOST:PORT").  Returns 0 or a negative errno. */
int connect_tls_start(int fd, const char *address, const struct cloudtrace_tls *options,
		      uint64_t deadline_ns, struct connect_tls **ret, struct cloudtrace_error *error);
/* Accepts NULL. */
void connect_tls_end(struct connect_tls *tls);
/* As recv(2) and send(2) without blocking; -1 with errno EAGAIN, or EPROTO with
 * *error filled. */
ssize_t connect_tls_read(struct connect_tls *tls, void *bytes, size_t size,
			 struct cloudtrace_error *error);
ssize_t connect_tls_write(struct connect_tls *tls, const void *bytes, size_t size,
			  struct cloudtrace_error *error);

#endif /* connect_tls.h */
