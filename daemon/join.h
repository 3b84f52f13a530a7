/* SPDX-License-Identifier: MIT
 *
 * join.h -- the two sides of a live migration become one record.
 *
 *   join_migration.c  which sides have to be looked at again, and writing
 *   join_pair.c       which source belongs to which destination
 *   join_record.c     the record of one pair (proto/schemas/migration.json)
 *   join_network.c    what it meant for the VM's network
 *
 * A side is a span "migration.source" or "migration.destination" of an
 * analyzer, with what is known of its process.  All three are functions of the
 * facts in the store: never of the order in which these came. */
#ifndef DAEMON_JOIN_H
#define DAEMON_JOIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/facts.h"
#include "daemon/store.h"
#include "lib/clock.h"
#include "lib/error.h"

/* How far apart the clocks' reading of connect and accept may be for the two
 * to be taken for one moment. */
#define JOIN_NEAR_NS (1 * NS_PER_S)
/* How far a clock may be off at all. */
#define JOIN_SKEW_NS (24 * 3600 * NS_PER_S)

enum address_kind {
	ADDRESS_UNKNOWN,     /* Not given, or a descriptor that somebody handed over. */
	ADDRESS_TCP,
	ADDRESS_UNIX,
	ADDRESS_FILE,        /* To or from a file: nobody is on the other side. */
};

struct address {
	enum address_kind kind;
	bool loopback;       /* Only reachable on the host itself. */
	unsigned port;
	char host[64];       /* As given: a name or an address, without brackets; "": not known. */
	char path[108];
};

enum side_status { SIDE_RUNNING, SIDE_COMPLETED, SIDE_FAILED, SIDE_CANCELLED, SIDE_LOST };
extern const char *const side_status_names[];

enum join_evidence { JOIN_NONE, JOIN_TIME, JOIN_PORT, JOIN_UUID };

struct side {
	json_t *span, *process;          /* Owned. */
	const char *id, *host, *key;     /* Borrowed from these. */
	const char *uuid;                /* Or NULL. */
	const json_t *attributes;
	bool is_source;
	bool connected;                  /* Its connect or accept was seen. */
	enum side_status status;
	uint64_t start_ns;
	uint64_t at_ns;                  /* When it connected or accepted, else its start. */
	uint64_t end_ns;                 /* 0: open. */
	struct address address;
	/* Set by join_pairs(): */
	struct side *partner;
	enum join_evidence evidence;
	bool by_duration;                /* The clocks disagree: their durations told. */
	/* Set by join_migration.c: */
	bool affected;
};

struct side_set {
	struct side *sides;              /* Ordered by (at_ns, id) once sorted. */
	size_t n, capacity;
};

/* Adds the sides of an array of spans (store_spans()); those there already are
 * left out. */
void side_set_add(struct side_set *set, struct store *store, json_t *spans);
/* Orders them; pointers into the set are stale afterwards. */
void side_set_sort(struct side_set *set);
struct side *side_set_find(const struct side_set *set, const char *id);
void side_set_done(struct side_set *set);

/* A time or duration of an object; 0 if it has none, or one after the year
 * 2116: differences of two, and some more, fit an int64_t. */
uint64_t side_time(const json_t *object, const char *name);

/* Reads "tcp:HOST:PORT", "unix:PATH", a JSON channel list... */
void address_parse(const char *uri, struct address *ret);

/* Finds partners among the sides that have none.  With 'by_duration' for clocks
 * that disagree.  Several equally good candidates give no partner. */
void join_pairs(struct side_set *set, bool by_duration);
/* Marks every side that can have a say in the partner of a marked one.
 * Returns the range of time that they span. */
void join_spread(struct side_set *set, uint64_t *ret_from_ns, uint64_t *ret_to_ns);

/* The record of a source and a destination, either NULL. */
json_t *join_record(const struct side *source, const struct side *destination);
/* Adds "network_blackout_ns", "packets_to_source" and "network" to it.  How long after
 * a migration packets are looked for: JOIN_NETWORK_LATE_NS. */
#define JOIN_NETWORK_EARLY_NS NS_PER_S
#define JOIN_NETWORK_LATE_NS (60 * NS_PER_S)
int join_network(struct store *store, json_t *record, const struct side *source,
		 const struct side *destination, struct error *error);

/* What was touched since the last join, to be looked at again. */
struct join_touch {
	char id[FACT_ID_SIZE];           /* Of a side. */
	uint64_t start_ns, at_ns;        /* Where it was, should it be gone. */
	bool identity;                   /* More than its progress may have changed. */
};
/* Called for each record that was made anew, also if it came out the same;
 * 'record' is NULL for one that is no more. */
typedef int join_written_fn(void *context, const char *id, const json_t *record,
			    struct error *error);
int join_migrations(struct store *store, const struct join_touch *touched, size_t n_touched,
		    join_written_fn *written, void *context, struct error *error);

#endif /* join.h */
