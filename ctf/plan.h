/* SPDX-License-Identifier: MIT
 *
 * plan.h -- an event class compiled: the few steps that fetch its wanted
 * fields and find its end.
 *
 * Fields of known size, aligned to bytes, cost nothing but a part of one
 * addition; wanted integers of any byte order, strings, and arrays and
 * sequences of such fields are one step each.  What does not fit (bit fields,
 * variants, natural alignment, fields mapped to a clock) is left to
 * interpret.h, which gives the same values.
 *
 * Most of what is wanted are little-endian integers before any field of unknown
 * size.  These are the quick steps: one loop here, a load and a shift each. */
#ifndef CTF_PLAN_H
#define CTF_PLAN_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ctf/event.h"
#include "ctf/node.h"

struct arena;

struct ctf_step {
	uint8_t code;            /* Of quick steps: the type of the value. */
	uint8_t slot;
	uint16_t store;          /* Where a length is kept or taken from; the shift of quick steps. */
	uint32_t offset;         /* Bytes from where the last step of unknown size ended... */
	union {
		struct {
			uint32_t size;   /* Bytes of an array, or of a sequence's element. */
			uint32_t need;   /* Bytes that must follow a step of unknown size. */
		};
		uint64_t sign;   /* Of quick steps: the bit of the sign, 0 without one. */
	};
};

/* Quick steps load the 8 bytes that end where the field does ('offset' is its
 * end): so many of the packet must lie before what a plan is run on. */
enum { CTF_PLAN_BEFORE = 8 };

struct ctf_plan {
	bool compiled;           /* Otherwise it must be interpreted. */
	uint32_t need;           /* Bytes before the first step of unknown size. */
	uint32_t tail;           /* Bytes behind the last one (all, without any). */
	uint32_t n_steps;
	uint32_t n_quick;        /* The first ones among them. */
	uint32_t n_values;       /* Steps among them that set a value. */
	const struct ctf_step *steps;
};

/* Compiles the scopes 'roots' (NULL: not there), read one after the other
 * from a byte border.  Returns 0, or -ENOMEM; a class that is not for plans
 * is no error: 'plan' says so. */
int ctf_plan_compile(struct ctf_plan *plan, struct arena *arena,
		     const struct ctf_node *const *roots, unsigned n_roots);

/* For ctf_plan_run(): the steps behind the first quick ones. */
const uint8_t *ctf_plan_steps(const struct ctf_plan *plan, const uint8_t *at, const uint8_t *end,
			      struct ctf_value *values, uint64_t *stored);

static inline void
ctf_step_quick(const struct ctf_step *step, const uint8_t *at, struct ctf_value *values)
{
	struct ctf_value *value = &values[step->slot];
	uint64_t word;

	memcpy(&word, at + step->offset - CTF_PLAN_BEFORE, sizeof word);
	value->u = ((le64toh(word) >> step->store) ^ step->sign) - step->sign;
	value->type = (enum ctf_value_type) step->code;
	value->size = 0;
}

/* Fetches from 'at' into 'values' (absent ones are left alone) and returns
 * the event's end; NULL if it is beyond 'end' or a string has none.  At least
 * CTF_PLAN_BEFORE bytes of the packet lie before 'at'. */
static inline const uint8_t *
ctf_plan_run(const struct ctf_plan *plan, const uint8_t *at, const uint8_t *end,
	     struct ctf_value *values, uint64_t *stored)
{
	const struct ctf_step *step = plan->steps, *last = step + plan->n_quick;

	if ((uint64_t) (end - at) < plan->need)
		return NULL;
	for (; step < last; step++)
		ctf_step_quick(step, at, values);
	if (plan->n_steps == plan->n_quick)
		return at + plan->tail;
	return ctf_plan_steps(plan, at, end, values, stored);
}

#endif /* plan.h */
