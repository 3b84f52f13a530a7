/* SPDX-License-Identifier: MIT
 *
 * kernel_migration_answers.c -- what the threads of both QEMUs did in each stage
 * and round of a migration, and what its connection carried meanwhile: asked of
 * the windows when the migration is shown. */
#include "daemon/kernel_answers.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/join.h"
#include "daemon/members.h"
#include "daemon/settle.h"
#include "lib/util.h"

enum { MAX_STEPS = 64, MAX_THREADS = 16 };

/* By how much times that QEMU's trace tells are ahead of the same host's kernel's: each
 * trace has its own idea of when its clock began. */
static uint64_t
ahead_of_kernel(struct store *store, const char *host, uint64_t t_ns)
{
	int64_t least_ns, most_ns;

	if (!store_clock_epochs(store, host, t_ns, &least_ns, &most_ns))
		return 0;
	return (uint64_t) (least_ns + (most_ns - least_ns) / 2);
}

static json_t *
ask_threads(struct store *store, const struct settled_question *q)
{
	const uint64_t ahead_ns = streq(q->what, "threads") ?
		ahead_of_kernel(store, q->host, q->from_ns) : 0;
	const struct kernel_filter filter = { .since_ns = q->from_ns - ahead_ns,
					      .until_ns = q->to_ns - ahead_ns, .host = q->host,
					      .pid = q->pid, .limit = MAX_THREADS };

	return kernel_threads(store, &filter, NULL);
}

/* Threads of a process that are of interest: by times of that host's programs ("threads"),
 * or of its kernel ("threads there"). */
static json_t *
threads_of(struct store *store, const char *what, const char *host, uint64_t pid, uint64_t from_ns,
	   uint64_t to_ns)
{
	const struct settled_question question = { .what = what, .host = host, .pid = pid,
						   .from_ns = from_ns, .to_ns = to_ns };

	return host && pid ? settled_ask(store, &question, ask_threads) : NULL;
}

/* -- Its connections ------------------------------------------------------- */

enum { SLACK_NS = 1000000000 };      /* Of the clocks of both ends. */

/* Where the migration goes to. */
struct target {
	unsigned port;               /* 0: not known. */
	char address[64];            /* "": a name, or not known. */
};

static void
take_address(const struct address *from, struct target *target)
{
	uint8_t bytes[16];

	if (from->kind != ADDRESS_TCP)
		return;
	target->port = from->port;
	if ((inet_pton(AF_INET, from->host, bytes) > 0 || inet_pton(AF_INET6, from->host, bytes) > 0) &&
	    !streq(from->host, "0.0.0.0") && !streq(from->host, "::"))
		snprintf(target->address, sizeof target->address, "%s", from->host);
}

/* As the source was told; of a connection that was handed to it, the destination knows the
 * port. */
static struct target
target_of(struct store *store, const json_t *migration)
{
	const char *id = json_string_value(json_object_get(migration, "destination_id")), *uri;
	struct target target = { 0 };
	struct address address;
	json_t *side;

	address_parse(json_string_value(json_object_get(migration, "uri")), &address);
	take_address(&address, &target);
	if (target.port || !id)
		return target;
	side = store_span(store, id);
	uri = json_string_value(json_object_get(json_object_get(side, "attributes"), "listen_uri"));
	address_parse(uri, &address);
	take_address(&address, &target);
	json_decref(side);
	return target;
}

/* Whether "ADDRESS:PORT" is that port, and that address unless it is "". */
static bool
is_at(const char *at, const char *address, uint64_t port)
{
	const char *colon = at ? strrchr(at, ':') : NULL;
	const size_t length = strlen(address);
	uint64_t value;

	if (!colon || parse_u64(colon + 1, &value) || value != port)
		return false;
	return !length || ((size_t) (colon - at) == length && !strncmp(at, address, length)) ||
	       ((size_t) (colon - at) == length + 2 && *at == '[' && !strncmp(at + 1, address, length));
}

/* 'pid' is the port; behind the blank of 'what' are the way and the address. */
static json_t *
ask_connections(struct store *store, const struct settled_question *q)
{
	const struct kernel_filter filter = { .since_ns = q->from_ns, .until_ns = q->to_ns,
					      .host = q->host, .limit = 10000 };
	const char *way = strchr(q->what, ' ') + 1, *address = strchr(way, ' ') + 1;
	json_t *network = kernel_network(store, &filter, NULL), *one;
	json_t *list = json_array();
	size_t i;

	json_array_foreach(json_object_get(network, "connections"), i, one) {
		const char *seen = json_string_value(json_object_get(one, "seen"));

		if (seen && starts_with(way, seen) &&
		    is_at(json_string_value(json_object_get(one, "to")), address, q->pid))
			json_array_append(list, one);
	}
	json_decref(network);
	return list;
}

static json_t *
connections(struct store *store, const char *host, const char *way, const struct target *target,
	    uint64_t from_ns, uint64_t to_ns)
{
	char what[96];
	const struct settled_question question = { .what = what, .host = host, .pid = target->port,
						   .from_ns = from_ns, .to_ns = to_ns };

	snprintf(what, sizeof what, "connections %s %s", way, target->address);
	return settled_ask(store, &question, ask_connections);
}

static bool
has_tuple(const json_t *list, const json_t *wanted)
{
	json_t *one;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) list, i, one)
		if (json_equal(json_object_get(one, "from"), json_object_get(wanted, "from")) &&
		    json_equal(json_object_get(one, "to"), json_object_get(wanted, "to")))
			return true;
	return false;
}

/* Of the source's connections to that port those that arrive at the destination.  Another
 * migration may go to the same port of another host: if nothing tells them apart, none is
 * taken. */
static void
keep_own(json_t *list, const json_t *arrived, const char **joined_by)
{
	const json_t *to = json_object_get(json_array_get(list, 0), "to");
	bool several = false;

	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *one = json_array_get(list, i);

		several |= !json_equal(json_object_get(one, "to"), to);
		if (json_array_size(arrived) && !has_tuple(arrived, one))
			json_array_remove(list, i);
	}
	*joined_by = json_array_size(arrived) ? "both ends" : "port";
	if (several && !json_array_size(arrived))
		json_array_clear(list);
}

/* Its connections, as the source sends on them, each with what joined it. */
static json_t *
connections_of(struct store *store, const json_t *migration, uint64_t from_ns, uint64_t to_ns,
	       int64_t offset_ns)
{
	const char *source = json_string_value(json_object_get(migration, "source"));
	const char *destination = json_string_value(json_object_get(migration, "destination"));
	const struct target target = target_of(store, migration);
	const char *joined_by = "address and port";
	json_t *all, *list, *arrived, *one;
	size_t i;

	if (!source || !target.port)
		return json_array();
	all = connections(store, source, "send", &target, from_ns, to_ns);
	list = all ? json_deep_copy(all) : json_array();
	json_decref(all);
	if (!*target.address && json_array_size(list)) {
		arrived = destination ? connections(
			store, destination, "receive", &target,
			(uint64_t) MAX((int64_t) from_ns + offset_ns - SLACK_NS, 1),
			(uint64_t) MAX((int64_t) to_ns + offset_ns + SLACK_NS, 1)) : NULL;
		keep_own(list, arrived, &joined_by);
		json_decref(arrived);
	}
	json_array_foreach(list, i, one)
		json_object_set_new(one, "joined_by", json_string(joined_by));
	return list;
}

/* -- Steps ------------------------------------------------------------------ */

static void
add_step(struct store *store, const json_t *migration, json_t *steps, const char *name,
	 const json_t *span)
{
	const char *source = json_string_value(json_object_get(migration, "source"));
	const char *destination = json_string_value(json_object_get(migration, "destination"));
	const json_t *evidence = json_object_get(migration, "evidence");
	const int64_t offset_ns = json_integer_value(json_object_get(evidence, "clock_offset_ns"));
	const uint64_t from_ns = number_of(span, "start_ns");
	const uint64_t to_ns = number_of(span, "end_ns");
	json_t *here, *there;

	if (!from_ns || to_ns <= from_ns || json_array_size(steps) >= MAX_STEPS)
		return;
	here = threads_of(store, "threads", source, number_of(migration, "source_pid"), from_ns, to_ns);
	there = threads_of(store, "threads there", destination, number_of(migration, "destination_pid"),
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
		connections_of(store, migration, from_ns, to_ns, offset_ns)));
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
		.from_ns = number_of(migration, "start_ns"), .to_ns = number_of(migration, "end_ns"),
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
