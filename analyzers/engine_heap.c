/* SPDX-License-Identifier: MIT
 *
 * engine_heap.c -- entries of a host in order of a time: the next timer, and
 * who has been at rest for longest.  Equal times are ordered by analyzer and
 * key, so that the order does not depend on history. */
#include <stdlib.h>

#include "analyzers/engine_private.h"
#include "lib/util.h"

static bool
before(const struct heap *heap, const struct entry *a, const struct entry *b)
{
	const uint64_t x = a->time[heap->order], y = b->time[heap->order];

	return x != y ? x < y : entry_compare(a, b) < 0;
}

static void
place(struct heap *heap, struct entry *entry, size_t at)
{
	heap->entries[at - 1] = entry;
	entry->at[heap->order] = at;
}

/* Moves the entry up or down from 'at' until the order holds. */
static void
sift(struct heap *heap, struct entry *entry, size_t at)
{
	while (at > 1 && before(heap, entry, heap->entries[at / 2 - 1])) {
		place(heap, heap->entries[at / 2 - 1], at);
		at /= 2;
	}
	for (;;) {
		size_t child = 2 * at;

		if (child > heap->n)
			break;
		if (child < heap->n && before(heap, heap->entries[child], heap->entries[child - 1]))
			child++;
		if (!before(heap, heap->entries[child - 1], entry))
			break;
		place(heap, heap->entries[child - 1], at);
		at = child;
	}
	place(heap, entry, at);
}

static void
take_out(struct heap *heap, struct entry *entry)
{
	const size_t at = entry->at[heap->order];
	struct entry *last = heap->entries[--heap->n];

	entry->at[heap->order] = 0;
	if (last != entry)
		sift(heap, last, at);
}

void
heap_update(struct heap *heap, struct entry *entry, bool in)
{
	if (!in) {
		if (entry->at[heap->order])
			take_out(heap, entry);
		return;
	}
	if (!entry->at[heap->order]) {
		if (heap->n == heap->size) {
			heap->size = heap->size ? 2 * heap->size : 16;
			heap->entries = xrealloc(heap->entries, heap->size * sizeof *heap->entries);
		}
		entry->at[heap->order] = ++heap->n;
	}
	entry->time[heap->order] = heap->order == BY_DEADLINE ? entry->flow->deadline_ns
		: entry->flow->last_ns;
	sift(heap, entry, entry->at[heap->order]);
}

struct entry *
heap_first(const struct heap *heap)
{
	return heap->n ? heap->entries[0] : NULL;
}

void
heap_free(struct heap *heap)
{
	free(heap->entries);
	heap->entries = NULL;
	heap->n = heap->size = 0;
}
