/* SPDX-License-Identifier: MIT
 *
 * cmdline.c -- QEMU's command line (cmdline.h).
 *
 * Options are read in their order; what refers to others by name (-device to
 * -netdev, -drive and -blockdev, a format node to its file) waits until all
 * are read, as QEMU allows any order.  The disks are the nodes that hold a
 * file, device or network volume, in the order of the command line. */
#include "instrumentation/node/cmdline.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instrumentation/node/files.h"
#include "instrumentation/node/keyval.h"
#include "lib/util.h"

enum { MAX_NODES = 2 * CMDLINE_DISKS, MAX_DEVICES = 512 };

/* A layer of a disk that is made of another: "qcow2" over "libvirt-1-storage". */
struct layer {
	char node[64], driver[16], file[64];
	bool readonly;
};

struct device {
	char driver[40], id[64], netdev[64], drive[64], mac[18], serial[64];
};

struct parser {
	struct cmdline *result;
	struct keyval keyval;
	unsigned n_layers, n_devices, n_unnamed;
	struct layer layers[MAX_NODES];
	struct device devices[MAX_DEVICES];
};

#define GET(PARSER, KEY) keyval_get(&(PARSER)->keyval, KEY)

/* -- The machine ------------------------------------------------------------ */

static void
read_uuid(struct parser *parser)
{
	TEXT_SET(parser->result->uuid, GET(parser, "uuid"));
}

static void
read_name(struct parser *parser)
{
	TEXT_SET(parser->result->name, GET(parser, "guest"));
}

static void
set_accel(struct parser *parser, const char *accel)
{
	char first[16];

	snprintf(first, sizeof first, "%.*s", (int) strcspn(accel, ":"), accel);
	TEXT_SET(parser->result->accel, first);
}

static void
read_machine(struct parser *parser)
{
	const char *type = GET(parser, "type"), *accel = GET(parser, "accel");

	if (type)
		TEXT_SET(parser->result->machine, type);
	if (accel)
		set_accel(parser, accel);
	parser->result->probe = streq(parser->result->machine, "none");
}

static void
read_accel(struct parser *parser)
{
	const char *accel = GET(parser, "accel");

	/* Of several the first that works is taken: likely the first. */
	if (accel && !*parser->result->accel)
		set_accel(parser, accel);
}

static void
read_kvm(struct parser *parser)
{
	set_accel(parser, "kvm");
}

static void
read_incoming(struct parser *parser)
{
	TEXT_SET(parser->result->incoming, GET(parser, "uri"));
}

static void
read_memory(struct parser *parser)
{
	const char *size = GET(parser, "size");
	char text[32] = "";
	size_t n;
	uint64_t bytes;

	if (!size || !*size)
		return;
	/* "4096" is MiB, and "4194304k" is usual. */
	n = (size_t) snprintf(text, sizeof text - 1, "%.29s", size);
	if (isdigit((unsigned char) text[n - 1]))
		text[n] = 'M';
	else
		text[n - 1] = (char) toupper((unsigned char) text[n - 1]);
	if (!parse_size(text, &bytes))
		parser->result->memory_mib = (uint32_t) MIN(bytes >> 20, (uint64_t) UINT32_MAX);
}

static void
read_smp(struct parser *parser)
{
	const char *cpus = GET(parser, "cpus");
	int n;

	if (cpus && text_number(cpus, &n))
		parser->result->vcpus = (uint32_t) n;
}

/* -- Network cards ---------------------------------------------------------- */

static void
add_fds(struct cmdline_nic *nic, const char *list)
{
	int fd;

	for (; list && *list && nic->n_fds < CMDLINE_FDS; list += *list == ':') {
		if (text_number(list, &fd))
			nic->fds[nic->n_fds++] = fd;
		list += strcspn(list, ":");
	}
}

static void
read_netdev(struct parser *parser)
{
	struct cmdline *result = parser->result;
	const char *type = GET(parser, "type");
	struct cmdline_nic *nic = &result->nics[result->n_nics];

	if (!type || streq(type, "none") || streq(type, "nic") || streq(type, "hubport"))
		return;
	if (result->n_nics == CMDLINE_NICS) {
		result->left_out++;
		return;
	}
	TEXT_SET(nic->netdev, GET(parser, "id"));
	TEXT_SET(nic->ifname, GET(parser, "ifname"));
	/* "-nic" has the card's options with it. */
	TEXT_SET(nic->mac, GET(parser, "mac"));
	TEXT_SET(nic->model, GET(parser, "model"));
	nic->vhost = keyval_is_on(&parser->keyval, "vhost") || streq(type, "vhost-user");
	add_fds(nic, GET(parser, "fd"));
	add_fds(nic, GET(parser, "fds"));
	result->n_nics++;
}

/* -- Disks ------------------------------------------------------------------ */

/* A value of a node, or of the node inside it. */
static const char *
inner(struct parser *parser, const char *prefix, const char *key)
{
	char path[64];

	snprintf(path, sizeof path, "%s%s", prefix, key);
	return GET(parser, path);
}

static const char *
some(const char *text)
{
	return text ? text : "";
}

/* What is told of a path never holds a password: neither "user:password@" of
 * an address nor what follows the image of "rbd:POOL/IMAGE:id=...:key=...". */
static void
set_path(struct cmdline_disk *disk, const char *path)
{
	const char *start = strstr(path, "://");
	size_t keep = start ? (size_t) (start + 3 - path) : 0, authority, at;

	if (starts_with(path, "rbd:")) {
		snprintf(disk->path, sizeof disk->path, "%.*s",
			 (int) (4 + strcspn(path + 4, ":@")), path);
		return;
	}
	if (starts_with(path, "json:"))
		path = "json:";
	authority = keep ? strcspn(path + keep, "/") : 0;
	for (at = authority; at > 0 && path[keep + at - 1] != '@'; at--)
		;
	snprintf(disk->path, sizeof disk->path, "%.*s%s", (int) MIN(keep, sizeof disk->path - 1),
		 path, path + keep + at);
}

/* The address of a network disk from its members. */
static bool
network_path(struct parser *parser, const char *prefix, const char *driver, char *path, size_t size)
{
	const char *host = some(inner(parser, prefix, "server.host"));
	const char *port = some(inner(parser, prefix, "server.port"));
	const char *image = some(inner(parser, prefix, "path"));

	if (streq(driver, "rbd"))
		snprintf(path, size, "rbd:%s/%s", some(inner(parser, prefix, "pool")),
			 some(inner(parser, prefix, "image")));
	else if (streq(driver, "iscsi"))
		snprintf(path, size, "iscsi:%s/%s/%s", some(inner(parser, prefix, "portal")),
			 some(inner(parser, prefix, "target")), some(inner(parser, prefix, "lun")));
	else if (streq(driver, "nbd"))
		snprintf(path, size, "nbd:%s%s%s%s/%s", host, *port ? ":" : "", port,
			 some(inner(parser, prefix, "server.path")), some(inner(parser, prefix, "export")));
	else if (streq(driver, "nfs") || streq(driver, "ssh"))
		snprintf(path, size, "%s:%s%s", driver, host, image);
	else if (streq(driver, "gluster"))
		snprintf(path, size, "gluster:%s/%s", some(inner(parser, prefix, "volume")), image);
	else if (inner(parser, prefix, "url"))
		snprintf(path, size, "%s", inner(parser, prefix, "url"));
	else if (starts_with(driver, "virtio-blk-") && *image)
		snprintf(path, size, "%s:%s", driver, image);
	else
		return false;
	return true;
}

static struct cmdline_disk *
new_disk(struct parser *parser)
{
	if (parser->result->n_disks < CMDLINE_DISKS)
		return &parser->result->disks[parser->result->n_disks++];
	parser->result->left_out++;
	return NULL;
}

static bool
is_protocol(const char *driver)
{
	static const char *const names[] = {
		"", "file", "host_device", "host_cdrom", "rbd", "iscsi", "nbd", "nfs", "ssh",
		"gluster", "http", "https", "ftp", "ftps", "nvme", "null-co", "null-aio",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (streq(names[i], driver))
			return true;
	return starts_with(driver, "virtio-blk-");
}

static void
read_blockdev(struct parser *parser)
{
	const char *driver = some(GET(parser, "driver")), *file = GET(parser, "file");
	bool protocol = is_protocol(driver), readonly = keyval_is_on(&parser->keyval, "read-only");
	const char *prefix = protocol ? "" : "file.", *filename;
	struct cmdline_disk *disk;
	struct layer *layer;
	char path[1024];

	if (!protocol && file) {
		if (parser->n_layers == MAX_NODES) {
			parser->result->left_out++;
			return;
		}
		layer = &parser->layers[parser->n_layers++];
		TEXT_SET(layer->node, GET(parser, "node-name"));
		TEXT_SET(layer->driver, driver);
		TEXT_SET(layer->file, file);
		layer->readonly = readonly;
		return;
	}
	filename = inner(parser, prefix, "filename");
	if (!filename && !network_path(parser, prefix, some(inner(parser, prefix, "driver")), path,
				       sizeof path))
		return;
	disk = new_disk(parser);
	if (!disk)
		return;
	set_path(disk, filename ? filename : path);
	disk->network = !filename || strstr(filename, "://");
	TEXT_SET(disk->node, GET(parser, "node-name"));
	TEXT_SET(disk->format, protocol ? "" : driver);
	disk->readonly = readonly;
}

static void
read_drive(struct parser *parser)
{
	const char *file = GET(parser, "file"), *media = GET(parser, "media");
	const char *id = GET(parser, "id"), *readonly = GET(parser, "readonly");
	struct cmdline_disk *disk;

	if (!file || !*file)
		return;
	disk = new_disk(parser);
	if (!disk)
		return;
	set_path(disk, file);
	disk->network = *file != '/' && strchr(file, ':') && !starts_with(file, "file:");
	if (id)
		TEXT_SET(disk->node, id);
	else
		snprintf(disk->node, sizeof disk->node, "drive%u", parser->n_unnamed++);
	TEXT_SET(disk->format, GET(parser, "format"));
	TEXT_SET(disk->serial, GET(parser, "serial"));
	disk->readonly = (readonly && !streq(readonly, "off")) || (media && streq(media, "cdrom")) ||
			 keyval_is_on(&parser->keyval, "read-only");
}

/* -- Devices, and what they refer to ---------------------------------------- */

static void
read_device(struct parser *parser)
{
	struct device *device = &parser->devices[parser->n_devices];

	if (!GET(parser, "netdev") && !GET(parser, "drive"))
		return;
	if (parser->n_devices == MAX_DEVICES) {
		parser->result->left_out++;
		return;
	}
	TEXT_SET(device->driver, GET(parser, "driver"));
	TEXT_SET(device->id, GET(parser, "id"));
	TEXT_SET(device->netdev, GET(parser, "netdev"));
	TEXT_SET(device->drive, GET(parser, "drive"));
	TEXT_SET(device->mac, GET(parser, "mac"));
	TEXT_SET(device->serial, GET(parser, "serial"));
	parser->n_devices++;
}

static const struct layer *
find_layer(const struct parser *parser, const char *node)
{
	for (unsigned i = 0; *node && i < parser->n_layers; i++)
		if (streq(parser->layers[i].node, node))
			return &parser->layers[i];
	return NULL;
}

static struct cmdline_disk *
find_disk(const struct parser *parser, const char *node)
{
	for (unsigned i = 0; *node && i < parser->result->n_disks; i++)
		if (streq(parser->result->disks[i].node, node))
			return &parser->result->disks[i];
	return NULL;
}

/* Format layers name their file; they may lie on each other, or in a circle. */
static void
resolve_layers(struct parser *parser)
{
	for (unsigned i = 0; i < parser->n_layers; i++) {
		const struct layer *layer = &parser->layers[i];
		struct cmdline_disk *disk = find_disk(parser, layer->file);

		if (!disk || *disk->format)
			continue;
		TEXT_SET(disk->format, layer->driver);
		disk->readonly |= layer->readonly;
	}
}

static void
resolve_device(struct parser *parser, const struct device *device)
{
	const struct layer *layer;
	const char *node = device->drive;
	struct cmdline_disk *disk;

	for (unsigned i = 0; *device->netdev && i < parser->result->n_nics; i++) {
		struct cmdline_nic *nic = &parser->result->nics[i];

		if (!streq(nic->netdev, device->netdev))
			continue;
		TEXT_SET(nic->mac, device->mac);
		TEXT_SET(nic->model, device->driver);
	}
	for (unsigned i = 0; i < 8 && (layer = find_layer(parser, node)); i++)
		node = layer->file;
	disk = find_disk(parser, node);
	if (!disk)
		return;
	TEXT_SET(disk->device, device->id);
	if (*device->serial)
		TEXT_SET(disk->serial, device->serial);
}

/* ------------------------------------------------------------------------- */

static const struct option_kind {
	const char *name;
	void (*read)(struct parser *parser);
	const char *implied;        /* NULL: the option has no argument. */
	bool plain;                 /* The argument is one text: no keys in it. */
} option_kinds[] = {
	{ "uuid", read_uuid, "uuid", true },
	{ "name", read_name, "guest", false },
	{ "machine", read_machine, "type", false },
	{ "M", read_machine, "type", false },
	{ "accel", read_accel, "accel", false },
	{ "enable-kvm", read_kvm, NULL, false },
	{ "incoming", read_incoming, "uri", true },
	{ "m", read_memory, "size", false },
	{ "smp", read_smp, "cpus", false },
	{ "netdev", read_netdev, "type", false },
	{ "nic", read_netdev, "type", false },
	{ "net", read_netdev, "type", false },
	{ "blockdev", read_blockdev, "driver", false },
	{ "drive", read_drive, "file", false },
	{ "hda", read_drive, "file", true },
	{ "hdb", read_drive, "file", true },
	{ "cdrom", read_drive, "file", true },
	{ "device", read_device, "driver", false },
};

static const struct option_kind *
find_option(const char *argument)
{
	if (*argument++ != '-')
		return NULL;
	argument += *argument == '-';
	for (size_t i = 0; i < ARRAY_SIZE(option_kinds); i++)
		if (streq(option_kinds[i].name, argument))
			return &option_kinds[i];
	return NULL;
}

static void
read_plain(struct keyval *keyval, const char *key, const char *value)
{
	_cleanup_(buf_done) struct buf escaped = { 0 };

	buf_printf(&escaped, "%s=", key);
	for (; *value; value++)
		buf_add_string(&escaped, *value == ',' ? ",," : (char [2]) { *value });
	keyval_parse(keyval, escaped.data, NULL);
}

static void
read_options(struct parser *parser, const char *bytes, size_t size)
{
	const char *end = bytes + size;
	unsigned n = 0;

	for (const char *p = bytes; p < end; p += strlen(p) + 1) {
		const struct option_kind *kind = find_option(p);

		if (n++ == CMDLINE_ARGUMENTS) {
			parser->result->left_out++;
			return;
		}
		if (!kind)
			continue;
		if (kind->implied) {
			p += strlen(p) + 1;
			if (p >= end)
				return;
			if (kind->plain)
				read_plain(&parser->keyval, kind->implied, p);
			else
				keyval_parse(&parser->keyval, p, kind->implied);
			parser->result->malformed += !parser->keyval.whole;
		}
		kind->read(parser);
	}
}

struct cmdline *
cmdline_parse(const char *bytes, size_t size)
{
	struct parser *parser = xcalloc(1, sizeof *parser);
	struct cmdline *result = xcalloc(1, sizeof *result);

	parser->result = result;
	result->vcpus = 1;
	result->memory_mib = 128;
	read_options(parser, bytes, size);
	resolve_layers(parser);
	for (unsigned i = 0; i < parser->n_devices; i++)
		resolve_device(parser, &parser->devices[i]);
	for (unsigned i = 0; i < result->n_disks; i++)
		if (!*result->disks[i].format)
			TEXT_SET(result->disks[i].format, "raw");
	if (size >= CMDLINE_SIZE - 1)
		result->left_out++;
	keyval_done(&parser->keyval);
	free(parser);
	return result;
}
