/* SPDX-License-Identifier: MIT */
#include "daemon/writer.h"

#include "daemon/alert_rules.h"
#include "daemon/deliver.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"

enum { QUEUE_SIZE = 8 };
#define RETRY_NS      NS_PER_S
#define RETAIN_EVERY_NS (600 * NS_PER_S)
#define RETAIN_MORE_NS (10 * NS_PER_S)   /* While there is more to do. */

struct writer {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	/* Under 'lock': */
	struct batch *queue[QUEUE_SIZE];
	unsigned first, count;
	bool stopping;
	uint64_t stop_by_ns;
	bool has_settings;
	struct {
		uint64_t retention_ns, window_retention_ns;
		struct hub_options hub;
		struct deliver_routes *routes;
	} settings;
	/* The thread's own: */
	struct store *store;
	struct hub *hub;
	struct deliver_routes *routes;
	uint64_t retention_ns, window_retention_ns, retain_at_ns;
	void (*committed)(void *context);
	void *context;
	_Atomic uint64_t alive_ns;
};

static void
log_alert(void *context, const json_t *alert)
{
	struct writer *writer = context;
	struct error error = { 0 };
	const char *state = json_string_value(json_object_get(alert, "state"));
	const char *text = json_string_value(json_object_get(alert, "text"));
	const char *rule = json_string_value(json_object_get(alert, "rule"));
	const char *severity = json_string_value(json_object_get(alert, "severity"));

	if (!state || !text || !rule)
		return;
	if (deliver_routes_queue(writer->routes, writer->store, alert, &error))
		log_error("an alert can't be queued for delivery: %s", error.text);
	if (streq(state, "firing") && severity && streq(severity, "critical"))
		log_error("alert %s: %s", rule, text);
	else if (streq(state, "firing"))
		log_warning("alert %s: %s", rule, text);
	else
		log_info("alert %s is over: %s", rule, text);
}

static void
queue_record(void *context, const char *topic, const char *id, const json_t *record)
{
	struct writer *writer = context;
	struct error error = { 0 };

	if (deliver_routes_queue_record(writer->routes, writer->store, topic, id, record, &error))
		log_error("a flow can't be queued for export: %s", error.text);
}

static void
wait_for_work(struct writer *writer)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec++;
	while (!writer->count && !writer->stopping)
		if (pthread_cond_timedwait(&writer->wake, &writer->lock, &until) != 0)
			break;
}

static struct batch *
next_batch(struct writer *writer, bool *ret_stop)
{
	struct batch *batch = NULL;

	pthread_mutex_lock(&writer->lock);
	wait_for_work(writer);
	if (writer->count)
		batch = writer->queue[writer->first];
	*ret_stop = writer->stopping && !writer->count;
	if (writer->has_settings) {
		writer->has_settings = false;
		writer->retention_ns = writer->settings.retention_ns;
		writer->window_retention_ns = writer->settings.window_retention_ns;
		hub_set_options(writer->hub, &writer->settings.hub);
		deliver_routes_free(writer->routes);
		writer->routes = writer->settings.routes;
	}
	pthread_mutex_unlock(&writer->lock);
	return batch;
}

static void
drop_first(struct writer *writer)
{
	pthread_mutex_lock(&writer->lock);
	writer->first = (writer->first + 1) % QUEUE_SIZE;
	writer->count--;
	pthread_mutex_unlock(&writer->lock);
}

static bool
must_give_up(struct writer *writer)
{
	bool give_up;

	pthread_mutex_lock(&writer->lock);
	give_up = writer->stopping && clock_mono_ns() >= writer->stop_by_ns;
	pthread_mutex_unlock(&writer->lock);
	return give_up;
}

/* Settling, forgetting and thinning, each for seconds at most. */
static void
retain(struct writer *writer)
{
	struct error error = { 0 };
	uint64_t now = clock_mono_ns(), wall = clock_wall_ns();
	int r = 0;

	if (writer->retain_at_ns && now < writer->retain_at_ns)
		return;
	if (wall > writer->retention_ns)
		r = store_retain(writer->store, wall - writer->retention_ns,
				 wall - MIN(writer->window_retention_ns, writer->retention_ns), &error);
	if (r < 0)
		log_warning("old records could not be removed: %s", error.text);
	writer->retain_at_ns = clock_mono_ns() + (r > 0 ? RETAIN_MORE_NS : RETAIN_EVERY_NS);
}

static void *
run(void *user)
{
	static struct log_limit limit = LOG_LIMIT(1, 60 * NS_PER_S);
	struct writer *writer = user;
	struct batch *batch;
	bool stop = false;

	while (!stop) {
		struct error error = { 0 };

		writer->alive_ns = clock_mono_ns();
		batch = next_batch(writer, &stop);
		if (!batch) {
			retain(writer);
			continue;
		}
		if (batch_commit(batch, writer->store, writer->hub, &error) < 0) {
			if (log_allowed(&limit))
				log_error("the store can't be written, reading waits: %s", error.text);
			if (must_give_up(writer))
				break;
			nanosleep(&(struct timespec) { .tv_nsec = RETRY_NS / 10 }, NULL);
			continue;
		}
		drop_first(writer);
		batch_free(batch);
		if (writer->committed)
			writer->committed(writer->context);
		retain(writer);
	}
	return NULL;
}

int
writer_start(const struct writer_options *options, struct writer **ret, struct error *error)
{
	struct writer *writer = xcalloc(1, sizeof *writer);
	pthread_condattr_t attr;
	int r = store_open(options->store_path, STORE_WRITE, &writer->store, error);

	if (r < 0) {
		free(writer);
		return r;
	}
	writer->hub = hub_new(writer->store, &options->hub);
	hub_on_alert(writer->hub, log_alert, writer);
	hub_on_record(writer->hub, queue_record);
	writer->routes = options->routes;
	writer->retention_ns = options->retention_ns;
	writer->window_retention_ns = options->window_retention_ns;
	writer->committed = options->committed;
	writer->context = options->context;
	writer->alive_ns = clock_mono_ns();
	pthread_mutex_init(&writer->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&writer->wake, &attr);
	pthread_condattr_destroy(&attr);
	r = pthread_create(&writer->thread, NULL, run, writer);
	if (r) {
		hub_free(writer->hub);
		store_close(writer->store);
		free(writer);
		return error_set(error, r, "the writer's thread can't be started");
	}
	*ret = writer;
	return 0;
}

bool
writer_submit(struct writer *writer, struct batch *batch)
{
	bool taken;

	pthread_mutex_lock(&writer->lock);
	taken = writer->count < QUEUE_SIZE;
	if (taken) {
		writer->queue[(writer->first + writer->count++) % QUEUE_SIZE] = batch;
		pthread_cond_signal(&writer->wake);
	}
	pthread_mutex_unlock(&writer->lock);
	return taken;
}

void
writer_reconfigure(struct writer *writer, uint64_t retention_ns, uint64_t window_retention_ns,
		   const struct hub_options *hub, struct deliver_routes *routes)
{
	pthread_mutex_lock(&writer->lock);
	/* Settings that were never taken are given up. */
	if (writer->has_settings) {
		alert_rules_free(writer->settings.hub.rules);
		deliver_routes_free(writer->settings.routes);
	}
	writer->settings.routes = routes;
	writer->settings.retention_ns = retention_ns;
	writer->settings.window_retention_ns = window_retention_ns;
	writer->settings.hub = *hub;
	writer->has_settings = true;
	pthread_mutex_unlock(&writer->lock);
}

void
writer_stop(struct writer *writer, uint64_t timeout_ns)
{
	if (!writer)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->stopping = true;
	writer->stop_by_ns = clock_mono_ns() + timeout_ns;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	for (unsigned i = 0; i < writer->count; i++)
		batch_free(writer->queue[(writer->first + i) % QUEUE_SIZE]);
	if (writer->has_settings) {
		alert_rules_free(writer->settings.hub.rules);
		deliver_routes_free(writer->settings.routes);
	}
	deliver_routes_free(writer->routes);
	hub_free(writer->hub);
	store_close(writer->store);
	pthread_mutex_destroy(&writer->lock);
	pthread_cond_destroy(&writer->wake);
	free(writer);
}

uint64_t
writer_alive_ns(const struct writer *writer)
{
	return writer->alive_ns;
}
