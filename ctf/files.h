/* SPDX-License-Identifier: MIT
 *
 * files.h -- the packets of one stream, from the files that hold it.
 *
 * Small packets are read into one buffer, many at a time; a packet larger than
 * that is mapped, so that memory stays bounded however large packets are. */
#ifndef CTF_FILES_H
#define CTF_FILES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ctf/find.h"
#include "ctf/stream.h"

/* Files of one stream, oldest first. */
struct ctf_files;

/* 'folder' and 'problems' are borrowed. */
struct ctf_files *ctf_files_new(const char *folder, struct ctf_problems *problems);
/* The stream that they refill must be freed before. */
void ctf_files_free(struct ctf_files *files);
/* Adds a file behind the others; 'name' is copied. */
void ctf_files_add(struct ctf_files *files, const char *name, uint64_t size);
/* Before the first refill: size of the buffer, and where to keep the sum of the
 * bytes that are mapped. */
void ctf_files_start(struct ctf_files *files, size_t buffer_bytes, size_t *mapped_bytes);
/* Gives back the memory of mapped packets; what is needed again is read again. */
void ctf_files_trim(struct ctf_files *files);
/* Tells the decoding errors of 'stream' since the last call as problems. */
void ctf_files_tell(struct ctf_files *files, struct ctf_stream *stream);
/* For ctf_stream_set_refill(), with the struct as its context.  Errors become
 * problems: it always gives packets or the end. */
ctf_refill_fn ctf_files_refill;

/* Fills 'to' from the file; returns the bytes read (fewer only at the end of
 * the file) or a negative errno. */
ssize_t ctf_read_at(int fd, void *to, size_t size, uint64_t offset);

#endif /* files.h */
