/* SPDX-License-Identifier: MIT
 *
 * keyval.c -- QEMU's option syntax (keyval.h). */
#include "instrumentation/node/keyval.h"

#include <jansson.h>
#include <string.h>

enum { MAX_DEPTH = 8, MAX_KEY = 256 };

static void
add(struct keyval *keyval, const char *key, size_t key_size, const char *value, size_t value_size)
{
	if (keyval->n == KEYVAL_MAX) {
		keyval->whole = false;
		return;
	}
	keyval->pairs[keyval->n].key = (uint32_t) keyval->text.size;
	buf_add(&keyval->text, key, key_size);
	buf_add_char(&keyval->text, '\0');
	keyval->pairs[keyval->n++].value = (uint32_t) keyval->text.size;
	buf_add(&keyval->text, value, value_size);
	buf_add_char(&keyval->text, '\0');
}

static void
add_string(struct keyval *keyval, const char *key, const char *value)
{
	add(keyval, key, strlen(key), value, strlen(value));
}

/* -- JSON ----------------------------------------------------------------- */

static void flatten(struct keyval *keyval, const char *key, const json_t *json, int depth);

static void
flatten_member(struct keyval *keyval, const char *key, const char *name, const json_t *json, int depth)
{
	char path[MAX_KEY];
	int n = snprintf(path, sizeof path, "%s%s%s", key, *key ? "." : "", name);

	if (n < 0 || (size_t) n >= sizeof path)
		keyval->whole = false;
	else
		flatten(keyval, path, json, depth + 1);
}

static void
flatten(struct keyval *keyval, const char *key, const json_t *json, int depth)
{
	char number[32];
	const char *name;
	const json_t *member;
	size_t i;

	if (depth > MAX_DEPTH) {
		keyval->whole = false;
	} else if (json_is_object(json)) {
		json_object_foreach((json_t *) json, name, member)
			flatten_member(keyval, key, name, member, depth);
	} else if (json_is_array(json)) {
		json_array_foreach(json, i, member) {
			snprintf(number, sizeof number, "%zu", i);
			if (keyval->n < KEYVAL_MAX)
				flatten_member(keyval, key, number, member, depth);
		}
	} else if (json_is_string(json)) {
		add_string(keyval, key, json_string_value(json));
	} else if (json_is_integer(json)) {
		snprintf(number, sizeof number, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
		add_string(keyval, key, number);
	} else if (json_is_boolean(json)) {
		add_string(keyval, key, json_is_true(json) ? "on" : "off");
	}
}

static void
parse_json(struct keyval *keyval, const char *argument)
{
	json_t *json = json_loads(argument, 0, NULL);

	if (!json_is_object(json))
		keyval->whole = false;
	else
		flatten(keyval, "", json, 0);
	json_decref(json);
}

/* -- key=value,... -------------------------------------------------------- */

/* The end of a value, and the value itself with ",," as one comma. */
static const char *
take_value(struct buf *value, const char *p)
{
	buf_clear(value);
	buf_add_string(value, "");
	for (; *p; p++) {
		if (*p == ',' && *++p != ',')
			return p;
		buf_add_char(value, *p);
	}
	return p;
}

static void
parse_pairs(struct keyval *keyval, const char *p, const char *implied)
{
	_cleanup_(buf_done) struct buf value = { 0 };

	for (bool first = true; *p && keyval->whole; first = false) {
		size_t n = strcspn(p, "=,");
		const char *key = p;

		if (p[n] == '=') {
			p = take_value(&value, p + n + 1);
			add(keyval, key, n, value.data, value.size);
			continue;
		}
		p = take_value(&value, p);
		if (first && implied)
			add(keyval, implied, strlen(implied), value.data, value.size);
		else
			add(keyval, value.data, value.size, "on", 2);
	}
}

/* ------------------------------------------------------------------------- */

void
keyval_parse(struct keyval *keyval, const char *argument, const char *implied)
{
	buf_clear(&keyval->text);
	keyval->n = 0;
	keyval->whole = true;
	if (*argument == '{')
		parse_json(keyval, argument);
	else
		parse_pairs(keyval, argument, implied);
}

const char *
keyval_get(const struct keyval *keyval, const char *key)
{
	for (unsigned i = keyval->n; i-- > 0; )
		if (streq(keyval->text.data + keyval->pairs[i].key, key))
			return keyval->text.data + keyval->pairs[i].value;
	return NULL;
}

bool
keyval_is_on(const struct keyval *keyval, const char *key)
{
	const char *value = keyval_get(keyval, key);

	return value && (streq(value, "on") || streq(value, "true") || streq(value, "yes"));
}

void
keyval_done(struct keyval *keyval)
{
	buf_done(&keyval->text);
	keyval->n = 0;
}
