/* SPDX-License-Identifier: MIT
 *
 * main.c -- cloudtracectl: start and dispatch.  Options are in options.c,
 * commands in commands.c, what they print in view*.c. */
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/options.h"
#include "lib/clock.h"
#include "lib/log.h"

enum { MAX_OPTIONS = 64, FIRST_LONG = 1000 };

/* What is asked of us instead of running the command. */
struct instead {
	const struct ctl_option *option;   /* NULL: nothing. */
	const char *value;
};

/* getopt_long() wants the table in its own forms. */
static void
make_tables(struct option *longs, char *letters)
{
	int i = 0;

	for (; i < MAX_OPTIONS && ctl_options[i].name; i++) {
		longs[i] = (struct option) { ctl_options[i].name, ctl_options[i].value ? 1 : 0,
					     NULL, FIRST_LONG + i };
		if (ctl_options[i].letter) {
			*letters++ = ctl_options[i].letter;
			if (ctl_options[i].value)
				*letters++ = ':';
		}
	}
	longs[i] = (struct option) { 0 };
	*letters = '\0';
}

static const struct ctl_option *
find_option(int c)
{
	const struct ctl_option *option = ctl_options;

	if (c >= FIRST_LONG)
		return &ctl_options[c - FIRST_LONG];
	while (option->name && option->letter != c)
		option++;
	return option->name ? option : NULL;
}

static bool
is_instead(enum option_kind kind)
{
	return kind >= OPTION_LIST_COMMANDS && kind <= OPTION_VERSION;
}

/* Returns 0, or an exit code after a message. */
static int
parse_options(struct ctl *ctl, int argc, char **argv, struct instead *instead)
{
	struct option longs[MAX_OPTIONS + 1];
	char letters[2 * MAX_OPTIONS + 1];
	int c, r = 0;

	make_tables(longs, letters);
	while (!r && (c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct ctl_option *option = c == '?' ? NULL : find_option(c);

		if (!option)
			return EXIT_USAGE;
		if (is_instead(option->kind)) {
			if (!instead->option)
				*instead = (struct instead) { option, optarg };
			continue;
		}
		r = option_set(ctl, option, optarg);
	}
	return r;
}

static int
run_instead(const struct instead *instead, char **args, int count)
{
	const struct command *command = NULL;
	int given = count;

	if (instead->option->kind == OPTION_VERSION) {
		puts("cloudtracectl " PACKAGE_VERSION);
		return EXIT_OK;
	}
	if (instead->option->kind == OPTION_LIST_COMMANDS)
		return help_list_commands();
	if (count) {
		command = command_find(&args, &count);
		if (!command)
			return EXIT_USAGE;
	}
	if (instead->option->kind == OPTION_LIST_OPTIONS)
		return help_list_options(command);
	if (instead->option->kind == OPTION_LIST_VALUES)
		return help_list_values(instead->value, command);
	return help_print(command, given == 1);
}

static void
init_screen(struct ctl *ctl)
{
	const char *columns = getenv("COLUMNS");
	uint64_t width = 0;
	struct winsize size;

	setlocale(LC_ALL, "");
	ctl->tty = isatty(STDOUT_FILENO);
	ctl->screen.utf8 = streq(nl_langinfo(CODESET), "UTF-8");
	ctl->screen.headers = true;
	ctl->screen.now_ns = clock_wall_ns();
	if (ctl->tty && !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col) {
		ctl->screen.width = size.ws_col;
		ctl->screen.height = size.ws_row;
	} else if (columns && !parse_u64(columns, &width) && width < 10000) {
		ctl->screen.width = (unsigned) width;
	}
	option_set_colour(ctl, "auto");
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	struct instead instead = { NULL, NULL };
	const struct command *command;
	int r = parse_options(ctl, argc, argv, &instead), count = argc - optind;
	char **args = argv + optind;

	if (r) {
		log_info("see cloudtracectl --help");
		return r;
	}
	if (instead.option)
		return run_instead(&instead, args, count);
	if ((ctl->tls.certificate || ctl->tls.key || ctl->tls.authority) &&
	    (!ctl->address || ctl->from_store || strchr(ctl->address, '/'))) {
		log_error("--cert, --key and --ca go with --connect");
		return EXIT_USAGE;
	}
	command = command_find(&args, &count);
	if (command && (count < command->min_args || count > command->max_args)) {
		log_error("usage: cloudtracectl %s%s%s%s%s", command->noun,
			  *command->verb ? " " : "", command->verb, *command->args ? " " : "",
			  command->args);
		command = NULL;
	}
	if (!command)
		return EXIT_USAGE;
	r = options_check(ctl, command);
	return r ? r : command->run(ctl, command, args);
}

int
main(int argc, char **argv)
{
	struct ctl ctl = { .params = json_object() };
	int r;

	log_init("cloudtracectl", LOG_LEVEL_INFO);
	init_screen(&ctl);
	r = run(&ctl, argc, argv);
	cloudtrace_close(ctl.daemon);
	json_decref(ctl.params);
	free(ctl.address);
	return r;
}
