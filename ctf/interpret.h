/* SPDX-License-Identifier: MIT
 *
 * interpret.h -- reads any field by its node, bit by bit where it must: packet
 * headers, event classes that are not for plans (plan.h), and whole events for
 * visitors. */
#ifndef CTF_INTERPRET_H
#define CTF_INTERPRET_H

#include <stdbool.h>
#include <stdint.h>

#include "ctf/event.h"
#include "ctf/node.h"
#include "ctf/stream.h"

/* Where reading stands, and what is done with what is read. */
struct ctf_cursor {
	const uint8_t *bytes;    /* Of the packet. */
	uint64_t at, end;        /* Bits. */
	uint64_t *stored;        /* By store; lengths and tags. */
	uint64_t *clock;         /* Is moved by fields mapped to it; NULL: stays. */
	struct ctf_value *values;    /* By slot; NULL: nothing is wanted. */
	uint64_t *meanings;      /* By enum ctf_meaning; NULL: not of interest. */
	struct ctf_packet_place *places;   /* The same for where they are; may be NULL. */
	uint32_t has_meanings;   /* Bits of those that were read. */
	const uint8_t *uuid;     /* Of the packet header, once read. */
	uint32_t empty_elements; /* Read so far. */
	/* Set on failure: */
	const char *problem;
	const char *field;       /* Innermost field with a name, or NULL. */
};

/* Reads 'node' and moves on behind it.  Returns 0; -ENODATA when it ends
 * beyond the cursor's end, -EBADMSG when its bytes make no sense. */
int ctf_interpret(struct ctf_cursor *cursor, const struct ctf_node *node);

/* The same, telling everything that is not hidden to 'visitor'; the members
 * of 'node', without a structure around them. */
int ctf_interpret_visit(struct ctf_cursor *cursor, const struct ctf_node *node,
			const struct ctf_visitor *visitor, void *context);

#endif /* interpret.h */
