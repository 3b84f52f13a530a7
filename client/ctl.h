/* SPDX-License-Identifier: MIT
 *
 * ctl.h -- shared by main.c (dispatch), options.c, help.c, commands.c (the table
 * of commands and the simple ones), watch.c and check.c. */
#ifndef CLIENT_CTL_H
#define CLIENT_CTL_H

#include "client/cloudtrace.h"
#include "client/screen.h"
#include "client/view.h"

enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_FOUND = 3,
	EXIT_NO_DAEMON = 4,
};

enum output { OUTPUT_TABLE, OUTPUT_WIDE, OUTPUT_JSON, OUTPUT_NDJSON, OUTPUT_CSV };

struct ctl {
	char *address;             /* As cloudtrace_connect() takes it; NULL: default. */
	bool from_store;           /* --store */
	struct cloudtrace_tls tls; /* --cert, --key, --ca; any of them: over TLS. */
	enum output output;
	struct screen screen;
	bool fixed_now;            /* --now: the clock stands still. */
	bool tty;                  /* Standard output is a terminal. */
	json_t *params;            /* Filters that were given, by parameter name. */
	const char *cursor;        /* --cursor of watch, or NULL. */
	struct cloudtrace *daemon; /* NULL before ctl_connect(). */
};

struct command {
	const char *noun, *verb;   /* 'verb' "" for a noun alone. */
	const char *args;          /* As help shows them. */
	int min_args, max_args;
	const char *method;        /* Its parameters are this command's filters; or NULL. */
	const struct view *view;   /* Of a list; of a page: its CSV, or NULL: names and values. */
	page_fn *page;             /* Of one thing; or NULL. */
	const char *member;        /* Just this array of the thing is shown; or NULL. */
	int (*run)(struct ctl *ctl, const struct command *command, char **args);
	const char *doc;
	const char *examples;      /* Lines for help; or NULL. */
};

/* Ended by a NULL noun. */
extern const struct command commands[];

/* Finds by unique beginnings and takes what it used off *args.  NULL: a message
 * was printed. */
const struct command *command_find(char ***args, int *count);

/* Connects as the options say, or fills 'error'; returns 0 or a negative errno. */
int ctl_open(struct ctl *ctl, struct cloudtrace_error *error);
/* Returns 0 or, after a message, an exit code. */
int ctl_connect(struct ctl *ctl);
/* As cloudtrace_call(), with filters as parameters where 'params' is NULL;
 * returns 0 or, after a message, an exit code. */
int ctl_call(struct ctl *ctl, const char *method, json_t *params, json_t **ret);
/* The exit code of a failed call; prints its text. */
int ctl_failed(const struct cloudtrace_error *error);
/* Sets the clock of the screen. */
void ctl_update_now(struct ctl *ctl);
/* What a table shows of a list: without what is minor, unless that was asked
 * for.  A new reference. */
json_t *ctl_major(const struct ctl *ctl, const struct view *view, json_t *list);
/* Prints one document, or lines of an array for ndjson. */
int ctl_print_json(const struct ctl *ctl, const json_t *value);
/* Writes all of 'out' to standard output and empties it. */
int ctl_flush(struct buf *out);

/* Ends what goes on until SIGINT or SIGTERM; SIGWINCH measures the terminal. */
void ctl_catch_signals(void);
bool ctl_has_ended(void);
/* Draws the lines of 'page' that fit the terminal, over what is there. */
int ctl_draw(struct ctl *ctl, const struct buf *page);
/* To a screen of our own, and back. */
void ctl_begin_screen(void);
void ctl_end_screen(void);

int run_list(struct ctl *ctl, const struct command *command, char **args);
int run_top(struct ctl *ctl, const struct command *command, char **args);
int run_export(struct ctl *ctl, const struct command *command, char **args);
int run_silence(struct ctl *ctl, const struct command *command, char **args);
int run_unsilence(struct ctl *ctl, const struct command *command, char **args);
int run_alert_test(struct ctl *ctl, const struct command *command, char **args);
int run_sources(struct ctl *ctl, const struct command *command, char **args);
int run_counters(struct ctl *ctl, const struct command *command, char **args);
int run_log_set(struct ctl *ctl, const struct command *command, char **args);
/* Prints a list as the command's view and the options say. */
int ctl_print_list(struct ctl *ctl, const struct view *view, const json_t *list);
int run_watch(struct ctl *ctl, const struct command *command, char **args);
int run_check(struct ctl *ctl, const struct command *command, char **args);

#endif /* ctl.h */
