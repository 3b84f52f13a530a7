/* SPDX-License-Identifier: MIT
 *
 * os_rpc.c -- oslo.messaging's calls and casts, at the sender and at the
 * receiver; the message's id joins them, and a call's two ways with each other. */
#include <string.h>

#include "analyzers/openstack.h"
#include "lib/clock.h"
#include "lib/util.h"

/* Most callers give up after a minute, none waits longer than half an hour. */
#define UNANSWERED_NS (60 * NS_PER_S)
#define PATIENCE_NS (1860 * NS_PER_S)

static size_t
identify(char name[NAME_SIZE], unsigned event, const void *values)
{
	const struct text id = line_field(values, F_MSG_ID);

	(void) event;
	return name_add(name, 0, &id);
}

static void
begin(struct flow *flow, const struct step *step)
{
	struct subject *subject = CONTAINER_OF(flow, struct subject, flow);
	const struct line *line = step->values;
	const struct text id = line_field(line, F_MSG_ID);

	subject_begin(subject, &id);
	notes_line(&subject->notes, line);
	notes_set(&subject->notes, F_WHAT, line->name);
	flow->deadline_ns = step->t_ns + UNANSWERED_NS;
}

static void
single(struct flow *flow, const struct step *step)
{
	begin(flow, step);
	flow->deadline_ns = 0;
}

/* -- The sender ------------------------------------------------------------- */

enum { RUNNING = FLOW_IDLE + 1, UNANSWERED, OK, GONE, N_STATES };

static const struct state call_states[] = {
	[FLOW_IDLE]  = { .name = "idle" },
	[RUNNING]    = { .name = "running", .span = "rpc.call" },
	[UNANSWERED] = { .name = "unanswered", .span = "rpc.call", .status = "unanswered" },
	[OK]         = { .name = "ok", .span = "rpc.call", .status = "ok", .ended = true, .final = true },
	[GONE]       = { .name = "gone", .final = true },
};

/* The line of the reply is of the connection's thread: nothing in it is of the
 * caller. */
static void
got_reply(struct flow *flow, const struct step *step)
{
	(void) step;
	flow->deadline_ns = 0;
}

static unsigned
call_expires(const struct flow *flow, const struct step *step)
{
	(void) step;
	return flow->state == RUNNING ? UNANSWERED : GONE;
}

/* Calls by topic, without the host that it ends with. */
/* A topic without the host that is asked; but with Cinder's back end, which is
 * HOST@BACKEND: each is another storage. */
static struct text
without_host(struct text topic)
{
	const char *at = memchr(topic.s, '@', topic.size);
	const size_t from = at ? (size_t) (at - topic.s) : 0;
	const char *dot = memchr(topic.s + from, '.', topic.size - from);

	if (dot)
		topic.size = (size_t) (dot - topic.s);
	return topic;
}

static void
tell_service(const struct subject *subject, const struct step *step, const char *prefix)
{
	const struct notes *notes = &subject->notes;
	const struct text topic = without_host(notes_get(notes, F_TOPIC));
	const struct text what = notes_get(notes, F_WHAT);
	char operation[64];
	struct work work = {
		.service = notes_get(notes, F_SERVICE), .request = notes_get(notes, F_REQUEST_ID),
		.lasted_ns = subject->flow.end_ns - subject->flow.start_ns,
	};

	if (!text_is(&what, "call"))
		return;
	snprintf(operation, sizeof operation, "%s%s%.*s", prefix, topic.size ? " " : "",
		 (int) MIN(topic.size, (size_t) 40), topic.s);
	work.operation = (struct text) { operation, strlen(operation) };
	service_done_only(step, &work);
}

static void
call_moved(struct flow *flow, const struct step *step, unsigned from, unsigned to)
{
	(void) from;
	if (to == UNANSWERED)
		flow->deadline_ns = flow->start_ns + PATIENCE_NS;
	else if (to == OK)
		tell_service(CONTAINER_OF(flow, struct subject, flow), step, "rpc call");
}

static const struct rule call_rules[] = {
	{ .on = "rpc:call", .in = IN(FLOW_IDLE) | IN(RUNNING), .to = RUNNING, .act = begin,
	  .begins = true },
	{ .on = "rpc:cast", .in = IN(FLOW_IDLE), .to = OK, .act = single, .begins = true },
	{ .on = "rpc:got_reply", .in = IN(RUNNING) | IN(UNANSWERED), .to = OK, .act = got_reply },
	{ 0 }
};

const struct analyzer os_rpc_call_analyzer = {
	.name = "rpc-call",
	.summary = "Calls and casts between OpenStack's services, at the sender",
	.version = 1,
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER,
	.decoder = &log_decoder,
	.identify = identify,
	.fact_key = subject_key,
	.max_flows = 8192,
	.flow_size = sizeof(struct subject),
	.states = call_states,
	.n_states = N_STATES,
	.gone = GONE,
	.rules = call_rules,
	.moved = call_moved,
	.expires = call_expires,
	.expires_to = IN(UNANSWERED) | IN(GONE),
	.attributes = subject_attributes,
	.used = subject_used,
	.check = subject_check,
};

/* -- The receiver ------------------------------------------------------------ */

enum { SERVING = FLOW_IDLE + 1, SERVED, SERVER_GONE, N_SERVER_STATES };

static const struct state served_states[] = {
	[FLOW_IDLE]   = { .name = "idle" },
	[SERVING]     = { .name = "serving", .span = "rpc.served" },
	[SERVED]      = { .name = "served", .span = "rpc.served", .status = "ok", .ended = true,
			  .final = true },
	[SERVER_GONE] = { .name = "gone", .final = true },
};

static void
received(struct flow *flow, const struct step *step)
{
	begin(flow, step);
	flow->deadline_ns = step->t_ns + PATIENCE_NS;
}

static void
reply(struct flow *flow, const struct step *step)
{
	notes_line(&CONTAINER_OF(flow, struct subject, flow)->notes, step->values);
	flow->deadline_ns = 0;
}

static unsigned
served_expires(const struct flow *flow, const struct step *step)
{
	(void) flow;
	(void) step;
	return SERVER_GONE;
}

static void
served_moved(struct flow *flow, const struct step *step, unsigned from, unsigned to)
{
	(void) from;
	if (to == SERVED)
		tell_service(CONTAINER_OF(flow, struct subject, flow), step, "rpc served");
}

static const struct rule served_rules[] = {
	{ .on = "rpc:received", .in = IN(FLOW_IDLE) | IN(SERVING), .to = SERVING, .act = received,
	  .begins = true },
	{ .on = "rpc:received_cast", .in = IN(FLOW_IDLE), .to = SERVED, .act = single,
	  .begins = true },
	{ .on = "rpc:reply", .in = IN(SERVING), .to = SERVED, .act = reply },
	{ 0 }
};

const struct analyzer os_rpc_served_analyzer = {
	.name = "rpc-served",
	.summary = "Calls and casts between OpenStack's services, at the receiver",
	.version = 1,
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER,
	.decoder = &log_decoder,
	.identify = identify,
	.fact_key = subject_key,
	.max_flows = 8192,
	.flow_size = sizeof(struct subject),
	.states = served_states,
	.n_states = N_SERVER_STATES,
	.gone = SERVER_GONE,
	.rules = served_rules,
	.moved = served_moved,
	.expires = served_expires,
	.expires_to = IN(SERVER_GONE),
	.attributes = subject_attributes,
	.used = subject_used,
	.check = subject_check,
};
