/* SPDX-License-Identifier: MIT
 *
 * buf.h -- a growable array of bytes, for text and binary alike. */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/util.h"

struct buf {
	char *data;      /* Always NUL-terminated once anything was added. */
	size_t size;     /* Bytes in use, without that NUL. */
	size_t capacity;
};

/* Frees the contents; the struct can be used again.  For _cleanup_ too. */
void buf_done(struct buf *buf);
/* Empties, keeping the memory. */
void buf_clear(struct buf *buf);
/* Makes room for 'extra' more bytes and returns where they go. */
char *buf_reserve(struct buf *buf, size_t extra);
void buf_add(struct buf *buf, const void *bytes, size_t size);
void buf_add_string(struct buf *buf, const char *string);
void buf_add_char(struct buf *buf, char c);
void buf_printf(struct buf *buf, const char *format, ...) _printf_(2, 3);
/* Removes the first 'size' bytes. */
void buf_consume(struct buf *buf, size_t size);
/* Adds 'bytes' as a JSON string with quotes; bytes that are no UTF-8 become
 * U+FFFD each, as a JSON text must be valid UTF-8 (RFC 8259, section 8.1). */
void buf_add_json_string(struct buf *buf, const char *bytes, size_t size);

#endif /* buf.h */
