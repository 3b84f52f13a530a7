/* SPDX-License-Identifier: MIT */
#include "ctf/node.h"

#include <errno.h>
#include <string.h>

#include "ctf/limits.h"
#include "ctf/trace_private.h"
#include "lib/util.h"

struct build {
	struct ctf_place *place;
	enum ctf_root root;
	struct error *error;
	struct ctf_node *ancestors[2 * CTF_LIMIT_DEPTH * 2];
	unsigned depth;
	unsigned n_nodes;
};

static int build_node(struct build *b, const struct ctf_type *type, const char *name,
		      struct ctf_node *node);

static int
fail(struct build *b, const char *text, const char *name)
{
	return error_set(b->error, EBADMSG, "%s: metadata, %s: %s%s%.100s", b->place->trace->name,
			 b->place->what, text, name ? ": " : "", name ? name : "");
}

static void *
take(struct build *b, size_t size, int *ret)
{
	void *memory = arena_alloc(&b->place->trace->arena, size);

	if (!memory)
		*ret = error_set(b->error, EFBIG, "%s: its metadata needs more than %d MiB",
				 b->place->trace->name, CTF_LIMIT_ARENA_BYTES >> 20);
	return memory;
}

/* Searching names is the only work that grows faster than the metadata. */
static bool
may_compare(struct build *b, uint64_t n)
{
	uint64_t *left = &b->place->trace->comparisons_left;

	if (*left < n)
		return false;
	*left -= n;
	return true;
}

static struct ctf_node *
child_by_name(struct build *b, struct ctf_node *node, const char *name)
{
	if (node->kind != CTF_STRUCT || !may_compare(b, node->n))
		return NULL;
	for (uint32_t i = 0; i < node->n; i++)
		if (streq(node->children[i].name, name))
			return &node->children[i];
	return NULL;
}

static struct ctf_node *
follow(struct build *b, struct ctf_node *node, const struct ctf_path *path, unsigned from)
{
	for (; node && from < path->n; from++)
		node = child_by_name(b, node, path->parts[from]);
	return node;
}

/* Finds the integer that 'path' names: by its full path, else outwards from
 * the innermost struct, then in the scopes read before. */
static struct ctf_node *
resolve(struct build *b, const struct ctf_path *path, enum ctf_root *ret_root)
{
	static const struct {
		const char *parts[3];
		unsigned n;
		enum ctf_root root;
	} prefixes[] = {
		{ { "trace", "packet", "header" }, 3, CTF_ROOT_PACKET_HEADER },
		{ { "stream", "packet", "context" }, 3, CTF_ROOT_PACKET_CONTEXT },
		{ { "stream", "event", "header" }, 3, CTF_ROOT_EVENT_HEADER },
		{ { "stream", "event", "context" }, 3, CTF_ROOT_STREAM_EVENT_CONTEXT },
		{ { "event", "context", NULL }, 2, CTF_ROOT_EVENT_CONTEXT },
		{ { "event", "fields", NULL }, 2, CTF_ROOT_PAYLOAD },
	};
	struct ctf_node *found;

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		unsigned k = 0;

		while (k < prefixes[i].n && k < path->n &&
		       streq(prefixes[i].parts[k], path->parts[k]))
			k++;
		if (k == prefixes[i].n && k < path->n) {
			*ret_root = prefixes[i].root;
			return follow(b, b->place->roots[prefixes[i].root], path, k);
		}
	}
	*ret_root = b->root;
	for (unsigned i = b->depth; i--; )
		if (child_by_name(b, b->ancestors[i], path->parts[0]))
			return follow(b, b->ancestors[i], path, 0);
	for (int root = (int) b->root - 1; root >= 0; root--) {
		*ret_root = (enum ctf_root) root;
		found = b->place->roots[root] ? follow(b, b->place->roots[root], path, 0) : NULL;
		if (found)
			return found;
	}
	return NULL;
}

/* Gives 'node' a store, from the pool of who owns its scope. */
static int
give_store(struct build *b, struct ctf_node *node, enum ctf_root root)
{
	struct ctf_trace *trace = b->place->trace;
	struct ctf_stream_class *stream_class = b->place->stream_class;
	int *next = &b->place->n_stores, limit = CTF_STORE_END;

	if (node->store >= 0)
		return 0;
	if (root == CTF_ROOT_PACKET_HEADER) {
		next = &trace->n_stores;
		limit = CTF_STORE_STREAM;
	} else if (root <= CTF_ROOT_EVENT_HEADER) {
		next = &stream_class->n_stores;
		limit = CTF_STORE_EVENT;
	}
	if (*next >= limit)
		return fail(b, "too many lengths and tags", NULL);
	node->store = (int16_t) (*next)++;
	return 0;
}

static int
bind(struct build *b, const struct ctf_type *type, struct ctf_node *node,
     struct ctf_node **ret_target)
{
	enum ctf_root root;
	struct ctf_node *target;
	int r;

	if (!type->path.n)
		return fail(b, "a variant has no tag", node->name);
	target = resolve(b, &type->path, &root);
	if (!target || target->kind != CTF_INTEGER)
		return fail(b, "no integer that is read before has this name",
			    type->path.parts[type->path.n - 1]);
	r = give_store(b, target, root);
	if (r < 0)
		return r;
	if (root == CTF_ROOT_EVENT_HEADER && b->root > root)
		b->place->stream_class->header_form = CTF_HEADER_ANY;
	node->from = target->store;
	*ret_target = target;
	return 0;
}

static int
build_integer(struct build *b, const struct ctf_type *type, struct ctf_node *node)
{
	struct ctf_trace *trace = b->place->trace;
	struct ctf_stream_class *stream_class = b->place->stream_class;
	const struct ctf_clock *clock = NULL;

	if (type->byte_order == CTF_NATIVE && trace->byte_order == CTF_NATIVE && type->size > 8)
		return fail(b, "the trace block gives no byte_order", NULL);
	node->big_endian = (type->byte_order == CTF_NATIVE ? trace->byte_order :
			    type->byte_order) == CTF_BE;
	node->size = (uint8_t) type->size;
	if (node->kind == CTF_FLOAT)
		return 0;
	node->is_signed = type->is_signed;
	node->labels = type->is_enum ? type->labels : NULL;
	node->is_chars = type->size == 8 && type->align == 8 && type->is_text;
	node->is_byte = type->size == 8 && type->align == 8 && !type->is_text;
	if (!stream_class)
		return 0;
	if (type->clock) {
		clock = ctf_trace_find_clock(trace, type->clock);
		if (!clock)
			return fail(b, "no such clock", type->clock);
	} else if ((b->root == CTF_ROOT_EVENT_HEADER && node->name &&
		    streq(node->name, "timestamp")) ||
		   (b->root == CTF_ROOT_PACKET_CONTEXT && node->name &&
		    (streq(node->name, "timestamp_begin") || streq(node->name, "timestamp_end")))) {
		clock = ctf_trace_only_clock(trace);
	}
	if (clock && !stream_class->clock)
		stream_class->clock = clock;
	node->mapped = clock;
	node->ticks = clock && clock == stream_class->clock;
	return 0;
}

static int
build_struct(struct build *b, const struct ctf_type *type, struct ctf_node *node)
{
	int r = 0;

	node->children = take(b, type->n_members * sizeof *node->children, &r);
	if (r < 0)
		return r;
	b->ancestors[b->depth++] = node;
	for (const struct ctf_member *m = type->members; m; m = m->next) {
		struct ctf_node *child = &node->children[node->n];

		r = build_node(b, m->type, m->name, child);
		if (r < 0)
			return r;
		node->n++;
		node->align = MAX(node->align, child->align);
	}
	b->depth--;
	return 0;
}

/* The values of 'tag' that select each option; the first range that fits
 * holds, options in their order. */
static int
build_ranges(struct build *b, const struct ctf_type *type, struct ctf_node *node,
	     const struct ctf_node *tag)
{
	struct ctf_range *ranges;
	uint32_t n = 0, option = 0;
	int r = 0;

	for (const struct ctf_label *label = tag->labels; label; label = label->next)
		n++;
	if (!may_compare(b, (uint64_t) n * type->n_members))
		return fail(b, "too many options and labels", node->name);
	/* A label selects one option at most, as their names differ. */
	ranges = take(b, n * sizeof *ranges, &r);
	if (r < 0)
		return r;
	for (const struct ctf_member *m = type->members; m; m = m->next, option++)
		for (const struct ctf_label *label = tag->labels; label; label = label->next)
			if (streq(label->name, m->name) && node->n_ranges < n)
				ranges[node->n_ranges++] = (struct ctf_range) {
					label->low, label->high, option };
	node->ranges = ranges;
	node->tag_signed = tag->is_signed;
	return 0;
}

static int
build_variant(struct build *b, const struct ctf_type *type, struct ctf_node *node)
{
	struct ctf_node *tag;
	int r;

	r = bind(b, type, node, &tag);
	if (r < 0)
		return r;
	r = build_ranges(b, type, node, tag);
	if (r < 0)
		return r;
	node->children = take(b, type->n_members * sizeof *node->children, &r);
	if (r < 0)
		return r;
	b->ancestors[b->depth++] = node;
	for (const struct ctf_member *m = type->members; m; m = m->next) {
		r = build_node(b, m->type, m->name, &node->children[node->n]);
		if (r < 0)
			return r;
		node->n++;
	}
	b->depth--;
	return 0;
}

static int
build_array(struct build *b, const struct ctf_type *type, struct ctf_node *node)
{
	struct ctf_node *length;
	int r = 0;

	if (type->kind == CTF_SEQUENCE)
		r = bind(b, type, node, &length);
	if (r < 0)
		return r;
	node->length = type->length;
	node->children = take(b, sizeof *node->children, &r);
	if (r < 0)
		return r;
	b->ancestors[b->depth++] = node;
	r = build_node(b, type->element, NULL, node->children);
	if (r < 0)
		return r;
	b->depth--;
	node->n = 1;
	node->align = node->children->align;
	return 0;
}

static int
build_node(struct build *b, const struct ctf_type *type, const char *name, struct ctf_node *node)
{
	if (++b->n_nodes > CTF_LIMIT_NODES)
		return fail(b, "too many fields", NULL);
	if (b->depth >= ARRAY_SIZE(b->ancestors))
		return fail(b, "fields are nested too deep", name);
	*node = (struct ctf_node) {
		.kind = (uint8_t) type->kind,
		.align = (uint16_t) type->align,
		.store = -1,
		.from = -1,
		.slot = -1,
		.name = name,
	};
	switch (type->kind) {
	case CTF_INTEGER:
	case CTF_FLOAT:
		return build_integer(b, type, node);
	case CTF_TEXT:
		return 0;
	case CTF_STRUCT:
		return build_struct(b, type, node);
	case CTF_VARIANT:
		return build_variant(b, type, node);
	case CTF_ARRAY:
	case CTF_SEQUENCE:
		return build_array(b, type, node);
	}
	return fail(b, "a type of no known kind", name);
}

/* Tells the decoder's own fields of the packet header and context. */
static void
set_meanings(enum ctf_root root, struct ctf_node *node)
{
	static const struct {
		enum ctf_root root;
		const char *name;
		enum ctf_meaning meaning;
	} names[] = {
		{ CTF_ROOT_PACKET_HEADER, "magic", CTF_MEANS_MAGIC },
		{ CTF_ROOT_PACKET_HEADER, "stream_id", CTF_MEANS_STREAM_ID },
		{ CTF_ROOT_PACKET_HEADER, "stream_instance_id", CTF_MEANS_INSTANCE_ID },
		{ CTF_ROOT_PACKET_HEADER, "uuid", CTF_MEANS_UUID },
		{ CTF_ROOT_PACKET_CONTEXT, "timestamp_begin", CTF_MEANS_BEGIN },
		{ CTF_ROOT_PACKET_CONTEXT, "timestamp_end", CTF_MEANS_END },
		{ CTF_ROOT_PACKET_CONTEXT, "content_size", CTF_MEANS_CONTENT_SIZE },
		{ CTF_ROOT_PACKET_CONTEXT, "packet_size", CTF_MEANS_PACKET_SIZE },
		{ CTF_ROOT_PACKET_CONTEXT, "events_discarded", CTF_MEANS_DISCARDED },
		{ CTF_ROOT_PACKET_CONTEXT, "packet_seq_num", CTF_MEANS_SEQUENCE_NUMBER },
	};

	for (uint32_t i = 0; i < node->n; i++) {
		struct ctf_node *child = &node->children[i];

		for (size_t k = 0; k < ARRAY_SIZE(names); k++) {
			bool is_uuid = names[k].meaning == CTF_MEANS_UUID;

			if (names[k].root != root || !streq(names[k].name, child->name))
				continue;
			if (is_uuid ? child->kind == CTF_ARRAY && child->length == 16 &&
			    child->children->size == 8 && child->children->align == 8 :
			    child->kind == CTF_INTEGER && !child->is_signed)
				child->meaning = (uint8_t) names[k].meaning;
			/* The clock stands at the packet's begin until its events. */
			if (names[k].meaning == CTF_MEANS_END)
				child->ticks = false;
		}
	}
}

/* Event ids may stand anywhere in the header; the last one read holds. */
static void
set_event_ids(struct ctf_node *node)
{
	for (uint32_t i = 0; i < node->n; i++) {
		struct ctf_node *child = &node->children[i];

		if (child->kind == CTF_INTEGER && node->kind == CTF_STRUCT &&
		    streq(child->name, "id"))
			child->meaning = CTF_MEANS_EVENT_ID;
		set_event_ids(child);
	}
}

int
ctf_node_build(struct ctf_place *place, enum ctf_root root, const struct ctf_type *type,
	       struct error *error)
{
	struct build b = { .place = place, .root = root, .error = error };
	struct ctf_node *node;
	int r = 0;

	place->roots[root] = NULL;
	if (!type)
		return 0;
	if (type->kind != CTF_STRUCT)
		return fail(&b, "a scope must be a struct", NULL);
	node = take(&b, sizeof *node, &r);
	if (r < 0)
		return r;
	place->roots[root] = node;
	r = build_node(&b, type, NULL, node);
	if (r < 0) {
		place->roots[root] = NULL;
		return r;
	}
	set_meanings(root, node);
	if (root == CTF_ROOT_EVENT_HEADER)
		set_event_ids(node);
	return 0;
}

bool
ctf_node_want(struct ctf_node *node, const char *path, int slot)
{
	size_t n = strcspn(path, ".");
	bool found = false;

	if (node->kind == CTF_VARIANT) {
		for (uint32_t i = 0; i < node->n; i++)
			found |= ctf_node_want(&node->children[i], path, slot);
		return found;
	}
	if (!*path) {
		if (node->kind == CTF_STRUCT)
			return false;
		if ((node->kind == CTF_ARRAY || node->kind == CTF_SEQUENCE) &&
		    !node->children->is_chars && !node->children->is_byte)
			return false;
		node->slot = (int16_t) slot;
		return true;
	}
	if (node->kind != CTF_STRUCT)
		return false;
	for (uint32_t i = 0; i < node->n; i++) {
		const char *name = ctf_node_name(&node->children[i]);

		if (strlen(name) == n && !memcmp(name, path, n))
			found |= ctf_node_want(&node->children[i],
					       path + n + (path[n] == '.'), slot);
	}
	return found;
}

bool
ctf_node_hidden(const struct ctf_node *node)
{
	if (node->kind == CTF_INTEGER)
		return (node->mapped || node->meaning) && node->store < 0;
	if (node->kind == CTF_FLOAT || node->kind == CTF_TEXT || !node->n)
		return false;
	for (uint32_t i = 0; i < node->n; i++)
		if (!ctf_node_hidden(&node->children[i]))
			return false;
	return true;
}
