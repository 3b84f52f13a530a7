/* SPDX-License-Identifier: MIT
 *
 * kernel_node_answers.c -- a node as a whole: what its CPUs did, for which VM, who
 * waited and for whom. */
#include "daemon/kernel_answers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/kernel_cpu_sum.h"
#include "daemon/kernel_cpu_answers.h"
#include "lib/util.h"

enum { MAX_THREADS_SHOWN = 20, MAX_CONNECTIONS_SHOWN = 10, MAX_GROUPS = 4096, MAX_PAIRS = 50 };

static json_t *
number(uint64_t value)
{
	return json_integer((json_int_t) MIN(value, (uint64_t) INT64_MAX));
}

/* A VM's process, or what else has threads: a name. */
struct group {
	uint32_t pid;                /* Of a VM, else 0. */
	char name[16];
	uint64_t ns[N_CPU_STATES], guest_ns, halted_ns;
	unsigned threads;
};

struct pair {
	size_t victim, taker;        /* Groups. */
	uint64_t ns;
};

struct node {
	const struct cpu_sum_thread *threads;
	size_t n_threads;
	struct group *groups;
	size_t n_groups;
	struct pair *pairs;
	size_t n_pairs;
};

/* Whether a process runs a guest. */
static bool
is_vm(const struct node *node, uint32_t pid)
{
	for (size_t i = 0; i < node->n_threads && pid; i++)
		if (node->threads[i].pid == pid && node->threads[i].role == CPU_VCPU)
			return true;
	return false;
}

/* "kworker/3:1" and the like are many of one kind. */
static void
short_name(const char *name, char ret[16])
{
	const size_t n = starts_with(name, "kworker/") || starts_with(name, "ksoftirqd/") ?
		strcspn(name, "/") : strlen(name);

	memset(ret, 0, 16);
	memcpy(ret, name, MIN(n, (size_t) 15));
}

static size_t
group_of(struct node *node, uint32_t pid, const char *name)
{
	char plain[16];
	size_t i = 0;

	if (!is_vm(node, pid))
		pid = 0;
	short_name(name, plain);
	while (i < node->n_groups && (node->groups[i].pid != pid ||
				      (!pid && !streq(node->groups[i].name, plain))))
		i++;
	if (i == node->n_groups && i < MAX_GROUPS) {
		node->groups[i].pid = pid;
		memcpy(node->groups[i].name, plain, sizeof plain);
		node->n_groups++;
	}
	return MIN(i, (size_t) MAX_GROUPS - 1);
}

static void
add_pair(struct node *node, size_t victim, size_t taker, uint64_t ns)
{
	size_t i = 0;

	while (i < node->n_pairs &&
	       (node->pairs[i].victim != victim || node->pairs[i].taker != taker))
		i++;
	if (i == MAX_GROUPS)
		return;
	if (i == node->n_pairs)
		node->pairs[node->n_pairs++] = (struct pair) { .victim = victim, .taker = taker };
	node->pairs[i].ns += ns;
}

static uint32_t
pid_of(const struct node *node, uint32_t tid)
{
	for (size_t i = 0; i < node->n_threads && tid; i++)
		if (node->threads[i].tid == tid)
			return node->threads[i].pid;
	return 0;
}

static void
group_threads(struct node *node)
{
	node->groups = xcalloc(MAX_GROUPS, sizeof *node->groups);
	node->pairs = xcalloc(MAX_GROUPS, sizeof *node->pairs);
	for (size_t i = 0; i < node->n_threads; i++) {
		const struct cpu_sum_thread *t = &node->threads[i];
		const size_t victim = group_of(node, t->pid, t->name);
		struct group *group = &node->groups[victim];

		for (unsigned s = 0; s < N_CPU_STATES; s++)
			group->ns[s] += t->ns[s];
		group->guest_ns += t->guest_ns;
		group->halted_ns += t->halted_ns;
		group->threads++;
		for (size_t k = 0; k < t->n_takers; k++)
			add_pair(node, victim, group_of(node, pid_of(node, t->takers[k].tid),
							t->takers[k].name), t->takers[k].ns);
	}
}

/* -- JSON -------------------------------------------------------------------------------- */

/* Name and uuid of the VM, from what cloudtrace-node told of the process. */
static json_t *
group_json(struct store *store, const char *host, const struct group *group)
{
	char pid[24];
	json_t *vm, *object;

	if (!group->pid)
		return json_pack("{s:n, s:o, s:n}", "pid", "name", store_string(group->name), "uuid");
	snprintf(pid, sizeof pid, "%" PRIu32, group->pid);
	vm = store_entity(store, host, "qemu.process", pid, 0);
	object = json_pack("{s:o}", "pid", number(group->pid));
	json_object_set(object, "name", json_object_get(vm, "name") ?: json_null());
	json_object_set(object, "uuid", json_object_get(vm, "uuid") ?: json_null());
	json_decref(vm);
	return object;
}

static json_t *
group_figures(struct store *store, const char *host, const struct group *group)
{
	json_t *object = group_json(store, host, group);

	json_object_set_new(object, "running_ns", number(group->ns[CPU_RUNNING]));
	json_object_set_new(object, "waiting_ns", number(group->ns[CPU_WAITING]));
	json_object_set_new(object, "blocked_ns", number(group->ns[CPU_BLOCKED]));
	json_object_set_new(object, "unknown_ns", number(group->ns[CPU_UNKNOWN]));
	json_object_set_new(object, "guest_ns", number(group->guest_ns));
	json_object_set_new(object, "halted_ns", number(group->halted_ns));
	json_object_set_new(object, "threads", number(group->threads));
	return object;
}

static int
by_use(const void *a, const void *b)
{
	const struct group *x = *(const struct group *const *) a;
	const struct group *y = *(const struct group *const *) b;
	const uint64_t more = x->ns[CPU_RUNNING] + x->ns[CPU_WAITING];
	const uint64_t less = y->ns[CPU_RUNNING] + y->ns[CPU_WAITING];

	if (more != less)
		return more > less ? -1 : 1;
	return x->pid != y->pid ? (x->pid < y->pid ? -1 : 1) : strcmp(x->name, y->name);
}

static json_t *
groups_json(struct store *store, const char *host, const struct node *node, bool vms, unsigned limit)
{
	const struct group **list = xcalloc(node->n_groups + 1, sizeof *list);
	json_t *array = json_array();
	size_t n = 0;

	for (size_t i = 0; i < node->n_groups; i++)
		if ((node->groups[i].pid != 0) == vms)
			list[n++] = &node->groups[i];
	qsort(list, n, sizeof *list, by_use);
	for (size_t i = 0; i < MIN(n, (size_t) limit); i++)
		json_array_append_new(array, group_figures(store, host, list[i]));
	free(list);
	return array;
}

static int
by_taken(const void *a, const void *b)
{
	const struct pair *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return x->victim != y->victim ? (x->victim < y->victim ? -1 : 1) :
		x->taker < y->taker ? -1 : x->taker > y->taker;
}

static json_t *
neighbours_json(struct store *store, const char *host, const struct node *node)
{
	json_t *list = json_array();

	qsort(node->pairs, node->n_pairs, sizeof *node->pairs, by_taken);
	for (size_t i = 0; i < MIN(node->n_pairs, (size_t) MAX_PAIRS); i++)
		json_array_append_new(list, json_pack(
			"{s:o, s:o, s:o}", "victim",
			group_json(store, host, &node->groups[node->pairs[i].victim]), "taker",
			group_json(store, host, &node->groups[node->pairs[i].taker]), "ns",
			number(node->pairs[i].ns)));
	return list;
}

static json_t *
cpus_json(const struct cpu_sum *sum)
{
	const struct cpu_sum_cpu *cpus;
	const size_t n = cpu_sum_cpus(sum, &cpus);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack(
			"{s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "cpu", (int) i, "known_ns",
			number(cpus[i].span_ns), "idle_ns", number(cpus[i].idle_ns), "unknown_ns",
			number(cpus[i].unknown_ns), "irq_ns", number(cpus[i].irq_ns), "softirq_ns",
			number(cpus[i].softirq_ns), "switches", number(cpus[i].switches)));
	return list;
}

static json_t *
waits_json(const char *host, const struct node *node)
{
	const struct cpu_sum_thread **list = xcalloc(node->n_threads + 1, sizeof *list);
	json_t *array = json_array();
	size_t n = 0;

	for (size_t i = 0; i < node->n_threads; i++)
		if (node->threads[i].role && node->threads[i].ns[CPU_WAITING])
			list[n++] = &node->threads[i];
	qsort(list, n, sizeof *list, kernel_by_wait);
	for (size_t i = 0; i < MIN(n, (size_t) MAX_THREADS_SHOWN); i++)
		json_array_append_new(array, kernel_thread_json(host, list[i]));
	free(list);
	return array;
}

static json_t *
or_null(json_t *value)
{
	return value ? value : json_null();
}

json_t *
kernel_node(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	struct kernel_filter some = *filter;
	struct node node = { 0 };
	uint64_t from_ns, to_ns;
	struct cpu_sum *sum;
	json_t *answer;

	if (kernel_span(store, filter, "cpu", &from_ns, &to_ns, error) < 0)
		return NULL;
	sum = kernel_read_sum(store, filter->host, from_ns, to_ns, error);
	if (!sum)
		return NULL;
	some.since_ns = from_ns;
	some.until_ns = to_ns;
	some.limit = MAX_CONNECTIONS_SHOWN;
	node.n_threads = cpu_sum_threads(sum, &node.threads);
	group_threads(&node);
	answer = json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "host", filter->host,
			   "since_ns", number(from_ns), "until_ns", number(to_ns), "cpus",
			   cpus_json(sum), "vms", groups_json(store, filter->host, &node, true, 1000),
			   "others", groups_json(store, filter->host, &node, false, 20), "waits",
			   waits_json(filter->host, &node), "neighbours",
			   neighbours_json(store, filter->host, &node), "disks",
			   or_null(kernel_disks(store, &some, NULL)), "network",
			   or_null(kernel_network(store, &some, NULL)));
	free(node.groups);
	free(node.pairs);
	cpu_sum_free(sum);
	return answer;
}

/* -- Top ------------------------------------------------------------------------------------ */

static void
add_rows(struct store *store, const struct kernel_filter *filter, const char *host, json_t *rows)
{
	struct kernel_filter here = *filter;
	struct node node = { 0 };
	uint64_t from_ns, to_ns;
	struct cpu_sum *sum;
	json_t *lists[2], *row;
	size_t i;

	here.host = host;
	if (kernel_span(store, &here, "cpu", &from_ns, &to_ns, NULL) < 0)
		return;
	sum = kernel_read_sum(store, host, from_ns, to_ns, NULL);
	if (!sum)
		return;
	node.n_threads = cpu_sum_threads(sum, &node.threads);
	group_threads(&node);
	lists[0] = groups_json(store, host, &node, true, 1000);
	lists[1] = groups_json(store, host, &node, false, 50);
	for (unsigned k = 0; k < 2; k++) {
		json_array_foreach(lists[k], i, row) {
			json_object_set_new(row, "host", json_string(host));
			json_object_set_new(row, "what", json_string(k ? "process" : "vm"));
			json_object_set_new(row, "since_ns", number(from_ns));
			json_object_set_new(row, "until_ns", number(to_ns));
			json_array_append(rows, row);
		}
		json_decref(lists[k]);
	}
	free(node.groups);
	free(node.pairs);
	cpu_sum_free(sum);
}

static int
by_wish(const void *a, const void *b)
{
	json_t *const *x = a, *const *y = b;
	const json_int_t more = json_integer_value(json_object_get(*x, "running_ns")) +
		json_integer_value(json_object_get(*x, "waiting_ns"));
	const json_int_t less = json_integer_value(json_object_get(*y, "running_ns")) +
		json_integer_value(json_object_get(*y, "waiting_ns"));

	return more > less ? -1 : more < less;
}

json_t *
kernel_top(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	json_t *rows = json_array(), *nodes = store_node_list(store, error), *node, *answer;
	size_t i, n;
	json_t **sorted;

	json_array_foreach(nodes, i, node) {
		const char *host = json_string_value(json_object_get(node, "host"));

		if (host && (!filter->host || streq(host, filter->host)))
			add_rows(store, filter, host, rows);
	}
	n = json_array_size(rows);
	sorted = xcalloc(n + 1, sizeof(json_t *));
	for (i = 0; i < n; i++)
		sorted[i] = json_array_get(rows, i);
	qsort(sorted, n, sizeof *sorted, by_wish);
	answer = json_array();
	for (i = 0; i < MIN(n, (size_t) (filter->limit ? filter->limit : 40)); i++)
		json_array_append(answer, sorted[i]);
	free(sorted);
	json_decref(rows);
	json_decref(nodes);
	if (nodes)
		return answer;
	json_decref(answer);
	return NULL;
}
