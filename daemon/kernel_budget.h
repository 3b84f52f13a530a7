/* SPDX-License-Identifier: MIT
 *
 * kernel_budget.h -- where a process or thread spent a span, as its kernel saw it:
 * a list of {"what", "ns", "by"?, "why"?} that adds up to the span exactly, the
 * longest part first.
 *
 *   cpu          it ran
 *   waiting-cpu  it could have run, but "by" had the CPU (absent: nobody that is known)
 *   disk, network, timer, interrupt  it slept until that woke it
 *   task         it slept until the thread "by" woke it
 *   blocked      it slept, and what woke it is not known
 *   unexplained  nobody knows: "why" says the reason in words
 *
 * A process is as busy as its busiest thread: it runs while one of them does, else waits
 * while one does, else sleeps until the first of them is woken. */
#ifndef DAEMON_KERNEL_BUDGET_H
#define DAEMON_KERNEL_BUDGET_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/store.h"

/* Whom a question is about. */
enum kernel_who {
	KERNEL_PROCESS,              /* All threads of 'pid', or 'tid' alone where it is set. */
	KERNEL_MIGRATION,            /* Those of QEMU 'pid' that migrate, while there are any; else
				      * its main thread. */
	KERNEL_SERVICE,              /* Of 'pid' those that can be a service's by their name. */
};

struct kernel_question {
	enum kernel_who who;
	uint64_t pid, tid;           /* tid 0: see above. */
	uint64_t from_ns, to_ns;     /* By the host's own clock. */
};

/* One span with "percent" in each part.  A new reference; NULL: that host's kernel was not
 * traced then. */
json_t *kernel_span_budget(struct store *store, const char *host, uint64_t pid, uint64_t tid,
			   uint64_t from_ns, uint64_t to_ns);
/* Many spans of one host, while its windows are read once: an array with the list of each,
 * in the order of 'questions', without percents.  NULL as above. */
json_t *kernel_budgets(struct store *store, const char *host,
		       const struct kernel_question *questions, size_t n);

/* Makes one list of parts of several: equal ones are added up, the longest come first.
 * 'add' adds the parts of 'from' to 'to'; 'finish' sorts, and sets percents that add up to
 * exactly 100 (none where there is no time). */
void budget_add(json_t *to, const json_t *from);
void budget_add_part(json_t *to, const char *what, uint64_t ns, const char *by, const char *why);
void budget_finish(json_t *budget);
/* A list of one part: that the kernel of the host (NULL: of what host is not known) was not
 * traced.  A new reference. */
json_t *budget_unknown(const char *host, uint64_t ns);
/* Adds "budget" to each closed stage and round of a migration as migration.show gives it
 * (what the threads that migrate did at the source), and to the whole: its stages, each with
 * its "parts", and what lies between them. */
void budget_add_migration(struct store *store, json_t *migration);
/* The sum of all parts. */
uint64_t budget_total(const json_t *budget);

#endif /* kernel_budget.h */
