/* SPDX-License-Identifier: MIT
 *
 * thing.h -- VMs, ports and volumes: what is known of each from the logs of
 * all services and from the hypervisor, joined by uuid (proto/schemas/vm.json,
 * port.json, volume.json).  Functions of the facts in the store, as flows. */
#ifndef DAEMON_THING_H
#define DAEMON_THING_H

#include <jansson.h>

#include "daemon/store.h"
#include "lib/error.h"

/* Brings things up to date: an object, its names the ids, its values the
 * topics ("vm", "port", "volume"). */
int things_settle(struct store *store, const json_t *things, struct error *error);
/* Adds what lists leave out: histories, steps, attachments, flows. */
void thing_expand(struct store *store, const char *topic, json_t *thing);

#endif /* thing.h */
