/* SPDX-License-Identifier: MIT
 *
 * clock_relation.c -- how two hosts' clocks stand to each other: of a pair that
 * exchanged segments from what these say (clock_hull.h), of others over the hosts in
 * between with the least error. */
#include "daemon/clock_relation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock_hull.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { MAX_CLOCK_HOSTS = 1024, MAX_HOPS = 8, WIDE_DRIFT_PPB = 100000 };

/* Of a host whose traces' epochs are not known; 99 us were seen. */
#define EPOCH_ERROR_NS (100 * NS_PER_US)

/* How far around a time is looked for what relates two clocks, as long as nothing does. */
static const uint64_t reaches[] = { 60 * NS_PER_S, 3600 * NS_PER_S, 86400 * NS_PER_S };
/* The same for hosts in between, which costs a look at all pairs of that time. */
static const uint64_t tree_reaches[] = { 10 * NS_PER_S, 60 * NS_PER_S };

const char *
clock_how_name(enum clock_how how)
{
	static const char *const names[] = {
		[CLOCK_SAME] = "same", [CLOCK_PACKETS] = "packets",
		[CLOCK_MESSAGES] = "messages", [CLOCK_MIGRATION] = "migration",
	};

	return names[how];
}

/* -- Two hosts that met ------------------------------------------------------ */

struct collected {
	struct clock_hull hulls[STORE_MAX_CLOCK_SLOTS][2];
	unsigned n;
};

static void
add_points(struct clock_hull *to, const struct clock_hull *from)
{
	for (uint32_t i = 0; i < from->n; i++)
		clock_hull_add(to, from->points[i].x, from->points[i].y);
}

static void
collect(void *context, const struct clock_hull *above, const struct clock_hull *below)
{
	struct collected *collected = context;

	if (collected->n == STORE_MAX_CLOCK_SLOTS)
		return;
	add_points(&collected->hulls[collected->n][0], above);
	add_points(&collected->hulls[collected->n][1], below);
	collected->n++;
}

/* What the first 'n' slots say, but for those in 'wrong'. */
static int
range_of(const struct collected *collected, unsigned n, uint64_t wrong, int64_t t_ns,
	 struct clock_range *ret)
{
	struct clock_hull loose[2] = { 0 };
	int r;

	for (unsigned i = 0; i < n; i++)
		for (int k = 0; k < 2 && !(wrong >> i & 1); k++)
			clock_hull_loosen(&loose[k], &collected->hulls[i][k], t_ns);
	r = clock_hull_range(&loose[0], &loose[1], t_ns, ret);
	clock_hull_done(&loose[0]);
	clock_hull_done(&loose[1]);
	return r;
}

/* Where all together contradict each other (a clock was set, a tracer began anew),
 * those that are nearest in time count, until one contradicts them. */
static int
nearest_range(const struct collected *collected, int64_t t_ns, struct clock_range *ret)
{
	struct clock_range range = { 0 };
	uint64_t wrong = 0;
	int found = -ERANGE;

	for (unsigned n = 1; n <= collected->n; n++) {
		const int r = range_of(collected, n, wrong, t_ns, &range);

		if (r == -ERANGE && !found)
			break;
		if (r == -ERANGE)
			wrong |= UINT64_C(1) << (n - 1);
		if (!r) {
			*ret = range;
			found = 0;
		}
	}
	return found;
}

static int
collected_range(struct store *store, const char *a, const char *b, uint64_t t_ns, uint64_t reach_ns,
		struct clock_range *ret)
{
	struct collected *collected = xcalloc(1, sizeof *collected);
	int r = store_clock_slots(store, a, b, t_ns, reach_ns, collect, collected, NULL);

	if (!r)
		r = range_of(collected, collected->n, 0, (int64_t) t_ns, ret);
	if (r == -ERANGE)
		r = nearest_range(collected, (int64_t) t_ns, ret);
	for (unsigned i = 0; i < collected->n; i++)
		for (int k = 0; k < 2; k++)
			clock_hull_done(&collected->hulls[i][k]);
	free(collected);
	return r;
}

/* 'a' is before 'b' by name, t_ns by its clock.  The first 'n_reaches' are tried. */
static int
pair_range(struct store *store, const char *a, const char *b, uint64_t t_ns, size_t n_reaches,
	   struct clock_range *ret)
{
	int r = -ENOENT;

	for (size_t i = 0; i < n_reaches && r; i++)
		r = collected_range(store, a, b, t_ns, reaches[i], ret);
	return r ? -ENOENT : 0;
}

static void
first_guess(void *context, const struct clock_hull *above, const struct clock_hull *below)
{
	int64_t *guess = context;

	if (*guess == INT64_MIN && above->n)
		*guess = above->points[0].y;
	else if (*guess == INT64_MIN && below->n)
		*guess = -below->points[0].y;
}

/* t_ns less an offset, if that is a time. */
static uint64_t
minus(uint64_t t_ns, int64_t offset_ns)
{
	const __int128 t = (__int128) t_ns - offset_ns;

	return t < 0 ? 0 : t > INT64_MAX ? INT64_MAX : (uint64_t) t;
}

/* The middle of what is possible, or where that says little the one nearest to none:
 * few clocks are off by more than some ppm. */
static int32_t
likely_drift(const struct clock_range *range)
{
	if (range->most_ppb - range->least_ppb < WIDE_DRIFT_PPB)
		return (range->least_ppb + range->most_ppb) / 2;
	return range->least_ppb > 0 ? range->least_ppb : MIN(range->most_ppb, 0);
}

static uint32_t
drift_error(const struct clock_range *range)
{
	const int64_t likely = likely_drift(range);

	return (uint32_t) MAX(range->most_ppb - likely, likely - range->least_ppb);
}

static struct clock_relation
relation_of_range(const struct clock_range *range, enum clock_how how)
{
	return (struct clock_relation) {
		/* One more, as the middle is rounded. */
		.error_ns = ((uint64_t) range->most_ns - (uint64_t) range->least_ns + 1) / 2 + 1,
		.offset_ns = (int64_t) (((__int128) range->least_ns + range->most_ns) / 2),
		.drift_ppb = likely_drift(range), .drift_error_ppb = drift_error(range),
		.how = how,
	};
}

static int
pair_relation(struct store *store, const char *a, const char *b, uint64_t t_ns, size_t n_reaches,
	      struct clock_relation *ret)
{
	const bool turned = strcmp(a, b) > 0;
	const uint64_t day_ns = reaches[ARRAY_SIZE(reaches) - 1];
	struct clock_range range = { 0 };
	int64_t guess = INT64_MIN;
	int r;

	if (turned) {
		/* Points are by the other clock. */
		r = store_clock_slots(store, b, a, t_ns, day_ns, first_guess, &guess, NULL);
		if (r || guess == INT64_MIN)
			return -ENOENT;
		r = pair_range(store, b, a, minus(t_ns, guess), n_reaches, &range);
	} else {
		r = pair_range(store, a, b, t_ns, n_reaches, &range);
	}
	if (r)
		return r;
	*ret = relation_of_range(&range, CLOCK_PACKETS);
	if (turned) {
		ret->offset_ns = -ret->offset_ns;
		ret->drift_ppb = -ret->drift_ppb;
	}
	return 0;
}

/* -- Hosts in between --------------------------------------------------------- */

struct clock_host {
	char *name;
	uint64_t cost;               /* Of the way here; UINT64_MAX: none yet. */
	unsigned from, hops, degree;
	bool done;
};
struct clock_edge {
	unsigned a, b;
	uint64_t cost;
};
struct clock_graph {
	struct clock_host hosts[MAX_CLOCK_HOSTS];
	struct clock_edge edges[STORE_MAX_CLOCK_PAIRS];
	unsigned n_hosts, n_edges;
};

static int
host_index(struct clock_graph *graph, const char *name, bool add)
{
	/* Pairs come by name: the one that was last is likely. */
	for (unsigned i = graph->n_hosts; i-- > 0; )
		if (streq(graph->hosts[i].name, name))
			return (int) i;
	if (!add || graph->n_hosts == MAX_CLOCK_HOSTS)
		return -1;
	graph->hosts[graph->n_hosts].name = xstrdup(name);
	return (int) graph->n_hosts++;
}

static void
add_edge(void *context, const char *a, const char *b, int64_t width_ns)
{
	struct clock_graph *graph = context;
	const int i = host_index(graph, a, true), k = host_index(graph, b, true);

	if (i < 0 || k < 0 || i == k || width_ns == INT64_MAX ||
	    graph->n_edges == STORE_MAX_CLOCK_PAIRS)
		return;
	graph->hosts[i].degree++;
	graph->hosts[k].degree++;
	graph->edges[graph->n_edges++] = (struct clock_edge) {
		(unsigned) i, (unsigned) k, width_ns > 0 ? (uint64_t) width_ns + 1000 : 1000 };
}

static void
graph_free(struct clock_graph *graph)
{
	for (unsigned i = 0; i < graph->n_hosts; i++)
		free(graph->hosts[i].name);
	free(graph);
}

static struct clock_graph *
graph_read(struct store *store, uint64_t t_ns, uint64_t reach_ns)
{
	struct clock_graph *graph = xcalloc(1, sizeof *graph);

	store_clock_pairs(store, t_ns - MIN(t_ns, reach_ns), t_ns + reach_ns, add_edge, graph, NULL);
	return graph;
}

static void
relax(struct clock_graph *graph, unsigned from, unsigned to, uint64_t cost)
{
	const struct clock_host *here = &graph->hosts[from];
	struct clock_host *there = &graph->hosts[to];

	if (there->done || here->hops == MAX_HOPS || cost >= UINT64_MAX - here->cost ||
	    here->cost + cost >= there->cost)
		return;
	there->cost = here->cost + cost;
	there->from = from;
	there->hops = here->hops + 1;
}

/* The tree of least errors from a host to all others. */
static void
grow_tree(struct clock_graph *graph, unsigned root)
{
	for (unsigned i = 0; i < graph->n_hosts; i++) {
		graph->hosts[i].cost = i == root ? 0 : UINT64_MAX;
		graph->hosts[i].done = false;
		graph->hosts[i].hops = 0;
	}
	for (;;) {
		int next = -1;

		for (unsigned i = 0; i < graph->n_hosts; i++)
			if (!graph->hosts[i].done && graph->hosts[i].cost != UINT64_MAX &&
			    (next < 0 || graph->hosts[i].cost < graph->hosts[next].cost))
				next = (int) i;
		if (next < 0)
			return;
		graph->hosts[next].done = true;
		for (unsigned i = 0; i < graph->n_edges; i++) {
			const struct clock_edge *edge = &graph->edges[i];

			if (edge->a == (unsigned) next)
				relax(graph, edge->a, edge->b, edge->cost);
			else if (edge->b == (unsigned) next)
				relax(graph, edge->b, edge->a, edge->cost);
		}
	}
}

/* Along the tree from its root to a host. */
static int
tree_relation(struct store *store, const struct clock_graph *graph, unsigned to, uint64_t t_ns,
	      struct clock_relation *ret)
{
	struct clock_relation sum = { .how = CLOCK_SAME }, one = { 0 };
	unsigned path[MAX_HOPS + 1], n = 0;
	int r = 0;

	if (graph->hosts[to].cost == UINT64_MAX)
		return -ENOENT;
	for (unsigned at = to; n <= MAX_HOPS; at = graph->hosts[at].from) {
		path[n++] = at;
		if (!graph->hosts[at].hops)
			break;
	}
	while (--n > 0 && !r) {
		r = pair_relation(store, graph->hosts[path[n]].name, graph->hosts[path[n - 1]].name,
				  minus(t_ns, -sum.offset_ns), 1, &one);
		/* Offsets of clocks that are nonsense can't be added. */
		if (!r && (__builtin_add_overflow(sum.offset_ns, one.offset_ns, &sum.offset_ns) ||
			   sum.offset_ns == INT64_MIN))
			r = -ENOENT;
		sum.error_ns += MIN(one.error_ns, UINT64_MAX - sum.error_ns);
		sum.drift_ppb += one.drift_ppb;
		sum.drift_error_ppb += one.drift_error_ppb;
		sum.how = MAX(sum.how, one.how);
	}
	if (!r)
		*ret = sum;
	return r;
}

static int
over_others(struct store *store, const char *a, const char *b, uint64_t t_ns, uint64_t reach_ns,
	    struct clock_relation *ret)
{
	struct clock_graph *graph = graph_read(store, t_ns, reach_ns);
	const int from = host_index(graph, a, false), to = host_index(graph, b, false);
	int r = -ENOENT;

	if (from >= 0 && to >= 0) {
		grow_tree(graph, (unsigned) from);
		r = tree_relation(store, graph, (unsigned) to, t_ns, ret);
	}
	graph_free(graph);
	return r;
}

/* -- Messages between services ------------------------------------------------- */

static void
add_message(void *context, const struct store_message *m)
{
	struct clock_hull *hulls = context;
	const uint64_t most = INT64_MAX;

	if (m->sent_ns > most || m->received_ns > most || m->replied_ns > most || m->answered_ns > most)
		return;
	/* Above: from a to b.  The reply goes the other way. */
	if (m->from_a)
		clock_hull_add(&hulls[0], (int64_t) m->sent_ns,
			       (int64_t) m->received_ns - (int64_t) m->sent_ns);
	else
		clock_hull_add(&hulls[1], (int64_t) m->received_ns,
			       (int64_t) m->received_ns - (int64_t) m->sent_ns);
	if (!m->replied_ns || !m->answered_ns)
		return;
	if (m->from_a)
		clock_hull_add(&hulls[1], (int64_t) m->answered_ns,
			       (int64_t) m->answered_ns - (int64_t) m->replied_ns);
	else
		clock_hull_add(&hulls[0], (int64_t) m->replied_ns,
			       (int64_t) m->answered_ns - (int64_t) m->replied_ns);
}

static int
message_relation(struct store *store, const char *a, const char *b, uint64_t t_ns,
		 struct clock_relation *ret)
{
	static const uint64_t near[] = { 10 * NS_PER_S, 60 * NS_PER_S };
	struct clock_range range = { 0 };
	int r = -ENOENT;

	for (size_t i = 0; i < ARRAY_SIZE(near) && r; i++) {
		struct clock_hull hulls[2] = { 0 }, loose[2] = { 0 };

		r = store_clock_messages(store, a, b, t_ns, near[i], add_message, hulls, NULL);
		for (int k = 0; k < 2; k++) {
			clock_hull_loosen(&loose[k], &hulls[k], (int64_t) t_ns);
			clock_hull_done(&hulls[k]);
		}
		if (!r)
			r = clock_hull_range(&loose[0], &loose[1], (int64_t) t_ns, &range);
		clock_hull_done(&loose[0]);
		clock_hull_done(&loose[1]);
	}
	if (!r)
		*ret = relation_of_range(&range, CLOCK_MESSAGES);
	return r ? -ENOENT : 0;
}

int
clock_relation(struct store *store, const char *a, const char *b, uint64_t t_ns,
	       struct clock_relation *ret)
{
	struct clock_range range = { 0 };
	int r;

	if (streq(a, b)) {
		*ret = (struct clock_relation) { .how = CLOCK_SAME };
		return 0;
	}
	t_ns = MIN(t_ns, (uint64_t) INT64_MAX / 2);
	if (store_clock_same(store, a, b, t_ns, &range.least_ns, &range.most_ns)) {
		*ret = relation_of_range(&range, CLOCK_SAME);
		return 0;
	}
	r = pair_relation(store, a, b, t_ns, 1, ret);
	for (size_t i = 0; i < ARRAY_SIZE(tree_reaches) && r; i++)
		r = over_others(store, a, b, t_ns, tree_reaches[i], ret);
	if (r)
		r = pair_relation(store, a, b, t_ns, ARRAY_SIZE(reaches), ret);
	return r ? message_relation(store, a, b, t_ns, ret) : 0;
}

/* Adds by how much the host's programs are ahead of its kernel, or takes it off. */
static void
add_epoch(struct store *store, const char *host, uint64_t t_ns, int sign, struct clock_relation *relation)
{
	int64_t least_ns, most_ns;

	if (!store_clock_epochs(store, host, t_ns, &least_ns, &most_ns)) {
		relation->error_ns += EPOCH_ERROR_NS;
		return;
	}
	relation->offset_ns += sign * (least_ns + (most_ns - least_ns) / 2);
	relation->error_ns += (uint64_t) (most_ns - least_ns + 1) / 2;
}

int
clock_relation_programs(struct store *store, const char *a, const char *b, uint64_t t_ns,
			struct clock_relation *ret)
{
	struct clock_relation relation;
	int r = clock_relation(store, a, b, t_ns, &relation);

	if (r)
		return r;
	/* Far from what can be added to without a care. */
	if (relation.how == CLOCK_PACKETS && relation.error_ns < INT64_MAX / 2 &&
	    relation.offset_ns > INT64_MIN / 2 && relation.offset_ns < INT64_MAX / 2) {
		add_epoch(store, a, t_ns, -1, &relation);
		add_epoch(store, b, minus(t_ns, -relation.offset_ns), 1, &relation);
	}
	*ret = relation;
	return 0;
}

/* The times of the tightest points of the slot that is given first, or a sum of none. */
struct tightest {
	uint64_t x[2];
	bool found;
};

static void
take_tightest(void *context, const struct clock_hull *above, const struct clock_hull *below)
{
	const struct clock_hull *const hulls[] = { above, below };
	struct tightest *tightest = context;

	if (tightest->found || !above->n || !below->n)
		return;
	tightest->found = true;
	for (int k = 0; k < 2; k++) {
		uint32_t least = 0;

		for (uint32_t i = 1; i < hulls[k]->n; i++)
			if (hulls[k]->points[i].y < hulls[k]->points[least].y)
				least = i;
		tightest->x[k] = (uint64_t) hulls[k]->points[least].x;
	}
}

int
clock_relation_near(struct store *store, const char *a, const char *b, uint64_t t_ns,
		    struct clock_relation *ret, uint64_t *ret_ns)
{
	const bool turned = strcmp(a, b) > 0;
	struct tightest tightest = { 0 };
	struct clock_relation relation;
	int r = clock_relation(store, a, b, t_ns, ret);

	*ret_ns = t_ns;
	store_clock_slots(store, turned ? b : a, turned ? a : b, t_ns, reaches[0], take_tightest,
			  &tightest, NULL);
	for (int k = 0; k < 2 && !r && tightest.found; k++) {
		const uint64_t at_ns = turned ? minus(tightest.x[k], ret->offset_ns) : tightest.x[k];

		if (clock_relation(store, a, b, at_ns, &relation) || relation.error_ns >= ret->error_ns)
			continue;
		*ret = relation;
		*ret_ns = at_ns;
	}
	return r;
}

char *
clock_reference(struct store *store, uint64_t *ret_ns)
{
	struct clock_graph *graph;
	const struct clock_host *found = NULL;
	char *name = NULL;
	uint64_t t_ns;

	if (store_clock_newest(store, &t_ns))
		return NULL;
	graph = graph_read(store, t_ns, tree_reaches[0]);
	for (unsigned i = 0; i < graph->n_hosts; i++) {
		const struct clock_host *host = &graph->hosts[i];

		if (host->degree && (!found || host->degree > found->degree ||
				     (host->degree == found->degree && strcmp(host->name, found->name) < 0)))
			found = host;
	}
	if (found) {
		name = xstrdup(found->name);
		*ret_ns = t_ns;
	}
	graph_free(graph);
	return name;
}
