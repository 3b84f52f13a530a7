/* SPDX-License-Identifier: MIT
 *
 * os_notes.c -- what an analyzer of log lines remembers of a flow, and how it
 * becomes attributes: one table says what each field is called. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/openstack.h"
#include "lib/util.h"

enum kind { TEXT, INTEGER, REAL, TRUTH, HIDDEN };

static const struct {
	const char *name;
	enum kind kind;
} fields[N_LOG_FIELDS] = {
	[F_SERVICE] = { "service", TEXT },
	[F_PID] = { "pid", INTEGER },
	[F_REQUEST_ID] = { "request_id", TEXT },
	[F_RID_OK] = { "rid_ok", TRUTH },
	[F_GLOBAL_REQUEST_ID] = { "global_request_id", TEXT },
	[F_USER] = { "user", TEXT },
	[F_PROJECT] = { "project", TEXT },
	[F_INSTANCE] = { "instance", TEXT },
	[F_NAME] = { "name", TEXT },
	[F_DETAIL] = { "detail", TEXT },
	[F_CAUSE] = { "cause", TEXT },
	[F_EXCEPTION] = { "exception", TEXT },
	[F_MESSAGE] = { "message", TEXT },
	[F_LOGGER] = { "logger", TEXT },
	[F_METHOD] = { "method", TEXT },
	[F_PATH] = { "path", TEXT },
	[F_URL] = { "url", TEXT },
	[F_HTTP_STATUS] = { "http_status", INTEGER },
	[F_CLIENT] = { "client", TEXT },
	[F_SECONDS] = { "seconds", REAL },
	[F_BEGAN] = { "began_ns", INTEGER },
	[F_BODY] = { "body", HIDDEN },
	[F_ACTION] = { "action", HIDDEN },
	[F_OPERATION] = { "operation", TEXT },
	[F_RESOURCE_TYPE] = { "resource_type", TEXT },
	[F_RESOURCE_ID] = { "resource_id", TEXT },
	[F_RESOURCE_NAME] = { "resource_name", TEXT },
	[F_CALLED] = { "called", TEXT },
	[F_CALLEE] = { "callee", HIDDEN },
	[F_TRACE_INFO] = { "trace_info", HIDDEN },
	[F_TRACE] = { "trace_id", TEXT },
	[F_MSG_ID] = { "msg_id", HIDDEN },
	[F_EXCHANGE] = { "exchange", TEXT },
	[F_TOPIC] = { "topic", TEXT },
	[F_WHAT] = { "what", TEXT },
	[F_REPLY_QUEUE] = { "reply_queue", HIDDEN },
	[F_PORT] = { "port", TEXT },
	[F_NETWORK] = { "network", TEXT },
	[F_SUBNET] = { "subnet", TEXT },
	[F_ROUTER] = { "router", TEXT },
	[F_FLOATINGIP] = { "floatingip", TEXT },
	[F_VOLUME] = { "volume", TEXT },
	[F_SNAPSHOT] = { "snapshot", TEXT },
	[F_ATTACHMENT] = { "attachment_id", TEXT },
	[F_IMAGE] = { "image", TEXT },
	[F_MIGRATION] = { "migration", TEXT },
	[F_MIGRATION_TYPE] = { "migration_type", TEXT },
	[F_HOST] = { "host", TEXT },
	[F_NODE] = { "node", TEXT },
	[F_SOURCE] = { "source", TEXT },
	[F_DESTINATION] = { "destination", TEXT },
	[F_STATUS] = { "status", TEXT },
	[F_DEVICE] = { "device", TEXT },
	[F_FILE] = { "path", TEXT },
	[F_MAC] = { "mac", TEXT },
	[F_TAP] = { "tap", TEXT },
	[F_IPS] = { "ips", TEXT },
	[F_VIF_TYPE] = { "vif_type", TEXT },
	[F_DEVICE_OWNER] = { "device_owner", TEXT },
	[F_DEVICE_ID] = { "device_id", HIDDEN },
	[F_DISPLAY_NAME] = { "display_name", TEXT },
	[F_INSTANCE_NAME] = { "instance_name", TEXT },
	[F_FLAVOR] = { "flavor", TEXT },
	[F_MEMORY_MIB] = { "memory_mib", INTEGER },
	[F_VCPUS] = { "vcpus", INTEGER },
	[F_CREATED] = { "created", TEXT },
	[F_SIZE_GIB] = { "size_gib", INTEGER },
	[F_VOLUME_TYPE] = { "volume_type", TEXT },
	[F_BACKEND] = { "backend", TEXT },
	[F_CONNECTION] = { "connection", TEXT },
	[F_ADDRESSES] = { "addresses", HIDDEN },
	[F_BLOCK_DEVICES] = { "block_devices", HIDDEN },
	[F_COUNT] = { "count", INTEGER },
	[F_UPDATE_ID] = { "update_id", HIDDEN },
	[F_FAULT] = { "fault", HIDDEN },
	[F_STATE] = { "vm_state", TEXT },
	[F_OLD_STATE] = { "old_state", HIDDEN },
	[F_TASK_STATE] = { "task_state", TEXT },
	[F_OLD_TASK_STATE] = { "old_task_state", HIDDEN },
	[F_POWER_STATE] = { "power_state", TEXT },
	[F_FUNCTION] = { "function", HIDDEN },
	[F_MILLISECONDS] = { "milliseconds", HIDDEN },
	[F_ID] = { "id", HIDDEN },
};

/* Each entry: the field, two bytes of length, the text. */
enum { HEAD = 3 };

static size_t
entry_size(const struct notes *notes, size_t at)
{
	return HEAD + ((size_t) notes->bytes[at + 1] | (size_t) notes->bytes[at + 2] << 8);
}

static size_t
find(const struct notes *notes, enum log_field field)
{
	size_t at = 0;

	while (at < notes->size && notes->bytes[at] != field)
		at += entry_size(notes, at);
	return at;
}

struct text
notes_get(const struct notes *notes, enum log_field field)
{
	const size_t at = find(notes, field);

	if (at >= notes->size)
		return (struct text) { "", 0 };
	return (struct text) { (const char *) notes->bytes + at + HEAD,
			       entry_size(notes, at) - HEAD };
}

/* So much of a text that no character is cut. */
static size_t
limited(const struct text *text, size_t limit)
{
	size_t n = MIN(text->size, limit);

	if (n < text->size)
		while (n && ((unsigned char) text->s[n] & 0xc0) == 0x80)
			n--;
	return n;
}

bool
notes_set(struct notes *notes, enum log_field field, struct text text)
{
	size_t at = find(notes, field), size;

	if (!text.size)
		return false;
	text.size = limited(&text, field == F_MESSAGE ? NOTES_MAX_TEXT : NOTES_MAX_TEXT / 2);
	if (at < notes->size) {
		size = entry_size(notes, at);
		if (size - HEAD == text.size && !memcmp(notes->bytes + at + HEAD, text.s, text.size))
			return false;
		memmove(notes->bytes + at, notes->bytes + at + size, notes->size - at - size);
		notes->size = (uint16_t) (notes->size - size);
	}
	at = notes->size;
	if (text.size + HEAD > NOTES_SIZE - at) {
		notes->dropped++;
		return false;
	}
	notes->bytes[at] = (uint8_t) field;
	notes->bytes[at + 1] = (uint8_t) (text.size & 0xff);
	notes->bytes[at + 2] = (uint8_t) (text.size >> 8);
	memcpy(notes->bytes + at + HEAD, text.s, text.size);
	notes->size = (uint16_t) (at + HEAD + text.size);
	return true;
}

bool
notes_clear(struct notes *notes, enum log_field field)
{
	const size_t at = find(notes, field);
	size_t size;

	if (at >= notes->size)
		return false;
	size = entry_size(notes, at);
	memmove(notes->bytes + at, notes->bytes + at + size, notes->size - at - size);
	notes->size = (uint16_t) (notes->size - size);
	return true;
}

bool
notes_set_string(struct notes *notes, enum log_field field, const char *string)
{
	return notes_set(notes, field, (struct text) { string, strlen(string) });
}

bool
notes_set_u64(struct notes *notes, enum log_field field, uint64_t number)
{
	char digits[24];

	snprintf(digits, sizeof digits, "%" PRIu64, number);
	return notes_set_string(notes, field, digits);
}

bool
notes_check(const struct notes *notes)
{
	size_t at = 0;

	if (notes->size > NOTES_SIZE)
		return false;
	while (at + HEAD <= notes->size) {
		if (!notes->bytes[at] || notes->bytes[at] >= N_LOG_FIELDS)
			return false;
		at += entry_size(notes, at);
	}
	return at == notes->size;
}

/* -- Telling ------------------------------------------------------------------ */

json_t *
text_json(const struct text *text)
{
	json_t *string = text->size ? json_stringn(text->s, text->size) : json_null();
	char *clean;

	if (string)
		return string;
	clean = xmalloc(text->size);
	memcpy(clean, text->s, text->size);
	for (size_t i = 0; i < text->size; i++)
		if (!clean[i] || (unsigned char) clean[i] >= 0x80)
			clean[i] = '?';
	string = json_stringn(clean, text->size);
	free(clean);
	return string;
}

static json_t *
to_json(enum kind kind, const struct text *text)
{
	switch (kind) {
	case INTEGER:
		return json_integer((json_int_t) text_u64(text));
	case REAL:
		return json_real(text_real(text));
	case TRUTH:
		return json_true();
	case TEXT: case HIDDEN:
		break;
	}
	return text_json(text);
}

json_t *
notes_json(const struct notes *notes, bool nested)
{
	json_t *object = json_object(), *error = NULL;

	for (size_t at = 0; at < notes->size; at += entry_size(notes, at)) {
		const enum log_field field = notes->bytes[at];
		const struct text text = { (const char *) notes->bytes + at + HEAD,
					   entry_size(notes, at) - HEAD };

		if (fields[field].kind == HIDDEN)
			continue;
		if (nested && (field == F_EXCEPTION || field == F_MESSAGE)) {
			if (!error)
				error = json_object();
			json_object_set_new_nocheck(error, fields[field].name, text_json(&text));
			continue;
		}
		json_object_set_new_nocheck(object, fields[field].name,
					    to_json(fields[field].kind, &text));
	}
	if (error)
		json_object_set_new_nocheck(object, "error", error);
	return object;
}

/* -- Lines ----------------------------------------------------------------------- */

struct text
line_field(const struct line *line, enum log_field field)
{
	return line->fields[field].size ? line->fields[field] : (struct text) { "", 0 };
}

struct text
line_service(const struct line *line)
{
	return record_text(line->record, RECORD_SERVICE);
}

void
notes_line(struct notes *notes, const struct line *line)
{
	struct record *record = line->record;
	static const struct {
		enum log_field field;
		enum record_member member;
	} members_of[] = {
		{ F_SERVICE, RECORD_SERVICE },
		{ F_GLOBAL_REQUEST_ID, RECORD_GLOBAL_REQUEST_ID },
		{ F_USER, RECORD_USER },
		{ F_PROJECT, RECORD_PROJECT },
		{ F_INSTANCE, RECORD_INSTANCE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(members_of); i++)
		if (!line->fields[members_of[i].field].size &&
		    !((line->flags & RID_WRONG || line->replaced) &&
		      members_of[i].member == RECORD_GLOBAL_REQUEST_ID))
			notes_set(notes, members_of[i].field,
				  record_text(record, members_of[i].member));
	if (!(line->flags & RID_WRONG))
		notes_set(notes, F_REQUEST_ID, line->request);
	if (record->pid)
		notes_set_u64(notes, F_PID, record->pid);
	if (line->flags & RID_OK && line->request.size)
		notes_set_string(notes, F_RID_OK, "true");
	for (unsigned field = 1; field < N_LOG_FIELDS; field++)
		if (line->fields[field].size && fields[field].kind != HIDDEN)
			notes_set(notes, field, line->fields[field]);
}

struct text
line_exception(const struct line *line)
{
	const struct text text = line_field(line, F_EXCEPTION);

	return text.size ? text : record_text(line->record, RECORD_EXCEPTION);
}

/* Without Python's traceback, and spaces at the end. */
static struct text
without_trace(struct text text)
{
	const char *trace = memmem(text.s, text.size, "\nTraceback", 10);

	if (trace)
		text.size = (size_t) (trace - text.s);
	while (text.size && (text.s[text.size - 1] == '\n' || text.s[text.size - 1] == ' '))
		text.size--;
	return text;
}

struct text
line_message(const struct line *line)
{
	struct text text = line_field(line, F_MESSAGE);

	if (!text.size)
		text = record_text(line->record, RECORD_EXCEPTION_TEXT);
	if (!text.size)
		text = record_text(line->record, RECORD_MESSAGE);
	text = without_trace(text);
	/* An exception's text begins with its class. */
	if (record_has(line->record, RECORD_EXCEPTION)) {
		const char *colon = memmem(text.s, text.size, ": ", 2);
		const char *space = memchr(text.s, ' ', text.size);

		if (colon && space == colon + 1)
			text = (struct text) { colon + 2,
					       (size_t) (text.s + text.size - colon - 2) };
	}
	return text;
}

double
text_real(const struct text *text)
{
	char buffer[40];
	double number;
	char *end;

	text_copy(buffer, sizeof buffer, text);
	number = strtod(buffer, &end);
	return end != buffer && number >= 0 && number < 1e12 ? number : 0;
}

uint64_t
text_u64(const struct text *text)
{
	uint64_t number = 0;

	for (size_t i = 0; i < text->size && i < 19; i++) {
		if (text->s[i] < '0' || text->s[i] > '9')
			break;
		number = number * 10 + (uint64_t) (text->s[i] - '0');
	}
	return number;
}

bool
text_begins(const struct text *text, const char *prefix)
{
	const size_t n = strlen(prefix);

	return text->size >= n && !memcmp(text->s, prefix, n);
}

size_t
name_add(char name[NAME_SIZE], size_t size, const struct text *text)
{
	const size_t n = MIN(text->size, (size_t) NAME_SIZE - size);

	if (n)
		memcpy(name + size, text->s, n);
	return size + n;
}

size_t
name_add_string(char name[NAME_SIZE], size_t size, const char *string)
{
	const struct text text = { string, strlen(string) };

	return name_add(name, size, &text);
}

/* -- Flows ------------------------------------------------------------------------ */

void
subject_begin(struct subject *subject, const struct text *key)
{
	memset(&subject->notes, 0, sizeof subject->notes);
	text_copy(subject->key, sizeof subject->key, key);
}

size_t
subject_used(const struct flow *flow)
{
	const struct subject *subject = CONTAINER_OF(flow, const struct subject, flow);

	return offsetof(struct subject, notes) + notes_used(&subject->notes);
}

bool
subject_check(const struct flow *flow)
{
	const struct subject *subject = CONTAINER_OF(flow, const struct subject, flow);

	return memchr(subject->key, '\0', sizeof subject->key) && notes_check(&subject->notes);
}

const char *
subject_key(const struct flow *flow)
{
	return CONTAINER_OF(flow, const struct subject, flow)->key;
}

json_t *
subject_attributes(const struct flow *flow, const struct step *step, unsigned state)
{
	(void) step;
	(void) state;
	return notes_json(&CONTAINER_OF(flow, const struct subject, flow)->notes, true);
}
