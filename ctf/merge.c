/* SPDX-License-Identifier: MIT
 *
 * merge.c -- a binary heap of stream heads, by (raw time, stream key).
 *
 * A stream that has nothing yet sits in the heap at the time before which
 * nothing of it can come: whoever is on top decides whether to give or wait.
 * The head that was given stays on top until the next call, and the lowest
 * time of the others is kept beside the heap: as long as one stream stays
 * below it (the usual case), an event costs one comparison. */
#include "ctf/merge.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "lib/util.h"

struct source {
	struct ctf_stream *stream;
	const char *key;
	enum ctf_head head;
	bool in_heap;               /* Else at its end, given up, or pending. */
	bool is_pending;            /* In the list of those to be looked at again. */
	size_t at;                  /* Where in the heap. */
	uint64_t said_ns;           /* When it was last touched. */
	struct source *next_pending;
	UT_hash_handle hh;
};

struct slot {
	uint64_t raw_ns;
	struct source *source;
};

struct ctf_merge {
	struct slot *heap;
	size_t n, capacity;
	uint64_t runner_up_ns;      /* Lowest time below the top of the heap. */
	size_t n_ready;             /* Members of the heap with an event or a loss. */
	size_t n_alive;             /* Sources that are not at their end. */
	bool given;                 /* The top was given and is still to be advanced. */
	uint64_t watermark_ns;
	uint64_t late;
	struct ctf_event late_event;
	/* For patience: */
	uint64_t patience_ns, now_ns;
	bool blocked;               /* When last asked; see holds_back(). */
	uint64_t blocked_since_ns;
	/* All sources, and those to be looked at again: */
	struct source *sources, *pending;
};

static bool
slot_before(const struct slot *a, const struct slot *b)
{
	if (a->raw_ns != b->raw_ns)
		return a->raw_ns < b->raw_ns;
	return strcmp(a->source->key, b->source->key) < 0;
}

static void
heap_set(struct ctf_merge *merge, size_t at, struct slot slot)
{
	merge->heap[at] = slot;
	slot.source->at = at;
}

static void
heap_note_runner_up(struct ctf_merge *merge)
{
	const struct slot *heap = merge->heap;

	merge->runner_up_ns = merge->n < 2 ? UINT64_MAX :
		merge->n < 3 ? heap[1].raw_ns : MIN(heap[1].raw_ns, heap[2].raw_ns);
}

static void
heap_down(struct ctf_merge *merge, size_t at)
{
	const struct slot slot = merge->heap[at];
	size_t child;

	while ((child = 2 * at + 1) < merge->n) {
		if (child + 1 < merge->n &&
		    slot_before(&merge->heap[child + 1], &merge->heap[child]))
			child++;
		if (!slot_before(&merge->heap[child], &slot))
			break;
		heap_set(merge, at, merge->heap[child]);
		at = child;
	}
	heap_set(merge, at, slot);
}

static void
heap_up(struct ctf_merge *merge, size_t at)
{
	const struct slot slot = merge->heap[at];

	while (at && slot_before(&slot, &merge->heap[(at - 1) / 2])) {
		heap_set(merge, at, merge->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_set(merge, at, slot);
}

static bool
is_ready(enum ctf_head head)
{
	return head == CTF_HEAD_EVENT || head == CTF_HEAD_LOSS;
}

static void
heap_insert(struct ctf_merge *merge, struct source *source, uint64_t raw_ns)
{
	if (merge->n == merge->capacity) {
		merge->capacity = MAX(merge->capacity * 2, 16U);
		merge->heap = xrealloc(merge->heap, merge->capacity * sizeof *merge->heap);
	}
	heap_set(merge, merge->n++, (struct slot) { raw_ns, source });
	source->in_heap = true;
	merge->n_ready += is_ready(source->head);
	heap_up(merge, source->at);
	heap_note_runner_up(merge);
}

static void
heap_remove(struct ctf_merge *merge, struct source *source)
{
	size_t at = source->at;

	source->in_heap = false;
	merge->n_ready -= is_ready(source->head);
	if (at != --merge->n) {
		heap_set(merge, at, merge->heap[merge->n]);
		heap_up(merge, at);
		heap_down(merge, at);
	}
	heap_note_runner_up(merge);
}

/* Puts 'source' where what ctf_stream_head() said of it belongs. */
static void
place(struct ctf_merge *merge, struct source *source, enum ctf_head head, uint64_t raw_ns)
{
	if (source->in_heap && head != CTF_HEAD_END) {
		merge->n_ready += is_ready(head);
		merge->n_ready -= is_ready(source->head);
		source->head = head;
		merge->heap[source->at].raw_ns = raw_ns;
		heap_up(merge, source->at);
		heap_down(merge, source->at);
		heap_note_runner_up(merge);
		return;
	}
	if (source->in_heap)
		heap_remove(merge, source);
	merge->n_alive += head != CTF_HEAD_END;
	merge->n_alive -= source->head != CTF_HEAD_END;
	source->head = head;
	if (head != CTF_HEAD_END)
		heap_insert(merge, source, raw_ns);
}

/* Looks at the head of 'source' and orders it anew.  A stream whose refill
 * failed is at its end. */
static int
look(struct ctf_merge *merge, struct source *source, struct error *error)
{
	uint64_t raw_ns = 0;
	int head = ctf_stream_head(source->stream, &raw_ns, error);

	place(merge, source, head < 0 ? CTF_HEAD_END : (enum ctf_head) head, raw_ns);
	return MIN(head, 0);
}

/* Leaves the head that was given, and orders its stream anew.  The quick way
 * is for events, most of all those of the stream that stays the earliest. */
static inline int
leave_top(struct ctf_merge *merge, struct error *error)
{
	struct source *top = merge->heap[0].source;
	uint64_t raw_ns = 0;
	int head = ctf_stream_next(top->stream, &raw_ns, error);

	merge->given = false;
	if (head == CTF_HEAD_EVENT && top->head == CTF_HEAD_EVENT) {
		merge->heap[0].raw_ns = raw_ns;
		if (raw_ns >= merge->runner_up_ns) {
			heap_down(merge, 0);
			heap_note_runner_up(merge);
		}
		return 0;
	}
	place(merge, top, head < 0 ? CTF_HEAD_END : (enum ctf_head) head, raw_ns);
	return MIN(head, 0);
}

/* Whether something could be given but for the top. */
static bool
holds_back(const struct ctf_merge *merge)
{
	return merge->n && merge->heap[0].source->head == CTF_HEAD_NONE && merge->n_ready;
}

static int
give(struct ctf_merge *merge, struct ctf_merge_item *ret)
{
	const struct slot *top = &merge->heap[0];
	bool late;

	if (!merge->n) {
		merge->blocked = false;
		return 0;
	}
	late = top->raw_ns < merge->watermark_ns;
	if (!late)
		merge->watermark_ns = top->raw_ns;
	if (top->source->head == CTF_HEAD_NONE) {
		if (!merge->blocked)
			merge->blocked_since_ns = merge->now_ns;
		merge->blocked = holds_back(merge);
		return 0;
	}
	merge->blocked = false;
	merge->given = true;
	*ret = (struct ctf_merge_item) { .what = top->source->head, .stream = top->source->stream };
	if (ret->what == CTF_HEAD_LOSS) {
		ret->loss = ctf_stream_loss(ret->stream);
		return 1;
	}
	ret->event = ctf_stream_event(ret->stream);
	if (late) {
		merge->late++;
		/* What is late in its own stream was counted there. */
		if (!ret->event->late)
			ctf_stream_count_late(ret->stream);
		merge->late_event = *ret->event;
		merge->late_event.late = true;
		ret->event = &merge->late_event;
	}
	return 1;
}

int
ctf_merge_next(struct ctf_merge *merge, struct ctf_merge_item *ret, struct error *error)
{
	int r = merge->given ? leave_top(merge, error) : 0;

	if (r < 0)
		return r;
	while (merge->pending) {
		struct source *source = merge->pending;

		merge->pending = source->next_pending;
		source->is_pending = false;
		r = look(merge, source, error);
		if (r < 0)
			return r;
	}
	return give(merge, ret);
}

struct ctf_merge *
ctf_merge_new(uint64_t patience_ns)
{
	struct ctf_merge *merge = xcalloc(1, sizeof *merge);

	merge->patience_ns = patience_ns;
	merge->runner_up_ns = UINT64_MAX;
	return merge;
}

void
ctf_merge_free(struct ctf_merge *merge)
{
	struct source *source, *next;

	if (!merge)
		return;
	HASH_ITER(hh, merge->sources, source, next) {
		HASH_DEL(merge->sources, source);
		free(source);
	}
	free(merge->heap);
	free(merge);
}

static struct source *
source_of(const struct ctf_merge *merge, struct ctf_stream *stream)
{
	struct source *source;

	HASH_FIND_PTR(merge->sources, &stream, source);
	return source;
}

static void
make_pending(struct ctf_merge *merge, struct source *source)
{
	if (source->is_pending)
		return;
	source->is_pending = true;
	source->next_pending = merge->pending;
	merge->pending = source;
}

void
ctf_merge_add(struct ctf_merge *merge, struct ctf_stream *stream)
{
	struct source *source;

	if (source_of(merge, stream))
		return;
	source = xcalloc(1, sizeof *source);
	source->stream = stream;
	source->key = ctf_stream_key(stream);
	source->said_ns = merge->now_ns;
	merge->n_alive++;
	HASH_ADD_PTR(merge->sources, stream, source);
	make_pending(merge, source);
}

void
ctf_merge_remove(struct ctf_merge *merge, struct ctf_stream *stream)
{
	struct source *source = source_of(merge, stream);

	if (!source)
		return;
	if (merge->given && merge->heap[0].source == source) {
		ctf_stream_advance(stream);
		merge->given = false;
	}
	if (source->in_heap)
		heap_remove(merge, source);
	for (struct source **at = &merge->pending; *at; at = &(*at)->next_pending)
		if (*at == source) {
			*at = source->next_pending;
			break;
		}
	merge->n_alive -= source->head != CTF_HEAD_END;
	HASH_DEL(merge->sources, source);
	free(source);
}

void
ctf_merge_touch(struct ctf_merge *merge, struct ctf_stream *stream)
{
	struct source *source = source_of(merge, stream);

	if (!source)
		return;
	source->said_ns = merge->now_ns;
	/* A head that is there does not change by what comes behind it. */
	if (!source->in_heap || source->head == CTF_HEAD_NONE)
		make_pending(merge, source);
}

bool
ctf_merge_ended(const struct ctf_merge *merge)
{
	return !merge->n_alive;
}

uint64_t
ctf_merge_watermark(const struct ctf_merge *merge)
{
	return merge->watermark_ns;
}

struct ctf_stream *
ctf_merge_waiting_for(const struct ctf_merge *merge)
{
	return holds_back(merge) ? merge->heap[0].source->stream : NULL;
}

uint64_t
ctf_merge_late(const struct ctf_merge *merge)
{
	return merge->late;
}

void
ctf_merge_tick(struct ctf_merge *merge, uint64_t now_mono_ns)
{
	bool first = !merge->now_ns;
	struct source *source, *next;

	merge->now_ns = now_mono_ns;
	if (first) {
		merge->blocked_since_ns = now_mono_ns;
		HASH_ITER(hh, merge->sources, source, next)
			source->said_ns = now_mono_ns;
	}
	/* Others must have been held back for that long as well: when a relayd
	 * comes back after a pause, its streams do so one after the other, and
	 * none is to be overtaken for what all of them missed. */
	if (!merge->patience_ns || !merge->blocked ||
	    now_mono_ns - merge->blocked_since_ns < merge->patience_ns)
		return;
	HASH_ITER(hh, merge->sources, source, next)
		if (source->in_heap && source->head == CTF_HEAD_NONE &&
		    now_mono_ns - source->said_ns >= merge->patience_ns)
			heap_remove(merge, source);
	merge->blocked = holds_back(merge);
}
