/* SPDX-License-Identifier: MIT
 *
 * drain_eta.c -- when all that leave a host will have left (drain.h): what those that
 * ended took, scaled by memory, is what the others will take; those that run go by
 * their forecast; who waits takes the first slot that gets free. */
#include <stdlib.h>
#include <string.h>

#include "daemon/drain.h"
#include "lib/clock.h"
#include "lib/util.h"

#define NEVER UINT64_MAX
/* What Nova does after the memory was sent takes longer than what it does before; a
 * guess for as long as none was seen to end, that may be half or twice as much. */
#define POST_BY_PRE 1.5
enum { MAX_SLOTS = 256 };

/* What one takes, by what others took. */
struct usual {
	size_t n;                    /* Of how many that is known. */
	double pre_ns, move_ns, post_ns, total_ns;
	double ns_per_byte;          /* Of memory, while it is sent; 0: not known. */
	double error;                /* How far they are from each other, of the whole. */
	enum { FROM_OPEN, FROM_HERE, FROM_OTHERS } from;
};

/* From now on, or from when it gets its slot. */
struct guess {
	double rest_ns, least_ns, most_ns;
	enum { KNOWN, NEVER_ENDS, UNKNOWN } how;
	double begun_ns;             /* So much of it has passed should its slot be free already. */
};

static struct guess
about(double rest_ns, double error)
{
	return (struct guess) { .rest_ns = rest_ns, .least_ns = rest_ns * (1 - error),
				.most_ns = rest_ns * (1 + error) };
}

static bool
is_live(const struct drain_row *row)
{
	return streq(row->kind, "live");
}

/* -- What others took ---------------------------------------------------------------- */

static int
compare_doubles(const void *a_, const void *b_)
{
	const double *a = a_, *b = b_;

	return *a < *b ? -1 : *a > *b;
}

static double
median(double *values, size_t n)
{
	qsort(values, n, sizeof *values, compare_doubles);
	return !n ? 0 : n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static double
between(uint64_t from_ns, uint64_t to_ns)
{
	return from_ns && to_ns > from_ns ? (double) (to_ns - from_ns) : 0;
}

enum { OF_PRE, OF_MOVE, OF_POST, OF_TOTAL, OF_BYTE, N_OF };

static void
measure(const struct drain_row *row, double ret[N_OF])
{
	const uint64_t from_ns = is_live(row) && row->slot_ns ? row->slot_ns : row->asked_ns;

	ret[OF_PRE] = between(from_ns, row->moving_ns);
	ret[OF_MOVE] = between(row->moving_ns, row->moved_ns);
	ret[OF_POST] = between(row->moved_ns, row->end_ns);
	ret[OF_TOTAL] = between(from_ns, row->end_ns);
	ret[OF_BYTE] = row->memory_bytes ? ret[OF_MOVE] / (double) row->memory_bytes : 0;
}

/* Of those of one kind that ended well. */
static struct usual
usual_of(const struct drain_row *rows, size_t n, const char *kind)
{
	double *values[N_OF], of[N_OF], least = 0, most = 0;
	struct usual usual = { 0 };

	for (size_t k = 0; k < N_OF; k++)
		values[k] = xcalloc(n + 1, sizeof **values);
	for (size_t i = 0; i < n; i++) {
		if (!streq(rows[i].kind, kind) || !streq(rows[i].status, "done") ||
		    !*rows[i].destination)
			continue;
		measure(&rows[i], of);
		for (size_t k = 0; k < N_OF; k++)
			values[k][usual.n] = of[k];
		least = usual.n ? MIN(least, of[OF_TOTAL]) : of[OF_TOTAL];
		most = MAX(most, of[OF_TOTAL]);
		usual.n++;
	}
	usual.pre_ns = median(values[OF_PRE], usual.n);
	usual.move_ns = median(values[OF_MOVE], usual.n);
	usual.post_ns = median(values[OF_POST], usual.n);
	usual.total_ns = median(values[OF_TOTAL], usual.n);
	usual.ns_per_byte = median(values[OF_BYTE], usual.n);
	usual.error = usual.total_ns > 0 ? MIN((most - least) / 2 / usual.total_ns, 0.9) : 0.9;
	/* Few that are alike prove little. */
	usual.error = MAX(usual.error, usual.n < 3 ? 0.6 : 0.25);
	for (size_t k = 0; k < N_OF; k++)
		free(values[k]);
	return usual;
}

static struct usual
usual_for(const struct drain_row *rows, size_t n, const struct drain_row *past, size_t n_past,
	  const char *kind)
{
	struct usual usual = usual_of(rows, n, kind);

	usual.from = FROM_HERE;
	if (usual.n)
		return usual;
	usual = usual_of(past, n_past, kind);
	usual.from = FROM_OTHERS;
	usual.error = MIN(1.5 * usual.error, 0.9);
	return usual;
}

/* While none has ended: as those that are on their way say. */
static struct usual
usual_of_open(const struct drain_row *rows, size_t n, uint64_t now_ns)
{
	struct usual usual = { .error = 0.8 };

	for (size_t i = 0; i < n; i++) {
		const struct drain_row *row = &rows[i];
		uint64_t until_ns = row->moved_ns;

		if (!is_live(row) || !drain_is_open(row) || !row->moving_ns)
			continue;
		if (!until_ns && streq(row->verdict, "converging"))
			until_ns = MAX(row->forecast_ns, now_ns);
		if (!until_ns)
			continue;
		usual.pre_ns = MAX(usual.pre_ns, between(row->slot_ns, row->moving_ns));
		usual.move_ns = MAX(usual.move_ns, between(row->moving_ns, until_ns));
		usual.post_ns = POST_BY_PRE * usual.pre_ns;
		usual.total_ns = usual.pre_ns + usual.move_ns + usual.post_ns;
		usual.n++;
	}
	return usual;
}

/* -- What is left of one -------------------------------------------------------------- */

static double
rest_of(double usual_ns, double passed_ns)
{
	return usual_ns > passed_ns ? usual_ns - passed_ns : 0;
}

/* What has gone on for long goes on for some time: the more so when it is overdue. */
static struct guess
about_rest(double usual_ns, double passed_ns, double error)
{
	const double rest_ns = rest_of(usual_ns, passed_ns);
	struct guess guess = about(rest_ns, error);

	guess.rest_ns = MAX(rest_ns, passed_ns * 0.15);
	guess.most_ns = MAX(guess.most_ns, passed_ns * 0.8);
	return guess;
}

static double
move_of(const struct drain_row *row, const struct usual *usual)
{
	return usual->ns_per_byte > 0 && row->memory_bytes ?
	       usual->ns_per_byte * (double) row->memory_bytes : usual->move_ns;
}

/* What is left after memory was sent; while nobody knows, by what came before. */
static double
post_of(const struct drain_row *row, const struct usual *usual)
{
	return usual->n ? usual->post_ns : POST_BY_PRE * between(row->slot_ns, row->moving_ns);
}

static struct guess
guess_moving(const struct drain_row *row, const struct usual *usual, uint64_t now_ns)
{
	const double post_ns = post_of(row, usual), error = MAX(usual->error, 0.3);
	double rest_ns = 0, by_rate = 0;
	struct guess guess;

	if (streq(row->verdict, "not-converging"))
		return (struct guess) { .how = NEVER_ENDS };
	if (row->rate_bytes_s)
		by_rate = (double) row->remaining_bytes * 1e9 / (double) row->rate_bytes_s;
	if (streq(row->verdict, "converging") && row->forecast_ns)
		rest_ns = between(now_ns, row->forecast_ns);
	else if (usual->n)
		return about_rest(move_of(row, usual) + post_ns, between(row->moving_ns, now_ns), error);
	else if (by_rate <= 0)
		return (struct guess) { .how = UNKNOWN };
	guess = about(MAX(rest_ns, by_rate) + post_ns, error);
	if (!usual->n || usual->from == FROM_OPEN)
		guess.most_ns = MAX(guess.most_ns, guess.rest_ns + post_ns);
	return guess;
}

static struct guess
guess_finishing(const struct drain_row *row, const struct usual *usual, uint64_t now_ns)
{
	const double post_ns = post_of(row, usual), passed_ns = between(row->moved_ns, now_ns);
	struct guess guess = about_rest(post_ns, passed_ns, usual->error);

	if (!usual->n || usual->from == FROM_OPEN)
		guess.most_ns = MAX(passed_ns, rest_of(2 * post_ns, passed_ns));
	guess.most_ns = MAX(guess.most_ns, guess.rest_ns);
	return guess;
}

static struct guess
guess_of(const struct drain_row *row, const struct usual *usual, uint64_t idle_ns, uint64_t now_ns)
{
	const double passed_ns = between(row->slot_ns ? row->slot_ns : row->asked_ns, now_ns);
	const double whole_ns = usual->pre_ns + move_of(row, usual) + usual->post_ns;
	struct guess guess;

	if (is_live(row) && row->phase == DRAIN_FINISHING && (row->moved_ns || usual->n))
		return guess_finishing(row, usual, now_ns);
	if (is_live(row) && row->phase == DRAIN_MIGRATING && row->moving_ns)
		return guess_moving(row, usual, now_ns);
	if (!usual->n)
		return (struct guess) { .how = UNKNOWN };
	if (!is_live(row))
		return about_rest(usual->total_ns, passed_ns, usual->error);
	if (row->phase > DRAIN_QUEUED)
		return about_rest(whole_ns, passed_ns, usual->error);
	guess = about(whole_ns, usual->error);
	/* That it has its slot is told when the preparation is over. */
	idle_ns = MAX(idle_ns, row->asked_ns);
	guess.begun_ns = between(idle_ns, now_ns);
	guess.begun_ns = MIN(guess.begun_ns, usual->pre_ns);
	return guess;
}

/* -- Who leaves when -------------------------------------------------------------------- */

static uint64_t
after(uint64_t from_ns, const struct guess *guess, int side)
{
	const double rest_ns = side < 0 ? guess->least_ns : side ? guess->most_ns : guess->rest_ns;

	return guess->how != KNOWN || from_ns == NEVER || rest_ns > 9e17 ? NEVER :
	       from_ns + (uint64_t) rest_ns;
}

/* When each ends; 'side': -1 at best, 1 at worst.  Returns when all have. */
static uint64_t
play(const struct drain_row *rows, const struct guess *guesses, size_t n, unsigned slots,
     uint64_t now_ns, int side, uint64_t *ret)
{
	uint64_t free_ns[MAX_SLOTS], last_ns = now_ns;
	size_t n_free = 0;

	for (unsigned i = 0; i < slots; i++)
		free_ns[i] = 0;
	for (size_t i = 0; i < n; i++) {
		if (!drain_is_open(&rows[i]) || (is_live(&rows[i]) && rows[i].phase <= DRAIN_QUEUED))
			continue;
		ret[i] = after(now_ns, &guesses[i], side);
		last_ns = MAX(last_ns, ret[i]);
		if (is_live(&rows[i]) && n_free < slots)
			free_ns[n_free++] = ret[i];
	}
	for (size_t i = 0; i < n; i++) {
		unsigned first = 0;

		if (!drain_is_open(&rows[i]) || !is_live(&rows[i]) || rows[i].phase > DRAIN_QUEUED)
			continue;
		for (unsigned k = 1; k < slots; k++)
			if (free_ns[k] < free_ns[first])
				first = k;
		ret[i] = free_ns[first] = free_ns[first] ? after(free_ns[first], &guesses[i], side) :
			after(now_ns - (uint64_t) guesses[i].begun_ns, &guesses[i], side);
		last_ns = MAX(last_ns, ret[i]);
	}
	return last_ns;
}

/* When the last of those that ended did. */
static uint64_t
idle_since(const struct drain_row *rows, size_t n)
{
	uint64_t last_ns = 0;

	for (size_t i = 0; i < n; i++)
		if (!drain_is_open(&rows[i]) && is_live(&rows[i]))
			last_ns = MAX(last_ns, rows[i].end_ns);
	return last_ns;
}

/* Each reason once. */
static void
tell_unknown(const struct drain_row *row, const struct guess *guess, json_t *unknown)
{
	const char *name = row->name ? row->name : row->uuid ? row->uuid : "a VM";
	_cleanup_(freep) char *text = guess->how == NEVER_ENDS ?
		xasprintf("%s does not converge", name) :
		xasprintf("no %s migration has ended yet", row->kind);
	json_t *one = store_string(text), *told;
	size_t i;

	json_array_foreach(unknown, i, told)
		if (json_equal(told, one))
			break;
	if (i == json_array_size(unknown))
		json_array_append(unknown, one);
	json_decref(one);
}

static json_t *
basis_json(const struct usual *usual)
{
	_cleanup_(freep) char *text = usual->from == FROM_OTHERS ?
		xasprintf("%zu earlier ones", usual->n) : usual->from == FROM_HERE ?
		xasprintf("%zu that left this host", usual->n) :
		xstrdup("forecasts of those that are leaving");

	return store_string(text);
}

json_t *
drain_eta(struct drain_row *rows, size_t n, const struct drain_row *past, size_t n_past,
	  unsigned slots, uint64_t now_ns, json_t *unknown)
{
	struct usual usual = usual_for(rows, n, past, n_past, "live");
	struct usual basis = usual;
	struct guess *guesses = xcalloc(n + 1, sizeof *guesses);
	uint64_t *times[3], all[3];
	size_t open = 0;
	json_t *eta = json_null();

	if (!usual.n)
		usual = usual_of_open(rows, n, now_ns);
	slots = MAX(slots, 1U);
	slots = MIN(slots, (unsigned) MAX_SLOTS);
	for (size_t i = 0; i < n; i++) {
		const struct usual other = is_live(&rows[i]) ? usual :
			usual_for(rows, n, past, n_past, rows[i].kind);

		if (!drain_is_open(&rows[i]))
			continue;
		if (!open++)
			basis = other;
		guesses[i] = guess_of(&rows[i], &other, idle_since(rows, n), now_ns);
		if (guesses[i].how != KNOWN)
			tell_unknown(&rows[i], &guesses[i], unknown);
	}
	for (int k = 0; k < 3; k++) {
		times[k] = xcalloc(n + 1, sizeof *times[k]);
		all[k] = play(rows, guesses, n, slots, now_ns, k - 1, times[k]);
	}
	for (size_t i = 0; i < n; i++) {
		if (!drain_is_open(&rows[i]) || times[2][i] == NEVER)
			continue;
		rows[i].low_ns = times[0][i];
		rows[i].eta_ns = times[1][i];
		rows[i].high_ns = times[2][i];
	}
	if (open && all[2] != NEVER)
		eta = json_pack("{s:I, s:I, s:I, s:o}", "end_ns", (json_int_t) all[1], "low_ns",
				(json_int_t) all[0], "high_ns", (json_int_t) all[2], "basis",
				basis_json(&basis));
	for (int k = 0; k < 3; k++)
		free(times[k]);
	free(guesses);
	return eta;
}
