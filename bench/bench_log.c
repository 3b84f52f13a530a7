/* SPDX-License-Identifier: MIT
 *
 * bench_log.c -- what the analyzers of log lines cost: the events of trace
 * directories are read into memory, then given to a new engine again and again.
 *
 *	bench_log [--only used|other] [--rounds N] DIR...
 *
 * Prints one JSON object: lines, CPU time of a line.  'other' lines are those of
 * loggers that nobody reads. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analyzers/engine.h"
#include "ctf/reader.h"
#include "lib/util.h"

struct kept {
	struct ctf_event event;
	struct ctf_value *values;
	char *hostname;
	bool used;
};

static struct kept *events;
static size_t n_events, n_used;

static void
drop_fact(void *context, const struct fact *fact)
{
	++*(uint64_t *) context;
	json_decref(fact->attributes);
}

static uint64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t) t.tv_sec * 1000000000 + (uint64_t) t.tv_nsec;
}

static void
keep(const struct ctf_event *event, const char *hostname)
{
	struct kept *kept;

	if (n_events % 4096 == 0)
		events = xrealloc(events, (n_events + 4096) * sizeof *events);
	kept = &events[n_events++];
	kept->event = *event;
	kept->event.stream = NULL;
	kept->hostname = xstrdup(hostname);
	kept->values = xcalloc(event->n_values + 1, sizeof *kept->values);
	for (unsigned i = 0; i < event->n_values; i++) {
		kept->values[i] = event->values[i];
		if (event->values[i].type == CTF_STRING)
			kept->values[i].s = xstrndup(event->values[i].s, event->values[i].size);
	}
	kept->event.values = kept->values;
}

static int
read_all(const struct engine *engine, char **dirs, int n)
{
	const int wanted = ctf_interest_find(engine_interest(engine), "lttng_python:event");
	struct ctf_reader_item item;
	struct ctf_reader *reader;
	struct error error = { 0 };
	int r = ctf_reader_open((const char *const *) dirs, (size_t) n, engine_interest(engine),
				CTF_BACKEND_OWN, &reader, &error);

	if (r) {
		fprintf(stderr, "%s\n", error.text);
		return r;
	}
	while ((r = ctf_reader_next(reader, &item, &error)) == 1)
		if (item.what == CTF_HEAD_EVENT && (int) item.event->wanted == wanted)
			keep(item.event, item.host->hostname);
	ctf_reader_close(reader);
	return r;
}

/* One round over the events; only those of a kind where one is asked for. */
static uint64_t
play(const char *only, bool classify)
{
	uint64_t facts = 0;
	const struct fact_sink sink = { .fact = drop_fact, .context = &facts };
	struct engine_options options = engine_defaults;
	struct engine *engine;
	const struct engine_counters *c;
	uint64_t start, before;

	options.spans_when_flushed = true;
	engine = engine_new(analyzers, &options, &sink);
	c = engine_counters(engine);
	start = cpu_ns();
	for (size_t i = 0; i < n_events; i++) {
		struct kept *kept = &events[i];

		if (only && kept->used != streq(only, "used"))
			continue;
		before = c->used + c->ignored;
		engine_event(engine_host(engine, kept->hostname), &kept->event);
		if (classify)
			kept->used = c->used + c->ignored != before;
		if (i % 4096 == 0)
			engine_flush(engine);
	}
	start = cpu_ns() - start;
	engine_free(engine);
	return start;
}

int
main(int argc, char **argv)
{
	const struct fact_sink sink = { .fact = drop_fact };
	struct engine *engine = engine_new(analyzers, &engine_defaults, &sink);
	const char *only = NULL;
	uint64_t rounds = 10, best = UINT64_MAX, lines;
	int at = 1;

	for (; at + 1 < argc && argv[at][0] == '-'; at += 2) {
		if (streq(argv[at], "--only"))
			only = argv[at + 1];
		else if (parse_u64(argv[at + 1], &rounds))
			return 2;
	}
	if (at >= argc || read_all(engine, argv + at, argc - at) < 0)
		return 2;
	engine_free(engine);
	play(NULL, true);
	for (size_t i = 0; i < n_events; i++)
		n_used += events[i].used;
	lines = !only ? n_events : streq(only, "used") ? n_used : n_events - n_used;
	for (uint64_t i = 0; i < rounds; i++)
		best = MIN(best, play(only, false));
	printf("{\"lines\": %" PRIu64 ", \"used\": %zu, \"ns\": %.1f, \"rounds\": %" PRIu64 "}\n", lines,
	       n_used, rounds && lines ? (double) best / (double) lines : 0, rounds);
	for (size_t i = 0; i < n_events; i++) {
		for (unsigned k = 0; k < events[i].event.n_values; k++)
			if (events[i].values[k].type == CTF_STRING)
				free((char *) (uintptr_t) events[i].values[k].s);
		free(events[i].values);
		free(events[i].hostname);
	}
	free(events);
	return 0;
}
