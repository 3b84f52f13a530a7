/* SPDX-License-Identifier: MIT
 *
 * tls.h -- TLS of the daemon's TCP ports: one context per configuration, one
 * stream per connection, over non-blocking descriptors that stay the caller's.
 *
 * TLS 1.2 or newer.  Who a client is follows from its certificate: the common
 * name and the DNS, e-mail and URI names of subjectAltName. */
#ifndef DAEMON_TLS_H
#define DAEMON_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/error.h"

struct tls_context;
struct tls_stream;

enum { TLS_NAME_SIZE = 128 };

struct tls_options {
	const char *certificate, *key;  /* PEM files; the chain is in the first. */
	const char *authority;          /* PEM file: who signs clients' certificates. */
	const char *crl;                /* PEM file of revoked certificates; NULL: none is looked at. */
	bool certificate_optional;      /* A client may come without one (HTTP, with a token). */
};

/* Reads the files.  The error names the one that is to blame. */
int tls_context_new(const struct tls_options *options, struct tls_context **ret,
		    struct error *error);
/* Accepts NULL.  Streams that were made of it go on. */
void tls_context_free(struct tls_context *context);

/* The server's end over 'fd'. */
struct tls_stream *tls_stream_new(struct tls_context *context, int fd);
/* Says goodbye as far as that does not block.  Accepts NULL. */
void tls_stream_free(struct tls_stream *stream);
/* Returns 1 when the handshake is done, 0 to be called again once the descriptor
 * is ready (tls_stream_wants_write()), or negative errno with 'error'. */
int tls_handshake(struct tls_stream *stream, struct error *error);
/* As read(2) and write(2); -1 with errno EAGAIN, or ECONNRESET for all failures. */
ssize_t tls_read(struct tls_stream *stream, void *bytes, size_t size);
ssize_t tls_write(struct tls_stream *stream, const void *bytes, size_t size);
/* Whether the last call waits for room to write, not for bytes to read. */
bool tls_stream_wants_write(const struct tls_stream *stream);
/* Name for people and for counting ("" without a certificate): the common name,
 * else the first other name. */
void tls_stream_name(const struct tls_stream *stream, char ret[TLS_NAME_SIZE]);
/* Whether 'context' would take the client's certificate now: it may be revoked or
 * out of date by now, or of another authority.  0 also without a certificate. */
int tls_stream_check(const struct tls_stream *stream, const struct tls_context *context,
		     struct error *error);
/* Whether the client has a certificate of which one name is in 'names', words
 * with blanks between; "*" is any name. */
bool tls_stream_is_one_of(const struct tls_stream *stream, const char *names);

#endif /* tls.h */
