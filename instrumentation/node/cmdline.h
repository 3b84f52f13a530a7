/* SPDX-License-Identifier: MIT
 *
 * cmdline.h -- what the command line of a QEMU process says: identity, network
 * cards, disks.  Reads bytes only; vm.c adds what the open files say. */
#ifndef INSTRUMENTATION_NODE_CMDLINE_H
#define INSTRUMENTATION_NODE_CMDLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	CMDLINE_SIZE = 256 << 10,   /* Longer ones are read so far. */
	CMDLINE_ARGUMENTS = 4096,
	CMDLINE_NICS = 64,
	CMDLINE_DISKS = 256,
	CMDLINE_FDS = 16,           /* Queues of one card. */
};

struct cmdline_nic {
	char netdev[64], ifname[16], mac[18], model[40];
	bool vhost;
	unsigned n_fds;
	int fds[CMDLINE_FDS];
};

struct cmdline_disk {
	char node[64], path[512], format[16], serial[64], device[64];
	bool readonly, network;
};

struct cmdline {
	char uuid[40], name[256], machine[64], accel[16], incoming[256];
	uint32_t memory_mib, vcpus;
	bool probe;                 /* libvirt asks this QEMU what it can do: no VM. */
	unsigned n_nics, n_disks;
	struct cmdline_nic nics[CMDLINE_NICS];
	struct cmdline_disk disks[CMDLINE_DISKS];
	unsigned left_out, malformed;
};

/* Reads /proc/PID/cmdline's bytes: arguments, each ended by NUL.  'bytes' must
 * have one NUL behind its 'size' bytes.  The result is to be freed. */
struct cmdline *cmdline_parse(const char *bytes, size_t size);

#endif /* cmdline.h */
