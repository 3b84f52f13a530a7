/* SPDX-License-Identifier: MIT
 *
 * os_service.c -- services: how they perform, in windows of ten seconds by
 * operation; their processes; and lines that no pattern knows, which tell that
 * the wording changed. */
#include <string.h>

#include "analyzers/openstack.h"
#include "lib/clock.h"
#include "lib/histogram.h"
#include "lib/util.h"

#define WINDOW_NS (10 * NS_PER_S)
#define UNKNOWN_NS (60 * NS_PER_S)
#define PATIENCE_NS (900 * NS_PER_S)
#define ALIVE_NS (60 * NS_PER_S)

static uint64_t
end_of_window(uint64_t t_ns, uint64_t window_ns)
{
	return (t_ns / window_ns + 1) * window_ns;
}

/* -- Windows ---------------------------------------------------------------- */

enum { COLLECTING = FLOW_IDLE + 1, RESTING, GONE, N_STATES };

static const struct state states[] = {
	[FLOW_IDLE]  = { .name = "unknown" },
	[COLLECTING] = { .name = "collecting" },
	[RESTING]    = { .name = "resting", .ended = true },
	[GONE]       = { .name = "gone", .final = true },
};

/* Buckets four times wider than the histogram's: a quarter of a doubling. */
enum { WIDER = 3, N_BUCKETS = HISTOGRAM_BUCKETS >> WIDER };

/* What is counted in a window, without pointers, as flows are. */
struct counts {
	uint64_t requests, errors, sum_ns, max_ns;
	char slowest[FACT_KEY_SIZE];
	uint32_t buckets[N_BUCKETS];
};

struct window {
	struct flow flow;      /* Must be first. */
	char key[FACT_KEY_SIZE];
	uint64_t start_ns, in_flight;
	uint64_t heard_ns;     /* When something of it came last. */
	uint64_t late;         /* Ends that came too late: not yet taken from in_flight. */
	struct counts counts;
};

static size_t
identify(char name[NAME_SIZE], unsigned event, const void *values)
{
	const struct work *work = values;
	size_t size;

	(void) event;
	if (!work->service.size)
		return 0;
	size = name_add(name, 0, &work->service);
	size = name_add_string(name, size, "/");
	return name_add(name, size, &work->operation);
}

static const char *
window_key(const struct flow *flow)
{
	return CONTAINER_OF(flow, const struct window, flow)->key;
}

static json_t *
buckets(const struct counts *counts)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < N_BUCKETS; i++)
		if (counts->buckets[i])
			json_array_append_new(list, json_pack("[I, I]",
				(json_int_t) histogram_low(i << WIDER),
				(json_int_t) counts->buckets[i]));
	return list;
}

static void
tell_window(struct window *window, const struct step *step)
{
	struct counts *counts = &window->counts;
	const char *slash = strchr(window->key, '/');
	struct fact fact = { .type = FACT_SAMPLE, .kind = "service.window" };

	fact.start_ns = window->start_ns;
	fact.end_ns = window->start_ns + WINDOW_NS;
	fact.attributes = json_pack("{s:s%, s:s, s:I, s:I, s:I, s:I, s:I, s:s, s:o}",
		"service", window->key, slash ? (size_t) (slash - window->key) : 0,
		"operation", slash ? slash + 1 : "", "requests", (json_int_t) counts->requests,
		"errors", (json_int_t) counts->errors, "in_flight", (json_int_t) window->in_flight,
		"sum_ns", (json_int_t) counts->sum_ns, "max_ns", (json_int_t) counts->max_ns,
		"slowest", counts->slowest, "histogram", buckets(counts));
	step_tell(step, &window->flow, &fact);
	memset(counts, 0, sizeof *counts);
}

static void
open_window(struct flow *flow, const struct step *step)
{
	struct window *window = CONTAINER_OF(flow, struct window, flow);
	char name[NAME_SIZE];
	const struct text key = { name, identify(name, 0, step->values) };

	text_copy(window->key, sizeof window->key, &key);
	window->heard_ns = step->t_ns;
	window->in_flight -= MIN(window->late, window->in_flight);
	window->late = 0;
	if (flow->deadline_ns)
		return;
	flow->deadline_ns = end_of_window(step->t_ns, WINDOW_NS);
	window->start_ns = flow->deadline_ns - WINDOW_NS;
}

static void
began(struct flow *flow, const struct step *step)
{
	open_window(flow, step);
	CONTAINER_OF(flow, struct window, flow)->in_flight++;
}

static void
done(struct flow *flow, const struct step *step)
{
	struct window *window = CONTAINER_OF(flow, struct window, flow);
	struct counts *counts = &window->counts;
	const struct work *work = step->values;

	open_window(flow, step);
	if (work->began && window->in_flight)
		window->in_flight--;
	if (work->abandoned)
		return;
	counts->requests++;
	counts->errors += work->failed;
	counts->sum_ns += work->lasted_ns;
	if (work->lasted_ns >= counts->max_ns) {
		counts->max_ns = work->lasted_ns;
		text_copy(counts->slowest, sizeof counts->slowest, &work->request);
	}
	if (work->lasted_ns)           /* Else it was of a moment. */
		counts->buckets[histogram_bucket(work->lasted_ns) >> WIDER]++;
}

/* Whether the window is still open when a late event comes depends on when its
 * source was heard last: it is not counted, so that this does not show. */
static void
done_late(struct flow *flow, const struct step *step)
{
	const struct work *work = step->values;

	CONTAINER_OF(flow, struct window, flow)->late += work->began;
}

static bool
is_late(const struct flow *flow, const struct step *step)
{
	(void) flow;
	return step->late;
}

static bool
is_on_time(const struct flow *flow, const struct step *step)
{
	(void) flow;
	return !step->late;
}

static void
close_window(struct flow *flow, const struct step *step)
{
	struct window *window = CONTAINER_OF(flow, struct window, flow);

	tell_window(window, step);
	/* Of whom nothing is heard for so long is not awaited any more; nor do windows go
	 * on for ever, or over a gap of years. */
	if (step->t_ns > window->heard_ns + PATIENCE_NS || window->heard_ns > step->t_ns)
		window->in_flight = window->late = 0;
	if (window->in_flight) {
		/* Open requests are shown until they are done. */
		flow->deadline_ns = step->t_ns + WINDOW_NS;
		window->start_ns = step->t_ns;
	}
}

static unsigned
rests(const struct flow *flow, const struct step *step)
{
	(void) step;
	return flow->deadline_ns ? COLLECTING : RESTING;
}

static void
moved(struct flow *flow, const struct step *step, unsigned from, unsigned to)
{
	struct window *window = CONTAINER_OF(flow, struct window, flow);

	(void) from;
	if (to == GONE && flow->deadline_ns)
		tell_window(window, step);
}

static bool
check(const struct flow *flow)
{
	const struct window *window = CONTAINER_OF(flow, const struct window, flow);

	return memchr(window->key, '\0', sizeof window->key) &&
		memchr(window->counts.slowest, '\0', sizeof window->counts.slowest);
}

#define ANY (IN(FLOW_IDLE) | IN(COLLECTING) | IN(RESTING))
static const struct rule rules[] = {
	{ .on = "service:began", .in = ANY, .to = COLLECTING, .act = began },
	{ .on = "service:done", .in = IN(COLLECTING) | IN(RESTING), .to = STAY, .act = done_late,
	  .when = is_late },
	{ .on = "service:done", .in = ANY, .to = COLLECTING, .act = done, .when = is_on_time },
	{ 0 }
};

const struct analyzer os_service_analyzer = {
	.name = "service-window",
	.summary = "Rate, errors and latency of OpenStack's services",
	.version = 1,
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER,
	.decoder = &log_decoder,
	.identify = identify,
	.fact_key = window_key,
	.keep = 1024,
	.max_flows = 2048,
	.flow_size = sizeof(struct window),
	.states = states,
	.n_states = N_STATES,
	.gone = GONE,
	.rules = rules,
	.timer = close_window,
	.expires = rests,
	.expires_to = IN(COLLECTING) | IN(RESTING),
	.moved = moved,
	.check = check,
};

void
service_began(const struct step *step, const struct text *service)
{
	const struct work work = { .service = *service, .operation = { "*", 1 } };

	step_derive(step, &log_decoder, LOG_SERVICE_BEGAN, &work);
}

void
service_done(const struct step *step, const struct work *work)
{
	struct work one = *work;

	one.operation = (struct text) { "*", 1 };
	step_derive(step, &log_decoder, LOG_SERVICE_DONE, &one);
	if (work->operation.size && !work->abandoned)
		service_done_only(step, work);
}

void
service_done_only(const struct step *step, const struct work *work)
{
	struct work one = *work;

	one.began = false;
	step_derive(step, &log_decoder, LOG_SERVICE_DONE, &one);
}

/* -- Processes ----------------------------------------------------------------- */

enum { ALIVE = FLOW_IDLE + 1, DEAD, N_PROCESS_STATES };

static const struct state process_states[] = {
	[FLOW_IDLE] = { .name = "unknown" },
	[ALIVE]     = { .name = "alive", .ended = true },
	[DEAD]      = { .name = "gone", .final = true },
};

struct process {
	struct flow flow;      /* Must be first. */
	char key[FACT_KEY_SIZE];
	uint64_t first_ns, told_ns, pid;
};

static size_t
identify_process(char name[NAME_SIZE], unsigned event, const void *values)
{
	const struct line *line = values;
	const struct text service = line_service(line);
	size_t size;

	(void) event;
	if (!service.size || !line->record->pid)
		return 0;
	size = name_add(name, 0, &service);
	size = MIN(size, (size_t) NAME_SIZE - 8);
	memcpy(name + size, &line->record->pid, 8);
	return size + 8;
}

static const char *
process_key(const struct flow *flow)
{
	return CONTAINER_OF(flow, const struct process, flow)->key;
}

static void
tell_process(struct process *process, const struct step *step)
{
	const char *slash = strrchr(process->key, '/');
	struct fact fact = { .type = FACT_ENTITY, .kind = "service" };

	process->told_ns = process->flow.last_ns;
	fact.attributes = json_pack("{s:s%, s:I, s:I, s:I}", "service", process->key,
				    slash ? (size_t) (slash - process->key) : 0, "pid",
				    (json_int_t) process->pid, "first_ns",
				    (json_int_t) process->first_ns, "last_ns",
				    (json_int_t) process->flow.last_ns);
	step_tell(step, &process->flow, &fact);
}

static void
see_process(struct flow *flow, const struct step *step)
{
	struct process *process = CONTAINER_OF(flow, struct process, flow);
	const struct line *line = step->values;
	const struct text service = line_service(line);

	if (!process->first_ns) {
		process->first_ns = step->t_ns;
		process->pid = line->record->pid;
		snprintf(process->key, sizeof process->key, "%.*s/%llu",
			 (int) MIN(service.size, (size_t) 64), service.s,
			 (unsigned long long) process->pid);
	}
	if (!process->told_ns || step->t_ns - process->told_ns >= ALIVE_NS)
		tell_process(process, step);
}

static void
lose_process(struct flow *flow, const struct step *step, unsigned from, unsigned to)
{
	struct process *process = CONTAINER_OF(flow, struct process, flow);

	(void) from;
	if (to == DEAD && process->told_ns != flow->last_ns)
		tell_process(process, step);
}

static bool
check_process(const struct flow *flow)
{
	const struct process *process = CONTAINER_OF(flow, const struct process, flow);

	return memchr(process->key, '\0', sizeof process->key) != NULL;
}

static const struct rule process_rules[] = {
	{ .on = "service:alive", .in = IN(FLOW_IDLE) | IN(ALIVE), .to = ALIVE, .act = see_process },
	{ 0 }
};

const struct analyzer os_process_analyzer = {
	.name = "service-process",
	.summary = "Processes of OpenStack's services",
	.version = 1,
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER,
	.decoder = &log_decoder,
	.identify = identify_process,
	.fact_key = process_key,
	.keep = 512,
	.max_flows = 2048,
	.flow_size = sizeof(struct process),
	.states = process_states,
	.n_states = N_PROCESS_STATES,
	.gone = DEAD,
	.rules = process_rules,
	.moved = lose_process,
	.check = check_process,
};

/* -- Lines that nobody knows ------------------------------------------------------ */

enum { COUNTING = FLOW_IDLE + 1, QUIET, COUNTED, N_UNKNOWN_STATES };
enum { MAX_UNKNOWN = 16, MAX_LOGGER = 80 };

static const struct state unknown_states[] = {
	[FLOW_IDLE] = { .name = "unknown" },
	[COUNTING]  = { .name = "counting" },
	[QUIET]     = { .name = "quiet", .ended = true },
	[COUNTED]   = { .name = "gone", .final = true },
};

struct unknown_lines {
	struct flow flow;      /* Must be first. */
	char key[FACT_KEY_SIZE];
	uint64_t start_ns, n, n_loggers;
	struct {
		char name[MAX_LOGGER];
		uint64_t n;
	} loggers[MAX_UNKNOWN];
};

static size_t
identify_unknown(char name[NAME_SIZE], unsigned event, const void *values)
{
	const struct text service = line_service(values);

	(void) event;
	return name_add(name, 0, &service);
}

static const char *
unknown_key(const struct flow *flow)
{
	return CONTAINER_OF(flow, const struct unknown_lines, flow)->key;
}

static void
count(struct flow *flow, const struct step *step)
{
	struct unknown_lines *u = CONTAINER_OF(flow, struct unknown_lines, flow);
	const struct line *line = step->values;
	const struct text service = line_service(line);
	unsigned i = 0;

	text_copy(u->key, sizeof u->key, &service);
	if (!flow->deadline_ns) {
		flow->deadline_ns = end_of_window(step->t_ns, UNKNOWN_NS);
		u->start_ns = flow->deadline_ns - UNKNOWN_NS;
	}
	u->n++;
	while (i < u->n_loggers && !text_is(&line->logger, u->loggers[i].name))
		i++;
	if (i == MAX_UNKNOWN)
		return;
	if (i == u->n_loggers) {
		text_copy(u->loggers[i].name, MAX_LOGGER, &line->logger);
		u->n_loggers++;
	}
	u->loggers[i].n++;
}

static void
tell_unknown(struct flow *flow, const struct step *step)
{
	struct unknown_lines *u = CONTAINER_OF(flow, struct unknown_lines, flow);
	struct fact fact = { .type = FACT_MARK, .kind = "log.unknown", .start_ns = u->start_ns };
	json_t *loggers = json_object();

	for (unsigned i = 0; i < u->n_loggers; i++)
		json_object_set_new(loggers, u->loggers[i].name,
				    json_integer((json_int_t) u->loggers[i].n));
	fact.attributes = json_pack("{s:s, s:I, s:o}", "service", u->key, "count", (json_int_t) u->n,
				    "loggers", loggers);
	step_tell(step, flow, &fact);
	u->n = u->n_loggers = 0;
	memset(u->loggers, 0, sizeof u->loggers);
}

static unsigned
falls_quiet(const struct flow *flow, const struct step *step)
{
	(void) flow;
	(void) step;
	return QUIET;
}

static void
end_unknown(struct flow *flow, const struct step *step, unsigned from, unsigned to)
{
	(void) from;
	if (to == COUNTED && flow->deadline_ns)
		tell_unknown(flow, step);
}

static bool
check_unknown(const struct flow *flow)
{
	const struct unknown_lines *u = CONTAINER_OF(flow, const struct unknown_lines, flow);

	for (unsigned i = 0; i < MAX_UNKNOWN; i++)
		if (!memchr(u->loggers[i].name, '\0', MAX_LOGGER))
			return false;
	return u->n_loggers <= MAX_UNKNOWN && memchr(u->key, '\0', sizeof u->key);
}

static const struct rule unknown_rules[] = {
	{ .on = "log:unknown", .in = IN(FLOW_IDLE) | IN(COUNTING) | IN(QUIET), .to = COUNTING,
	  .act = count, .when = is_on_time },
	{ 0 }
};

const struct analyzer os_unknown_analyzer = {
	.name = "log-unknown",
	.summary = "Log lines of known loggers that no pattern knows",
	.version = 1,
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER,
	.decoder = &log_decoder,
	.identify = identify_unknown,
	.fact_key = unknown_key,
	.keep = 256,
	.max_flows = 512,
	.flow_size = sizeof(struct unknown_lines),
	.states = unknown_states,
	.n_states = N_UNKNOWN_STATES,
	.gone = COUNTED,
	.rules = unknown_rules,
	.timer = tell_unknown,
	.expires = falls_quiet,
	.expires_to = IN(QUIET),
	.moved = end_unknown,
	.check = check_unknown,
};
