/* SPDX-License-Identifier: MIT
 *
 * serve.h -- answers JSON-RPC on Unix sockets, TCP with TLS, HTTP (and on a pair
 * of descriptors), from a read-only handle of the store, on a libevent loop of
 * its own thread.
 *
 * No client is waited for: answers and updates queue up per client, what is
 * behind gets the newest state once it reads again, and who does not read at
 * all is dropped. */
#ifndef DAEMON_SERVE_H
#define DAEMON_SERVE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/error.h"

struct event_base;
struct config_sections;
struct serve;

struct serve_options {
	const char *store_path;       /* Must be there already. */
	const char *socket_path;      /* Full socket, mode 0660; NULL: none. */
	const char *ro_socket_path;   /* Read-only methods, mode 0666; NULL: none. */
	int socket_fd, ro_socket_fd;  /* Sockets that listen already, instead of those
				       * paths; -1: none.  Closed by serve_free(),
				       * their files stay. */
	/* TCP; "HOST:PORT", or "PORT" for the loopback interface; NULL: none. */
	const char *tls_listen;       /* Lines over TLS, with clients' certificates. */
	const char *http_listen;      /* HTTP; over TLS unless on a loopback address. */
	const char *tls_certificate, *tls_key, *tls_authority, *tls_crl; /* Files; may be NULL. */
	const char *tls_operators, *tls_readers; /* Names of certificates; "*": any. */
	const char *http_tokens;      /* File of "ROLE TOKEN" lines; NULL: no tokens. */
	const char *http_hosts;       /* Further names that this machine is called by. */
	unsigned max_remote_clients;  /* 256: connections over TCP */
	unsigned max_handshakes;      /* 64: then the oldest half-open one goes */
	uint64_t handshake_ns;        /* 10 s until TLS has to be up */
	uint64_t http_idle_ns;        /* 60 s without a request: closed */
	unsigned max_clients;         /* 64: connections over Unix sockets */
	unsigned max_clients_per_uid; /* 16 */
	unsigned max_in_flight;       /* 8 per client: then it is not read from */
	unsigned max_watches;         /* 16 per client */
	size_t max_line;              /* 1 MiB */
	size_t max_reply;             /* 16 MiB */
	size_t max_backlog;           /* 4 MiB: then it is not read from */
	size_t max_pending;           /* 64 MiB for all: then clients that wait are dropped */
	uint64_t stall_ns;            /* 10 s without reading what waits: dropped */
	const struct config_sections *sections; /* Rules to show; may be NULL. */
	/* Keeps a silence, or forgets it (NULL); false: not now.  NULL: none can be. */
	bool (*silence)(void *context, const char *id, json_t *silence);
	void *silence_context;
	uint64_t started_ns;          /* For status: uptime. */
};
extern const struct serve_options serve_defaults;

/* Opens the store and the sockets.  A socket file that nobody listens on is
 * replaced.  '*options' is copied, its strings must stay valid. */
int serve_new(struct event_base *base, const struct serve_options *options, struct serve **ret,
	      struct error *error);
/* Takes over limits, certificates, names and tokens of 'options'; addresses and
 * paths stay as they are, and so do those who are connected, but for those whose
 * certificate or role is no longer good.  On failure limits, names and tokens are
 * the old ones, and all stay. */
int serve_reconfigure(struct serve *serve, const struct serve_options *options,
		      struct error *error);
/* The rules that are shown from now on. */
void serve_show_rules(struct serve *serve, const struct config_sections *sections);
/* Whether the addresses, certificates and tokens are good, without using them. */
int serve_check(const struct serve_options *options, struct error *error);
/* To be called when the loop does not run any more.  Accepts NULL. */
void serve_free(struct serve *serve);
/* Something was committed: brings watchers up to date.  Thread-safe. */
void serve_notify(struct serve *serve);
/* Serves one client on a pair of descriptors until it closes (cloudtraced
 * --stdio); runs the loop itself.  The descriptors stay open. */
int serve_stdio(struct event_base *base, const struct serve_options *options, int in, int out,
		struct error *error);

#endif /* serve.h */
