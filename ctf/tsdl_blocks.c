/* SPDX-License-Identifier: MIT
 *
 * tsdl_blocks.c -- the blocks of TSDL (trace, env, clock, stream, event,
 * callsite) into the classes of a trace. */
#include "ctf/tsdl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctf/trace_private.h"
#include "lib/util.h"

/* One "key = value;" or "key := type;". */
struct entry {
	const char *key;
	struct tsdl_value value;
	const struct ctf_type *type;     /* NULL: it is a value. */
};

typedef bool entry_fn(struct tsdl_parser *p, const struct entry *entry, void *context);

static bool
block(struct tsdl_parser *p, entry_fn *each, void *context)
{
	struct tsdl_scope scope;

	if (!tsdl_next(p) || !tsdl_expect(p, '{'))
		return false;
	tsdl_scope_begin(p, &scope);
	while (!p->failed && !tsdl_accept(p, '}')) {
		struct entry entry = { 0 };

		if (tsdl_type_declaration(p))
			continue;
		entry.key = tsdl_path_string(p);
		if (!entry.key)
			break;
		if (tsdl_accept(p, TSDL_ASSIGN)) {
			entry.type = tsdl_type(p);
			if (!entry.type)
				break;
		} else if (!tsdl_expect(p, '=') || !tsdl_value(p, &entry.value)) {
			break;
		}
		if (!tsdl_expect(p, ';') || !each(p, &entry, context))
			break;
	}
	tsdl_scope_end(p);
	return !p->failed && tsdl_expect(p, ';');
}

static bool
get_number(struct tsdl_parser *p, const struct entry *entry, uint64_t *ret)
{
	if (entry->type || entry->value.kind != TSDL_IS_NUMBER || entry->value.negative)
		return tsdl_fail(p, "%.100s must be a number", entry->key);
	*ret = entry->value.number;
	return true;
}

static bool
get_type(struct tsdl_parser *p, const struct entry *entry, const struct ctf_type **ret)
{
	if (!entry->type || entry->type->kind != CTF_STRUCT)
		return tsdl_fail(p, "%.100s must be a struct", entry->key);
	*ret = entry->type;
	return true;
}

static bool
get_uuid(struct tsdl_parser *p, const struct entry *entry, uint8_t ret[16])
{
	const char *s = entry->value.kind == TSDL_IS_STRING ? entry->value.string : NULL;
	uint8_t uuid[16];
	int n = 0;

	if (!s || strlen(s) != 36 ||
	    sscanf(s, "%2hhx%2hhx%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx-%2hhx%2hhx-"
		   "%2hhx%2hhx%2hhx%2hhx%2hhx%2hhx%n", &uuid[0], &uuid[1], &uuid[2], &uuid[3],
		   &uuid[4], &uuid[5], &uuid[6], &uuid[7], &uuid[8], &uuid[9], &uuid[10], &uuid[11],
		   &uuid[12], &uuid[13], &uuid[14], &uuid[15], &n) != 16 || n != 36)
		return tsdl_fail(p, "uuid must be a string of the form "
				 "\"2a6422d0-6cee-11e0-8c08-cb07d7b3a564\"");
	memcpy(ret, uuid, sizeof uuid);
	return true;
}

static bool
trace_entry(struct tsdl_parser *p, const struct entry *entry, void *context)
{
	struct ctf_trace *trace = p->trace;
	const char *word = entry->value.string;
	uint64_t number = 0;

	if (streq(entry->key, "uuid")) {
		trace->has_uuid = get_uuid(p, entry, trace->uuid);
	} else if (streq(entry->key, "byte_order")) {
		if (word && streq(word, "le"))
			trace->byte_order = CTF_LE;
		else if (word && (streq(word, "be") || streq(word, "network")))
			trace->byte_order = CTF_BE;
		else
			tsdl_fail(p, "byte_order of a trace must be le, be or network");
	} else if (streq(entry->key, "packet.header")) {
		get_type(p, entry, &trace->packet_header_type);
	} else if (streq(entry->key, "major")) {
		if (get_number(p, entry, &number) && number != 1)
			tsdl_fail(p, "CTF version %" PRIu64 ": only CTF 1.8 is understood", number);
	}
	return !p->failed;
}

static bool
trace_block(struct tsdl_parser *p)
{
	/* Tracers that write their metadata anew repeat it. */
	struct ctf_trace *trace = p->trace;
	const struct ctf_type *header = trace->packet_header_type;

	if (!block(p, trace_entry, NULL))
		return false;
	if (trace->has_trace_block)
		trace->packet_header_type = header;
	trace->has_trace_block = true;
	return true;
}

static bool
env_entry(struct tsdl_parser *p, const struct entry *entry, void *context)
{
	struct ctf_trace *trace = p->trace;
	struct ctf_env *env;
	char number[24];
	const char *value = entry->value.string;

	if (entry->type)
		return tsdl_fail(p, "env holds values only");
	if (entry->value.kind == TSDL_IS_NUMBER) {
		snprintf(number, sizeof number, entry->value.negative ? "%" PRId64 : "%" PRIu64,
			 entry->value.number);
		value = arena_strndup(p->arena, number, strlen(number));
		if (!value)
			return tsdl_no_memory(p);
	}
	for (env = trace->env; env && !streq(env->key, entry->key); env = env->next)
		;
	if (!env) {
		if (trace->n_env >= CTF_LIMIT_ENV)
			return tsdl_fail(p, "more than %d env entries", CTF_LIMIT_ENV);
		env = arena_alloc(p->arena, sizeof *env);
		if (!env)
			return tsdl_no_memory(p);
		env->key = entry->key;
		env->next = trace->env;
		trace->env = env;
		trace->n_env++;
	}
	env->value = value;
	return true;
}

static bool
clock_entry(struct tsdl_parser *p, const struct entry *entry, void *context)
{
	struct ctf_clock *clock = context;
	const struct tsdl_value *value = &entry->value;

	if (streq(entry->key, "name")) {
		if (!value->string)
			return tsdl_fail(p, "the name of a clock must be a word or a string");
		clock->name = value->string;
	} else if (streq(entry->key, "uuid")) {
		clock->has_uuid = get_uuid(p, entry, clock->uuid);
	} else if (streq(entry->key, "freq")) {
		if (get_number(p, entry, &clock->frequency) && !clock->frequency)
			tsdl_fail(p, "the frequency of a clock must not be 0");
	} else if (streq(entry->key, "offset")) {
		get_number(p, entry, &clock->offset_cycles);
	} else if (streq(entry->key, "offset_s")) {
		if (value->kind != TSDL_IS_NUMBER ||
		    (!value->negative && value->number > INT64_MAX))
			return tsdl_fail(p, "offset_s must be a number");
		clock->offset_s = (int64_t) value->number;
	}
	return !p->failed;
}

static bool
clock_block(struct tsdl_parser *p)
{
	struct ctf_clock clock = { .frequency = 1000000000 }, *added, **tail = &p->trace->clocks;
	uint64_t seconds;
	int64_t ns;

	if (!block(p, clock_entry, &clock))
		return false;
	if (!clock.name)
		return tsdl_fail(p, "a clock has no name");
	seconds = clock.offset_cycles / clock.frequency;
	clock.offset_cycles %= clock.frequency;
	if (__builtin_add_overflow(clock.offset_s, seconds, &clock.offset_s) ||
	    __builtin_mul_overflow(clock.offset_s, INT64_C(1000000000), &ns) ||
	    __builtin_add_overflow(ns, ctf_clock_ns(&clock, clock.offset_cycles), &ns))
		return tsdl_fail(p, "clock %.100s: its offset is further from 1970 than 292 years",
				 clock.name);
	clock.offset_ns = ns;
	for (; *tail; tail = &(*tail)->next)
		if (streq((*tail)->name, clock.name))
			return true;    /* Metadata that was written anew. */
	if (p->trace->n_clocks >= CTF_LIMIT_CLOCKS)
		return tsdl_fail(p, "more than %d clocks", CTF_LIMIT_CLOCKS);
	added = arena_alloc(p->arena, sizeof *added);
	if (!added)
		return tsdl_no_memory(p);
	*added = clock;
	*tail = added;
	p->trace->n_clocks++;
	return true;
}

static bool
stream_entry(struct tsdl_parser *p, const struct entry *entry, void *context)
{
	struct ctf_stream_class *class = context;

	if (streq(entry->key, "id"))
		return get_number(p, entry, &class->id);
	if (streq(entry->key, "event.header"))
		return get_type(p, entry, &class->event_header_type);
	if (streq(entry->key, "event.context"))
		return get_type(p, entry, &class->event_context_type);
	if (streq(entry->key, "packet.context"))
		return get_type(p, entry, &class->packet_context_type);
	return true;
}

static bool
stream_block(struct tsdl_parser *p)
{
	struct ctf_stream_class class = { 0 }, *added;

	if (!block(p, stream_entry, &class))
		return false;
	if (ctf_trace_find_stream_class(p->trace, class.id))
		return true;    /* Metadata that was written anew. */
	if (p->trace->n_stream_classes >= CTF_LIMIT_STREAM_CLASSES)
		return tsdl_fail(p, "more than %d streams", CTF_LIMIT_STREAM_CLASSES);
	added = ctf_trace_add_stream_class(p->trace, class.id);
	if (!added)
		return tsdl_no_memory(p);
	added->packet_context_type = class.packet_context_type;
	added->event_header_type = class.event_header_type;
	added->event_context_type = class.event_context_type;
	return true;
}

static bool
event_entry(struct tsdl_parser *p, const struct entry *entry, void *context)
{
	struct ctf_event_class *class = context;

	if (streq(entry->key, "name")) {
		if (!entry->value.string)
			return tsdl_fail(p, "the name of an event must be a string");
		class->name = entry->value.string;
		return true;
	}
	if (streq(entry->key, "id"))
		return get_number(p, entry, &class->id);
	if (streq(entry->key, "stream_id")) {
		class->has_stream_id = true;
		return get_number(p, entry, &class->stream_id);
	}
	if (streq(entry->key, "context"))
		return get_type(p, entry, &class->context_type);
	if (streq(entry->key, "fields"))
		return get_type(p, entry, &class->payload_type);
	/* loglevel, model.emf.uri: not needed. */
	return true;
}

/* Its stream may be declared later: trace.c joins them. */
static bool
event_block(struct tsdl_parser *p)
{
	struct ctf_event_class class = { .line = p->token.line, .wanted = -1 }, *added;
	struct ctf_trace *trace = p->trace;

	if (!block(p, event_entry, &class))
		return false;
	if (!class.name)
		return tsdl_fail(p, "an event has no name");
	if (trace->n_event_classes >= CTF_LIMIT_EVENT_CLASSES)
		return tsdl_fail(p, "more than %d events", CTF_LIMIT_EVENT_CLASSES);
	added = arena_alloc(p->arena, sizeof *added);
	if (!added)
		return tsdl_no_memory(p);
	*added = class;
	trace->n_event_classes++;
	*trace->new_tail = added;
	trace->new_tail = &added->next_new;
	return true;
}

static bool
ignored_entry(struct tsdl_parser *p, const struct entry *entry, void *context)
{
	return true;
}

static bool
declaration(struct tsdl_parser *p)
{
	if (tsdl_accept(p, ';'))
		return true;
	if (tsdl_is_word(p, "trace"))
		return trace_block(p);
	if (tsdl_is_word(p, "env"))
		return block(p, env_entry, NULL);
	if (tsdl_is_word(p, "clock"))
		return clock_block(p);
	if (tsdl_is_word(p, "stream"))
		return stream_block(p);
	if (tsdl_is_word(p, "event"))
		return event_block(p);
	if (tsdl_is_word(p, "callsite"))
		return block(p, ignored_entry, NULL);
	if (tsdl_type_declaration(p))
		return !p->failed;
	return tsdl_fail(p, "a declaration was expected, not \"%.*s\"",
			 (int) MIN(p->token.length, (size_t) 40), p->token.start);
}

int
tsdl_parse(struct ctf_trace *trace, const char *text, size_t size, unsigned first_line,
	   struct error *error)
{
	struct tsdl_parser p = {
		.trace = trace,
		.arena = &trace->arena,
		.error = error,
		.at = text,
		.end = text + size,
		.line_start = text,
		.line = first_line,
		.scope = &trace->scope,
	};

	if (!tsdl_next(&p))
		return p.failed;
	while (p.token.kind != TSDL_END)
		if (!declaration(&p))
			return p.failed;
	return 0;
}
