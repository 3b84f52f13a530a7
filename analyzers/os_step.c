/* SPDX-License-Identifier: MIT
 *
 * os_step.c -- steps: operations and parts of them, as Nova, Neutron and Cinder
 * tell them by a line at the begin and one at the end, or by one line that says
 * how long it took.  What a step is called and about stands with its pattern. */
#include <string.h>

#include "analyzers/openstack.h"
#include "lib/clock.h"
#include "lib/util.h"

#define PATIENCE_NS (7200 * NS_PER_S)

enum { RUNNING = FLOW_IDLE + 1, OK, FAILED, TIMEOUT, STOPPED, GONE, N_STATES };

#define STATES(KIND) { \
	[FLOW_IDLE] = { .name = "idle" }, \
	[RUNNING]   = { .name = "running", .span = KIND }, \
	[OK]        = { .name = "ok", .span = KIND, .status = "ok", .ended = true, .final = true }, \
	[FAILED]    = { .name = "failed", .span = KIND, .status = "error", .ended = true, .final = true }, \
	[TIMEOUT]   = { .name = "timeout", .span = KIND, .status = "timeout", .ended = true, \
			.final = true }, \
	[STOPPED]   = { .name = "cancelled", .span = KIND, .status = "cancelled", .ended = true, \
			.final = true }, \
	[GONE]      = { .name = "gone", .final = true }, \
}

/* What the step is about: what its pattern says, else the instance, else the
 * request. */
static struct text
subject_of(const struct line *line)
{
	struct text text = line_field(line, line->subject);

	if (line->subject == F_REQUEST_ID)
		return line->request;
	if (line->subject && text.size)
		return text;
	text = line_field(line, F_INSTANCE);
	if (!text.size)
		text = record_text(line->record, RECORD_INSTANCE);
	if (!text.size)
		text = line->request;
	return text;
}

static size_t
add_key(char name[NAME_SIZE], const struct line *line)
{
	const struct text about = subject_of(line);
	size_t size = name_add(name, 0, &line->name);

	size = name_add_string(name, size, "/");
	return name_add(name, size, &about);
}

static size_t
identify(char name[NAME_SIZE], unsigned event, const void *values)
{
	const struct line *line = values;
	size_t size;

	(void) event;
	if (!(line->flags & BY_REQUEST) || !line->request.size)
		return add_key(name, line);
	size = line->flags & BY_SUBJECT ? add_key(name, line) : name_add(name, 0, &line->name);
	size = name_add_string(name, size, "/");
	return name_add(name, size, &line->request);
}

static void
begin(struct flow *flow, const struct step *step)
{
	struct subject *subject = CONTAINER_OF(flow, struct subject, flow);
	const struct line *line = step->values;
	char name[NAME_SIZE];
	const struct text key = { name, add_key(name, line) };

	subject_begin(subject, &key);
	notes_set(&subject->notes, F_NAME, line->name);
	notes_line(&subject->notes, line);
	flow->deadline_ns = step->t_ns + PATIENCE_NS;
}

static void
note(struct flow *flow, const struct step *step)
{
	notes_line(&CONTAINER_OF(flow, struct subject, flow)->notes, step->values);
	flow->tell = 1;
}

static void
end(struct flow *flow, const struct step *step)
{
	note(flow, step);
	flow->deadline_ns = 0;
}

static void
fail(struct flow *flow, const struct step *step)
{
	struct notes *notes = &CONTAINER_OF(flow, struct subject, flow)->notes;

	end(flow, step);
	notes_set(notes, F_EXCEPTION, line_exception(step->values));
	notes_set(notes, F_MESSAGE, line_message(step->values));
}

/* All of it in one line, at its end. */
static void
took(struct flow *flow, const struct step *step)
{
	const struct text seconds = line_field(step->values, F_SECONDS);
	const struct text ms = line_field(step->values, F_MILLISECONDS);
	const uint64_t lasted_ns = seconds.size ? (uint64_t) (text_real(&seconds) * 1e9 + 0.5)
		: (uint64_t) (text_real(&ms) * 1e6 + 0.5);

	begin(flow, step);
	flow->deadline_ns = 0;
	if (lasted_ns < step->t_ns)
		flow->start_ns = step->t_ns - lasted_ns;
}

static void
failed_at_once(struct flow *flow, const struct step *step)
{
	begin(flow, step);
	fail(flow, step);
}

static bool
is_kept(const struct flow *flow, const struct step *step)
{
	(void) flow;
	return ((const struct line *) step->values)->flags & KEEPS;
}

static bool
is_timeout(const struct flow *flow, const struct step *step)
{
	(void) flow;
	return ((const struct line *) step->values)->flags & TIMED_OUT;
}

static bool
is_cancelled(const struct flow *flow, const struct step *step)
{
	(void) flow;
	return ((const struct line *) step->values)->flags & CANCELLED;
}

static bool
is_by_itself(const struct flow *flow, const struct step *step)
{
	(void) flow;
	return !(((const struct line *) step->values)->flags & IF_OPEN);
}

static unsigned
expires(const struct flow *flow, const struct step *step)
{
	(void) flow;
	(void) step;
	return GONE;
}

/* How long each took is counted for its service, as an operation. */
static void
moved(struct flow *flow, const struct step *step, unsigned from, unsigned to)
{
	const struct notes *notes = &CONTAINER_OF(flow, struct subject, flow)->notes;
	const struct work work = {
		.service = notes_get(notes, F_SERVICE), .operation = notes_get(notes, F_NAME),
		.request = notes_get(notes, F_REQUEST_ID), .failed = to == FAILED || to == TIMEOUT,
		.lasted_ns = flow->end_ns - MIN(flow->end_ns, flow->start_ns),
	};

	(void) from;
	if (work.operation.size && (to == OK || work.failed))
		service_done_only(step, &work);
}

#define RULES(FAMILY) { \
	{ .on = FAMILY ":begin", .in = IN(RUNNING), .to = STAY, .act = note, .when = is_kept }, \
	{ .on = FAMILY ":begin", .in = IN(FLOW_IDLE) | IN(RUNNING), .to = RUNNING, .act = begin, \
	  .begins = true }, \
	{ .on = FAMILY ":note", .in = IN(RUNNING), .to = STAY, .act = note }, \
	{ .on = FAMILY ":end", .in = IN(RUNNING), .to = OK, .act = end }, \
	{ .on = FAMILY ":fail", .in = IN(RUNNING), .to = TIMEOUT, .act = fail, .when = is_timeout }, \
	{ .on = FAMILY ":fail", .in = IN(RUNNING), .to = STOPPED, .act = end, .when = is_cancelled }, \
	{ .on = FAMILY ":fail", .in = IN(RUNNING), .to = FAILED, .act = fail }, \
	{ .on = FAMILY ":fail", .in = IN(FLOW_IDLE), .to = FAILED, .act = failed_at_once, \
	  .begins = true, .when = is_by_itself }, \
	{ .on = FAMILY ":took", .in = IN(RUNNING), .to = OK, .act = end }, \
	{ .on = FAMILY ":took", .in = IN(FLOW_IDLE), .to = OK, .act = took, .begins = true }, \
	{ 0 } \
}

#define ANALYZER(NAME, SUMMARY, STATES, RULES) { \
	.name = NAME, \
	.summary = SUMMARY, \
	.version = 1, \
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER, \
	.decoder = &log_decoder, \
	.identify = identify, \
	.fact_key = subject_key, \
	.max_flows = 8192, \
	.flow_size = sizeof(struct subject), \
	.states = STATES, \
	.n_states = N_STATES, \
	.gone = GONE, \
	.rules = RULES, \
	.expires = expires, \
	.expires_to = IN(GONE), \
	.moved = moved, \
	.attributes = subject_attributes, \
	.used = subject_used, \
	.check = subject_check, \
}

static const struct state nova_states[] = STATES("nova.step");
static const struct state neutron_states[] = STATES("neutron.step");
static const struct state cinder_states[] = STATES("cinder.step");
static const struct rule nova_rules[] = RULES("nova");
static const struct rule neutron_rules[] = RULES("neutron");
static const struct rule cinder_rules[] = RULES("cinder");

const struct analyzer os_nova_analyzer =
	ANALYZER("nova", "What Nova's services do, step by step", nova_states, nova_rules);
const struct analyzer os_neutron_analyzer =
	ANALYZER("neutron", "What Neutron and its agents do, step by step", neutron_states,
		 neutron_rules);
const struct analyzer os_cinder_analyzer =
	ANALYZER("cinder", "What Cinder's services do, step by step", cinder_states, cinder_rules);
