/* SPDX-License-Identifier: MIT */
#include "lib/keyed.h"

#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

enum { FIRST_CAPACITY = 8 };

void
keyed_done(struct keyed *keyed)
{
	free(keyed->records);
	free(keyed->slots);
	keyed->records = NULL;
	keyed->slots = NULL;
	keyed->n = keyed->capacity = keyed->n_slots = 0;
}

void
keyed_clear(struct keyed *keyed)
{
	if (keyed->n)
		memset(keyed->slots, 0, keyed->n_slots * sizeof *keyed->slots);
	keyed->n = 0;
}

/* Multiplies and folds 8 bytes at a time; quality is needed for tables only. */
static uint32_t
hash_of(const unsigned char *key, size_t size)
{
	uint64_t hash = 0x9e3779b97f4a7c15u ^ size, word;
	__uint128_t product;

	while (size) {
		const size_t n = MIN(size, sizeof word);

		word = 0;
		memcpy(&word, key, n);
		product = (__uint128_t) (hash ^ word) * 0xa0761d6478bd642fu;
		hash = (uint64_t) product ^ (uint64_t) (product >> 64);
		key += n;
		size -= n;
	}
	return (uint32_t) (hash ^ hash >> 32);
}

static uint32_t *
slot_of(const struct keyed *keyed, const void *key)
{
	const uint32_t mask = keyed->n_slots - 1;
	uint32_t i = hash_of(key, keyed->key_size) & mask;

	while (keyed->slots[i] &&
	       memcmp(keyed_at(keyed, keyed->slots[i] - 1), key, keyed->key_size) != 0)
		i = (i + 1) & mask;
	return &keyed->slots[i];
}

static void
index_all(struct keyed *keyed)
{
	memset(keyed->slots, 0, keyed->n_slots * sizeof *keyed->slots);
	for (uint32_t i = 0; i < keyed->n; i++)
		*slot_of(keyed, keyed_at(keyed, i)) = i + 1;
}

static void
grow(struct keyed *keyed)
{
	const uint32_t capacity = keyed->capacity ? 2 * keyed->capacity : FIRST_CAPACITY;

	keyed->records = xrealloc(keyed->records, capacity * keyed->size);
	free(keyed->slots);
	keyed->n_slots = 2 * capacity;
	keyed->slots = xcalloc(keyed->n_slots, sizeof *keyed->slots);
	keyed->capacity = capacity;
	index_all(keyed);
}

void *
keyed_find(const struct keyed *keyed, const void *key)
{
	uint32_t slot;

	if (!keyed->n)
		return NULL;
	slot = *slot_of(keyed, key);
	return slot ? keyed_at(keyed, slot - 1) : NULL;
}

void *
keyed_get(struct keyed *keyed, const void *key, bool *ret_is_new)
{
	unsigned char *record = keyed_find(keyed, key);

	if (ret_is_new)
		*ret_is_new = !record;
	if (record)
		return record;
	if (keyed->n >= keyed->limit)
		return NULL;
	if (keyed->n == keyed->capacity)
		grow(keyed);
	record = keyed_at(keyed, keyed->n);
	memcpy(record, key, keyed->key_size);
	memset(record + keyed->key_size, 0, keyed->size - keyed->key_size);
	*slot_of(keyed, record) = ++keyed->n;
	return record;
}

/* Takes a slot out and moves those behind it up, which would not be found over
 * the gap. */
static void
free_slot(struct keyed *keyed, uint32_t *slot)
{
	const uint32_t mask = keyed->n_slots - 1;
	uint32_t gap = (uint32_t) (slot - keyed->slots);

	for (uint32_t i = (gap + 1) & mask; keyed->slots[i]; i = (i + 1) & mask) {
		const uint32_t home =
			hash_of(keyed_at(keyed, keyed->slots[i] - 1), keyed->key_size) & mask;

		if (((i - home) & mask) < ((i - gap) & mask))
			continue;
		keyed->slots[gap] = keyed->slots[i];
		gap = i;
	}
	keyed->slots[gap] = 0;
}

void
keyed_remove(struct keyed *keyed, void *record)
{
	const void *last = keyed_at(keyed, keyed->n - 1);
	uint32_t *slot = slot_of(keyed, record);
	const uint32_t place = *slot;

	free_slot(keyed, slot);
	if (last != record) {
		*slot_of(keyed, last) = place;
		memcpy(record, last, keyed->size);
	}
	keyed->n--;
}

static int
compare(const void *a, const void *b, void *key_size)
{
	return memcmp(a, b, *(size_t *) key_size);
}

void
keyed_sort(struct keyed *keyed)
{
	if (keyed->n < 2)
		return;
	qsort_r(keyed->records, keyed->n, keyed->size, compare, &keyed->key_size);
	index_all(keyed);
}
