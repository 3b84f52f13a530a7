/* SPDX-License-Identifier: MIT
 *
 * store_service.c -- services: what they did in a time, summed up from the
 * windows of their analyzers (proto/schemas/service.json).
 *
 * Windows last 10 s of trace time.  How long messages waited is no window: it
 * takes both ends, so it is read from the newest messages. */
#include "daemon/store_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/histogram.h"

#define DEFAULT_SPAN_NS (3600 * NS_PER_S)
#define RATE_NS (60 * NS_PER_S)
#define WINDOW_NS (10 * NS_PER_S)
enum { MAX_MESSAGES = 20000, ID_SIZE = 256 };
/* Four buckets for each doubling, as the windows have them: wider than those of
 * lib/histogram.h. */
enum { WIDER = HISTOGRAM_SHIFT - 2, N_BUCKETS = HISTOGRAM_BUCKETS >> WIDER };

struct latency {
	uint64_t n, sum, max;
	uint64_t counts[N_BUCKETS];
};

struct operation {
	char name[FACT_KEY_SIZE];
	struct latency latency;
	uint64_t requests, errors, in_flight, in_flight_ns, recent;
	char slowest[FACT_KEY_SIZE];
	UT_hash_handle hh;
};

struct service {
	char id[ID_SIZE];            /* SERVICE@HOST */
	char name[FACT_KEY_SIZE], host[ID_SIZE];
	struct operation *operations;
	struct latency queue;
	uint64_t unanswered, first_ns, last_ns;
	json_t *workers;
	UT_hash_handle hh;
};

struct view {
	struct store *store;
	struct service *services;
	uint64_t from_ns, to_ns;     /* Windows that began in [from, to]. */
	const char *host, *name;     /* NULL: all. */
};

static const struct store_filter no_filter;

/* -- Latencies ------------------------------------------------------------ */

static void
latency_add(struct latency *latency, uint64_t value, uint64_t times)
{
	latency->counts[histogram_bucket(value) >> WIDER] += times;
	latency->n += times;
}

static uint64_t
bucket_from(unsigned bucket)
{
	return histogram_low(bucket << WIDER);
}

/* The last one has no end, and what was seen is one. */
static uint64_t
bucket_to(const struct latency *latency, unsigned bucket)
{
	uint64_t most = latency->max + 1;

	if (bucket + 1 < N_BUCKETS && bucket_from(bucket + 1) < most)
		most = bucket_from(bucket + 1);
	return MAX(most, bucket_from(bucket) + 1);
}

/* The value below which so many percent are, by straight line in its bucket. */
static uint64_t
latency_at(const struct latency *latency, double percent)
{
	double want = (double) latency->n * percent / 100.0, below = 0;

	for (unsigned i = 0; i < N_BUCKETS; i++) {
		double count = (double) latency->counts[i];
		double width = (double) (bucket_to(latency, i) - bucket_from(i));

		if (latency->counts[i] && below + count >= want)
			return bucket_from(i) + (uint64_t) (width * (want - below) / count);
		below += count;
	}
	return latency->max;
}

/* -- Gathering ------------------------------------------------------------ */

static struct service *
service_at(struct view *view, const char *host, const char *name)
{
	struct service *service;
	char id[ID_SIZE];

	if (!name || !*name || (view->host && !streq(view->host, host)) ||
	    (view->name && !streq(view->name, name)))
		return NULL;
	snprintf(id, sizeof id, "%.90s@%.160s", name, host);
	HASH_FIND_STR(view->services, id, service);
	if (service)
		return service;
	service = xcalloc(1, sizeof *service);
	memcpy(service->id, id, sizeof id);
	snprintf(service->name, sizeof service->name, "%s", name);
	snprintf(service->host, sizeof service->host, "%s", host);
	service->workers = json_array();
	HASH_ADD_STR(view->services, id, service);
	return service;
}

static struct operation *
operation_of(struct service *service, const char *name)
{
	struct operation *operation;
	char key[FACT_KEY_SIZE];

	snprintf(key, sizeof key, "%s", name);
	HASH_FIND_STR(service->operations, key, operation);
	if (operation)
		return operation;
	operation = xcalloc(1, sizeof *operation);
	memcpy(operation->name, key, sizeof key);
	HASH_ADD_STR(service->operations, name, operation);
	return operation;
}

static uint64_t
number(const json_t *object, const char *name)
{
	json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t) value : 0;
}

static void
heard(struct service *service, uint64_t from_ns, uint64_t to_ns)
{
	if (from_ns && (!service->first_ns || from_ns < service->first_ns))
		service->first_ns = from_ns;
	service->last_ns = MAX(service->last_ns, to_ns);
}

static void
add_window(const struct view *view, struct operation *operation, uint64_t t_ns,
	   const json_t *window)
{
	struct latency *latency = &operation->latency;
	const char *slowest = json_string_value(json_object_get(window, "slowest"));
	json_t *pair;
	size_t i;

	json_array_foreach(json_object_get(window, "histogram"), i, pair) {
		json_int_t from = json_integer_value(json_array_get(pair, 0));
		json_int_t count = json_integer_value(json_array_get(pair, 1));

		if (count > 0 && count <= UINT32_MAX)
			latency_add(latency, from > 0 ? (uint64_t) from : 0, (uint64_t) count);
	}
	latency->sum += number(window, "sum_ns");
	if (number(window, "max_ns") > latency->max) {
		latency->max = number(window, "max_ns");
		snprintf(operation->slowest, sizeof operation->slowest, "%s", slowest ? slowest : "");
	}
	operation->requests += number(window, "requests");
	operation->errors += number(window, "errors");
	if (t_ns >= operation->in_flight_ns) {
		operation->in_flight_ns = t_ns;
		operation->in_flight = number(window, "in_flight");
	}
	if (t_ns + RATE_NS > view->to_ns)
		operation->recent += number(window, "requests");
}

static int
read_windows(struct view *view, struct error *error)
{
	/* The key is SERVICE/OPERATION. */
	static const char sql[] = "SELECT host, t_ns, attributes FROM sample"
				  " WHERE kind = 'service.window' AND t_ns BETWEEN ?1 AND ?2"
				  " AND (?3 IS NULL OR host = ?3)"
				  " AND (?4 IS NULL OR substr(key, 1, length(?4) + 1) = ?4 || '/')"
				  " ORDER BY t_ns, id";
	sqlite3_stmt *stmt = store_query(view->store, sql, "uutt", view->from_ns, view->to_ns,
					 view->host, view->name);

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		uint64_t t_ns = (uint64_t) sqlite3_column_int64(stmt, 1);
		json_t *window = store_column_json(stmt, 2);
		const char *name = json_string_value(json_object_get(window, "operation"));
		struct service *service = service_at(
			view, store_column_string(stmt, 0),
			json_string_value(json_object_get(window, "service")));

		if (service && name) {
			add_window(view, operation_of(service, name), t_ns, window);
			heard(service, t_ns, t_ns);
		}
		json_decref(window);
	}
	return store_done(view->store, stmt, error, "read the services");
}

static int
read_workers(struct view *view, struct error *error)
{
	static const char sql[] = "SELECT host, attributes FROM fact WHERE kind = 'service'"
				  " AND type = 2 ORDER BY host, key";
	sqlite3_stmt *stmt = store_query(view->store, sql, "");

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		json_t *said = store_column_json(stmt, 1);
		struct service *service = service_at(
			view, store_column_string(stmt, 0),
			json_string_value(json_object_get(said, "service")));
		json_t *pid = json_object_get(said, "pid");

		if (service && json_is_integer(pid)) {
			json_array_append_new(service->workers, json_pack(
				"{s:O, s:O?, s:O?}", "pid", pid, "first_ns",
				json_object_get(said, "first_ns"), "last_ns",
				json_object_get(said, "last_ns")));
			heard(service, number(said, "first_ns"), number(said, "last_ns"));
		}
		json_decref(said);
	}
	return store_done(view->store, stmt, error, "read the services");
}

/* How long the newest messages waited for whoever took them. */
static int
read_messages(struct view *view, struct error *error)
{
	static const char sql[] =
		"SELECT s.host, json_extract(s.attributes, '$.service'), s.start_ns - c.start_ns"
		" FROM (SELECT key, host, start_ns, attributes FROM fact WHERE kind = 'rpc.served'"
		" ORDER BY coalesce(end_ns, 9223372036854775807) DESC, start_ns DESC LIMIT ?1) s"
		" CROSS JOIN ref r ON r.value = s.key AND r.kind = '=rpc.call'"
		" CROSS JOIN fact c ON c.id = r.fact WHERE s.start_ns BETWEEN ?2 AND ?3";
	sqlite3_stmt *stmt = store_query(view->store, sql, "uuu", (uint64_t) MAX_MESSAGES,
					 view->from_ns, view->to_ns + WINDOW_NS);

	while (stmt && sqlite3_step(stmt) == SQLITE_ROW) {
		int64_t queued_ns = sqlite3_column_int64(stmt, 2);
		struct service *service = service_at(view, store_column_string(stmt, 0),
						     store_column_string(stmt, 1));

		if (!service)
			continue;
		latency_add(&service->queue, queued_ns > 0 ? (uint64_t) queued_ns : 0, 1);
		service->queue.max = MAX(service->queue.max,
					 queued_ns > 0 ? (uint64_t) queued_ns : 0);
	}
	return store_done(view->store, stmt, error, "read messages");
}

static int
set_range(struct view *view, const struct store_filter *filter, struct error *error)
{
	static const char sql[] = "SELECT max(t_ns) FROM sample WHERE kind = 'service.window'"
				  " AND t_ns <= ?1";
	uint64_t until = filter->until_ns ? filter->until_ns : (uint64_t) INT64_MAX;
	sqlite3_stmt *stmt = store_query(view->store, sql, "u", until);

	if (stmt && sqlite3_step(stmt) == SQLITE_ROW)
		view->to_ns = (uint64_t) sqlite3_column_int64(stmt, 0);
	view->from_ns = filter->since_ns ? filter->since_ns :
		view->to_ns - MIN(view->to_ns, DEFAULT_SPAN_NS);
	return store_done(view->store, stmt, error, "read the services");
}

static void
view_done(struct view *view)
{
	struct service *service, *next;
	struct operation *operation, *following;

	HASH_ITER(hh, view->services, service, next) {
		HASH_ITER(hh, service->operations, operation, following) {
			HASH_DEL(service->operations, operation);
			free(operation);
		}
		HASH_DEL(view->services, service);
		json_decref(service->workers);
		free(service);
	}
}

static int
view_read(struct view *view, const struct store_filter *filter, struct error *error)
{
	int r = set_range(view, filter, error);

	if (!r)
		r = read_windows(view, error);
	if (!r)
		r = read_workers(view, error);
	return r ? r : read_messages(view, error);
}

/* -- Answers -------------------------------------------------------------- */

static json_t *
ns_json(uint64_t ns, bool known)
{
	return known ? json_integer((json_int_t) ns) : json_null();
}

static json_t *
histogram_json(const struct latency *latency)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < N_BUCKETS; i++)
		if (latency->counts[i])
			json_array_append_new(list, json_pack(
				"{s:I, s:I, s:I}", "from_ns", (json_int_t) bucket_from(i), "to_ns",
				(json_int_t) bucket_to(latency, i), "count",
				(json_int_t) latency->counts[i]));
	return list;
}

static void
set_latency(json_t *object, const struct latency *latency, const char *prefix)
{
	static const struct {
		const char *name;
		double percent;
	} parts[] = { { "p50_ns", 50 }, { "p90_ns", 90 }, { "p99_ns", 99 } };
	bool known = latency->n > 0;
	char name[32];

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		snprintf(name, sizeof name, "%s%s", prefix, parts[i].name);
		json_object_set_new(object, name, ns_json(
			latency_at(latency, parts[i].percent), known));
	}
	snprintf(name, sizeof name, "%smax_ns", prefix);
	json_object_set_new(object, name, ns_json(latency->max, known));
}

static void
set_figures(json_t *object, const struct operation *operation)
{
	static const struct operation none;
	const struct operation *of = operation ? operation : &none;

	json_object_set_new(object, "requests", json_integer((json_int_t) of->requests));
	json_object_set_new(object, "errors", json_integer((json_int_t) of->errors));
	json_object_set_new(object, "in_flight", json_integer((json_int_t) of->in_flight));
	json_object_set_new(object, "rate", json_real((double) of->recent /
						      (double) (RATE_NS / NS_PER_S)));
	json_object_set_new(object, "mean_ns", ns_json(
		of->latency.sum / MAX(of->latency.n, (uint64_t) 1), of->latency.n > 0));
	set_latency(object, &of->latency, "");
	json_object_set_new(object, "slowest", *of->slowest ? store_string(of->slowest) :
			    json_null());
}

static int
by_name(const struct operation *a, const struct operation *b)
{
	return strcmp(a->name, b->name);
}

static json_t *
operations_json(struct service *service, bool whole)
{
	json_t *list = json_array(), *one;
	struct operation *operation, *next;

	HASH_SORT(service->operations, by_name);
	HASH_ITER(hh, service->operations, operation, next) {
		if (streq(operation->name, "*"))
			continue;
		one = json_pack("{s:o}", "name", store_string(operation->name));
		set_figures(one, operation);
		if (whole)
			json_object_set_new(one, "histogram", histogram_json(&operation->latency));
		json_array_append_new(list, one);
	}
	return list;
}

static json_t *
rpc_json(const struct service *service, bool whole)
{
	json_t *rpc;

	if (!service->queue.n)
		return json_null();
	rpc = json_pack("{s:I}", "calls", (json_int_t) service->queue.n);
	set_latency(rpc, &service->queue, "queue_");
	if (whole)
		json_object_set_new(rpc, "histogram", histogram_json(&service->queue));
	return rpc;
}

/* What counts as the service's work: all requests to its API, else the
 * messages it served, else what it asked of others. */
static struct operation *
main_operation(struct service *service)
{
	static const char *const names[] = { "*", "rpc served" };
	struct operation *operation = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(names) && !operation; i++)
		HASH_FIND_STR(service->operations, names[i], operation);
	return operation;
}

static json_t *
service_json(struct service *service, bool whole)
{
	json_t *json = json_pack("{s:o, s:o, s:o, s:O, s:o, s:o}", "id", store_string(service->id),
				 "service", store_string(service->name), "host",
				 store_string(service->host), "workers", service->workers,
				 "first_ns", ns_json(service->first_ns, service->first_ns > 0),
				 "last_ns", ns_json(service->last_ns, service->last_ns > 0));

	set_figures(json, main_operation(service));
	json_object_set_new(json, "rpc", rpc_json(service, whole));
	json_object_set_new(json, "operations", operations_json(service, whole));
	return json;
}

static int
by_id(const struct service *a, const struct service *b)
{
	return strcmp(a->id, b->id);
}

json_t *
store_service_list(struct store *store, const struct store_filter *filter, struct error *error)
{
	const struct store_filter *f = filter ? filter : &no_filter;
	struct view view = { .store = store, .host = f->host, .name = f->service };
	struct service *service, *next;
	json_t *list = NULL;

	if (!view_read(&view, f, error)) {
		list = json_array();
		HASH_SORT(view.services, by_id);
		HASH_ITER(hh, view.services, service, next)
			json_array_append_new(list, service_json(service, false));
	}
	view_done(&view);
	return list;
}

json_t *
store_service_show(struct store *store, const char *id, const struct store_filter *filter,
		   struct error *error)
{
	struct view view = { .store = store };
	const char *at = strchr(id, '@');
	char name[FACT_KEY_SIZE];
	json_t *json = NULL;

	snprintf(name, sizeof name, "%.*s", (int) strcspn(id, "@"), id);
	view.name = name;
	view.host = at ? at + 1 : NULL;
	if (view_read(&view, filter ? filter : &no_filter, error)) {
		view_done(&view);
		return NULL;
	}
	if (!view.services)
		error_set(error, ENOENT, "no service is known by \"%s\"", id);
	else if (HASH_COUNT(view.services) > 1)
		error_set(error, ENOTUNIQ, "\"%s\" runs on %u hosts: say which, as in %s", id,
			  HASH_COUNT(view.services), view.services->id);
	else
		json = service_json(view.services, true);
	view_done(&view);
	return json;
}
