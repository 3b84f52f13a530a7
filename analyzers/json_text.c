/* SPDX-License-Identifier: MIT */
#include "analyzers/json_text.h"

#include <stdint.h>
#include <string.h>

static const char *
skip_space(const char *at, const char *end)
{
	while (at < end && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
		at++;
	return at;
}

/* The closing quote of a string whose first byte is at 'at', or NULL. */
static const char *
find_quote(const char *at, const char *end, bool *ret_escaped)
{
	const char *const from = at;

	for (;;) {
		const char *quote = memchr(at, '"', (size_t) (end - at));
		const char *back;

		if (!quote)
			return NULL;
		for (back = quote; back > from && back[-1] == '\\'; back--)
			;
		if ((quote - back) % 2 == 0) {
			*ret_escaped = memchr(from, '\\', (size_t) (quote - from)) != NULL;
			return quote;
		}
		at = quote + 1;
	}
}

/* Behind the object or list at 'at', or NULL. */
static const char *
skip_nested(const char *at, const char *end)
{
	unsigned depth = 0;
	bool escaped;

	for (; at < end; at++) {
		switch (*at) {
		case '"':
			at = find_quote(at + 1, end, &escaped);
			if (!at)
				return NULL;
			break;
		case '{': case '[':
			if (++depth > JSON_MAX_DEPTH)
				return NULL;
			break;
		case '}': case ']':
			if (--depth == 0)
				return at + 1;
			break;
		default:
			break;
		}
	}
	return NULL;
}

/* Reads the value at 'at'; returns what is behind it, or NULL. */
static const char *
read_value(const char *at, const char *end, struct json_value *ret)
{
	const char *to = at;

	*ret = (struct json_value) { .kind = JSON_NONE };
	if (at == end)
		return NULL;
	if (*at == '"') {
		to = find_quote(at + 1, end, &ret->escaped);
		if (!to)
			return NULL;
		ret->kind = JSON_TEXT;
		ret->s = at + 1;
		ret->size = (size_t) (to - at - 1);
		return to + 1;
	}
	if (*at == '{' || *at == '[') {
		to = skip_nested(at, end);
		if (!to)
			return NULL;
		ret->kind = *at == '{' ? JSON_MEMBERS : JSON_LIST;
	} else {
		while (to < end && *to != ',' && *to != '}' && *to != ']' && *to > ' ')
			to++;
		if (to == at)
			return NULL;
		ret->kind = *at == '-' || (*at >= '0' && *at <= '9') ? JSON_NUMBER : JSON_WORD;
	}
	ret->s = at;
	ret->size = (size_t) (to - at);
	return to;
}

struct json_value
json_parse(const char *s, size_t size)
{
	struct json_value value = { .kind = JSON_NONE };

	if (size && !read_value(skip_space(s, s + size), s + size, &value))
		value.kind = JSON_NONE;
	return value;
}

struct json_walk
json_begin(const struct json_value *value)
{
	if (value->kind != JSON_MEMBERS && value->kind != JSON_LIST)
		return (struct json_walk) { NULL, NULL };
	return (struct json_walk) { value->s + 1, value->s + value->size - 1 };
}

/* Past the comma that may stand behind a value. */
static const char *
skip_comma(const char *at, const char *end)
{
	at = skip_space(at, end);
	return at < end && *at == ',' ? at + 1 : at;
}

bool
json_next(struct json_walk *walk, struct json_value *value)
{
	const char *at;

	if (walk->at == walk->end)
		return false;
	at = read_value(skip_space(walk->at, walk->end), walk->end, value);
	walk->at = at ? skip_comma(at, walk->end) : walk->end;
	return at != NULL;
}

bool
json_next_member(struct json_walk *walk, struct json_value *name, struct json_value *value)
{
	const char *const end = walk->end;
	const char *at;

	if (walk->at == end)
		return false;
	at = read_value(skip_space(walk->at, end), end, name);
	walk->at = end;
	if (!at || name->kind != JSON_TEXT)
		return false;
	at = skip_space(at, end);
	if (at == end || *at != ':')
		return false;
	at = read_value(skip_space(at + 1, end), end, value);
	if (!at)
		return false;
	walk->at = skip_comma(at, end);
	return true;
}

struct json_value
json_at(const struct json_value *object, const char *path)
{
	struct json_value at = *object, name, value;

	for (;;) {
		const size_t length = strcspn(path, "/");
		struct json_walk walk = json_begin(&at);
		bool found = false;

		if (at.kind != JSON_MEMBERS)
			return (struct json_value) { .kind = JSON_NONE };
		while (!found && json_next_member(&walk, &name, &value))
			found = name.size == length && !memcmp(name.s, path, length);
		if (!found)
			return (struct json_value) { .kind = JSON_NONE };
		if (!path[length])
			return value;
		at = value;
		path += length + 1;
	}
}

bool
json_is_nothing(const struct json_value *value)
{
	return value->kind == JSON_NONE || (value->kind == JSON_WORD && *value->s == 'n');
}

/* -- Escapes --------------------------------------------------------------- */

/* The four hexadecimal digits at 'at', or -1. */
static int32_t
read_hex(const char *at, const char *end)
{
	int32_t code = 0;

	if (end - at < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		const char c = at[i];
		const int digit = c >= '0' && c <= '9' ? c - '0'
			: c >= 'a' && c <= 'f' ? c - 'a' + 10
			: c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (digit < 0)
			return -1;
		code = code * 16 + digit;
	}
	return code;
}

/* What a \u at 'at' (behind the u) stands for; moves 'at' behind it. */
static uint32_t
read_code(const char **at, const char *end)
{
	const int32_t high = read_hex(*at, end);
	int32_t low;

	if (high < 0)
		return 0xfffd;
	*at += 4;
	if (high == 0 || (high >= 0xdc00 && high <= 0xdfff))
		return 0xfffd;
	if (high < 0xd800 || high > 0xdbff)
		return (uint32_t) high;
	if (end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u')
		return 0xfffd;
	low = read_hex(*at + 2, end);
	if (low < 0xdc00 || low > 0xdfff)
		return 0xfffd;
	*at += 6;
	return 0x10000 + (((uint32_t) high - 0xd800) << 10) + ((uint32_t) low - 0xdc00);
}

static size_t
write_utf8(uint32_t code, char to[4])
{
	if (code < 0x80) {
		to[0] = (char) code;
		return 1;
	}
	if (code < 0x800) {
		to[0] = (char) (0xc0 | code >> 6);
		to[1] = (char) (0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000) {
		to[0] = (char) (0xe0 | code >> 12);
		to[1] = (char) (0x80 | (code >> 6 & 0x3f));
		to[2] = (char) (0x80 | (code & 0x3f));
		return 3;
	}
	to[0] = (char) (0xf0 | code >> 18);
	to[1] = (char) (0x80 | (code >> 12 & 0x3f));
	to[2] = (char) (0x80 | (code >> 6 & 0x3f));
	to[3] = (char) (0x80 | (code & 0x3f));
	return 4;
}

/* What the escape at 'at' (behind the backslash) stands for. */
static uint32_t
read_escape(const char **at, const char *end)
{
	static const char names[] = "bfnrt", codes[] = "\b\f\n\r\t";
	const char c = *(*at)++;
	const char *name = memchr(names, c, sizeof names - 1);

	if (c == 'u')
		return read_code(at, end);
	return (unsigned char) (name ? codes[name - names] : c);
}

/* Fewer bytes, so that no character is cut. */
static size_t
cut(const char *s, size_t size)
{
	size_t start = size;

	while (start && size - start < 4 && ((unsigned char) s[start - 1] & 0xc0) == 0x80)
		start--;
	if (start && (unsigned char) s[start - 1] >= 0xc0) {
		const unsigned char lead = (unsigned char) s[start - 1];
		const size_t need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;

		if (size - start + 1 < need)
			return start - 1;
	}
	return size;
}

size_t
json_unescape(const struct json_value *value, char *to, size_t size)
{
	const char *at = value->s, *const end = value->s + value->size;
	size_t n = 0;

	while (at < end) {
		const char *escape = value->escaped ? memchr(at, '\\', (size_t) (end - at)) : NULL;
		const size_t plain = (size_t) ((escape ? escape : end) - at);
		char code[4];
		size_t length;

		if (plain > size - n) {
			memcpy(to + n, at, size - n);
			return cut(to, size);
		}
		memcpy(to + n, at, plain);
		n += plain;
		if (!escape || escape + 1 == end)
			break;
		at = escape + 1;
		length = write_utf8(read_escape(&at, end), code);
		if (length > size - n)
			break;
		memcpy(to + n, code, length);
		n += length;
	}
	return n;
}
