/* SPDX-License-Identifier: MIT
 *
 * store_ref.c -- which facts name a request, a message, a VM, a port or a
 * volume: what requests are joined by. */
#include "daemon/store_internal.h"

#include <string.h>

enum key_form { KEY_OTHER, KEY_NAME, KEY_NAMES, KEY_OWN };

/* Of which kinds of facts the key or an attribute is a name to find them by. */
static const struct {
	const char *kind;          /* With a dot at its end: a prefix. */
	/* The key is a name, or names with "/" between, or the thing's own: then the
	 * reference by it is of the kind "=KIND". */
	enum key_form key;
	const char *attributes[6];
} names[] = {
	{ "api.request", KEY_OWN, { "request_id", "global_request_id", "instance", "port",
				     "resource_id" } },
	{ "rpc.", KEY_OWN, { "request_id", "instance" } },
	{ "request.trace", KEY_OWN, { "request_id" } },
	{ "request.child", KEY_OWN, { "request_id" } },
	{ "nova.migration", KEY_OWN, { "request_id", "instance" } },
	{ "nova.step", KEY_OTHER, { "request_id", "instance", "port", "volume" } },
	{ "neutron.step", KEY_OTHER, { "request_id", "instance", "port", "volume" } },
	{ "cinder.step", KEY_OTHER, { "request_id", "instance", "port", "volume" } },
	{ "log.error", KEY_OTHER, { "request_id", "instance", "port", "volume" } },
	{ "vm.change", KEY_OTHER, { "request_id", "instance" } },
	{ "vm.port", KEY_NAMES, { "instance", "port" } },
	{ "vm.volume", KEY_NAMES, { "instance", "volume" } },
	{ "vm.host", KEY_NAMES, { "instance" } },
	{ "vm", KEY_NAME, { NULL } },
	{ "port", KEY_NAME, { "instance" } },
	{ "volume", KEY_NAME, { "instance" } },
	{ "qemu.process", KEY_OTHER, { "uuid" } },
	{ "qemu.disk", KEY_OTHER, { "volume_id" } },
	{ "qemu.nic", KEY_OTHER, { "port_id" } },
};

static bool
is_of_kind(const char *kind, const char *prefix)
{
	return streq(kind, prefix) || (prefix[strlen(prefix) - 1] == '.' &&
				       starts_with(kind, prefix));
}

static int
put_ref(struct store *store, const char *id, const struct fact *fact, const char *kind,
	const char *value, struct error *error)
{
	static const char sql[] = "INSERT OR IGNORE INTO ref VALUES (?1, ?2, ?3, ?4)";
	int r;

	if (!value || !*value || strlen(value) >= FACT_KEY_SIZE)
		return 0;
	r = store_run(store, error, "keep a reference", sql, "ttut", value, kind,
		      fact->start_ns, id);
	return MIN(r, 0);
}

static int
put_key(struct store *store, const char *id, const struct fact *fact, enum key_form form,
	struct error *error)
{
	char key[FACT_KEY_SIZE], *rest = key, *part;
	char own[64];
	int r = 0;

	if (form == KEY_NAME)
		return put_ref(store, id, fact, fact->kind, fact->key, error);
	snprintf(own, sizeof own, "=%s", fact->kind);
	if (form == KEY_OWN)
		return put_ref(store, id, fact, own, fact->key, error);
	memcpy(key, fact->key, sizeof key);
	while (form == KEY_NAMES && !r && (part = strsep(&rest, "/")))
		r = put_ref(store, id, fact, fact->kind, part, error);
	return r;
}

int
store_put_refs(struct store *store, const char *id, const struct fact *fact, struct error *error)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!is_of_kind(fact->kind, names[i].kind))
			continue;
		r = put_key(store, id, fact, names[i].key, error);
		for (size_t k = 0; k < ARRAY_SIZE(names[i].attributes) &&
		     names[i].attributes[k] && !r; k++) {
			const char *value = json_string_value(json_object_get(
				fact->attributes, names[i].attributes[k]));

			if (value && !(names[i].key == KEY_OWN && streq(value, fact->key)))
				r = put_ref(store, id, fact, fact->kind, value, error);
		}
		break;
	}
	return r;
}

json_t *
store_facts_naming(struct store *store, const char *value, struct error *error)
{
	static const char sql[] =
		"SELECT " SPAN_COLUMNS " FROM ref r CROSS JOIN fact f ON f.id = r.fact"
		" WHERE r.value = ?1 ORDER BY r.t_ns, r.fact LIMIT ?2";

	return store_spans_json(store, store_query(store, sql, "tu", value,
						   (uint64_t) STORE_MAX_NAMING), error);
}

json_t *
store_facts_naming_in(struct store *store, const char *value, const char *kind, uint64_t from_ns,
		      uint64_t to_ns, struct error *error)
{
	static const char sql[] =
		"SELECT " SPAN_COLUMNS " FROM ref r CROSS JOIN fact f ON f.id = r.fact"
		" WHERE r.value = ?1 AND r.kind = ?2 AND r.t_ns BETWEEN ?3 AND ?4"
		" ORDER BY r.t_ns, r.fact LIMIT ?5";

	return store_spans_json(store, store_query(store, sql, "ttuuu", value, kind, from_ns, to_ns,
						   (uint64_t) STORE_MAX_NAMING), error);
}
