/* SPDX-License-Identifier: MIT
 *
 * ctf_dump.c -- reads traces for test_oracle.py:
 *   ctf_dump own|babeltrace2 DIR...  prints all events, as --dump does
 *   ctf_dump compare DIR...          asks for every field of every event (as far as
 *                                    slots go) and compares what the two backends
 *                                    give: events, values, losses, hosts, totals
 *   ctf_dump losses DIR...           prints losses and the sums of all counters
 * Problems go to standard error, a line each. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctf/reader.h"
#include "lib/util.h"

enum { MAX_PATH = 512, MAX_DEPTH = 32, MAX_DIFFERENCES = 10 };

/* Collects the names of all fields into an interest. */
struct collect {
	struct ctf_interest *interest;
	unsigned event;
	enum ctf_scope scope;
	char path[MAX_PATH];
	size_t lengths[MAX_DEPTH];
	unsigned depth, arrays;
};

static void
print_problems(const struct ctf_reader *reader)
{
	const char *problem;

	for (size_t i = 0; (problem = ctf_reader_problem(reader, i)); i++)
		fprintf(stderr, "problem: %s\n", problem);
}

/* --- What fields there are. --- */

static void
collect_event(void *context, struct ctf_stream *stream, const char *name, uint64_t raw_ns,
	      uint64_t t_ns, bool has_time)
{
	struct collect *collect = context;

	collect->event = ctf_interest_event(collect->interest, name);
	collect->depth = collect->arrays = 0;
	collect->path[0] = '\0';
}

static void
collect_nothing(void *context)
{
}

static void
collect_scope(void *context, const char *scope)
{
	struct collect *collect = context;

	collect->scope = streq(scope, "packet") ? CTF_PACKET_CONTEXT :
		streq(scope, "context") ? CTF_EVENT_CONTEXT : CTF_PAYLOAD;
}

static void
collect_name(struct collect *collect, const char *name)
{
	size_t length = strlen(collect->path);

	if (collect->arrays || !name)
		return;
	snprintf(collect->path + length, sizeof collect->path - length, "%s%s", length ? "." : "",
		 name);
	ctf_interest_field(collect->interest, collect->event, collect->scope, collect->path);
	collect->path[length] = '\0';
}

static void
collect_unsigned(void *context, const char *name, uint64_t value)
{
	collect_name(context, name);
}

static void
collect_signed(void *context, const char *name, int64_t value)
{
	collect_name(context, name);
}

static void
collect_real(void *context, const char *name, double value, bool single)
{
	collect_name(context, name);
}

static void
collect_string(void *context, const char *name, const char *bytes, size_t size)
{
	collect_name(context, name);
}

static void
collect_structure_begin(void *context, const char *name)
{
	struct collect *collect = context;
	size_t length = strlen(collect->path);

	collect_name(collect, name);
	if (collect->depth < MAX_DEPTH)
		collect->lengths[collect->depth] = length;
	collect->depth++;
	if (name && !collect->arrays)
		snprintf(collect->path + length, sizeof collect->path - length, "%s%s",
			 length ? "." : "", name);
}

static void
collect_structure_end(void *context)
{
	struct collect *collect = context;

	if (--collect->depth < MAX_DEPTH)
		collect->path[collect->lengths[collect->depth]] = '\0';
}

static void
collect_array_begin(void *context, const char *name)
{
	struct collect *collect = context;

	collect_name(collect, name);
	collect->arrays++;
}

static void
collect_array_end(void *context)
{
	struct collect *collect = context;

	collect->arrays--;
}

static const struct ctf_visitor collector = {
	.event_begin = collect_event,
	.event_end = collect_nothing,
	.scope_begin = collect_scope,
	.scope_end = collect_nothing,
	.unsigned_integer = collect_unsigned,
	.signed_integer = collect_signed,
	.real = collect_real,
	.string = collect_string,
	.structure_begin = collect_structure_begin,
	.structure_end = collect_structure_end,
	.array_begin = collect_array_begin,
	.array_end = collect_array_end,
};

static int
collect_interest(const char *const *paths, size_t n, struct ctf_interest *interest,
		 struct error *error)
{
	struct collect collect = { .interest = interest };
	struct ctf_reader_item item;
	struct ctf_reader *reader;
	int r = ctf_reader_open(paths, n, NULL, CTF_BACKEND_OWN, &reader, error);

	if (r < 0)
		return r;
	while (r >= 0 && (r = ctf_reader_next(reader, &item, error)) > 0)
		if (item.what == CTF_HEAD_EVENT)
			r = ctf_stream_visit(item.event->stream, &collector, &collect, error);
	ctf_reader_close(reader);
	return r;
}

/* --- The two backends side by side. --- */

static bool
same_value(const struct ctf_value *a, const struct ctf_value *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == CTF_STRING || a->type == CTF_BYTES)
		return a->size == b->size && !memcmp(a->s, b->s, a->size);
	return a->type == CTF_ABSENT || !memcmp(&a->u, &b->u, sizeof a->u);
}

static void
print_value(const struct ctf_value *value)
{
	if (value->type == CTF_STRING || value->type == CTF_BYTES)
		printf("type %d \"%.*s\"", value->type, (int) value->size, value->s);
	else
		printf("type %d %" PRIu64, value->type, value->u);
}

static bool
same_event(const struct ctf_interest *interest, const struct ctf_event *a,
	   const struct ctf_event *b)
{
	bool same = a->wanted == b->wanted && a->raw_ns == b->raw_ns && a->t_ns == b->t_ns &&
		a->late == b->late && a->n_values == b->n_values &&
		streq(ctf_stream_key(a->stream), ctf_stream_key(b->stream));

	if (!same)
		printf("%s %" PRIu64 " %" PRIu64 " %s late %d\n"
		       "else %s %" PRIu64 " %" PRIu64 " %s late %d\n",
		       ctf_interest_event_name(interest, a->wanted), a->raw_ns, a->t_ns,
		       ctf_stream_key(a->stream), a->late,
		       ctf_interest_event_name(interest, b->wanted), b->raw_ns, b->t_ns,
		       ctf_stream_key(b->stream), b->late);
	for (unsigned i = 0; same && i < a->n_values; i++) {
		enum ctf_scope scope;

		if (same_value(&a->values[i], &b->values[i]))
			continue;
		printf("%s.%s at %" PRIu64 ": ", ctf_interest_event_name(interest, a->wanted),
		       ctf_interest_field_name(interest, a->wanted, i, &scope), a->t_ns);
		print_value(&a->values[i]);
		printf(", else ");
		print_value(&b->values[i]);
		printf("\n");
		same = false;
	}
	return same;
}

static bool
same_loss(const struct ctf_loss *a, const struct ctf_loss *b)
{
	bool same = a->events == b->events && a->packets == b->packets &&
		a->begin_raw_ns == b->begin_raw_ns && a->end_raw_ns == b->end_raw_ns &&
		a->begin_t_ns == b->begin_t_ns && a->end_t_ns == b->end_t_ns &&
		streq(ctf_stream_key(a->stream), ctf_stream_key(b->stream));

	if (!same)
		printf("loss %" PRIu64 " %" PRIu64 " from %" PRIu64 " to %" PRIu64 " %s\n"
		       "else %" PRIu64 " %" PRIu64 " from %" PRIu64 " to %" PRIu64 " %s\n",
		       a->events, a->packets, a->begin_raw_ns, a->end_raw_ns,
		       ctf_stream_key(a->stream), b->events, b->packets, b->begin_raw_ns,
		       b->end_raw_ns, ctf_stream_key(b->stream));
	return same;
}

static bool
same_item(const struct ctf_interest *interest, const struct ctf_reader_item *a,
	  const struct ctf_reader_item *b)
{
	if (a->what != b->what) {
		printf("item %d at %" PRIu64 ", else %d at %" PRIu64 "\n", a->what,
		       a->watermark_raw_ns, b->what, b->watermark_raw_ns);
		return false;
	}
	if (!streq(a->host->hostname, b->host->hostname) ||
	    memcmp(a->host->clock_uuid, b->host->clock_uuid, sizeof a->host->clock_uuid)) {
		printf("host %s, else %s\n", a->host->hostname, b->host->hostname);
		return false;
	}
	if (a->what == CTF_HEAD_LOSS)
		return same_loss(a->loss, b->loss);
	return a->what != CTF_HEAD_EVENT || same_event(interest, a->event, b->event);
}

static unsigned
compare_items(struct ctf_reader *own, struct ctf_reader *bt2, const struct ctf_interest *interest)
{
	struct ctf_reader_totals x, y;
	struct ctf_reader_item a, b;
	struct error error = { 0 };
	unsigned differences = 0;
	uint64_t n = 0;
	int r = 1, s = 1;

	while (differences < MAX_DIFFERENCES && r > 0 && s > 0) {
		r = ctf_reader_next(own, &a, &error);
		s = ctf_reader_next(bt2, &b, &error);
		if (r > 0 && s > 0)
			differences += !same_item(interest, &a, &b);
		n++;
	}
	if (r || s) {
		printf("gives up: %d, else %d %s\n", r, s, error.text);
		return differences + 1;
	}
	ctf_reader_totals(own, &x);
	ctf_reader_totals(bt2, &y);
	if (x.sum.events != y.sum.events || x.sum.wanted != y.sum.wanted ||
	    x.sum.packets != y.sum.packets ||
	    x.sum.discarded_events != y.sum.discarded_events ||
	    x.sum.missing_packets != y.sum.missing_packets ||
	    x.sum.discarded_glitches != y.sum.discarded_glitches || x.sum.late != y.sum.late ||
	    x.streams != y.streams || x.hosts != y.hosts) {
		printf("totals differ\n");
		differences++;
	}
	printf("%" PRIu64 " items\n", n);
	return differences;
}

static int
compare(const char *const *paths, size_t n, struct error *error)
{
	struct ctf_interest *interest = ctf_interest_new();
	struct ctf_reader *own = NULL, *bt2 = NULL;
	int r = collect_interest(paths, n, interest, error);

	if (r >= 0)
		r = ctf_reader_open(paths, n, interest, CTF_BACKEND_OWN, &own, error);
	if (r >= 0)
		r = ctf_reader_open(paths, n, interest, CTF_BACKEND_BABELTRACE2, &bt2, error);
	if (r >= 0 && compare_items(own, bt2, interest))
		r = error_set(error, EXIT_FAILURE, "the two differ");
	ctf_reader_close(own);
	ctf_reader_close(bt2);
	ctf_interest_free(interest);
	return r;
}

static int
print_losses(const char *const *paths, size_t n, struct error *error)
{
	struct ctf_reader_totals totals;
	struct ctf_reader_item item;
	struct ctf_reader *reader;
	int r = ctf_reader_open(paths, n, NULL, CTF_BACKEND_OWN, &reader, error);

	if (r < 0)
		return r;
	while ((r = ctf_reader_next(reader, &item, error)) > 0)
		if (item.what == CTF_HEAD_LOSS)
			printf("%s: %" PRIu64 " events, %" PRIu64 " packets until %" PRIu64 "\n",
			       ctf_stream_key(item.loss->stream), item.loss->events,
			       item.loss->packets, item.loss->end_t_ns);
	ctf_reader_totals(reader, &totals);
	printf("%u hosts, %u traces, %u streams, %" PRIu64 " packets, %" PRIu64 " bytes, "
	       "%" PRIu64 " events, %" PRIu64 " discarded, %" PRIu64 " packets missing, "
	       "%" PRIu64 " glitches, %" PRIu64 " bad packets, %" PRIu64 " late\n",
	       totals.hosts, totals.traces,
	       totals.streams, totals.sum.packets, totals.sum.bytes, totals.sum.events,
	       totals.sum.discarded_events, totals.sum.missing_packets,
	       totals.sum.discarded_glitches, totals.sum.bad_packets, totals.sum.late);
	print_problems(reader);
	ctf_reader_close(reader);
	return r;
}

static int
dump(const char *const *paths, size_t n, enum ctf_backend backend, struct error *error)
{
	struct ctf_reader *reader;
	int r = ctf_reader_open(paths, n, NULL, backend, &reader, error);

	if (r < 0)
		return r;
	r = ctf_reader_dump(reader, stdout, error);
	print_problems(reader);
	ctf_reader_close(reader);
	return r;
}

int
main(int argc, char **argv)
{
	const char *const *paths = (const char *const *) argv + 2;
	size_t n = argc > 2 ? (size_t) argc - 2 : 0;
	struct error error = { 0 };
	int r = -1;

	if (n && streq(argv[1], "own"))
		r = dump(paths, n, CTF_BACKEND_OWN, &error);
	else if (n && streq(argv[1], "babeltrace2"))
		r = dump(paths, n, CTF_BACKEND_BABELTRACE2, &error);
	else if (n && streq(argv[1], "compare"))
		r = compare(paths, n, &error);
	else if (n && streq(argv[1], "losses"))
		r = print_losses(paths, n, &error);
	else
		fputs("usage: ctf_dump own|babeltrace2|compare|losses DIR...\n", stderr);
	if (error.code)
		fprintf(stderr, "error: %s\n", error.text);
	return r < 0;
}
