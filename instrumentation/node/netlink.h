/* SPDX-License-Identifier: MIT
 *
 * netlink.h -- the little of netlink that we need: a socket, a request, a walk
 * over messages and attributes that checks every length. */
#ifndef INSTRUMENTATION_NODE_NETLINK_H
#define INSTRUMENTATION_NODE_NETLINK_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NETLINK_SIZE = 64 << 10 };

/* A socket of our own, not blocking; 'groups' as in sockaddr_nl.  Returns it
 * or a negative errno. */
int netlink_open(int protocol, uint32_t groups);
/* Sends a dump or get request: 'header' (after nlmsghdr) and perhaps one text attribute. */
int netlink_request(int fd, uint16_t type, uint16_t flags, const void *header, size_t header_size,
		    uint16_t attribute, const char *text);

/* Called for each message that is not control; 'payload' follows nlmsghdr. */
typedef void netlink_fn(void *context, const struct nlmsghdr *header, const void *payload, size_t size);
/* Reads what is there.  Returns 0, -ENOBUFS when messages were lost, or
 * another negative errno (-EAGAIN: nothing there). */
int netlink_read(int fd, netlink_fn *take, void *context);
/* Reads until the answer to a request is whole, at most a second for each part. */
int netlink_answer(int fd, netlink_fn *take, void *context);

/* The attributes of a message: for (a = first; a; a = next). */
struct netlink_attribute {
	uint16_t type;
	uint16_t size;
	const void *data;
	const char *next;
	const char *end;
};
bool netlink_first(struct netlink_attribute *ret, const void *data, size_t size);
bool netlink_next(struct netlink_attribute *attribute);
uint32_t netlink_u32(const struct netlink_attribute *attribute);
/* Copies a text, cut to its place; zeroes the rest. */
void netlink_text(const struct netlink_attribute *attribute, char *place, size_t size);

#endif /* netlink.h */
