/* SPDX-License-Identifier: MIT */
#include "client/connect_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "client/connect.h"
#include "lib/util.h"

struct connect_tls {
	SSL_CTX *context;
	SSL *ssl;
	char *name;       /* For messages. */
};

static const char *
reason(const char *fallback)
{
	unsigned long code = ERR_get_error();
	const char *text = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return text ? text : fallback;
}

/* What the daemon's alerts mean to who started the client. */
static const struct {
	const char *reason, *text;
} meanings[] = {
	{ "alert certificate required", "it wants a certificate of yours (--cert, --key)" },
	{ "alert handshake failure", "it wants a certificate of yours (--cert, --key)" },
	{ "alert certificate expired", "your certificate has expired" },
	{ "alert certificate revoked", "your certificate was revoked" },
	{ "alert unknown ca", "its authority did not sign your certificate" },
	{ "alert bad certificate", "it refuses your certificate" },
	{ "wrong version number", "it does not speak TLS" },
};

static int
failed(struct connect_tls *tls, struct cloudtrace_error *error)
{
	long verified = SSL_get_verify_result(tls->ssl);
	const char *why = reason("the connection ended");

	if (verified != X509_V_OK)
		return connect_failed(error, EPROTO, "%s: its certificate is refused: %s (--ca)",
				      tls->name, X509_verify_cert_error_string(verified));
	for (unsigned i = 0; i < ARRAY_SIZE(meanings); i++)
		if (strstr(why, meanings[i].reason))
			return connect_failed(error, EPROTO, "%s: %s (TLS: %s)", tls->name,
					      meanings[i].text, why);
	return connect_failed(error, EPROTO, "%s: TLS: %s", tls->name, why);
}

/* What a failed call waits for: events of poll(2), or a negative errno. */
static int
wanted(struct connect_tls *tls, int r, struct cloudtrace_error *error)
{
	switch (SSL_get_error(tls->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return POLLIN;
	case SSL_ERROR_WANT_WRITE:
		return POLLOUT;
	default:
		return failed(tls, error);
	}
}

void
connect_tls_end(struct connect_tls *tls)
{
	if (!tls)
		return;
	if (tls->ssl && SSL_is_init_finished(tls->ssl))
		SSL_shutdown(tls->ssl);
	ERR_clear_error();
	SSL_free(tls->ssl);
	SSL_CTX_free(tls->context);
	free(tls->name);
	free(tls);
}

static int
load(SSL_CTX *context, const struct cloudtrace_tls *options, struct cloudtrace_error *error)
{
	const char *key = options->key ? options->key : options->certificate;

	if (options->authority ? SSL_CTX_load_verify_locations(context, options->authority, NULL) != 1 :
				 SSL_CTX_set_default_verify_paths(context) != 1)
		return connect_failed(error, EINVAL, "%s: %s",
				      options->authority ? options->authority : "authorities",
				      reason("it can't be read"));
	if (!options->certificate)
		return 0;
	if (SSL_CTX_use_certificate_chain_file(context, options->certificate) != 1)
		return connect_failed(error, EINVAL, "%s: %s", options->certificate,
				      reason("it can't be read"));
	if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
		return connect_failed(error, EINVAL, "%s: %s", key, reason("it can't be read"));
	return 0;
}

/* The certificate has to be one of 'host'. */
static bool
expect_host(SSL *ssl, const char *host)
{
	unsigned char address[sizeof (struct in6_addr)];

	if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
	return SSL_set_tlsext_host_name(ssl, host) == 1 && SSL_set1_host(ssl, host) == 1;
}

static int
shake_hands(struct connect_tls *tls, int fd, uint64_t deadline_ns, struct cloudtrace_error *error)
{
	int r;

	for (;;) {
		ERR_clear_error();
		r = SSL_connect(tls->ssl);
		if (r == 1)
			return 0;
		r = wanted(tls, r, error);
		if (r < 0)
			return r;
		r = connect_wait(fd, (short) r, deadline_ns);
		if (r == 0)
			return connect_failed(error, ETIMEDOUT, "%s does not shake hands", tls->name);
		if (r < 0 && r != -EINTR)
			return connect_failed(error, -r, "poll: %s", strerror(-r));
	}
}

int
connect_tls_start(int fd, const char *address, const struct cloudtrace_tls *options,
		  uint64_t deadline_ns, struct connect_tls **ret, struct cloudtrace_error *error)
{
	const char *colon = strrchr(address, ':');
	size_t size = colon ? (size_t) (colon - address) : strlen(address);
	bool bracketed = *address == '[' && size >= 2;
	_cleanup_(freep) char *host = bracketed ? xstrndup(address + 1, size - 2) :
				      xstrndup(address, size);
	struct connect_tls *tls = xcalloc(1, sizeof *tls);
	int r;

	tls->name = xstrdup(address);
	tls->context = SSL_CTX_new(TLS_client_method());
	if (tls->context) {
		SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION);
		SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
		SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE |
				 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	}
	r = tls->context ? load(tls->context, options, error) :
	    connect_failed(error, ENOMEM, "TLS: %s", reason("out of memory"));
	if (!r)
		tls->ssl = SSL_new(tls->context);
	if (!r && (!tls->ssl || SSL_set_fd(tls->ssl, fd) != 1 || !expect_host(tls->ssl, host)))
		r = connect_failed(error, EINVAL, "%s: TLS: %s", address, reason("no name of a host"));
	if (!r)
		r = shake_hands(tls, fd, deadline_ns, error);
	if (r)
		connect_tls_end(tls);
	else
		*ret = tls;
	return r;
}

/* Turns the result of SSL_read_ex() or SSL_write_ex() into that of read(2). */
static ssize_t
result(struct connect_tls *tls, int r, size_t n, struct cloudtrace_error *error)
{
	if (r == 1)
		return (ssize_t) n;
	if (SSL_get_error(tls->ssl, r) == SSL_ERROR_ZERO_RETURN)
		return 0;
	errno = wanted(tls, r, error) < 0 ? EPROTO : EAGAIN;
	return -1;
}

ssize_t
connect_tls_read(struct connect_tls *tls, void *bytes, size_t size, struct cloudtrace_error *error)
{
	size_t n = 0;
	int r;

	ERR_clear_error();
	r = SSL_read_ex(tls->ssl, bytes, size, &n);
	return result(tls, r, n, error);
}

ssize_t
connect_tls_write(struct connect_tls *tls, const void *bytes, size_t size,
		  struct cloudtrace_error *error)
{
	size_t n = 0;
	int r;

	ERR_clear_error();
	r = SSL_write_ex(tls->ssl, bytes, size, &n);
	return result(tls, r, n, error);
}
