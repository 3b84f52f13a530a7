/* SPDX-License-Identifier: MIT */
#include "ctf/plan.h"

#include <errno.h>

#include "ctf/arena.h"
#include "lib/util.h"

enum { MAX_STEPS = 512, MAX_BYTES = 1 << 28 };

/* Number steps come in the order of their sizes, little endian before big. */
enum code {
	QUICK_UNSIGNED = CTF_UNSIGNED,
	QUICK_SIGNED = CTF_SIGNED,
	U16_BE, U32_BE, U64_BE,
	S16_BE, S32_BE, S64_BE,
	F32, F64, F32_BE, F64_BE,
	STORE_8, STORE_16, STORE_32, STORE_64, STORE_16_BE, STORE_32_BE, STORE_64_BE,
	CHARS, BYTES,
	/* Of unknown size: */
	SKIP_STRING, STRING, SKIP_SEQUENCE, CHAR_SEQUENCE, BYTE_SEQUENCE,
};

struct compile {
	struct ctf_step steps[MAX_STEPS];
	unsigned n;
	int last_unknown;        /* Index of the last step of unknown size, or -1. */
	uint64_t offset;         /* Behind that step. */
	uint32_t need;           /* Of the plan. */
	unsigned n_values;
};

static bool
add_step(struct compile *c, enum code code, const struct ctf_node *node, int store, uint64_t size)
{
	if (c->n == MAX_STEPS || c->offset > MAX_BYTES || size > MAX_BYTES)
		return false;
	c->steps[c->n++] = (struct ctf_step) {
		.code = (uint8_t) code,
		.slot = (uint8_t) (node->slot >= 0 ? node->slot : 0),
		.store = (uint16_t) (store >= 0 ? store : 0),
		.offset = (uint32_t) c->offset,
		.size = (uint32_t) size,
	};
	c->n_values += node->slot >= 0 && !(code >= STORE_8 && code <= STORE_64_BE);
	return true;
}

static bool
end_known(struct compile *c)
{
	if (c->offset > MAX_BYTES)
		return false;
	if (c->last_unknown < 0)
		c->need = (uint32_t) c->offset;
	else
		c->steps[c->last_unknown].need = (uint32_t) c->offset;
	return true;
}

static bool
add_unknown(struct compile *c, enum code code, const struct ctf_node *node, uint64_t size)
{
	if (!end_known(c) || !add_step(c, code, node, node->from, size))
		return false;
	c->last_unknown = (int) c->n - 1;
	c->offset = 0;
	return true;
}

static bool
add_quick(struct compile *c, const struct ctf_node *node)
{
	struct ctf_step *step = &c->steps[c->n];

	if (!add_step(c, node->is_signed ? QUICK_SIGNED : QUICK_UNSIGNED, node, 64 - node->size, 0))
		return false;
	step->offset += node->size / 8;
	step->sign = node->is_signed ? UINT64_C(1) << (node->size - 1) : 0;
	return true;
}

static bool
compile_number(struct compile *c, const struct ctf_node *node)
{
	int width = node->size == 8 ? 0 : node->size == 16 ? 1 : node->size == 32 ? 2 :
		node->size == 64 ? 3 : -1;
	bool big = node->big_endian && width > 0;
	enum code code;

	if (node->align > 8 || node->size % 8 || node->mapped)
		return false;
	if ((node->slot >= 0 || node->store >= 0) && width < 0)
		return false;
	if (node->slot >= 0 && node->kind != CTF_FLOAT && !big) {
		if (!add_quick(c, node))
			return false;
	} else if (node->slot >= 0) {
		if (node->kind == CTF_FLOAT)
			code = (node->size == 64 ? F64 : F32) + (big ? 2 : 0);
		else
			code = (node->is_signed ? S16_BE : U16_BE) + width - 1;
		if (!add_step(c, code, node, -1, 0))
			return false;
	}
	if (node->store >= 0) {
		/* Negative lengths and tags are the interpreter's to refuse. */
		code = (big ? STORE_16_BE - 1 : STORE_8) + width;
		if (node->is_signed || !add_step(c, code, node, node->store, 0))
			return false;
	}
	c->offset += node->size / 8;
	return c->offset <= MAX_BYTES;
}

/* Bytes of a field that is always the same size and that nobody looks into;
 * -1 if it is not one. */
static int64_t
fixed_bytes(const struct ctf_node *node)
{
	int64_t total = 0, bytes;

	if (node->align > 8 || node->store >= 0 || node->mapped || node->slot >= 0)
		return -1;
	switch (node->kind) {
	case CTF_INTEGER:
	case CTF_FLOAT:
		return node->size % 8 ? -1 : node->size / 8;
	case CTF_STRUCT:
		for (uint32_t i = 0; i < node->n; i++) {
			bytes = fixed_bytes(&node->children[i]);
			if (bytes < 0 || (total += bytes) > MAX_BYTES)
				return -1;
		}
		return total;
	case CTF_ARRAY:
		bytes = fixed_bytes(node->children);
		if (bytes < 0 || node->length > MAX_BYTES ||
		    __builtin_mul_overflow(bytes, (int64_t) node->length, &total) ||
		    total > MAX_BYTES)
			return -1;
		return total;
	default:
		return -1;
	}
}

static bool
compile_array(struct compile *c, const struct ctf_node *node)
{
	const struct ctf_node *element = node->children;
	int64_t bytes = fixed_bytes(element);
	enum code code;

	if (bytes < 0 || node->align > 8)
		return false;
	if (node->kind == CTF_SEQUENCE) {
		code = node->slot < 0 ? SKIP_SEQUENCE : element->is_chars ? CHAR_SEQUENCE :
			BYTE_SEQUENCE;
		/* The interpreter bounds how many empty elements there may be. */
		return bytes > 0 && add_unknown(c, code, node, (uint64_t) bytes);
	}
	if (node->length > MAX_BYTES || bytes * (int64_t) node->length > MAX_BYTES)
		return false;
	if (node->slot >= 0 &&
	    !add_step(c, element->is_chars ? CHARS : BYTES, node, -1, node->length))
		return false;
	c->offset += (uint64_t) bytes * node->length;
	return c->offset <= MAX_BYTES;
}

static bool
compile_node(struct compile *c, const struct ctf_node *node)
{
	switch (node->kind) {
	case CTF_INTEGER:
	case CTF_FLOAT:
		return compile_number(c, node);
	case CTF_TEXT:
		return add_unknown(c, node->slot >= 0 ? STRING : SKIP_STRING, node, 0);
	case CTF_STRUCT:
		if (node->align > 8)
			return false;
		for (uint32_t i = 0; i < node->n; i++)
			if (!compile_node(c, &node->children[i]))
				return false;
		return true;
	case CTF_ARRAY:
	case CTF_SEQUENCE:
		return compile_array(c, node);
	default:
		return false;
	}
}

/* Copies the steps, with the quick ones among those of known size before all
 * others: these do not depend on each other.  Returns how many they are. */
static uint32_t
order_steps(const struct compile *c, struct ctf_step *ret)
{
	unsigned known = 0, n = 0;
	uint32_t n_quick;

	while (known < c->n && c->steps[known].code < SKIP_STRING)
		known++;
	for (unsigned i = 0; i < known; i++)
		if (c->steps[i].code <= QUICK_SIGNED)
			ret[n++] = c->steps[i];
	n_quick = n;
	for (unsigned i = 0; i < c->n; i++)
		if (i >= known || c->steps[i].code > QUICK_SIGNED)
			ret[n++] = c->steps[i];
	return n_quick;
}

int
ctf_plan_compile(struct ctf_plan *plan, struct arena *arena, const struct ctf_node *const *roots,
		 unsigned n_roots)
{
	struct compile c;            /* Its steps need not be cleared for each class. */
	struct ctf_step *steps;

	c.n = c.n_values = c.need = 0;
	c.offset = 0;
	c.last_unknown = -1;

	*plan = (struct ctf_plan) { 0 };
	for (unsigned i = 0; i < n_roots; i++)
		if (roots[i] && !compile_node(&c, roots[i]))
			return 0;
	if (!end_known(&c))
		return 0;
	steps = arena_alloc(arena, c.n * sizeof *steps);
	if (!steps)
		return -ENOMEM;
	*plan = (struct ctf_plan) {
		.compiled = true,
		.n_values = c.n_values,
		.need = c.need,
		.tail = (uint32_t) c.offset,
		.n_steps = c.n,
		.n_quick = order_steps(&c, steps),
		.steps = steps,
	};
	return 0;
}

#define LOAD(TYPE, FROM) ({ TYPE loaded_; memcpy(&loaded_, (FROM), sizeof loaded_); loaded_; })

static inline void
set_unsigned(struct ctf_value *value, uint64_t u)
{
	value->type = CTF_UNSIGNED;
	value->size = 0;
	value->u = u;
}

static inline void
set_signed(struct ctf_value *value, int64_t i)
{
	value->type = CTF_SIGNED;
	value->size = 0;
	value->i = i;
}

static inline void
set_float(struct ctf_value *value, uint32_t bits)
{
	float single;

	memcpy(&single, &bits, sizeof single);
	*value = (struct ctf_value) { .type = CTF_REAL, .r = (double) single };
}

static inline void
set_double(struct ctf_value *value, uint64_t bits)
{
	double real;

	memcpy(&real, &bits, sizeof real);
	*value = (struct ctf_value) { .type = CTF_REAL, .r = real };
}

static inline void
set_string(struct ctf_value *value, enum ctf_value_type type, const uint8_t *at, size_t size)
{
	value->type = type;
	value->size = (uint32_t) size;
	value->s = (const char *) at;
}

/* Steps of known size. */
static inline void
run_known(const struct ctf_step *step, const uint8_t *at, struct ctf_value *value,
	  uint64_t *stored)
{
	switch ((enum code) step->code) {
	case U16_BE: set_unsigned(value, be16toh(LOAD(uint16_t, at))); break;
	case U32_BE: set_unsigned(value, be32toh(LOAD(uint32_t, at))); break;
	case U64_BE: set_unsigned(value, be64toh(LOAD(uint64_t, at))); break;
	case S16_BE: set_signed(value, (int16_t) be16toh(LOAD(uint16_t, at))); break;
	case S32_BE: set_signed(value, (int32_t) be32toh(LOAD(uint32_t, at))); break;
	case S64_BE: set_signed(value, (int64_t) be64toh(LOAD(uint64_t, at))); break;
	case F32: set_float(value, le32toh(LOAD(uint32_t, at))); break;
	case F64: set_double(value, le64toh(LOAD(uint64_t, at))); break;
	case F32_BE: set_float(value, be32toh(LOAD(uint32_t, at))); break;
	case F64_BE: set_double(value, be64toh(LOAD(uint64_t, at))); break;
	case STORE_8: stored[step->store] = *at; break;
	case STORE_16: stored[step->store] = le16toh(LOAD(uint16_t, at)); break;
	case STORE_32: stored[step->store] = le32toh(LOAD(uint32_t, at)); break;
	case STORE_64: stored[step->store] = le64toh(LOAD(uint64_t, at)); break;
	case STORE_16_BE: stored[step->store] = be16toh(LOAD(uint16_t, at)); break;
	case STORE_32_BE: stored[step->store] = be32toh(LOAD(uint32_t, at)); break;
	case STORE_64_BE: stored[step->store] = be64toh(LOAD(uint64_t, at)); break;
	case CHARS:
		set_string(value, CTF_STRING, at, strnlen((const char *) at, step->size));
		break;
	case BYTES: set_string(value, CTF_BYTES, at, step->size); break;
	default: break;
	}
}

/* Steps of unknown size: returns where the field ends, or NULL. */
static inline const uint8_t *
run_unknown(const struct ctf_step *step, const uint8_t *at, const uint8_t *end,
	    struct ctf_value *value, const uint64_t *stored)
{
	const uint8_t *nul;
	uint64_t n;

	if (step->code <= STRING) {
		nul = memchr(at, 0, (size_t) (end - at));
		if (!nul)
			return NULL;
		if (step->code == STRING)
			set_string(value, CTF_STRING, at, (size_t) (nul - at));
		return nul + 1;
	}
	n = stored[step->store];
	if (step->code == SKIP_SEQUENCE)
		return n <= (uint64_t) (end - at) / step->size ? at + n * step->size : NULL;
	if (n > (uint64_t) (end - at) || n > UINT32_MAX)
		return NULL;
	if (step->code == CHAR_SEQUENCE)
		set_string(value, CTF_STRING, at, strnlen((const char *) at, n));
	else
		set_string(value, CTF_BYTES, at, n);
	return at + n;
}

const uint8_t *
ctf_plan_steps(const struct ctf_plan *plan, const uint8_t *at, const uint8_t *end,
	       struct ctf_value *values, uint64_t *stored)
{
	const struct ctf_step *last = plan->steps + plan->n_steps;

	for (const struct ctf_step *step = plan->steps + plan->n_quick; step < last; step++) {
		if (step->code <= QUICK_SIGNED) {
			ctf_step_quick(step, at, values);
			continue;
		}
		if (step->code < SKIP_STRING) {
			run_known(step, at + step->offset, &values[step->slot], stored);
			continue;
		}
		at = run_unknown(step, at + step->offset, end, &values[step->slot], stored);
		if (!at || (uint64_t) (end - at) < step->need)
			return NULL;
	}
	return at + plan->tail;
}
