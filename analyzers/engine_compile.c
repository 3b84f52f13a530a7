/* SPDX-License-Identifier: MIT
 *
 * engine_compile.c -- the analyzers' tables as what the engine runs: a list of
 * routes per event name, and in each a cell per (selector value, state). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "analyzers/engine_private.h"
#include "lib/util.h"

static const struct source *
find_source(const struct analyzer *analyzer, const char *event)
{
	for (const struct source *s = analyzer->sources; s && s->event; s++)
		if (streq(s->event, event))
			return s;
	return NULL;
}

static unsigned
intern_event(struct program *program, const char *name)
{
	for (unsigned i = 0; i < program->n_events; i++)
		if (streq(program->events[i], name))
			return i;
	program->events = xrealloc(program->events,
				   (program->n_events + 1) * sizeof *program->events);
	program->events[program->n_events] = name;
	return program->n_events++;
}

static uint32_t
hash_text(const char *s, size_t size)
{
	return (uint32_t) XXH64(s, size, 0);
}

/* Column of a selector value, or 0. */
static unsigned
find_value(const struct route *route, const char *s, size_t size)
{
	if (!route->n_buckets)
		return 0;
	for (unsigned i = hash_text(s, size);; i++) {
		const unsigned column = route->buckets[i & (route->n_buckets - 1)];

		if (!column)
			return 0;
		if (strlen(route->values[column]) == size &&
		    !memcmp(route->values[column], s, size))
			return column;
	}
}

static void
rehash(struct route *route)
{
	route->n_buckets = 4;
	while (route->n_buckets < 2 * route->n_columns)
		route->n_buckets *= 2;
	free(route->buckets);
	route->buckets = xcalloc(route->n_buckets, sizeof *route->buckets);
	for (unsigned column = 1; column < route->n_columns; column++) {
		unsigned i = hash_text(route->values[column], strlen(route->values[column]));

		while (route->buckets[i & (route->n_buckets - 1)])
			i++;
		route->buckets[i & (route->n_buckets - 1)] = column;
	}
}

static unsigned
intern_value(struct route *route, const char *value)
{
	unsigned column = find_value(route, value, strlen(value));

	if (column)
		return column;
	column = route->n_columns++;
	route->values = xrealloc(route->values, route->n_columns * sizeof *route->values);
	route->values[column] = value;
	rehash(route);
	return column;
}

/* Where the routes of an event hang; NULL when no decoder derives it. */
static struct route **
routes_of(const struct engine *engine, const struct analyzer *analyzer, const char *event)
{
	const struct deriver *deriver = engine->derivers;

	if (!analyzer->decoder)
		return &engine->routes[ctf_interest_find(engine->interest, event)];
	while (deriver->decoder != analyzer->decoder)
		deriver++;
	for (unsigned i = 0; i < analyzer->decoder->n_derives; i++)
		if (streq(analyzer->decoder->derives[i], event))
			return &deriver->routes[i];
	return NULL;
}

/* Slots of what names the flow and of the selector. */
static void
find_slots(struct engine *engine, struct route *route, const char *event)
{
	const struct analyzer *analyzer = engine->programs[route->analyzer].analyzer;
	const unsigned wanted = ctf_interest_event(engine->interest, event);

	if (route->source && route->source->selector)
		route->selector_slot = ctf_interest_field(engine->interest, wanted, CTF_PAYLOAD,
							  route->source->selector);
	route->key_slot = route->source && route->source->key
		? ctf_interest_field(engine->interest, wanted, CTF_PAYLOAD, route->source->key)
		: ctf_interest_field(engine->interest, wanted, CTF_EVENT_CONTEXT, analyzer->key);
}

/* Makes the route of an event in an analyzer with all its columns. */
static int
make_route(struct engine *engine, unsigned index, const char *event)
{
	struct program *program = &engine->programs[index];
	const struct analyzer *analyzer = program->analyzer;
	struct route *route, **at = routes_of(engine, analyzer, event);

	if (!at)
		return -ENOENT;
	route = xcalloc(1, sizeof *route);
	route->analyzer = index;
	route->event = intern_event(program, event);
	route->source = find_source(analyzer, event);
	route->n_columns = 1;
	route->values = xcalloc(1, sizeof *route->values);
	route->selector_slot = route->key_slot = -1;
	if (!analyzer->decoder)
		find_slots(engine, route, event);
	/* Behind those of other analyzers, which run in the order of the list. */
	for (; *at; at = &(*at)->next)
		;
	*at = route;
	for (const struct rule *r = analyzer->rules; r->on; r++)
		if (r->is && streq(r->on, event))
			intern_value(route, r->is);
	route->cells = xcalloc((size_t) route->n_columns * analyzer->n_states,
			       sizeof *route->cells);
	return 0;
}

static struct route *
find_route(const struct engine *engine, unsigned index, const char *event)
{
	struct route **routes = routes_of(engine, engine->programs[index].analyzer, event);
	struct route *route = routes ? *routes : NULL;

	while (route && route->analyzer != index)
		route = route->next;
	return route;
}

/* Slots of the rule's fields.  Returns NULL when an event has too many. */
static struct action *
make_action(struct engine *engine, const struct rule *rule)
{
	const unsigned wanted = rule->reads ? ctf_interest_event(engine->interest, rule->on) : 0;
	struct action *action = xcalloc(1, sizeof *action);
	unsigned n = 0;

	action->rule = rule;
	for (const struct field *f = rule->reads; f && f->name; f++, n++) {
		if (n == MAX_FIELDS) {
			free(action);
			return NULL;
		}
		action->slots[n] = ctf_interest_field(engine->interest, wanted, f->scope, f->name);
		action->older_slots[n] = f->older
			? ctf_interest_field(engine->interest, wanted, f->scope, f->older) : -1;
	}
	return action;
}

/* Puts the rule in the cell of each of its states, behind those that are
 * there.  Every cell gets its own copy, as what comes next differs. */
static int
place_rule(struct engine *engine, struct route *route, const struct rule *rule, unsigned column)
{
	const unsigned n_states = engine->programs[route->analyzer].analyzer->n_states;

	for (unsigned state = 0; state < n_states; state++) {
		struct action **at = &route->cells[column * n_states + state];

		if (!(rule->in & IN(state)))
			continue;
		while (*at)
			at = &(*at)->next;
		*at = make_action(engine, rule);
		if (!*at)
			return -E2BIG;
	}
	return 0;
}

/* Rules without a selector value are for every column, behind those with one. */
static int
place_rules(struct engine *engine, unsigned index, bool with_value)
{
	const struct analyzer *analyzer = engine->programs[index].analyzer;
	int r = 0;

	for (const struct rule *rule = analyzer->rules; rule->on && !r; rule++) {
		struct route *route = find_route(engine, index, rule->on);

		if (with_value != (rule->is != NULL))
			continue;
		if (rule->is)
			r = place_rule(engine, route, rule,
				       find_value(route, rule->is, strlen(rule->is)));
		for (unsigned c = 0; !rule->is && c < route->n_columns && !r; c++)
			r = place_rule(engine, route, rule, c);
	}
	return r;
}

static uint64_t
hash_program(const struct analyzer *analyzer)
{
	XXH64_hash_t hash = XXH64(analyzer->name, strlen(analyzer->name), analyzer->version);
	const uint64_t size = analyzer->flow_size;

	hash = XXH64(&size, sizeof size, hash);
	for (unsigned i = 0; i < analyzer->n_states; i++)
		hash = XXH64(analyzer->states[i].name, strlen(analyzer->states[i].name), hash);
	for (const struct rule *rule = analyzer->rules; rule->on; rule++)
		hash = XXH64(rule->on, strlen(rule->on), hash);
	return hash;
}

static int
add_decoder(struct engine *engine, const struct decoder *decoder)
{
	struct deriver *deriver = engine->derivers;

	while (deriver < engine->derivers + engine->n_derivers && deriver->decoder != decoder)
		deriver++;
	if (deriver->decoder == decoder)
		return 0;
	if (engine->n_derivers == MAX_DECODERS - 1)  /* The last one ends the search. */
		return -E2BIG;
	engine->n_derivers++;
	deriver->decoder = decoder;
	deriver->wanted = ctf_interest_event(engine->interest, decoder->event);
	deriver->rule = (struct rule) { .on = decoder->event, .reads = decoder->reads };
	deriver->action = make_action(engine, &deriver->rule);
	deriver->routes = xcalloc(decoder->n_derives, sizeof *deriver->routes);
	deriver->state = decoder->start ? decoder->start() : NULL;
	return deriver->action ? 0 : -E2BIG;
}

/* Names all events that are wanted. */
static int
add_program(struct engine *engine, const struct analyzer *analyzer)
{
	struct program *program = &engine->programs[engine->n_programs++];

	program->analyzer = analyzer;
	program->hash = hash_program(analyzer);
	if (analyzer->decoder)
		return add_decoder(engine, analyzer->decoder);
	for (const struct rule *rule = analyzer->rules; rule->on; rule++)
		ctf_interest_event(engine->interest, rule->on);
	return 0;
}

int
compile_tables(struct engine *engine)
{
	int r = 0;

	for (unsigned i = 0; i < MAX_ANALYZERS && engine->table[i] && !r; i++)
		r = add_program(engine, engine->table[i]);
	natives_declare(engine);
	engine->n_routes = ctf_interest_n_events(engine->interest);
	engine->routes = xcalloc(engine->n_routes, sizeof *engine->routes);
	for (unsigned i = 0; i < engine->n_programs && !r; i++) {
		const struct analyzer *analyzer = engine->programs[i].analyzer;

		for (const struct rule *rule = analyzer->rules; rule->on && !r; rule++)
			if (!find_route(engine, i, rule->on))
				r = make_route(engine, i, rule->on);
		if (!r)
			r = place_rules(engine, i, true);
		if (!r)
			r = place_rules(engine, i, false);
	}
	return r ? r : natives_compile(engine);
}

static void
route_free(struct route *route, unsigned n_states)
{
	for (unsigned i = 0; i < route->n_columns * n_states; i++)
		for (struct action *a = route->cells[i], *next; a; a = next) {
			next = a->next;
			free(a);
		}
	free(route->cells);
	free(route->values);
	free(route->buckets);
	free(route);
}

static void
routes_free(const struct engine *engine, struct route **routes, unsigned n)
{
	for (unsigned i = 0; routes && i < n; i++)
		for (struct route *r = routes[i], *next; r; r = next) {
			next = r->next;
			route_free(r, engine->programs[r->analyzer].analyzer->n_states);
		}
	free(routes);
}

void
compile_free(struct engine *engine)
{
	routes_free(engine, engine->routes, engine->n_routes);
	for (unsigned i = 0; i < engine->n_derivers; i++) {
		const struct deriver *deriver = &engine->derivers[i];

		routes_free(engine, deriver->routes, deriver->decoder->n_derives);
		free(deriver->action);
		if (deriver->decoder->stop)
			deriver->decoder->stop(deriver->state);
	}
	for (unsigned i = 0; i < engine->n_programs; i++)
		free(engine->programs[i].events);
}

unsigned
route_column(const struct route *route, const struct ctf_event *event)
{
	const struct ctf_value *value;
	const char *name;
	uint64_t number;

	if (route->selector_slot < 0 || (unsigned) route->selector_slot >= event->n_values)
		return 0;
	value = &event->values[route->selector_slot];
	if (value->type == CTF_STRING)
		return find_value(route, value->s, value->size);
	if (!value_u64(value, &number) || number >= route->source->n_numbers)
		return 0;
	name = route->source->numbers[number];
	return find_value(route, name, strlen(name));
}

bool
value_u64(const struct ctf_value *value, uint64_t *ret)
{
	if (value->type == CTF_UNSIGNED)
		*ret = value->u;
	else if (value->type == CTF_SIGNED && value->i >= 0)
		*ret = (uint64_t) value->i;
	else if (value->type == CTF_REAL && value->r >= 0 && value->r < 1.8e19)
		*ret = (uint64_t) (value->r + 0.5);
	else
		return false;
	return true;
}

static bool
value_i64(const struct ctf_value *value, int64_t *ret)
{
	if (value->type == CTF_SIGNED)
		*ret = value->i;
	else if (value->type == CTF_UNSIGNED && value->u <= INT64_MAX)
		*ret = (int64_t) value->u;
	else
		return false;
	return true;
}

static bool
read_field(const struct field *field, int slot, const struct ctf_event *event, char *to)
{
	const struct ctf_value *value;

	if (slot < 0 || (unsigned) slot >= event->n_values)
		return false;
	value = &event->values[slot];
	switch (field->type) {
	case FIELD_U64:
		return value_u64(value, (uint64_t *) (void *) to);
	case FIELD_I64:
		return value_i64(value, (int64_t *) (void *) to);
	case FIELD_TEXT:
		if (value->type == CTF_STRING)
			*(struct text *) (void *) to = (struct text) { value->s, value->size };
		return value->type == CTF_STRING;
	case FIELD_BYTES:
		if (value->type == CTF_BYTES)
			*(struct text *) (void *) to = (struct text) { value->s, value->size };
		return value->type == CTF_BYTES;
	}
	return false;
}

bool
action_read(const struct action *action, const struct ctf_event *event, void *values)
{
	const struct field *field = action->rule->reads;

	for (unsigned i = 0; field && field->name; i++, field++) {
		char *to = (char *) values + field->offset;

		if (!read_field(field, action->slots[i], event, to) &&
		    !read_field(field, action->older_slots[i], event, to) && !field->optional)
			return false;
	}
	return true;
}
