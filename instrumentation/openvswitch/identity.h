/* SPDX-License-Identifier: GPL-2.0-only
 *
 * identity.h -- the tag that stays with a packet from bridge to bridge: in the
 * tail room of its buffer and, while the packet is in user space for an
 * upcall, in a table by its hash.  Counts what it does (counters.h). */
#ifndef CLOUDTRACE_OVS_IDENTITY_H
#define CLOUDTRACE_OVS_IDENTITY_H

#include <linux/skbuff.h>
#include <linux/types.h>

#include "packet.h"

/* Makes the table, of "slots" packets (a power of 2 from 64 to 65536 is made
 * of it).  0 or a negative error. */
int identity_init(unsigned int slots);
void identity_exit(void);

/* Fills in tag and tag_state from the tail room: TAG_READ or TAG_NONE. */
void identity_read(struct ovs_packet *packet, const struct sk_buff *skb);
/* Gives the packet a new tag: TAG_NEW, or TAG_UNWRITTEN where there is no room
 * for it or where others may use the same bytes. */
void identity_make(struct ovs_packet *packet, struct sk_buff *skb);
/* Before an upcall: keeps a copy of the packet's tag in the table. */
void identity_keep(const struct ovs_packet *packet);
/* After it: fills in the tag from the table, TAG_RECOVERED, if it is there. */
bool identity_find(struct ovs_packet *packet);
/* Writes the packet's own tag in the tail room again. */
void identity_restore(const struct ovs_packet *packet, struct sk_buff *skb);

#endif /* identity.h */
