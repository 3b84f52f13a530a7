/* SPDX-License-Identifier: MIT
 *
 * kernel_io_answers.c -- disks and network over a span, from the windows of the
 * kinds "block" and "net", and the way from a volume to a disk. */
#include "daemon/kernel_answers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/kernel_block_sum.h"
#include "analyzers/kernel_net_sum.h"
#include "lib/util.h"

enum { MAX_CHAIN = 8, MAX_LIST = 64 };

static json_t *
number(uint64_t value)
{
	return json_integer((json_int_t) MIN(value, (uint64_t) INT64_MAX));
}

/* Text that may not be UTF-8, or nothing. */
static json_t *
text(const char *string)
{
	return *string ? store_string(string) : json_null();
}

static const char *
string_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* -- Disks ---------------------------------------------------------------------------- */

static bool
add_block(void *context, const char *host, const char *key, const struct fact_window *window)
{
	return block_sum_add(context, window) <= 0;
}

static json_t *
latency_json(const struct histogram *histogram)
{
	if (!histogram->count)
		return json_null();
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "count", number(histogram->count),
			 "sum_ns", number(histogram->sum), "min_ns", number(histogram->min),
			 "max_ns", number(histogram->max),
			 "p50_ns", number(histogram_quantile(histogram, 500)),
			 "p90_ns", number(histogram_quantile(histogram, 900)),
			 "p99_ns", number(histogram_quantile(histogram, 990)));
}

static json_t *
owners_json(const struct block_sum *sum, uint32_t dev)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < sum->owners.n && json_array_size(list) < MAX_LIST; i++) {
		const struct block_owner *o = keyed_at(&sum->owners, i);

		if (o->key.dev == dev)
			json_array_append_new(list, json_pack(
				"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "tid",
				number(o->key.tid), "pid", o->pid ? number(o->pid) : json_null(),
				"name", text(o->name), "reads", number(o->done[BLOCK_READ]), "writes",
				number(o->done[BLOCK_WRITE]), "read_bytes", number(o->bytes[BLOCK_READ]),
				"written_bytes", number(o->bytes[BLOCK_WRITE]), "total_ns",
				number(o->total_ns), "max_ns", number(o->max_ns)));
	}
	return list;
}

static json_t *
device_json(const char *host, const struct block_sum *sum, const struct block_device *d)
{
	char id[32];

	snprintf(id, sizeof id, "%u:%u", BLOCK_MAJOR(d->dev), BLOCK_MINOR(d->dev));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o,"
			 " s:o, s:o, s:o, s:o, s:o, s:[], s:[]}",
			 "host", host, "device", id, "name", text(d->name), "queued", number(d->queued),
			 "issued", number(d->issued), "reads", number(d->done[BLOCK_READ]), "writes",
			 number(d->done[BLOCK_WRITE]), "others", number(d->done[BLOCK_OTHER]),
			 "read_bytes", number(d->bytes[BLOCK_READ]), "written_bytes",
			 number(d->bytes[BLOCK_WRITE]), "flushes", number(d->flushes), "discards",
			 number(d->discards), "merges", number(d->merges), "errors", number(d->errors),
			 "in_flight", number(d->in_flight), "read_latency",
			 latency_json(&d->total[BLOCK_READ]), "write_latency",
			 latency_json(&d->total[BLOCK_WRITE]), "read_service",
			 latency_json(&d->service[BLOCK_READ]), "write_service",
			 latency_json(&d->service[BLOCK_WRITE]), "owners", owners_json(sum, d->dev),
			 "below", "used_by");
}

/* What is below a device, by the links that were seen, and which VMs have it. */
static void
add_relations(json_t *disks, const json_t *links, const json_t *vm_disks)
{
	json_t *disk, *link, *used;
	size_t i, k;

	json_array_foreach(disks, i, disk) {
		const char *device = string_of(disk, "device"), *name = string_of(disk, "name");

		json_array_foreach(links, k, link)
			if (string_of(link, "upper") && streq(string_of(link, "upper"), device))
				json_array_append_new(json_object_get(disk, "below"), json_pack(
					"{s:O, s:O, s:O}", "device", json_object_get(link, "lower"),
					"offset_sectors", json_object_get(link, "offset_sectors"),
					"source", json_object_get(link, "source")));
		json_array_foreach(vm_disks, k, used) {
			char id[48];

			snprintf(id, sizeof id, "%lld:%lld",
				 (long long) json_integer_value(json_object_get(used, "major")),
				 (long long) json_integer_value(json_object_get(used, "minor")));
			if (!streq(id, device) || !json_is_integer(json_object_get(used, "major")) ||
			    json_is_true(json_object_get(used, "gone")))
				continue;
			json_array_append_new(json_object_get(disk, "used_by"), json_pack(
				"{s:O, s:O, s:O, s:s}", "pid", json_object_get(used, "pid"), "path",
				json_object_get(used, "path"), "volume",
				json_object_get(used, "volume_id"), "source", "cloudtrace_node:disk"));
		}
		(void) name;
	}
}

json_t *
kernel_disks(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	json_t *answer = json_array(), *links, *vm_disks;
	uint64_t from_ns, to_ns;
	struct block_sum sum;
	int r = kernel_span(store, filter, "block", &from_ns, &to_ns, error);

	block_sum_init(&sum);
	if (r >= 0)
		r = store_windows(store, filter->host, "block", NULL, from_ns, to_ns, add_block, &sum,
				  error);
	links = store_things(store, FACT_LINK, filter->host, "block.chain", NULL);
	vm_disks = store_things(store, FACT_ENTITY, filter->host, "qemu.disk", NULL);
	keyed_sort(&sum.owners);
	for (uint32_t i = 0; i < sum.devices.n; i++)
		json_array_append_new(answer, device_json(filter->host, &sum,
							  keyed_at(&sum.devices, i)));
	add_relations(answer, links, vm_disks);
	json_decref(links);
	json_decref(vm_disks);
	block_sum_done(&sum);
	if (r >= 0)
		return answer;
	json_decref(answer);
	return NULL;
}

/* -- Network ---------------------------------------------------------------------------- */

static bool
add_net(void *context, const char *host, const char *key, const struct fact_window *window)
{
	net_sum_add(context, window);
	return true;
}

static json_t *
address_json(const uint8_t address[4], uint16_t port)
{
	char string[32];

	snprintf(string, sizeof string, "%u.%u.%u.%u:%u", address[0], address[1], address[2],
		 address[3], port);
	return json_string(string);
}

static json_t *
connection_json(const struct net_connection *c)
{
	const struct net_traffic *t = &c->traffic;

	return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "from",
			 address_json(c->key.source, c->key.source_port), "to",
			 address_json(c->key.destination, c->key.destination_port), "interface",
			 text(c->interface), "seen", c->received ? "receive" : "send", "packets",
			 number(t->packets), "bytes", number(t->bytes), "retransmitted_bytes",
			 number(t->retransmitted_bytes), "retransmitted_packets",
			 number(t->retransmitted_packets), "missing_bytes", number(t->missing_bytes),
			 "rtt", t->rtts ? json_pack("{s:o, s:o, s:o, s:o}", "count", number(t->rtts),
						    "mean_ns", number(t->rtt_ns / t->rtts), "min_ns",
						    number(t->rtt_min_ns), "max_ns",
						    number(t->rtt_max_ns)) : json_null());
}

static int
by_bytes(const void *a, const void *b)
{
	const struct net_connection *x = *(const struct net_connection *const *) a;
	const struct net_connection *y = *(const struct net_connection *const *) b;
	const uint64_t more = x->traffic.bytes + x->traffic.retransmitted_bytes;
	const uint64_t less = y->traffic.bytes + y->traffic.retransmitted_bytes;

	if (more != less)
		return more > less ? -1 : 1;
	return memcmp(&x->key, &y->key, sizeof x->key);
}

static json_t *
connections_json(const struct net_sum *sum, unsigned limit)
{
	const struct net_connection **list = xcalloc(sum->connections.n + 1, sizeof *list);
	json_t *connections = json_array();

	for (uint32_t i = 0; i < sum->connections.n; i++)
		list[i] = keyed_at(&sum->connections, i);
	qsort(list, sum->connections.n, sizeof *list, by_bytes);
	for (uint32_t i = 0; i < MIN(sum->connections.n, limit); i++)
		json_array_append_new(connections, connection_json(list[i]));
	free(list);
	return connections;
}

json_t *
kernel_network(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	json_t *interfaces = json_array(), *drops = json_array(), *answer = NULL;
	uint64_t from_ns = 0, to_ns = 0;
	struct net_sum sum;
	int r = kernel_span(store, filter, "net", &from_ns, &to_ns, error);

	net_sum_init(&sum, from_ns, to_ns);
	if (r >= 0)
		r = store_windows(store, filter->host, "net", NULL, from_ns, to_ns, add_net, &sum, error);
	keyed_sort(&sum.interfaces);
	keyed_sort(&sum.drops);
	for (uint32_t i = 0; i < sum.interfaces.n; i++) {
		const struct net_interface *one = keyed_at(&sum.interfaces, i);

		json_array_append_new(interfaces, json_pack(
			"{s:o, s:o, s:o, s:o, s:o}", "name", text(one->name), "sent_packets",
			number(one->tx_packets), "sent_bytes", number(one->tx_bytes),
			"received_packets", number(one->rx_packets), "received_bytes",
			number(one->rx_bytes)));
	}
	for (uint32_t i = 0; i < sum.drops.n; i++) {
		const struct net_drop *drop = keyed_at(&sum.drops, i);

		json_array_append_new(drops, json_pack("{s:o, s:o}", "reason", number(drop->reason),
						       "packets", number(drop->packets)));
	}
	if (r >= 0)
		answer = json_pack("{s:s, s:o, s:o, s:O, s:o, s:O, s:o}", "host", filter->host,
				   "since_ns", number(from_ns), "until_ns", number(to_ns), "interfaces",
				   interfaces, "connections",
				   connections_json(&sum, filter->limit ? filter->limit : 100), "drops",
				   drops, "capped", number(sum.capped));
	json_decref(interfaces);
	json_decref(drops);
	net_sum_done(&sum);
	return answer;
}

/* -- From a volume to its disk --------------------------------------------------------- */

static bool
has_text(const json_t *object, const char *name, const char *value)
{
	const char *string = string_of(object, name);

	return string && strstr(string, value) != NULL;
}

/* The device and all below it, each with what it does now. */
static void
add_levels(json_t *levels, const json_t *disks, const char *device, const char *source,
	   unsigned depth)
{
	json_t *disk, *below, *level;
	size_t i, k;

	if (depth > MAX_CHAIN)
		return;
	level = json_pack("{s:s, s:s, s:i}", "device", device, "source", source, "depth", (int) depth);
	json_array_append_new(levels, level);
	json_array_foreach(disks, i, disk) {
		if (!streq(string_of(disk, "device"), device))
			continue;
		json_object_set(level, "name", json_object_get(disk, "name"));
		json_object_set(level, "reads", json_object_get(disk, "reads"));
		json_object_set(level, "writes", json_object_get(disk, "writes"));
		json_object_set(level, "read_latency", json_object_get(disk, "read_latency"));
		json_object_set(level, "write_latency", json_object_get(disk, "write_latency"));
		json_array_foreach(json_object_get(disk, "below"), k, below)
			add_levels(levels, disks, string_of(below, "device"),
				   string_of(below, "source"), depth + 1);
	}
}

static json_t *
place_json(struct store *store, const json_t *vm_disk, const struct kernel_filter *filter)
{
	struct kernel_filter here = *filter;
	json_t *levels = json_array(), *disks;
	char device[48], pid[24];
	json_t *vm;

	here.host = string_of(vm_disk, "host");
	disks = kernel_disks(store, &here, NULL);
	snprintf(pid, sizeof pid, "%lld",
		 (long long) json_integer_value(json_object_get(vm_disk, "pid")));
	vm = store_entity(store, here.host, "qemu.process", pid, 0);
	if (json_is_integer(json_object_get(vm_disk, "major"))) {
		snprintf(device, sizeof device, "%lld:%lld",
			 (long long) json_integer_value(json_object_get(vm_disk, "major")),
			 (long long) json_integer_value(json_object_get(vm_disk, "minor")));
		add_levels(levels, disks, device, "cloudtrace_node:disk", 0);
	}
	json_decref(disks);
	return json_pack("{s:s, s:O, s:o?, s:O, s:O, s:s, s:o}", "host", here.host, "pid",
			 json_object_get(vm_disk, "pid"), "vm", vm, "path",
			 json_object_get(vm_disk, "path"), "kind", json_object_get(vm_disk, "kind"),
			 "source", "cloudtrace_node:disk", "levels", levels);
}

/* What Nova and Cinder logged of it: where it is attached, as what, by which path. */
static void
add_attachments(struct store *store, const char *host, const char *volume, enum fact_type type,
		const char *kind, const char *source, json_t *attachments)
{
	json_t *things = store_things(store, type, host, kind, NULL), *thing, *one;
	static const char *const names[] = { "host", "instance", "device", "path", "attachment_id",
					     "connection" };
	size_t i;

	json_array_foreach(things, i, thing) {
		const char *of = string_of(thing, "volume");

		/* What a compute node says of a volume stands in its link. */
		if (!of || !streq(of, volume) || (type == FACT_ENTITY &&
		    !string_of(thing, "attachment_id") && !string_of(thing, "connection")))
			continue;
		one = json_pack("{s:s}", "source", string_of(thing, "source") ?: source);
		for (size_t k = 0; k < ARRAY_SIZE(names); k++)
			json_object_set(one, names[k], json_object_get(thing, names[k]) ?: json_null());
		json_array_append_new(attachments, one);
	}
	json_decref(things);
}

/* Where no process told of its disk, a path of Nova's log may be a block device
 * that the kernel names. */
static void
add_place_of_path(struct store *store, const json_t *attachment, const struct kernel_filter *filter,
		  json_t *places)
{
	const char *path = string_of(attachment, "path"), *host = string_of(attachment, "host");
	const char *name = path && strrchr(path, '/') ? strrchr(path, '/') + 1 : NULL;
	json_t *devices = name && host ? store_things(store, FACT_ENTITY, host, "block.device", NULL) : NULL;
	struct kernel_filter here = *filter;
	json_t *device, *disks, *levels;
	size_t i;

	json_array_foreach(devices, i, device) {
		if (!string_of(device, "name") || !streq(string_of(device, "name"), name))
			continue;
		here.host = host;
		levels = json_array();
		disks = kernel_disks(store, &here, NULL);
		add_levels(levels, disks, string_of(device, "key"), string_of(attachment, "source"), 0);
		json_decref(disks);
		json_array_append_new(places, json_pack("{s:s, s:n, s:s, s:s, s:O, s:o}", "host", host,
							"pid", "path", path, "kind", "block", "source",
							json_object_get(attachment, "source"), "levels",
							levels));
		break;
	}
	json_decref(devices);
}

json_t *
kernel_volume_chain(struct store *store, const char *volume, const struct kernel_filter *filter,
		    struct error *error)
{
	json_t *vm_disks = store_things(store, FACT_ENTITY, filter->host, "qemu.disk", error);
	json_t *places = json_array(), *attachments = json_array(), *disk;
	size_t i;

	json_array_foreach(vm_disks, i, disk)
		if (has_text(disk, "volume_id", volume) || has_text(disk, "serial", volume) ||
		    has_text(disk, "path", volume) || has_text(disk, "source", volume))
			json_array_append_new(places, place_json(store, disk, filter));
	json_decref(vm_disks);
	if (!vm_disks) {
		json_decref(places);
		json_decref(attachments);
		return NULL;
	}
	add_attachments(store, filter->host, volume, FACT_LINK, "vm.volume", "nova-compute",
			attachments);
	add_attachments(store, NULL, volume, FACT_ENTITY, "volume", "cinder", attachments);
	json_array_foreach(attachments, i, disk)
		if (!json_array_size(places))
			add_place_of_path(store, disk, filter, places);
	return json_pack("{s:s, s:o, s:o}", "volume", volume, "attachments", attachments, "places",
			 places);
}
