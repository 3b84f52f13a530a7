/* SPDX-License-Identifier: MIT */
#include "daemon/expand.h"

#include "daemon/clock_apply.h"
#include "daemon/join_steps.h"
#include "daemon/kernel_answers.h"
#include "daemon/kernel_budget.h"
#include "daemon/unknown.h"
#include "daemon/why.h"

void
migration_expand(struct store *store, json_t *migration)
{
	/* First: others count on its offset. */
	clock_add_migration(store, migration);
	json_object_set_new(migration, "steps", join_steps(store, migration));
	kernel_add_migration(store, migration);
	budget_add_migration(store, migration);
	json_object_set_new(migration, "unknown", unknown_of_migration(store, migration));
	json_object_set_new(migration, "findings", why_migration(store, migration));
}
