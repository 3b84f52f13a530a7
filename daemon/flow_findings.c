/* SPDX-License-Identifier: MIT
 *
 * flow_findings.c -- what is remarkable about a request, be it that it failed
 * or that it went well all the same (flow.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/flow_private.h"
#include "lib/util.h"

/* A message that waits for so long before somebody takes it is remarkable. */
#define QUEUE_NS (1 * NS_PER_S)
enum { MAX_FINDINGS = 40 };

/* What was said before, or of the error itself, is not said again. */
static bool
is_said(const struct flow *flow, const char *rule, const char *text)
{
	json_t *finding;
	size_t i;

	json_array_foreach(flow->findings, i, finding)
		if (streq(json_string_value(json_object_get(finding, "rule")), rule) &&
		    streq(json_string_value(json_object_get(finding, "text")), text))
			return true;
	return false;
}

/* 'ns': of the request's time that it explains. */
static void
add_finding(struct flow *flow, const char *rule, char *text, const struct flow_fact *fact,
	    uint64_t ns, json_t *evidence)
{
	const uint64_t total_ns = flow->end_ns - MIN(flow->end_ns, flow->start_ns);
	const double share = total_ns ? MIN((double) ns / (double) total_ns, 1.0) : 0;

	if (is_said(flow, rule, text)) {
		json_decref(evidence);
		free(text);
		return;
	}
	json_object_set_new(evidence, "fact", flow_text_json(fact ? fact->id : NULL));
	if (fact)
		json_object_set_new(evidence, "t_ns", json_integer((json_int_t) fact->start_ns));
	if (json_array_size(flow->findings) < MAX_FINDINGS)
		json_array_append_new(flow->findings, json_pack(
			"{s:o, s:o, s:o, s:s, s:o, s:f}", "rule", flow_text_json(rule), "text",
			flow_text_json(text), "evidence", evidence, "layer", fact ? "application" :
			"virtualization", "node", flow_text_json(fact ? fact->host : json_string_value(
				json_object_get(flow->record, "source"))), "weight",
			round(share * 1000) / 1000));
	else
		json_decref(evidence);
	free(text);
}

/* Whether the agent on that host said anything about the port meanwhile. */
static bool
agent_spoke(const struct flow *flow, const struct flow_fact *wait)
{
	const char *port = flow_text(wait, "port");

	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_fact *fact = flow->facts[i];
		const char *about = flow_text(fact, "port");

		if (fact->family == FAMILY_STEP && strstr(fact->service, "agent") &&
		    streq(fact->host, wait->host) && (!port || (about && streq(about, port))) &&
		    fact->start_ns >= wait->start_ns && fact->start_ns <= flow_last(wait))
			return true;
	}
	return false;
}

static void
find_vif_timeout(struct flow *flow, const struct flow_fact *fact)
{
	bool spoke = agent_spoke(flow, fact);
	const char *port = flow_text(fact, "port");
	double seconds = fact->end_ns > fact->start_ns ?
		(double) (fact->end_ns - fact->start_ns) / NS_PER_S : 0;

	add_finding(flow, "vif-plug-timeout",
		    xasprintf("%s on %s waited %.1f s in vain for port %s to be plugged: %s",
			      *fact->service ? fact->service : "nova-compute", fact->host, seconds,
			      port ? port : "(unknown)", spoke ?
			      "the agent there worked on it, but Neutron did not tell in time" :
			      "the network agent there said nothing of it"),
		    fact, fact->end_ns - MIN(fact->end_ns, fact->start_ns),
		    json_pack("{s:o, s:s, s:b, s:I}", "port", flow_text_json(port), "host",
				    fact->host, "agent_spoke", (int) spoke, "waited_ns",
				    (json_int_t) (fact->end_ns - MIN(fact->end_ns, fact->start_ns))));
}

static void
find_mark(struct flow *flow, const struct flow_fact *fact)
{
	json_t *error = flow_error_of(fact);
	const char *message = json_string_value(json_object_get(error, "message"));
	const char *exception = json_string_value(json_object_get(error, "exception"));
	const char *cause = flow->error ? json_string_value(json_object_get(flow->error, "message"))
					: NULL;

	if (message && cause && streq(message, cause)) {
		json_decref(error);      /* Said already, be it by another name. */
		return;
	}
	add_finding(flow, *fact->name ? fact->name : "error",
		    xasprintf("%s on %s: %s", *fact->service ? fact->service : "a service",
			      fact->host, message ? message : exception ? exception :
			      "said no more"),
		    fact, 0, error);
}

static void
find_slow_queue(struct flow *flow, const struct flow_fact *call)
{
	const struct flow_fact *served = call->other;
	const char *topic = flow_text(call, "topic");
	uint64_t queued_ns = served->start_ns - MIN(served->start_ns, call->start_ns);

	if (queued_ns >= QUEUE_NS)
		add_finding(flow, "rpc-queue",
			    xasprintf("a message to %s waited %.1f s before %s on %s took it",
				      topic ? topic : "a service", (double) queued_ns / NS_PER_S,
				      *served->service ? served->service : "somebody",
				      served->host),
			    call, queued_ns, json_pack("{s:I, s:o}", "queued_ns", (json_int_t) queued_ns,
					    "topic", flow_text_json(topic)));
}

/* Nova says that it went well, the hypervisor that it did not. */
static void
find_contradiction(struct flow *flow)
{
	const char *reason = json_string_value(json_object_get(flow->record, "reason"));
	const char *id = json_string_value(json_object_get(flow->record, "id"));

	if (reason)
		add_finding(flow, "hypervisor", xstrdup(reason), NULL, 0,
			    json_pack("{s:o}", "migration", flow_text_json(id)));
}

static bool
is_vif_timeout(const struct flow_fact *fact)
{
	return fact->family == FAMILY_STEP && streq(fact->status, "timeout") &&
	       flow_matches("*vif-plug* *vif_plug*", fact->name);
}

void
flow_findings(struct flow *flow, const struct flow_fact *caused)
{
	bool waited = false, bad = flow->error != NULL;

	flow->findings = json_array();
	for (size_t i = 0; i < flow->n; i++)
		waited |= is_vif_timeout(flow->facts[i]);
	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_fact *fact = flow->facts[i];
		bool cause = flow->error && caused && streq(fact->name, caused->name);

		if (is_vif_timeout(fact))
			find_vif_timeout(flow, fact);
		else if (fact->family == FAMILY_ERROR && !cause && *fact->name &&
			 (bad || flow_is_remarkable(fact->name)) &&
			 !(waited && streq(fact->name, "vif-plug-timeout")))
			find_mark(flow, fact);
		else if (fact->family == FAMILY_CALL && fact->other)
			find_slow_queue(flow, fact);
		else if (fact->family == FAMILY_CALL && streq(fact->status, "unanswered"))
			add_finding(flow, "rpc-unanswered",
				    xasprintf("nobody answered a call to %s",
					      flow_text(fact, "topic") ? flow_text(fact, "topic") :
					      "a service"), fact,
				    fact->end_ns - MIN(fact->end_ns, fact->start_ns), json_object());
	}
	find_contradiction(flow);
}
