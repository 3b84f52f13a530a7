/* SPDX-License-Identifier: MIT
 *
 * alert_rules.h -- alert rules as the configuration gives them: compiled, and
 * evaluated on facts, records and sources.
 *
 * What a rule gives follows from the facts alone, in trace time: an alert is of
 * one thing (id: rule and thing), or of a cluster of things that are counted
 * together (id: rule, subject, and the first time at which there were enough).
 * Only alerts about sources follow from the wall clock. */
#ifndef DAEMON_ALERT_RULES_H
#define DAEMON_ALERT_RULES_H

#include <jansson.h>
#include <stdbool.h>

#include "analyzers/facts.h"
#include "daemon/config_sections.h"
#include "daemon/store.h"
#include "lib/error.h"

struct alert_rules;

/* Compiles; the error names the rule and what is wrong in it. */
int alert_rules_new(const struct config_rule *rules, unsigned n, struct alert_rules **ret,
		    struct error *error);
/* Accepts NULL. */
void alert_rules_free(struct alert_rules *rules);
/* A fact was put and changed the store. */
int alert_rules_fact(struct alert_rules *rules, struct store *store, const struct fact *fact,
		     struct error *error);
/* A migration or a flow changed; 'record' is NULL when it is gone. */
int alert_rules_record(struct alert_rules *rules, struct store *store, const char *topic,
		       const char *id, const json_t *record, struct error *error);
/* A source told its state. */
int alert_rules_source(struct alert_rules *rules, struct store *store,
		       const struct store_source *source, struct error *error);
/* Has all windows that are kept judged with the next alert_rules_settle(). */
int alert_rules_windows(struct alert_rules *rules, struct store *store, struct error *error);
/* Brings alerts of rules that count up to date; before each commit. */
int alert_rules_settle(struct alert_rules *rules, struct store *store, struct error *error);
/* For rules that alerts.c evaluates: whether it is off, and its severity if that
 * was configured (else NULL).  'rules' may be NULL. */
bool alert_rules_is_off(const struct alert_rules *rules, const char *rule);
/* Sets the severity and the labels of a rule in an alert. */
void alert_rules_dress(const struct alert_rules *rules, const char *rule, json_t *alert);

#endif /* alert_rules.h */
