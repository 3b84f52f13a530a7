/* SPDX-License-Identifier: MIT
 *
 * network_vswitchd.c -- what CPU the threads that command the datapath had, from the
 * scheduler's windows where those are there. */
#include <string.h>

#include "analyzers/kernel_cpu_sum.h"
#include "daemon/network.h"
#include "lib/util.h"

static bool
add_window(void *context, const char *host, const char *key, const struct fact_window *window)
{
	/* What is damaged is left out, as in all sums. */
	cpu_sum_add(context, window);
	return true;
}

static bool
gives_commands(const struct network_host *host, const char *comm)
{
	for (uint32_t i = 0; i < host->window.commands.n; i++) {
		const struct ovs_command *command = keyed_at(&host->window.commands, i);

		if (streq(command->key.comm, comm))
			return true;
	}
	return false;
}

json_t *
network_vswitchd_threads(struct store *store, const struct network_host *host)
{
	struct cpu_sum *sum = cpu_sum_new(host->from_ns, host->to_ns);
	const struct cpu_sum_thread *threads;
	json_t *list = json_array();
	size_t n;

	store_windows(store, host->name, "cpu", NULL, host->from_ns, host->to_ns, add_window, sum,
		      NULL);
	n = cpu_sum_threads(sum, &threads);
	for (size_t i = 0; i < n; i++) {
		const struct cpu_sum_thread *thread = &threads[i];

		if (!gives_commands(host, thread->name))
			continue;
		json_array_append_new(list, json_pack(
			"{s:o, s:I, s:I, s:I, s:I}", "comm", ovs_text_json(thread->name), "tid",
			(json_int_t) thread->tid, "running_ns",
			(json_int_t) thread->ns[CPU_RUNNING], "waiting_ns",
			(json_int_t) thread->ns[CPU_WAITING], "switches",
			(json_int_t) thread->switches));
	}
	cpu_sum_free(sum);
	return list;
}
