/* SPDX-License-Identifier: MIT
 *
 * alert_condition.h -- conditions of alert rules over the members of a JSON
 * object, and texts with members in them. */
#ifndef DAEMON_ALERT_CONDITION_H
#define DAEMON_ALERT_CONDITION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/error.h"

enum { CONDITION_MAX_TERMS = 8 };

enum condition_op { OP_LESS, OP_AT_MOST, OP_MORE, OP_AT_LEAST, OP_IS, OP_IS_NOT, OP_CONTAINS };

struct condition_term {
	char *member;             /* With dots for inner objects. */
	enum condition_op op;
	bool is_number;
	double number;            /* In ns, bytes, or as it stands. */
	char *words;              /* "a|b" */
};

struct condition {
	struct condition_term terms[CONDITION_MAX_TERMS];
	unsigned n;
	uint64_t open_ns;         /* 'open > D'; 0: not asked. */
};

/* "MEMBER OP VALUE [and ...]"; "" is always true. */
int condition_parse(const char *text, struct condition *ret, struct error *error);
void condition_done(struct condition *condition);
/* All terms but 'open'. */
bool condition_holds(const struct condition *condition, const json_t *object);
/* The member at a path with dots, or NULL. */
const json_t *condition_member(const json_t *object, const char *path);
/* Adds 'text' with each {member} replaced: durations (duration, *_ns) as people
 * read them, "-" for what is not there. */
void condition_add_text(struct buf *out, const char *text, const json_t *object);

#endif /* alert_condition.h */
