/* SPDX-License-Identifier: MIT
 *
 * view_things.c -- volumes and ports: what VMs are attached to. */
#include "client/columns.h"

/* -- Volumes -------------------------------------------------------------- */

/* Where it is, not where it was. */
static void
write_device(const json_t *volume, const struct screen *screen, struct buf *out)
{
	const char *device = json_text_at(volume, "device");

	if (device && json_is_object(json_at(volume, "vm")))
		screen_add_text(screen, device, out);
}

static const struct column volume_columns[] = {
	FIELD("ID", "id", ID, 0),
	FIELD("NAME", "name", TEXT, COLUMN_FLEX),
	FIELD("STATUS", "status", STATE, 0),
	FIELD("GIB", "size_gib", COUNT, COLUMN_RIGHT),
	PIECE("VM", page_write_vm, COLUMN_FLEX),
	FIELD("HOST", "host", TEXT, COLUMN_SPARE),
	PIECE("DEVICE", write_device, 0),
	FIELD("BACKEND", "backend", TEXT, COLUMN_FLEX | COLUMN_SPARE),
	FIELD("CHANGED", "changed_ns", AGE, COLUMN_SPARE),
	FIELD("PATH", "path", TEXT, COLUMN_FLEX | COLUMN_WIDE),
	FIELD("TYPE", "volume_type", TEXT, COLUMN_WIDE | COLUMN_SPARE),
	{ .title = NULL }
};

static const char *const volume_csv[] = {
	"id", "name", "status", "size_gib", "volume_type", "backend", "vm.uuid", "vm.name", "host",
	"device", "path", "attachment", "user", "project", "changed_ns", NULL
};

const struct view volume_view = VIEW("volume", NULL, volume_columns, volume_csv, "no volumes");

static const struct page_field volume_fields[] = {
	{ "id", "id", VALUE_TEXT, NULL, NULL },
	{ "size", "size_gib", VALUE_COUNT, NULL, " GiB" },
	{ NULL, "volume_type", VALUE_TEXT, "type ", NULL },
	{ "backend", "backend", VALUE_TEXT, NULL, NULL },
	{ "vm", "vm.name", VALUE_TEXT, NULL, NULL },
	{ NULL, "vm.uuid", VALUE_TEXT, NULL, NULL },
	{ "attached", "host", VALUE_TEXT, "on ", NULL },
	{ NULL, "device", VALUE_TEXT, "as ", NULL },
	{ NULL, "path", VALUE_TEXT, "from ", NULL },
	{ NULL, "attachment", VALUE_TEXT, "attachment ", NULL },
	{ NULL, "detached_ns", VALUE_TIME, "until ", NULL },
	{ "of", "user", VALUE_TEXT, "user ", NULL },
	{ NULL, "project", VALUE_TEXT, "project ", NULL },
	{ "changed", "changed_ns", VALUE_TIME, NULL, NULL },
	{ NULL, "changed_ns", VALUE_AGE, ", ", NULL },
	{ .path = NULL }
};

static const struct column attachment_columns[] = {
	FIELD("ATTACHED", "start_ns", TIME, 0),
	FIELD("DETACHED", "end_ns", TIME, 0),
	PIECE("VM", page_write_vm, COLUMN_FLEX),
	FIELD("HOST", "host", TEXT, 0),
	FIELD("DEVICE", "device", TEXT, 0),
	FIELD("PATH", "path", TEXT, COLUMN_FLEX),
	FIELD("ATTACHMENT", "attachment", ID, COLUMN_SPARE),
	{ .title = NULL }
};

static const struct view attachment_view =
	VIEW("volume", NULL, attachment_columns, NULL, "was not attached");

void
view_volume(const json_t *volume, const struct screen *screen, struct buf *out)
{
	const char *name = json_text_at(volume, "name");

	page_head("volume", name && *name ? name : json_text_at(volume, "id"),
		  json_text_at(volume, "status"), screen, out);
	buf_add_char(out, '\n');
	page_fields(volume_fields, volume, screen, out);
	page_list("Attachments", &attachment_view, json_at(volume, "attachments"), screen, out);
	page_list("Requests", &flow_short_view, json_at(volume, "flows"), screen, out);
}

/* -- Ports ---------------------------------------------------------------- */

static const struct column port_columns[] = {
	FIELD("ID", "id", ID, 0),
	FIELD("NAME", "name", TEXT, COLUMN_FLEX | COLUMN_WIDE),
	FIELD("STATUS", "status", STATE, 0),
	PIECE("VM", page_write_vm, COLUMN_FLEX),
	FIELD("HOST", "host", TEXT, 0),
	FIELD("MAC", "mac", TEXT, 0),
	FIELD("IPS", "ips", LIST, COLUMN_FLEX),
	FIELD("TAP", "tap", TEXT, COLUMN_SPARE),
	FIELD("VIF", "vif_type", TEXT, COLUMN_SPARE),
	FIELD("CHANGED", "changed_ns", AGE, COLUMN_SPARE),
	FIELD("OWNER", "device_owner", TEXT, COLUMN_WIDE | COLUMN_SPARE),
	FIELD("NETWORK", "network", ID, COLUMN_WIDE | COLUMN_SPARE),
	{ .title = NULL }
};

static const char *const port_csv[] = {
	"id", "name", "status", "vm.uuid", "vm.name", "host", "mac", "ips", "tap", "network",
	"vif_type", "device_owner", "user", "project", "changed_ns", NULL
};

const struct view port_view = VIEW("port", NULL, port_columns, port_csv, "no ports");

static const struct page_field port_fields[] = {
	{ "id", "id", VALUE_TEXT, NULL, NULL },
	{ "address", "mac", VALUE_TEXT, NULL, NULL },
	{ NULL, "ips", VALUE_LIST, NULL, NULL },
	{ "vm", "vm.name", VALUE_TEXT, NULL, NULL },
	{ NULL, "vm.uuid", VALUE_TEXT, NULL, NULL },
	{ NULL, "device_owner", VALUE_TEXT, "owner ", NULL },
	{ "bound", "host", VALUE_TEXT, "on ", NULL },
	{ NULL, "tap", VALUE_TEXT, "tap ", NULL },
	{ NULL, "vif_type", VALUE_TEXT, "vif ", NULL },
	{ "network", "network", VALUE_TEXT, NULL, NULL },
	{ "of", "user", VALUE_TEXT, "user ", NULL },
	{ NULL, "project", VALUE_TEXT, "project ", NULL },
	{ "changed", "changed_ns", VALUE_TIME, NULL, NULL },
	{ NULL, "changed_ns", VALUE_AGE, ", ", NULL },
	{ .path = NULL }
};

/* What a step took, where it has an end. */
static void
write_took(const json_t *step, const struct screen *screen, struct buf *out)
{
	uint64_t start = json_number_at(step, "t_ns"), end = json_number_at(step, "end_ns");

	if (end >= start && end)
		page_duration(end - start, out);
}

static const struct column step_columns[] = {
	FIELD("TIME", "t_ns", MOMENT, 0),
	PIECE("TOOK", write_took, COLUMN_RIGHT),
	FIELD("HOST", "host", TEXT, 0),
	FIELD("SERVICE", "service", TEXT, COLUMN_SPARE),
	FIELD("WHAT", "what", TEXT, COLUMN_FLEX),
	FIELD("STATUS", "status", STATE, 0),
	FIELD("REQUEST", "request_id", ID, 0),
	FIELD("DETAIL", "detail", TEXT, COLUMN_FLEX | COLUMN_SPARE),
	{ .title = NULL }
};

static const struct view step_view = VIEW("port", NULL, step_columns, NULL, "no steps");

void
view_port(const json_t *port, const struct screen *screen, struct buf *out)
{
	const char *name = json_text_at(port, "name");

	page_head("port", name && *name ? name : json_text_at(port, "id"),
		  json_text_at(port, "status"), screen, out);
	buf_add_char(out, '\n');
	page_fields(port_fields, port, screen, out);
	page_list("Steps", &step_view, json_at(port, "steps"), screen, out);
	page_list("Requests", &flow_short_view, json_at(port, "flows"), screen, out);
}
