/* SPDX-License-Identifier: MIT
 *
 * view_vm.c -- virtual machines: list, page, and the history of their states. */
#include "client/columns.h"
#include "lib/clock.h"

static void
write_state(const json_t *vm, const struct screen *screen, struct buf *out)
{
	const char *state = json_text_at(vm, "vm_state");

	screen_add_text(screen, json_is_true(json_at(vm, "deleted")) ? "deleted" :
				state ? state : "", out);
}

static const struct column vm_columns[] = {
	FIELD("UUID", "uuid", ID, 0),
	FIELD("NAME", "name", TEXT, COLUMN_FLEX),
	FIELD("HOST", "host", TEXT, 0),
	{ "STATE", NULL, VALUE_STATE, 0, write_state },
	FIELD("TASK", "task_state", TEXT, COLUMN_SPARE),
	FIELD("POWER", "power_state", TEXT, 0),
	FIELD("CHANGED", "changed_ns", AGE, COLUMN_SPARE),
	FIELD("LIBVIRT", "instance_name", TEXT, COLUMN_WIDE),
	FIELD("PID", "pid", NUMBER, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("VCPUS", "vcpus", COUNT, COLUMN_RIGHT | COLUMN_WIDE | COLUMN_SPARE),
	FIELD("MEMORY", "memory_mib", COUNT, COLUMN_RIGHT | COLUMN_WIDE | COLUMN_SPARE),
	FIELD("FLAVOR", "flavor", TEXT, COLUMN_WIDE | COLUMN_SPARE),
	FIELD("PROJECT", "project", ID, COLUMN_WIDE | COLUMN_SPARE),
	{ .title = NULL }
};

static const char *const vm_csv[] = {
	"uuid", "name", "host", "vm_state", "task_state", "power_state", "deleted", "changed_ns",
	"created_ns", "instance_name", "pid", "vcpus", "memory_mib", "flavor", "image", "user",
	"project", NULL
};

const struct view vm_view = VIEW("vm", NULL, vm_columns, vm_csv, "no VMs");

/* -- History: the page's and its own ---------------------------------------- */

static const struct column history_columns[] = {
	FIELD("TIME", "t_ns", MOMENT, 0),
	FIELD("AFTER", "after_ns", DURATION, COLUMN_RIGHT),
	FIELD("HOST", "host", TEXT, 0),
	FIELD("SERVICE", "service", TEXT, COLUMN_WIDE),
	FIELD("WHAT", "what", TEXT, 0),
	FIELD("FROM", "from", TEXT, COLUMN_FLEX),
	{ "TO", "to", VALUE_STATE, COLUMN_FLEX, NULL },
	FIELD("REQUEST", "request_id", ID, 0),
	{ .title = NULL }
};

static const char *const history_csv[] = {
	"t_ns", "what", "from", "to", "request_id", "host", "service", NULL
};

const struct view vm_history_view =
	VIEW("vm", NULL, history_columns, history_csv, "no change of state was seen");

/* A copy of the last 'limit' changes (0: all), each with the time since the one before. */
static json_t *
with_steps(const json_t *history, size_t limit)
{
	size_t count = json_array_size(history), first = limit && count > limit ? count - limit : 0;
	json_t *list = json_array();

	for (size_t i = first; i < count; i++) {
		json_t *change = json_copy(json_array_get(history, i));
		uint64_t before = i ? json_number_at(json_array_get(history, i - 1), "t_ns") : 0;
		uint64_t t = json_number_at(change, "t_ns");

		/* What was told at one time is kept apart by single ns. */
		if (before && t >= before + NS_PER_US)
			json_object_set_new(change, "after_ns", json_integer((json_int_t) (t - before)));
		json_array_append_new(list, change);
	}
	return list;
}

void
view_vm_history(const json_t *history, const struct screen *screen, struct buf *out)
{
	json_t *list = with_steps(history, 0);

	if (json_array_size(list))
		view_table(&vm_history_view, list, screen, out);
	json_decref(list);
}

/* -- The page ------------------------------------------------------------- */

static const struct page_field vm_fields[] = {
	{ "uuid", "uuid", VALUE_TEXT, NULL, NULL },
	{ "host", "host", VALUE_TEXT, NULL, NULL },
	{ NULL, "pid", VALUE_NUMBER, "qemu pid ", NULL },
	{ NULL, "instance_name", VALUE_TEXT, "libvirt ", NULL },
	{ "state", "vm_state", VALUE_STATE, NULL, NULL },
	{ NULL, "task_state", VALUE_TEXT, "task ", NULL },
	{ NULL, "power_state", VALUE_TEXT, "power ", NULL },
	{ NULL, "changed_ns", VALUE_AGE, "since ", NULL },
	{ "size", "vcpus", VALUE_COUNT, NULL, " vcpus" },
	{ NULL, "memory_mib", VALUE_COUNT, NULL, " MiB" },
	{ NULL, "flavor", VALUE_TEXT, "flavor ", NULL },
	{ NULL, "image", VALUE_TEXT, "image ", NULL },
	{ "of", "user", VALUE_TEXT, "user ", NULL },
	{ NULL, "project", VALUE_TEXT, "project ", NULL },
	{ "created", "created_ns", VALUE_TIME, NULL, NULL },
	{ NULL, "created_ns", VALUE_AGE, ", ", NULL },
	{ .path = NULL }
};

static const struct column ports_columns[] = {
	FIELD("ID", "id", ID, 0),
	{ "STATUS", "status", VALUE_STATE, 0, NULL },
	FIELD("MAC", "mac", TEXT, 0),
	FIELD("IPS", "ips", LIST, COLUMN_FLEX),
	FIELD("TAP", "tap", TEXT, 0),
	FIELD("NETWORK", "network", ID, COLUMN_SPARE),
	FIELD("VIF", "vif_type", TEXT, COLUMN_WIDE),
	{ .title = NULL }
};

static const struct view ports_view = VIEW("port", NULL, ports_columns, NULL, "no ports");

static const struct column volumes_columns[] = {
	FIELD("ID", "id", ID, 0),
	FIELD("NAME", "name", TEXT, COLUMN_FLEX),
	{ "STATUS", "status", VALUE_STATE, 0, NULL },
	FIELD("GIB", "size_gib", COUNT, COLUMN_RIGHT),
	FIELD("DEVICE", "device", TEXT, 0),
	FIELD("PATH", "path", TEXT, COLUMN_FLEX),
	FIELD("ATTACHMENT", "attachment", ID, COLUMN_WIDE),
	{ .title = NULL }
};

static const struct view volumes_view = VIEW("volume", NULL, volumes_columns, NULL, "no volumes");

enum { SHORT_HISTORY = 12 };

static void
write_history(const json_t *vm, const struct screen *screen, struct buf *out)
{
	const json_t *history = json_at(vm, "history");
	size_t limit = screen->wide ? 0 : SHORT_HISTORY, count = json_array_size(history);
	json_t *list = with_steps(history, limit);

	page_list("Changes", &vm_history_view, list, screen, out);
	if (limit && count > limit)
		buf_printf(out, "%zu before these (-o wide, or vm history, shows all)\n",
			   count - limit);
	json_decref(list);
}

void
view_vm(const json_t *vm, const struct screen *screen, struct buf *out)
{
	const char *name = json_text_at(vm, "name"), *uuid = json_text_at(vm, "uuid");
	const char *state = json_is_true(json_at(vm, "deleted")) ? "deleted" :
			    json_text_at(vm, "vm_state");

	page_head("vm", name ? name : uuid, state, screen, out);
	buf_add_char(out, '\n');
	page_fields(vm_fields, vm, screen, out);
	page_list("Ports", &ports_view, json_at(vm, "ports"), screen, out);
	page_list("Volumes", &volumes_view, json_at(vm, "volumes"), screen, out);
	page_list("Requests", &flow_short_view, json_at(vm, "flows"), screen, out);
	write_history(vm, screen, out);
}
