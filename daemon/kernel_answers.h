/* SPDX-License-Identifier: MIT
 *
 * kernel_answers.h -- what the windows of the kernel analyzers say of a span,
 * as JSON in the shapes of proto/schemas (a new reference each). */
#ifndef DAEMON_KERNEL_ANSWERS_H
#define DAEMON_KERNEL_ANSWERS_H

#include "daemon/store.h"

struct kernel_filter {
	uint64_t since_ns, until_ns;     /* 0: the last seconds that are known of the host. */
	const char *host;
	uint64_t pid, tid;               /* 0: of any. */
	unsigned limit;                  /* 0: 1000 */
};

/* States of threads over the span (thread.json), those that ran or waited most
 * first.  -ENOENT: nothing is known of the host's kernel. */
json_t *kernel_threads(struct store *store, const struct kernel_filter *filter,
		       struct error *error);

/* Disks over the windows of the span (disk.json): those below each other, who used
 * them, what is known of who they are. */
json_t *kernel_disks(struct store *store, const struct kernel_filter *filter, struct error *error);
/* Interfaces, TCP connections and drops over the span (network.json). */
json_t *kernel_network(struct store *store, const struct kernel_filter *filter,
		       struct error *error);
/* CPU by VM, who waits most and for whom, disks, network (node_show.json). */
json_t *kernel_node(struct store *store, const struct kernel_filter *filter, struct error *error);
/* VMs and threads of all hosts, or of one, those that use or want most first (top.json). */
json_t *kernel_top(struct store *store, const struct kernel_filter *filter, struct error *error);
/* From a volume down to the disks that hold it, on each host where a VM has it
 * (chain.json); each link says what told it. */
json_t *kernel_volume_chain(struct store *store, const char *volume,
			    const struct kernel_filter *filter, struct error *error);

/* Adds "kernel" to a migration as migration.show gives it: per stage and round the
 * threads of both sides and the migration's connections.  Does nothing where no
 * kernel was traced. */
void kernel_add_migration(struct store *store, json_t *migration);

/* Begin and end of the span that the filter means.  -ENOENT: no windows of
 * 'kind' at all. */
int kernel_span(struct store *store, const struct kernel_filter *filter, const char *kind,
		uint64_t *ret_from_ns, uint64_t *ret_to_ns, struct error *error);

#endif /* kernel_answers.h */
