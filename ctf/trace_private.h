/* SPDX-License-Identifier: MIT
 *
 * trace_private.h -- what the files of ctf/ know of a trace; for them only.
 *
 * metadata.c cuts the metadata stream into declarations, tsdl_*.c parse them
 * into the classes here, trace.c compiles classes when all that they need is
 * known.  Classes are never removed and never move. */
#ifndef CTF_TRACE_PRIVATE_H
#define CTF_TRACE_PRIVATE_H

#include <uthash.h>

#include "ctf/limits.h"
#include "ctf/node.h"
#include "ctf/plan.h"
#include "ctf/trace.h"
#include "ctf/tsdl.h"
#include "lib/buf.h"

struct ctf_clock {
	const char *name;
	uint8_t uuid[16];
	bool has_uuid;
	uint64_t frequency;          /* Hz */
	int64_t offset_s;
	uint64_t offset_cycles;
	int64_t offset_ns;           /* Of both, as babeltrace2 has it. */
	struct ctf_clock *next;
};

/* Event headers that are read without the interpreter: LTTng's two, packed to
 * bytes, little endian. */
enum ctf_header_form { CTF_HEADER_ANY, CTF_HEADER_COMPACT, CTF_HEADER_LARGE };

/* A packet context field that an event class wants. */
struct ctf_packet_slot {
	uint16_t slot;               /* Of the event name. */
	uint16_t index;              /* Of the stream class's packet values. */
};

struct ctf_event_class {
	uint64_t id;                 /* Key. */
	const char *name;
	uint64_t stream_id;
	bool has_stream_id;
	const struct ctf_type *context_type, *payload_type;
	unsigned line;               /* Where it is declared. */
	/* Set by trace.c: */
	bool ready;                  /* Can be decoded. */
	struct ctf_stream_class *stream_class;
	struct ctf_node *stream_context, *context, *payload;  /* NULL: none. */
	struct ctf_plan plan;
	int wanted;                  /* Index in the interest; -1: nobody. */
	bool has_absent;             /* Some values are not set by 'plan'. */
	uint32_t n_values;
	uint32_t n_packet_slots;
	struct ctf_packet_slot *packet_slots;
	struct ctf_event_class *next_new;
	UT_hash_handle hh;
};

struct ctf_stream_class {
	uint64_t id;
	const struct ctf_type *packet_context_type, *event_header_type, *event_context_type;
	struct ctf_node *packet_context, *event_header;
	const struct ctf_clock *clock;       /* NULL: events have no time. */
	enum ctf_header_form header_form;
	int n_stores;
	uint32_t n_packet_values;            /* Wanted packet context fields... */
	const char *packet_paths[CTF_MAX_SLOTS];  /* and their names. */
	uint8_t begin_size, end_size;        /* Bits of timestamp_begin and _end. */
	bool ready;
	bool unusable;                       /* Was told when it was compiled. */
	struct ctf_event_class **direct;     /* By id. */
	uint32_t n_direct;
	struct ctf_event_class *others;      /* Larger ids. */
	struct ctf_event_class *only;        /* The first one. */
	uint32_t n_classes;
	struct ctf_stream_class *next;
};

struct ctf_env {
	const char *key, *value;
	struct ctf_env *next;
};

struct ctf_trace {
	char *name;
	const struct ctf_interest *interest;
	struct arena arena;
	struct tsdl_scope scope;             /* Types declared outside of all blocks. */
	struct tsdl_integer_text *integers;
	uint64_t comparisons_left;

	/* The metadata stream (metadata.c): */
	struct buf raw;                      /* Of a packet that is not whole yet. */
	struct buf text;
	size_t raw_bytes;                    /* Given so far. */
	size_t padding;                      /* Bytes of a packet yet to be stepped over. */
	size_t parsed;                       /* Of 'text': declarations up to here. */
	unsigned parsed_line;
	size_t scanned;                      /* Of 'text'. */
	unsigned scan_depth;
	int scan_state;
	enum { CTF_METADATA_UNKNOWN, CTF_METADATA_PLAIN, CTF_METADATA_PACKETS } metadata_form;
	struct error broken;                 /* Why nothing more can be read. */

	/* What it says: */
	bool has_trace_block, has_uuid;
	uint8_t uuid[16];
	enum ctf_byte_order byte_order;
	const struct ctf_type *packet_header_type;
	struct ctf_node *packet_header;
	int n_stores;
	bool ready;                          /* The packet header is compiled. */
	bool unusable;
	struct ctf_clock *clocks;
	struct ctf_env *env;
	unsigned n_clocks, n_env, n_stream_classes, n_event_classes;
	struct ctf_stream_class *stream_classes;
	/* Not compiled yet: their stream may be declared after them. */
	struct ctf_event_class *new_classes, **new_tail, **not_tried;
	unsigned n_compiled_streams;         /* When 'not_tried' was set. */
};

const struct ctf_clock *ctf_trace_find_clock(const struct ctf_trace *trace, const char *name);
/* The clock for timestamps that name none: the only one, or a default one of
 * 1 GHz; NULL if there are several. */
const struct ctf_clock *ctf_trace_only_clock(struct ctf_trace *trace);
struct ctf_stream_class *ctf_trace_find_stream_class(const struct ctf_trace *trace, uint64_t id);
/* Adds a class; NULL when out of memory. */
struct ctf_stream_class *ctf_trace_add_stream_class(struct ctf_trace *trace, uint64_t id);
/* Compiles what has become complete; 'error' gets the first failure, the rest
 * is compiled nevertheless. */
void ctf_trace_compile(struct ctf_trace *trace, struct error *error);

/* NULL if there is none. */
static inline const struct ctf_event_class *
ctf_find_event_class(const struct ctf_stream_class *stream_class, uint64_t id)
{
	const struct ctf_event_class *found;

	if (id < stream_class->n_direct)
		return stream_class->direct[id];
	HASH_FIND(hh, stream_class->others, &id, sizeof id, found);
	return found;
}

/* Cycles of a clock as ns, to the ns as babeltrace2 has them. */
static inline uint64_t
ctf_clock_ns(const struct ctf_clock *clock, uint64_t cycles)
{
	double ns;

	if (clock->frequency == 1000000000)
		return cycles;
	ns = 1e9 * (double) cycles / (double) clock->frequency;
	return ns >= (double) UINT64_MAX ? UINT64_MAX : (uint64_t) ns;
}

/* Takes the low 'size' bits of a clock's value into its full value: smaller
 * than before means that they wrapped, once. */
static inline void
ctf_clock_update(uint64_t *cycles, uint64_t value, unsigned size)
{
	uint64_t mask;

	if (size >= 64) {
		*cycles = value;
		return;
	}
	mask = (UINT64_C(1) << size) - 1;
	*cycles += (value - *cycles) & mask;
}

#endif /* trace_private.h */
