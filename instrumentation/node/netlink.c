/* SPDX-License-Identifier: MIT
 *
 * netlink.c -- netlink (netlink.h). */
#include "instrumentation/node/netlink.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/util.h"

enum { RECEIVE_BUFFER = 1 << 20, ANSWER_MS = 1000, MAX_PARTS = 4096 };

int
netlink_open(int protocol, uint32_t groups)
{
	const struct sockaddr_nl address = { .nl_family = AF_NETLINK, .nl_groups = groups };
	const int size = RECEIVE_BUFFER;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol), r;

	if (fd < 0)
		return -errno;
	/* Beyond the system's limit where we may. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size))
		(void) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (bind(fd, (const struct sockaddr *) &address, sizeof address) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

int
netlink_request(int fd, uint16_t type, uint16_t flags, const void *header, size_t header_size,
		uint16_t attribute, const char *text)
{
	char bytes[512] = { 0 };
	const size_t text_size = text ? strlen(text) + 1 : 0;
	size_t size = NLMSG_HDRLEN + NLMSG_ALIGN(header_size);
	struct nlmsghdr message = { .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags };
	const struct nlattr nla = { .nla_type = attribute, .nla_len = (uint16_t) (NLA_HDRLEN + text_size) };

	if (header_size > 128 || text_size > 128)
		return -EINVAL;
	memcpy(bytes + NLMSG_HDRLEN, header, header_size);
	if (text) {
		memcpy(bytes + size, &nla, sizeof nla);
		memcpy(bytes + size + NLA_HDRLEN, text, text_size);
		size += NLA_ALIGN(NLA_HDRLEN + text_size);
	}
	message.nlmsg_len = (uint32_t) size;
	memcpy(bytes, &message, sizeof message);
	return send(fd, bytes, size, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* One part.  1: it was the last of an answer. */
static int
read_part(int fd, netlink_fn *take, void *context)
{
	static _Alignas(struct nlmsghdr) char bytes[NETLINK_SIZE];
	struct sockaddr_nl from = { 0 };
	socklen_t from_size = sizeof from;
	ssize_t got = recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *) &from, &from_size);
	size_t left = got > 0 ? (size_t) got : 0;

	if (got < 0)
		return -errno;
	/* Other processes can send to us; only the kernel is believed. */
	if (from_size != sizeof from || from.nl_pid)
		return 0;
	for (char *p = bytes; left >= NLMSG_HDRLEN; ) {
		struct nlmsghdr header;
		size_t step;
		int error = 0;

		memcpy(&header, p, sizeof header);
		if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > left)
			return -EBADMSG;
		if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) {
			if (header.nlmsg_len >= NLMSG_HDRLEN + sizeof error)
				memcpy(&error, p + NLMSG_HDRLEN, sizeof error);
			return error < 0 && header.nlmsg_type == NLMSG_ERROR ? error : 1;
		}
		if (header.nlmsg_type >= NLMSG_MIN_TYPE)
			take(context, &header, p + NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN);
		step = MIN((size_t) NLMSG_ALIGN(header.nlmsg_len), left);
		p += step;
		left -= step;
	}
	return 0;
}

int
netlink_read(int fd, netlink_fn *take, void *context)
{
	int r = 0;

	/* Not for ever: others have to come to their turn. */
	for (int i = 0; r >= 0 && i < 64; i++)
		r = read_part(fd, take, context);
	return r > 0 ? 0 : r;
}

int
netlink_answer(int fd, netlink_fn *take, void *context)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int r = 0;

	for (int i = 0; i < MAX_PARTS && (r == 0 || r == -EAGAIN); i++) {
		if (poll(&poll_fd, 1, ANSWER_MS) != 1)
			return -ETIMEDOUT;
		r = read_part(fd, take, context);
	}
	return r > 0 ? 0 : r;
}

static bool
take_attribute(struct netlink_attribute *ret, const char *p, const char *end)
{
	struct nlattr header;
	size_t left = (size_t) (end - p);

	if (left < sizeof header)
		return false;
	memcpy(&header, p, sizeof header);
	if (header.nla_len < NLA_HDRLEN || header.nla_len > left)
		return false;
	ret->type = header.nla_type & NLA_TYPE_MASK;
	ret->size = (uint16_t) (header.nla_len - NLA_HDRLEN);
	ret->data = p + NLA_HDRLEN;
	ret->next = p + MIN((size_t) NLA_ALIGN(header.nla_len), left);
	ret->end = end;
	return true;
}

bool
netlink_first(struct netlink_attribute *ret, const void *data, size_t size)
{
	return take_attribute(ret, data, (const char *) data + size);
}

bool
netlink_next(struct netlink_attribute *attribute)
{
	return take_attribute(attribute, attribute->next, attribute->end);
}

uint32_t
netlink_u32(const struct netlink_attribute *attribute)
{
	uint32_t value = 0;

	if (attribute->size >= sizeof value)
		memcpy(&value, attribute->data, sizeof value);
	return value;
}

void
netlink_text(const struct netlink_attribute *attribute, char *place, size_t size)
{
	size_t n = MIN((size_t) attribute->size, size - 1);

	n = strnlen(attribute->data, n);
	memcpy(place, attribute->data, n);
	memset(place + n, 0, size - n);
}
