/* SPDX-License-Identifier: MIT
 *
 * thing_private.h -- what VMs, ports and volumes share (thing.h).  Facts, links and entities
 * are as the store gives them. */
#ifndef DAEMON_THING_PRIVATE_H
#define DAEMON_THING_PRIVATE_H

#include "daemon/flow_private.h"
#include "daemon/members.h"
#include "daemon/thing.h"

enum { THING_MAX_HISTORY = 2000 };

/* -- What the services say of it (thing_told.c) ---------------------------- */

static inline const json_t *
thing_said(const json_t *fact)
{
	return json_object_get(fact, "attributes");
}

static inline json_t *
thing_ns_json(uint64_t ns)
{
	return ns ? json_integer((json_int_t) ns) : json_null();
}

/* All facts of a kind that name this id; the caller's. */
json_t *thing_facts(struct store *store, const char *id, const char *kind, struct error *error);
/* All members that the entities of this id have, of those that differ the newest; the
 * caller's.  'ret_ns': when it was first told of. */
json_t *thing_entity(struct store *store, const char *id, const char *kind, uint64_t *ret_ns,
		     struct error *error);
/* When a link was told, in ns since 1970. */
uint64_t thing_link_ns(const json_t *link);
/* Links in the order in which they were told; takes over the array. */
json_t *thing_in_order(json_t *links);
/* The id of the other thing of a link, which calls it 'name'; and the VM's.  NULL: not told. */
const char *thing_other(const json_t *link, const char *name);
const char *thing_instance(const json_t *link, char buffer[FACT_KEY_SIZE]);
bool thing_is_over(const json_t *link);
/* The links of this kind in their order, by the id of the other thing; the caller's. */
json_t *thing_links(struct store *store, const char *id, const char *kind, const char *name,
		    struct error *error);
/* What the links of one pair say together, the newest of each member (the caller's); and the
 * newest link. */
json_t *thing_merged(const json_t *links);
const json_t *thing_newest(const json_t *links);
/* Whether a port or volume of this status is nobody's. */
bool thing_is_free(const char *status);
/* Cinder does not log that a volume is in use; the VM that has it tells. */
void thing_set_in_use(json_t *volume);
/* One form for what logs say in several. */
void thing_tidy(json_t *part);

/* -- The things, as proto/schemas has them; NULL: nothing is known of it ---- */

json_t *thing_vm(struct store *store, const char *uuid, struct error *error);
json_t *thing_port(struct store *store, const char *id, struct error *error);
json_t *thing_volume(struct store *store, const char *id, struct error *error);
/* What lists leave out. */
json_t *thing_vm_history(struct store *store, const char *uuid, struct error *error);
json_t *thing_port_steps(struct store *store, const char *id);
json_t *thing_volume_attachments(struct store *store, const char *id, const json_t *volume);

#endif /* thing_private.h */
