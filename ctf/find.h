/* SPDX-License-Identifier: MIT
 *
 * find.h -- the CTF traces below some folders, in a fixed order.
 *
 * Also the list of problems that reading goes on in spite of. */
#ifndef CTF_FIND_H
#define CTF_FIND_H

#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/util.h"

/* Things to tell that did not stop the reading; only the first 1000 are kept. */
struct ctf_problems {
	char **texts;
	size_t n;
};
void ctf_problems_add(struct ctf_problems *problems, const char *format, ...) _printf_(2, 3);
void ctf_problems_done(struct ctf_problems *problems);

struct ctf_found_trace {
	char *path;    /* Of the folder, as reached from what was asked for. */
	char *label;   /* Names it in stream keys: that path below what was asked for,
			* or its last part; made unique with "#2"... */
};

struct ctf_found {
	struct ctf_found_trace *traces;
	size_t n;
};

/* Finds the folders with a file 'metadata' at and below 'paths': hidden folders
 * and "index" are left out, each folder is visited once (so that loops of
 * symbolic links end), 64 levels deep.  Returns 0, or the error of the first
 * path when no trace was found at all; other errors become problems. */
int ctf_find_traces(const char *const *paths, size_t n_paths, struct ctf_found *ret,
		    struct ctf_problems *problems, struct error *error);
void ctf_found_done(struct ctf_found *found);

/* Names of the stream files in a trace folder, sorted: not empty, regular, not
 * hidden, neither 'metadata' nor an index.  Returns how many, or a negative errno. */
struct ctf_found_file {
	char *name;
	uint64_t size;
};
int ctf_find_stream_files(const char *path, struct ctf_found_file **ret, size_t *ret_n,
			  struct error *error);
void ctf_found_files_free(struct ctf_found_file *files, size_t n);

#endif /* find.h */
