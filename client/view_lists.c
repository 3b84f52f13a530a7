/* SPDX-License-Identifier: MIT
 *
 * view_lists.c -- the lists of migrations, alerts and nodes. */
#include "client/columns.h"

static const struct column migration_columns[] = {
	FIELD("ID", "id", ID, 0),
	PIECE("VM", migration_write_vm, COLUMN_FLEX),
	PIECE("FROM - TO", migration_write_route, COLUMN_FLEX),
	FIELD("STATUS", "status", STATE, 0),
	FIELD("MODE", "mode", TEXT, COLUMN_WIDE),
	FIELD("STAGE", "stage", TEXT, COLUMN_WIDE),
	FIELD("STARTED", "start_ns", TIME, COLUMN_SPARE),
	FIELD("AGE", "start_ns", AGE, 0),
	PIECE("TOOK", migration_write_total, COLUMN_RIGHT),
	FIELD("ROUNDS", "dirty_syncs", COUNT, COLUMN_RIGHT | COLUMN_SPARE),
	PIECE("DOWNTIME", migration_write_downtime, COLUMN_RIGHT),
	FIELD("BLACKOUT", "blackout_ns", DURATION, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("THROTTLE %", "throttle_percent", COUNT, COLUMN_RIGHT | COLUMN_WIDE),
	PIECE("VERDICT", migration_write_verdict, COLUMN_WIDE),
	FIELD("REQUEST", "request_id", TEXT, COLUMN_WIDE),
	FIELD("REASON", "reason", TEXT, COLUMN_FLEX | COLUMN_SPARE),
	{ .title = NULL }
};

static const char *const migration_csv[] = {
	"id", "vm.uuid", "vm.name", "source", "destination", "source_pid", "destination_pid",
	"status", "mode", "stage", "start_ns", "end_ns", "total_ns", "downtime_ns", "blackout_ns",
	"dirty_syncs", "throttle_percent", "forecast.verdict", "forecast.remaining_ns",
	"forecast.downtime_ns", "reason", "request_id", "evidence.events", "evidence.lost",
	"evidence.clock_error_ns", NULL
};

const struct view migration_view =
	VIEW("migration", NULL, migration_columns, migration_csv, "no migrations");

static const struct column in_flight_columns[] = {
	FIELD("ID", "id", ID, 0),
	PIECE("VM", migration_write_vm, COLUMN_FLEX),
	PIECE("FROM - TO", migration_write_route, COLUMN_FLEX),
	FIELD("STAGE", "stage", TEXT, 0),
	PIECE("ROUND", migration_write_round, COLUMN_RIGHT),
	PIECE("ELAPSED", migration_write_total, COLUMN_RIGHT),
	PIECE("LEFT", migration_write_left, COLUMN_RIGHT),
	PIECE("DOWNTIME", migration_write_downtime, COLUMN_RIGHT | COLUMN_SPARE),
	{ "VERDICT", NULL, VALUE_STATE, COLUMN_FLEX, migration_write_verdict },
	{ .title = NULL }
};

const struct view in_flight_view =
	VIEW("migration", NULL, in_flight_columns, migration_csv, "no migration in flight");

static const struct column alert_columns[] = {
	FIELD("ID", "id", ID, 0),
	FIELD("SEVERITY", "severity", STATE, 0),
	FIELD("STATE", "state", STATE, 0),
	FIELD("SINCE", "start_ns", TIME, COLUMN_SPARE),
	FIELD("AGE", "start_ns", AGE, 0),
	FIELD("ENDED", "end_ns", TIME, COLUMN_WIDE),
	FIELD("RULE", "rule", TEXT, COLUMN_SPARE),
	FIELD("SUBJECT", "subject", TEXT, COLUMN_FLEX | COLUMN_SPARE),
	FIELD("TEXT", "text", TEXT, COLUMN_FLEX),
	{ .title = NULL }
};

static const char *const alert_csv[] = {
	"id", "rule", "severity", "state", "subject", "text", "start_ns", "end_ns", "seen_ns", NULL
};

const struct view alert_view = VIEW("alert", NULL, alert_columns, alert_csv, "no alerts");

static const struct column node_columns[] = {
	FIELD("NODE", "host", TEXT, 0),
	FIELD("SESSION", "@session", TEXT, COLUMN_FLEX),
	FIELD("RELAYD", "@relayd", TEXT, COLUMN_WIDE),
	FIELD("STATE", "@state", STATE, 0),
	FIELD("EVENTS", "@events", COUNT, COLUMN_RIGHT),
	FIELD("LOST", "@lost_events", COUNT, COLUMN_RIGHT),
	FIELD("LATE", "@late_events", COUNT, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("LAG", "@lag_ns", DURATION, COLUMN_RIGHT),
	FIELD("LAST EVENT", "@last_event_ns", AGE, COLUMN_SPARE),
	FIELD("CLOCK +-", "clock.error_ns", DURATION, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("WHY", "@text", TEXT, COLUMN_FLEX | COLUMN_SPARE),
	{ .title = NULL }
};

static const char *const node_csv[] = {
	"host", "@relayd", "@session", "@state", "@text", "@events", "@lost_events",
	"@late_events", "@lag_ns", "@last_event_ns", "@seen_ns", "clock.reference",
	"clock.offset_ns", "clock.error_ns", "clock.drift_ppm", NULL
};

const struct view node_view = VIEW("node", "sources", node_columns, node_csv, "no nodes");
