/* SPDX-License-Identifier: MIT
 *
 * view_service.c -- services: who is slow, who fails, and how latencies spread. */
#include <stdlib.h>
#include <string.h>

#include "client/columns.h"
#include "lib/clock.h"

enum { MAX_HISTOGRAMS = 3 };

static void
write_errors(const json_t *item, const struct screen *screen, struct buf *out)
{
	uint64_t errors = json_number_at(item, "errors");
	uint64_t requests = json_number_at(item, "requests");

	screen_add_count(errors, out);
	if (errors && requests)
		buf_printf(out, " (%.3g %%)", (double) errors / (double) requests * 100);
}

static const struct column service_columns[] = {
	FIELD("SERVICE", "service", TEXT, 0),
	FIELD("HOST", "host", TEXT, 0),
	FIELD("HEARD", "last_ns", AGE, COLUMN_SPARE),
	FIELD("OPEN", "in_flight", COUNT, COLUMN_RIGHT),
	FIELD("RATE/S", "rate", RATE, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("REQUESTS", "requests", COUNT, COLUMN_RIGHT),
	PIECE("ERRORS", write_errors, COLUMN_RIGHT),
	FIELD("P50", "p50_ns", DURATION, COLUMN_RIGHT),
	FIELD("P90", "p90_ns", DURATION, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("P99", "p99_ns", DURATION, COLUMN_RIGHT),
	FIELD("MAX", "max_ns", DURATION, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("QUEUE P99", "rpc.queue_p99_ns", DURATION, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("WORKERS", "workers", LIST, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("SLOWEST", "slowest", ID, COLUMN_WIDE),
	{ .title = NULL }
};

static const char *const service_csv[] = {
	"id", "service", "host", "first_ns", "last_ns", "in_flight", "rate", "requests", "errors",
	"mean_ns", "p50_ns", "p90_ns", "p99_ns", "max_ns", "slowest", "rpc.calls",
	"rpc.unanswered", "rpc.queue_p50_ns", "rpc.queue_p90_ns", "rpc.queue_p99_ns",
	"rpc.queue_max_ns", NULL
};

const struct view service_view =
	VIEW("service", NULL, service_columns, service_csv, "no services were heard");

static const struct column operation_columns[] = {
	FIELD("OPERATION", "name", TEXT, COLUMN_FLEX),
	FIELD("OPEN", "in_flight", COUNT, COLUMN_RIGHT),
	FIELD("RATE/S", "rate", RATE, COLUMN_RIGHT | COLUMN_SPARE),
	FIELD("REQUESTS", "requests", COUNT, COLUMN_RIGHT),
	PIECE("ERRORS", write_errors, COLUMN_RIGHT),
	FIELD("MEAN", "mean_ns", DURATION, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("P50", "p50_ns", DURATION, COLUMN_RIGHT),
	FIELD("P90", "p90_ns", DURATION, COLUMN_RIGHT | COLUMN_WIDE),
	FIELD("P99", "p99_ns", DURATION, COLUMN_RIGHT),
	FIELD("MAX", "max_ns", DURATION, COLUMN_RIGHT),
	FIELD("SLOWEST", "slowest", ID, COLUMN_SPARE),
	{ .title = NULL }
};

static const char *const operation_csv[] = {
	"service", "host", "@name", "@requests", "@errors", "@in_flight", "@rate", "@mean_ns",
	"@p50_ns", "@p90_ns", "@p99_ns", "@max_ns", "@slowest", NULL
};

const struct view operation_view =
	VIEW("service", "operations", operation_columns, operation_csv, "no operations");

/* -- The page ------------------------------------------------------------- */

static const struct page_field service_fields[] = {
	{ "host", "host", VALUE_TEXT, NULL, NULL },
	{ "heard", "last_ns", VALUE_AGE, NULL, NULL },
	{ NULL, "first_ns", VALUE_TIME, "first ", NULL },
	{ "requests", "requests", VALUE_COUNT, NULL, NULL },
	{ NULL, "rate", VALUE_RATE, NULL, "/s" },
	{ NULL, "in_flight", VALUE_COUNT, "open ", NULL },
	{ NULL, "errors", VALUE_COUNT, "errors ", NULL },
	{ "latency", "p50_ns", VALUE_DURATION, "p50 ", NULL },
	{ NULL, "p90_ns", VALUE_DURATION, "p90 ", NULL },
	{ NULL, "p99_ns", VALUE_DURATION, "p99 ", NULL },
	{ NULL, "max_ns", VALUE_DURATION, "max ", NULL },
	{ "slowest", "slowest", VALUE_TEXT, NULL, "   (cloudtracectl trace)" },
	{ "rpc", "rpc.calls", VALUE_COUNT, NULL, " calls" },
	{ NULL, "rpc.unanswered", VALUE_COUNT, NULL, " unanswered" },
	{ "rpc queue", "rpc.queue_p50_ns", VALUE_DURATION, "p50 ", NULL },
	{ NULL, "rpc.queue_p90_ns", VALUE_DURATION, "p90 ", NULL },
	{ NULL, "rpc.queue_p99_ns", VALUE_DURATION, "p99 ", NULL },
	{ NULL, "rpc.queue_max_ns", VALUE_DURATION, "max ", NULL },
	{ .path = NULL }
};

struct busy {
	const json_t *operation;
	double time;
};

static int
by_time(const void *a_, const void *b_)
{
	const struct busy *a = a_, *b = b_;

	return a->time > b->time ? -1 : a->time < b->time;
}

/* Of those operations that took most time in all; wide: of each. */
static void
write_histograms(const json_t *service, const struct screen *screen, struct buf *out)
{
	const json_t *operations = json_at(service, "operations");
	size_t count = json_array_size(operations);
	_cleanup_(freep) struct busy *busy = xcalloc(count + 1, sizeof *busy);

	for (size_t i = 0; i < count; i++) {
		const json_t *one = json_array_get(operations, i);

		busy[i] = (struct busy) { one, (double) json_number_at(one, "mean_ns") *
					       (double) json_number_at(one, "requests") };
	}
	qsort(busy, count, sizeof *busy, by_time);
	for (size_t i = 0; i < count && (screen->wide || i < MAX_HISTOGRAMS); i++) {
		const char *name = json_text_at(busy[i].operation, "name");

		page_histogram(name ? name : "?", json_at(busy[i].operation, "histogram"), screen,
			       out);
	}
	page_histogram("time in the RPC queue", json_at(service, "rpc.histogram"), screen, out);
}

static void
write_workers(const json_t *service, const struct screen *screen, struct buf *out)
{
	const json_t *workers = json_at(service, "workers");
	size_t count = json_array_size(workers), shown = screen->wide ? count : MIN(count, 8U);

	if (!count)
		return;
	page_field_name("workers", out);
	buf_printf(out, "%zu   pid", count);
	for (size_t i = 0; i < shown; i++)
		buf_printf(out, " %llu", (unsigned long long)
			   json_number_at(json_array_get(workers, i), "pid"));
	buf_add_string(out, shown < count ? " ...\n" : "\n");
}

void
view_service(const json_t *service, const struct screen *screen, struct buf *out)
{
	struct view operations = operation_view;

	/* Here each is a thing of its own. */
	operations.expand = NULL;
	page_head("service", json_text_at(service, "service"), NULL, screen, out);
	buf_add_char(out, '\n');
	page_fields(service_fields, service, screen, out);
	write_workers(service, screen, out);
	page_list("Operations", &operations, json_at(service, "operations"), screen, out);
	write_histograms(service, screen, out);
}
