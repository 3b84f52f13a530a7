/* SPDX-License-Identifier: MIT
 *
 * test_forecast.c -- the forecast against migrations whose truth is known:
 * guests that write in several ways, played round by round as QEMU does, with
 * noise, throttling and links that change; and the two real cases that have to
 * be refused by their second round.  Prints the figures. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzers/forecast.h"
#include "lib/util.h"

#define MB  1e6
#define GIB 0x1p30

enum { N_SETS = 3, N_CASES = 400, MAX_PLAYED = 400, MAX_ASKED = 40 };

/* A guest: sets of memory that it writes at random or in a circle. */
struct guest {
	double total, zero;             /* Bytes of RAM; part of it that is zero. */
	struct { double w, r; bool circle; } sets[N_SETS];
};

struct plan {
	struct guest guest;
	double speed, limit, noise;
	double later_speed, later_s;    /* The link from then on. */
	bool auto_converge;
};

struct shot {
	struct forecast forecast;
	double at;
	unsigned round;
};

static double
uniform(void)
{
	return rand() / (RAND_MAX + 1.0);
}

static double
between(double low, double high)
{
	return low * pow(high / low, uniform());
}

static double
dirty_in(const struct guest *guest, double t)
{
	double sum = 0;

	for (int i = 0; i < N_SETS; i++) {
		const double w = guest->sets[i].w, written = guest->sets[i].r * t;

		if (w > 0)
			sum += guest->sets[i].circle ? MIN(w, written) : w * -expm1(-written / w);
	}
	return MIN(sum, guest->total);
}

struct play {
	struct forecast_round rounds[MAX_PLAYED];
	struct shot shots[MAX_ASKED];
	unsigned n;
	double t, left, throttle;
	unsigned high;
	bool ended;
};

static void
one_round(const struct plan *plan, struct play *p)
{
	const double speed = plan->later_s > 0 && p->t > plan->later_s ? plan->later_speed
		: plan->speed;
	const double enough = speed * plan->limit;
	const double rest = enough * uniform();
	const double sent = MAX(p->left - rest, 0) * (p->n ? 1 : 1 - plan->guest.zero);
	const double t = sent / speed * (1 + plan->noise * (uniform() - 0.5));
	const double dirty = dirty_in(&plan->guest, t * (1 - p->throttle)) *
		(1 + plan->noise * (uniform() - 0.5));

	p->rounds[p->n] = (struct forecast_round) {
		.seconds = t, .dirty_bytes = dirty, .left_bytes = rest + dirty,
		.drained_bytes = p->left - rest, .drained_s = t, .throttle = p->throttle,
		.first = !p->n,
	};
	p->t += t;
	p->left = rest + dirty;
	p->n++;
	p->ended = p->left <= enough;
	if (plan->auto_converge && dirty > sent / 2 && ++p->high == 2) {
		p->high = 0;
		p->throttle = p->throttle > 0 ? MIN(p->throttle + 0.1, 0.99) : 0.2;
	}
}

static void
ask(const struct plan *plan, struct play *p)
{
	const unsigned n = MIN(p->n, (unsigned) FORECAST_ROUNDS);
	const double speed = plan->later_s > 0 && p->t > plan->later_s ? plan->later_speed
		: plan->speed;
	const struct forecast_input input = {
		.rounds = p->rounds + p->n - n, .n_rounds = n, .left_bytes = p->left,
		.bytes_per_s = speed, .downtime_limit_s = plan->limit, .throttle = p->throttle,
		.auto_converge = plan->auto_converge, .throttle_initial = 0.2,
		.throttle_increment = 0.1, .throttle_max = 0.99,
	};
	struct shot *shot = &p->shots[p->n - 1];

	shot->at = p->t;
	shot->round = p->n;
	forecast(&input, &shot->forecast);
}

static void
run(const struct plan *plan, struct play *p)
{
	memset(p, 0, sizeof *p);
	p->left = plan->guest.total;
	while (!p->ended && p->n < MAX_PLAYED) {
		one_round(plan, p);
		if (p->n <= MAX_ASKED)
			ask(plan, p);
	}
	if (p->ended)
		p->t += p->left / plan->speed;
}

/* -- Figures ------------------------------------------------------------- */

struct figures {
	const char *name;
	unsigned migrations, ended, shots, good;
	unsigned false_refusals, false_promises, never, never_shots, refused;
	/* Of remaining times so long that 12 % of them are over 8 s, as a part of them. */
	unsigned n_errors;
	double errors[N_CASES * MAX_ASKED];
};

static int
compare(const void *a, const void *b)
{
	const double x = *(const double *) a, y = *(const double *) b;

	return x < y ? -1 : x > y;
}

static void
judge(struct figures *f, const struct play *p)
{
	f->migrations++;
	f->ended += p->ended;
	f->never += !p->ended;
	for (unsigned i = 1; i < MIN(p->n, (unsigned) MAX_ASKED); i++) {
		const struct forecast *fc = &p->shots[i].forecast;
		const double truth = p->t - p->shots[i].at;
		const double error = fc->remaining_s < 0 ? INFINITY : fabs(fc->remaining_s - truth);

		if (!p->ended) {
			f->never_shots++;
			f->false_promises += fc->verdict == FORECAST_CONVERGING;
			if (i == 2)
				f->refused += fc->verdict == FORECAST_NOT_CONVERGING;
			continue;
		}
		f->false_refusals += fc->verdict == FORECAST_NOT_CONVERGING;
		f->good += error <= 0.12 * truth || error <= 8;
		f->shots++;
		if (0.12 * truth > 8)
			f->errors[f->n_errors++] = error / truth;
	}
}

/* Returns the part of forecasts within 12 % or 8 s. */
static double
print_figures(struct figures *f)
{
	const double good = f->shots ? f->good / (double) f->shots : 1;

	qsort(f->errors, f->n_errors, sizeof *f->errors, compare);
	printf("# %-18s %u migrations, %u end; %u forecasts: %.1f %% within 12 %% or 8 s", f->name,
	       f->migrations, f->ended, f->shots, 100 * good);
	if (f->n_errors)
		printf(", 90th percentile of %u with over 67 s to go: %.0f %%", f->n_errors,
		       100 * f->errors[f->n_errors * 9 / 10]);
	printf("; wrong \"never\" %u\n", f->false_refusals);
	if (f->never)
		printf("# %-18s %u never end: after 3 rounds %u refused; promised %u of %u times\n",
		       f->name, f->never, f->refused, f->false_promises, f->never_shots);
	return good;
}

static struct figures *
new_figures(const char *name)
{
	struct figures *f = xcalloc(1, sizeof *f);

	f->name = name;
	return f;
}

static void
random_plan(struct plan *plan, int sets, bool circle)
{
	memset(plan, 0, sizeof *plan);
	plan->guest.total = between(GIB, 64 * GIB);
	plan->guest.zero = uniform() * 0.6;
	plan->speed = between(50 * MB, 1200 * MB);
	plan->limit = between(0.1, 1);
	plan->noise = 0.06;
	for (int i = 0; i < sets; i++) {
		plan->guest.sets[i].w = between(0.002, 0.4 / sets) * plan->guest.total;
		/* Nearer to the speed of the link noise decides when it ends. */
		plan->guest.sets[i].r = between(0.05, 0.9 / sets) * plan->speed;
		plan->guest.sets[i].circle = circle;
	}
}

static double
series(const char *name, void (*make)(struct plan *), unsigned seed, struct figures **ret)
{
	struct figures *f = new_figures(name);
	struct play *p = xcalloc(1, sizeof *p);
	double good;

	srand(seed);
	for (int i = 0; i < N_CASES; i++) {
		struct plan plan;

		make(&plan);
		run(&plan, p);
		judge(f, p);
	}
	good = print_figures(f);
	free(p);
	*ret = f;
	return good;
}

/* -- Guests -------------------------------------------------------------- */

static void
make_circle(struct plan *plan)
{
	random_plan(plan, 1, true);
}

static void
make_random(struct plan *plan)
{
	random_plan(plan, 1, false);
}

/* A hot set, a warm and a cold one. */
static void
make_mix(struct plan *plan)
{
	random_plan(plan, N_SETS, false);
}

static void
make_changing_link(struct plan *plan)
{
	random_plan(plan, 1, uniform() < 0.5);
	plan->later_s = plan->guest.total * (1 - plan->guest.zero) / plan->speed * 1.02;
	plan->later_speed = plan->speed * between(0.7, 1.5);
}

static void
make_throttled(struct plan *plan)
{
	random_plan(plan, 1, uniform() < 0.5);
	plan->guest.sets[0].r *= 3;
	plan->auto_converge = true;
}

/* Writes faster than the link sends, on more than fits in the limit. */
static void
make_never(struct plan *plan)
{
	random_plan(plan, 1, uniform() < 0.5);
	plan->guest.sets[0].w = MAX(plan->guest.sets[0].w, 3 * plan->speed * plan->limit);
	plan->guest.sets[0].r = between(1.5, 10) * plan->speed;
}

static void
check_series(const char *name, void (*make)(struct plan *), double least)
{
	struct figures *f;
	const double good = series(name, make, 20261123, &f);
	const unsigned false_refusals = f->false_refusals, shots = f->shots;
	const unsigned promises = f->false_promises, never = f->never_shots;

	free(f);
	assert_true(good >= least);
	/* A wrong "never" is an alert for nothing. */
	assert_true(false_refusals <= shots / 50);
	assert_true(promises <= never / 10);
}

static void
test_circle(void **state)
{
	check_series("writes in a circle", make_circle, 0.9);
}

static void
test_random(void **state)
{
	check_series("writes at random", make_random, 0.9);
}

static void
test_mix(void **state)
{
	check_series("hot, warm and cold", make_mix, 0.9);
}

static void
test_changing_link(void **state)
{
	check_series("link changes", make_changing_link, 0.9);
}

static void
test_never(void **state)
{
	struct figures *f;
	unsigned never, refused, promised, shots;

	series("never ends", make_never, 20261123, &f);
	never = f->never;
	refused = f->refused;
	promised = f->false_promises;
	shots = f->never_shots;
	free(f);
	assert_true(never > N_CASES * 9 / 10);
	assert_true(refused >= never * 8 / 10);
	assert_true(promised <= shots / 100);
}

static void
test_throttled(void **state)
{
	check_series("auto-converge", make_throttled, 0.5);
}

/* -- Real cases ---------------------------------------------------------- */

/* 16 GiB, 120 MB/s, 831 MB left after each round, limit 500 ms. */
static void
test_831_mb(void **state)
{
	for (int percent = 95; percent <= 105; percent += 5) {
		const double left = 831 * MB, again = left * percent / 100;
		const struct forecast_round rounds[] = {
			{ .seconds = 16 * GIB / (120 * MB), .dirty_bytes = left,
			  .left_bytes = left, .drained_bytes = 16 * GIB,
			  .drained_s = 16 * GIB / (120 * MB), .first = true },
			{ .seconds = left / (120 * MB), .dirty_bytes = again,
			  .left_bytes = again, .drained_bytes = left,
			  .drained_s = left / (120 * MB) },
		};
		const struct forecast_input input = {
			.rounds = rounds, .n_rounds = 2, .left_bytes = again,
			.bytes_per_s = 120 * MB, .downtime_limit_s = 0.5,
		};
		struct forecast f;

		forecast(&input, &f);
		assert_int_equal(f.verdict, FORECAST_NOT_CONVERGING);
		assert_true(f.remaining_s < 0);
		/* All of it in 500 ms, or as long as it takes. */
		assert_true(f.needs_bytes_per_s > 400 * MB && f.needs_bytes_per_s < 2000 * MB);
		assert_true(f.needs_downtime_limit_s > 6 && f.needs_downtime_limit_s < 8);
	}
}

/* 32 GiB, 26.287 GiB left at 294 s in iteration 2, 101.96 MiB/s, 31,340 dirty
 * pages/s, limit 500 ms. */
static void
test_26_gib(void **state)
{
	const double speed = 101.96 * 0x1p20, rate = 31340 * 4096.0;
	/* When the second iteration began, by what was left at 294 s. */
	const double t = (26.287 * GIB + 294 * speed) / (rate + speed);
	const struct forecast_round round = {
		.seconds = t, .dirty_bytes = rate * t, .left_bytes = rate * t,
		.drained_bytes = 32 * GIB, .drained_s = t, .first = true,
	};
	const struct forecast_input input = {
		.rounds = &round, .n_rounds = 1, .left_bytes = rate * t, .bytes_per_s = speed,
		.downtime_limit_s = 0.5,
	};
	struct forecast f;

	forecast(&input, &f);
	assert_int_equal(f.verdict, FORECAST_NOT_CONVERGING);
	assert_true(f.needs_bytes_per_s > 1.1 * speed && f.needs_bytes_per_s < 3 * speed);
	assert_true(f.needs_throttle > 0.1 && f.needs_throttle < 0.9);
}

static void
test_nothing_known(void **state)
{
	const struct forecast_round zero = { 0 };
	const struct forecast_round endless = { .seconds = 1e-9, .dirty_bytes = 1e18 };
	struct forecast_input input = { 0 };
	struct forecast f;

	forecast(&input, &f);
	assert_int_equal(f.verdict, FORECAST_UNKNOWN);
	input.rounds = &zero;
	input.n_rounds = 1;
	input.bytes_per_s = 1;
	forecast(&input, &f);
	assert_int_equal(f.verdict, FORECAST_UNKNOWN);
	input.rounds = &endless;
	input.left_bytes = 1e18;
	input.downtime_limit_s = 0.3;
	forecast(&input, &f);
	assert_int_equal(f.verdict, FORECAST_NOT_CONVERGING);
}

/* The closed form of the series for a constant rate. */
static void
test_geometric(void **state)
{
	const double v = 4 * GIB, b = 117 * MB, rho = 0.5, limit = 0.3;
	struct forecast_round rounds[3];
	double left = v, t, closed;
	struct forecast f;
	unsigned n;

	for (int i = 0; i < 3; i++) {
		t = left / b;
		rounds[i] = (struct forecast_round) {
			.seconds = t, .dirty_bytes = rho * left, .left_bytes = rho * left,
			.drained_bytes = left, .drained_s = t, .first = !i,
		};
		left *= rho;
	}
	forecast(&(struct forecast_input) { .rounds = rounds, .n_rounds = 3, .left_bytes = left,
		 .bytes_per_s = b, .downtime_limit_s = limit }, &f);
	n = (unsigned) ceil(log(b * limit / left) / log(rho));
	closed = left / b * (1 - pow(rho, n)) / (1 - rho);
	assert_int_equal(f.verdict, FORECAST_CONVERGING);
	assert_true(fabs(f.remaining_s - closed) < 0.1 * closed);
	assert_true(f.downtime_s <= limit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_known), cmocka_unit_test(test_geometric),
		cmocka_unit_test(test_831_mb), cmocka_unit_test(test_26_gib),
		cmocka_unit_test(test_circle), cmocka_unit_test(test_random),
		cmocka_unit_test(test_mix), cmocka_unit_test(test_changing_link),
		cmocka_unit_test(test_never), cmocka_unit_test(test_throttled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
