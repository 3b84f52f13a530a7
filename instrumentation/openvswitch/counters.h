/* SPDX-License-Identifier: GPL-2.0-only
 *
 * counters.h -- what the module has done, one number of each CPU, summed up by
 * who reads /sys/module/lttng_ovs_addon/parameters/n_NAME. */
#ifndef CLOUDTRACE_OVS_COUNTERS_H
#define CLOUDTRACE_OVS_COUNTERS_H

#include <linux/percpu.h>
#include <linux/types.h>

#define OVS_COUNTERS(X)	\
	X(received)	/* packets that came to a datapath */			\
	X(tagged)	/* of which got a new tag */				\
	X(read)		/* of which had one */					\
	X(nonlinear)	/* of which have data outside of the linear part */	\
	X(cloned)	/* of which are clones */				\
	X(noroom)	/* tags not written: no room after the packet */	\
	X(shared)	/* tags not written: others use the buffer */		\
	X(stale)	/* tags not read: too old */				\
	X(kept)		/* tags put in the table at an upcall */		\
	X(displaced)	/* of which took the place of a live one */		\
	X(restored)	/* tags written again after an upcall */		\
	X(unknown)	/* packets from user space whose tag isn't known */

struct ovs_counters {
#define OVS_COUNTER_MEMBER(name) u64 name;
	OVS_COUNTERS(OVS_COUNTER_MEMBER)
#undef OVS_COUNTER_MEMBER
};

DECLARE_PER_CPU(struct ovs_counters, ovs_counters);

#define count(name) this_cpu_inc(ovs_counters.name)

#endif /* counters.h */
