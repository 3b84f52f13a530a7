/* SPDX-License-Identifier: MIT
 *
 * view_network_places.c -- changes of Open vSwitch, where an address is, and the
 * way of packets between two. */
#include <inttypes.h>
#include <string.h>

#include "client/columns.h"
#include "lib/clock.h"

/* -- Changes -------------------------------------------------------------- */

static void
write_result(const json_t *change, const struct screen *screen, struct buf *out)
{
	const json_t *ret = json_at(change, "ret");

	if (!json_is_integer(ret))
		return;
	if (json_integer_value(ret) < 0)
		screen_printf(screen, out, "failed: %s", strerror((int) -json_integer_value(ret)));
	else
		buf_add_string(out, "ok");
}

static void
write_step(const json_t *change, const struct screen *screen, struct buf *out)
{
	const char *text = json_text_at(change, "step.name");

	if (text)
		screen_add_text(screen, text, out);
}

static const struct column change_columns[] = {
	FIELD("TIME", "t_ns", MOMENT, 0),
	FIELD("HOST", "host", TEXT, 0),
	FIELD("CHANGE", "op", TEXT, 0),
	FIELD("OF", "name", TEXT, COLUMN_FLEX),
	{ "RESULT", NULL, VALUE_STATE, COLUMN_FLEX, write_result },
	FIELD("TOOK", "took_ns", DURATION, COLUMN_RIGHT),
	FIELD("BY", "comm", TEXT, COLUMN_SPARE),
	FIELD("TID", "tid", NUMBER, COLUMN_RIGHT | COLUMN_WIDE),
	PIECE("VM", page_write_vm, COLUMN_FLEX | COLUMN_SPARE),
	PIECE("FOR", write_step, COLUMN_FLEX | COLUMN_SPARE),
	FIELD("REQUEST", "request_id", ID, 0),
	{ .title = NULL }
};

static const char *const change_csv[] = {
	"@t_ns", "@host", "@op", "@name", "@ret", "@took_ns", "@comm", "@tid", "@port_id",
	"@vm.uuid", "@vm.name", "@request_id", NULL
};

static const struct view change_view = VIEW("network", NULL, change_columns, NULL, "no changes");

const struct view network_change_csv =
	VIEW("network", "changes", change_columns, change_csv, "no changes");

static const struct column move_columns[] = {
	FIELD("TIME", "t_ns", MOMENT, 0),
	FIELD("HOST", "host", TEXT, 0),
	FIELD("MAC", "mac", TEXT, 0),
	FIELD("IPS", "ips", LIST, COLUMN_FLEX),
	FIELD("FROM", "from_ifname", TEXT, COLUMN_FLEX),
	FIELD("TO", "ifname", TEXT, COLUMN_FLEX),
	FIELD("SILENT", "traffic_gap_ns", DURATION, COLUMN_RIGHT),
	FIELD("UNANSWERED", "unanswered", COUNT, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("STRAYS", "strays", COUNT, COLUMN_RIGHT | COLUMN_SPARE),
	{ .title = NULL }
};

static const struct view move_view = VIEW("network", NULL, move_columns, NULL, "no moves");

void
view_network_changes(const json_t *changes, const struct screen *screen, struct buf *out)
{
	static const struct {
		const char *title, *path;
		const struct view *view;
	} lists[] = {
		{ "Commands to the datapath", "commands", &network_command_view },
		{ "Changes", "changes", &change_view },
		{ "Addresses that came to another port", "moves", &move_view },
	};
	size_t from = out->size;

	for (unsigned i = 0; i < ARRAY_SIZE(lists); i++) {
		const json_t *list = json_at(changes, lists[i].path);

		if (!json_array_size(list))
			continue;
		buf_printf(out, "%s%s\n", out->size > from ? "\n" : "", lists[i].title);
		view_table(lists[i].view, list, screen, out);
	}
	if (out->size == from)
		buf_printf(out, "%s\n", change_view.none);
}

/* -- Where ---------------------------------------------------------------- */

/* On that host, or somewhere behind it. */
static void
write_how(const json_t *place, const struct screen *screen, struct buf *out)
{
	const char *evidence = json_text_at(place, "evidence");
	const uint64_t addresses = json_number_at(place, "port_addresses");

	if (json_is_true(json_at(place, "local")))
		buf_add_string(out, "here");
	else
		buf_add_string(out, evidence ? "was here" : "behind it");
	if (!evidence && addresses > 1)
		buf_printf(out, " with %" PRIu64 " more", addresses - 1);
	if (!json_is_true(json_at(place, "heard")))
		buf_add_string(out, ", not heard");
	else if (json_is_true(json_at(place, "many_ips")))
		buf_add_string(out, ", a router");
	if (evidence)
		screen_printf(screen, out, " (%s)", evidence);
}

static const struct column place_columns[] = {
	FIELD("HOST", "host", TEXT, 0),
	FIELD("BRIDGE", "bridge", TEXT, COLUMN_SPARE),
	PIECE("PORT", network_write_port, 0),
	PIECE("VM", page_write_vm, COLUMN_FLEX),
	FIELD("MAC", "mac", TEXT, 0),
	FIELD("IPS", "ips", LIST, COLUMN_FLEX),
	PIECE("IS", write_how, COLUMN_FLEX),
	FIELD("SINCE", "since_ns", AGE, COLUMN_SPARE),
	FIELD("HEARD", "last_ns", AGE, COLUMN_SPARE),
	FIELD("CAME FROM", "from.ifname", TEXT, COLUMN_SPARE),
	FIELD("SILENT", "traffic_gap_ns", DURATION, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("NEUTRON PORT", "port_id", ID, COLUMN_WIDE),
	FIELD("PID", "pid", NUMBER, COLUMN_RIGHT | COLUMN_WIDE),
	{ .title = NULL }
};

static const char *const place_csv[] = {
	"host", "bridge", "datapath", "port_no", "ifname", "ifindex", "mac", "ips", "vm.uuid",
	"vm.name", "port_id", "pid", "heard", "local", "evidence", "since_ns", "last_ns",
	"gap_ns", "traffic_gap_ns", NULL
};

const struct view place_view =
	VIEW("network", NULL, place_columns, place_csv, "nothing is known of that address");

void
view_network_where(const json_t *places, const struct screen *screen, struct buf *out)
{
	view_table(&place_view, places, screen, out);
}

/* -- Path ----------------------------------------------------------------- */

static void
write_hop_out(const json_t *hop, const struct screen *screen, struct buf *out)
{
	const char *mac = json_text_at(hop, "dst_mac");

	network_write_out(hop, screen, out);
	if (!json_at(hop, "out_port") && !json_at(hop, "out_ifname"))
		buf_add_string(out, "not sent");
	/* The lowest bit of the first byte: a group. */
	if (mac && strlen(mac) > 1 && strchr("13579bdf", mac[1]))
		buf_add_string(out, " (broadcast)");
}

static const struct column hop_columns[] = {
	FIELD("HOST", "host", TEXT, 0),
	FIELD("BRIDGE", "hop", NUMBER, COLUMN_RIGHT),
	PIECE("IN", network_write_in, COLUMN_FLEX),
	PIECE("OUT", write_hop_out, COLUMN_FLEX),
	FIELD("PACKETS", "packets", COUNT, COLUMN_RIGHT),
	FIELD("BYTES", "bytes", BYTES, COLUMN_RIGHT),
	FIELD("SLOW", "slow", COUNT, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("LOST", "lost", COUNT, COLUMN_RIGHT),
	FIELD("P50", "latency.p50_ns", DURATION, COLUMN_RIGHT),
	FIELD("P99", "latency.p99_ns", DURATION, COLUMN_RIGHT),
	FIELD("MAX", "latency.max_ns", DURATION, COLUMN_RIGHT | COLUMN_SPARE),
	{ .title = NULL }
};

static const char *const hop_csv[] = {
	"@host", "@hop", "@in_port", "@in_ifname", "@out_port", "@out_ifname", "@src_mac",
	"@dst_mac", "@src_ip", "@dst_ip", "@packets", "@bytes", "@slow", "@lost",
	"@latency.p50_ns", "@latency.p99_ns", "@latency.max_ns", NULL
};

static const struct view hop_view = VIEW("network", NULL, hop_columns, NULL, "no hops");

const struct view network_hop_csv = VIEW("network", "hops", hop_columns, hop_csv, "no hops");

/* The likeliest place of an end. */
static void
write_end(const char *name, const json_t *places, const struct screen *screen, struct buf *out)
{
	const json_t *place = json_array_get(places, 0);
	_cleanup_(buf_done) struct buf vm = { 0 };

	page_field_name(name, out);
	if (!place) {
		buf_add_string(out, "nothing is known of that address\n");
		return;
	}
	screen_printf(screen, out, "%s   ", json_text_at(place, "host") ?
		      json_text_at(place, "host") : "?");
	network_write_port(place, screen, out);
	page_write_vm(place, screen, &vm);
	if (vm.size)
		buf_printf(out, "   vm %s", vm.data);
	if (json_text_at(place, "mac"))
		screen_printf(screen, out, "   %s", json_text_at(place, "mac"));
	buf_add_char(out, '\n');
}

/* The medians of the crossings added up, of each the way that most packets took: they
 * are in the order of the crossings, most packets first. */
static void
write_sum(const json_t *hops, struct buf *out)
{
	const json_t *last = NULL;
	unsigned count = 0;
	uint64_t sum = 0;
	json_t *hop;
	size_t i;

	json_array_foreach((json_t *) hops, i, hop) {
		if (last && json_equal(json_at(hop, "host"), json_at(last, "host")) &&
		    json_number_at(hop, "hop") == json_number_at(last, "hop"))
			continue;
		last = hop;
		count++;
		sum += MIN(json_number_at(hop, "latency.p50_ns"), (uint64_t) INT32_MAX * 1000);
	}
	if (count < 2)
		return;
	buf_add_string(out, "together ");
	page_duration(sum, out);
	buf_add_string(out, ", by the medians\n");
}

void
view_network_path(const json_t *path, const struct screen *screen, struct buf *out)
{
	const json_t *hops = json_at(path, "hops"), *back = json_at(path, "back");

	write_end("from", json_at(path, "src"), screen, out);
	write_end("to", json_at(path, "dst"), screen, out);
	if (!json_array_size(hops) && !json_array_size(back))
		buf_add_string(out, "\nno packet between them was seen\n");
	page_list("There", &hop_view, hops, screen, out);
	write_sum(hops, out);
	page_list("Back", &hop_view, back, screen, out);
	write_sum(back, out);
}

/* -- The network of a migration ---------------------------------------------- */

static const struct column address_columns[] = {
	FIELD("MAC", "mac", TEXT, 0),
	FIELD("PORT", "ifname", TEXT, COLUMN_FLEX),
	FIELD("FORWARDED", "first_forwarded_ns", MOMENT, 0),
	FIELD("TRAFFIC", "first_traffic_ns", MOMENT, COLUMN_SPARE),
	FIELD("BLACKOUT", "blackout_ns", DURATION, COLUMN_RIGHT),
	FIELD("SILENT", "gap_ns", DURATION, COLUMN_RIGHT),
	FIELD("TO SOURCE", "packets_to_source", COUNT, COLUMN_RIGHT),
	{ .title = NULL }
};

static const struct view address_view = VIEW("network", NULL, address_columns, NULL, "");

void
view_migration_network(const json_t *migration, const struct screen *screen, struct buf *out)
{
	static const struct page_field fields[] = {
		{ "network", "network_blackout_ns", VALUE_DURATION, "blackout ", NULL },
		{ NULL, "packets_to_source", VALUE_COUNT, NULL,
		  " packets still went to the source" },
		{ .path = NULL }
	};
	const json_t *addresses = json_at(migration, "network");

	if (!json_at(migration, "network_blackout_ns") && !json_array_size(addresses))
		return;
	buf_add_char(out, '\n');
	page_fields(fields, migration, screen, out);
	if (json_array_size(addresses))
		view_table(&address_view, addresses, screen, out);
}
