/* SPDX-License-Identifier: MIT
 *
 * migration_budget.c -- where the time of a migration went: of each stage and round
 * what the migration's threads did at the source, and of the whole its stages. */
#include "daemon/kernel_budget.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/members.h"
#include "lib/util.h"

enum { MAX_SPANS = 512 };

struct spans {
	struct kernel_question questions[MAX_SPANS];
	json_t *of[MAX_SPANS];       /* The stage or round of each; borrowed. */
	size_t n;
};

static void
add_spans(struct spans *spans, const json_t *migration, const char *member, uint64_t pid)
{
	json_t *span;
	size_t i;

	json_array_foreach(json_object_get(migration, member), i, span) {
		const uint64_t from_ns = number_of(span, "start_ns"), to_ns = number_of(span, "end_ns");

		if (!from_ns || to_ns <= from_ns || spans->n == MAX_SPANS)
			continue;
		spans->of[spans->n] = span;
		spans->questions[spans->n++] = (struct kernel_question) {
			.who = KERNEL_MIGRATION, .pid = pid, .from_ns = from_ns, .to_ns = to_ns,
		};
	}
}

json_t *
budget_unknown(const char *host, uint64_t ns)
{
	char why[160];
	json_t *list = json_array();

	snprintf(why, sizeof why, host && *host ? "the kernel of %s was not traced" :
		 "the host is not known", host);
	budget_add_part(list, "unexplained", ns, NULL, why);
	return list;
}

/* The stages, one after the other, and what lies between them. */
static json_t *
whole_of(const json_t *migration)
{
	uint64_t at_ns = number_of(migration, "start_ns"), end_ns = number_of(migration, "end_ns");
	json_t *budget = json_array(), *stage;
	size_t i;

	json_array_foreach(json_object_get(migration, "stages"), i, stage) {
		const char *name = json_string_value(json_object_get(stage, "name"));
		uint64_t from_ns = number_of(stage, "start_ns"), to_ns = number_of(stage, "end_ns");
		json_t *part;

		if (!from_ns || to_ns <= MAX(from_ns, at_ns))
			continue;
		if (from_ns > at_ns && at_ns)
			budget_add_part(budget, "unexplained", from_ns - at_ns, NULL,
					"between the stages of QEMU");
		from_ns = MAX(from_ns, at_ns);
		part = json_pack("{s:s, s:I}", "what", name ? name : "stage", "ns",
				 (json_int_t) (to_ns - from_ns));
		json_object_set(part, "parts", json_object_get(stage, "budget"));
		json_array_append_new(budget, part);
		at_ns = to_ns;
	}
	if (end_ns > at_ns && at_ns)
		budget_add_part(budget, "unexplained", end_ns - at_ns, NULL, "after the stages of QEMU");
	budget_finish(budget);
	return budget;
}

void
budget_add_migration(struct store *store, json_t *migration)
{
	const char *source = json_string_value(json_object_get(migration, "source"));
	const uint64_t pid = number_of(migration, "source_pid");
	struct spans *spans = xcalloc(1, sizeof *spans);
	json_t *answers;

	add_spans(spans, migration, "stages", pid);
	add_spans(spans, migration, "rounds", pid);
	answers = pid ? kernel_budgets(store, source, spans->questions, spans->n) : NULL;
	for (size_t i = 0; i < spans->n; i++) {
		const struct kernel_question *q = &spans->questions[i];
		json_t *budget = json_incref(json_array_get(answers, i));

		if (!budget)
			budget = budget_unknown(source, q->to_ns - q->from_ns);
		budget_finish(budget);
		json_object_set_new(spans->of[i], "budget", budget);
	}
	json_object_set_new(migration, "budget", whole_of(migration));
	json_decref(answers);
	free(spans);
}
