/* SPDX-License-Identifier: MIT
 *
 * types.h -- types as TSDL declares them, before they stand at a place.
 *
 * The parser (tsdl.h) makes them; they may be shared by name.  Where a type is
 * used in a scope of a class it is instantiated as struct ctf_node (node.h),
 * with byte order, clock, lengths and tags resolved. */
#ifndef CTF_TYPES_H
#define CTF_TYPES_H

#include <stdbool.h>
#include <stdint.h>

#include "ctf/arena.h"

enum ctf_kind {
	CTF_INTEGER,     /* Enumerations too: what differs is only 'labels'. */
	CTF_FLOAT,
	CTF_TEXT,        /* NUL-terminated string. */
	CTF_STRUCT,
	CTF_VARIANT,
	CTF_ARRAY,
	CTF_SEQUENCE,
};

enum ctf_byte_order { CTF_NATIVE, CTF_LE, CTF_BE };

/* "a.b.c" */
struct ctf_path {
	unsigned n;
	const char *const *parts;
};

struct ctf_label {
	const char *name;
	uint64_t low, high;          /* Two's complement where the container is signed. */
	struct ctf_label *next;
};

struct ctf_type;

struct ctf_member {
	const char *name;
	const struct ctf_type *type;
	struct ctf_member *next;
};

struct ctf_type {
	enum ctf_kind kind;
	enum ctf_byte_order byte_order;
	uint32_t align;              /* Bits; at least 1. */
	uint32_t size;               /* Bits, of integers and floats. */
	bool is_signed;
	bool is_text;                /* Integer with a character encoding. */
	bool is_enum;
	const char *clock;           /* Integer that is mapped to a clock, or NULL. */
	const struct ctf_label *labels;   /* Of enumerations. */
	const struct ctf_member *members; /* Of structs, and options of variants. */
	uint32_t n_members;
	const struct ctf_type *element;   /* Of arrays and sequences. */
	uint64_t length;                  /* Of arrays. */
	struct ctf_path path;        /* Length of a sequence, tag of a variant (n 0: none). */
};

#endif /* types.h */
