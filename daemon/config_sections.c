/* SPDX-License-Identifier: MIT */
#include "daemon/config_sections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_keys.h"
#include "lib/clock.h"
#include "lib/util.h"

#define SEVERITIES "info|warning|critical"
#define HOUR (3600 * NS_PER_S)
#define TO(MEMBER) offsetof(struct config_receiver, MEMBER)
#define OF(MEMBER) offsetof(struct config_rule, MEMBER)

static const struct key receiver_keys[] = {
	{ "type", KEY_CHOICE | KEY_RELOAD, TO(type), "webhook",
	  "what it is; otlp takes no alerts but finished requests as traces (OTLP/HTTP, JSON)", 0, 0,
	  "alertmanager|webhook|journal|exec|otlp" },
	{ "url", KEY_STRING | KEY_RELOAD, TO(url), "",
	  "where to: of an Alertmanager its root, such as http://alerts:9093; else the whole address, of a "
	  "collector such as http://collector:4318/v1/traces",
	  0, 0, NULL },
	{ "command", KEY_STRING | KEY_RELOAD, TO(command), "",
	  "exec: absolute path of a program and its arguments, split at blanks, without a shell; it reads "
	  "the alert as JSON on standard input and exits with 0 once it took it", 0, 0, NULL },
	{ "severity", KEY_CHOICE | KEY_RELOAD, TO(severity), "info", "alerts from this severity on", 0, 0,
	  SEVERITIES },
	{ "rules", KEY_STRING | KEY_RELOAD, TO(rules), "",
	  "only alerts of these rules, with blanks between; a name may end with *; empty: all", 0, 0, NULL },
	{ "token", KEY_STRING | KEY_RELOAD, TO(token), "", "file of a bearer token to send", 0, 0, NULL },
	{ "authority", KEY_STRING | KEY_RELOAD, TO(authority), "",
	  "PEM file of who signs the receiver's certificate; empty: those of the system", 0, 0, NULL },
	{ "certificate", KEY_STRING | KEY_RELOAD, TO(certificate), "",
	  "PEM file of a client certificate to show", 0, 0, NULL },
	{ "key", KEY_STRING | KEY_RELOAD, TO(key), "", "PEM file of its private key", 0, 0, NULL },
	{ "timeout", KEY_DURATION | KEY_RELOAD, TO(timeout_ns), "10s",
	  "how long one delivery may take", 10 * NS_PER_MS, HOUR, NULL },
	{ "resend", KEY_DURATION | KEY_RELOAD, TO(resend_ns), "1m",
	  "alertmanager: how often a firing alert is sent again", 100 * NS_PER_MS, HOUR, NULL },
	{ "retry-min", KEY_DURATION | KEY_RELOAD, TO(retry_min_ns), "1s",
	  "pause before the first new attempt; it doubles with each", 10 * NS_PER_MS, HOUR, NULL },
	{ "retry-max", KEY_DURATION | KEY_RELOAD, TO(retry_max_ns), "1m", "longest pause", 10 * NS_PER_MS,
	  HOUR, NULL },
	{ "max-queue", KEY_NUMBER | KEY_RELOAD, TO(max_queue), "10000",
	  "alerts that wait for it in the store; then the oldest is dropped and counted", 1, 1000000, NULL },
};

static const struct key rule_keys[] = {
	{ "enabled", KEY_CHOICE | KEY_RELOAD, OF(enabled), "yes", "whether the rule is used", 0, 0,
	  "yes|no" },
	{ "on", KEY_STRING | KEY_RELOAD, OF(on), "",
	  "what the rule looks at: span, mark or sample with a kind of fact; 'window cpu' or 'window block'; "
	  "or a record: migration, flow, source", 0, 0, NULL },
	{ "when", KEY_STRING | KEY_RELOAD, OF(when), "",
	  "the condition: MEMBER OP VALUE, several joined by 'and'; OP is one of < <= > >= = != ~, a VALUE "
	  "may have a unit (300ms, 64MiB, 5%), words may be alternatives (a|b); 'open > 10s' holds while "
	  "something goes on for so long", 0, 0, NULL },
	{ "subject", KEY_STRING | KEY_RELOAD, OF(subject), "",
	  "the member that says what the alert is about; with count, what is counted together; empty: the "
	  "thing itself", 0, 0, NULL },
	{ "count", KEY_NUMBER | KEY_RELOAD, OF(count), "1", "only so many within that time raise an alert", 1,
	  1000, NULL },
	{ "within", KEY_DURATION | KEY_RELOAD, OF(within_ns), "5m", "that time", NS_PER_MS, 24 * HOUR,
	  NULL },
	{ "absent", KEY_DURATION | KEY_RELOAD, OF(absent_ns), "0",
	  "an alert when a subject that was seen is not seen again for so long; 0: no", 0, 24 * HOUR, NULL },
	{ "hold", KEY_DURATION | KEY_RELOAD, OF(hold_ns), "5m",
	  "how long the alert of something that is over goes on firing", 0, 720 * HOUR, NULL },
	{ "severity", KEY_CHOICE | KEY_RELOAD, OF(severity), "warning", "how bad it is", 0, 0, SEVERITIES },
	{ "labels", KEY_STRING | KEY_RELOAD, OF(labels), "",
	  "labels to add, as name=value with blanks between", 0, 0, NULL },
	{ "text", KEY_STRING | KEY_RELOAD, OF(text), "",
	  "what to tell people; {member} is replaced by its value", 0, 0, NULL },
};

/* -- Making and freeing --------------------------------------------------- */

static char *
text_of_seconds(uint64_t s)
{
	return xasprintf("%llus", (unsigned long long) s);
}

static void
set_or_abort(struct config_rule *rule, const char *name, const char *value)
{
	if (value && key_set(key_find(rule_keys, ARRAY_SIZE(rule_keys), name), rule, value, NULL))
		abort();
}

static void
set_seconds(struct config_rule *rule, const char *name, uint64_t s)
{
	_cleanup_(freep) char *text = text_of_seconds(s);

	if (s)
		set_or_abort(rule, name, text);
}

static struct config_rule *
add_rule(struct config_sections *sections, const char *name)
{
	struct config_rule *rule = &sections->rules[sections->n_rules++];

	*rule = (struct config_rule) { .name = xstrdup(name) };
	key_set_defaults(rule_keys, ARRAY_SIZE(rule_keys), rule);
	return rule;
}

static struct config_receiver *
add_receiver(struct config_sections *sections, const char *name)
{
	struct config_receiver *receiver = &sections->receivers[sections->n_receivers++];

	*receiver = (struct config_receiver) { .name = xstrdup(name) };
	key_set_defaults(receiver_keys, ARRAY_SIZE(receiver_keys), receiver);
	return receiver;
}

void
config_sections_init(struct config_sections *sections)
{
	sections->n_receivers = sections->n_rules = 0;
	for (const struct config_default_rule *from = config_default_rules; from->name; from++) {
		struct config_rule *rule = add_rule(sections, from->name);

		rule->builtin = from->builtin;
		set_or_abort(rule, "on", from->on);
		set_or_abort(rule, "when", from->when);
		set_or_abort(rule, "subject", from->subject);
		set_or_abort(rule, "severity", from->severity);
		set_or_abort(rule, "text", from->text);
		set_seconds(rule, "within", from->within_s);
		set_seconds(rule, "absent", from->absent_s);
		set_seconds(rule, "hold", from->hold_s);
		rule->count = from->count ? from->count : 1;
	}
}

void
config_sections_done(struct config_sections *sections)
{
	for (unsigned i = 0; i < sections->n_receivers; i++) {
		key_done(receiver_keys, ARRAY_SIZE(receiver_keys), &sections->receivers[i]);
		free(sections->receivers[i].name);
	}
	for (unsigned i = 0; i < sections->n_rules; i++) {
		key_done(rule_keys, ARRAY_SIZE(rule_keys), &sections->rules[i]);
		free(sections->rules[i].name);
	}
	sections->n_receivers = sections->n_rules = 0;
}

const struct config_rule *
config_rule_find(const struct config_sections *sections, const char *name)
{
	for (unsigned i = 0; i < sections->n_rules; i++)
		if (streq(sections->rules[i].name, name))
			return &sections->rules[i];
	return NULL;
}

/* -- Setting -------------------------------------------------------------- */

/* The name is shown to people and is a label. */
static int
check_name(const char *kind, const char *name, struct error *error)
{
	size_t n = strlen(name);

	if (!n || n > CONFIG_MAX_NAME ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != n)
		return error_set(error, EINVAL, "[%s %s]: a name has 1 to %d letters, digits, '-', '_', '.'",
				 kind, name, CONFIG_MAX_NAME);
	return 0;
}

static int
set_of_rule(struct config_sections *sections, const char *name, const char *key_name,
	    const char *value, struct error *error)
{
	const struct key *key = key_find(rule_keys, ARRAY_SIZE(rule_keys), key_name);
	struct config_rule *rule = (struct config_rule *) (uintptr_t) config_rule_find(sections, name);

	if (!key)
		return error_set(error, ENOENT, "[alert %s] has no key '%s'", name, key_name);
	if (!rule && sections->n_rules == CONFIG_MAX_RULES)
		return error_set(error, ERANGE, "more than %d rules", CONFIG_MAX_RULES);
	if (!rule)
		rule = add_rule(sections, name);
	return key_set(key, rule, value, error);
}

static int
set_of_receiver(struct config_sections *sections, const char *name, const char *key_name,
		const char *value, struct error *error)
{
	const struct key *key = key_find(receiver_keys, ARRAY_SIZE(receiver_keys), key_name);
	struct config_receiver *receiver = NULL;

	if (!key)
		return error_set(error, ENOENT, "[receiver %s] has no key '%s'", name, key_name);
	for (unsigned i = 0; i < sections->n_receivers; i++)
		if (streq(sections->receivers[i].name, name))
			receiver = &sections->receivers[i];
	if (!receiver && sections->n_receivers == CONFIG_MAX_RECEIVERS)
		return error_set(error, ERANGE, "more than %d receivers", CONFIG_MAX_RECEIVERS);
	if (!receiver)
		receiver = add_receiver(sections, name);
	return key_set(key, receiver, value, error);
}

int
config_sections_set(struct config_sections *sections, const char *section, const char *key,
		    const char *value, struct error *error)
{
	static const struct {
		const char *kind;
		int (*set)(struct config_sections *sections, const char *name, const char *key,
			   const char *value, struct error *error);
	} kinds[] = { { "alert", set_of_rule }, { "receiver", set_of_receiver } };

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t n = strlen(kinds[i].kind);
		const char *name = section + n;

		if (strncmp(section, kinds[i].kind, n) || (*name != ' ' && *name != '\t'))
			continue;
		name += strspn(name, " \t");
		if (check_name(kinds[i].kind, name, error))
			return -EINVAL;
		return kinds[i].set(sections, name, key, value, error);
	}
	return error_set(error, EINVAL, "[%s]: a section is [alert NAME] or [receiver NAME]", section);
}

/* -- Checking, printing --------------------------------------------------- */

static int
check_receiver(const struct config_receiver *receiver, struct error *error)
{
	bool is_http = !streq(receiver->type, "exec") && !streq(receiver->type, "journal");

	if (is_http && !starts_with(receiver->url, "http://") && !starts_with(receiver->url, "https://"))
		return error_set(error, EINVAL, "[receiver %s]: url must begin with http:// or https://",
				 receiver->name);
	if (streq(receiver->type, "exec") && *receiver->command != '/')
		return error_set(error, EINVAL, "[receiver %s]: command must be an absolute path",
				 receiver->name);
	if (receiver->retry_min_ns > receiver->retry_max_ns)
		return error_set(error, EINVAL, "[receiver %s]: retry-min is longer than retry-max",
				 receiver->name);
	return 0;
}

int
config_sections_check(const struct config_sections *sections, struct error *error)
{
	int r = 0;

	for (unsigned i = 0; i < sections->n_receivers && !r; i++)
		r = check_receiver(&sections->receivers[i], error);
	return r;
}

static void
print_section(const char *kind, const char *name, const struct key *keys, size_t n,
	      const void *object, FILE *file)
{
	fprintf(file, "\n[%s %s]\n", kind, name);
	for (size_t i = 0; i < n; i++)
		key_print(&keys[i], object, file);
}

/* A receiver as a comment, to be filled in. */
static void
print_template(FILE *file)
{
	struct config_receiver receiver = { .name = NULL };
	char *text = NULL;
	size_t size;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return;
	key_set_defaults(receiver_keys, ARRAY_SIZE(receiver_keys), &receiver);
	print_section("receiver", "NAME", receiver_keys, ARRAY_SIZE(receiver_keys), &receiver, memory);
	fclose(memory);
	for (const char *line = text + 1; *line; line = strchr(line, '\n') + 1)
		fprintf(file, "#%.*s\n", (int) strcspn(line, "\n"), line);
	free(text);
	key_done(receiver_keys, ARRAY_SIZE(receiver_keys), &receiver);
}

void
config_sections_print(const struct config_sections *sections, FILE *file)
{
	if (!sections->n_receivers)
		print_template(file);
	for (unsigned i = 0; i < sections->n_receivers; i++)
		print_section("receiver", sections->receivers[i].name, receiver_keys,
			      ARRAY_SIZE(receiver_keys), &sections->receivers[i], file);
	for (unsigned i = 0; i < sections->n_rules; i++)
		print_section("alert", sections->rules[i].name, rule_keys, ARRAY_SIZE(rule_keys),
			      &sections->rules[i], file);
}

void
config_sections_print_manual(const char *kind, FILE *file)
{
	bool is_rule = streq(kind, "alert");
	const struct key *keys = is_rule ? rule_keys : receiver_keys;
	size_t n = is_rule ? ARRAY_SIZE(rule_keys) : ARRAY_SIZE(receiver_keys);

	for (size_t i = 0; i < n; i++)
		key_print_manual(&keys[i], file);
}

bool
config_sections_are_same(const struct config_sections *a, const struct config_sections *b)
{
	if (a->n_receivers != b->n_receivers || a->n_rules != b->n_rules)
		return false;
	for (unsigned i = 0; i < a->n_receivers; i++)
		for (size_t k = 0; k < ARRAY_SIZE(receiver_keys); k++)
			if (!streq(a->receivers[i].name, b->receivers[i].name) ||
			    !key_is_same(&receiver_keys[k], &a->receivers[i], &b->receivers[i]))
				return false;
	for (unsigned i = 0; i < a->n_rules; i++)
		for (size_t k = 0; k < ARRAY_SIZE(rule_keys); k++)
			if (!streq(a->rules[i].name, b->rules[i].name) ||
			    !key_is_same(&rule_keys[k], &a->rules[i], &b->rules[i]))
				return false;
	return true;
}

void
config_sections_copy_receivers(struct config_sections *to, const struct config_sections *from)
{
	for (unsigned i = 0; i < from->n_receivers; i++) {
		struct config_receiver *receiver = add_receiver(to, from->receivers[i].name);

		for (size_t k = 0; k < ARRAY_SIZE(receiver_keys); k++)
			key_copy(&receiver_keys[k], receiver, &from->receivers[i]);
	}
}
