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
view_vm_threads(const json_t *threads, const struct screen *screen, struct buf *out)
{
	size_t count = json_array_size(threads), shown = screen->wide ? count :
							 MIN(count, (size_t) MAX_VM_THREADS);
	json_t *list = json_array();

	for (size_t i = 0; i < shown; i++)
		json_array_append(list, json_array_get(threads, i));
	page_list("Threads of its QEMU", &thread_view, list, screen, out);
	if (count > shown)
		buf_printf(out, "%zu more (-o wide shows all)\n", count - shown);
	json_decref(list);
}
