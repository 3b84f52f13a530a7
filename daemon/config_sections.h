/* SPDX-License-Identifier: MIT
 *
 * config_sections.h -- the sections of the configuration: "[receiver NAME]", to
 * whom alerts go, and "[alert NAME]", rules that raise them. */
#ifndef DAEMON_CONFIG_SECTIONS_H
#define DAEMON_CONFIG_SECTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/error.h"

enum { CONFIG_MAX_RECEIVERS = 32, CONFIG_MAX_RULES = 256, CONFIG_MAX_NAME = 64 };

struct config_receiver {
	char *name;
	char *type;              /* "alertmanager", "webhook", "journal", "exec", "otlp" */
	char *url, *command;
	char *severity, *rules;  /* From this severity on; names of rules, "" for all. */
	char *token, *authority, *certificate, *key;   /* Files; "": none. */
	uint64_t timeout_ns, resend_ns, retry_min_ns, retry_max_ns;
	uint64_t max_queue;
};

struct config_rule {
	char *name;
	char *enabled;           /* "yes" or "no" */
	char *on, *when;         /* What it looks at, and the condition; see alert_rules.h. */
	char *subject;           /* Member that says what the alert is about; "": the thing itself. */
	uint64_t count, within_ns;   /* So many within that time. */
	uint64_t absent_ns;      /* None for so long; 0: not asked. */
	uint64_t hold_ns;        /* How long an alert of a moment goes on firing. */
	char *severity, *labels, *text;
	bool builtin;            /* Evaluated by alerts.c: only some keys matter. */
};

struct config_sections {
	struct config_receiver receivers[CONFIG_MAX_RECEIVERS];
	unsigned n_receivers;
	struct config_rule rules[CONFIG_MAX_RULES];
	unsigned n_rules;
};

/* The default rules, no receivers. */
void config_sections_init(struct config_sections *sections);
void config_sections_done(struct config_sections *sections);
/* Sets a key of the section "KIND NAME", making it if it is new; the keys of a
 * default rule that are not set stay as they are. */
int config_sections_set(struct config_sections *sections, const char *section, const char *key,
			const char *value, struct error *error);
/* Checks what no single key can tell. */
int config_sections_check(const struct config_sections *sections, struct error *error);
void config_sections_print(const struct config_sections *sections, FILE *file);
/* The keys of "receiver" or "alert" as items of a list in mdoc(7). */
void config_sections_print_manual(const char *kind, FILE *file);
bool config_sections_are_same(const struct config_sections *a, const struct config_sections *b);
/* 'to' is empty before. */
void config_sections_copy_receivers(struct config_sections *to, const struct config_sections *from);
const struct config_rule *config_rule_find(const struct config_sections *sections, const char *name);

/* config_rules.c: the default rules, ended by a NULL name. */
struct config_default_rule {
	const char *name, *on, *when, *subject;
	uint64_t count, within_s, absent_s, hold_s;
	const char *severity, *text;
	bool builtin;
};
extern const struct config_default_rule config_default_rules[];

#endif /* config_sections.h */
