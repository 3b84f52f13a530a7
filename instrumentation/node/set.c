/* SPDX-License-Identifier: MIT
 *
 * set.c -- what was told already (set.h). */
#include "instrumentation/node/set.h"

#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

struct node_counters node_counters;

static char *
at(const struct set *set, unsigned i)
{
	return set->items + i * set->kind->size;
}

/* Where the key is, or would be. */
static unsigned
position(const struct set *set, const void *key, bool *ret_found)
{
	unsigned low = 0, high = set->n;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		int order = memcmp(at(set, middle), key, set->kind->key_size);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_found = false;
	return low;
}

static void
insert(struct set *set, unsigned i, const void *item)
{
	if (set->n == set->capacity) {
		set->capacity = MAX(4u, set->capacity * 2);
		set->items = xrealloc(set->items, set->capacity * set->kind->size);
		set->generations = xrealloc(set->generations,
					    set->capacity * sizeof *set->generations);
	}
	memmove(at(set, i + 1), at(set, i), (set->n - i) * set->kind->size);
	memmove(set->generations + i + 1, set->generations + i,
		(set->n - i) * sizeof *set->generations);
	memcpy(at(set, i), item, set->kind->size);
	set->n++;
}

bool
set_put(struct set *set, const void *item)
{
	bool found;
	unsigned i = position(set, item, &found);

	if (found && !memcmp(at(set, i), item, set->kind->size)) {
		set->generations[i] = set->generation;
		return true;
	}
	if (!found && set->n >= set->kind->max) {
		node_counters.left_out++;
		return false;
	}
	if (found)
		memcpy(at(set, i), item, set->kind->size);
	else
		insert(set, i, item);
	set->generations[i] = set->generation;
	set->kind->emit(found ? "change" : "new", at(set, i));
	return true;
}

const void *
set_find(const struct set *set, const void *key)
{
	bool found;
	unsigned i = position(set, key, &found);

	return found ? at(set, i) : NULL;
}

const void *
set_item(const struct set *set, unsigned i)
{
	return at(set, i);
}

bool
set_is_fresh(const struct set *set, unsigned i)
{
	return set->generations[i] == set->generation;
}

void
set_remove(struct set *set, unsigned i)
{
	set->kind->emit("gone", at(set, i));
	set->n--;
	memmove(at(set, i), at(set, i + 1), (set->n - i) * set->kind->size);
	memmove(set->generations + i, set->generations + i + 1,
		(set->n - i) * sizeof *set->generations);
}

void
set_sweep(struct set *set)
{
	for (unsigned i = set->n; i-- > 0; )
		if (!set_is_fresh(set, i))
			set_remove(set, i);
	set->generation++;
}

void
set_done(struct set *set, bool tell)
{
	for (unsigned i = 0; tell && i < set->n; i++)
		set->kind->emit("gone", at(set, i));
	free(set->items);
	free(set->generations);
	*set = (struct set) { .kind = set->kind };
}

void
set_dump(const struct set *set)
{
	for (unsigned i = 0; i < set->n; i++)
		set->kind->emit("dump", at(set, i));
}
