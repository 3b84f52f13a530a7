/* SPDX-License-Identifier: MIT
 *
 * config_keys.h -- tables of keys: what a key is called, where its value goes,
 * its default, unit, range and meaning.  Checking, printing and the manual all
 * follow from the table. */
#ifndef DAEMON_CONFIG_KEYS_H
#define DAEMON_CONFIG_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/error.h"

enum key_type { KEY_STRING, KEY_LIST, KEY_DURATION, KEY_SIZE, KEY_NUMBER, KEY_CHOICE };
enum { KEY_RELOAD = 16 };         /* Added to a type: SIGHUP takes a new value over. */

struct key {
	const char *name;
	unsigned type;            /* enum key_type, and KEY_RELOAD */
	size_t offset;            /* Of a char * or a uint64_t, in the struct of the table. */
	const char *by_default;   /* NULL: none. */
	const char *doc;
	uint64_t min, max;        /* Of numbers, in ns and bytes. */
	const char *choices;      /* "a|b" */
};

static inline enum key_type
key_type(const struct key *key)
{
	return (enum key_type) (key->type & ~(unsigned) KEY_RELOAD);
}

/* NULL when there is none of that name. */
const struct key *key_find(const struct key *keys, size_t n, const char *name);
/* Sets the member of 'object'; not for KEY_LIST.  -EINVAL or -ERANGE with a text
 * that says what would be right. */
int key_set(const struct key *key, void *object, const char *value, struct error *error);
/* All defaults of a table; the object is all zero before. */
void key_set_defaults(const struct key *keys, size_t n, void *object);
/* Frees the strings. */
void key_done(const struct key *keys, size_t n, void *object);
void key_copy(const struct key *key, void *to, const void *from);
/* Whether both objects have the same value. */
bool key_is_same(const struct key *key, const void *a, const void *b);
/* "name = value", as it can be read again. */
void key_print(const struct key *key, const void *object, FILE *file);
/* "# meaning (choices); default ..." */
void key_print_doc(const struct key *key, FILE *file);
/* An item of a list in the manual, as mdoc(7). */
void key_print_manual(const struct key *key, FILE *file);

#endif /* config_keys.h */
