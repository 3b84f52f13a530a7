/* SPDX-License-Identifier: MIT
 *
 * node.c -- which QEMU process is which VM, and which threads, network cards
 * and disks it has: from what cloudtrace-node tells of the processes it finds.
 * No qemu: event carries the VM's name or uuid; the hub joins them by the
 * process id.  The node's services and the node itself are node_host.c. */
#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "analyzers/node.h"
#include "lib/util.h"

/* Threads, cards and disks of a process whose last telling is remembered; the
 * others are told with each dump. */
enum { MAX_PARTS = 256 };

struct part {
	uint32_t what;         /* Kind and number. */
	uint32_t hash;         /* Of what was told last. */
};

struct process {
	struct flow flow;      /* Must be first. */
	uint64_t told;         /* Hash of what was told last. */
	uint32_t n_parts;
	uint32_t spare;
	struct part parts[MAX_PARTS];
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

json_t *
node_text(const struct text *text)
{
	const bool none = !text->size || (text->size == 1 && *text->s == '-');
	json_t *string = none ? NULL : json_stringn(text->s, text->size);

	return string ? string : json_null();
}

json_t *
node_number(int64_t number)
{
	return number < 0 ? json_null() : json_integer(number);
}

uint64_t
node_hash(const json_t *attributes)
{
	char *text = json_dumps(attributes, JSON_COMPACT | JSON_SORT_KEYS);
	const uint64_t hash = text ? XXH64(text, strlen(text), 1) : 0;

	free(text);
	return hash;
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
				    "uuid", node_text(&id->uuid), "name", node_text(&id->name),
				    "memory_mib", (json_int_t) id->memory_mib,
				    "vcpus", (json_int_t) id->vcpus,
				    "incoming", node_text(&id->incoming));
	step_tell(step, flow, &fact);
}

/* -- Threads, cards, disks -------------------------------------------------- */

enum part_kind { PART_THREAD, PART_NIC, PART_DISK };

/* Whether this is something else than what was told of that part before. */
static bool
is_news(struct process *process, enum part_kind kind, int64_t number, const json_t *attributes)
{
	const uint32_t what = (uint32_t) kind << 30 | ((uint32_t) number & 0x3fffffff);
	const uint32_t hash = (uint32_t) node_hash(attributes);
	unsigned i = 0;

	while (i < process->n_parts && process->parts[i].what != what)
		i++;
	if (i == MAX_PARTS)
		return true;
	if (i < process->n_parts && process->parts[i].hash == hash)
		return false;
	if (i == process->n_parts)
		process->n_parts++;
	process->parts[i] = (struct part) { what, hash };
	return true;
}

static void
tell_part(struct flow *flow, const struct step *step, enum part_kind kind, const char *name,
	  int64_t number, json_t *attributes)
{
	struct process *process = CONTAINER_OF(flow, struct process, flow);
	struct fact fact = { .type = FACT_ENTITY, .kind = name, .attributes = attributes };

	if (!is_news(process, kind, number, attributes)) {
		json_decref(attributes);
		return;
	}
	snprintf(fact.key, sizeof fact.key, "%" PRIu64 "/%" PRId64, flow->key, number);
	step_tell(step, flow, &fact);
}

struct thread {
	int64_t tid, index;
	struct text role, name, comm, reason;
};
static const struct field vcpu_fields[] = {
	FIELD(I64, struct thread, tid, "tid"),
	FIELD(I64, struct thread, index, "index"),
	FIELD(TEXT, struct thread, reason, "reason"),
	{ 0 }
};
static const struct field thread_fields[] = {
	FIELD(I64, struct thread, tid, "tid"),
	FIELD(TEXT, struct thread, role, "role"),
	FIELD(TEXT, struct thread, name, "name", .optional = true),
	FIELD(TEXT, struct thread, reason, "reason"),
	{ 0 }
};

static void
tell_thread(struct flow *flow, const struct step *step)
{
	const struct thread *thread = step->values;

	tell_part(flow, step, PART_THREAD, "qemu.thread", thread->tid,
		  json_pack("{s:I, s:I, s:o, s:o, s:b}", "pid", (json_int_t) flow->key,
			    "tid", (json_int_t) thread->tid, "role", node_text(&thread->role),
			    "name", node_text(&thread->name), "gone", text_is(&thread->reason, "gone")));
}

static void
tell_vcpu(struct flow *flow, const struct step *step)
{
	const struct thread *thread = step->values;

	tell_part(flow, step, PART_THREAD, "qemu.thread", thread->tid,
		  json_pack("{s:I, s:I, s:s, s:o, s:b}", "pid", (json_int_t) flow->key,
			    "tid", (json_int_t) thread->tid, "role", "vcpu",
			    "vcpu", node_number(thread->index), "gone", text_is(&thread->reason, "gone")));
}

struct nic {
	int64_t index, ifindex, ovs_port, ofport;
	struct text ifname, mac, model, port_id, datapath, bridge, reason;
};
static const struct field nic_fields[] = {
	FIELD(I64, struct nic, index, "index"),
	FIELD(TEXT, struct nic, ifname, "ifname"),
	FIELD(TEXT, struct nic, mac, "mac"),
	FIELD(TEXT, struct nic, model, "model", .optional = true),
	FIELD(I64, struct nic, ifindex, "ifindex", .optional = true),
	FIELD(I64, struct nic, ovs_port, "ovs_port", .optional = true),
	FIELD(I64, struct nic, ofport, "ofport", .optional = true),
	FIELD(TEXT, struct nic, port_id, "port_id", .optional = true),
	FIELD(TEXT, struct nic, datapath, "datapath", .optional = true),
	FIELD(TEXT, struct nic, bridge, "bridge", .optional = true),
	FIELD(TEXT, struct nic, reason, "reason"),
	{ 0 }
};

static void
tell_nic(struct flow *flow, const struct step *step)
{
	const struct nic *nic = step->values;
	/* Older ones tell nothing of Open vSwitch: there zero means none. */
	const bool ovs = nic->datapath.size != 0;

	tell_part(flow, step, PART_NIC, "qemu.nic", nic->index,
		  json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b}",
			    "pid", (json_int_t) flow->key, "index", (json_int_t) nic->index,
			    "ifname", node_text(&nic->ifname), "mac", node_text(&nic->mac),
			    "model", node_text(&nic->model),
			    "ifindex", node_number(nic->ifindex ? nic->ifindex : -1),
			    "ovs_port", node_number(ovs ? nic->ovs_port : -1),
			    "ofport", node_number(ovs ? nic->ofport : -1),
			    "port_id", node_text(&nic->port_id), "datapath", node_text(&nic->datapath),
			    "bridge", node_text(&nic->bridge), "gone", text_is(&nic->reason, "gone")));
}

struct disk {
	int64_t index, major, minor;
	uint64_t readonly;
	struct text path, format, node, device, kind, source, serial, volume_id, reason;
};
static const struct field disk_fields[] = {
	FIELD(I64, struct disk, index, "index"),
	FIELD(TEXT, struct disk, path, "path"),
	FIELD(TEXT, struct disk, format, "format", .optional = true),
	FIELD(TEXT, struct disk, node, "node", .optional = true),
	FIELD(TEXT, struct disk, serial, "serial", .optional = true),
	FIELD(U64, struct disk, readonly, "readonly", .optional = true),
	FIELD(TEXT, struct disk, device, "device", .optional = true),
	FIELD(TEXT, struct disk, kind, "kind", .optional = true),
	FIELD(I64, struct disk, major, "major", .optional = true),
	FIELD(I64, struct disk, minor, "minor", .optional = true),
	FIELD(TEXT, struct disk, source, "source", .optional = true),
	FIELD(TEXT, struct disk, volume_id, "volume_id", .optional = true),
	FIELD(TEXT, struct disk, reason, "reason"),
	{ 0 }
};

static void
tell_disk(struct flow *flow, const struct step *step)
{
	const struct disk *disk = step->values;
	/* Major and minor come with the kind. */
	const bool located = disk->kind.size > 1;

	tell_part(flow, step, PART_DISK, "qemu.disk", disk->index,
		  json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:b}",
			    "pid", (json_int_t) flow->key, "index", (json_int_t) disk->index,
			    "path", node_text(&disk->path), "format", node_text(&disk->format),
			    "node", node_text(&disk->node), "serial", node_text(&disk->serial),
			    "device", node_text(&disk->device), "kind", node_text(&disk->kind),
			    "major", node_number(located ? disk->major : -1),
			    "minor", node_number(located ? disk->minor : -1),
			    "source", node_text(&disk->source), "volume_id", node_text(&disk->volume_id),
			    "readonly", disk->readonly != 0, "gone", text_is(&disk->reason, "gone")));
}

static size_t
used(const struct flow *flow)
{
	const struct process *process = CONTAINER_OF(flow, struct process, flow);

	return offsetof(struct process, parts) + process->n_parts * sizeof *process->parts;
}

static bool
check(const struct flow *flow)
{
	return CONTAINER_OF(flow, struct process, flow)->n_parts <= MAX_PARTS;
}

/* ------------------------------------------------------------------------- */

#define QEMU_PROCESS "cloudtrace_node:qemu_process"
#define VCPU_THREAD "cloudtrace_node:vcpu_thread"
#define QEMU_THREAD "cloudtrace_node:qemu_thread"
#define NIC "cloudtrace_node:nic"
#define DISK "cloudtrace_node:disk"
#define ALIVE (IN(FLOW_IDLE) | IN(KNOWN))

static const struct rule rules[] = {
	{ .on = QEMU_PROCESS, .is = "gone", .in = ALIVE, .to = GONE,
	  .act = tell_identity, .reads = identity_fields },
	{ .on = QEMU_PROCESS, .in = ALIVE, .to = KNOWN,
	  .act = tell_identity, .reads = identity_fields },
	{ .on = VCPU_THREAD, .in = IN(KNOWN), .to = STAY, .act = tell_vcpu, .reads = vcpu_fields },
	{ .on = QEMU_THREAD, .in = IN(KNOWN), .to = STAY, .act = tell_thread, .reads = thread_fields },
	{ .on = NIC, .in = IN(KNOWN), .to = STAY, .act = tell_nic, .reads = nic_fields },
	{ .on = DISK, .in = IN(KNOWN), .to = STAY, .act = tell_disk, .reads = disk_fields },
	{ 0 }
};

static const struct source sources[] = {
	{ QEMU_PROCESS, .key = "pid", .selector = "reason" },
	{ VCPU_THREAD, .key = "pid" },
	{ QEMU_THREAD, .key = "pid" },
	{ NIC, .key = "pid" },
	{ DISK, .key = "pid" },
	{ 0 }
};

const struct analyzer node_analyzer = {
	.name = "node",
	.summary = "Which QEMU process is which VM, and what belongs to it",
	.version = 2,
	.roles = ROLE_COMPUTE,
	.key = "vpid",
	.flow_size = sizeof(struct process),
	.states = states,
	.n_states = N_STATES,
	.gone = GONE,
	.rules = rules,
	.sources = sources,
	.used = used,
	.check = check,
};
