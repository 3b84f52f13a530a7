/* SPDX-License-Identifier: MIT
 *
 * kernel_migration_answers.c -- what the threads of both QEMUs did in each stage
 * and round of a migration, and what its connection carried meanwhile: asked of
 * the windows when the migration is shown. */
#include "daemon/kernel_answers.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/settle.h"
#include "lib/util.h"

enum { MAX_STEPS = 64, MAX_THREADS = 16 };

static uint64_t
time_of(const json_t *object, const char *name)
{
	const json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t) value : 0;
}

static json_t *
ask_threads(struct store *store, const struct settled_question *q)
{
	const struct kernel_filter filter = { .since_ns = q->from_ns, .until_ns = q->to_ns,
					      .host = q->host, .pid = q->pid, .limit = MAX_THREADS };

	return kernel_threads(store, &filter, NULL);
}

/* Threads of a process that are of interest. */
static json_t *
threads_of(struct store *store, const char *host, uint64_t pid, uint64_t from_ns, uint64_t to_ns)
{
	const struct settled_question question = { .what = "threads", .host = host, .pid = pid,
						   .from_ns = from_ns, .to_ns = to_ns };

	return host && pid ? settled_ask(store, &question, ask_threads) : NULL;
}

/* The port that the migration goes to: behind the last colon of its address; 0: unknown. */
static uint64_t
port_of(const json_t *migration)
{
	const char *uri = json_string_value(json_object_get(migration, "uri"));
	const char *colon = uri ? strrchr(uri, ':') : NULL;
	uint64_t port;

	return colon && !parse_u64(colon + 1, &port) ? port : 0;
}

/* 'pid' is the port. */
static json_t *
ask_connections(struct store *store, const struct settled_question *q)
{
	const struct kernel_filter filter = { .since_ns = q->from_ns, .until_ns = q->to_ns,
					      .host = q->host, .limit = 10000 };
	json_t *network = kernel_network(store, &filter, NULL), *one;
	json_t *list = json_array();
	uint64_t port;
	size_t i;

	json_array_foreach(json_object_get(network, "connections"), i, one) {
		const char *to = json_string_value(json_object_get(one, "to"));
		const char *colon = to ? strrchr(to, ':') : NULL;

		if (colon && !parse_u64(colon + 1, &port) && port == q->pid &&
		    streq(json_string_value(json_object_get(one, "seen")), "send"))
			json_array_append(list, one);
	}
	json_decref(network);
	return list;
}

/* Its connections, as the source sends on them. */
static json_t *
connections_of(struct store *store, const char *host, uint64_t port, uint64_t from_ns,
	       uint64_t to_ns)
{
	const struct settled_question question = { .what = "connections", .host = host, .pid = port,
						   .from_ns = from_ns, .to_ns = to_ns };

	return host && port ? settled_ask(store, &question, ask_connections) : json_array();
}

static void
add_step(struct store *store, const json_t *migration, json_t *steps, const char *name,
	 const json_t *span)
{
	const char *source = json_string_value(json_object_get(migration, "source"));
	const char *destination = json_string_value(json_object_get(migration, "destination"));
	const json_t *evidence = json_object_get(migration, "evidence");
	const int64_t offset_ns = json_integer_value(json_object_get(evidence, "clock_offset_ns"));
	const uint64_t from_ns = time_of(span, "start_ns");
	const uint64_t to_ns = time_of(span, "end_ns");
	json_t *here, *there;

	if (!from_ns || to_ns <= from_ns || json_array_size(steps) >= MAX_STEPS)
		return;
	here = threads_of(store, source, time_of(migration, "source_pid"), from_ns, to_ns);
	there = threads_of(store, destination, time_of(migration, "destination_pid"),
			   (uint64_t) ((int64_t) from_ns + offset_ns),
			   (uint64_t) ((int64_t) to_ns + offset_ns));
	if (!json_array_size(here) && !json_array_size(there)) {
		json_decref(here);
		json_decref(there);
		return;
	}
	json_array_append_new(steps, json_pack(
		"{s:s, s:I, s:I, s:o, s:o, s:o}", "name", name, "start_ns", (json_int_t) from_ns,
		"end_ns", (json_int_t) to_ns, "source", here ? here : json_array(), "destination",
		there ? there : json_array(), "connections",
		connections_of(store, source, port_of(migration), from_ns, to_ns)));
}

static json_t *
ask_traced(struct store *store, const struct settled_question *q)
{
	uint64_t first_ns, last_ns;

	return json_boolean(store_windows_span(store, q->host, "cpu", &first_ns, &last_ns));
}

/* Whether the kernel of one of its ends was traced. */
static bool
is_traced(struct store *store, const json_t *migration, const char *end)
{
	const struct settled_question question = {
		.what = "traced", .host = json_string_value(json_object_get(migration, end)),
		.from_ns = time_of(migration, "start_ns"), .to_ns = time_of(migration, "end_ns"),
	};
	json_t *traced = question.host ? settled_ask(store, &question, ask_traced) : NULL;
	const bool is = json_is_true(traced);

	json_decref(traced);
	return is;
}

void
kernel_add_migration(struct store *store, json_t *migration)
{
	const bool source = is_traced(store, migration, "source");
	const bool destination = is_traced(store, migration, "destination");
	json_t *steps, *span;
	char name[48];
	size_t i;

	if (!source && !destination)
		return;
	steps = json_array();
	json_array_foreach(json_object_get(migration, "stages"), i, span) {
		const char *stage = json_string_value(json_object_get(span, "name"));

		add_step(store, migration, steps, stage ? stage : "", span);
	}
	json_array_foreach(json_object_get(migration, "rounds"), i, span) {
		snprintf(name, sizeof name, "round %lld",
			 (long long) json_integer_value(json_object_get(span, "n")));
		add_step(store, migration, steps, name, span);
	}
	json_object_set_new(migration, "kernel", steps);
}
