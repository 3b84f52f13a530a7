/* SPDX-License-Identifier: MIT
 *
 * commands_daemon.c -- commands about the daemon itself: its sources, counters
 * and log, its alert rules and silences. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/columns.h"
#include "client/connect.h"
#include "client/ctl.h"
#include "lib/log.h"

/* -- Lists ---------------------------------------------------------------- */

static const struct column rule_columns[] = {
	FIELD("RULE", "name", TEXT, 0),
	FIELD("SEVERITY", "severity", STATE, 0),
	FIELD("ENABLED", "enabled", TEXT, 0),
	FIELD("FIRING", "firing", COUNT, COLUMN_RIGHT),
	FIELD("ON", "on", TEXT, COLUMN_SPARE),
	FIELD("WHEN", "when", TEXT, COLUMN_FLEX | COLUMN_SPARE),
	FIELD("COUNT", "count", COUNT, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("WITHIN", "within_ns", DURATION, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("HOLD", "hold_ns", DURATION, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("LABELS", "labels", TEXT, COLUMN_WIDE),
	{ .title = NULL }
};

static const char *const rule_csv[] = {
	"name", "severity", "enabled", "firing", "on", "when", "subject", "count", "within_ns",
	"absent_ns", "hold_ns", "labels", "text", NULL
};

const struct view rule_view = VIEW(NULL, NULL, rule_columns, rule_csv, "no rules");

static const struct column silence_columns[] = {
	FIELD("ID", "id", TEXT, 0),
	FIELD("UNTIL", "end_ns", TIME, 0),
	FIELD("RULE", "rule", TEXT, 0),
	FIELD("HOST", "host", TEXT, 0),
	FIELD("SUBJECT", "subject", TEXT, 0),
	FIELD("SEVERITY", "severity", TEXT, 0),
	FIELD("ALERT", "alert", TEXT, 0),
	FIELD("COMMENT", "comment", TEXT, COLUMN_FLEX),
	{ .title = NULL }
};

static const char *const silence_csv[] = {
	"id", "start_ns", "end_ns", "rule", "host", "subject", "severity", "alert", "comment", NULL
};

const struct view silence_view = VIEW(NULL, NULL, silence_columns, silence_csv, "no silences");

static const struct column source_columns[] = {
	FIELD("NODE", "host", TEXT, 0),
	FIELD("SESSION", "session", TEXT, COLUMN_FLEX),
	FIELD("RELAYD", "relayd", TEXT, COLUMN_SPARE),
	FIELD("STATE", "state", STATE, 0),
	FIELD("EVENTS", "events", COUNT, COLUMN_RIGHT),
	FIELD("LOST", "lost_events", COUNT, COLUMN_RIGHT),
	FIELD("LATE", "late_events", COUNT, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("LAG", "lag_ns", DURATION, COLUMN_RIGHT),
	FIELD("LAST EVENT", "last_event_ns", AGE, COLUMN_SPARE),
	FIELD("WHY", "text", TEXT, COLUMN_FLEX | COLUMN_SPARE),
	{ .title = NULL }
};

static const char *const source_csv[] = {
	"host", "relayd", "session", "state", "events", "lost_events", "late_events", "lag_ns",
	"last_event_ns", "seen_ns", "text", NULL
};

const struct view source_view = VIEW(NULL, NULL, source_columns, source_csv, "no sources");

int
run_sources(struct ctl *ctl, const struct command *command, char **args)
{
	json_t *nodes, *node, *source, *list = json_array();
	int r = ctl_call(ctl, command->method, NULL, &nodes);
	size_t i, k;

	if (!r) {
		json_array_foreach(nodes, i, node)
			json_array_foreach(json_object_get(node, "sources"), k, source) {
				json_object_set(source, "host", json_object_get(node, "host"));
				json_array_append(list, source);
			}
		r = ctl_print_list(ctl, command->view, list);
		json_decref(nodes);
	}
	json_decref(list);
	return r;
}

static const struct column counter_columns[] = {
	FIELD("SCOPE", "scope", TEXT, 0),
	FIELD("COUNTER", "counter", TEXT, 0),
	FIELD("VALUE", "value", COUNT, COLUMN_RIGHT),
	{ .title = NULL }
};

static const char *const counter_csv[] = { "scope", "counter", "value", NULL };
static const struct view counter_view = VIEW(NULL, NULL, counter_columns, counter_csv, "nothing is counted");

int
run_counters(struct ctl *ctl, const struct command *command, char **args)
{
	json_t *scopes, *counters, *value, *list = json_array();
	const char *scope, *counter;
	int r = ctl_call(ctl, command->method, NULL, &scopes);

	if (r) {
		json_decref(list);
		return r;
	}
	if (ctl->output == OUTPUT_JSON) {
		r = ctl_print_json(ctl, scopes);
	} else {
		json_object_foreach(scopes, scope, counters)
			json_object_foreach(counters, counter, value)
				json_array_append_new(list, json_pack("{s:s, s:s, s:O}", "scope", scope,
								      "counter", counter, "value", value));
		r = ctl_print_list(ctl, &counter_view, list);
	}
	json_decref(scopes);
	json_decref(list);
	return r;
}

/* -- Changes -------------------------------------------------------------- */

/* Calls a method whose result is of no interest. */
static int
just_call(struct ctl *ctl, const char *method, json_t *params)
{
	json_t *result;
	int r = ctl_call(ctl, method, params, &result);

	if (!r)
		json_decref(result);
	return r;
}

int
run_log_set(struct ctl *ctl, const struct command *command, char **args)
{
	return just_call(ctl, command->method, json_pack("{s:s}", "level", args[0]));
}

int
run_silence(struct ctl *ctl, const struct command *command, char **args)
{
	json_t *params = json_copy(ctl->params), *silence;
	uint64_t duration_ns;
	int r;

	if (parse_duration(args[0], &duration_ns) || !duration_ns || duration_ns > INT64_MAX) {
		log_error("\"%s\" is no duration such as 30m, 2h, 1d", args[0]);
		json_decref(params);
		return EXIT_USAGE;
	}
	json_object_set_new(params, "duration_ns", json_integer((json_int_t) duration_ns));
	if (args[1])
		json_object_set_new(params, "comment", json_string(args[1]));
	r = ctl_call(ctl, command->method, params, &silence);
	if (r)
		return r;
	if (ctl->output == OUTPUT_JSON || ctl->output == OUTPUT_NDJSON)
		r = ctl_print_json(ctl, silence);
	else
		puts(json_text_at(silence, "id") ? json_text_at(silence, "id") : "");
	json_decref(silence);
	return r;
}

int
run_unsilence(struct ctl *ctl, const struct command *command, char **args)
{
	return just_call(ctl, command->method, json_pack("{s:s}", "id", args[0]));
}

/* -- Testing rules -------------------------------------------------------- */

/* What "cloudtraced --test-alerts" prints, or NULL after a message. */
static json_t *
test_alerts(const char *config, const char *path, bool is_folder)
{
	_cleanup_(freep) char *program = connect_find_daemon();
	_cleanup_(freep) char *config_word = xasprintf("--config=%s", config);
	_cleanup_(freep) char *store_word = xasprintf("--store=%s", path);
	char mode[] = "--test-alerts", *folder = xstrdup(path);
	char *argv[] = { program, mode, config_word, is_folder ? folder : store_word, NULL };
	posix_spawn_file_actions_t actions;
	json_error_t at = { .text = "" };
	int ends[2], status = 0, r;
	json_t *list = NULL;
	FILE *file;
	pid_t child;

	if (pipe(ends)) {
		free(folder);
		return NULL;
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addclose(&actions, ends[0]);
	r = posix_spawnp(&child, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	free(folder);
	file = fdopen(ends[0], "r");
	if (r)
		log_error("%s: %s", program, strerror(r));
	else if (file)
		list = json_loadf(file, 0, &at);
	if (file)
		fclose(file);
	if (!r && waitpid(child, &status, 0) == child && status) {
		json_decref(list);
		list = NULL;
	}
	return list;
}

int
run_alert_test(struct ctl *ctl, const struct command *command, char **args)
{
	const char *path = ctl->from_store ? ctl->address + strlen("store:") : NULL;
	struct stat stat_of;
	json_t *list;
	int r;

	if (!path) {
		log_error("alert test needs --store=FILE, or --store=FOLDER of traces");
		return EXIT_USAGE;
	}
	if (stat(path, &stat_of)) {
		log_error("%s: %s", path, strerror(errno));
		return EXIT_FAILED;
	}
	list = test_alerts(args[0], path, S_ISDIR(stat_of.st_mode));
	if (!list)
		return EXIT_FAILED;
	ctl_update_now(ctl);
	r = ctl_print_list(ctl, &alert_view, list);
	json_decref(list);
	return r;
}
