/* SPDX-License-Identifier: MIT
 *
 * links.c -- interfaces from rtnetlink (links.h).
 *
 * Our own namespace tells changes by itself; another one is read through a
 * socket that is made while this thread visits it. */
#include "instrumentation/node/links.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "instrumentation/node/emit.h"
#include "instrumentation/node/files.h"
#include "instrumentation/node/missing.h"
#include "instrumentation/node/netlink.h"
#include "instrumentation/node/ovs.h"
#include "instrumentation/node/set.h"

enum { MAX_NAMESPACES = 4096 };

static const struct set_kind interface_kind = {
	.size = sizeof(struct node_interface), .key_size = NODE_KEY_SIZE(interface, ifindex),
	.max = 16384, .emit = emit_interface,
};
static struct set interfaces = { .kind = &interface_kind };
static int monitor = -1;
static uint64_t own_netns;
static struct timespec namespaces_changed;

struct namespace {
	uint64_t inode;
	const char *name;        /* "" for our own. */
};

/* -- Telling of one interface ----------------------------------------------- */

void
links_port_of_name(const char *name, char ret_id[40], char ret_from[12])
{
	static const char *const prefixes[] = { "tap", "qvo", "qvb", "qbr", "qr-", "qg-", "sg-", "ha-" };

	memset(ret_id, 0, 40);
	memset(ret_from, 0, 12);
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		const char *id = name + strlen(prefixes[i]);

		if (!starts_with(name, prefixes[i]) || strlen(id) != 11)
			continue;
		for (int at = 0; at < 11; at++)
			if (at == 8 ? id[at] != '-' : !isxdigit((unsigned char) id[at]))
				return;
		text_set(ret_id, 40, id);
		text_set(ret_from, 12, "name");
	}
}

static void
add_names(struct node_interface *interface)
{
	const struct ovs_port *port = ovs_find(interface->name);
	const struct node_interface *master;
	struct { uint64_t netns; int32_t ifindex; } key = { interface->netns, interface->master };

	links_port_of_name(interface->name, interface->port_id, interface->port_from);
	interface->ovs_port = interface->ofport = -1;
	memset(interface->datapath, 0, sizeof interface->datapath);
	memset(interface->bridge, 0, sizeof interface->bridge);
	master = interface->master ? set_find(&interfaces, &key) : NULL;
	if (master && !streq(master->name, "ovs-system"))
		TEXT_SET(interface->bridge, master->name);
	if (!port)
		return;
	interface->ovs_port = port->port;
	interface->ofport = port->ofport;
	TEXT_SET(interface->datapath, port->datapath);
	if (*port->bridge)
		TEXT_SET(interface->bridge, port->bridge);
	if (*port->iface_id) {
		TEXT_SET(interface->port_id, port->iface_id);
		TEXT_SET(interface->port_from, "ovsdb");
	}
}

static void
read_address(const struct netlink_attribute *attribute, char mac[18])
{
	const unsigned char *b = attribute->data;

	if (attribute->size == 6)
		snprintf(mac, 18, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

static void
read_kind(const struct netlink_attribute *info, struct node_interface *interface)
{
	struct netlink_attribute a;

	for (bool more = netlink_first(&a, info->data, info->size); more; more = netlink_next(&a))
		if (a.type == IFLA_INFO_KIND)
			netlink_text(&a, interface->kind, sizeof interface->kind);
}

static void
read_attributes(const void *data, size_t size, struct node_interface *interface)
{
	struct netlink_attribute a;

	for (bool more = netlink_first(&a, data, size); more; more = netlink_next(&a)) {
		if (a.type == IFLA_IFNAME)
			netlink_text(&a, interface->name, sizeof interface->name);
		else if (a.type == IFLA_ADDRESS)
			read_address(&a, interface->mac);
		else if (a.type == IFLA_MASTER)
			interface->master = (int32_t) netlink_u32(&a);
		else if (a.type == IFLA_LINK)
			interface->link = (int32_t) netlink_u32(&a);
		else if (a.type == IFLA_LINK_NETNSID)
			interface->link_nsid = (int32_t) netlink_u32(&a);
		else if (a.type == IFLA_LINKINFO)
			read_kind(&a, interface);
	}
}

static void
remove_interface(uint64_t netns, int32_t ifindex)
{
	for (unsigned i = interfaces.n; i-- > 0; ) {
		const struct node_interface *interface = set_item(&interfaces, i);

		if (interface->netns == netns && interface->ifindex == ifindex)
			set_remove(&interfaces, i);
	}
}

static void
take_link(void *context, const struct nlmsghdr *header, const void *payload, size_t size)
{
	const struct namespace *namespace = context;
	struct node_interface interface;
	struct ifinfomsg info;

	if ((header->nlmsg_type != RTM_NEWLINK && header->nlmsg_type != RTM_DELLINK) ||
	    size < NLMSG_ALIGN(sizeof info))
		return;
	memcpy(&info, payload, sizeof info);
	/* Bridges tell of their ports as a family of their own: not a new link. */
	if (info.ifi_family != AF_UNSPEC)
		return;
	if (header->nlmsg_type == RTM_DELLINK) {
		remove_interface(namespace->inode, info.ifi_index);
		return;
	}
	memset(&interface, 0, sizeof interface);
	interface.netns = namespace->inode;
	interface.ifindex = info.ifi_index;
	interface.link_nsid = -1;
	TEXT_SET(interface.netns_name, namespace->name);
	read_attributes((const char *) payload + NLMSG_ALIGN(sizeof info),
			size - NLMSG_ALIGN(sizeof info), &interface);
	if (info.ifi_flags & IFF_LOOPBACK)
		TEXT_SET(interface.kind, "loopback");
	add_names(&interface);
	set_put(&interfaces, &interface);
}

/* -- Reading ---------------------------------------------------------------- */

static int
dump(int fd, const struct namespace *namespace)
{
	const struct ifinfomsg all = { .ifi_family = AF_UNSPEC };
	int r = netlink_request(fd, RTM_GETLINK, NLM_F_DUMP, &all, sizeof all, 0, NULL);

	return r ? r : netlink_answer(fd, take_link, (void *) namespace);
}

/* Marks as seen what was known of a namespace. */
static void
keep_namespace(uint64_t inode)
{
	for (unsigned i = 0; i < interfaces.n; i++)
		if (((const struct node_interface *) set_item(&interfaces, i))->netns == inode)
			interfaces.generations[i] = interfaces.generation;
}

static int
visit(const char *name, int own_fd)
{
	char path[FILES_PATH_SIZE];
	struct namespace namespace = { .name = name };
	_cleanup_(closep) int fd = -1, socket = -1;
	struct stat st;
	int r;

	snprintf(path, sizeof path, "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || st.st_ino == own_netns)
		return 0;
	namespace.inode = st.st_ino;
	if (setns(fd, CLONE_NEWNET))
		return -errno;
	socket = netlink_open(NETLINK_ROUTE, 0);
	if (setns(own_fd, CLONE_NEWNET))
		return -errno;
	r = socket < 0 ? socket : dump(socket, &namespace);
	if (r)
		keep_namespace(namespace.inode);
	return 0;
}

static void
scan_namespaces(void)
{
	DIR *dir = files_dir("/run/netns");
	_cleanup_(closep) int own_fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	struct dirent *entry;
	unsigned n = 0;

	while (dir && own_fd >= 0 && (entry = readdir(dir))) {
		int r;

		if (*entry->d_name == '.')
			continue;
		if (n++ >= MAX_NAMESPACES) {
			node_counters.left_out++;
			break;
		}
		r = visit(entry->d_name, own_fd);
		if (r) {
			missing_note("network-namespaces", "can't enter them: %s; needs CAP_SYS_ADMIN",
				     strerror(-r));
			break;
		}
	}
	if (dir)
		closedir(dir);
}

/* Whether namespaces were made or removed since the last call. */
static bool
namespaces_have_changed(void)
{
	struct stat st;

	if (files_stat(&st, "/run/netns"))
		memset(&st, 0, sizeof st);
	if (!memcmp(&st.st_mtim, &namespaces_changed, sizeof st.st_mtim))
		return false;
	namespaces_changed = st.st_mtim;
	return true;
}

void
links_scan(bool others)
{
	const struct namespace own = { .inode = own_netns, .name = "" };
	_cleanup_(closep) int fd = -1;
	int r;

	if (!files_are_real())
		return;
	others |= namespaces_have_changed();
	fd = netlink_open(NETLINK_ROUTE, 0);
	r = fd < 0 ? fd : dump(fd, &own);
	if (r) {
		missing_note("rtnetlink", "can't list network interfaces: %s", strerror(-r));
		keep_namespace(own_netns);
	}
	if (others)
		scan_namespaces();
	for (unsigned i = 0; !others && i < interfaces.n; i++)
		if (((const struct node_interface *) set_item(&interfaces, i))->netns != own_netns)
			interfaces.generations[i] = interfaces.generation;
	set_sweep(&interfaces);
}

int
links_open(void)
{
	struct stat st;

	if (!files_are_real())
		return -1;
	if (!files_stat(&st, "/proc/self/ns/net"))
		own_netns = st.st_ino;
	monitor = netlink_open(NETLINK_ROUTE, RTMGRP_LINK);
	if (monitor < 0)
		missing_note("rtnetlink-changes", "can't listen for them: %s", strerror(-monitor));
	return monitor;
}

void
links_refresh(void)
{
	struct node_interface interface;

	for (unsigned i = 0; i < interfaces.n; i++) {
		memcpy(&interface, set_item(&interfaces, i), sizeof interface);
		add_names(&interface);
		set_put(&interfaces, &interface);
	}
}

void
links_ready(void)
{
	const struct namespace own = { .inode = own_netns, .name = "" };

	if (netlink_read(monitor, take_link, (void *) &own) == -ENOBUFS)
		links_scan(true);
}

void
links_dump(void)
{
	set_dump(&interfaces);
}

unsigned
links_count(void)
{
	return interfaces.n;
}

void
links_done(void)
{
	closep(&monitor);
	monitor = -1;
	set_done(&interfaces, false);
}

/* -- Finding ---------------------------------------------------------------- */

const struct node_interface *
links_find(const char *name)
{
	for (unsigned i = 0; i < interfaces.n; i++) {
		const struct node_interface *interface = set_item(&interfaces, i);

		if (interface->netns == own_netns && streq(interface->name, name))
			return interface;
	}
	return NULL;
}

const struct node_interface *
links_find_by_guest_mac(const char *mac)
{
	for (unsigned i = 0; *mac && i < interfaces.n; i++) {
		const struct node_interface *interface = set_item(&interfaces, i);

		if (interface->netns == own_netns && starts_with(interface->mac, "fe:") &&
		    !strcasecmp(interface->mac + 3, mac + strcspn(mac, ":") + (strlen(mac) > 2)))
			return interface;
	}
	return NULL;
}

const char *
links_guest_mac(const char *name)
{
	const struct ovs_port *port = ovs_find(name);

	return port && *port->mac ? port->mac : NULL;
}
