/* SPDX-License-Identifier: MIT */
#include "daemon/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

struct tls_context {
	SSL_CTX *ssl;
};

struct tls_stream {
	SSL *ssl;
	bool wants_write;
	bool broken;        /* After an error nothing may be said any more. */
};

/* The oldest error in OpenSSL's queue, which is emptied; 'fallback' if none. */
static const char *
reason(const char *fallback)
{
	unsigned long code = ERR_get_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return text ? text : fallback;
}

/* Each authority of a client's chain has to have a list in it that is not out of
 * date: without one nobody knows who was revoked. */
static int
load_crl(SSL_CTX *ssl, const char *path, struct error *error)
{
	X509_STORE *store = SSL_CTX_get_cert_store(ssl);
	X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());

	if (!lookup || X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) < 1)
		return error_set(error, EINVAL, "tls-crl: %s: %s", path, reason("it holds no list"));
	X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return 0;
}

static int
load(SSL_CTX *ssl, const struct tls_options *options, struct error *error)
{
	STACK_OF(X509_NAME) *names;

	if (SSL_CTX_use_certificate_chain_file(ssl, options->certificate) != 1)
		return error_set(error, EINVAL, "tls-certificate: %s: %s", options->certificate,
				 reason("it can't be read"));
	if (SSL_CTX_use_PrivateKey_file(ssl, options->key, SSL_FILETYPE_PEM) != 1)
		return error_set(error, EINVAL, "tls-key: %s: %s", options->key,
				 reason("it can't be read"));
	if (SSL_CTX_check_private_key(ssl) != 1)
		return error_set(error, EINVAL, "tls-key: %s does not belong to %s: %s",
				 options->key, options->certificate, reason("they differ"));
	if (!options->authority)
		return 0;
	names = SSL_load_client_CA_file(options->authority);
	if (!names || SSL_CTX_load_verify_locations(ssl, options->authority, NULL) != 1) {
		sk_X509_NAME_pop_free(names, X509_NAME_free);
		return error_set(error, EINVAL, "tls-authority: %s: %s", options->authority,
				 reason("it can't be read"));
	}
	SSL_CTX_set_client_CA_list(ssl, names);
	SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | (options->certificate_optional ? 0 :
						   SSL_VERIFY_FAIL_IF_NO_PEER_CERT), NULL);
	return options->crl ? load_crl(ssl, options->crl, error) : 0;
}

int
tls_context_new(const struct tls_options *options, struct tls_context **ret, struct error *error)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	int r;

	if (!ssl)
		return error_set(error, ENOMEM, "TLS: %s", reason("out of memory"));
	SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION);
	/* Sessions would let a client go on after its certificate expired. */
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(ssl, 0);
	SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
			    SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
			 SSL_MODE_RELEASE_BUFFERS);
	r = load(ssl, options, error);
	if (r) {
		SSL_CTX_free(ssl);
		return r;
	}
	*ret = xcalloc(1, sizeof **ret);
	(*ret)->ssl = ssl;
	return 0;
}

void
tls_context_free(struct tls_context *context)
{
	if (!context)
		return;
	SSL_CTX_free(context->ssl);
	free(context);
}

struct tls_stream *
tls_stream_new(struct tls_context *context, int fd)
{
	struct tls_stream *stream = xcalloc(1, sizeof *stream);

	stream->ssl = SSL_new(context->ssl);
	if (!stream->ssl || SSL_set_fd(stream->ssl, fd) != 1) {
		ERR_clear_error();
		SSL_free(stream->ssl);
		free(stream);
		return NULL;
	}
	SSL_set_accept_state(stream->ssl);
	return stream;
}

void
tls_stream_free(struct tls_stream *stream)
{
	if (!stream)
		return;
	if (!stream->broken && SSL_is_init_finished(stream->ssl))
		SSL_shutdown(stream->ssl);
	ERR_clear_error();
	SSL_free(stream->ssl);
	free(stream);
}

/* What a failed call means: 0 to wait, else a negative errno. */
static int
failed(struct tls_stream *stream, int r)
{
	int what = SSL_get_error(stream->ssl, r);

	stream->wants_write = what == SSL_ERROR_WANT_WRITE;
	if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE)
		return 0;
	if (what != SSL_ERROR_ZERO_RETURN)
		stream->broken = true;
	return -ECONNRESET;
}

int
tls_handshake(struct tls_stream *stream, struct error *error)
{
	long verified;
	int r;

	ERR_clear_error();
	r = SSL_do_handshake(stream->ssl);
	if (r == 1)
		return 1;
	r = failed(stream, r);
	if (!r)
		return 0;
	verified = SSL_get_verify_result(stream->ssl);
	if (verified != X509_V_OK) {
		ERR_clear_error();
		return error_set(error, EACCES, "its certificate is refused: %s",
				 X509_verify_cert_error_string(verified));
	}
	return error_set(error, ECONNRESET, "%s", reason("it went away in the handshake"));
}

ssize_t
tls_read(struct tls_stream *stream, void *bytes, size_t size)
{
	size_t n = 0;
	int r;

	ERR_clear_error();
	r = SSL_read_ex(stream->ssl, bytes, size, &n);
	stream->wants_write = false;
	if (r == 1)
		return (ssize_t) n;
	r = failed(stream, r);
	ERR_clear_error();
	if (r && !stream->broken)
		return 0;
	errno = r ? ECONNRESET : EAGAIN;
	return -1;
}

ssize_t
tls_write(struct tls_stream *stream, const void *bytes, size_t size)
{
	size_t n = 0;
	int r;

	ERR_clear_error();
	r = SSL_write_ex(stream->ssl, bytes, size, &n);
	stream->wants_write = false;
	if (r == 1)
		return (ssize_t) n;
	r = failed(stream, r);
	ERR_clear_error();
	errno = r ? ECONNRESET : EAGAIN;
	return -1;
}

bool
tls_stream_wants_write(const struct tls_stream *stream)
{
	return stream->wants_write;
}

int
tls_stream_check(const struct tls_stream *stream, const struct tls_context *context,
		 struct error *error)
{
	X509 *certificate = SSL_get0_peer_certificate(stream->ssl);
	X509_STORE_CTX *check = certificate ? X509_STORE_CTX_new() : NULL;
	int r = 0;

	if (!certificate)
		return 0;
	/* As the handshake does it. */
	if (!check || !X509_STORE_CTX_init(check, SSL_CTX_get_cert_store(context->ssl), certificate,
					   SSL_get_peer_cert_chain(stream->ssl)) ||
	    !X509_STORE_CTX_set_default(check, "ssl_client"))
		r = error_set(error, ENOMEM, "its certificate can't be checked: %s",
			      reason("out of memory"));
	else if (X509_verify_cert(check) != 1)
		r = error_set(error, EACCES, "its certificate is refused: %s",
			      X509_verify_cert_error_string(X509_STORE_CTX_get_error(check)));
	ERR_clear_error();
	X509_STORE_CTX_free(check);
	return r;
}

/* -- Names ---------------------------------------------------------------- */

typedef bool name_fn(void *context, const char *name);

/* A name that holds a NUL or is empty is none. */
static bool
give(const ASN1_STRING *string, name_fn *fn, void *context)
{
	unsigned char *text = NULL;
	int n = ASN1_STRING_to_UTF8(&text, string);
	bool stop = n > 0 && strlen((char *) text) == (size_t) n && fn(context, (char *) text);

	if (n >= 0)
		OPENSSL_free(text);
	return stop;
}

/* Gives each name, the common name first, until 'fn' says true. */
static bool
each_name(const struct tls_stream *stream, name_fn *fn, void *context)
{
	static const int kinds[] = { GEN_DNS, GEN_EMAIL, GEN_URI };
	X509 *certificate = SSL_get0_peer_certificate(stream->ssl);
	GENERAL_NAMES *others;
	X509_NAME *subject;
	bool stop = false;
	int at;

	if (!certificate)
		return false;
	subject = X509_get_subject_name(certificate);
	at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	if (at >= 0)
		stop = give(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), fn, context);
	others = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; !stop && i < sk_GENERAL_NAME_num(others); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(others, i);

		for (unsigned k = 0; k < ARRAY_SIZE(kinds) && !stop; k++)
			if (name->type == kinds[k])
				stop = give(name->d.ia5, fn, context);
	}
	GENERAL_NAMES_free(others);
	return stop;
}

static bool
take_first(void *context, const char *name)
{
	/* It goes into the log: nothing in it may steer a terminal. */
	for (char *to = context; ; to++, name++) {
		if (!*name || to - (char *) context == TLS_NAME_SIZE - 1) {
			*to = '\0';
			return true;
		}
		*to = *name;
		if ((unsigned char) *name < ' ' || *name == 0x7f)
			*to = '?';
	}
}

void
tls_stream_name(const struct tls_stream *stream, char ret[TLS_NAME_SIZE])
{
	*ret = '\0';
	each_name(stream, take_first, ret);
}

static bool
is_one_of(void *context, const char *name)
{
	size_t size = strlen(name), n;

	for (const char *names = context; *names; names += n) {
		names += strspn(names, " \t");
		n = strcspn(names, " \t");
		if ((n == size && !strncmp(names, name, n)) || (n == 1 && *names == '*'))
			return true;
	}
	return false;
}

bool
tls_stream_is_one_of(const struct tls_stream *stream, const char *names)
{
	return each_name(stream, is_one_of, (void *) names);
}
