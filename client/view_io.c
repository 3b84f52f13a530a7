/* SPDX-License-Identifier: MIT
 *
 * view_io.c -- disks and networks of a node as its kernel sees them, and the way
 * from a volume down to the disks that hold it. */
#include <string.h>

#include "client/columns.h"

/* -- Disks ---------------------------------------------------------------- */

static void
write_disk(const json_t *disk, const struct screen *screen, struct buf *out)
{
	const char *name = json_text_at(disk, "name"), *device = json_text_at(disk, "device");

	screen_add_text(screen, name ? name : device ? device : "?", out);
}

/* Devices below it. */
static void
write_below(const json_t *disk, const struct screen *screen, struct buf *out)
{
	const char *separator = "";
	json_t *below;
	size_t i;

	json_array_foreach(json_at(disk, "below"), i, below) {
		const char *device = json_text_at(below, "device");

		screen_printf(screen, out, "%s%s", separator, device ? device : "?");
		separator = ", ";
	}
}

/* Whose most requests are. */
static void
write_owner(const json_t *disk, const struct screen *screen, struct buf *out)
{
	const json_t *owners = json_at(disk, "owners"), *most = NULL;
	uint64_t requests = 0;
	json_t *owner;
	size_t i;

	json_array_foreach(owners, i, owner) {
		uint64_t its = json_number_at(owner, "reads") + json_number_at(owner, "writes");

		if (!most || its > requests) {
			most = owner;
			requests = its;
		}
	}
	if (!most)
		return;
	if (json_text_at(most, "name"))
		screen_printf(screen, out, "%s ", json_text_at(most, "name"));
	buf_printf(out, "(%llu)", (unsigned long long) json_number_at(most, "tid"));
	if (json_array_size(owners) > 1)
		buf_printf(out, " +%zu", json_array_size(owners) - 1);
}

static const struct column disk_columns[] = {
	FIELD("HOST", "host", TEXT, COLUMN_WIDE),
	PIECE("DISK", write_disk, 0),
	FIELD("DEVICE", "device", TEXT, COLUMN_SPARE),
	FIELD("READS", "reads", COUNT, COLUMN_RIGHT),
	FIELD("READ", "read_bytes", BYTES, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("P50", "read_latency.p50_ns", DURATION, COLUMN_RIGHT),
	FIELD("P99", "read_latency.p99_ns", DURATION, COLUMN_RIGHT),
	FIELD("WRITES", "writes", COUNT, COLUMN_RIGHT),
	FIELD("WRITTEN", "written_bytes", BYTES, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("P50", "write_latency.p50_ns", DURATION, COLUMN_RIGHT),
	FIELD("P99", "write_latency.p99_ns", DURATION, COLUMN_RIGHT),
	FIELD("FLUSHES", "flushes", COUNT, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("MERGES", "merges", COUNT, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("OPEN", "in_flight", COUNT, COLUMN_RIGHT),
	FIELD("ERRORS", "errors", COUNT, COLUMN_RIGHT),
	PIECE("MOST BY", write_owner, COLUMN_FLEX | COLUMN_SPARE),
	PIECE("BELOW", write_below, COLUMN_FLEX | COLUMN_SPARE),
	{ .title = NULL }
};

static const char *const disk_csv[] = {
	"host", "device", "name", "queued", "issued", "reads", "writes", "others", "read_bytes",
	"written_bytes", "flushes", "discards", "merges", "errors", "in_flight",
	"read_latency.p50_ns", "read_latency.p90_ns", "read_latency.p99_ns", "read_latency.max_ns",
	"write_latency.p50_ns", "write_latency.p90_ns", "write_latency.p99_ns",
	"write_latency.max_ns", "read_service.p50_ns", "read_service.p99_ns",
	"write_service.p50_ns", "write_service.p99_ns", NULL
};

const struct view disk_view = VIEW("disk", NULL, disk_columns, disk_csv, "no disk was used");

/* Whether a process of that pid has it. */
static bool
is_used_by(const json_t *disk, uint64_t pid)
{
	json_t *one;
	size_t i;

	json_array_foreach(json_at(disk, "used_by"), i, one) {
		if (pid && json_number_at(one, "pid") == pid)
			return true;
	}
	json_array_foreach(json_at(disk, "owners"), i, one) {
		if (pid && json_number_at(one, "pid") == pid)
			return true;
	}
	return false;
}

void
view_vm_disks(const json_t *vm, const json_t *disks, const struct screen *screen, struct buf *out)
{
	json_t *list = json_array(), *disk;
	size_t i;

	json_array_foreach((json_t *) disks, i, disk) {
		if (is_used_by(disk, json_number_at(vm, "pid")))
			json_array_append(list, disk);
	}
	page_list("Disks that its QEMU uses, in the last seconds", &disk_view, list, screen, out);
	json_decref(list);
}

/* -- Networks ------------------------------------------------------------- */

static const struct column interface_columns[] = {
	FIELD("INTERFACE", "name", TEXT, 0),
	FIELD("IN", "received_packets", COUNT, COLUMN_RIGHT),
	FIELD("IN BYTES", "received_bytes", BYTES, COLUMN_RIGHT),
	FIELD("OUT", "sent_packets", COUNT, COLUMN_RIGHT),
	FIELD("OUT BYTES", "sent_bytes", BYTES, COLUMN_RIGHT),
	{ .title = NULL }
};

static const struct view interface_view =
	VIEW("network", NULL, interface_columns, NULL, "no interfaces");

static const struct column connection_columns[] = {
	FIELD("FROM", "from", TEXT, 0),
	FIELD("TO", "to", TEXT, 0),
	FIELD("ON", "interface", TEXT, COLUMN_SPARE),
	FIELD("PACKETS", "packets", COUNT, COLUMN_RIGHT),
	FIELD("BYTES", "bytes", BYTES, COLUMN_RIGHT),
	FIELD("AGAIN", "retransmitted_bytes", BYTES, COLUMN_RIGHT),
	FIELD("MISSING", "missing_bytes", BYTES, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("RTT", "rtt.mean_ns", DURATION, COLUMN_RIGHT),
	FIELD("MAX", "rtt.max_ns", DURATION, COLUMN_RIGHT),
	{ .title = NULL }
};

static const char *const connection_csv[] = {
	"host", "@from", "@to", "@interface", "@seen", "@packets", "@bytes",
	"@retransmitted_bytes", "@retransmitted_packets", "@missing_bytes", "@rtt.mean_ns",
	"@rtt.min_ns", "@rtt.max_ns", NULL
};

static const struct view connection_view =
	VIEW("network", NULL, connection_columns, NULL, "no connections");

static const struct column stage_connection_columns[] = {
	FIELD("STAGE", "stage", TEXT, 0),
	FIELD("FROM", "from", TEXT, 0),
	FIELD("TO", "to", TEXT, 0),
	FIELD("PACKETS", "packets", COUNT, COLUMN_RIGHT),
	FIELD("BYTES", "bytes", BYTES, COLUMN_RIGHT),
	FIELD("AGAIN", "retransmitted_bytes", BYTES, COLUMN_RIGHT),
	FIELD("RTT", "rtt.mean_ns", DURATION, COLUMN_RIGHT),
	FIELD("MAX", "rtt.max_ns", DURATION, COLUMN_RIGHT | COLUMN_SPARE),
	{ .title = NULL }
};

/* Of a migration, with the stage in each. */
const struct view stage_connection_view =
	VIEW("migration", NULL, stage_connection_columns, NULL, "no connections");

const struct view node_connection_csv =
	VIEW("network", "connections", connection_columns, connection_csv, "no connections");

static const struct column drop_columns[] = {
	FIELD("REASON", "reason", TEXT, COLUMN_RIGHT),
	FIELD("PACKETS", "packets", COUNT, COLUMN_RIGHT),
	{ .title = NULL }
};

static const struct view drop_view = VIEW("network", NULL, drop_columns, NULL, "no drops");

void
view_node_network(const json_t *network, const struct screen *screen, struct buf *out)
{
	page_list("Interfaces", &interface_view, json_at(network, "interfaces"), screen, out);
	page_list("TCP connections with most bytes", &connection_view,
		  json_at(network, "connections"), screen, out);
	page_list("Packets dropped", &drop_view, json_at(network, "drops"), screen, out);
}

void
view_network_show(const json_t *network, const struct screen *screen, struct buf *out)
{
	page_head("network of", json_text_at(network, "host"), NULL, screen, out);
	buf_add_char(out, '\n');
	view_node_network(network, screen, out);
}

/* -- From a volume to its disks -------------------------------------------------- */

static void
write_level(const json_t *level, const struct screen *screen, struct buf *out)
{
	unsigned depth = (unsigned) MIN(json_number_at(level, "depth"), 16U);

	buf_printf(out, "%*s%s", (int) (2 * depth), "", depth ? "-> " : "");
	write_disk(level, screen, out);
}

static const struct column level_columns[] = {
	PIECE("DOWN TO", write_level, 0),
	FIELD("DEVICE", "device", TEXT, 0),
	FIELD("READS", "reads", COUNT, COLUMN_RIGHT),
	FIELD("P50", "read_latency.p50_ns", DURATION, COLUMN_RIGHT),
	FIELD("P99", "read_latency.p99_ns", DURATION, COLUMN_RIGHT),
	FIELD("WRITES", "writes", COUNT, COLUMN_RIGHT),
	FIELD("P50", "write_latency.p50_ns", DURATION, COLUMN_RIGHT),
	FIELD("P99", "write_latency.p99_ns", DURATION, COLUMN_RIGHT),
	FIELD("TOLD BY", "source", TEXT, COLUMN_FLEX),
	{ .title = NULL }
};

static const struct view level_view = VIEW("volume", NULL, level_columns, NULL, "no levels");

void
view_volume_chain(const json_t *volume, const json_t *chain, const struct screen *screen,
		  struct buf *out)
{
	json_t *place;
	size_t i;

	json_array_foreach(json_at(chain, "places"), i, place) {
		const char *host = json_text_at(place, "host"), *path = json_text_at(place, "path");

		buf_add_char(out, '\n');
		screen_printf(screen, out, "On %s", host ? host : "?");
		if (path)
			screen_printf(screen, out, ": %s", path);
		buf_add_char(out, '\n');
		if (json_array_size(json_at(place, "levels")))
			view_table(&level_view, json_at(place, "levels"), screen, out);
	}
}
