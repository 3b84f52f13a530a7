/* SPDX-License-Identifier: MIT */
#include "tests/store_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/util.h"

static char *folder;

const char *
temporary(const char *name)
{
	static char path[256];
	const char *parent = getenv("TMPDIR");

	if (!folder) {
		folder = xasprintf("%s/cloudtraced-store.XXXXXX", parent ? parent : "/tmp");
		assert_non_null(mkdtemp(folder));
	}
	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

void
temporary_done(void)
{
	char *command;

	if (!folder)
		return;
	command = xasprintf("rm -rf '%s'", folder);
	assert_int_equal(system(command), 0);
	free(command);
	free(folder);
	folder = NULL;
}

struct store *
open_store(const char *path, enum store_mode mode)
{
	struct error error = { 0 };
	struct store *store = NULL;

	if (store_open(path, mode, &store, &error))
		fail_msg("%s", error.text);
	return store;
}

char *
dump(struct store *store)
{
	struct error error = { 0 };
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	if (store_dump(store, file, &error))
		fail_msg("%s", error.text);
	fclose(file);
	return text;
}

static void
set_time(json_t *object, const char *name, uint64_t t)
{
	json_object_set_new(object, name, t ? json_integer((json_int_t) t) : json_null());
}

struct fact
side_fact(const struct given_side *side)
{
	struct fact fact = {
		.type = FACT_SPAN, .host = side->host, .start_ns = side->start,
		.kind = side->source ? "migration.source" : "migration.destination",
		.end_ns = side->end, .status = side->status ? side->status : "running",
		.attributes = json_object(),
	};
	json_t *a = fact.attributes;

	snprintf(fact.key, sizeof fact.key, "%u", side->pid);
	set_time(a, "connect_ns", side->connect);
	set_time(a, "stop_ns", side->stop);
	set_time(a, "run_ns", side->run);
	json_object_set_new(a, "mode", json_string(side->postcopy ? "postcopy" : "precopy"));
	json_object_set_new(a, "stage", json_string(side->stop ? "stop-and-copy" :
						    side->connect ? "precopy" : "setup"));
	json_object_set_new(a, "events", json_integer(100));
	json_object_set_new(a, "lost", json_integer(0));
	json_object_set_new(a, side->source ? "uri" : "listen_uri",
			    side->uri ? json_string(side->uri) : json_null());
	json_object_set_new(a, "reason", side->reason ? json_string(side->reason) : json_null());
	if (side->source && side->stop && side->end)
		set_time(a, "downtime_ns", side->end - side->stop);
	if (!side->source && side->status && streq(side->status, "failed"))
		json_object_set_new(a, "ret", json_integer(-22));
	return fact;
}

struct fact
process_fact(const char *host, unsigned pid, const char *uuid, const char *name,
	     const char *incoming)
{
	struct fact fact = { .type = FACT_ENTITY, .host = host, .kind = "qemu.process" };

	snprintf(fact.key, sizeof fact.key, "%u", pid);
	fact.attributes = json_pack("{s:s, s:s, s:s?}", "uuid", uuid, "name", name, "incoming",
				    incoming);
	return fact;
}

struct fact
child_fact(const struct fact *side, const char *kind, uint64_t start, uint64_t end)
{
	struct fact fact = { .type = FACT_SPAN, .host = side->host, .kind = kind,
			     .start_ns = start, .end_ns = end,
			     .status = end ? "ended" : "running" };

	memcpy(fact.key, side->key, sizeof fact.key);
	fact_id(side, fact.parent);
	fact.attributes = json_pack("{s:I, s:s, s:I}", "limit_ns", (json_int_t) S(2), "last_event",
				    "qemu:savevm_section_start", "last_event_ns",
				    (json_int_t) start);
	return fact;
}

struct fact
retraction(const struct fact *fact)
{
	struct fact back = *fact;

	back.type = FACT_RETRACT;
	back.attributes = NULL;
	return back;
}

void
give(struct hub *hub, const struct fact *fact)
{
	struct error error = { 0 };

	json_incref(fact->attributes);
	if (hub_fact(hub, fact, &error) < 0)
		fail_msg("%s", error.text);
}

void
give_all(struct store *store, struct hub *hub, const struct fact *facts, size_t n)
{
	struct error error = { 0 };

	assert_int_equal(store_begin(store, &error), 0);
	for (size_t i = 0; i < n; i++)
		give(hub, &facts[i]);
	if (hub_settle(hub, &error) || store_commit(store, &error))
		fail_msg("%s", error.text);
}

void
facts_done(struct fact *facts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_decref(facts[i].attributes);
}

const char *
member(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

int64_t
number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return json_is_integer(value) ? json_integer_value(value) : -1;
}
