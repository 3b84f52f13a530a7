/* SPDX-License-Identifier: MIT
 *
 * tracepoints.c -- a program with some of QEMU's tracepoints, as a live
 * migration of many rounds would hit them.  Prints the time before each round,
 * for bench/live.py to compare with when the answer came. */
#include <inttypes.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "bench/tracepoints_provider.h"

#include "lib/clock.h"
#include "lib/util.h"

static void
pause_ms(unsigned ms)
{
	usleep(1000 * ms);
}

/* What QEMU's migration thread says; the analyzer knows it by not being the
 * main one. */
static void *
migrate(void *arg)
{
	const uint64_t rounds = *(const uint64_t *) arg;

	pthread_setname_np(pthread_self(), "mig/src/main");
	lttng_ust_tracepoint(qemu, migrate_set_state, "active");
	lttng_ust_tracepoint(qemu, migration_thread_setup_complete);
	for (uint64_t i = 1; i <= rounds; i++) {
		/* Without a rhythm that could fall in with the live timer's. */
		pause_ms(150 + (unsigned) (random() % 200));
		printf("%" PRIu64 " %" PRIu64 "\n", i, clock_wall_ns());
		fflush(stdout);
		lttng_ust_tracepoint(qemu, migration_bitmap_sync_end, i);
	}
	pause_ms(1000);
	lttng_ust_tracepoint(qemu, runstate_set, 9, "running", 7, "finish-migrate");
	lttng_ust_tracepoint(qemu, migrate_set_state, "completed");
	return NULL;
}

int
main(int argc, char **argv)
{
	uint64_t rounds, seed;
	pthread_t thread;

	if (argc != 3 || parse_u64(argv[1], &rounds) < 0 || parse_u64(argv[2], &seed) < 0) {
		fputs("Usage: tracepoints ROUNDS SEED\n", stderr);
		return 2;
	}
	srandom((unsigned) seed);
	/* For the daemon to attach to the new session first. */
	pause_ms(3000);
	lttng_ust_tracepoint(qemu, runstate_set, 6, "prelaunch", 9, "running");
	lttng_ust_tracepoint(qemu, qmp_enter_migrate, "{\"uri\": \"tcp:10.77.0.12:49154\"}");
	lttng_ust_tracepoint(qemu, migrate_set_state, "setup");
	if (pthread_create(&thread, NULL, migrate, &rounds) != 0)
		return 1;
	pthread_join(thread, NULL);
	lttng_ust_tracepoint(qemu, runstate_set, 7, "finish-migrate", 8, "postmigrate");
	return 0;
}
