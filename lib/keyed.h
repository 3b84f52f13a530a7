/* SPDX-License-Identifier: MIT
 *
 * keyed.h -- records of one size, found by their first bytes (the key), up to
 * a limit: for tables that outsiders can grow.
 *
 * Records lie one after the other in the order in which they were made; a new
 * one may move them all.  Keys have no padding bytes that differ. */
#ifndef LIB_KEYED_H
#define LIB_KEYED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keyed {
	size_t size, key_size;       /* Of a record; the key is its beginning. */
	uint32_t limit;              /* No more records than that. */
	uint32_t n, capacity;
	unsigned char *records;
	uint32_t *slots;             /* Hash to record + 1; a power of two of them. */
	uint32_t n_slots;
};

#define KEYED(TYPE, KEY_MEMBER, LIMIT) \
	((struct keyed) { .size = sizeof(TYPE), .key_size = sizeof(((TYPE *) 0)->KEY_MEMBER), \
			  .limit = (LIMIT) })

void keyed_done(struct keyed *keyed);
/* Forgets all records, keeping the memory. */
void keyed_clear(struct keyed *keyed);
/* NULL when there is none of that key. */
void *keyed_find(const struct keyed *keyed, const void *key);
/* Made, zero behind its key, when it is not there; NULL when the limit is reached. */
void *keyed_get(struct keyed *keyed, const void *key, bool *ret_is_new);
/* Forgets one; the last record takes its place. */
void keyed_remove(struct keyed *keyed, void *record);
/* In the order of their keys' bytes: what is the same then looks the same. */
void keyed_sort(struct keyed *keyed);

static inline void *
keyed_at(const struct keyed *keyed, uint32_t i)
{
	return keyed->records + i * keyed->size;
}

#endif /* keyed.h */
