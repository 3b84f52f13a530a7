/* SPDX-License-Identifier: MIT */
#include "daemon/metrics.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define uthash_fatal(MESSAGE) abort()
#include <uthash.h>

#include "daemon/clock_apply.h"
#include "daemon/serve_internal.h"
#include "lib/clock.h"

enum { MAX_SERIES = 1000, MAX_SEEN = 65536, MAX_BUCKETS = 20 };
/* A migration that ended is shown for some scrapes more. */
#define KEEP_NS (300 * NS_PER_S)

/* -- Histograms ----------------------------------------------------------- */

static const double long_times[] = { 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 10800, 0 };
static const double short_times[] = { 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 0 };

static const double request_times[] = { 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 0 };

/* Of records that ended: a line each. */
static const struct {
	const char *topic, *name, *help;
	const char *member;          /* Duration in ns; of those that lack it: end - start. */
	bool is_whole;
	const char *label;           /* Whose values are few, by the protocol. */
	const double *bounds;
} histograms[] = {
	{ "migration", "cloudtraced_migration_duration_seconds", "How long live migrations took.",
	  "total_ns", true, "status", long_times },
	{ "migration", "cloudtraced_migration_downtime_seconds",
	  "How long guests were stopped, as QEMU tells it.", "downtime_ns", false, "status",
	  short_times },
	{ "migration", "cloudtraced_migration_blackout_seconds",
	  "From the guest's stop at the source until it ran at the destination.", "blackout_ns", false,
	  "status", short_times },
	{ "flow", "cloudtraced_request_duration_seconds",
	  "How long requests took, with all that was done for them.", "total_ns", true, "kind",
	  request_times },
};

struct series {
	struct series *next;
	unsigned histogram;
	char label[32];
	uint64_t counts[MAX_BUCKETS + 1];
	uint64_t count, sum_ns;
};

struct seen {
	char id[64];                 /* Topic and id. */
	UT_hash_handle hh;
};

struct metrics {
	struct series *series;
	struct seen *seen;           /* Ended records that were counted, oldest first. */
	char cursors[2][32];         /* By topic of 'topics'. */
};

static const char *const topics[] = { "migration", "flow" };

struct metrics *
metrics_new(void)
{
	return xcalloc(1, sizeof (struct metrics));
}

static void
forget(struct metrics *metrics, struct seen *seen)
{
	HASH_DEL(metrics->seen, seen);
	free(seen);
}

void
metrics_free(struct metrics *metrics)
{
	struct seen *seen, *next;

	if (!metrics)
		return;
	HASH_ITER(hh, metrics->seen, seen, next)
		forget(metrics, seen);
	while (metrics->series) {
		struct series *series = metrics->series;

		metrics->series = series->next;
		free(series);
	}
	free(metrics);
}

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static uint64_t
ns_of(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t) value : 0;
}

static struct series *
find_series(struct metrics *metrics, unsigned histogram, const char *label)
{
	struct series *series = metrics->series;

	while (series && (series->histogram != histogram || !streq(series->label, label)))
		series = series->next;
	if (series)
		return series;
	series = xcalloc(1, sizeof *series);
	series->histogram = histogram;
	snprintf(series->label, sizeof series->label, "%s", label);
	series->next = metrics->series;
	return metrics->series = series;
}

static void
observe(struct metrics *metrics, unsigned histogram, const char *label, uint64_t ns)
{
	struct series *series = find_series(metrics, histogram, label);
	const double *bounds = histograms[histogram].bounds;
	unsigned i = 0;

	while (bounds[i] > 0 && (double) ns / 1e9 > bounds[i])
		i++;
	series->counts[i]++;
	series->count++;
	series->sum_ns += ns;
}

/* Whether it is told of for the first time. */
static bool
is_new(struct metrics *metrics, const char *topic, const char *id)
{
	struct seen *seen;
	char key[64];

	snprintf(key, sizeof key, "%.15s %.47s", topic, id);
	HASH_FIND_STR(metrics->seen, key, seen);
	if (seen)
		return false;
	if (HASH_COUNT(metrics->seen) >= MAX_SEEN)
		forget(metrics, metrics->seen);
	seen = xcalloc(1, sizeof *seen);
	memcpy(seen->id, key, sizeof key);
	HASH_ADD_STR(metrics->seen, id, seen);
	return true;
}

static void
count_ended(struct metrics *metrics, const char *topic, const json_t *item)
{
	uint64_t start_ns = ns_of(item, "start_ns"), end_ns = ns_of(item, "end_ns");

	if (!end_ns || end_ns < start_ns || !is_new(metrics, topic, text_of(item, "id")))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(histograms); i++) {
		const json_t *value = json_object_get(item, histograms[i].member);

		if (!streq(histograms[i].topic, topic) ||
		    (!json_is_integer(value) && !histograms[i].is_whole))
			continue;
		observe(metrics, i, text_of(item, histograms[i].label), json_is_integer(value) ?
			ns_of(item, histograms[i].member) : end_ns - start_ns);
	}
}

/* Counts what ended since the last call. */
static int
catch_up(struct metrics *metrics, struct store *store, unsigned topic, struct error *error)
{
	char *cursor = metrics->cursors[topic];
	size_t n = 0, i;

	do {
		json_t *changes = store_changes(store, topics[topic], *cursor ? cursor : NULL, 256,
						error);
		json_t *items = json_object_get(changes, "items"), *change;

		if (!changes)
			return -EIO;
		clock_add_changes(store, items);
		json_array_foreach(items, i, change)
			count_ended(metrics, topics[topic], json_object_get(change, "item"));
		n = json_array_size(items);
		snprintf(cursor, sizeof metrics->cursors[0], "%s", text_of(changes, "cursor"));
		json_decref(changes);
	} while (n);
	return 0;
}

int
metrics_start(struct metrics *metrics, struct store *store, struct error *error)
{
	int r = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(topics) && !r; i++)
		r = catch_up(metrics, store, i, error);
	return r;
}

/* -- The format ----------------------------------------------------------- */

static void
begin(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
add_label(struct buf *out, const char *before, const char *name, const char *value)
{
	buf_printf(out, "%s%s=\"", before, name);
	for (; *value; value++)
		if (*value == '"' || *value == '\\')
			buf_printf(out, "\\%c", *value);
		else if (*value == '\n')
			buf_add_string(out, "\\n");
		else
			buf_add_char(out, *value);
	buf_add_char(out, '"');
}

static void
add_value(struct buf *out, double value)
{
	buf_printf(out, " %.17g\n", value);
}

/* One sample with at most one label. */
static void
add_sample(struct buf *out, const char *name, const char *label, const char *value, double number)
{
	buf_add_string(out, name);
	if (label && value) {
		add_label(out, "{", label, value);
		buf_add_char(out, '}');
	}
	add_value(out, number);
}

static void
write_histogram(const struct metrics *metrics, unsigned histogram, struct buf *out)
{
	const char *name = histograms[histogram].name, *label = histograms[histogram].label;
	const double *bounds = histograms[histogram].bounds;

	begin(out, name, "histogram", histograms[histogram].help);
	for (const struct series *series = metrics->series; series; series = series->next) {
		uint64_t count = 0;

		if (series->histogram != histogram)
			continue;
		for (unsigned i = 0; bounds[i] > 0; i++) {
			count += series->counts[i];
			buf_printf(out, "%s_bucket", name);
			add_label(out, "{", label, series->label);
			buf_printf(out, ",le=\"%g\"} %llu\n", bounds[i], (unsigned long long) count);
		}
		buf_printf(out, "%s_bucket", name);
		add_label(out, "{", label, series->label);
		buf_printf(out, ",le=\"+Inf\"} %llu\n%s_sum", (unsigned long long) series->count, name);
		add_label(out, "{", label, series->label);
		buf_printf(out, "} %.9f\n%s_count", (double) series->sum_ns / 1e9, name);
		add_label(out, "{", label, series->label);
		buf_printf(out, "} %llu\n", (unsigned long long) series->count);
	}
}

/* -- The daemon, counts --------------------------------------------------- */

static double
resident_bytes(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(file);
	return (double) pages * (double) sysconf(_SC_PAGESIZE);
}

static void
write_daemon(const struct serve *serve, const json_t *summary, struct buf *out)
{
	const json_t *file = json_object_get(summary, "store");

	begin(out, "cloudtraced_build_info", "gauge", "Version of the daemon; always 1.");
	add_sample(out, "cloudtraced_build_info", "version", PACKAGE_VERSION, 1);
	begin(out, "process_start_time_seconds", "gauge", "When the daemon began, since 1970.");
	add_sample(out, "process_start_time_seconds", NULL, NULL,
		   (double) serve->options.started_ns / 1e9);
	begin(out, "process_resident_memory_bytes", "gauge", "Resident memory of the daemon.");
	add_sample(out, "process_resident_memory_bytes", NULL, NULL, resident_bytes());
	begin(out, "cloudtraced_store_bytes", "gauge", "Size of the store's file.");
	add_sample(out, "cloudtraced_store_bytes", NULL, NULL, (double) ns_of(file, "bytes"));
	begin(out, "cloudtraced_clients", "gauge", "Connections, by where from.");
	add_sample(out, "cloudtraced_clients", "from", "local", serve->client_count);
	add_sample(out, "cloudtraced_clients", "from", "remote", serve->remote_count);
	begin(out, "cloudtraced_clients_backlog_bytes", "gauge", "Bytes that wait for slow clients.");
	add_sample(out, "cloudtraced_clients_backlog_bytes", NULL, NULL, (double) serve->pending);
}

/* Things by a label, from the object of counts in the summary. */
static const struct {
	const char *member, *name, *label, *help;
} counts[] = {
	{ "nodes", "cloudtraced_nodes", "state", "Nodes, by the worst state of their sources." },
	{ "migrations", "cloudtraced_migrations", "status", "Live migrations that are kept." },
	{ "alerts", "cloudtraced_alerts", "severity", "Alerts: firing ones by severity, or resolved." },
	{ "deliveries", "cloudtraced_deliveries_waiting", "receiver",
	  "Alerts that wait to be delivered." },
};

static void
write_counts(const json_t *summary, struct buf *out)
{
	const char *key;
	json_t *value;

	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		json_t *object = json_object_get(summary, counts[i].member);

		begin(out, counts[i].name, "gauge", counts[i].help);
		json_object_foreach(object, key, value)
			add_sample(out, counts[i].name, counts[i].label, key, json_number_value(value));
	}
}

/* Names of scopes and counters are ours, but for what analyzers make of them. */
static void
add_name(struct buf *out, const char *text)
{
	for (; *text; text++)
		buf_add_char(out, (*text >= 'a' && *text <= 'z') || (*text >= '0' && *text <= '9') ||
			     (*text >= 'A' && *text <= 'Z') ? *text : '_');
}

static bool
ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && streq(text + n - m, end);
}

static void
write_counters(const json_t *counters, struct buf *out)
{
	const char *scope, *counter;
	json_t *group, *value;

	json_object_foreach((json_t *) (uintptr_t) counters, scope, group) {
		json_object_foreach(group, counter, value) {
			_cleanup_(buf_done) struct buf name = { 0 };
			bool is_gauge = ends_with(counter, "bytes") || ends_with(counter, "open");

			buf_add_string(&name, "cloudtraced_");
			add_name(&name, scope);
			buf_add_char(&name, '_');
			add_name(&name, counter);
			buf_add_string(&name, is_gauge ? "" : "_total");
			begin(out, name.data, is_gauge ? "gauge" : "counter",
			      "Counted by the daemon; cloudtracectl counters.");
			add_sample(out, name.data, NULL, NULL, json_number_value(value));
		}
	}
}

static void
write_firing(const json_t *firing, struct buf *out)
{
	json_t *rules = json_object(), *alert;
	const char *rule;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) firing, i, alert) {
		json_t *count = json_object_get(rules, text_of(alert, "rule"));

		json_object_set_new(rules, text_of(alert, "rule"),
				    json_integer(json_integer_value(count) + 1));
	}
	begin(out, "cloudtraced_alerts_firing", "gauge", "Alerts that are firing, by rule.");
	json_object_foreach(rules, rule, alert)
		add_sample(out, "cloudtraced_alerts_firing", "rule", rule, json_number_value(alert));
	json_decref(rules);
}

/* -- Sources -------------------------------------------------------------- */

static const struct {
	const char *name, *type, *member, *help;
	double scale;
} source_metrics[] = {
	{ "cloudtraced_source_up", "gauge", NULL, "Whether the source is live.", 1 },
	{ "cloudtraced_source_events_total", "counter", "events", "Events read.", 1 },
	{ "cloudtraced_source_lost_events_total", "counter", "lost_events",
	  "Events that the tracer dropped.", 1 },
	{ "cloudtraced_source_late_events_total", "counter", "late_events",
	  "Events that came out of order.", 1 },
	{ "cloudtraced_source_lag_seconds", "gauge", "lag_ns",
	  "How far what is analysed lies behind now.", 1e-9 },
	{ "cloudtraced_source_last_event_timestamp_seconds", "gauge", "last_event_ns",
	  "Time of the last event, since 1970.", 1e-9 },
};

static void
write_source(const char *host, const json_t *source, unsigned metric, struct buf *out)
{
	const char *member = source_metrics[metric].member;
	double value = streq(text_of(source, "state"), "live");

	if (member && !json_is_integer(json_object_get(source, member)))
		return;
	if (member)
		value = json_number_value(json_object_get(source, member)) * source_metrics[metric].scale;
	buf_add_string(out, source_metrics[metric].name);
	add_label(out, "{", "host", host);
	add_label(out, ",", "relayd", text_of(source, "relayd"));
	add_label(out, ",", "session", text_of(source, "session"));
	buf_add_char(out, '}');
	add_value(out, value);
}

static void
write_sources(const json_t *nodes, struct buf *out)
{
	json_t *node, *source;
	size_t i, k;

	for (unsigned m = 0; m < ARRAY_SIZE(source_metrics); m++) {
		begin(out, source_metrics[m].name, source_metrics[m].type, source_metrics[m].help);
		json_array_foreach((json_t *) (uintptr_t) nodes, i, node)
			json_array_foreach(json_object_get(node, "sources"), k, source)
				write_source(text_of(node, "host"), source, m, out);
	}
}

/* -- Services ------------------------------------------------------------- */

/* Over the last minutes; a line each. */
static const struct {
	const char *name, *member, *help;
	double scale;
} service_metrics[] = {
	{ "cloudtraced_service_requests_per_second", "rate", "Requests that a service answers.", 1 },
	{ "cloudtraced_service_requests_recent", "requests", "Requests of the last 5 min.", 1 },
	{ "cloudtraced_service_errors_recent", "errors", "Those of them that failed.", 1 },
	{ "cloudtraced_service_in_flight", "in_flight", "Requests that are being answered.", 1 },
	{ "cloudtraced_service_latency_p50_seconds", "p50_ns", "Median latency of the last 5 min.", 1e-9 },
	{ "cloudtraced_service_latency_p99_seconds", "p99_ns", "Its 99th percentile.", 1e-9 },
	{ "cloudtraced_service_latency_max_seconds", "max_ns", "Its greatest.", 1e-9 },
};

static void
write_services(struct store *store, struct buf *out)
{
	uint64_t now_ns = clock_wall_ns();
	const struct store_filter recent = { .since_ns = now_ns > KEEP_NS ? now_ns - KEEP_NS : 0,
					     .limit = MAX_SERIES };
	json_t *list = store_service_list(store, &recent, NULL), *service;
	size_t i;

	for (unsigned m = 0; m < ARRAY_SIZE(service_metrics); m++) {
		begin(out, service_metrics[m].name, "gauge", service_metrics[m].help);
		json_array_foreach(list, i, service) {
			const json_t *value = json_object_get(service, service_metrics[m].member);

			if (!json_is_number(value))
				continue;
			buf_add_string(out, service_metrics[m].name);
			add_label(out, "{", "service", text_of(service, "service"));
			add_label(out, ",", "host", text_of(service, "host"));
			buf_add_char(out, '}');
			add_value(out, json_number_value(value) * service_metrics[m].scale);
		}
	}
	json_decref(list);
}

/* -- Migrations ----------------------------------------------------------- */

static const struct {
	const char *name, *member, *inner, *help;
	double scale;
} migration_metrics[] = {
	{ "cloudtraced_migration_running", NULL, NULL, "Whether it runs; ended ones stay for 5 min.", 1 },
	{ "cloudtraced_migration_start_timestamp_seconds", "start_ns", NULL, "When it began, since 1970.",
	  1e-9 },
	{ "cloudtraced_migration_elapsed_seconds", "elapsed", NULL, "How long it took so far.", 1e-9 },
	{ "cloudtraced_migration_remaining_bytes", "rounds", "remaining_bytes",
	  "Memory left to send after the last round.", 1 },
	{ "cloudtraced_migration_dirty_syncs", "dirty_syncs", NULL, "Rounds so far.", 1 },
	{ "cloudtraced_migration_throttle_ratio", "throttle_percent", NULL,
	  "How much the guest is slowed down.", 0.01 },
	{ "cloudtraced_migration_downtime_guest_seconds", "downtime_ns", NULL,
	  "How long the guest was stopped, as QEMU tells it.", 1e-9 },
	{ "cloudtraced_migration_forecast_remaining_seconds", "forecast", "remaining_ns",
	  "How long it will still take, if it converges.", 1e-9 },
};

/* Its value, or false when it has none. */
static bool
migration_value(const json_t *migration, unsigned metric, uint64_t now_ns, double *ret)
{
	const char *member = migration_metrics[metric].member, *inner = migration_metrics[metric].inner;
	uint64_t end_ns = ns_of(migration, "end_ns"), start_ns = ns_of(migration, "start_ns");
	const json_t *value = member ? json_object_get(migration, member) : NULL;

	if (!member) {
		*ret = streq(text_of(migration, "status"), "running");
		return true;
	}
	if (streq(member, "elapsed")) {
		end_ns = end_ns ? end_ns : now_ns;
		*ret = end_ns > start_ns ? (double) (end_ns - start_ns) / 1e9 : 0;
		return true;
	}
	if (json_is_array(value))
		value = json_array_get(value, json_array_size(value) - 1);
	if (inner)
		value = json_object_get(value, inner);
	*ret = json_number_value(value) * migration_metrics[metric].scale;
	return json_is_number(value);
}

static void
add_migration_labels(const json_t *migration, struct buf *out)
{
	const json_t *vm = json_object_get(migration, "vm");
	const char *uuid = text_of(vm, "uuid"), *name = text_of(vm, "name");
	char pid[24];

	/* Without a name, the process at the source tells which one it is. */
	snprintf(pid, sizeof pid, "pid-%llu", (unsigned long long) ns_of(migration, "source_pid"));
	add_label(out, "{", "vm", *uuid ? uuid : *name ? name : pid);
	add_label(out, ",", "vm_name", name);
	add_label(out, ",", "source", text_of(migration, "source"));
	add_label(out, ",", "destination", text_of(migration, "destination"));
	buf_add_char(out, '}');
}

/* Those to show, newest first, one for each set of labels. */
static json_t *
shown_migrations(const json_t *list, uint64_t now_ns)
{
	json_t *shown = json_array(), *seen = json_object(), *migration;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) list, i, migration) {
		_cleanup_(buf_done) struct buf labels = { 0 };
		uint64_t end_ns = ns_of(migration, "end_ns");

		add_migration_labels(migration, &labels);
		if ((end_ns && end_ns + KEEP_NS < now_ns) || json_object_get(seen, labels.data) ||
		    json_array_size(shown) >= MAX_SERIES)
			continue;
		json_object_set_new(seen, labels.data, json_true());
		json_array_append(shown, migration);
	}
	json_decref(seen);
	return shown;
}

static void
write_migrations(const json_t *list, struct buf *out)
{
	uint64_t now_ns = clock_wall_ns();
	json_t *shown = shown_migrations(list, now_ns), *migration;
	size_t i;

	for (unsigned m = 0; m < ARRAY_SIZE(migration_metrics); m++) {
		begin(out, migration_metrics[m].name, "gauge", migration_metrics[m].help);
		json_array_foreach(shown, i, migration) {
			double value;

			if (!migration_value(migration, m, now_ns, &value))
				continue;
			buf_add_string(out, migration_metrics[m].name);
			add_migration_labels(migration, out);
			add_value(out, value);
		}
	}
	json_decref(shown);
}

/* -- The whole ------------------------------------------------------------ */

/* Everything read, or an error. */
static int
read_all(struct store *store, json_t **summary, json_t **nodes, json_t **firing, json_t **recent,
	 struct error *error)
{
	uint64_t now_ns = clock_wall_ns();
	const struct store_filter fire = { .state = "firing" };
	const struct store_filter new = { .since_ns = now_ns > KEEP_NS ? now_ns - KEEP_NS : 0 };

	*summary = store_summary(store, error);
	if (*summary)
		*nodes = store_node_list(store, error);
	if (*nodes)
		*firing = store_alert_list(store, &fire, error);
	if (*firing)
		*recent = store_migration_list(store, &new, error);
	return *recent ? 0 : -EIO;
}

int
metrics_write(struct serve *serve, struct buf *out, struct error *error)
{
	json_t *summary = NULL, *nodes = NULL, *firing = NULL, *recent = NULL;
	int r = read_all(serve->store, &summary, &nodes, &firing, &recent, error);

	if (!r)
		r = metrics_start(serve->metrics, serve->store, error);
	if (!r) {
		write_daemon(serve, summary, out);
		write_counts(summary, out);
		write_counters(json_object_get(summary, "counters"), out);
		write_firing(firing, out);
		write_sources(nodes, out);
		write_services(serve->store, out);
		write_migrations(recent, out);
		for (unsigned i = 0; i < ARRAY_SIZE(histograms); i++)
			write_histogram(serve->metrics, i, out);
	}
	json_decref(summary);
	json_decref(nodes);
	json_decref(firing);
	json_decref(recent);
	return r;
}
