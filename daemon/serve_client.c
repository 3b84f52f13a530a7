/* SPDX-License-Identifier: MIT
 *
 * serve_client.c -- one client: lines in, answers out.
 *
 * A client that asks faster than it reads is not read from (max_in_flight,
 * max_backlog); one that does not read what waits for it for stall_ns is
 * dropped.  Nobody else waits for either. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/serve_internal.h"
#include "lib/clock.h"
#include "lib/log.h"

enum { READ_SIZE = 64 << 10 };

size_t
serve_client_backlog(const struct serve_client *client)
{
	return evbuffer_get_length(client->output);
}

/* Replies that are not written out yet. */
static unsigned
in_flight(const struct serve_client *client)
{
	unsigned max = client->serve->options.max_in_flight, count = 0;

	while (count < MIN(max, client->replies) &&
	       client->reply_ends[(client->replies - 1 - count) % max] > client->written)
		count++;
	return count;
}

static bool
may_take_more(const struct serve_client *client)
{
	return !client->closing && !client->dead &&
	       in_flight(client) < client->serve->options.max_in_flight &&
	       serve_client_backlog(client) <= client->serve->options.max_backlog;
}

static void
drop(struct serve_client *client, const char *why)
{
	static struct log_limit limit = LOG_LIMIT(5, 60 * NS_PER_S);

	if (!client->dead && log_allowed(&limit))
		log_info("client dropped: why=%s, name=%s, uid=%d, pid=%d, backlog=%zu", why,
			 client->name, (int) client->uid, (int) client->pid,
			 serve_client_backlog(client));
	client->dead = true;
}

void
serve_client_queue(struct serve_client *client, const void *bytes, size_t size)
{
	struct serve *serve = client->serve;

	if (client->dead)
		return;
	if (serve->pending && serve->pending + size > serve->options.max_pending &&
	    serve_client_backlog(client)) {
		drop(client, "too much waits for all clients");
	} else if (evbuffer_add(client->output, bytes, size)) {
		drop(client, "out of memory");
	} else {
		serve->pending += size;
		client->queued += size;
	}
}

int
serve_client_send(struct serve_client *client, json_t *message)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	int r;

	if (client->http) {
		serve_http_event(client, message);
		return 0;
	}
	r = rpc_encode(message, client->serve->options.max_reply, &line);
	json_decref(message);
	if (!r)
		serve_client_queue(client, line.data, line.size);
	return r;
}

void
serve_client_replied(struct serve_client *client)
{
	client->reply_ends[client->replies++ % client->serve->options.max_in_flight] =
		client->queued;
}

static void
reply(struct serve_client *client, const json_t *id, json_t *message)
{
	struct rpc_error error;

	if (serve_client_send(client, message)) {
		rpc_error_set(&error, RPC_TOO_LARGE, NULL,
			      "ask for less: limit, since_ns, until_ns, status, host, vm",
			      "The reply is larger than %zu bytes",
			      client->serve->options.max_reply);
		serve_client_send(client, rpc_error_new(id, &error));
	}
	serve_client_replied(client);
}

static void
handle_line(struct serve_client *client, const char *line, size_t size)
{
	struct rpc_request request;
	struct rpc_error error;
	json_t *result = NULL;
	int r;

	/* Empty lines keep a connection alive by hand. */
	if (!size || (size == 1 && *line == '\r'))
		return;
	r = rpc_request_parse(line, size, &request, &error);
	if (!r)
		result = serve_call(client, &request, &error);
	/* Who sends a sound notification wants no answer. */
	if (result && request.id)
		reply(client, request.id, rpc_result_new(request.id, result));
	else if (result)
		json_decref(result);
	else if (r || request.id)
		reply(client, request.id, rpc_error_new(request.id, &error));
	rpc_request_done(&request);
}

static void
handle_requests(struct serve_client *client)
{
	unsigned left = client->serve->options.max_in_flight;
	int r = 1;

	while (left-- && r > 0 && may_take_more(client))
		r = serve_http_next(client);
	if (r < 0)
		client->closing = true;
}

/* At most max_in_flight lines, so that others get their turn. */
static void
handle_lines(struct serve_client *client)
{
	unsigned left = client->serve->options.max_in_flight;
	struct rpc_error error;
	size_t size;
	char *line;
	int r = 0;

	while (left-- && may_take_more(client) &&
	       (r = line_reader_next(&client->lines, &line, &size)) > 0)
		handle_line(client, line, size);
	if (r >= 0)
		return;
	rpc_error_set(&error, RPC_TOO_LARGE, NULL, NULL,
		      "A line is longer than %zu bytes; the connection ends here",
		      client->lines.max);
	reply(client, NULL, rpc_error_new(NULL, &error));
	client->closing = true;
}

static void
handle_input(struct serve_client *client)
{
	if (client->http)
		handle_requests(client);
	else
		handle_lines(client);
}

static bool
input_is_ready(struct serve_client *client)
{
	return client->http ? serve_http_ready(client) : line_reader_ready(&client->lines);
}

/* As evbuffer_write(). */
static ssize_t
write_some(struct serve_client *client)
{
	struct evbuffer_iovec piece = { 0 };
	ssize_t n;

	if (!client->tls)
		return evbuffer_write(client->output, client->out);
	evbuffer_peek(client->output, -1, NULL, &piece, 1);
	n = tls_write(client->tls, piece.iov_base, piece.iov_len);
	if (n > 0)
		evbuffer_drain(client->output, (size_t) n);
	return n;
}

/* Writes what can be written now. */
static void
flush(struct serve_client *client)
{
	while (serve_client_backlog(client) && !client->dead) {
		ssize_t n = write_some(client);

		if (n > 0) {
			client->written += (uint64_t) n;
			client->serve->pending -= (size_t) n;
			event_del(client->stalled);
		} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
			client->dead = true;
		} else {
			break;
		}
	}
}

void
serve_client_settle(struct serve_client *client)
{
	struct timeval stall = clock_timeval(client->serve->options.stall_ns), now = { 0 };

	flush(client);
	if (client->dead || (client->closing && !serve_client_backlog(client))) {
		serve_client_free(client);
		return;
	}
	if (serve_client_backlog(client)) {
		event_add(client->writable, NULL);
		if (!evtimer_pending(client->stalled, NULL))
			evtimer_add(client->stalled, &stall);
	}
	if (client->behind && !serve_client_backlog(client))
		evtimer_add(client->again, &now);
	/* Lines that wait go first: so the end of input comes after them. */
	if (!may_take_more(client))
		event_del(client->readable);
	else if (input_is_ready(client))
		evtimer_add(client->again, &now);
	else if (client->in_is_plain)
		event_active(client->readable, EV_READ, 0);
	else
		event_add(client->readable, NULL);
}

static void
on_readable(evutil_socket_t fd, short what, void *context)
{
	struct serve_client *client = context;
	char bytes[READ_SIZE];
	ssize_t n = client->tls ? tls_read(client->tls, bytes, sizeof bytes) :
		    read(client->in, bytes, sizeof bytes);

	if (n > 0) {
		if (client->http)
			serve_http_add(client, bytes, (size_t) n);
		else
			line_reader_add(&client->lines, bytes, (size_t) n);
		handle_input(client);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		/* Half a line at the end is no request. */
		client->closing = true;
	}
	serve_client_settle(client);
}

/* Room came from writing, or it is this client's turn again. */
static void
on_writable(evutil_socket_t fd, short what, void *context)
{
	struct serve_client *client = context;

	flush(client);
	handle_input(client);
	if (client->behind)
		serve_watch_update(client);
	serve_client_settle(client);
}

static void
on_stalled(evutil_socket_t fd, short what, void *context)
{
	serve_client_drop(context, "it does not read");
}

/* Written by the loop: here nobody could free the client on an error. */
static void
greet(struct serve_client *client)
{
	const struct serve_options *options = &client->serve->options;
	const struct rpc_limits limits = {
		.line = options->max_line, .reply = options->max_reply,
		.in_flight = options->max_in_flight, .watches = options->max_watches,
	};

	serve_client_send(client, rpc_hello_new(PACKAGE_VERSION, client->read_only, &limits));
	event_active(client->writable, EV_WRITE, 0);
}

/* Plain files can always be read, and cannot be waited for. */
static bool
is_plain(int fd)
{
	struct stat stat;

	return !fstat(fd, &stat) && !S_ISFIFO(stat.st_mode) && !S_ISSOCK(stat.st_mode) &&
	       !isatty(fd);
}

struct serve_client *
serve_client_new(struct serve *serve, int in, int out, bool owns_fds,
		 const struct serve_peer *peer)
{
	struct serve_client *client = xcalloc(1, sizeof *client);

	client->serve = serve;
	client->in = in;
	client->out = out;
	client->in_is_plain = is_plain(in);
	client->role = peer->role;
	client->read_only = peer->role != SERVE_OPERATOR;
	client->uid = peer->uid;
	client->pid = peer->pid;
	client->remote = peer->remote;
	client->tls = peer->tls;
	memcpy(client->name, peer->name, sizeof client->name);
	client->lines.max = serve->options.max_line;
	client->reply_ends = xcalloc(serve->options.max_in_flight, sizeof *client->reply_ends);
	LIST_INIT(&client->watches);
	LIST_INSERT_HEAD(&serve->clients, client, link);
	if (client->remote)
		serve->remote_count++;
	else
		serve->client_count++;
	client->output = evbuffer_new();
	client->readable = event_new(serve->base, in, EV_READ, on_readable, client);
	client->writable = event_new(serve->base, out, EV_WRITE, on_writable, client);
	client->stalled = evtimer_new(serve->base, on_stalled, client);
	client->again = evtimer_new(serve->base, on_writable, client);
	if (peer->http)
		client->http = serve_http_new(client);
	if (!client->output || !client->readable || !client->writable || !client->stalled ||
	    !client->again || (peer->http && !client->http)) {
		client->tls = NULL;
		serve_client_free(client);
		return NULL;
	}
	client->owns_fds = owns_fds;
	if (client->http)
		event_add(client->readable, NULL);
	else
		greet(client);
	return client;
}

static void
event_free_unless_null(struct event *event)
{
	if (event)
		event_free(event);
}

void
serve_client_free(struct serve_client *client)
{
	struct serve *serve = client->serve;

	LIST_REMOVE(client, link);
	if (client->remote)
		serve->remote_count--;
	else
		serve->client_count--;
	serve_watch_free_all(client);
	if (client->output) {
		serve->pending -= serve_client_backlog(client);
		evbuffer_free(client->output);
	}
	event_free_unless_null(client->readable);
	event_free_unless_null(client->writable);
	event_free_unless_null(client->stalled);
	event_free_unless_null(client->again);
	line_reader_done(&client->lines);
	serve_http_free(client->http);
	tls_stream_free(client->tls);
	free(client->reply_ends);
	if (client->owns_fds) {
		log_debug("client gone: name=%s, uid=%d, pid=%d", client->name, (int) client->uid,
			  (int) client->pid);
		close(client->in);
	}
	free(client);
}

void
serve_client_drop(struct serve_client *client, const char *why)
{
	drop(client, why);
	serve_client_free(client);
}
