/* SPDX-License-Identifier: MIT
 *
 * store_json.c -- JSON as the store keeps it: compact, members in the order of
 * their names, so that equal values are equal text.  The same as json_dumps()
 * gives with JSON_COMPACT and JSON_SORT_KEYS; each fact goes through here. */
#include "daemon/store_internal.h"

#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"

enum { FEW_MEMBERS = 48, FIRST_BYTES = 1024 };

struct member {
	uint64_t begin;             /* First 8 bytes of the name, the first one highest. */
	const char *name;
	const json_t *value;
};

static void add_value(struct buf *buf, const json_t *value);

static void
add_integer(struct buf *buf, json_int_t value)
{
	char digits[24], *at = digits + sizeof digits;
	uint64_t left = value < 0 ? -(uint64_t) value : (uint64_t) value;

	do
		*--at = (char) ('0' + left % 10);
	while (left /= 10);
	if (value < 0)
		*--at = '-';
	buf_add(buf, at, (size_t) (digits + sizeof digits - at));
}

static void
add_escaped(struct buf *buf, unsigned char c)
{
	static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
	const char *found = c ? strchr(from, c) : NULL;

	if (found)
		buf_printf(buf, "\\%c", to[found - from]);
	else
		buf_printf(buf, "\\u%04X", c);
}

/* The text is valid UTF-8: JSON values hold no other. */
static void
add_string(struct buf *buf, const char *text, size_t size)
{
	size_t from = 0;

	buf_add_char(buf, '"');
	for (size_t i = 0; i < size; i++) {
		unsigned char c = (unsigned char) text[i];

		if (c >= ' ' && c != '"' && c != '\\')
			continue;
		buf_add(buf, text + from, i - from);
		add_escaped(buf, c);
		from = i + 1;
	}
	buf_add(buf, text + from, size - from);
	buf_add_char(buf, '"');
}

static uint64_t
begin_of(const char *name)
{
	uint64_t begin = 0;
	int i = 0;

	for (; i < 8 && name[i]; i++)
		begin = begin << 8 | (unsigned char) name[i];
	return i && i < 8 ? begin << (8 * (8 - i)) : begin;
}

static int
compare(const struct member *a, const struct member *b)
{
	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	return strcmp(a->name, b->name);
}

static int
compare_members(const void *a, const void *b)
{
	return compare(a, b);
}

/* Most objects have few members. */
static void
sort_members(struct member *members, size_t n)
{
	if (n > FEW_MEMBERS) {
		qsort(members, n, sizeof *members, compare_members);
		return;
	}
	for (size_t i = 1; i < n; i++) {
		const struct member member = members[i];
		size_t at = i;

		for (; at && compare(&member, &members[at - 1]) < 0; at--)
			members[at] = members[at - 1];
		members[at] = member;
	}
}

static void
add_object(struct buf *buf, const json_t *value)
{
	json_t *object = (json_t *) (uintptr_t) value;
	struct member few[FEW_MEMBERS], *members = few;
	size_t size = json_object_size(object), n = 0;

	if (size > FEW_MEMBERS)
		members = xcalloc(size, sizeof *members);
	for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
		const char *name = json_object_iter_key(at);

		members[n++] = (struct member) { begin_of(name), name, json_object_iter_value(at) };
	}
	sort_members(members, n);
	buf_add_char(buf, '{');
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_add_char(buf, ',');
		add_string(buf, members[i].name, strlen(members[i].name));
		buf_add_char(buf, ':');
		add_value(buf, members[i].value);
	}
	buf_add_char(buf, '}');
	if (members != few)
		free(members);
}

static void
add_array(struct buf *buf, const json_t *array)
{
	buf_add_char(buf, '[');
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i)
			buf_add_char(buf, ',');
		add_value(buf, json_array_get(array, i));
	}
	buf_add_char(buf, ']');
}

static void
add_real(struct buf *buf, const json_t *value)
{
	char *text = json_dumps(value, JSON_ENCODE_ANY);

	buf_add_string(buf, text ? text : "null");
	free(text);
}

static void
add_value(struct buf *buf, const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT: add_object(buf, value); break;
	case JSON_ARRAY: add_array(buf, value); break;
	case JSON_STRING:
		add_string(buf, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER: add_integer(buf, json_integer_value(value)); break;
	case JSON_REAL: add_real(buf, value); break;
	case JSON_TRUE: buf_add_string(buf, "true"); break;
	case JSON_FALSE: buf_add_string(buf, "false"); break;
	case JSON_NULL: buf_add_string(buf, "null"); break;
	}
}

char *
store_text(const json_t *json)
{
	struct buf buf = { 0 };

	if (!json)
		return NULL;
	buf_reserve(&buf, FIRST_BYTES);
	add_value(&buf, json);
	return buf.data;
}
