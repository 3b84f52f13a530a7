/* SPDX-License-Identifier: MIT */
#include "analyzers/facts.h"

#include <string.h>
#include <xxhash.h>

void
fact_id(const struct fact *fact, char ret[FACT_ID_SIZE])
{
	/* A retraction has the identity of the span that it takes back. */
	const enum fact_type type = fact->type == FACT_RETRACT ? FACT_SPAN : fact->type;
	const char *const parts[] = { fact->host, fact->kind, fact->key };
	unsigned char start[8];
	XXH64_hash_t hash = (XXH64_hash_t) type;

	/* Each hash is the seed of the next, so that "a", "bc" differs from "ab", "c". */
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		hash = XXH64(parts[i], strlen(parts[i]), hash);
	for (int i = 0; i < 8; i++)
		start[i] = (unsigned char) (fact->start_ns >> (8 * i));
	hash = XXH64(start, sizeof start, hash);
	for (int i = 0; i < FACT_ID_SIZE - 1; i++)
		ret[i] = "0123456789abcdef"[hash >> (60 - 4 * i) & 15];
	ret[FACT_ID_SIZE - 1] = '\0';
}
