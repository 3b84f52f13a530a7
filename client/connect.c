/* SPDX-License-Identifier: MIT
 *
 * connect.c -- ways to a daemon: a Unix socket, TCP, or one of our own that
 * reads a store. */
#include "client/connect.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/util.h"

int
connect_fill_error(struct cloudtrace_error *error, int code, const char *format, ...)
{
	va_list args;

	if (code <= 0)
		code = EIO;
	if (!error)
		return -code;
	error->code = code;
	error->kind[0] = '\0';
	va_start(args, format);
	vsnprintf(error->text, sizeof error->text, format, args);
	va_end(args);
	return -code;
}

int
connect_wait(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };
	uint64_t now = clock_mono_ns(), left = deadline_ns > now ? deadline_ns - now : 0;
	int r, timeout = -1;

	if (deadline_ns != UINT64_MAX)
		timeout = (int) MIN((left + NS_PER_MS - 1) / NS_PER_MS, UINT64_C(1000000000));
	r = poll(&poll_fd, 1, timeout);
	return r < 0 ? -errno : r;
}

int
connect_unix(const char *path, uint64_t deadline_ns, struct cloudtrace_error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, code;

	if (strlen(path) >= sizeof address.sun_path)
		return connect_failed(error, ENAMETOOLONG, "%s: the path is too long", path);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return connect_failed(error, errno, "socket: %s", strerror(errno));
	while (connect(fd, (struct sockaddr *) &address, sizeof address)) {
		code = errno;
		/* Its queue of new clients is full: it may get to it. */
		if (code == EAGAIN && clock_mono_ns() < deadline_ns) {
			poll(NULL, 0, 50);
			continue;
		}
		close(fd);
		return connect_failed(error, code, "cannot reach cloudtraced at %s: %s%s", path,
				      strerror(code), code == ENOENT || code == ECONNREFUSED ?
				      "; is it running?" : "");
	}
	return fd;
}

static int
connect_address(const struct addrinfo *address, uint64_t deadline_ns)
{
	int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r = 0;
	socklen_t size = sizeof r;

	if (fd < 0)
		return -errno;
	if (connect(fd, address->ai_addr, address->ai_addrlen)) {
		r = errno == EINPROGRESS ? connect_wait(fd, POLLOUT, deadline_ns) : -errno;
		if (!r)
			r = -ETIMEDOUT;
		else if (r > 0 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &r, &size))
			r = -errno;
		else if (r > 0)
			r = -r;
	}
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

int
connect_tcp(const char *address, uint64_t deadline_ns, struct cloudtrace_error *error)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	const char *colon = strrchr(address, ':');
	_cleanup_(freep) char *host = NULL;
	struct addrinfo *list;
	int fd = -ENOENT, r;

	if (!colon || colon == address || !colon[1])
		return connect_failed(error, EINVAL, "\"%s\" is no HOST:PORT", address);
	host = *address == '[' && colon[-1] == ']' ?
	       xstrndup(address + 1, (size_t) (colon - address) - 2) :
	       xstrndup(address, (size_t) (colon - address));
	r = getaddrinfo(host, colon + 1, &hints, &list);
	if (r)
		return connect_failed(error, EHOSTUNREACH, "%s: %s", address, gai_strerror(r));
	for (const struct addrinfo *one = list; one && fd < 0; one = one->ai_next)
		fd = connect_address(one, deadline_ns);
	freeaddrinfo(list);
	if (fd < 0)
		return connect_failed(error, -fd, "cannot reach cloudtraced at %s: %s", address,
				      strerror(-fd));
	return fd;
}

/* -- A daemon of our own -------------------------------------------------- */

/* The folder of this program, with its '/', or "". */
static void
own_folder(char *buffer, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", buffer, size - 1);
	char *slash;

	buffer[MAX(n, (ssize_t) 0)] = '\0';
	slash = strrchr(buffer, '/');
	if (slash)
		slash[1] = '\0';
	else
		buffer[0] = '\0';
}

/* Where cloudtraced is; a name without '/' means PATH. */
char *
connect_find_daemon(void)
{
	static const char *const beside[] = { "", "../sbin/" };
	const char *given = getenv("CLOUDTRACED");
	char folder[4096], *path;

	if (given && *given)
		return xstrdup(given);
	own_folder(folder, sizeof folder);
	for (unsigned i = 0; *folder && i < ARRAY_SIZE(beside); i++) {
		path = xasprintf("%s%scloudtraced", folder, beside[i]);
		if (!access(path, X_OK))
			return path;
		free(path);
	}
	path = xstrdup(SBINDIR "/cloudtraced");
	if (access(path, X_OK)) {
		free(path);
		path = xstrdup("cloudtraced");
	}
	return path;
}

int
connect_store(const char *file, pid_t *ret_child, struct cloudtrace_error *error)
{
	_cleanup_(freep) char *program = connect_find_daemon();
	int ends[2];
	pid_t child;

	if (access(file, R_OK))
		return connect_failed(error, errno, "%s: %s", file, strerror(errno));
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return connect_failed(error, errno, "socketpair: %s", strerror(errno));
	child = fork();
	if (child < 0) {
		close(ends[0]);
		close(ends[1]);
		return connect_failed(error, errno, "fork: %s", strerror(errno));
	}
	if (!child) {
		/* dup2() clears close-on-exec. */
		if (dup2(ends[1], 0) == 0 && dup2(ends[1], 1) == 1)
			execlp(program, program, "--store", file, "--stdio", (char *) NULL);
		_exit(127);
	}
	close(ends[1]);
	*ret_child = child;
	return ends[0];
}
