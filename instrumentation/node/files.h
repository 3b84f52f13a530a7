/* SPDX-License-Identifier: MIT
 *
 * files.h -- bounded reading below /proc, /sys, /dev and /run.
 *
 * All of these files are as hostile as the processes that they are about.
 * Paths are absolute; files_set_root() puts a folder before them (tests). */
#ifndef INSTRUMENTATION_NODE_FILES_H
#define INSTRUMENTATION_NODE_FILES_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "lib/util.h"

enum { FILES_PATH_SIZE = 1024 };

void files_set_root(const char *root);
/* Whether the files are this machine's own, so that system calls agree. */
bool files_are_real(void);

/* Reads at most size - 1 bytes, NUL-terminated.  Returns their number, or a
 * negative errno. */
ssize_t files_read(char *buffer, size_t size, const char *format, ...) _printf_(3, 4);
/* The same without blanks and newlines at the end; "" if it can't be read. */
void files_line(char *buffer, size_t size, const char *format, ...) _printf_(3, 4);
/* What a symbolic link says, NUL-terminated; -ENAMETOOLONG when it does not fit. */
ssize_t files_link(char *buffer, size_t size, const char *format, ...) _printf_(3, 4);
/* NULL and errno when it can't be opened. */
DIR *files_dir(const char *format, ...) _printf_(1, 2);
/* Type, owner, device, inode, links, size and mtime, as far as the kernel knows them
 * without asking a file server. */
int files_stat(struct stat *ret, const char *format, ...) _printf_(2, 3);

/* Reads a decimal number at the start of 'text'; false when there is none
 * below 2^31. */
bool text_number(const char *text, int *ret);
/* Copies a text that may be too long for its place; zeroes the rest. */
void text_set(char *place, size_t size, const char *text);
#define TEXT_SET(PLACE, TEXT) text_set(PLACE, sizeof (PLACE), TEXT)
/* Whether the 36 characters at 'text' are a UUID. */
bool text_is_uuid(const char *text);
/* Writes the UUID behind "volume-" in 'text' (Cinder's default name template)
 * to ret.  "volume--" as device-mapper writes it counts too. */
bool text_volume_id(const char *text, char ret[40]);

#endif /* files.h */
