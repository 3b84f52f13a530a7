/* SPDX-License-Identifier: MIT
 *
 * serve_fixture.c -- the daemon's serve over a JSON file (fake_store.h), for
 * the tests of the protocol and of cloudtracectl:
 *	serve-fixture --store FILE --stdio
 *	serve-fixture --store FILE --socket PATH --ro-socket PATH [--KEY N]...
 * SIGHUP reads the file again and notifies watchers; SIGTERM ends. */
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/serve.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"
#include "tests/fake_store.h"

static void
on_hangup(evutil_socket_t signal, short what, void *serve)
{
	if (fake_store_reload())
		serve_notify(serve);
}

static void
on_end(evutil_socket_t signal, short what, void *base)
{
	event_base_loopbreak(base);
}

/* The file has its silences; nothing is kept. */
static bool
keep_silence(void *context, const char *id, json_t *silence)
{
	return true;
}

static int
set(struct serve_options *options, const char *name, const char *value)
{
	uint64_t number = 0;

	if (streq(name, "--store"))
		options->store_path = value;
	else if (streq(name, "--socket"))
		options->socket_path = value;
	else if (streq(name, "--ro-socket"))
		options->ro_socket_path = value;
	else if (parse_u64(value, &number))
		return -1;
	else if (streq(name, "--max-reply"))
		options->max_reply = number;
	else if (streq(name, "--max-pending"))
		options->max_pending = number;
	else if (streq(name, "--max-backlog"))
		options->max_backlog = number;
	else if (streq(name, "--stall-ms"))
		options->stall_ns = number * NS_PER_MS;
	else
		return -1;
	return 0;
}

static int
run(struct event_base *base, const struct serve_options *options, struct error *error)
{
	struct serve *serve = NULL;
	struct event *hangup, *end;
	int r = serve_new(base, options, &serve, error);

	if (r)
		return r;
	hangup = evsignal_new(base, SIGHUP, on_hangup, serve);
	end = evsignal_new(base, SIGTERM, on_end, base);
	event_add(hangup, NULL);
	event_add(end, NULL);
	puts("ready");
	fflush(stdout);
	event_base_dispatch(base);
	event_free(hangup);
	event_free(end);
	serve_free(serve);
	return 0;
}

int
main(int argc, char **argv)
{
	struct serve_options options = serve_defaults;
	struct event_base *base;
	struct error error = { 0 };
	bool stdio = false;
	int r;

	log_init("serve-fixture", LOG_LEVEL_INFO);
	options.started_ns = clock_wall_ns();
	options.silence = keep_silence;
	for (int i = 1; i < argc; i++)
		if (streq(argv[i], "--stdio"))
			stdio = true;
		else if (i + 1 == argc || set(&options, argv[i], argv[i + 1]))
			return 2;
		else
			i++;
	base = event_base_new();
	if (stdio)
		r = serve_stdio(base, &options, 0, 1, &error);
	else
		r = run(base, &options, &error);
	if (r)
		log_error("%s", error.text);
	event_base_free(base);
	libevent_global_shutdown();
	return r ? 1 : 0;
}
