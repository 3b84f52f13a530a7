/* SPDX-License-Identifier: MIT
 *
 * own_reader.c -- a trace folder, opened for our own decoder (backend.h). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctf/backend.h"
#include "ctf/files.h"

enum { MAX_METADATA = 64 << 20, PEEK_SIZE = 64 << 10 };

struct own {
	struct ctf_opened public;
	struct ctf_trace *trace;
	struct ctf_files **files;   /* By stream. */
};

/* A stream file and what its first packet says. */
struct first_packet {
	const struct ctf_found_file *file;
	struct ctf_packet_info info;
	bool grouped;
};

static int
read_metadata(struct ctf_trace *trace, const char *folder, struct error *error)
{
	_cleanup_(freep) char *path = xasprintf("%s/metadata", folder);
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(freep) char *text = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(error, errno, "%s: it can't be opened: %s", path, strerror(errno));
	if (st.st_size > MAX_METADATA)
		return error_set(error, EFBIG, "%s: it has more than %d MiB", path,
				 MAX_METADATA >> 20);
	text = xmalloc((size_t) st.st_size);
	n = ctf_read_at(fd, text, (size_t) st.st_size, 0);
	if (n < 0)
		return error_set(error, (int) -n, "%s: it can't be read: %s", path,
				 strerror((int) -n));
	return ctf_trace_add_metadata(trace, text, (size_t) n, error);
}

/* Whether both belong to one stream, as with LTTng's tracefile rotation. */
static bool
same_stream(const struct ctf_packet_info *a, const struct ctf_packet_info *b)
{
	return a->has_instance && b->has_instance && a->has_times && b->has_times &&
		a->stream_class_id == b->stream_class_id &&
		a->stream_instance_id == b->stream_instance_id;
}

static int
oldest_first(const void *a, const void *b)
{
	const struct first_packet *const *x = a, *const *y = b;
	const struct ctf_packet_info *i = &(*x)->info, *j = &(*y)->info;

	if (i->begin_raw_ns != j->begin_raw_ns)
		return i->begin_raw_ns < j->begin_raw_ns ? -1 : 1;
	if (i->seq != j->seq)
		return i->seq < j->seq ? -1 : 1;
	return strcmp((*x)->file->name, (*y)->file->name);
}

static void
add_stream(struct own *own, const struct ctf_found_trace *found,
	   const struct first_packet *const *members, size_t n, struct ctf_problems *problems,
	   bool want_all)
{
	struct ctf_opened *public = &own->public;
	_cleanup_(freep) char *key = ctf_make_stream_key(public->hostname, found->label,
							 members[0]->file->name);
	struct ctf_stream *stream = ctf_stream_new(own->trace, key);
	struct ctf_files *files = ctf_files_new(found->path, problems);

	for (size_t i = 0; i < n; i++) {
		ctf_files_add(files, members[i]->file->name, members[i]->file->size);
		public->bytes += members[i]->file->size;
	}
	if (want_all)
		ctf_stream_want_all(stream);
	ctf_stream_set_refill(stream, ctf_files_refill, files);
	public->streams = xrealloc(public->streams,
				   (public->n_streams + 1) * sizeof *public->streams);
	own->files = xrealloc(own->files, (public->n_streams + 1) * sizeof (struct ctf_files *));
	own->files[public->n_streams] = files;
	public->streams[public->n_streams++] = stream;
}

/* Makes a stream of each group of files. */
static void
add_streams(struct own *own, const struct ctf_found_trace *found, struct first_packet *first,
	    size_t n, struct ctf_problems *problems, bool want_all)
{
	const struct first_packet **members = xcalloc(n, sizeof (struct first_packet *));

	for (size_t i = 0; i < n; i++) {
		size_t n_members = 0;

		if (first[i].grouped)
			continue;
		members[n_members++] = &first[i];
		for (size_t j = i + 1; j < n; j++)
			if (!first[j].grouped && same_stream(&first[i].info, &first[j].info)) {
				first[j].grouped = true;
				members[n_members++] = &first[j];
			}
		qsort(members, n_members, sizeof *members, oldest_first);
		add_stream(own, found, members, n_members, problems, want_all);
	}
	free(members);
}

static int
peek_file(struct ctf_trace *trace, const char *folder, const struct ctf_found_file *file,
	  struct ctf_packet_info *ret, struct error *error)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s", folder, file->name);
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_(freep) uint8_t *bytes = xmalloc(PEEK_SIZE);
	ssize_t n = fd < 0 ? -errno : ctf_read_at(fd, bytes, PEEK_SIZE, 0);
	int r;

	if (n < 0)
		return error_set(error, (int) -n, "%s: it can't be read: %s", path,
				 strerror((int) -n));
	r = ctf_packet_peek(trace, bytes, (size_t) n, ret, error);
	if (r == -ENODATA)
		error_set(error, ENODATA, "it is too short for a packet");
	if (r < 0)
		error_prefix(error, "%s: this is no stream of the trace, and left out", path);
	return r;
}

static int
open_streams(struct own *own, const struct ctf_found_trace *found, struct ctf_problems *problems,
	     bool want_all, struct error *error)
{
	struct first_packet *first;
	struct ctf_found_file *list;
	size_t n, n_first = 0;
	int r = ctf_find_stream_files(found->path, &list, &n, error);

	if (r < 0)
		return r;
	first = xcalloc(n, sizeof *first);
	for (size_t i = 0; i < n; i++) {
		struct error file_error = { 0 };

		first[n_first].file = &list[i];
		if (peek_file(own->trace, found->path, &list[i], &first[n_first].info,
			      &file_error) < 0)
			ctf_problems_add(problems, "%s", file_error.text);
		else
			n_first++;
	}
	add_streams(own, found, first, n_first, problems, want_all);
	free(first);
	ctf_found_files_free(list, n);
	return 0;
}

static void
own_close(struct ctf_opened *opened)
{
	struct own *own = CONTAINER_OF(opened, struct own, public);

	for (size_t i = 0; i < opened->n_streams; i++) {
		ctf_files_tell(own->files[i], opened->streams[i]);
		ctf_stream_free(opened->streams[i]);
		ctf_files_free(own->files[i]);
	}
	ctf_trace_free(own->trace);
	free(own->files);
	free(opened->streams);
	free(opened->hostname);
	free(own);
}

static int
own_open(const struct ctf_found_trace *found, const struct ctf_interest *interest,
	 struct ctf_problems *problems, struct ctf_opened **ret, struct error *error)
{
	struct own *own = xcalloc(1, sizeof *own);
	struct ctf_opened *public = &own->public;
	int r;

	public->ops = &ctf_own_backend;
	own->trace = ctf_trace_new(found->path, interest);
	r = read_metadata(own->trace, found->path, error);
	if (r >= 0) {
		const char *hostname = ctf_trace_hostname(own->trace);

		public->hostname = hostname ? xstrdup(hostname) : NULL;
		public->has_clock_uuid = ctf_trace_clock_uuid(own->trace, public->clock_uuid);
		public->clock_offset_ns = ctf_trace_clock_offset_ns(own->trace);
		r = open_streams(own, found, problems, !interest, error);
	}
	if (r < 0) {
		own_close(public);
		return r;
	}
	*ret = public;
	return 0;
}

static void
own_start(struct ctf_opened *opened, size_t bytes_per_stream, size_t *mapped_bytes)
{
	struct own *own = CONTAINER_OF(opened, struct own, public);

	for (size_t i = 0; i < opened->n_streams; i++)
		ctf_files_start(own->files[i], bytes_per_stream, mapped_bytes);
}

static void
own_trim(struct ctf_opened *opened)
{
	struct own *own = CONTAINER_OF(opened, struct own, public);

	for (size_t i = 0; i < opened->n_streams; i++)
		ctf_files_trim(own->files[i]);
}

const struct ctf_backend_ops ctf_own_backend = {
	.open = own_open,
	.start = own_start,
	.trim = own_trim,
	.close = own_close,
};
