/* SPDX-License-Identifier: MIT */
#include "replay/relayd.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/util.h"
#include "replay/metadata.h"
#include "replay/wire.h"

enum { NAME_SIZE = 255, HOSTNAME_SIZE = 64, CHANNEL_SIZE = 264, PATH_SIZE = 4096 };
enum { MAJOR = 2, MINOR = 10, LTTNG_OK = 10 };

/* Bytes and answers that may be outstanding before there is no room. */
#define ROOM_BYTES    ((size_t) 4 << 20)
#define ROOM_COMMANDS 4096u
#define ANSWER_TIMEOUT_NS (30 * NS_PER_S)
#define FLUSH_INTERVAL_US 10000

enum command {
	ADD_STREAM = 1,
	CREATE_SESSION = 2,
	VERSION = 5,
	SEND_METADATA = 6,
	CLOSE_STREAM = 7,
	DATA_PENDING = 8,
	SEND_INDEX = 13,
	STREAMS_SENT = 16,
};

/* Commands with an answer, and its size. */
static const struct {
	const char *name;
	size_t answer;
} commands[] = {
	[ADD_STREAM] = { "ADD_STREAM", 12 },
	[CREATE_SESSION] = { "CREATE_SESSION", 12 },
	[VERSION] = { "VERSION", 8 },
	[CLOSE_STREAM] = { "CLOSE_STREAM", 4 },
	[DATA_PENDING] = { "DATA_PENDING", 4 },
	[SEND_INDEX] = { "SEND_INDEX", 4 },
	[STREAMS_SENT] = { "STREAMS_SENT", 4 },
};

enum state {
	IDLE,        /* Not started. */
	GREETING,    /* Control connects; then the version. */
	CREATING,    /* The session, the data connection, the streams. */
	READY,       /* Packets go. */
	FLUSHING,    /* All is sent: the relayd is to have it, then viewers. */
	CLOSING,     /* CLOSE_STREAMs are out. */
	DRAINING,    /* All is closed; the relayd closes the data connection. */
	ENDED,
};

struct trace {
	char *path;
	struct buf metadata;      /* In packets. */
	unsigned stream;          /* Its metadata stream, in 'streams'. */
};

struct stream {
	unsigned trace;
	char *channel;
	bool is_metadata;
	bool flushed;             /* The relayd has all of it (metadata: its answers tell). */
	uint64_t handle;          /* The relayd's. */
	uint64_t next_seq;        /* Network sequence number of the next packet. */
};

struct pending {
	enum command command;
	unsigned stream;          /* For ADD_STREAM and DATA_PENDING. */
};

struct relayd_session {
	struct event_base *base;
	const struct relayd_address *address;
	char hostname[HOSTNAME_SIZE], name[NAME_SIZE];
	uint32_t live_timer_us;
	const struct relayd_ops *ops;
	void *owner;
	enum state state;
	struct bufferevent *control, *data;
	bool data_connected, close_asked, starved;
	struct trace *traces;
	struct stream *streams;
	unsigned n_traces, n_streams;
	/* Commands that wait for their answer: a ring of 2^n. */
	struct pending *pending;
	unsigned first_pending, n_pending, pending_size;
	uint64_t waits_since_ns;  /* Monotonic; 0: nothing is owed. */
	struct event *flush_timer;
	size_t unflushed;         /* Bytes and streams, when last looked at, */
	uint64_t unflushed_since_ns;  /* and since when they are as many. */
	uint64_t linger_ns;
	struct buf scratch;       /* The command that is being put together. */
};

int
relayd_address_parse(const char *text, struct relayd_address *ret, struct error *error)
{
	static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	_cleanup_(freep) char *copy = xstrdup(text);
	char *host = copy, *rest, *control = NULL, *data = NULL;
	struct addrinfo *found;
	int err;

	if (*host == '[' && (rest = strchr(host, ']'))) {
		host++;
		*rest++ = '\0';
	} else {
		rest = host + strcspn(host, ":");
	}
	if (*rest == ':') {
		*rest++ = '\0';
		control = rest;
		data = strchr(control, ':');
		if (data)
			*data++ = '\0';
	} else if (*rest) {
		return error_set(error, EINVAL, "'%s' is not HOST[:CONTROL[:DATA]]", text);
	}
	control = control && *control ? control : (char *) (uintptr_t) "5342";
	data = data && *data ? data : (char *) (uintptr_t) "5343";
	err = getaddrinfo(host, control, &hints, &found);
	if (err)
		return error_set(error, ENXIO, "no address for relayd '%s': %s", text,
				 gai_strerror(err));
	memcpy(&ret->control, found->ai_addr, found->ai_addrlen);
	ret->size = found->ai_addrlen;
	freeaddrinfo(found);
	err = getaddrinfo(host, data, &hints, &found);
	if (err)
		return error_set(error, ENXIO, "no address for relayd '%s': %s", text,
				 gai_strerror(err));
	memcpy(&ret->data, found->ai_addr, MIN(found->ai_addrlen, ret->size));
	freeaddrinfo(found);
	snprintf(ret->name, sizeof ret->name, "%s:%s", host, control);
	return 0;
}

static void on_flush_timer(evutil_socket_t fd, short what, void *context);

struct relayd_session *
relayd_session_new(struct event_base *base, const struct relayd_address *address,
		   const char *hostname, const char *session_name, uint32_t live_timer_us,
		   const struct relayd_ops *ops, void *owner)
{
	struct relayd_session *session = xcalloc(1, sizeof *session);

	session->base = base;
	session->address = address;
	session->live_timer_us = live_timer_us;
	session->ops = ops;
	session->owner = owner;
	session->flush_timer = evtimer_new(base, on_flush_timer, session);
	snprintf(session->hostname, sizeof session->hostname, "%s", hostname);
	snprintf(session->name, sizeof session->name, "%s", session_name);
	return session;
}

static void
drop_connections(struct relayd_session *session)
{
	if (session->control)
		bufferevent_free(session->control);
	if (session->data)
		bufferevent_free(session->data);
	session->control = session->data = NULL;
}

void
relayd_session_free(struct relayd_session *session)
{
	if (!session)
		return;
	drop_connections(session);
	if (session->flush_timer)
		event_free(session->flush_timer);
	for (unsigned i = 0; i < session->n_traces; i++) {
		free(session->traces[i].path);
		buf_done(&session->traces[i].metadata);
	}
	for (unsigned i = 0; i < session->n_streams; i++)
		free(session->streams[i].channel);
	free(session->traces);
	free(session->streams);
	free(session->pending);
	buf_done(&session->scratch);
	free(session);
}

static unsigned
add_stream(struct relayd_session *session, unsigned trace, const char *channel, bool is_metadata)
{
	session->streams = xrealloc(session->streams,
				    (session->n_streams + 1) * sizeof *session->streams);
	session->streams[session->n_streams] = (struct stream) {
		.trace = trace, .channel = xstrdup(channel), .is_metadata = is_metadata,
	};
	return session->n_streams++;
}

unsigned
relayd_session_add_stream(struct relayd_session *session, unsigned trace, const char *channel)
{
	return add_stream(session, trace, channel, false);
}

unsigned
relayd_session_add_trace(struct relayd_session *session, const char *path, const char *metadata,
			 size_t size, const uint8_t uuid[16], bool big_endian)
{
	struct trace *trace;

	session->traces = xrealloc(session->traces,
				   (session->n_traces + 1) * sizeof *session->traces);
	trace = &session->traces[session->n_traces];
	*trace = (struct trace) { .path = xstrdup(path) };
	metadata_packetize(metadata, size, uuid, big_endian, &trace->metadata);
	trace->stream = add_stream(session, session->n_traces, "metadata", true);
	return session->n_traces++;
}

/* Ends the session; 'error' NULL for a good end.  Nothing of the session may
 * be touched after this, as its owner may free it. */
static void
end(struct relayd_session *session, const struct error *error)
{
	if (session->state == ENDED)
		return;
	session->state = ENDED;
	session->waits_since_ns = 0;
	event_del(session->flush_timer);
	session->ops->ended(session->owner, error);
}

static void
fail(struct relayd_session *session, const char *format, ...) _printf_(2, 3);

static void
fail(struct relayd_session *session, const char *format, ...)
{
	struct error error = { 0 };
	char text[300];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	error_set(&error, EIO, "relayd %s: %s", session->address->name, text);
	end(session, &error);
}

static struct buf *
begin_payload(struct relayd_session *session)
{
	buf_clear(&session->scratch);
	return &session->scratch;
}

/* Sends the command whose payload is in the scratch buffer, and notes that
 * its answer will come. */
static void
send_command(struct relayd_session *session, enum command command, unsigned stream)
{
	struct evbuffer *out = bufferevent_get_output(session->control);
	_cleanup_(buf_done) struct buf header = { 0 };
	unsigned size = session->pending_size;

	wire_add_be64(&header, 0);
	wire_add_be64(&header, session->scratch.size);
	wire_add_be32(&header, command);
	wire_add_be32(&header, 0);
	evbuffer_add(out, header.data, header.size);
	evbuffer_add(out, session->scratch.data, session->scratch.size);
	if (command == SEND_METADATA)
		return;
	if (session->n_pending == size) {
		struct pending *grown = xcalloc(size ? 2 * size : 64, sizeof *grown);

		for (unsigned i = 0; i < size; i++)
			grown[i] = session->pending[(session->first_pending + i) & (size - 1)];
		free(session->pending);
		session->pending = grown;
		session->first_pending = 0;
		session->pending_size = size = size ? 2 * size : 64;
	}
	session->pending[(session->first_pending + session->n_pending++) & (size - 1)] =
		(struct pending) { command, stream };
	if (!session->waits_since_ns)
		session->waits_since_ns = clock_mono_ns();
}

/* A string in a field of fixed size, cut if need be, with a NUL. */
static void
add_fixed(struct buf *buf, const char *string, size_t size)
{
	size_t length = MIN(strlen(string), size - 1);

	buf_add(buf, string, length);
	memset(buf_reserve(buf, size - length), 0, size - length + 1);
	buf->size += size - length;
}

static void
send_version(struct relayd_session *session)
{
	struct buf *payload = begin_payload(session);

	wire_add_be32(payload, MAJOR);
	wire_add_be32(payload, MINOR);
	send_command(session, VERSION, 0);
}

static void
send_create_session(struct relayd_session *session)
{
	struct buf *payload = begin_payload(session);

	add_fixed(payload, session->name, NAME_SIZE);
	add_fixed(payload, session->hostname, HOSTNAME_SIZE);
	wire_add_be32(payload, session->live_timer_us);
	wire_add_be32(payload, 0);    /* No snapshot. */
	send_command(session, CREATE_SESSION, 0);
}

static void
send_add_streams(struct relayd_session *session)
{
	for (unsigned i = 0; i < session->n_streams; i++) {
		const struct stream *stream = &session->streams[i];
		struct buf *payload = begin_payload(session);

		add_fixed(payload, stream->channel, CHANNEL_SIZE);
		add_fixed(payload, session->traces[stream->trace].path, PATH_SIZE);
		wire_add_be64(payload, 0);    /* Files are neither split by size */
		wire_add_be64(payload, 0);    /* nor limited in number. */
		send_command(session, ADD_STREAM, i);
	}
	begin_payload(session);
	send_command(session, STREAMS_SENT, 0);
}

static void
send_metadata(struct relayd_session *session)
{
	for (unsigned i = 0; i < session->n_traces; i++) {
		struct trace *trace = &session->traces[i];

		for (size_t at = 0; at < trace->metadata.size; at += METADATA_PACKET_SIZE) {
			struct buf *payload = begin_payload(session);

			wire_add_be64(payload, session->streams[trace->stream].handle);
			wire_add_be32(payload, 0);    /* No padding beyond the packet's own. */
			buf_add(payload, trace->metadata.data + at, METADATA_PACKET_SIZE);
			send_command(session, SEND_METADATA, 0);
		}
		buf_done(&trace->metadata);
	}
}

static void
send_close_streams(struct relayd_session *session)
{
	/* Data streams first: a viewer takes the end of the metadata for the end
	 * of the trace.  Without a packet, and for metadata, next_seq is 0 and
	 * the last number becomes 2^64-1, as the protocol wants it. */
	for (int metadata = 0; metadata <= 1; metadata++) {
		for (unsigned i = 0; i < session->n_streams; i++) {
			struct buf *payload;

			if (session->streams[i].is_metadata != metadata)
				continue;
			payload = begin_payload(session);
			wire_add_be64(payload, session->streams[i].handle);
			wire_add_be64(payload, session->streams[i].next_seq - 1);
			send_command(session, CLOSE_STREAM, 0);
		}
	}
}

/* Streams of which the relayd may still have to read packets. */
static unsigned
count_unflushed(const struct relayd_session *session)
{
	unsigned n = 0;

	for (unsigned i = 0; i < session->n_streams; i++)
		n += !session->streams[i].is_metadata && !session->streams[i].flushed;
	return n;
}

static void
ask_data_pending(struct relayd_session *session)
{
	for (unsigned i = 0; i < session->n_streams; i++) {
		const struct stream *stream = &session->streams[i];
		struct buf *payload;

		if (stream->is_metadata || stream->flushed)
			continue;
		payload = begin_payload(session);
		wire_add_be64(payload, stream->handle);
		wire_add_be64(payload, stream->next_seq - 1);
		send_command(session, DATA_PENDING, i);
	}
}

static void
on_flush_timer(evutil_socket_t fd, short what, void *context)
{
	struct relayd_session *session = context;

	if (count_unflushed(session)) {
		ask_data_pending(session);
	} else {
		session->state = CLOSING;
		send_close_streams(session);
	}
}

/* A relayd does not read its two connections in the order in which they were
 * written, and tells viewers that a closed stream is at its end even if
 * packets of it are still to be read, by itself (so ask first, as consumers
 * do) or by them (so leave them time: for sessions without trace chunks it lets
 * go of the file when the stream is closed). */
static void
flush(struct relayd_session *session)
{
	uint64_t us = count_unflushed(session) ? FLUSH_INTERVAL_US
		: session->linger_ns / NS_PER_US;
	struct timeval tv = clock_timeval(us * NS_PER_US);

	if (!evtimer_pending(session->flush_timer, NULL))
		evtimer_add(session->flush_timer, &tv);
}

/* Moves on once everything that was sent is answered and out. */
static void
check_progress(struct relayd_session *session)
{
	bool all_out = !session->n_pending
		&& !evbuffer_get_length(bufferevent_get_output(session->data));

	if (session->state == FLUSHING && all_out) {
		flush(session);
	} else if (session->state == CLOSING && all_out) {
		session->state = DRAINING;
		session->waits_since_ns = clock_mono_ns();
		shutdown(bufferevent_getfd(session->data), SHUT_WR);
	} else if (session->starved && relayd_session_has_room(session)) {
		session->ops->drained(session->owner);
	}
}

static void
become_ready(struct relayd_session *session)
{
	if (session->n_pending)
		return;
	session->waits_since_ns = session->data_connected ? 0 : clock_mono_ns();
	if (!session->data_connected)
		return;
	send_metadata(session);
	session->state = READY;
	if (session->close_asked)
		relayd_session_close(session, session->linger_ns);
	else
		session->ops->ready(session->owner);
}

static void
on_error(struct relayd_session *session, struct bufferevent *bev, short what)
{
	const char *which = bev == session->control ? "control" : "data";

	if (what & BEV_EVENT_ERROR && session->state == GREETING)
		fail(session, "cannot connect: %s; is lttng-relayd running there?",
		     evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
	else if (what & BEV_EVENT_ERROR)
		fail(session, "the %s connection broke in the middle of session '%s' of '%s': %s;"
		     " its log may say why", which, session->name, session->hostname,
		     evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
	else
		fail(session, "it closed the %s connection in the middle of session '%s'"
		     " of '%s'; its log may say why", which, session->name, session->hostname);
}

static void
on_event(struct bufferevent *bev, short what, void *context)
{
	struct relayd_session *session = context;
	int one = 1;

	if (session->state == ENDED)
		return;
	if (what & BEV_EVENT_CONNECTED) {
		setsockopt(bufferevent_getfd(bev), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		if (bev == session->control) {
			send_version(session);
		} else {
			session->data_connected = true;
			become_ready(session);
		}
	} else if (session->state == DRAINING && bev == session->data) {
		/* It has read our last byte. */
		end(session, NULL);
	} else {
		on_error(session, bev, what);
	}
}

static void
on_written(struct bufferevent *bev, void *context)
{
	struct relayd_session *session = context;

	if (session->state >= READY && session->state <= CLOSING)
		check_progress(session);
}

static void
on_data_readable(struct bufferevent *bev, void *context)
{
	fail(context, "it sent bytes on the data connection; is it the data port of a relayd?");
}

static void on_answers(struct bufferevent *bev, void *context);

static struct bufferevent *
connect_to(struct relayd_session *session, const struct sockaddr_storage *to,
	   bufferevent_data_cb on_readable)
{
	struct bufferevent *bev = bufferevent_socket_new(session->base, -1,
					BEV_OPT_CLOSE_ON_FREE);

	if (!bev)
		return NULL;
	bufferevent_setcb(bev, on_readable, on_written, on_event, session);
	bufferevent_setwatermark(bev, EV_WRITE, ROOM_BYTES / 4, 0);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	if (bufferevent_socket_connect(bev, (const struct sockaddr *) to,
				       (int) session->address->size) < 0) {
		bufferevent_free(bev);
		return NULL;
	}
	return bev;
}

static int
check_version(struct relayd_session *session, uint64_t major, uint64_t minor)
{
	if (major != MAJOR || minor < MINOR) {
		fail(session, "it speaks protocol %" PRIu64 ".%" PRIu64 ", but %d.%d is needed"
		     " (LTTng 2.10 or newer)", major, minor, MAJOR, MINOR);
		return -EPROTONOSUPPORT;
	}
	send_create_session(session);
	return 0;
}

/* Takes the answer to the oldest command.  Negative: the session has ended. */
static int
take_answer(struct relayd_session *session, struct pending pending, const uint8_t *bytes,
	    size_t size)
{
	uint32_t code = (uint32_t) wire_load(bytes + size - 4, 4, true);

	if (pending.command == VERSION)
		return check_version(session, wire_load(bytes, 4, true), code);
	if (pending.command == DATA_PENDING && code <= 1) {
		session->streams[pending.stream].flushed = !code;
		return 0;
	}
	if (code != LTTNG_OK) {
		fail(session, "it refused %s for session '%s' of '%s' with code %" PRIu32
		     "; its log may say why", commands[pending.command].name, session->name,
		     session->hostname, code);
		return -EIO;
	}
	switch (pending.command) {
	case CREATE_SESSION:
		session->state = CREATING;
		session->data = connect_to(session, &session->address->data, on_data_readable);
		if (!session->data) {
			fail(session, "cannot connect to the data port: %s", strerror(errno));
			return -EIO;
		}
		send_add_streams(session);
		break;
	case ADD_STREAM:
		session->streams[pending.stream].handle = wire_load(bytes, 8, true);
		break;
	case STREAMS_SENT:
		become_ready(session);
		break;
	default:
		break;
	}
	return 0;
}

static void
on_answers(struct bufferevent *bev, void *context)
{
	struct relayd_session *session = context;
	struct evbuffer *in = bufferevent_get_input(bev);
	uint8_t bytes[16];

	while (session->state != ENDED && session->n_pending) {
		struct pending pending = session->pending[session->first_pending];
		size_t size = commands[pending.command].answer;

		if (evbuffer_get_length(in) < size)
			break;
		evbuffer_remove(in, bytes, size);
		session->first_pending = (session->first_pending + 1) & (session->pending_size - 1);
		session->waits_since_ns = --session->n_pending ? clock_mono_ns() : 0;
		if (take_answer(session, pending, bytes, size) < 0)
			return;
	}
	if (session->state == ENDED)
		return;
	if (!session->n_pending && evbuffer_get_length(in))
		fail(session, "it sent an answer that nobody asked for; is it a relayd's control"
		     " port?");
	else if (session->state >= READY && session->state <= CLOSING)
		check_progress(session);
}

void
relayd_session_start(struct relayd_session *session)
{
	session->state = GREETING;
	session->waits_since_ns = clock_mono_ns();
	session->control = connect_to(session, &session->address->control, on_answers);
	if (!session->control)
		fail(session, "cannot connect: %s", strerror(errno));
}

static void
send_index(struct relayd_session *session, const struct stream *stream, uint64_t net_seq,
	   const struct relayd_index *index)
{
	struct buf *payload = begin_payload(session);

	wire_add_be64(payload, stream->handle);
	wire_add_be64(payload, net_seq);
	wire_add_be64(payload, index->packet_bits);
	wire_add_be64(payload, index->content_bits);
	wire_add_be64(payload, index->begin);
	wire_add_be64(payload, index->end);
	wire_add_be64(payload, index->discarded);
	wire_add_be64(payload, index->stream_class_id);
	wire_add_be64(payload, index->stream_instance_id);
	wire_add_be64(payload, index->seq);
	send_command(session, SEND_INDEX, 0);
}

void
relayd_session_send(struct relayd_session *session, unsigned number,
		    const struct relayd_index *index, const void *bytes, size_t size)
{
	struct stream *stream = &session->streams[number];
	struct evbuffer *out = bufferevent_get_output(session->data);
	struct buf *header = begin_payload(session);

	wire_add_be64(header, 0);
	wire_add_be64(header, stream->handle);
	wire_add_be64(header, stream->next_seq);
	wire_add_be32(header, (uint32_t) size);
	wire_add_be32(header, (uint32_t) (index->packet_bits / 8 - size));
	evbuffer_add(out, header->data, header->size);
	evbuffer_add(out, bytes, size);
	send_index(session, stream, stream->next_seq, index);
	stream->next_seq++;
}

void
relayd_session_beacon(struct relayd_session *session, unsigned number, uint64_t end_cycles,
		      uint64_t stream_class_id)
{
	send_index(session, &session->streams[number], UINT64_MAX, &(struct relayd_index) {
		.end = end_cycles, .stream_class_id = stream_class_id,
	});
}

bool
relayd_session_has_room(struct relayd_session *session)
{
	session->starved = session->n_pending >= ROOM_COMMANDS
		|| evbuffer_get_length(bufferevent_get_output(session->data)) >= ROOM_BYTES;
	return !session->starved;
}

void
relayd_session_close(struct relayd_session *session, uint64_t linger_ns)
{
	session->close_asked = true;
	session->linger_ns = linger_ns;
	if (session->state == IDLE || session->state == GREETING) {
		end(session, NULL);
	} else if (session->state == READY) {
		session->state = FLUSHING;
		session->starved = false;
		session->unflushed_since_ns = clock_mono_ns();
		bufferevent_setwatermark(session->data, EV_WRITE, 0, 0);
		check_progress(session);
	}
}

/* Answers that data is pending are no progress. */
static void
check_flush_time(struct relayd_session *session, uint64_t now)
{
	size_t left = evbuffer_get_length(bufferevent_get_output(session->data))
		+ count_unflushed(session);

	if (!left || left != session->unflushed) {
		session->unflushed = left;
		session->unflushed_since_ns = now;
	} else if (now > session->unflushed_since_ns
		   && now - session->unflushed_since_ns > ANSWER_TIMEOUT_NS) {
		fail(session, "it took none of the remaining data of session '%s' of '%s' for %d s",
		     session->name, session->hostname, (int) (ANSWER_TIMEOUT_NS / NS_PER_S));
	}
}

void
relayd_session_tick(struct relayd_session *session, uint64_t now)
{
	if (session->state == FLUSHING)
		check_flush_time(session, now);
	if (session->waits_since_ns && now > session->waits_since_ns
	    && now - session->waits_since_ns > ANSWER_TIMEOUT_NS)
		fail(session, "no answer for %d s: it hangs or is stopped",
		     (int) (ANSWER_TIMEOUT_NS / NS_PER_S));
}
