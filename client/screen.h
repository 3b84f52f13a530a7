/* SPDX-License-Identifier: MIT
 *
 * screen.h -- what the reader's screen can show, and text made fit for it.
 *
 * Text from outside (names, reasons) must not steer the terminal: control
 * characters come out as escapes. */
#ifndef CLIENT_SCREEN_H
#define CLIENT_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/buf.h"

enum colour { COLOUR_NONE, COLOUR_GOOD, COLOUR_BUSY, COLOUR_WARN, COLOUR_BAD, COLOUR_DIM,
	      COLOUR_BOLD };

struct screen {
	unsigned width;    /* Columns; 0: as many as it takes. */
	unsigned height;   /* Lines; 0: no terminal. */
	bool colour;
	bool utf8;
	bool wide;         /* -o wide: more columns. */
	bool headers;
	uint64_t now_ns;   /* Ages count from here. */
};

/* Adds 'text' in UTF-8 with what could steer a terminal, and what its
 * character set lacks, as escapes. */
void screen_add_text(const struct screen *screen, const char *text, struct buf *out);
/* Columns that clean text takes. */
unsigned screen_text_width(const char *clean);
/* Adds at most 'width' columns of clean text; a mark shows that it was cut. */
void screen_add_cut(const struct screen *screen, const char *clean, unsigned width,
		    struct buf *out);
/* Adds a formatted text, cleaned. */
void screen_printf(const struct screen *screen, struct buf *out, const char *format, ...)
	_printf_(3, 4);
void screen_begin_colour(const struct screen *screen, enum colour colour, struct buf *out);
void screen_end_colour(const struct screen *screen, enum colour colour, struct buf *out);
/* The colour of a state word, such as "running" or "critical"; what follows
 * after a comma does not count. */
enum colour screen_state_colour(const char *state);
void screen_add_state(const struct screen *screen, const char *state, struct buf *out);

/* "06:02:18" of today, "2026-11-20 06:02" of other days, in local time. */
void screen_add_time(const struct screen *screen, uint64_t ns, struct buf *out);
/* As screen_add_time(), with milliseconds. */
void screen_add_moment(const struct screen *screen, uint64_t ns, struct buf *out);
/* "14 s ago", "28 min ago" or "in 3 s". */
void screen_add_age(const struct screen *screen, uint64_t ns, struct buf *out);
/* 41204 as "41 204". */
void screen_add_count(uint64_t count, struct buf *out);

#endif /* screen.h */
