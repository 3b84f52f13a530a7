/* SPDX-License-Identifier: MIT */
#include "daemon/config_keys.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/util.h"

const struct key *
key_find(const struct key *keys, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (streq(keys[i].name, name))
			return &keys[i];
	return NULL;
}

static void *
member(const struct key *key, const void *object)
{
	return (char *) (uintptr_t) object + key->offset;
}

static bool
is_string(const struct key *key)
{
	return key_type(key) == KEY_STRING || key_type(key) == KEY_CHOICE;
}

/* "1.5s", "64K", "7": as people write it. */
static void
format_number(const struct key *key, uint64_t number, char *ret, size_t size)
{
	if (key_type(key) == KEY_DURATION)
		format_duration(number, ret, size);
	else if (key_type(key) == KEY_SIZE)
		format_bytes(number, ret, size);
	else
		snprintf(ret, size, "%" PRIu64, number);
}

static int
set_number(const struct key *key, void *object, const char *value, struct error *error)
{
	static const char *const examples[] = {
		[KEY_DURATION] = "a duration such as 500ms, 2s, 1h, 30d",
		[KEY_SIZE] = "a size such as 512K, 8MiB",
		[KEY_NUMBER] = "a number",
	};
	uint64_t number;
	int r = key_type(key) == KEY_DURATION ? parse_duration(value, &number) :
		key_type(key) == KEY_SIZE ? parse_size(value, &number) : parse_u64(value, &number);

	if (r < 0)
		return error_set(error, -r, "%s: '%s' is not %s", key->name, value, examples[key_type(key)]);
	if (number < key->min || number > key->max) {
		char low[32], high[32];

		format_number(key, key->min, low, sizeof low);
		format_number(key, key->max, high, sizeof high);
		return error_set(error, ERANGE, "%s: '%s' is out of range (%s to %s)", key->name, value,
				 low, high);
	}
	*(uint64_t *) member(key, object) = number;
	return 0;
}

/* Whether 'value' is one of "a|b|c". */
static bool
is_choice(const char *choices, const char *value)
{
	size_t n = strlen(value);

	for (const char *c = choices; c; c = strchr(c, '|') ? strchr(c, '|') + 1 : NULL)
		if (n && !strncmp(c, value, n) && (c[n] == '|' || !c[n]))
			return true;
	return false;
}

int
key_set(const struct key *key, void *object, const char *value, struct error *error)
{
	char **string;

	if (!is_string(key))
		return set_number(key, object, value, error);
	if (key_type(key) == KEY_CHOICE && !is_choice(key->choices, value))
		return error_set(error, EINVAL, "%s: '%s' is not one of %s", key->name, value,
				 key->choices);
	string = member(key, object);
	free(*string);
	*string = xstrdup(value);
	return 0;
}

void
key_set_defaults(const struct key *keys, size_t n, void *object)
{
	for (size_t i = 0; i < n; i++)
		if (keys[i].by_default && key_set(&keys[i], object, keys[i].by_default, NULL) < 0)
			abort();
}

void
key_done(const struct key *keys, size_t n, void *object)
{
	for (size_t i = 0; i < n; i++)
		if (is_string(&keys[i])) {
			char **string = member(&keys[i], object);

			free(*string);
			*string = NULL;
		}
}

void
key_copy(const struct key *key, void *to, const void *from)
{
	if (is_string(key)) {
		char **string = member(key, to);

		free(*string);
		*string = xstrdup(*(char **) member(key, from));
	} else {
		*(uint64_t *) member(key, to) = *(uint64_t *) member(key, from);
	}
}

bool
key_is_same(const struct key *key, const void *a, const void *b)
{
	const char *x, *y;

	if (!is_string(key))
		return *(uint64_t *) member(key, a) == *(uint64_t *) member(key, b);
	x = *(char **) member(key, a);
	y = *(char **) member(key, b);
	return x && y ? streq(x, y) : x == y;
}

void
key_print(const struct key *key, const void *object, FILE *file)
{
	uint64_t number;

	if (is_string(key)) {
		const char *value = *(char **) member(key, object);

		fprintf(file, "%s = %s\n", key->name, value ? value : "");
		return;
	}
	number = *(uint64_t *) member(key, object);
	if (key_type(key) == KEY_DURATION && number % NS_PER_S == 0)
		fprintf(file, "%s = %" PRIu64 "s\n", key->name, number / NS_PER_S);
	else if (key_type(key) == KEY_DURATION)
		fprintf(file, "%s = %" PRIu64 "ns\n", key->name, number);
	else if (key_type(key) == KEY_SIZE && number % 1024 == 0)
		fprintf(file, "%s = %" PRIu64 "K\n", key->name, number / 1024);
	else
		fprintf(file, "%s = %" PRIu64 "\n", key->name, number);
}

void
key_print_doc(const struct key *key, FILE *file)
{
	fprintf(file, "# %s", key->doc);
	if (key->choices)
		fprintf(file, " (%s)", key->choices);
	if (key->by_default && *key->by_default)
		fprintf(file, "; default %s", key->by_default);
	fputc('\n', file);
}

/* Text whose first letter is a capital one; a line must not begin with a dot. */
static void
print_sentence(const char *text, FILE *file)
{
	fprintf(file, "%c%s", toupper((unsigned char) *text), text + 1);
}

void
key_print_manual(const struct key *key, FILE *file)
{
	char low[32], high[32];

	fprintf(file, ".It Cm %s\n", key->name);
	print_sentence(key->doc, file);
	if (key->choices)
		fprintf(file, " (%s)", key->choices);
	fputs(".\n", file);
	if (key->max && !is_string(key)) {
		format_number(key, key->min, low, sizeof low);
		format_number(key, key->max, high, sizeof high);
		fprintf(file, "From %s to %s.\n", low, high);
	}
	if (key->by_default && *key->by_default)
		fprintf(file, "Default: %s.\n", key->by_default);
	if (key->type & KEY_RELOAD)
		fputs("Taken over by SIGHUP.\n", file);
}
