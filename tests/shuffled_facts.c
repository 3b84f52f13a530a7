/* SPDX-License-Identifier: MIT
 *
 * shuffled_facts.c -- the facts of real traces, given to the hub in other orders
 * and cut into other transactions, with the hub made anew in between: the store
 * has to come out the same.
 *
 *     shuffled_facts STORE ORDERS DIR...
 *
 * What is said of one thing stays in its own order: that is how a host tells
 * it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "analyzers/engine.h"
#include "ctf/reader.h"
#include "daemon/hub.h"
#include "daemon/store.h"
#include "lib/util.h"

static struct fact *facts;
static size_t n_facts, capacity;
static uint64_t seed = 1;

static void
die(const char *what, const struct error *error)
{
	fprintf(stderr, "%s: %s\n", what, error->text);
	exit(2);
}

static uint64_t
draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return below ? seed % below : 0;
}

/* -- Facts ---------------------------------------------------------------- */

static void
take_fact(void *context, const struct fact *fact)
{
	if (n_facts == capacity) {
		capacity = MAX(2 * capacity, (size_t) 1024);
		facts = xrealloc(facts, capacity * sizeof *facts);
	}
	facts[n_facts] = *fact;
	facts[n_facts].host = xstrdup(fact->host);
	if (fact->blob_size) {
		void *blob = xcalloc(1, fact->blob_size);

		facts[n_facts].blob = memcpy(blob, fact->blob, fact->blob_size);
	}
	n_facts++;
}

static void
read_traces(const char *const *paths, size_t n)
{
	const struct fact_sink sink = { .fact = take_fact };
	struct engine *engine = engine_new(analyzers, &engine_defaults, &sink);
	struct ctf_reader_item item;
	struct ctf_reader *reader;
	struct error error = { 0 };
	uint64_t last_ns = 0;
	int r = ctf_reader_open(paths, n, engine_interest(engine), CTF_BACKEND_OWN, &reader, &error);

	while (r >= 0 && (r = ctf_reader_next(reader, &item, &error)) == 1) {
		struct engine_host *host = engine_host(engine, item.host->hostname);

		if (item.what == CTF_HEAD_EVENT) {
			engine_event(host, item.event);
			last_ns = item.event->t_ns;
		} else if (item.what == CTF_HEAD_LOSS) {
			engine_loss(host, item.loss);
		} else {
			engine_host_end(host, last_ns);
		}
	}
	if (r < 0)
		die("read", &error);
	ctf_reader_close(reader);
	engine_free(engine);
}

/* -- Orders --------------------------------------------------------------- */

struct place {
	char id[FACT_ID_SIZE];
	size_t *at;                  /* The facts of this identity, in their order. */
	size_t n, given;
	UT_hash_handle hh;
};

static struct place *
places_of(void)
{
	struct place *places = NULL, *place;

	for (size_t i = 0; i < n_facts; i++) {
		struct fact fact = facts[i];
		char id[FACT_ID_SIZE];

		if (fact.type == FACT_RETRACT)
			fact.type = FACT_SPAN;
		fact_id(&fact, id);
		HASH_FIND_STR(places, id, place);
		if (!place) {
			place = xcalloc(1, sizeof *place);
			memcpy(place->id, id, sizeof id);
			HASH_ADD_STR(places, id, place);
		}
		place->at = xrealloc(place->at, (place->n + 1) * sizeof *place->at);
		place->at[place->n++] = i;
	}
	return places;
}

/* Any order, of whole traces or of neighbours only. */
static void
shuffle(size_t *order, size_t distance)
{
	struct place *places = places_of(), *place, *next;

	for (size_t i = 0; i < n_facts; i++)
		order[i] = i;
	for (size_t i = n_facts; i > 1; i--) {
		size_t back = (size_t) draw(MIN(i, distance)), other = i - 1 - back, kept;

		kept = order[i - 1];
		order[i - 1] = order[other];
		order[other] = kept;
	}
	/* The places are as drawn; who of an identity gets which is not. */
	for (size_t i = 0; i < n_facts; i++) {
		struct fact fact = facts[order[i]];
		char id[FACT_ID_SIZE];

		if (fact.type == FACT_RETRACT)
			fact.type = FACT_SPAN;
		fact_id(&fact, id);
		HASH_FIND_STR(places, id, place);
		order[i] = place->at[place->given++];
	}
	HASH_ITER(hh, places, place, next) {
		HASH_DEL(places, place);
		free(place->at);
		free(place);
	}
}

/* Puts all facts of one kind last: they have to find what they concern without
 * help from others.  Each order takes the next kind. */
static void
hold_back(size_t *order, unsigned turn)
{
	const char *kinds[64];
	size_t *last = xcalloc(n_facts + 1, sizeof *last), n = 0, kept = 0, n_kinds = 0, k;

	for (size_t i = 0; i < n_facts && n_kinds < ARRAY_SIZE(kinds); i++) {
		for (k = 0; k < n_kinds && !streq(kinds[k], facts[i].kind); k++)
			;
		if (k == n_kinds)
			kinds[n_kinds++] = facts[i].kind;
	}
	for (size_t i = 0; i < n_facts; i++) {
		if (streq(facts[order[i]].kind, kinds[turn % n_kinds]))
			last[n++] = order[i];
		else
			order[kept++] = order[i];
	}
	memcpy(order + kept, last, n * sizeof *last);
	free(last);
}

/* -- Stores --------------------------------------------------------------- */

static char *
dump_of(struct store *store)
{
	struct error error = { 0 };
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (!file || store_dump(store, file, &error))
		die("dump", &error);
	fclose(file);
	return text;
}

static void
give(struct hub *hub, const struct fact *fact)
{
	struct error error = { 0 };

	json_incref(fact->attributes);
	if (hub_fact(hub, fact, &error) < 0)
		die("fact", &error);
}

static char *
store_of(const char *path, const size_t *order, size_t cut)
{
	struct error error = { 0 };
	struct store *store;
	struct hub *hub;
	char *text;

	unlink(path);
	if (store_open(path, STORE_WRITE, &store, &error))
		die("store", &error);
	hub = hub_new(store, NULL);
	for (size_t i = 0; i < n_facts; ) {
		size_t end = MIN(n_facts, i + 1 + (size_t) draw(2 * cut));

		if (store_begin(store, &error))
			die("begin", &error);
		for (; i < end; i++)
			give(hub, &facts[order ? order[i] : i]);
		if (hub_settle(hub, &error) || store_commit(store, &error))
			die("commit", &error);
		if (draw(4) == 0) {
			hub_free(hub);
			hub = hub_new(store, NULL);
		}
	}
	text = dump_of(store);
	hub_free(hub);
	store_close(store);
	return text;
}

/* The first line that differs. */
static void
show_difference(const char *wanted, const char *got)
{
	while (*wanted && *got) {
		size_t a = strcspn(wanted, "\n"), b = strcspn(got, "\n");

		if (a != b || memcmp(wanted, got, a))
			break;
		wanted += a + (wanted[a] != 0);
		got += b + (got[b] != 0);
	}
	printf("wanted: %.*s\ngot:    %.*s\n", (int) strcspn(wanted, "\n"), wanted,
	       (int) strcspn(got, "\n"), got);
}

int
main(int argc, char **argv)
{
	size_t *order;
	char *wanted;
	int bad = 0, orders;

	if (argc < 4)
		return 2;
	orders = atoi(argv[2]);
	read_traces((const char *const *) argv + 3, (size_t) argc - 3);
	order = xcalloc(n_facts + 1, sizeof *order);
	wanted = store_of(argv[1], NULL, n_facts);
	for (int i = 0; i < orders && !bad; i++) {
		char *got;

		seed = (uint64_t) i * 0x9e3779b97f4a7c15 + 1;
		shuffle(order, i % 2 ? n_facts : 200);
		if (n_facts && i % 4)
			hold_back(order, (unsigned) (i - i / 4));
		/* Small transactions, too: a fact that comes alone has to find its request. */
		got = store_of(argv[1], order, n_facts / (1 + (size_t) draw(i % 3 ? 12 : 400)));
		if (!streq(wanted, got)) {
			printf("order %d gives another store\n", i);
			show_difference(wanted, got);
			bad = 1;
		}
		free(got);
	}
	printf("%zu facts, %d orders\n", n_facts, orders);
	for (size_t i = 0; i < n_facts; i++) {
		free((char *) facts[i].host);
		free((void *) (uintptr_t) facts[i].blob);
		json_decref(facts[i].attributes);
	}
	free(facts);
	free(order);
	free(wanted);
	return bad;
}
