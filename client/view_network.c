/* SPDX-License-Identifier: MIT
 *
 * view_network.c -- Open vSwitch: bridges, ports, conversations, where packets
 * spend their time, what waits for ovs-vswitchd, and who changed what. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/columns.h"
#include "client/plot.h"
#include "client/table.h"
#include "lib/clock.h"

static void
write_percent(const json_t *item, const char *path, struct buf *out)
{
	const json_t *value = json_at(item, path);

	if (json_is_number(value))
		buf_printf(out, "%.3g %%", json_number_value(value));
}

/* -- Bridges -------------------------------------------------------------- */

static void
write_members(const json_t *bridge, const struct screen *screen, struct buf *out)
{
	const char *separator = "";
	json_t *port;
	size_t i;

	json_array_foreach(json_at(bridge, "ports"), i, port) {
		buf_add_string(out, separator);
		network_write_port(port, screen, out);
		separator = ", ";
	}
}

static void
write_slow(const json_t *bridge, const struct screen *screen, struct buf *out)
{
	write_percent(bridge, "slow_percent", out);
}

static const struct column bridge_columns[] = {
	FIELD("HOST", "host", TEXT, 0),
	FIELD("BRIDGE", "bridge", TEXT, COLUMN_FLEX),
	FIELD("DATAPATH", "datapath", TEXT, COLUMN_WIDE),
	PIECE("PORTS", write_members, COLUMN_FLEX),
	FIELD("PACKETS/S", "packets_per_s", RATE, COLUMN_RIGHT),
	FIELD("PACKETS", "packets", COUNT, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("BYTES", "bytes", BYTES, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("FAST P50", "fast.p50_ns", DURATION, COLUMN_RIGHT),
	FIELD("P99", "fast.p99_ns", DURATION, COLUMN_RIGHT),
	PIECE("SLOW", write_slow, COLUMN_RIGHT),
	FIELD("SLOW P50", "slow.p50_ns", DURATION, COLUMN_RIGHT),
	FIELD("P99", "slow.p99_ns", DURATION, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("DROPPED", "dropped", COUNT, COLUMN_RIGHT),
	{ .title = NULL }
};

static const char *const bridge_csv[] = {
	"host", "bridge", "datapath", "from_ns", "to_ns", "packets", "bytes", "packets_per_s",
	"slow_percent", "fast.count", "fast.p50_ns", "fast.p99_ns", "fast.max_ns", "slow.count",
	"slow.p50_ns", "slow.p99_ns", "slow.max_ns", "dropped", NULL
};

const struct view bridge_view =
	VIEW("network", NULL, bridge_columns, bridge_csv, "no packet of Open vSwitch was seen");

/* -- Ports ---------------------------------------------------------------- */

void
network_write_port(const json_t *port, const struct screen *screen, struct buf *out)
{
	page_write_port(port, "ifname", "port_no", screen, out);
}

static const struct column switch_port_columns[] = {
	FIELD("HOST", "host", TEXT, 0),
	FIELD("BRIDGE", "bridge", TEXT, COLUMN_FLEX | COLUMN_SPARE),
	PIECE("PORT", network_write_port, 0),
	PIECE("VM", page_write_vm, COLUMN_FLEX),
	FIELD("ADDRESSES", "addresses", LIST, COLUMN_FLEX | COLUMN_SPARE),
	FIELD("IN/S", "received_per_s", RATE, COLUMN_RIGHT),
	FIELD("OUT/S", "sent_per_s", RATE, COLUMN_RIGHT),
	FIELD("IN", "received_bytes", BYTES, COLUMN_RIGHT),
	FIELD("OUT", "sent_bytes", BYTES, COLUMN_RIGHT),
	FIELD("DROPPED", "dropped", COUNT, COLUMN_RIGHT),
	FIELD("NUMBER", "port_no", NUMBER, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("IFINDEX", "ifindex", NUMBER, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("NEUTRON PORT", "port_id", ID, COLUMN_WIDE),
	{ .title = NULL }
};

static const char *const switch_port_csv[] = {
	"host", "bridge", "datapath", "port_no", "ifname", "ifindex", "port_id", "vm.uuid",
	"vm.name", "addresses", "from_ns", "to_ns", "received", "received_bytes", "received_per_s",
	"sent", "sent_bytes", "sent_per_s", "dropped", NULL
};

const struct view switch_port_view =
	VIEW("network", NULL, switch_port_columns, switch_port_csv,
	     "no port of Open vSwitch was seen");

void
view_vm_ports(const json_t *vm, const json_t *ports, const struct screen *screen, struct buf *out)
{
	const char *uuid = json_text_at(vm, "uuid");
	json_t *list = json_array(), *port;
	size_t i;

	json_array_foreach((json_t *) ports, i, port) {
		const char *its = json_text_at(port, "vm.uuid");

		if (uuid && its && streq(uuid, its))
			json_array_append(list, port);
	}
	page_list("Its ports in Open vSwitch", &switch_port_view, list, screen, out);
	json_decref(list);
}

/* -- Conversations -------------------------------------------------------- */

static void
write_end(const json_t *item, const char *ip, const char *mac, const struct screen *screen,
	  struct buf *out)
{
	const char *address = json_text_at(item, ip), *hardware = json_text_at(item, mac);

	screen_add_text(screen, address ? address : hardware ? hardware : "?", out);
	if (address && hardware && screen->wide)
		screen_printf(screen, out, " (%s)", hardware);
}

static void
write_from(const json_t *item, const struct screen *screen, struct buf *out)
{
	write_end(item, "src_ip", "src_mac", screen, out);
}

static void
write_to(const json_t *item, const struct screen *screen, struct buf *out)
{
	write_end(item, "dst_ip", "dst_mac", screen, out);
}

void
network_write_in(const json_t *item, const struct screen *screen, struct buf *out)
{
	page_write_port(item, "in_ifname", "in_port", screen, out);
}

void
network_write_out(const json_t *item, const struct screen *screen, struct buf *out)
{
	page_write_port(item, "out_ifname", "out_port", screen, out);
}

static void
write_protocol(const json_t *item, const struct screen *screen, struct buf *out)
{
	static const struct {
		unsigned number;
		const char *name;
	} types[] = { { 0x0806, "arp" }, { 0x8035, "rarp" }, { 0x86dd, "ipv6" }, { 0x8100, "vlan" },
		      { 0x88cc, "lldp" } },
	  protocols[] = { { 1, "icmp" }, { 2, "igmp" }, { 6, "tcp" }, { 17, "udp" }, { 47, "gre" },
			  { 58, "icmp6" }, { 132, "sctp" } };
	uint64_t type = json_number_at(item, "eth_type"), l4 = json_number_at(item, "l4_proto");

	bool ip = !type || type == 0x0800 || type == 0x86dd;

	/* Of ARP it is the operation. */
	for (unsigned i = 0; ip && i < ARRAY_SIZE(protocols); i++)
		if (l4 == protocols[i].number) {
			buf_add_string(out, protocols[i].name);
			return;
		}
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++)
		if (type == types[i].number) {
			buf_add_string(out, types[i].name);
			return;
		}
	if (type == 0x0800)
		buf_printf(out, "ip %" PRIu64, l4);
	else if (type)
		buf_printf(out, "0x%04" PRIx64, type);
}

static const struct column conversation_columns[] = {
	FIELD("HOST", "host", TEXT, 0),
	PIECE("FROM", write_from, COLUMN_FLEX),
	PIECE("TO", write_to, COLUMN_FLEX),
	PIECE("PROTO", write_protocol, 0),
	PIECE("IN", network_write_in, COLUMN_FLEX),
	PIECE("OUT", network_write_out, COLUMN_FLEX),
	FIELD("HOP", "hop", NUMBER, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("PACKETS", "packets", COUNT, COLUMN_RIGHT),
	FIELD("BYTES", "bytes", BYTES, COLUMN_RIGHT),
	FIELD("BYTES/S", "bytes_per_s", RATE, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("P50", "latency.p50_ns", DURATION, COLUMN_RIGHT),
	FIELD("P99", "latency.p99_ns", DURATION, COLUMN_RIGHT),
	FIELD("MAX", "latency.max_ns", DURATION, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("SLOW", "slow", COUNT, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("LOST", "lost", COUNT, COLUMN_RIGHT),
	{ .title = NULL }
};

static const char *const conversation_csv[] = {
	"host", "src_mac", "dst_mac", "src_ip", "dst_ip", "eth_type", "l4_proto", "in_port",
	"in_ifname", "out_port", "out_ifname", "hop", "from_ns", "to_ns", "packets", "bytes",
	"bytes_per_s", "slow", "lost", "latency.p50_ns", "latency.p90_ns", "latency.p99_ns",
	"latency.max_ns", NULL
};

const struct view conversation_view =
	VIEW("network", NULL, conversation_columns, conversation_csv, "no conversations");

/* -- Latency and upcalls: a part for each host -------------------------------- */

static const struct column component_columns[] = {
	FIELD("TIME OF", "name", TEXT, 0),
	FIELD("COUNT", "latency.count", COUNT, COLUMN_RIGHT),
	FIELD("P50", "latency.p50_ns", DURATION, COLUMN_RIGHT),
	FIELD("P90", "latency.p90_ns", DURATION, COLUMN_RIGHT),
	FIELD("P99", "latency.p99_ns", DURATION, COLUMN_RIGHT),
	FIELD("MAX", "latency.max_ns", DURATION, COLUMN_RIGHT),
	{ .title = NULL }
};

static const struct view component_view =
	VIEW("network", NULL, component_columns, NULL, "no times");

static const char *const latency_csv[] = {
	"host", "from_ns", "to_ns", "@name", "@latency.count", "@latency.sum_ns",
	"@latency.min_ns", "@latency.p50_ns", "@latency.p90_ns", "@latency.p99_ns",
	"@latency.max_ns", NULL
};

/* CSV of latency and upcalls: the components. */
const struct view network_component_view =
	VIEW("network", "components", component_columns, latency_csv,
	     "no packet of Open vSwitch was seen");

static const struct column path_columns[] = {
	PIECE("IN", network_write_in, 0),
	PIECE("OUT", network_write_out, 0),
	FIELD("PATH", "path", TEXT, 0),
	FIELD("PACKETS", "packets", COUNT, COLUMN_RIGHT),
	FIELD("BYTES", "bytes", BYTES, COLUMN_RIGHT),
	FIELD("P50", "latency.p50_ns", DURATION, COLUMN_RIGHT),
	FIELD("P99", "latency.p99_ns", DURATION, COLUMN_RIGHT),
	FIELD("MAX", "latency.max_ns", DURATION, COLUMN_RIGHT),
	{ .title = NULL }
};

static const struct view path_view = VIEW("network", NULL, path_columns, NULL, "no packets");

/* What the number means depends on the place; errno where a function failed. */
static void
write_reason(const json_t *drop, const struct screen *screen, struct buf *out)
{
	static const struct {
		const char *place, *text;
	} places[] = {
		{ "lookup", "nothing came after" }, { "upcall", "queue full" },
		{ "vswitchd", "no answer" }, { "actions", "the flow drops" },
		{ "output", "port down, or packet too large" }, { "kernel", NULL },
	};
	const int reason = (int) json_number_at(drop, "reason");
	const char *place = json_text_at(drop, "place");
	const bool by_kernel = place && streq(place, "kernel");

	for (unsigned i = 0; i < ARRAY_SIZE(places) && place && !reason; i++)
		if (streq(place, places[i].place) && places[i].text)
			buf_add_string(out, places[i].text);
	if (by_kernel)
		buf_printf(out, "skb drop reason %d", reason);
	else if (reason)
		screen_add_text(screen, strerror(reason), out);
}

static const struct column drop_columns[] = {
	FIELD("DROPPED AT", "place", TEXT, 0),
	PIECE("REASON", write_reason, COLUMN_FLEX),
	PIECE("IN", network_write_in, 0),
	PIECE("OUT", network_write_out, 0),
	FIELD("COUNT", "count", COUNT, COLUMN_RIGHT),
	{ .title = NULL }
};

static const struct view drop_view = VIEW("network", NULL, drop_columns, NULL, "no drops");

/* "receive 0, lookup +2.1 us, miss +3.0 us, ...": when each step came after the first. */
static void
write_steps(const json_t *packet, const struct screen *screen, struct buf *out)
{
	const json_t *steps = json_at(packet, "attributes.steps");
	uint64_t first = json_number_at(json_array_get(steps, 0), "t_ns");
	json_t *step;
	size_t i;

	json_array_foreach(steps, i, step) {
		uint64_t t = json_number_at(step, "t_ns");
		const char *what = json_text_at(step, "what");

		screen_printf(screen, out, "%s%s", i ? ", " : "", what ? what : "?");
		if (!i)
			continue;
		buf_add_string(out, " +");
		page_duration(t > first ? t - first : 0, out);
	}
	if (json_at(packet, "attributes.more_steps"))
		buf_printf(out, ", %" PRIu64 " more", json_number_at(packet, "attributes.more_steps"));
}

static void
write_packet_in(const json_t *packet, const struct screen *screen, struct buf *out)
{
	network_write_in(json_at(packet, "attributes"), screen, out);
}

static void
write_packet_out(const json_t *packet, const struct screen *screen, struct buf *out)
{
	network_write_out(json_at(packet, "attributes"), screen, out);
}

static const struct column packet_columns[] = {
	FIELD("SLOWEST AT", "start_ns", MOMENT, 0),
	FIELD("TOOK", "attributes.latency_ns", DURATION, COLUMN_RIGHT),
	FIELD("PATH", "attributes.path", TEXT, 0),
	PIECE("IN", write_packet_in, COLUMN_FLEX),
	PIECE("OUT", write_packet_out, COLUMN_FLEX),
	PIECE("STEPS", write_steps, COLUMN_FLEX),
	{ .title = NULL }
};

static const struct view packet_view = VIEW("network", NULL, packet_columns, NULL, "no packets");

static const struct column command_columns[] = {
	FIELD("HOST", "host", TEXT, 0),
	FIELD("COMMAND", "op", TEXT, 0),
	FIELD("BY", "comm", TEXT, 0),
	FIELD("COUNT", "count", COUNT, COLUMN_RIGHT),
	FIELD("RATE/S", "per_s", RATE, COLUMN_RIGHT),
	FIELD("FAILED", "failed", COUNT, COLUMN_RIGHT),
	FIELD("P50", "took.p50_ns", DURATION, COLUMN_RIGHT),
	FIELD("P99", "took.p99_ns", DURATION, COLUMN_RIGHT),
	FIELD("MAX", "took.max_ns", DURATION, COLUMN_RIGHT | COLUMN_SPARE),
	{ .title = NULL }
};

const struct view network_command_view =
	VIEW("network", NULL, command_columns, NULL, "no commands");

static void
write_table(const struct view *view, const json_t *list, const struct screen *screen,
	    struct buf *out)
{
	if (!json_array_size(list))
		return;
	buf_add_char(out, '\n');
	view_table(view, list, screen, out);
}

/* Those that were seen at all. */
static void
write_components(const json_t *host, const struct screen *screen, struct buf *out)
{
	json_t *list = json_array(), *component;
	size_t i;

	json_array_foreach(json_at(host, "components"), i, component) {
		if (json_number_at(component, "latency.count"))
			json_array_append(list, component);
	}
	write_table(&component_view, list, screen, out);
	json_decref(list);
}

static const struct page_field rate_fields[] = {
	{ "packets", "packets_per_s", VALUE_RATE, NULL, "/s" },
	{ NULL, "counters.received", VALUE_COUNT, NULL, " received" },
	{ NULL, "counters.sent", VALUE_COUNT, NULL, " sent" },
	{ NULL, "counters.dropped", VALUE_COUNT, NULL, " dropped" },
	{ "lookups", "counters.lookups", VALUE_COUNT, NULL, NULL },
	{ NULL, "miss_percent", VALUE_RATE, "missed ", " %" },
	{ NULL, "cache_hit_percent", VALUE_RATE, "cache hits ", " %" },
	{ NULL, "masks_per_lookup", VALUE_RATE, "masks tried ", " a lookup" },
	{ .path = NULL }
};

/* What limits left out and the trace lost: the figures are too small then. */
static void
write_incomplete(const json_t *host, const struct screen *screen, struct buf *out)
{
	static const struct {
		const char *path, *text;
	} parts[] = {
		{ "counters.lost_events", "events lost by the tracer" },
		{ "counters.late_events", "events came too late" },
		{ "counters.unpaired", "sends of packets not seen before" },
		{ "counters.executes_unknown", "answers to upcalls not seen before" },
		{ "counters.two_identities", "tags on two packets" },
		{ "counters.evicted_packets", "packets" },
		{ "counters.evicted_addresses", "addresses" },
		{ "counters.evicted_conversations", "conversations" },
		{ "counters.evicted_paths", "paths" },
		{ "counters.evicted_others", "others beyond limits" },
	};
	const char *separator = "";

	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++) {
		const uint64_t count = json_number_at(host, parts[i].path);

		if (!count)
			continue;
		if (!*separator)
			page_field_name("incomplete", out);
		buf_add_string(out, separator);
		screen_add_count(count, out);
		screen_printf(screen, out, " %s", parts[i].text);
		separator = ", ";
	}
	if (*separator)
		buf_add_char(out, '\n');
}

static void
write_host(const json_t *host, const struct screen *screen, struct buf *out)
{
	const char *source = json_text_at(host, "source");
	uint64_t from = json_number_at(host, "from_ns"), to = json_number_at(host, "to_ns");

	page_head("host", json_text_at(host, "host"), NULL, screen, out);
	buf_add_string(out, "   ");
	page_duration(to > from ? to - from : 0, out);
	buf_add_string(out, " up to ");
	screen_add_time(screen, to, out);
	if (source && streq(source, "kprobes"))
		buf_add_string(out, "   by kprobes: without addresses and ports");
	buf_add_char(out, '\n');
	page_fields(rate_fields, host, screen, out);
	write_incomplete(host, screen, out);
}

/* The histograms of those components, where anything was. */
static void
write_histograms(const json_t *host, const char *const *names, const struct screen *screen,
		 struct buf *out)
{
	json_t *component;
	size_t i;

	for (; *names; names++)
		json_array_foreach(json_at(host, "components"), i, component) {
			const char *name = json_text_at(component, "name");

			if (name && streq(name, *names))
				page_histogram(name, json_at(component, "latency"), screen, out);
		}
}

void
view_network_latency(const json_t *hosts, const struct screen *screen, struct buf *out)
{
	static const char *const drawn[] = { "fast path", "slow path", NULL };
	json_t *host;
	size_t i;

	json_array_foreach((json_t *) hosts, i, host) {
		buf_add_string(out, i ? "\n" : "");
		write_host(host, screen, out);
		write_components(host, screen, out);
		write_histograms(host, drawn, screen, out);
		write_table(&path_view, json_at(host, "paths"), screen, out);
		write_table(&drop_view, json_at(host, "drops"), screen, out);
		write_table(&packet_view, json_at(host, "slowest"), screen, out);
	}
}

/* -- Upcalls -------------------------------------------------------------- */

static const struct page_field upcall_fields[] = {
	{ "upcalls", "upcalls_per_s", VALUE_RATE, NULL, "/s" },
	{ NULL, "counters.upcalls", VALUE_COUNT, NULL, NULL },
	{ NULL, "counters.upcalls_miss", VALUE_COUNT, NULL, " by a miss" },
	{ NULL, "counters.upcalls_action", VALUE_COUNT, NULL, " by an action" },
	{ "answers", "counters.upcalls_answered", VALUE_COUNT, NULL, NULL },
	{ NULL, "counters.upcalls_unanswered", VALUE_COUNT, NULL, " without" },
	{ NULL, "counters.upcalls_refused", VALUE_COUNT, NULL, " refused: queue full" },
	{ NULL, "counters.upcalls_waiting_max", VALUE_COUNT, "at most ", " waiting" },
	{ "flows", "counters.flows_added", VALUE_COUNT, NULL, " added" },
	{ NULL, "counters.flows_removed", VALUE_COUNT, NULL, " removed" },
	{ .path = NULL }
};

/* The largest of what falls into each column. */
static void
write_series(const json_t *series, unsigned member, const char *name, const struct screen *screen,
	     struct buf *out)
{
	size_t count = json_array_size(series);
	unsigned width = (unsigned) MIN((size_t) page_draw_width(screen, 40), count);
	_cleanup_(freep) uint64_t *values = xcalloc(width + 1, sizeof *values);
	uint64_t max = 0;

	for (size_t i = 0; i < count; i++) {
		json_int_t value = json_integer_value(
			json_array_get(json_array_get(series, i), member));
		uint64_t *column = &values[i * width / count];

		*column = MAX(*column, value > 0 ? (uint64_t) value : 0);
		max = MAX(max, *column);
	}
	if (count < 2)
		return;
	page_field_name(name, out);
	plot_sparkline(screen, values, width, out);
	buf_add_string(out, "   at most ");
	screen_add_count(max, out);
	buf_add_string(out, " a window\n");
}

static const struct column storm_columns[] = {
	FIELD("STORM AT", "start_ns", MOMENT, 0),
	PIECE("TOOK", flow_write_took, COLUMN_RIGHT),
	FIELD("UPCALLS", "attributes.upcalls", COUNT, COLUMN_RIGHT),
	{ .title = NULL }
};

static const struct view storm_view = VIEW("network", NULL, storm_columns, NULL, "no storms");

void
view_network_upcalls(const json_t *hosts, const struct screen *screen, struct buf *out)
{
	static const char *const drawn[] = { "upcall round trip", "upcall wait", NULL };
	json_t *host;
	size_t i;

	json_array_foreach((json_t *) hosts, i, host) {
		buf_add_string(out, i ? "\n" : "");
		write_host(host, screen, out);
		page_fields(upcall_fields, host, screen, out);
		write_series(json_at(host, "series"), 1, "upcalls", screen, out);
		write_series(json_at(host, "series"), 2, "misses", screen, out);
		write_components(host, screen, out);
		write_histograms(host, drawn, screen, out);
		write_table(&network_command_view, json_at(host, "commands"), screen, out);
		write_table(&storm_view, json_at(host, "storms"), screen, out);
	}
}
