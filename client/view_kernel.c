/* SPDX-License-Identifier: MIT
 *
 * view_kernel.c -- what the kernel says of threads: how long they ran, waited for
 * a CPU and were blocked, and why. */
#include "client/columns.h"
#include "client/plot.h"

enum { STACK_WIDTH = 20, MAX_VM_THREADS = 12 };

static const char *const states[] = { "running_ns", "waiting_ns", "blocked_ns", "unknown_ns" };

static uint64_t
lifetime(const json_t *thread)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(states); i++)
		sum += MIN(json_number_at(thread, states[i]), (uint64_t) INT64_MAX >> 2);
	return sum;
}

/* "1.20 s, 24 %". */
static void
write_share(const json_t *thread, const char *state, struct buf *out)
{
	uint64_t ns = json_number_at(thread, state), whole = lifetime(thread);

	if (!ns || !whole)
		return;
	page_duration(ns, out);
	buf_printf(out, "%4.0f %%", (double) ns / (double) whole * 100);
}

/* -- Threads -------------------------------------------------------------- */

static void
write_running(const json_t *thread, const struct screen *screen, struct buf *out)
{
	write_share(thread, "running_ns", out);
}

static void
write_waiting(const json_t *thread, const struct screen *screen, struct buf *out)
{
	write_share(thread, "waiting_ns", out);
}

static void
write_blocked(const json_t *thread, const struct screen *screen, struct buf *out)
{
	write_share(thread, "blocked_ns", out);
}

static void
write_stack(const json_t *thread, const struct screen *screen, struct buf *out)
{
	uint64_t shares[ARRAY_SIZE(states)];

	for (unsigned i = 0; i < ARRAY_SIZE(states); i++)
		shares[i] = json_number_at(thread, states[i]);
	plot_stack(screen, shares, ARRAY_SIZE(states), STACK_WIDTH, out);
}

/* Who had the CPU while it waited: those that had it longest. */
static void
write_takers(const json_t *thread, const struct screen *screen, struct buf *out)
{
	const json_t *takers = json_at(thread, "waited_for");
	size_t count = json_array_size(takers), shown = screen->wide ? count : MIN(count, 2U);

	for (size_t i = 0; i < shown; i++) {
		const json_t *taker = json_array_get(takers, i);
		const char *name = json_text_at(taker, "name");

		screen_printf(screen, out, "%s%s ", i ? ", " : "", name && *name ? name : "?");
		page_duration(json_number_at(taker, "ns"), out);
	}
}

/* What it was blocked on longest; wide: each. */
static void
write_causes(const json_t *thread, const struct screen *screen, struct buf *out)
{
	const json_t *causes = json_at(thread, "blocked_by");
	const char *cause, *most = NULL, *separator = "";
	json_t *ns;

	json_object_foreach((json_t *) causes, cause, ns) {
		if (!screen->wide) {
			if (!most || json_integer_value(ns) > json_integer_value(
				     json_object_get(causes, most)))
				most = cause;
			continue;
		}
		screen_printf(screen, out, "%s%s ", separator, cause);
		page_duration((uint64_t) MAX(json_integer_value(ns), 0), out);
		separator = ", ";
	}
	if (!most)
		return;
	screen_printf(screen, out, "%s ", most);
	page_duration(json_number_at(causes, most), out);
}

/* Of a vCPU: the time in the guest, and the exit that took longest. */
static void
write_guest(const json_t *thread, const struct screen *screen, struct buf *out)
{
	const json_t *exits = json_at(thread, "vcpu.exits"), *longest = NULL;
	json_t *one;
	size_t i;

	if (!json_at(thread, "vcpu"))
		return;
	page_duration(json_number_at(thread, "vcpu.guest_ns"), out);
	json_array_foreach(exits, i, one) {
		if (!longest || json_number_at(one, "ns") > json_number_at(longest, "ns"))
			longest = one;
	}
	if (!longest)
		return;
	if (json_text_at(longest, "name"))
		screen_printf(screen, out, ", %s ", json_text_at(longest, "name"));
	else
		buf_printf(out, ", exit %llu ", (unsigned long long)
			   json_number_at(longest, "reason"));
	screen_add_count(json_number_at(longest, "count"), out);
	buf_add_string(out, screen->utf8 ? "\u00d7" : "x");
}

static const struct column thread_columns[] = {
	FIELD("HOST", "host", TEXT, COLUMN_WIDE),
	FIELD("PID", "pid", NUMBER, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("TID", "tid", NUMBER, COLUMN_RIGHT),
	FIELD("NAME", "name", TEXT, COLUMN_FLEX),
	FIELD("IS", "role", TEXT, 0),
	PIECE("RUNNING", write_running, COLUMN_RIGHT),
	PIECE("WAITING", write_waiting, COLUMN_RIGHT),
	PIECE("BLOCKED", write_blocked, COLUMN_RIGHT),
	PIECE("RUN, WAIT, BLOCK", write_stack, COLUMN_SPARE),
	PIECE("WAITED FOR", write_takers, COLUMN_FLEX),
	PIECE("BLOCKED BY", write_causes, COLUMN_FLEX),
	PIECE("GUEST", write_guest, COLUMN_FLEX | COLUMN_SPARE),
	FIELD("SWITCHES", "switches", COUNT, COLUMN_RIGHT | COLUMN_WIDE),
	{ .title = NULL }
};

static const char *const thread_csv[] = {
	"host", "pid", "tid", "name", "role", "running_ns", "waiting_ns", "blocked_ns",
	"unknown_ns", "absent_ns", "exact", "switches", "woken_by", "vcpu.guest_ns",
	"vcpu.halted_ns", NULL
};

const struct view thread_view = VIEW("thread", NULL, thread_columns, thread_csv, "no threads");

void
view_vm_threads(const json_t *vm, const json_t *threads, const struct screen *screen,
		struct buf *out)
{
	size_t count = json_array_size(threads), shown = screen->wide ? count :
							 MIN(count, (size_t) MAX_VM_THREADS);
	json_t *list = json_array();

	for (size_t i = 0; i < shown; i++)
		json_array_append(list, json_array_get(threads, i));
	page_list("Threads of its QEMU, in the last seconds", &thread_view, list, screen, out);
	if (count > shown)
		buf_printf(out, "%zu more (-o wide shows all)\n", count - shown);
	json_decref(list);
}

/* -- VMs and processes: of a node, of all --------------------------------------- */

static void
write_group(const json_t *group, const struct screen *screen, struct buf *out)
{
	const char *name = json_text_at(group, "name"), *uuid = json_text_at(group, "uuid");

	if (name)
		screen_add_text(screen, name, out);
	else if (uuid)
		screen_printf(screen, out, screen->wide ? "%s" : "%.8s", uuid);
	else if (json_at(group, "pid"))
		buf_printf(out, "pid %llu", (unsigned long long) json_number_at(group, "pid"));
	if (name && uuid && screen->wide)
		screen_printf(screen, out, " (%s)", uuid);
}

/* CPUs' worth of it: 1.00 is one CPU all the time. */
static void
write_cpus(const json_t *group, const char *member, struct buf *out)
{
	uint64_t from = json_number_at(group, "since_ns"), to = json_number_at(group, "until_ns");

	if (to > from && json_at(group, member))
		buf_printf(out, "%.2f", (double) json_number_at(group, member) /
			   (double) (to - from));
}

static void
write_used(const json_t *group, const struct screen *screen, struct buf *out)
{
	write_cpus(group, "running_ns", out);
}

static void
write_wanted(const json_t *group, const struct screen *screen, struct buf *out)
{
	write_cpus(group, "waiting_ns", out);
}

static void
write_in_guest(const json_t *group, const struct screen *screen, struct buf *out)
{
	write_cpus(group, "guest_ns", out);
}

static const struct column top_columns[] = {
	FIELD("HOST", "host", TEXT, 0),
	FIELD("IS", "what", TEXT, 0),
	PIECE("NAME", write_group, COLUMN_FLEX),
	FIELD("PID", "pid", NUMBER, COLUMN_RIGHT | COLUMN_SPARE),
	PIECE("CPUS", write_used, COLUMN_RIGHT),
	PIECE("WAITING", write_wanted, COLUMN_RIGHT),
	PIECE("GUEST", write_in_guest, COLUMN_RIGHT),
	PIECE("RUN, WAIT, BLOCK", write_stack, 0),
	FIELD("THREADS", "threads", COUNT, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("UUID", "uuid", TEXT, COLUMN_WIDE),
	{ .title = NULL }
};

static const char *const top_csv[] = {
	"host", "what", "pid", "name", "uuid", "since_ns", "until_ns", "running_ns", "waiting_ns",
	"blocked_ns", "unknown_ns", "guest_ns", "halted_ns", "threads", NULL
};

const struct view top_view =
	VIEW("top", NULL, top_columns, top_csv, "nothing is known of the kernel of any node");

/* -- A node --------------------------------------------------------------- */

static const struct column group_columns[] = {
	PIECE("NAME", write_group, COLUMN_FLEX),
	FIELD("PID", "pid", NUMBER, COLUMN_RIGHT),
	PIECE("CPUS", write_used, COLUMN_RIGHT),
	PIECE("WAITING", write_wanted, COLUMN_RIGHT),
	PIECE("GUEST", write_in_guest, COLUMN_RIGHT),
	PIECE("RUN, WAIT, BLOCK", write_stack, 0),
	FIELD("THREADS", "threads", COUNT, COLUMN_RIGHT),
	{ .title = NULL }
};

static const struct view group_view = VIEW("node", NULL, group_columns, NULL, "none");

static void
write_victim(const json_t *pair, const struct screen *screen, struct buf *out)
{
	write_group(json_at(pair, "victim"), screen, out);
}

static void
write_taker(const json_t *pair, const struct screen *screen, struct buf *out)
{
	write_group(json_at(pair, "taker"), screen, out);
}

static const struct column pair_columns[] = {
	PIECE("WHO WAITED", write_victim, COLUMN_FLEX),
	FIELD("SO LONG", "ns", DURATION, COLUMN_RIGHT),
	PIECE("WHO HAD THE CPU", write_taker, COLUMN_FLEX),
	{ .title = NULL }
};

static const struct view pair_view = VIEW("node", NULL, pair_columns, NULL, "none");

/* The span of the node in each of its lists' items, which rates need. */
static json_t *
with_span(const json_t *node, const char *member, size_t limit)
{
	json_t *list = json_array(), *item;
	size_t i;

	json_array_foreach(json_at(node, member), i, item) {
		json_t *copy = json_copy(item);

		if (limit && json_array_size(list) == limit) {
			json_decref(copy);
			break;
		}
		json_object_set(copy, "since_ns", json_object_get(node, "since_ns"));
		json_object_set(copy, "until_ns", json_object_get(node, "until_ns"));
		json_array_append_new(list, copy);
	}
	return list;
}

static void
write_list(const char *title, const struct view *view, const json_t *node, const char *member,
	   size_t limit, const struct screen *screen, struct buf *out)
{
	json_t *list = with_span(node, member, screen->wide ? 0 : limit);

	page_list(title, view, list, screen, out);
	json_decref(list);
}

/* "cpu  0  ####----   71 % busy". */
static void
write_cpu(const json_t *cpu, const struct screen *screen, struct buf *out)
{
	uint64_t known = json_number_at(cpu, "known_ns"), idle = json_number_at(cpu, "idle_ns");
	uint64_t irq = json_number_at(cpu, "irq_ns") + json_number_at(cpu, "softirq_ns");
	uint64_t busy = known > idle ? known - idle : 0;
	uint64_t shares[] = { busy > irq ? busy - irq : 0, MIN(irq, busy), known - busy };

	buf_printf(out, "  cpu %-5llu ", (unsigned long long) json_number_at(cpu, "cpu"));
	plot_stack(screen, shares, ARRAY_SIZE(shares), 40, out);
	if (known)
		buf_printf(out, "   %.0f %% busy, %.1f %% interrupts", (double) busy /
			   (double) known * 100, (double) irq / (double) known * 100);
	buf_add_char(out, '\n');
}

static void
write_cpu_list(const json_t *node, const struct screen *screen, struct buf *out)
{
	const json_t *cpus = json_at(node, "cpus");
	size_t count = json_array_size(cpus), shown = screen->wide ? count : MIN(count, 16U);

	for (size_t i = 0; i < shown; i++)
		write_cpu(json_array_get(cpus, i), screen, out);
	if (count > shown)
		buf_printf(out, "  %zu more cpus (-o wide shows all)\n", count - shown);
}

/* Those that did anything, unless all are wanted. */
static void
write_disks(const json_t *node, const struct screen *screen, struct buf *out)
{
	static const char *const did[] = { "reads", "writes", "others", "flushes", "in_flight" };
	json_t *list = json_array(), *disk;
	size_t i;

	json_array_foreach(json_at(node, "disks"), i, disk) {
		bool used = screen->wide;

		for (unsigned k = 0; k < ARRAY_SIZE(did); k++)
			used |= json_number_at(disk, did[k]) > 0;
		if (used)
			json_array_append(list, disk);
	}
	page_list("Disks", &disk_view, list, screen, out);
	json_decref(list);
}

void
view_node(const json_t *node, const struct screen *screen, struct buf *out)
{
	uint64_t from = json_number_at(node, "since_ns"), to = json_number_at(node, "until_ns");

	page_head("node", json_text_at(node, "host"), NULL, screen, out);
	buf_add_string(out, "   ");
	page_duration(to > from ? to - from : 0, out);
	buf_add_string(out, " up to ");
	screen_add_moment(screen, to, out);
	buf_add_char(out, '\n');
	write_cpu_list(node, screen, out);
	write_list("VMs, in CPUs", &group_view, node, "vms", 20, screen, out);
	write_list("Other processes", &group_view, node, "others", 10, screen, out);
	write_list("Who waited for whom", &pair_view, node, "neighbours", 10, screen, out);
	write_list("Threads that waited most", &thread_view, node, "waits", 10, screen, out);
	write_disks(node, screen, out);
	view_node_network(json_at(node, "network"), screen, out);
}

/* -- A migration: what both QEMUs' threads did in each stage --------------------- */

enum { STAGE_THREADS = 3 };

static const struct column stage_thread_columns[] = {
	FIELD("STAGE", "stage", TEXT, 0),
	FIELD("OF", "side", TEXT, 0),
	FIELD("TID", "tid", NUMBER, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("THREAD", "name", TEXT, COLUMN_FLEX),
	PIECE("RUNNING", write_running, COLUMN_RIGHT),
	PIECE("WAITING", write_waiting, COLUMN_RIGHT),
	PIECE("BLOCKED", write_blocked, COLUMN_RIGHT),
	PIECE("WAITED FOR", write_takers, COLUMN_FLEX),
	PIECE("BLOCKED BY", write_causes, COLUMN_FLEX),
	{ .title = NULL }
};

static const struct view stage_thread_view =
	VIEW("migration", NULL, stage_thread_columns, NULL, "no threads");

/* Rounds are parts of a stage. */
static bool
is_round(const json_t *stage)
{
	const char *name = json_text_at(stage, "name");

	return name && starts_with(name, "round");
}

static void
add_side(json_t *rows, const json_t *stage, const char *side, bool all)
{
	const json_t *threads = json_at(stage, side);
	size_t count = json_array_size(threads);

	for (size_t i = 0; i < (all ? count : MIN(count, (size_t) STAGE_THREADS)); i++) {
		json_t *row = json_copy(json_array_get(threads, i));

		json_object_set(row, "stage", json_object_get(stage, "name"));
		json_object_set_new(row, "side", json_string(side));
		json_array_append_new(rows, row);
	}
}

void
view_migration_kernel(const json_t *migration, const struct screen *screen, struct buf *out)
{
	json_t *threads = json_array(), *connections = json_array(), *stage, *one;
	size_t i, k;

	json_array_foreach(json_at(migration, "kernel"), i, stage) {
		if (is_round(stage) && !screen->wide)
			continue;
		add_side(threads, stage, "source", screen->wide);
		add_side(threads, stage, "destination", screen->wide);
		json_array_foreach(json_at(stage, "connections"), k, one) {
			json_t *row = json_copy(one);

			json_object_set(row, "stage", json_object_get(stage, "name"));
			json_array_append_new(connections, row);
		}
	}
	page_list("Threads that ran or waited most", &stage_thread_view, threads, screen, out);
	page_list("Its connections", &stage_connection_view, connections, screen, out);
	json_decref(threads);
	json_decref(connections);
}
