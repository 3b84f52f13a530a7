/* SPDX-License-Identifier: MIT
 *
 * plan.h -- the steps from what sessiond has to what is wanted.  No steps mean
 * that there is nothing to do.  The same steps are printed by --dry-run, as the
 * lttng commands that a person would type, and carried out otherwise. */
#ifndef SESSION_PLAN_H
#define SESSION_PLAN_H

#include <stdio.h>

#include "instrumentation/session/state.h"
#include "lib/buf.h"

enum { DESTROY_WAIT_MS = 5000 };

enum step_kind {
	STEP_DESTROY,
	STEP_CREATE,
	STEP_CHANNEL,
	STEP_CONTEXT,
	STEP_ENABLE,
	STEP_DISABLE,
	STEP_START,
};

struct step {
	enum step_kind kind;
	enum domain domain;
	const char *name;            /* Of a context or event; lives as long as the inputs. */
	unsigned context;            /* Which one, for STEP_CONTEXT. */
	enum lttng_event_type type;  /* Of an event. */
	unsigned wait_ms;            /* For STEP_DESTROY: to send what is left. */
	const char *symbol;          /* Of an event that is a probe; else NULL. */
};

struct plan {
	struct step *steps;
	size_t n;
	const char *because;  /* Why the session is made anew; NULL if it isn't. */
	enum domain failed;   /* Which one plan_run() failed in; N_DOMAINS: in none. */
	size_t n_done;        /* Steps that plan_run() has carried out. */
};

/* 'lost' says why the session that is there is of no use, or is NULL. */
void plan_make(struct plan *plan, const struct wanted *wanted, const struct session_state *state,
	       const char *lost);
void plan_done(struct plan *plan);
/* What it would do, one lttng command a line. */
void plan_print(const struct plan *plan, const struct wanted *wanted, FILE *file);
/* Does it.  Single events that can't be enabled are told in 'problems', one a
 * line, and left out.  0, or negative with 'error' filled. */
int plan_run(struct plan *plan, const struct wanted *wanted, struct buf *problems,
	     struct error *error);

/* Adds the line for a probe that the kernel doesn't take. */
void tell_no_probe(const char *name, const char *symbol, struct buf *text);

/* Ends a session: what was recorded is sent first, for at most 'wait_ms'.  1
 * when there was one, 0 when not. */
int session_destroy(const char *name, unsigned wait_ms, struct error *error);

#endif /* plan.h */
