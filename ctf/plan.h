/* SPDX-License-Identifier: MIT
 *
 * plan.h -- an event class compiled: the few steps that fetch its wanted
 * fields and find its end.
 *
 * Fields of known size, aligned to bytes, cost nothing but a part of one
 * addition; wanted integers of any byte order, strings, and arrays and
 * sequences of such fields are one step each.  What does not fit (bit fields,
 * variants, natural alignment, fields mapped to a clock) is left to
 * interpret.h, which gives the same values. */
#ifndef CTF_PLAN_H
#define CTF_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctf/event.h"
#include "ctf/node.h"

struct arena;

struct ctf_step {
	uint8_t code;
	uint8_t slot;
	uint16_t store;          /* Where a length is kept or taken from. */
	uint32_t offset;         /* Bytes from where the last step of unknown size ended. */
	uint32_t size;           /* Bytes of an array, or of a sequence's element. */
	uint32_t need;           /* Bytes that must follow a step of unknown size. */
};

struct ctf_plan {
	bool compiled;           /* Otherwise it must be interpreted. */
	uint32_t need;           /* Bytes before the first step of unknown size. */
	uint32_t tail;           /* Bytes behind the last one (all, without any). */
	uint32_t n_steps;
	uint32_t n_values;       /* Steps among them that set a value. */
	const struct ctf_step *steps;
};

/* Compiles the scopes 'roots' (NULL: not there), read one after the other
 * from a byte border.  Returns 0, or -ENOMEM; a class that is not for plans
 * is no error: 'plan' says so. */
int ctf_plan_compile(struct ctf_plan *plan, struct arena *arena,
		     const struct ctf_node *const *roots, unsigned n_roots);

/* For ctf_plan_run(): from 'at' on, where plan->need bytes are there. */
const uint8_t *ctf_plan_steps(const struct ctf_plan *plan, const uint8_t *at, const uint8_t *end,
			      struct ctf_value *values, uint64_t *stored);

/* Fetches from 'at' into 'values' (absent ones are left alone) and returns
 * the event's end; NULL if it is beyond 'end' or a string has none. */
static inline const uint8_t *
ctf_plan_run(const struct ctf_plan *plan, const uint8_t *at, const uint8_t *end,
	     struct ctf_value *values, uint64_t *stored)
{
	if ((uint64_t) (end - at) < plan->need)
		return NULL;
	if (!plan->n_steps)
		return at + plan->tail;
	return ctf_plan_steps(plan, at, end, values, stored);
}

#endif /* plan.h */
