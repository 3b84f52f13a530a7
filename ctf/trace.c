/* SPDX-License-Identifier: MIT
 *
 * trace.c -- a trace: facts from its metadata, and its classes compiled. */
#include "ctf/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctf/trace_private.h"
#include "lib/util.h"

struct ctf_trace *
ctf_trace_new(const char *name, const struct ctf_interest *interest)
{
	struct ctf_trace *trace = xcalloc(1, sizeof *trace);

	trace->name = xstrdup(name);
	trace->interest = interest;
	trace->arena.limit = CTF_LIMIT_ARENA_BYTES;
	trace->comparisons_left = CTF_LIMIT_COMPARISONS;
	trace->parsed_line = 1;
	trace->n_stores = CTF_STORE_TRACE;
	trace->new_tail = trace->not_tried = &trace->new_classes;
	return trace;
}

void
ctf_trace_free(struct ctf_trace *trace)
{
	if (!trace)
		return;
	for (struct ctf_stream_class *class = trace->stream_classes; class; class = class->next)
		HASH_CLEAR(hh, class->others);
	tsdl_scope_done(&trace->scope);
	HASH_CLEAR(hh, trace->integers);
	arena_done(&trace->arena);
	buf_done(&trace->raw);
	buf_done(&trace->text);
	free(trace->name);
	free(trace);
}

const char *
ctf_trace_name(const struct ctf_trace *trace)
{
	return trace->name;
}

const char *
ctf_trace_env(const struct ctf_trace *trace, const char *key)
{
	for (const struct ctf_env *env = trace->env; env; env = env->next)
		if (streq(env->key, key))
			return env->value;
	return NULL;
}

const char *
ctf_trace_hostname(const struct ctf_trace *trace)
{
	return ctf_trace_env(trace, "hostname");
}

bool
ctf_trace_uuid(const struct ctf_trace *trace, uint8_t ret_uuid[16])
{
	if (trace->has_uuid)
		memcpy(ret_uuid, trace->uuid, sizeof trace->uuid);
	return trace->has_uuid;
}

/* The clock of the first stream class that has one, else the first declared. */
static const struct ctf_clock *
main_clock(const struct ctf_trace *trace)
{
	for (const struct ctf_stream_class *s = trace->stream_classes; s; s = s->next)
		if (s->clock)
			return s->clock;
	return trace->clocks;
}

bool
ctf_trace_clock_uuid(const struct ctf_trace *trace, uint8_t ret_uuid[16])
{
	const struct ctf_clock *clock = main_clock(trace);

	if (!clock || !clock->has_uuid)
		return false;
	memcpy(ret_uuid, clock->uuid, sizeof clock->uuid);
	return true;
}

const char *
ctf_trace_clock_name(const struct ctf_trace *trace)
{
	const struct ctf_clock *clock = main_clock(trace);

	return clock ? clock->name : NULL;
}

int64_t
ctf_trace_clock_offset_ns(const struct ctf_trace *trace)
{
	const struct ctf_clock *clock = main_clock(trace);

	return clock ? clock->offset_ns : 0;
}

uint64_t
ctf_trace_cycles_to_ns(const struct ctf_trace *trace, uint64_t cycles)
{
	const struct ctf_clock *clock = main_clock(trace);

	return clock ? ctf_clock_ns(clock, cycles) : cycles;
}

unsigned
ctf_trace_n_event_classes(const struct ctf_trace *trace)
{
	return trace->n_event_classes;
}

const struct ctf_clock *
ctf_trace_find_clock(const struct ctf_trace *trace, const char *name)
{
	for (const struct ctf_clock *clock = trace->clocks; clock; clock = clock->next)
		if (streq(clock->name, name))
			return clock;
	return NULL;
}

const struct ctf_clock *
ctf_trace_only_clock(struct ctf_trace *trace)
{
	if (!trace->clocks) {
		struct ctf_clock *clock = arena_alloc(&trace->arena, sizeof *clock);

		if (clock) {
			clock->name = "default";
			clock->frequency = 1000000000;
			trace->clocks = clock;
			trace->n_clocks++;
		}
	}
	return trace->n_clocks == 1 ? trace->clocks : NULL;
}

struct ctf_stream_class *
ctf_trace_find_stream_class(const struct ctf_trace *trace, uint64_t id)
{
	for (struct ctf_stream_class *class = trace->stream_classes; class; class = class->next)
		if (class->id == id)
			return class;
	return NULL;
}

struct ctf_stream_class *
ctf_trace_add_stream_class(struct ctf_trace *trace, uint64_t id)
{
	struct ctf_stream_class *class = arena_alloc(&trace->arena, sizeof *class);
	struct ctf_stream_class **tail = &trace->stream_classes;

	if (!class)
		return NULL;
	class->id = id;
	class->n_stores = CTF_STORE_STREAM;
	while (*tail)
		tail = &(*tail)->next;
	*tail = class;
	trace->n_stream_classes++;
	return class;
}

static int
no_memory(const struct ctf_trace *trace, struct error *error)
{
	return error_set(error, EFBIG, "%s: its metadata needs more than %d MiB", trace->name,
			 CTF_LIMIT_ARENA_BYTES >> 20);
}

static bool
is_packed_integer(const struct ctf_node *node, unsigned size, unsigned max_align)
{
	return node->kind == CTF_INTEGER && !node->is_signed && !node->big_endian &&
		node->size == size && node->align <= max_align;
}

static bool
is_timestamp(const struct ctf_node *node, unsigned size, unsigned max_align)
{
	return is_packed_integer(node, size, max_align) && node->ticks && !node->meaning;
}

/* Recognises the event headers that LTTng writes on machines that need no
 * alignment: id of 5 or 16 bits with 27 or 32 bits of time, unless the id is
 * the largest: then 32 bits of id and 64 of time follow. */
static enum ctf_header_form
find_header_form(const struct ctf_node *header)
{
	const struct ctf_node *id, *variant, *compact, *extended;
	const struct ctf_range *ranges;
	bool small;
	uint64_t last;

	if (!header || header->n != 2 || header->align != 8)
		return CTF_HEADER_ANY;
	id = &header->children[0];
	variant = &header->children[1];
	small = id->size == 5;
	if (!is_packed_integer(id, small ? 5 : 16, small ? 1 : 8) ||
	    id->meaning != CTF_MEANS_EVENT_ID || variant->kind != CTF_VARIANT ||
	    variant->from != id->store || variant->n != 2 || variant->n_ranges != 2)
		return CTF_HEADER_ANY;
	last = small ? 31 : 65535;
	ranges = variant->ranges;
	compact = &variant->children[0];
	extended = &variant->children[1];
	if (ranges[0].option || ranges[0].low || ranges[0].high != last - 1 ||
	    ranges[1].option != 1 || ranges[1].low != last || ranges[1].high != last ||
	    compact->kind != CTF_STRUCT || compact->n != 1 || extended->kind != CTF_STRUCT ||
	    extended->n != 2 || extended->align != 8)
		return CTF_HEADER_ANY;
	if (!is_timestamp(&compact->children[0], small ? 27 : 32, small ? 1 : 8) ||
	    compact->align > (small ? 1 : 8) ||
	    !is_packed_integer(&extended->children[0], 32, 8) ||
	    extended->children[0].meaning != CTF_MEANS_EVENT_ID ||
	    !is_timestamp(&extended->children[1], 64, 8))
		return CTF_HEADER_ANY;
	return small ? CTF_HEADER_COMPACT : CTF_HEADER_LARGE;
}

static uint8_t
size_of_meaning(const struct ctf_node *scope, enum ctf_meaning meaning)
{
	for (uint32_t i = 0; scope && i < scope->n; i++)
		if (scope->children[i].meaning == meaning)
			return scope->children[i].size;
	return 64;
}

static int
compile_stream_class(struct ctf_trace *trace, struct ctf_stream_class *class, struct error *error)
{
	struct ctf_place place = { .trace = trace, .stream_class = class };
	char what[48];
	int r;

	snprintf(what, sizeof what, "stream %" PRIu64, class->id);
	place.what = what;
	place.roots[CTF_ROOT_PACKET_HEADER] = trace->packet_header;
	r = ctf_node_build(&place, CTF_ROOT_PACKET_CONTEXT, class->packet_context_type, error);
	if (r >= 0)
		r = ctf_node_build(&place, CTF_ROOT_EVENT_HEADER, class->event_header_type, error);
	if (r < 0) {
		class->unusable = true;
		return r;
	}
	class->packet_context = place.roots[CTF_ROOT_PACKET_CONTEXT];
	class->event_header = place.roots[CTF_ROOT_EVENT_HEADER];
	class->header_form = find_header_form(class->event_header);
	class->begin_size = size_of_meaning(class->packet_context, CTF_MEANS_BEGIN);
	class->end_size = size_of_meaning(class->packet_context, CTF_MEANS_END);
	/* The first value of packets: a loss tells of which CPU it is. */
	if (class->packet_context && ctf_node_want(class->packet_context, "cpu_id", 0))
		class->packet_paths[class->n_packet_values++] = "cpu_id";
	class->ready = true;
	return 0;
}

/* Gives a wanted packet context field its place among the packet's values. */
static int
want_packet_field(struct ctf_trace *trace, struct ctf_event_class *class, unsigned slot,
		  const char *path, struct error *error)
{
	struct ctf_stream_class *stream_class = class->stream_class;
	uint32_t i = 0;

	if (!stream_class->packet_context)
		return 0;
	while (i < stream_class->n_packet_values && !streq(stream_class->packet_paths[i], path))
		i++;
	if (i == ARRAY_SIZE(stream_class->packet_paths))
		return error_set(error, E2BIG, "%s: more than %zu packet context fields are wanted",
				 trace->name, ARRAY_SIZE(stream_class->packet_paths));
	if (i == stream_class->n_packet_values) {
		if (!ctf_node_want(stream_class->packet_context, path, (int) i))
			return 0;
		stream_class->packet_paths[stream_class->n_packet_values++] = path;
	}
	class->packet_slots[class->n_packet_slots++] = (struct ctf_packet_slot) {
		(uint16_t) slot, (uint16_t) i };
	return 0;
}

static int
mark_wanted(struct ctf_trace *trace, struct ctf_event_class *class, struct error *error)
{
	unsigned event;
	int r = 0;

	class->wanted = trace->interest ? ctf_interest_find(trace->interest, class->name) : -1;
	if (class->wanted < 0)
		return 0;
	event = (unsigned) class->wanted;
	class->n_values = ctf_interest_n_fields(trace->interest, event);
	class->packet_slots = arena_alloc(&trace->arena,
					  class->n_values * sizeof *class->packet_slots);
	if (!class->packet_slots)
		return no_memory(trace, error);
	for (unsigned slot = 0; slot < class->n_values && r >= 0; slot++) {
		enum ctf_scope scope;
		const char *path = ctf_interest_field_name(trace->interest, event, slot, &scope);

		if (scope == CTF_PACKET_CONTEXT)
			r = want_packet_field(trace, class, slot, path, error);
		else if (scope == CTF_PAYLOAD && class->payload)
			ctf_node_want(class->payload, path, (int) slot);
		else if (scope == CTF_EVENT_CONTEXT &&
			 !(class->context && ctf_node_want(class->context, path, (int) slot)) &&
			 class->stream_context)
			ctf_node_want(class->stream_context, path, (int) slot);
	}
	return r;
}

static int
compile_event_class(struct ctf_trace *trace, struct ctf_event_class *class, struct error *error)
{
	struct ctf_stream_class *stream_class = class->stream_class;
	struct ctf_place place = {
		.trace = trace,
		.stream_class = stream_class,
		.n_stores = CTF_STORE_EVENT,
	};
	char what[160];
	int r;

	snprintf(what, sizeof what, "event \"%.100s\" in line %u", class->name, class->line);
	place.what = what;
	place.roots[CTF_ROOT_PACKET_HEADER] = trace->packet_header;
	place.roots[CTF_ROOT_PACKET_CONTEXT] = stream_class->packet_context;
	place.roots[CTF_ROOT_EVENT_HEADER] = stream_class->event_header;
	r = ctf_node_build(&place, CTF_ROOT_STREAM_EVENT_CONTEXT, stream_class->event_context_type,
			   error);
	if (r >= 0)
		r = ctf_node_build(&place, CTF_ROOT_EVENT_CONTEXT, class->context_type, error);
	if (r >= 0)
		r = ctf_node_build(&place, CTF_ROOT_PAYLOAD, class->payload_type, error);
	if (r < 0)
		return r;
	class->stream_context = place.roots[CTF_ROOT_STREAM_EVENT_CONTEXT];
	class->context = place.roots[CTF_ROOT_EVENT_CONTEXT];
	class->payload = place.roots[CTF_ROOT_PAYLOAD];
	r = mark_wanted(trace, class, error);
	if (r < 0)
		return r;
	r = ctf_plan_compile(&class->plan, &trace->arena, (const struct ctf_node *const []) {
		class->stream_context, class->context, class->payload }, 3);
	if (r < 0)
		return no_memory(trace, error);
	class->has_absent = class->plan.n_values + class->n_packet_slots < class->n_values;
	class->ready = true;
	return 0;
}

/* Makes room for 'id' in the table by id, if it is not too large for that. */
static int
grow_direct(struct ctf_trace *trace, struct ctf_stream_class *class, uint64_t id,
	    struct error *error)
{
	struct ctf_event_class **direct;
	uint32_t n = MAX(class->n_direct, 64u);

	if (id < class->n_direct || id >= CTF_LIMIT_DIRECT_IDS)
		return 0;
	while (n <= id)
		n *= 2;
	direct = arena_alloc(&trace->arena, n * sizeof *direct);
	if (!direct)
		return no_memory(trace, error);
	if (class->n_direct)
		memcpy(direct, class->direct, class->n_direct * sizeof *direct);
	class->direct = direct;
	class->n_direct = n;
	return 0;
}

/* Adds 'class' to its stream's.  Returns 1; 0 if it is there already, as in
 * metadata that was written anew. */
static int
register_event_class(struct ctf_trace *trace, struct ctf_event_class *class,
		     struct error *error)
{
	struct ctf_stream_class *stream_class = class->stream_class;
	const struct ctf_event_class *known = ctf_find_event_class(stream_class, class->id);
	int r;

	if (known && streq(known->name, class->name))
		return 0;
	if (known)
		return error_set(error, EBADMSG, "%s: metadata line %u: event id %" PRIu64
				 " of stream %" PRIu64 " is declared as \"%.80s\" and as \"%.80s\"",
				 trace->name, class->line, class->id, stream_class->id,
				 known->name, class->name);
	r = grow_direct(trace, stream_class, class->id, error);
	if (r < 0)
		return r;
	if (class->id < stream_class->n_direct)
		stream_class->direct[class->id] = class;
	else
		HASH_ADD(hh, stream_class->others, id, sizeof class->id, class);
	if (!stream_class->n_classes++)
		stream_class->only = class;
	return 1;
}

/* The stream class that an event declares itself to be of; the only one, or
 * one made for it, when it says nothing. */
static struct ctf_stream_class *
stream_class_of(struct ctf_trace *trace, const struct ctf_event_class *class)
{
	struct ctf_stream_class *found = ctf_trace_find_stream_class(trace, class->stream_id);

	if (found || class->has_stream_id)
		return found;
	if (!trace->stream_classes)
		found = ctf_trace_add_stream_class(trace, 0);
	else if (!trace->stream_classes->next)
		found = trace->stream_classes;
	return found;
}

static void
compile_stream_classes(struct ctf_trace *trace, struct error *error)
{
	for (struct ctf_stream_class *s = trace->stream_classes; s; s = s->next)
		if (!s->ready && !s->unusable)
			compile_stream_class(trace, s, error);
}

void
ctf_trace_compile(struct ctf_trace *trace, struct error *error)
{
	struct ctf_place place = { .trace = trace, .what = "packet.header" };
	struct ctf_event_class *class, **link;

	if (!trace->has_trace_block || trace->unusable)
		return;
	if (!trace->ready) {
		trace->unusable = ctf_node_build(&place, CTF_ROOT_PACKET_HEADER,
						 trace->packet_header_type, error) < 0;
		if (trace->unusable)
			return;
		trace->packet_header = place.roots[CTF_ROOT_PACKET_HEADER];
		trace->ready = true;
	}
	compile_stream_classes(trace, error);
	/* Those that still have no stream need to be looked at again only when
	 * there are more streams. */
	link = trace->n_stream_classes == trace->n_compiled_streams ? trace->not_tried :
		&trace->new_classes;
	while ((class = *link)) {
		class->stream_class = stream_class_of(trace, class);
		if (!class->stream_class) {
			link = &class->next_new;
			continue;
		}
		*link = class->next_new;
		if (!class->stream_class->ready)
			compile_stream_classes(trace, error);
		if (class->stream_class->ready && register_event_class(trace, class, error) > 0)
			compile_event_class(trace, class, error);
	}
	trace->new_tail = trace->not_tried = link;
	trace->n_compiled_streams = trace->n_stream_classes;
}
