/* SPDX-License-Identifier: MIT
 *
 * viewer_resolve.h -- host names to addresses without blocking the loop.
 *
 * Numeric addresses are answered at once.  Names go through getaddrinfo() and
 * so through whatever nsswitch.conf says, in a thread of their own that shares
 * no memory: its answer comes as bytes through a socket, and giving up is
 * closing that socket. */
#ifndef CTF_VIEWER_RESOLVE_H
#define CTF_VIEWER_RESOLVE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"

enum { VIEWER_MAX_ADDRESSES = 8 };

union viewer_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct viewer_addresses {
	int code;                  /* What getaddrinfo() said. */
	unsigned count;
	union viewer_address address[VIEWER_MAX_ADDRESSES];
};

/* Whether 'host' is a numeric address; then *ret holds it. */
bool viewer_resolve_numeric(const char *host, uint16_t port, struct viewer_addresses *ret);
/* Starts resolving.  Returns a non-blocking descriptor that becomes readable
 * when viewer_resolve_finish() will answer, or a negative errno. */
int viewer_resolve_start(const char *host, uint16_t port, struct error *error);
/* Reads the answer; the descriptor stays the caller's to close. */
int viewer_resolve_finish(int fd, const char *host, struct viewer_addresses *ret,
			  struct error *error);

#endif /* viewer_resolve.h */
