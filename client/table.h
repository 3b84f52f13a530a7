/* SPDX-License-Identifier: MIT
 *
 * table.h -- cells in columns that fit the screen. */
#ifndef CLIENT_TABLE_H
#define CLIENT_TABLE_H

#include "client/screen.h"

enum {
	TABLE_RIGHT = 1,   /* Numbers. */
	TABLE_FLEX = 2,    /* May be cut where the screen is narrow. */
	TABLE_SPARE = 4,   /* May be left out there. */
};

struct table;

struct table *table_new(unsigned columns);
void table_free(struct table *table);
void table_set_column(struct table *table, unsigned column, const char *title, unsigned flags);
/* Adds the next cell, row by row.  'text' must be clean (screen.h). */
void table_add(struct table *table, enum colour colour, const char *text);
void table_write(const struct table *table, const struct screen *screen, bool headers,
		 struct buf *out);

#endif /* table.h */
