/* SPDX-License-Identifier: MIT
 *
 * waterfall.h -- the tree of a flow's spans, folded to what a reader can see:
 * waterfall.c makes it, view_waterfall.c draws it. */
#ifndef CLIENT_WATERFALL_H
#define CLIENT_WATERFALL_H

#include <jansson.h>

#include "client/screen.h"

/* Deeper ones stand beside their parents; so no reply can make us recurse deep. */
enum { WATERFALL_MAX_DEPTH = 32, WATERFALL_NONE = -1 };

struct waterfall_row {
	const json_t *span;
	const json_t *served;        /* Of a call: who served it, told in the same row; or NULL. */
	uint64_t start_ns, end_ns;   /* Resolved: not before its start. */
	bool open;                   /* Has no end. */
	bool bad;                    /* Failed, timed out, was lost. */
	bool critical;               /* On the path that the flow's time went. */
	bool hidden;                 /* Folded into another row, or left out. */
	unsigned depth;
	int parent;
	int next_same;               /* Row that was folded into this one, or NONE. */
	int last_same;
	size_t size;                 /* Rows of its subtree with itself. */
	size_t count;                /* Of how many spans it tells. */
	uint64_t took_ns;            /* Of all of them. */
	uint64_t own_ns;             /* Of that, what they did themselves. */
	uint64_t weight_ns;          /* The longest in its subtree; UINT64_MAX: must be seen. */
	uint64_t shape;              /* Hash of what subtrees of one kind have in common. */
};

struct waterfall {
	struct waterfall_row *rows;  /* In the order of a walk: parents first. */
	size_t count;
	uint64_t start_ns, end_ns;
	bool told;                   /* By the daemon: the critical path, own time. */
	size_t left_out;             /* Rows too short to be shown. */
	uint64_t left_out_below_ns;
};

/* 'max_rows' 0: folds nothing, leaves nothing out.  Borrows from 'flow'. */
void waterfall_init(struct waterfall *waterfall, const json_t *flow, uint64_t now_ns,
		    size_t max_rows);
void waterfall_done(struct waterfall *waterfall);
/* Adds the name of what a row tells: with "*" for ids where it tells of several,
 * else with the beginnings of ids unless they are wanted 'whole'. */
void waterfall_add_name(const struct waterfall_row *row, bool whole, struct buf *out);

#endif /* waterfall.h */
