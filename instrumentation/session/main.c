/* SPDX-License-Identifier: MIT
 *
 * main.c -- cloudtrace-session: makes and keeps the live LTTng session of one
 * role of node.  Options here; profile.h and events.h say what is wanted,
 * state.h what there is, plan.h what to do about it, watch.h when. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instrumentation/session/node.h"
#include "instrumentation/session/plan.h"
#include "instrumentation/session/status.h"
#include "instrumentation/session/watch.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"

enum mode { MODE_KEEP, MODE_DRY_RUN, MODE_STATUS, MODE_STOP };
enum { EXIT_USAGE = 2 };

struct command_line {
	enum mode mode;
	bool json;
	const char *role, *relayd, *events;
	struct wanted wanted;
	struct watch_options watch;
};

static int take_relayd(struct command_line *line, const char *value, struct error *error);
static int take_live_timer(struct command_line *line, const char *value, struct error *error);
static int take_session(struct command_line *line, const char *value, struct error *error);
static int take_events(struct command_line *line, const char *value, struct error *error);
static int take_kernel(struct command_line *line, const char *value, struct error *error);
static int take_cpus(struct command_line *line, const char *value, struct error *error);
static int take_interval(struct command_line *line, const char *value, struct error *error);
static int take_output(struct command_line *line, const char *value, struct error *error);
static int take_spawn(struct command_line *line, const char *value, struct error *error);
static int take_once(struct command_line *line, const char *value, struct error *error);
static int take_dry_run(struct command_line *line, const char *value, struct error *error);
static int take_status(struct command_line *line, const char *value, struct error *error);
static int take_stop(struct command_line *line, const char *value, struct error *error);
static int take_verbose(struct command_line *line, const char *value, struct error *error);

static const struct {
	const char *name, *argument;
	int (*take)(struct command_line *line, const char *value, struct error *error);
	const char *doc;
} options[] = {
	{ "relayd", "URL", take_relayd, "where to send: net://HOST[:CONTROL[:DATA]]" },
	{ "live-timer", "TIME", take_live_timer, "how old events may get on the node (1s)" },
	{ "session", "NAME", take_session, "name of the session (cloudtrace-ROLE)" },
	{ "events", "FILE", take_events, "list of events, - for standard input (cloudtraced's)" },
	{ "kernel", "auto|yes|no", take_kernel,
	  "kernel events: where possible, must, never (auto)" },
	{ "cpus", "N", take_cpus, "size the buffers for N CPUs (all possible ones)" },
	{ "statedump-interval", "TIME", take_interval,
	  "how often to repeat the statedump (10m; 0: never)" },
	{ "spawn-sessiond", NULL, take_spawn, "start lttng-sessiond when none answers" },
	{ "once", NULL, take_once, "leave once the session is there" },
	{ "dry-run", NULL, take_dry_run, "only print the lttng commands that do the same" },
	{ "status", NULL, take_status, "print what the session does and what is missing" },
	{ "output", "table|json", take_output, "form of --status, also -o" },
	{ "stop", NULL, take_stop, "end the session" },
	{ "verbose", NULL, take_verbose, "say more" },
};

static int
take_relayd(struct command_line *line, const char *value, struct error *error)
{
	line->relayd = value;
	return wanted_set_url(&line->wanted, value, error);
}

static int
take_live_timer(struct command_line *line, const char *value, struct error *error)
{
	uint64_t ns;

	if (parse_duration(value, &ns) < 0 || ns < 10 * NS_PER_MS || ns > 3600 * NS_PER_S)
		return error_set(error, EINVAL, "--live-timer=%s: between 10ms and 1h", value);
	line->wanted.live_us = (unsigned) (ns / NS_PER_US);
	return 0;
}

static int
take_session(struct command_line *line, const char *value, struct error *error)
{
	static const char good[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";

	if (!*value || *value == '-' || *value == '.' || strlen(value) > 128 ||
	    value[strspn(value, good)])
		return error_set(error, EINVAL,
				 "--session=%s: use up to 128 letters, digits, _, . and -", value);
	line->wanted.name = value;
	return 0;
}

static int
take_events(struct command_line *line, const char *value, struct error *error)
{
	line->events = value;
	return 0;
}

static int
take_kernel(struct command_line *line, const char *value, struct error *error)
{
	static const char *const names[] = { "auto", "yes", "no" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (streq(names[i], value)) {
			line->wanted.kernel = (enum kernel_use) i;
			return 0;
		}
	return error_set(error, EINVAL, "--kernel=%s: auto, yes or no", value);
}

static int
take_cpus(struct command_line *line, const char *value, struct error *error)
{
	uint64_t cpus;

	if (parse_u64(value, &cpus) < 0 || cpus < 1 || cpus > 65536)
		return error_set(error, EINVAL, "--cpus=%s: 1 to 65536", value);
	line->wanted.cpus = (unsigned) cpus;
	return 0;
}

static int
take_interval(struct command_line *line, const char *value, struct error *error)
{
	if (parse_duration(value, &line->watch.statedump_ns) < 0)
		return error_set(error, EINVAL, "--statedump-interval=%s: a time such as 10m",
				 value);
	return 0;
}

static int
take_output(struct command_line *line, const char *value, struct error *error)
{
	line->json = streq(value, "json");
	if (!line->json && !streq(value, "table"))
		return error_set(error, EINVAL, "--output=%s: table or json", value);
	return 0;
}

static int
take_spawn(struct command_line *line, const char *value, struct error *error)
{
	line->watch.spawn_sessiond = true;
	return 0;
}

static int
take_once(struct command_line *line, const char *value, struct error *error)
{
	line->watch.once = true;
	return 0;
}

static int
set_mode(struct command_line *line, enum mode mode, struct error *error)
{
	if (line->mode != MODE_KEEP && line->mode != mode)
		return error_set(error, EINVAL, "only one of --dry-run, --status and --stop");
	line->mode = mode;
	return 0;
}

static int
take_dry_run(struct command_line *line, const char *value, struct error *error)
{
	return set_mode(line, MODE_DRY_RUN, error);
}

static int
take_status(struct command_line *line, const char *value, struct error *error)
{
	return set_mode(line, MODE_STATUS, error);
}

static int
take_stop(struct command_line *line, const char *value, struct error *error)
{
	return set_mode(line, MODE_STOP, error);
}

static int
take_verbose(struct command_line *line, const char *value, struct error *error)
{
	log_set_level(LOG_LEVEL_DEBUG);
	return 0;
}

static void
print_help(void)
{
	puts("Usage: cloudtrace-session ROLE --relayd=net://HOST[:CONTROL[:DATA]]\n"
	     "       cloudtrace-session ROLE --status | --stop\n\n"
	     "Makes the live LTTng session of a compute, network, storage or controller node, and\n"
	     "keeps it; see cloudtrace-session(8).\n");
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		const char *argument = options[i].argument;

		printf("  --%s%s%s%*s%s\n", options[i].name, argument ? "=" : "",
		       argument ? argument : "",
		       (int) (26 - strlen(options[i].name) - (argument ? strlen(argument) + 1 : 0)),
		       "", options[i].doc);
	}
	puts("  --help, --version\n\n"
	     "Exit status: 0 done, 1 failed, 2 wrong usage; of --status: 0 recording,\n"
	     "3 no session, 4 no lttng-sessiond answers, 5 the session is there but records nothing.");
}

static int
parse_option(struct command_line *line, char **argv, int argc, int *at, struct error *error)
{
	const char *word = streq(argv[*at], "-o") ? "output" : argv[*at] + 2;
	const size_t length = strcspn(word, "=");

	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		const char *value = word[length] ? word + length + 1 : NULL;

		if (strlen(options[i].name) != length ||
		    strncmp(options[i].name, word, length) != 0)
			continue;
		if (!options[i].argument && value)
			return error_set(error, EINVAL, "--%s takes no value", options[i].name);
		if (options[i].argument && !value && *at + 1 < argc)
			value = argv[++*at];
		if (options[i].argument && !value)
			return error_set(error, EINVAL, "--%s needs %s", options[i].name,
					 options[i].argument);
		return options[i].take(line, value, error);
	}
	return error_set(error, EINVAL, "there is no option %s", argv[*at]);
}

static int
parse_command_line(struct command_line *line, int argc, char **argv, struct error *error)
{
	int r = 0;

	for (int i = 1; r >= 0 && i < argc; i++) {
		if (starts_with(argv[i], "--") || streq(argv[i], "-o"))
			r = parse_option(line, argv, argc, &i, error);
		else if (line->role || argv[i][0] == '-')
			r = error_set(error, EINVAL, "\"%s\" is one too many", argv[i]);
		else
			line->role = argv[i];
	}
	if (r < 0)
		return r;
	if (!line->role)
		return error_set(error, EINVAL,
				 "which role: compute, network, storage or controller?");
	line->wanted.role = role_find(line->role);
	if (!line->wanted.role)
		return error_set(error, EINVAL,
				 "no role is named \"%s\": there are compute, network, "
				 "storage and controller",
				 line->role);
	if (!line->relayd && (line->mode == MODE_KEEP || line->mode == MODE_DRY_RUN))
		return error_set(error, EINVAL, "--relayd=net://HOST is missing: where to send to");
	return 0;
}

static int
stop(const struct wanted *wanted)
{
	struct error error = { 0 };
	int r;

	if (!sessiond_is_there()) {
		log_info("no lttng-sessiond answers, so there is no session");
		return EXIT_SUCCESS;
	}
	r = session_destroy(wanted->name, DESTROY_WAIT_MS, &error);
	if (r < 0) {
		log_error("%s", error.text);
		return EXIT_FAILURE;
	}
	log_info(r ? "session %s is gone" : "there is no session %s", wanted->name);
	return EXIT_SUCCESS;
}

static int
run(struct command_line *line)
{
	struct wanted *wanted = &line->wanted;
	struct error error = { 0 };
	int r;

	if (line->mode == MODE_STOP)
		return stop(wanted);
	r = events_read(&wanted->events, line->role, line->events, &error);
	if (r < 0) {
		log_error("%s", error.text);
		if (line->mode != MODE_STATUS)
			return EXIT_FAILURE;
	}
	if (wanted->kernel == KERNEL_NO)
		events_drop(&wanted->events, DOMAIN_KERNEL);
	if (line->mode == MODE_STATUS)
		return status_print(wanted, line->json);
	if (line->mode == MODE_DRY_RUN)
		return dry_run(wanted);
	return watch_run(wanted, &line->watch);
}

int
main(int argc, char **argv)
{
	struct command_line line = {
		.wanted = { .live_us = 1000000, .cpus = node_cpus() },
		.watch.statedump_ns = 600 * NS_PER_S,
	};
	_cleanup_(freep) char *name = NULL;
	struct error error = { 0 };
	int r;

	for (int i = 1; i < argc; i++) {
		if (streq(argv[i], "--help") || streq(argv[i], "-h")) {
			print_help();
			return EXIT_SUCCESS;
		}
		if (streq(argv[i], "--version")) {
			puts("cloudtrace-session " PACKAGE_VERSION);
			return EXIT_SUCCESS;
		}
	}
	/* The library writes to a sessiond that may be gone. */
	signal(SIGPIPE, SIG_IGN);
	log_init("cloudtrace-session", LOG_LEVEL_INFO);
	r = parse_command_line(&line, argc, argv, &error);
	if (r < 0) {
		fprintf(stderr, "cloudtrace-session: %s (see cloudtrace-session --help)\n",
			error.text);
		return EXIT_USAGE;
	}
	name = xasprintf("cloudtrace-%s", line.role);
	if (!line.wanted.name)
		line.wanted.name = name;
	r = run(&line);
	events_done(&line.wanted.events);
	return r;
}
