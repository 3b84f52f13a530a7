/* SPDX-License-Identifier: MIT */
#include "lib/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
buf_done(struct buf *buf)
{
	free(buf->data);
	*buf = (struct buf) { 0 };
}

void
buf_clear(struct buf *buf)
{
	buf->size = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

char *
buf_reserve(struct buf *buf, size_t extra)
{
	if (buf->capacity - buf->size <= extra) {
		buf->capacity = MAX(buf->capacity * 2, buf->size + extra + 64);
		buf->data = xrealloc(buf->data, buf->capacity);
	}
	return buf->data + buf->size;
}

void
buf_add(struct buf *buf, const void *bytes, size_t size)
{
	char *to = buf_reserve(buf, size);

	if (size)
		memcpy(to, bytes, size);
	to[size] = '\0';
	buf->size += size;
}

void
buf_add_string(struct buf *buf, const char *string)
{
	buf_add(buf, string, strlen(string));
}

void
buf_add_char(struct buf *buf, char c)
{
	buf_add(buf, &c, 1);
}

void
buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (n < 0)
		return;
	buf_reserve(buf, (size_t) n + 1);
	va_start(args, format);
	vsnprintf(buf->data + buf->size, (size_t) n + 1, format, args);
	va_end(args);
	buf->size += (size_t) n;
}

void
buf_consume(struct buf *buf, size_t size)
{
	if (!size)
		return;
	buf->size -= size;
	memmove(buf->data, buf->data + size, buf->size);
	buf->data[buf->size] = '\0';
}

/* Length of the valid UTF-8 sequence at 's' (Unicode 15, table 3-7), or 0. */
static size_t
utf8_length(const unsigned char *s, size_t left)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t length;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	length = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (length > left)
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	return length;
}

void
buf_add_json_string(struct buf *buf, const char *bytes, size_t size)
{
	const unsigned char *s = (const unsigned char *) bytes;

	buf_add_char(buf, '"');
	for (size_t i = 0, n; i < size; i += n) {
		n = utf8_length(s + i, size - i);
		if (!n) {
			n = 1;
			buf_add(buf, "\xef\xbf\xbd", 3);
		} else if (s[i] == '"' || s[i] == '\\') {
			buf_printf(buf, "\\%c", s[i]);
		} else if (s[i] == '\n') {
			buf_add(buf, "\\n", 2);
		} else if (s[i] < ' ') {
			buf_printf(buf, "\\u%04x", s[i]);
		} else {
			buf_add(buf, bytes + i, n);
		}
	}
	buf_add_char(buf, '"');
}
