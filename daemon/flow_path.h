/* SPDX-License-Identifier: MIT
 *
 * flow_path.h -- the tree of a flow's spans as flow_budget.c looks at it, and the
 * critical path through it.
 *
 * The path is found from the end backwards: whoever ended last before that time was
 * waited for.  What goes on behind the end of its parent was not waited for by that
 * (a cast), but by the end of the flow if nothing else ended later. */
#ifndef DAEMON_FLOW_PATH_H
#define DAEMON_FLOW_PATH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLOW_PATH_DEPTH = 128 };      /* What hangs deeper is not looked into. */

struct flow_node {
	json_t *span;                /* Borrowed. */
	uint64_t start_ns, end_ns;   /* Of its own work. */
	uint64_t reach_ns;           /* End of the last that is below it. */
	int parent, child, next;     /* Indexes, -1: none; children by their end, the last first. */
	bool critical;
};

/* A stretch in which nothing below the node was waited for. */
struct flow_segment {
	int node;
	uint64_t from_ns, to_ns;
	bool behind;                 /* After the node had ended: nobody says what went on. */
};

struct flow_tree {
	struct flow_node *nodes;     /* The first is the root; as in the array of spans. */
	size_t n;
	struct flow_segment *path;   /* In the order of time; they follow each other. */
	size_t n_path, capacity;
};

/* Reads spans and finds the path over [from_ns, to_ns]; open spans end at 'to_ns'. */
void flow_tree_init(struct flow_tree *tree, json_t *spans, uint64_t from_ns, uint64_t to_ns);
void flow_tree_done(struct flow_tree *tree);

#endif /* flow_path.h */
