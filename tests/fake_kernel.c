/* SPDX-License-Identifier: MIT
 *
 * fake_kernel.c -- the answers of daemon/kernel_answers.h over the JSON file of
 * fake_store.h: "kernel": { HOST: { "threads": [...], "node": {...}, "disks": [...],
 * "network": {...} } }, "top": [...], "chains": [...]. */
#include <errno.h>

#include "daemon/clock_apply.h"
#include "daemon/expand.h"
#include "daemon/kernel_answers.h"
#include "tests/fake_store.h"

static json_t *
part(struct store *store, const struct kernel_filter *filter, const char *name,
     struct error *error)
{
	const json_t *host = json_object_get(json_object_get(fake_store_root(store), "kernel"),
					     filter->host);
	json_t *found = json_object_get(host, name);

	if (!found && error)
		error_set(error, ENOENT, "nothing is known of the kernel of host %s",
			  filter->host);
	return json_deep_copy(found);
}

json_t *
kernel_threads(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	json_t *threads = part(store, filter, "threads", error);

	for (size_t i = json_array_size(threads); i-- > 0; ) {
		const json_t *thread = json_array_get(threads, i);
		uint64_t pid = (uint64_t) json_integer_value(json_object_get(thread, "pid"));
		uint64_t tid = (uint64_t) json_integer_value(json_object_get(thread, "tid"));

		if ((filter->pid && pid != filter->pid) || (filter->tid && tid != filter->tid) ||
		    (filter->limit && i >= filter->limit))
			json_array_remove(threads, i);
	}
	return threads;
}

json_t *
kernel_node(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	return part(store, filter, "node", error);
}

json_t *
kernel_disks(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	return part(store, filter, "disks", error);
}

json_t *
kernel_network(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	return part(store, filter, "network", error);
}

json_t *
kernel_top(struct store *store, const struct kernel_filter *filter, struct error *error)
{
	json_t *all = json_object_get(fake_store_root(store), "top");

	return all ? json_deep_copy(all) : json_array();
}

json_t *
kernel_volume_chain(struct store *store, const char *volume, const struct kernel_filter *filter,
		    struct error *error)
{
	json_t *all = json_object_get(fake_store_root(store), "chains"), *chain;
	size_t i;

	json_array_foreach(all, i, chain) {
		const char *its = json_string_value(json_object_get(chain, "volume"));

		if (its && streq(its, volume))
			return json_deep_copy(chain);
	}
	return json_pack("{s:s, s:[]}", "volume", volume, "places");
}

void
migration_expand(struct store *store, json_t *migration)
{
}

/* Nothing relates the clocks of a fake cloud. */
void
clock_add_migrations(struct store *store, json_t *migrations)
{
}

void
clock_add_changes(struct store *store, json_t *items)
{
}

void
clock_add_nodes(struct store *store, json_t *nodes)
{
}
