/* SPDX-License-Identifier: MIT
 *
 * flow_outcome.c -- how a request went: its status, when it was over, what
 * made it fail, and what is remarkable although it did not (flow.h). */
#include <stdlib.h>
#include <string.h>

#include "daemon/flow_private.h"
#include "lib/util.h"

static bool
is_over(const struct flow_fact *fact)
{
	return fact->end_ns || (*fact->status && !streq(fact->status, "running"));
}

static bool
is_bad(const struct flow_fact *fact)
{
	return streq(fact->status, "error") ||
	       (streq(fact->status, "cancelled") && starts_with(fact->kind, "nova."));
}

/* -- What happened -------------------------------------------------------- */

struct seen {
	const struct flow_fact *done;       /* The last step that ends it, well or badly. */
	const struct flow_fact *state;      /* The last change of the VM's state. */
	const struct flow_fact *fate;       /* A change to error that nobody asked for. */
	const struct flow_fact *monitored;  /* The live migration as its source saw it. */
	bool tidied;                        /* ... and what the source does after it. */
	const struct flow_fact *bad;        /* The first of its steps that failed. */
	const struct flow_fact *migration;  /* The last that Nova told of. */
	const struct flow_fact *worst;      /* The error that is the cause. */
	json_t *record;                     /* Of the live migration, or NULL. */
	bool fatal;                         /* One of its errors is. */
	bool again;                         /* ... and another host tries again since. */
	bool cast;                          /* Somebody was told to go on with it. */
	bool open, lost;                    /* Some of it goes on; was lost from sight. */
	uint64_t last_ns;                   /* The last that was done under its own id. */
};

static bool
is_worse(const struct flow_fact *a, const struct flow_fact *b)
{
	int rank_a = flow_cause_rank(a->name), rank_b = b ? flow_cause_rank(b->name) : 0;

	return !b || rank_a < rank_b || (rank_a == rank_b && a->start_ns < b->start_ns);
}

static void
look_at(const struct flow *flow, const struct flow_fact *fact, struct seen *seen)
{
	const char *what = flow_text(fact, "what");
	bool own = streq(fact->request_id, flow->id);

	if (fact->family == FAMILY_STEP && flow_matches(flow->done, fact->name) &&
	    fact->end_ns && !streq(fact->status, "lost") &&
	    (!seen->done || flow_last(fact) >= flow_last(seen->done)))
		seen->done = fact;
	if (fact->family == FAMILY_STEP && own && fact->surely && is_bad(fact) && !seen->bad)
		seen->bad = fact;
	if (fact->family == FAMILY_CHANGE && what && streq(what, "vm_state"))
		*(own ? &seen->state : &seen->fate) = fact;
	/* A second that names but the VM is a later request's that is not known. */
	if (fact->family == FAMILY_STEP && streq(fact->name, "live_migration") &&
	    (!seen->monitored || fact->surely))
		seen->monitored = fact;
	seen->tidied |= fact->family == FAMILY_STEP && streq(fact->name, "post_live_migration") &&
			is_over(fact);
	if (fact->family == FAMILY_MIGRATION)
		seen->migration = fact;
	if (fact->family == FAMILY_ERROR && is_worse(fact, seen->worst))
		seen->worst = fact;
	if (fact->family == FAMILY_ERROR && flow_is_fatal(fact)) {
		seen->fatal = true;
		seen->again = false;
	}
	if (fact->family == FAMILY_ERROR && streq(fact->name, "reschedule"))
		seen->again = true;
	if (fact->family == FAMILY_CALL && own && what && !streq(what, "call"))
		seen->cast = true;
	if (!own || !fact->surely)
		return;
	seen->lost |= streq(fact->status, "lost");
	seen->open |= streq(fact->status, "running") && fact->family == FAMILY_STEP;
	/* A line about a request to another service may be of the next request of its thread. */
	if (fact->family != FAMILY_ERROR && fact->family != FAMILY_CHANGE &&
	    fact->family != FAMILY_CHILD)
		seen->last_ns = MAX(seen->last_ns, flow_last(fact));
}

/* Whether it can be what Nova told of, and what its source saw: both are of one host
 * and one clock. */
static bool
fits(const json_t *record, const struct seen *seen)
{
	static const char *const ends[] = { "source", "destination" };
	const struct flow_fact *monitored = seen->monitored;
	const uint64_t start_ns = flow_number(record, "start_ns");

	for (size_t k = 0; k < ARRAY_SIZE(ends); k++) {
		const char *host = json_string_value(json_object_get(record, ends[k]));
		const char *want = flow_text(seen->migration, ends[k]);

		if (host && want && !streq(host, want))
			return false;
		if (host && !k && monitored && (!streq(host, monitored->host) ||
						start_ns < monitored->start_ns ||
						(monitored->end_ns && !streq(monitored->status, "lost") &&
						 start_ns > monitored->end_ns)))
			return false;
	}
	return true;
}

/* Of the VM's live migrations at that time, the last that fits.  When the source was lost
 * from sight, those after the first may be another request's that is not known; and when
 * nothing tells between which hosts it was, any may be. */
static json_t *
record_of(const struct flow *flow, const struct seen *seen)
{
	const bool lost = seen->monitored && streq(seen->monitored->status, "lost");
	json_t *found = NULL, *record;
	size_t i;

	json_array_foreach(flow->migrations, i, record) {
		if (!fits(record, seen))
			continue;
		if (found && !seen->monitored && !seen->migration)
			return NULL;
		found = record;
		if (lost)
			break;
	}
	return found;
}

static struct seen
look(const struct flow *flow)
{
	struct seen seen = { .last_ns = flow->root->end_ns };

	for (size_t i = 0; i < flow->n; i++)
		look_at(flow, flow->facts[i], &seen);
	seen.record = record_of(flow, &seen);
	return seen;
}

/* -- Status --------------------------------------------------------------- */

/* Words of Nova and of ours for how a migration went. */
static const struct {
	const char *words, *status;
} migration_words[] = {
	{ "completed done confirmed finished reverted", "ok" },
	{ "cancelled", "cancelled" },
	{ "error failed", "error" },
	{ "lost", "lost" },
};

static const char *
status_of_word(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(migration_words) && word; i++)
		if (flow_matches(migration_words[i].words, word))
			return migration_words[i].status;
	return NULL;
}

/* QEMU is done before Nova takes notice: what its source watched it goes on to finish. */
static bool
goes_on(const struct flow *flow, const struct seen *seen)
{
	const struct flow_fact *monitored = seen->monitored;

	return seen->open || flow->core_open ||
	       (monitored && !seen->done && !seen->tidied && !streq(monitored->status, "lost"));
}

/* What Nova's action claims counts for nothing: the migration's own status
 * does, Nova's as it knows of its part, else the hypervisor's. */
static const char *
status_of_migration(const struct flow *flow, const struct seen *seen)
{
	const char *nova = status_of_word(flow_text(seen->migration, "status"));
	const char *monitored = seen->monitored ? seen->monitored->status : "";
	const char *qemu = status_of_word(json_string_value(json_object_get(seen->record,
									    "status")));
	const char *cause = seen->worst ? seen->worst->name : "";

	if (nova && (!streq(nova, "ok") || !qemu || streq(qemu, "ok")))
		return nova;
	if (!nova && (streq(monitored, "error") || streq(monitored, "cancelled")))
		return monitored;
	if (streq(cause, "migration-aborted"))
		return "cancelled";
	if (qemu && !streq(qemu, "ok"))
		return qemu;
	if (seen->fatal)
		return "error";
	if (!qemu && seen->done)
		return is_bad(seen->done) ? "error" : "ok";
	if (!qemu && seen->bad)
		return "error";
	if (qemu && goes_on(flow, seen))
		return "running";
	return qemu;
}

/* Whether the VM's state is what tells that it failed. */
static bool
has_failed(const struct seen *seen)
{
	const char *state = flow_text(seen->state, "to");

	return state && streq(state, "error");
}

/* Whether the VM is where such requests lead: Nova's conductor tells, also where nothing is
 * heard of who did it. */
static bool
has_arrived(const struct flow *flow, const struct seen *seen)
{
	const char *state = flow_text(seen->state, "to");

	return state && *flow->kind->state && streq(state, flow->kind->state);
}

static const char *
status_of_steps(const struct flow *flow, const struct seen *seen)
{
	bool failed = has_failed(seen) || (seen->fate && !seen->done);
	uint64_t http_status = flow_number(flow->root->attributes, "http_status");
	bool accepted = http_status == 202;

	if (seen->done && !is_bad(seen->done) &&
	    (!failed || flow_last(seen->done) > seen->state->start_ns))
		return "ok";
	/* What the API did at once, it did. */
	if (http_status && !accepted && !*flow->done)
		return "ok";
	if (failed || ((seen->done || seen->bad || seen->fatal) && !seen->again))
		return "error";
	if (streq(flow->root->status, "lost") || seen->lost)
		return "lost";
	if (!is_over(flow->root) || seen->open || seen->again)
		return "running";
	return accepted && seen->cast && *flow->done && !has_arrived(flow, seen) ? "running" : "ok";
}

/* -- Errors --------------------------------------------------------------- */

json_t *
flow_error_of(const struct flow_fact *fact)
{
	const json_t *error = json_object_get(fact->attributes, "error");
	const char *exception = json_string_value(json_object_get(error, "exception"));
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *detail = flow_text(fact, "detail");
	_cleanup_(freep) char *whole = NULL;

	if (!exception)
		exception = flow_text(fact, "exception");
	if (!message)
		message = flow_text(fact, "message");
	if (detail && (!message || !strstr(message, detail)))
		whole = message ? xasprintf("%s (%s)", message, detail) : xstrdup(detail);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:I}", "service",
			 flow_text_json(*fact->service ? fact->service : NULL), "host",
			 flow_text_json(fact->host), "exception", flow_text_json(exception), "message",
			 flow_text_json(whole ? whole : message), "cause",
			 flow_text_json(fact->family == FAMILY_ERROR && *fact->name ? fact->name : NULL),
			 "t_ns", (json_int_t) flow_last(fact));
}

static json_t *
error_of_record(const json_t *record)
{
	const char *reason = json_string_value(json_object_get(record, "reason"));
	const char *status = json_string_value(json_object_get(record, "status"));
	bool far = reason && starts_with(reason, "the destination");
	const char *host = json_string_value(json_object_get(record, far ? "destination" :
							     "source"));

	return json_pack("{s:s, s:o, s:n, s:o, s:s, s:I}", "service", "qemu", "host",
			 flow_text_json(host), "exception", "message",
			 flow_text_json(reason ? reason : status), "cause",
			 status && streq(status, "cancelled") ? "migration-aborted" :
			 "migration-failed", "t_ns",
			 json_integer_value(json_object_get(record, "end_ns")));
}

/* The exception that the error led to, if it is not one itself: the same cause,
 * said by somebody else. */
static void
add_exception(const struct flow *flow, const struct flow_fact *cause, json_t *error)
{
	const char *said = json_string_value(json_object_get(error, "message")), *why;

	if (json_is_string(json_object_get(error, "exception")) || !*cause->name)
		return;
	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_fact *one = flow->facts[i];
		const char *exception = flow_text(one, "exception");

		if (one->family != FAMILY_ERROR || !exception || !streq(one->name, cause->name))
			continue;
		why = flow_text(one, "message");
		json_object_set_new(error, "exception", flow_text_json(exception));
		if (why && said && !strstr(said, why) && !strstr(why, said)) {
			_cleanup_(freep) char *both = xasprintf("%s (%s)", why, said);

			json_object_set_new(error, "message", flow_text_json(both));
		}
		return;
	}
}

/* A request that the API refused: which it was, and what the client was told. */
static json_t *
error_of_root(const struct flow *flow)
{
	const struct flow_fact *root = flow->root;
	const char *method = flow_text(root, "method"), *path = flow_text(root, "path");
	uint64_t status = flow_number(root->attributes, "http_status");
	json_t *error = flow_error_of(root);

	json_object_set_new(error, "method", flow_text_json(method));
	json_object_set_new(error, "http_status", status ? json_integer((json_int_t) status) :
			    json_null());
	if (!json_is_string(json_object_get(error, "message")) && status) {
		_cleanup_(freep) char *text = xasprintf("%s %.*s was answered with %u",
							method ? method : "the request",
							path ? (int) strcspn(path, "?") : 1,
							path ? path : "?", (unsigned) status);

		json_object_set_new(error, "message", flow_text_json(text));
	}
	return error;
}

static bool
says_something(const struct flow_fact *fact)
{
	return json_object_get(fact->attributes, "error") || flow_text(fact, "message") ||
	       flow_text(fact, "exception") || flow_text(fact, "detail");
}

/* The VM was found half done by a service that started again: the one before
 * died at it. */
static json_t *
error_of_fate(const struct flow *flow, const struct flow_fact *fate)
{
	const struct flow_fact *cut = NULL;
	_cleanup_(freep) char *text = NULL;

	for (size_t i = 0; i < flow->n; i++)
		if (flow->facts[i]->family == FAMILY_STEP && flow->facts[i]->surely &&
		    streq(flow->facts[i]->status, "lost"))
			cut = flow->facts[i];
	if (cut)
		text = xasprintf("%s on %s stopped in the middle of %s; the VM was set to error "
				 "later", cut->service, cut->host, cut->name);
	else
		text = xasprintf("the VM was set to error by %s, for no request", fate->service);
	return json_pack("{s:o, s:o, s:n, s:o, s:s, s:I}", "service",
			 flow_text_json(cut ? cut->service : fate->service), "host",
			 flow_text_json(cut ? cut->host : fate->host), "exception", "message",
			 flow_text_json(text), "cause", "service-died", "t_ns",
			 (json_int_t) fate->start_ns);
}

/* Lines that say that it failed, and not why. */
static bool
is_vague(const struct flow_fact *error)
{
	const char *message = flow_text(error, "message");

	return message && starts_with(message, "Migration operation has aborted");
}

/* The cause again, now that the outcome is known: what was called off by the
 * services themselves was so because of something else, and of a migration
 * whatever libvirt says of it is about that. */
static const struct flow_fact *
cause_of(const struct flow *flow, const struct seen *seen)
{
	const struct flow_fact *worst = NULL;
	bool called_off = seen->worst && streq(seen->worst->name, "migration-aborted") &&
			  !streq(flow->status, "cancelled");

	if (!seen->worst || (!called_off && !is_vague(seen->worst)))
		return seen->worst;
	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_fact *one = flow->facts[i];
		const char *logger = flow_text(one, "logger");

		if (one->family != FAMILY_ERROR || is_vague(one) ||
		    streq(one->name, "migration-aborted") ||
		    (!called_off && (!logger || !strstr(logger, "libvirt"))))
			continue;
		if (is_worse(one, worst))
			worst = one;
	}
	return worst ? worst : seen->worst;
}

/* What the hypervisor says of the same. */
static void
add_reason(const struct flow *flow)
{
	const char *reason = json_string_value(json_object_get(flow->record, "reason"));
	const char *message = json_string_value(json_object_get(flow->error, "message"));
	_cleanup_(freep) char *both = NULL;

	if (!reason || !message || strstr(message, reason))
		return;
	both = xasprintf("%s (QEMU: %s)", message, reason);
	json_object_set_new(flow->error, "message", flow_text_json(both));
}

static void
find_error(struct flow *flow, const struct seen *seen)
{
	const char *status = json_string_value(json_object_get(seen->record, "status"));
	const char *word = status_of_word(status);
	bool refused = flow_number(flow->root->attributes, "http_status") >= 400;
	const struct flow_fact *fact = NULL;

	if (seen->worst && (*seen->worst->name || !refused))
		fact = seen->worst;
	else if (refused || streq(flow->root->status, "error"))
		fact = flow->root;
	else if (seen->bad && says_something(seen->bad))
		fact = seen->bad;
	if (fact && fact == flow->root)
		flow->error = error_of_root(flow);
	else if (fact)
		flow->error = flow_error_of(fact);
	if (fact && flow->kind->migrates && fact != flow->root)
		json_object_set_new(flow->error, "cause", flow_text_json(
			streq(fact->name, "error") ? "migration-failed" : fact->name));
	if (fact) {
		add_exception(flow, fact, flow->error);
		add_reason(flow);
	} else if (word && !streq(word, "ok")) {
		flow->error = error_of_record(seen->record);
	} else if (seen->bad) {
		flow->error = flow_error_of(seen->bad);
	} else if (seen->fate) {
		flow->error = error_of_fate(flow, seen->fate);
	}
}

/* -- All ------------------------------------------------------------------ */

/* When it was over for whoever asked; services may still tidy up. */
static uint64_t
end_of(const struct flow *flow, const struct seen *seen)
{
	uint64_t http_status = flow_number(flow->root->attributes, "http_status");

	if (http_status >= 400 || (http_status && http_status != 202 && !*flow->done))
		return flow->root->end_ns;
	if (streq(flow->status, "ok") && seen->done)
		return flow_last(seen->done);
	if (streq(flow->status, "ok") && seen->state && has_arrived(flow, seen))
		return MAX(flow->root->end_ns, seen->state->start_ns);
	if (streq(flow->status, "error") && seen->state && has_failed(seen) &&
	    !flow->kind->migrates)
		return seen->state->start_ns;
	if (streq(flow->status, "error") && seen->fate && !seen->done)
		return MAX(seen->last_ns, seen->fate->start_ns);
	if (streq(flow->status, "error") && seen->worst && seen->worst->surely)
		return MAX(seen->last_ns, seen->worst->start_ns);
	return seen->last_ns;
}

void
flow_outcome(struct flow *flow)
{
	struct seen seen = look(flow);
	uint64_t http_status = flow_number(flow->root->attributes, "http_status");
	const char *status = NULL;

	flow->record = seen.record;
	flow->told = seen.migration;
	if (http_status >= 400 || (streq(flow->root->status, "error") && !seen.cast))
		status = "error";
	else if (flow->kind->migrates)
		status = status_of_migration(flow, &seen);
	flow->status = status ? status : status_of_steps(flow, &seen);
	if (!streq(flow->status, "running"))
		flow->end_ns = MAX(end_of(flow, &seen), flow->start_ns);
	seen.worst = cause_of(flow, &seen);
	if (streq(flow->status, "error") || streq(flow->status, "cancelled"))
		find_error(flow, &seen);
	flow_findings(flow, seen.worst);
}
