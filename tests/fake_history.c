/* SPDX-License-Identifier: MIT
 *
 * fake_history.c -- the answers of daemon/parts.h and daemon/drain.h over the JSON file
 * of fake_store.h: "comparisons": { "A B": {...}, "A": {...} }, "drains": { HOST: {...} };
 * "peers" are members of the records themselves. */
#include <errno.h>
#include <stdio.h>

#include "daemon/drain.h"
#include "daemon/flow.h"
#include "daemon/parts.h"
#include "tests/fake_store.h"

static json_t *
member(struct store *store, const char *name, const char *key, struct error *error)
{
	json_t *found = json_object_get(json_object_get(fake_store_root(store), name), key);

	if (!found)
		error_set(error, ENOENT, "nothing is known of \"%s\"", key);
	return json_deep_copy(found);
}

json_t *
compare(struct store *store, const char *a, const char *b, struct error *error)
{
	char key[2100];

	snprintf(key, sizeof key, "%s%s%s", a, b ? " " : "", b ? b : "");
	return member(store, "comparisons", key, error);
}

json_t *
drain_status(struct store *store, const char *host, uint64_t since_ns, struct error *error)
{
	return member(store, "drains", host, error);
}

json_t *
peers_of(struct store *store, const char *topic, const json_t *record, const json_t *parts)
{
	return json_incref(json_object_get(record, "peers"));
}

json_t *
parts_of_migration(const json_t *record)
{
	return NULL;
}

json_t *
flow_parts_of(struct store *store, const char *id)
{
	return NULL;
}
