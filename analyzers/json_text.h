/* SPDX-License-Identifier: MIT
 *
 * json_text.h -- walks over JSON text where it lies, without building a tree.
 *
 * Nothing is allocated and nothing is changed.  The text may be anything: what
 * is no JSON ends the walk.  It is not checked more than needed to find where
 * values end; who needs a value looks at its type. */
#ifndef ANALYZERS_JSON_TEXT_H
#define ANALYZERS_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

enum json_kind {
	JSON_NONE = 0,      /* There is no such value. */
	JSON_TEXT,          /* 's' is what stands between the quotes, escaped. */
	JSON_NUMBER,
	JSON_WORD,          /* true, false, null */
	JSON_LIST,          /* 's' with its brackets */
	JSON_MEMBERS,       /* An object, with its braces. */
};

struct json_value {
	enum json_kind kind;
	bool escaped;       /* A text with a backslash in it. */
	const char *s;
	size_t size;
};

/* Where a walk over the members of an object or the elements of a list is. */
struct json_walk {
	const char *at, *end;
};

/* Deeper values are no JSON to us. */
enum { JSON_MAX_DEPTH = 64 };

/* The value at the beginning of the text; JSON_NONE when there is none. */
struct json_value json_parse(const char *s, size_t size);
/* Begins a walk over an object or a list; over nothing for other values. */
struct json_walk json_begin(const struct json_value *value);
/* The next member of an object: false at its end or where it is no JSON. */
bool json_next_member(struct json_walk *walk, struct json_value *name, struct json_value *value);
bool json_next(struct json_walk *walk, struct json_value *value);
/* The member at the end of a path such as "payload.nova_object.data/uuid": names
 * are parted by '/'. */
struct json_value json_at(const struct json_value *object, const char *path);
bool json_is_nothing(const struct json_value *value);

/* Writes the text that a JSON_TEXT stands for, at most 'size' bytes of it, cut at
 * a border of UTF-8; returns how many.  Surrogates that stand alone and NUL
 * become U+FFFD. */
size_t json_unescape(const struct json_value *value, char *to, size_t size);

#endif /* json_text.h */
