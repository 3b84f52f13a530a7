/* SPDX-License-Identifier: MIT */
#include "tests/viewer_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <cmocka.h>

#include "lib/util.h"

struct fixture *current;

static void
on_state(void *owner, enum viewer_state state, const char *text)
{
	buf_printf(&current->log, "state %d\n", state);
}

static bool
on_session_found(void *owner, const char *hostname, const char *name, uint64_t id,
		 uint32_t live_timer_us)
{
	buf_printf(&current->log, "found %s/%s\n", hostname, name);
	return !streq(name, "unwanted");
}

static void *
on_session_attached(void *owner, struct viewer_session *session, const char *hostname,
		    const char *name, uint64_t id, uint32_t live_timer_us)
{
	buf_printf(&current->log, "attached %s\n", name);
	current->n_things++;
	return xstrdup(name);
}

static void
on_session_state(void *owner, void *user, const char *hostname, const char *name,
		 enum viewer_session_state state, const char *text)
{
	static const char *const names[] = { "live", "busy", "gone", "lost", "refused" };

	buf_printf(&current->log, "session %s %s: %s\n", name, names[state], text);
}

static void *
on_trace_found(void *user, struct viewer_trace *trace, const char *path)
{
	buf_printf(&current->log, "trace %s\n", path);
	current->n_things++;
	return xstrdup(path);
}

static int
on_metadata(void *user, const uint8_t *bytes, size_t size, struct error *error)
{
	buf_printf(&current->log, "metadata %s %zu\n", (char *) user, size);
	if (current->refuse_metadata)
		return error_set(error, EPROTONOSUPPORT, "CTF 2 metadata");
	return 0;
}

static void *
on_stream_found(void *user, struct viewer_stream *stream, const char *path, const char *channel)
{
	buf_printf(&current->log, "stream %s\n", channel);
	current->n_things++;
	return xstrdup(channel);
}

static bool
on_index(void *user, const struct viewer_index *index)
{
	return index->end >= current->step_over_before;
}

static void
on_packet(void *user, uint8_t *bytes, size_t size, const struct viewer_index *index)
{
	buf_printf(&current->log, "packet %s %zu at %d\n", (char *) user, size, (int) index->begin);
	free(bytes);
}

static void
on_beacon(void *user, uint64_t end)
{
	buf_printf(&current->log, "beacon %s %d\n", (char *) user, (int) end);
}

static void
on_stream_gone(void *user, bool hup)
{
	buf_printf(&current->log, "stream %s gone%s\n", (char *) user, hup ? "" : " (lost)");
	current->n_things--;
	free(user);
}

static void
on_trace_gone(void *user)
{
	buf_printf(&current->log, "trace %s gone\n", (char *) user);
	current->n_things--;
	free(user);
}

static void
on_session_gone(void *user)
{
	buf_printf(&current->log, "session %s gone\n", (char *) user);
	current->n_things--;
	free(user);
}

static void
on_batch(void *owner)
{
}

static const struct viewer_ops ops = {
	on_state, on_session_found, on_session_attached, on_session_state, on_trace_found,
	on_metadata, on_stream_found, on_index, on_packet, on_beacon, on_stream_gone,
	on_trace_gone, on_session_gone, on_batch,
};

void
open_viewer(struct fixture *f, const struct viewer_options *options)
{
	*f = (struct fixture) { 0 };
	current = f;
	f->viewer = viewer_alloc(options, &ops, NULL);
	f->viewer->now = NS_PER_S;
	viewer_start(f->viewer);
}

int
setup(void **state)
{
	struct fixture *f = xmalloc(sizeof *f);

	open_viewer(f, &viewer_defaults);
	*state = f;
	return 0;
}

int
teardown(void **state)
{
	struct fixture *f = *state;

	viewer_free(f->viewer);
	buf_done(&f->log);
	buf_done(&f->scratch);
	free(f);
	return 0;
}

/* Replies */

int
feed(struct fixture *f, const void *bytes, size_t size)
{
	const uint8_t *from = bytes;
	size_t n;
	int r = 0;

	for (; size && r >= 0; from += n, size -= n) {
		n = f->at_once ? MIN(f->at_once, size) : size;
		if (f->cut)
			n = MIN(n, f->cut - f->fed);
		f->fed += n;
		r = viewer_receive(f->viewer, from, n, &f->error);
		if (f->cut && f->fed == f->cut)
			longjmp(f->on_cut, 1);
	}
	viewer_pump(f->viewer);
	return r;
}

void
put(struct buf *to, uint64_t value, int bytes)
{
	while (bytes--)
		buf_add_char(to, (char) (value >> (8 * bytes)));
}

void
put_name(struct buf *to, const char *name, size_t size)
{
	buf_add(to, name, MIN(strlen(name), size));
	for (size_t i = strlen(name); i < size; i++)
		buf_add_char(to, '\0');
}

void
reply(struct fixture *f, struct buf *bytes)
{
	buf_clear(&f->scratch);
	buf_add(&f->scratch, bytes->data, bytes->size);
	buf_done(bytes);
	if (feed(f, f->scratch.data, f->scratch.size) < 0)
		fail_msg("%s", f->error.text);
}

void
reply_words(struct fixture *f, int n, ...)
{
	struct buf bytes = { 0 };
	va_list args;

	va_start(args, n);
	for (int i = 0; i < n; i++)
		put(&bytes, va_arg(args, unsigned), 4);
	va_end(args);
	reply(f, &bytes);
}

static void
put_session(struct buf *to, uint64_t id, const char *name)
{
	put(to, id, 8);
	put(to, 100000, 4);
	put(to, 0, 4);
	put(to, 0, 4);
	put_name(to, "node", 64);
	put_name(to, name, 255);
}

void
put_stream(struct buf *to, uint64_t id, uint64_t trace, bool metadata, const char *channel)
{
	char path[32];

	snprintf(path, sizeof path, "t%d", (int) trace);
	put(to, id, 8);
	put(to, trace, 8);
	put(to, metadata, 4);
	put_name(to, path, 4096);
	put_name(to, channel, 255);
}

void
put_index(struct buf *to, unsigned status, unsigned flags, unsigned bytes, unsigned begin,
	  unsigned end)
{
	put(to, 4096, 8);
	put(to, (uint64_t) bytes * 8 + 4096, 8);
	put(to, (uint64_t) bytes * 8, 8);
	put(to, begin, 8);
	put(to, end, 8);
	put(to, 0, 8);
	put(to, 0, 8);
	put(to, status, 4);
	put(to, flags, 4);
}

void
reply_index(struct fixture *f, unsigned status, unsigned flags, unsigned bytes, unsigned begin,
	    unsigned end)
{
	struct buf to = { 0 };

	put_index(&to, status, flags, bytes, begin, end);
	reply(f, &to);
}

void
reply_packet(struct fixture *f, unsigned size)
{
	struct buf to = { 0 };

	put(&to, VIEWER_PACKET_OK, 4);
	put(&to, size, 4);
	put(&to, 0, 4);
	for (unsigned i = 0; i < size; i++)
		buf_add_char(&to, (char) i);
	reply(f, &to);
}

void
reply_metadata(struct fixture *f, unsigned status, unsigned size)
{
	struct buf to = { 0 };

	put(&to, size, 8);
	put(&to, status, 4);
	for (unsigned i = 0; i < size; i++)
		buf_add_char(&to, 'm');
	reply(f, &to);
}

void
reply_connect(struct fixture *f, unsigned major, unsigned minor)
{
	struct buf to = { 0 };

	put(&to, UINT64_MAX, 8);
	put(&to, major, 4);
	put(&to, minor, 4);
	put(&to, 1, 4);
	reply(f, &to);
}

void
reply_list(struct fixture *f, int n, const char *name)
{
	struct buf to = { 0 };

	put(&to, (uint64_t) n, 4);
	for (int i = 0; i < n; i++)
		put_session(&to, (uint64_t) i + 1, name);
	reply(f, &to);
}

void
reply_streams(struct fixture *f, int n)
{
	struct buf to = { 0 };
	char channel[32];

	put(&to, 1, 4);
	put(&to, (uint64_t) n + 1, 4);
	for (int i = 0; i < n; i++) {
		snprintf(channel, sizeof channel, "ch_%d", i);
		put_stream(&to, 11 + (uint64_t) i, 1, false, channel);
	}
	put_stream(&to, 10, 1, true, "metadata");
	reply(f, &to);
}

/* What the viewer asks */

void
expect_commands(struct fixture *f, const char *expected)
{
	struct buf got = { 0 };
	const uint8_t *bytes = (const uint8_t *) f->viewer->out.data;
	size_t at = 0;

	while (at + VIEWER_HEADER_SIZE <= f->viewer->out.size) {
		uint32_t command = viewer_get_u32(bytes + at + 8);
		uint64_t size = viewer_get_u64(bytes + at);

		assert_in_range(command, 1, VIEWER_N_COMMANDS - 1);
		buf_printf(&got, "%s%s", at ? " " : "", viewer_command_name(command));
		if (size >= 8 && command != VIEWER_CONNECT)
			buf_printf(&got, "(%d)", (int) viewer_get_u64(bytes + at + 16));
		at += VIEWER_HEADER_SIZE + size;
	}
	assert_int_equal(at, f->viewer->out.size);
	assert_string_equal(got.data ? got.data : "", expected);
	buf_done(&got);
	buf_clear(&f->viewer->out);
}

void
expect_log(struct fixture *f, const char *expected)
{
	assert_string_equal(f->log.data ? f->log.data : "", expected);
	buf_clear(&f->log);
}

void
pass_time(struct fixture *f, uint64_t ms)
{
	f->viewer->now += ms * NS_PER_MS;
	viewer_pump(f->viewer);
}

void
pass_time_quietly(struct fixture *f, uint64_t ms)
{
	pass_time(f, ms);
	while (f->viewer->n_requests &&
	       f->viewer->requests[f->viewer->first_request].command == VIEWER_GET_NEW_STREAMS)
		reply_words(f, 2, VIEWER_STREAMS_NO_NEW, 0);
}

void
attach(struct fixture *f, int n)
{
	reply_connect(f, 2, 13);
	reply_words(f, 1, 1);
	reply_list(f, 1, "live1");
	reply_streams(f, n);
	reply_metadata(f, VIEWER_METADATA_OK, 100);
	reply_metadata(f, VIEWER_METADATA_NO_NEW, 0);
	buf_clear(&f->log);
	buf_clear(&f->viewer->out);
}
