/* SPDX-License-Identifier: MIT
 *
 * files.c -- reads or maps packets for files.h.
 *
 * A file is opened for each refill only, as a trace may have more streams than
 * a process may have descriptors. */
#include "ctf/files.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct ctf_files {
	const char *folder;
	struct ctf_problems *problems;
	struct ctf_found_file *list;
	size_t n, at;
	/* Of the current file: */
	uint64_t offset;            /* Where the next packet starts. */
	uint64_t packets;
	uint64_t last_offset, last_bits; /* The last packet, for the index. */
	bool given_up;
	/* Memory: */
	uint8_t *buffer;
	size_t buffer_size;
	void *map;
	size_t map_size;
	size_t *mapped_bytes;
};

/* As lttng-tools writes them (src/common/index/ctf-index.h), big endian. */
struct index_header {
	uint32_t magic, major, minor, entry_size;
};
struct index_entry {
	uint64_t offset, packet_bits;
};
enum { INDEX_MAGIC = 0xc1f1dcc1, HUGE_PAGE = 2 << 20 };

struct ctf_files *
ctf_files_new(const char *folder, struct ctf_problems *problems)
{
	struct ctf_files *files = xcalloc(1, sizeof *files);

	files->folder = folder;
	files->problems = problems;
	return files;
}

static void
unmap(void *context, const uint8_t *bytes)
{
	struct ctf_files *files = context;

	if (!files->map)
		return;
	munmap(files->map, files->map_size);
	*files->mapped_bytes -= files->map_size;
	files->map = NULL;
}

void
ctf_files_free(struct ctf_files *files)
{
	if (!files)
		return;
	unmap(files, NULL);
	ctf_found_files_free(files->list, files->n);
	free(files->buffer);
	free(files);
}

void
ctf_files_add(struct ctf_files *files, const char *name, uint64_t size)
{
	files->list = xrealloc(files->list, (files->n + 1) * sizeof *files->list);
	files->list[files->n++] = (struct ctf_found_file) { xstrdup(name), size };
}

void
ctf_files_start(struct ctf_files *files, size_t buffer_bytes, size_t *mapped_bytes)
{
	files->buffer_size = buffer_bytes;
	files->mapped_bytes = mapped_bytes;
}

void
ctf_files_trim(struct ctf_files *files)
{
	if (files->map)
		madvise(files->map, files->map_size, MADV_DONTNEED);
}

void
ctf_files_tell(struct ctf_files *files, struct ctf_stream *stream)
{
	const struct error *error = ctf_stream_error(stream);

	if (error)
		ctf_problems_add(files->problems, "%s", error->text);
}

ssize_t
ctf_read_at(int fd, void *to, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pread(fd, (char *) to + done, size - done, (off_t) (offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t) n;
	}
	return (ssize_t) done;
}

/* Says what is wrong at the current place, and leaves out the rest of the file:
 * without a packet's size there is no way to the next. */
static void
give_up(struct ctf_files *files, const char *what)
{
	const struct ctf_found_file *file = &files->list[files->at];

	ctf_problems_add(files->problems, "%s/%s: packet at byte %" PRIu64 ": %s; "
			 "the rest of this file (%" PRIu64 " bytes) is left out", files->folder,
			 file->name, files->offset, what, file->size - files->offset);
	files->given_up = true;
}

/* Bytes of the packet at the current place, or 0 after giving up. */
static uint64_t
packet_size(struct ctf_files *files, struct ctf_stream *stream, const uint8_t *bytes, size_t size)
{
	uint64_t left = files->list[files->at].size - files->offset;
	struct ctf_packet_info info;
	struct error error = { 0 };
	uint64_t bits;
	int r = ctf_packet_peek(ctf_stream_trace(stream), bytes, size, &info, &error);

	if (r == -ENODATA && size < left)
		return UINT64_MAX;
	if (r < 0) {
		give_up(files, r == -ENODATA ? "the file ends inside its header" : error.text);
		return 0;
	}
	bits = info.packet_bits ? info.packet_bits : info.content_bits;
	if (!bits)
		return left;
	if (bits % 8) {
		give_up(files, "its size is no multiple of 8 bits");
		return 0;
	}
	/* What is there of a packet that was cut off is still of use. */
	return MIN(bits / 8, left);
}

/* Hands over the packet that starts at the current place. */
static bool
push(struct ctf_files *files, struct ctf_stream *stream, const uint8_t *bytes, size_t size,
     bool mapped)
{
	struct error error = { 0 };
	int r = ctf_stream_push(stream, bytes, size, mapped ? unmap : NULL, files, &error);

	if (r < 0)
		ctf_problems_add(files->problems, "%s/%s: packet at byte %" PRIu64 ": %s; "
				 "it is left out", files->folder, files->list[files->at].name,
				 files->offset, error.text);
	files->last_offset = files->offset;
	files->last_bits = (uint64_t) size * 8;
	files->packets++;
	files->offset += size;
	return r >= 0;
}

/* Maps part of the file so that address and place in the file differ modulo
 * HUGE_PAGE: then the kernel takes small pages only.  With huge ones each stream
 * would hold 2 to 4 MiB, and 64 of them more than they may. */
static const uint8_t *
map_packet(struct ctf_files *files, int fd, size_t size)
{
	size_t page = (size_t) sysconf(_SC_PAGESIZE), before = (size_t) (files->offset % page);
	off_t from = (off_t) (files->offset - before);
	size_t map_size = size + before + page;
	uint8_t *map = mmap(NULL, map_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *at = map;

	if (map == MAP_FAILED)
		return NULL;
	if (((uintptr_t) map - (uintptr_t) from) % HUGE_PAGE == 0)
		at += page;
	if (mmap(at, size + before, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, from) == MAP_FAILED) {
		munmap(map, map_size);
		return NULL;
	}
	files->map = map;
	files->map_size = map_size;
	*files->mapped_bytes += map_size;
	return at + before;
}

static bool
push_mapped(struct ctf_files *files, struct ctf_stream *stream, int fd, size_t size)
{
	const uint8_t *bytes = map_packet(files, fd, size);

	if (!bytes) {
		give_up(files, strerror(errno));
		return false;
	}
	return push(files, stream, bytes, size, true);
}

/* Hands over the packets that fit into the buffer, or one that does not. */
static bool
push_some(struct ctf_files *files, struct ctf_stream *stream)
{
	const struct ctf_found_file *file = &files->list[files->at];
	_cleanup_(freep) char *path = xasprintf("%s/%s", files->folder, file->name);
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t want = (size_t) MIN(file->size - files->offset, (uint64_t) files->buffer_size);
	ssize_t got = fd < 0 ? -errno : ctf_read_at(fd, files->buffer, want, files->offset);
	size_t done = 0;
	bool any = false;

	if (got < (ssize_t) want) {
		give_up(files, got < 0 ? strerror((int) -got) : "the file became shorter");
		return false;
	}
	while (done < want) {
		uint64_t size = packet_size(files, stream, files->buffer + done, want - done);

		if (!size)
			return any;
		if (size <= want - done) {
			any |= push(files, stream, files->buffer + done, (size_t) size, false);
			done += (size_t) size;
		} else if (done) {
			break;
		} else if (size == UINT64_MAX) {
			give_up(files, "its header is too long");
			return any;
		} else {
			return push_mapped(files, stream, fd, (size_t) size);
		}
	}
	return any;
}

/* Tells when the index of the file is there but says something else than the
 * file; it is not needed for reading. */
static void
check_index(const struct ctf_files *files)
{
	const struct ctf_found_file *file = &files->list[files->at];
	_cleanup_(freep) char *path = xasprintf("%s/index/%s.idx", files->folder, file->name);
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct index_header header;
	struct index_entry last = { 0 };
	uint64_t n, entry_size;
	off_t size;

	if (fd < 0 || files->given_up || !files->packets)
		return;
	size = lseek(fd, 0, SEEK_END);
	if (ctf_read_at(fd, &header, sizeof header, 0) != sizeof header ||
	    be32toh(header.magic) != INDEX_MAGIC ||
	    be32toh(header.entry_size) < sizeof last) {
		ctf_problems_add(files->problems, "%s: this is no index of LTTng; it is not used",
				 path);
		return;
	}
	entry_size = be32toh(header.entry_size);
	n = ((uint64_t) size - sizeof header) / entry_size;
	if (n != files->packets)
		ctf_problems_add(files->problems, "%s: the index has %" PRIu64 " packets, the file "
				 "has %" PRIu64 "; the file is believed", path, n, files->packets);
	else if (ctf_read_at(fd, &last, sizeof last, sizeof header + (n - 1) * entry_size) !=
		 sizeof last || be64toh(last.offset) != files->last_offset ||
		 be64toh(last.packet_bits) != files->last_bits)
		ctf_problems_add(files->problems, "%s: the index has another place or size of the "
				 "last packet than the file; the file is believed", path);
}

int
ctf_files_refill(struct ctf_stream *stream, void *context, struct error *error)
{
	struct ctf_files *files = context;

	ctf_files_tell(files, stream);
	if (!files->buffer)
		files->buffer = xmalloc(files->buffer_size);
	while (files->at < files->n) {
		if (!files->given_up && files->offset < files->list[files->at].size) {
			if (push_some(files, stream))
				return 0;
			continue;
		}
		check_index(files);
		files->at++;
		files->offset = files->packets = 0;
		files->given_up = false;
	}
	free(files->buffer);
	files->buffer = NULL;
	ctf_stream_end(stream);
	return 0;
}
