/* SPDX-License-Identifier: MIT */
#include "daemon/settle.h"
#include "daemon/members.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "daemon/expand.h"
#include "lib/clock.h"
#include "lib/util.h"

/* Trace time after which no more windows are expected of a span: the threads that
 * were blocked in it are told of for a minute, and nodes lag by seconds. */
#define RIPE_NS (900 * NS_PER_S)
/* A host that says nothing for so long after it will not tell more. */
#define PATIENCE_NS (6 * 3600 * NS_PER_S)
/* For one call, so that what comes in does not wait for long. */
#define SETTLE_TIME_NS (2 * NS_PER_S)
/* Clocks of nodes differ. */
#define SKEW_NS (10 * NS_PER_S)

enum { SETTLE_BATCH = 500 };

/* -- Asking --------------------------------------------------------------------- */

static char *
key_of(const struct settled_question *q)
{
	return xasprintf("%s|%s|%" PRIu64 "|%" PRIu64 "|%" PRIu64 "|%" PRIu64, q->what,
			 q->host ? q->host : "", q->pid, q->tid, q->from_ns, q->to_ns);
}

/* Whether all windows of the span are there, as far as can be told. */
static bool
is_ripe(struct store *store, const struct settled_question *q,
	const struct store_settling *settling)
{
	uint64_t first_ns, last_ns;

	if (settling->last_chance || !q->host)
		return true;
	return !store_windows_span(store, q->host, NULL, &first_ns, &last_ns) ||
	       last_ns >= q->to_ns + RIPE_NS;
}

json_t *
settled_ask(struct store *store, const struct settled_question *question, settled_fn *ask)
{
	struct store_settling *settling = store_settling(store);
	char *key = question->to_ns ? key_of(question) : NULL;
	json_t *answer = key ? store_settled(store, key) : NULL;

	if (!answer) {
		answer = ask(store, question);
		if (settling && key && is_ripe(store, question, settling))
			settling->failed |= store_put_settled(store, key, answer, NULL) < 0;
		else if (settling && key)
			settling->waiting++;
	}
	free(key);
	if (!json_is_null(answer))
		return answer;
	json_decref(answer);
	return NULL;
}

/* -- Settling --------------------------------------------------------------------- */

static void
ask_all(struct store *store, const char *topic, const char *id)
{
	json_t *one;

	if (streq(topic, "flow")) {
		one = store_flow_show(store, id, NULL);
	} else {
		one = store_migration_show(store, id, NULL);
		if (one)
			migration_expand(store, one);
	}
	json_decref(one);
}

static int
settle_owner(struct store *store, const json_t *owner, uint64_t newest_ns, uint64_t remove_ns,
	     struct error *error)
{
	const char *topic = json_string_value(json_object_get(owner, "topic"));
	const char *id = json_string_value(json_object_get(owner, "id"));
	const uint64_t end_ns = number_of(owner, "end_ns");
	struct store_settling settling = {
		.keep_ns = end_ns ? end_ns : newest_ns,
		.last_chance = end_ns && (end_ns < remove_ns || end_ns + PATIENCE_NS < newest_ns),
	};
	int r = store_begin(store, error);

	if (r < 0)
		return r;
	store_settle(store, &settling);
	ask_all(store, topic, id);
	store_settle(store, NULL);
	if (settling.failed)
		r = error_set(error, EIO, "what windows tell of %s %s can't be kept", topic, id);
	else if (end_ns && !settling.waiting)
		r = store_put_settled_owner(store, topic, id, end_ns, error);
	if (r >= 0)
		return store_commit(store, error);
	store_rollback(store);
	return r;
}

int
settle_windows(struct store *store, uint64_t remove_ns, uint64_t *ret_thin_ns, struct error *error)
{
	const uint64_t until = clock_mono_ns() + SETTLE_TIME_NS;
	uint64_t oldest_ns, newest_ns, before_ns;
	json_t *owners;
	size_t i;
	int r = 0;

	*ret_thin_ns = UINT64_MAX;
	if (!store_fine_windows(store, &oldest_ns, &newest_ns))
		return 0;
	before_ns = newest_ns - MIN(newest_ns, RIPE_NS);
	before_ns = MAX(before_ns, remove_ns);
	owners = store_unsettled(store, oldest_ns - MIN(oldest_ns, SKEW_NS), before_ns, SETTLE_BATCH,
				 error);
	if (!owners)
		return -EIO;
	for (i = 0; i < json_array_size(owners) && r >= 0; i++) {
		if (i + 1 == SETTLE_BATCH || clock_mono_ns() >= until)
			break;
		r = settle_owner(store, json_array_get(owners, i), newest_ns, remove_ns, error);
	}
	if (r >= 0 && i < json_array_size(owners)) {
		*ret_thin_ns = number_of(json_array_get(owners, i), "start_ns");
		*ret_thin_ns -= MIN(*ret_thin_ns, SKEW_NS);
		r = 1;
	}
	json_decref(owners);
	return r;
}
