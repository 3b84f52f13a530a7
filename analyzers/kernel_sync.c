/* SPDX-License-Identifier: MIT
 *
 * kernel_sync.c -- segments by which clocks are compared (kernel_sync.h). */
#include "analyzers/kernel_sync.h"

#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "analyzers/pack.h"
#include "lib/util.h"

uint64_t
sync_hash(const struct sync_segment *segment)
{
	return XXH64(segment, sizeof *segment, 0);
}

unsigned
sync_level(uint64_t hash)
{
	return hash ? (unsigned) __builtin_ctzll(hash) : 63;
}

void
sync_begin(struct sync_pool *pool, uint64_t window_ns, uint64_t span_ns)
{
	const uint64_t windows = pool->filled_ns && window_ns > pool->filled_ns ?
		(window_ns - pool->filled_ns) / span_ns : pool->filled_ns ? 0 : SYNC_ACCOUNT;

	const uint64_t gain = windows < SYNC_ACCOUNT ? windows * SYNC_REFILL : SYNC_ACCOUNT;

	pool->account = (uint32_t) MIN(pool->account + gain, (uint64_t) SYNC_ACCOUNT);
	pool->filled_ns = MAX(pool->filled_ns, window_ns);
	pool->n = pool->rounds = 0;
}

bool
sync_has_room(const struct sync_pool *pool)
{
	return pool->n < MIN(pool->account, (uint32_t) MAX_SYNC_SAMPLES);
}

void
sync_add(struct sync_pool *pool, const struct sync_sample *sample)
{
	if (sync_has_room(pool))
		pool->samples[pool->n++] = *sample;
}

static bool
is_same(const struct net_key *a, const struct net_key *b)
{
	return !memcmp(a, b, sizeof *a);
}

struct net_key
sync_busiest(const struct sync_pool *pool)
{
	enum { N_SLOTS = 2 * MAX_SYNC_SAMPLES };   /* Of a hash table, never more than half full. */
	struct { uint16_t first, n; } slots[N_SLOTS] = { 0 };   /* n 0: free. */
	struct net_key found = { 0 };
	uint32_t most = 0, most_first = 0;

	for (uint32_t i = 0; i < pool->n; i++) {
		const struct net_key *key = &pool->samples[i].key;
		uint32_t k = (uint32_t) (XXH64(key, sizeof *key, 0) % N_SLOTS);

		while (slots[k].n && !is_same(&pool->samples[slots[k].first].key, key))
			k = (k + 1) % N_SLOTS;
		if (!slots[k].n++)
			slots[k].first = (uint16_t) i;
		/* Of several the one that came first. */
		if (slots[k].n > most || (slots[k].n == most && slots[k].first < most_first)) {
			most = slots[k].n;
			most_first = slots[k].first;
			found = *key;
		}
	}
	return found;
}

void
sync_thin(struct sync_pool *pool, const struct net_key *key, unsigned level)
{
	uint32_t n = 0;

	pool->rounds++;
	for (uint32_t i = 0; i < pool->n; i++)
		if (sync_level(pool->samples[i].hash) >= level ||
		    !is_same(&pool->samples[i].key, key))
			pool->samples[n++] = pool->samples[i];
	pool->n = n;
}

/* -- Blobs ------------------------------------------------------------------ */

bool
sync_pack(struct sync_pool *pool, uint64_t window_ns, struct buf *out)
{
	uint64_t last_ns = window_ns;
	const uint32_t n = pool->n;

	pool->n = 0;
	if (!n)
		return false;
	pool->account -= MIN(pool->account, n);
	buf_add_char(out, SYNC_WINDOW_VERSION);
	varint_write(n, out);
	for (uint32_t i = 0; i < n; i++) {
		const struct sync_sample *sample = &pool->samples[i];

		for (int shift = 0; shift < 64; shift += 8)
			buf_add_char(out, (char) (sample->hash >> shift));
		varint_write((sample->t_ns - MIN(last_ns, sample->t_ns)) * 2 + (sample->received != 0), out);
		last_ns = MAX(last_ns, sample->t_ns);
	}
	return true;
}

int
sync_each(const struct fact_window *window,
	  void (*give)(void *context, uint64_t hash, uint64_t t_ns, bool received), void *context)
{
	struct unpack unpack = { .at = window->blob };
	uint64_t t_ns = window->start_ns, n;

	if (!window->size || *unpack.at != SYNC_WINDOW_VERSION)
		return -EINVAL;
	unpack.end = unpack.at + window->size;
	unpack.at++;
	n = unpack_count(&unpack);
	for (uint64_t i = 0; i < n && !unpack.bad; i++) {
		uint64_t hash = 0, step;

		if (unpack.end - unpack.at < 9)
			return -EINVAL;
		for (int shift = 0; shift < 64; shift += 8)
			hash |= (uint64_t) *unpack.at++ << shift;
		step = unpack_number(&unpack);
		/* No event is outside of its window. */
		if (unpack.bad || step >> 1 > window->end_ns - t_ns)
			return -EINVAL;
		t_ns += step >> 1;
		give(context, hash, t_ns, step & 1);
	}
	return unpack.bad || unpack.at != unpack.end ? -EINVAL : 0;
}

static int
merge(const struct fact_window *windows, size_t n, struct buf *ret)
{
	(void) windows;
	(void) n;
	(void) ret;
	return -EINVAL;
}

static void
add_json(void *context, uint64_t hash, uint64_t t_ns, bool received)
{
	char text[17];

	snprintf(text, sizeof text, "%016llx", (unsigned long long) hash);
	json_array_append_new(context, json_pack("[s, I, s]", text, (json_int_t) t_ns,
						 received ? "received" : "sent"));
}

static json_t *
window_json(const struct fact_window *window)
{
	json_t *list = json_array();

	if (sync_each(window, add_json, list)) {
		json_decref(list);
		return NULL;
	}
	return json_pack("{s:o}", "segments", list);
}

/* The hub takes what is in them and does not keep them: there is nothing to join. */
const struct window_kind sync_window_kind = { .kind = "sync", .merge = merge, .json = window_json };
