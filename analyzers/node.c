/* SPDX-License-Identifier: MIT
 *
 * node.c -- which QEMU process is which VM: from what the node's own tracer
 * (cloudtrace_node) tells of the processes it finds.  No qemu: event carries
 * the VM's name or uuid; the hub joins them by the process id. */
#include <xxhash.h>

#include "analyzers/analyzer.h"
#include "lib/util.h"

struct process {
	struct flow flow;      /* Must be first. */
	uint64_t told;         /* Hash of what was told last. */
};

enum { KNOWN = FLOW_IDLE + 1, GONE, N_STATES };

static const struct state states[] = {
	[FLOW_IDLE] = { .name = "unknown" },
	[KNOWN]     = { .name = "known" },
	[GONE]      = { .name = "gone", .final = true },
};

struct identity {
	uint64_t pid, memory_mib, vcpus;
	struct text uuid, name, incoming;
};
static const struct field identity_fields[] = {
	FIELD(U64, struct identity, pid, "pid"),
	FIELD(TEXT, struct identity, uuid, "uuid"),
	FIELD(TEXT, struct identity, name, "name", .optional = true),
	FIELD(U64, struct identity, memory_mib, "memory_mib", .optional = true),
	FIELD(U64, struct identity, vcpus, "vcpus", .optional = true),
	FIELD(TEXT, struct identity, incoming, "incoming", .optional = true),
	{ 0 }
};

static uint64_t
hash_identity(const struct identity *id)
{
	const uint64_t numbers[] = { id->pid, id->memory_mib, id->vcpus };
	XXH64_hash_t hash = XXH64(numbers, sizeof numbers, 1);

	hash = XXH64(id->uuid.s ? id->uuid.s : "", id->uuid.size, hash);
	hash = XXH64(id->name.s ? id->name.s : "", id->name.size, hash);
	return XXH64(id->incoming.s ? id->incoming.s : "", id->incoming.size, hash);
}

/* Bytes that are no UTF-8 give null: a JSON text can't hold them. */
static json_t *
text_json(const struct text *text)
{
	json_t *string = text->size ? json_stringn(text->s, text->size) : NULL;

	return string ? string : json_null();
}

static void
tell_identity(struct flow *flow, const struct step *step)
{
	struct process *process = CONTAINER_OF(flow, struct process, flow);
	const struct identity *id = step->values;
	const uint64_t hash = hash_identity(id);
	struct fact fact = { .type = FACT_ENTITY, .kind = "qemu.process" };

	if (hash == process->told)
		return;
	process->told = hash;
	fact.attributes = json_pack("{s:I, s:o, s:o, s:I, s:I, s:o}",
				    "pid", (json_int_t) id->pid,
				    "uuid", text_json(&id->uuid), "name", text_json(&id->name),
				    "memory_mib", (json_int_t) id->memory_mib,
				    "vcpus", (json_int_t) id->vcpus,
				    "incoming", text_json(&id->incoming));
	step_tell(step, flow, &fact);
}

#define QEMU_PROCESS "cloudtrace_node:qemu_process"

static const struct rule rules[] = {
	{ .on = QEMU_PROCESS, .is = "gone", .in = IN(FLOW_IDLE) | IN(KNOWN), .to = GONE,
	  .act = tell_identity, .reads = identity_fields },
	{ .on = QEMU_PROCESS, .in = IN(FLOW_IDLE) | IN(KNOWN), .to = KNOWN,
	  .act = tell_identity, .reads = identity_fields },
	{ 0 }
};

static const struct source sources[] = {
	{ .event = QEMU_PROCESS, .key = "pid", .selector = "reason" },
	{ 0 }
};

const struct analyzer node_analyzer = {
	.name = "node",
	.summary = "Which QEMU process is which VM",
	.version = 1,
	.roles = ROLE_COMPUTE,
	.key = "vpid",
	.flow_size = sizeof(struct process),
	.states = states,
	.n_states = N_STATES,
	.gone = GONE,
	.rules = rules,
	.sources = sources,
};
