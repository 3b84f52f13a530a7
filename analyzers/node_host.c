/* SPDX-License-Identifier: MIT
 *
 * node_host.c -- the node itself and the processes of its services, from what
 * cloudtrace-node tells.  Its QEMU processes are node.c. */
#include "analyzers/node.h"
#include "lib/util.h"

struct thing {
	struct flow flow;      /* Must be first. */
	uint64_t told;         /* Hash of what was told last. */
};

enum { KNOWN = FLOW_IDLE + 1, GONE, N_STATES };

static const struct state states[] = {
	[FLOW_IDLE] = { .name = "unknown" },
	[KNOWN]     = { .name = "known" },
	[GONE]      = { .name = "gone", .final = true },
};

static void
tell(struct flow *flow, const struct step *step, const char *kind, const char *key, json_t *attributes)
{
	struct thing *thing = CONTAINER_OF(flow, struct thing, flow);
	struct fact fact = { .type = FACT_ENTITY, .kind = kind, .attributes = attributes };
	const uint64_t hash = node_hash(attributes);

	if (hash == thing->told) {
		json_decref(attributes);
		return;
	}
	thing->told = hash;
	if (key)
		snprintf(fact.key, sizeof fact.key, "%s", key);
	step_tell(step, flow, &fact);
}

/* -- Services --------------------------------------------------------------- */

struct service {
	uint64_t pid;
	int64_t ppid;
	struct text service, project, reason;
};
static const struct field service_fields[] = {
	FIELD(U64, struct service, pid, "pid"),
	FIELD(I64, struct service, ppid, "ppid", .optional = true),
	FIELD(TEXT, struct service, service, "service"),
	FIELD(TEXT, struct service, project, "project", .optional = true),
	FIELD(TEXT, struct service, reason, "reason"),
	{ 0 }
};

static void
tell_service(struct flow *flow, const struct step *step)
{
	const struct service *service = step->values;

	tell(flow, step, "service.process", NULL,
	     json_pack("{s:I, s:o, s:o, s:o, s:b}", "pid", (json_int_t) service->pid,
		       "ppid", node_number(service->ppid), "service", node_text(&service->service),
		       "project", node_text(&service->project), "gone", text_is(&service->reason, "gone")));
}

#define SERVICE "cloudtrace_node:service_process"
static const struct rule service_rules[] = {
	{ .on = SERVICE, .is = "gone", .in = IN(FLOW_IDLE) | IN(KNOWN), .to = GONE,
	  .act = tell_service, .reads = service_fields },
	{ .on = SERVICE, .in = IN(FLOW_IDLE) | IN(KNOWN), .to = KNOWN,
	  .act = tell_service, .reads = service_fields },
	{ 0 }
};
static const struct source service_sources[] = {
	{ SERVICE, .key = "pid", .selector = "reason" },
	{ 0 }
};

const struct analyzer node_service_analyzer = {
	.name = "node-service",
	.summary = "Which process is which service",
	.version = 1,
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER,
	.key = "vpid",
	.flow_size = sizeof(struct thing),
	.states = states,
	.n_states = N_STATES,
	.gone = GONE,
	.rules = service_rules,
	.sources = service_sources,
};

/* -- The host --------------------------------------------------------------- */

struct host {
	uint64_t cpus, memory_mib;
	int64_t synchronized;
	struct text kernel, boot_id, clocksource, time_service, ptp;
};
static const struct field host_fields[] = {
	FIELD(TEXT, struct host, kernel, "kernel"),
	FIELD(TEXT, struct host, boot_id, "boot_id"),
	FIELD(U64, struct host, cpus, "cpus"),
	FIELD(U64, struct host, memory_mib, "memory_mib"),
	FIELD(TEXT, struct host, clocksource, "clocksource"),
	FIELD(TEXT, struct host, time_service, "time_service"),
	FIELD(TEXT, struct host, ptp, "ptp"),
	FIELD(I64, struct host, synchronized, "synchronized"),
	{ 0 }
};

static void
tell_host(struct flow *flow, const struct step *step)
{
	const struct host *host = step->values;

	tell(flow, step, "host", "host",
	     json_pack("{s:o, s:o, s:I, s:I, s:o, s:o, s:o, s:o}",
		       "kernel", node_text(&host->kernel), "boot_id", node_text(&host->boot_id),
		       "cpus", (json_int_t) host->cpus, "memory_mib", (json_int_t) host->memory_mib,
		       "clocksource", node_text(&host->clocksource),
		       "time_service", node_text(&host->time_service), "ptp", node_text(&host->ptp),
		       "synchronized", host->synchronized < 0 ? json_null() :
				       json_boolean(host->synchronized)));
}

/* A flow is one run of cloudtrace-node, which says when it ends. */
#define HOST "cloudtrace_node:host"
static const struct rule host_rules[] = {
	{ .on = HOST, .is = "gone", .in = IN(FLOW_IDLE) | IN(KNOWN), .to = GONE },
	{ .on = HOST, .in = IN(FLOW_IDLE) | IN(KNOWN), .to = KNOWN, .act = tell_host, .reads = host_fields },
	{ 0 }
};
static const struct source host_sources[] = {
	{ HOST, .selector = "reason" },
	{ 0 }
};

const struct analyzer node_host_analyzer = {
	.name = "node-host",
	.summary = "The node: kernel, CPUs, boot, clock",
	.version = 1,
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER,
	.key = "vpid",
	.flow_size = sizeof(struct thing),
	.states = states,
	.n_states = N_STATES,
	.gone = GONE,
	.rules = host_rules,
	.sources = host_sources,
};
