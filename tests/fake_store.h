/* SPDX-License-Identifier: MIT
 *
 * fake_store.h -- the reading half of daemon/store.h over a JSON file, so that
 * the protocol and the views are tested without a trace:
 * { "migrations": [...], "alerts": [...], "nodes": [...], "flows": [...],
 *   "vms": [...], "services": [...], "volumes": [...], "ports": [...],
 *   "network": {...} (fake_network.c), what fake_kernel.c has,
 *   "counters": {...}, "silences": [...],
 *   "kept_from": oldest cursor that is still known } */
#ifndef TESTS_FAKE_STORE_H
#define TESTS_FAKE_STORE_H

#include "daemon/store.h"

/* Reads the file again; what differs becomes a change.  False: cannot. */
bool fake_store_reload(void);
/* What the file holds; borrowed. */
const json_t *fake_store_root(const struct store *store);

#endif /* fake_store.h */
