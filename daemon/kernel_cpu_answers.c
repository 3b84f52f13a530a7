/* SPDX-License-Identifier: MIT
 *
 * kernel_cpu_answers.c -- threads over a span, from the windows of the kind "cpu". */
#include "daemon/kernel_answers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/kernel_cpu_answers.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { DEFAULT_LIMIT = 1000, MAX_LIST = 64 };
/* Without a span: what is newest. */
#define DEFAULT_SPAN_NS (5 * NS_PER_S)
/* So long after the span it may be told what a thread was blocked on in it. */
#define PENDING_NS (60 * NS_PER_S)

int
kernel_span(struct store *store, const struct kernel_filter *filter, const char *kind,
	    uint64_t *ret_from_ns, uint64_t *ret_to_ns, struct error *error)
{
	uint64_t first_ns, last_ns, newest_ns;

	if (!store_windows_span(store, filter->host, kind, &first_ns, &last_ns))
		return error_set(error, ENOENT, "nothing is known of the kernel of host %s: is it "
				 "traced (cloudtrace-session), and is the name right?",
				 filter->host ? filter->host : "(any)");
	*ret_to_ns = filter->until_ns ? filter->until_ns : last_ns;
	newest_ns = last_ns > DEFAULT_SPAN_NS ? last_ns - DEFAULT_SPAN_NS : 0;
	*ret_from_ns = filter->since_ns ? filter->since_ns : filter->until_ns ? first_ns : newest_ns;
	*ret_from_ns = MAX(*ret_from_ns, first_ns);
	if (*ret_to_ns <= *ret_from_ns)
		return error_set(error, ENOENT, "the span is empty: it has to end after it begins");
	return 0;
}

/* -- Reading ---------------------------------------------------------------- */

struct reading {
	struct cpu_sum *sum;
	uint64_t to_ns;
	unsigned damaged;
};

static bool
add_window(void *context, const char *host, const char *key, const struct fact_window *window)
{
	struct reading *reading = context;

	if (window->start_ns >= reading->to_ns && !cpu_sum_pending(reading->sum))
		return false;
	reading->damaged += cpu_sum_add(reading->sum, window) < 0;
	return true;
}

struct cpu_sum *
kernel_read_sum(struct store *store, const char *host, uint64_t from_ns, uint64_t to_ns,
		struct error *error)
{
	struct reading reading = { .sum = cpu_sum_new(from_ns, to_ns), .to_ns = to_ns };
	int r = store_windows(store, host, "cpu", NULL, from_ns, to_ns + PENDING_NS, add_window,
			      &reading, error);

	if (r < 0) {
		cpu_sum_free(reading.sum);
		return NULL;
	}
	return reading.sum;
}

/* -- JSON --------------------------------------------------------------------- */

static json_t *
number(uint64_t value)
{
	return json_integer((json_int_t) MIN(value, (uint64_t) INT64_MAX));
}

static json_t *
takers_json(const struct cpu_sum_thread *t)
{
	json_t *list = json_array();
	uint64_t rest = 0;

	for (size_t i = 0; i < t->n_takers; i++) {
		if (i < MAX_LIST)
			json_array_append_new(list, json_pack(
				"{s:o, s:o, s:o}", "tid", t->takers[i].tid ? number(t->takers[i].tid) :
				json_null(), "name", store_string(t->takers[i].name), "ns",
				number(t->takers[i].ns)));
		else
			rest += t->takers[i].ns;
	}
	if (rest)
		json_array_append_new(list, json_pack("{s:n, s:s, s:o}", "tid", "name", "(others)", "ns",
						      number(rest)));
	return list;
}

static json_t *
vcpu_json(const struct cpu_sum_thread *t)
{
	json_t *list = json_array();

	if (!t->guest_ns && !t->n_exits) {
		json_decref(list);
		return json_null();
	}
	for (size_t i = 0; i < t->n_exits; i++) {
		const char *name = cpu_exit_name(t->exits[i].reason);

		json_array_append_new(list, json_pack(
			"{s:i, s:i, s:o, s:o, s:o}", "isa", (int) (t->exits[i].reason >> 24), "reason",
			(int) (t->exits[i].reason & 0xffffff), "name",
			name ? json_string(name) : json_null(), "count", number(t->exits[i].count),
			"ns", number(t->exits[i].ns)));
	}
	return json_pack("{s:o, s:o, s:o}", "guest_ns", number(t->guest_ns), "halted_ns",
			 number(t->halted_ns), "exits", list);
}

static json_t *
blocked_json(const struct cpu_sum_thread *t)
{
	json_t *object = json_object();
	const uint64_t unknown = t->causes[CAUSE_UNKNOWN] + t->pending_ns;

	for (unsigned i = CAUSE_UNKNOWN + 1; i < N_CPU_CAUSES; i++)
		if (t->causes[i])
			json_object_set_new(object, cpu_cause_names[i], number(t->causes[i]));
	if (unknown)
		json_object_set_new(object, "unknown", number(unknown));
	return object;
}

json_t *
kernel_thread_json(const char *host, const struct cpu_sum_thread *t)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o}",
			 "host", host, "tid", number(t->tid),
			 "pid", t->pid ? number(t->pid) : json_null(),
			 "name", store_string(t->name), "role", cpu_role_names[t->role],
			 "running_ns", number(t->ns[CPU_RUNNING]), "waiting_ns",
			 number(t->ns[CPU_WAITING]), "blocked_ns", number(t->ns[CPU_BLOCKED]),
			 "unknown_ns", number(t->ns[CPU_UNKNOWN]), "absent_ns",
			 number(t->absent_ns), "exact", t->exact,
			 "switches", number(t->switches), "waited_for", takers_json(t), "blocked_by",
			 blocked_json(t), "woken_by", t->waker ? number(t->waker) : json_null(),
			 "vcpu", vcpu_json(t));
}

int
kernel_by_wait(const void *a, const void *b)
{
	const struct cpu_sum_thread *x = *(const struct cpu_sum_thread *const *) a;
	const struct cpu_sum_thread *y = *(const struct cpu_sum_thread *const *) b;

	if (x->ns[CPU_WAITING] != y->ns[CPU_WAITING])
		return x->ns[CPU_WAITING] > y->ns[CPU_WAITING] ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static int
by_weight(const void *a, const void *b)
{
	const struct cpu_sum_thread *x = *(const struct cpu_sum_thread *const *) a;
	const struct cpu_sum_thread *y = *(const struct cpu_sum_thread *const *) b;
	const uint64_t more = x->ns[CPU_RUNNING] + x->ns[CPU_WAITING];
	const uint64_t less = y->ns[CPU_RUNNING] + y->ns[CPU_WAITING];

	if (more != less)
		return more > less ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

json_t *
kernel_threads(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	const struct cpu_sum_thread *threads, **list;
	uint64_t from_ns, to_ns;
	struct cpu_sum *sum;
	json_t *answer;
	size_t n, n_list = 0;

	if (kernel_span(store, filter, "cpu", &from_ns, &to_ns, error) < 0)
		return NULL;
	sum = kernel_read_sum(store, filter->host, from_ns, to_ns, error);
	if (!sum)
		return NULL;
	n = cpu_sum_threads(sum, &threads);
	list = xcalloc(n + 1, sizeof *list);
	for (size_t i = 0; i < n; i++)
		if ((!filter->pid || threads[i].pid == filter->pid) &&
		    (!filter->tid || threads[i].tid == filter->tid))
			list[n_list++] = &threads[i];
	qsort(list, n_list, sizeof *list, by_weight);
	answer = json_array();
	for (size_t i = 0; i < n_list && i < (filter->limit ? filter->limit : DEFAULT_LIMIT); i++)
		json_array_append_new(answer, kernel_thread_json(filter->host, list[i]));
	free(list);
	cpu_sum_free(sum);
	return answer;
}
