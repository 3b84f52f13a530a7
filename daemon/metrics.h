/* SPDX-License-Identifier: MIT
 *
 * metrics.h -- what is known as metrics of Prometheus (text format 0.0.4).
 *
 * Series are those of nodes, sources, rules and of migrations that run or ended
 * a few minutes ago; never of single requests.  Histograms count what ended
 * since the daemon began, so that they only ever grow. */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include "lib/buf.h"
#include "lib/error.h"

struct metrics;
struct serve;
struct store;

struct metrics *metrics_new(void);
/* Accepts NULL. */
void metrics_free(struct metrics *metrics);
/* From now on what ends is counted. */
int metrics_start(struct metrics *metrics, struct store *store, struct error *error);
/* Adds the whole exposition, from serve's store.  Serve's thread. */
int metrics_write(struct serve *serve, struct buf *out, struct error *error);

#endif /* metrics.h */
