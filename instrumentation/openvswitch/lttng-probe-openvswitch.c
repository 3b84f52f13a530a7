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
#define TP_MODULE_NOAUTOLOAD
#define LTTNG_PACKAGE_BUILD
#define CREATE_TRACE_POINTS
#define LTTNG_INSTRUMENTATION
#define TRACE_INCLUDE_PATH events

/* Two providers, for LTTng wants the names of a provider's events to begin with
 * its own, and "ovs" is lttng-ovs-addon's. */
#define TRACE_INCLUDE_FILE ovs-dp-events
#include "events/ovs-dp-events.h"
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE ovs-do-events
#include "events/ovs-do-events.h"

static int __init probe_openvswitch_init(void)
{
	int ret = __lttng_events_init__ovs_dp();

	if (ret)
		return ret;
	ret = __lttng_events_init__ovs_do();
	if (ret)
		__lttng_events_exit__ovs_dp();
	return ret;
}

static void __exit probe_openvswitch_exit(void)
{
	__lttng_events_exit__ovs_do();
	__lttng_events_exit__ovs_dp();
}

module_init(probe_openvswitch_init);
module_exit(probe_openvswitch_exit);
MODULE_LICENSE("GPL");
MODULE_AUTHOR("The cloudtraced authors");
MODULE_DESCRIPTION("LTTng probes for the tracepoints of the openvswitch module");
