/* SPDX-License-Identifier: MIT
 *
 * tp.h -- the LTTng-UST provider "cloudtrace_node": the events of events.h.
 * LTTng reads this file several times, with other meanings of its macros. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER cloudtrace_node
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "instrumentation/node/tp.h"

#if !defined(INSTRUMENTATION_NODE_TP_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define INSTRUMENTATION_NODE_TP_H

#include <lttng/tracepoint.h>

#include "instrumentation/node/events.h"

#define TP_TEXT(NAME) lttng_ust_field_string(NAME, node_text(e->NAME))
#define TP_NUMBER(TYPE, NAME) lttng_ust_field_integer(TYPE, NAME, e->NAME)
#define TP_CLOCK(TYPE, NAME) lttng_ust_field_integer(TYPE, NAME, clock->NAME)

LTTNG_UST_TRACEPOINT_EVENT(cloudtrace_node, qemu_process,
	LTTNG_UST_TP_ARGS(const char *, reason, const struct node_qemu_process *, e),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_string(reason, reason)
			    NODE_QEMU_PROCESS_FIELDS(TP_TEXT, TP_NUMBER)))
LTTNG_UST_TRACEPOINT_EVENT(cloudtrace_node, vcpu_thread,
	LTTNG_UST_TP_ARGS(const char *, reason, const struct node_vcpu_thread *, e),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_string(reason, reason)
			    NODE_VCPU_THREAD_FIELDS(TP_TEXT, TP_NUMBER)))
LTTNG_UST_TRACEPOINT_EVENT(cloudtrace_node, qemu_thread,
	LTTNG_UST_TP_ARGS(const char *, reason, const struct node_qemu_thread *, e),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_string(reason, reason)
			    NODE_QEMU_THREAD_FIELDS(TP_TEXT, TP_NUMBER)))
LTTNG_UST_TRACEPOINT_EVENT(cloudtrace_node, nic,
	LTTNG_UST_TP_ARGS(const char *, reason, const struct node_nic *, e),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_string(reason, reason)
			    NODE_NIC_FIELDS(TP_TEXT, TP_NUMBER)))
LTTNG_UST_TRACEPOINT_EVENT(cloudtrace_node, disk,
	LTTNG_UST_TP_ARGS(const char *, reason, const struct node_disk *, e),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_string(reason, reason)
			    NODE_DISK_FIELDS(TP_TEXT, TP_NUMBER)))
LTTNG_UST_TRACEPOINT_EVENT(cloudtrace_node, block_device,
	LTTNG_UST_TP_ARGS(const char *, reason, const struct node_block_device *, e),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_string(reason, reason)
			    NODE_BLOCK_DEVICE_FIELDS(TP_TEXT, TP_NUMBER)))
LTTNG_UST_TRACEPOINT_EVENT(cloudtrace_node, interface,
	LTTNG_UST_TP_ARGS(const char *, reason, const struct node_interface *, e),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_string(reason, reason)
			    NODE_INTERFACE_FIELDS(TP_TEXT, TP_NUMBER)))
LTTNG_UST_TRACEPOINT_EVENT(cloudtrace_node, service_process,
	LTTNG_UST_TP_ARGS(const char *, reason, const struct node_service_process *, e),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_string(reason, reason)
			    NODE_SERVICE_PROCESS_FIELDS(TP_TEXT, TP_NUMBER)))
LTTNG_UST_TRACEPOINT_EVENT(cloudtrace_node, host,
	LTTNG_UST_TP_ARGS(const char *, reason, const struct node_host *, e,
			  const struct node_clock *, clock),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_string(reason, reason)
			    NODE_HOST_FIELDS(TP_TEXT, TP_NUMBER) NODE_CLOCK_FIELDS(TP_CLOCK)))
LTTNG_UST_TRACEPOINT_EVENT(cloudtrace_node, missing,
	LTTNG_UST_TP_ARGS(const char *, reason, const struct node_missing *, e),
	LTTNG_UST_TP_FIELDS(lttng_ust_field_string(reason, reason)
			    NODE_MISSING_FIELDS(TP_TEXT, TP_NUMBER)))
LTTNG_UST_TRACEPOINT_EVENT(cloudtrace_node, dump_end,
	LTTNG_UST_TP_ARGS(const struct node_dump_end *, e),
	LTTNG_UST_TP_FIELDS(NODE_DUMP_END_FIELDS(TP_TEXT, TP_NUMBER)))

#endif /* tp.h */

#include <lttng/tracepoint-event.h>
