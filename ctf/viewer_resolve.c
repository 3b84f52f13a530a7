/* SPDX-License-Identifier: MIT */
#include "ctf/viewer_resolve.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/util.h"

struct job {
	char *host;
	uint16_t port;
	int fd;
};

static void
resolve(const char *host, uint16_t port, int flags, struct viewer_addresses *ret)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
		.ai_flags = flags | AI_NUMERICSERV,
	};
	struct addrinfo *list = NULL, *a;
	char service[8];

	memset(ret, 0, sizeof *ret);
	snprintf(service, sizeof service, "%u", port);
	ret->code = getaddrinfo(host, service, &hints, &list);
	if (ret->code)
		return;
	for (a = list; a && ret->count < VIEWER_MAX_ADDRESSES; a = a->ai_next)
		if (a->ai_addrlen <= sizeof *ret->address)
			memcpy(&ret->address[ret->count++], a->ai_addr, a->ai_addrlen);
	freeaddrinfo(list);
}

bool
viewer_resolve_numeric(const char *host, uint16_t port, struct viewer_addresses *ret)
{
	struct viewer_addresses found;

	resolve(host, port, AI_NUMERICHOST, &found);
	if (found.code || !found.count)
		return false;
	*ret = found;
	return true;
}

static void *
resolver(void *arg)
{
	struct job *job = arg;
	struct viewer_addresses found;

	resolve(job->host, job->port, 0, &found);
	/* A lost answer (the asker gave up) is nobody's loss. */
	if (send(job->fd, &found, sizeof found, MSG_NOSIGNAL) < 0)
		errno = 0;
	close(job->fd);
	free(job->host);
	free(job);
	return NULL;
}

static int
start_thread(struct job *job)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all, old;
	int r;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	/* Signals are the program's threads' affair. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&thread, &attributes, resolver, job);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attributes);
	return r;
}

int
viewer_resolve_start(const char *host, uint16_t port, struct error *error)
{
	struct job *job;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return error_set(error, errno, "cannot resolve %s: %s", host, strerror(errno));
	job = xmalloc(sizeof *job);
	*job = (struct job) { .host = xstrdup(host), .port = port, .fd = pair[1] };
	r = start_thread(job);
	if (r) {
		close(pair[0]);
		close(pair[1]);
		free(job->host);
		free(job);
		return error_set(error, r, "cannot resolve %s: %s", host, strerror(r));
	}
	return pair[0];
}

int
viewer_resolve_finish(int fd, const char *host, struct viewer_addresses *ret,
		      struct error *error)
{
	struct viewer_addresses found;

	if (recv(fd, &found, sizeof found, 0) != sizeof found)
		return error_set(error, EIO, "cannot resolve %s: no answer", host);
	if (found.code || !found.count)
		return error_set(error, EHOSTUNREACH, "cannot resolve %s: %s", host,
				 found.code ? gai_strerror(found.code) : "no address");
	*ret = found;
	return 0;
}
