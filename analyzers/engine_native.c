/* SPDX-License-Identifier: MIT
 *
 * engine_native.c -- analyzers that get each event as a call, with a state per
 * host: which fields they read is compiled like a rule's; what they have to
 * keep over a restart they give as records. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "analyzers/engine_private.h"
#include "lib/clock.h"
#include "lib/util.h"

/* Clocks of traces of one host differ by less than this (kernel, programs: up
 * to 99 us), and a watermark goes by one of them. */
#define WATERMARK_MARGIN_NS (10 * NS_PER_MS)
/* Time that is back by more is another recording, as in daemon/lane_host.c. */
#define OTHER_EPOCH_NS (60 * NS_PER_S)
/* The engine's own record. */
#define CLOCK_KEY UINT64_MAX

struct native_field {
	int16_t slot, older_slot;      /* -1: none. */
	uint16_t offset;
	uint8_t type;
	bool optional;
};

/* How one native analyzer takes one event name. */
struct native_route {
	struct native_route *next;     /* Another analyzer's, of the same event. */
	unsigned analyzer, event;      /* Indices. */
	int16_t cpu_slot;
	bool other;                    /* native_event.other */
	uint16_t n_fields;
	uint32_t values_size;          /* Bytes of the struct of values. */
	struct native_field fields[];
};

/* What is kept of a run beside its analyzer's records. */
struct clock_record {
	uint64_t last_ns, wake_ns, woken;
};

const struct rule no_rules[] = { { 0 } };

/* -- Compiling ------------------------------------------------------------ */

static size_t
field_size(enum field_type type)
{
	return type == FIELD_TEXT || type == FIELD_BYTES ? sizeof(struct text) : sizeof(uint64_t);
}

static uint64_t
hash_native(const struct native *native, uint64_t seed)
{
	XXH64_hash_t hash = XXH64(&native->state_size, sizeof native->state_size, seed);

	for (const struct native_event *e = native->events; e->name; e++)
		hash = XXH64(e->name, strlen(e->name), hash);
	return hash;
}

static void
declare_event(struct engine *engine, const struct native_event *event)
{
	const unsigned wanted = ctf_interest_event(engine->interest, event->name);

	ctf_interest_field(engine->interest, wanted, CTF_PACKET_CONTEXT, "cpu_id");
	for (const struct field *f = event->reads; f && f->name; f++) {
		ctf_interest_field(engine->interest, wanted, f->scope, f->name);
		if (f->older)
			ctf_interest_field(engine->interest, wanted, f->scope, f->older);
	}
}

void
natives_declare(struct engine *engine)
{
	for (unsigned i = 0; i < engine->n_programs; i++) {
		const struct native *native = engine->table[i]->native;

		if (!native)
			continue;
		engine->has_natives = true;
		engine->programs[i].hash = hash_native(native, engine->programs[i].hash);
		for (const struct native_event *e = native->events; e->name; e++)
			declare_event(engine, e);
	}
}

static struct native_route *
make_native_route(struct engine *engine, const struct native_event *event)
{
	const unsigned wanted = ctf_interest_event(engine->interest, event->name);
	struct native_route *route;
	unsigned n = 0;

	for (const struct field *f = event->reads; f && f->name; f++)
		n++;
	route = xcalloc(1, sizeof *route + n * sizeof *route->fields);
	route->cpu_slot = (int16_t) ctf_interest_field(engine->interest, wanted,
						       CTF_PACKET_CONTEXT, "cpu_id");
	for (const struct field *f = event->reads; f && f->name; f++) {
		route->fields[route->n_fields++] = (struct native_field) {
			.slot = (int16_t) ctf_interest_field(engine->interest, wanted, f->scope,
							     f->name),
			.older_slot = f->older ? (int16_t) ctf_interest_field(
				engine->interest, wanted, f->scope, f->older) : -1,
			.offset = (uint16_t) f->offset,
			.type = (uint8_t) f->type,
			.optional = f->optional,
		};
		route->values_size = (uint32_t) MAX((size_t) route->values_size,
						    f->offset + field_size(f->type));
	}
	return route;
}

int
natives_compile(struct engine *engine)
{
	engine->native_routes = xcalloc(engine->n_routes + 1, sizeof *engine->native_routes);
	for (unsigned i = 0; i < engine->n_programs; i++) {
		const struct native *native = engine->table[i]->native;

		for (unsigned k = 0; native && native->events[k].name; k++) {
			struct native_route *route = make_native_route(engine, &native->events[k]);
			struct native_route **at = &engine->native_routes[
				ctf_interest_event(engine->interest, native->events[k].name)];

			while (*at)
				at = &(*at)->next;
			*at = route;
			route->analyzer = i;
			route->event = k;
			route->other = native->events[k].other;
			if (route->n_fields > MAX_NATIVE_FIELDS ||
			    route->values_size > MAX_NATIVE_VALUES_SIZE)
				return -E2BIG;
		}
	}
	return 0;
}

void
natives_compile_free(struct engine *engine)
{
	for (unsigned i = 0; engine->native_routes && i < engine->n_routes; i++)
		for (struct native_route *r = engine->native_routes[i], *next; r; r = next) {
			next = r->next;
			free(r);
		}
	free(engine->native_routes);
}

void
natives_print_events(const struct analyzer *const *table, unsigned roles, FILE *file)
{
	struct ctf_interest *names = ctf_interest_new();

	for (const struct analyzer *const *a = table; *a; a++) {
		if (!(*a)->native || !((*a)->roles & roles))
			continue;
		for (const struct native_event *e = (*a)->native->events; e->name; e++) {
			const char *symbol = e->probe ? e->probe : e->function;
			const char *domain = e->probe ? "kernel-probe" :
				e->function ? "kernel-function" : (*a)->kernel ? "kernel" : "ust";

			if (e->silent || ctf_interest_find(names, e->name) >= 0)
				continue;
			ctf_interest_event(names, e->name);
			fprintf(file, "%s %s%s%s\n", domain, e->name, symbol ? " " : "",
				symbol ? symbol : "");
		}
	}
	ctf_interest_free(names);
}

/* -- Runs ----------------------------------------------------------------- */

static struct step
step_of(struct engine_host *host, unsigned analyzer, uint64_t t_ns)
{
	return (struct step) {
		.host = host,
		.analyzer = host->engine->table[analyzer],
		.t_ns = t_ns,
		.options = &host->engine->options,
		.cpu = -1,
		.run = &host->natives[analyzer],
	};
}

static struct native_run *
run_get(struct engine_host *host, unsigned analyzer)
{
	const struct native *native = host->engine->table[analyzer]->native;
	struct native_run *run;

	if (!host->natives)
		host->natives = xcalloc(MAX_ANALYZERS, sizeof *host->natives);
	run = &host->natives[analyzer];
	if (!run->state) {
		const struct step step = step_of(host, analyzer, 0);

		run->state = xcalloc(1, MAX(native->state_size, (size_t) 1));
		if (native->start)
			native->start(run->state, &step);
	}
	return run;
}

static void
run_stop(struct engine_host *host, unsigned analyzer)
{
	const struct native *native = host->engine->table[analyzer]->native;
	struct native_run *run = &host->natives[analyzer];

	struct gone *saved;

	if (!run->state)
		return;
	while ((saved = run->saved)) {
		HASH_DEL(run->saved, saved);
		HASH_ADD(hh, run->gone, id, sizeof saved->id, saved);
	}
	if (native->stop)
		native->stop(run->state);
	free(run->state);
	run->state = NULL;
	run->last_ns = run->wake_ns = 0;
	run->woken = run->restored = false;
}

void
natives_host_free(struct engine_host *host)
{
	for (unsigned i = 0; host->natives && i < host->engine->n_programs; i++) {
		struct gone *gone;

		run_stop(host, i);
		while ((gone = host->natives[i].gone)) {
			HASH_DEL(host->natives[i].gone, gone);
			free(gone);
		}
	}
	free(host->natives);
	host->natives = NULL;
}

void
step_wake(const struct step *step, uint64_t t_ns)
{
	step->run->wake_ns = t_ns ? MAX(t_ns, step->run->last_ns + 1) : 0;
}

void
native_tell(const struct step *step, struct fact *fact)
{
	struct engine *engine = step->host->engine;

	fact->host = step->host->name;
	engine->counters.facts++;
	engine->sink.fact(engine->sink.context, fact);
}

static void
wake(struct engine_host *host, unsigned analyzer, uint64_t next_ns)
{
	struct native_run *run = &host->natives[analyzer];
	const struct native *native = host->engine->table[analyzer]->native;
	struct step step = step_of(host, analyzer, run->wake_ns);

	run->last_ns = MAX(run->last_ns, run->wake_ns);
	run->wake_ns = 0;
	run->changed = true;
	step.next_ns = next_ns;
	if (native->watermark)
		native->watermark(run->state, &step);
}

/* A wake-up that is due closes what the last event was part of.  What comes
 * behind waits for an event: whether there is more of the trace is not known. */
static void
wake_once(struct engine_host *host, unsigned analyzer)
{
	struct native_run *run = &host->natives[analyzer];

	if (!run->wake_ns || run->woken)
		return;
	run->woken = true;
	wake(host, analyzer, 0);
}

static void
run_end(struct engine_host *host, unsigned analyzer)
{
	const struct native *native = host->engine->table[analyzer]->native;
	struct native_run *run = &host->natives[analyzer];
	struct step step;

	if (!run->state)
		return;
	wake_once(host, analyzer);
	step = step_of(host, analyzer, run->last_ns);
	if (native->end)
		native->end(run->state, &step);
	run_stop(host, analyzer);
}

void
natives_end(struct engine_host *host)
{
	for (unsigned i = 0; host->natives && i < host->engine->n_programs; i++)
		run_end(host, i);
}

void
natives_watermark(struct engine_host *host, uint64_t t_ns)
{
	for (unsigned i = 0; host->natives && i < host->engine->n_programs; i++)
		if (host->natives[i].wake_ns && !host->natives[i].restored &&
		    host->natives[i].wake_ns + WATERMARK_MARGIN_NS <= t_ns)
			wake_once(host, i);
}

void
natives_loss(struct engine_host *host, const struct ctf_loss *loss)
{
	for (unsigned i = 0; host->natives && i < host->engine->n_programs; i++) {
		const struct analyzer *analyzer = host->engine->table[i];
		struct native_run *run = &host->natives[i];
		struct step step;

		if (!run->state || !analyzer->native->loss || loss->kernel != analyzer->kernel)
			continue;
		step = step_of(host, i, run->last_ns);
		step.cpu = loss->cpu;
		run->changed = true;
		analyzer->native->loss(run->state, &step, loss);
	}
}

/* -- Events ---------------------------------------------------------------- */

static inline bool
read_value(const struct native_field *field, int slot, const struct ctf_event *event, char *to)
{
	const struct ctf_value *value;

	if (slot < 0 || (unsigned) slot >= event->n_values)
		return false;
	value = &event->values[slot];
	switch (field->type) {
	case FIELD_U64:
	case FIELD_I64:
		/* Signed and unsigned differ between kernels for one and the same. */
		if (value->type != CTF_UNSIGNED && value->type != CTF_SIGNED)
			return false;
		memcpy(to, &value->u, sizeof value->u);
		return true;
	case FIELD_TEXT:
	case FIELD_BYTES:
		if (value->type != (field->type == FIELD_TEXT ? CTF_STRING : CTF_BYTES))
			return false;
		memcpy(to, &(struct text) { value->s, value->size }, sizeof(struct text));
		return true;
	}
	return false;
}

static inline bool
read_values(const struct native_route *route, const struct ctf_event *event, char *values)
{
	memset(values, 0, route->values_size);
	for (unsigned i = 0; i < route->n_fields; i++) {
		const struct native_field *field = &route->fields[i];
		char *to = values + field->offset;

		if (!read_value(field, field->slot, event, to) &&
		    !read_value(field, field->older_slot, event, to) && !field->optional)
			return false;
	}
	return true;
}

/* Brings the run to the event's time, and says which that is. */
static inline uint64_t
advance(struct engine_host *host, unsigned analyzer, const struct ctf_event *event)
{
	struct native_run *run = &host->natives[analyzer];

	if (__builtin_expect(event->t_ns + OTHER_EPOCH_NS < run->last_ns, 0)) {
		run_end(host, analyzer);
		run_get(host, analyzer);
	}
	while (__builtin_expect(run->wake_ns && run->wake_ns <= event->t_ns, 0))
		wake(host, analyzer, event->t_ns);
	run->last_ns = MAX(run->last_ns, event->t_ns);
	run->woken = run->restored = false;
	return run->last_ns;
}

static inline void
take_native(struct engine_host *host, const struct native_route *route,
	    const struct ctf_event *event)
{
	uint64_t values[MAX_NATIVE_VALUES_SIZE / sizeof(uint64_t)];
	struct engine *engine = host->engine;
	const struct analyzer *analyzer = engine->table[route->analyzer];
	struct native_run *run;
	struct step step = {
		.host = host, .analyzer = analyzer, .values = values,
		.options = &engine->options, .cpu = -1, .event_ns = event->t_ns,
	};

	if (!read_values(route, event, (char *) values)) {
		engine->counters.incomplete++;
		return;
	}
	if ((unsigned) route->cpu_slot < event->n_values &&
	    event->values[route->cpu_slot].type == CTF_UNSIGNED &&
	    event->values[route->cpu_slot].u <= INT32_MAX)
		step.cpu = (int32_t) event->values[route->cpu_slot].u;
	run = run_get(host, route->analyzer);
	step.run = run;
	/* Late for others, who went on without its stream, need not be late here. */
	step.late = event->late && event->t_ns < run->last_ns;
	step.t_ns = step.late ? event->t_ns : route->other ? MAX(event->t_ns, run->last_ns) :
		advance(host, route->analyzer, event);
	run->changed = true;
	engine->counters.used++;
	analyzer->native->event(run->state, &step, route->event);
}

void
natives_event(struct engine_host *host, const struct ctf_event *event)
{
	for (const struct native_route *r = host->engine->native_routes[event->wanted]; r; r = r->next)
		take_native(host, r, event);
}

bool
engine_is_kernel(const struct engine *engine, const struct ctf_event *event)
{
	const struct native_route *route = event->wanted < engine->n_routes ?
		engine->native_routes[event->wanted] : NULL;

	/* Some read what programs tell, too. */
	return route && engine->table[route->analyzer]->kernel && !route->other;
}

size_t
engine_native_bytes(const struct engine *engine)
{
	const struct engine_host *host;
	size_t sum = 0;

	for (host = engine->hosts; host; host = host->hh.next)
		for (unsigned i = 0; host->natives && i < engine->n_programs; i++) {
			const struct native *native = engine->table[i]->native;

			if (host->natives[i].state)
				sum += native->state_size +
					(native->bytes ? native->bytes(host->natives[i].state) : 0);
		}
	return sum;
}

/* -- Checkpoints ----------------------------------------------------------- */

struct saving {
	struct engine_host *host;
	unsigned analyzer;
	engine_save_fn *save;
	void *context;
};

static struct gone *
find_saved(const struct native_run *run, uint64_t key)
{
	const struct { uint64_t key, analyzer; } id = { key, 0 };
	struct gone *saved;

	HASH_FIND(hh, run->saved, &id, sizeof id, saved);
	return saved;
}

static void
give_record(const struct saving *saving, uint64_t key, const void *record, size_t size)
{
	const struct engine *engine = saving->host->engine;
	const struct program *program = &engine->programs[saving->analyzer];
	char text[KEY_TEXT_SIZE], *blob;

	snprintf(text, sizeof text, "%" PRIu64, key);
	if (!record) {
		saving->save(saving->context, saving->host->name, program->analyzer->name, text,
			     NULL, 0);
		return;
	}
	blob = xmalloc(sizeof program->hash + size);
	memcpy(blob, &program->hash, sizeof program->hash);
	memcpy(blob + sizeof program->hash, record, size);
	saving->save(saving->context, saving->host->name, program->analyzer->name, text, blob,
		     sizeof program->hash + size);
	free(blob);
}

static void
put_record(void *context, uint64_t key, const void *record, size_t size)
{
	struct saving *saving = context;
	struct native_run *run = &saving->host->natives[saving->analyzer];
	struct gone *saved = find_saved(run, key);

	if (!record && !saved)
		return;   /* Never given. */
	if (!record) {
		HASH_DEL(run->saved, saved);
		free(saved);
	} else if (!saved) {
		saved = xcalloc(1, sizeof *saved);
		saved->id.key = key;
		HASH_ADD(hh, run->saved, id, sizeof saved->id, saved);
	}
	give_record(saving, key, record, size);
}

static void
save_run(struct saving *saving)
{
	const struct native *native = saving->host->engine->table[saving->analyzer]->native;
	struct native_run *run = &saving->host->natives[saving->analyzer];
	const struct clock_record clock = { run->last_ns, run->wake_ns, run->woken };
	struct gone *gone;

	while ((gone = run->gone)) {
		give_record(saving, gone->id.key, NULL, 0);
		HASH_DEL(run->gone, gone);
		free(gone);
	}
	if (run->state && run->changed) {
		put_record(saving, CLOCK_KEY, &clock, sizeof clock);
		if (native->save)
			native->save(run->state, put_record, saving);
	}
	run->changed = false;
}

void
natives_save(struct engine_host *host, engine_save_fn *save, void *context)
{
	struct saving saving = { .host = host, .save = save, .context = context };

	for (unsigned i = 0; host->natives && i < host->engine->n_programs; i++) {
		saving.analyzer = i;
		if (host->engine->table[i]->native)
			save_run(&saving);
	}
}

static int
restore_clock(struct native_run *run, const void *record, size_t size)
{
	struct clock_record clock;

	if (size != sizeof clock)
		return -EINVAL;
	memcpy(&clock, record, sizeof clock);
	if (clock.woken > 1 || (clock.wake_ns && clock.wake_ns <= clock.last_ns))
		return -EINVAL;
	run->last_ns = clock.last_ns;
	run->wake_ns = clock.wake_ns;
	run->woken = clock.woken;
	run->restored = true;
	return 0;
}

static int
restore_record(struct engine_host *host, unsigned analyzer, uint64_t key, const void *record,
	       size_t size)
{
	const struct native *native = host->engine->table[analyzer]->native;
	struct native_run *run = run_get(host, analyzer);
	struct gone *saved = find_saved(run, key);
	int r;

	/* Each once, and not onto what events made. */
	if (saved)
		return -EINVAL;
	r = key == CLOCK_KEY ? restore_clock(run, record, size) :
		native->restore ? native->restore(run->state, key, record, size) : -EINVAL;
	if (r < 0)
		return r;
	saved = xcalloc(1, sizeof *saved);
	saved->id.key = key;
	HASH_ADD(hh, run->saved, id, sizeof saved->id, saved);
	return 0;
}

int
natives_restore(struct engine *engine, const char *hostname, const char *analyzer, const char *key,
		const void *blob, size_t size)
{
	uint64_t hash, number;

	for (unsigned i = 0; i < engine->n_programs; i++) {
		if (!engine->table[i]->native || !streq(engine->table[i]->name, analyzer))
			continue;
		if (size < sizeof hash || parse_u64(key, &number))
			return -EINVAL;
		memcpy(&hash, blob, sizeof hash);
		if (hash != engine->programs[i].hash)
			return -ESTALE;
		return restore_record(engine_host(engine, hostname), i, number,
				      (const char *) blob + sizeof hash, size - sizeof hash);
	}
	return -ENOENT;
}
