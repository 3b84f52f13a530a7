/* SPDX-License-Identifier: MIT */
#include "client/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/log.h"

const struct ctl_option ctl_options[] = {
	{ "socket", OPTION_SOCKET, 's', "PATH", NULL, "the daemon's Unix socket" },
	{ "connect", OPTION_CONNECT, 'c', "HOST:PORT", NULL, "a daemon behind TCP" },
	{ "cert", OPTION_CERT, 0, "FILE", NULL, "connect: your certificate, for TLS" },
	{ "key", OPTION_KEY, 0, "FILE", NULL, "connect: its key, if not in the same file" },
	{ "ca", OPTION_CA, 0, "FILE", NULL, "connect: who signed the daemon's certificate" },
	{ "store", OPTION_STORE, 'f', "FILE", NULL, "read a store, no daemon needed" },
	{ "output", OPTION_OUTPUT, 'o', "FORMAT", NULL, "table, wide, json, ndjson or csv" },
	{ "no-headers", OPTION_NO_HEADERS, 0, NULL, NULL, "no column titles" },
	{ "color", OPTION_COLOUR, 0, "WHEN", NULL, "auto, always or never" },
	{ "cursor", OPTION_CURSOR, 0, "CURSOR", NULL, "watch: also what changed after it" },
	{ "help", OPTION_HELP, 'h', NULL, NULL, "this text, or that of a command" },
	{ "version", OPTION_VERSION, 'V', NULL, NULL, "version" },

	{ "since", OPTION_TIME, 0, "TIME", "since_ns",
	  "from then on: 1h (ago), or 2026-11-23T06:00[:00][Z]" },
	{ "until", OPTION_TIME, 0, "TIME", "until_ns", "up to then" },
	{ "kind", OPTION_TEXT, 0, "KIND", "kind", "flows: server.create, volume.*, ..." },
	{ "status", OPTION_TEXT, 0, "STATUS", "status", "running, ok, error, completed, failed, ..." },
	{ "slow", OPTION_DURATION, 0, "DURATION", "slow_ns", "flows that took so long: 500ms, 10s" },
	{ "request", OPTION_TEXT, 0, "REQUEST", "request", "with this request id in it" },
	{ "host", OPTION_TEXT, 0, "HOST", "host", "from, to or on this host" },
	{ "service", OPTION_TEXT, 0, "SERVICE", "service", "of this service" },
	{ "vm", OPTION_TEXT, 0, "VM", "vm", "of this VM, by uuid or name" },
	{ "pid", OPTION_NUMBER, 0, "PID", "pid", "of this process" },
	{ "tid", OPTION_NUMBER, 0, "TID", "tid", "of this thread" },
	{ "volume", OPTION_TEXT, 0, "VOLUME", "volume", "about this volume" },
	{ "port", OPTION_TEXT, 0, "PORT", "port", "about this port" },
	{ "state", OPTION_TEXT, 0, "STATE", "state", "alerts: firing or resolved; VMs: active, ..." },
	{ "severity", OPTION_TEXT, 0, "SEVERITY", "severity", "alerts: info, warning or critical" },
	{ "rule", OPTION_TEXT, 0, "RULE", "rule", "alerts of this rule" },
	{ "subject", OPTION_TEXT, 0, "SUBJECT", "subject", "silences: alerts about it" },
	{ "alert", OPTION_TEXT, 0, "ID", "alert", "silences: this alert alone" },
	{ "sort", OPTION_TEXT, 0, "BY", "sort", "network flows: bytes, packets, latency or lost" },
	{ "limit", OPTION_NUMBER, 0, "N", "limit", "at most N, newest first" },

	{ "now", OPTION_NOW, 0, "NS", NULL, NULL },
	{ "list-commands", OPTION_LIST_COMMANDS, 0, NULL, NULL, NULL },
	{ "list-options", OPTION_LIST_OPTIONS, 0, NULL, NULL, NULL },
	{ "list-values", OPTION_LIST_VALUES, 0, "OPTION", NULL, NULL },
	{ .name = NULL }
};

static const char *const output_names[] = {
	[OUTPUT_TABLE] = "table", [OUTPUT_WIDE] = "wide", [OUTPUT_JSON] = "json",
	[OUTPUT_NDJSON] = "ndjson", [OUTPUT_CSV] = "csv",
};

/* -- Which command takes which --------------------------------------------- */

bool
option_is_filter(const struct ctl_option *option)
{
	return option->kind >= OPTION_TEXT;
}

/* What concerns a list, not the changes of its things. */
static bool
is_of_list(const char *param)
{
	return streq(param, "since_ns") || streq(param, "until_ns") || streq(param, "limit");
}

const struct rpc_param *
option_param(const struct ctl_option *option, const struct command *command)
{
	const struct rpc_method *method = command->method ? rpc_method_find(command->method) : NULL;
	const struct rpc_param *param = NULL;

	if (!option->param)
		return NULL;
	if (method)
		param = rpc_param_find(method->params, option->param);
	/* What a method must have stands behind the command. */
	if (param && param->mandatory && command->max_args)
		return NULL;
	if (command->run != run_watch)
		return param;
	/* A watch by a noun is a list too. */
	if ((!method || param) && !is_of_list(option->param))
		param = rpc_param_find(rpc_watch_filter, option->param);
	return param;
}

int
options_check(const struct ctl *ctl, const struct command *command)
{
	for (const struct ctl_option *option = ctl_options; option->name; option++) {
		if (!option->param || !json_object_get(ctl->params, option->param) ||
		    option_param(option, command))
			continue;
		log_error("%s%s%s does not take --%s", command->noun, *command->verb ? " " : "",
			  command->verb, option->name);
		return EXIT_USAGE;
	}
	return 0;
}

/* -- Values --------------------------------------------------------------- */

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

int
option_set_colour(struct ctl *ctl, const char *value)
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
set_number(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
	uint64_t number;
	int r = -EINVAL;

	if (option->kind == OPTION_TIME)
		r = parse_time(value, ctl->screen.now_ns, &number);
	else if (option->kind == OPTION_DURATION)
		r = parse_duration(value, &number);
	else
		r = parse_u64(value, &number);
	if (r || number > INT64_MAX)
		return -EINVAL;
	return json_object_set_new(ctl->params, option->param, json_integer((json_int_t) number));
}

static int
set(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
	switch (option->kind) {
	case OPTION_CERT:
		ctl->tls.certificate = value;
		return 0;
	case OPTION_KEY:
		ctl->tls.key = value;
		return 0;
	case OPTION_CA:
		ctl->tls.authority = value;
		return 0;
	case OPTION_OUTPUT:
		return set_output(ctl, value);
	case OPTION_NO_HEADERS:
		ctl->screen.headers = false;
		return 0;
	case OPTION_COLOUR:
		return option_set_colour(ctl, value);
	case OPTION_CURSOR:
		ctl->cursor = value;
		return 0;
	case OPTION_NOW:
		ctl->fixed_now = true;
		return parse_u64(value, &ctl->screen.now_ns);
	case OPTION_TEXT:
		return json_object_set_new(ctl->params, option->param, json_string(value));
	case OPTION_NUMBER:
	case OPTION_TIME:
	case OPTION_DURATION:
		return set_number(ctl, option, value);
	default:
		return 0;
	}
}

int
option_set(struct ctl *ctl, const struct ctl_option *option, const char *value)
{
	if (option->kind <= OPTION_STORE)
		return set_address(ctl, option->kind, value) ? EXIT_USAGE : 0;
	if (!set(ctl, option, value))
		return 0;
	log_error("--%s: \"%s\" is not understood: %s; see --help", option->name, value,
		  option->doc ? option->doc : option->value);
	return EXIT_USAGE;
}
