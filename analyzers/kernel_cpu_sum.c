/* SPDX-License-Identifier: MIT
 *
 * kernel_cpu_sum.c -- reads windows of the kind "cpu": sums over a span, several
 * windows as one, and a window as JSON. */
#include "analyzers/kernel_cpu_sum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/kernel_cpu_read.h"
#include "lib/keyed.h"

enum { MAX_SUM_THREADS = 16384 };

/* -- Sums --------------------------------------------------------------------------- */

/* Numbers of threads are used again. */
struct sum_key {
	uint32_t tid, generation;
	char name[16];               /* Where there is no number. */
};
struct sum_thread {
	struct sum_key key;
	struct cpu_sum_thread sum;
	struct keyed takers, exits;
	uint64_t seen_ns;            /* Of cpu_sum.seen_ns, up to the last window that tells of it. */
	uint64_t gaps;               /* The same of cpu_sum.gaps. */
};
struct taker_key {
	uint32_t tid;
	char name[16];
};
struct sum_taker {
	struct taker_key key;
	uint32_t spare;
	uint64_t ns;
};
struct sum_exit {
	uint32_t reason, spare;
	uint64_t count, ns;
};

/* How many threads had that number before. */
struct generation {
	uint32_t tid, n;
};

struct cpu_sum {
	uint64_t from_ns, to_ns;
	struct keyed threads, generations;
	struct cpu_sum_cpu *cpus;
	size_t n_cpus;
	uint64_t late, capped, untold;
	/* Of the span, what lies in the windows so far; a thread that one of them does not
	 * tell of slept in it, but not surely so where events or threads are left out. */
	uint64_t seen_ns, gaps;
	struct cpu_sum_thread *list; /* What cpu_sum_threads() gave. */
	size_t n_list;
	struct read_window *window;
	struct read_thread *thread;
};

struct cpu_sum *
cpu_sum_new(uint64_t from_ns, uint64_t to_ns)
{
	struct cpu_sum *sum = xcalloc(1, sizeof *sum);

	sum->from_ns = from_ns;
	sum->to_ns = to_ns;
	sum->threads = KEYED(struct sum_thread, key, MAX_SUM_THREADS);
	sum->generations = KEYED(struct generation, tid, MAX_SUM_THREADS);
	sum->cpus = xcalloc(MAX_SUM_CPUS, sizeof *sum->cpus);
	sum->window = xcalloc(1, sizeof *sum->window);
	sum->thread = xcalloc(1, sizeof *sum->thread);
	return sum;
}

static void
list_free(struct cpu_sum *sum)
{
	for (size_t i = 0; i < sum->n_list; i++) {
		free(sum->list[i].takers);
		free(sum->list[i].exits);
	}
	free(sum->list);
	sum->list = NULL;
	sum->n_list = 0;
}

void
cpu_sum_free(struct cpu_sum *sum)
{
	if (!sum)
		return;
	list_free(sum);
	for (uint32_t i = 0; i < sum->threads.n; i++) {
		struct sum_thread *t = keyed_at(&sum->threads, i);

		keyed_done(&t->takers);
		keyed_done(&t->exits);
	}
	keyed_done(&sum->threads);
	keyed_done(&sum->generations);
	free(sum->cpus);
	free(sum->window);
	free(sum->thread);
	free(sum);
}

/* What part of 'ns' is, where 'part' of 'whole' was. */
static uint64_t
portion(uint64_t ns, uint64_t part, uint64_t whole)
{
	return part >= whole || !whole ? ns : (uint64_t) ((double) ns * (double) part / (double) whole);
}

/* The newest of its number.  A thread that changes its name (at exec, or by
 * itself) stays the same. */
static struct sum_key
key_of(const struct cpu_sum *sum, const struct read_thread *t)
{
	const struct generation *generation = keyed_find(&sum->generations, &t->tid);
	struct sum_key key = { .tid = t->tid, .generation = generation ? generation->n : 0 };

	if (!t->tid)
		memcpy(key.name, t->name, sizeof key.name);
	return key;
}

static struct sum_thread *
sum_thread(struct cpu_sum *sum, const struct fact_window *window, const struct read_thread *t)
{
	struct sum_key key = key_of(sum, t);
	struct generation *generation;
	struct sum_thread *to;
	bool is_new;

	to = t->tid ? keyed_find(&sum->threads, &key) : NULL;
	if (to && (t->born || to->sum.died_ns)) {
		if (!to->sum.died_ns)
			to->sum.died_ns = window->start_ns + t->from;
		generation = keyed_get(&sum->generations, &t->tid, NULL);
		if (generation)
			key.generation = ++generation->n;
	}
	to = keyed_get(&sum->threads, &key, &is_new);
	if (!to)
		return NULL;
	if (is_new) {
		to->sum.exact = true;
		to->takers = KEYED(struct sum_taker, key, MAX_SUM_LIST);
		to->exits = KEYED(struct sum_exit, reason, MAX_SUM_LIST);
		/* It was there before, unless it was seen for the first time. */
		if (t->from || t->sums[CPU_UNKNOWN])
			to->seen_ns = sum->seen_ns;
	}
	to->sum.tid = t->tid;
	to->sum.pid = t->pid ? t->pid : to->sum.pid;
	memcpy(to->sum.name, t->name, sizeof to->sum.name);
	to->sum.role = t->role ? (enum cpu_role) t->role : to->sum.role;
	return to;
}

static void
resolve(struct cpu_sum_thread *sum, const struct transition *by)
{
	const unsigned cause = by->state == CPU_WAITING ? by->how : CAUSE_UNKNOWN;

	sum->causes[cause] += sum->pending_ns;
	if (cause == CAUSE_TASK && sum->pending_ns > sum->waker_ns) {
		sum->waker = by->who;
		sum->waker_ns = sum->pending_ns;
	}
	sum->pending_ns = 0;
}

/* Adds the time of 'state' within [from, to] that is in the span. */
static void
add_state(struct cpu_sum *sum, struct cpu_sum_thread *to, uint64_t from_ns, uint64_t to_ns,
	  unsigned state, unsigned how)
{
	from_ns = MAX(from_ns, sum->from_ns);
	to_ns = MIN(to_ns, sum->to_ns);
	if (to_ns <= from_ns || state == CPU_DEAD)
		return;
	to->ns[state] += to_ns - from_ns;
	if (state == CPU_BLOCKED)
		to->pending_ns += to_ns - from_ns;
	if (state == CPU_BLOCKED && how == BLOCKED_HALTED)
		to->halted_ns += to_ns - from_ns;
}

static void
add_taker(struct sum_thread *to, const struct cpu_sum_taker *from, uint64_t ns)
{
	struct taker_key key = { .tid = from->tid };
	struct sum_taker *taker;

	strcpy(key.name, from->name);
	taker = ns ? keyed_get(&to->takers, &key, NULL) : NULL;
	if (taker)
		taker->ns += ns;
}

/* What of [from, to] is in the span. */
static uint64_t
within(const struct cpu_sum *sum, uint64_t from_ns, uint64_t to_ns)
{
	from_ns = MAX(from_ns, sum->from_ns);
	to_ns = MIN(to_ns, sum->to_ns);
	return to_ns > from_ns ? to_ns - from_ns : 0;
}

static uint64_t
length_of(const struct read_thread *t)
{
	uint64_t ns = 0;

	for (unsigned i = 0; i < CPU_DEAD; i++)
		ns += t->sums[i];
	return ns;
}

/* By each change. */
static void
walk(struct cpu_sum *sum, struct sum_thread *thread, const struct fact_window *window,
     const struct read_thread *t)
{
	struct cpu_sum_thread *to = &thread->sum;
	struct unpack in = t->transitions;
	struct transition now = { .t = t->from, .state = t->start_state }, next = { 0 };
	uint64_t before = t->from;

	for (uint64_t i = 0; i < t->n_transitions; i++) {
		read_transition(&in, before, &next);
		if (next.state == CPU_TAKEN) {
			add_taker(thread, &t->takers[next.how],
				  within(sum, window->start_ns + before, window->start_ns + next.t));
			before = next.t;
			continue;
		}
		before = next.t;
		add_state(sum, to, window->start_ns + now.t, window->start_ns + next.t, now.state,
			  now.how);
		if (now.state == CPU_BLOCKED)
			resolve(to, &next);
		if (next.state == CPU_RUNNING && window->start_ns + next.t >= sum->from_ns &&
		    window->start_ns + next.t < sum->to_ns)
			to->switches++;
		now = next;
	}
	/* Not always to the end of the window: its number may be another's by then. */
	add_state(sum, to, window->start_ns + now.t, window->start_ns + t->from + length_of(t), now.state,
		  now.how);
}

static void
add_lists(struct sum_thread *to, const struct read_thread *t, uint64_t part, uint64_t whole,
	  uint64_t waited, uint64_t waiting)
{
	for (size_t i = 0; i < t->n_takers && !t->exact; i++)
		add_taker(to, &t->takers[i], portion(t->takers[i].ns, waited, waiting));
	for (size_t i = 0; i < t->n_exits; i++) {
		struct sum_exit *exit = keyed_get(&to->exits, &t->exits[i].reason, NULL);

		if (!exit)
			continue;
		exit->count += portion(t->exits[i].count, part, whole);
		exit->ns += portion(t->exits[i].ns, part, whole);
	}
}

/* How long it has slept since the last window that tells of it. */
static uint64_t
asleep(const struct cpu_sum *sum, const struct sum_thread *t)
{
	return t->gaps == sum->gaps && !t->sum.died_ns && t->sum.tid ? sum->seen_ns - t->seen_ns : 0;
}

/* Where only sums are known: the part of them that the span has of its life in the window. */
static void
add_sums(const struct cpu_sum *sum, struct cpu_sum_thread *to, const struct fact_window *window,
	 const struct read_thread *t)
{
	const uint64_t whole = t->tid ? length_of(t) : window->end_ns - window->start_ns;
	const uint64_t begin_ns = t->tid ? window->start_ns + t->from : window->start_ns;
	const uint64_t part = within(sum, begin_ns, begin_ns + whole);
	uint64_t left = part, ns;

	for (unsigned i = 0; i < CPU_BLOCKED; i++) {
		ns = portion(t->sums[i], part, whole);
		to->ns[i] += ns;
		left -= MIN(ns, left);
	}
	to->ns[CPU_BLOCKED] += t->tid ? left : portion(t->sums[CPU_BLOCKED], part, whole);
	for (unsigned i = 0; i < N_CPU_CAUSES; i++)
		to->causes[i] += portion(t->causes[i], part, whole);
	to->halted_ns += portion(t->halted_ns, part, whole);
	to->switches += portion(t->switches, part, whole);
	to->exact &= part == whole && !t->detail;
}

static void
add_thread(struct cpu_sum *sum, const struct fact_window *window, const struct read_thread *t,
	   bool has_gap)
{
	const uint64_t part = within(sum, window->start_ns, window->end_ns);
	const struct sum_key key = key_of(sum, t);
	struct sum_thread *to = part ? sum_thread(sum, window, t) :
		t->born ? NULL : keyed_find(&sum->threads, &key);
	uint64_t waited, ran;

	if (!to || (!part && !to->sum.pending_ns))
		return;
	if (t->born)
		to->sum.born_ns = window->start_ns + t->from;
	else if (part)
		to->sum.ns[CPU_BLOCKED] += asleep(sum, to);
	to->seen_ns = sum->seen_ns + part;
	to->gaps = sum->gaps + (has_gap && !t->sums[CPU_UNKNOWN]);
	if (t->died)
		to->sum.died_ns = window->start_ns + t->from + length_of(t);
	waited = to->sum.ns[CPU_WAITING];
	ran = to->sum.ns[CPU_RUNNING];
	if (t->exact)
		walk(sum, to, window, t);
	else if (part)
		add_sums(sum, &to->sum, window, t);
	if (!part)
		return;
	if (!t->detail)
		to->sum.exact = false;
	waited = to->sum.ns[CPU_WAITING] - waited;
	ran = to->sum.ns[CPU_RUNNING] - ran;
	to->sum.guest_ns += portion(t->guest_ns, ran, t->sums[CPU_RUNNING]);
	add_lists(to, t, ran, t->sums[CPU_RUNNING], waited, t->sums[CPU_WAITING]);
}

int
cpu_sum_add(struct cpu_sum *sum, const struct fact_window *window)
{
	const uint64_t whole = window->end_ns - window->start_ns;
	const uint64_t from_ns = MAX(window->start_ns, sum->from_ns);
	const uint64_t to_ns = MIN(window->end_ns, sum->to_ns);
	const uint64_t part = to_ns > from_ns ? to_ns - from_ns : 0;
	struct unpack in;
	bool has_gap;
	int r = read_window(window, sum->window, sum->thread);

	if (r)
		return r;
	in = sum->window->in;
	has_gap = sum->window->untold != 0;
	for (uint64_t i = 0; i < sum->window->n_cpus; i++)
		has_gap |= sum->window->cpus[i].unknown_ns != 0;
	for (uint64_t i = 0; i < sum->window->n_threads; i++) {
		read_thread(&in, sum->thread);
		add_thread(sum, window, sum->thread, has_gap);
	}
	sum->seen_ns += part;
	sum->gaps += part && has_gap;
	for (uint64_t i = 0; part && i < sum->window->n_cpus; i++) {
		const struct cpu_sum_cpu *cpu = &sum->window->cpus[i];
		const uint64_t number = sum->window->numbers[i];
		struct cpu_sum_cpu *to = &sum->cpus[number];

		sum->n_cpus = MAX(sum->n_cpus, (size_t) number + 1);
		to->idle_ns += portion(cpu->idle_ns, part, whole);
		to->unknown_ns += portion(cpu->unknown_ns, part, whole);
		to->irq_ns += portion(cpu->irq_ns, part, whole);
		to->softirq_ns += portion(cpu->softirq_ns, part, whole);
		to->switches += portion(cpu->switches, part, whole);
		to->span_ns += part;
	}
	if (part) {
		sum->late += sum->window->late;
		sum->capped += sum->window->capped;
		sum->untold += sum->window->untold;
	}
	return 0;
}

bool
cpu_sum_pending(const struct cpu_sum *sum)
{
	for (uint32_t i = 0; i < sum->threads.n; i++)
		if (((const struct sum_thread *) keyed_at(&sum->threads, i))->sum.pending_ns)
			return true;
	return false;
}

static int
by_ns(const void *a, const void *b)
{
	const struct cpu_sum_taker *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return x->tid != y->tid ? (x->tid < y->tid ? -1 : 1) : strcmp(x->name, y->name);
}

static int
by_exit_count(const void *a, const void *b)
{
	const struct cpu_sum_exit *x = a, *y = b;

	if (x->count != y->count)
		return x->count > y->count ? -1 : 1;
	return x->reason < y->reason ? -1 : x->reason > y->reason;
}

static void
fill_lists(struct cpu_sum_thread *to, const struct sum_thread *from)
{
	to->takers = xcalloc(from->takers.n + 1, sizeof *to->takers);
	to->exits = xcalloc(from->exits.n + 1, sizeof *to->exits);
	for (uint32_t i = 0; i < from->takers.n; i++) {
		const struct sum_taker *taker = keyed_at(&from->takers, i);
		struct cpu_sum_taker *out = &to->takers[to->n_takers];

		out->tid = taker->key.tid;
		memcpy(out->name, taker->key.name, sizeof out->name);
		out->ns = taker->ns;
		to->n_takers += taker->ns != 0;
	}
	for (uint32_t i = 0; i < from->exits.n; i++) {
		const struct sum_exit *exit = keyed_at(&from->exits, i);

		to->exits[to->n_exits] = (struct cpu_sum_exit) { exit->reason, exit->count, exit->ns };
		to->n_exits += exit->count || exit->ns;
	}
	qsort(to->takers, to->n_takers, sizeof *to->takers, by_ns);
	qsort(to->exits, to->n_exits, sizeof *to->exits, by_exit_count);
}

static int
by_tid(const void *a, const void *b)
{
	const struct cpu_sum_thread *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	/* Of those that had one number after the other, the older one first. */
	if (x->born_ns != y->born_ns)
		return x->born_ns < y->born_ns ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* What is neither told nor follows from it is not known. */
static void
finish_thread(const struct cpu_sum *sum, const struct sum_thread *from, struct cpu_sum_thread *ret)
{
	uint64_t left = sum->to_ns - sum->from_ns;

	*ret = from->sum;
	if (!ret->tid)
		return;
	ret->ns[CPU_BLOCKED] += asleep(sum, from);
	if (ret->born_ns > sum->from_ns)
		ret->absent_ns = MIN(ret->born_ns, sum->to_ns) - sum->from_ns;
	if (ret->died_ns && ret->died_ns < sum->to_ns)
		ret->absent_ns += sum->to_ns - MAX(ret->died_ns, sum->from_ns);
	left -= MIN(left, ret->absent_ns);
	for (unsigned i = 0; i < CPU_DEAD; i++)
		left -= MIN(left, ret->ns[i]);
	ret->ns[CPU_UNKNOWN] += left;
}

size_t
cpu_sum_threads(struct cpu_sum *sum, const struct cpu_sum_thread **ret)
{
	list_free(sum);
	sum->list = xcalloc(sum->threads.n + 1, sizeof *sum->list);
	for (uint32_t i = 0; i < sum->threads.n; i++) {
		const struct sum_thread *t = keyed_at(&sum->threads, i);

		finish_thread(sum, t, &sum->list[sum->n_list]);
		fill_lists(&sum->list[sum->n_list++], t);
	}
	qsort(sum->list, sum->n_list, sizeof *sum->list, by_tid);
	*ret = sum->list;
	return sum->n_list;
}

size_t
cpu_sum_cpus(const struct cpu_sum *sum, const struct cpu_sum_cpu **ret)
{
	*ret = sum->cpus;
	return sum->n_cpus;
}

/* -- Windows as one ----------------------------------------------------------------- */

static bool
has_detail(const struct cpu_sum_thread *t)
{
	uint64_t causes = t->pending_ns;

	for (unsigned i = 0; i < N_CPU_CAUSES; i++)
		causes += t->causes[i];
	return t->role || t->n_takers || t->n_exits || causes || t->guest_ns || t->halted_ns;
}

static void
pack_sum(const struct cpu_sum *sum, const struct cpu_sum_thread *t, struct buf *out)
{
	const bool born = t->born_ns >= sum->from_ns && t->born_ns;
	const bool died = t->died_ns && t->died_ns < sum->to_ns;

	varint_write(t->tid, out);
	varint_write(t->pid, out);
	pack_text(out, t->name);
	varint_write(t->role, out);
	varint_write(born ? t->born_ns - sum->from_ns : 0, out);
	for (unsigned i = 0; i < CPU_DEAD; i++)
		varint_write(t->ns[i], out);
	varint_write(t->switches, out);
	varint_write((has_detail(t) ? THREAD_DETAIL : 0) | (born ? THREAD_BORN : 0) |
		     (died ? THREAD_DIED : 0), out);
	if (!has_detail(t))
		return;
	varint_write(MIN(t->n_takers, (size_t) MAX_SUM_LIST), out);
	for (size_t i = 0; i < MIN(t->n_takers, (size_t) MAX_SUM_LIST); i++) {
		varint_write(t->takers[i].tid, out);
		pack_text(out, t->takers[i].name);
		varint_write(t->takers[i].ns, out);
	}
	varint_write(t->guest_ns, out);
	varint_write(t->halted_ns, out);
	varint_write(t->n_exits, out);
	for (size_t i = 0; i < t->n_exits; i++) {
		varint_write(t->exits[i].reason, out);
		varint_write(t->exits[i].count, out);
		varint_write(t->exits[i].ns, out);
	}
	varint_write(N_CPU_CAUSES, out);
	for (unsigned i = 0; i < N_CPU_CAUSES; i++)
		varint_write(t->causes[i] + (i == CAUSE_UNKNOWN ? t->pending_ns : 0), out);
	varint_write(0, out);
}

static int
merge(const struct fact_window *windows, size_t n, struct buf *ret)
{
	struct cpu_sum *sum = cpu_sum_new(windows[0].start_ns, windows[n - 1].end_ns);
	const struct cpu_sum_thread *threads;
	size_t n_threads;
	int r = 0;

	for (size_t i = 0; i < n && !r; i++)
		r = cpu_sum_add(sum, &windows[i]);
	n_threads = cpu_sum_threads(sum, &threads);
	buf_add_char(ret, CPU_WINDOW_VERSION);
	varint_write(sum->late, ret);
	varint_write(sum->capped, ret);
	varint_write(sum->untold, ret);
	varint_write(0, ret);
	varint_write(sum->n_cpus, ret);
	for (size_t i = 0; i < sum->n_cpus; i++) {
		varint_write(i, ret);
		varint_write(sum->cpus[i].idle_ns, ret);
		varint_write(sum->cpus[i].unknown_ns, ret);
		varint_write(sum->cpus[i].irq_ns, ret);
		varint_write(sum->cpus[i].softirq_ns, ret);
		varint_write(sum->cpus[i].switches, ret);
	}
	varint_write(n_threads, ret);
	for (size_t i = 0; i < n_threads; i++)
		pack_sum(sum, &threads[i], ret);
	cpu_sum_free(sum);
	return r;
}

/* -- JSON ----------------------------------------------------------------------------- */

static json_t *
transitions_json(const struct read_thread *t)
{
	json_t *list = json_array();
	struct unpack in = t->transitions;
	struct transition next = { .t = t->from };

	for (uint64_t i = 0; i < t->n_transitions; i++) {
		char text[64];

		read_transition(&in, next.t, &next);
		if (next.state == CPU_TAKEN)
			continue;
		snprintf(text, sizeof text, "%llu %s%s%s%s%.0u", (unsigned long long) next.t,
			 cpu_state_names[next.state], next.state == CPU_WAITING ? " " : "",
			 next.state == CPU_WAITING ? cpu_cause_names[next.how] : "",
			 next.who ? " " : "", next.who);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static json_t *
thread_json(const struct read_thread *t)
{
	json_t *object = json_pack("{s:I, s:I, s:s%, s:s}", "tid", (json_int_t) t->tid, "pid",
				   (json_int_t) t->pid, "name", t->name, strlen(t->name), "role",
				   cpu_role_names[t->role]);
	json_t *takers = json_object(), *list = json_object();

	if (!object)         /* The name is no UTF-8. */
		object = json_pack("{s:I}", "tid", (json_int_t) t->tid);
	if (t->from)
		json_object_set_new(object, "from_ns", json_integer((json_int_t) t->from));
	for (unsigned i = 0; i < CPU_DEAD; i++)
		if (t->sums[i])
			json_object_set_new(object, cpu_state_names[i],
					    json_integer((json_int_t) t->sums[i]));
	for (size_t i = 0; i < t->n_takers; i++)
		json_object_set_new(takers, t->takers[i].name, json_integer((json_int_t) t->takers[i].ns));
	for (size_t i = 0; i < t->n_exits; i++) {
		char text[32];

		snprintf(text, sizeof text, "%u:%u", t->exits[i].reason >> 24,
			 t->exits[i].reason & 0xffffff);
		json_object_set_new(list, text, json_pack("[I, I]", (json_int_t) t->exits[i].count,
							  (json_int_t) t->exits[i].ns));
	}
	if (t->guest_ns)
		json_object_set_new(object, "guest", json_integer((json_int_t) t->guest_ns));
	if (t->halted_ns)
		json_object_set_new(object, "halted", json_integer((json_int_t) t->halted_ns));
	if (json_object_size(takers))
		json_object_set(object, "takers", takers);
	if (json_object_size(list))
		json_object_set(object, "exits", list);
	if (t->detail)
		json_object_set_new(object, "changes", t->exact ? transitions_json(t) : json_null());
	json_decref(takers);
	json_decref(list);
	return object;
}

static json_t *
window_json(const struct fact_window *window)
{
	struct read_window *read = xcalloc(1, sizeof *read);
	struct read_thread *thread = xcalloc(1, sizeof *thread);
	json_t *object = NULL, *cpus = json_array(), *threads = json_array();

	if (!read_window(window, read, thread)) {
		for (uint64_t i = 0; i < read->n_cpus; i++)
			json_array_append_new(cpus, json_pack(
				"[I, I, I, I, I]", (json_int_t) read->cpus[i].idle_ns,
				(json_int_t) read->cpus[i].unknown_ns,
				(json_int_t) read->cpus[i].irq_ns,
				(json_int_t) read->cpus[i].softirq_ns,
				(json_int_t) read->cpus[i].switches));
		for (uint64_t i = 0; i < read->n_threads; i++) {
			read_thread(&read->in, thread);
			json_array_append_new(threads, thread_json(thread));
		}
		object = json_pack("{s:I, s:I, s:I, s:O, s:O}", "late", (json_int_t) read->late,
				   "capped", (json_int_t) read->capped, "untold",
				   (json_int_t) read->untold, "cpus", cpus, "threads", threads);
	}
	json_decref(cpus);
	json_decref(threads);
	free(read);
	free(thread);
	return object;
}

const struct window_kind cpu_window_kind = { .kind = "cpu", .merge = merge, .json = window_json };
