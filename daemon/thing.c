/* SPDX-License-Identifier: MIT */
#include "daemon/thing_private.h"

#include <string.h>

#include "lib/util.h"

enum { MAX_FLOWS = 1000 };

static json_t *
thing_of(struct store *store, const char *topic, const char *id, struct error *error)
{
	if (streq(topic, "vm"))
		return thing_vm(store, id, error);
	if (streq(topic, "port"))
		return thing_port(store, id, error);
	return thing_volume(store, id, error);
}

int
things_settle(struct store *store, const json_t *things, struct error *error)
{
	struct error own = { 0 };
	const char *id;
	json_t *topic;
	int r = 0;

	if (!error)
		error = &own;
	json_object_foreach((json_t *) (uintptr_t) things, id, topic) {
		json_t *thing = thing_of(store, json_string_value(topic), id, error);

		r = error->code ? -error->code :
			store_put_thing(store, json_string_value(topic), id, thing, error);
		json_decref(thing);
		if (r < 0)
			return r;
	}
	return 0;
}

static json_t *
flows_of(struct store *store, const char *id)
{
	json_t *flows = store_requests_of(store, id, 0, INT64_MAX, NULL);
	size_t n = json_array_size(flows), extra = n > MAX_FLOWS ? n - MAX_FLOWS : 0, i;
	json_t *flow;

	while (extra--)
		json_array_remove(flows, 0);
	json_array_foreach(flows, i, flow)
		json_object_del(flow, "core_ns");
	return flows ? flows : json_array();
}

void
thing_expand(struct store *store, const char *topic, json_t *thing)
{
	bool is_vm = streq(topic, "vm");
	const char *id = known_text_of(thing, is_vm ? "uuid" : "id");

	if (!id)
		return;
	if (is_vm)
		json_object_set_new(thing, "history", thing_vm_history(store, id, NULL));
	else if (streq(topic, "port"))
		json_object_set_new(thing, "steps", thing_port_steps(store, id));
	else
		json_object_set_new(thing, "attachments", thing_volume_attachments(store, id, thing));
	json_object_set_new(thing, "flows", flows_of(store, id));
}
