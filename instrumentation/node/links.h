/* SPDX-License-Identifier: MIT
 *
 * links.h -- the network interfaces of this node, in its own network namespace
 * and in those of /run/netns, with what Open vSwitch knows of them (ovs.h). */
#ifndef INSTRUMENTATION_NODE_LINKS_H
#define INSTRUMENTATION_NODE_LINKS_H

#include <stdbool.h>

#include "instrumentation/node/events.h"

/* Begins to listen.  Returns a descriptor that links_ready() is to be called
 * for when it can be read, or -1. */
int links_open(void);
/* Reads changes, tells them. */
void links_ready(void);
/* What Open vSwitch says has changed. */
void links_refresh(void);
/* Reads all of our namespace; of the others when 'namespaces', or when any
 * came or went. */
void links_scan(bool namespaces);
void links_dump(void);
unsigned links_count(void);
void links_done(void);

/* Of our own namespace; NULL if there is none. */
const struct node_interface *links_find(const char *name);
/* The tap of a guest's card: Nova and libvirt give it the same address, but
 * beginning with fe. */
const struct node_interface *links_find_by_guest_mac(const char *mac);
/* The address that the guest has behind it, or NULL. */
const char *links_guest_mac(const char *name);
/* Neutron names devices by the first 11 characters of the port's id: writes
 * these and "name", or "" and "". */
void links_port_of_name(const char *name, char ret_id[40], char ret_from[12]);

#endif /* links.h */
