// SPDX-License-Identifier: GPL-2.0-only
/*
 * lttng-probe-openvswitch -- lets LTTng record the two tracepoints that the
 * kernel's openvswitch module has itself; lttng-modules has no probes for
 * them.  Independent of lttng-ovs-addon: no kprobes, no tags.
 */
#include <linux/module.h>
#include <linux/skbuff.h>

#include <wrapper/tracepoint.h>
#include <lttng/tracer.h>

#include "ovs-layout.h"

/* With LTTNG_INSTRUMENTATION our events also declare the kernel's tracepoints,
 * whose own header is in no package. */
#define LTTNG_PACKAGE_BUILD
#define CREATE_TRACE_POINTS
#define TRACE_INCLUDE_PATH events
#define TRACE_INCLUDE_FILE ovs-native-events
#define LTTNG_INSTRUMENTATION
#include "events/ovs-native-events.h"

MODULE_LICENSE("GPL");
MODULE_AUTHOR("The cloudtraced authors");
MODULE_DESCRIPTION("LTTng probes for the tracepoints of the openvswitch module");
