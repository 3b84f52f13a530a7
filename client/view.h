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
	VALUE_AGE, VALUE_RATE, VALUE_LIST,
	VALUE_NUMBER,      /* Without gaps: a pid, a code. */
	VALUE_MOMENT,      /* A time with milliseconds. */
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
	/* Those that a table leaves out unless they are asked for; or NULL. */
	bool (*is_minor)(const json_t *item);
	const char *minor;             /* What they are called, and how to see them. */
};

extern const struct view migration_view, in_flight_view, alert_view, node_view;
extern const struct view flow_view, flow_short_view, flow_spans_csv;
extern const struct view vm_view, vm_history_view;
extern const struct view service_view, operation_view;
extern const struct view volume_view, port_view, find_view;
extern const struct view compare_csv, drain_csv;
extern const struct view rule_view, silence_view, source_view;
extern const struct view bridge_view, switch_port_view, conversation_view;
extern const struct view thread_view, top_view, disk_view, node_connection_csv;
extern const struct view stage_connection_view;
extern const struct view network_component_view, network_command_view, network_change_csv;
extern const struct view network_hop_csv, place_view;

/* By dots: "forecast.verdict"; NULL when absent or null. */
const json_t *json_at(const json_t *item, const char *path);
const char *json_text_at(const json_t *item, const char *path);
/* Not negative; 0 when absent. */
uint64_t json_number_at(const json_t *item, const char *path);

/* One value as a cell shows it. */
void view_value(const json_t *value, enum value kind, const struct screen *screen,
		struct buf *out);
void view_table(const struct view *view, const json_t *list, const struct screen *screen,
		struct buf *out);
/* Those of a list that are not minor; a new reference. */
json_t *view_major(const struct view *view, json_t *list);
/* RFC 4180, raw values: times and durations in ns. */
void view_csv(const struct view *view, const json_t *list, bool headers, struct buf *out);
/* "path,value" for each single value of an object. */
void view_csv_object(const json_t *object, bool headers, struct buf *out);

/* -- Pages: page.c -------------------------------------------------------- */

/* A line "  name      value" of a page; several of one name share the line. */
struct page_field {
	const char *name;
	const char *path;
	enum value value;
	const char *before;   /* Text before the value, such as "on "; NULL: none; "" or
			       * beginning with a comma: close to the one before. */
	const char *after;
};

/* Those of 'fields' (ended by a NULL path) that 'item' has. */
void page_fields(const struct page_field *fields, const json_t *item, const struct screen *screen,
		 struct buf *out);
void page_field_name(const char *name, struct buf *out);
/* "kind ID   status" in bold and colour; a NULL status is left out. */
void page_head(const char *kind, const char *id, const char *status, const struct screen *screen,
	       struct buf *out);
/* An empty line, a title and the list as a table; nothing when it is empty. */
void page_list(const char *title, const struct view *view, const json_t *list,
	       const struct screen *screen, struct buf *out);
/* A title and a histogram of times: {"buckets": [[from_ns, count], ...]} or an
 * array of {from_ns, to_ns, count}; nothing when it is empty. */
void page_histogram(const char *title, const json_t *histogram, const struct screen *screen,
		    struct buf *out);
/* view_why.c: a line for each finding. */
void page_findings(const json_t *findings, const struct screen *screen, struct buf *out);
/* What is not known, each a sentence: "unknown" of a request or migration. */
void page_unknown(const json_t *unknown, const struct screen *screen, struct buf *out);
/* Columns left for a drawing behind 'used' ones. */
unsigned page_draw_width(const struct screen *screen, unsigned used);
void page_duration(uint64_t ns, struct buf *out);

/* Name of the "vm" of an item, or the beginning of its uuid. */
void page_write_vm(const json_t *item, const struct screen *screen, struct buf *out);
/* The interface in member 'name', or the port's number in 'number'. */
void page_write_port(const json_t *item, const char *name, const char *number,
		     const struct screen *screen, struct buf *out);

/* view_network.c: the name of a port, or its number; of "ifname", "in_ifname", "out_ifname". */
void network_write_port(const json_t *item, const struct screen *screen, struct buf *out);
void network_write_in(const json_t *item, const struct screen *screen, struct buf *out);
void network_write_out(const json_t *item, const struct screen *screen, struct buf *out);

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
typedef void page_fn(const json_t *item, const struct screen *screen, struct buf *out);
page_fn view_flow, view_vm, view_vm_history, view_service, view_volume, view_port, view_find;
page_fn view_network_latency, view_network_upcalls, view_network_changes, view_network_where;
page_fn view_network_path, view_network_show, view_node, view_node_network;
/* view_why.c */
page_fn view_why, view_alert;
page_fn view_compare, view_drain;
/* A part of the page of 'thing' by what another method gave. */
typedef void part_fn(const json_t *thing, const json_t *part, const struct screen *screen,
		     struct buf *out);
/* Of "thread.list", "disk.list", "network.ports", "volume.chain". */
part_fn view_vm_threads, view_vm_disks, view_vm_ports, view_volume_chain;

/* Things and flows of what "find" gave, for CSV; a new reference. */
json_t *find_rows(const json_t *found);

/* view_kernel.c: what both QEMUs' threads did in each stage. */
void view_migration_kernel(const json_t *migration, const struct screen *screen,
			   struct buf *out);
/* view_compare.c: "peers" of a flow or migration, as a field of its page. */
void view_peers(const json_t *peers, const struct screen *screen, struct buf *out);
/* view_steps.c: what both QEMUs were asked and did. */
void view_migration_steps(const json_t *migration, const struct screen *screen, struct buf *out);
/* view_network_places.c: how long the network did not know of a migration. */
void view_migration_network(const json_t *migration, const struct screen *screen,
			    struct buf *out);
/* view_waterfall.c: all spans of a flow on an axis of time. */
void view_waterfall(const json_t *flow, const struct screen *screen, struct buf *out);

/* view_budget.c: "budget" as a table with bars, below each part what the kernel or another
 * service says of it, where that is more than a twentieth of the whole. */
void view_budget(const json_t *thing, const struct screen *screen, struct buf *out);
/* Whether a part is such a reason; "WHAT by WHOM". */
bool budget_is_reason(const json_t *part, uint64_t whole_ns);
void budget_add_reason(const json_t *part, const struct screen *screen, struct buf *cell);

/* view_flow.c: pieces of lists. */
void flow_write_subject(const json_t *flow, const struct screen *screen, struct buf *out);
void flow_write_took(const json_t *flow, const struct screen *screen, struct buf *out);
void flow_write_why(const json_t *flow, const struct screen *screen, struct buf *out);
/* Its last moment: now while it runs. */
uint64_t flow_end(const json_t *flow, const struct screen *screen);

#endif /* view.h */
