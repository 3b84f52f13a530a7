/* SPDX-License-Identifier: MIT
 *
 * vm_files.c -- network cards and disks of a QEMU process: what its command
 * line says, made whole by the files that it has open (vm.h).
 *
 * Open files tell the names of taps that libvirt handed over as descriptors,
 * and what was hot-plugged.  Guest images may lie on a dead file server:
 * nothing here walks a path there, or reads from it. */
#include "instrumentation/node/vm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "instrumentation/node/block.h"
#include "instrumentation/node/emit.h"
#include "instrumentation/node/files.h"
#include "instrumentation/node/links.h"
#include "instrumentation/node/missing.h"

enum { MAX_NICS = CMDLINE_NICS, MAX_DISKS = CMDLINE_DISKS, MAX_FDS = 4096 };

const struct set_kind vm_nic_kind = {
	.size = sizeof(struct node_nic), .key_size = NODE_KEY_SIZE(nic, index),
	.max = MAX_NICS, .emit = emit_nic,
};
const struct set_kind vm_disk_kind = {
	.size = sizeof(struct node_disk), .key_size = NODE_KEY_SIZE(disk, index),
	.max = MAX_DISKS, .emit = emit_disk,
};

/* -- From the command line -------------------------------------------------- */

static struct vm_nic *
new_nic(struct vm *vm)
{
	struct vm_nic *nic;

	if (vm->n_nics == MAX_NICS) {
		node_counters.left_out++;
		return NULL;
	}
	vm->nic_list = xrealloc(vm->nic_list, (vm->n_nics + 1) * sizeof *vm->nic_list);
	nic = &vm->nic_list[vm->n_nics++];
	memset(nic, 0, sizeof *nic);
	nic->nic.pid = vm->process.pid;
	nic->nic.index = vm->next_nic++;
	return nic;
}

static struct vm_disk *
new_disk(struct vm *vm)
{
	struct vm_disk *disk;

	if (vm->n_disks == MAX_DISKS) {
		node_counters.left_out++;
		return NULL;
	}
	vm->disk_list = xrealloc(vm->disk_list, (vm->n_disks + 1) * sizeof *vm->disk_list);
	disk = &vm->disk_list[vm->n_disks++];
	memset(disk, 0, sizeof *disk);
	disk->disk.pid = vm->process.pid;
	disk->disk.index = vm->next_disk++;
	disk->disk.major = disk->disk.minor = -1;
	return disk;
}

void
vm_files_init(struct vm *vm, const struct cmdline *cmdline)
{
	for (unsigned i = 0; i < cmdline->n_nics; i++) {
		struct vm_nic *nic = new_nic(vm);

		if (!nic)
			break;
		nic->options = cmdline->nics[i];
		TEXT_SET(nic->nic.ifname, nic->options.ifname);
	}
	for (unsigned i = 0; i < cmdline->n_disks; i++) {
		const struct cmdline_disk *option = &cmdline->disks[i];
		struct vm_disk *disk = new_disk(vm);

		if (!disk)
			break;
		TEXT_SET(disk->disk.path, option->path);
		TEXT_SET(disk->disk.format, option->format);
		TEXT_SET(disk->disk.node, option->node);
		TEXT_SET(disk->disk.serial, option->serial);
		TEXT_SET(disk->disk.device, option->device);
		disk->disk.readonly = option->readonly;
		disk->network = option->network;
	}
}

/* -- From the open files ---------------------------------------------------- */

/* A line "NAME:\tVALUE" of /proc/PID/fdinfo/FD. */
static bool
fdinfo(const struct vm *vm, int fd, const char *name, char *value, size_t size)
{
	char text[1024], *found;

	if (files_read(text, sizeof text, "/proc/%d/fdinfo/%d", vm->process.pid, fd) <= 0)
		return false;
	found = strstr(text, name);
	if (!found)
		return false;
	found += strlen(name);
	found += strspn(found, ": \t");
	found[strcspn(found, "\n")] = '\0';
	text_set(value, size, found);
	return true;
}

static bool
nic_has_fd(const struct vm_nic *nic, int fd)
{
	for (unsigned i = 0; i < nic->options.n_fds; i++)
		if (nic->options.fds[i] == fd)
			return true;
	return false;
}

static void
take_tap(struct vm *vm, int fd)
{
	struct vm_nic *nic = NULL;
	char ifname[16];

	if (!fdinfo(vm, fd, "iff", ifname, sizeof ifname) || !*ifname)
		return;
	for (unsigned i = 0; !nic && i < vm->n_nics; i++)
		if (streq(vm->nic_list[i].nic.ifname, ifname))
			nic = &vm->nic_list[i];
	for (unsigned i = 0; !nic && i < vm->n_nics; i++)
		if (nic_has_fd(&vm->nic_list[i], fd))
			nic = &vm->nic_list[i];
	if (!nic) {
		nic = new_nic(vm);
		if (!nic)
			return;
		snprintf(nic->options.netdev, sizeof nic->options.netdev, "fd:%d", fd);
	}
	TEXT_SET(nic->nic.ifname, ifname);
	nic->open = nic->was_open = true;
}

/* Whether an open file that the command line does not name is a disk. */
static bool
may_be_disk(const struct vm *vm, int fd, const char *path, const struct stat *st)
{
	static const char *const no_images[] = {
		"/run/", "/var/run/", "/dev/", "/proc/", "/sys/", "/memfd:",
	};
	char flags[32];

	if (S_ISBLK(st->st_mode))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(no_images); i++)
		if (starts_with(path, no_images[i]))
			return false;
	if (strstr(path, "(deleted)") || strstr(path, "/hugepages") || strstr(path, "/qemu/ram/"))
		return false;
	/* Logs are only written; libraries, just after exec, only read. */
	return fdinfo(vm, fd, "flags", flags, sizeof flags) &&
	       (strtol(flags, NULL, 8) & O_ACCMODE) == O_RDWR;
}

/* By its first bytes where reading them can't hang; else by its name. */
static void
guess_format(const struct vm *vm, int fd, struct node_disk *disk, const struct stat *st)
{
	const char *dot = strrchr(disk->path, '.');
	char path[64], magic[4] = "";
	bool local = S_ISBLK(st->st_mode) || major(st->st_dev);
	_cleanup_(closep) int file = -1;

	snprintf(path, sizeof path, "/proc/%d/fd/%d", vm->process.pid, fd);
	if (local && files_are_real())
		file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (file >= 0 && pread(file, magic, sizeof magic, 0) == sizeof magic)
		TEXT_SET(disk->format, memcmp(magic, "QFI\xfb", 4) ? "raw" : "qcow2");
	else if (dot && (streq(dot, ".qcow2") || streq(dot, ".raw")))
		TEXT_SET(disk->format, dot + 1);
}

static bool
is_inode(const struct vm_disk *disk, const struct stat *st)
{
	return disk->inode && disk->inode == st->st_ino && disk->device == st->st_dev;
}

/* Whether two paths end in the same folder and file. */
static bool
same_end(const char *a, const char *b)
{
	const char *x = a + strlen(a), *y = b + strlen(b);
	int slashes = 0;

	while (x > a && y > b && x[-1] == y[-1]) {
		x--;
		y--;
		if (*x == '/' && ++slashes == 2)
			return true;
	}
	return false;
}

/* The disk of the command line that is this file by another name: through a
 * link, or in its mount namespace.  On a file server names have to do. */
static struct vm_disk *
find_other_name(struct vm *vm, const char *path, const struct stat *st)
{
	const bool local = S_ISBLK(st->st_mode) || major(st->st_dev);
	struct stat other;

	for (unsigned i = 0; i < vm->n_disks; i++) {
		struct vm_disk *disk = &vm->disk_list[i];

		if (is_inode(disk, st))
			return disk;
		if (disk->inode || *disk->disk.path != '/' ||
		    (S_ISBLK(st->st_mode) && !starts_with(disk->disk.path, "/dev/")))
			continue;
		if (!local && same_end(disk->disk.path, path))
			return disk;
		if (!local)
			continue;
		if (!files_stat(&other, "/proc/%d/root%s", vm->process.pid, disk->disk.path) &&
		    (S_ISBLK(st->st_mode) ? other.st_rdev == st->st_rdev :
		     other.st_dev == st->st_dev && other.st_ino == st->st_ino))
			return disk;
	}
	return NULL;
}

static struct vm_disk *
find_by_path(struct vm *vm, const char *path)
{
	for (unsigned i = 0; i < vm->n_disks; i++)
		if (streq(vm->disk_list[i].disk.path, path))
			return &vm->disk_list[i];
	return NULL;
}

/* The source of the file system with that device number: "nfs4:HOST:/EXPORT". */
static void
find_mount(const struct vm *vm, dev_t device, char *ret, size_t size)
{
	static char text[256 << 10];
	char number[32], type[32], source[224], *line, *next, *rest;
	ssize_t n = files_read(text, sizeof text, "/proc/%d/mountinfo", vm->process.pid);

	snprintf(number, sizeof number, "%u:%u", major(device), minor(device));
	for (line = text; n > 0 && line; line = next) {
		char at[32];

		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		rest = strstr(line, " - ");
		if (!rest || sscanf(line, "%*d %*d %31s", at) != 1 || !streq(at, number) ||
		    sscanf(rest, " - %31s %223s", type, source) != 2)
			continue;
		snprintf(ret, size, "%s:%s", type, source);
		return;
	}
}

static void
locate(struct vm *vm, struct vm_disk *disk, const struct stat *st)
{
	const bool block = S_ISBLK(st->st_mode);
	const dev_t number = block ? st->st_rdev : st->st_dev;

	disk->open = disk->was_open = true;
	if (is_inode(disk, st))
		return;
	disk->device = st->st_dev;
	disk->inode = st->st_ino;
	disk->disk.inode = block ? 0 : st->st_ino;
	disk->disk.major = (int32_t) major(number);
	disk->disk.minor = (int32_t) minor(number);
	TEXT_SET(disk->disk.kind, block ? "block" : "file");
	memset(disk->mounted, 0, sizeof disk->mounted);
	if (!block && !major(number))
		find_mount(vm, number, disk->mounted, sizeof disk->mounted);
}

static void
take_file(struct vm *vm, int fd, const char *path)
{
	struct vm_disk *disk;
	struct stat st;
	int r;

	/* The link leads to the open file itself, whatever its name says. */
	r = files_are_real() ? files_stat(&st, "/proc/%d/fd/%d", vm->process.pid, fd) :
			       files_stat(&st, "%s", path);
	if (r || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode)))
		return;
	disk = find_by_path(vm, path);
	if (!disk && !may_be_disk(vm, fd, path, &st))
		return;
	if (!disk)
		disk = find_other_name(vm, path, &st);
	if (!disk) {
		disk = new_disk(vm);
		if (!disk)
			return;
		TEXT_SET(disk->disk.path, path);
		snprintf(disk->disk.node, sizeof disk->disk.node, "fd:%d", fd);
		guess_format(vm, fd, &disk->disk, &st);
	}
	locate(vm, disk, &st);
}

static void
drop_closed(struct vm *vm)
{
	unsigned n = 0;

	for (unsigned i = 0; i < vm->n_nics; i++)
		if (vm->nic_list[i].open || !vm->nic_list[i].was_open)
			vm->nic_list[n++] = vm->nic_list[i];
	vm->n_nics = n;
	n = 0;
	for (unsigned i = 0; i < vm->n_disks; i++)
		if (vm->disk_list[i].open || !vm->disk_list[i].was_open)
			vm->disk_list[n++] = vm->disk_list[i];
	vm->n_disks = n;
}

void
vm_files_scan(struct vm *vm)
{
	DIR *dir = files_dir("/proc/%d/fd", vm->process.pid);
	char path[512];
	struct dirent *entry;
	int fd, n = 0;

	if (!dir) {
		if (errno == EACCES || errno == EPERM)
			missing_note("open-files", "no permission to list the open files of QEMU:"
				     " taps and hot-plugged disks stay unknown without"
				     " CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH");
		return;
	}
	for (unsigned i = 0; i < vm->n_nics; i++)
		vm->nic_list[i].open = false;
	for (unsigned i = 0; i < vm->n_disks; i++)
		vm->disk_list[i].open = false;
	while ((entry = readdir(dir))) {
		if (!text_number(entry->d_name, &fd))
			continue;
		if (n++ >= MAX_FDS) {
			node_counters.left_out++;
			break;
		}
		if (files_link(path, sizeof path, "/proc/%d/fd/%d", vm->process.pid, fd) <= 0 ||
		    *path != '/')
			continue;
		if (streq(path, "/dev/net/tun"))
			take_tap(vm, fd);
		else
			take_file(vm, fd, path);
	}
	closedir(dir);
	drop_closed(vm);
}

uint64_t
vm_files_mark(const struct vm *vm)
{
	struct stat st;
	struct dirent *entry;
	uint64_t mark = 1;
	DIR *dir;
	int fd;

	if (files_stat(&st, "/proc/%d/fd", vm->process.pid))
		return 0;
	if (st.st_size)
		return (uint64_t) st.st_size;
	/* Before Linux 6.2 it does not say how many. */
	dir = files_dir("/proc/%d/fd", vm->process.pid);
	while (dir && (entry = readdir(dir)))
		if (text_number(entry->d_name, &fd))
			mark = mark * UINT64_C(0x100000001b3) + (unsigned) fd;
	if (dir)
		closedir(dir);
	return mark;
}

/* -- Telling ---------------------------------------------------------------- */

static void
resolve_nic(const struct vm *vm, struct vm_nic *entry)
{
	struct node_nic *nic = &entry->nic;
	const struct node_interface *interface;
	const char *guest_mac;

	TEXT_SET(nic->netdev, entry->options.netdev);
	TEXT_SET(nic->mac, entry->options.mac);
	TEXT_SET(nic->model, entry->options.model);
	nic->vhost = entry->options.vhost;
	for (unsigned i = 0; !nic->vhost && i < vm->threads.n; i++)
		nic->vhost = streq(((const struct node_qemu_thread *)
				    set_item(&vm->threads, i))->role, "vhost");
	interface = *nic->ifname ? links_find(nic->ifname) : links_find_by_guest_mac(nic->mac);
	nic->ovs_port = nic->ofport = -1;
	if (!interface) {
		links_port_of_name(nic->ifname, nic->port_id, nic->port_from);
		return;
	}
	TEXT_SET(nic->ifname, interface->name);
	nic->ifindex = interface->ifindex;
	TEXT_SET(nic->port_id, interface->port_id);
	TEXT_SET(nic->port_from, interface->port_from);
	TEXT_SET(nic->datapath, interface->datapath);
	TEXT_SET(nic->bridge, interface->bridge);
	nic->ovs_port = interface->ovs_port;
	nic->ofport = interface->ofport;
	guest_mac = links_guest_mac(interface->name);
	if (!*nic->mac && guest_mac)
		TEXT_SET(nic->mac, guest_mac);
}

static void
resolve_disk(struct vm_disk *entry)
{
	struct node_disk *disk = &entry->disk;
	const struct node_block_device *device = block_find(disk->major, disk->minor);
	const char *source = block_source(disk->major, disk->minor);
	const char *volume = block_volume_id(disk->major, disk->minor);

	if (entry->network) {
		TEXT_SET(disk->kind, "network");
		source = disk->path;
	} else if (*entry->mounted) {
		source = entry->mounted;
	} else if (!*source && device) {
		source = device->name;
	}
	TEXT_SET(disk->source, source);
	memset(disk->volume_id, 0, sizeof disk->volume_id);
	if (text_is_uuid(disk->serial)) {
		TEXT_SET(disk->volume_id, disk->serial);
		TEXT_SET(disk->volume_from, "serial");
	} else if (text_volume_id(disk->path, disk->volume_id)) {
		TEXT_SET(disk->volume_from, "path");
	} else if (*volume && streq(disk->kind, "block")) {
		TEXT_SET(disk->volume_id, volume);
		TEXT_SET(disk->volume_from, "device");
	} else {
		TEXT_SET(disk->volume_from, "");
	}
}

void
vm_files_tell(struct vm *vm)
{
	for (unsigned i = 0; i < vm->n_nics; i++) {
		resolve_nic(vm, &vm->nic_list[i]);
		set_put(&vm->nics, &vm->nic_list[i].nic);
	}
	for (unsigned i = 0; i < vm->n_disks; i++) {
		resolve_disk(&vm->disk_list[i]);
		set_put(&vm->disks, &vm->disk_list[i].disk);
	}
	set_sweep(&vm->nics);
	set_sweep(&vm->disks);
}

void
vm_files_done(struct vm *vm)
{
	free(vm->nic_list);
	free(vm->disk_list);
}
