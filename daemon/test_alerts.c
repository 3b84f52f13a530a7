/* SPDX-License-Identifier: MIT */
#include "daemon/test_alerts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/alert_rules.h"
#include "daemon/alerts.h"
#include "daemon/archive.h"
#include "daemon/store.h"
#include "lib/util.h"

struct judging {
	struct alert_rules *rules;
	struct store *store;
};

static int
judge_fact(void *context, const struct fact *fact, struct error *error)
{
	struct judging *judging = context;

	return alert_rules_fact(judging->rules, judging->store, fact, error);
}

static int
judge_list(struct judging *judging, const char *topic, json_t *list, uint64_t failed_hold_ns,
	   struct error *error)
{
	json_t *record;
	size_t i;
	int r = list ? 0 : -EIO;

	json_array_foreach(list, i, record) {
		const char *id = json_string_value(json_object_get(record, "id"));

		if (!r && streq(topic, "migration"))
			r = alerts_migration(judging->store, judging->rules, id, record, failed_hold_ns,
					     error);
		if (!r)
			r = alert_rules_record(judging->rules, judging->store, topic, id, record, error);
	}
	json_decref(list);
	return r;
}

static int
judge(struct judging *judging, uint64_t failed_hold_ns, struct error *error)
{
	const struct store_filter all = { .limit = 1000000 };
	int r = store_begin(judging->store, error);

	if (!r)
		r = store_forget_alerts(judging->store, error);
	if (!r)
		r = store_each_fact(judging->store, judge_fact, judging, error);
	if (!r)
		r = judge_list(judging, "migration", store_migration_list(judging->store, &all, error),
			       failed_hold_ns, error);
	if (!r)
		r = judge_list(judging, "flow", store_flow_list(judging->store, &all, error),
			       failed_hold_ns, error);
	if (!r)
		r = alert_rules_windows(judging->rules, judging->store, error);
	if (!r)
		r = alert_rules_settle(judging->rules, judging->store, error);
	if (!r)
		return store_commit(judging->store, error);
	store_rollback(judging->store);
	return r;
}

static int
print(const char *path, struct error *error)
{
	const struct store_filter all = { .limit = 1000000 };
	struct store *store;
	json_t *list;
	int r = store_open(path, STORE_READ, &store, error);

	if (r)
		return r;
	list = store_alert_list(store, &all, error);
	if (!list)
		r = -EIO;
	else if (json_dumpf(list, stdout, JSON_INDENT(2)) || puts("") < 0)
		r = error_set(error, EIO, "standard output can't be written");
	json_decref(list);
	store_close(store);
	return r;
}

static int
judge_copy(const struct config *config, const char *copy, struct error *error)
{
	struct judging judging = { 0 };
	int r = store_copy(config->store, copy, error);

	if (!r)
		r = store_open(copy, STORE_WRITE, &judging.store, error);
	if (!r)
		r = alert_rules_new(config->sections.rules, config->sections.n_rules, &judging.rules,
				    error);
	if (!r)
		r = judge(&judging, config->failed_hold_ns, error);
	alert_rules_free(judging.rules);
	store_close(judging.store);
	return r;
}

static void
remove_all(const char *folder)
{
	static const char *const names[] = { "store.db", "store.db-wal", "store.db-shm", "store.db-lock" };

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(freep) char *path = xasprintf("%s/%s", folder, names[i]);

		unlink(path);
	}
	rmdir(folder);
}

int
test_alerts(const struct config *config, const char **paths, size_t n_paths, struct error *error)
{
	const char *base = getenv("TMPDIR");
	_cleanup_(freep) char *folder = xasprintf("%s/cloudtraced-test.XXXXXX", base ? base : "/tmp");
	_cleanup_(freep) char *copy = NULL;
	struct config reading = *config;
	int r;

	if (!mkdtemp(folder))
		return error_set(error, errno, "%s: %s", folder, strerror(errno));
	copy = xasprintf("%s/store.db", folder);
	reading.store = copy;
	r = n_paths ? archive_read(&reading, paths, n_paths,
				   streq(config->reader, "babeltrace2") ? CTF_BACKEND_BABELTRACE2 :
				   CTF_BACKEND_OWN, error) : judge_copy(config, copy, error);
	if (!r)
		r = print(copy, error);
	remove_all(folder);
	return r;
}
