/* SPDX-License-Identifier: MIT */
#include "replay/node.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"
#include "replay/metadata.h"

static uint64_t
now(const struct node *node)
{
	const struct stage *stage = node->stage;
	double speed = stage->options->speed;
	uint64_t mono = clock_mono_ns();

	if (speed > 0) {
		mono -= stage->start_mono_ns;
		return stage->start_ns + (uint64_t) ((double) mono * speed);
	}
	/* Without a pace, time stands at whatever is next, and runs once nothing is. */
	return node->done ? node->time_ns + (mono - node->done_mono_ns) : UINT64_MAX;
}

/* Trace time at which the session ends, once all is published. */
static uint64_t
session_end(const struct node *node)
{
	double speed = node->stage->options->speed;
	uint64_t hold_ns = node->stage->options->hold_ns;

	return speed > 0 ? node->stage->end_ns + (uint64_t) ((double) hold_ns * speed)
		: node->time_ns + hold_ns;
}

static uint64_t
due(struct node_stream *stream)
{
	const struct relayd_index *head = packets_head(stream->packets);

	return head ? head->end + stream->offset : UINT64_MAX;
}

/* The stream whose next packet is due first, or NULL. */
static struct node_stream *
first_due(struct node *node)
{
	struct node_stream *first = NULL;
	uint64_t first_ns = UINT64_MAX, ns;

	for (unsigned i = 0; i < node->n_streams; i++) {
		ns = due(&node->streams[i]);
		if (ns < first_ns) {
			first = &node->streams[i];
			first_ns = ns;
		}
	}
	return first;
}

static void
publish(struct node *node, struct node_stream *stream)
{
	const struct relayd_index *head = packets_head(stream->packets);

	buf_clear(&node->scratch);
	packets_write(stream->packets, &node->scratch);
	relayd_session_send(node->session, stream->number, head, node->scratch.data,
			    node->scratch.size);
	stream->begun = true;
	stream->said = head->end;
	stream->stream_class_id = head->stream_class_id;
	node->time_ns = MAX(node->time_ns, head->end + stream->offset);
	node->packets++;
	node->bytes += head->packet_bits / 8;
	packets_advance(stream->packets);
}

/* Tells of each stream how far nothing more will come, as the live timer does
 * for empty buffers.  A relayd takes no beacon before a stream's first packet. */
static void
send_beacons(struct node *node, uint64_t tick_ns)
{
	for (unsigned i = 0; i < node->n_streams; i++) {
		struct node_stream *stream = &node->streams[i];
		const struct relayd_index *head = packets_head(stream->packets);
		uint64_t raw = tick_ns - stream->offset;

		if (head)
			raw = MIN(raw, head->begin);
		if (!stream->begun || raw <= stream->said)
			continue;
		relayd_session_beacon(node->session, stream->number, raw, stream->stream_class_id);
		stream->said = raw;
		node->beacons++;
	}
}

static void
wake_at(struct node *node, uint64_t ns, uint64_t now_ns)
{
	double speed = node->stage->options->speed;
	double wait = (double) (ns - now_ns) / (speed > 0 ? speed : 1);
	struct timeval tv = {
		.tv_sec = (time_t) (wait / 1e9),
		.tv_usec = (suseconds_t) (wait / 1e3) % 1000000 + 1,
	};

	evtimer_add(node->timer, &tv);
}

/* Does the next thing if it is due.  Returns false when there is none yet. */
static bool
step(struct node *node)
{
	uint64_t period = node->stage->options->live_timer_ns;
	struct node_stream *stream = first_due(node);
	uint64_t now_ns, due_ns, next_ns;

	if (!stream && !node->done) {
		node->done = true;
		node->done_mono_ns = clock_mono_ns();
		node->next_tick_ns = MAX(node->next_tick_ns, node->time_ns);
	}
	now_ns = now(node);
	due_ns = stream ? due(stream) : session_end(node);
	next_ns = MIN(due_ns, node->next_tick_ns);
	if (next_ns > now_ns) {
		wake_at(node, next_ns, now_ns);
		return false;
	}
	if (node->next_tick_ns < due_ns) {
		/* Only the last one of several that have passed matters. */
		uint64_t tick_ns = node->next_tick_ns;

		tick_ns += (MIN(due_ns - 1, now_ns) - tick_ns) / period * period;
		send_beacons(node, tick_ns);
		node->next_tick_ns = tick_ns + period;
	} else if (stream) {
		publish(node, stream);
	} else {
		node_close(node);
		return false;
	}
	return true;
}

static void
pump(struct node *node)
{
	while (node->ready && !node->closing && relayd_session_has_room(node->session))
		if (!step(node))
			break;
}

static void
on_timer(evutil_socket_t fd, short what, void *context)
{
	pump(context);
}

static void
on_ready(void *owner)
{
	struct node *node = owner;

	node->ready = true;
	pump(node);
}

static void
on_drained(void *owner)
{
	pump(owner);
}

static void
on_ended(void *owner, const struct error *error)
{
	struct node *node = owner;

	node->closing = node->ended = true;
	event_del(node->timer);
	node->stage->ended(node->stage, error);
}

static const struct relayd_ops session_ops = { on_ready, on_drained, on_ended };

static int64_t
clock_shift(const struct stage *stage, const char *hostname)
{
	const struct options *options = stage->options;
	int64_t ns = stage->shift_ns;

	for (unsigned i = 0; i < options->n_shifts; i++)
		if (streq(options->shifts[i].hostname, hostname))
			ns += options->shifts[i].ns;
	return ns;
}

/* A name as one folder's name. */
static char *
as_folder(const char *name)
{
	char *folder = xstrdup(*name ? name : "_");

	if (*folder == '.')
		*folder = '_';
	for (char *c = folder; *c; c++)
		if (*c == '/')
			*c = '_';
	return folder;
}

static int
add_trace(struct node *node, const struct source *source, struct error *error)
{
	const struct options *options = node->stage->options;
	_cleanup_(freep) char *host = as_folder(node->hostname), *name = as_folder(node->name);
	_cleanup_(freep) char *path = xasprintf("/%s/%s-%s/%s", host, name, node->stage->date,
						source->domain);
	_cleanup_(buf_done) struct buf metadata = { 0 };
	unsigned trace;
	int err = 0;

	buf_add(&metadata, source->metadata.data, source->metadata.size);
	if (strcmp(node->hostname, source->hostname))
		err = metadata_set_hostname(&metadata, node->hostname, error);
	if (!err)
		err = metadata_shift_clocks(&metadata, clock_shift(node->stage, source->hostname),
					    error);
	if (err)
		return error_prefix(error, "%s", source->path);
	trace = relayd_session_add_trace(node->session, path, metadata.data, metadata.size,
					 source->uuid, source->big_endian);
	for (unsigned i = 0; i < source->n_streams; i++) {
		const struct source_stream *from = &source->streams[i];

		node->streams[node->n_streams++] = (struct node_stream) {
			.number = relayd_session_add_stream(node->session, trace, from->channel),
			.packets = packets_new(from->file, options->keep_packets ? 0
					       : options->live_timer_ns, source->offset_ns),
			.file = from->file,
			.offset = (uint64_t) source->offset_ns,
		};
	}
	return 0;
}

int
node_start(struct node *node, struct stage *stage, const struct source *sources, unsigned n,
	   unsigned copy, struct error *error)
{
	uint64_t period = stage->options->live_timer_ns;
	unsigned n_streams = 0;
	int err;

	*node = (struct node) { .stage = stage, .name = xstrdup(sources->session) };
	node->hostname = copy ? xasprintf("%s-%u", sources->hostname, copy)
		: xstrdup(sources->hostname);
	node->time_ns = stage->start_ns;
	node->next_tick_ns = (stage->start_ns / period + 1) * period;
	node->timer = evtimer_new(stage->base, on_timer, node);
	node->session = relayd_session_new(stage->base, stage->address, node->hostname, node->name,
					   (uint32_t) (period / NS_PER_US), &session_ops, node);
	for (unsigned i = 0; i < n; i++)
		n_streams += sources[i].n_streams;
	node->streams = xcalloc(n_streams, sizeof *node->streams);
	for (unsigned i = 0; i < n; i++) {
		err = add_trace(node, &sources[i], error);
		if (err)
			return err;
	}
	relayd_session_start(node->session);
	return 0;
}

void
node_close(struct node *node)
{
	if (node->closing)
		return;
	node->closing = true;
	event_del(node->timer);
	relayd_session_close(node->session);
}

void
node_done(struct node *node)
{
	relayd_session_free(node->session);
	if (node->timer)
		event_free(node->timer);
	for (unsigned i = 0; i < node->n_streams; i++)
		packets_free(node->streams[i].packets);
	free(node->streams);
	free(node->hostname);
	free(node->name);
	buf_done(&node->scratch);
}

unsigned
node_percent(const struct node *node)
{
	uint64_t done = 0, all = 0;

	for (unsigned i = 0; i < node->n_streams; i++) {
		done += packets_done_bytes(node->streams[i].packets);
		all += stream_file_bytes(node->streams[i].file);
	}
	return all ? (unsigned) (done * 100 / all) : 100;
}
