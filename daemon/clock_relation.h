/* SPDX-License-Identifier: MIT
 *
 * clock_relation.h -- how two hosts' clocks stand to each other.
 *
 * Asked when answering: what is stored keeps the time of its own host. */
#ifndef DAEMON_CLOCK_RELATION_H
#define DAEMON_CLOCK_RELATION_H

#include <stdint.h>

#include "daemon/store.h"

/* What tells it, best first; over several hosts the weakest one. */
enum clock_how {
	CLOCK_SAME,                  /* The same host, or clock. */
	CLOCK_PACKETS,               /* TCP segments that both kernels saw. */
	CLOCK_MESSAGES,              /* Calls between services, seen at both ends. */
	CLOCK_MIGRATION,             /* Who connected and was accepted. */
};

struct clock_relation {
	int64_t offset_ns;
	uint64_t error_ns;
	int32_t drift_ppb;           /* By how much b's clock is faster than a's... */
	uint32_t drift_error_ppb;    /* give or take so much. */
	enum clock_how how;
};

/* How far host b's clock is ahead of a's at t_ns of a's clock:
 * [offset - error, offset + error] holds the truth.  Over several hops errors add.
 * -ENOENT: nothing relates them ('ret' is untouched). */
int clock_relation(struct store *store, const char *a, const char *b, uint64_t t_ns,
		   struct clock_relation *ret);

/* The same for times that programs' traces tell (QEMU, OpenStack) instead of kernels':
 * those of one host differ by up to 0.1 ms, which is made up for where it is known and
 * part of the error where not. */
int clock_relation_programs(struct store *store, const char *a, const char *b, uint64_t t_ns,
			    struct clock_relation *ret);

/* The same at the time around t_ns at which it is known best: *ret_ns, by a's clock. */
int clock_relation_near(struct store *store, const char *a, const char *b, uint64_t t_ns,
			struct clock_relation *ret, uint64_t *ret_ns);

/* The host that met most others lately, and the middle of its last time with another.
 * To be freed; NULL: nobody met anybody. */
char *clock_reference(struct store *store, uint64_t *ret_ns);

/* The name of 'how' in answers: "same", "packets", "messages", "migration". */
const char *clock_how_name(enum clock_how how);

#endif /* clock_relation.h */
