/* SPDX-License-Identifier: MIT
 *
 * trace_facts.c -- reads trace directories and prints what the analyzers tell,
 * a JSON object a line: for tests of the analyzers on real traces.  --babeltrace2
 * reads them with that reader. */
#include <stdio.h>

#include "analyzers/engine.h"
#include "analyzers/windows.h"
#include "ctf/reader.h"
#include "lib/util.h"

static void
take_fact(void *context, const struct fact *fact)
{
	static const char *const types[] = {
		[FACT_SPAN] = "span", [FACT_SAMPLE] = "sample", [FACT_ENTITY] = "entity",
		[FACT_LINK] = "link", [FACT_MARK] = "mark", [FACT_RETRACT] = "retract",
		[FACT_WINDOW] = "window",
	};
	char id[FACT_ID_SIZE];
	json_t *object, *contents = fact->attributes;

	if (fact->type == FACT_WINDOW) {
		const struct fact_window window = { fact->start_ns, fact->end_ns, fact->blob,
					       fact->blob_size };

		contents = window_kind(fact->kind)->json(&window);
	}
	fact_id(fact, id);
	object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:o?}", "id", id, "type",
			   types[fact->type], "host", fact->host, "kind", fact->kind, "key",
			   fact->key, "start_ns", (json_int_t) fact->start_ns, "end_ns",
			   (json_int_t) fact->end_ns, "status", fact->status ? fact->status : "",
			   "attributes", contents);
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(object);
}

int
main(int argc, char **argv)
{
	const struct fact_sink sink = { .fact = take_fact };
	struct engine *engine = engine_new(analyzers, &engine_defaults, &sink);
	struct ctf_reader_item item;
	struct ctf_reader *reader;
	struct error error = { 0 };
	enum ctf_backend backend = CTF_BACKEND_OWN;
	uint64_t last_ns = 0;
	int r;

	if (argc > 1 && streq(argv[1], "--babeltrace2")) {
		backend = CTF_BACKEND_BABELTRACE2;
		argv++;
		argc--;
	}
	r = ctf_reader_open((const char *const *) argv + 1, (size_t) argc - 1,
			    engine_interest(engine), backend, &reader, &error);
	while (!r && (r = ctf_reader_next(reader, &item, &error)) == 1) {
		struct engine_host *host = engine_host(engine, item.host->hostname);

		r = 0;
		if (item.what == CTF_HEAD_EVENT) {
			engine_event(host, item.event);
			last_ns = item.event->t_ns;
		} else if (item.what == CTF_HEAD_LOSS) {
			engine_loss(host, item.loss);
		} else {
			engine_host_end(host, last_ns);
		}
	}
	if (r < 0) {
		fprintf(stderr, "%s\n", error.text);
		return 1;
	}
	engine_print_unexpected(engine, stderr);
	ctf_reader_close(reader);
	engine_free(engine);
	return 0;
}
