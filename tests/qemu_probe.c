/* SPDX-License-Identifier: MIT
 *
 * qemu_probe.c -- a program that looks like a QEMU with LTTng-UST: counts up,
 * an event each, until it is killed.  For tests/test_session_live.py. */
#include <stdint.h>
#include <unistd.h>

#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "bench/tracepoints_provider.h"

int
main(void)
{
	for (uint64_t i = 1; i < 10000; i++) {
		lttng_ust_tracepoint(qemu, migration_bitmap_sync_end, i);
		lttng_ust_tracepoint(qemu, migrate_set_state, "active");
		usleep(20000);
	}
	return 0;
}
