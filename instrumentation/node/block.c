/* SPDX-License-Identifier: MIT
 *
 * block.c -- the block stack from /sys (block.h).
 *
 * A device's place in /sys/devices tells its partition's disk and its iSCSI
 * session; "slaves" tells what device-mapper, md and bcache lie on.  Cinder
 * volumes are known by "volume-UUID" in the name of a logical volume, an iSCSI
 * target, an RBD image or a link in /dev/disk. */
#include "instrumentation/node/block.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "instrumentation/node/emit.h"
#include "instrumentation/node/files.h"
#include "instrumentation/node/missing.h"
#include "instrumentation/node/netlink.h"
#include "instrumentation/node/set.h"

enum { MAX_VISITS = 64, MAX_VOLUME_LINKS = 4096 };

static const struct set_kind block_kind = {
	.size = sizeof(struct node_block_device),
	.key_size = NODE_KEY_SIZE(block_device, minor), .max = 4096, .emit = emit_block_device,
};
static int monitor = -1;
static struct set devices = { .kind = &block_kind };

/* Volumes by kernel name, from the links of /dev/disk. */
static struct volume_link {
	char name[32], volume_id[40];
} *links;
static unsigned n_links;

static void
read_links(const char *folder)
{
	DIR *dir = files_dir("/dev/disk/%s", folder);
	char target[256], id[40];
	struct dirent *entry;

	while (dir && (entry = readdir(dir)) && n_links < MAX_VOLUME_LINKS) {
		const char *name;

		/* Partitions of a volume are no volumes. */
		if (!text_volume_id(entry->d_name, id) || strstr(entry->d_name, "-part") ||
		    files_link(target, sizeof target, "/dev/disk/%s/%s", folder, entry->d_name) <= 0)
			continue;
		name = strrchr(target, '/');
		links = xrealloc(links, (n_links + 1) * sizeof *links);
		TEXT_SET(links[n_links].name, name ? name + 1 : target);
		TEXT_SET(links[n_links].volume_id, id);
		n_links++;
	}
	if (dir)
		closedir(dir);
}

static bool
read_number(const char *name, struct node_block_device *device)
{
	char text[32], *colon;
	int first, second;

	files_line(text, sizeof text, "/sys/class/block/%s/dev", name);
	colon = strchr(text, ':');
	if (!colon || !text_number(text, &first) || !text_number(colon + 1, &second))
		return false;
	device->major = first;
	device->minor = second;
	return true;
}

static void
add_slave(struct node_block_device *device, const char *name)
{
	char number[32];
	size_t used = strlen(device->slaves);

	files_line(number, sizeof number, "/sys/class/block/%s/dev", name);
	if (!*number || used + strlen(number) + 2 > sizeof device->slaves)
		return;
	snprintf(device->slaves + used, sizeof device->slaves - used, "%s%s", used ? " " : "", number);
}

static void
read_slaves(const char *name, const char *place, struct node_block_device *device)
{
	const char *last = strrchr(place, '/'), *before;
	char parent[64];
	struct dirent *entry;
	DIR *dir;

	if (streq(device->kind, "partition") && last) {
		before = memrchr(place, '/', (size_t) (last - place));
		before = before ? before + 1 : place;
		snprintf(parent, sizeof parent, "%.*s", (int) MIN(last - before, 63), before);
		add_slave(device, parent);
	}
	dir = files_dir("/sys/class/block/%s/slaves", name);
	while (dir && (entry = readdir(dir)))
		if (*entry->d_name != '.')
			add_slave(device, entry->d_name);
	if (dir)
		closedir(dir);
}

static void
read_kind(const char *name, struct node_block_device *device)
{
	static const struct { const char *prefix, *kind; } dm_kinds[] = {
		{ "LVM-", "lv" }, { "CRYPT-", "crypt" }, { "mpath-", "mpath" }, { "part", "partition" },
	};
	static const char *const by_prefix[] = { "loop", "rbd", "nbd", "md" };
	struct stat st;

	TEXT_SET(device->kind, "disk");
	if (!files_stat(&st, "/sys/class/block/%s/partition", name)) {
		TEXT_SET(device->kind, "partition");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(by_prefix); i++)
		if (starts_with(name, by_prefix[i]))
			TEXT_SET(device->kind, by_prefix[i]);
	if (!starts_with(name, "dm-"))
		return;
	TEXT_SET(device->kind, "dm");
	files_line(device->dm_name, sizeof device->dm_name, "/sys/class/block/%s/dm/name", name);
	files_line(device->dm_uuid, sizeof device->dm_uuid, "/sys/class/block/%s/dm/uuid", name);
	for (size_t i = 0; i < ARRAY_SIZE(dm_kinds); i++)
		if (starts_with(device->dm_uuid, dm_kinds[i].prefix))
			TEXT_SET(device->kind, dm_kinds[i].kind);
}

/* "/devices/platform/host2/session1/target2:0:0/...": the target's name. */
static void
read_iscsi(const char *place, struct node_block_device *device)
{
	const char *session = strstr(place, "/session");
	char target[224];
	int number;

	if (!session || !text_number(session + strlen("/session"), &number))
		return;
	files_line(target, sizeof target, "/sys/class/iscsi_session/session%d/targetname", number);
	if (*target)
		snprintf(device->source, sizeof device->source, "iscsi:%s", target);
}

static void
read_rbd(const char *name, struct node_block_device *device)
{
	char pool[96], image[128];

	files_line(pool, sizeof pool, "/sys/devices/rbd/%s/pool", name + strlen("rbd"));
	files_line(image, sizeof image, "/sys/devices/rbd/%s/name", name + strlen("rbd"));
	if (*image)
		snprintf(device->source, sizeof device->source, "rbd:%s/%s", pool, image);
}

static void
read_source(const char *name, const char *place, struct node_block_device *device)
{
	char file[240];

	if (streq(device->kind, "rbd")) {
		read_rbd(name, device);
	} else if (streq(device->kind, "loop")) {
		files_line(file, sizeof file, "/sys/class/block/%s/loop/backing_file", name);
		if (*file)
			snprintf(device->source, sizeof device->source, "file:%s", file);
	} else if (!streq(device->kind, "partition")) {
		read_iscsi(place, device);
	}
}

static void
read_volume(struct node_block_device *device)
{
	if (text_volume_id(device->dm_name, device->volume_id) ||
	    text_volume_id(device->source, device->volume_id))
		return;
	for (unsigned i = 0; i < n_links; i++)
		if (streq(links[i].name, device->name))
			TEXT_SET(device->volume_id, links[i].volume_id);
}

static void
read_device(const char *name)
{
	struct node_block_device device;
	char size[32], place[FILES_PATH_SIZE];

	memset(&device, 0, sizeof device);
	if (strlen(name) >= sizeof device.name || !read_number(name, &device))
		return;
	files_line(size, sizeof size, "/sys/class/block/%s/size", name);
	device.size_bytes = strtoull(size, NULL, 10) * 512;
	/* Loop, rbd and nbd devices that are not in use. */
	if (!device.size_bytes)
		return;
	if (files_link(place, sizeof place, "/sys/class/block/%s", name) < 0)
		*place = '\0';
	TEXT_SET(device.name, name);
	read_kind(name, &device);
	read_slaves(name, place, &device);
	read_source(name, place, &device);
	files_line(device.serial, sizeof device.serial, "/sys/class/block/%s/device/serial", name);
	if (!*device.serial)
		files_line(device.serial, sizeof device.serial, "/sys/class/block/%s/serial", name);
	read_volume(&device);
	set_put(&devices, &device);
}

int
block_open(void)
{
	if (!files_are_real())
		return -1;
	monitor = netlink_open(NETLINK_KOBJECT_UEVENT, 1);
	if (monitor < 0)
		missing_note("uevents", "can't listen for them: %s; block devices are looked at"
			     " with each dump only", strerror(-monitor));
	return monitor;
}

bool
block_ready(void)
{
	char text[8192];
	bool changed = false;
	ssize_t n;

	/* Texts, one behind the other: "add@/devices/...", "SUBSYSTEM=block", ... */
	while ((n = recv(monitor, text, sizeof text - 1, MSG_DONTWAIT)) > 0) {
		text[n] = '\0';
		for (const char *p = text; p < text + n; p += strlen(p) + 1)
			changed |= streq(p, "SUBSYSTEM=block");
	}
	return changed || (n < 0 && errno == ENOBUFS);
}

void
block_scan(void)
{
	DIR *dir = files_dir("/sys/class/block");
	struct dirent *entry;

	n_links = 0;
	read_links("by-path");
	read_links("by-id");
	while (dir && (entry = readdir(dir)))
		if (*entry->d_name != '.')
			read_device(entry->d_name);
	if (dir)
		closedir(dir);
	set_sweep(&devices);
	free(links);
	links = NULL;
}

void
block_dump(void)
{
	set_dump(&devices);
}

unsigned
block_count(void)
{
	return devices.n;
}

const struct node_block_device *
block_find(int32_t major, int32_t minor)
{
	const int32_t key[] = { major, minor };

	return set_find(&devices, key);
}

/* The first text at 'offset' that is not empty, from the device downwards;
 * 'visits' bounds the walk. */
static const char *
inherited(int32_t major, int32_t minor, size_t offset, unsigned *visits)
{
	const struct node_block_device *device = block_find(major, minor);
	const char *text = "";

	if (!device || ++*visits > MAX_VISITS)
		return "";
	text = (const char *) device + offset;
	for (const char *p = device->slaves; !*text && *p; p += strspn(p, " ")) {
		const char *colon = strchr(p, ':');
		int below[2];

		if (!colon || !text_number(p, &below[0]) || !text_number(colon + 1, &below[1]))
			break;
		text = inherited(below[0], below[1], offset, visits);
		p += strcspn(p, " ");
	}
	return text;
}

const char *
block_source(int32_t major, int32_t minor)
{
	unsigned visits = 0;

	return inherited(major, minor, offsetof(struct node_block_device, source), &visits);
}

const char *
block_volume_id(int32_t major, int32_t minor)
{
	unsigned visits = 0;

	return inherited(major, minor, offsetof(struct node_block_device, volume_id), &visits);
}

void
block_done(void)
{
	closep(&monitor);
	monitor = -1;
	set_done(&devices, false);
}
