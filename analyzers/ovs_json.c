/* SPDX-License-Identifier: MIT
 *
 * ovs_json.c -- a window of Open vSwitch as JSON, and windows joined. */
#include <errno.h>

#include "analyzers/ovs_window.h"
#include "analyzers/windows.h"
#include "lib/util.h"

json_t *
ovs_histogram_json(const struct histogram *histogram)
{
	json_t *buckets = json_array(), *json;

	for (unsigned i = 0; i < histogram->n; i++)
		if (histogram->counts[i])
			json_array_append_new(buckets, json_pack(
				"[I, I]", (json_int_t) histogram_low(histogram->first + i),
				(json_int_t) histogram->counts[i]));
	json = json_pack("{s:I, s:I}", "count", (json_int_t) histogram->count, "sum_ns",
			 (json_int_t) MIN(histogram->sum, (uint64_t) INT64_MAX));
	if (histogram->count) {
		static const struct { const char *name; unsigned per_mille; } marks[] = {
			{ "min_ns", 0 }, { "p50_ns", 500 }, { "p90_ns", 900 }, { "p99_ns", 990 },
			{ "max_ns", 1000 },
		};

		for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
			json_object_set_new(json, marks[i].name, json_integer((json_int_t)
				histogram_quantile(histogram, marks[i].per_mille)));
	}
	json_object_set_new(json, "buckets", buckets);
	return json;
}

json_t *
ovs_text_json(const char *text)
{
	json_t *string = *text ? json_string(text) : NULL;

	return string ? string : json_null();
}

json_t *
ovs_number_json(uint32_t port)
{
	return port == OVS_NO_PORT ? json_null() : json_integer(OVS_PORT_NUMBER(port));
}

void
ovs_mac_text(const uint8_t mac[6], char text[OVS_MAC_TEXT])
{
	snprintf(text, OVS_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
}

json_t *
ovs_mac_json(const uint8_t mac[6])
{
	char text[OVS_MAC_TEXT];

	ovs_mac_text(mac, text);
	return json_string(text);
}

json_t *
ovs_ip_json(uint32_t ip)
{
	char text[16];

	snprintf(text, sizeof text, "%u.%u.%u.%u", ip >> 24, ip >> 16 & 255, ip >> 8 & 255,
		 ip & 255);
	return ip ? json_string(text) : json_null();
}

/* -- The parts -------------------------------------------------------------- */

json_t *
ovs_counters_json(const struct ovs_window *window)
{
	static const bool needs_packets[OVS_N_COUNTERS] = {
		[OVS_RECEIVED_BYTES] = true, [OVS_SENT_BYTES] = true, [OVS_ACROSS] = true,
		[OVS_TWO_IDENTITIES] = true, [OVS_MASKS] = true, [OVS_CACHE_HITS] = true,
		[OVS_UPCALLS_REFUSED] = true, [OVS_DROPPED] = true,
	};
	const bool by_kprobes = ovs_window_by_kprobes(window);
	json_t *json = json_object();

	for (unsigned i = 0; i < OVS_N_COUNTERS; i++)
		json_object_set_new(json, ovs_counter_names[i], by_kprobes && needs_packets[i] ?
				    json_null() : json_integer((json_int_t) window->counters[i]));
	return json;
}

json_t *
ovs_path_json(const struct ovs_path *path)
{
	return json_pack("{s:o, s:o, s:s, s:I, s:o, s:o}", "in_port",
			 ovs_number_json(path->key.in_port), "out_port",
			 ovs_number_json(path->key.out_port), "path",
			 path->key.slow ? "slow" : "fast", "packets", (json_int_t) path->packets,
			 "bytes", path->key.out_port == OVS_NO_PORT ? json_null() :
			 json_integer((json_int_t) path->bytes), "latency",
			 ovs_histogram_json(&path->latency));
}

json_t *
ovs_conversation_json(const struct ovs_conversation *c)
{
	json_t *json = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:I}", "src_mac", ovs_mac_json(c->key.src_mac),
		"dst_mac", ovs_mac_json(c->key.dst_mac), "src_ip", ovs_ip_json(c->key.saddr),
		"dst_ip", ovs_ip_json(c->key.daddr), "in_port", ovs_number_json(c->key.in_port),
		"out_port", ovs_number_json(c->key.out_port), "hop", (json_int_t) c->key.hop);

	json_object_set_new(json, "eth_type", json_integer(c->key.eth_type));
	json_object_set_new(json, "l4_proto", json_integer(c->key.l4_proto));
	json_object_set_new(json, "packets", json_integer((json_int_t) c->packets));
	json_object_set_new(json, "bytes", json_integer((json_int_t) c->bytes));
	json_object_set_new(json, "slow", json_integer(c->slow));
	json_object_set_new(json, "lost", json_integer((json_int_t) c->lost));
	json_object_set_new(json, "latency", ovs_histogram_json(&c->latency));
	return json;
}

json_t *
ovs_port_json(const struct ovs_port *port)
{
	return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I}", "port_no",
			 ovs_number_json(port->port), "ifindex", port->ifindex ?
			 json_integer(port->ifindex) : json_null(), "ifname",
			 ovs_text_json(port->ifname), "received", (json_int_t) port->received,
			 "received_bytes", (json_int_t) port->received_bytes, "sent",
			 (json_int_t) port->sent, "sent_bytes", (json_int_t) port->sent_bytes,
			 "dropped", (json_int_t) port->dropped);
}

json_t *
ovs_drop_json(const struct ovs_drop *drop)
{
	return json_pack("{s:s, s:I, s:o, s:o, s:I}", "place", ovs_place_names[drop->key.place],
			 "reason", (json_int_t) drop->key.reason, "in_port",
			 ovs_number_json(drop->key.in_port), "out_port",
			 ovs_number_json(drop->key.out_port), "count", (json_int_t) drop->count);
}

json_t *
ovs_command_json(const struct ovs_window *window, const struct ovs_command *command)
{
	return json_pack("{s:s, s:o, s:I, s:o, s:o}", "op", ovs_op_names[command->key.op], "comm",
			 ovs_text_json(command->key.comm), "count", (json_int_t) command->count,
			 "failed", ovs_window_by_kprobes(window) ? json_null() :
			 json_integer((json_int_t) command->failed), "took",
			 ovs_histogram_json(&command->took));
}

json_t *
ovs_components_json(const struct ovs_window *window)
{
	json_t *json = json_object();

	for (unsigned i = 0; i < OVS_N_COMPONENTS; i++)
		json_object_set_new(json, ovs_component_names[i],
				    ovs_histogram_json(&window->components[i]));
	return json;
}

json_t *
ovs_window_json(const struct ovs_window *window)
{
	json_t *paths = json_array(), *ports = json_array(), *conversations = json_array();
	json_t *drops = json_array(), *commands = json_array();

	for (uint32_t i = 0; i < window->paths.n; i++)
		json_array_append_new(paths, ovs_path_json(keyed_at(&window->paths, i)));
	for (uint32_t i = 0; i < window->ports.n; i++)
		json_array_append_new(ports, ovs_port_json(keyed_at(&window->ports, i)));
	for (uint32_t i = 0; i < window->conversations.n; i++)
		json_array_append_new(conversations, ovs_conversation_json(
			keyed_at(&window->conversations, i)));
	for (uint32_t i = 0; i < window->drops.n; i++)
		json_array_append_new(drops, ovs_drop_json(keyed_at(&window->drops, i)));
	for (uint32_t i = 0; i < window->commands.n; i++)
		json_array_append_new(commands, ovs_command_json(
			window, keyed_at(&window->commands, i)));
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "counters",
			 ovs_counters_json(window), "components", ovs_components_json(window),
			 "paths", paths, "ports", ports, "conversations", conversations, "drops",
			 drops, "commands", commands);
}

/* -- The kind of window ------------------------------------------------------- */

static json_t *
blob_json(const struct fact_window *fact)
{
	struct ovs_window window;
	json_t *json = NULL;

	ovs_window_init(&window);
	if (!ovs_window_read(&window, fact->blob, fact->size))
		json = ovs_window_json(&window);
	ovs_window_done(&window);
	return json;
}

static int
merge(const struct fact_window *windows, size_t n, struct buf *ret)
{
	struct ovs_window sum, one;
	int r = 0;

	ovs_window_init(&sum);
	ovs_window_init(&one);
	for (size_t i = 0; i < n && !r; i++) {
		r = ovs_window_read(&one, windows[i].blob, windows[i].size);
		if (!r)
			ovs_window_merge(&sum, &one);
	}
	if (!r) {
		ovs_window_trim(&sum);
		ovs_window_write(&sum, ret);
	}
	ovs_window_done(&sum);
	ovs_window_done(&one);
	return r;
}

const struct window_kind ovs_window_kind = { "ovs", merge, blob_json };
