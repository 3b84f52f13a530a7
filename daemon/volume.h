/* SPDX-License-Identifier: MIT
 *
 * volume.h -- what Cinder's lines tell of volumes without naming them: which back end was
 * chosen, that one was deleted.  Such a line has but a request; what else is known under
 * that names the volume.  A function of the facts in the store (thing.h). */
#ifndef DAEMON_VOLUME_H
#define DAEMON_VOLUME_H

#include <jansson.h>
#include <stdbool.h>

#include "daemon/store.h"
#include "lib/error.h"

/* Sets "backend" and "status" of a volume ("deleting", "deleted") where requests tell it;
 * nothing on failure, which is in 'error'. */
void volume_told(struct store *store, const char *id, json_t *volume, struct error *error);
/* Whether this fact tells something of volumes that has to be joined by its request. */
bool volume_is_told_by(const struct fact *fact);
/* The volumes that facts of this request name: ids, as names of an object. */
json_t *volumes_of_request(struct store *store, const char *request, struct error *error);

#endif /* volume.h */
