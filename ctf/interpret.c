/* SPDX-License-Identifier: MIT */
#include "ctf/interpret.h"

#include <errno.h>
#include <string.h>

#include "ctf/limits.h"
#include "ctf/trace_private.h"
#include "lib/util.h"

/* A visitor with its context; NULL where nobody is told (hidden fields). */
struct telling {
	const struct ctf_visitor *to;
	void *context;
};

static int read_node(struct ctf_cursor *c, const struct ctf_node *node, const char *name,
		     const struct telling *telling);

static int
fail(struct ctf_cursor *c, int code, const char *problem, const struct ctf_node *node)
{
	if (!c->problem)
		c->problem = problem;
	if (!c->field)
		c->field = node->name;
	return -code;
}

static int
cut_off(struct ctf_cursor *c, const struct ctf_node *node)
{
	return fail(c, ENODATA, "it ends beyond the packet's content", node);
}

/* Bits that CTF puts into 'size' bits from bit 'at' on: big endian starts at
 * the highest bit of a byte, little endian at the lowest. */
static uint64_t
read_bits(const uint8_t *bytes, uint64_t at, unsigned size, bool big_endian)
{
	const uint8_t *from = bytes + at / 8;
	unsigned shift = at % 8, n = (shift + size + 7) / 8;
	unsigned __int128 wide = 0;

	if (big_endian) {
		for (unsigned i = 0; i < n; i++)
			wide = wide << 8 | from[i];
		wide >>= n * 8 - shift - size;
	} else {
		for (unsigned i = n; i--; )
			wide = wide << 8 | from[i];
		wide >>= shift;
	}
	return (uint64_t) wide & (size == 64 ? UINT64_MAX : (UINT64_C(1) << size) - 1);
}

static int64_t
sign_extend(uint64_t value, unsigned size)
{
	return (int64_t) (value << (64 - size)) >> (64 - size);
}

static int
read_integer(struct ctf_cursor *c, const struct ctf_node *node, const char *name,
	     const struct telling *telling)
{
	uint64_t value;

	if (node->size > c->end - c->at)
		return cut_off(c, node);
	value = read_bits(c->bytes, c->at, node->size, node->big_endian);
	c->at += node->size;
	if (node->is_signed)
		value = (uint64_t) sign_extend(value, node->size);
	if (node->meaning && c->places)
		c->places[node->meaning] = (struct ctf_packet_place) {
			(uint32_t) (c->at - node->size), node->size, node->big_endian };
	if (node->meaning && c->meanings) {
		c->meanings[node->meaning] = value;
		c->has_meanings |= 1u << node->meaning;
	}
	if (node->ticks && c->clock)
		ctf_clock_update(c->clock, value, node->size);
	if (node->store >= 0)
		c->stored[node->store] = value;
	if (node->slot >= 0 && c->values)
		c->values[node->slot] = (struct ctf_value) {
			.type = node->is_signed ? CTF_SIGNED : CTF_UNSIGNED, .u = value };
	if (telling && node->is_signed)
		telling->to->signed_integer(telling->context, name, (int64_t) value);
	else if (telling)
		telling->to->unsigned_integer(telling->context, name, value);
	return 0;
}

static int
read_float(struct ctf_cursor *c, const struct ctf_node *node, const char *name,
	   const struct telling *telling)
{
	uint64_t bits;
	uint32_t low;
	float single;
	double real;

	if (node->size > c->end - c->at)
		return cut_off(c, node);
	bits = read_bits(c->bytes, c->at, node->size, node->big_endian);
	c->at += node->size;
	low = (uint32_t) bits;
	memcpy(&single, &low, sizeof single);
	memcpy(&real, &bits, sizeof real);
	if (node->size == 32)
		real = (double) single;
	if (node->slot >= 0 && c->values)
		c->values[node->slot] = (struct ctf_value) { .type = CTF_REAL, .r = real };
	if (telling)
		telling->to->real(telling->context, name, real, node->size == 32);
	return 0;
}

static void
set_bytes(struct ctf_cursor *c, const struct ctf_node *node, enum ctf_value_type type,
	  const uint8_t *bytes, uint64_t size)
{
	struct ctf_value *value;

	if (node->slot < 0 || !c->values)
		return;
	value = &c->values[node->slot];
	value->type = type;
	value->size = size < UINT32_MAX ? (uint32_t) size : UINT32_MAX;
	value->s = (const char *) bytes;
}

static void
give_string(struct ctf_cursor *c, const struct ctf_node *node, const char *name,
	    const struct telling *telling, const uint8_t *bytes, size_t size)
{
	set_bytes(c, node, CTF_STRING, bytes, size);
	if (telling)
		telling->to->string(telling->context, name, (const char *) bytes, size);
}

static int
read_text(struct ctf_cursor *c, const struct ctf_node *node, const char *name,
	  const struct telling *telling)
{
	const uint8_t *from = c->bytes + c->at / 8, *nul;

	nul = memchr(from, 0, c->end / 8 - c->at / 8);
	if (!nul)
		return fail(c, ENODATA, "a string has no end in the packet's content", node);
	give_string(c, node, name, telling, from, (size_t) (nul - from));
	c->at += (uint64_t) (nul + 1 - from) * 8;
	return 0;
}

static int
read_struct(struct ctf_cursor *c, const struct ctf_node *node, const struct telling *telling)
{
	int r;

	for (uint32_t i = 0; i < node->n; i++) {
		const struct ctf_node *child = &node->children[i];

		r = read_node(c, child, ctf_node_name(child),
			      telling && !ctf_node_hidden(child) ? telling : NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

static int
read_variant(struct ctf_cursor *c, const struct ctf_node *node, const char *name,
	     const struct telling *telling)
{
	uint64_t tag = c->stored[node->from];

	for (uint32_t i = 0; i < node->n_ranges; i++) {
		const struct ctf_range *range = &node->ranges[i];

		if (node->tag_signed ?
		    (int64_t) tag >= (int64_t) range->low &&
		    (int64_t) tag <= (int64_t) range->high :
		    tag >= range->low && tag <= range->high)
			return read_node(c, &node->children[range->option], name, telling);
	}
	return fail(c, EBADMSG, "no option of the variant has this tag", node);
}

/* Arrays and sequences of bytes: at once. */
static int
read_bytes(struct ctf_cursor *c, const struct ctf_node *node, const char *name,
	   const struct telling *telling, uint64_t length)
{
	const uint8_t *from = c->bytes + c->at / 8;

	if (length > (c->end - c->at) / 8)
		return cut_off(c, node);
	c->at += length * 8;
	if (node->children->is_chars) {
		give_string(c, node, name, telling, from, strnlen((const char *) from, length));
		return 0;
	}
	if (node->meaning == CTF_MEANS_UUID)
		c->uuid = from;
	set_bytes(c, node, CTF_BYTES, from, length);
	if (!telling)
		return 0;
	telling->to->array_begin(telling->context, name);
	for (uint64_t i = 0; i < length; i++)
		if (node->children->is_signed)
			telling->to->signed_integer(telling->context, NULL, (int8_t) from[i]);
		else
			telling->to->unsigned_integer(telling->context, NULL, from[i]);
	telling->to->array_end(telling->context);
	return 0;
}

static int
read_array(struct ctf_cursor *c, const struct ctf_node *node, const char *name,
	   const struct telling *telling)
{
	const struct ctf_node *element = node->children;
	uint64_t length = node->kind == CTF_ARRAY ? node->length : c->stored[node->from];
	int r;

	if (element->is_chars || (element->is_byte && element->store < 0 && !element->mapped))
		return read_bytes(c, node, name, telling, length);
	if (telling)
		telling->to->array_begin(telling->context, name);
	for (uint64_t i = 0; i < length; i++) {
		uint64_t before = c->at;

		r = read_node(c, element, NULL, telling);
		if (r < 0)
			return r;
		if (c->at == before && ++c->empty_elements > CTF_LIMIT_EMPTY_ELEMENTS)
			return fail(c, EBADMSG, "too many elements without any bytes", node);
	}
	if (telling)
		telling->to->array_end(telling->context);
	return 0;
}

static int
read_node(struct ctf_cursor *c, const struct ctf_node *node, const char *name,
	  const struct telling *telling)
{
	uint64_t at = (c->at + node->align - 1) & ~(uint64_t) (node->align - 1);
	int r = 0;

	if (at > c->end)
		return cut_off(c, node);
	c->at = at;
	switch (node->kind) {
	case CTF_INTEGER:
		r = read_integer(c, node, name, telling);
		break;
	case CTF_FLOAT:
		r = read_float(c, node, name, telling);
		break;
	case CTF_TEXT:
		r = read_text(c, node, name, telling);
		break;
	case CTF_STRUCT:
		if (telling)
			telling->to->structure_begin(telling->context, name);
		r = read_struct(c, node, telling);
		if (telling && r >= 0)
			telling->to->structure_end(telling->context);
		break;
	case CTF_VARIANT:
		r = read_variant(c, node, name, telling);
		break;
	default:
		r = read_array(c, node, name, telling);
		break;
	}
	if (r < 0 && !c->field)
		c->field = node->name;
	return r;
}

int
ctf_interpret(struct ctf_cursor *cursor, const struct ctf_node *node)
{
	return read_node(cursor, node, NULL, NULL);
}

int
ctf_interpret_visit(struct ctf_cursor *cursor, const struct ctf_node *node,
		    const struct ctf_visitor *visitor, void *context)
{
	const struct telling telling = { visitor, context };
	uint64_t at = (cursor->at + node->align - 1) & ~(uint64_t) (node->align - 1);

	if (at > cursor->end)
		return cut_off(cursor, node);
	cursor->at = at;
	return read_struct(cursor, node, &telling);
}
