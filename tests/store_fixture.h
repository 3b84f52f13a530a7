/* SPDX-License-Identifier: MIT
 *
 * store_fixture.h -- temporary stores, and facts as the qemu analyzer gives
 * them, for the tests of the store and the hub. */
#ifndef TESTS_STORE_FIXTURE_H
#define TESTS_STORE_FIXTURE_H

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "analyzers/facts.h"
#include "daemon/hub.h"
#include "daemon/store.h"

#define T0  UINT64_C(1700000000000000000)
#define MS(N) ((uint64_t) (N) * 1000000)
#define S(N)  ((uint64_t) (N) * 1000000000)

/* A path in a folder that is removed with temporary_done(). */
const char *temporary(const char *name);
void temporary_done(void);

/* Opens or fails the test. */
struct store *open_store(const char *path, enum store_mode mode);
/* What store_dump() prints; to be freed. */
char *dump(struct store *store);

/* One side of a migration: what of it is known so far. */
struct given_side {
	bool source;
	const char *host;
	unsigned pid;
	uint64_t start, connect, stop, run, end;   /* 0: not (yet). */
	const char *status;                        /* NULL: running. */
	const char *uri;                           /* Of either side. */
	const char *reason;
	bool silent_on_path;                       /* return_path false */
	bool postcopy;
};
struct fact side_fact(const struct given_side *side);
struct fact process_fact(const char *host, unsigned pid, const char *uuid, const char *name,
			 const char *incoming);
/* A stall or other span below a side. */
struct fact child_fact(const struct fact *side, const char *kind, uint64_t start, uint64_t end);
/* The same fact taken back. */
struct fact retraction(const struct fact *fact);
/* Gives a fact to the hub, keeping the caller's reference. */
void give(struct hub *hub, const struct fact *fact);
/* In one transaction, settled. */
void give_all(struct store *store, struct hub *hub, const struct fact *facts, size_t n);
void facts_done(struct fact *facts, size_t n);

const char *member(const json_t *object, const char *name);
int64_t number(const json_t *object, const char *name);

#endif /* store_fixture.h */
