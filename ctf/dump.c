/* SPDX-License-Identifier: MIT
 *
 * dump.c -- every event as one line of JSON (cloudtraced --dump).
 *
 * All of "t", "host", "stream", "name", "packet", "context" and "payload" are
 * always there: a scope that the event does not have is {}, a time that it does
 * not have is null. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ctf/reader.h"
#include "lib/buf.h"

enum { FLUSH_BYTES = 256 << 10, N_SCOPES = 3 };

static const char *const scope_names[N_SCOPES] = { "packet", "context", "payload" };

struct dump {
	struct buf out;
	const char *hostname;
	unsigned scope;          /* The next one to write. */
	bool first;              /* No comma before the next member or element. */
};

static void
add_text(struct dump *dump, const char *text)
{
	buf_add_string(&dump->out, text);
}

static void
add_u64(struct dump *dump, uint64_t value)
{
	char digits[20];
	size_t at = sizeof digits;

	do
		digits[--at] = (char) ('0' + value % 10);
	while (value /= 10);
	buf_add(&dump->out, digits + at, sizeof digits - at);
}

/* What goes before a value: a comma, and in structures its name. */
static void
add_name(struct dump *dump, const char *name)
{
	if (!dump->first)
		buf_add_char(&dump->out, ',');
	dump->first = false;
	if (name) {
		buf_add_json_string(&dump->out, name, strlen(name));
		buf_add_char(&dump->out, ':');
	}
}

static void
dump_event_begin(void *context, struct ctf_stream *stream, const char *name, uint64_t raw_ns,
		 uint64_t t_ns, bool has_time)
{
	struct dump *dump = context;
	const char *key = ctf_stream_key(stream);

	add_text(dump, "{\"t\":");
	if (has_time)
		add_u64(dump, t_ns);
	else
		add_text(dump, "null");
	add_text(dump, ",\"host\":");
	buf_add_json_string(&dump->out, dump->hostname, strlen(dump->hostname));
	add_text(dump, ",\"stream\":");
	buf_add_json_string(&dump->out, key, strlen(key));
	add_text(dump, ",\"name\":");
	buf_add_json_string(&dump->out, name ? name : "", name ? strlen(name) : 0);
	dump->scope = 0;
	dump->first = false;
}

/* Writes the scopes before 'until' that the event does not have. */
static void
skip_scopes(struct dump *dump, unsigned until)
{
	for (; dump->scope < until; dump->scope++) {
		add_name(dump, scope_names[dump->scope]);
		add_text(dump, "{}");
	}
}

static void
dump_event_end(void *context)
{
	struct dump *dump = context;

	skip_scopes(dump, N_SCOPES);
	add_text(dump, "}\n");
}

static void
dump_begin(struct dump *dump, const char *name, char bracket)
{
	add_name(dump, name);
	buf_add_char(&dump->out, bracket);
	dump->first = true;
}

static void
dump_end(struct dump *dump, char bracket)
{
	buf_add_char(&dump->out, bracket);
	dump->first = false;
}

static void
dump_scope_begin(void *context, const char *scope)
{
	struct dump *dump = context;
	unsigned at = 0;

	while (at < N_SCOPES - 1 && !streq(scope, scope_names[at]))
		at++;
	skip_scopes(dump, at);
	dump->scope = at + 1;
	dump_begin(dump, scope, '{');
}

static void
dump_structure_begin(void *context, const char *name)
{
	dump_begin(context, name, '{');
}

static void
dump_structure_end(void *context)
{
	dump_end(context, '}');
}

static void
dump_array_begin(void *context, const char *name)
{
	dump_begin(context, name, '[');
}

static void
dump_array_end(void *context)
{
	dump_end(context, ']');
}

static void
dump_unsigned(void *context, const char *name, uint64_t value)
{
	add_name(context, name);
	add_u64(context, value);
}

static void
dump_signed(void *context, const char *name, int64_t value)
{
	struct dump *dump = context;

	add_name(dump, name);
	if (value < 0)
		buf_add_char(&dump->out, '-');
	add_u64(dump, value < 0 ? -(uint64_t) value : (uint64_t) value);
}

/* With as many digits as it takes to get the same bits back. */
static void
dump_real(void *context, const char *name, double value, bool single)
{
	struct dump *dump = context;

	add_name(dump, name);
	if (isfinite(value))
		buf_printf(&dump->out, "%.*g", single ? 9 : 17, value);
	else
		add_text(dump, "null");
}

static void
dump_string(void *context, const char *name, const char *bytes, size_t size)
{
	struct dump *dump = context;

	add_name(dump, name);
	buf_add_json_string(&dump->out, bytes, size);
}

static const struct ctf_visitor visitor = {
	.event_begin = dump_event_begin,
	.event_end = dump_event_end,
	.scope_begin = dump_scope_begin,
	.scope_end = dump_structure_end,
	.unsigned_integer = dump_unsigned,
	.signed_integer = dump_signed,
	.real = dump_real,
	.string = dump_string,
	.structure_begin = dump_structure_begin,
	.structure_end = dump_structure_end,
	.array_begin = dump_array_begin,
	.array_end = dump_array_end,
};

static int
flush(struct dump *dump, FILE *file, struct error *error)
{
	if (dump->out.size && fwrite(dump->out.data, 1, dump->out.size, file) != dump->out.size)
		return error_set(error, errno ? errno : EIO, "the events can't be written: %s",
				 strerror(errno));
	buf_clear(&dump->out);
	return 0;
}

int
ctf_reader_dump(struct ctf_reader *reader, void *file, struct error *error)
{
	struct dump dump = { .scope = 0 };
	struct ctf_reader_item item;
	int r;

	while ((r = ctf_reader_next(reader, &item, error)) > 0) {
		size_t before = dump.out.size;

		if (item.what != CTF_HEAD_EVENT)
			continue;
		dump.hostname = item.host->hostname;
		if (ctf_stream_visit(item.event->stream, &visitor, &dump, NULL) < 0)
			dump.out.size = before;
		if (dump.out.size >= FLUSH_BYTES) {
			r = flush(&dump, file, error);
			if (r < 0)
				break;
		}
	}
	if (r >= 0)
		r = flush(&dump, file, error);
	if (r >= 0 && fflush(file))
		r = error_set(error, errno, "the events can't be written: %s", strerror(errno));
	buf_done(&dump.out);
	return r;
}
