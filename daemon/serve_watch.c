/* SPDX-License-Identifier: MIT
 *
 * serve_watch.c -- watchers.  A watch is a topic and a cursor: what changed is
 * asked of the store when the client has room for it, so a client that is
 * behind gets each thing once, in its newest state, and nothing piles up. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock_apply.h"
#include "daemon/serve_internal.h"
#include "lib/clock.h"
#include "lib/log.h"

enum { CHANGES_AT_ONCE = 256 };
#define LOOK_KEPT_NS (15 * NS_PER_MS)

/* Where the members of a filter are looked for. */
static const struct {
	const char *name, *paths[4];
	bool of_subject;   /* Also of the migration that an alert is about. */
} places[] = {
	{ "id", { "id", "uuid" }, false },
	{ "host", { "host", "source", "destination" }, true },
	{ "vm", { "vm.uuid", "vm.name", "uuid", "name" }, true },
	{ "status", { "status" }, false },
	{ "state", { "state" }, false },
	{ "severity", { "severity" }, false },
	{ "rule", { "rule" }, false },
	{ "kind", { "kind" }, false },
};

static const json_t *
at_path(const json_t *item, const char *path)
{
	const char *dot = strchr(path, '.');
	char first[16];

	if (!dot)
		return json_object_get(item, path);
	snprintf(first, sizeof first, "%.*s", (int) (dot - path), path);
	return json_object_get(json_object_get(item, first), dot + 1);
}

/* The same, or with a ".*" at its end the same up to its dot, as flow.list has it. */
static bool
value_matches(const json_t *want, const json_t *value)
{
	const char *pattern = json_string_value(want), *text = json_string_value(value);
	size_t length = pattern ? strlen(pattern) : 0;

	if (length > 2 && text && streq(pattern + length - 2, ".*"))
		return !strncmp(pattern, text, length - 1);
	return json_equal(want, value);
}

static bool
place_matches(unsigned place, const json_t *want, const json_t *item)
{
	for (unsigned i = 0; i < ARRAY_SIZE(places[0].paths) && places[place].paths[i]; i++) {
		const json_t *value = at_path(item, places[place].paths[i]);

		if (streq(places[place].name, "kind") ? value_matches(want, value) :
							json_equal(want, value))
			return true;
	}
	return false;
}

bool
serve_filter_matches(const json_t *filter, const json_t *item, const json_t *subject)
{
	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		const json_t *want = json_object_get(filter, places[i].name);

		if (want && !json_is_null(want) && !place_matches(i, want, item) &&
		    !(subject && places[i].of_subject && place_matches(i, want, subject)))
			return false;
	}
	return true;
}

/* The migration that an alert is about, or NULL. */
static json_t *
subject_of(struct serve *serve, const char *topic, const json_t *item)
{
	const char *id = json_string_value(json_object_get(item, "subject"));

	return id && topic && streq(topic, "alert") ? store_migration(serve->store, id) : NULL;
}

static void
watch_free(struct serve_client *client, struct serve_watch *watch)
{
	LIST_REMOVE(watch, link);
	client->watch_count--;
	json_decref(watch->filter);
	free(watch->topic);
	free(watch);
}

void
serve_watch_free_all(struct serve_client *client)
{
	struct serve_watch *watch, *next;

	for (watch = LIST_FIRST(&client->watches); watch; watch = next) {
		next = LIST_NEXT(watch, link);
		watch_free(client, watch);
	}
}

/* -- Looks, shared -------------------------------------------------------- */

static void
forget_look(struct serve_look *look)
{
	json_decref(look->changes);
	free(look->items);
	*look = (struct serve_look) { .changes = NULL };
}

void
serve_watch_forget_looks(struct serve *serve)
{
	for (unsigned i = 0; i < SERVE_LOOKS; i++)
		forget_look(&serve->looks[i]);
}

/* A look of a moment ago is as good as a new one, if nothing was committed since.
 * NULL: the store failed. */
static struct serve_look *
look_since(struct serve *serve, const char *topic, const char *since, struct error *error)
{
	uint64_t now_ns = clock_mono_ns();
	struct serve_look *look;
	json_t *changes;

	for (unsigned i = 0; i < SERVE_LOOKS; i++) {
		look = &serve->looks[i];
		if (look->changes && now_ns - look->looked_ns < LOOK_KEPT_NS &&
		    look->looked_ns > serve->committed_ns &&
		    streq(look->topic, topic ? topic : "") && streq(look->since, since))
			return look;
	}
	changes = store_changes(serve->store, topic, since, CHANGES_AT_ONCE, error);
	if (!changes)
		return NULL;
	clock_add_changes(serve->store, json_object_get(changes, "items"));
	look = &serve->looks[serve->next_look++ % SERVE_LOOKS];
	forget_look(look);
	look->changes = changes;
	look->looked_ns = now_ns;
	snprintf(look->topic, sizeof look->topic, "%s", topic ? topic : "");
	snprintf(look->since, sizeof look->since, "%s", since);
	return look;
}

/* Removes what the filter leaves out.  A thing that is gone is told to all: the
 * filter cannot see it any more. */
static void
leave_out(struct serve *serve, const json_t *filter, json_t *items)
{
	for (size_t i = json_array_size(items); i-- > 0; ) {
		const json_t *change = json_array_get(items, i), *item = json_object_get(change, "item");
		json_t *subject = subject_of(serve, json_string_value(json_object_get(change, "topic")),
					     item);

		if (json_is_object(item) && !serve_filter_matches(filter, item, subject))
			json_array_remove(items, i);
		json_decref(subject);
	}
}

/* What changed after 'since' (NULL: nothing, from now), an object of its own. */
static json_t *
look(struct serve *serve, const char *topic, const json_t *filter, const char *since,
     size_t *ret_count, struct error *error)
{
	struct serve_look *shared = since ? look_since(serve, topic, since, error) : NULL;
	json_t *changes = !since ? store_changes(serve->store, topic, NULL, CHANGES_AT_ONCE, error) :
			  shared ? json_copy(shared->changes) : NULL;
	json_t *items = json_object_get(changes, "items");

	if (ret_count)
		*ret_count = json_array_size(items);
	if (filter && json_array_size(items)) {
		items = json_copy(items);
		leave_out(serve, filter, items);
		json_object_set_new(changes, "items", items);
	}
	return changes;
}

/* Cursors are of the store; one that fits none of ours is no cursor. */
static int
take_cursor(struct serve_watch *watch, const json_t *changes)
{
	const char *cursor = json_string_value(json_object_get(changes, "cursor"));

	if (!cursor || strlen(cursor) >= sizeof watch->cursor)
		return -EPROTO;
	strcpy(watch->cursor, cursor);
	return 0;
}

static bool
check_cursor(const char *since)
{
	return !since || (*since && strlen(since) < 20 && !since[strspn(since, "0123456789")]);
}

json_t *
serve_watch_add(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	const char *topic = json_string_value(json_object_get(params, "topic"));
	const char *since = json_string_value(json_object_get(params, "since"));
	json_t *filter = json_object_get(params, "filter"), *changes;
	struct error failure = { 0 };
	struct serve_watch *watch;

	if (json_is_object(filter) && rpc_check_params(rpc_watch_filter, filter, error))
		return NULL;
	if (!check_cursor(since)) {
		rpc_error_set(error, RPC_INVALID_PARAMS, "since", "give a cursor back as it came",
			      "\"%.60s\" is no cursor", since);
		return NULL;
	}
	if (client->watch_count >= client->serve->options.max_watches) {
		rpc_error_set(error, RPC_BUSY, NULL, "end others by unwatch",
			      "More than %u watches", client->serve->options.max_watches);
		return NULL;
	}
	watch = xcalloc(1, sizeof *watch);
	changes = look(client->serve, topic, filter, since, NULL, &failure);
	if (!changes || take_cursor(watch, changes)) {
		json_decref(changes);
		free(watch);
		return serve_store_failed(&failure, error);
	}
	watch->topic = topic ? xstrdup(topic) : NULL;
	watch->id = ++client->last_watch;
	watch->filter = json_is_object(filter) ? json_incref(filter) : NULL;
	LIST_INSERT_HEAD(&client->watches, watch, link);
	client->watch_count++;
	client->behind = true;
	json_object_set_new(changes, "watch", json_integer(watch->id));
	return changes;
}

json_t *
serve_watch_remove(struct serve_client *client, const json_t *params, struct rpc_error *error)
{
	json_int_t id = json_integer_value(json_object_get(params, "watch"));
	struct serve_watch *watch;

	LIST_FOREACH(watch, &client->watches, link)
		if (watch->id == id) {
			watch_free(client, watch);
			return json_object();
		}
	rpc_error_set(error, RPC_NOT_FOUND, "watch", NULL,
		      "No watch %" JSON_INTEGER_FORMAT " on this connection", id);
	return NULL;
}

/* An update whose items are the same text for all who have no filter. */
static int
send_shared(struct serve_client *client, const struct serve_watch *watch, struct serve_look *shared)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	if (!shared->items)
		shared->items = json_dumps(json_object_get(shared->changes, "items"), JSON_COMPACT);
	if (!shared->items)
		return -ENOMEM;
	buf_printf(&line, "{\"jsonrpc\":\"2.0\",\"method\":\"update\",\"params\":{\"cursor\":\"%s\","
		   "\"watch\":%" JSON_INTEGER_FORMAT ",\"items\":", watch->cursor, watch->id);
	buf_add_string(&line, shared->items);
	buf_add_string(&line, "}}\n");
	if (line.size > client->serve->options.max_reply)
		return -EMSGSIZE;
	serve_client_queue(client, line.data, line.size);
	return 0;
}

/* Queues one "update" or "lost".  Returns whether there may be more. */
static bool
update(struct serve_client *client, struct serve_watch *watch)
{
	static struct log_limit limit = LOG_LIMIT(3, UINT64_C(60000000000));
	struct error failure = { 0 };
	struct serve_look *shared = NULL;
	size_t count;
	char from[sizeof watch->cursor];
	json_t *changes = look(client->serve, watch->topic, watch->filter, watch->cursor, &count,
			       &failure);
	bool found = json_is_true(json_object_get(changes, "found"));

	memcpy(from, watch->cursor, sizeof from);
	if (!changes || take_cursor(watch, changes)) {
		if (log_allowed(&limit))
			log_warning("cannot read changes for a watcher: %s", failure.text);
		json_decref(changes);
		return false;
	}
	json_object_set_new(changes, "watch", json_integer(watch->id));
	json_object_del(changes, "found");
	if (!found) {
		json_object_set_new(changes, "from", json_string(from));
		json_object_del(changes, "items");
		serve_client_send(client, rpc_notification_new("lost", changes));
		return true;
	}
	if (!json_array_size(json_object_get(changes, "items")))
		json_decref(changes);
	else if (watch->filter || client->http ||
		 !(shared = look_since(client->serve, watch->topic, from, NULL)) ||
		 json_object_get(shared->changes, "items") != json_object_get(changes, "items") ||
		 send_shared(client, watch, shared))
		serve_client_send(client, rpc_notification_new("update", changes));
	else
		json_decref(changes);
	return count >= CHANGES_AT_ONCE;
}

void
serve_watch_update(struct serve_client *client)
{
	struct serve_watch *watch;

	client->behind = false;
	LIST_FOREACH(watch, &client->watches, link) {
		bool more = true;

		while (more && !client->dead && !client->closing && !serve_client_backlog(client))
			more = update(client, watch);
		client->behind |= more;
	}
}
