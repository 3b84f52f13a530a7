/* SPDX-License-Identifier: MIT
 *
 * store_until.c -- the store as it was at times while traces went on:
 *	store-until STORE DIR... -- NS...
 * writes STORE.1, STORE.2, ...: what a daemon would know that had seen everything up
 * to that time since 1970, and nothing later. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyzers/engine.h"
#include "ctf/reader.h"
#include "daemon/hub.h"
#include "daemon/store.h"
#include "lib/util.h"

struct writing {
	struct store *store;
	struct hub *hub;
};

static void
die(const char *what, const struct error *error)
{
	fprintf(stderr, "%s: %s\n", what, error->text);
	exit(1);
}

static void
take_fact(void *context, const struct fact *fact)
{
	struct writing *writing = context;
	struct error error = { 0 };

	if (hub_fact(writing->hub, fact, &error) < 0)
		die("fact", &error);
}

/* Events up to that time; the readers' hosts come in any order. */
static void
read_until(struct engine *engine, const char *const *paths, size_t n, uint64_t until_ns,
	   struct writing *writing)
{
	struct ctf_reader_item item;
	struct ctf_reader *reader;
	struct error error = { 0 };
	int r = ctf_reader_open(paths, n, engine_interest(engine), CTF_BACKEND_OWN, &reader, &error);

	while (r >= 0 && (r = ctf_reader_next(reader, &item, &error)) == 1) {
		struct engine_host *host = engine_host(engine, item.host->hostname);
		const struct store_source source = {
			.host = item.host->hostname, .relayd = "", .session = "cut", .state = "live",
			.last_event_ns = until_ns, .seen_ns = until_ns,
		};

		if (item.what == CTF_HEAD_EVENT && item.event->t_ns <= until_ns)
			engine_event(host, item.event);
		else if (item.what == CTF_HEAD_LOSS)
			engine_loss(host, item.loss);
		else if (item.what != CTF_HEAD_EVENT)
			engine_watermark(host, until_ns);
		if (item.what != CTF_HEAD_EVENT && store_put_source(writing->store, &source, &error) < 0)
			die("source", &error);
	}
	if (r < 0)
		die("read", &error);
	ctf_reader_close(reader);
}

static void
write_store(const char *path, const char *const *paths, size_t n, uint64_t until_ns)
{
	struct writing writing = { 0 };
	const struct fact_sink sink = { .fact = take_fact, .context = &writing };
	struct engine_options options = engine_defaults;
	struct error error = { 0 };
	struct engine *engine;

	options.spans_when_flushed = true;
	unlink(path);
	engine = engine_new(analyzers, &options, &sink);
	if (store_open(path, STORE_WRITE, &writing.store, &error) < 0 ||
	    store_begin(writing.store, &error) < 0)
		die("store", &error);
	writing.hub = hub_new(writing.store, NULL);
	read_until(engine, paths, n, until_ns, &writing);
	engine_flush(engine);
	if (hub_settle(writing.hub, &error) < 0 || store_commit(writing.store, &error) < 0)
		die("commit", &error);
	engine_free(engine);
	hub_free(writing.hub);
	store_close(writing.store);
}

int
main(int argc, char **argv)
{
	int times = 2;

	while (times < argc && !streq(argv[times], "--"))
		times++;
	for (int i = times + 1; i < argc; i++) {
		_cleanup_(freep) char *path = xasprintf("%s.%d", argv[1], i - times);
		uint64_t until_ns;

		if (parse_u64(argv[i], &until_ns))
			return 2;
		write_store(path, (const char *const *) argv + 2, (size_t) times - 2, until_ns);
	}
	return 0;
}
