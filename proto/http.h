/* SPDX-License-Identifier: MIT
 *
 * http.h -- as much of HTTP/1.1 (RFC 9112) as the daemon's own paths need:
 * bytes in, requests out, without I/O.
 *
 * What two readers could understand differently is refused: a body that is not
 * told by one Content-Length, headers over several lines, bare CR or LF, NUL. */
#ifndef PROTO_HTTP_H
#define PROTO_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/buf.h"

enum { HTTP_MAX_HEAD = 16384, HTTP_MAX_HEADERS = 64 };

/* All strings are within the reader, until its next call. */
struct http_request {
	const char *method, *path;
	const char *query;            /* Behind the '?', or "". */
	/* Headers, or NULL. */
	const char *host, *origin, *authorization, *last_event_id, *content_type;
	bool keep_alive;              /* The client may ask again. */
	const char *body;             /* Followed by a NUL. */
	size_t body_size;
};

struct http_reader {
	struct buf bytes;
	size_t scanned;    /* Bytes of the head known to hold no end. */
	size_t used;       /* Bytes of the body that was given. */
	struct buf head;   /* Of the request, taken apart; its strings point here. */
	bool has_head;     /* Its body is still to come. */
	size_t max_body;
	struct http_request request;
	char after;        /* What the NUL behind the body hides. */
};

/* Frees the bytes; 'max_body' stays. */
void http_reader_done(struct http_reader *reader);
void http_reader_add(struct http_reader *reader, const void *bytes, size_t size);
/* Bytes that wait behind the request that was given. */
size_t http_reader_left(const struct http_reader *reader);
/* Gives the next request.  Returns 1, 0 when more bytes are needed, or the
 * negative HTTP status to end with: the connection is of no more use then. */
int http_reader_next(struct http_reader *reader, const struct http_request **ret);

/* Decodes one parameter of a query into 'ret' ("%41" and '+').  Returns 1, 0 when
 * it is not there, or -EINVAL when it is wrong or does not fit. */
int http_query(const char *query, const char *name, char *ret, size_t size);
/* The reason phrase of a status. */
const char *http_reason(unsigned status);

#endif /* http.h */
