/* SPDX-License-Identifier: MIT */
#include "analyzers/windows.h"

#include "analyzers/kernel_block_sum.h"
#include "analyzers/kernel_cpu_sum.h"
#include "analyzers/kernel_net_sum.h"
#include "analyzers/kernel_sync.h"

extern const struct window_kind ovs_window_kind;

const struct window_kind *const window_kinds[] = {
	&ovs_window_kind,
	&cpu_window_kind,
	&block_window_kind,
	&net_window_kind,
	&sync_window_kind,
	NULL
};

const struct window_kind *
window_kind(const char *kind)
{
	for (size_t i = 0; window_kinds[i]; i++)
		if (streq(window_kinds[i]->kind, kind))
			return window_kinds[i];
	return NULL;
}
