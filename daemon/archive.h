/* SPDX-License-Identifier: MIT
 *
 * archive.h -- reads trace directories to their end into a store (--read). */
#ifndef DAEMON_ARCHIVE_H
#define DAEMON_ARCHIVE_H

#include <stddef.h>
#include <stdio.h>

#include "ctf/reader.h"
#include "daemon/config.h"
#include "lib/error.h"

/* Reads what is under 'paths' and writes all that follows into config->store.
 * Shows progress on standard error when that is a terminal.  Problems that did
 * not stop the reading are logged. */
int archive_read(const struct config *config, const char *const *paths, size_t n_paths,
		 enum ctf_backend backend, struct error *error);

/* Prints every event under 'paths' as a line of JSON (--dump) to 'file'. */
int archive_dump(const char *const *paths, size_t n_paths, enum ctf_backend backend, FILE *file,
		 struct error *error);

#endif /* archive.h */
