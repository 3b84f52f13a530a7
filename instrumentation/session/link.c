/* SPDX-License-Identifier: MIT */
#include "instrumentation/session/link.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <linux/sock_diag.h>

#include "lib/util.h"

static int
diag_open(void)
{
	const struct timeval limit = { .tv_sec = 2 };
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	return fd < 0 ? -errno : fd;
}

/* Adds the connections of one reply; 1 when more come, 0 at the end. */
static int
take_reply(const char *reply, size_t size, struct links *links)
{
	for (const struct nlmsghdr *h = (const void *) reply; NLMSG_OK(h, size);
	     h = NLMSG_NEXT(h, size)) {
		const struct inet_diag_msg *msg = NLMSG_DATA(h);
		const struct nlmsgerr *failure = NLMSG_DATA(h);

		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR)
			return h->nlmsg_len >= NLMSG_LENGTH(sizeof *failure) && failure->error ?
				failure->error : -EPROTO;
		if (h->nlmsg_len < NLMSG_LENGTH(sizeof *msg) || msg->idiag_state != TCP_ESTABLISHED)
			continue;
		if (links->n < LINK_MAX)
			links->items[links->n++] = (struct link) { msg->idiag_family, msg->id };
	}
	return 1;
}

static int
find_family(int fd, uint8_t family, uint16_t port, struct links *links)
{
	/* Remote port >= port, and <= port: else the whole program is too short. */
	struct inet_diag_bc_op filter[4] = {
		{ INET_DIAG_BC_D_GE, 8, 20 }, { 0, 0, port },
		{ INET_DIAG_BC_D_LE, 8, 12 }, { 0, 0, port },
	};
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 req;
		struct nlattr attr;
		struct inet_diag_bc_op filter[4];
	} request = {
		.h = { sizeof request, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 0, 0 },
		.req = { .sdiag_family = family, .sdiag_protocol = IPPROTO_TCP,
			 .idiag_states = 1 << TCP_ESTABLISHED },
		.attr = { sizeof request.attr + sizeof filter, INET_DIAG_REQ_BYTECODE },
	};
	char reply[32768] __attribute__((aligned(8)));
	int r = 1;

	memcpy(request.filter, filter, sizeof filter);
	if (send(fd, &request, sizeof request, 0) < 0)
		return -errno;
	while (r == 1) {
		const ssize_t n = recv(fd, reply, sizeof reply, 0);

		r = n < 0 ? -errno : take_reply(reply, (size_t) n, links);
	}
	return r;
}

int
links_find(uint16_t port, struct links *ret)
{
	struct links links = { .n = 0 };
	_cleanup_(closep) int fd = diag_open();
	int r = fd < 0 ? fd : find_family(fd, AF_INET, port, &links);

	/* A kernel without IPv6 has none of these, and says so by an error. */
	if (r >= 0)
		find_family(fd, AF_INET6, port, &links);
	if (r >= 0)
		*ret = links;
	return r;
}

static bool
same_link(const struct link *a, const struct link *b)
{
	return memcmp(a->id.idiag_cookie, b->id.idiag_cookie, sizeof a->id.idiag_cookie) == 0;
}

void
links_subtract(struct links *now, const struct links *before)
{
	size_t kept = 0;

	for (size_t i = 0; i < now->n; i++) {
		bool old = false;

		for (size_t j = 0; j < before->n && !old; j++)
			old = same_link(&now->items[i], &before->items[j]);
		if (!old)
			now->items[kept++] = now->items[i];
	}
	now->n = kept;
}

static bool
is_established(int fd, const struct link *link)
{
	struct {
		struct nlmsghdr h;
		struct inet_diag_req_v2 req;
	} request = {
		.h = { sizeof request, SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 0, 0 },
		.req = { .sdiag_family = link->family, .sdiag_protocol = IPPROTO_TCP,
			 .idiag_states = ~0U, .id = link->id },
	};
	char reply[8192] __attribute__((aligned(8)));
	struct links found = { .n = 0 };
	ssize_t n;

	if (send(fd, &request, sizeof request, 0) < 0)
		return true;
	n = recv(fd, reply, sizeof reply, 0);
	return n < 0 || (take_reply(reply, (size_t) n, &found) == 1 && found.n == 1);
}

bool
links_alive(const struct links *links)
{
	_cleanup_(closep) int fd = diag_open();

	for (size_t i = 0; fd >= 0 && i < links->n; i++)
		if (!is_established(fd, &links->items[i]))
			return false;
	return true;
}

/* -- Probing ------------------------------------------------------------- */

static int
probe_address(const struct addrinfo *address, int timeout_ms)
{
	_cleanup_(closep) int fd =
		socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	int failure = 0;
	socklen_t size = sizeof failure;

	if (fd < 0)
		return -errno;
	if (connect(fd, address->ai_addr, address->ai_addrlen) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return -errno;
	if (poll(&poll_fd, 1, timeout_ms) <= 0)
		return -ETIMEDOUT;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size);
	return -failure;
}

int
link_probe(const char *host, uint16_t port, int timeout_ms, struct error *error)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *addresses = NULL;
	char service[8];
	int r;

	snprintf(service, sizeof service, "%u", port);
	r = getaddrinfo(host, service, &hints, &addresses);
	if (r != 0)
		return error_set(error, ENOENT, "%s has no address: %s", host, gai_strerror(r));
	r = -ENOENT;
	for (const struct addrinfo *a = addresses; a && r < 0; a = a->ai_next)
		r = probe_address(a, timeout_ms);
	freeaddrinfo(addresses);
	if (r < 0)
		return error_set(error, -r,
				 "no relayd answers at %s port %u (%s): is lttng-relayd "
				 "running there, and may this node reach it?",
				 host, port, strerror(-r));
	return 0;
}
