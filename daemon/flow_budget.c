/* SPDX-License-Identifier: MIT */
#include "daemon/flow_budget.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/flow_path.h"
#include "daemon/kernel_budget.h"
#include "daemon/members.h"
#include "lib/util.h"

/* Time of a span in which it waited for nothing below it. */
struct piece {
	int node;
	uint64_t from_ns, to_ns;
	json_t *parts;               /* Owned: where it went. */
	bool answered;               /* By the kernel of its host. */
};

struct pieces {
	struct piece *all;
	size_t n, capacity;
};

/* -- Pieces -------------------------------------------------------------------------- */

static size_t
add_piece(struct pieces *pieces, int node, uint64_t from_ns, uint64_t to_ns)
{
	if (pieces->n == pieces->capacity) {
		pieces->capacity = pieces->capacity ? 2 * pieces->capacity : 256;
		pieces->all = xrealloc(pieces->all, pieces->capacity * sizeof *pieces->all);
	}
	pieces->all[pieces->n] = (struct piece) { .node = node, .from_ns = from_ns, .to_ns = to_ns };
	return pieces->n++;
}

struct covered {
	uint64_t from_ns, to_ns;
};

static int
by_begin(const void *a, const void *b)
{
	const struct covered *x = a, *y = b;

	if (x->from_ns != y->from_ns)
		return x->from_ns < y->from_ns ? -1 : 1;
	return x->to_ns < y->to_ns ? -1 : x->to_ns > y->to_ns;
}

/* What is left of a node's time beside its children's. */
static void
add_own(const struct flow_tree *tree, int index, struct covered *covered, struct pieces *pieces)
{
	const struct flow_node *node = &tree->nodes[index];
	uint64_t at_ns = node->start_ns;
	size_t n = 0;

	for (int i = node->child; i >= 0; i = tree->nodes[i].next)
		covered[n++] = (struct covered) { tree->nodes[i].start_ns, tree->nodes[i].end_ns };
	qsort(covered, n, sizeof *covered, by_begin);
	for (size_t i = 0; i < n; i++) {
		const uint64_t from_ns = MIN(covered[i].from_ns, node->end_ns);
		const uint64_t to_ns = MIN(covered[i].to_ns, node->end_ns);

		if (from_ns > at_ns)
			add_piece(pieces, index, at_ns, from_ns);
		at_ns = MAX(at_ns, to_ns);
	}
	if (node->end_ns > at_ns)
		add_piece(pieces, index, at_ns, node->end_ns);
}

/* -- Where a piece went --------------------------------------------------------------- */

/* Of a message: waiting until somebody takes it, and for the reply. */
static json_t *
message_parts(const struct flow_tree *tree, const struct piece *piece)
{
	const struct flow_node *node = &tree->nodes[piece->node];
	const json_t *attributes = json_object_get(node->span, "attributes");
	const char *topic = known_text_of(attributes, "topic"), *what = known_text_of(attributes, "what");
	const struct flow_node *served = node->child >= 0 ? &tree->nodes[node->child] : NULL;
	char by[160];
	json_t *parts;

	if (!what || !topic || (!streq(what, "call") && !streq(what, "cast")))
		return NULL;
	snprintf(by, sizeof by, !served ? "%s" : piece->from_ns < served->start_ns ? "queue of %s" :
		 "reply of %s", topic);
	parts = json_array();
	budget_add_part(parts, "service", piece->to_ns - piece->from_ns, by, NULL);
	return parts;
}

/* Steps that are nothing but waiting: for another service, or for libvirt's. */
static json_t *
step_parts(const struct flow_node *node, uint64_t ns)
{
	static const char waiting[] = "waiting for ";
	const char *what = known_text_of(node->span, "what"), *name = known_text_of(node->span, "name");
	const char *host = known_text_of(node->span, "host");
	char by[160];
	json_t *parts;

	if (name && starts_with(name, "libvirt"))
		snprintf(by, sizeof by, "libvirt on %s", host ? host : "?");
	else if (what && starts_with(what, waiting))
		snprintf(by, sizeof by, "%s", what + strlen(waiting));
	else
		return NULL;
	parts = json_array();
	budget_add_part(parts, "service", ns, by, NULL);
	return parts;
}

static bool
is_application(const struct flow_node *node)
{
	const char *layer = known_text_of(node->span, "layer");

	return layer && streq(layer, "application");
}

static uint64_t
pid_of(const struct flow_node *node)
{
	return number_of(json_object_get(node->span, "attributes"), "pid");
}

/* By the clock of its host. */
static struct kernel_question
question_of(const struct flow_node *node, const struct piece *piece)
{
	const int64_t offset_ns = json_integer_value(json_object_get(node->span, "offset_ns"));

	return (struct kernel_question) {
		.who = is_application(node) ? KERNEL_SERVICE : KERNEL_MIGRATION, .pid = pid_of(node),
		.from_ns = (uint64_t) ((int64_t) piece->from_ns + offset_ns),
		.to_ns = (uint64_t) ((int64_t) piece->to_ns + offset_ns),
	};
}

/* Asks the kernel of one host for all pieces there that are left. */
static void
ask_host(struct store *store, const struct flow_tree *tree, struct pieces *pieces, const char *host)
{
	struct kernel_question *questions = xcalloc(pieces->n + 1, sizeof *questions);
	struct piece **asked = xcalloc(pieces->n + 1, sizeof(struct piece *));
	json_t *answers;
	size_t n = 0;

	for (size_t i = 0; i < pieces->n; i++) {
		struct piece *piece = &pieces->all[i];
		const struct flow_node *node = &tree->nodes[piece->node];
		const char *its = known_text_of(node->span, "host");

		if (piece->parts || !its || !streq(its, host) || !pid_of(node))
			continue;
		questions[n] = question_of(node, piece);
		asked[n++] = piece;
	}
	answers = kernel_budgets(store, host, questions, n);
	for (size_t i = 0; i < n && answers; i++) {
		asked[i]->parts = json_incref(json_array_get(answers, i));
		asked[i]->answered = true;
	}
	json_decref(answers);
	free(questions);
	free(asked);
}

/* Steps of another layer count as what they are part of. */
static const char *
what_of(const struct flow_tree *tree, int index)
{
	const char *what = known_text_of(tree->nodes[index].span, "what");

	for (unsigned i = 0; !what && tree->nodes[index].parent >= 0 && i < FLOW_PATH_DEPTH; i++) {
		index = tree->nodes[index].parent;
		what = known_text_of(tree->nodes[index].span, "what");
	}
	return what ? what : "other services";
}

static json_t *
unknown_parts(const struct flow_node *node, uint64_t ns)
{
	json_t *parts;

	if (pid_of(node))
		return budget_unknown(known_text_of(node->span, "host"), ns);
	parts = json_array();
	budget_add_part(parts, "unexplained", ns, NULL, "it is not known which process did it");
	return parts;
}

static void
explain(struct store *store, const struct flow_tree *tree, struct pieces *pieces)
{
	json_t *hosts = json_object(), *unused;
	const char *host;

	for (size_t i = 0; i < pieces->n; i++) {
		struct piece *piece = &pieces->all[i];
		const struct flow_node *node = &tree->nodes[piece->node];

		piece->parts = message_parts(tree, piece);
		if (!piece->parts)
			piece->parts = step_parts(node, piece->to_ns - piece->from_ns);
		host = known_text_of(node->span, "host");
		if (!piece->parts && host && pid_of(node))
			json_object_set_new(hosts, host, json_true());
	}
	json_object_foreach(hosts, host, unused)
		ask_host(store, tree, pieces, host);
	json_decref(hosts);
	for (size_t i = 0; i < pieces->n; i++) {
		struct piece *piece = &pieces->all[i];

		if (!piece->parts)
			piece->parts = unknown_parts(&tree->nodes[piece->node],
						     piece->to_ns - piece->from_ns);
	}
}

/* -- Of each span ---------------------------------------------------------------------- */

static void
tell_span(const struct flow_node *node, const struct piece *pieces, size_t n)
{
	const uint64_t took_ns = node->end_ns - node->start_ns;
	json_t *budget = json_array();
	uint64_t self_ns = 0;
	bool shared = false;

	for (size_t i = 0; i < n; i++) {
		budget_add(budget, pieces[i].parts);
		self_ns += pieces[i].to_ns - pieces[i].from_ns;
		shared |= pieces[i].answered && is_application(node);
	}
	budget_add_part(budget, "children", took_ns - self_ns, NULL, NULL);
	budget_finish(budget);
	json_object_set_new(node->span, "took_ns", json_integer((json_int_t) took_ns));
	json_object_set_new(node->span, "self_ns", json_integer((json_int_t) self_ns));
	json_object_set_new(node->span, "critical", json_boolean(node->critical));
	json_object_set_new(node->span, "budget", budget);
	/* One thread of it serves many at a time: its time is more than this one's. */
	if (shared)
		json_object_set_new(node->span, "shared", json_true());
}

/* -- Of the whole ---------------------------------------------------------------------- */

static bool
is_same(const json_t *a, const json_t *b, const char *name)
{
	return json_equal(json_object_get(a, name), json_object_get(b, name)) ||
	       (!json_object_get(a, name) && !json_object_get(b, name));
}

/* Adds what was found of a stretch of the path to that of the same place and kind. */
static void
add_stretch(json_t *budget, const struct flow_node *node, const char *what, uint64_t ns,
	    const json_t *parts)
{
	static const char *const names[] = { "what", "layer", "service", "host" };
	json_t *one = json_pack("{s:s}", "what", what), *found = NULL;
	size_t i;

	for (i = 1; i < ARRAY_SIZE(names); i++)
		json_object_set(one, names[i], json_object_get(node->span, names[i]));
	json_array_foreach(budget, i, found) {
		size_t k = 0;

		while (k < ARRAY_SIZE(names) && is_same(found, one, names[k]))
			k++;
		if (k == ARRAY_SIZE(names))
			break;
	}
	if (i == json_array_size(budget)) {
		json_object_set_new(one, "ns", json_integer(0));
		json_object_set_new(one, "parts", json_array());
		json_array_append(budget, one);
		found = one;
	}
	json_object_set_new(found, "ns", json_integer((json_int_t) (number_of(found, "ns") + ns)));
	budget_add(json_object_get(found, "parts"), parts);
	json_decref(one);
}

static bool
is_message(const struct flow_node *node)
{
	const char *what = known_text_of(json_object_get(node->span, "attributes"), "what");

	return what && (streq(what, "call") || streq(what, "cast"));
}

/* 'pieces' has one for each stretch. */
static json_t *
whole_budget(const struct flow_tree *tree, const struct piece *pieces)
{
	json_t *budget = json_array(), *one;
	size_t i;

	for (i = 0; i < tree->n_path; i++) {
		const struct flow_segment *segment = &tree->path[i];
		const struct flow_node *node = &tree->nodes[segment->node];
		const uint64_t ns = segment->to_ns - segment->from_ns;
		json_t *nobody;

		if (!segment->behind || is_message(node)) {
			add_stretch(budget, node, what_of(tree, segment->node), ns, pieces[i].parts);
			continue;
		}
		nobody = json_array();
		budget_add_part(nobody, "unexplained", ns, NULL, "nobody tells what went on after it");
		add_stretch(budget, node, "unexplained", ns, nobody);
		json_decref(nobody);
	}
	json_array_foreach(budget, i, one)
		budget_finish(json_object_get(one, "parts"));
	budget_finish(budget);
	return budget;
}

static json_t *
path_json(const struct flow_tree *tree)
{
	json_t *path = json_array();

	for (size_t i = 0; i < tree->n_path; i++) {
		const struct flow_segment *segment = &tree->path[i];

		json_array_append_new(path, json_pack(
			"{s:O?, s:I, s:I}", "span",
			json_object_get(tree->nodes[segment->node].span, "id"), "from_ns",
			(json_int_t) segment->from_ns, "to_ns", (json_int_t) segment->to_ns));
	}
	return path;
}

json_t *
flow_budget(struct store *store, json_t *spans, uint64_t from_ns, uint64_t to_ns)
{
	struct pieces pieces = { 0 };
	struct covered *covered;
	struct flow_tree tree;
	size_t *first, n_own;
	json_t *answer;

	flow_tree_init(&tree, spans, from_ns, to_ns);
	covered = xcalloc(tree.n + 1, sizeof *covered);
	first = xcalloc(tree.n + 1, sizeof *first);
	for (size_t i = 0; i < tree.n; i++) {
		first[i] = pieces.n;
		add_own(&tree, (int) i, covered, &pieces);
	}
	first[tree.n] = n_own = pieces.n;
	for (size_t i = 0; i < tree.n_path; i++)
		add_piece(&pieces, tree.path[i].node, tree.path[i].from_ns, tree.path[i].to_ns);
	explain(store, &tree, &pieces);
	for (size_t i = 0; i < tree.n; i++)
		tell_span(&tree.nodes[i], pieces.all + first[i], first[i + 1] - first[i]);
	answer = json_pack("{s:o, s:o}", "budget", whole_budget(&tree, pieces.all + n_own),
			   "critical_path", path_json(&tree));
	for (size_t i = 0; i < pieces.n; i++)
		json_decref(pieces.all[i].parts);
	free(pieces.all);
	free(covered);
	free(first);
	flow_tree_done(&tree);
	return answer;
}
