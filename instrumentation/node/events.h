/* SPDX-License-Identifier: MIT
 *
 * events.h -- what cloudtrace-node tells: one struct and one list of fields per
 * event.
 *
 * tp.h makes LTTng-UST events of the lists, emit.c the lines of --print.  The
 * members that name a thing come first (NODE_KEY_SIZE), so that set.c can tell
 * a change from another thing.  Texts are NUL-terminated, and zero behind that;
 * an empty one is told as "-" (babeltrace2 2.0.4 prints some empty strings
 * wrong).  Numbers that are not known are -1, or 0 where unsigned. */
#ifndef INSTRUMENTATION_NODE_EVENTS_H
#define INSTRUMENTATION_NODE_EVENTS_H

#include <stddef.h>
#include <stdint.h>

/* Reasons: "new", "change", "gone", and "dump" for what is so since earlier. */

struct node_qemu_process {
	int32_t pid;
	uint64_t start_ns;       /* CLOCK_BOOTTIME, in ticks of 10 ms. */
	char uuid[40], name[256], machine[64], accel[16];
	uint32_t memory_mib, vcpus;
	char incoming[256], exe[256];
	int32_t vpid;            /* Its own pid where it has a pid namespace. */
};
#define NODE_QEMU_PROCESS_FIELDS(TEXT, NUMBER) \
	NUMBER(int32_t, pid) NUMBER(uint64_t, start_ns) TEXT(uuid) TEXT(name) TEXT(machine) \
	TEXT(accel) NUMBER(uint32_t, memory_mib) NUMBER(uint32_t, vcpus) TEXT(incoming) TEXT(exe) \
	NUMBER(int32_t, vpid)

struct node_vcpu_thread {
	int32_t pid, tid;
	int32_t index;           /* -1: one thread for all (TCG without MTTCG). */
	char comm[16];
};
#define NODE_VCPU_THREAD_FIELDS(TEXT, NUMBER) \
	NUMBER(int32_t, pid) NUMBER(int32_t, tid) NUMBER(int32_t, index) TEXT(comm)

struct node_qemu_thread {
	int32_t pid, tid;
	char role[16];           /* main, iothread, vhost */
	char comm[16];
	char name[64];           /* Of an iothread: its id in QEMU. */
};
#define NODE_QEMU_THREAD_FIELDS(TEXT, NUMBER) \
	NUMBER(int32_t, pid) NUMBER(int32_t, tid) TEXT(role) TEXT(comm) TEXT(name)

struct node_nic {
	int32_t pid, index;
	char ifname[16], mac[18], model[40];
	char netdev[64];         /* Its -netdev id, or "fd:N" for a hot-plugged one. */
	int32_t ifindex, vhost;
	char port_id[40], port_from[12];
	int32_t ovs_port, ofport;
	char datapath[16], bridge[16];
};
#define NODE_NIC_FIELDS(TEXT, NUMBER) \
	NUMBER(int32_t, pid) NUMBER(int32_t, index) TEXT(ifname) TEXT(mac) TEXT(model) TEXT(netdev) \
	NUMBER(int32_t, ifindex) NUMBER(int8_t, vhost) TEXT(port_id) TEXT(port_from) \
	NUMBER(int32_t, ovs_port) NUMBER(int32_t, ofport) TEXT(datapath) TEXT(bridge)

struct node_disk {
	int32_t pid, index;
	char path[512], format[16];
	char node[64];           /* Its node name, or "fd:N" for a hot-plugged one. */
	char serial[64];
	int32_t readonly;
	char device[64];         /* Id of the guest's device. */
	char kind[12];           /* file, block, network */
	int32_t major, minor;    /* Of the device, or of the file system of the file. */
	uint64_t inode;
	char source[256];        /* Of a network disk, or of the file system or device. */
	char volume_id[40], volume_from[12];
};
#define NODE_DISK_FIELDS(TEXT, NUMBER) \
	NUMBER(int32_t, pid) NUMBER(int32_t, index) TEXT(path) TEXT(format) TEXT(node) TEXT(serial) \
	NUMBER(int8_t, readonly) TEXT(device) TEXT(kind) NUMBER(int32_t, major) \
	NUMBER(int32_t, minor) NUMBER(uint64_t, inode) TEXT(source) TEXT(volume_id) TEXT(volume_from)

struct node_block_device {
	int32_t major, minor;
	char name[32];
	char kind[12];           /* disk, partition, lv, crypt, mpath, dm, md, loop, rbd, nbd */
	char dm_name[128], dm_uuid[160];
	char slaves[256];        /* "8:0 8:16": what it lies on. */
	char source[256];        /* "iscsi:TARGET", "rbd:POOL/IMAGE", "file:PATH" */
	char serial[64];
	uint64_t size_bytes;
	char volume_id[40];
};
#define NODE_BLOCK_DEVICE_FIELDS(TEXT, NUMBER) \
	NUMBER(int32_t, major) NUMBER(int32_t, minor) TEXT(name) TEXT(kind) TEXT(dm_name) \
	TEXT(dm_uuid) TEXT(slaves) TEXT(source) TEXT(serial) NUMBER(uint64_t, size_bytes) \
	TEXT(volume_id)

struct node_interface {
	uint64_t netns;          /* Inode number of the network namespace. */
	int32_t ifindex;
	int32_t master;          /* Interface index, or 0. */
	char name[16], mac[18], kind[16];
	char netns_name[64];
	char bridge[16];         /* Linux or Open vSwitch bridge that it is a port of. */
	int32_t link, link_nsid; /* The other end of a veth, the device below a VLAN. */
	int32_t ovs_port, ofport;
	char datapath[16];
	char port_id[40], port_from[12];
};
#define NODE_INTERFACE_FIELDS(TEXT, NUMBER) \
	NUMBER(uint64_t, netns) NUMBER(int32_t, ifindex) TEXT(name) TEXT(mac) TEXT(kind) \
	TEXT(netns_name) NUMBER(int32_t, master) TEXT(bridge) NUMBER(int32_t, link) \
	NUMBER(int32_t, link_nsid) NUMBER(int32_t, ovs_port) NUMBER(int32_t, ofport) \
	TEXT(datapath) TEXT(port_id) TEXT(port_from)

struct node_service_process {
	int32_t pid;
	uint64_t start_ns;
	int32_t ppid, vpid;
	char service[64], project[16];
};
#define NODE_SERVICE_PROCESS_FIELDS(TEXT, NUMBER) \
	NUMBER(int32_t, pid) NUMBER(uint64_t, start_ns) NUMBER(int32_t, ppid) \
	NUMBER(int32_t, vpid) TEXT(service) TEXT(project)

struct node_host {
	char hostname[65];
	char kernel[65], boot_id[40];
	uint32_t cpus, memory_mib;
	char clocksource[32];
	char time_service[64];   /* "chronyd", "ptp4l phc2sys", ... */
	char ptp[64];            /* Names of the PTP hardware clocks. */
	int32_t synchronized;    /* What the kernel's clock says of itself. */
};
/* Moves all the time: told with the rest, but no reason to tell. */
struct node_clock {
	int64_t offset_ns, frequency_ppb;
	uint64_t max_error_ns, estimated_error_ns;
};
#define NODE_HOST_FIELDS(TEXT, NUMBER) \
	TEXT(hostname) TEXT(kernel) TEXT(boot_id) NUMBER(uint32_t, cpus) \
	NUMBER(uint32_t, memory_mib) TEXT(clocksource) TEXT(time_service) TEXT(ptp) \
	NUMBER(int8_t, synchronized)
#define NODE_CLOCK_FIELDS(NUMBER) \
	NUMBER(int64_t, offset_ns) NUMBER(int64_t, frequency_ppb) \
	NUMBER(uint64_t, max_error_ns) NUMBER(uint64_t, estimated_error_ns)

/* Something that this node does not let us know, or that was left out. */
struct node_missing {
	char what[32];
	char detail[160];
};
#define NODE_MISSING_FIELDS(TEXT, NUMBER) TEXT(what) TEXT(detail)

/* Frames a dump: what it did not tell is not there. */
struct node_dump_end {
	int32_t processes;
	uint64_t scan_ns;
	char hostname[65];
	uint32_t services, interfaces, block_devices, missing;
	uint64_t left_out;       /* By limits, since the start. */
	uint64_t malformed;      /* Options that could not be read, since the start. */
};
#define NODE_DUMP_END_FIELDS(TEXT, NUMBER) \
	NUMBER(int32_t, processes) NUMBER(uint64_t, scan_ns) TEXT(hostname) \
	NUMBER(uint32_t, services) NUMBER(uint32_t, interfaces) NUMBER(uint32_t, block_devices) \
	NUMBER(uint32_t, missing) NUMBER(uint64_t, left_out) NUMBER(uint64_t, malformed)

/* Bytes of the members that name a thing. */
#define NODE_KEY_SIZE(EVENT, LAST) \
	(offsetof(struct node_##EVENT, LAST) + sizeof ((struct node_##EVENT *) 0)->LAST)

static inline const char *
node_text(const char *text)
{
	return *text ? text : "-";
}

#endif /* events.h */
