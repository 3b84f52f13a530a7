/* SPDX-License-Identifier: MIT */
#include "client/waterfall.h"

#include <stdlib.h>
#include <string.h>

#include "client/view.h"

/* A node while the tree is made; 'span' is its index in the reply. */
struct node {
	const json_t *span, *served;
	const char *id;
	uint64_t start_ns, end_ns;
	bool open;
	int parent, first, last, next;   /* Children in the order of their start. */
	unsigned depth;
	size_t index;
};

/* -- Reading -------------------------------------------------------------- */

static int
by_start(const void *a_, const void *b_)
{
	const struct node *a = a_, *b = b_;

	if (a->start_ns != b->start_ns)
		return a->start_ns < b->start_ns ? -1 : 1;
	/* What lasts longer is likelier to hold the other. */
	if (a->end_ns != b->end_ns)
		return a->end_ns > b->end_ns ? -1 : 1;
	return a->index < b->index ? -1 : 1;
}

struct name {
	const char *id;
	int node;
};

static int
by_id(const void *a_, const void *b_)
{
	const struct name *a = a_, *b = b_;
	int r = strcmp(a->id, b->id);

	return r ? r : a->node - b->node;
}

static size_t
read_nodes(const json_t *spans, uint64_t end_ns, struct node *nodes)
{
	size_t count = 0, i;
	json_t *span;

	json_array_foreach((json_t *) spans, i, span) {
		const json_t *end = json_at(span, "end_ns");
		struct node *node = &nodes[count];

		if (!json_is_object(span) || count == INT32_MAX)
			continue;
		*node = (struct node) {
			.span = span, .id = json_text_at(span, "id"), .index = count,
			.start_ns = json_number_at(span, "start_ns"), .open = !end,
			.parent = WATERFALL_NONE, .first = WATERFALL_NONE, .last = WATERFALL_NONE,
			.next = WATERFALL_NONE,
		};
		node->id = node->id ? node->id : "";
		node->end_ns = MAX(end ? json_number_at(span, "end_ns") : end_ns, node->start_ns);
		count++;
	}
	qsort(nodes, count, sizeof *nodes, by_start);
	return count;
}

static int
find_parent(const struct name *names, size_t count, const char *id)
{
	size_t low = 0, high = count;

	/* The first of that id. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(names[middle].id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && streq(names[low].id, id) ? names[low].node : WATERFALL_NONE;
}

/* Whether 'node' may hang below 'parent': not in a ring.  What hangs deeper
 * than any request does is not looked through. */
static bool
may_hang(const struct node *nodes, int node, int parent)
{
	enum { MAX_STEPS = 1000 };
	int steps = 0;

	for (int up = parent; up != WATERFALL_NONE; up = nodes[up].parent)
		if (up == node || ++steps == MAX_STEPS)
			return false;
	return true;
}

static void
link_nodes(struct node *nodes, size_t count)
{
	_cleanup_(freep) struct name *names = xcalloc(count, sizeof *names);

	for (size_t i = 0; i < count; i++)
		names[i] = (struct name) { nodes[i].id, (int) i };
	qsort(names, count, sizeof *names, by_id);
	for (size_t i = 0; i < count; i++) {
		const char *id = json_text_at(nodes[i].span, "parent");
		int parent = id && *id ? find_parent(names, count, id) : WATERFALL_NONE;

		if (parent != WATERFALL_NONE && may_hang(nodes, (int) i, parent))
			nodes[i].parent = parent;
	}
	for (size_t i = 0; i < count; i++) {
		struct node *parent = nodes[i].parent >= 0 ? &nodes[nodes[i].parent] : NULL;

		if (!parent)
			continue;
		if (parent->last >= 0)
			nodes[parent->last].next = (int) i;
		else
			parent->first = (int) i;
		parent->last = (int) i;
	}
}

/* -- Calls ---------------------------------------------------------------- */

enum { ABSORBED = -2 };

static bool
begins(const json_t *span, const char *word)
{
	const char *name = json_text_at(span, "name");

	return name && starts_with(name, word);
}

/* A call and who served it are one thing to a reader: the row of the call tells
 * of both, and what the server did hangs below it. */
static void
absorb_served(struct node *nodes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct node *call = &nodes[i], *served;
		bool is_call = begins(call->span, "call ") || begins(call->span, "cast ");

		if (!is_call || call->first == WATERFALL_NONE || call->first != call->last)
			continue;
		served = &nodes[call->first];
		if (!begins(served->span, "serve "))
			continue;
		call->served = served->span;
		call->first = served->first;
		call->last = served->last;
		served->parent = ABSORBED;
		for (int child = call->first; child != WATERFALL_NONE; child = nodes[child].next)
			nodes[child].parent = (int) i;
	}
}

/* -- Rows ----------------------------------------------------------------- */

static bool
is_bad(const json_t *span)
{
	static const char *const words[] = { "error", "failed", "timeout", "lost", "unanswered",
					     "cancelled" };
	const char *status = json_text_at(span, "status");

	for (unsigned i = 0; status && i < ARRAY_SIZE(words); i++)
		if (streq(status, words[i]))
			return true;
	return false;
}

static int
add_row(struct waterfall *w, const struct node *node, int parent)
{
	struct waterfall_row *row = &w->rows[w->count];

	if (parent != WATERFALL_NONE && w->rows[parent].depth + 1 == WATERFALL_MAX_DEPTH)
		parent = w->rows[parent].parent;
	*row = (struct waterfall_row) {
		.span = node->span, .served = node->served, .start_ns = node->start_ns,
		.end_ns = node->end_ns, .open = node->open, .count = 1, .parent = parent,
		.bad = is_bad(node->span) || is_bad(node->served),
		.critical = json_is_true(json_object_get(node->span, "critical")) ||
			    json_is_true(json_object_get(node->served, "critical")),
		.own_ns = json_number_at(node->span, "self_ns") +
			  json_number_at(node->served, "self_ns"),
		.depth = parent == WATERFALL_NONE ? 0 : w->rows[parent].depth + 1, .size = 1,
		.took_ns = node->end_ns - node->start_ns,
		.next_same = WATERFALL_NONE, .last_same = (int) w->count,
	};
	row->weight_ns = row->bad ? UINT64_MAX : row->took_ns;
	return (int) w->count++;
}

/* Sizes and weights of subtrees.  A message that nobody answers has no end of its
 * own: it is worked on for as long as anything below it is. */
static void
sum_up(struct waterfall *w)
{
	_cleanup_(freep) uint64_t *reach = xcalloc(w->count + 1, sizeof *reach);

	for (size_t i = w->count; i-- > 0; ) {
		struct waterfall_row *row = &w->rows[i], *parent;

		if (row->end_ns == row->start_ns && reach[i] > row->end_ns) {
			row->end_ns = reach[i];
			row->took_ns = row->end_ns - row->start_ns;
			row->weight_ns = MAX(row->weight_ns, row->took_ns);
		}
		if (row->parent == WATERFALL_NONE)
			continue;
		parent = &w->rows[row->parent];
		parent->size += row->size;
		parent->weight_ns = MAX(parent->weight_ns, row->weight_ns);
		reach[row->parent] = MAX(reach[row->parent], reach[i]);
		reach[row->parent] = MAX(reach[row->parent], row->end_ns);
	}
}

/* Down to the first child, else on to the next of the nearest ancestor. */
static void
walk(struct waterfall *w, const struct node *nodes, size_t count)
{
	_cleanup_(freep) int *row_of = xcalloc(count, sizeof *row_of);

	for (size_t root = 0; root < count; root++) {
		int at = nodes[root].parent == WATERFALL_NONE ? (int) root : WATERFALL_NONE;

		while (at != WATERFALL_NONE) {
			int parent = nodes[at].parent;

			row_of[at] = add_row(w, &nodes[at],
					     parent == WATERFALL_NONE ? parent : row_of[parent]);
			if (nodes[at].first != WATERFALL_NONE) {
				at = nodes[at].first;
				continue;
			}
			while (at != (int) root && nodes[at].next == WATERFALL_NONE)
				at = nodes[at].parent;
			at = at == (int) root ? WATERFALL_NONE : nodes[at].next;
		}
	}
	sum_up(w);
}

/* -- Folding -------------------------------------------------------------- */

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* The length of an id in a name: digits, or hexadecimal ones with dashes that
 * are as long as ids are; 0: none. */
static size_t
id_length(const char *text)
{
	size_t n = 0, digits = 0;

	while (is_hex(text[n]) || (n && text[n] == '-'))
		n++;
	while (text[digits] >= '0' && text[digits] <= '9')
		digits++;
	return n >= 32 ? n : digits && digits == n ? n : 0;
}

/* Whether an id can begin behind what was added. */
static bool
at_word(const struct buf *out)
{
	return !out->size || strchr("/ -_=", out->data[out->size - 1]);
}

/* "GET /v2.0/ports?device_id=..." as "GET /v2.0/ports", ids as "*". */
static void
add_pattern(const char *name, struct buf *out)
{
	while (*name && *name != '?') {
		size_t n = at_word(out) ? id_length(name) : 0;

		buf_add_char(out, n ? '*' : *name);
		name += n ? n : 1;
	}
}

/* Long ids by their first eight characters. */
static void
add_short(const char *name, struct buf *out)
{
	enum { LONG = 32, SHORT = 8 };

	while (*name) {
		size_t n = at_word(out) ? id_length(name) : 0;

		buf_add(out, name, n >= LONG ? SHORT : 1);
		name += n >= LONG ? n : 1;
	}
}

static void
add_name(const char *name, bool pattern, bool whole, struct buf *out)
{
	name = name && *name ? name : "?";
	if (pattern)
		add_pattern(name, out);
	else if (whole)
		buf_add_string(out, name);
	else
		add_short(name, out);
}

/* What was served, where that says more than the topic of the call. */
static const char *
method_of(const struct waterfall_row *row)
{
	const char *call = json_text_at(row->span, "name");
	const char *served = json_text_at(row->served, "name");

	if (!call || !served)
		return NULL;
	served += strlen("serve ");
	return streq(call + strlen("call "), served) ? NULL : served;
}

void
waterfall_add_name(const struct waterfall_row *row, bool whole, struct buf *out)
{
	const char *method = method_of(row);

	add_name(json_text_at(row->span, "name"), row->count > 1, whole, out);
	if (method) {
		buf_add_string(out, ": ");
		add_name(method, row->count > 1, whole, out);
	}
}

static uint64_t
hash_text(uint64_t hash, const char *text)
{
	for (; text && *text; text++)
		hash = (hash ^ (unsigned char) *text) * 0x100000001b3;
	return (hash ^ 0xff) * 0x100000001b3;
}

/* Of a subtree: who, where, what, how it ended, and the same of what is below. */
static void
find_shapes(struct waterfall *w)
{
	for (size_t i = 0; i < w->count; i++) {
		struct waterfall_row *row = &w->rows[i];
		_cleanup_(buf_done) struct buf name = { 0 };
		const char *text = json_text_at(row->span, "name");

		add_pattern(text ? text : "?", &name);
		row->shape = hash_text(0xcbf29ce484222325, json_text_at(row->span, "service"));
		row->shape = hash_text(row->shape, json_text_at(row->span, "host"));
		row->shape = hash_text(row->shape, json_text_at(row->span, "status"));
		row->shape = hash_text(row->shape, name.size ? name.data : "");
		row->shape = hash_text(row->shape, json_text_at(row->served, "host"));
		row->shape += row->open;
	}
	for (size_t i = w->count; i-- > 0; )
		if (w->rows[i].parent != WATERFALL_NONE) {
			uint64_t *shape = &w->rows[w->rows[i].parent].shape;

			*shape = (*shape ^ w->rows[i].shape) * 0x100000001b3 + 1;
		}
}

/* Row 'from' and all below it are told by 'to' and what is below that: the walk
 * goes through both in the same order. */
static void
fold_into(struct waterfall *w, size_t to, size_t from)
{
	for (size_t k = 0; k < w->rows[to].size; k++) {
		struct waterfall_row *a = &w->rows[to + k], *b = &w->rows[from + k];

		a->count += b->count;
		a->took_ns += b->took_ns;
		a->own_ns += b->own_ns;
		a->critical |= b->critical;
		a->weight_ns = MAX(a->weight_ns, a->bad ? UINT64_MAX : a->took_ns);
		b->hidden = true;
		w->rows[a->last_same].next_same = (int) (from + k);
		a->last_same = b->last_same;
	}
}

struct shape {
	uint64_t hash;
	size_t row;
};

static int
by_shape(const void *a_, const void *b_)
{
	const struct shape *a = a_, *b = b_;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return a->row < b->row ? -1 : 1;
}

/* Folds those children of a row that came three times or more. */
static void
fold_children(struct waterfall *w, size_t parent, struct shape *shapes)
{
	enum { LEAST = 3 };
	size_t count = 0, end = parent + w->rows[parent].size;

	for (size_t i = parent + 1; i < end; i += w->rows[i].size)
		if (!w->rows[i].hidden)
			shapes[count++] = (struct shape) { w->rows[i].shape, i };
	qsort(shapes, count, sizeof *shapes, by_shape);
	for (size_t first = 0, next; first < count; first = next) {
		for (next = first + 1; next < count && shapes[next].hash == shapes[first].hash &&
		     w->rows[shapes[next].row].size == w->rows[shapes[first].row].size; next++)
			;
		for (size_t i = first + 1; next - first >= LEAST && i < next; i++)
			fold_into(w, shapes[first].row, shapes[i].row);
	}
}

static int
by_weight(const void *a_, const void *b_)
{
	const uint64_t *a = a_, *b = b_;

	return *a > *b ? -1 : *a < *b;
}

/* Hides the shortest, so that about 'max' are seen; a parent weighs at least
 * what its children do, so it stays while one of them does. */
static void
leave_out(struct waterfall *w, size_t max)
{
	_cleanup_(freep) uint64_t *weights = xcalloc(w->count, sizeof *weights);
	size_t count = 0;

	for (size_t i = w->count; i-- > 0; )
		if (!w->rows[i].hidden && w->rows[i].parent != WATERFALL_NONE) {
			uint64_t *up = &w->rows[w->rows[i].parent].weight_ns;

			*up = MAX(*up, w->rows[i].weight_ns);
		}
	for (size_t i = 0; i < w->count; i++)
		if (!w->rows[i].hidden)
			weights[count++] = w->rows[i].weight_ns;
	if (count <= max)
		return;
	qsort(weights, count, sizeof *weights, by_weight);
	w->left_out_below_ns = weights[max - 1];
	for (size_t i = 0; i < w->count; i++)
		if (!w->rows[i].hidden && w->rows[i].weight_ns < w->left_out_below_ns) {
			w->rows[i].hidden = true;
			w->left_out++;
		}
}

/* -- The critical path ---------------------------------------------------- */

static int
by_end(const void *a_, const void *b_)
{
	const struct waterfall_row *const *a = a_, *const *b = b_;

	if ((*a)->end_ns != (*b)->end_ns)
		return (*a)->end_ns > (*b)->end_ns ? -1 : 1;
	return *a < *b ? -1 : *a > *b;
}

/* From the end back: whoever ended last before that time was waited for.  The
 * rows from 'first' up to 'end' are walked by their sizes: siblings. */
static void
mark_critical(struct waterfall *w, size_t first, size_t end, uint64_t until)
{
	struct waterfall_row **children;
	size_t count = 0;

	for (size_t i = first; i < end; i += w->rows[i].size)
		count++;
	if (!count)
		return;
	children = xcalloc(count, sizeof *children);
	count = 0;
	for (size_t i = first; i < end; i += w->rows[i].size)
		children[count++] = &w->rows[i];
	qsort(children, count, sizeof *children, by_end);
	for (size_t i = 0; i < count; i++) {
		size_t row = (size_t) (children[i] - w->rows);

		if (children[i]->start_ns >= until)
			continue;
		children[i]->critical = true;
		mark_critical(w, row + 1, row + children[i]->size, until);
		until = children[i]->start_ns;
	}
	free(children);
}

/* ------------------------------------------------------------------------- */

void
waterfall_init(struct waterfall *w, const json_t *flow, uint64_t now_ns, size_t max_rows)
{
	const json_t *spans = json_at(flow, "spans");
	size_t count = json_array_size(spans);
	struct screen screen = { .now_ns = now_ns };
	_cleanup_(freep) struct node *nodes = xcalloc(count + 1, sizeof *nodes);
	_cleanup_(freep) struct shape *shapes = xcalloc(count + 1, sizeof *shapes);

	*w = (struct waterfall) { .start_ns = json_number_at(flow, "start_ns") };
	w->end_ns = MAX(flow_end(flow, &screen), w->start_ns + 1);
	w->rows = xcalloc(count + 1, sizeof *w->rows);
	count = read_nodes(spans, w->end_ns, nodes);
	link_nodes(nodes, count);
	if (max_rows)
		absorb_served(nodes, count);
	walk(w, nodes, count);
	/* Of a flow without an end the last that was seen. */
	for (size_t i = 0; i < w->count && !json_at(flow, "end_ns"); i++)
		w->end_ns = MAX(w->end_ns, w->rows[i].end_ns);
	w->told = json_at(flow, "critical_path") != NULL;
	/* An older daemon doesn't say. */
	if (!w->told)
		mark_critical(w, 0, w->count, w->end_ns);
	if (!max_rows)
		return;
	find_shapes(w);
	for (size_t i = 0; i < w->count; i++)
		if (!w->rows[i].hidden)
			fold_children(w, i, shapes);
	leave_out(w, max_rows);
}

void
waterfall_done(struct waterfall *w)
{
	free(w->rows);
	w->rows = NULL;
	w->count = 0;
}
