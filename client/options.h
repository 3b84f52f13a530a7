/* SPDX-License-Identifier: MIT
 *
 * options.h -- the options of cloudtracectl as one const table.  Those that
 * filter name a parameter of a method: a command takes the filters that its
 * method has (proto/methods.c). */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include "client/ctl.h"
#include "proto/methods.h"

enum option_kind {
	OPTION_SOCKET, OPTION_CONNECT, OPTION_STORE, OPTION_CERT, OPTION_KEY, OPTION_CA,
	OPTION_OUTPUT, OPTION_NO_HEADERS,
	OPTION_COLOUR, OPTION_CURSOR, OPTION_NOW, OPTION_LIST_COMMANDS, OPTION_LIST_OPTIONS,
	OPTION_LIST_VALUES, OPTION_HELP, OPTION_VERSION,
	/* Filters, by the type of their value. */
	OPTION_TEXT, OPTION_NUMBER, OPTION_TIME, OPTION_DURATION,
};

struct ctl_option {
	const char *name;
	enum option_kind kind;
	char letter;
	const char *value;    /* As help shows it; NULL: takes none. */
	const char *param;    /* Filters: the parameter that it is. */
	const char *doc;      /* NULL: not in help. */
};

/* Ended by a NULL name. */
extern const struct ctl_option ctl_options[];

bool option_is_filter(const struct ctl_option *option);
/* The parameter that a filter is for that command; NULL: it does not take it. */
const struct rpc_param *option_param(const struct ctl_option *option,
				     const struct command *command);
/* Takes a value.  Returns 0, or an exit code after a message. */
int option_set(struct ctl *ctl, const struct ctl_option *option, const char *value);
/* --color; "auto" at the start. */
int option_set_colour(struct ctl *ctl, const char *value);
/* What a command cannot filter by must not look as if it did: returns 0, or an
 * exit code after a message. */
int options_check(const struct ctl *ctl, const struct command *command);

/* help.c: each returns an exit code.  'command' NULL: of all. */
int help_print(const struct command *command, bool whole_noun);
int help_list_commands(void);
int help_list_options(const struct command *command);
/* The words that --'option' may have for that command; "topic": of watch. */
int help_list_values(const char *option, const struct command *command);

#endif /* options.h */
