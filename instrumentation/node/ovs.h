/* SPDX-License-Identifier: MIT
 *
 * ovs.h -- what Open vSwitch knows of network interfaces, if there is one: the
 * kernel's datapath by generic netlink, and OVSDB by its socket. */
#ifndef INSTRUMENTATION_NODE_OVS_H
#define INSTRUMENTATION_NODE_OVS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ovs_port {
	char name[16];
	int32_t port;            /* Number in the datapath; -1: none. */
	int32_t ofport;          /* OpenFlow number; -1: none. */
	char datapath[16], bridge[16];
	char iface_id[40];       /* Neutron's port id. */
	char mac[18];            /* Of the guest. */
};

/* The port of that name, valid until the next call; NULL if there is none. */
const struct ovs_port *ovs_find(const char *name);
/* Reads the datapath; asks OVSDB.  Returns whether the datapath changed. */
bool ovs_scan(void);
/* The descriptor to wait on for OVSDB's answer, or -1; may differ after any call. */
int ovs_fd(void);
/* Reads the answer; true when it changed something. */
bool ovs_ready(void);
void ovs_done(void);

/* For tests: takes an answer of OVSDB.  False when it is none. */
bool ovs_take_answer(const char *json, size_t size);

#endif /* ovs.h */
