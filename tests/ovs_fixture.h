/* SPDX-License-Identifier: MIT
 *
 * ovs_fixture.h -- events of Open vSwitch made up, fed to the analyzer; for its
 * tests and its bench. */
#ifndef TESTS_OVS_FIXTURE_H
#define TESTS_OVS_FIXTURE_H

#include "analyzers/analyzer.h"
#include "analyzers/ovs_window.h"
#include "lib/buf.h"

#define OVS_START_NS (UINT64_C(1795390000) * NS_PER_S)

struct ovs_run {
	struct engine *engine;
	struct buf text;             /* Facts, a line each; windows as hexadecimal. */
	struct ovs_window sum;       /* Of all windows. */
	struct keyed blobs;          /* struct ovs_blob: what a checkpoint holds. */
	unsigned facts[FACT_WINDOW + 1];
	size_t blob_bytes;           /* Of windows. */
	bool quiet;                  /* No text. */
};

struct ovs_blob {
	char key[24];
	char *bytes;
	size_t size;
};

/* A value of a field by name; numbers, or text. */
struct ovs_value {
	const char *name;            /* NULL ends the list. */
	uint64_t number;
	const char *text;            /* Text; with 'bytes' so many of them. */
	size_t bytes;
};

void ovs_run_start(struct ovs_run *run);
void ovs_run_stop(struct ovs_run *run);
/* Saves, throws all away and takes it back, as a daemon that was killed. */
void ovs_run_restart(struct ovs_run *run);
struct engine_host *ovs_run_host(struct ovs_run *run);
/* "tid" and "procname" are context, the rest payload. */
void ovs_run_event(struct ovs_run *run, const char *name, uint64_t t_ns, int cpu,
		   const struct ovs_value *values);

/* A packet of flow 'flow' (its addresses follow from it) that comes by port 'in'. */
struct ovs_made {
	uint64_t tag, skb;
	uint32_t flow, in, out;
	uint32_t round;              /* How often its ports were deleted and made again. */
	uint64_t t_ns;               /* Moved on by each step. */
	int cpu;
};
void ovs_made_receive(struct ovs_run *run, struct ovs_made *made);
void ovs_made_lookup(struct ovs_run *run, struct ovs_made *made, bool hit);
void ovs_made_actions(struct ovs_run *run, struct ovs_made *made, bool sends, int ret);
void ovs_made_upcall(struct ovs_run *run, struct ovs_made *made, int ret);
void ovs_made_execute(struct ovs_run *run, struct ovs_made *made, uint64_t tid);

#endif /* ovs_fixture.h */
