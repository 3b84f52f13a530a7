/* SPDX-License-Identifier: MIT
 *
 * why_answer.c -- what stands for any id: verdict, findings, budget, what is not known
 * (proto/schemas/why.json). */
#include "daemon/why_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/expand.h"
#include "daemon/flow.h"

static const char *
or_what(const char *text, const char *otherwise)
{
	return text ? text : otherwise;
}

/* -- The verdict ------------------------------------------------------------------ */

/* "completed in 8.9 s" and the like. */
static char *
outcome_of(const json_t *subject)
{
	const char *status = or_what(why_text(subject, "status"), "lost");
	const uint64_t start_ns = why_ns(subject, "start_ns"), end_ns = why_ns(subject, "end_ns");
	_cleanup_(freep) char *took = why_duration(end_ns - MIN(end_ns, start_ns));
	static const struct { const char *status, *text; bool ends; } words[] = {
		{ "ok", "went well in", true }, { "completed", "completed in", true },
		{ "error", "failed after", true }, { "failed", "failed after", true },
		{ "cancelled", "was cancelled after", true }, { "running", "is under way", false },
		{ "lost", "has no end in the traces", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (streq(words[i].status, status))
			return words[i].ends && end_ns ? xasprintf("%s %s", words[i].text, took) :
				xstrdup(words[i].ends ? status : words[i].text);
	return xstrdup(status);
}

/* What explains its outcome or a good part of its time; the rest is said below it. */
#define TELLING 0.05

static char *
verdict_of(const char *topic, const json_t *subject, const json_t *findings)
{
	_cleanup_(freep) char *outcome = outcome_of(subject);
	const json_t *first = json_array_get(findings, 0);
	const char *what = streq(topic, "migration") ? "the live migration" :
		or_what(why_text(subject, "kind"), "the request");

	if (!first)
		return xasprintf("%s %s; nothing remarkable was found", what, outcome);
	return xasprintf("%s %s%s%s", what, outcome,
			 json_number_value(json_object_get(first, "weight")) >= TELLING ? ": " : "; noted: ",
			 or_what(why_text(first, "text"), "?"));
}

/* -- What is not known --------------------------------------------------------------- */

static void
add_unknown(json_t *list, const char *what, const char *host)
{
	_cleanup_(freep) char *text = xasprintf("%s of %s", what, host);

	json_array_append_new(list, store_string(text));
}

/* What its page says of it (unknown.h), and which kernels nobody traced. */
static json_t *
unknown_of(const char *topic, const json_t *subject)
{
	static const char *const ends[] = { "source", "destination" };
	json_t *list = json_array(), *step, *one;
	size_t i;

	json_array_foreach(json_object_get(subject, "unknown"), i, one)
		if (!streq(why_text(one, "what"), "no-kernel"))
			json_array_append(list, json_object_get(one, "text"));
	if (!streq(topic, "migration"))
		return list;
	for (size_t k = 0; k < ARRAY_SIZE(ends); k++) {
		const char *host = why_text(subject, ends[k]);
		bool traced = false;

		json_array_foreach(json_object_get(subject, "kernel"), i, step)
			traced |= json_array_size(json_object_get(step, ends[k])) > 0;
		if (host && !traced)
			add_unknown(list, "what threads, disks and network did: no kernel trace", host);
	}
	return list;
}

/* -- The answer ------------------------------------------------------------------------ */

/* The stages of a migration as a budget; a request brings its own. */
static json_t *
budget_of(const json_t *subject)
{
	json_t *given = json_object_get(subject, "budget"), *list, *stage;
	const uint64_t total_ns = why_ns(subject, "total_ns");
	size_t i;

	if (given)
		return json_incref(given);
	list = json_array();
	json_array_foreach(json_object_get(subject, "stages"), i, stage) {
		const uint64_t start_ns = why_ns(stage, "start_ns"), end_ns = why_ns(stage, "end_ns");
		const uint64_t ns = end_ns - MIN(end_ns, start_ns);

		json_array_append_new(list, json_pack(
			"{s:O?, s:I, s:f}", "what", json_object_get(stage, "name"), "ns", (json_int_t) ns,
			"percent", total_ns ? (double) (uint64_t) (10000.0 * (double) ns /
								   (double) total_ns + 0.5) / 100 : 0.0));
	}
	return list;
}

static json_t *
answer_of(const char *topic, json_t *subject)
{
	json_t *findings = json_object_get(subject, "findings");
	_cleanup_(freep) char *verdict = verdict_of(topic, subject, findings);
	json_t *answer = json_pack(
		"{s:s, s:O?, s:O?, s:O?, s:O?, s:O?, s:o, s:O, s:o, s:o}", "topic", topic, "id",
		json_object_get(subject, "id"), "status", json_object_get(subject, "status"), "vm",
		json_object_get(subject, "vm"), "start_ns", json_object_get(subject, "start_ns"),
		"total_ns", json_object_get(subject, "total_ns"), "verdict", store_string(verdict),
		"findings", findings, "budget", budget_of(subject), "unknown", unknown_of(topic, subject));

	json_decref(subject);
	return answer;
}

static json_t *
expanded_migration(struct store *store, const char *id)
{
	json_t *migration = store_migration_show(store, id, NULL);

	if (migration)
		migration_expand(store, migration);
	return migration;
}

/* What an operator means by it: the newest of its requests, as they say most, or the
 * newest migration. */
static json_t *
newest_of(struct store *store, const char *id, struct error *error)
{
	json_t *found = store_find(store, id, 0, error), *one, *answer = NULL;
	const char *flow = NULL, *migration = NULL, *subject;
	uint64_t newest_ns = 0;
	size_t i;

	json_array_foreach(json_object_get(found, "flows"), i, one)
		if (why_ns(one, "start_ns") >= newest_ns && why_text(one, "id")) {
			newest_ns = why_ns(one, "start_ns");
			flow = why_text(one, "id");
		}
	json_array_foreach(json_object_get(found, "things"), i, one)
		if (why_text(one, "topic") && streq(why_text(one, "topic"), "migration"))
			migration = why_text(one, "id");
	subject = migration ? migration : flow;
	if (migration && (one = expanded_migration(store, subject)))
		answer = answer_of("migration", one);
	else if (flow && (one = store_flow_show(store, subject, NULL)))
		answer = answer_of("flow", one);
	json_decref(found);
	return answer;
}

json_t *
why_answer(struct store *store, const char *id, struct error *error)
{
	json_t *alert = *id ? store_alert(store, id) : NULL, *answer, *one;
	const char *subject = why_text(alert, "subject");

	answer = *id ? newest_of(store, subject ? subject : id, error) : NULL;
	/* Beginnings, and VMs of which but a migration is known. */
	if (!answer && *id && (one = store_flow_show(store, subject ? subject : id, NULL)))
		answer = answer_of("flow", one);
	if (!answer && *id && (one = expanded_migration(store, subject ? subject : id)))
		answer = answer_of("migration", one);
	json_decref(alert);
	if (!answer)
		error_set(error, ENOENT, "no request or migration is known by \"%s\"", id);
	return answer;
}

json_t *
why_alert(struct store *store, const json_t *alert)
{
	const char *subject = why_text(alert, "subject");
	json_t *migration = subject ? store_migration(store, subject) : NULL, *one, *findings = NULL;

	if (migration) {
		migration_expand(store, migration);
		findings = json_incref(json_object_get(migration, "findings"));
		json_decref(migration);
		return findings;
	}
	/* By its very id: a beginning of one would be taken for it. */
	one = subject ? store_request(store, subject) : NULL;
	if (one)
		flow_expand(store, one);
	findings = json_incref(json_object_get(one, "findings"));
	json_decref(one);
	return findings;
}
