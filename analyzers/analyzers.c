/* SPDX-License-Identifier: MIT
 *
 * analyzers.c -- the list of all analyzers.  They run in this order on events
 * that several of them read. */
#include "analyzers/analyzer.h"

extern const struct analyzer node_analyzer, qemu_analyzer;

const struct analyzer *const analyzers[] = {
	&node_analyzer,
	&qemu_analyzer,
	NULL
};
