/* SPDX-License-Identifier: MIT
 *
 * conn.c -- libcloudtrace: one connection, calls and notifications. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/cloudtrace.h"
#include "client/connect.h"
#include "client/connect_tls.h"
#include "lib/clock.h"
#include "proto/line.h"
#include "proto/rpc.h"

#define CONNECT_NS (10 * NS_PER_S)
#define CALL_NS (30 * NS_PER_S)
/* Notifications that came while a reply was waited for. */
enum { MAX_WAITING = 4096 };

struct cloudtrace {
	int fd;
	struct connect_tls *tls; /* NULL: plain. */
	pid_t child;             /* 0: none. */
	char *name;              /* For messages. */
	struct line_reader lines;
	json_t *waiting;         /* Array of notifications. */
	json_int_t last_id;
};

void
cloudtrace_close(struct cloudtrace *daemon)
{
	if (!daemon)
		return;
	connect_tls_end(daemon->tls);
	if (daemon->fd >= 0)
		close(daemon->fd);
	if (daemon->child) {
		/* It only reads: nothing is lost by ending it at once. */
		kill(daemon->child, SIGTERM);
		waitpid(daemon->child, NULL, 0);
	}
	line_reader_done(&daemon->lines);
	json_decref(daemon->waiting);
	free(daemon->name);
	free(daemon);
}

static int
ended(struct cloudtrace *daemon, struct cloudtrace_error *error)
{
	int status;

	if (!daemon->child)
		return connect_failed(error, ECONNRESET, "%s closed the connection", daemon->name);
	waitpid(daemon->child, &status, 0);
	daemon->child = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return connect_failed(error, ENOENT, "cannot run cloudtraced to read the store; "
				      "say where it is in the environment: CLOUDTRACED=PATH");
	return connect_failed(error, ECONNRESET, "%s: cloudtraced could not read it (%s %d)",
			      daemon->name, WIFEXITED(status) ? "exit" : "signal",
			      WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

/* Reads what is there.  Returns 0, or a negative errno. */
static int
receive(struct cloudtrace *daemon, struct cloudtrace_error *error)
{
	char bytes[65536];
	ssize_t n = daemon->tls ? connect_tls_read(daemon->tls, bytes, sizeof bytes, error) :
		    recv(daemon->fd, bytes, sizeof bytes, MSG_DONTWAIT);

	if (n > 0) {
		line_reader_add(&daemon->lines, bytes, (size_t) n);
		return 0;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0 && daemon->tls)
		return -EPROTO;
	if (n < 0 && errno != ECONNRESET)
		return connect_failed(error, errno, "%s: %s", daemon->name, strerror(errno));
	return ended(daemon, error);
}

/* Gives the next message.  Returns 1, 0 on timeout or a signal, or a negative
 * errno. */
static int
next_message(struct cloudtrace *daemon, uint64_t deadline_ns, json_t **ret,
	     struct cloudtrace_error *error)
{
	json_error_t at;
	size_t size;
	char *line;
	int r;

	while (!(r = line_reader_next(&daemon->lines, &line, &size))) {
		r = connect_wait(daemon->fd, POLLIN, deadline_ns);
		if (r == 0 || r == -EINTR)
			return 0;
		if (r < 0)
			return connect_failed(error, -r, "poll: %s", strerror(-r));
		r = receive(daemon, error);
		if (r)
			return r;
	}
	if (r < 0)
		return connect_failed(error, EMSGSIZE, "%s: a line is longer than %d bytes",
				      daemon->name, RPC_MAX_REPLY);
	*ret = json_loadb(line, size, 0, &at);
	if (!json_is_object(*ret)) {
		json_decref(*ret);
		return connect_failed(error, EBADMSG, "%s: no JSON-RPC: %s", daemon->name, at.text);
	}
	return 1;
}

/* A refusal as text, with its hint. */
static int
refused(const json_t *body, struct cloudtrace_error *error)
{
	const json_t *data = json_object_get(body, "data");
	const char *text = json_string_value(json_object_get(body, "message"));
	const char *kind = json_string_value(json_object_get(data, "kind"));
	const char *hint = json_string_value(json_object_get(data, "hint"));
	int r = connect_failed(error, EPROTO, "%s%s%s%s", text ? text : "refused",
			       hint ? " (" : "", hint ? hint : "", hint ? ")" : "");

	if (error)
		snprintf(error->kind, sizeof error->kind, "%s", kind ? kind : "internal");
	return r;
}

static int
check_greeting(struct cloudtrace *daemon, const json_t *hello, struct cloudtrace_error *error)
{
	const json_t *params = json_object_get(hello, "params"), *body;
	const char *method = json_string_value(json_object_get(hello, "method"));
	json_int_t protocol = json_integer_value(json_object_get(params, "protocol"));

	body = json_object_get(hello, "error");
	if (body)
		return refused(body, error);
	if (!method || !streq(method, "hello"))
		return connect_failed(error, EBADMSG, "%s does not greet as cloudtraced does",
				      daemon->name);
	if (protocol != RPC_PROTOCOL)
		return connect_failed(error, EPROTONOSUPPORT,
				      "%s speaks protocol %d, this client %d; take a client of "
				      "the daemon's version", daemon->name, (int) protocol,
				      RPC_PROTOCOL);
	return 0;
}

static int
open_address(const char *address, uint64_t deadline, pid_t *ret_child,
	     struct cloudtrace_error *error)
{
	static const char own[] = RUNSTATEDIR "/cloudtraced/control.sock";
	static const char read_only[] = RUNSTATEDIR "/cloudtraced/ro.sock";
	int fd;

	if (!address) {
		fd = connect_unix(own, deadline, error);
		return fd == -EACCES ? connect_unix(read_only, deadline, error) : fd;
	}
	if (starts_with(address, "store:"))
		return connect_store(address + strlen("store:"), ret_child, error);
	if (!strchr(address, '/') && strchr(address, ':'))
		return connect_tcp(address, deadline, error);
	return connect_unix(address, deadline, error);
}

/* Waits for the greeting and checks it. */
static int
greeted(struct cloudtrace *daemon, uint64_t deadline, struct cloudtrace_error *error)
{
	json_t *hello;
	int r;

	do
		r = next_message(daemon, deadline, &hello, error);
	while (!r && clock_mono_ns() < deadline);
	if (!r)
		return connect_failed(error, ETIMEDOUT, "%s does not greet%s", daemon->name,
				      strchr(daemon->name, ':') && !daemon->tls ?
				      "; TLS needs --ca, --cert and --key" : "");
	if (r > 0) {
		r = check_greeting(daemon, hello, error);
		json_decref(hello);
	}
	return r;
}

static int
connect_to(const char *address, const struct cloudtrace_tls *tls, struct cloudtrace **ret,
	   struct cloudtrace_error *error)
{
	uint64_t deadline = clock_mono_ns() + CONNECT_NS;
	struct cloudtrace *daemon;
	pid_t child = 0;
	int r = 0, fd = tls ? connect_tcp(address, deadline, error) :
			open_address(address, deadline, &child, error);

	if (fd < 0)
		return fd;
	daemon = xcalloc(1, sizeof *daemon);
	daemon->fd = fd;
	daemon->child = child;
	daemon->name = xstrdup(address ? address : "cloudtraced");
	daemon->lines.max = RPC_MAX_REPLY;
	daemon->waiting = json_array();
	if (tls)
		r = connect_tls_start(fd, address, tls, deadline, &daemon->tls, error);
	if (!r)
		r = greeted(daemon, deadline, error);
	if (r)
		cloudtrace_close(daemon);
	else
		*ret = daemon;
	return r;
}

int
cloudtrace_connect(const char *address, struct cloudtrace **ret, struct cloudtrace_error *error)
{
	return connect_to(address, NULL, ret, error);
}

int
cloudtrace_connect_tls(const char *address, const struct cloudtrace_tls *tls,
		       struct cloudtrace **ret, struct cloudtrace_error *error)
{
	return connect_to(address, tls, ret, error);
}

static int
send_all(struct cloudtrace *daemon, const struct buf *line, uint64_t deadline,
	 struct cloudtrace_error *error)
{
	size_t sent = 0;

	while (sent < line->size) {
		const char *bytes = line->data + sent;
		size_t left = line->size - sent;
		ssize_t n = daemon->tls ? connect_tls_write(daemon->tls, bytes, left, error) :
			    send(daemon->fd, bytes, left, MSG_NOSIGNAL | MSG_DONTWAIT);
		int r = 1;

		if (n >= 0)
			sent += (size_t) n;
		else if (errno == EAGAIN || errno == EINTR)
			r = connect_wait(daemon->fd, POLLOUT, deadline);
		else if (daemon->tls)
			return -EPROTO;
		else if (errno == EPIPE)
			/* Why it closed may still be there to read. */
			return 0;
		else
			r = -errno;
		if (r == 0)
			r = -ETIMEDOUT;
		if (r < 0 && r != -EINTR)
			return connect_failed(error, -r, "%s: %s", daemon->name, strerror(-r));
	}
	return 0;
}

/* Waits for the reply of 'id'; keeps notifications for later. */
static int
wait_for_reply(struct cloudtrace *daemon, json_int_t id, uint64_t deadline, json_t **ret,
	       struct cloudtrace_error *error)
{
	for (;;) {
		json_t *message, *answered;
		int r = next_message(daemon, deadline, &message, error);

		if (r < 0)
			return r;
		if (r == 0 && clock_mono_ns() >= deadline)
			return connect_failed(error, ETIMEDOUT, "%s does not answer", daemon->name);
		if (r == 0)
			continue;
		answered = json_object_get(message, "id");
		/* An error without an id ends the connection, or is about our line. */
		if (answered && (json_is_null(answered) || json_integer_value(answered) == id)) {
			*ret = message;
			return 0;
		}
		if (!answered && json_array_size(daemon->waiting) >= MAX_WAITING) {
			json_decref(message);
			return connect_failed(error, ENOBUFS, "%s: too many notifications wait",
					      daemon->name);
		}
		if (!answered)
			json_array_append(daemon->waiting, message);
		json_decref(message);
	}
}

int
cloudtrace_call(struct cloudtrace *daemon, const char *method, json_t *params,
		json_t **ret_result, struct cloudtrace_error *error)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	uint64_t deadline = clock_mono_ns() + CALL_NS;
	json_int_t id = ++daemon->last_id;
	json_t *request = rpc_request_new(id, method, params), *reply = NULL, *result;
	int r;

	if (!request)
		return connect_failed(error, EINVAL, "the method is no UTF-8");
	r = rpc_encode(request, RPC_MAX_LINE, &line);
	json_decref(request);
	if (r)
		return connect_failed(error, EINVAL, "the request is too large");
	r = send_all(daemon, &line, deadline, error);
	if (!r)
		r = wait_for_reply(daemon, id, deadline, &reply, error);
	if (r)
		return r;
	result = json_object_get(reply, "result");
	if (result)
		*ret_result = json_incref(result);
	else
		r = refused(json_object_get(reply, "error"), error);
	json_decref(reply);
	return r;
}

int
cloudtrace_watch(struct cloudtrace *daemon, const char *topic, json_t *filter, const char *since,
		 json_t **ret_result, struct cloudtrace_error *error)
{
	json_t *params = json_pack("{s:s, s:o*, s:s*}", "topic", topic, "filter", filter, "since",
				   since);

	return cloudtrace_call(daemon, "watch", params, ret_result, error);
}

int
cloudtrace_next(struct cloudtrace *daemon, int timeout_ms, json_t **ret_notification,
		struct cloudtrace_error *error)
{
	uint64_t deadline = timeout_ms < 0 ? UINT64_MAX :
			    clock_mono_ns() + (uint64_t) timeout_ms * NS_PER_MS;
	json_t *message = NULL;
	int r;

	if (json_array_size(daemon->waiting)) {
		*ret_notification = json_incref(json_array_get(daemon->waiting, 0));
		json_array_remove(daemon->waiting, 0);
		return 1;
	}
	do {
		r = next_message(daemon, deadline, &message, error);
		if (r <= 0)
			return r;
		if (json_object_get(message, "method")) {
			*ret_notification = message;
			return 1;
		}
		json_decref(message);
	} while (1);
}

int
cloudtrace_fd(const struct cloudtrace *daemon)
{
	return daemon->fd;
}
