/* SPDX-License-Identifier: MIT
 *
 * line.h -- framing: bytes in, lines out, both ends of the protocol alike. */
#ifndef PROTO_LINE_H
#define PROTO_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"

struct line_reader {
	struct buf bytes;
	size_t start;    /* Where the next line begins in 'bytes'. */
	size_t scanned;  /* Bytes behind 'start' known to hold no newline. */
	size_t max;      /* Longest line, without its newline. */
};

/* Frees the bytes; 'max' stays. */
void line_reader_done(struct line_reader *reader);
void line_reader_add(struct line_reader *reader, const void *bytes, size_t size);
/* Bytes that wait, whole lines and the begun one. */
size_t line_reader_left(const struct line_reader *reader);
/* Whether line_reader_next() would not ask for more bytes. */
bool line_reader_ready(struct line_reader *reader);
/* Gives the next line, NUL in place of its newline, valid until the next
 * line_reader_add().  Returns 1, 0 when more bytes are needed, or -EMSGSIZE
 * when the line is longer than 'max': the stream is of no more use then. */
int line_reader_next(struct line_reader *reader, char **ret_line, size_t *ret_size);

#endif /* line.h */
