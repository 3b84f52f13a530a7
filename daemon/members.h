/* SPDX-License-Identifier: MIT
 *
 * members.h -- members of answers and records, which may be absent or null. */
#ifndef DAEMON_MEMBERS_H
#define DAEMON_MEMBERS_H

#include <jansson.h>
#include <stdint.h>

/* A time, duration or count; 0 for none, and for what is negative. */
static inline uint64_t
number_of(const json_t *object, const char *name)
{
	const json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t) value : 0;
}

/* A text, borrowed, or NULL. */
static inline const char *
text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* The same, NULL for an empty one too. */
static inline const char *
known_text_of(const json_t *object, const char *name)
{
	const char *text = text_of(object, name);

	return text && *text ? text : NULL;
}

/* What 'from' (or NULL) has as 'member', or null. */
static inline void
copy_member(json_t *object, const char *name, const json_t *from, const char *member)
{
	json_t *value = json_object_get(from, member);

	if (value)
		json_object_set(object, name, value);
	else
		json_object_set_new(object, name, json_null());
}

#endif /* members.h */
