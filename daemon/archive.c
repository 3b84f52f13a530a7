/* SPDX-License-Identifier: MIT */
#include "daemon/archive.h"
#include "daemon/alert_rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/batch.h"
#include "daemon/epochs.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"

/* So that a long archive is committed in parts. */
enum { BATCH_BYTES = 8 << 20, PROGRESS_EVERY = 1 << 16 };

struct archive {
	const struct config *config;
	struct ctf_reader *reader;
	struct engine *engine;
	struct store *store;
	struct hub *hub;
	struct batch *batch;
	struct fact_sink sink;
	uint64_t items, shown_ns;
	bool show;
};

/* What is known of a host while it is read. */
struct archive_host {
	struct engine_host *engine;
	uint64_t events, lost, late;
	uint64_t first_t_ns, last_t_ns;
	struct epochs epochs;
};

static int
commit(struct archive *archive, struct error *error)
{
	int r;

	engine_flush(archive->engine);
	r = batch_commit(archive->batch, archive->store, archive->hub, error);
	if (r < 0)
		return r;
	batch_free(archive->batch);
	archive->batch = batch_new();
	return 0;
}

static void
show_progress(struct archive *archive, bool last)
{
	struct ctf_reader_totals totals;
	uint64_t now;

	if (!archive->show || (!last && archive->items % PROGRESS_EVERY))
		return;
	now = clock_mono_ns();
	if (!last && now - archive->shown_ns < 200 * NS_PER_MS)
		return;
	archive->shown_ns = now;
	ctf_reader_totals(archive->reader, &totals);
	fprintf(stderr, "\r%3.0f %%  %" PRIu64 " events%s",
		totals.bytes_total ? 100.0 * (double) totals.bytes_done / (double) totals.bytes_total : 100.0,
		totals.sum.events, last ? "\n" : " ");
}

static void
end_host(struct archive *archive, struct ctf_host *from)
{
	struct archive_host *host = from->user;
	struct store_source source = {
		.host = from->hostname, .relayd = "", .session = "archive", .state = "gone",
		.text = "read from disk to the end", .seen_ns = clock_wall_ns(),
	};

	if (!host)
		return;
	engine_host_end(host->engine, host->last_t_ns);
	source.events = host->events;
	source.lost_events = host->lost;
	source.late_events = host->late;
	source.last_event_ns = host->last_t_ns;
	batch_add_source(archive->batch, &source);
	free(host);
	from->user = NULL;
}

static void
feed(struct archive *archive, const struct ctf_reader_item *item)
{
	struct archive_host *host = item->host->user;

	if (!host) {
		host = item->host->user = xcalloc(1, sizeof *host);
		host->engine = engine_host(archive->engine, item->host->hostname);
		host->epochs = (struct epochs) { .host = item->host->hostname,
						 .clock_uuid = item->host->clock_uuid };
	}
	if (item->what == CTF_HEAD_EVENT) {
		host->events++;
		host->late += item->event->late;
		host->last_t_ns = MAX(host->last_t_ns, item->event->t_ns);
		epochs_note(&host->epochs, archive->engine, item->event, &archive->sink);
		engine_event(host->engine, item->event);
	} else if (item->what == CTF_HEAD_LOSS) {
		host->lost += item->loss->events;
		host->last_t_ns = MAX(host->last_t_ns, item->loss->end_t_ns);
		engine_loss(host->engine, item->loss);
	} else {
		end_host(archive, item->host);
	}
}

static int
read_all(struct archive *archive, struct error *error)
{
	struct ctf_reader_item item;
	int r;

	while ((r = ctf_reader_next(archive->reader, &item, error)) > 0) {
		feed(archive, &item);
		archive->items++;
		show_progress(archive, false);
		if (batch_size(archive->batch) > BATCH_BYTES && (r = commit(archive, error)) < 0)
			break;
	}
	show_progress(archive, true);
	return r;
}

static void
add_counters(struct archive *archive)
{
	struct ctf_reader_totals totals;

	ctf_reader_totals(archive->reader, &totals);
	batch_add_counters(archive->batch, &totals.sum, archive->engine);
}

static void
log_problems(const struct ctf_reader *reader)
{
	const char *problem;

	for (size_t i = 0; (problem = ctf_reader_problem(reader, i)); i++)
		log_warning("%s", problem);
}

int
archive_dump(const char *const *paths, size_t n_paths, enum ctf_backend backend, FILE *file,
	     struct error *error)
{
	struct ctf_reader *reader;
	int r = ctf_reader_open(paths, n_paths, NULL, backend, &reader, error);

	if (r < 0)
		return r;
	r = ctf_reader_dump(reader, file, error);
	log_problems(reader);
	ctf_reader_close(reader);
	return r;
}

static int
open_parts(struct archive *archive, const char *const *paths, size_t n_paths,
	   enum ctf_backend backend, struct error *error)
{
	struct engine_options engine = engine_defaults;
	struct hub_options hub = hub_defaults;
	int r;

	engine.max_flows_per_host = (unsigned) archive->config->max_flows;
	engine.stall_min_ns = archive->config->stall_min_ns;
	engine.stall_max_ns = archive->config->stall_max_ns;
	engine.stall_factor = (unsigned) archive->config->stall_factor;
	engine.spans_when_flushed = true;
	hub.failed_hold_ns = archive->config->failed_hold_ns;
	r = alert_rules_new(archive->config->sections.rules, archive->config->sections.n_rules, &hub.rules,
			    error);
	if (r < 0)
		return r;
	archive->batch = batch_new();
	archive->sink = batch_sink(&archive->batch);
	archive->engine = engine_new(analyzers, &engine, &archive->sink);
	r = ctf_reader_open(paths, n_paths, engine_interest(archive->engine), backend,
			    &archive->reader, error);
	if (r < 0) {
		alert_rules_free(hub.rules);
		return r;
	}
	r = store_open(archive->config->store, STORE_WRITE, &archive->store, error);
	if (r < 0) {
		alert_rules_free(hub.rules);
		return r;
	}
	archive->hub = hub_new(archive->store, &hub);
	return 0;
}

int
archive_read(const struct config *config, const char *const *paths, size_t n_paths,
	     enum ctf_backend backend, struct error *error)
{
	struct archive archive = { .config = config, .show = isatty(STDERR_FILENO) };
	int r = open_parts(&archive, paths, n_paths, backend, error);

	if (r >= 0)
		r = read_all(&archive, error);
	if (r >= 0) {
		log_problems(archive.reader);
		add_counters(&archive);
		r = commit(&archive, error);
	}
	hub_free(archive.hub);
	store_close(archive.store);
	ctf_reader_close(archive.reader);
	batch_free(archive.batch);
	engine_free(archive.engine);
	return r;
}
