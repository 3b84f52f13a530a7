/* SPDX-License-Identifier: MIT
 *
 * engine.c -- hosts and their flows: events in, facts out.  The tables were
 * compiled by engine_compile.c; engine_save.c keeps flows over a restart. */
#include "analyzers/engine.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "analyzers/engine_private.h"
#include "ctf/trace.h"
#include "lib/clock.h"
#include "lib/util.h"

const struct engine_options engine_defaults = {
	.max_flows_per_host = 4096,
	.stall_min_ns = 2 * NS_PER_S,
	.stall_max_ns = 2500 * NS_PER_MS,
	.stall_factor = 3,
};

struct engine *
engine_new(const struct analyzer *const *table, const struct engine_options *options,
	   const struct fact_sink *sink)
{
	struct engine *engine = xcalloc(1, sizeof *engine);

	engine->table = table;
	engine->options = *options;
	engine->sink = *sink;
	engine->interest = ctf_interest_new();
	if (compile_tables(engine)) {
		engine_free(engine);
		return NULL;
	}
	return engine;
}

static void
entry_free(struct entry *entry)
{
	free(entry->told);
	free(entry->flow);
	free(entry);
}

static void
flows_free(struct engine_host *host)
{
	struct entry *entry;
	struct gone *gone;

	while ((entry = host->flows)) {
		HASH_DEL(host->flows, entry);
		entry_free(entry);
	}
	while ((gone = host->gone)) {
		HASH_DEL(host->gone, gone);
		free(gone);
	}
	heap_free(&host->timers);
	for (size_t i = 0; i < ARRAY_SIZE(host->pools); i++)
		heap_free(&host->pools[i].resting);
}

void
engine_free(struct engine *engine)
{
	struct engine_host *host;
	struct unexpected *u;

	if (!engine)
		return;
	while ((host = engine->hosts)) {
		HASH_DEL(engine->hosts, host);
		flows_free(host);
		natives_host_free(host);
		free(host->twice);
		free(host->name);
		free(host);
	}
	while ((u = engine->unexpected)) {
		HASH_DEL(engine->unexpected, u);
		free(u);
	}
	natives_compile_free(engine);
	compile_free(engine);
	ctf_interest_free(engine->interest);
	free(engine);
}

const struct ctf_interest *
engine_interest(const struct engine *engine)
{
	return engine->interest;
}

struct engine_host *
engine_host(struct engine *engine, const char *hostname)
{
	struct engine_host *host;

	HASH_FIND_STR(engine->hosts, hostname, host);
	if (!host) {
		host = xcalloc(1, sizeof *host);
		host->engine = engine;
		host->name = xstrdup(hostname);
		host->timers.order = BY_DEADLINE;
		for (size_t i = 0; i < ARRAY_SIZE(host->pools); i++)
			host->pools[i].resting.order = BY_REST;
		HASH_ADD_KEYPTR(hh, engine->hosts, host->name, strlen(host->name), host);
	}
	return host;
}

const char *
engine_host_name(const struct engine_host *host)
{
	return host->name;
}

const struct engine_counters *
engine_counters(const struct engine *engine)
{
	return &engine->counters;
}

/* -- Entries ------------------------------------------------------------- */

int
entry_compare(const struct entry *a, const struct entry *b)
{
	if (a->id.analyzer != b->id.analyzer)
		return a->id.analyzer < b->id.analyzer ? -1 : 1;
	return a->id.key < b->id.key ? -1 : a->id.key > b->id.key;
}

struct entry *
entry_find(struct engine_host *host, unsigned analyzer, uint64_t key)
{
	const struct { uint64_t key, analyzer; } id = { key, analyzer };
	struct entry *entry;

	HASH_FIND(hh, host->flows, &id, sizeof id, entry);
	return entry;
}

static void flush_entry(struct engine_host *host, struct entry *entry);

/* Flows of analyzers without limits of their own share theirs. */
static struct pool *
pool_of(struct engine_host *host, unsigned analyzer)
{
	return &host->pools[host->engine->table[analyzer]->max_flows ? analyzer + 1 : 0];
}

void
entry_settle(struct engine_host *host, struct entry *entry)
{
	const struct flow *flow = entry->flow;
	const struct state *state = &host->engine->table[entry->id.analyzer]->states[flow->state];

	heap_update(&host->timers, entry, flow->deadline_ns != 0);
	heap_update(&pool_of(host, (unsigned) entry->id.analyzer)->resting, entry,
		    flow->state == FLOW_IDLE || state->ended);
}

static void
entry_end(struct engine_host *host, struct entry *entry)
{
	struct pool *pool = pool_of(host, (unsigned) entry->id.analyzer);
	struct gone *gone;

	flush_entry(host, entry);
	HASH_DEL(host->flows, entry);
	heap_update(&host->timers, entry, false);
	heap_update(&pool->resting, entry, false);
	pool->n_flows--;
	if (entry->saved) {
		gone = xcalloc(1, sizeof *gone);
		memcpy(&gone->id, &entry->id, sizeof gone->id);
		HASH_ADD(hh, host->gone, id, sizeof gone->id, gone);
	}
	entry_free(entry);
}

/* Whether there is room for one more, after the flow that has been at rest for
 * longest was forgotten if need be: not every process tells that it ends. */
static bool
make_room(struct engine_host *host, unsigned analyzer)
{
	const struct analyzer *a = host->engine->table[analyzer];
	const unsigned max = a->max_flows ? a->max_flows : host->engine->options.max_flows_per_host;
	const unsigned keep = a->keep ? a->keep : KEEP_FLOWS;
	struct pool *pool = pool_of(host, analyzer);

	if (pool->n_flows >= MIN(max, keep) && pool->resting.n)
		entry_end(host, heap_first(&pool->resting));
	return pool->n_flows < max;
}

struct entry *
entry_new(struct engine_host *host, unsigned analyzer, uint64_t key)
{
	struct entry *entry;
	struct gone *gone;

	if (!make_room(host, analyzer))
		return NULL;
	entry = xcalloc(1, sizeof *entry);
	entry->id.key = key;
	entry->id.analyzer = analyzer;
	entry->flow = xcalloc(1, host->engine->table[analyzer]->flow_size);
	entry->flow->key = key;
	HASH_FIND(hh, host->gone, &entry->id, sizeof entry->id, gone);
	if (gone) {
		HASH_DEL(host->gone, gone);
		free(gone);
		entry->saved = true;
	}
	HASH_ADD(hh, host->flows, id, sizeof entry->id, entry);
	pool_of(host, analyzer)->n_flows++;
	return entry;
}

/* -- Telling ------------------------------------------------------------- */

/* The analyzer's text, or the flow's key in decimal: each fact needs it, some of
 * them twice. */
static void
set_key(const struct analyzer *analyzer, struct fact *fact, const struct flow *flow)
{
	char digits[KEY_TEXT_SIZE], *at = digits + sizeof digits;
	uint64_t left = flow->key;

	if (analyzer->fact_key) {
		snprintf(fact->key, sizeof fact->key, "%s", analyzer->fact_key(flow));
		return;
	}
	*--at = '\0';
	do
		*--at = (char) ('0' + left % 10);
	while (left /= 10);
	memcpy(fact->key, at, (size_t) (digits + sizeof digits - at));
}

void
step_tell(const struct step *step, const struct flow *flow, struct fact *fact)
{
	struct engine *engine = step->host->engine;

	fact->host = step->host->name;
	if (!*fact->key)
		set_key(step->analyzer, fact, flow);
	engine->counters.facts++;
	engine->sink.fact(engine->sink.context, fact);
}

static struct fact
span_fact(const struct step *step, const struct flow *flow)
{
	struct fact fact = {
		.type = FACT_SPAN,
		.host = step->host->name,
		.kind = step->analyzer->states[flow->state].span,
		.start_ns = flow->start_ns,
	};

	set_key(step->analyzer, &fact, flow);
	return fact;
}

void
step_span_id(const struct step *step, const struct flow *flow, char ret[FACT_ID_SIZE])
{
	const struct fact fact = span_fact(step, flow);

	if (fact.kind)
		fact_id(&fact, ret);
	else
		*ret = '\0';
}

/* Tells the span that the flow's state names; 'lost': its end was not seen. */
static void
tell_span(const struct step *step, struct flow *flow, bool lost)
{
	const struct state *state = &step->analyzer->states[flow->state];
	struct fact fact = span_fact(step, flow);

	flow->tell = 0;
	if (!state->span)
		return;
	if (lost)
		flow->end_ns = flow->last_ns;
	fact.end_ns = state->ended || lost ? flow->end_ns : 0;
	fact.status = lost ? "lost" : state->status ? state->status : "running";
	if (step->analyzer->attributes)
		fact.attributes = step->analyzer->attributes(flow, step, flow->state);
	step_tell(step, flow, &fact);
}

size_t
flow_used(const struct analyzer *analyzer, const struct flow *flow)
{
	return analyzer->used ? analyzer->used(flow) : analyzer->flow_size;
}

static void
flush_entry(struct engine_host *host, struct entry *entry)
{
	const struct step step = {
		.host = host,
		.analyzer = host->engine->table[entry->id.analyzer],
		.options = &host->engine->options,
	};

	if (!entry->untold)
		return;
	entry->untold = false;
	tell_span(&step, entry->told, false);
}

void
engine_flush(struct engine *engine)
{
	for (struct engine_host *host = engine->hosts; host; host = host->hh.next)
		for (struct entry *entry = host->flows; entry; entry = entry->hh.next)
			flush_entry(host, entry);
}

/* Whether what waits to be told is of another span than the flow's. */
static bool
is_other_span(const struct step *step, const struct entry *entry)
{
	const struct state *states = step->analyzer->states;
	const char *told = states[entry->told->state].span;
	const char *span = states[entry->flow->state].span;

	return entry->told->start_ns != entry->flow->start_ns || !span || !streq(told, span);
}

/* Tells the span, or keeps it as it is now for engine_flush(). */
static void
note_span(const struct step *step, struct entry *entry)
{
	struct flow *flow = entry->flow;

	if (!step->options->spans_when_flushed || !step->analyzer->states[flow->state].span) {
		tell_span(step, flow, false);
		return;
	}
	if (entry->untold && is_other_span(step, entry))
		flush_entry(step->host, entry);
	flow->tell = 0;
	if (!entry->told)
		entry->told = xcalloc(1, step->analyzer->flow_size);
	memcpy(entry->told, flow, flow_used(step->analyzer, flow));
	entry->untold = true;
}

const char *
step_event_name(const struct step *step, uint64_t event)
{
	const struct engine *engine = step->host->engine;

	for (unsigned i = 0; i < engine->n_programs; i++)
		if (engine->table[i] == step->analyzer && event &&
		    event <= engine->programs[i].n_events)
			return engine->programs[i].events[event - 1];
	return "";
}

void
text_copy(char *buffer, size_t size, const struct text *text)
{
	size_t n = MIN(text->size, size - 1);

	if (n < text->size)
		while (n && ((unsigned char) text->s[n] & 0xc0) == 0x80)
			n--;
	if (n)
		memcpy(buffer, text->s, n);
	buffer[n] = '\0';
}

bool
text_is(const struct text *text, const char *string)
{
	return strlen(string) == text->size && text->size &&
		!memcmp(text->s, string, text->size);
}

/* -- Moving -------------------------------------------------------------- */

/* The span that is open in the flow's state was left without an end. */
static void
leave_span(struct entry *entry, const struct step *step, const struct rule *rule)
{
	struct flow *flow = entry->flow;
	struct fact fact = span_fact(step, flow);

	flush_entry(step->host, entry);
	if (step->analyzer->moved)
		step->analyzer->moved(flow, step, flow->state, step->analyzer->gone);
	if (!rule || !rule->retracts) {
		tell_span(step, flow, true);
		return;
	}
	fact.type = FACT_RETRACT;
	step_tell(step, flow, &fact);
}

/* Moves the flow to state 'to' by 'rule' (NULL: its trace ended). */
static void
move(struct entry *entry, const struct step *step, const struct rule *rule, unsigned to)
{
	struct flow *flow = entry->flow;
	const struct state *states = step->analyzer->states;
	const unsigned from = flow->state;
	const bool begins = rule && rule->begins;
	const bool leaving = states[from].span && !states[from].ended &&
		(begins || !states[to].span || !streq(states[to].span, states[from].span));

	if (leaving && begins)
		leave_span(entry, step, rule);
	if (begins) {
		flow->start_ns = step->t_ns;
		flow->end_ns = 0;
		flow->events = 1;
		flow->lost = 0;
	}
	if (rule && rule->act)
		rule->act(flow, step);
	if (leaving && !begins)
		leave_span(entry, step, rule);
	if (to != from || begins) {
		flow->state = to;
		flow->entered_ns = step->t_ns;
		if (states[to].ended && !states[from].ended)
			flow->end_ns = MAX(step->t_ns, flow->start_ns);
		if (step->analyzer->moved && (begins || !leaving))
			step->analyzer->moved(flow, step, from, to);
		flow->tell = 1;
	}
	if (flow->tell)
		note_span(step, entry);
}

static void
fire(struct engine_host *host, struct entry *entry)
{
	struct engine *engine = host->engine;
	struct flow *flow = entry->flow;
	const struct analyzer *analyzer = engine->table[entry->id.analyzer];
	const uint64_t t_ns = MAX(flow->deadline_ns, flow->last_ns);
	const struct step step = {
		.host = host,
		.analyzer = analyzer,
		.t_ns = t_ns,
		.options = &engine->options,
	};

	flow->deadline_ns = 0;
	entry->changed = true;
	if (analyzer->timer)
		analyzer->timer(flow, &step);
	if (analyzer->expires)
		move(entry, &step, NULL, analyzer->expires(flow, &step));
	else if (flow->tell)
		note_span(&step, entry);
	if (analyzer->states[flow->state].final) {
		entry_end(host, entry);
		return;
	}
	/* It moved at this time: no time of a flow is after its last. */
	if (analyzer->expires)
		flow->last_ns = t_ns;
	entry_settle(host, entry);
}

/* Runs the timers that are due before 't_ns', earliest first.  They run before
 * the event that comes after them, so that it does not matter how often the
 * watermark was told. */
static void
run_timers(struct engine_host *host, uint64_t t_ns)
{
	struct entry *first;

	while ((first = heap_first(&host->timers)) && first->flow->deadline_ns < t_ns)
		fire(host, first);
}

/* -- Events -------------------------------------------------------------- */

static void
count_unexpected(struct engine *engine, const struct route *route, unsigned column, unsigned state)
{
	const uint64_t id = (uint64_t) route->analyzer << 48 | (uint64_t) route->event << 24 |
		(uint64_t) column << 8 | state;
	struct unexpected *u;

	engine->counters.unexpected++;
	HASH_FIND(hh, engine->unexpected, &id, sizeof id, u);
	if (!u) {
		u = xcalloc(1, sizeof *u);
		u->id = id;
		u->route = route;
		HASH_ADD(hh, engine->unexpected, id, sizeof u->id, u);
	}
	u->count++;
}

/* The value that names the flow: a field, or for traces of one process each
 * (per-PID buffers without that context) what the trace says of itself. */
static bool
event_key(const struct route *route, const struct ctf_event *event, uint64_t *ret)
{
	const char *env;

	if (route->key_slot >= 0 && (unsigned) route->key_slot < event->n_values &&
	    value_u64(&event->values[route->key_slot], ret))
		return true;
	if ((route->source && route->source->key) || !event->stream)
		return false;
	env = ctf_stream_env(event->stream, "vpid");
	return env && !parse_u64(env, ret);
}

/* The first rule of the cell that counts, with its fields in 'values'; those of a
 * derived event (no 'event') are in step->values already. */
static const struct rule *
pick_rule(struct engine *engine, const struct action *action, const struct flow *flow,
	  const struct step *step, const struct ctf_event *event, void *values)
{
	for (; action; action = action->next) {
		const struct rule *rule = action->rule;

		if (event) {
			memset(values, 0, MAX_VALUES_SIZE);
			if (!action_read(action, event, values)) {
				engine->counters.incomplete++;
				continue;
			}
		}
		if (!(step->late && rule->begins) && (!rule->when || rule->when(flow, step)))
			return rule;
	}
	return NULL;
}

/* Gives the event to the flow of that key: 'event', or step->values. */
static void
take(const struct step *given, const struct route *route, unsigned column, uint64_t key,
     const struct ctf_event *event)
{
	struct step step = *given;
	struct engine_host *host = step.host;
	struct engine *engine = host->engine;
	uint64_t values[MAX_VALUES_SIZE / sizeof(uint64_t)];
	struct entry *entry = entry_find(host, route->analyzer, key);
	const unsigned state = entry ? entry->flow->state : FLOW_IDLE;
	const struct action *action = route->cells[column * step.analyzer->n_states + state];
	const struct rule *rule;

	if (!action) {
		if (state == FLOW_IDLE)
			engine->counters.ignored++;
		else
			count_unexpected(engine, route, column, state);
		return;
	}
	if (!entry && !(entry = entry_new(host, route->analyzer, key))) {
		engine->counters.capped++;
		return;
	}
	step.t_ns = MAX(step.t_ns, entry->flow->last_ns);
	if (event)
		step.values = values;
	rule = pick_rule(engine, action, entry->flow, &step, event, values);
	if (!rule) {
		engine->counters.ignored++;
		if (!entry->flow->last_event)
			entry_end(host, entry);
		return;
	}
	engine->counters.used++;
	entry->changed = true;
	entry->flow->last_ns = step.t_ns;
	entry->flow->last_event = route->event + 1;
	entry->flow->events++;
	move(entry, &step, rule, rule->to == STAY ? state : (unsigned) rule->to);
	if (step.analyzer->states[entry->flow->state].final)
		entry_end(host, entry);
	else
		entry_settle(host, entry);
}

static void
take_event(struct engine_host *host, const struct route *route, const struct ctf_event *event)
{
	struct engine *engine = host->engine;
	struct step step = { .host = host, .analyzer = engine->table[route->analyzer],
			     .options = &engine->options, .t_ns = event->t_ns,
			     .late = event->late };
	uint64_t key;

	if (event_key(route, event, &key))
		take(&step, route, route_column(route, event), key, event);
	else
		engine->counters.incomplete++;
}

void
step_derive(const struct step *step, const struct decoder *decoder, unsigned event,
	    const void *values)
{
	struct engine *engine = step->host->engine;
	const struct deriver *deriver = engine->derivers;
	char name[NAME_SIZE];

	while (deriver->decoder != decoder)
		deriver++;
	for (const struct route *r = deriver->routes[event]; r; r = r->next) {
		const struct analyzer *analyzer = engine->table[r->analyzer];
		struct step next = { .host = step->host, .analyzer = analyzer, .values = values,
				     .options = step->options, .t_ns = step->t_ns,
				     .late = step->late };
		const size_t size = analyzer->identify(name, event, values);

		if (size)
			take(&next, r, 0, XXH64(name, size, 0), NULL);
	}
}

/* Has the decoders of that event derive others. */
static void
decode(struct engine_host *host, const struct deriver *deriver, const struct ctf_event *event)
{
	struct engine *engine = host->engine;
	uint64_t values[MAX_VALUES_SIZE / sizeof(uint64_t)] = { 0 };
	const struct step step = { .host = host, .values = values, .options = &engine->options,
				   .t_ns = event->t_ns, .late = event->late };

	if (action_read(deriver->action, event, values))
		deriver->decoder->decode(deriver->state, &step);
	else
		engine->counters.incomplete++;
}

static const struct deriver *
deriver_of(const struct engine *engine, unsigned wanted)
{
	for (unsigned i = 0; i < engine->n_derivers; i++)
		if (engine->derivers[i].wanted == wanted)
			return &engine->derivers[i];
	return NULL;
}

static void
to_flows(struct engine_host *host, const struct ctf_event *event)
{
	const struct route *routes = host->engine->routes[event->wanted];
	const struct deriver *deriver = deriver_of(host->engine, event->wanted);

	if ((!routes && !deriver) || told_twice(host, event))
		return;
	if (deriver)
		decode(host, deriver, event);
	for (const struct route *r = routes; r; r = r->next)
		take_event(host, r, event);
}

void
engine_event(struct engine_host *host, const struct ctf_event *event)
{
	struct engine *engine = host->engine;

	if (event->late)
		engine->counters.late++;
	else
		run_timers(host, event->t_ns);
	if (event->wanted >= engine->n_routes)
		return;
	to_flows(host, event);
	if (engine->native_routes[event->wanted])
		natives_event(host, event);
}

/* That events are missing, for whoever shows what happened on this host then; not if
 * nobody knows when. */
static void
tell_loss(struct engine_host *host, const struct ctf_loss *loss, const char *pid)
{
	struct engine *engine = host->engine;
	struct fact fact = {
		.type = FACT_SPAN, .host = host->name, .kind = "trace.loss",
		.start_ns = loss->begin_t_ns, .end_ns = MAX(loss->end_t_ns, loss->begin_t_ns),
		.status = "lost",
	};

	if (!loss->end_t_ns)
		return;
	snprintf(fact.key, sizeof fact.key, "%s/%d", loss->kernel ? "kernel" : pid ? pid : "ust",
		 loss->cpu);
	fact.attributes = json_pack("{s:I, s:I, s:b}", "events", (json_int_t) loss->events, "packets",
				    (json_int_t) loss->packets, "kernel", loss->kernel);
	engine->counters.facts++;
	engine->sink.fact(engine->sink.context, &fact);
}

void
engine_loss(struct engine_host *host, const struct ctf_loss *loss)
{
	struct engine *engine = host->engine;
	const char *env = NULL;
	struct entry *entry;
	uint64_t pid;

	natives_loss(host, loss);
	if (loss->stream)
		env = ctf_stream_env(loss->stream, "vpid");
	tell_loss(host, loss, env);
	for (entry = host->flows; entry; entry = entry->hh.next) {
		const struct state *state =
			&engine->table[entry->id.analyzer]->states[entry->flow->state];

		if (!state->span || state->ended)
			continue;
		if (env && !parse_u64(env, &pid) &&
		    (engine->table[entry->id.analyzer]->decoder || pid != entry->id.key))
			continue;
		/* How many events a missing packet held is not known: at least one. */
		entry->flow->lost += loss->events + loss->packets;
		entry->changed = true;
	}
}

void
engine_watermark(struct engine_host *host, uint64_t t_ns)
{
	run_timers(host, t_ns);
	natives_watermark(host, t_ns);
}

void
engine_guess(struct engine_host *host, uint64_t t_ns)
{
	run_timers(host, t_ns);
}

void
engine_host_end(struct engine_host *host, uint64_t t_ns)
{
	struct engine *engine = host->engine;
	struct entry *entry;

	run_timers(host, t_ns);
	HASH_SORT(host->flows, entry_compare);
	while ((entry = host->flows)) {
		const struct step step = {
			.host = host,
			.analyzer = engine->table[entry->id.analyzer],
			.t_ns = entry->flow->last_ns,
			.options = &engine->options,
		};

		move(entry, &step, NULL, step.analyzer->gone);
		entry_end(host, entry);
	}
	natives_end(host);
}

uint64_t
engine_horizon(const struct engine_host *host)
{
	uint64_t horizon = 0;
	const struct entry *entry;

	for (entry = host->flows; entry; entry = entry->hh.next) {
		const struct flow *flow = entry->flow;
		const struct state *state =
			&host->engine->table[entry->id.analyzer]->states[flow->state];
		const uint64_t from = state->span ? flow->start_ns : flow->entered_ns;

		if (!state->ended && from && (!horizon || from < horizon))
			horizon = from;
	}
	return horizon;
}
