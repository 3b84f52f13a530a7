/* SPDX-License-Identifier: MIT
 *
 * view.h -- lists of JSON things as tables and CSV, by const tables of columns,
 * and the two pages that are no list. */
#ifndef CLIENT_VIEW_H
#define CLIENT_VIEW_H

#include <jansson.h>

#include "client/screen.h"

enum value {
	VALUE_TEXT, VALUE_STATE, VALUE_ID, VALUE_COUNT, VALUE_BYTES, VALUE_DURATION, VALUE_TIME,
	VALUE_AGE,
};

enum {
	COLUMN_RIGHT = 1,   /* As in table.h. */
	COLUMN_FLEX = 2,
	COLUMN_SPARE = 4,
	COLUMN_WIDE = 8,    /* Only with -o wide. */
};

struct column {
	const char *title;
	const char *path;     /* "vm.name"; "@state": of the row's own part (expand). */
	enum value value;
	unsigned flags;
	/* Instead of path and value: */
	void (*write)(const json_t *item, const struct screen *screen, struct buf *out);
};

struct view {
	const char *topic;             /* For watch. */
	const char *expand;            /* A row for each of this array, or NULL. */
	const struct column *columns;  /* Ended by a NULL title. */
	const char *const *csv;        /* Paths, ended by NULL. */
	const char *none;              /* Said of an empty list. */
};

extern const struct view migration_view, in_flight_view, alert_view, node_view;

/* By dots: "forecast.verdict"; NULL when absent or null. */
const json_t *json_at(const json_t *item, const char *path);
const char *json_text_at(const json_t *item, const char *path);
/* Not negative; 0 when absent. */
uint64_t json_number_at(const json_t *item, const char *path);

void view_table(const struct view *view, const json_t *list, const struct screen *screen,
		struct buf *out);
/* RFC 4180, raw values: times and durations in ns. */
void view_csv(const struct view *view, const json_t *list, bool headers, struct buf *out);
/* "path,value" for each single value of an object. */
void view_csv_object(const json_t *object, bool headers, struct buf *out);

/* view_migration.c: pieces that lists and pages share. */
void migration_write_vm(const json_t *item, const struct screen *screen, struct buf *out);
void migration_write_route(const json_t *item, const struct screen *screen, struct buf *out);
void migration_write_round(const json_t *item, const struct screen *screen, struct buf *out);
void migration_write_total(const json_t *item, const struct screen *screen, struct buf *out);
void migration_write_left(const json_t *item, const struct screen *screen, struct buf *out);
void migration_write_downtime(const json_t *item, const struct screen *screen, struct buf *out);
void migration_write_verdict(const json_t *item, const struct screen *screen, struct buf *out);

/* The pages. */
void view_status(const json_t *status, const struct screen *screen, struct buf *out);
void view_migration(const json_t *migration, const json_t *alerts, const struct screen *screen,
		    struct buf *out);

#endif /* view.h */
