/* SPDX-License-Identifier: MIT */
#include "lib/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
error_fill(struct error *error, int code, const char *format, ...)
{
	va_list args;

	if (code <= 0)
		code = EIO;
	if (error && !error->code) {
		error->code = code;
		va_start(args, format);
		vsnprintf(error->text, sizeof error->text, format, args);
		va_end(args);
	}
	return -code;
}

int
error_prefix(struct error *error, const char *format, ...)
{
	char rest[sizeof error->text];
	va_list args;
	size_t room;
	int n;

	if (!error || !error->code)
		return 0;
	memcpy(rest, error->text, sizeof rest);
	va_start(args, format);
	n = vsnprintf(error->text, sizeof error->text, format, args);
	va_end(args);
	if (n < 0 || (size_t) n >= sizeof error->text)
		return -error->code;
	/* What does not fit is cut. */
	room = sizeof error->text - (size_t) n;
	if (room > 3)
		snprintf(error->text + n, room, ": %.*s", (int) room - 3, rest);
	return -error->code;
}
