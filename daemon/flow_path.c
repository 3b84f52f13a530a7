/* SPDX-License-Identifier: MIT */
#include "daemon/flow_path.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/members.h"
#include "lib/util.h"

/* -- The tree ------------------------------------------------------------------------ */

static void
read_nodes(struct flow_tree *tree, json_t *spans, uint64_t to_ns)
{
	json_t *ids = json_object(), *span;
	size_t i;

	json_array_foreach(spans, i, span) {
		const char *id = json_string_value(json_object_get(span, "id"));
		const uint64_t start_ns = number_of(span, "start_ns"), end_ns = number_of(span, "end_ns");

		tree->nodes[i] = (struct flow_node) {
			.span = span, .start_ns = start_ns,
			.end_ns = MAX(end_ns ? end_ns : to_ns, start_ns), .parent = i ? 0 : -1,
			.child = -1, .next = -1,
		};
		if (id && !json_object_get(ids, id))
			json_object_set_new(ids, id, json_integer((json_int_t) i));
	}
	json_array_foreach(spans, i, span) {
		const char *parent = json_string_value(json_object_get(span, "parent"));
		const json_t *found = parent ? json_object_get(ids, parent) : NULL;

		if (i && found)
			tree->nodes[i].parent = (int) json_integer_value(found);
	}
	json_decref(ids);
}

/* Each node comes behind its parent in the order that is returned (to be freed); whoever
 * can't be come to from the root is hung on it. */
static int *
order_nodes(struct flow_tree *tree)
{
	int *order = xcalloc(tree->n + 1, sizeof *order), *up = xcalloc(tree->n + 1, sizeof *up);
	char *seen = xcalloc(tree->n + 1, 1);
	size_t n = 0;

	for (size_t i = 0; i < tree->n; i++) {
		int at = (int) i;
		size_t n_up = 0;

		/* Up to one that is placed: 2; or comes a second time: 1. */
		while (at >= 0 && !seen[at]) {
			seen[at] = 1;
			up[n_up++] = at;
			at = tree->nodes[at].parent;
		}
		if (at > 0 && seen[at] == 1) {
			const char *id = json_string_value(json_object_get(tree->nodes[0].span, "id"));

			tree->nodes[at].parent = 0;
			json_object_set_new(tree->nodes[at].span, "parent", json_string(id ? id : ""));
			/* What was come to before it in the ring lies below it now. */
			while (up[n_up - 1] != at) {
				seen[up[--n_up]] = 0;
			}
		}
		while (n_up) {
			order[n++] = up[--n_up];
			seen[order[n - 1]] = 2;
		}
	}
	free(up);
	free(seen);
	return order;
}

/* A message that nobody answers is worked on for as long as there is work that its
 * server does or waits for: not what another does with a message that was left with it. */
static bool
is_endless(const struct flow_node *node)
{
	const char *name = json_string_value(json_object_get(node->span, "name"));

	return node->end_ns == node->start_ns && name && starts_with(name, "serve ");
}

struct ended {
	int node;
	uint64_t end_ns;
};

static int
by_end(const void *a, const void *b)
{
	const struct ended *x = a, *y = b;

	if (x->end_ns != y->end_ns)
		return x->end_ns < y->end_ns ? -1 : 1;
	return x->node < y->node ? -1 : 1;
}

static void
link_nodes(struct flow_tree *tree, const int *order)
{
	struct ended *ended = xcalloc(tree->n + 1, sizeof *ended);
	uint64_t *work_ns = xcalloc(tree->n + 1, sizeof *work_ns);

	for (size_t i = tree->n; i-- > 0; ) {
		struct flow_node *node = &tree->nodes[order[i]];

		struct flow_node *parent = node->parent >= 0 ? &tree->nodes[node->parent] : NULL;

		if (is_endless(node))
			node->end_ns = MAX(node->end_ns, work_ns[order[i]]);
		node->reach_ns = MAX(node->reach_ns, node->end_ns);
		if (parent) {
			parent->reach_ns = MAX(parent->reach_ns, node->reach_ns);
			work_ns[node->parent] = MAX(work_ns[node->parent], node->end_ns);
		}
	}
	free(work_ns);
	for (size_t i = 0; i < tree->n; i++)
		ended[i] = (struct ended) { (int) i, tree->nodes[i].end_ns };
	qsort(ended, tree->n, sizeof *ended, by_end);
	/* Each is put in front of those that ended before. */
	for (size_t i = 0; i < tree->n; i++) {
		struct flow_node *node = &tree->nodes[ended[i].node];

		if (node->parent < 0)
			continue;
		node->next = tree->nodes[node->parent].child;
		tree->nodes[node->parent].child = ended[i].node;
	}
	free(ended);
}

/* -- The path ------------------------------------------------------------------------ */

static void
add_segment(struct flow_tree *tree, int node, uint64_t from_ns, uint64_t to_ns, bool behind)
{
	if (to_ns <= from_ns)
		return;
	if (tree->n_path == tree->capacity) {
		tree->capacity = tree->capacity ? 2 * tree->capacity : 64;
		tree->path = xrealloc(tree->path, tree->capacity * sizeof *tree->path);
	}
	tree->path[tree->n_path++] = (struct flow_segment) { node, from_ns, to_ns, behind };
}

/* Of those that reach behind 'end_ns' the one that reaches furthest, if not behind 'at_ns'. */
static int
furthest(const struct flow_tree *tree, int node, uint64_t end_ns, uint64_t at_ns)
{
	int found = -1;

	for (int i = tree->nodes[node].child; i >= 0; i = tree->nodes[i].next) {
		const struct flow_node *child = &tree->nodes[i], *best = found < 0 ? NULL :
			&tree->nodes[found];
		const uint64_t reach_ns = MIN(child->reach_ns, at_ns);
		const uint64_t best_ns = best ? MIN(best->reach_ns, at_ns) : 0;

		if (child->start_ns >= at_ns || reach_ns <= end_ns)
			continue;
		/* Of those that all go on, the one that began last is the innermost. */
		if (!best || reach_ns > best_ns ||
		    (reach_ns == best_ns && child->start_ns > best->start_ns))
			found = i;
	}
	return found;
}

/* The path through a node and what is below it, backwards from 'at_ns' to 'from_ns'. */
static void
walk(struct flow_tree *tree, int index, uint64_t from_ns, uint64_t at_ns, unsigned depth)
{
	struct flow_node *node = &tree->nodes[index];
	const uint64_t end_ns = MAX(node->end_ns, from_ns);
	int child;

	node->critical = true;
	while (depth && at_ns > end_ns && (child = furthest(tree, index, end_ns, at_ns)) >= 0) {
		const struct flow_node *it = &tree->nodes[child];
		const uint64_t reach_ns = MIN(it->reach_ns, at_ns);
		const uint64_t start_ns = MAX(it->start_ns, from_ns);

		add_segment(tree, index, reach_ns, at_ns, true);
		walk(tree, child, start_ns, reach_ns, depth - 1);
		at_ns = start_ns;
	}
	if (at_ns > end_ns) {
		add_segment(tree, index, end_ns, at_ns, true);
		at_ns = end_ns;
	}
	for (child = depth ? node->child : -1; child >= 0 && at_ns > from_ns;
	     child = tree->nodes[child].next) {
		const struct flow_node *it = &tree->nodes[child];
		const uint64_t start_ns = MAX(it->start_ns, from_ns);
		const uint64_t last_ns = MIN(it->end_ns, at_ns);

		if (last_ns <= start_ns)
			continue;
		add_segment(tree, index, last_ns, at_ns, false);
		walk(tree, child, start_ns, last_ns, depth - 1);
		at_ns = start_ns;
	}
	add_segment(tree, index, from_ns, at_ns, false);
}

void
flow_tree_init(struct flow_tree *tree, json_t *spans, uint64_t from_ns, uint64_t to_ns)
{
	int *order;

	*tree = (struct flow_tree) { .n = json_array_size(spans) };
	tree->nodes = xcalloc(tree->n + 1, sizeof *tree->nodes);
	if (!tree->n)
		return;
	read_nodes(tree, spans, to_ns);
	order = order_nodes(tree);
	link_nodes(tree, order);
	free(order);
	walk(tree, 0, from_ns, MAX(to_ns, from_ns), FLOW_PATH_DEPTH);
	for (size_t i = 0; i < tree->n_path / 2; i++) {
		const struct flow_segment segment = tree->path[i];

		tree->path[i] = tree->path[tree->n_path - 1 - i];
		tree->path[tree->n_path - 1 - i] = segment;
	}
}

void
flow_tree_done(struct flow_tree *tree)
{
	free(tree->nodes);
	free(tree->path);
	*tree = (struct flow_tree) { .n = 0 };
}
