/* SPDX-License-Identifier: MIT
 *
 * engine_save.c -- flows as blobs, so that a restart goes on where it was. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/engine_private.h"
#include "lib/util.h"

static void
save_entry(struct engine *engine, const struct engine_host *host, struct entry *entry,
	   engine_save_fn *save, void *context)
{
	const struct program *program = &engine->programs[entry->id.analyzer];
	const size_t size = flow_used(program->analyzer, entry->flow);
	char key[KEY_TEXT_SIZE];
	char *blob = xmalloc(sizeof program->hash + size);

	memcpy(blob, &program->hash, sizeof program->hash);
	memcpy(blob + sizeof program->hash, entry->flow, size);
	snprintf(key, sizeof key, "%" PRIu64, entry->id.key);
	save(context, host->name, program->analyzer->name, key, blob, sizeof program->hash + size);
	free(blob);
	entry->changed = false;
	entry->saved = true;
}

static void
save_host(struct engine *engine, struct engine_host *host, engine_save_fn *save, void *context)
{
	struct entry *entry;
	struct gone *gone;
	char key[KEY_TEXT_SIZE];

	while ((gone = host->gone)) {
		snprintf(key, sizeof key, "%" PRIu64, gone->id.key);
		save(context, host->name, engine->table[gone->id.analyzer]->name, key, NULL, 0);
		HASH_DEL(host->gone, gone);
		free(gone);
	}
	for (entry = host->flows; entry; entry = entry->hh.next)
		if (entry->changed)
			save_entry(engine, host, entry, save, context);
}

void
engine_save(struct engine *engine, engine_save_fn *save, void *context)
{
	struct engine_host *host;

	for (host = engine->hosts; host; host = host->hh.next) {
		save_host(engine, host, save, context);
		natives_save(host, save, context);
	}
}

/* Whether the first bytes of a flow can be those of 'program'. */
static bool
flow_valid(const struct program *program, const struct flow *flow, uint64_t key, size_t size)
{
	const struct analyzer *analyzer = program->analyzer;

	return flow->key == key && flow->state < analyzer->n_states &&
		!analyzer->states[flow->state].final && flow->last_event <= program->n_events &&
		flow->start_ns <= flow->last_ns && flow->entered_ns <= flow->last_ns &&
		(!analyzer->check || analyzer->check(flow)) && flow_used(analyzer, flow) == size;
}

static int
restore_flow(struct engine_host *host, unsigned index, uint64_t key, const char *bytes,
	     size_t size)
{
	const struct program *program = &host->engine->programs[index];
	struct flow *flow;
	struct entry *entry;

	if (size < sizeof *flow || size > program->analyzer->flow_size ||
	    entry_find(host, index, key))
		return -EINVAL;
	flow = xcalloc(1, program->analyzer->flow_size);
	memcpy(flow, bytes, size);
	if (!flow_valid(program, flow, key, size)) {
		free(flow);
		return -EINVAL;
	}
	entry = entry_new(host, index, key);
	if (!entry) {
		free(flow);
		return -ENOSPC;
	}
	free(entry->flow);
	entry->flow = flow;
	entry->saved = true;
	entry_settle(host, entry);
	return 0;
}

int
engine_restore(struct engine *engine, const char *hostname, const char *analyzer,
	       const char *key, const void *blob, size_t size)
{
	uint64_t hash, number;
	const int r = natives_restore(engine, hostname, analyzer, key, blob, size);

	if (r != -ENOENT)
		return r;
	if (parse_u64(key, &number))
		return -EINVAL;
	for (unsigned i = 0; i < engine->n_programs; i++) {
		if (!streq(engine->table[i]->name, analyzer))
			continue;
		if (size < sizeof hash)
			return -EINVAL;
		memcpy(&hash, blob, sizeof hash);
		if (hash != engine->programs[i].hash)
			return -ESTALE;
		return restore_flow(engine_host(engine, hostname), i, number,
				    (const char *) blob + sizeof hash, size - sizeof hash);
	}
	return -ESTALE;
}
