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

/* The newline that ends the next line, or NULL; looks at each byte once. */
static char *
find_end(struct line_reader *reader)
{
	size_t left = line_reader_left(reader);
	char *line, *end;

	if (left == reader->scanned)
		return NULL;
	line = reader->bytes.data + reader->start;
	end = memchr(line + reader->scanned, '\n', left - reader->scanned);
	reader->scanned = end ? (size_t) (end - line) : left;
	return end;
}

bool
line_reader_ready(struct line_reader *reader)
{
	return find_end(reader) || line_reader_left(reader) > reader->max;
}

int
line_reader_next(struct line_reader *reader, char **ret_line, size_t *ret_size)
{
	char *end = find_end(reader);

	if (reader->scanned > reader->max)
		return -EMSGSIZE;
	if (!end)
		return 0;
	*end = '\0';
	*ret_line = reader->bytes.data + reader->start;
	*ret_size = reader->scanned;
	reader->start += reader->scanned + 1;
	reader->scanned = 0;
	return 1;
}
