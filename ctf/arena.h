/* SPDX-License-Identifier: MIT
 *
 * arena.h -- memory that lives as long as a trace: its types, names and
 * classes.  Bounded, since metadata decides how much of it is used. */
#ifndef CTF_ARENA_H
#define CTF_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks;
	size_t total;            /* Bytes of all blocks. */
	size_t limit;
};

/* Zeroed memory; NULL beyond the limit. */
void *arena_alloc(struct arena *arena, size_t size);
char *arena_strndup(struct arena *arena, const char *string, size_t length);
void arena_done(struct arena *arena);

#endif /* arena.h */
