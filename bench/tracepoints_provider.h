/* SPDX-License-Identifier: MIT
 *
 * tracepoints_provider.h -- the tracepoints of QEMU's that tracepoints.c has. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER qemu
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "bench/tracepoints_provider.h"

#if !defined(BENCH_TRACEPOINTS_PROVIDER_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define BENCH_TRACEPOINTS_PROVIDER_H

#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(qemu, runstate_set,
	LTTNG_UST_TP_ARGS(int, from, const char *, from_name, int, to, const char *, to_name),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(int, current_state, from)
		lttng_ust_field_string(current_state_str, from_name)
		lttng_ust_field_integer(int, new_state, to)
		lttng_ust_field_string(new_state_str, to_name)
	)
)

LTTNG_UST_TRACEPOINT_EVENT(qemu, qmp_enter_migrate,
	LTTNG_UST_TP_ARGS(const char *, text),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_string(json, text))
)

LTTNG_UST_TRACEPOINT_EVENT(qemu, migrate_set_state,
	LTTNG_UST_TP_ARGS(const char *, name),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_string(new_state, name))
)

LTTNG_UST_TRACEPOINT_EVENT(qemu, migration_thread_setup_complete,
	LTTNG_UST_TP_ARGS(),
	LTTNG_UST_TP_FIELDS()
)

LTTNG_UST_TRACEPOINT_EVENT(qemu, migration_bitmap_sync_end,
	LTTNG_UST_TP_ARGS(uint64_t, pages),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(uint64_t, dirty_pages, pages))
)

#endif

#include <lttng/tracepoint-event.h>
