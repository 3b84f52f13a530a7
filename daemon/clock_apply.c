/* SPDX-License-Identifier: MIT
 *
 * clock_apply.c -- answers with the clocks of their hosts related to each other. */
#include "daemon/clock_apply.h"

#include <string.h>

#include "daemon/clock_relation.h"
#include "daemon/members.h"
#include "daemon/settle.h"
#include "lib/clock.h"
#include "lib/util.h"

static void
set_number(json_t *object, const char *name, bool known, int64_t value)
{
	json_object_set_new(object, name, known ? json_integer(value) : json_null());
}

/* -- Migrations ---------------------------------------------------------------- */

/* The question's kind has the other host behind it. */
#define CLOCK_QUESTION "clock "

static json_t *
ask_relation(struct store *store, const struct settled_question *question)
{
	const char *other = question->what + strlen(CLOCK_QUESTION);
	struct clock_relation relation, programs;

	if (clock_relation(store, question->host, other, question->from_ns, &relation) ||
	    clock_relation_programs(store, question->host, other, question->from_ns, &programs) ||
	    programs.error_ns > INT64_MAX)
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:s}", "offset_ns", (json_int_t) relation.offset_ns, "programs_ns",
			 (json_int_t) programs.offset_ns, "error_ns", (json_int_t) programs.error_ns,
			 "how", clock_how_name(relation.how));
}

/* How far the destination is ahead when the guest stops, or else when it begins. */
static json_t *
relation_of(struct store *store, const json_t *migration)
{
	const char *source = json_string_value(json_object_get(migration, "source"));
	const char *destination = json_string_value(json_object_get(migration, "destination"));
	const uint64_t stop_ns = number_of(migration, "stop_ns");
	struct settled_question question = { .host = source };
	_cleanup_(freep) char *what = NULL;

	if (!source || !destination)
		return NULL;
	what = xasprintf(CLOCK_QUESTION "%s", destination);
	question.what = what;
	question.from_ns = stop_ns ? stop_ns : number_of(migration, "start_ns");
	question.to_ns = question.from_ns + 1;
	return question.from_ns ? settled_ask(store, &question, ask_relation) : NULL;
}

static int64_t
at_least_0(__int128 value)
{
	return value < 0 ? 0 : value > INT64_MAX ? INT64_MAX : (int64_t) value;
}

static void
set_blackout(json_t *migration, int64_t offset_ns, bool known, int64_t error_ns)
{
	const uint64_t stop_ns = number_of(migration, "stop_ns"), run_ns = number_of(migration, "run_ns");
	const bool has = json_is_integer(json_object_get(migration, "blackout_ns"));

	if (has && stop_ns && run_ns)
		set_number(migration, "blackout_ns", true, at_least_0((__int128) run_ns - stop_ns -
								      offset_ns));
	set_number(migration, "blackout_error_ns", has && known, error_ns);
}

static void
set_gaps(json_t *migration, int64_t offset_ns, bool known, int64_t error_ns)
{
	json_t *network;
	size_t i;

	json_array_foreach(json_object_get(migration, "network"), i, network) {
		const uint64_t last_ns = number_of(network, "last_at_source_ns");
		const uint64_t first_ns = number_of(network, "first_forwarded_ns");

		if (last_ns && first_ns)
			set_number(network, "gap_ns", true, at_least_0((__int128) first_ns - last_ns -
								       offset_ns));
		set_number(network, "gap_error_ns", last_ns && first_ns && known, error_ns);
	}
}

void
clock_add_migration(struct store *store, json_t *migration)
{
	json_t *evidence = json_object_get(migration, "evidence"), *relation;
	const json_t *error = json_object_get(evidence, "clock_error_ns");
	int64_t offset_ns = json_integer_value(json_object_get(evidence, "clock_offset_ns"));
	int64_t error_ns = json_integer_value(error), programs_ns = offset_ns;
	const char *source = json_string_value(json_object_get(migration, "source"));
	const char *destination = json_string_value(json_object_get(migration, "destination"));
	const char *how = source && destination && streq(source, destination) ? "same" : "migration";
	bool known = json_is_integer(error);

	if (!json_is_object(evidence) || !json_is_integer(json_object_get(evidence, "clock_offset_ns")))
		return;
	relation = streq(how, "same") ? NULL : relation_of(store, migration);
	if (relation && (!known || json_integer_value(json_object_get(relation, "error_ns")) < error_ns)) {
		how = json_string_value(json_object_get(relation, "how"));
		offset_ns = json_integer_value(json_object_get(relation, "offset_ns"));
		programs_ns = json_integer_value(json_object_get(relation, "programs_ns"));
		error_ns = json_integer_value(json_object_get(relation, "error_ns"));
		known = true;
	}
	set_number(evidence, "clock_offset_ns", true, offset_ns);
	set_number(evidence, "clock_error_ns", known, error_ns);
	json_object_set_new(evidence, "clock_how", known && how ? json_string(how) : json_null());
	/* QEMU told of stop and run, kernels of packets. */
	set_blackout(migration, programs_ns, known, error_ns);
	set_gaps(migration, offset_ns, known, error_ns);
	json_decref(relation);
}

void
clock_add_migrations(struct store *store, json_t *migrations)
{
	json_t *migration;
	size_t i;

	json_array_foreach(migrations, i, migration)
		clock_add_migration(store, migration);
}

void
clock_add_changes(struct store *store, json_t *items)
{
	json_t *change, *item;
	size_t i;

	json_array_foreach(items, i, change) {
		item = json_object_get(change, "item");
		if (json_is_object(item) && streq(text_of(change, "topic"), "migration"))
			clock_add_migration(store, item);
	}
}

/* -- Nodes --------------------------------------------------------------------- */

void
clock_add_nodes(struct store *store, json_t *nodes)
{
	_cleanup_(freep) char *reference = NULL;
	uint64_t t_ns = 0;
	json_t *node;
	size_t i;

	if (json_array_size(nodes) > 1)
		reference = clock_reference(store, &t_ns);
	json_array_foreach(nodes, i, node) {
		const char *host = json_string_value(json_object_get(node, "host"));
		struct clock_relation relation;
		uint64_t at_ns;

		if (!host || !reference ||
		    clock_relation_near(store, reference, host, t_ns, &relation, &at_ns) ||
		    relation.error_ns > INT64_MAX)
			continue;
		json_object_set_new(node, "clock", json_pack(
			"{s:s, s:I, s:I, s:f, s:f, s:I}", "reference", reference, "offset_ns",
			(json_int_t) relation.offset_ns, "error_ns", (json_int_t) relation.error_ns,
			"drift_ppm", (double) relation.drift_ppb / 1000, "drift_error_ppm",
			(double) relation.drift_error_ppb / 1000,
			"at_ns", (json_int_t) at_ns));
	}
}
