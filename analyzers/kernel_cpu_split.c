/* SPDX-License-Identifier: MIT */
#include "analyzers/kernel_cpu_split.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/kernel_cpu_read.h"
#include "lib/keyed.h"
#include "lib/util.h"

enum { MAX_NAMES = 16384, MAX_PARTS = 64, MAX_SPLIT_THREADS = 1024 };

/* -- What is asked ---------------------------------------------------------------- */

struct part_key {
	uint32_t kind;
	char by[16];
};
struct part {
	struct part_key key;
	uint32_t spare;
	uint64_t ns;
};
struct question {
	struct cpu_question asked;
	size_t index;
	uint64_t told_ns;            /* Of the span, what has been added to 'parts'. */
	uint64_t pending_ns;         /* Asleep, not woken yet. */
	struct keyed parts;
};

/* A thread as it was left. */
struct follower {
	uint32_t tid;
	uint32_t state;
	bool known;                  /* Its state was known at some time. */
	bool migrates;
	char by[16];                 /* Who has the CPU it waits for. */
};

/* Questions about the same threads. */
struct target {
	size_t first, n;             /* Of the questions, by their begin. */
	size_t next;                 /* The first that has not begun. */
	size_t *open, n_open;        /* Begun, and not ended or pending. */
	uint64_t now_ns;
	enum cpu_part_kind kind;     /* Since then. */
	char by[16];
	struct follower *threads;
	size_t n_threads;
	/* Of the window that is read: */
	uint32_t n_exact, n_listed;
	uint64_t sums[N_CPU_STATES], unknown_ns, causes[N_CPU_CAUSES];
};

/* A thread that changes its state. */
struct change {
	uint64_t t_ns;
	size_t order, target;
	uint32_t tid, who;
	uint8_t state, how;          /* Of enum cpu_state and enum cpu_cause. */
	bool taken, migrates;        /* 'taken': only 'by' is new. */
	char by[16];
};

struct name {
	uint32_t tid;
	char name[16];
};

struct cpu_split {
	struct question *questions;
	size_t n;
	struct target *targets;
	size_t n_targets;
	struct change *changes;
	size_t n_changes, capacity;
	struct keyed names;
	uint64_t end_ns;             /* Of the window before. */
	struct read_window *window;
	struct read_thread *thread;
};

static int
by_target(const void *a, const void *b)
{
	const struct question *x = a, *y = b;
	const struct cpu_question *p = &x->asked, *q = &y->asked;

	if (p->pid != q->pid)
		return p->pid < q->pid ? -1 : 1;
	if (p->tid != q->tid)
		return p->tid < q->tid ? -1 : 1;
	if (p->who != q->who)
		return p->who < q->who ? -1 : 1;
	if (p->from_ns != q->from_ns)
		return p->from_ns < q->from_ns ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static bool
is_same_target(const struct cpu_question *a, const struct cpu_question *b)
{
	return a->pid == b->pid && a->tid == b->tid && a->who == b->who;
}

struct cpu_split *
cpu_split_new(const struct cpu_question *questions, size_t n)
{
	struct cpu_split *split = xcalloc(1, sizeof *split);

	split->questions = xcalloc(n + 1, sizeof *split->questions);
	split->targets = xcalloc(n + 1, sizeof *split->targets);
	split->window = xcalloc(1, sizeof *split->window);
	split->thread = xcalloc(1, sizeof *split->thread);
	split->names = KEYED(struct name, tid, MAX_NAMES);
	split->n = n;
	for (size_t i = 0; i < n; i++) {
		split->questions[i] = (struct question) {
			.asked = questions[i], .index = i,
			.parts = KEYED(struct part, key, MAX_PARTS + N_CPU_PARTS),
		};
		split->questions[i].asked.to_ns = MAX(questions[i].to_ns, questions[i].from_ns);
	}
	qsort(split->questions, n, sizeof *split->questions, by_target);
	for (size_t i = 0; i < n; i++) {
		struct target *target = &split->targets[split->n_targets - !!i];

		if (!i || !is_same_target(&split->questions[i].asked,
					  &split->questions[target->first].asked)) {
			target = &split->targets[split->n_targets++];
			target->first = target->next = i;
			target->kind = PART_ABSENT;
		}
		target->n++;
	}
	for (size_t i = 0; i < split->n_targets; i++)
		split->targets[i].open = xcalloc(split->targets[i].n, sizeof *split->targets[i].open);
	return split;
}

void
cpu_split_free(struct cpu_split *split)
{
	if (!split)
		return;
	for (size_t i = 0; i < split->n; i++)
		keyed_done(&split->questions[i].parts);
	for (size_t i = 0; i < split->n_targets; i++) {
		free(split->targets[i].open);
		free(split->targets[i].threads);
	}
	keyed_done(&split->names);
	free(split->questions);
	free(split->targets);
	free(split->changes);
	free(split->window);
	free(split->thread);
	free(split);
}

/* -- Parts ------------------------------------------------------------------------- */

static void
add_part(struct question *question, enum cpu_part_kind kind, const char *by, uint64_t ns)
{
	struct part_key key = { .kind = kind };
	struct part *part;

	if (!ns)
		return;
	strncpy(key.by, by, sizeof key.by - 1);
	part = keyed_find(&question->parts, &key);
	/* The last ones of the table are for those without a name. */
	if (!part && question->parts.n >= MAX_PARTS)
		memset(key.by, 0, sizeof key.by);
	if (!part)
		part = keyed_get(&question->parts, &key, NULL);
	if (part)
		part->ns += ns;
}

/* What of [from, to) lies in the span. */
static uint64_t
within(const struct question *question, uint64_t from_ns, uint64_t to_ns)
{
	from_ns = MAX(from_ns, question->asked.from_ns);
	to_ns = MIN(to_ns, question->asked.to_ns);
	return to_ns > from_ns ? to_ns - from_ns : 0;
}

/* Opens those that begin before 'to_ns'. */
static void
open_questions(struct cpu_split *split, struct target *target, uint64_t to_ns)
{
	while (target->next < target->first + target->n &&
	       split->questions[target->next].asked.from_ns < to_ns)
		target->open[target->n_open++] = target->next++;
}

/* Closes those that are told to their end. */
static void
close_questions(struct cpu_split *split, struct target *target)
{
	size_t kept = 0;

	for (size_t i = 0; i < target->n_open; i++) {
		const struct question *question = &split->questions[target->open[i]];

		if (question->asked.to_ns > target->now_ns || question->pending_ns)
			target->open[kept++] = target->open[i];
	}
	target->n_open = kept;
}

/* Says what ended the sleep of the target. */
static void
resolve(struct cpu_split *split, struct target *target, enum cpu_part_kind kind, const char *by)
{
	for (size_t i = 0; i < target->n_open; i++) {
		struct question *question = &split->questions[target->open[i]];

		add_part(question, kind, by, question->pending_ns);
		question->pending_ns = 0;
	}
}

/* The target was in its state until 'to_ns'. */
static void
advance(struct cpu_split *split, struct target *target, uint64_t to_ns)
{
	if (to_ns <= target->now_ns)
		return;
	open_questions(split, target, to_ns);
	for (size_t i = 0; i < target->n_open; i++) {
		struct question *question = &split->questions[target->open[i]];
		const uint64_t ns = within(question, target->now_ns, to_ns);

		question->told_ns += ns;
		if (target->kind == PART_BLOCKED)
			question->pending_ns += ns;
		else
			add_part(question, target->kind, target->by, ns);
	}
	target->now_ns = to_ns;
	close_questions(split, target);
}

/* -- States ------------------------------------------------------------------------- */

static struct follower *
follower_of(struct target *target, uint32_t tid, bool migrates)
{
	size_t i = 0;

	while (i < target->n_threads && target->threads[i].tid != tid)
		i++;
	if (i == target->n_threads) {
		if (i == MAX_SPLIT_THREADS)
			return NULL;
		if (!(i & (i + 1)))
			target->threads = xrealloc(target->threads,
						   2 * (i + 1) * sizeof *target->threads);
		target->threads[target->n_threads++] = (struct follower) { .tid = tid };
	}
	target->threads[i].migrates |= migrates;
	return &target->threads[i];
}

/* What the target does, by what its threads do. */
static enum cpu_part_kind
kind_of(const struct target *target, const struct cpu_question *asked, char by[16])
{
	const struct follower *waits = NULL;
	bool runs = false, sleeps = false, lost = false, unseen = false, migrates = false;

	memset(by, 0, 16);
	for (size_t i = 0; i < target->n_threads && asked->who == WHO_MIGRATION; i++)
		migrates |= target->threads[i].migrates && target->threads[i].state != CPU_DEAD;
	for (size_t i = 0; i < target->n_threads; i++) {
		const struct follower *one = &target->threads[i];

		if (one->state == CPU_DEAD || (migrates && !one->migrates))
			continue;
		runs |= one->state == CPU_RUNNING;
		sleeps |= one->state == CPU_BLOCKED;
		lost |= one->state == CPU_UNKNOWN && one->known;
		unseen |= one->state == CPU_UNKNOWN && !one->known;
		if (one->state == CPU_WAITING && (!waits || one->tid < waits->tid))
			waits = one;
	}
	if (runs)
		return PART_CPU;
	if (waits)
		memcpy(by, waits->by, 16);
	if (waits)
		return PART_WAITING;
	return lost ? PART_UNKNOWN : sleeps ? PART_BLOCKED : unseen ? PART_UNKNOWN : PART_ABSENT;
}

static const char *
name_of(const struct cpu_split *split, uint32_t tid)
{
	const struct name *name = tid ? keyed_find(&split->names, &tid) : NULL;

	return name ? name->name : "";
}

/* What a sleep was, by what ended it. */
static enum cpu_part_kind
kind_of_cause(unsigned cause)
{
	static const enum cpu_part_kind kinds[N_CPU_CAUSES] = {
		[CAUSE_UNKNOWN] = PART_BLOCKED, [CAUSE_TIMER] = PART_TIMER, [CAUSE_DISK] = PART_DISK,
		[CAUSE_NETWORK] = PART_NETWORK, [CAUSE_TASK] = PART_TASK, [CAUSE_IRQ] = PART_INTERRUPT,
		[CAUSE_SOFTIRQ] = PART_INTERRUPT, [CAUSE_NEW] = PART_BLOCKED,
		[CAUSE_PREEMPTED] = PART_BLOCKED,
	};

	return kinds[cause];
}

static void
apply(struct cpu_split *split, const struct change *change)
{
	struct target *target = &split->targets[change->target];
	const struct cpu_question *asked = &split->questions[target->first].asked;
	const enum cpu_part_kind before = target->kind;
	struct follower *thread;
	unsigned cause;

	advance(split, target, change->t_ns);
	thread = follower_of(target, change->tid, change->migrates);
	if (!thread)
		return;
	thread->state = change->state;
	thread->known |= change->state != CPU_UNKNOWN;
	memcpy(thread->by, change->by, sizeof thread->by);
	target->kind = kind_of(target, asked, target->by);
	if (before != PART_BLOCKED || target->kind == PART_BLOCKED)
		return;
	cause = change->state == CPU_WAITING && !change->taken ? change->how : CAUSE_UNKNOWN;
	resolve(split, target, kind_of_cause(cause),
		cause == CAUSE_TASK ? name_of(split, change->who) : "");
}

/* -- Reading a window --------------------------------------------------------------- */

static struct change *
new_change(struct cpu_split *split)
{
	if (split->n_changes == split->capacity) {
		split->capacity = split->capacity ? 2 * split->capacity : 256;
		split->changes = xrealloc(split->changes, split->capacity * sizeof *split->changes);
	}
	split->changes[split->n_changes] = (struct change) { .order = split->n_changes };
	return &split->changes[split->n_changes++];
}

/* Threads that hear the migration's other way, or wait for those that send. */
static bool
is_migrating(const struct read_thread *t)
{
	return t->role == CPU_MIGRATION && !strstr(t->name, "return path") && !strstr(t->name, "rp-");
}

static void
add_change(struct cpu_split *split, size_t target, const struct read_thread *t, uint64_t t_ns,
	   const struct transition *to, const struct cpu_sum_taker *taker)
{
	struct change *change = new_change(split);

	change->t_ns = t_ns;
	change->target = target;
	change->tid = t->tid;
	change->migrates = is_migrating(t);
	change->state = taker ? CPU_WAITING : (uint8_t) to->state;
	change->taken = taker != NULL;
	change->how = taker ? 0 : (uint8_t) to->how;
	change->who = taker ? 0 : to->who;
	if (taker)
		memcpy(change->by, taker->name, sizeof change->by);
}

/* That a CPU was had by somebody is told when that ends: it holds since the entry before. */
static void
add_changes(struct cpu_split *split, size_t target, const struct fact_window *window,
	    const struct read_thread *t)
{
	struct transition now = { .t = t->from, .state = t->start_state }, next = { 0 };
	struct unpack in = t->transitions;
	uint64_t before = t->from;

	add_change(split, target, t, window->start_ns + t->from, &now, NULL);
	for (uint64_t i = 0; i < t->n_transitions; i++) {
		read_transition(&in, before, &next);
		if (next.state == CPU_TAKEN) {
			static const struct cpu_sum_taker nobody;

			add_change(split, target, t, window->start_ns + before, &next,
				   &t->takers[next.how]);
			add_change(split, target, t, window->start_ns + next.t, &next, &nobody);
		} else {
			add_change(split, target, t, window->start_ns + next.t, &next, NULL);
		}
		before = next.t;
	}
}

/* Services run under their own names, or in these. */
static bool
is_service(const struct read_thread *t)
{
	static const char *const names[] = { "python", "uwsgi", "apache2", "httpd", "gunicorn",
					     "(wsgi:" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (starts_with(t->name, names[i]))
			return true;
	return t->role == CPU_SERVICE;
}

static bool
is_about(const struct cpu_question *asked, const struct read_thread *t)
{
	if (asked->tid)
		return t->tid == asked->tid && (!asked->pid || !t->pid || t->pid == asked->pid);
	if (t->pid != asked->pid && (t->pid || t->tid != asked->pid))
		return false;
	if (asked->who == WHO_SERVICE)
		return t->tid && is_service(t);
	return t->tid && (asked->who != WHO_MIGRATION || t->tid == asked->pid || is_migrating(t));
}

static bool
is_wanted(const struct cpu_split *split, const struct target *target,
	  const struct fact_window *window)
{
	return target->n_open || (target->next < target->first + target->n &&
				  split->questions[target->next].asked.from_ns < window->end_ns);
}

static void
note_thread(struct cpu_split *split, const struct fact_window *window, const struct read_thread *t)
{
	struct name *name = t->tid ? keyed_get(&split->names, &t->tid, NULL) : NULL;

	if (name)
		memcpy(name->name, t->name, sizeof name->name);
	for (size_t i = 0; i < split->n_targets; i++) {
		struct target *target = &split->targets[i];

		if (!is_about(&split->questions[target->first].asked, t) ||
		    !is_wanted(split, target, window))
			continue;
		target->unknown_ns = target->n_listed ? MIN(target->unknown_ns, t->sums[CPU_UNKNOWN]) :
			t->sums[CPU_UNKNOWN];
		target->n_listed++;
		target->n_exact += t->exact;
		for (unsigned s = 0; s < CPU_DEAD; s++)
			target->sums[s] += t->sums[s];
		for (unsigned s = 0; s < N_CPU_CAUSES; s++)
			target->causes[s] += t->causes[s];
		if (t->exact)
			add_changes(split, i, window, t);
	}
}

static uint64_t
portion(uint64_t ns, uint64_t part, uint64_t whole)
{
	return whole ? (uint64_t) ((__uint128_t) ns * part / whole) : 0;
}

/* Sums alone are known of some thread: each question gets its part of the window. */
static void
add_sums(struct cpu_split *split, struct target *target, const struct fact_window *window)
{
	const uint64_t whole = window->end_ns - window->start_ns;
	const uint64_t running = MIN(target->sums[CPU_RUNNING], whole);
	const uint64_t waiting = MIN(target->sums[CPU_WAITING], whole - running);
	const uint64_t unknown = MIN(target->unknown_ns, whole - running - waiting);
	uint64_t asleep = 0;

	for (unsigned i = CAUSE_UNKNOWN + 1; i < N_CPU_CAUSES; i++)
		asleep += target->causes[i];
	asleep = MAX(asleep, whole - running - waiting - unknown);
	open_questions(split, target, window->end_ns);
	resolve(split, target, PART_BLOCKED, "");
	for (size_t i = 0; i < target->n_open; i++) {
		struct question *question = &split->questions[target->open[i]];
		const uint64_t part = within(question, window->start_ns, window->end_ns);
		uint64_t left = part, ns;

		question->told_ns += part;
		left -= ns = portion(running, part, whole);
		add_part(question, PART_CPU, "", ns);
		left -= ns = portion(waiting, part, whole);
		add_part(question, PART_WAITING, "", ns);
		left -= ns = portion(unknown, part, whole);
		add_part(question, PART_UNKNOWN, "", ns);
		for (unsigned c = CAUSE_UNKNOWN + 1; c < N_CPU_CAUSES; c++) {
			ns = portion(part - portion(running + waiting + unknown, part, whole),
				     target->causes[c], asleep);
			ns = MIN(ns, left);
			left -= ns;
			add_part(question, kind_of_cause(c), "", ns);
		}
		add_part(question, PART_BLOCKED, "", left);
	}
	target->now_ns = window->end_ns;
	target->kind = PART_BLOCKED;
	for (size_t i = 0; i < target->n_threads; i++)
		target->threads[i].state = CPU_BLOCKED;
	close_questions(split, target);
}

static int
by_time(const void *a, const void *b)
{
	const struct change *x = a, *y = b;

	if (x->t_ns != y->t_ns)
		return x->t_ns < y->t_ns ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* Before the first window of a target, and behind a gap, nothing is known. */
static void
begin_window(struct cpu_split *split, struct target *target, const struct fact_window *window)
{
	target->n_exact = target->n_listed = 0;
	target->unknown_ns = 0;
	memset(target->sums, 0, sizeof target->sums);
	memset(target->causes, 0, sizeof target->causes);
	if (target->now_ns == window->start_ns || !is_wanted(split, target, window))
		return;
	resolve(split, target, PART_BLOCKED, "");
	target->now_ns = window->start_ns;
	target->n_threads = 0;
	target->kind = PART_ABSENT;
	memset(target->by, 0, sizeof target->by);
	close_questions(split, target);
}

int
cpu_split_add(struct cpu_split *split, const struct fact_window *window)
{
	struct unpack in;
	bool wanted = false;
	int r;

	for (size_t i = 0; i < split->n_targets && !wanted; i++)
		wanted = is_wanted(split, &split->targets[i], window);
	if (!wanted)
		return 0;
	r = read_window(window, split->window, split->thread);
	if (r || window->start_ns < split->end_ns)
		return r ? r : -EINVAL;
	split->end_ns = window->end_ns;
	split->n_changes = 0;
	for (size_t i = 0; i < split->n_targets; i++)
		begin_window(split, &split->targets[i], window);
	in = split->window->in;
	for (uint64_t i = 0; i < split->window->n_threads; i++) {
		read_thread(&in, split->thread);
		note_thread(split, window, split->thread);
	}
	if (split->n_changes)
		qsort(split->changes, split->n_changes, sizeof *split->changes, by_time);
	for (size_t i = 0; i < split->n_changes; i++) {
		const struct target *target = &split->targets[split->changes[i].target];

		if (target->n_exact == target->n_listed)
			apply(split, &split->changes[i]);
	}
	for (size_t i = 0; i < split->n_targets; i++) {
		struct target *target = &split->targets[i];

		if (!is_wanted(split, target, window))
			continue;
		if (target->n_exact == target->n_listed)
			advance(split, target, window->end_ns);
		else
			add_sums(split, target, window);
	}
	return 0;
}

bool
cpu_split_pending(const struct cpu_split *split)
{
	for (size_t i = 0; i < split->n; i++)
		if (split->questions[i].pending_ns)
			return true;
	return false;
}

/* -- Answers ------------------------------------------------------------------------ */

static int
by_length(const void *a, const void *b)
{
	const struct cpu_part *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : strcmp(x->by, y->by);
}

struct cpu_part *
cpu_split_parts(struct cpu_split *split, size_t index, size_t *ret_n)
{
	struct question *question = split->questions;
	struct cpu_part *parts;

	while (question->index != index)
		question++;
	add_part(question, PART_BLOCKED, "", question->pending_ns);
	question->pending_ns = 0;
	add_part(question, PART_GAP, "", question->asked.to_ns - question->asked.from_ns -
		 question->told_ns);
	question->told_ns = question->asked.to_ns - question->asked.from_ns;
	parts = xcalloc(question->parts.n + 1, sizeof *parts);
	for (uint32_t i = 0; i < question->parts.n; i++) {
		const struct part *part = keyed_at(&question->parts, i);

		parts[i].kind = part->key.kind;
		memcpy(parts[i].by, part->key.by, sizeof parts[i].by);
		parts[i].ns = part->ns;
	}
	qsort(parts, question->parts.n, sizeof *parts, by_length);
	*ret_n = question->parts.n;
	return parts;
}
