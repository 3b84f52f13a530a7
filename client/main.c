/* SPDX-License-Identifier: MIT
 *
 * main.c -- cloudtracectl: options, help and dispatch.  Commands are in
 * commands.c, what they print in view*.c. */
#include <errno.h>
#include <getopt.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "proto/methods.h"

enum option_kind {
	OPTION_SOCKET = 256, OPTION_CONNECT, OPTION_CERT, OPTION_KEY, OPTION_CA, OPTION_STORE,
	OPTION_OUTPUT, OPTION_NO_HEADERS,
	OPTION_COLOUR, OPTION_SINCE, OPTION_UNTIL, OPTION_FILTER, OPTION_LIMIT, OPTION_CURSOR,
	OPTION_NOW, OPTION_LIST_COMMANDS, OPTION_LIST_OPTIONS, OPTION_HELP, OPTION_VERSION,
};

static const struct {
	const char *name;
	enum option_kind kind;
	char letter;
	const char *value;    /* As help shows it; NULL: takes none. */
	const char *doc;      /* NULL: not in help. */
} options[] = {
	{ "socket", OPTION_SOCKET, 's', "PATH", "the daemon's Unix socket" },
	{ "connect", OPTION_CONNECT, 'c', "HOST:PORT", "a daemon behind TCP" },
	{ "cert", OPTION_CERT, 0, "FILE", "connect: your certificate, for TLS" },
	{ "key", OPTION_KEY, 0, "FILE", "connect: its key, if not in the same file" },
	{ "ca", OPTION_CA, 0, "FILE", "connect: who signed the daemon's certificate" },
	{ "store", OPTION_STORE, 'f', "FILE", "read a store, no daemon needed" },
	{ "output", OPTION_OUTPUT, 'o', "FORMAT", "table, wide, json, ndjson or csv" },
	{ "no-headers", OPTION_NO_HEADERS, 0, NULL, "no column titles" },
	{ "color", OPTION_COLOUR, 0, "WHEN", "auto, always or never" },
	{ "since", OPTION_SINCE, 0, "TIME", "from then on: 1h (ago), or 2026-11-23T06:00[:00][Z]" },
	{ "until", OPTION_UNTIL, 0, "TIME", "up to then" },
	{ "status", OPTION_FILTER, 0, "STATUS", "migrations: running, completed, failed, ..." },
	{ "host", OPTION_FILTER, 0, "HOST", "from, to or on this host" },
	{ "vm", OPTION_FILTER, 0, "VM", "of this VM, by uuid or name" },
	{ "state", OPTION_FILTER, 0, "STATE", "alerts: firing or resolved" },
	{ "severity", OPTION_FILTER, 0, "SEVERITY", "alerts: info, warning or critical" },
	{ "rule", OPTION_FILTER, 0, "RULE", "alerts of this rule" },
	{ "limit", OPTION_LIMIT, 0, "N", "at most N, newest first" },
	{ "cursor", OPTION_CURSOR, 0, "CURSOR", "watch: also what changed after it" },
	{ "now", OPTION_NOW, 0, "NS", NULL },
	{ "list-commands", OPTION_LIST_COMMANDS, 0, NULL, NULL },
	{ "list-options", OPTION_LIST_OPTIONS, 0, NULL, NULL },
	{ "help", OPTION_HELP, 'h', NULL, "this text" },
	{ "version", OPTION_VERSION, 'V', NULL, "version" },
};

static const char *const output_names[] = {
	[OUTPUT_TABLE] = "table", [OUTPUT_WIDE] = "wide", [OUTPUT_JSON] = "json",
	[OUTPUT_NDJSON] = "ndjson", [OUTPUT_CSV] = "csv",
};

/* -- Help ----------------------------------------------------------------- */

static int
print_help(void)
{
	puts("Usage: cloudtracectl [OPTION]... [COMMAND [ARGUMENT]...]\n"
	     "Shows what cloudtraced(8) finds out about the live migrations of a cloud.\n"
	     "\n"
	     "Examples:\n"
	     "  cloudtracectl                             health and migrations in flight\n"
	     "  cloudtracectl migration show web-14       the newest migration of a VM\n"
	     "  cloudtracectl mig list --since 1d --status failed -o json\n"
	     "\n"
	     "Commands (unique beginnings will do):");
	for (const struct command *c = commands; c->noun; c++) {
		_cleanup_(freep) char *text = xasprintf("%s%s%s%s%s", c->noun, *c->verb ? " " : "",
							c->verb, *c->args ? " " : "", c->args);

		printf("  %-20s %s\n", text, c->doc);
	}
	puts("\nOptions, before or after the command:");
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		char text[64], letter[8] = "";

		if (!options[i].doc)
			continue;
		if (options[i].letter)
			snprintf(letter, sizeof letter, "-%c, ", options[i].letter);
		snprintf(text, sizeof text, "%s--%s%s%s", letter, options[i].name,
			 options[i].value ? "=" : "", options[i].value ? options[i].value : "");
		printf("  %-24s %s\n", text, options[i].doc);
	}
	puts("\nExit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 cannot reach the daemon;\n"
	     "check: 0 ok, 1 warning, 2 critical, 3 unknown.\n"
	     "See also: cloudtracectl(1), cloudtraced-protocol(7), cloudtraced(8)");
	return EXIT_OK;
}

static int
list_commands(void)
{
	for (const struct command *c = commands; c->noun; c++)
		printf("%s%s%s\n", c->noun, *c->verb ? " " : "", c->verb);
	return EXIT_OK;
}

static int
list_options(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].doc)
			printf("--%s%s\n", options[i].name, options[i].value ? "=" : "");
	return EXIT_OK;
}

/* -- Values of options ---------------------------------------------------- */

/* "Z" or "+01:00" behind a time; false: something else is there. */
static bool
parse_zone(const char *text, bool *ret_local, long *ret_offset_s)
{
	unsigned hours, minutes;
	int used = 0;

	*ret_local = !*text;
	*ret_offset_s = 0;
	if (!*text || streq(text, "Z"))
		return true;
	if ((*text != '+' && *text != '-') ||
	    sscanf(text + 1, "%2u:%2u%n", &hours, &minutes, &used) != 2 || text[1 + used])
		return false;
	*ret_offset_s = (*text == '-' ? -1L : 1L) * (long) (hours * 3600 + minutes * 60);
	return true;
}

static int
parse_iso(const char *text, uint64_t *ret_ns)
{
	static const char *const formats[] = { "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S",
					       "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d" };
	double fraction = 0;
	bool local;
	long offset;

	for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
		struct tm tm = { .tm_isdst = -1 };
		char *rest = strptime(text, formats[i], &tm);
		time_t s;

		if (rest && i < 2 && *rest == '.')
			fraction = strtod(rest, &rest);
		if (!rest || !parse_zone(rest, &local, &offset))
			continue;
		s = local ? mktime(&tm) : timegm(&tm) - offset;
		if (s < 0)
			return -ERANGE;
		*ret_ns = (uint64_t) s * NS_PER_S + (uint64_t) (fraction * 1e9);
		return 0;
	}
	return -EINVAL;
}

/* An ISO time, a duration ago, or ns since 1970 as other outputs have them. */
static int
parse_time(const char *text, uint64_t now, uint64_t *ret_ns)
{
	uint64_t ns;

	if (strlen(text) >= 16 && !parse_u64(text, &ns)) {
		*ret_ns = ns;
		return 0;
	}
	if (!parse_duration(text, &ns)) {
		*ret_ns = ns < now ? now - ns : 0;
		return 0;
	}
	return parse_iso(text, ret_ns);
}

static int
bad_value(unsigned option, const char *value)
{
	log_error("--%s: \"%s\" is not understood: %s; see --help", options[option].name, value,
		  options[option].doc ? options[option].doc : options[option].value);
	return EXIT_USAGE;
}

static int
set_output(struct ctl *ctl, const char *value)
{
	for (unsigned i = 0; i < ARRAY_SIZE(output_names); i++)
		if (streq(value, output_names[i])) {
			ctl->output = (enum output) i;
			ctl->screen.wide = i == OUTPUT_WIDE;
			return 0;
		}
	return -EINVAL;
}

static int
set_colour(struct ctl *ctl, const char *value)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	if (streq(value, "auto"))
		ctl->screen.colour = ctl->tty && !(no && *no) && term && !streq(term, "dumb");
	else if (streq(value, "always") || streq(value, "never"))
		ctl->screen.colour = streq(value, "always");
	else
		return -EINVAL;
	return 0;
}

static int
set_address(struct ctl *ctl, enum option_kind kind, const char *value)
{
	if (ctl->address) {
		log_error("only one of --socket, --connect and --store");
		return -EINVAL;
	}
	if (kind == OPTION_CONNECT && (!strchr(value, ':') || strchr(value, '/'))) {
		log_error("--connect: \"%s\" is no HOST:PORT", value);
		return -EINVAL;
	}
	ctl->from_store = kind == OPTION_STORE;
	/* A path without '/' must not look like HOST:PORT. */
	ctl->address = xasprintf("%s%s", kind == OPTION_STORE ? "store:" :
				 kind == OPTION_SOCKET && !strchr(value, '/') ? "./" : "", value);
	return 0;
}

static int
set_number(struct ctl *ctl, const char *param, const char *value)
{
	uint64_t number;

	if (parse_u64(value, &number) || number > INT64_MAX)
		return -EINVAL;
	return json_object_set_new(ctl->params, param, json_integer((json_int_t) number));
}

static int
set_time(struct ctl *ctl, const char *param, const char *value)
{
	uint64_t ns;

	if (parse_time(value, ctl->screen.now_ns, &ns) || ns > INT64_MAX)
		return -EINVAL;
	return json_object_set_new(ctl->params, param, json_integer((json_int_t) ns));
}

/* Returns 0, or an exit code after a message. */
static int
set_option(struct ctl *ctl, unsigned option, const char *value)
{
	int r = 0;

	switch (options[option].kind) {
	case OPTION_SOCKET:
	case OPTION_CONNECT:
	case OPTION_STORE:
		return set_address(ctl, options[option].kind, value) ? EXIT_USAGE : 0;
	case OPTION_CERT:
		ctl->tls.certificate = value;
		break;
	case OPTION_KEY:
		ctl->tls.key = value;
		break;
	case OPTION_CA:
		ctl->tls.authority = value;
		break;
	case OPTION_OUTPUT:
		r = set_output(ctl, value);
		break;
	case OPTION_NO_HEADERS:
		ctl->screen.headers = false;
		break;
	case OPTION_COLOUR:
		r = set_colour(ctl, value);
		break;
	case OPTION_SINCE:
		r = set_time(ctl, "since_ns", value);
		break;
	case OPTION_UNTIL:
		r = set_time(ctl, "until_ns", value);
		break;
	case OPTION_FILTER:
		r = json_object_set_new(ctl->params, options[option].name, json_string(value));
		break;
	case OPTION_LIMIT:
		r = set_number(ctl, "limit", value);
		break;
	case OPTION_CURSOR:
		ctl->cursor = value;
		break;
	case OPTION_NOW:
		r = parse_u64(value, &ctl->screen.now_ns);
		ctl->fixed_now = true;
		break;
	default:
		break;
	}
	return r ? bad_value(option, value) : 0;
}

/* -- Start ---------------------------------------------------------------- */

/* getopt_long() wants the table in its own forms. */
static void
make_tables(struct option *longs, char *letters)
{
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		longs[i] = (struct option) { options[i].name, options[i].value ? 1 : 0, NULL,
					     (int) (1000 + i) };
		if (options[i].letter) {
			*letters++ = options[i].letter;
			if (options[i].value)
				*letters++ = ':';
		}
	}
	longs[ARRAY_SIZE(options)] = (struct option) { 0 };
	*letters = '\0';
}

/* Returns -1 to go on, or an exit code. */
static int
parse_options(struct ctl *ctl, int argc, char **argv)
{
	struct option longs[ARRAY_SIZE(options) + 1];
	char letters[2 * ARRAY_SIZE(options) + 1];
	int c, r;

	make_tables(longs, letters);
	while ((c = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		unsigned i = c >= 1000 ? (unsigned) c - 1000 : 0;

		while (c < 1000 && i < ARRAY_SIZE(options) && options[i].letter != c)
			i++;
		if (c == '?' || i == ARRAY_SIZE(options))
			return EXIT_USAGE;
		switch (options[i].kind) {
		case OPTION_HELP:
			return print_help();
		case OPTION_VERSION:
			puts("cloudtracectl " PACKAGE_VERSION);
			return EXIT_OK;
		case OPTION_LIST_COMMANDS:
			return list_commands();
		case OPTION_LIST_OPTIONS:
			return list_options();
		default:
			r = set_option(ctl, i, optarg);
			if (r)
				return r;
		}
	}
	return -1;
}

/* What a command cannot filter by must not look as if it did. */
static int
check_filters(const struct ctl *ctl, const struct command *command)
{
	const struct rpc_method *method = command->method ? rpc_method_find(command->method) : NULL;
	const struct rpc_param *params = method ? method->params : rpc_watch_filter;
	const char *name;
	json_t *value;

	json_object_foreach(ctl->params, name, value) {
		if (rpc_param_find(params, name) && !streq(command->noun, "raw"))
			continue;
		log_error("%s%s%s does not take --%.*s", command->noun,
			  *command->verb ? " " : "", command->verb, (int) strcspn(name, "_"), name);
		return EXIT_USAGE;
	}
	return 0;
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
	set_colour(ctl, "auto");
}

static int
run(struct ctl *ctl, int argc, char **argv)
{
	const struct command *command;
	int r = parse_options(ctl, argc, argv), count = argc - optind;
	char **args = argv + optind;

	if (r >= 0) {
		if (r == EXIT_USAGE)
			log_info("see cloudtracectl --help");
		return r;
	}
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
	r = check_filters(ctl, command);
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
