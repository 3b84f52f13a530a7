/* SPDX-License-Identifier: MIT
 *
 * cloudtrace-replay: publishes recorded traces as live sessions.  Demo, test
 * driver and load generator of cloudtraced; needs nothing of it but the CTF
 * decoder. */
#include <signal.h>
#include <stdio.h>

#include "lib/log.h"
#include "replay/options.h"
#include "replay/play.h"
#include "replay/relayd.h"
#include "replay/sources.h"

static int
run(const struct options *options)
{
	struct relayd_address address = { 0 };
	struct sources sources;
	struct error error = { 0 };
	unsigned n_bad;
	int err;

	err = relayd_address_parse(options->relayd, &address, &error);
	if (!err)
		err = sources_open(options->dirs, options->n_dirs, &sources, &error);
	if (err) {
		log_error("%s", error.text);
		return 1;
	}
	do
		err = play(options, &sources, &address, &error);
	while (!err && options->loop);
	if (err < 0)
		log_error("%s", error.text);
	n_bad = sources.n_bad;
	sources_close(&sources);
	return err < 0 || n_bad;
}

int
main(int argc, char **argv)
{
	struct options options;
	int code;

	log_init("cloudtrace-replay", LOG_LEVEL_INFO);
	signal(SIGPIPE, SIG_IGN);
	code = options_parse(argc, argv, &options);
	if (code < 0)
		code = run(&options);
	options_done(&options);
	return code;
}
