/* SPDX-License-Identifier: MIT
 *
 * files.c -- bounded reading (files.h). */
#include "instrumentation/node/files.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static const char *root = "";

void
files_set_root(const char *folder)
{
	root = folder;
}

bool
files_are_real(void)
{
	return !*root;
}

static int _printf_(2, 0)
make_path(char path[FILES_PATH_SIZE], const char *format, va_list arguments)
{
	size_t prefix = strlen(root);
	int n;

	if (prefix >= FILES_PATH_SIZE)
		return -ENAMETOOLONG;
	memcpy(path, root, prefix);
	n = vsnprintf(path + prefix, FILES_PATH_SIZE - prefix, format, arguments);
	return n < 0 || (size_t) n >= FILES_PATH_SIZE - prefix ? -ENAMETOOLONG : 0;
}

#define MAKE_PATH(PATH, FORMAT) ({ \
	va_list arguments_; \
	int r_; \
	va_start(arguments_, FORMAT); \
	r_ = make_path(PATH, FORMAT, arguments_); \
	va_end(arguments_); \
	r_; })

static ssize_t
read_path(char *buffer, size_t size, const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	size_t n = 0;
	ssize_t r = 0;

	if (fd < 0)
		return -errno;
	while (n < size - 1 && (r = read(fd, buffer + n, size - 1 - n)) > 0)
		n += (size_t) r;
	if (r < 0 && !n)
		return -errno;
	buffer[n] = '\0';
	return (ssize_t) n;
}

ssize_t
files_read(char *buffer, size_t size, const char *format, ...)
{
	char path[FILES_PATH_SIZE];
	int r = MAKE_PATH(path, format);

	return r ? r : read_path(buffer, size, path);
}

void
files_line(char *buffer, size_t size, const char *format, ...)
{
	char path[FILES_PATH_SIZE];
	size_t n;

	memset(buffer, 0, size);
	if (MAKE_PATH(path, format) || read_path(buffer, size, path) < 0)
		return;
	/* Never more than one text: nothing behind a NUL. */
	n = strlen(buffer);
	while (n > 0 && isspace((unsigned char) buffer[n - 1]))
		n--;
	memset(buffer + n, 0, size - n);
}

ssize_t
files_link(char *buffer, size_t size, const char *format, ...)
{
	char path[FILES_PATH_SIZE];
	ssize_t n = MAKE_PATH(path, format);

	if (n)
		return n;
	n = readlink(path, buffer, size);
	if (n < 0)
		return -errno;
	if ((size_t) n >= size)
		return -ENAMETOOLONG;
	buffer[n] = '\0';
	return n;
}

DIR *
files_dir(const char *format, ...)
{
	char path[FILES_PATH_SIZE];
	int r = MAKE_PATH(path, format);

	if (!r)
		return opendir(path);
	errno = -r;
	return NULL;
}

int
files_stat(struct stat *ret, const char *format, ...)
{
	char path[FILES_PATH_SIZE];
	struct statx stx;
	int r = MAKE_PATH(path, format);

	if (r)
		return r;
	/* What the kernel knows is good enough: never wait for a dead NFS server. */
	if (statx(AT_FDCWD, path, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
		  STATX_TYPE | STATX_INO | STATX_SIZE | STATX_NLINK | STATX_MTIME | STATX_UID, &stx))
		return -errno;
	*ret = (struct stat) {
		.st_dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
		.st_rdev = makedev(stx.stx_rdev_major, stx.stx_rdev_minor),
		.st_uid = stx.stx_uid,
		.st_ino = stx.stx_ino, .st_mode = stx.stx_mode, .st_nlink = stx.stx_nlink,
		.st_size = (off_t) stx.stx_size,
		.st_mtim = { stx.stx_mtime.tv_sec, stx.stx_mtime.tv_nsec },
	};
	return 0;
}

bool
text_number(const char *text, int *ret)
{
	int value = 0;

	if (!isdigit((unsigned char) *text))
		return false;
	for (; isdigit((unsigned char) *text); text++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *text - '0', &value))
			return false;
	*ret = value;
	return true;
}

void
text_set(char *place, size_t size, const char *text)
{
	size_t n = strnlen(text ? text : "", size - 1);

	if (n)
		memcpy(place, text, n);
	memset(place + n, 0, size - n);
}

bool
text_is_uuid(const char *text)
{
	for (int i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char) text[i]))
			return false;
	}
	return !isxdigit((unsigned char) text[36]);
}

/* Copies up to 36 characters, "--" as one dash if 'doubled'. */
static void
copy_dashes(const char *text, bool doubled, char ret[40])
{
	size_t n = 0;

	for (; *text && n < 37; text++) {
		ret[n++] = *text;
		if (doubled && text[0] == '-' && text[1] == '-')
			text++;
	}
	ret[n] = '\0';
}

bool
text_volume_id(const char *text, char ret[40])
{
	static const char prefix[] = "volume-";

	for (const char *p = text; (p = strstr(p, prefix)); p++) {
		char id[40] = "";
		bool doubled = p[strlen(prefix)] == '-';

		copy_dashes(p + strlen(prefix) + doubled, doubled, id);
		if (!text_is_uuid(id))
			continue;
		id[36] = '\0';
		text_set(ret, 40, id);
		return true;
	}
	return false;
}
