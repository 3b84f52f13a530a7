/* SPDX-License-Identifier: MIT
 *
 * help.c -- what --help prints, of all and of a command, and the lists for
 * completion; all from the tables of commands and options. */
#include <stdio.h>
#include <string.h>

#include "client/options.h"

enum { COMMAND_WIDTH = 20 };

static void
print_option(const struct ctl_option *option, const char *doc, const char *choices)
{
	char text[64], letter[8] = "";

	if (option->letter)
		snprintf(letter, sizeof letter, "-%c, ", option->letter);
	snprintf(text, sizeof text, "%s--%s%s%s", letter, option->name, option->value ? "=" : "",
		 option->value ? option->value : "");
	printf("  %-24s %s%s%s\n", text, doc, choices ? ": " : "", choices ? choices : "");
}

static void
print_command(const struct command *c)
{
	_cleanup_(freep) char *text = xasprintf("%s%s%s%s%s", c->noun, *c->verb ? " " : "",
						c->verb, *c->args ? " " : "", c->args);

	if (strlen(text) > COMMAND_WIDTH)
		printf("  %s\n%*s%s\n", text, COMMAND_WIDTH + 3, "", c->doc);
	else
		printf("  %-*s %s\n", COMMAND_WIDTH, text, c->doc);
}

static int
print_all(void)
{
	puts("Usage: cloudtracectl [OPTION]... [COMMAND [ARGUMENT]...]\n"
	     "Shows what cloudtraced(8) finds out about the requests, VMs, services and live\n"
	     "migrations of a cloud.\n"
	     "\n"
	     "Examples:\n"
	     "  cloudtracectl                             health, what is in flight, what failed\n"
	     "  cloudtracectl flow list --status error --since 1h\n"
	     "  cloudtracectl trace req-9f3a              what became of a request, VM, port, ...\n"
	     "  cloudtracectl migration show web-14       the newest migration of a VM\n"
	     "  cloudtracectl mig list --since 1d --status failed -o json\n"
	     "\n"
	     "Commands (unique beginnings will do; COMMAND --help says more):");
	for (const struct command *c = commands; c->noun; c++)
		print_command(c);
	puts("\nOptions, before or after the command:");
	for (const struct ctl_option *o = ctl_options; o->name; o++)
		if (o->doc && !option_is_filter(o))
			print_option(o, o->doc, NULL);
	puts("\nFilters, of those commands that take them:");
	for (const struct ctl_option *o = ctl_options; o->name; o++)
		if (o->doc && option_is_filter(o))
			print_option(o, o->doc, NULL);
	puts("\nExit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 cannot reach the daemon;\n"
	     "check: 0 ok, 1 warning, 2 critical, 3 unknown.\n"
	     "See also: cloudtracectl(1), cloudtraced-protocol(7), cloudtraced(8)");
	return EXIT_OK;
}

static int
print_noun(const char *noun)
{
	puts("Commands:");
	for (const struct command *c = commands; c->noun; c++)
		if (streq(c->noun, noun))
			print_command(c);
	printf("cloudtracectl %s COMMAND --help says more.\n", noun);
	return EXIT_OK;
}

static int
print_one(const struct command *c)
{
	bool any = false;

	printf("Usage: cloudtracectl %s%s%s%s%s [OPTION]...\n%c%s.\n", c->noun,
	       *c->verb ? " " : "", c->verb, *c->args ? " " : "", c->args,
	       c->doc[0] >= 'a' && c->doc[0] <= 'z' ? c->doc[0] - 'a' + 'A' : c->doc[0], c->doc + 1);
	if (c->examples)
		printf("\nExamples:\n%s", c->examples);
	for (const struct ctl_option *o = ctl_options; o->name; o++) {
		const struct rpc_param *param = option_param(o, c);

		if (!param)
			continue;
		if (!any)
			puts("\nOptions:");
		any = true;
		print_option(o, param->doc, param->choices);
	}
	puts("\nOptions of all commands, such as --output: cloudtracectl --help");
	return EXIT_OK;
}

int
help_print(const struct command *command, bool whole_noun)
{
	if (!command)
		return print_all();
	return whole_noun && *command->verb ? print_noun(command->noun) : print_one(command);
}

int
help_list_commands(void)
{
	for (const struct command *c = commands; c->noun; c++)
		printf("%s%s%s\n", c->noun, *c->verb ? " " : "", c->verb);
	return EXIT_OK;
}

int
help_list_options(const struct command *command)
{
	for (const struct ctl_option *o = ctl_options; o->name; o++) {
		if (!o->doc || (command && option_is_filter(o) && !option_param(o, command)))
			continue;
		printf("--%s%s\n", o->name, o->value ? "=" : "");
	}
	return EXIT_OK;
}

/* Those of 'choices' that are not in 'words' yet. */
static void
add_words(const char *choices, struct buf *words)
{
	for (size_t n; *choices; choices += n + strspn(choices + n, " ")) {
		_cleanup_(freep) char *word = NULL;

		n = strcspn(choices, " ");
		word = xstrndup(choices, n);
		if (!words->size || !rpc_is_choice(words->data, word))
			buf_printf(words, "%s%s", words->size ? " " : "", word);
	}
}

int
help_list_values(const char *name, const struct command *command)
{
	const struct ctl_option *o = ctl_options;
	_cleanup_(buf_done) struct buf words = { 0 };
	const struct rpc_param *param;

	if (command && command->run == run_watch && streq(name, "topic")) {
		puts(rpc_param_find(rpc_method_find("watch")->params, "topic")->choices);
		return EXIT_OK;
	}
	while (o->name && !streq(o->name, name))
		o++;
	if (!o->name)
		return EXIT_USAGE;
	if (o->kind == OPTION_OUTPUT)
		puts("table wide json ndjson csv");
	else if (o->kind == OPTION_COLOUR)
		puts("auto always never");
	for (const struct command *c = commands; c->noun; c++) {
		param = !command || c == command ? option_param(o, c) : NULL;
		if (param && param->choices)
			add_words(param->choices, &words);
	}
	if (words.size)
		puts(words.data);
	return EXIT_OK;
}
