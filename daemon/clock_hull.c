/* SPDX-License-Identifier: MIT
 *
 * clock_hull.c -- convex hulls of points, and the lines between two of them.
 *
 * Products of differences are below 2^127: x is within 63 bits, y within 64. */
#include "daemon/clock_hull.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/pack.h"
#include "lib/clock.h"
#include "lib/util.h"

typedef __int128 wide;

/* Slopes are counted in steps of 1e-12; no two clocks differ by more than 500 ppm, which
 * is what kernels allow. */
#define STEPS ((wide) 1000000000000)
#define MAX_SLOPE INT64_C(1000000000)
/* Points farther away than this say nothing. */
#define MAX_DISTANCE_NS ((int64_t) (3600 * NS_PER_S))

void
clock_hull_done(struct clock_hull *hull)
{
	free(hull->points);
	*hull = (struct clock_hull) { 0 };
}

/* Whether 'b' is below the line from 'a' to 'c'; a.x < b.x < c.x. */
static bool
is_below(const struct clock_point *a, const struct clock_point *b, const struct clock_point *c)
{
	return ((wide) b->y - a->y) * ((wide) c->x - a->x) < ((wide) c->y - a->y) * ((wide) b->x - a->x);
}

/* The first point that is not before x. */
static uint32_t
find(struct clock_hull *hull, int64_t x)
{
	uint32_t low = 0, high = hull->n;

	hull->steps++;
	if (!hull->n || hull->points[hull->n - 1].x < x)
		return hull->n;
	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;

		hull->steps++;
		if (hull->points[middle].x < x)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void
drop(struct clock_hull *hull, uint32_t i, uint32_t n)
{
	memmove(hull->points + i, hull->points + i + n, (hull->n - i - n) * sizeof *hull->points);
	hull->n -= n;
}

static void
insert(struct clock_hull *hull, uint32_t i, const struct clock_point *point)
{
	if (hull->n == hull->capacity) {
		hull->capacity = MAX(hull->capacity * 2, UINT32_C(8));
		hull->points = xrealloc(hull->points, hull->capacity * sizeof *hull->points);
	}
	memmove(hull->points + i + 1, hull->points + i, (hull->n - i) * sizeof *hull->points);
	hull->points[i] = *point;
	hull->n++;
}

/* Removes neighbours of the point at 'i' that it makes needless. */
static void
straighten(struct clock_hull *hull, uint32_t i)
{
	uint32_t n = 0;

	while (i + n + 2 < hull->n && !is_below(&hull->points[i], &hull->points[i + n + 1],
						&hull->points[i + n + 2]))
		n++;
	hull->steps += n + 1;
	drop(hull, i + 1, n);
	n = 0;
	while (i >= n + 2 && !is_below(&hull->points[i - n - 2], &hull->points[i - n - 1],
				       &hull->points[i]))
		n++;
	hull->steps += n + 1;
	drop(hull, i - n, n);
}

bool
clock_hull_add(struct clock_hull *hull, int64_t x, int64_t y)
{
	const struct clock_point point = { x, y };
	const uint32_t i = find(hull, x);

	if (x < 0 || y == INT64_MIN)
		return false;
	if (i < hull->n && hull->points[i].x == x) {
		if (hull->points[i].y <= y)
			return false;
		hull->points[i].y = y;
	} else {
		if (i > 0 && i < hull->n && !is_below(&hull->points[i - 1], &point, &hull->points[i]))
			return false;
		if (hull->n == MAX_HULL_POINTS)
			return false;
		insert(hull, i, &point);
	}
	straighten(hull, i);
	return true;
}

/* -- Blobs ------------------------------------------------------------------ */

static uint64_t
zigzag(int64_t value)
{
	return ((uint64_t) value << 1) ^ (uint64_t) (value >> 63);
}

static int64_t
unzigzag(uint64_t value)
{
	return (int64_t) (value >> 1 ^ -(value & 1));
}

void
clock_hull_write(const struct clock_hull *hull, struct buf *out)
{
	uint64_t x = 0, y = 0;

	varint_write(hull->n, out);
	for (uint32_t i = 0; i < hull->n; i++) {
		/* Differences wrap around, and back. */
		varint_write((uint64_t) hull->points[i].x - x, out);
		varint_write(zigzag((int64_t) ((uint64_t) hull->points[i].y - y)), out);
		x = (uint64_t) hull->points[i].x;
		y = (uint64_t) hull->points[i].y;
	}
}

ssize_t
clock_hull_read(struct clock_hull *hull, const void *bytes, size_t size)
{
	struct unpack unpack = { .at = bytes, .end = (const unsigned char *) bytes + size };
	uint64_t x = 0, y = 0, n = size ? unpack_count(&unpack) : 0;

	if (!size || n > MAX_HULL_POINTS)
		return -EINVAL;
	for (uint64_t i = 0; i < n; i++) {
		const uint64_t step = unpack_number(&unpack);

		y += (uint64_t) unzigzag(unpack_number(&unpack));
		if (unpack.bad || step > INT64_MAX - x || (int64_t) y == INT64_MIN)
			return -EINVAL;
		x += step;
		clock_hull_add(hull, (int64_t) x, (int64_t) y);
	}
	return unpack.bad ? -EINVAL : unpack.at - (const unsigned char *) bytes;
}

/* -- Lines ------------------------------------------------------------------ */

uint64_t
clock_slack_ns(uint64_t distance_ns)
{
	const uint64_t us = MIN(distance_ns, (uint64_t) MAX_DISTANCE_NS) / 1000;

	/* 1e-7 / s * d^2 / 2, and 1e-4 * d. */
	return MIN(us * us / 20000000000, us / 10) + 1;
}

/* A point as seen from the time that is asked for. */
struct seen {
	int64_t x;
	wide y;                      /* In steps of 1e-12 ns. */
};
struct view {
	struct seen points[2][MAX_HULL_POINTS];
	uint32_t n[2];
	int64_t first, last;         /* Of all x. */
	wide reach, span;            /* What rounding a slope can do: at the time, between points. */
};

void
clock_hull_loosen(struct clock_hull *hull, const struct clock_hull *from, int64_t t_ns)
{
	for (uint32_t i = 0; i < from->n; i++) {
		const struct clock_point *p = &from->points[i];
		const int64_t distance = p->x > t_ns ? p->x - t_ns : t_ns - p->x;
		int64_t y;

		if (distance > MAX_DISTANCE_NS)
			continue;
		if (__builtin_add_overflow(p->y, (int64_t) clock_slack_ns((uint64_t) distance), &y))
			y = INT64_MAX;
		clock_hull_add(hull, p->x, y);
	}
}

static void
look(const struct clock_hull *hull, int64_t t_ns, unsigned kind, struct view *view)
{
	for (uint32_t i = 0; i < hull->n; i++) {
		const int64_t x = hull->points[i].x - t_ns;

		if (x > MAX_DISTANCE_NS || x < -MAX_DISTANCE_NS)
			continue;
		/* Below, all is turned upside down. */
		view->points[kind][view->n[kind]++] = (struct seen) {
			kind ? -x : x, hull->points[i].y * STEPS };
		view->first = MIN(view->first, x);
		view->last = MAX(view->last, x);
	}
}

/* The highest line of that slope, at the time that is asked for. */
static wide
height(const struct view *view, unsigned kind, int64_t slope)
{
	wide least = 0;

	for (uint32_t i = 0; i < view->n[kind]; i++) {
		const struct seen *p = &view->points[kind][i];
		const wide y = p->y - (wide) slope * p->x;

		if (!i || y < least)
			least = y;
	}
	return least;
}

static wide
room(const struct view *view, int64_t slope)
{
	return height(view, 0, slope) + height(view, 1, slope);
}

/* Where a concave function is largest in [low, high]: of the room (kind 2), or of one
 * kind's height. */
static int64_t
highest(const struct view *view, unsigned kind, int64_t low, int64_t high)
{
	while (low < high) {
		const int64_t m = low + (high - low) / 2;
		const wide here = kind == 2 ? room(view, m) : height(view, kind, m);
		const wide next = kind == 2 ? room(view, m + 1) : height(view, kind, m + 1);

		if (next > here)
			low = m + 1;
		else
			high = m;
	}
	return low;
}

/* The last possible slope from 'inside', which is one, to 'outside'. */
static int64_t
border(const struct view *view, int64_t inside, int64_t outside)
{
	if (room(view, outside) >= -view->span)
		return outside;
	while (inside - outside > 1 || outside - inside > 1) {
		const int64_t m = inside + (outside - inside) / 2;

		if (room(view, m) >= -view->span)
			inside = m;
		else
			outside = m;
	}
	return inside;
}

static int64_t
rounded_up(wide value)
{
	const wide most = INT64_MAX;

	value = (value + (value > 0 ? STEPS - 1 : 0)) / STEPS;
	return (int64_t) (value > most ? most : value < -most ? -most : value);
}

int
clock_hull_range(const struct clock_hull *above, const struct clock_hull *below, int64_t t_ns,
		 struct clock_range *ret)
{
	struct view *view = xcalloc(1, sizeof *view);
	int64_t best = 0, low, high;
	int r = -ENOENT;

	view->first = INT64_MAX;
	view->last = INT64_MIN;
	look(above, t_ns, 0, view);
	look(below, t_ns, 1, view);
	if (view->n[0] && view->n[1]) {
		view->reach = view->last > -view->first ? view->last : -view->first;
		view->span = (wide) view->last - view->first;
		best = highest(view, 2, -MAX_SLOPE, MAX_SLOPE);
		/* A slope between two steps may be the only one. */
		r = room(view, best) < -view->span ? -ERANGE : 0;
	}
	if (!r) {
		low = border(view, best, -MAX_SLOPE);
		high = border(view, best, MAX_SLOPE);
		ret->most_ns = rounded_up(height(view, 0, highest(view, 0, low, high)) + view->reach);
		ret->least_ns = -rounded_up(height(view, 1, highest(view, 1, low, high)) + view->reach);
		ret->least_ppb = (int32_t) (low / 1000);
		ret->most_ppb = (int32_t) (high / 1000);
	}
	free(view);
	return r;
}
