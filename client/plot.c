/* SPDX-License-Identifier: MIT */
#include "client/plot.h"

#include <stdio.h>
#include <string.h>

#include "lib/clock.h"

static void
add_repeated(const char *text, unsigned count, struct buf *out)
{
	while (count--)
		buf_add_string(out, text);
}

static unsigned
column_of(const struct plot_axis *axis, uint64_t t_ns)
{
	double span = (double) (axis->end_ns - axis->start_ns);

	if (t_ns <= axis->start_ns || span <= 0)
		return 0;
	return (unsigned) MIN((double) (t_ns - axis->start_ns) / span * axis->width,
			      (double) axis->width);
}

/* The smallest round step that gives at most one mark each 12 columns. */
static uint64_t
step_of(const struct plot_axis *axis)
{
	static const unsigned factors[] = { 1, 2, 5 };
	uint64_t span = axis->end_ns - axis->start_ns, unit = 1;
	unsigned marks = MAX(axis->width / 12, 1U);

	for (; unit < UINT64_MAX / 100; unit *= 10)
		for (unsigned i = 0; i < ARRAY_SIZE(factors); i++)
			if (span / (unit * factors[i]) <= marks)
				return unit * factors[i];
	return unit;
}

static void
label_of(uint64_t ns, uint64_t step, char *text, size_t size)
{
	if (step >= NS_PER_S)
		snprintf(text, size, "%llu s", (unsigned long long) (ns / NS_PER_S));
	else if (step >= NS_PER_MS)
		snprintf(text, size, "%llu ms", (unsigned long long) (ns / NS_PER_MS));
	else
		format_duration(ns, text, size);
}

void
plot_axis_labels(const struct plot_axis *axis, struct buf *out)
{
	uint64_t step = step_of(axis), span = axis->end_ns - axis->start_ns;
	unsigned used = 0;
	char text[32];

	for (uint64_t t = 0; t <= span; t += step) {
		unsigned at = column_of(axis, axis->start_ns + t);

		label_of(t, step, text, sizeof text);
		if (at < used || at + strlen(text) > axis->width + 4)
			continue;
		buf_printf(out, "%*s%s", (int) (at - used), "", text);
		used = at + (unsigned) strlen(text);
	}
}

void
plot_bar(const struct screen *screen, const struct plot_axis *axis, uint64_t start_ns,
	 uint64_t end_ns, bool open, struct buf *out)
{
	unsigned from = MIN(column_of(axis, start_ns), axis->width - 1);
	unsigned to = MAX(column_of(axis, end_ns), from + 1);

	buf_printf(out, "%*s", (int) from, "");
	add_repeated(screen->utf8 ? "\u2588" : "#", to - from - open, out);
	if (open)
		buf_add_char(out, '>');
}

void
plot_bars(const struct screen *screen, const struct plot_axis *axis, const struct plot_span *spans,
	  size_t count, bool open, struct buf *out)
{
	_cleanup_(freep) char *filled = xcalloc(axis->width + 1, 1);
	unsigned last = 0;

	for (size_t i = 0; i < count; i++) {
		unsigned from = MIN(column_of(axis, spans[i].start_ns), axis->width - 1);
		unsigned to = MAX(column_of(axis, spans[i].end_ns), from + 1);

		memset(filled + from, 1, to - from);
		last = MAX(last, to);
	}
	for (unsigned i = 0; i < last; i++)
		if (open && i + 1 == last)
			buf_add_char(out, '>');
		else
			buf_add_string(out, !filled[i] ? " " : screen->utf8 ? "\u2588" : "#");
}

void
plot_share(const struct screen *screen, uint64_t value, uint64_t max, unsigned width,
	   struct buf *out)
{
	unsigned n = max ? (unsigned) ((double) value / (double) max * width + 0.5) : 0;

	add_repeated(screen->utf8 ? "\u2588" : "#", value && !n ? 1 : MIN(n, width), out);
}

void
plot_stack(const struct screen *screen, const uint64_t *shares, size_t count, unsigned width,
	   struct buf *out)
{
	static const char *const utf8[] = { "\u2588", "\u2593", "\u2591", "\u00b7" };
	static const char *const ascii[] = { "#", "=", "-", "." };
	double total = 0, upto = 0;
	unsigned drawn = 0;

	for (size_t i = 0; i < count; i++)
		total += (double) shares[i];
	for (size_t i = 0; i < count && total > 0; i++) {
		unsigned to;

		upto += (double) shares[i];
		to = MIN((unsigned) (upto / total * width + 0.5), width);
		add_repeated((screen->utf8 ? utf8 : ascii)[MIN(i, ARRAY_SIZE(utf8) - 1)], to - drawn,
			     out);
		drawn = to;
	}
}

void
plot_sparkline(const struct screen *screen, const uint64_t *values, size_t count, struct buf *out)
{
	static const char *const utf8[] = { "\u2581", "\u2582", "\u2583", "\u2584", "\u2585",
					    "\u2586", "\u2587", "\u2588" };
	static const char *const ascii[] = { "_", ".", ":", "-", "=", "+", "*", "#" };
	uint64_t max = 0;

	for (size_t i = 0; i < count; i++)
		max = MAX(max, values[i]);
	for (size_t i = 0; i < count; i++) {
		unsigned part = max ? (unsigned) ((double) values[i] / (double) max * 7 + 0.5) : 0;

		/* Little is not nothing. */
		part = values[i] && !part ? 1 : MIN(part, 7U);
		buf_add_string(out, screen->utf8 ? utf8[part] : ascii[part]);
	}
}

/* The curve at 't_ns': straight between points, level after the last. */
static double
value_at(const struct plot_point *points, size_t count, uint64_t t_ns)
{
	size_t i = 0;
	double share;

	while (i < count && points[i].t_ns <= t_ns)
		i++;
	if (!i)
		return -1;
	if (i == count)
		return (double) points[count - 1].value;
	share = (double) (t_ns - points[i - 1].t_ns) /
		(double) (points[i].t_ns - points[i - 1].t_ns);
	return (double) points[i - 1].value +
	       share * ((double) points[i].value - (double) points[i - 1].value);
}

/* What the curve is in the time of one column: its last point there, so that
 * the saw-tooth of rounds keeps its low ends; else what lies between. */
static double
column_value(const struct plot_axis *axis, const struct plot_point *points, size_t count,
	     unsigned column)
{
	double span = (double) (axis->end_ns - axis->start_ns);
	uint64_t from = axis->start_ns + (uint64_t) (span * column / axis->width);
	uint64_t to = axis->start_ns + (uint64_t) (span * (column + 1) / axis->width);
	double value = -1;

	if (from > points[count - 1].t_ns)
		return -1;
	for (size_t i = 0; i < count && points[i].t_ns < to; i++)
		if (points[i].t_ns >= from)
			value = (double) points[i].value;
	return value >= 0 ? value : value_at(points, count, from + (to - from) / 2);
}

void
plot_curve(const struct screen *screen, const struct plot_axis *axis,
	   const struct plot_point *points, size_t count, unsigned height, unsigned label_width,
	   struct buf *out)
{
	static const char *const utf8[] = { " ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585",
					    "\u2586", "\u2587", "\u2588" };
	static const char *const ascii[] = { " ", ".", ":", "#" };
	const char *const *parts = screen->utf8 ? utf8 : ascii;
	unsigned levels = screen->utf8 ? ARRAY_SIZE(utf8) - 1 : ARRAY_SIZE(ascii) - 1;
	_cleanup_(freep) double *values = xcalloc(axis->width, sizeof *values);
	double max = 1;
	char label[32];

	for (unsigned column = 0; column < axis->width; column++) {
		values[column] = column_value(axis, points, count, column);
		max = MAX(max, values[column]);
	}
	for (unsigned row = height; row-- > 0; ) {
		format_bytes((uint64_t) max, label, sizeof label);
		buf_printf(out, "%*s |", (int) label_width,
			   row == height - 1 ? label : row ? "" : "0");
		for (unsigned column = 0; column < axis->width; column++) {
			double value = values[column];
			double filled = (value / max * height - row) * levels;
			unsigned part = filled <= 0 ? 0 : (unsigned) MIN(filled + 0.5, levels);

			/* A value that is there is seen. */
			if (!row && !part && value > 0)
				part = 1;
			buf_add_string(out, parts[part]);
		}
		while (out->data[out->size - 1] == ' ')
			out->data[--out->size] = '\0';
		buf_add_char(out, '\n');
	}
}
