/* SPDX-License-Identifier: MIT */
#include "replay/sources.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/log.h"
#include "lib/util.h"
#include "replay/metadata.h"

enum { MAX_DEPTH = 32 };          /* Of folders; ends loops of symbolic links. */
#define MAX_METADATA ((off_t) 64 << 20)

static int
read_file(const char *path, struct buf *ret, struct error *error)
{
	FILE *file = fopen(path, "re");
	struct stat st;
	size_t n;
	int err = 0;

	if (!file)
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	if (fstat(fileno(file), &st) < 0 || st.st_size > MAX_METADATA) {
		err = error_set(error, EFBIG, "%s: larger than 64 MiB", path);
	} else {
		n = fread(buf_reserve(ret, (size_t) st.st_size), 1, (size_t) st.st_size, file);
		ret->size = n;
		ret->data[n] = '\0';
		if (ferror(file))
			err = error_set(error, EIO, "%s: cannot be read", path);
	}
	fclose(file);
	return err;
}

static char *
base_name(const char *path)
{
	const char *end = path + strlen(path), *begin;

	while (end > path && end[-1] == '/')
		end--;
	for (begin = end; begin > path && begin[-1] != '/'; begin--)
		;
	return begin == end ? xstrdup("trace") : xstrndup(begin, (size_t) (end - begin));
}

/* The part of the path from its last "kernel" or "ust" folder on, as LTTng
 * lays sessions out; else the folder's name. */
static char *
domain_of(const char *path)
{
	static const char *const roots[] = { "kernel", "ust" };
	const char *found = NULL;
	size_t n;

	for (const char *at = path; *at; at += strspn(at, "/")) {
		n = strcspn(at, "/");
		for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
			if (n == strlen(roots[i]) && !memcmp(at, roots[i], n))
				found = at;
		at += n;
	}
	return found && !strstr(found, "..") ? xstrdup(found) : base_name(path);
}

static void
source_done(struct source *source)
{
	for (unsigned i = 0; i < source->n_streams; i++) {
		free(source->streams[i].channel);
		stream_file_close(source->streams[i].file);
	}
	free(source->streams);
	ctf_trace_free(source->trace);
	buf_done(&source->metadata);
	free(source->path);
	free(source->hostname);
	free(source->session);
	free(source->domain);
}

static int
open_metadata(struct source *source, struct error *error)
{
	_cleanup_(freep) char *path = xasprintf("%s/metadata", source->path);
	_cleanup_(buf_done) struct buf raw = { 0 };
	const char *text, *name;
	uint64_t frequency;
	size_t size;
	int err;

	err = read_file(path, &raw, error);
	if (err)
		return err;
	source->trace = ctf_trace_new(source->path, NULL);
	err = ctf_trace_add_metadata(source->trace, raw.data, raw.size, error);
	if (err)
		return err;
	text = ctf_trace_metadata_text(source->trace, &size);
	buf_add(&source->metadata, text, size);
	frequency = metadata_clock_frequency(&source->metadata);
	if (frequency != 1000000000)
		return error_set(error, ENOTSUP, "%s: its clock has %" PRIu64 " Hz; only clocks of"
				 " 1 GHz, as LTTng's are, can be published", path, frequency);
	source->big_endian = metadata_is_big_endian(&source->metadata);
	source->offset_ns = ctf_trace_clock_offset_ns(source->trace);
	ctf_trace_uuid(source->trace, source->uuid);
	name = ctf_trace_hostname(source->trace);
	source->hostname = name ? xstrdup(name) : base_name(source->path);
	name = ctf_trace_env(source->trace, "trace_name");
	source->session = name ? xstrdup(name) : base_name(source->path);
	source->domain = domain_of(source->path);
	return 0;
}

static int
open_stream(struct source *source, const char *name, unsigned alignment, struct error *error)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s", source->path, name);
	struct stream_file *file;
	int err;

	err = stream_file_open(path, source->trace, alignment, &file, error);
	if (err)
		return err;
	source->streams = xrealloc(source->streams,
				   (source->n_streams + 1) * sizeof *source->streams);
	source->streams[source->n_streams++] = (struct source_stream) { xstrdup(name), file };
	return 0;
}

static bool
is_kind(const char *folder, const char *name, mode_t kind)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s", folder, name);
	struct stat st;

	return !stat(path, &st) && (st.st_mode & S_IFMT) == kind;
}

static int
not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int
list(const char *path, struct dirent ***ret, struct error *error)
{
	int n = scandir(path, ret, not_hidden, alphasort);

	return n < 0 ? error_set(error, errno, "%s: %s", path, strerror(errno)) : n;
}

static void
free_list(struct dirent **entries, int n)
{
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
}

/* A trace or stream that can't be published does not keep the others back. */
static void
warn(struct sources *sources, const struct error *error)
{
	sources->n_bad++;
	log_warning("left out: %s", error->text);
}

static void
take_times(struct sources *sources, const struct source *source, struct stream_file *file)
{
	uint64_t offset = (uint64_t) source->offset_ns, raw;

	if (stream_file_first_event(file, &raw))
		sources->first_event_ns = MIN(sources->first_event_ns, raw + offset);
	if (stream_file_bytes(file))
		sources->end_ns = MAX(sources->end_ns, stream_file_end(file) + offset);
}

static int
open_source(struct sources *sources, const char *path, struct error *error)
{
	struct source source = { .path = xstrdup(path) };
	struct dirent **entries = NULL;
	unsigned alignment;
	int err, n = 0;

	err = open_metadata(&source, error);
	if (!err) {
		n = list(path, &entries, error);
		err = MIN(n, 0);
	}
	if (err) {
		source_done(&source);
		return err;
	}
	alignment = metadata_max_alignment(&source.metadata);
	for (int i = 0; i < n; i++) {
		struct error bad = { 0 };
		const struct error *problem;

		if (streq(entries[i]->d_name, "metadata")
		    || !is_kind(path, entries[i]->d_name, S_IFREG))
			continue;
		if (open_stream(&source, entries[i]->d_name, alignment, &bad)) {
			warn(sources, &bad);
			continue;
		}
		problem = stream_file_problem(source.streams[source.n_streams - 1].file);
		if (problem)
			warn(sources, problem);
		take_times(sources, &source, source.streams[source.n_streams - 1].file);
	}
	free_list(entries, n);
	sources->all = xrealloc(sources->all, (sources->n + 1) * sizeof *sources->all);
	sources->all[sources->n++] = source;
	return 0;
}

/* Opens the trace in 'path', or those in the folders below it. */
static int
search(struct sources *sources, const char *path, unsigned depth, struct error *error)
{
	struct error bad = { 0 };
	struct dirent **entries;
	int n;

	if (depth > MAX_DEPTH)
		return 0;
	if (is_kind(path, "metadata", S_IFREG)) {
		if (open_source(sources, path, &bad) < 0)
			warn(sources, &bad);
		return 0;
	}
	n = list(path, &entries, error);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		_cleanup_(freep) char *below = xasprintf("%s/%s", path, entries[i]->d_name);

		if (is_kind(path, entries[i]->d_name, S_IFDIR)
		    && search(sources, below, depth + 1, &bad) < 0)
			warn(sources, &bad);
	}
	free_list(entries, n);
	return 0;
}

static int
compare(const void *a, const void *b)
{
	const struct source *x = a, *y = b;
	int order = strcmp(x->hostname, y->hostname);

	if (!order)
		order = strcmp(x->session, y->session);
	return order ? order : strcmp(x->path, y->path);
}

/* Traces of one session must not share a folder in it. */
static void
make_domains_unique(struct sources *sources)
{
	for (unsigned i = 1; i < sources->n; i++) {
		struct source *source = &sources->all[i];
		unsigned same = 0;

		for (unsigned j = i; j-- > 0;) {
			const struct source *other = &sources->all[j];

			if (strcmp(other->hostname, source->hostname)
			    || strcmp(other->session, source->session))
				break;
			same += streq(other->domain, source->domain);
		}
		if (same) {
			char *unique = xasprintf("%s/%u", source->domain, i);

			free(source->domain);
			source->domain = unique;
		}
	}
}

int
sources_open(const char *const *paths, unsigned n_paths, struct sources *ret,
	     struct error *error)
{
	int err;

	*ret = (struct sources) { .first_event_ns = UINT64_MAX };
	for (unsigned i = 0; i < n_paths; i++) {
		err = search(ret, paths[i], 0, error);
		if (err) {
			sources_close(ret);
			return err;
		}
	}
	if (!ret->n) {
		sources_close(ret);
		return error_set(error, ENOENT, "no trace to publish: no folder with a usable file"
				 " 'metadata' below %s%s", paths[0], n_paths > 1 ? "..." : "");
	}
	qsort(ret->all, ret->n, sizeof *ret->all, compare);
	make_domains_unique(ret);
	if (ret->first_event_ns == UINT64_MAX)
		ret->first_event_ns = ret->end_ns;
	ret->end_ns = MAX(ret->end_ns, ret->first_event_ns);
	return 0;
}

void
sources_close(struct sources *sources)
{
	for (unsigned i = 0; i < sources->n; i++)
		source_done(&sources->all[i]);
	free(sources->all);
	*sources = (struct sources) { 0 };
}
