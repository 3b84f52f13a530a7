/* SPDX-License-Identifier: MIT
 *
 * watch.c -- a list kept up to date: redrawn on a terminal, a line for each
 * change elsewhere.  When the daemon goes away it is waited for, and what
 * changed meanwhile is asked for by the last cursor. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/ctl.h"
#include "lib/log.h"
#include "proto/methods.h"

enum { WAIT_MS = 1000, RETRY_MS = 1000, MAX_ROWS = 5000 };

struct watching {
	struct ctl *ctl;
	const struct command *command;
	const struct view *view;
	const char *topic, *method;
	bool list_first;      /* Not for "watch TOPIC": just changes. */
	bool full_screen;
	char cursor[64];
	json_t *rows;         /* Array of the things, by the screen's order. */
};

/* Set by signals. */
static volatile sig_atomic_t ended, resized;

static void
on_end(int signal)
{
	ended = 1;
}

static void
on_resize(int signal)
{
	resized = 1;
}

/* Without SA_RESTART: poll() must return. */
void
ctl_catch_signals(void)
{
	struct sigaction end = { .sa_handler = on_end }, resize = { .sa_handler = on_resize };

	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGWINCH, &resize, NULL);
}

/* -- Rows ----------------------------------------------------------------- */

static const char *
id_of(const json_t *item)
{
	static const char *const members[] = { "id", "uuid", "host" };
	const char *id = NULL;

	for (unsigned i = 0; i < ARRAY_SIZE(members) && !id; i++)
		id = json_text_at(item, members[i]);
	return id;
}

static void
keep_row(struct watching *w, const char *id, json_t *item)
{
	json_t *row;
	size_t i;

	json_array_foreach(w->rows, i, row) {
		const char *its = id_of(row);

		if (!its || !streq(its, id))
			continue;
		if (item)
			json_array_set(w->rows, i, item);
		else
			json_array_remove(w->rows, i);
		return;
	}
	if (!item)
		return;
	json_array_insert(w->rows, 0, item);
	if (json_array_size(w->rows) > MAX_ROWS)
		json_array_remove(w->rows, MAX_ROWS);
}

/* -- Drawing -------------------------------------------------------------- */

static void
measure(struct ctl *ctl)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || !size.ws_col)
		return;
	ctl->screen.width = size.ws_col;
	ctl->screen.height = size.ws_row;
}

bool
ctl_has_ended(void)
{
	return ended;
}

void
ctl_begin_screen(void)
{
	fputs("\033[?1049h\033[?25l", stdout);
}

void
ctl_end_screen(void)
{
	fputs("\033[?25h\033[?1049l", stdout);
	fflush(stdout);
}

int
ctl_draw(struct ctl *ctl, const struct buf *page)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	unsigned lines = 0, room;
	const char *line, *end;

	if (resized) {
		resized = 0;
		measure(ctl);
	}
	room = ctl->screen.height;
	buf_add_string(&out, "\033[H");
	for (line = page->size ? page->data : ""; (end = strchr(line, '\n')) &&
	     (!room || lines + 1 < room); line = end + 1, lines++) {
		buf_add(&out, line, (size_t) (end - line));
		buf_add_string(&out, "\033[K\r\n");
	}
	buf_add_string(&out, "\033[J");
	return ctl_flush(&out);
}

static int
draw(struct watching *w)
{
	_cleanup_(buf_done) struct buf page = { 0 };
	json_t *rows;

	ctl_update_now(w->ctl);
	rows = ctl_major(w->ctl, w->view, w->rows);
	if (json_array_size(rows))
		view_table(w->view, rows, &w->ctl->screen, &page);
	else
		buf_printf(&page, "%s\n", w->view->none);
	json_decref(rows);
	return ctl_draw(w->ctl, &page);
}

static int
print_item(struct watching *w, json_t *item, bool headers)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *list = json_pack("[O]", item), *shown;
	struct screen screen = w->ctl->screen;

	screen.headers = headers;
	shown = ctl_major(w->ctl, w->view, list);
	if (w->ctl->output == OUTPUT_CSV)
		view_csv(w->view, list, headers, &out);
	else if (json_array_size(shown))
		view_table(w->view, shown, &screen, &out);
	json_decref(shown);
	json_decref(list);
	return ctl_flush(&out);
}

static bool
is_json(const struct watching *w)
{
	return w->ctl->output == OUTPUT_JSON || w->ctl->output == OUTPUT_NDJSON;
}

static int
print_line(struct watching *w, const json_t *value)
{
	struct ctl ctl = *w->ctl;

	ctl.output = OUTPUT_NDJSON;
	return ctl_print_json(&ctl, value);
}

/* -- Changes -------------------------------------------------------------- */

static int
take_change(struct watching *w, const json_t *change)
{
	json_t *item = json_object_get(change, "item");
	const char *id = json_text_at(change, "id");

	if (json_is_null(item))
		item = NULL;
	if (w->full_screen) {
		if (id)
			keep_row(w, id, item);
		return 0;
	}
	ctl_update_now(w->ctl);
	if (is_json(w) && !w->list_first)
		return print_line(w, change);
	if (!item)
		return 0;
	return is_json(w) ? print_line(w, item) : print_item(w, item, false);
}

static int
take_changes(struct watching *w, const json_t *params)
{
	const char *cursor = json_text_at(params, "cursor");
	json_t *change;
	int r = 0;
	size_t i;

	json_array_foreach(json_at(params, "items"), i, change) {
		r = r ? r : take_change(w, change);
	}
	if (cursor)
		snprintf(w->cursor, sizeof w->cursor, "%s", cursor);
	return r;
}

/* The whole list anew. */
static int
take_list(struct watching *w)
{
	json_t *list, *item;
	size_t i;
	int r;

	if (!w->list_first && !w->full_screen)
		return 0;
	r = ctl_call(w->ctl, w->method, w->command->method ? NULL : json_object(), &list);
	if (r)
		return r;
	if (w->full_screen) {
		json_decref(w->rows);
		w->rows = list;
		return 0;
	}
	ctl_update_now(w->ctl);
	if (is_json(w)) {
		json_array_foreach(list, i, item) {
			r = r ? r : print_line(w, item);
		}
	} else {
		_cleanup_(buf_done) struct buf out = { 0 };
		json_t *shown = ctl_major(w->ctl, w->view, list);

		if (w->ctl->output == OUTPUT_CSV)
			view_csv(w->view, list, w->ctl->screen.headers, &out);
		else if (json_array_size(shown))
			view_table(w->view, shown, &w->ctl->screen, &out);
		json_decref(shown);
		r = ctl_flush(&out);
	}
	json_decref(list);
	return r;
}

/* The filters that a watch knows too; times and limits concern the list. */
static json_t *
filter_of(const struct ctl *ctl)
{
	json_t *filter = json_copy(ctl->params);

	json_object_del(filter, "since_ns");
	json_object_del(filter, "until_ns");
	json_object_del(filter, "limit");
	return filter;
}

/* Watches from the last cursor, or from now after the list. */
static int
begin(struct watching *w)
{
	struct cloudtrace_error error = { 0 };
	bool found, first = !w->cursor[0];
	json_t *result;
	int r = ctl_connect(w->ctl);

	if (r)
		return r;
	if (cloudtrace_watch(w->ctl->daemon, w->topic, filter_of(w->ctl),
			     first ? NULL : w->cursor, &result, &error))
		return ctl_failed(&error);
	found = json_is_true(json_at(result, "found"));
	if (!found)
		log_info("what changed meanwhile is not known any more: the list is read anew");
	/* Watched first, listed after: nothing in between is missed. */
	r = first || !found ? take_list(w) : 0;
	if (!r)
		r = take_changes(w, result);
	json_decref(result);
	return r;
}

static int
take_notification(struct watching *w, const json_t *message)
{
	const char *method = json_text_at(message, "method");
	const json_t *params = json_at(message, "params");
	int r;

	if (!method)
		return 0;
	if (streq(method, "lost")) {
		log_info("some changes are not known any more: the list is read anew");
		r = take_list(w);
		return r ? r : take_changes(w, params);
	}
	return streq(method, "update") ? take_changes(w, params) : 0;
}

/* Returns 0 when the connection is gone or a signal came, else an exit code. */
static int
follow(struct watching *w)
{
	struct cloudtrace_error error = { 0 };
	json_t *message;
	int r;

	while (!ended) {
		if (w->full_screen && (r = draw(w)))
			return r;
		/* Not for ever: a signal may come just before. */
		r = cloudtrace_next(w->ctl->daemon, WAIT_MS, &message, &error);
		if (r < 0) {
			log_info("connection lost: %s; trying again", error.text);
			return 0;
		}
		if (!r)
			continue;
		r = take_notification(w, message);
		json_decref(message);
		if (r)
			return r;
	}
	return 0;
}

/* Waits until the daemon is back. */
static void
reconnect(struct watching *w)
{
	struct cloudtrace_error error;

	cloudtrace_close(w->ctl->daemon);
	w->ctl->daemon = NULL;
	while (!ended && !w->ctl->daemon) {
		poll(NULL, 0, RETRY_MS);
		if (!ended && ctl_open(w->ctl, &error))
			w->ctl->daemon = NULL;
	}
	if (w->ctl->daemon)
		log_info("connected again");
}

/* Returns whether that worked; sets *ret when there is no use in trying on. */
static bool
begin_again(struct watching *w, int *ret)
{
	int r;

	reconnect(w);
	r = ended ? 0 : begin(w);
	/* It may have gone away again. */
	if (r && r != EXIT_NO_DAEMON && (r != EXIT_FAILED || ferror(stdout)))
		*ret = r;
	return !r;
}

static const struct command *
list_command(const char *topic)
{
	for (const struct command *c = commands; c->noun; c++)
		if (streq(c->noun, topic) && streq(c->verb, "list"))
			return c;
	return NULL;
}

/* As the daemon has them. */
static void
refuse_topic(const char *topic)
{
	const struct rpc_method *watch = rpc_method_find("watch");

	log_error("no topic \"%s\"; known are %s", topic,
		  rpc_param_find(watch->params, "topic")->choices);
}

int
run_watch(struct ctl *ctl, const struct command *command, char **args)
{
	const struct command *list = list_command(command->view ? command->view->topic : args[0]);
	struct watching w = { .ctl = ctl, .command = command, .rows = json_array() };
	int r = list ? 0 : EXIT_USAGE;

	if (!list)
		refuse_topic(args[0]);
	else
		w = (struct watching) {
			.ctl = ctl, .command = command, .view = list->view, .rows = w.rows,
			.topic = list->view->topic, .method = list->method,
			.list_first = command->view != NULL,
			.full_screen = ctl->tty && command->view && ctl->output <= OUTPUT_WIDE,
		};
	if (!r && ctl->cursor)
		snprintf(w.cursor, sizeof w.cursor, "%s", ctl->cursor);
	ctl_catch_signals();
	if (!r)
		r = begin(&w);
	if (!r && w.full_screen)
		ctl_begin_screen();
	while (!r && !ended) {
		r = follow(&w);
		while (!r && !ended && !begin_again(&w, &r))
			;
	}
	if (w.full_screen)
		ctl_end_screen();
	json_decref(w.rows);
	return r;
}
