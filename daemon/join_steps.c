/* SPDX-License-Identifier: MIT
 *
 * join_steps.c -- the steps of a migration (join_steps.h), from the marks
 * "qemu.step" of its two processes.
 *
 * A process may be the destination of one migration and the source of others, so
 * the marks of one migration lie behind the end of the one before, and before the
 * begin of the next one. */
#include "daemon/join_steps.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/members.h"
#include "lib/clock.h"
#include "lib/util.h"

/* How long before its begin a migration is prepared, and how long after its end the
 * processes still do something for it. */
#define BEFORE_NS (600 * NS_PER_S)
#define AFTER_NS  (120 * NS_PER_S)

/* What a step is for people, and the steps that end it where it lasts. */
static const struct step {
	const char *name, *text, *until;
} steps[] = {
	{ "process-seen", "the process is there", NULL },
	{ "inmigrate", "waits for a source", NULL },
	{ "nbd-server-start", "listens for disks", NULL },
	{ "migrate-incoming", "listens for memory", NULL },
	{ "mirror-start", "mirrors the disks", "mirror-ready" },
	{ "mirror-ready", "the disks are mirrored", NULL },
	{ "migrate", "asked to migrate", NULL },
	{ "setup", "setup", "active failed cancelling cancelled" },
	{ "active", "active", NULL },
	{ "migrate-start-postcopy", "asked for post-copy", NULL },
	{ "postcopy-active", "post-copy", "completed failed postcopy-paused" },
	{ "postcopy-paused", "post-copy is paused", "postcopy-recover postcopy-active failed" },
	{ "postcopy-recover", "post-copy recovers", "postcopy-active postcopy-paused failed" },
	{ "stop", "asked to stop the guest", NULL },
	{ "finish-migrate", "stops the guest", "guest-stopped" },
	{ "guest-stopped", "the guest is stopped", NULL },
	{ "pre-switchover", "held before the switchover", "migrate-continue device failed cancelling" },
	{ "migrate-continue", "told to go on", NULL },
	{ "device", "saves the devices' state", "completed failed cancelling" },
	{ "loaded", "all is loaded", "guest-running" },
	{ "completed", "completed", NULL },
	{ "cont", "asked to run the guest", NULL },
	{ "guest-running", "the guest runs", NULL },
	{ "migrate-cancel", "asked to cancel", NULL },
	{ "cancelling", "cancels", "cancelled failed completed" },
	{ "cancelled", "cancelled", NULL },
	{ "failed", "failed", NULL },
	{ "process-gone", "the process is gone", NULL },
};

struct side_of {
	const char *name, *host;
	uint64_t pid;
	bool takes_over;               /* The guest goes on there. */
	uint64_t begin_ns, end_ns;     /* Of the migration, by its clock; end 0: open. */
};

static const char *
name_of(const json_t *mark)
{
	const char *name = json_string_value(
		json_object_get(json_object_get(mark, "attributes"), "step"));

	return name ? name : "";
}

static const struct step *
find_step(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		if (streq(steps[i].name, name))
			return &steps[i];
	return NULL;
}

/* Whether a word is in a list of words. */
static bool
is_among(const char *word, const char *list)
{
	const size_t size = strlen(word);

	for (const char *at = list; at && *at; at += strspn(at, " ")) {
		const size_t n = strcspn(at, " ");

		if (n == size && !memcmp(at, word, n))
			return true;
		at += n;
	}
	return false;
}

/* Which of the marks are those of this migration. */
static void
find_range(const json_t *marks, const struct side_of *side, size_t *ret_first, size_t *ret_end)
{
	static const char ends[] = "completed failed cancelled process-gone";
	static const char begins[] = "migrate mirror-start inmigrate process-seen migrate-incoming";
	size_t n = json_array_size(marks), first = 0, end = n;

	for (size_t i = 0; i < n; i++) {
		const json_t *mark = json_array_get(marks, i);
		const uint64_t t_ns = number_of(mark, "start_ns");

		if (t_ns < side->begin_ns && is_among(name_of(mark), ends))
			first = i + 1;
		if (side->end_ns && t_ns > side->end_ns && end == n &&
		    is_among(name_of(mark), begins))
			end = i;
	}
	/* What follows the end of the one before is still its own. */
	while (first && first < end && !is_among(name_of(json_array_get(marks, first)), begins) &&
	       number_of(json_array_get(marks, first), "start_ns") < side->begin_ns)
		first++;
	/* With the guest running at the destination its migration is over. */
	for (size_t i = first; i < end && side->takes_over; i++)
		if (streq(name_of(json_array_get(marks, i)), "guest-running"))
			end = i + 1;
	*ret_first = first;
	*ret_end = MAX(first, end);
}

/* A mirror is ready again after each write: once is enough. */
static bool
is_repeated(const json_t *marks, size_t first, size_t i)
{
	if (!streq(name_of(json_array_get(marks, i)), "mirror-ready"))
		return false;
	while (i-- > first) {
		const char *before = name_of(json_array_get(marks, i));

		if (streq(before, "mirror-start") || streq(before, "mirror-ready"))
			return streq(before, "mirror-ready");
	}
	return false;
}

static json_t *
lasted(const json_t *marks, size_t i, size_t end, const struct step *step)
{
	const uint64_t t_ns = number_of(json_array_get(marks, i), "start_ns");

	for (size_t k = i + 1; k < end && step->until; k++)
		if (is_among(name_of(json_array_get(marks, k)), step->until))
			return json_integer((json_int_t) (number_of(json_array_get(marks, k),
								 "start_ns") - t_ns));
	return json_null();
}

static void
add_side(struct store *store, json_t *list, const struct side_of *side)
{
	const uint64_t from_ns = side->begin_ns - MIN(side->begin_ns, BEFORE_NS);
	const uint64_t to_ns = side->end_ns ? side->end_ns + AFTER_NS : INT64_MAX;
	json_t *marks;
	size_t first, end;

	if (!side->host || !side->pid || !side->begin_ns)
		return;
	marks = store_marks_of_process(store, side->host, "qemu.step", side->pid, from_ns, to_ns, NULL);
	find_range(marks, side, &first, &end);
	for (size_t i = first; i < end; i++) {
		const json_t *mark = json_array_get(marks, i);
		const struct step *step = find_step(name_of(mark));

		if (step && !is_repeated(marks, first, i))
			json_array_append_new(list, json_pack(
				"{s:I, s:s, s:s, s:I, s:s, s:s, s:o}", "t_ns",
				(json_int_t) number_of(mark, "start_ns"), "side", side->name, "host",
				side->host, "pid", (json_int_t) side->pid, "step", step->name,
				"text", step->text, "lasted_ns", lasted(marks, i, end, step)));
	}
	json_decref(marks);
}

/* Where a step of the second side belongs among those of the first. */
static json_t *
merge(json_t *source, json_t *destination, int64_t offset_ns)
{
	const size_t n = json_array_size(source), m = json_array_size(destination);
	json_t *list = json_array();
	size_t i = 0, k = 0;

	while (i < n || k < m) {
		const json_int_t a = json_integer_value(
			json_object_get(json_array_get(source, i), "t_ns"));
		const json_int_t b = json_integer_value(
			json_object_get(json_array_get(destination, k), "t_ns")) - offset_ns;

		if (k == m || (i < n && a <= b))
			json_array_append(list, json_array_get(source, i++));
		else
			json_array_append(list, json_array_get(destination, k++));
	}
	return list;
}

json_t *
join_steps(struct store *store, const json_t *migration)
{
	const json_t *evidence = json_object_get(migration, "evidence");
	const int64_t offset_ns = json_integer_value(json_object_get(evidence, "clock_offset_ns"));
	struct side_of source = {
		.name = "source", .host = json_string_value(json_object_get(migration, "source")),
		.pid = number_of(migration, "source_pid"), .begin_ns = number_of(migration, "start_ns"),
		.end_ns = number_of(migration, "end_ns"),
	};
	struct side_of destination = source;
	json_t *here = json_array(), *there = json_array(), *list;

	destination.name = "destination";
	destination.takes_over = true;
	destination.host = json_string_value(json_object_get(migration, "destination"));
	destination.pid = number_of(migration, "destination_pid");
	destination.begin_ns = (uint64_t) ((int64_t) source.begin_ns + offset_ns);
	if (source.end_ns)
		destination.end_ns = (uint64_t) ((int64_t) source.end_ns + offset_ns);
	add_side(store, here, &source);
	add_side(store, there, &destination);
	list = merge(here, there, offset_ns);
	json_decref(here);
	json_decref(there);
	return list;
}
