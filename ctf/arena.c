/* SPDX-License-Identifier: MIT */
#include "ctf/arena.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

enum { BLOCK_BYTES = 64 << 10 };

struct arena_block {
	struct arena_block *next;
	size_t used, size;
	alignas(max_align_t) unsigned char bytes[];
};

void *
arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->blocks;
	void *found;

	if (size > arena->limit)
		return NULL;
	size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
	if (!block || block->size - block->used < size) {
		size_t bytes = MAX(size, (size_t) BLOCK_BYTES);

		if (bytes > arena->limit - MIN(arena->limit, arena->total))
			return NULL;
		block = calloc(1, sizeof *block + bytes);
		if (!block)
			return NULL;
		block->size = bytes;
		block->next = arena->blocks;
		arena->blocks = block;
		arena->total += bytes;
	}
	found = block->bytes + block->used;
	block->used += size;
	return found;
}

char *
arena_strndup(struct arena *arena, const char *string, size_t length)
{
	char *copy = arena_alloc(arena, length + 1);

	if (copy && length)
		memcpy(copy, string, length);
	return copy;
}

void
arena_done(struct arena *arena)
{
	while (arena->blocks) {
		struct arena_block *next = arena->blocks->next;

		free(arena->blocks);
		arena->blocks = next;
	}
	arena->total = 0;
}
