/* SPDX-License-Identifier: MIT
 *
 * event.h -- an event as consumers see it, and how they say what they want.
 *
 * Consumers declare (event name, scope, field name) once, in a struct
 * ctf_interest, and get a slot number for each.  Readers compile this against
 * every event class of every trace when its metadata appears; per event only
 * the wanted fields are fetched.  Both readers (ours and babeltrace2) fill the
 * same struct ctf_event. */
#ifndef CTF_EVENT_H
#define CTF_EVENT_H

#include <stdbool.h>
#include <stdint.h>

struct ctf_stream;

enum ctf_scope {
	CTF_PAYLOAD,         /* The event's own fields. */
	CTF_EVENT_CONTEXT,   /* vpid, procname... (stream or event specific context) */
	CTF_PACKET_CONTEXT,  /* cpu_id... */
};

/* Most slots that one event name can have, over all consumers. */
enum { CTF_MAX_SLOTS = 48 };

enum ctf_value_type {
	CTF_ABSENT = 0,  /* The event class has no such field, or no scalar one. */
	CTF_UNSIGNED,
	CTF_SIGNED,      /* Enumerations come as their integer. */
	CTF_REAL,
	CTF_STRING,      /* Strings and arrays/sequences of UTF-8 or ASCII characters. */
	CTF_BYTES,       /* Arrays/sequences of byte-aligned 8-bit integers (MAC, IP). */
};

struct ctf_value {
	enum ctf_value_type type;
	uint32_t size;               /* Bytes of 's', without a NUL. */
	union {
		uint64_t u;
		int64_t i;
		double r;
		const char *s;       /* Points into the packet: NOT NUL-terminated;
				      * valid until the next event is asked for. */
	};
};

struct ctf_event {
	uint32_t wanted;             /* Index of the event name in the interest. */
	uint32_t n_values;
	const struct ctf_value *values;  /* By slot of that event name. */
	uint64_t raw_ns;             /* Value of the trace's clock, in ns, without its
				      * offset: what events of one host are ordered by. */
	uint64_t t_ns;               /* ns since 1970, by the trace's own clock offset. */
	struct ctf_stream *stream;
	bool late;                   /* Older than an event that was given before. */
};

/* What somebody wants to read.  Filled before the first trace is opened and
 * unchanged afterwards; may then be used by several threads. */
struct ctf_interest;

struct ctf_interest *ctf_interest_new(void);
void ctf_interest_free(struct ctf_interest *interest);

/* Declares that events named 'event' are wanted.  Returns the index of the
 * name, the same for the same name. */
unsigned ctf_interest_event(struct ctf_interest *interest, const char *event);

/* Declares that a field of these events is wanted; 'field' is a name without
 * LTTng's leading underscore, or a path "outer.inner" into structures and
 * selected variant options.  Returns its slot, the same for the same field;
 * -E2BIG over CTF_MAX_SLOTS. */
int ctf_interest_field(struct ctf_interest *interest, unsigned event, enum ctf_scope scope,
		       const char *field);

unsigned ctf_interest_n_events(const struct ctf_interest *interest);
const char *ctf_interest_event_name(const struct ctf_interest *interest, unsigned event);
/* Index of an event name, or -1 when nobody wants it. */
int ctf_interest_find(const struct ctf_interest *interest, const char *event);
unsigned ctf_interest_n_fields(const struct ctf_interest *interest, unsigned event);
const char *ctf_interest_field_name(const struct ctf_interest *interest, unsigned event,
				    unsigned slot, enum ctf_scope *ret_scope);

#endif /* event.h */
