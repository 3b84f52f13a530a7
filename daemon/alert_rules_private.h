/* SPDX-License-Identifier: MIT
 *
 * alert_rules_private.h -- shared by the files that evaluate alert rules. */
#ifndef DAEMON_ALERT_RULES_PRIVATE_H
#define DAEMON_ALERT_RULES_PRIVATE_H

#include <stdlib.h>

#define uthash_fatal(MESSAGE) abort()
#include <uthash.h>

#include "daemon/alert_condition.h"
#include "daemon/alert_rules.h"
#include "daemon/alert_windows.h"

enum { ALERT_ID_SIZE = 17, MAX_HITS = 5000, MAX_SUBJECT = 160, MAX_SOURCES = 65536 };

enum target { TARGET_SPAN, TARGET_MARK, TARGET_SAMPLE, TARGET_WINDOW,
	      TARGET_MIGRATION, TARGET_FLOW, TARGET_SOURCE };

struct rule {
	char *name, *kind, *subject, *severity, *labels, *text;
	enum target target;
	struct condition condition;
	uint64_t count, within_ns, absent_ns, hold_ns;
	bool builtin, off;
};

/* A subject of a counting rule that has to be looked at again. */
struct touched {
	const struct rule *rule;
	char subject[MAX_SUBJECT];
	uint64_t from_ns, to_ns;
	json_t *object;              /* What it was last seen in. */
	char key[MAX_SUBJECT + 24];
	UT_hash_handle hh;
};

/* Lost events of a source, to see when there are more. */
struct counted {
	char key[512];
	uint64_t lost_events;
	UT_hash_handle hh;
};

struct alert_rules {
	struct rule *rules;
	unsigned n;
	struct touched *touched;
	struct counted *sources;
	struct alert_windows *windows;
};

void rule_alert_id(const char *rule, const char *what, char ret[ALERT_ID_SIZE]);
/* An alert of this rule with the text for 'object'; end_ns 0: it goes on. */
json_t *rule_alert(const struct rule *rule, const char *id, const char *subject, const json_t *object,
		   uint64_t start_ns, uint64_t end_ns);
/* Puts it (NULL: forgets it), and drops the reference. */
int rule_put(struct store *store, const char *id, json_t *alert, struct error *error);
bool rule_is_about(const struct rule *rule, enum target target, const char *kind);

/* alert_rules_rpc.c: how long a message waited until it was served, added to the
 * object of a fact "rpc.served" as "queued_ns", where that can be told. */
void rule_add_queued(struct store *store, const struct fact *fact, json_t *object);
/* Calls 'judge' for the facts "rpc.served" of the message of 'call'. */
int rule_each_served(struct alert_rules *rules, struct store *store, const struct fact *call,
		     int (*judge)(struct alert_rules *rules, struct store *store, const struct fact *fact,
				  struct error *error),
		     struct error *error);

#endif /* alert_rules_private.h */
