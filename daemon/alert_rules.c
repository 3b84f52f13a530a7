/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#include "daemon/alert_rules_private.h"
#include "lib/clock.h"
#include "lib/util.h"

static const struct {
	const char *name;
	enum target target;
	bool has_kind;
} targets[] = {
	{ "span", TARGET_SPAN, true }, { "mark", TARGET_MARK, true }, { "sample", TARGET_SAMPLE, true },
	{ "window", TARGET_WINDOW, true }, { "migration", TARGET_MIGRATION, false },
	{ "flow", TARGET_FLOW, false }, { "source", TARGET_SOURCE, false },
};

/* -- Compiling ------------------------------------------------------------ */

static int
parse_target(const struct config_rule *from, struct rule *rule, struct error *error)
{
	size_t n = strcspn(from->on, " \t");
	const char *kind = from->on + n + strspn(from->on + n, " \t");

	for (unsigned i = 0; i < ARRAY_SIZE(targets); i++) {
		if (strlen(targets[i].name) != n || strncmp(from->on, targets[i].name, n) ||
		    targets[i].has_kind != (*kind != '\0'))
			continue;
		rule->target = targets[i].target;
		rule->kind = xstrdup(kind);
		if (rule->target == TARGET_WINDOW && !alert_windows_kind(kind))
			break;
		return 0;
	}
	return error_set(error, EINVAL, "on: '%s' is not 'span|mark|sample KIND', 'window cpu|block', "
			 "'migration', 'flow' or 'source'", from->on);
}

static int
check_labels(const char *labels, struct error *error)
{
	size_t n, name;

	for (; *labels; labels += n) {
		labels += strspn(labels, " \t");
		n = strcspn(labels, " \t");
		name = strcspn(labels, "=");
		if (n && (!name || name >= n || strspn(labels, "abcdefghijklmnopqrstuvwxyz"
						       "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != name))
			return error_set(error, EINVAL, "labels: '%.*s' is not name=value", (int) n, labels);
	}
	return 0;
}

static int
compile(const struct config_rule *from, struct rule *rule, struct error *error)
{
	int r = parse_target(from, rule, error);

	rule->name = xstrdup(from->name);
	rule->subject = xstrdup(from->subject);
	rule->severity = xstrdup(from->severity);
	rule->labels = xstrdup(from->labels);
	rule->text = xstrdup(from->text);
	rule->count = from->count;
	rule->within_ns = from->within_ns;
	rule->absent_ns = from->absent_ns;
	rule->hold_ns = from->hold_ns;
	rule->builtin = from->builtin;
	rule->off = streq(from->enabled, "no");
	if (!r)
		r = check_labels(from->labels, error);
	if (!r)
		r = condition_parse(from->when, &rule->condition, error);
	if (!r && (rule->count > 1 || rule->absent_ns) &&
	    (rule->condition.open_ns || rule->target > TARGET_WINDOW))
		r = error_set(error, EINVAL, "count and absent are for facts that are over");
	if (!r && rule->target == TARGET_WINDOW && (rule->condition.open_ns || rule->absent_ns ||
						    *rule->subject))
		r = error_set(error, EINVAL, "windows have no 'open', absent or subject");
	if (!r && rule->target == TARGET_WINDOW && rule->within_ns < 2 * ALERT_SPAN_NS)
		r = error_set(error, EINVAL, "windows are judged every 10 s: within is 20 s or more");
	return r;
}

int
alert_rules_new(const struct config_rule *from, unsigned n, struct alert_rules **ret,
		struct error *error)
{
	struct alert_rules *rules = xcalloc(1, sizeof *rules);
	int r = 0;

	rules->rules = xcalloc(n + 1, sizeof *rules->rules);
	rules->windows = alert_windows_new();
	for (unsigned i = 0; i < n && !r; i++) {
		struct error inner = { 0 };

		rules->n++;
		r = compile(&from[i], &rules->rules[i], &inner);
		if (r)
			r = error_set(error, EINVAL, "[alert %s] %s", from[i].name, inner.text);
	}
	if (r)
		alert_rules_free(rules);
	else
		*ret = rules;
	return r;
}

static void
forget_touched(struct alert_rules *rules)
{
	struct touched *touched, *next;

	HASH_ITER(hh, rules->touched, touched, next) {
		HASH_DEL(rules->touched, touched);
		json_decref(touched->object);
		free(touched);
	}
}

void
alert_rules_free(struct alert_rules *rules)
{
	struct counted *source, *next;

	if (!rules)
		return;
	for (unsigned i = 0; i < rules->n; i++) {
		struct rule *rule = &rules->rules[i];

		condition_done(&rule->condition);
		free(rule->name);
		free(rule->kind);
		free(rule->subject);
		free(rule->severity);
		free(rule->labels);
		free(rule->text);
	}
	forget_touched(rules);
	alert_windows_free(rules->windows);
	HASH_ITER(hh, rules->sources, source, next) {
		HASH_DEL(rules->sources, source);
		free(source);
	}
	free(rules->rules);
	free(rules);
}

/* -- Alerts --------------------------------------------------------------- */

void
rule_alert_id(const char *rule, const char *what, char ret[ALERT_ID_SIZE])
{
	XXH64_hash_t hash = XXH64(what, strlen(what), XXH64(rule, strlen(rule), 0));

	snprintf(ret, ALERT_ID_SIZE, "%016llx", (unsigned long long) hash);
}

static json_t *
labels_json(const char *labels)
{
	json_t *object = json_object();
	size_t n, name;

	for (; *labels; labels += n) {
		_cleanup_(freep) char *key = NULL, *value = NULL;

		labels += strspn(labels, " \t");
		n = strcspn(labels, " \t");
		name = strcspn(labels, "=");
		if (!n)
			break;
		key = xstrndup(labels, name);
		value = xstrndup(labels + name + 1, n - name - 1);
		json_object_set_new(object, key, store_string(value));
	}
	return object;
}

/* What 'object' says that the alert is about. */
static void
subject_of(const struct rule *rule, const json_t *object, const char *otherwise,
	   char ret[MAX_SUBJECT])
{
	const json_t *value = *rule->subject ? condition_member(object, rule->subject) : NULL;
	const char *text = json_string_value(value);

	if (json_is_integer(value))
		snprintf(ret, MAX_SUBJECT, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else
		snprintf(ret, MAX_SUBJECT, "%s", text ? text : *rule->subject ? "-" : otherwise);
}

json_t *
rule_alert(const struct rule *rule, const char *id, const char *subject, const json_t *object,
	  uint64_t start_ns, uint64_t end_ns)
{
	const char *host = json_string_value(json_object_get(object, "host"));
	struct buf text = { 0 };
	json_t *alert;

	condition_add_text(&text, *rule->text ? rule->text : "{host} {kind} {key}", object);
	alert = json_pack("{s:s, s:s, s:s, s:o, s:o, s:I, s:o, s:o*}", "id", id, "rule", rule->name,
			  "severity", rule->severity, "subject", store_string(subject), "text",
			  store_string(text.data ? text.data : ""), "start_ns", (json_int_t) start_ns,
			  "end_ns", end_ns ? json_integer((json_int_t) end_ns) : json_null(), "host",
			  host ? store_string(host) : NULL);
	if (*rule->labels)
		json_object_set_new(alert, "labels", labels_json(rule->labels));
	buf_done(&text);
	return alert;
}

int
rule_put(struct store *store, const char *id, json_t *alert, struct error *error)
{
	int r = store_put_alert(store, id, alert, error);

	json_decref(alert);
	return r;
}

bool
alert_rules_is_off(const struct alert_rules *rules, const char *rule)
{
	for (unsigned i = 0; rules && i < rules->n; i++)
		if (streq(rules->rules[i].name, rule))
			return rules->rules[i].off;
	return false;
}

void
alert_rules_dress(const struct alert_rules *rules, const char *name, json_t *alert)
{
	for (unsigned i = 0; rules && i < rules->n; i++) {
		const struct rule *rule = &rules->rules[i];

		if (!streq(rule->name, name))
			continue;
		json_object_set_new(alert, "severity", json_string(rule->severity));
		if (*rule->labels)
			json_object_set_new(alert, "labels", labels_json(rule->labels));
	}
}

/* -- One thing, one alert ------------------------------------------------- */

/* The interval in which the rule fires for it; false: in none.  'end_ns' 0: it
 * goes on. */
static bool
interval(const struct rule *rule, uint64_t start_ns, uint64_t end_ns, bool lasts, uint64_t *ret_start,
	 uint64_t *ret_end)
{
	uint64_t open_ns = rule->condition.open_ns;

	if (open_ns) {
		*ret_start = start_ns + open_ns;
		*ret_end = end_ns;
		return !end_ns || end_ns > *ret_start;
	}
	/* Something that lasts is judged when it is over. */
	if (lasts && !end_ns)
		return false;
	*ret_start = lasts ? end_ns : start_ns;
	*ret_end = *ret_start + rule->hold_ns;
	return true;
}

static int
project(const struct rule *rule, struct store *store, const char *id, json_t *object,
	uint64_t start_ns, uint64_t end_ns, bool lasts, struct error *error)
{
	uint64_t from_ns = 0, to_ns = 0;
	char key[ALERT_ID_SIZE], subject[MAX_SUBJECT];
	json_t *alert;

	rule_alert_id(rule->name, id, key);
	if (!condition_holds(&rule->condition, object) ||
	    !interval(rule, start_ns, end_ns, lasts, &from_ns, &to_ns))
		return store_put_alert(store, key, NULL, error);
	if (rule->condition.open_ns)
		json_object_set_new(object, "duration_ns", json_integer((json_int_t) (
			(end_ns ? end_ns : from_ns) - start_ns)));
	subject_of(rule, object, id, subject);
	alert = rule_alert(rule, key, subject, object, from_ns, to_ns);
	/* Nobody hears of it before its time, which may never come. */
	if (rule->condition.open_ns && !to_ns)
		json_object_set_new(alert, "due_ns", json_integer((json_int_t) from_ns));
	return rule_put(store, key, alert, error);
}

/* -- Counting ------------------------------------------------------------- */

static void
touch(struct alert_rules *rules, const struct rule *rule, const char *subject, uint64_t t_ns,
      json_t *object)
{
	struct touched *touched;
	char key[sizeof touched->key];

	snprintf(key, sizeof key, "%u %s", (unsigned) (rule - rules->rules), subject);
	HASH_FIND_STR(rules->touched, key, touched);
	if (!touched) {
		touched = xcalloc(1, sizeof *touched);
		touched->rule = rule;
		snprintf(touched->subject, sizeof touched->subject, "%s", subject);
		memcpy(touched->key, key, sizeof key);
		touched->from_ns = touched->to_ns = t_ns;
		HASH_ADD_STR(rules->touched, key, touched);
	}
	touched->from_ns = MIN(touched->from_ns, t_ns);
	touched->to_ns = MAX(touched->to_ns, t_ns);
	if (object && !touched->object)
		touched->object = json_incref(object);
}

static int
count(struct alert_rules *rules, const struct rule *rule, struct store *store, const char *id,
      json_t *object, uint64_t t_ns, struct error *error)
{
	char subject[MAX_SUBJECT];
	int r;

	if (!t_ns || !condition_holds(&rule->condition, object))
		return 0;
	subject_of(rule, object, "-", subject);
	r = store_put_hit(store, rule->name, subject, t_ns, id, error);
	if (!r)
		touch(rules, rule, subject, t_ns, object);
	return r;
}

/* A fact that changed, or is gone, counts anew from here on. */
static int
uncount(struct alert_rules *rules, struct store *store, const char *id, struct error *error)
{
	json_t *hits = store_drop_hits(store, id, error), *hit;
	size_t i;

	if (!hits)
		return -EIO;
	json_array_foreach(hits, i, hit)
		for (unsigned k = 0; k < rules->n; k++)
			if (streq(rules->rules[k].name, json_string_value(json_object_get(hit, "rule"))))
				touch(rules, &rules->rules[k],
				      json_string_value(json_object_get(hit, "subject")),
				      (uint64_t) json_integer_value(json_object_get(hit, "t_ns")), NULL);
	json_decref(hits);
	return 0;
}

/* The figures of the span of windows with which an alert begins; NULL: it is no
 * more there. */
static json_t *
first_figures(const struct rule *rule, struct store *store, const char *subject, uint64_t start_ns)
{
	_cleanup_(freep) char *host = xstrndup(subject, strcspn(subject, "/"));
	const struct alert_span span = { host, rule->kind, start_ns - ALERT_SPAN_NS };

	return alert_span_object(store, &span, subject);
}

static int
put_counted(const struct touched *touched, struct store *store, uint64_t start_ns, uint64_t end_ns,
	    unsigned n, json_t *ids, struct error *error)
{
	const struct rule *rule = touched->rule;
	bool of_window = rule->target == TARGET_WINDOW;
	char id[ALERT_ID_SIZE], what[MAX_SUBJECT + 32];
	json_t *object, *alert;

	snprintf(what, sizeof what, "%s %llu", touched->subject, (unsigned long long) start_ns);
	rule_alert_id(rule->name, what, id);
	object = of_window ? first_figures(rule, store, touched->subject, start_ns) : json_object();
	if (!object && (alert = store_alert(store, id))) {
		/* The windows are gone, so what was said of them stays. */
		json_object_set_new(alert, "end_ns", json_integer((json_int_t) end_ns));
		json_object_set_new(ids, id, json_true());
		return rule_put(store, id, alert, error);
	}
	object = object ? object : json_object();
	json_object_set_new(object, "subject", store_string(touched->subject));
	json_object_set_new(object, "count", json_integer(n));
	json_object_set_new(object, "within_ns", json_integer((json_int_t) rule->within_ns));
	json_object_set(object, "within", json_object_get(object, "within_ns"));
	json_object_set_new(ids, id, json_true());
	alert = rule_alert(rule, id, touched->subject, object, start_ns, end_ns);
	json_decref(object);
	return rule_put(store, id, alert, error);
}

/* Walks over the hits of one cluster: an alert begins when there are enough, and
 * ends when there are not for as long as they are counted. */
static int
put_cluster(const struct touched *touched, struct store *store, const json_t *hits, json_t *ids,
	    struct error *error)
{
	const struct rule *rule = touched->rule;
	size_t size = json_array_size(hits), first = 0;
	uint64_t start_ns = 0, end_ns = 0;
	unsigned n = 0;
	int r = 0;

	for (size_t i = 0; i < size && !r; i++) {
		uint64_t t_ns = (uint64_t) json_integer_value(json_array_get(hits, i));

		while ((uint64_t) json_integer_value(json_array_get(hits, first)) + rule->within_ns < t_ns)
			first++;
		if (start_ns && t_ns > end_ns) {
			r = put_counted(touched, store, start_ns, end_ns, n, ids, error);
			start_ns = 0;
		}
		if (i - first + 1 < rule->count)
			continue;
		n = start_ns ? MAX(n, (unsigned) (i - first + 1)) : (unsigned) (i - first + 1);
		start_ns = start_ns ? start_ns : t_ns;
		end_ns = t_ns + rule->within_ns;
	}
	if (!r && start_ns)
		r = put_counted(touched, store, start_ns, end_ns, n, ids, error);
	return r;
}

static int
settle_count(const struct touched *touched, struct store *store, struct error *error)
{
	const struct rule *rule = touched->rule;
	uint64_t from_ns = touched->from_ns, to_ns = touched->to_ns, t_ns;
	json_t *hits, *ids = json_object();
	unsigned left = MAX_HITS;
	int r;

	/* All that hangs together with what changed. */
	while (left-- && (t_ns = store_hit_before(store, rule->name, touched->subject, from_ns)) &&
	       t_ns + 2 * rule->within_ns >= from_ns)
		from_ns = t_ns;
	for (left = MAX_HITS; left-- &&
	     (t_ns = store_hit_after(store, rule->name, touched->subject, to_ns)) &&
	     t_ns <= to_ns + 2 * rule->within_ns; )
		to_ns = t_ns;
	hits = store_hits(store, rule->name, touched->subject, from_ns, to_ns, MAX_HITS, error);
	r = hits ? put_cluster(touched, store, hits, ids, error) : -EIO;
	if (!r)
		r = store_drop_alerts(store, rule->name, touched->subject, from_ns,
				      to_ns + rule->within_ns, ids, error);
	json_decref(hits);
	json_decref(ids);
	return r;
}

/* Each sighting ends the absence since the one before. */
static int
settle_absence(const struct touched *touched, struct store *store, struct error *error)
{
	const struct rule *rule = touched->rule;
	json_t *object = touched->object ? json_copy(touched->object) : json_object();
	uint64_t t_ns = store_hit_before(store, rule->name, touched->subject, touched->from_ns), next_ns;
	unsigned left = MAX_HITS;
	int r = 0;

	json_object_set_new(object, "subject", store_string(touched->subject));
	json_object_set_new(object, "absent_ns", json_integer((json_int_t) rule->absent_ns));
	t_ns = t_ns ? t_ns : touched->from_ns;
	for (; t_ns && t_ns <= touched->to_ns && left-- && !r; t_ns = next_ns) {
		char id[ALERT_ID_SIZE], what[MAX_SUBJECT + 32];
		json_t *alert = NULL;

		next_ns = store_hit_after(store, rule->name, touched->subject, t_ns);
		snprintf(what, sizeof what, "%s %llu", touched->subject, (unsigned long long) t_ns);
		rule_alert_id(rule->name, what, id);
		if (!next_ns || next_ns > t_ns + rule->absent_ns) {
			alert = rule_alert(rule, id, touched->subject, object, t_ns + rule->absent_ns,
					  next_ns);
			if (!next_ns)
				json_object_set_new(alert, "due_ns", json_integer(
					(json_int_t) (t_ns + rule->absent_ns)));
		}
		r = rule_put(store, id, alert, error);
	}
	json_decref(object);
	return r;
}

bool
rule_is_about(const struct rule *rule, enum target target, const char *kind)
{
	return !rule->off && !rule->builtin && rule->target == target && streq(rule->kind, kind);
}

/* -- Windows -------------------------------------------------------------- */

/* What one rule finds in a span: each hit is of a subject, at the span's end. */
static int
judge_objects(struct alert_rules *rules, const struct rule *rule, struct store *store,
	      const struct alert_span *span, const json_t *objects, struct error *error)
{
	char id[ALERT_SPAN_ID_SIZE];
	json_t *object;
	size_t i;
	int r = 0;

	alert_span_id(span, id);
	json_array_foreach(objects, i, object) {
		const char *subject = json_string_value(json_object_get(object, "subject"));

		if (r || strlen(subject) >= MAX_SUBJECT || !condition_holds(&rule->condition, object))
			continue;
		r = store_put_hit(store, rule->name, subject, span->from_ns + ALERT_SPAN_NS, id, error);
		touch(rules, rule, subject, span->from_ns + ALERT_SPAN_NS, NULL);
	}
	return r;
}

static int
judge_span(void *context, struct store *store, const struct alert_span *span, struct error *error)
{
	struct alert_rules *rules = context;
	char id[ALERT_SPAN_ID_SIZE];
	json_t *objects;
	int r;

	alert_span_id(span, id);
	r = uncount(rules, store, id, error);
	objects = r ? NULL : alert_span_objects(store, span, error);
	if (!r && !objects)
		r = -EIO;
	for (unsigned i = 0; i < rules->n && !r; i++)
		if (rule_is_about(&rules->rules[i], TARGET_WINDOW, span->kind))
			r = judge_objects(rules, &rules->rules[i], store, span, objects, error);
	json_decref(objects);
	return r;
}

/* More is known of what alerts are about: they are told anew. */
static int
judge_named(struct alert_rules *rules, struct store *store, const struct fact *fact,
	    struct error *error)
{
	char subject[MAX_SUBJECT];
	const char *kind = alert_windows_named(fact, subject, sizeof subject);
	json_t *hits, *hit;
	size_t i;

	for (unsigned k = 0; kind && k < rules->n; k++) {
		if (!rule_is_about(&rules->rules[k], TARGET_WINDOW, kind))
			continue;
		hits = store_hits(store, rules->rules[k].name, subject, 0, INT64_MAX, MAX_HITS, error);
		if (!hits)
			return -EIO;
		json_array_foreach(hits, i, hit)
			alert_windows_touch(rules->windows, fact->host, kind,
					    (uint64_t) json_integer_value(hit));
		json_decref(hits);
	}
	return 0;
}

static int
window_fact(struct alert_rules *rules, struct store *store, const struct fact *fact,
	    struct error *error)
{
	for (unsigned i = 0; i < rules->n; i++)
		if (rule_is_about(&rules->rules[i], TARGET_WINDOW, fact->kind))
			return alert_windows_fact(rules->windows, store, fact, error);
	return 0;
}

int
alert_rules_windows(struct alert_rules *rules, struct store *store, struct error *error)
{
	return rules ? alert_windows_all(rules->windows, store, error) : 0;
}

int
alert_rules_settle(struct alert_rules *rules, struct store *store, struct error *error)
{
	struct touched *touched;
	int r;

	if (!rules)
		return 0;
	r = alert_windows_settle(rules->windows, store, judge_span, rules, error);
	for (touched = rules->touched; touched && !r; touched = touched->hh.next)
		r = touched->rule->absent_ns ? settle_absence(touched, store, error) :
		    settle_count(touched, store, error);
	if (!r)
		forget_touched(rules);
	return r;
}

/* -- What is judged ------------------------------------------------------- */

static json_t *
object_of(const struct fact *fact, const char *id)
{
	json_t *object = fact->attributes ? json_copy(fact->attributes) : json_object();

	json_object_set_new(object, "id", json_string(id));
	json_object_set_new(object, "host", store_string(fact->host));
	json_object_set_new(object, "kind", store_string(fact->kind));
	json_object_set_new(object, "key", store_string(fact->key));
	if (fact->status)
		json_object_set_new(object, "status", store_string(fact->status));
	if (fact->end_ns >= fact->start_ns && fact->end_ns)
		json_object_set_new(object, "duration_ns",
				    json_integer((json_int_t) (fact->end_ns - fact->start_ns)));
	return object;
}

static int
judge_fact(struct alert_rules *rules, const struct rule *rule, struct store *store,
	   const struct fact *fact, const char *id, json_t *object, struct error *error)
{
	bool lasts = fact->type == FACT_SPAN;
	uint64_t t_ns = lasts ? fact->end_ns : fact->start_ns;

	if (rule->count > 1 || rule->absent_ns)
		return count(rules, rule, store, id, object, rule->absent_ns ? fact->start_ns : t_ns,
			     error);
	return project(rule, store, id, object, fact->start_ns, fact->end_ns, lasts, error);
}

static int
judge_type(struct alert_rules *rules, struct store *store, const struct fact *fact, struct error *error)
{
	static const enum target types[] = {
		[FACT_SPAN] = TARGET_SPAN, [FACT_MARK] = TARGET_MARK, [FACT_SAMPLE] = TARGET_SAMPLE,
		[FACT_RETRACT] = TARGET_SPAN,
	};
	struct fact span = *fact;
	char id[FACT_ID_SIZE], alert[ALERT_ID_SIZE];
	json_t *object = NULL;
	bool was_counted = false;
	int r = 0;

	for (unsigned i = 0; i < rules->n && !r; i++) {
		const struct rule *rule = &rules->rules[i];

		if (!rule_is_about(rule, types[fact->type], fact->kind))
			continue;
		if (!object) {
			span.type = fact->type == FACT_RETRACT ? FACT_SPAN : fact->type;
			fact_id(&span, id);
			object = object_of(fact, id);
			rule_add_queued(store, fact, object);
		}
		if ((rule->count > 1 || rule->absent_ns) && !was_counted) {
			was_counted = true;
			r = uncount(rules, store, id, error);
		}
		rule_alert_id(rule->name, id, alert);
		if (!r && fact->type == FACT_RETRACT)
			r = store_put_alert(store, alert, NULL, error);
		else if (!r)
			r = judge_fact(rules, rule, store, fact, id, object, error);
	}
	json_decref(object);
	return r;
}

int
alert_rules_fact(struct alert_rules *rules, struct store *store, const struct fact *fact,
		 struct error *error)
{
	int r;

	if (!rules)
		return 0;
	if (fact->type == FACT_WINDOW)
		return window_fact(rules, store, fact, error);
	if (fact->type == FACT_ENTITY || fact->type == FACT_LINK)
		return judge_named(rules, store, fact, error);
	r = judge_type(rules, store, fact, error);
	if (!r && streq(fact->kind, "rpc.call"))
		r = rule_each_served(rules, store, fact, judge_type, error);
	return r;
}

int
alert_rules_record(struct alert_rules *rules, struct store *store, const char *topic, const char *id,
		   const json_t *record, struct error *error)
{
	enum target target = streq(topic, "flow") ? TARGET_FLOW : TARGET_MIGRATION;
	uint64_t start_ns = (uint64_t) json_integer_value(json_object_get(record, "start_ns"));
	uint64_t end_ns = (uint64_t) json_integer_value(json_object_get(record, "end_ns"));
	char alert[ALERT_ID_SIZE];
	int r = 0;

	for (unsigned i = 0; rules && i < rules->n && !r; i++) {
		const struct rule *rule = &rules->rules[i];
		json_t *object;

		if (!rule_is_about(rule, target, ""))
			continue;
		if (!record) {
			rule_alert_id(rule->name, id, alert);
			r = store_put_alert(store, alert, NULL, error);
			continue;
		}
		object = json_copy((json_t *) (uintptr_t) record);
		if (end_ns > start_ns)
			json_object_set_new(object, "duration_ns",
					    json_integer((json_int_t) (end_ns - start_ns)));
		r = project(rule, store, id, object, start_ns, end_ns, true, error);
		json_decref(object);
	}
	return r;
}
