/* SPDX-License-Identifier: MIT
 *
 * commands.c -- the commands of cloudtracectl and what is common to them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl.h"
#include "lib/clock.h"
#include "lib/log.h"

/* -- Finding -------------------------------------------------------------- */

/* 2: the same; 1: a beginning of it; 0: neither. */
static int
match(const char *word, const char *name)
{
	if (streq(word, name))
		return 2;
	return *word && starts_with(name, word) ? 1 : 0;
}

/* Whether commands[i] is the first of its noun. */
static bool
first_of_noun(unsigned i)
{
	return !i || !streq(commands[i].noun, commands[i - 1].noun);
}

static const char *
find_noun(const char *word)
{
	const char *found = NULL;
	unsigned matches = 0;

	for (unsigned i = 0; commands[i].noun; i++) {
		int m = first_of_noun(i) ? match(word, commands[i].noun) : 0;

		if (m == 2)
			return commands[i].noun;
		if (m && matches++ == 0)
			found = commands[i].noun;
	}
	if (matches == 1)
		return found;
	log_error(matches ? "\"%s\" may be more than one command" : "no command \"%s\"", word);
	return NULL;
}

static const struct command *
find_verb(const char *noun, const char *word)
{
	const struct command *found = NULL;
	unsigned matches = 0;

	for (const struct command *c = commands; c->noun; c++) {
		int m = streq(c->noun, noun) ? match(word, c->verb) : 0;

		if (m == 2)
			return c;
		if (m && matches++ == 0)
			found = c;
	}
	if (matches == 1)
		return found;
	log_error(matches ? "\"%s %s\" may be more than one command" : "no command \"%s %s\"",
		  noun, word);
	return NULL;
}

const struct command *
command_find(char ***args, int *count)
{
	const struct command *command = commands;
	const char *noun = *count ? find_noun((*args)[0]) : commands[0].noun;

	if (!noun)
		return NULL;
	if (*count) {
		++*args;
		--*count;
	}
	while (!streq(command->noun, noun))
		command++;
	/* A noun alone does its first verb. */
	if (!*command->verb || !*count)
		return command;
	command = find_verb(noun, (*args)[0]);
	++*args;
	--*count;
	return command;
}

/* -- Common to commands --------------------------------------------------- */

int
ctl_failed(const struct cloudtrace_error *error)
{
	log_error("%s", error->text);
	if (streq(error->kind, "not-found") || streq(error->kind, "not-unique"))
		return EXIT_NOT_FOUND;
	return streq(error->kind, "invalid-params") ? EXIT_USAGE : EXIT_FAILED;
}

int
ctl_open(struct ctl *ctl, struct cloudtrace_error *error)
{
	const struct cloudtrace_tls *tls = &ctl->tls;

	if (tls->certificate || tls->key || tls->authority)
		return cloudtrace_connect_tls(ctl->address, tls, &ctl->daemon, error);
	return cloudtrace_connect(ctl->address, &ctl->daemon, error);
}

int
ctl_connect(struct ctl *ctl)
{
	struct cloudtrace_error error = { 0 };

	if (ctl->daemon || !ctl_open(ctl, &error))
		return 0;
	log_error("%s", error.text);
	return ctl->from_store ? EXIT_FAILED : EXIT_NO_DAEMON;
}

int
ctl_call(struct ctl *ctl, const char *method, json_t *params, json_t **ret)
{
	struct cloudtrace_error error = { 0 };
	int r = ctl_connect(ctl);

	if (r) {
		json_decref(params);
		return r;
	}
	params = params ? params : json_copy(ctl->params);
	if (cloudtrace_call(ctl->daemon, method, params, ret, &error))
		return ctl_failed(&error);
	return 0;
}

void
ctl_update_now(struct ctl *ctl)
{
	if (!ctl->fixed_now)
		ctl->screen.now_ns = clock_wall_ns();
}

int
ctl_flush(struct buf *out)
{
	size_t size = out->size;
	bool written = !size || fwrite(out->data, 1, size, stdout) == size;

	buf_clear(out);
	if (!fflush(stdout) && written)
		return EXIT_OK;
	log_error("cannot write: %s", strerror(errno));
	return EXIT_FAILED;
}

static int
add_json(const char *bytes, size_t size, void *out)
{
	buf_add(out, bytes, size);
	return 0;
}

int
ctl_print_json(const struct ctl *ctl, const json_t *value)
{
	/* On a terminal no character of a name may steer it. */
	size_t flags = JSON_ENCODE_ANY | (ctl->tty ? JSON_ENSURE_ASCII : 0);
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *item;
	size_t i;

	if (ctl->output == OUTPUT_JSON) {
		json_dump_callback(value, add_json, &out, flags | JSON_INDENT(2));
		buf_add_char(&out, '\n');
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, item) {
			json_dump_callback(item, add_json, &out, flags | JSON_COMPACT);
			buf_add_char(&out, '\n');
		}
	} else {
		json_dump_callback(value, add_json, &out, flags | JSON_COMPACT);
		buf_add_char(&out, '\n');
	}
	return ctl_flush(&out);
}

static bool
is_json(const struct ctl *ctl)
{
	return ctl->output == OUTPUT_JSON || ctl->output == OUTPUT_NDJSON;
}

/* -- The simple commands -------------------------------------------------- */

static int
run_status(struct ctl *ctl, const struct command *command, char **args)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *status;
	int r = ctl_call(ctl, command->method, NULL, &status);

	if (r)
		return r;
	ctl_update_now(ctl);
	if (is_json(ctl))
		r = ctl_print_json(ctl, status);
	else if (ctl->output == OUTPUT_CSV)
		view_csv_object(status, ctl->screen.headers, &out);
	else
		view_status(status, &ctl->screen, &out);
	json_decref(status);
	return r ? r : ctl_flush(&out);
}

static int
run_list(struct ctl *ctl, const struct command *command, char **args)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *list;
	int r = ctl_call(ctl, command->method, NULL, &list);

	if (r)
		return r;
	ctl_update_now(ctl);
	if (is_json(ctl))
		r = ctl_print_json(ctl, list);
	else if (ctl->output == OUTPUT_CSV)
		view_csv(command->view, list, ctl->screen.headers, &out);
	else if (json_array_size(list))
		view_table(command->view, list, &ctl->screen, &out);
	else
		log_info("%s", command->view->none);
	json_decref(list);
	return r ? r : ctl_flush(&out);
}

/* Alerts whose subject is that migration; fewer is no reason to fail. */
static json_t *
alerts_of(struct ctl *ctl, const json_t *migration)
{
	const char *id = json_text_at(migration, "id");
	json_t *params = json_object(), *alerts = NULL;

	json_object_set_new(params, "since_ns", json_integer(
		(json_int_t) json_number_at(migration, "start_ns")));
	if (ctl_call(ctl, "alert.list", params, &alerts))
		return NULL;
	for (size_t i = json_array_size(alerts); i-- > 0; ) {
		const char *subject = json_text_at(json_array_get(alerts, i), "subject");

		if (!id || !subject || !streq(id, subject))
			json_array_remove(alerts, i);
	}
	return alerts;
}

static int
run_migration_show(struct ctl *ctl, const struct command *command, char **args)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *migration, *alerts;
	int r = ctl_call(ctl, command->method, json_pack("{s:s}", "id", args[0]), &migration);

	if (r)
		return r;
	ctl_update_now(ctl);
	if (is_json(ctl)) {
		r = ctl_print_json(ctl, migration);
	} else if (ctl->output == OUTPUT_CSV) {
		view_csv_object(migration, ctl->screen.headers, &out);
	} else {
		alerts = alerts_of(ctl, migration);
		view_migration(migration, alerts, &ctl->screen, &out);
		json_decref(alerts);
	}
	json_decref(migration);
	return r ? r : ctl_flush(&out);
}

static int
run_raw(struct ctl *ctl, const struct command *command, char **args)
{
	json_t *params = NULL, *result;
	json_error_t at = { .text = "" };
	int r;

	if (args[1]) {
		params = json_loads(args[1], JSON_REJECT_DUPLICATES, &at);
		if (!json_is_object(params)) {
			json_decref(params);
			log_error("the parameters must be a JSON object%s%s",
				  at.text[0] ? ": " : "", at.text);
			return EXIT_USAGE;
		}
	} else {
		params = json_object();
	}
	r = ctl_call(ctl, args[0], params, &result);
	if (r)
		return r;
	if (ctl->output != OUTPUT_NDJSON)
		ctl->output = OUTPUT_JSON;
	r = ctl_print_json(ctl, result);
	json_decref(result);
	return r;
}

/* -- The table: the first is what cloudtracectl alone does ----------------- */

const struct command commands[] = {
	{ "status", "", "", 0, 0, "status", NULL, run_status,
	  "health, migrations in flight, firing alerts, nodes that are not live" },
	{ "migration", "list", "", 0, 0, "migration.list", &migration_view, run_list,
	  "live migrations, newest first" },
	{ "migration", "show", "ID", 1, 1, "migration.show", NULL, run_migration_show,
	  "stages, rounds and dirty-page curve of one (ID: its beginning, or a VM)" },
	{ "migration", "watch", "", 0, 0, "migration.list", &migration_view, run_watch,
	  "the list, kept up to date" },
	{ "node", "list", "", 0, 0, "node.list", &node_view, run_list,
	  "nodes and what comes from them" },
	{ "alert", "list", "", 0, 0, "alert.list", &alert_view, run_list,
	  "alerts, newest first" },
	{ "alert", "watch", "", 0, 0, "alert.list", &alert_view, run_watch,
	  "the list, kept up to date" },
	{ "watch", "", "TOPIC", 1, 1, NULL, NULL, run_watch,
	  "what changes from now on: migration, alert or node" },
	{ "check", "", "", 0, 0, "status", NULL, run_check,
	  "one line for Nagios; exits 0 ok, 1 warning, 2 critical, 3 unknown" },
	{ "raw", "", "METHOD [JSON]", 1, 2, NULL, NULL, run_raw,
	  "calls a method of cloudtraced-protocol(7)" },
	{ NULL, NULL, NULL, 0, 0, NULL, NULL, NULL, NULL }
};
