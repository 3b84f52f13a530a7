/* SPDX-License-Identifier: MIT */
#include "daemon/kernel_budget.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/kernel_cpu_split.h"
#include "daemon/settle.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { MAX_QUESTIONS = 4000, MAX_WINDOWS = 20000 };
/* So long after a span it may be told what a thread was blocked on in it. */
#define PENDING_NS (60 * NS_PER_S)

/* -- Lists of parts ----------------------------------------------------------------- */

static bool
is_text(const json_t *part, const char *name, const char *text)
{
	const char *own = json_string_value(json_object_get(part, name));

	return text ? own && streq(own, text) : !own;
}

static uint64_t
ns_of(const json_t *part)
{
	const json_int_t ns = json_integer_value(json_object_get(part, "ns"));

	return ns > 0 ? (uint64_t) ns : 0;
}

void
budget_add_part(json_t *to, const char *what, uint64_t ns, const char *by, const char *why)
{
	json_t *part;
	size_t i;

	if (!ns)
		return;
	json_array_foreach(to, i, part)
		if (is_text(part, "what", what) && is_text(part, "by", by) &&
		    is_text(part, "why", why)) {
			json_object_set_new(part, "ns", json_integer((json_int_t) (ns_of(part) + ns)));
			return;
		}
	part = json_pack("{s:s, s:I}", "what", what, "ns", (json_int_t) ns);
	if (by)
		json_object_set_new(part, "by", store_string(by));
	if (why)
		json_object_set_new(part, "why", store_string(why));
	json_array_append_new(to, part);
}

void
budget_add(json_t *to, const json_t *from)
{
	json_t *part;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) from, i, part)
		budget_add_part(to, json_string_value(json_object_get(part, "what")), ns_of(part),
				json_string_value(json_object_get(part, "by")),
				json_string_value(json_object_get(part, "why")));
}

uint64_t
budget_total(const json_t *budget)
{
	uint64_t total = 0;
	json_t *part;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) budget, i, part)
		total += ns_of(part);
	return total;
}

struct share {
	json_t *part;
	uint64_t ns, rest;
	unsigned percent_100;        /* Hundredths of a percent. */
	size_t index;
};

static int
by_rest(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	if (x->rest != y->rest)
		return x->rest > y->rest ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

static int
compare_texts(const json_t *a, const json_t *b, const char *name)
{
	const char *x = json_string_value(json_object_get(a, name));
	const char *y = json_string_value(json_object_get(b, name));

	return strcmp(x ? x : "", y ? y : "");
}

static int
by_length(const void *a, const void *b)
{
	static const char *const names[] = { "what", "by", "layer", "service", "host", "why" };
	const struct share *x = a, *y = b;
	int r = 0;

	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	for (size_t i = 0; i < ARRAY_SIZE(names) && !r; i++)
		r = compare_texts(x->part, y->part, names[i]);
	return r;
}

void
budget_finish(json_t *budget)
{
	const size_t n = json_array_size(budget);
	const uint64_t total = budget_total(budget);
	_cleanup_(freep) struct share *shares = xcalloc(n + 1, sizeof *shares);
	unsigned sum = 0;

	for (size_t i = 0; i < n; i++)
		shares[i] = (struct share) { .part = json_incref(json_array_get(budget, i)),
					     .ns = ns_of(json_array_get(budget, i)) };
	qsort(shares, n, sizeof *shares, by_length);
	for (size_t i = 0; i < n && total; i++) {
		const __uint128_t scaled = (__uint128_t) shares[i].ns * 10000;

		shares[i].index = i;
		shares[i].percent_100 = (unsigned) (scaled / total);
		shares[i].rest = (uint64_t) (scaled % total);
		sum += shares[i].percent_100;
	}
	qsort(shares, n, sizeof *shares, by_rest);
	for (size_t i = 0; i < n && total && sum < 10000; i++, sum++)
		shares[i].percent_100++;
	qsort(shares, n, sizeof *shares, by_length);
	json_array_clear(budget);
	for (size_t i = 0; i < n; i++) {
		if (total)
			json_object_set_new(shares[i].part, "percent",
					    json_real(shares[i].percent_100 / 100.0));
		json_array_append_new(budget, shares[i].part);
	}
}

/* -- Questions as text --------------------------------------------------------------- */

/* All of them, as what is settled is found by its question. */
static char *
question_text(const struct kernel_question *questions, size_t n, uint64_t from_ns)
{
	struct buf out = { 0 };

	buf_add_string(&out, "budget");
	for (size_t i = 0; i < n; i++) {
		const struct kernel_question *q = &questions[i];

		buf_printf(&out, " %u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, (unsigned) q->who,
			   q->pid, q->tid, q->from_ns - from_ns, q->to_ns - q->from_ns);
	}
	return out.data;
}

/* The same backwards. */
static struct cpu_question *
read_questions(const char *text, uint64_t from_ns, size_t *ret_n)
{
	static const enum cpu_who kinds[] = {
		[KERNEL_PROCESS] = WHO_PROCESS, [KERNEL_MIGRATION] = WHO_MIGRATION,
		[KERNEL_SERVICE] = WHO_SERVICE,
	};
	struct cpu_question *questions = xcalloc(MAX_QUESTIONS, sizeof *questions);
	unsigned long long pid, tid, begin, length;
	unsigned who;
	size_t n = 0;

	for (text = strchr(text, ' '); text && n < MAX_QUESTIONS; text = strchr(text + 1, ' ')) {
		if (sscanf(text, " %u,%llu,%llu,%llu,%llu", &who, &pid, &tid, &begin, &length) != 5)
			break;
		questions[n++] = (struct cpu_question) {
			.pid = (uint32_t) pid, .tid = (uint32_t) tid,
			.who = who < ARRAY_SIZE(kinds) ? kinds[who] : WHO_PROCESS,
			.from_ns = from_ns + begin, .to_ns = from_ns + begin + length,
		};
	}
	*ret_n = n;
	return questions;
}

/* -- Answers ------------------------------------------------------------------------- */

static json_t *
parts_json(struct cpu_split *split, size_t question)
{
	static const struct {
		const char *what, *why;
	} kinds[N_CPU_PARTS] = {
		[PART_CPU] = { "cpu", NULL }, [PART_WAITING] = { "waiting-cpu", NULL },
		[PART_DISK] = { "disk", NULL }, [PART_NETWORK] = { "network", NULL },
		[PART_TIMER] = { "timer", NULL }, [PART_INTERRUPT] = { "interrupt", NULL },
		[PART_TASK] = { "task", NULL }, [PART_BLOCKED] = { "blocked", NULL },
		[PART_UNKNOWN] = { "unexplained", "events were lost, or the thread was not seen yet" },
		[PART_ABSENT] = { "unexplained", "its kernel did not see it run then" },
		[PART_GAP] = { "unexplained", "nothing was recorded of its kernel then" },
	};
	size_t n;
	struct cpu_part *parts = cpu_split_parts(split, question, &n);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		budget_add_part(list, kinds[parts[i].kind].what, parts[i].ns,
				*parts[i].by ? parts[i].by : NULL, kinds[parts[i].kind].why);
	free(parts);
	return list;
}

struct reading {
	struct cpu_split *split;
	uint64_t to_ns;
	unsigned n;
};

static bool
add_window(void *context, const char *host, const char *key, const struct fact_window *window)
{
	struct reading *reading = context;

	if (window->start_ns >= reading->to_ns && !cpu_split_pending(reading->split))
		return false;
	/* A damaged one is a gap. */
	cpu_split_add(reading->split, window);
	return ++reading->n < MAX_WINDOWS;
}

static json_t *
ask(struct store *store, const struct settled_question *question)
{
	struct cpu_question *questions;
	struct reading reading = { .to_ns = question->to_ns };
	uint64_t first_ns, last_ns;
	json_t *answer;
	size_t n;

	if (!store_windows_span(store, question->host, "cpu", &first_ns, &last_ns) ||
	    last_ns <= question->from_ns || first_ns >= question->to_ns)
		return NULL;
	questions = read_questions(question->what, question->from_ns, &n);
	reading.split = cpu_split_new(questions, n);
	free(questions);
	store_windows(store, question->host, "cpu", NULL, question->from_ns,
		      question->to_ns + PENDING_NS, add_window, &reading, NULL);
	answer = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(answer, parts_json(reading.split, i));
	cpu_split_free(reading.split);
	return answer;
}

json_t *
kernel_budgets(struct store *store, const char *host, const struct kernel_question *questions,
	       size_t n)
{
	struct settled_question question = { .host = host };
	const size_t asked = MIN(n, (size_t) MAX_QUESTIONS);
	_cleanup_(freep) char *what = NULL;
	json_t *answer;

	if (!n || !host || !*host)
		return NULL;
	question.from_ns = question.to_ns = questions[0].from_ns;
	for (size_t i = 0; i < asked; i++) {
		question.from_ns = MIN(question.from_ns, questions[i].from_ns);
		question.to_ns = MAX(question.to_ns, questions[i].to_ns);
	}
	question.what = what = question_text(questions, asked, question.from_ns);
	answer = settled_ask(store, &question, ask);
	for (size_t i = asked; i < n && answer; i++) {
		json_array_append_new(answer, json_array());
		budget_add_part(json_array_get(answer, i), "unexplained",
				questions[i].to_ns - questions[i].from_ns, NULL,
				"there are too many such spans");
	}
	return answer;
}

json_t *
kernel_span_budget(struct store *store, const char *host, uint64_t pid, uint64_t tid,
		   uint64_t from_ns, uint64_t to_ns)
{
	const struct kernel_question question = { .pid = pid, .tid = tid, .from_ns = from_ns,
						  .to_ns = to_ns };
	json_t *answer = to_ns > from_ns ? kernel_budgets(store, host, &question, 1) : NULL;
	json_t *budget = answer ? json_incref(json_array_get(answer, 0)) : NULL;

	json_decref(answer);
	if (budget)
		budget_finish(budget);
	return budget;
}
