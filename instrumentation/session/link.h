/* SPDX-License-Identifier: MIT
 *
 * link.h -- whether the consumer daemons are still connected to the relayd.
 *
 * A session whose relayd died stays "active" without a lost event, while all
 * that is recorded goes nowhere, even once relayd is back; nothing in LTTng's
 * library tells.  The kernel does: the consumer daemon has one connection to
 * relayd's data port for each domain of a session, which leaves the state
 * ESTABLISHED at once when relayd goes.  Read by sock_diag(7). */
#ifndef SESSION_LINK_H
#define SESSION_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/inet_diag.h>

#include "lib/error.h"

enum { LINK_MAX = 64 };

struct link {
	uint8_t family;
	struct inet_diag_sockid id;
};

struct links {
	struct link items[LINK_MAX];
	size_t n;
};

/* The established connections of this node to a remote port.  0, or negative
 * when the kernel doesn't tell. */
int links_find(uint16_t port, struct links *ret);
/* Keeps of 'now' what isn't in 'before'. */
void links_subtract(struct links *now, const struct links *before);
/* Whether each one is still established; costs a look-up each, however many
 * connections the node has. */
bool links_alive(const struct links *links);

/* Whether something accepts connections at host:port, within 'timeout_ms'.
 * 0, or negative with 'error' filled. */
int link_probe(const char *host, uint16_t port, int timeout_ms, struct error *error);

#endif /* link.h */
