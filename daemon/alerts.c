/* SPDX-License-Identifier: MIT
 *
 * alerts.c -- the table of alert rules, and projecting facts through it. */
#include "daemon/alerts.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { ALERT_ID_SIZE = 17 };
/* A source whose destination failed mostly says within moments whether it was
 * cancelled, so long nobody is woken. */
#define FAILED_GRACE_NS (5 * NS_PER_S)

struct matter {
	const json_t *record;        /* Of the migration. */
	const json_t *span;          /* That the rule is about; NULL for records. */
};

typedef void text_fn(struct buf *text, const struct matter *matter);
static text_fn stalled_text, not_converging_text, failed_text;

/* Rules over spans whose parent is a side of a migration. */
static const struct {
	const char *rule, *kind, *severity;
	text_fn *text;
} span_rules[] = {
	{ "migration-stalled", "migration.stall", "critical", stalled_text },
	{ "migration-not-converging", "migration.not-converging", "warning", not_converging_text },
};

static const char failed_rule[] = "migration-failed";
static const char source_rule[] = "source-lost";

/* States of a source that leave a migration unwatched. */
static const struct {
	const char *state, *severity, *text;
} source_rules[] = {
	{ "lost", "critical", "is lost" },
	{ "gone", "warning", "has ended" },
	{ "busy", "warning", "is held by another viewer" },
	{ "silent", "warning", "says nothing" },
};

bool
alerts_kind(const char *kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(span_rules); i++)
		if (streq(span_rules[i].kind, kind))
			return true;
	return false;
}

/* -- Reading -------------------------------------------------------------- */

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && *text ? text : NULL;
}

static uint64_t
number_of(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (json_is_real(value))
		return json_real_value(value) > 0 ? (uint64_t) json_real_value(value) : 0;
	return json_integer_value(value) > 0 ? (uint64_t) json_integer_value(value) : 0;
}

/* Of the span itself, else of the migration. */
static uint64_t
figure(const struct matter *matter, const char *name)
{
	uint64_t value = number_of(json_object_get(matter->span, "attributes"), name);

	return value ? value : number_of(matter->record, name);
}

static const char *
word(const struct matter *matter, const char *name)
{
	const char *text = text_of(json_object_get(matter->span, "attributes"), name);

	return text ? text : text_of(matter->record, name);
}

/* -- Texts ---------------------------------------------------------------- */

/* "Migration of web-1 from compute-01 to compute-02". */
static void
add_subject(struct buf *text, const json_t *record)
{
	const json_t *vm = json_object_get(record, "vm");
	const char *name = text_of(vm, "name"), *uuid = text_of(vm, "uuid");
	const char *source = text_of(record, "source");
	const char *destination = text_of(record, "destination");

	buf_add_string(text, "Migration");
	if (name || uuid)
		buf_printf(text, " of %s", name ? name : uuid);
	if (source) {
		buf_printf(text, " from %s", source);
		if (!name && !uuid)
			buf_printf(text, " (pid %llu)",
				   (unsigned long long) number_of(record, "source_pid"));
	}
	if (destination)
		buf_printf(text, " to %s", destination);
}

static void
add_duration(struct buf *text, const char *before, uint64_t ns)
{
	char duration[40];

	if (ns)
		buf_printf(text, "%s%s", before, format_duration(ns, duration, sizeof duration));
}

static void
add_bytes(struct buf *text, uint64_t bytes)
{
	char size[40];

	buf_add_string(text, format_bytes(bytes, size, sizeof size));
}

static void
add_rate(struct buf *text, uint64_t bytes_s)
{
	add_bytes(text, bytes_s);
	buf_add_string(text, "/s");
}

static void
add_time(struct buf *text, uint64_t ns)
{
	add_duration(text, "", ns);
}

static void
add_percent(struct buf *text, uint64_t percent)
{
	buf_printf(text, "%llu %%", (unsigned long long) percent);
}

static void
stalled_text(struct buf *text, const struct matter *matter)
{
	const char *side_id = text_of(matter->span, "parent");
	const char *source_id = text_of(matter->record, "source_id");
	const char *host = text_of(matter->span, "host"), *last = word(matter, "last_event");
	const char *section = word(matter, "last_section");
	const char *checkpoint = word(matter, "last_checkpoint");
	uint64_t stop_ns = figure(matter, "stop_ns"), last_ns = figure(matter, "last_event_ns");
	uint64_t end_ns = number_of(matter->span, "end_ns");

	/* Once it is over, more may have been seen than what came before it. */
	if (last_ns > number_of(matter->span, "start_ns"))
		last = section = checkpoint = NULL;
	add_subject(text, matter->record);
	buf_printf(text, ": stop-and-copy at the %s %s ", side_id && source_id &&
		   streq(side_id, source_id) ? "source" : "destination", host ? host : "");
	if (end_ns && stop_ns && end_ns > stop_ns) {
		add_duration(text, "took ", end_ns - stop_ns);
		add_duration(text, ", its limit is ", figure(matter, "limit_ns"));
	} else {
		buf_add_string(text, end_ns ? "took too long" : "takes too long");
		add_duration(text, ": more than ", figure(matter, "limit_ns"));
	}
	if (last)
		buf_printf(text, "; last seen before that: %s", last);
	if (section)
		buf_printf(text, " (section %s)", section);
	if (checkpoint)
		buf_printf(text, ", checkpoint %s", checkpoint);
	if (last && stop_ns && last_ns > stop_ns) {
		add_duration(text, ", ", last_ns - stop_ns);
		buf_add_string(text, " after the stop");
	}
}

/* The round after which the forecast said so. */
static const json_t *
round_of(const struct matter *matter)
{
	const json_t *rounds = json_object_get(matter->record, "rounds"), *round;
	uint64_t n = figure(matter, "round");
	size_t i;

	json_array_foreach(rounds, i, round)
		if (number_of(round, "n") == n)
			return round;
	return NULL;
}

static void
add_needs(struct buf *text, const json_t *needs)
{
	static const struct {
		const char *name, *text;
		void (*add)(struct buf *text, uint64_t value);
	} kinds[] = {
		{ "bandwidth_bytes_s", "a bandwidth of ", add_rate },
		{ "downtime_limit_ns", "a downtime limit of ", add_time },
		{ "throttle_percent", "the guest throttled by ", add_percent },
	};
	const char *before = "; it needs ";

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		uint64_t value = number_of(needs, kinds[i].name);

		if (!value)
			continue;
		buf_printf(text, "%s%s", before, kinds[i].text);
		kinds[i].add(text, value);
		before = ", or ";
	}
}

static void
not_converging_text(struct buf *text, const struct matter *matter)
{
	const json_t *round = round_of(matter), *forecast;
	uint64_t start_ns = number_of(round, "start_ns"), end_ns = number_of(round, "end_ns");
	uint64_t sent = number_of(round, "sent_bytes");

	add_subject(text, matter->record);
	buf_add_string(text, " does not converge");
	if (round) {
		buf_printf(text, ": after round %llu ", (unsigned long long) number_of(round, "n"));
		add_bytes(text, number_of(round, "remaining_bytes"));
		buf_add_string(text, " were left to send");
	}
	if (sent && end_ns > start_ns) {
		buf_add_string(text, " at ");
		add_rate(text, (uint64_t) ((double) sent * (double) NS_PER_S /
					   (double) (end_ns - start_ns)));
	}
	add_duration(text, ", downtime limit ", figure(matter, "downtime_limit_ns"));
	forecast = json_object_get(json_object_get(matter->span, "attributes"), "forecast");
	add_needs(text, json_object_get(forecast, "needs"));
}

static void
failed_text(struct buf *text, const struct matter *matter)
{
	const char *reason = text_of(matter->record, "reason");
	bool back = json_is_true(json_object_get(matter->record, "rolled_back"));

	add_subject(text, matter->record);
	buf_printf(text, " failed%s: %s", back ? " and was rolled back" : "",
		   reason ? reason : "nobody says why");
}

/* -- Projecting ----------------------------------------------------------- */

static void
alert_id(const char *rule, const char *what, char ret[ALERT_ID_SIZE])
{
	XXH64_hash_t hash = XXH64(what, strlen(what), XXH64(rule, strlen(rule), 0));

	snprintf(ret, ALERT_ID_SIZE, "%016llx", (unsigned long long) hash);
}

static json_t *
new_alert(const char *id, const char *rule, const char *severity, const char *subject,
	  const struct buf *text, uint64_t start_ns, uint64_t end_ns)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:o, s:I, s:o}", "id", id, "rule", rule, "severity",
			 severity, "subject", subject, "text",
			 store_string(text->data ? text->data : ""), "start_ns",
			 (json_int_t) start_ns, "end_ns",
			 end_ns ? json_integer((json_int_t) end_ns) : json_null());
}

/* As far as the configuration wants it. */
static int
put(struct store *store, const struct alert_rules *rules, const char *id, json_t *alert,
    struct error *error)
{
	const char *rule = text_of(alert, "rule");
	bool is_off = rule && alert_rules_is_off(rules, rule);
	int r;

	if (rule && !streq(rule, source_rule))
		alert_rules_dress(rules, rule, alert);
	r = store_put_alert(store, id, is_off ? NULL : alert, error);

	json_decref(alert);
	return r;
}

/* Alerts from spans below one side of the migration. */
static int
project_spans(struct store *store, const struct alert_rules *rules, const char *migration_id,
	      const json_t *record, const char *side_id, struct error *error)
{
	json_t *spans = store_children(store, side_id, error), *span;
	size_t i;
	int r = 0;

	if (!spans)
		return -EIO;
	json_array_foreach(spans, i, span) {
		const char *kind = text_of(span, "kind"), *span_id = text_of(span, "id");
		struct matter matter = { .record = record, .span = span };

		for (size_t k = 0; k < ARRAY_SIZE(span_rules) && !r; k++) {
			struct buf text = { 0 };
			char id[ALERT_ID_SIZE];

			if (!kind || !span_id || !streq(kind, span_rules[k].kind))
				continue;
			alert_id(span_rules[k].rule, span_id, id);
			span_rules[k].text(&text, &matter);
			r = put(store, rules, id,
				new_alert(id, span_rules[k].rule, span_rules[k].severity,
					  migration_id, &text, number_of(span, "start_ns"),
					  number_of(span, "end_ns")),
				error);
			buf_done(&text);
		}
	}
	json_decref(spans);
	return r;
}

static int
project_failed(struct store *store, const struct alert_rules *rules, const char *migration_id,
	       const json_t *record, uint64_t hold_ns, struct error *error)
{
	const char *status = text_of(record, "status");
	uint64_t end_ns = number_of(record, "end_ns");
	struct matter matter = { .record = record };
	struct buf text = { 0 };
	char id[ALERT_ID_SIZE];
	json_t *alert;
	int r;

	alert_id(failed_rule, migration_id, id);
	if (!status || !streq(status, "failed") || !end_ns)
		return store_put_alert(store, id, NULL, error);
	failed_text(&text, &matter);
	alert = new_alert(id, failed_rule, "critical", migration_id, &text, end_ns,
			  end_ns + hold_ns);
	if (alert && json_is_true(json_object_get(record, "source_open")))
		json_object_set_new(alert, "due_ns", json_integer((json_int_t) (clock_wall_ns() +
										FAILED_GRACE_NS)));
	r = put(store, rules, id, alert, error);
	buf_done(&text);
	return r;
}

/* Ends those of 'alerts' that follow from a source (any, if NULL) and are open. */
static int
end_source_alerts(struct store *store, json_t *alerts, const struct store_source *source,
		  struct error *error)
{
	json_t *alert;
	size_t i;
	int r = 0;

	json_array_foreach(alerts, i, alert) {
		const char *rule = text_of(alert, "rule"), *id = text_of(alert, "id");
		const char *relayd = text_of(alert, "relayd"), *session = text_of(alert, "session");

		if (r || !rule || !id || !streq(rule, source_rule) ||
		    !json_is_null(json_object_get(alert, "end_ns")))
			continue;
		if (source && !(relayd && session && streq(relayd, source->relayd) &&
				streq(session, source->session)))
			continue;
		json_object_set_new(alert, "end_ns", json_integer((json_int_t) clock_wall_ns()));
		r = store_put_alert(store, id, alert, error);
	}
	return r;
}

/* The migration is no more: nor are the alerts about it. */
static int
forget_alerts(struct store *store, const json_t *alerts, struct error *error)
{
	const json_t *alert;
	size_t i;
	int r = 0;

	json_array_foreach(alerts, i, alert)
		if (!r && text_of(alert, "id"))
			r = store_put_alert(store, text_of(alert, "id"), NULL, error);
	return r;
}

/* All that is left to do for a migration that does not run any more. */
static int
finish(struct store *store, const char *id, bool is_gone, struct error *error)
{
	json_t *alerts = store_alerts_of(store, id, error);
	int r;

	if (!alerts)
		return -EIO;
	r = is_gone ? forget_alerts(store, alerts, error) :
		      end_source_alerts(store, alerts, NULL, error);
	json_decref(alerts);
	return r;
}

int
alerts_migration(struct store *store, const struct alert_rules *rules, const char *id,
		 const json_t *record, uint64_t failed_hold_ns, struct error *error)
{
	static const char *const sides[] = { "source_id", "destination_id" };
	const char *status = text_of(record, "status");
	int r = 0;

	if (!record)
		return finish(store, id, true, error);
	for (size_t i = 0; i < ARRAY_SIZE(sides) && !r; i++) {
		const char *side_id = text_of(record, sides[i]);

		if (side_id)
			r = project_spans(store, rules, id, record, side_id, error);
	}
	if (!r)
		r = project_failed(store, rules, id, record, failed_hold_ns, error);
	if (!r && (!status || !streq(status, "running")))
		r = finish(store, id, false, error);
	return r;
}

int
alerts_retract(struct store *store, const char *kind, const char *span_id, struct error *error)
{
	char id[ALERT_ID_SIZE];
	int r = 0;

	for (size_t k = 0; k < ARRAY_SIZE(span_rules) && !r; k++) {
		if (!streq(span_rules[k].kind, kind))
			continue;
		alert_id(span_rules[k].rule, span_id, id);
		r = store_put_alert(store, id, NULL, error);
	}
	return r;
}

/* -- Sources -------------------------------------------------------------- */

static int
put_source_alert(struct store *store, const struct alert_rules *rules,
		 const struct store_source *source, size_t rule,
		 const char *migration_id, struct error *error)
{
	_cleanup_(freep) char *what = xasprintf("%s\n%s\n%s\n%s", source->host, source->relayd,
						source->session, migration_id);
	json_t *record = store_migration(store, migration_id), *old;
	_cleanup_(buf_done) struct buf text = { 0 };
	uint64_t start_ns = source->seen_ns;
	char id[ALERT_ID_SIZE];
	json_t *alert;

	alert_id(source_rule, what, id);
	old = store_alert(store, id);
	if (old && json_is_null(json_object_get(old, "end_ns")))
		start_ns = number_of(old, "start_ns");
	add_subject(&text, record);
	buf_printf(&text, ": session %s of %s at %s %s%s%s", source->session, source->host,
		   source->relayd, source_rules[rule].text, source->text ? ": " : "",
		   source->text ? source->text : "");
	alert = new_alert(id, source_rule, source_rules[rule].severity, migration_id, &text,
			  start_ns, 0);
	json_object_set_new(alert, "live", json_true());
	json_object_set_new(alert, "host", store_string(source->host));
	json_object_set_new(alert, "session", store_string(source->session));
	json_object_set_new(alert, "relayd", store_string(source->relayd));
	json_decref(old);
	json_decref(record);
	return put(store, rules, id, alert, error);
}

static int
put_source_alerts(struct store *store, const struct alert_rules *rules,
		  const json_t *migration_ids, const struct store_source *source, size_t rule,
		  struct error *error)
{
	const json_t *id;
	size_t i;
	int r = 0;

	json_array_foreach(migration_ids, i, id)
		if (!r)
			r = put_source_alert(store, rules, source, rule, json_string_value(id), error);
	return r;
}

int
alerts_source(struct store *store, const struct alert_rules *rules,
	      const struct store_source *source, struct error *error)
{
	size_t rule = 0;
	json_t *concerned;
	bool is_well;
	int r;

	while (rule < ARRAY_SIZE(source_rules) && !streq(source_rules[rule].state, source->state))
		rule++;
	is_well = rule == ARRAY_SIZE(source_rules);
	concerned = is_well ? store_alerts_live(store, source->host, error) :
			    store_migrations_running(store, source->host, error);
	if (!concerned)
		return -EIO;
	if (is_well)
		r = end_source_alerts(store, concerned, source, error);
	else
		r = put_source_alerts(store, rules, concerned, source, rule, error);
	json_decref(concerned);
	return r;
}
