/* SPDX-License-Identifier: MIT */
#include "proto/line.h"

#include <errno.h>
#include <string.h>

void
line_reader_done(struct line_reader *reader)
{
	buf_done(&reader->bytes);
	reader->start = reader->scanned = 0;
}

void
line_reader_add(struct line_reader *reader, const void *bytes, size_t size)
{
	/* One move for all lines that were taken since the last call. */
	buf_consume(&reader->bytes, reader->start);
	reader->start = 0;
	buf_add(&reader->bytes, bytes, size);
}

size_t
line_reader_left(const struct line_reader *reader)
{
	return reader->bytes.size - reader->start;
}

int
line_reader_next(struct line_reader *reader, char **ret_line, size_t *ret_size)
{
	size_t left = line_reader_left(reader), size;
	char *line, *end;

	if (left == reader->scanned)
		return left > reader->max ? -EMSGSIZE : 0;
	line = reader->bytes.data + reader->start;
	end = memchr(line + reader->scanned, '\n', left - reader->scanned);
	if (!end) {
		reader->scanned = left;
		return left > reader->max ? -EMSGSIZE : 0;
	}
	size = (size_t) (end - line);
	if (size > reader->max)
		return -EMSGSIZE;
	*end = '\0';
	reader->start += size + 1;
	reader->scanned = 0;
	*ret_line = line;
	*ret_size = size;
	return 1;
}
