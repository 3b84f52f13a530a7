/* SPDX-License-Identifier: MIT
 *
 * Fuzzes the replies that a viewer gets.  The input is a list of steps: a byte
 * that says what happens besides (time passes, pause, the connection breaks),
 * then the first bytes of the part of a reply that is due; the rest of long
 * parts is made up, so that inputs stay short.
 *
 * Besides what sanitizers see: everything that was told as found is told as
 * gone once, streams come after metadata, nothing is left, memory is bounded. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctf/viewer_private.h"
#include "lib/util.h"

enum {
	STEP_SHORT_TIME = 1, STEP_LONG_TIME = 2, STEP_PAUSE = 4, STEP_SPLIT = 8, STEP_REFUSE = 16,
	STEP_OVER = 32, STEP_BREAK = 64, STEP_UNASKED = 128,
	FROM_INPUT = 64,       /* Bytes of a part that come from the input. */
	LIMIT = 1 << 16,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct thing {
	struct thing *in;
	unsigned inside;
	bool has_metadata;
};

static unsigned control;
static long n_things;

static void
check(bool ok)
{
	if (!ok)
		abort();
}

static void *
thing_new(struct thing *in)
{
	struct thing *thing = xcalloc(1, sizeof *thing);

	thing->in = in;
	if (in)
		in->inside++;
	n_things++;
	return thing;
}

static void
thing_gone(void *user)
{
	struct thing *thing = user;

	check(!thing->inside);
	if (thing->in)
		thing->in->inside--;
	n_things--;
	free(thing);
}

static void
on_state(void *owner, enum viewer_state state, const char *text)
{
	check(text[0]);
}

static bool
on_session_found(void *owner, const char *hostname, const char *name, uint64_t id,
		 uint32_t live_timer_us)
{
	check(strlen(hostname) <= 64 && strlen(name) <= 255);
	return !(control & STEP_REFUSE);
}

static void *
on_session_attached(void *owner, struct viewer_session *session, const char *hostname,
		    const char *name, uint64_t id, uint32_t live_timer_us)
{
	return thing_new(NULL);
}

static void
on_session_state(void *owner, void *user, const char *hostname, const char *name,
		 enum viewer_session_state state, const char *text)
{
	check(text[0] && strlen(hostname) <= 64);
}

static void *
on_trace_found(void *user, struct viewer_trace *trace, const char *path)
{
	check(strlen(path) <= 4096);
	return thing_new(user);
}

static int
on_metadata(void *user, const uint8_t *bytes, size_t size, struct error *error)
{
	struct thing *trace = user;

	check(size > 0 && size <= LIMIT);
	trace->has_metadata = true;
	return control & STEP_REFUSE ? error_set(error, EINVAL, "refused") : 0;
}

static void *
on_stream_found(void *user, struct viewer_stream *stream, const char *path, const char *channel)
{
	check(((struct thing *) user)->has_metadata);
	return thing_new(user);
}

static bool
on_index(void *user, const struct viewer_index *index)
{
	return !(control & STEP_OVER);
}

static void
on_packet(void *user, uint8_t *bytes, size_t size, const struct viewer_index *index)
{
	check(size > 0 && size <= LIMIT && !((struct thing *) user)->inside);
	free(bytes);
}

static void
on_beacon(void *user, uint64_t end)
{
	check(!((struct thing *) user)->inside);
}

static void
on_stream_gone(void *user, bool hup)
{
	thing_gone(user);
}

static void
on_batch(void *owner)
{
}

static const struct viewer_ops ops = {
	on_state, on_session_found, on_session_attached, on_session_state, on_trace_found,
	on_metadata, on_stream_found, on_index, on_packet, on_beacon, on_stream_gone,
	thing_gone, thing_gone, on_batch,
};

static void
start_again(struct viewer *viewer)
{
	viewer_stop(viewer, "the connection broke");
	check(!n_things && !viewer->sessions && !viewer->n_requests);
	check(!viewer->in_flight && !viewer->n_streams && !viewer->name_bytes);
	viewer_start(viewer);
}

static void
feed(struct viewer *viewer, const uint8_t *bytes, size_t size)
{
	if (viewer_receive(viewer, bytes, size, NULL) < 0)
		start_again(viewer);
}

/* One part of a reply; returns how much of the input it took. */
static size_t
feed_part(struct viewer *viewer, const uint8_t *data, size_t size)
{
	static uint8_t bytes[LIMIT];
	const struct viewer_part *part = &viewer->part;
	size_t need = part->need ? part->need - part->have :
		viewer_reply_size(viewer->requests[viewer->first_request].command);
	size_t given = MIN(need, (size_t) FROM_INPUT);

	given = MIN(given, size);
	check(need <= LIMIT);
	memset(bytes, 'a', need);
	memcpy(bytes, data, given);
	if (control & STEP_SPLIT)
		need = (need + 1) / 2;
	feed(viewer, bytes, need);
	return MIN(given, need);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct viewer_options options = viewer_defaults;
	struct viewer *viewer;

	options.max_packet_bytes = options.max_metadata_bytes = LIMIT;
	options.max_in_flight_bytes = 2 * LIMIT;
	options.max_sessions = 8;
	options.max_streams = 40;
	viewer = viewer_alloc(&options, &ops, NULL);
	viewer->now = NS_PER_S;
	viewer_start(viewer);
	while (size) {
		size_t n;

		control = *data++;
		size--;
		viewer->now += control & STEP_SHORT_TIME ? 30 * NS_PER_MS : 0;
		viewer->now += control & STEP_LONG_TIME ? 1100 * NS_PER_MS : 0;
		viewer_pause(viewer, control & STEP_PAUSE);
		if (control & STEP_BREAK)
			start_again(viewer);
		if (control & STEP_UNASKED)
			feed(viewer, data, MIN(size, (size_t) FROM_INPUT));
		viewer_pump(viewer);
		if (!viewer->n_requests) {
			viewer->now += NS_PER_S;
			viewer_pump(viewer);
		}
		check(viewer->n_requests > 0);
		check(viewer->in_flight <= options.max_in_flight_bytes);
		buf_clear(&viewer->out);
		n = feed_part(viewer, data, size);
		data += n;
		size -= n;
	}
	viewer_free(viewer);
	check(!n_things);
	return 0;
}
