/* SPDX-License-Identifier: MIT */
#include "analyzers/oslo_record.h"

#include <string.h>

#include "lib/util.h"

/* Members of a record, and where oslo.log's JSONFormatter has them. */
static const struct {
	const char *name;
	enum record_member member;
	unsigned char length;
} members[] = {
#define MEMBER(NAME, MEMBER) { NAME, MEMBER, sizeof NAME - 1 }
	MEMBER("service", RECORD_SERVICE),
	MEMBER("host", RECORD_HOST),
	MEMBER("hostname", RECORD_HOST),
	MEMBER("pid", RECORD_PID),
	MEMBER("process", RECORD_PID),
	MEMBER("gt", RECORD_THREAD),
	MEMBER("thread", RECORD_THREAD),
	MEMBER("level", RECORD_LEVEL),
	MEMBER("levelname", RECORD_LEVEL),
	MEMBER("request_id", RECORD_REQUEST_ID),
	MEMBER("global_request_id", RECORD_GLOBAL_REQUEST_ID),
	MEMBER("user", RECORD_USER),
	MEMBER("user_id", RECORD_USER),
	MEMBER("project", RECORD_PROJECT),
	MEMBER("project_id", RECORD_PROJECT),
	MEMBER("tenant", RECORD_PROJECT),
	MEMBER("instance", RECORD_INSTANCE),
	MEMBER("instance_uuid", RECORD_INSTANCE),
	MEMBER("resource", RECORD_RESOURCE),
	MEMBER("message", RECORD_MESSAGE),
	MEMBER("fmt", RECORD_FORMAT),
	MEMBER("msg", RECORD_FORMAT),
	MEMBER("args", RECORD_ARGUMENTS),
	MEMBER("exc", RECORD_EXCEPTION),
	MEMBER("exc_text", RECORD_EXCEPTION_TEXT),
	MEMBER("error_summary", RECORD_EXCEPTION_TEXT),
	MEMBER("notification", RECORD_NOTIFICATION),
#undef MEMBER
};

static int
find_member(const struct json_value *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (members[i].length == name->size && members[i].name[0] == *name->s &&
		    !memcmp(members[i].name, name->s, name->size))
			return (int) members[i].member;
	return -1;
}

static bool
is(const struct json_value *name, const char *wanted)
{
	return strlen(wanted) == name->size && !memcmp(name->s, wanted, name->size);
}

/* Notes the members of an object; those of "context" and "extra", which
 * JSONFormatter has inside, with them.  The first of a kind counts. */
static void
note_members(struct record *record, const struct json_value *object, bool inner)
{
	struct json_walk walk = json_begin(object);
	struct json_value name, value;

	while (json_next_member(&walk, &name, &value)) {
		int member;

		if (value.kind == JSON_MEMBERS && !inner &&
		    (is(&name, "context") || is(&name, "extra"))) {
			note_members(record, &value, true);
			continue;
		}
		member = name.size ? find_member(&name) : -1;
		if (member >= 0 && !record->members[member].kind && !json_is_nothing(&value))
			record->members[member] = value;
	}
}

static struct json_value
plain(const char *s, size_t size)
{
	return (struct json_value) { .kind = size ? JSON_TEXT : JSON_NONE, .s = s, .size = size };
}

static bool
begins(const char *s, size_t size, const char *with)
{
	return size >= strlen(with) && !memcmp(s, with, strlen(with));
}

/* What oslo.log's format strings put before the message of a plain line:
 * "[None req-ID USER PROJECT - - -] [instance: UUID] ", either may be missing. */
static void
read_plain(struct record *record, const struct text *line)
{
	const char *s = line->s, *const end = line->s + line->size;

	while (s < end && *s == '[') {
		const char *close = memchr(s, ']', (size_t) (end - s));
		const char *at = s + 1;

		if (!close)
			break;
		if (begins(at, (size_t) (close - at), "instance: ")) {
			record->members[RECORD_INSTANCE] = plain(at + 10, (size_t) (close - at - 10));
		} else {
			if (begins(at, (size_t) (close - at), "None "))
				at += 5;
			if (!begins(at, (size_t) (close - at), "req-") && *at != '-')
				break;
			if (*at == 'r') {
				const char *space = memchr(at, ' ', (size_t) (close - at));

				record->members[RECORD_REQUEST_ID] =
					plain(at, (size_t) ((space ? space : close) - at));
			}
		}
		s = close + 1;
		while (s < end && *s == ' ')
			s++;
	}
	record->members[RECORD_MESSAGE] = plain(s, (size_t) (end - s));
}

static uint64_t
read_number(const struct json_value *value)
{
	uint64_t number = 0;

	if (value->kind != JSON_NUMBER || value->size > 18)
		return 0;
	for (size_t i = 0; i < value->size; i++) {
		if (value->s[i] < '0' || value->s[i] > '9')
			return 0;
		number = number * 10 + (uint64_t) (value->s[i] - '0');
	}
	return number;
}

/* An instance as an object has its uuid inside; as a text it may have more
 * around it. */
static void
settle_instance(struct record *record)
{
	struct json_value *instance = &record->members[RECORD_INSTANCE];
	const struct json_value *message = &record->members[RECORD_MESSAGE];
	static const char mark[] = "[instance: ";

	if (instance->kind == JSON_MEMBERS)
		*instance = json_at(instance, "uuid");
	if (instance->kind == JSON_TEXT && begins(instance->s, instance->size, mark) &&
	    instance->size >= sizeof mark - 1 + 36) {
		instance->s += sizeof mark - 1;
		instance->size = 36;
	}
	/* Formatted by oslo.log before it came to us. */
	if (message->kind == JSON_TEXT && begins(message->s, message->size, mark)) {
		const struct text line = { message->s, message->size };
		const bool escaped = message->escaped;

		if (!instance->kind)
			read_plain(record, &line);
		record->members[RECORD_MESSAGE].escaped = escaped;
	}
}

void
record_read(struct record *record, const struct text *message, struct scratch *scratch)
{
	struct json_value object;

	memset(record, 0, sizeof *record);
	record->scratch = scratch;
	scratch->used = 0;
	object = json_parse(message->s, message->size);
	/* A record that was cut has no closing brace: what is there counts. */
	if (!object.kind && message->size && *message->s == '{')
		object = (struct json_value) { .kind = JSON_MEMBERS, .s = message->s,
					       .size = message->size + 1 };
	if (object.kind == JSON_MEMBERS)
		note_members(record, &object, false);
	if (record->members[RECORD_MESSAGE].kind != JSON_TEXT &&
	    record->members[RECORD_NOTIFICATION].kind != JSON_MEMBERS)
		read_plain(record, message);
	settle_instance(record);
	record->pid = read_number(&record->members[RECORD_PID]);
}

struct text
scratch_text(struct scratch *scratch, const struct json_value *value)
{
	struct text text = { value->s, value->size };

	if (json_is_nothing(value))
		return (struct text) { "", 0 };
	if (value->kind == JSON_TEXT && value->escaped) {
		text.s = scratch->bytes + scratch->used;
		text.size = json_unescape(value, scratch->bytes + scratch->used,
					  sizeof scratch->bytes - scratch->used);
		scratch->used += text.size;
	}
	return text;
}

struct text
record_text(struct record *record, enum record_member member)
{
	struct text *text = &record->texts[member];

	if (!text->s)
		*text = scratch_text(record->scratch, &record->members[member]);
	return *text;
}
