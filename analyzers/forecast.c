/* SPDX-License-Identifier: MIT
 *
 * forecast.c -- plays QEMU's pre-copy loop forward.
 *
 * QEMU sends what is left, asks which pages were written meanwhile, and begins
 * anew until what is left can be sent within the downtime limit (Clark 2005).
 * To play that forward takes the speed of the link and D(t): how many bytes
 * the guest makes dirty, each page counted once, in t seconds.  D can't be a
 * constant rate: a guest writes the same pages again (Akoush 2010, Nathan 2015).
 * Nothing tells its shape, so four are tried, each fitted to the last rounds:
 *
 *	cap      min(W, r t)               writes in a circle over W bytes
 *	uniform  W (1 - exp(-r t / W))     writes at random over W bytes
 *	affine   h + r t                   a hot set h, and new pages at r
 *	power    c t^a                     many sets of different heat
 *
 * and trusted by how well they would have told the last rounds from those
 * before.  "Not converging" is said only when all that are trusted agree. */
#include "analyzers/forecast.h"

#include <math.h>
#include <string.h>

#define MAX(A, B) ((A) > (B) ? (A) : (B))
#define MIN(A, B) ((A) < (B) ? (A) : (B))

enum {
	MAX_PLAYED = 1000,       /* Rounds played before it counts as never. */
	SOON = 30,               /* Rounds in which a remedy has to help. */
	STEADY = 6,              /* Rounds to take a mean over, */
};
#define MAX_SECONDS 1e6
#define AGREE       0.1          /* as long as they agree so far. */
/* When nearly all of W was written, the rate at which it is can be anything
 * from what was seen upwards: this many times W in that time is assumed. */
#define SATURATED   0.95
#define UNSEEN_RATE 4
/* Part of the trust that has to be with "converging" to say so. */
#define MOST        0.8
/* What is left is less than this part of what was left a round before. */
#define SHRINKS      0.9
#define SHRINKS_FAST 0.75

/* Guest time (that is, without what throttling took) and bytes dirtied in it. */
struct point {
	double t, d;
};

enum shape { CAP, UNIFORM, AFFINE, POWER, N_SHAPES };

struct model {
	enum shape shape;
	double w, r, h, a;       /* As in the table above; 'r' is c for POWER. */
};

/* -- Shapes -------------------------------------------------------------- */

static double
dirty_in(const struct model *m, double t)
{
	switch (m->shape) {
	case CAP:
		return MIN(m->w, m->r * t);
	case UNIFORM:
		return m->w * -expm1(-m->r * t / m->w);
	case AFFINE:
		return m->h + m->r * t;
	default:
		return m->r * pow(t, m->a);
	}
}

/* The newest point that differs from the last one enough to draw a line. */
static const struct point *
other_point(const struct point *p, unsigned n)
{
	for (unsigned i = n - 1; i-- > 0;)
		if (p[i].t > 1.15 * p[n - 1].t || p[i].t < p[n - 1].t / 1.15)
			return &p[i];
	return NULL;
}

/* Rate of writing: the mean over the newest rounds that agree, since noise in
 * it weighs heavily.  A round in which nearly all of W was written tells only
 * the least that it can be. */
static double
mean_rate(const struct point *p, unsigned n, double w)
{
	double d = 0, t = 0, least = 0;

	if (n > 1 && p[n - 1].d >= SATURATED * w)
		return UNSEEN_RATE * w / p[n - 1].t;
	for (unsigned i = n; i-- > 0 && n - i <= STEADY;) {
		least = MAX(least, p[i].d / p[i].t);
		if (p[i].d >= SATURATED * w)
			continue;
		if (t > 0 && fabs(p[i].d / p[i].t - d / t) > AGREE * d / t && n - i > 3)
			break;
		d += p[i].d;
		t += p[i].t;
	}
	return t > 0 ? d / t : least;
}

/* Fits a shape to points, oldest first.  Returns false if they don't tell it. */
static bool
fit(struct model *m, enum shape shape, const struct point *p, unsigned n)
{
	const struct point *last = &p[n - 1], *other = n > 1 ? other_point(p, n) : NULL;
	double part;

	memset(m, 0, sizeof *m);
	m->shape = shape;
	for (unsigned i = 0; i < n; i++)
		m->w = MAX(m->w, p[i].d);
	if (!(m->w > 0) || !(last->t > 0))
		return false;
	switch (shape) {
	case CAP:
		m->r = mean_rate(p, n, m->w);
		return true;
	case UNIFORM:
		if (n < 2)
			return false;
		part = MIN(last->d / m->w, -expm1(-UNSEEN_RATE));
		m->r = -log1p(-part) * m->w / last->t;
		return m->r > 0;
	case AFFINE:
		if (!other)
			return false;
		m->r = MAX(0, (other->d - last->d) / (other->t - last->t));
		m->h = MAX(0, last->d - m->r * last->t);
		return true;
	default:
		if (!other || !(last->d > 0) || !(other->d > 0))
			return false;
		m->a = log(other->d / last->d) / log(other->t / last->t);
		m->a = MIN(1, MAX(0, m->a));
		m->r = last->d / pow(last->t, m->a);
		return true;
	}
}

/* How far off a shape would have been in the last rounds: the newest counts most. */
static double
past_error(enum shape shape, const struct point *p, unsigned n)
{
	double error = 0, weight = 0, w = 1;

	for (unsigned k = n - 1; k > 0 && w > 0.1; k--, w *= 0.5) {
		struct model m;

		if (!fit(&m, shape, p, k))
			continue;
		error += w * fabs(dirty_in(&m, p[k].t) - p[k].d) / MAX(p[k].d, 0.01 * m.w);
		weight += w;
	}
	return weight > 0 ? error / weight : -1;
}

/* -- Playing ------------------------------------------------------------- */

struct play {
	double speed, limit_s, throttle;
	bool auto_converge;
	unsigned max_rounds;
};

struct outcome {
	bool ends;
	double seconds;          /* Until it ends. */
	double left;             /* When it ends; the least that it came to if it does not. */
};

static double
next_throttle(const struct forecast_input *in, double throttle)
{
	return throttle > 0 ? MIN(throttle + in->throttle_increment, in->throttle_max)
		: in->throttle_initial;
}

static struct outcome
play(const struct forecast_input *in, const struct play *how, const struct model *m)
{
	const double enough = how->speed * how->limit_s;
	struct outcome out = { .left = in->left_bytes };
	double throttle = how->throttle, left = in->left_bytes;
	unsigned high = 0;

	for (unsigned n = 0; n < how->max_rounds && out.seconds < MAX_SECONDS; n++) {
		double t, dirty, sent;

		if (left <= enough) {
			out.ends = true;
			out.seconds += left / how->speed;
			return out;
		}
		/* The next synchronisation comes when the limit is reached; what is
		 * not sent by then is half of it, on average. */
		sent = left - enough / 2;
		t = sent / how->speed;
		dirty = dirty_in(m, t * (1 - throttle));
		out.seconds += t;
		left = enough / 2 + dirty;
		out.left = MIN(out.left, left);
		/* As QEMU: each second time that half of what was sent is dirty again. */
		if (how->auto_converge && dirty > sent / 2 && ++high == 2) {
			high = 0;
			throttle = next_throttle(in, throttle);
		}
	}
	return out;
}

/* -- Forecast ------------------------------------------------------------ */

struct trusted {
	struct model model;
	double weight;
};

/* Bytes that leave in a second: by how fast what was left went away in the
 * newest rounds that agree (it knows of compression and zero pages), else as
 * the link was measured. */
static double
link_speed(const struct forecast_input *in)
{
	double bytes = 0, seconds = 0;

	for (unsigned i = in->n_rounds, used = 0; i-- > 0 && used < STEADY;) {
		const struct forecast_round *r = &in->rounds[i];

		if (r->first || !(r->drained_s > 0) || !(r->drained_bytes > 0))
			continue;
		if (seconds > 0.5 && fabs(r->drained_bytes / r->drained_s - bytes / seconds) >
		    AGREE * bytes / seconds)
			break;
		bytes += r->drained_bytes;
		seconds += r->drained_s;
		used++;
	}
	if (seconds > 0.2)
		return bytes / seconds;
	if (in->bytes_per_s > 0)
		return in->bytes_per_s;
	for (unsigned i = 0; i < in->n_rounds; i++) {
		bytes += in->rounds[i].drained_bytes;
		seconds += in->rounds[i].drained_s;
	}
	return seconds > 0 ? bytes / seconds : 0;
}

static unsigned
trust(const struct point *p, unsigned n, struct trusted ret[N_SHAPES])
{
	double errors[N_SHAPES], best = INFINITY;
	unsigned n_trusted = 0;

	for (enum shape s = 0; s < N_SHAPES; s++) {
		/* The shapes with two free numbers fit two points always. */
		errors[s] = n < 3 && s >= AFFINE ? -1 : past_error(s, p, n);
		if (errors[s] >= 0)
			best = MIN(best, errors[s]);
	}
	for (enum shape s = 0; s < N_SHAPES; s++) {
		struct trusted *t = &ret[n_trusted];
		/* Nothing to judge by: all that fit. */
		const bool judged = isfinite(best) && n > 2;

		if (n < 3 && s >= AFFINE)
			continue;
		if (judged && (errors[s] < 0 || errors[s] > MAX(2 * best, 0.08)))
			continue;
		if (!fit(&t->model, s, p, n))
			continue;
		t->weight = judged ? pow(errors[s] + 0.01, -2) : 1;
		n_trusted++;
	}
	return n_trusted;
}

static bool
all_end(const struct forecast_input *in, const struct play *how, const struct trusted *t,
	unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!play(in, how, &t[i].model).ends)
			return false;
	return true;
}

/* The least factor on the speed, or the least throttle, with which all trusted
 * shapes end soon; 0 if none does. */
static double
search(const struct forecast_input *in, const struct play *now, const struct trusted *t,
       unsigned n, bool throttle)
{
	struct play how = *now;
	double low = throttle ? now->throttle : 1, high = throttle ? 0.99 : 1000;

	how.auto_converge = false;
	how.max_rounds = SOON;
	for (int i = 0; i < 24; i++) {
		const double middle = throttle ? (low + high) / 2 : sqrt(low * high);

		if (throttle)
			how.throttle = i ? middle : high;
		else
			how.speed = now->speed * (i ? middle : high);
		if (all_end(in, &how, t, n))
			high = i ? middle : high;
		else if (!i)
			return 0;
		else
			low = middle;
	}
	return high;
}

/* Whether there is enough to say no: what is left hardly shrinks.  After the
 * first round only if the guest writes faster than the link sends: each round
 * is then as long as the one before, or longer, whatever the shape. */
static bool
can_refuse(const struct forecast_input *in, double speed)
{
	const struct forecast_round *last = &in->rounds[in->n_rounds - 1];

	return in->n_rounds > 1 ? in->left_bytes >= SHRINKS * last[-1].left_bytes
		: last->dirty_bytes >= speed * last->seconds;
}

/* Twice in a row a good part of what was left went away. */
static bool
shrinks_fast(const struct forecast_input *in)
{
	const struct forecast_round *last = &in->rounds[in->n_rounds - 1];

	return in->n_rounds > 2 && in->left_bytes <= SHRINKS_FAST * last[-1].left_bytes &&
		last[-1].left_bytes <= SHRINKS_FAST * last[-2].left_bytes;
}

/* What the trusted shapes say together. */
struct verdict {
	double weight, ending;   /* Trust in all, and in those that end. */
	double seconds, left;    /* Means of those that end. */
	double least_left;       /* The most that the others come down to. */
};

static struct verdict
weigh(const struct forecast_input *in, const struct play *how, const struct trusted *t, unsigned n)
{
	struct verdict v = { 0 };

	for (unsigned i = 0; i < n; i++) {
		const struct outcome out = play(in, how, &t[i].model);

		v.weight += t[i].weight;
		if (out.ends) {
			v.ending += t[i].weight;
			v.seconds += t[i].weight * out.seconds;
			v.left += t[i].weight * out.left;
		} else {
			v.least_left = MAX(v.least_left, out.left);
		}
	}
	if (v.ending > 0) {
		v.seconds /= v.ending;
		v.left /= v.ending;
	}
	return v;
}

static unsigned
to_points(const struct forecast_input *in, struct point ret[FORECAST_ROUNDS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < in->n_rounds && i < FORECAST_ROUNDS; i++)
		if (in->rounds[i].seconds > 0 && in->rounds[i].throttle < 1)
			ret[n++] = (struct point) {
				in->rounds[i].seconds * (1 - in->rounds[i].throttle),
				in->rounds[i].dirty_bytes
			};
	return n;
}

void
forecast(const struct forecast_input *in, struct forecast *ret)
{
	struct point points[FORECAST_ROUNDS];
	struct trusted trusted[N_SHAPES];
	struct play how = { .limit_s = in->downtime_limit_s, .throttle = in->throttle,
			    .auto_converge = in->auto_converge, .max_rounds = MAX_PLAYED };
	const unsigned n = to_points(in, points);
	struct verdict v;
	unsigned n_trusted;

	memset(ret, 0, sizeof *ret);
	ret->remaining_s = ret->downtime_s = -1;
	if (!n)
		return;
	how.speed = link_speed(in);
	if (!(how.speed > 0))
		return;
	if (in->left_bytes <= how.speed * how.limit_s) {
		ret->verdict = FORECAST_CONVERGING;
		ret->remaining_s = ret->downtime_s = in->left_bytes / how.speed;
		return;
	}
	n_trusted = trust(points, n, trusted);
	v = weigh(in, &how, trusted, n_trusted);
	if (v.ending > 0) {
		ret->remaining_s = v.seconds;
		ret->downtime_s = v.left / how.speed;
	}
	if (v.ending > 0 && in->n_rounds > 1 && (v.ending >= MOST * v.weight || shrinks_fast(in)))
		ret->verdict = FORECAST_CONVERGING;
	else if (n_trusted && !(v.ending > 0) && can_refuse(in, how.speed))
		ret->verdict = FORECAST_NOT_CONVERGING;
	if (ret->verdict != FORECAST_CONVERGING && v.least_left > 0) {
		ret->needs_bytes_per_s = how.speed * search(in, &how, trusted, n_trusted, false);
		/* Written as fast as it is sent, or faster: what surely helps is to
		 * send all of it within the limit. */
		if (ret->verdict == FORECAST_NOT_CONVERGING && in->n_rounds > 1)
			ret->needs_bytes_per_s = MAX(ret->needs_bytes_per_s,
						     v.least_left / how.limit_s);
		ret->needs_throttle = search(in, &how, trusted, n_trusted, true);
		ret->needs_downtime_limit_s = v.least_left / how.speed;
	}
}
