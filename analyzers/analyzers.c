/* SPDX-License-Identifier: MIT
 *
 * analyzers.c -- the list of all analyzers.  They run in this order on events
 * that several of them read. */
#include "analyzers/analyzer.h"

extern const struct analyzer node_analyzer, node_service_analyzer, node_host_analyzer;
extern const struct analyzer os_api_analyzer, os_rpc_call_analyzer, os_rpc_served_analyzer;
extern const struct analyzer os_nova_analyzer, os_neutron_analyzer, os_cinder_analyzer;
extern const struct analyzer os_vm_analyzer, os_things_analyzer, os_child_analyzer,
	os_trace_analyzer;
extern const struct analyzer os_cause_analyzer, os_service_analyzer, os_process_analyzer;
extern const struct analyzer os_unknown_analyzer;
extern const struct analyzer ovs_analyzer, qemu_analyzer, qemu_steps_analyzer;
extern const struct analyzer kernel_cpu_analyzer, kernel_block_analyzer, kernel_net_analyzer;

const struct analyzer *const analyzers[] = {
	&node_analyzer,
	&node_service_analyzer,
	&node_host_analyzer,
	&qemu_analyzer,
	&qemu_steps_analyzer,
	&os_api_analyzer,
	&os_rpc_call_analyzer,
	&os_rpc_served_analyzer,
	&os_nova_analyzer,
	&os_neutron_analyzer,
	&os_cinder_analyzer,
	&os_vm_analyzer,
	&os_things_analyzer,
	&os_child_analyzer,
	&os_trace_analyzer,
	&os_cause_analyzer,
	&os_service_analyzer,
	&os_process_analyzer,
	&os_unknown_analyzer,
	&ovs_analyzer,
	&kernel_cpu_analyzer,
	&kernel_block_analyzer,
	&kernel_net_analyzer,
	NULL
};
