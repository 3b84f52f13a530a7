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

/* Begin and end of the span that the filter means.  -ENOENT: no windows of
 * 'kind' at all. */
int kernel_span(struct store *store, const struct kernel_filter *filter, const char *kind,
		uint64_t *ret_from_ns, uint64_t *ret_to_ns, struct error *error);

#endif /* kernel_answers.h */
