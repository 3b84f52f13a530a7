/* SPDX-License-Identifier: MIT */
#include "daemon/batch.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "lib/util.h"

enum entry_type { ENTRY_FACT, ENTRY_POSITION, ENTRY_FLOW, ENTRY_SOURCE, ENTRY_COUNTER, ENTRY_HORIZON,
		  ENTRY_DELIVERED, ENTRY_SILENCE };

struct entry {
	enum entry_type type;
	union {
		struct fact fact;
		struct { char *key; struct ctf_position position; } position;
		struct { char *host, *analyzer, *key; void *blob; size_t size; } flow;
		struct store_source source;
		struct { char *scope, *name; uint64_t value; } counter;
		struct { char *host; uint64_t t_ns; } horizon;
		struct { uint64_t seq; bool keep; } delivered;
		struct { char *id; json_t *silence; } silence;
	};
};

/* Where a span stands: what is said of it again replaces what was said before. */
struct span_place {
	char id[FACT_ID_SIZE];
	size_t at;
	UT_hash_handle hh;
};

struct batch {
	struct entry *entries;
	size_t n, capacity;
	size_t bytes;
	struct span_place *spans;
};

struct batch *
batch_new(void)
{
	return xcalloc(1, sizeof (struct batch));
}

static void
entry_done(struct entry *entry)
{
	switch (entry->type) {
	case ENTRY_FACT:
		free((char *) entry->fact.host);
		free((void *) (uintptr_t) entry->fact.blob);
		json_decref(entry->fact.attributes);
		break;
	case ENTRY_POSITION:
		free(entry->position.key);
		break;
	case ENTRY_FLOW:
		free(entry->flow.host);
		free(entry->flow.analyzer);
		free(entry->flow.key);
		free(entry->flow.blob);
		break;
	case ENTRY_SOURCE:
		free((char *) entry->source.host);
		free((char *) entry->source.relayd);
		free((char *) entry->source.session);
		free((char *) entry->source.text);
		break;
	case ENTRY_COUNTER:
		free(entry->counter.scope);
		free(entry->counter.name);
		break;
	case ENTRY_HORIZON:
		free(entry->horizon.host);
		break;
	case ENTRY_DELIVERED:
		break;
	case ENTRY_SILENCE:
		free(entry->silence.id);
		json_decref(entry->silence.silence);
		break;
	}
}

void
batch_free(struct batch *batch)
{
	struct span_place *place, *next;

	if (!batch)
		return;
	HASH_ITER(hh, batch->spans, place, next) {
		HASH_DEL(batch->spans, place);
		free(place);
	}
	for (size_t i = 0; i < batch->n; i++)
		entry_done(&batch->entries[i]);
	free(batch->entries);
	free(batch);
}

bool
batch_is_empty(const struct batch *batch)
{
	return batch->n == 0;
}

size_t
batch_size(const struct batch *batch)
{
	return batch->bytes;
}

static struct entry *
add(struct batch *batch, enum entry_type type, size_t bytes)
{
	struct entry *entry;

	if (batch->n == batch->capacity) {
		batch->capacity = MAX(2 * batch->capacity, (size_t) 64);
		batch->entries = xrealloc(batch->entries, batch->capacity * sizeof *batch->entries);
	}
	entry = &batch->entries[batch->n++];
	memset(entry, 0, sizeof *entry);
	entry->type = type;
	batch->bytes += sizeof *entry + bytes;
	return entry;
}

/* The entry that says of the same span what 'fact' says anew, or NULL.  A span
 * that was retracted in between has a new entry. */
static struct entry *
find_span(struct batch *batch, const struct fact *fact)
{
	struct fact span = *fact;
	struct span_place *place;
	char id[FACT_ID_SIZE];

	if (fact->type != FACT_SPAN && fact->type != FACT_RETRACT)
		return NULL;
	span.type = FACT_SPAN;
	fact_id(&span, id);
	HASH_FIND_STR(batch->spans, id, place);
	if (fact->type == FACT_RETRACT) {
		if (place) {
			HASH_DEL(batch->spans, place);
			free(place);
		}
		return NULL;
	}
	if (place)
		return &batch->entries[place->at];
	place = xcalloc(1, sizeof *place);
	memcpy(place->id, id, sizeof id);
	place->at = batch->n;
	HASH_ADD_STR(batch->spans, id, place);
	return NULL;
}

static void
take_fact(void *context, const struct fact *fact)
{
	struct batch **batch = context;
	struct entry *entry = find_span(*batch, fact);

	if (entry)
		entry_done(entry);
	else
		/* An attributes object of some rounds is about this large. */
		entry = add(*batch, ENTRY_FACT, fact->attributes ? 1024 : fact->blob_size);
	entry->fact = *fact;
	entry->fact.host = xstrdup(fact->host);
	if (fact->blob) {
		entry->fact.blob = xmalloc(fact->blob_size);
		memcpy((void *) (uintptr_t) entry->fact.blob, fact->blob, fact->blob_size);
	}
}

struct fact_sink
batch_sink(struct batch **batch)
{
	return (struct fact_sink) { take_fact, batch };
}

void
batch_add_position(struct batch *batch, const char *stream_key, const struct ctf_position *position)
{
	struct entry *entry = add(batch, ENTRY_POSITION, strlen(stream_key));

	entry->position.key = xstrdup(stream_key);
	entry->position.position = *position;
}

void
batch_add_source(struct batch *batch, const struct store_source *source)
{
	struct entry *entry = add(batch, ENTRY_SOURCE, 0);

	entry->source = *source;
	entry->source.host = xstrdup(source->host);
	entry->source.relayd = xstrdup(source->relayd);
	entry->source.session = xstrdup(source->session);
	entry->source.text = source->text ? xstrdup(source->text) : NULL;
}

void
batch_add_counter(struct batch *batch, const char *scope, const char *name, uint64_t value)
{
	struct entry *entry = add(batch, ENTRY_COUNTER, 0);

	entry->counter.scope = xstrdup(scope);
	entry->counter.name = xstrdup(name);
	entry->counter.value = value;
}

void
batch_add_counters(struct batch *batch, const struct ctf_stream_counters *input,
		   const struct engine *engine)
{
	const struct engine_counters *c = engine_counters(engine);

	batch_add_counter(batch, "input", "events", input->events);
	batch_add_counter(batch, "input", "discarded", input->discarded_events);
	batch_add_counter(batch, "input", "missing_packets", input->missing_packets);
	batch_add_counter(batch, "input", "bad_packets", input->bad_packets);
	batch_add_counter(batch, "engine", "used", c->used);
	batch_add_counter(batch, "engine", "ignored", c->ignored);
	batch_add_counter(batch, "engine", "unexpected", c->unexpected);
	batch_add_counter(batch, "engine", "incomplete", c->incomplete);
	batch_add_counter(batch, "engine", "late", c->late);
	batch_add_counter(batch, "engine", "twice", c->twice);
	batch_add_counter(batch, "engine", "capped", c->capped);
	batch_add_counter(batch, "engine", "native_bytes", engine_native_bytes(engine));
}

void
batch_add_horizon(struct batch *batch, const char *host, uint64_t t_ns)
{
	struct entry *entry = add(batch, ENTRY_HORIZON, 0);

	entry->horizon.host = xstrdup(host);
	entry->horizon.t_ns = t_ns;
}

void
batch_add_delivered(struct batch *batch, uint64_t seq, bool keep)
{
	struct entry *entry = add(batch, ENTRY_DELIVERED, 0);

	entry->delivered.seq = seq;
	entry->delivered.keep = keep;
}

void
batch_add_silence(struct batch *batch, const char *id, json_t *silence)
{
	struct entry *entry = add(batch, ENTRY_SILENCE, 0);

	entry->silence.id = xstrdup(id);
	entry->silence.silence = silence ? json_incref(silence) : NULL;
}

static void
take_flow(void *context, const char *hostname, const char *analyzer, const char *key,
	  const void *blob, size_t size)
{
	struct entry *entry = add(context, ENTRY_FLOW, size);

	entry->flow.host = xstrdup(hostname);
	entry->flow.analyzer = xstrdup(analyzer);
	entry->flow.key = xstrdup(key);
	if (blob) {
		entry->flow.blob = xmalloc(size);
		memcpy(entry->flow.blob, blob, size);
		entry->flow.size = size;
	}
}

void
batch_add_flows(struct batch *batch, struct engine *engine)
{
	engine_save(engine, take_flow, batch);
}

static int
apply(const struct entry *entry, struct store *store, struct hub *hub, struct error *error)
{
	struct fact fact;
	int r;

	switch (entry->type) {
	case ENTRY_FACT:
		/* The hub takes a reference of its own: a failed commit is tried again. */
		fact = entry->fact;
		json_incref(fact.attributes);
		return hub_fact(hub, &fact, error);
	case ENTRY_POSITION:
		return store_put_position(store, entry->position.key, &entry->position.position, error);
	case ENTRY_FLOW:
		return store_put_flow(store, entry->flow.host, entry->flow.analyzer, entry->flow.key,
				      entry->flow.blob, entry->flow.size, error);
	case ENTRY_SOURCE:
		r = store_put_source(store, &entry->source, error);
		return r < 0 ? r : hub_source(hub, &entry->source, error);
	case ENTRY_COUNTER:
		return store_put_counter(store, entry->counter.scope, entry->counter.name,
					 entry->counter.value, error);
	case ENTRY_HORIZON:
		return store_put_horizon(store, entry->horizon.host, entry->horizon.t_ns, error);
	case ENTRY_DELIVERED:
		return store_unqueue(store, entry->delivered.seq, entry->delivered.keep, error);
	case ENTRY_SILENCE:
		return store_put_silence(store, entry->silence.id, entry->silence.silence, error);
	}
	return 0;
}

int
batch_commit(struct batch *batch, struct store *store, struct hub *hub, struct error *error)
{
	int r = store_begin(store, error);

	for (size_t i = 0; r >= 0 && i < batch->n; i++)
		r = apply(&batch->entries[i], store, hub, error);
	if (r >= 0)
		r = hub_settle(hub, error);
	if (r >= 0)
		r = store_commit(store, error);
	if (r >= 0)
		hub_committed(hub);
	if (r < 0)
		store_rollback(store);
	return r;
}
