/* SPDX-License-Identifier: MIT
 *
 * export.c -- "cloudtracectl export": which record, which form; spans on tracks. */
#include "client/export.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl.h"
#include "lib/log.h"
#include "lib/util.h"
#include "proto/trace.h"

enum { MAX_DEPTH = 64 };

static const char *
text_of(const json_t *span, const char *name)
{
	const char *text = json_string_value(json_object_get(span, name));

	return text ? text : "";
}

static unsigned
find_group(struct export *export, const json_t *span)
{
	const char *host = text_of(span, "host"), *service = text_of(span, "service");
	unsigned i = 0;

	while (i < export->n_groups && (!streq(export->groups[i].host, host) ||
					!streq(export->groups[i].service, service)))
		i++;
	if (i == export->n_groups)
		export->groups[export->n_groups++] = (struct export_group) { host, service, 0 };
	return i;
}

static int
compare_times(const void *a, const void *b)
{
	const struct export_span *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return x->end_ns != y->end_ns ? (x->end_ns > y->end_ns ? -1 : 1) :
	       strcmp(text_of(x->span, "id"), text_of(y->span, "id"));
}

static int
compare_lanes(const void *a, const void *b)
{
	const struct export_span *x = a, *y = b;

	if (x->group == y->group && x->lane != y->lane)
		return x->lane < y->lane ? -1 : 1;
	return compare_times(a, b);
}

/* What is open on one track. */
struct lane {
	uint64_t ends[MAX_DEPTH];
	unsigned depth;
};

static bool
fits(struct lane *lane, const struct export_span *span)
{
	while (lane->depth && lane->ends[lane->depth - 1] <= span->start_ns)
		lane->depth--;
	return !lane->depth || (lane->ends[lane->depth - 1] >= span->end_ns && lane->depth < MAX_DEPTH);
}

/* The first track on which it nests.  Spans come by group and start. */
static void
place(struct export *export)
{
	struct lane *lanes = xcalloc(export->n + 1, sizeof *lanes);

	for (unsigned i = 0; i < export->n; i++) {
		struct export_span *span = &export->spans[i];
		struct export_group *group = &export->groups[span->group];

		if (i && span->group != span[-1].group)
			memset(lanes, 0, (export->n + 1) * sizeof *lanes);
		while (span->lane < group->lanes && !fits(&lanes[span->lane], span))
			span->lane++;
		if (span->lane == group->lanes)
			group->lanes++;
		lanes[span->lane].ends[lanes[span->lane].depth++] = span->end_ns;
	}
	free(lanes);
}

static void
find_parents(struct export *export)
{
	json_t *by_id = json_object();

	for (unsigned i = 0; i < export->n; i++)
		json_object_set_new(by_id, text_of(export->spans[i].span, "id"),
				    json_integer((json_int_t) i));
	for (unsigned i = 0; i < export->n; i++) {
		const json_t *at = json_object_get(by_id, text_of(export->spans[i].span, "parent"));

		export->spans[i].parent = json_is_integer(at) ? (unsigned) json_integer_value(at) : i;
	}
	json_decref(by_id);
}

void
export_prepare(const json_t *record, struct export *ret)
{
	json_t *span;
	size_t i;

	*ret = (struct export) { .owned = trace_spans(record) };
	ret->spans = xcalloc(json_array_size(ret->owned) + 1, sizeof *ret->spans);
	ret->groups = xcalloc(json_array_size(ret->owned) + 1, sizeof *ret->groups);
	json_array_foreach(ret->owned, i, span)
		ret->spans[ret->n++] = (struct export_span) {
			.span = span, .start_ns = trace_start(span), .end_ns = trace_end(span),
			.group = find_group(ret, span),
		};
	qsort(ret->spans, ret->n, sizeof *ret->spans, compare_times);
	place(ret);
	qsort(ret->spans, ret->n, sizeof *ret->spans, compare_lanes);
	find_parents(ret);
}

void
export_done(struct export *export)
{
	free(export->spans);
	free(export->groups);
	json_decref(export->owned);
}

/* -- The command ---------------------------------------------------------- */

/* A flow, or else a migration, of that id. */
static int
find_record(struct ctl *ctl, const char *id, json_t **ret)
{
	static const char *const methods[] = { "flow.show", "migration.show" };
	struct cloudtrace_error error = { 0 };
	int r = ctl_connect(ctl);

	for (unsigned i = 0; i < ARRAY_SIZE(methods) && !r; i++) {
		if (!cloudtrace_call(ctl->daemon, methods[i], json_pack("{s:s}", "id", id), ret, &error))
			return 0;
		if (!streq(error.kind, "not-found"))
			return ctl_failed(&error);
	}
	return r ? r : ctl_failed(&error);
}

int
run_export(struct ctl *ctl, const struct command *command, char **args)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	bool perfetto = streq(command->verb, "perfetto");
	json_t *record;
	int r;

	if (perfetto && ctl->tty) {
		log_error("the file is not text: send it somewhere (cloudtracectl export perfetto %s >FILE)",
			  args[0]);
		return EXIT_USAGE;
	}
	r = find_record(ctl, args[0], &record);
	if (r)
		return r;
	if (perfetto)
		export_perfetto(record, &out);
	else
		export_chrome(record, &out);
	json_decref(record);
	return ctl_flush(&out);
}
