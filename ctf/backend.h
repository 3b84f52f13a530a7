/* SPDX-License-Identifier: MIT
 *
 * backend.h -- what reader.c asks of a backend: one trace folder, opened.
 *
 * There are two: own_reader.c (our decoder) and bt2_reader.c (libbabeltrace2).
 * Both name the same streams by the same keys, and number the same hosts. */
#ifndef CTF_BACKEND_H
#define CTF_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctf/find.h"
#include "ctf/stream.h"

struct ctf_opened {
	const struct ctf_backend_ops *ops;
	char *hostname;             /* env.hostname, or NULL. */
	bool has_clock_uuid;
	uint8_t clock_uuid[16];
	int64_t clock_offset_ns;    /* Tells clocks without a uuid apart. */
	struct ctf_stream **streams;
	size_t n_streams;
	uint64_t bytes;             /* Of its stream files. */
};

struct ctf_backend_ops {
	/* Opens the folder; 'interest' NULL wants all events.  'found' and
	 * 'problems' outlive what is opened. */
	int (*open)(const struct ctf_found_trace *found, const struct ctf_interest *interest,
		    struct ctf_problems *problems, struct ctf_opened **ret, struct error *error);
	/* Before the first head is asked for: how many bytes of packets each
	 * stream may hold, and where to keep the sum of what is mapped beyond. */
	void (*start)(struct ctf_opened *opened, size_t bytes_per_stream, size_t *mapped_bytes);
	/* Gives back the memory of what is mapped. */
	void (*trim)(struct ctf_opened *opened);
	/* Tells errors of its streams that were not told yet, and frees it with
	 * its streams. */
	void (*close)(struct ctf_opened *opened);
};

extern const struct ctf_backend_ops ctf_own_backend, ctf_bt2_backend;

/* "hostname/label/file": names a stream for ever.  Without a hostname it is
 * "label/file". */
static inline char *
ctf_make_stream_key(const char *hostname, const char *label, const char *file)
{
	return hostname ? xasprintf("%s/%s/%s", hostname, label, file) :
		xasprintf("%s/%s", label, file);
}

#endif /* backend.h */
