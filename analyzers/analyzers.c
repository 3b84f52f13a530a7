/* SPDX-License-Identifier: MIT
 *
 * analyzers.c -- the list of all analyzers.  They run in this order on events
 * that several of them read. */
#include "analyzers/analyzer.h"

extern const struct analyzer node_analyzer, node_service_analyzer, node_host_analyzer;
extern const struct analyzer qemu_analyzer;
extern const struct analyzer kernel_cpu_analyzer, kernel_block_analyzer, kernel_net_analyzer;

const struct analyzer *const analyzers[] = {
	&node_analyzer,
	&node_service_analyzer,
	&node_host_analyzer,
	&qemu_analyzer,
	&kernel_cpu_analyzer,
	&kernel_block_analyzer,
	&kernel_net_analyzer,
	NULL
};
