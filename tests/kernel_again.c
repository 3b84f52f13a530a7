/* SPDX-License-Identifier: MIT
 *
 * kernel_again.c -- reads traces twice: straight, and with a new engine from its
 * checkpoint every so many events (as after kill -9), with watermarks between.
 * What the analyzers tell has to be the same.  Prints a line of figures. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "analyzers/engine.h"
#include "ctf/reader.h"
#include "lib/buf.h"
#include "lib/util.h"

struct blob {
	char *id;                /* Host, analyzer and key. */
	char *host, *analyzer, *key, *bytes;
	size_t size;
	UT_hash_handle hh;
};

struct run {
	struct engine *engine;
	struct blob *blobs;
	struct buf told;         /* A line for each fact. */
	unsigned n_facts, n_restarts;
	size_t most_bytes;
};

static void
take_fact(void *context, const struct fact *fact)
{
	struct run *run = context;
	const unsigned char *bytes = fact->blob;
	char *text = fact->attributes ?
		json_dumps(fact->attributes, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	run->n_facts++;
	buf_printf(&run->told, "%d %s %s %s %llu %llu %s %s ", fact->type, fact->host, fact->kind,
		   fact->key, (unsigned long long) fact->start_ns, (unsigned long long) fact->end_ns,
		   fact->status ? fact->status : "", text ? text : "");
	for (size_t i = 0; i < fact->blob_size; i++)
		buf_printf(&run->told, "%02x", bytes[i]);
	buf_add_char(&run->told, '\n');
	free(text);
	json_decref(fact->attributes);
}

static void
start(struct run *run)
{
	const struct fact_sink sink = { .fact = take_fact, .context = run };

	run->engine = engine_new(analyzers, &engine_defaults, &sink);
}

static void
take_blob(void *context, const char *host, const char *analyzer, const char *key, const void *bytes,
	  size_t size)
{
	struct run *run = context;
	char *id = xasprintf("%s\n%s\n%s", host, analyzer, key);
	struct blob *blob;

	HASH_FIND_STR(run->blobs, id, blob);
	if (!blob) {
		blob = xcalloc(1, sizeof *blob);
		blob->id = id;
		blob->host = xstrdup(host);
		blob->analyzer = xstrdup(analyzer);
		blob->key = xstrdup(key);
		HASH_ADD_KEYPTR(hh, run->blobs, blob->id, strlen(blob->id), blob);
	} else {
		free(id);
		free(blob->bytes);
		blob->bytes = NULL;
	}
	if (bytes) {
		blob->bytes = xmalloc(size);
		memcpy(blob->bytes, bytes, size);
		blob->size = size;
	}
}

static int
by_id(const struct blob *a, const struct blob *b)
{
	return strcmp(a->id, b->id);
}

static void
restart(struct run *run)
{
	size_t bytes = 0;

	engine_flush(run->engine);
	engine_save(run->engine, take_blob, run);
	engine_free(run->engine);
	start(run);
	run->n_restarts++;
	HASH_SORT(run->blobs, by_id);    /* As the store gives them. */
	for (struct blob *b = run->blobs; b; b = b->hh.next) {
		int r = b->bytes ? engine_restore(run->engine, b->host, b->analyzer, b->key,
						  b->bytes, b->size) : 0;

		bytes += b->bytes ? b->size : 0;
		if (r) {
			fprintf(stderr, "%s %s %s is not taken back: %d\n", b->host, b->analyzer,
				b->key, r);
			exit(1);
		}
	}
	run->most_bytes = MAX(run->most_bytes, bytes);
}

static void
done(struct run *run)
{
	struct blob *blob, *next;

	HASH_ITER(hh, run->blobs, blob, next) {
		HASH_DEL(run->blobs, blob);
		free(blob->id);
		free(blob->host);
		free(blob->analyzer);
		free(blob->key);
		free(blob->bytes);
		free(blob);
	}
	engine_free(run->engine);
	buf_done(&run->told);
}

static void
play(struct run *run, const struct engine *first, const char *const *paths, size_t n,
     unsigned restart_every)
{
	struct ctf_reader_item item;
	struct ctf_reader *reader;
	struct error error = { 0 };
	uint64_t last_ns = 0;
	unsigned events = 0;
	int r;

	start(run);
	r = ctf_reader_open(paths, n, engine_interest(first), CTF_BACKEND_OWN, &reader, &error);
	while (!r && (r = ctf_reader_next(reader, &item, &error)) == 1) {
		struct engine_host *host = engine_host(run->engine, item.host->hostname);

		r = 0;
		if (item.what == CTF_HEAD_EVENT) {
			engine_event(host, item.event);
			last_ns = MAX(last_ns, item.event->t_ns);
			events++;
		} else if (item.what == CTF_HEAD_LOSS) {
			engine_loss(host, item.loss);
		} else {
			if (restart_every)
				engine_watermark(host, last_ns + 1000000000);
			engine_host_end(host, last_ns);
			last_ns = 0;
		}
		if (restart_every && events % 7 == 0 && last_ns)
			engine_watermark(host, last_ns);
		if (restart_every && item.what == CTF_HEAD_EVENT && events % restart_every == 0)
			restart(run);
	}
	if (r < 0) {
		fprintf(stderr, "%s\n", error.text);
		exit(1);
	}
	ctf_reader_close(reader);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* In what order they are told makes no difference to a store. */
static void
sort_lines(struct buf *text)
{
	struct buf sorted = { 0 };
	char **lines = NULL, *rest = text->data;
	size_t n = 0;

	while (rest && *rest) {
		if (n % 1024 == 0)
			lines = xrealloc(lines, (n + 1024) * sizeof *lines);
		lines[n++] = strsep(&rest, "\n");
	}
	qsort(lines, n, sizeof *lines, by_text);
	for (size_t i = 0; i < n; i++)
		buf_printf(&sorted, "%s\n", lines[i]);
	free(lines);
	buf_done(text);
	*text = sorted;
}

/* Shows the first line that differs. */
static void
show_difference(const char *a, const char *b)
{
	const char *line_a = a, *line_b = b;

	while (*a && *a == *b) {
		if (*a == '\n') {
			line_a = a + 1;
			line_b = b + 1;
		}
		a++;
		b++;
	}
	printf("straight:  %.*s\nrestarted: %.*s\n", (int) MIN(strcspn(line_a, "\n"), (size_t) 1500),
	       line_a, (int) MIN(strcspn(line_b, "\n"), (size_t) 1500), line_b);
}

int
main(int argc, char **argv)
{
	const struct fact_sink nowhere = { .fact = take_fact };
	struct engine *first = engine_new(analyzers, &engine_defaults, &nowhere);
	struct run straight = { 0 }, restarted = { 0 };
	uint64_t every;
	bool same;

	if (argc < 3 || parse_u64(argv[1], &every) || !every) {
		fprintf(stderr, "usage: kernel_again EVENTS-BETWEEN-RESTARTS DIR...\n");
		return 2;
	}
	play(&straight, first, (const char *const *) argv + 2, (size_t) argc - 2, 0);
	play(&restarted, first, (const char *const *) argv + 2, (size_t) argc - 2, (unsigned) every);
	sort_lines(&straight.told);
	sort_lines(&restarted.told);
	same = straight.told.size == restarted.told.size && straight.told.size &&
		!memcmp(straight.told.data, restarted.told.data, straight.told.size);
	printf("%s: %u facts, %u restarts, at most %zu bytes kept\n", same ? "same" : "different",
	       straight.n_facts, restarted.n_restarts, restarted.most_bytes);
	if (!same)
		show_difference(straight.told.data ? straight.told.data : "",
				restarted.told.data ? restarted.told.data : "");
	done(&straight);
	done(&restarted);
	engine_free(first);
	return !same;
}
