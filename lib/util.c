/* SPDX-License-Identifier: MIT */
#include "lib/util.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *
checked(void *pointer)
{
	if (!pointer) {
		fputs("out of memory\n", stderr);
		abort();
	}
	return pointer;
}

void *
xmalloc(size_t size)
{
	return checked(malloc(size ? size : 1));
}

void *
xcalloc(size_t count, size_t size)
{
	return checked(calloc(count ? count : 1, size ? size : 1));
}

void *
xrealloc(void *old, size_t size)
{
	return checked(realloc(old, size ? size : 1));
}

char *
xstrdup(const char *string)
{
	return checked(strdup(string));
}

char *
xstrndup(const char *string, size_t length)
{
	return checked(strndup(string, length));
}

char *
xasprintf(const char *format, ...)
{
	va_list args;
	char *text;
	int n;

	va_start(args, format);
	n = vasprintf(&text, format, args);
	va_end(args);
	return checked(n < 0 ? NULL : text);
}

void
freep(void *pointer_to_pointer)
{
	free(*(void **) pointer_to_pointer);
}

void
closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

bool
starts_with(const char *string, const char *prefix)
{
	return !strncmp(string, prefix, strlen(prefix));
}

int
parse_u64(const char *string, uint64_t *ret)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char) *string))
		return -EINVAL;
	errno = 0;
	value = strtoull(string, &end, 0);
	if (*end)
		return -EINVAL;
	if (errno == ERANGE)
		return -ERANGE;
	*ret = value;
	return 0;
}

struct unit {
	const char *name;
	double factor;
};

static int
parse_with_unit(const char *string, const struct unit *units, double bare, uint64_t *ret)
{
	double value, factor = bare;
	char *end;

	if (!isdigit((unsigned char) *string) && *string != '.')
		return -EINVAL;
	value = strtod(string, &end);
	if (*end) {
		for (; units->name && strcmp(units->name, end); units++)
			;
		if (!units->name)
			return -EINVAL;
		factor = units->factor;
	}
	value *= factor;
	if (!isfinite(value) || value < 0 || value >= 9.2e18)
		return -ERANGE;
	*ret = (uint64_t) llround(value);
	return 0;
}

int
parse_duration(const char *string, uint64_t *ret_ns)
{
	static const struct unit units[] = {
		{ "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 }, { "m", 60e9 },
		{ "min", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 }, { NULL, 0 }
	};

	return parse_with_unit(string, units, 1e9, ret_ns);
}

int
parse_size(const char *string, uint64_t *ret_bytes)
{
	static const struct unit units[] = {
		{ "B", 1 }, { "K", 0x1p10 }, { "KiB", 0x1p10 }, { "M", 0x1p20 }, { "MiB", 0x1p20 },
		{ "G", 0x1p30 }, { "GiB", 0x1p30 }, { "T", 0x1p40 }, { "TiB", 0x1p40 }, { NULL, 0 }
	};

	return parse_with_unit(string, units, 1, ret_bytes);
}
