/* SPDX-License-Identifier: MIT
 *
 * flow_evidence.c -- by what a span is known to belong to a flow: the identities that
 * joined it, each with its value (flow.h). */
#include <stdlib.h>
#include <string.h>

#include "daemon/flow_private.h"
#include "lib/util.h"

static void
set(json_t *evidence, const char *name, const char *value)
{
	if (value && *value)
		json_object_set_new(evidence, name, store_string(value));
}

/* The request on whose behalf another was made, as the caller's line or the callee says. */
static void
set_asked(const struct flow *flow, const struct flow_fact *fact, json_t *evidence)
{
	struct flow_behalf behalf;

	set(evidence, "request_id", fact->key);
	set(evidence, "global_request_id", flow_text(fact, "global_request_id"));
	if (fact == flow->root)
		return;
	flow_behalf(flow->store, fact->key, &behalf, 0);
	set(evidence, "asked_by", behalf.parent);
}

/* The VM, port or volume that it names and the flow is about. */
static void
set_subject(const struct flow *flow, const struct flow_fact *fact, json_t *evidence)
{
	static const struct {
		const char *name;
		size_t set;
	} subjects[] = {
		{ "instance", offsetof(struct flow, instances) },
		{ "port", offsetof(struct flow, ports) },
		{ "volume", offsetof(struct flow, volumes) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		const json_t *of_flow = *(json_t *const *) (const void *)
			((const char *) flow + subjects[i].set);
		const char *id = flow_text(fact, subjects[i].name);

		if (id && json_object_get(of_flow, id))
			set(evidence, subjects[i].name, id);
	}
}

const char *
flow_evidence(const struct flow *flow, const struct flow_fact *fact, json_t *evidence)
{
	const bool message = fact->family == FAMILY_CALL || fact->family == FAMILY_SERVED;

	if (message) {
		set(evidence, "msg_id", fact->key);
		set(evidence, "request_id", fact->request_id);
	} else if (fact->family == FAMILY_API) {
		set_asked(flow, fact, evidence);
	} else if (fact->surely) {
		set(evidence, "request_id", fact->request_id);
	}
	if (!message)
		set_subject(flow, fact, evidence);
	if (!fact->surely) {
		json_object_set_new(evidence, "time", json_true());
		return "subject";
	}
	return message ? "message" : "request";
}

/* -- The hypervisor's part -------------------------------------------------- */

static void
set_pid(const struct flow *flow, const char *name, json_t *evidence)
{
	const uint64_t pid = flow_number(flow->record, name);

	if (pid)
		json_object_set_new(evidence, name, json_integer((json_int_t) pid));
}

const char *
flow_evidence_of_migration(const struct flow *flow, json_t *evidence)
{
	static const char *const ends[] = { "source", "destination" };
	const json_t *vm = json_object_get(flow->record, "vm");
	const char *joined = flow_member(json_object_get(flow->record, "evidence"), "joined_by");

	set(evidence, "instance", flow_member(vm, "uuid"));
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
		set(evidence, ends[i], flow_text(flow->told, ends[i]));
	set(evidence, "migration_uuid", flow_text(flow->told, "migration"));
	set_pid(flow, "source_pid", evidence);
	set_pid(flow, "destination_pid", evidence);
	set(evidence, "sides", joined);
	/* A VM may migrate several times while requests of it are under way. */
	if (json_array_size(flow->migrations) > 1)
		json_object_set_new(evidence, "time", json_true());
	return "uuid";
}

const char *
flow_evidence_of_stage(const struct flow *flow, json_t *evidence)
{
	set_pid(flow, "source_pid", evidence);
	return "process";
}
