/* SPDX-License-Identifier: MIT
 *
 * bt2_fields.h -- fields of a libbabeltrace2 event as ours: the values that an
 * interest asks for, and a walk over all of them. */
#ifndef CTF_BT2_FIELDS_H
#define CTF_BT2_FIELDS_H

#include <babeltrace2/babeltrace.h>

#include "ctf/event.h"
#include "ctf/stream.h"
#include "lib/buf.h"

/* Fills values[] for all slots of the event name 'wanted'.  Strings point into
 * the event, bytes into 'storage'. */
void ctf_bt2_values(const bt_event *event, const struct ctf_interest *interest, unsigned wanted,
		    struct ctf_value *values, struct buf *storage);

/* Tells all scopes of 'event'. */
void ctf_bt2_visit(const bt_event *event, const struct ctf_visitor *visitor, void *context);

#endif /* bt2_fields.h */
