/* SPDX-License-Identifier: MIT */
#include "daemon/expand.h"

#include "daemon/kernel_answers.h"
#include "daemon/why.h"

void
migration_expand(struct store *store, json_t *migration)
{
	kernel_add_migration(store, migration);
	json_object_set_new(migration, "findings", why_migration(store, migration));
}
