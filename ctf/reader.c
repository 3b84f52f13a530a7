/* SPDX-License-Identifier: MIT
 *
 * reader.c -- groups opened traces (backend.h) by host and clock, and merges
 * one host after the other.  A host's traces are closed as soon as it is read. */
#include "ctf/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctf/backend.h"

enum {
	/* Of packet buffers, over all streams of a host; and of mapped packets
	 * before their memory is given back from time to time. */
	BUFFER_BYTES = 32 << 20,
	MAPPED_BYTES = 32 << 20,
	MIN_BUFFER = 64 << 10,
	MAX_BUFFER = 1 << 20,
	TRIM_EVENTS = 16384,        /* As often, */
	TRIM_ITEMS = 16,            /* looked at as often. */
};

struct host {
	struct ctf_host public;
	char *hostname;
	int64_t clock_offset_ns;    /* Zero if the clock has a uuid. */
	struct ctf_opened **opened;
	size_t n_opened;
	struct ctf_merge *merge;    /* While it is being read. */
	size_t mapped_bytes;
	uint64_t trimmed_at;        /* Events that were read when memory was given back. */
	unsigned items;
};

struct ctf_reader {
	struct ctf_found found;
	struct ctf_problems problems;
	struct host *hosts;
	size_t n_hosts, at;
	struct host *host;          /* That is being read; NULL before it is started. */
	struct ctf_reader_totals totals;  /* 'bytes_done' and 'sum': of hosts that are read. */
};

/* Adds the counters of all streams to 'totals'. */
static void
sum_host(const struct host *host, struct ctf_reader_totals *totals)
{
	struct ctf_stream_counters *sum = &totals->sum;

	for (size_t i = 0; i < host->n_opened; i++)
		for (size_t j = 0; j < host->opened[i]->n_streams; j++) {
			const struct ctf_stream_counters *c =
				ctf_stream_counters(host->opened[i]->streams[j]);

			ctf_counters_add(sum, c);
			totals->bytes_done += c->bytes;
		}
}

static uint64_t
events_read(const struct host *host)
{
	struct ctf_reader_totals totals = { 0 };

	sum_host(host, &totals);
	return totals.sum.events;
}

/* The traces of a host are closed; its name stays for the consumer. */
static void
host_close(struct ctf_reader *reader, struct host *host)
{
	uint64_t late = host->merge ? ctf_merge_late(host->merge) : 0;

	if (late)
		ctf_problems_add(&reader->problems, "%s: %llu events came later than others that "
				 "are younger; they were used all the same", host->hostname,
				 (unsigned long long) late);
	ctf_merge_free(host->merge);
	host->merge = NULL;
	sum_host(host, &reader->totals);
	for (size_t i = 0; i < host->n_opened; i++)
		host->opened[i]->ops->close(host->opened[i]);
	free(host->opened);
	host->opened = NULL;
	host->n_opened = 0;
}

static void
host_start(struct host *host)
{
	size_t n = 0, buffer;

	for (size_t i = 0; i < host->n_opened; i++)
		n += host->opened[i]->n_streams;
	buffer = n ? BUFFER_BYTES / n : MAX_BUFFER;
	buffer = MAX(buffer, (size_t) MIN_BUFFER);
	buffer = MIN(buffer, (size_t) MAX_BUFFER);
	host->merge = ctf_merge_new(0);
	for (size_t i = 0; i < host->n_opened; i++) {
		struct ctf_opened *opened = host->opened[i];

		opened->ops->start(opened, buffer, &host->mapped_bytes);
		for (size_t j = 0; j < opened->n_streams; j++)
			ctf_merge_add(host->merge, opened->streams[j]);
	}
}

static void
host_trim(struct host *host)
{
	uint64_t events;

	if (++host->items % TRIM_ITEMS)
		return;
	events = events_read(host);
	if (events - host->trimmed_at < TRIM_EVENTS)
		return;
	host->trimmed_at = events;
	for (size_t i = 0; i < host->n_opened; i++)
		host->opened[i]->ops->trim(host->opened[i]);
}

static bool
same_host(const struct host *a, const struct host *b)
{
	return streq(a->hostname, b->hostname) && a->clock_offset_ns == b->clock_offset_ns &&
		!memcmp(a->public.clock_uuid, b->public.clock_uuid, sizeof a->public.clock_uuid);
}

static int
by_hostname(const void *a, const void *b)
{
	const struct host *x = a, *y = b;
	int r = strcmp(x->hostname, y->hostname);

	if (!r)
		r = memcmp(x->public.clock_uuid, y->public.clock_uuid, sizeof x->public.clock_uuid);
	if (!r)
		r = (x->clock_offset_ns > y->clock_offset_ns) -
			(x->clock_offset_ns < y->clock_offset_ns);
	return r;
}

static void
add_opened(struct ctf_reader *reader, struct ctf_opened *opened, const char *path)
{
	struct host key = { .hostname = opened->hostname ? opened->hostname : (char *) path };
	struct host *host = NULL;

	memcpy(key.public.clock_uuid, opened->clock_uuid, sizeof key.public.clock_uuid);
	key.clock_offset_ns = opened->has_clock_uuid ? 0 : opened->clock_offset_ns;
	for (size_t i = 0; i < reader->n_hosts && !host; i++)
		if (same_host(&reader->hosts[i], &key))
			host = &reader->hosts[i];
	if (!host) {
		reader->hosts = xrealloc(reader->hosts, (reader->n_hosts + 1) * sizeof *host);
		host = &reader->hosts[reader->n_hosts++];
		*host = key;
		host->hostname = xstrdup(key.hostname);
		host->public.hostname = host->hostname;
	}
	host->opened = xrealloc(host->opened, (host->n_opened + 1) * sizeof (struct ctf_opened *));
	host->opened[host->n_opened++] = opened;
	reader->totals.streams += (unsigned) opened->n_streams;
	reader->totals.bytes_total += opened->bytes;
}

int
ctf_reader_open(const char *const *paths, size_t n_paths, const struct ctf_interest *interest,
		enum ctf_backend backend, struct ctf_reader **ret, struct error *error)
{
	const struct ctf_backend_ops *ops =
		backend == CTF_BACKEND_BABELTRACE2 ? &ctf_bt2_backend : &ctf_own_backend;
	struct ctf_reader *reader = xcalloc(1, sizeof *reader);
	struct error first = { 0 };
	int r = ctf_find_traces(paths, n_paths, &reader->found, &reader->problems, error);

	for (size_t i = 0; r >= 0 && i < reader->found.n; i++) {
		const struct ctf_found_trace *found = &reader->found.traces[i];
		struct error trace_error = { 0 };
		struct ctf_opened *opened;

		if (ops->open(found, interest, &reader->problems, &opened, &trace_error) >= 0) {
			reader->totals.traces++;
			/* Of a trace without streams, libbabeltrace2 does not tell the host. */
			if (opened->n_streams)
				add_opened(reader, opened, found->path);
			else
				opened->ops->close(opened);
			continue;
		}
		ctf_problems_add(&reader->problems, "%s", trace_error.text);
		if (!first.code)
			first = trace_error;
	}
	if (r >= 0 && !reader->totals.traces)
		r = error_set(error, first.code ? first.code : EINVAL, "%s", first.text);
	if (r < 0) {
		ctf_reader_close(reader);
		return r;
	}
	reader->totals.hosts = (unsigned) reader->n_hosts;
	if (reader->n_hosts)
		qsort(reader->hosts, reader->n_hosts, sizeof *reader->hosts, by_hostname);
	*ret = reader;
	return 0;
}

void
ctf_reader_close(struct ctf_reader *reader)
{
	if (!reader)
		return;
	for (size_t i = 0; i < reader->n_hosts; i++) {
		host_close(reader, &reader->hosts[i]);
		free(reader->hosts[i].hostname);
	}
	free(reader->hosts);
	ctf_found_done(&reader->found);
	ctf_problems_done(&reader->problems);
	free(reader);
}

/* The host that is being read is at its end: on to the next. */
static int __attribute__((noinline))
end_host(struct ctf_reader *reader, struct host *host, struct ctf_reader_item *ret)
{
	*ret = (struct ctf_reader_item) {
		.what = CTF_HEAD_END,
		.host = &host->public,
		.watermark_raw_ns = ctf_merge_watermark(host->merge),
	};
	host_close(reader, host);
	reader->host = NULL;
	reader->at++;
	return 1;
}

/* What is to be done before an item, but not before most; NULL at the end of all. */
static struct host * __attribute__((noinline))
prepare(struct ctf_reader *reader)
{
	if (reader->at == reader->n_hosts)
		return NULL;
	if (!reader->host) {
		reader->host = &reader->hosts[reader->at];
		host_start(reader->host);
	}
	if (reader->host->mapped_bytes > MAPPED_BYTES)
		host_trim(reader->host);
	return reader->host;
}

int
ctf_reader_next(struct ctf_reader *reader, struct ctf_reader_item *ret, struct error *error)
{
	struct host *host = reader->host;
	struct ctf_merge_item item;
	int r;

	if (!host || host->mapped_bytes > MAPPED_BYTES)
		host = prepare(reader);
	if (!host)
		return 0;
	r = ctf_merge_next(host->merge, &item, error);
	if (r <= 0)
		return r < 0 ? r : end_host(reader, host, ret);
	ret->what = item.what;
	ret->host = &host->public;
	ret->event = item.event;
	ret->loss = item.loss;
	ret->watermark_raw_ns = item.watermark_raw_ns;
	return 1;
}

void
ctf_reader_totals(const struct ctf_reader *reader, struct ctf_reader_totals *ret)
{
	*ret = reader->totals;
	for (size_t i = reader->at; i < reader->n_hosts; i++)
		sum_host(&reader->hosts[i], ret);
}

const char *
ctf_reader_problem(const struct ctf_reader *reader, size_t index)
{
	return index < reader->problems.n ? reader->problems.texts[index] : NULL;
}
