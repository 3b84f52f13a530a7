/* SPDX-License-Identifier: MIT
 *
 * merge.c -- a winner tree of stream heads, by (raw time, stream key).
 *
 * Each stream is a leaf; above two of them is the earlier one, up to the
 * earliest of all.  A stream that has nothing yet is there with the time before
 * which nothing of it can come: whoever is on top decides whether to give or
 * wait.  The head that was given stays on top until the next call, and the
 * lowest time of the others is kept: as long as one stream stays below it, an
 * event costs one comparison, and only the top itself is brought up to date. */
#include "ctf/merge.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "lib/util.h"

struct source {
	struct ctf_stream *stream;
	const char *key;
	const struct ctf_event *event;  /* The head, if that is one. */
	enum ctf_head head;
	bool takes_part;            /* Else at its end, given up, or pending. */
	bool is_pending;            /* In the list of those to be looked at again. */
	size_t leaf;                /* Where in the tree. */
	uint64_t said_ns;           /* When it was last touched. */
	struct source *next_pending;
	UT_hash_handle hh;
};

enum { TOP = 1 };

struct ctf_merge {
	/* Below node 'i' are 2 * i and 2 * i + 1; leaves begin at 'width', a power
	 * of two.  Times are UINT64_MAX of those that don't take part, and of
	 * leaves that are nobody's. */
	uint64_t *times;
	struct source **sources_at;
	size_t width, n_sources;
	uint64_t runner_up_ns;      /* No other than the top is before it; 0: not known. */
	size_t n;                   /* Sources that take part... */
	size_t n_ready;             /* with an event or a loss. */
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

static bool __attribute__((noinline))
key_before(const struct source *a, const struct source *b)
{
	if (!a || !b || !a->takes_part || !b->takes_part)
		return a && a->takes_part;
	return strcmp(a->key, b->key) < 0;
}

static inline bool
node_before(const struct ctf_merge *merge, size_t a, size_t b)
{
	return merge->times[a] < merge->times[b] ||
		(merge->times[a] == merge->times[b] &&
		 key_before(merge->sources_at[a], merge->sources_at[b]));
}

/* Puts the earlier of the two nodes below 'at' there. */
static void
tree_choose(struct ctf_merge *merge, size_t at)
{
	size_t first = node_before(merge, 2 * at + 1, 2 * at) ? 2 * at + 1 : 2 * at;

	merge->times[at] = merge->times[first];
	merge->sources_at[at] = merge->sources_at[first];
}

/* Changes a leaf, and all above it. */
static void __attribute__((noinline))
tree_set(struct ctf_merge *merge, size_t leaf, uint64_t raw_ns, struct source *source)
{
	merge->times[leaf] = raw_ns;
	merge->sources_at[leaf] = source;
	while (leaf /= 2)
		tree_choose(merge, leaf);
	merge->runner_up_ns = 0;
}

/* The lowest time beside the way from the top to its leaf. */
static void
tree_find_runner_up(struct ctf_merge *merge)
{
	uint64_t lowest_ns = UINT64_MAX;

	for (size_t at = merge->sources_at[TOP]->leaf; at > TOP; at /= 2)
		lowest_ns = MIN(lowest_ns, merge->times[at ^ 1]);
	merge->runner_up_ns = lowest_ns;
}

/* Changes the leaf of 'top', the earliest so far: tree_set() without the detour
 * of equal times. */
static inline void
tree_move_top(struct ctf_merge *merge, struct source *top, uint64_t raw_ns)
{
	uint64_t *times = merge->times, time = raw_ns;
	struct source **sources_at = merge->sources_at, *source = top;

	times[top->leaf] = time;
	for (size_t at = top->leaf; at > TOP; ) {
		struct source *other = sources_at[at ^ 1];
		const uint64_t other_ns = times[at ^ 1];

		if (other_ns == time) {
			tree_set(merge, top->leaf, raw_ns, top);
			return;
		}
		/* Without a jump, as nobody can foresee it. */
		source = other_ns < time ? other : source;
		time = MIN(other_ns, time);
		at /= 2;
		times[at] = time;
		sources_at[at] = source;
	}
	merge->runner_up_ns = 0;
	if (source == top)
		tree_find_runner_up(merge);
}

/* Brings what is below the top up to date, before another leaf changes. */
static void
tree_settle(struct ctf_merge *merge)
{
	struct source *top = merge->n ? merge->sources_at[TOP] : NULL;

	if (top)
		tree_set(merge, top->leaf, merge->times[TOP], top);
}

static void
tree_grow(struct ctf_merge *merge)
{
	const size_t old = merge->width, width = MAX(old * 2, (size_t) 1);
	uint64_t *times = xcalloc(2 * width, sizeof *times);
	struct source **sources_at = xcalloc(2 * width, sizeof (struct source *));

	for (size_t i = 0; i < width; i++) {
		times[width + i] = i < old ? merge->times[old + i] : UINT64_MAX;
		sources_at[width + i] = i < old ? merge->sources_at[old + i] : NULL;
		if (i < old)
			sources_at[width + i]->leaf = width + i;
	}
	free(merge->times);
	free(merge->sources_at);
	merge->times = times;
	merge->sources_at = sources_at;
	merge->width = width;
	for (size_t i = width - 1; i > 0; i--)
		tree_choose(merge, i);
}

/* A new source gets a leaf, and does not take part yet. */
static void
tree_add(struct ctf_merge *merge, struct source *source)
{
	tree_settle(merge);
	if (merge->n_sources == merge->width)
		tree_grow(merge);
	source->leaf = merge->width + merge->n_sources++;
	tree_set(merge, source->leaf, UINT64_MAX, source);
}

/* Gives its leaf to the last one. */
static void
tree_remove(struct ctf_merge *merge, struct source *source)
{
	const size_t last = merge->width + --merge->n_sources;
	struct source *moved = merge->sources_at[last];
	uint64_t moved_ns;

	tree_settle(merge);
	moved_ns = merge->times[last];
	tree_set(merge, last, UINT64_MAX, NULL);
	if (moved == source)
		return;
	moved->leaf = source->leaf;
	tree_set(merge, moved->leaf, moved_ns, moved);
}

static bool
is_ready(enum ctf_head head)
{
	return head == CTF_HEAD_EVENT || head == CTF_HEAD_LOSS;
}

/* Takes 'source' out of the order, but leaves it its leaf. */
static void
suspend(struct ctf_merge *merge, struct source *source)
{
	if (!source->takes_part)
		return;
	tree_settle(merge);
	source->takes_part = false;
	merge->n--;
	merge->n_ready -= is_ready(source->head);
	tree_set(merge, source->leaf, UINT64_MAX, source);
}

/* Puts 'source' where what ctf_stream_head() said of it belongs. */
static void
place(struct ctf_merge *merge, struct source *source, enum ctf_head head, uint64_t raw_ns)
{
	suspend(merge, source);
	merge->n_alive += head != CTF_HEAD_END;
	merge->n_alive -= source->head != CTF_HEAD_END;
	source->head = head;
	if (head == CTF_HEAD_END)
		return;
	tree_settle(merge);
	source->takes_part = true;
	merge->n++;
	merge->n_ready += is_ready(head);
	tree_set(merge, source->leaf, raw_ns, source);
}

/* Looks at the head of 'source' and orders it anew.  A stream whose refill
 * failed is at its end. */
static int
look(struct ctf_merge *merge, struct source *source, struct error *error)
{
	uint64_t raw_ns = 0;
	int head = ctf_stream_head(source->stream, &raw_ns, error);

	source->event = head == CTF_HEAD_EVENT ? ctf_stream_event(source->stream) : NULL;
	place(merge, source, head < 0 ? CTF_HEAD_END : (enum ctf_head) head, raw_ns);
	return MIN(head, 0);
}

/* Leaves the head that was given, and orders its stream anew.  The quick way
 * is for events, most of all those of the stream that stays the earliest. */
static inline int
leave_top(struct ctf_merge *merge, struct error *error)
{
	struct source *top = merge->sources_at[TOP];
	const struct ctf_event *event = ctf_stream_next_event(top->stream);

	merge->given = false;
	if (!event || top->head != CTF_HEAD_EVENT)
		return look(merge, top, error);
	top->event = event;
	if (event->raw_ns < merge->runner_up_ns)
		merge->times[TOP] = event->raw_ns;
	else
		tree_move_top(merge, top, event->raw_ns);
	return 0;
}

/* Whether something could be given but for the top. */
static bool
holds_back(const struct ctf_merge *merge)
{
	return merge->n && merge->sources_at[TOP]->head == CTF_HEAD_NONE && merge->n_ready;
}

/* Gives an event that came too late. */
static const struct ctf_event *
late_event(struct ctf_merge *merge, const struct source *top)
{
	merge->late++;
	/* What is late in its own stream was counted there. */
	if (!top->event->late)
		ctf_stream_count_late(top->stream);
	merge->late_event = *top->event;
	merge->late_event.late = true;
	return &merge->late_event;
}

/* There is nothing to be given. */
static int
nothing_yet(struct ctf_merge *merge)
{
	if (merge->n && !merge->blocked)
		merge->blocked_since_ns = merge->now_ns;
	merge->blocked = holds_back(merge);
	return 0;
}

static inline int
give(struct ctf_merge *merge, struct ctf_merge_item *ret)
{
	const struct source *top;
	uint64_t raw_ns;
	bool late;

	if (!merge->n)
		return nothing_yet(merge);
	top = merge->sources_at[TOP];
	raw_ns = merge->times[TOP];
	late = raw_ns < merge->watermark_ns;
	if (!late)
		merge->watermark_ns = raw_ns;
	if (top->head == CTF_HEAD_NONE)
		return nothing_yet(merge);
	merge->blocked = false;
	merge->given = true;
	ret->watermark_raw_ns = merge->watermark_ns;
	ret->what = top->head;
	ret->stream = top->stream;
	ret->event = late && top->event ? late_event(merge, top) : top->event;
	ret->loss = top->head == CTF_HEAD_LOSS ? ctf_stream_loss(top->stream) : NULL;
	return 1;
}

/* Looks at the heads of all that said something. */
static int
look_at_pending(struct ctf_merge *merge, struct error *error)
{
	int r = 0;

	while (merge->pending && r >= 0) {
		struct source *source = merge->pending;

		merge->pending = source->next_pending;
		source->is_pending = false;
		r = look(merge, source, error);
	}
	return r;
}

int
ctf_merge_next(struct ctf_merge *merge, struct ctf_merge_item *ret, struct error *error)
{
	int r = merge->given ? leave_top(merge, error) : 0;

	if (r >= 0 && merge->pending)
		r = look_at_pending(merge, error);
	return r < 0 ? r : give(merge, ret);
}

struct ctf_merge *
ctf_merge_new(uint64_t patience_ns)
{
	struct ctf_merge *merge = xcalloc(1, sizeof *merge);

	merge->patience_ns = patience_ns;
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
	free(merge->times);
	free(merge->sources_at);
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
	tree_add(merge, source);
	make_pending(merge, source);
}

void
ctf_merge_remove(struct ctf_merge *merge, struct ctf_stream *stream)
{
	struct source *source = source_of(merge, stream);

	if (!source)
		return;
	if (merge->given && merge->sources_at[TOP] == source) {
		ctf_stream_advance(stream);
		merge->given = false;
	}
	suspend(merge, source);
	tree_remove(merge, source);
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
	if (!source->takes_part || source->head == CTF_HEAD_NONE)
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
	return holds_back(merge) ? merge->sources_at[TOP]->stream : NULL;
}

uint64_t
ctf_merge_late(const struct ctf_merge *merge)
{
	return merge->late;
}

/* Those that are silent for too long no longer hold others back. */
static void
stop_waiting(struct ctf_merge *merge)
{
	struct source *source, *next;

	HASH_ITER(hh, merge->sources, source, next) {
		if (source->takes_part && source->head == CTF_HEAD_NONE &&
		    merge->now_ns - source->said_ns >= merge->patience_ns)
			suspend(merge, source);
	}
	merge->blocked = holds_back(merge);
}

void
ctf_merge_tick(struct ctf_merge *merge, uint64_t now_mono_ns)
{
	bool first = !merge->now_ns;
	struct source *source, *next;

	merge->now_ns = now_mono_ns;
	if (first) {
		merge->blocked_since_ns = now_mono_ns;
		HASH_ITER(hh, merge->sources, source, next) {
			source->said_ns = now_mono_ns;
		}
	}
	/* Others must have been held back for that long as well: when a relayd
	 * comes back after a pause, its streams do so one after the other, and
	 * none is to be overtaken for what all of them missed. */
	if (!merge->patience_ns || !merge->blocked ||
	    now_mono_ns - merge->blocked_since_ns < merge->patience_ns)
		return;
	stop_waiting(merge);
}
