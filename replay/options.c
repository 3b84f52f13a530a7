/* SPDX-License-Identifier: MIT */
#include "replay/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"

static const char help[] =
"Usage: cloudtrace-replay --relayd HOST[:CTRL:DATA] [OPTION]... DIR...\n"
"Publishes recorded CTF traces as live sessions into an lttng-relayd.\n"
"\n"
"Examples:\n"
"  cloudtrace-replay --relayd localhost --now traces/        as if it happened now\n"
"  cloudtrace-replay --relayd localhost --speed max traces/  as fast as possible\n"
"  cloudtrace-replay --relayd localhost:5342:5343 --now --copies 50 --loop traces/\n"
"                                                            load of 50 such clouds\n"
"\n"
"  --relayd HOST[:CTRL:DATA]  control and data ports (5342 and 5343)\n"
"  --speed X                  X times as fast as recorded; \"max\": no waiting (1)\n"
"  --now                      moves all clocks so that the first event happens now\n"
"  --shift HOST=DURATION      moves the clock of one host (\"2h\", \"-300ms\"); repeatable\n"
"  --live-timer DURATION      packets and beacons are sent each DURATION (1s)\n"
"  --keep-packets             sends packets as recorded: does not cut them by live timer\n"
"  --hold DURATION            keeps the sessions open after the last event (0)\n"
"  --copies N                 publishes N copies, as hosts NAME-1 to NAME-N\n"
"  --loop                     starts again at the end, until it is stopped\n"
"  --quiet                    no progress on standard error\n"
"  --help, --version\n"
"\n"
"Each trace below a DIR goes to the live session (hostname, trace name) that its\n"
"metadata names.  Ctrl-C closes the sessions in good order.\n"
"\n"
"Exit codes: 0 published (or stopped by a signal), 1 failed, 2 wrong usage.\n"
"See also: lttng-relayd(8), cloudtraced(8), cloudtrace-replay(1)\n";

enum option_id {
	OPT_RELAYD = 256, OPT_SPEED, OPT_NOW, OPT_SHIFT, OPT_LIVE_TIMER, OPT_KEEP_PACKETS,
	OPT_HOLD, OPT_COPIES, OPT_LOOP, OPT_QUIET, OPT_HELP, OPT_VERSION,
};

static const struct option table[] = {
	{ "relayd", required_argument, NULL, OPT_RELAYD },
	{ "speed", required_argument, NULL, OPT_SPEED },
	{ "now", no_argument, NULL, OPT_NOW },
	{ "shift", required_argument, NULL, OPT_SHIFT },
	{ "live-timer", required_argument, NULL, OPT_LIVE_TIMER },
	{ "keep-packets", no_argument, NULL, OPT_KEEP_PACKETS },
	{ "hold", required_argument, NULL, OPT_HOLD },
	{ "copies", required_argument, NULL, OPT_COPIES },
	{ "loop", no_argument, NULL, OPT_LOOP },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ "help", no_argument, NULL, OPT_HELP },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ NULL, 0, NULL, 0 }
};

static int
parse_speed(const char *text, double *ret)
{
	char *end;
	double speed;

	if (streq(text, "max")) {
		*ret = 0;
		return 0;
	}
	speed = strtod(text, &end);
	if (end == text || *end || !(speed == 0 || (speed >= 1e-3 && speed <= 1e6)))
		return -EINVAL;
	*ret = speed;
	return 0;
}

static int
parse_shift(const char *text, struct options *options)
{
	const char *equals = strrchr(text, '=');
	bool back;
	uint64_t ns;
	int err;

	if (!equals || equals == text)
		return -EINVAL;
	back = equals[1] == '-';
	err = parse_duration(equals + 1 + (back || equals[1] == '+'), &ns);
	if (err)
		return err;
	options->shifts = xrealloc(options->shifts,
				   (options->n_shifts + 1) * sizeof *options->shifts);
	options->shifts[options->n_shifts++] = (struct clock_shift) {
		xstrndup(text, (size_t) (equals - text)), back ? -(int64_t) ns : (int64_t) ns,
	};
	return 0;
}

static int
parse_copies(const char *text, unsigned *ret)
{
	uint64_t value;
	int err = parse_u64(text, &value);

	if (err || !value || value > 100000)
		return err ? err : -ERANGE;
	*ret = (unsigned) value;
	return 0;
}

static int
parse_live_timer(const char *text, uint64_t *ret_ns)
{
	uint64_t ns;
	int err = parse_duration(text, &ns);

	/* The protocol has it in microseconds, 32 bits. */
	if (err || ns < NS_PER_MS || ns > UINT32_MAX * NS_PER_US)
		return err ? err : -ERANGE;
	*ret_ns = ns;
	return 0;
}

/* One option's effect; negative errno when its argument is wrong. */
static int
apply(int id, const char *argument, struct options *options)
{
	switch (id) {
	case OPT_RELAYD:
		options->relayd = argument;
		return 0;
	case OPT_SPEED:
		return parse_speed(argument, &options->speed);
	case OPT_NOW:
		options->now = true;
		return 0;
	case OPT_SHIFT:
		return parse_shift(argument, options);
	case OPT_LIVE_TIMER:
		return parse_live_timer(argument, &options->live_timer_ns);
	case OPT_KEEP_PACKETS:
		options->keep_packets = true;
		return 0;
	case OPT_HOLD:
		return parse_duration(argument, &options->hold_ns);
	case OPT_COPIES:
		return parse_copies(argument, &options->copies);
	case OPT_LOOP:
		options->loop = true;
		return 0;
	default:
		options->quiet = true;
		return 0;
	}
}

static int
usage(void)
{
	fputs("Try 'cloudtrace-replay --help'.\n", stderr);
	return 2;
}

int
options_parse(int argc, char **argv, struct options *ret)
{
	int id, index = 0;

	*ret = (struct options) { .speed = 1, .live_timer_ns = NS_PER_S };
	while ((id = getopt_long(argc, argv, "", table, &index)) != -1) {
		if (id == '?')
			return usage();
		if (id == OPT_HELP) {
			fputs(help, stdout);
			return 0;
		}
		if (id == OPT_VERSION) {
			puts("cloudtrace-replay " PACKAGE_VERSION);
			return 0;
		}
		if (apply(id, optarg, ret) < 0) {
			log_error("'%s' is not a value for --%s", optarg, table[index].name);
			return usage();
		}
	}
	ret->dirs = (const char *const *) argv + optind;
	ret->n_dirs = (unsigned) (argc - optind);
	if (!ret->relayd || !ret->n_dirs) {
		log_error("%s", ret->relayd ? "which traces? Give at least one DIR"
			  : "where to? Give --relayd HOST");
		return usage();
	}
	return -1;
}

void
options_done(struct options *options)
{
	for (unsigned i = 0; i < options->n_shifts; i++)
		free(options->shifts[i].hostname);
	free(options->shifts);
}
