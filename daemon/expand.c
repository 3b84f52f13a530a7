/* SPDX-License-Identifier: MIT */
#include "daemon/expand.h"

#include "daemon/kernel_answers.h"
#include "daemon/kernel_budget.h"

void
migration_expand(struct store *store, json_t *migration)
{
	kernel_add_migration(store, migration);
	budget_add_migration(store, migration);
}
