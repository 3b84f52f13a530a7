/* SPDX-License-Identifier: MIT */
#include "daemon/expand.h"

#include "daemon/kernel_answers.h"

void
migration_expand(struct store *store, json_t *migration)
{
	kernel_add_migration(store, migration);
}
