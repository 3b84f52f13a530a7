/* SPDX-License-Identifier: MIT
 *
 * settle.h -- answers that outlive the windows they were made from.
 *
 * Windows are fine for an hour, coarse after that, and removed after days; what was
 * made of them for a migration or request has to be there, the same, for as long as
 * its record.  So everything that asks windows about a span of the past asks through
 * settled_ask(), and before windows are joined or removed the writer makes the
 * answers about what lies there once more, and keeps each small answer by its
 * question.  An answer is a function of the store at that time; what was kept is no
 * part of what --dump-store compares. */
#ifndef DAEMON_SETTLE_H
#define DAEMON_SETTLE_H

#include <jansson.h>
#include <stdint.h>

#include "daemon/store.h"
#include "lib/error.h"

struct settled_question {
	const char *what;            /* Kind of question with all its options: "threads 16". */
	const char *host;
	uint64_t pid, tid;           /* 0: not asked for. */
	uint64_t from_ns, to_ns;     /* An open end (0) is never kept. */
};

/* A new reference, or NULL: nothing is known.  A function of question and store. */
typedef json_t *settled_fn(struct store *store, const struct settled_question *question);

/* What is kept of that very question, else what 'ask' gives. */
json_t *settled_ask(struct store *store, const struct settled_question *question, settled_fn *ask);

/* Settles what has fine windows and ended some time before the newest of them, and all
 * that ended before 'remove_ns', before which windows are about to be removed.  Many
 * short transactions, for some seconds at most.  Then *ret_thin_ns is before what is
 * left to be settled, and 1 is returned; else 0 or a negative errno.  Not to be
 * called within a transaction. */
int settle_windows(struct store *store, uint64_t remove_ns, uint64_t *ret_thin_ns,
		   struct error *error);

#endif /* settle.h */
