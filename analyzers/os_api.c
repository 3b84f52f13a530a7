/* SPDX-License-Identifier: MIT
 *
 * os_api.c -- requests at the API services, each from its first line to its last,
 * named as operators name what was asked for.
 *
 * A service that runs under eventlet logs a request's end with its time; one
 * under a web server logs only what it answered (cinder), after which nothing
 * comes: that is the end when no better one follows. */
#include <inttypes.h>
#include <string.h>

#include "analyzers/openstack.h"
#include "lib/clock.h"
#include "lib/util.h"

/* A request goes on for so long at most; an answer waits so long for the end. */
#define PATIENCE_NS (900 * NS_PER_S)
#define GRACE_NS (500 * NS_PER_MS)
/* The begin that is reckoned from the end may be off by so much. */
#define SLACK_NS (20 * NS_PER_MS)

enum { RUNNING = FLOW_IDLE + 1, ANSWERED, OK, FAILED, GONE, N_STATES };

static const struct state states[] = {
	[FLOW_IDLE] = { .name = "idle" },
	[RUNNING]   = { .name = "running", .span = "api.request" },
	[ANSWERED]  = { .name = "answered", .span = "api.request" },
	[OK]        = { .name = "ok", .span = "api.request", .status = "ok", .ended = true,
			.final = true },
	[FAILED]    = { .name = "error", .span = "api.request", .status = "error", .ended = true,
			.final = true },
	[GONE]      = { .name = "gone", .final = true },
};

/* A thread (or greenlet) serves one request at a time, whatever request id its
 * lines carry. */
static size_t
identify(char name[NAME_SIZE], unsigned event, const void *values)
{
	const struct line *line = values;
	const struct text thread = record_text(line->record, RECORD_THREAD);
	const struct text service = line_service(line);
	size_t size;

	(void) event;
	if (!line->request.size && event != LOG_RECORD)
		return 0;
	size = name_add(name, 0, &service);
	size = name_add_string(name, size, " ");
	size = name_add(name, size, &thread);
	memcpy(name + MIN(size, (size_t) NAME_SIZE - 8), &line->record->pid, 8);
	return MIN(size, (size_t) NAME_SIZE - 8) + 8;
}

static bool
same(const struct text *a, const struct text *b)
{
	return a->size == b->size && (!a->size || !memcmp(a->s, b->s, a->size));
}

/* The first key of a body, JSON or Python's text of a dictionary. */
static struct text
first_key(const struct text *body)
{
	const char *at = body->s, *const end = body->s + body->size, *to;
	char quote;

	while (at < end && (*at == '{' || *at == ' ' || *at == 'b' || *at == 'u'))
		at++;
	if (at == end || (*at != '"' && *at != '\''))
		return (struct text) { "", 0 };
	quote = *at++;
	to = memchr(at, quote, (size_t) (end - at));
	return (struct text) { at, to ? (size_t) (to - at) : 0 };
}

/* The text of "name": "..." somewhere in a body. */
static struct text
named(const struct text *body, const char *name)
{
	const char *at = body->s, *const end = body->s + body->size;
	const size_t length = strlen(name);

	while ((at = memmem(at, (size_t) (end - at), name, length))) {
		const char *s = at + length;

		if (at > body->s && (at[-1] == '"' || at[-1] == '\'') && s < end && *s == at[-1]) {
			s++;
			while (s < end && (*s == ':' || *s == ' ' || *s == 'u'))
				s++;
			if (s < end && (*s == '"' || *s == '\'')) {
				const char *to = memchr(s + 1, *s, (size_t) (end - s - 1));

				return (struct text) { s + 1, to ? (size_t) (to - s - 1) : 0 };
			}
		}
		at += length;
	}
	return (struct text) { "", 0 };
}

/* Of the URL what is behind the host. */
static struct text
path_of(const struct text *url)
{
	const char *at = memmem(url->s, url->size, "://", 3);
	const char *const end = url->s + url->size;

	if (!at)
		return *url;
	at = memchr(at + 3, '/', (size_t) (end - at - 3));
	return at ? (struct text) { at, (size_t) (end - at) } : (struct text) { "/", 1 };
}

/* What creating and acting is called before the path is known. */
static const struct {
	const char *key, *name;
} creations[] = {
	{ "server", "server.create" },
	{ "volumeAttachment", "server.attach-volume" },
	{ "interfaceAttachment", "server.attach-interface" },
	{ "events", "server.external-event" },
	{ "volume", "volume.create" },
	{ "snapshot", "snapshot.create" },
	{ "backup", "backup.create" },
	{ "attachment", "attachment.create" },
};

static void
note_body(struct notes *notes, const struct line *line)
{
	const struct text body = line_field(line, F_BODY);
	const struct text key = first_key(&body), name = named(&body, "name");
	const struct text action = line_field(line, F_ACTION);
	const char *operation = NULL;

	if (!key.size)
		return;
	if (text_is(&action, "action"))
		operation = operation_of_action(&key);
	else if (text_is(&action, "create"))
		for (size_t i = 0; i < ARRAY_SIZE(creations) && !operation; i++)
			if (text_is(&key, creations[i].key))
				operation = creations[i].name;
	if (operation)
		notes_set_string(notes, F_OPERATION, operation);
	notes_set(notes, F_ACTION, key);
	if (!text_is(&action, "action"))
		notes_set(notes, F_RESOURCE_NAME, name);
}

static void
note_path(struct notes *notes)
{
	const struct text method = notes_get(notes, F_METHOD), path = notes_get(notes, F_PATH);
	const struct text action = notes_get(notes, F_ACTION);
	char id[64];
	struct operation_found found;
	bool changes;

	if (!path.size || !method.size)
		return;
	changes = operation_find(&method, &path, &action, &found);
	text_copy(id, sizeof id, &found.id);
	if (changes)
		notes_set_string(notes, F_OPERATION, found.name);
	notes_set_string(notes, F_RESOURCE_TYPE, found.type);
	notes_set_string(notes, F_RESOURCE_ID, id);
}

static void
tell_parent(const struct step *step, const struct flow *flow, const struct notes *notes)
{
	const struct text global = notes_get(notes, F_GLOBAL_REQUEST_ID);
	const struct text own = notes_get(notes, F_REQUEST_ID);
	struct fact fact = { .type = FACT_LINK, .kind = "request.child", .start_ns = flow->start_ns };
	json_t *attributes;

	if (!global.size || same(&global, &own))
		return;
	attributes = json_object();
	json_object_set_new(attributes, "request_id", text_json(&global));
	json_object_set_new(attributes, "by", json_string("global_request_id"));
	fact.attributes = attributes;
	step_tell(step, flow, &fact);
}

static void
note_line(struct notes *notes, const struct line *line)
{
	char path[512];
	struct text url;

	notes_line(notes, line);
	url = notes_get(notes, F_PATH);
	if (memmem(url.s, url.size, "://", 3)) {
		url = path_of(&url);
		text_copy(path, sizeof path, &url);
		notes_set_string(notes, F_PATH, path);
	}
	note_body(notes, line);
	note_path(notes);
}

static void
begin(struct flow *flow, const struct step *step)
{
	struct subject *subject = CONTAINER_OF(flow, struct subject, flow);
	struct line *line = (struct line *) (uintptr_t) step->values;

	line->request = record_text(line->record, RECORD_REQUEST_ID);
	line->replaced = false;
	subject_begin(subject, &line->request);
	note_line(&subject->notes, line);
	flow->deadline_ns = step->t_ns + PATIENCE_NS;
	tell_parent(step, flow, &subject->notes);
}

static void
begin_only(struct flow *flow, const struct step *step)
{
	const struct text service = line_service(step->values);

	begin(flow, step);
	service_began(step, &service);
	CONTAINER_OF(flow, struct subject, flow)->began = true;
}

static void
detail(struct flow *flow, const struct step *step)
{
	note_line(&CONTAINER_OF(flow, struct subject, flow)->notes, step->values);
	flow->tell = 1;
}

static void
answer(struct flow *flow, const struct step *step)
{
	struct subject *subject = CONTAINER_OF(flow, struct subject, flow);

	subject->extra = step->t_ns;
	note_line(&subject->notes, step->values);
	flow->deadline_ns = step->t_ns + GRACE_NS;
}

static uint64_t
seconds_ns(const struct text *text)
{
	return (uint64_t) (text_real(text) * 1e9 + 0.5);
}

static void
end(struct flow *flow, const struct step *step)
{
	struct subject *subject = CONTAINER_OF(flow, struct subject, flow);
	struct notes *notes = &subject->notes;
	const struct text seconds = line_field(step->values, F_SECONDS);

	subject->extra = 0;

	note_line(notes, step->values);
	if (seconds.size && seconds_ns(&seconds) < step->t_ns)
		notes_set_u64(notes, F_BEGAN, step->t_ns - seconds_ns(&seconds));
	flow->deadline_ns = 0;
}

static void
begin_and_end(struct flow *flow, const struct step *step)
{
	begin(flow, step);
	end(flow, step);
}

/* Without a status, by whether something was said to be wrong. */
static unsigned
status_of(const struct notes *notes)
{
	const struct text status = notes_get(notes, F_HTTP_STATUS);

	if (!status.size)
		return notes_get(notes, F_MESSAGE).size ? FAILED : OK;
	return text_u64(&status) >= 400 ? FAILED : OK;
}

static unsigned
expires(const struct flow *flow, const struct step *step)
{
	(void) step;
	if (flow->state == ANSWERED)
		return status_of(&CONTAINER_OF(flow, const struct subject, flow)->notes);
	return GONE;
}

/* Clients ask until a thing is there, or gone: that it is not is an answer. */
static bool
is_answer(const struct notes *notes)
{
	const struct text method = notes_get(notes, F_METHOD), status = notes_get(notes, F_HTTP_STATUS);

	return (text_is(&method, "GET") || text_is(&method, "HEAD")) && text_is(&status, "404");
}

/* Operations that only read are told apart by what they read. */
static void
tell_service(struct subject *subject, const struct step *step, unsigned to)
{
	const struct notes *notes = &subject->notes;
	const struct text operation = notes_get(notes, F_OPERATION);
	const struct text method = notes_get(notes, F_METHOD), began = notes_get(notes, F_BEGAN);
	const struct text type = notes_get(notes, F_RESOURCE_TYPE);
	const uint64_t start_ns = began.size ? text_u64(&began) : subject->flow.start_ns;
	char reads[64];
	struct work work = {
		.service = notes_get(notes, F_SERVICE), .operation = operation,
		.request = { subject->key, strlen(subject->key) },
		.failed = to == FAILED && !is_answer(notes), .began = subject->began,
		.abandoned = to == GONE,
	};

	if (subject->flow.end_ns > start_ns)
		work.lasted_ns = subject->flow.end_ns - start_ns;
	if (!operation.size) {
		snprintf(reads, sizeof reads, "%.*s %.*s", (int) MIN(method.size, (size_t) 8), method.s,
			 (int) MIN(type.size, (size_t) 40), type.s);
		work.operation = (struct text) { reads, strlen(reads) };
	}
	service_done(step, &work);
	subject->began = false;
}

static void
moved(struct flow *flow, const struct step *step, unsigned from, unsigned to)
{
	struct subject *subject = CONTAINER_OF(flow, struct subject, flow);

	/* Nothing better came. */
	if (from == ANSWERED && to != GONE && subject->extra)
		flow->end_ns = subject->extra;
	if (to == OK || to == FAILED || (to == GONE && subject->began))
		tell_service(subject, step, to);
}

/* The line is of the request that its thread serves: it says so itself, or could
 * not have begun earlier. */
static bool
is_of(const struct flow *flow, const struct step *step)
{
	const struct subject *subject = CONTAINER_OF(flow, const struct subject, flow);
	const struct line *line = step->values;
	const struct text seconds = line_field(line, F_SECONDS);
	const struct text method = line_field(line, F_METHOD);
	const struct text known = notes_get(&subject->notes, F_METHOD);
	const struct text own = record_text(line->record, RECORD_REQUEST_ID);

	if (text_is(&own, subject->key))
		return true;
	if (!seconds.size || (known.size && !same(&method, &known)))
		return false;
	return flow->start_ns + SLACK_NS + seconds_ns(&seconds) >= step->t_ns;
}

/* Another request than the one that is open: its end was not seen. */
static bool
is_other(const struct flow *flow, const struct step *step)
{
	const struct text own = record_text(((const struct line *) step->values)->record,
					    RECORD_REQUEST_ID);

	return !text_is(&own, CONTAINER_OF(flow, const struct subject, flow)->key);
}

/* What the thread says while it serves a request is of that request. */
static void
claim(struct flow *flow, const struct step *step)
{
	const struct subject *subject = CONTAINER_OF(flow, const struct subject, flow);
	struct line *line = (struct line *) (uintptr_t) step->values;

	if (line->request.size && !text_is(&line->request, subject->key)) {
		snprintf(line->held, sizeof line->held, "%s", subject->key);
		line->request = (struct text) { line->held, strlen(line->held) };
		line->replaced = true;
	}
}

static bool
is_ok(const struct flow *flow, const struct step *step)
{
	const struct text status = line_field(step->values, F_HTTP_STATUS);

	(void) flow;
	return text_u64(&status) < 400;
}

#define BEGIN "api:begin"
#define DETAIL "api:detail"
#define ANSWER "api:answer"
#define END "api:end"
#define OPEN (IN(RUNNING) | IN(ANSWERED))

/* The thread goes on with another request: the one that was answered is over. */
static bool
is_done_well(const struct flow *flow, const struct step *step)
{
	const struct line *line = step->values;

	return record_has(line->record, RECORD_REQUEST_ID) && is_other(flow, step) &&
		status_of(&CONTAINER_OF(flow, const struct subject, flow)->notes) == OK;
}

static bool
is_done_badly(const struct flow *flow, const struct step *step)
{
	const struct line *line = step->values;

	return record_has(line->record, RECORD_REQUEST_ID) && is_other(flow, step) &&
		status_of(&CONTAINER_OF(flow, const struct subject, flow)->notes) == FAILED;
}

static bool
is_of_and_ok(const struct flow *flow, const struct step *step)
{
	return is_of(flow, step) && is_ok(flow, step);
}

static const struct rule rules[] = {
	{ .on = "log:record", .in = IN(ANSWERED), .to = OK, .when = is_done_well },
	{ .on = "log:record", .in = IN(ANSWERED), .to = FAILED, .when = is_done_badly },
	{ .on = "log:record", .in = OPEN, .to = STAY, .act = claim },
	{ .on = BEGIN, .in = IN(FLOW_IDLE), .to = RUNNING, .act = begin_only, .begins = true },
	{ .on = BEGIN, .in = OPEN, .to = RUNNING, .act = begin_only, .begins = true,
	  .when = is_other },
	{ .on = BEGIN, .in = OPEN, .to = STAY, .act = detail },
	{ .on = DETAIL, .in = OPEN, .to = STAY, .act = detail },
	{ .on = ANSWER, .in = OPEN, .to = ANSWERED, .act = answer },
	{ .on = END, .in = OPEN, .to = OK, .act = end, .when = is_of_and_ok },
	{ .on = END, .in = OPEN, .to = FAILED, .act = end, .when = is_of },
	{ .on = END, .in = IN(FLOW_IDLE) | OPEN, .to = OK, .act = begin_and_end, .begins = true,
	  .when = is_ok },
	{ .on = END, .in = IN(FLOW_IDLE) | OPEN, .to = FAILED, .act = begin_and_end, .begins = true },
	{ 0 }
};

const struct analyzer os_api_analyzer = {
	.name = "openstack-api",
	.summary = "Requests at the APIs of OpenStack's services",
	.version = 1,
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER,
	.decoder = &log_decoder,
	.identify = identify,
	.fact_key = subject_key,
	.max_flows = 8192,
	.flow_size = sizeof(struct subject),
	.states = states,
	.n_states = N_STATES,
	.gone = GONE,
	.rules = rules,
	.moved = moved,
	.expires = expires,
	.expires_to = IN(OK) | IN(FAILED) | IN(GONE),
	.attributes = subject_attributes,
	.used = subject_used,
	.check = subject_check,
};
