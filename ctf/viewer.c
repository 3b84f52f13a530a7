/* SPDX-License-Identifier: MIT
 *
 * The connection of a viewer: name, addresses, socket, time.  What is said on
 * it is in viewer_session.c and viewer_reply.c. */
#include "ctf/viewer_private.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/util.h"

enum {
	INPUT_SIZE = 256 * 1024,
	/* Read at most this much before others on the loop have their turn. */
	READ_BURST = 4 * 1024 * 1024,
	SEND_BUFFER = 256 * 1024,
};

/* Between two looks when something is due but must wait for replies. */
#define BLOCKED_NS (10 * NS_PER_MS)

const struct viewer_options viewer_defaults = {
	.host = "localhost",
	.port = 5344,
	.list_interval_ns = NS_PER_S,
	.new_streams_interval_ns = 0,
	.reply_timeout_ns = 5 * NS_PER_S,
	.dead_timeout_ns = 30 * NS_PER_S,
	.backoff_min_ns = 100 * NS_PER_MS,
	.backoff_max_ns = NS_PER_S,
	.max_in_flight_bytes = 8 << 20,
	.max_packet_bytes = 64 << 20,
	.max_metadata_bytes = 64 << 20,
	.max_sessions = 4096,
	.max_streams = 65536,
};

static void link_attempt(struct viewer *viewer);

void
viewer_tell(struct viewer *viewer, enum viewer_state state, const char *text)
{
	if (viewer->told_state == (int) state && streq(viewer->told_text, text))
		return;
	viewer->told_state = (int) state;
	free(viewer->told_text);
	viewer->told_text = xstrdup(text);
	if (viewer->root == viewer)
		viewer->ops->state(viewer->owner, state, viewer->told_text);
}

uint64_t
viewer_backoff(const struct viewer *viewer, uint64_t *backoff)
{
	uint64_t half = *backoff / 2, random;

	/* Jitter, so that many viewers do not come back in step. */
	evutil_secure_rng_get_bytes(&random, sizeof random);
	*backoff = MIN(*backoff * 2, viewer->options.backoff_max_ns);
	return half + random % (half + 1);
}

/* The socket */

static void on_io(evutil_socket_t fd, short what, void *arg);

static void
watch(struct viewer *viewer, short what)
{
	if (viewer->io)
		event_free(viewer->io);
	what |= EV_PERSIST;
	viewer->io = event_new(viewer->base, viewer->fd, what, on_io, viewer);
	if (viewer->io)
		event_add(viewer->io, NULL);
}

static void
link_close(struct viewer *viewer)
{
	if (viewer->io)
		event_free(viewer->io);
	viewer->io = NULL;
	if (viewer->fd >= 0)
		close(viewer->fd);
	viewer->fd = -1;
	viewer->want_write = false;
}

/* Drops the connection and whatever came over it, and tries again later. */
static void
link_fail(struct viewer *viewer, const struct error *error)
{
	enum viewer_link link = viewer->link;
	struct error why = *error;

	link_close(viewer);
	viewer->link = LINK_WAITING;
	if (link == LINK_CONNECTING && viewer->next_address < viewer->addresses.count) {
		link_attempt(viewer);
		return;
	}
	viewer->addresses.count = 0;
	if (link == LINK_UP) {
		viewer_stop(viewer, why.text);
		if (viewer->now - viewer->link_since >= viewer->options.backoff_max_ns)
			viewer->backoff_ns = viewer->options.backoff_min_ns;
	}
	viewer_tell(viewer, VIEWER_CONNECTING, why.text);
	viewer->link_due = viewer->now + viewer_backoff(viewer, &viewer->backoff_ns);
	if (viewer->root == viewer)
		return;
	/* Its root makes another one, if the session is still there. */
	viewer->link_due = UINT64_MAX;
	viewer_stop(viewer, why.text);
}

static void
link_fail_errno(struct viewer *viewer, const char *what, int code)
{
	struct error error = { 0 };

	error_set(&error, code, "%s: %s: %s", viewer->name, what, strerror(code));
	link_fail(viewer, &error);
}

/* Sends what is in 'out'; false if the connection broke. */
static bool
flush(struct viewer *viewer)
{
	bool want_write;
	ssize_t n;

	if (viewer->out.size) {
		n = send(viewer->fd, viewer->out.data, viewer->out.size, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			link_fail_errno(viewer, "cannot send", errno);
			return false;
		}
		if (n > 0)
			buf_consume(&viewer->out, (size_t) n);
	}
	want_write = viewer->out.size != 0;
	if (want_write != viewer->want_write) {
		viewer->want_write = want_write;
		watch(viewer, want_write ? EV_READ | EV_WRITE : EV_READ);
	}
	return true;
}

static void
link_up(struct viewer *viewer)
{
	const int on = 1, send_buffer = SEND_BUFFER;

	setsockopt(viewer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(viewer->fd, SOL_SOCKET, SO_SNDBUF, &send_buffer, sizeof send_buffer);
	viewer->link = LINK_UP;
	viewer->link_since = viewer->now;
	viewer->counters.connects++;
	watch(viewer, EV_READ);
	viewer_start(viewer);
	flush(viewer);
}

static void
link_connect(struct viewer *viewer, const union viewer_address *address)
{
	bool v4 = address->any.sa_family == AF_INET;
	socklen_t size = v4 ? sizeof address->v4 : sizeof address->v6;

	viewer->link = LINK_CONNECTING;
	viewer->link_due = viewer->now + viewer->options.reply_timeout_ns;
	viewer->fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (viewer->fd < 0)
		link_fail_errno(viewer, "cannot make a socket", errno);
	else if (!connect(viewer->fd, &address->any, size))
		link_up(viewer);
	else if (errno == EINPROGRESS)
		watch(viewer, EV_WRITE);
	else
		link_fail_errno(viewer, "cannot connect", errno);
}

static void
link_attempt(struct viewer *viewer)
{
	struct error error = { 0 };

	if (viewer->next_address < viewer->addresses.count) {
		link_connect(viewer, &viewer->addresses.address[viewer->next_address++]);
		return;
	}
	viewer->next_address = 0;
	if (viewer_resolve_numeric(viewer->host, viewer->options.port, &viewer->addresses)) {
		link_attempt(viewer);
		return;
	}
	viewer->fd = viewer_resolve_start(viewer->host, viewer->options.port, &error);
	if (viewer->fd < 0) {
		error_prefix(&error, "%s", viewer->name);
		link_fail(viewer, &error);
		return;
	}
	viewer->link = LINK_RESOLVING;
	watch(viewer, EV_READ);
}

static void
on_resolved(struct viewer *viewer)
{
	struct error error = { 0 };

	if (viewer_resolve_finish(viewer->fd, viewer->host, &viewer->addresses, &error) < 0) {
		error_prefix(&error, "%s", viewer->name);
		link_fail(viewer, &error);
		return;
	}
	link_close(viewer);
	link_attempt(viewer);
}

static void
on_connected(struct viewer *viewer)
{
	socklen_t size = sizeof(int);
	int code = 0;

	if (getsockopt(viewer->fd, SOL_SOCKET, SO_ERROR, &code, &size) < 0)
		code = errno;
	if (code)
		link_fail_errno(viewer, "cannot connect", code);
	else
		link_up(viewer);
}

static const char *
oldest_command(const struct viewer *viewer)
{
	if (!viewer->n_requests)
		return "nothing";
	return viewer_command_name(viewer->requests[viewer->first_request].command);
}

/* Reads once.  Returns the number of bytes, 0 if there are none for now, or a
 * negative errno. */
static ssize_t
read_some(struct viewer *viewer, size_t *ret_wanted, struct error *error)
{
	const int on = 1;
	struct iovec parts[2];
	uint8_t *body = NULL;
	size_t space = viewer_receive_space(viewer, &body);
	ssize_t n;
	int r;

	parts[0] = (struct iovec) { .iov_base = body, .iov_len = space };
	parts[1] = (struct iovec) { .iov_base = viewer->input, .iov_len = INPUT_SIZE };
	*ret_wanted = space + INPUT_SIZE;
	/* relayd sends replies in pieces and has Nagle on: without an ACK at once
	 * each piece costs 40 ms.  The kernel forgets this setting all the time. */
	setsockopt(viewer->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
	n = readv(viewer->fd, space ? parts : parts + 1, space ? 2 : 1);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0)
		return error_set(error, errno, "%s: cannot receive: %s", viewer->name,
				 strerror(errno));
	if (!n)
		return error_set(error, ECONNRESET, "%s: relayd closed the connection, asked "
				 "for %s", viewer->name, oldest_command(viewer));
	viewer->progress = viewer->now;
	r = space ? viewer_received(viewer, MIN((size_t) n, space), error) : 0;
	if (r >= 0 && (size_t) n > space)
		r = viewer_receive(viewer, viewer->input, (size_t) n - space, error);
	return r < 0 ? r : n;
}

static void
on_readable(struct viewer *viewer)
{
	struct error error = { 0 };
	size_t total = 0, wanted;
	ssize_t n;

	do {
		n = read_some(viewer, &wanted, &error);
		if (n > 0)
			total += (size_t) n;
	} while (n > 0 && (size_t) n == wanted && total < READ_BURST);
	if (n < 0) {
		viewer->root->counters.protocol_errors += error.code == EPROTO;
		link_fail(viewer, &error);
	} else if (total) {
		if (viewer->told_state == VIEWER_FROZEN)
			viewer_tell(viewer, viewer->ready ? VIEWER_LIVE : VIEWER_CONNECTING,
				    "relayd answers again");
		viewer_pump(viewer);
		flush(viewer);
	}
	if (total)
		viewer->ops->batch(viewer->owner);
}

/* Time */

/* Whether it waits for room that others have: no reply of its own will tell. */
static bool
starves(const struct viewer *viewer)
{
	return !viewer->n_requests && viewer->ready &&
	       (!TAILQ_EMPTY(&viewer->want_metadata) || !TAILQ_EMPTY(&viewer->want_index) ||
		(!TAILQ_EMPTY(&viewer->want_packet) && !viewer->root->paused));
}

/* Arms the timer for whatever comes first. */
static void
set_timer(struct viewer *viewer)
{
	const struct viewer_options *options = &viewer->options;
	uint64_t due = viewer->link_due, overdue, wait;
	struct timeval delay;

	if (viewer->link == LINK_RESOLVING) {
		due = UINT64_MAX;
	} else if (viewer->link == LINK_UP) {
		due = viewer->ready ? viewer->next_due : UINT64_MAX;
		if (viewer->blocked)
			due = MAX(due, viewer->now + BLOCKED_NS);
		if (starves(viewer))
			due = MIN(due, viewer->now + BLOCKED_NS);
		overdue = viewer->told_state == VIEWER_FROZEN ? options->dead_timeout_ns :
			options->reply_timeout_ns;
		if (viewer->n_requests)
			due = MIN(due, viewer->progress + overdue);
	}
	if (due == viewer->timer_due)
		return;
	viewer->timer_due = due;
	if (due == UINT64_MAX) {
		event_del(viewer->timer);
		return;
	}
	wait = due > viewer->now ? due - viewer->now : 0;
	delay = clock_timeval(wait + NS_PER_US - 1);
	event_add(viewer->timer, &delay);
}

static void
check_overdue(struct viewer *viewer)
{
	uint64_t overdue = viewer->now - viewer->progress;
	struct error error = { 0 };
	char text[160], duration[32];

	if (!viewer->n_requests || overdue < viewer->options.reply_timeout_ns)
		return;
	format_duration(overdue, duration, sizeof duration);
	if (overdue >= viewer->options.dead_timeout_ns) {
		viewer->root->counters.timeouts++;
		error_set(&error, ETIMEDOUT, "%s: no reply to %s for %s", viewer->name,
			  oldest_command(viewer), duration);
		link_fail(viewer, &error);
	} else if (viewer->told_state != VIEWER_FROZEN) {
		viewer->root->counters.timeouts++;
		snprintf(text, sizeof text, "relayd does not answer: no reply to %s for %s",
			 oldest_command(viewer), duration);
		viewer_tell(viewer, VIEWER_FROZEN, text);
	}
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct viewer *viewer = arg;

	viewer->now = clock_mono_ns();
	viewer->timer_due = UINT64_MAX;
	if (viewer->link == LINK_UP) {
		check_overdue(viewer);
	} else if (viewer->link_due <= viewer->now) {
		if (viewer->link == LINK_CONNECTING) {
			viewer->root->counters.timeouts++;
			link_fail_errno(viewer, "cannot connect", ETIMEDOUT);
		} else if (viewer->link == LINK_WAITING) {
			if (viewer->told_state < 0)
				viewer_tell(viewer, VIEWER_CONNECTING, "connecting");
			link_attempt(viewer);
		}
	}
	if (viewer->link == LINK_UP) {
		viewer_pump(viewer);
		flush(viewer);
	}
	set_timer(viewer);
}

static void
on_io(evutil_socket_t fd, short what, void *arg)
{
	struct viewer *viewer = arg;

	viewer->now = clock_mono_ns();
	if (viewer->link == LINK_RESOLVING)
		on_resolved(viewer);
	else if (viewer->link == LINK_CONNECTING)
		on_connected(viewer);
	else if ((!(what & EV_WRITE) || flush(viewer)) && (what & EV_READ))
		on_readable(viewer);
	set_timer(viewer);
}

void
viewer_wake(struct viewer *viewer)
{
	viewer->next_due = 0;
	if (viewer->timer)
		event_active(viewer->timer, EV_TIMEOUT, 0);
}

/* The public side */

struct viewer *
viewer_alloc(const struct viewer_options *options, const struct viewer_ops *ops, void *owner)
{
	struct viewer *viewer = xcalloc(1, sizeof *viewer);
	struct viewer_options *own = &viewer->options;

	*own = *options;
	own->backoff_min_ns = MAX(own->backoff_min_ns, NS_PER_MS);
	own->backoff_max_ns = MAX(own->backoff_max_ns, own->backoff_min_ns);
	own->dead_timeout_ns = MAX(own->dead_timeout_ns, own->reply_timeout_ns);
	/* A length of the protocol has 32 bits. */
	own->max_packet_bytes = MIN(own->max_packet_bytes, (size_t) UINT32_MAX);
	own->max_in_flight_bytes = MAX(own->max_in_flight_bytes, (size_t) VIEWER_UNKNOWN_REPLY);
	viewer->host = xstrdup(options->host);
	viewer->name = xasprintf(strchr(options->host, ':') ? "[%s]:%u" : "%s:%u", options->host,
				 options->port);
	own->host = viewer->host;
	viewer->ops = ops;
	viewer->owner = owner;
	viewer->root = viewer;
	viewer->fd = -1;
	viewer->told_state = -1;
	viewer->backoff_ns = own->backoff_min_ns;
	TAILQ_INIT(&viewer->want_index);
	TAILQ_INIT(&viewer->want_packet);
	TAILQ_INIT(&viewer->want_metadata);
	return viewer;
}

static void
viewer_run(struct viewer *viewer, struct event_base *base)
{
	viewer->base = base;
	viewer->now = clock_mono_ns();
	viewer->link_due = viewer->now;
	viewer->timer = evtimer_new(base, on_timer, viewer);
	viewer->timer_due = UINT64_MAX;
	set_timer(viewer);
}

struct viewer *
viewer_new(struct event_base *base, const struct viewer_options *options,
	   const struct viewer_ops *ops, void *owner)
{
	struct viewer *viewer = viewer_alloc(options, ops, owner);

	viewer->apart = true;
	viewer->input = xmalloc(INPUT_SIZE);
	viewer_run(viewer, base);
	return viewer;
}

struct viewer *
viewer_open_apart(struct viewer *root)
{
	struct viewer *viewer = viewer_alloc(&root->options, root->ops, root->owner);

	viewer->root = root;
	/* Never two of them read at the same time. */
	viewer->input = root->input;
	/* A name may stand for several relayds: it has to be the same one. */
	viewer->addresses = root->addresses;
	viewer->addresses.count = root->next_address;
	viewer->next_address = root->next_address - 1;
	viewer_run(viewer, root->base);
	return viewer;
}

void
viewer_free(struct viewer *viewer)
{
	if (!viewer)
		return;
	link_close(viewer);
	viewer_stop(viewer, "the viewer was closed");
	if (viewer->timer)
		event_free(viewer->timer);
	buf_done(&viewer->out);
	if (viewer->root == viewer)
		free(viewer->input);
	free(viewer->told_text);
	free(viewer->host);
	free(viewer->name);
	free(viewer);
}

void
viewer_pause(struct viewer *viewer, bool paused)
{
	struct viewer_session *session;

	if (viewer->paused == paused)
		return;
	viewer->paused = paused;
	if (paused)
		return;
	/* Not from within a callback: the loop goes on with what was held. */
	viewer_wake(viewer);
	for (session = viewer->sessions; session; session = session->hh.next)
		if (session->apart)
			viewer_wake(session->apart);
}

const struct viewer_counters *
viewer_counters(const struct viewer *viewer)
{
	return &viewer->counters;
}
