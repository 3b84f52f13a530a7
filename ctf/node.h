/* SPDX-License-Identifier: MIT
 *
 * node.h -- the fields of a class where they stand: types (types.h) with
 * everything resolved that does not depend on the packet.
 *
 * node.c makes a tree of nodes for each scope; interpret.c reads any of them,
 * plan.c compiles those of event classes that are simple. */
#ifndef CTF_NODE_H
#define CTF_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "ctf/types.h"
#include "lib/error.h"

struct ctf_trace;
struct ctf_stream_class;

/* Scopes in the order in which they are read. */
enum ctf_root {
	CTF_ROOT_PACKET_HEADER,
	CTF_ROOT_PACKET_CONTEXT,
	CTF_ROOT_EVENT_HEADER,
	CTF_ROOT_STREAM_EVENT_CONTEXT,
	CTF_ROOT_EVENT_CONTEXT,
	CTF_ROOT_PAYLOAD,
	CTF_N_ROOTS,
};

/* What an integer tells the decoder. */
enum ctf_meaning {
	CTF_MEANS_NOTHING,
	CTF_MEANS_MAGIC,
	CTF_MEANS_STREAM_ID,
	CTF_MEANS_INSTANCE_ID,
	CTF_MEANS_UUID,
	CTF_MEANS_BEGIN,
	CTF_MEANS_END,
	CTF_MEANS_CONTENT_SIZE,
	CTF_MEANS_PACKET_SIZE,
	CTF_MEANS_DISCARDED,
	CTF_MEANS_SEQUENCE_NUMBER,
	CTF_MEANS_EVENT_ID,
	CTF_N_MEANINGS,
};

struct ctf_range {
	uint64_t low, high;
	uint32_t option;
};

struct ctf_node {
	uint8_t kind;            /* enum ctf_kind */
	uint8_t meaning;         /* enum ctf_meaning */
	bool big_endian, is_signed;
	bool is_chars;           /* Integer of 8 bits, byte-aligned, with an encoding. */
	bool is_byte;            /* Integer of 8 bits, byte-aligned, without one. */
	bool mapped;             /* To some clock. */
	bool ticks;              /* Moves the stream's clock. */
	bool tag_signed;         /* Of variants. */
	uint8_t size;            /* Bits, of integers and floats. */
	uint16_t align;          /* Bits. */
	int16_t store;           /* Where others find the value; -1: nobody looks. */
	int16_t from;            /* Store of a sequence's length or a variant's tag. */
	int16_t slot;            /* Of the consumer's values; -1: not wanted. */
	uint32_t n;              /* Members, options; 1 for arrays. */
	uint32_t n_ranges;
	uint64_t length;         /* Of arrays. */
	const char *name;        /* As in the metadata; NULL for array elements. */
	struct ctf_node *children;
	const struct ctf_range *ranges;   /* Of variants. */
	const struct ctf_label *labels;
};

/* The name without the underscore that LTTng puts before all. */
static inline const char *
ctf_node_name(const struct ctf_node *node)
{
	return node->name && node->name[0] == '_' ? node->name + 1 : node->name;
}

/* What is read before a scope, and the scope's own place. */
struct ctf_place {
	struct ctf_trace *trace;
	struct ctf_stream_class *stream_class;   /* NULL for the packet header. */
	struct ctf_node *roots[CTF_N_ROOTS];
	int n_stores;                            /* First free store of the event class. */
	const char *what;                        /* For messages. */
};

/* Instantiates 'type' (a struct) as scope 'root' of 'place', into
 * place->roots[root].  NULL type: no such scope. */
int ctf_node_build(struct ctf_place *place, enum ctf_root root, const struct ctf_type *type,
		   struct error *error);

/* Marks the fields that 'path' ("outer.inner", without leading underscores)
 * leads to with 'slot'.  Says whether there is any. */
bool ctf_node_want(struct ctf_node *node, const char *path, int slot);

/* Whether a field is only there for the decoder: times, ids and counters that
 * no length or tag is taken from. */
bool ctf_node_hidden(const struct ctf_node *node);

#endif /* node.h */
