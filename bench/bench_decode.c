/* SPDX-License-Identifier: MIT
 *
 * bench_decode.c -- reads traces through ctf/reader.h to the end and does
 * nothing with the events: what decoding and merging cost by themselves.
 * Prints its figures as a line of JSON for bench/run. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctf/reader.h"
#include "lib/clock.h"
#include "lib/util.h"

struct result {
	uint64_t events, wanted, values, losses;
};

static _Noreturn void
usage(void)
{
	fputs("Usage: bench_decode [--reader=own|babeltrace2] [--want=EVENT[/FIELD,...]]... DIR...\n"
	      "Reads traces to the end.\n"
	      "A FIELD is of the payload, or context.NAME, or packet.NAME.\n", stderr);
	exit(2);
}

static _Noreturn void
die(const struct error *error)
{
	fprintf(stderr, "bench_decode: %s\n", error->text);
	exit(1);
}

static void
want_field(struct ctf_interest *interest, unsigned event, const char *field)
{
	enum ctf_scope scope = CTF_PAYLOAD;

	if (starts_with(field, "context."))
		scope = CTF_EVENT_CONTEXT;
	else if (starts_with(field, "packet."))
		scope = CTF_PACKET_CONTEXT;
	if (scope != CTF_PAYLOAD)
		field = strchr(field, '.') + 1;
	if (ctf_interest_field(interest, event, scope, field) < 0)
		usage();
}

/* "EVENT[/FIELD,FIELD...]" */
static void
want(struct ctf_interest *interest, const char *text)
{
	_cleanup_(freep) char *copy = xstrdup(text);
	char *fields = copy, *name = strsep(&fields, "/"), *state = NULL;
	unsigned event = ctf_interest_event(interest, name);

	if (!fields)
		return;
	for (char *f = strtok_r(fields, ",", &state); f; f = strtok_r(NULL, ",", &state))
		want_field(interest, event, f);
}

static void
drain(struct ctf_reader *reader, struct result *result)
{
	struct ctf_reader_item item;
	struct error error = { 0 };
	int r;

	while ((r = ctf_reader_next(reader, &item, &error)) > 0) {
		if (item.what == CTF_HEAD_LOSS)
			result->losses++;
		if (item.what != CTF_HEAD_EVENT)
			continue;
		result->wanted++;
		result->values += item.event->n_values;
	}
	if (r < 0)
		die(&error);
	for (size_t i = 0; ctf_reader_problem(reader, i); i++)
		fprintf(stderr, "bench_decode: %s\n", ctf_reader_problem(reader, i));
}

static uint64_t
cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (uint64_t) t.tv_sec * NS_PER_S + (uint64_t) t.tv_nsec;
}

static void
print(const struct ctf_reader *reader, const struct result *result, uint64_t wall, uint64_t cpu)
{
	struct ctf_reader_totals totals;

	ctf_reader_totals(reader, &totals);
	printf("{\"events\":%" PRIu64 ",\"wanted\":%" PRIu64 ",\"values\":%" PRIu64
	       ",\"losses\":%" PRIu64 ",\"late\":%" PRIu64 ",\"bytes\":%" PRIu64
	       ",\"streams\":%u,\"wall_ns\":%" PRIu64
	       ",\"cpu_ns\":%" PRIu64 "}\n",
	       totals.sum.events, result->wanted, result->values, result->losses, totals.sum.late,
	       totals.bytes_total, totals.streams, wall, cpu);
}

static const struct option long_options[] = {
	{ "reader", required_argument, NULL, 'r' }, { "want", required_argument, NULL, 'w' },
	{ NULL, 0, NULL, 0 }
};

int
main(int argc, char **argv)
{
	struct ctf_interest *interest = ctf_interest_new();
	enum ctf_backend backend = CTF_BACKEND_OWN;
	struct ctf_reader *reader;
	struct result result = { 0 };
	struct error error = { 0 };
	uint64_t wall = clock_mono_ns(), cpu = cpu_ns();
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (c == 'w')
			want(interest, optarg);
		else if (c == 'r' && (streq(optarg, "own") || streq(optarg, "babeltrace2")))
			backend = streq(optarg, "own") ? CTF_BACKEND_OWN : CTF_BACKEND_BABELTRACE2;
		else
			usage();
	}
	if (optind == argc)
		usage();
	if (ctf_reader_open((const char *const *) argv + optind, (size_t) (argc - optind), interest,
			    backend, &reader, &error) < 0)
		die(&error);
	drain(reader, &result);
	print(reader, &result, clock_mono_ns() - wall, cpu_ns() - cpu);
	ctf_reader_close(reader);
	ctf_interest_free(interest);
	return 0;
}
