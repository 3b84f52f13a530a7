/* SPDX-License-Identifier: MIT */
#include "client/screen.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "lib/clock.h"

/* Reads one character; a byte that is no UTF-8 gives itself, *ret_valid false. */
static unsigned
next_char(const char **text, bool *ret_valid)
{
	const unsigned char *s = (const unsigned char *) *text;
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 :
			  s[0] < 0xf5 ? 4 : 0;
	unsigned c = length > 1 ? s[0] & (0x7fU >> length) : s[0];

	for (unsigned i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			length = 0;
			break;
		}
		c = c << 6 | (s[i] & 0x3f);
	}
	*ret_valid = length && c >= least[length] && c <= 0x10ffff && (c < 0xd800 || c > 0xdfff);
	*text += *ret_valid ? length : 1;
	return *ret_valid ? c : s[0];
}

/* Characters that reorder the text around them, or cannot be seen. */
static bool
is_tricky(unsigned c)
{
	return c < ' ' || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
	       c == 0x61c;
}

void
screen_add_text(const struct screen *screen, const char *text, struct buf *out)
{
	while (*text) {
		const char *from = text;
		bool valid;
		unsigned c = next_char(&text, &valid);

		if (!valid)
			buf_printf(out, "\\x%02x", c);
		else if (c == '\n')
			buf_add_string(out, "\\n");
		else if (c == '\t')
			buf_add_string(out, "\\t");
		else if (is_tricky(c) || (c >= 0x80 && (!screen->utf8 || wcwidth((wchar_t) c) < 0)))
			buf_printf(out, "\\u{%x}", c);
		else
			buf_add(out, from, (size_t) (text - from));
	}
}

static unsigned
char_width(unsigned c)
{
	int width = c < 0x80 ? 1 : wcwidth((wchar_t) c);

	return width < 0 ? 1 : (unsigned) width;
}

unsigned
screen_text_width(const char *clean)
{
	unsigned width = 0;
	bool valid;

	while (*clean)
		width += char_width(next_char(&clean, &valid));
	return width;
}

void
screen_add_cut(const struct screen *screen, const char *clean, unsigned width, struct buf *out)
{
	const char *text = clean;
	unsigned used = 0;
	bool valid;

	if (screen_text_width(clean) <= width) {
		buf_add_string(out, clean);
		return;
	}
	if (!width)
		return;
	while (*text) {
		const char *from = text;
		unsigned one = char_width(next_char(&text, &valid));

		if (used + one > width - 1)
			break;
		used += one;
		buf_add(out, from, (size_t) (text - from));
	}
	buf_add_string(out, screen->utf8 ? "\u2026" : "~");
}

void
screen_printf(const struct screen *screen, struct buf *out, const char *format, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	if (text)
		screen_add_text(screen, text, out);
}

static const char *const colour_codes[] = {
	[COLOUR_GOOD] = "32", [COLOUR_BUSY] = "36", [COLOUR_WARN] = "33", [COLOUR_BAD] = "31;1",
	[COLOUR_DIM] = "2", [COLOUR_BOLD] = "1",
};

void
screen_begin_colour(const struct screen *screen, enum colour colour, struct buf *out)
{
	if (screen->colour && colour)
		buf_printf(out, "\033[%sm", colour_codes[colour]);
}

void
screen_end_colour(const struct screen *screen, enum colour colour, struct buf *out)
{
	if (screen->colour && colour)
		buf_add_string(out, "\033[0m");
}

enum colour
screen_state_colour(const char *state)
{
	static const struct {
		const char *state;
		enum colour colour;
	} states[] = {
		{ "ok", COLOUR_GOOD }, { "live", COLOUR_GOOD }, { "completed", COLOUR_GOOD },
		{ "converging", COLOUR_GOOD }, { "resolved", COLOUR_GOOD },
		{ "running", COLOUR_BUSY }, { "info", COLOUR_BUSY },
		{ "warning", COLOUR_WARN }, { "cancelled", COLOUR_WARN }, { "behind", COLOUR_WARN },
		{ "busy", COLOUR_WARN }, { "silent", COLOUR_WARN }, { "gone", COLOUR_WARN },
		{ "critical", COLOUR_BAD }, { "failed", COLOUR_BAD }, { "lost", COLOUR_BAD },
		{ "not-converging", COLOUR_BAD }, { "firing", COLOUR_BAD },
		{ "error", COLOUR_BAD }, { "timeout", COLOUR_BAD }, { "unanswered", COLOUR_BAD },
		{ "active", COLOUR_GOOD }, { "ACTIVE", COLOUR_GOOD }, { "in-use", COLOUR_GOOD },
		{ "ERROR", COLOUR_BAD }, { "DOWN", COLOUR_WARN }, { "deleted", COLOUR_DIM },
	};
	size_t length = strcspn(state, ",");

	for (unsigned i = 0; i < ARRAY_SIZE(states); i++)
		if (strlen(states[i].state) == length && starts_with(state, states[i].state))
			return states[i].colour;
	return COLOUR_NONE;
}

void
screen_add_state(const struct screen *screen, const char *state, struct buf *out)
{
	enum colour colour = screen_state_colour(state);

	screen_begin_colour(screen, colour, out);
	screen_add_text(screen, state, out);
	screen_end_colour(screen, colour, out);
}

static void
add_time(const struct screen *screen, uint64_t ns, bool ms, struct buf *out)
{
	time_t then = (time_t) (ns / NS_PER_S), now = (time_t) (screen->now_ns / NS_PER_S);
	struct tm tm, today;
	char text[48];
	bool same_day;

	if (!localtime_r(&then, &tm) || !localtime_r(&now, &today)) {
		buf_printf(out, "%" PRIu64, ns);
		return;
	}
	same_day = tm.tm_yday == today.tm_yday && tm.tm_year == today.tm_year;
	strftime(text, sizeof text, same_day ? "%H:%M:%S" :
				    ms ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d %H:%M", &tm);
	buf_add_string(out, text);
	if (ms)
		buf_printf(out, ".%03u", (unsigned) (ns % NS_PER_S / NS_PER_MS));
}

void
screen_add_time(const struct screen *screen, uint64_t ns, struct buf *out)
{
	add_time(screen, ns, false, out);
}

void
screen_add_moment(const struct screen *screen, uint64_t ns, struct buf *out)
{
	add_time(screen, ns, true, out);
}

void
screen_add_age(const struct screen *screen, uint64_t ns, struct buf *out)
{
	static const struct {
		const char *unit;
		uint64_t s, upto_s;
	} units[] = {
		{ "s", 1, 120 }, { "min", 60, 7200 }, { "h", 3600, 172800 },
		{ "d", 86400, UINT64_MAX },
	};
	bool past = ns <= screen->now_ns;
	uint64_t age = past ? screen->now_ns - ns : ns - screen->now_ns;
	char text[48];
	unsigned i = 0;

	/* One whole number: ages are looked at, not computed with. */
	while (age / NS_PER_S >= units[i].upto_s)
		i++;
	if (age < NS_PER_S)
		format_duration(age, text, sizeof text);
	else
		snprintf(text, sizeof text, "%" PRIu64 " %s", age / NS_PER_S / units[i].s,
			 units[i].unit);
	buf_printf(out, past ? "%s ago" : "in %s", text);
}

void
screen_add_count(uint64_t count, struct buf *out)
{
	char digits[24];
	int n = snprintf(digits, sizeof digits, "%" PRIu64, count);

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			buf_add_char(out, ' ');
		buf_add_char(out, digits[i]);
	}
}
