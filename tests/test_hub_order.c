/* SPDX-License-Identifier: MIT
 *
 * test_hub_order.c -- the same facts give the same store: in any order of
 * arrival, cut into any transactions, restarted or killed anywhere. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/util.h"
#include "tests/store_fixture.h"

enum { MAX_FACTS = 160, ORDERS = 150, KILLS = 12 };

static struct fact facts[MAX_FACTS];
static size_t n_facts;
static uint64_t seed;

static uint64_t
draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return below ? seed % below : 0;
}

static void
add(struct fact fact)
{
	assert_true(n_facts < MAX_FACTS);
	facts[n_facts++] = fact;
}

/* Both sides of a migration, as they get known: begun, stopped, ended. */
static void
add_migration(unsigned n, const char *from, const char *to, int64_t skew, const char *source_end,
	      const char *destination_end)
{
	uint64_t start = T0 + draw(S(4)), length = S(1) + draw(S(3));
	struct given_side s = { .source = true, .host = from, .pid = 100 + n, .start = start,
				.connect = start + MS(1) }, d;

	d = (struct given_side) { .host = to, .pid = 200 + n,
				  .start = start + MS(1) + draw(MS(2)) + (uint64_t) skew };
	d.connect = d.start;
	if (draw(2))
		s.uri = n % 2 ? "tcp:10.0.0.1:49152" : "tcp:10.0.0.1:49153";
	if (draw(2))
		d.uri = n % 2 ? "tcp:0:49152" : "tcp:0:49153";
	add(side_fact(&s));
	add(side_fact(&d));
	s.stop = start + length;
	add(side_fact(&s));
	if (draw(3) == 0)
		add(child_fact(&facts[n_facts - 1], "migration.stall", s.stop + S(2), 0));
	s.end = s.stop + MS(20);
	s.status = source_end;
	if (source_end)
		add(side_fact(&s));
	d.run = d.connect + length + MS(30);
	d.end = d.run + MS(1);
	d.status = destination_end;
	if (destination_end)
		add(side_fact(&d));
	if (draw(2))
		add(process_fact(from, 100 + n, n % 3 ? "u1" : "u2", "web", NULL));
	if (draw(2))
		add(process_fact(to, 200 + n, n % 3 ? "u1" : "u2", "web", NULL));
}

static void
make_facts(uint64_t from_seed)
{
	static const char *const hosts[] = { "c1", "c2", "c3" };
	static const char *const ends[][2] = {
		{ "completed", "completed" }, { "completed", "failed" }, { "cancelled", "failed" },
		{ NULL, "failed" }, { "failed", NULL }, { "lost", "completed" },
	};

	facts_done(facts, n_facts);
	n_facts = 0;
	seed = from_seed * 0x9e3779b97f4a7c15 + 1;
	for (unsigned n = 0; n < 10; n++) {
		size_t from = draw(3), to = (from + 1 + draw(2)) % 3;
		const char *const *end = ends[draw(2) ? 0 : draw(ARRAY_SIZE(ends))];

		add_migration(n, hosts[from], hosts[to], draw(4) ? 0 : (int64_t) S(7200), end[0],
			      end[1]);
		if (draw(8) == 0)
			add(retraction(&facts[draw(n_facts)]));
		if (facts[n_facts - 1].type == FACT_RETRACT &&
		    !starts_with(facts[n_facts - 1].kind, "migration."))
			n_facts--;
	}
}

static bool
same_identity(const struct fact *a, const struct fact *b)
{
	char a_id[FACT_ID_SIZE], b_id[FACT_ID_SIZE];
	struct fact a_span = *a, b_span = *b;

	a_span.type = a->type == FACT_RETRACT ? FACT_SPAN : a->type;
	b_span.type = b->type == FACT_RETRACT ? FACT_SPAN : b->type;
	fact_id(&a_span, a_id);
	fact_id(&b_span, b_id);
	return streq(a_id, b_id);
}

/* A random order in which what is said of one thing stays in its own order:
 * that is how a host tells it. */
static void
shuffle(size_t *order)
{
	bool done[MAX_FACTS] = { false };

	for (size_t i = 0; i < n_facts; i++) {
		size_t pick = draw(n_facts);

		while (done[pick])
			pick = (pick + 1) % n_facts;
		for (size_t k = 0; k < pick; k++)
			if (!done[k] && same_identity(&facts[k], &facts[pick])) {
				pick = k;
				break;
			}
		done[pick] = true;
		order[i] = pick;
	}
}

/* The store that comes of it, with commits and restarts at random. */
static char *
run(const size_t *order, unsigned restart_one_in)
{
	const char *path = temporary("order.db");
	struct store *store;
	struct hub *hub;
	char *text;

	unlink(path);
	store = open_store(path, STORE_WRITE);
	hub = hub_new(store, NULL);
	assert_int_equal(store_begin(store, NULL), 0);
	for (size_t i = 0; i < n_facts; i++) {
		give(hub, &facts[order ? order[i] : i]);
		if (!order || draw(3))
			continue;
		assert_int_equal(hub_settle(hub, NULL), 0);
		assert_int_equal(store_commit(store, NULL), 0);
		if (draw(restart_one_in) == 0) {
			hub_free(hub);
			store_close(store);
			store = open_store(path, STORE_WRITE);
			hub = hub_new(store, NULL);
		}
		assert_int_equal(store_begin(store, NULL), 0);
	}
	assert_int_equal(hub_settle(hub, NULL), 0);
	assert_int_equal(store_commit(store, NULL), 0);
	text = dump(store);
	hub_free(hub);
	store_close(store);
	return text;
}

static void
compare(const char *a, const char *b, uint64_t number)
{
	size_t i = 0, line = 0;

	if (streq(a, b))
		return;
	for (; a[i] && a[i] == b[i]; i++)
		if (a[i] == '\n')
			line = i + 1;
	fail_msg("order %llu:\n%.*s\nis not\n%.*s", (unsigned long long) number,
		 (int) strcspn(a + line, "\n"), a + line, (int) strcspn(b + line, "\n"), b + line);
}

static void
test_any_order(void **state)
{
	size_t order[MAX_FACTS], joined = 0;
	char *straight, *other;

	(void) state;
	for (uint64_t i = 0; i < ORDERS; i++) {
		if (i % 5 == 0)
			make_facts(i + 1);
		straight = run(NULL, 0);
		for (const char *at = straight; (at = strstr(at, "\"joined_by\":\"")); at++)
			joined++;
		shuffle(order);
		other = run(order, 10);
		compare(straight, other, i);
		free(straight);
		free(other);
	}
	/* It was not about nothing. */
	assert_true(joined > 3 * ORDERS);
	facts_done(facts, n_facts);
	n_facts = 0;
	temporary_done();
}

/* Writes facts from where the last one stopped, one commit each, and a
 * position with it. */
static void
write_on(const char *path)
{
	struct ctf_position position = { .valid = true };
	struct store *store = open_store(path, STORE_WRITE);
	struct hub *hub = hub_new(store, NULL);

	store_position(store, "facts", &position);
	while (position.events_done < n_facts) {
		assert_int_equal(store_begin(store, NULL), 0);
		give(hub, &facts[position.events_done++]);
		assert_int_equal(store_put_position(store, "facts", &position, NULL), 0);
		assert_int_equal(hub_settle(hub, NULL), 0);
		assert_int_equal(store_commit(store, NULL), 0);
	}
	hub_free(hub);
	store_close(store);
}

static void
test_killed(void **state)
{
	char *straight, *killed;
	struct store *store;
	const char *path;
	int status;

	(void) state;
	make_facts(77);
	straight = run(NULL, 0);
	path = temporary("killed.db");
	for (int i = 0; i < KILLS; i++) {
		pid_t pid = fork();

		if (!pid) {
			alarm(60);
			write_on(path);
			_exit(0);
		}
		usleep((useconds_t) (1000 + draw(25000)));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	}
	write_on(path);
	store = open_store(path, STORE_READ);
	killed = dump(store);
	compare(straight, killed, 0);
	store_close(store);
	free(straight);
	free(killed);
	facts_done(facts, n_facts);
	n_facts = 0;
	temporary_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_order),
		cmocka_unit_test(test_killed),
	};

	alarm(300);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
