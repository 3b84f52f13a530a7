/* SPDX-License-Identifier: MIT
 *
 * Runs a viewer against a relayd and writes what it is told, one line each,
 * for the tests that drive it (test_viewer_mock.py, test_viewer_relayd.py).
 *
 * Usage: viewer_probe HOST PORT [REPLY_TIMEOUT_MS DEAD_TIMEOUT_MS]
 *
 * SIGTERM ends it in order; SIGUSR1 writes the counters and the CPU time. */
#include "ctf/viewer.h"

#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/clock.h"
#include "lib/util.h"

struct thing {
	char *name;
	struct thing *in;
	uint64_t bytes;
	unsigned sum;
};

static struct viewer *viewer;
static unsigned n_things;

static void _printf_(1, 2)
line(const char *format, ...)
{
	va_list args;

	printf("%.3f ", (double) clock_mono_ns() / 1e9);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

static struct thing *
thing_new(struct thing *in, const char *name)
{
	struct thing *thing = xcalloc(1, sizeof *thing);

	thing->name = xstrdup(name);
	thing->in = in;
	n_things++;
	return thing;
}

static void
thing_free(struct thing *thing)
{
	free(thing->name);
	free(thing);
	n_things--;
}

static void
on_state(void *owner, enum viewer_state state, const char *text)
{
	static const char *const names[] = { "CONNECTING", "LIVE", "FROZEN" };

	line("state %s: %s", names[state], text);
}

static bool
on_session_found(void *owner, const char *hostname, const char *name, uint64_t id,
		 uint32_t live_timer_us)
{
	line("session_found %s/%s id=%" PRIu64 " live=%u", hostname, name, id, live_timer_us);
	return !starts_with(name, "unwanted");
}

static void *
on_session_attached(void *owner, struct viewer_session *session, const char *hostname,
		    const char *name, uint64_t id, uint32_t live_timer_us)
{
	line("session_attached %s/%s id=%" PRIu64, hostname, name, id);
	return thing_new(NULL, name);
}

static void
on_session_state(void *owner, void *user, const char *hostname, const char *name,
		 enum viewer_session_state state, const char *text)
{
	static const char *const names[] = { "LIVE", "BUSY", "GONE", "LOST", "REFUSED" };

	line("session_state %s/%s %s: %s", hostname, name, names[state], text);
}

static void *
on_trace_found(void *user, struct viewer_trace *trace, const char *path)
{
	line("trace_found %s %s", ((struct thing *) user)->name, path);
	return thing_new(user, path);
}

static int
on_metadata(void *user, const uint8_t *bytes, size_t size, struct error *error)
{
	struct thing *trace = user;

	trace->bytes += size;
	line("metadata %s %zu", trace->name, size);
	return 0;
}

static void *
on_stream_found(void *user, struct viewer_stream *stream, const char *path, const char *channel)
{
	struct thing *trace = user;

	if (!trace->bytes)
		line("FAULT: stream before metadata");
	line("stream_found %s/%s", trace->in->name, channel);
	return thing_new(trace, channel);
}

static bool
on_index(void *user, const struct viewer_index *index)
{
	return true;
}

static void
on_packet(void *user, uint8_t *bytes, size_t size, const struct viewer_index *index)
{
	struct thing *stream = user;

	for (size_t i = 0; i < size; i++)
		stream->sum = stream->sum * 31 + bytes[i];
	line("packet %s/%s size=%zu begin=%" PRIu64 " end=%" PRIu64 " wall=%" PRIu64 " first=%02x",
	     stream->in->in->name, stream->name, size, index->begin, index->end, clock_wall_ns(),
	     size ? bytes[0] : 0);
	free(bytes);
}

static void
on_beacon(void *user, uint64_t end)
{
	struct thing *stream = user;

	line("beacon %s/%s %" PRIu64, stream->in->in->name, stream->name, end);
}

static void
on_stream_gone(void *user, bool hup)
{
	struct thing *stream = user;

	line("stream_gone %s/%s %s", stream->in->in->name, stream->name, hup ? "hup" : "lost");
	thing_free(stream);
}

static void
on_trace_gone(void *user)
{
	line("trace_gone %s", ((struct thing *) user)->name);
	thing_free(user);
}

static void
on_session_gone(void *user)
{
	line("session_gone %s", ((struct thing *) user)->name);
	thing_free(user);
}

static void
on_batch(void *owner)
{
	fflush(stdout);
}

static const struct viewer_ops ops = {
	on_state, on_session_found, on_session_attached, on_session_state, on_trace_found,
	on_metadata, on_stream_found, on_index, on_packet, on_beacon, on_stream_gone,
	on_trace_gone, on_session_gone, on_batch,
};

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	const struct viewer_counters *c = viewer_counters(viewer);
	struct rusage usage;

	if (number == SIGTERM) {
		event_base_loopbreak(arg);
		return;
	}
	getrusage(RUSAGE_SELF, &usage);
	line("counters cpu_us=%ld requests=%" PRIu64 " replies=%" PRIu64 " beacons=%" PRIu64
	     " retries=%" PRIu64 " packets=%" PRIu64 " errors=%" PRIu64,
	     (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000L + usage.ru_utime.tv_usec +
	     usage.ru_stime.tv_usec, c->requests, c->replies, c->beacons, c->retries, c->packets,
	     c->protocol_errors);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	struct viewer_options options = viewer_defaults;
	struct event_base *base = event_base_new();
	struct event *term, *usr1;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 3 || !base)
		return 2;
	term = evsignal_new(base, SIGTERM, on_signal, base);
	usr1 = evsignal_new(base, SIGUSR1, on_signal, base);
	event_add(term, NULL);
	event_add(usr1, NULL);
	options.host = argv[1];
	options.port = (uint16_t) atoi(argv[2]);
	options.list_interval_ns = 200 * NS_PER_MS;
	if (argc > 4) {
		options.reply_timeout_ns = (uint64_t) atoi(argv[3]) * NS_PER_MS;
		options.dead_timeout_ns = (uint64_t) atoi(argv[4]) * NS_PER_MS;
		options.backoff_max_ns = 500 * NS_PER_MS;
	}
	viewer = viewer_new(base, &options, &ops, NULL);
	event_base_dispatch(base);
	viewer_free(viewer);
	event_free(term);
	event_free(usr1);
	event_base_free(base);
	libevent_global_shutdown();
	line(n_things ? "FAULT: %u things were not told as gone" : "end", n_things);
	return n_things != 0;
}
