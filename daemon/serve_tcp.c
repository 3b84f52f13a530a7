/* SPDX-License-Identifier: MIT
 *
 * serve_tcp.c -- the TCP ports: lines over TLS, and HTTP (plain on a loopback
 * address, else over TLS).
 *
 * Half-open connections have a table and a limit of their own: when it is full
 * the oldest goes, so that whoever means it always finds room, and none of them
 * counts as a client before its certificate is known to be good. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/serve_internal.h"
#include "lib/clock.h"
#include "lib/log.h"

enum { ACCEPT_AT_ONCE = 32, BACKLOG = 128, ADDRESS_SIZE = 80 };
#define ACCEPT_PAUSE_NS (500 * NS_PER_MS)

struct handshake {
	TAILQ_ENTRY(handshake) link;
	struct serve_port *port;
	int fd;
	char from[ADDRESS_SIZE];
	bool spoken;             /* Its first bytes were looked at. */
	struct tls_stream *tls;
	struct event *ready, *late;
};

struct serve_port {
	struct serve *serve;
	char name[ADDRESS_SIZE]; /* As it really listens. */
	bool http;
	struct tls_context *tls; /* NULL: plain HTTP on a loopback address. */
	int fd;
	struct event *incoming, *resume;
	TAILQ_HEAD(handshakes, handshake) handshakes;   /* Oldest first. */
	unsigned handshake_count;
};

/* -- Refusing ------------------------------------------------------------- */

static void
log_refused(const char *from, const char *name, const char *why)
{
	static struct log_limit limit = LOG_LIMIT(10, 60 * NS_PER_S);

	if (log_allowed(&limit))
		log_warning("client refused: from=%s%s%s, why=%s", from, *name ? ", name=" : "", name,
			    why);
}

/* One line, or one answer of HTTP, that says why. */
static void
add_refusal(struct buf *text, bool http, enum rpc_kind kind, const char *hint, const char *why)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	struct rpc_error error;
	json_t *reply;

	rpc_error_set(&error, kind, NULL, hint, "%s", why);
	reply = rpc_error_new(NULL, &error);
	if (!rpc_encode(reply, RPC_MAX_LINE, &line)) {
		if (http)
			buf_printf(text, "HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
				   "Content-Length: %zu\r\nConnection: close\r\n\r\n",
				   kind == RPC_BUSY ? "503 Service Unavailable" : "400 Bad Request",
				   line.size);
		buf_add(text, line.data, line.size);
	}
	json_decref(reply);
}

/* As far as the socket's own buffer takes it. */
static void
refuse(int fd, struct tls_stream *tls, bool http, enum rpc_kind kind, const char *hint,
       const char *why)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	char unread[4096];

	add_refusal(&text, http, kind, hint, why);
	if (tls) {
		if (tls_write(tls, text.data, text.size) < 0)
			log_debug("cannot turn a client away politely");
		return;
	}
	/* What is left unread when closing would reset the connection, and take the
	 * answer with it. */
	for (int i = 0; i < 16 && recv(fd, unread, sizeof unread, MSG_DONTWAIT) > 0; i++)
		;
	if (send(fd, text.data, text.size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("cannot turn a client away politely: %s", strerror(errno));
	shutdown(fd, SHUT_WR);
}

/* -- Handshakes ----------------------------------------------------------- */

/* 'keep': the descriptor and the stream went to a client. */
static void
handshake_free(struct handshake *handshake, bool keep)
{
	TAILQ_REMOVE(&handshake->port->handshakes, handshake, link);
	handshake->port->handshake_count--;
	if (handshake->ready)
		event_free(handshake->ready);
	if (handshake->late)
		event_free(handshake->late);
	if (!keep) {
		tls_stream_free(handshake->tls);
		close(handshake->fd);
	}
	free(handshake);
}

static void
free_handshakes(struct serve_port *port)
{
	struct handshake *handshake, *next;

	for (handshake = TAILQ_FIRST(&port->handshakes); handshake; handshake = next) {
		next = TAILQ_NEXT(handshake, link);
		handshake_free(handshake, false);
	}
}

static enum serve_role
role_of(const struct serve *serve, const struct tls_stream *tls)
{
	const struct serve_options *options = &serve->options;

	/* On the loopback interface everybody may read, as from the read-only socket,
	 * unless tokens were given out. */
	if (!tls)
		return serve->tokens ? SERVE_NOBODY : SERVE_READER;
	if (options->tls_operators && tls_stream_is_one_of(tls, options->tls_operators))
		return SERVE_OPERATOR;
	if (options->tls_readers && tls_stream_is_one_of(tls, options->tls_readers))
		return SERVE_READER;
	return SERVE_NOBODY;
}

/* Makes a client of it, if it may be one.  Returns whether it took the descriptor. */
static bool
admit(struct serve_port *port, int fd, struct tls_stream *tls, const char *from)
{
	struct serve *serve = port->serve;
	struct serve_peer peer = { .uid = (uid_t) -1, .remote = true, .http = port->http, .tls = tls };
	const char *why;

	if (tls)
		tls_stream_name(tls, peer.name);
	peer.role = role_of(serve, tls);
	peer.needs_credentials = peer.role == SERVE_NOBODY;
	why = serve_too_many(serve, &peer);
	if (why) {
		log_refused(from, peer.name, why);
		refuse(fd, tls, port->http, RPC_BUSY, "close other clients or try again later", why);
		return false;
	}
	if (peer.role == SERVE_NOBODY && !port->http) {
		log_refused(from, peer.name, "its certificate has no role");
		refuse(fd, tls, false, RPC_DENIED, "see tls-readers and tls-operators",
		       "No name of your certificate has a role here");
		return false;
	}
	log_debug("client connected: port=%s, from=%s, name=%s, role=%s", port->name, from, peer.name,
		  peer.role == SERVE_OPERATOR ? "operator" : "reader");
	return serve_client_new(serve, fd, fd, true, &peer) != NULL;
}

/* Whether the first bytes are those of a TLS record.  -1: none came yet. */
static int
speaks_tls(int fd)
{
	unsigned char bytes[2];
	ssize_t n = recv(fd, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR) ? -1 : 1;
	return bytes[0] == 0x16 && (n == 1 || bytes[1] == 3);
}

static void
on_ready(evutil_socket_t fd, short what, void *context)
{
	struct handshake *handshake = context;
	struct serve_port *port = handshake->port;
	struct error error = { 0 };
	int r = handshake->spoken ? 1 : speaks_tls(handshake->fd);

	if (r == 0) {
		log_refused(handshake->from, "", "it does not speak TLS");
		refuse(handshake->fd, NULL, port->http, RPC_INVALID_REQUEST,
		       "connect with TLS 1.2 or newer", "This port speaks TLS only");
		handshake_free(handshake, false);
		return;
	}
	if (r > 0) {
		handshake->spoken = true;
		r = tls_handshake(handshake->tls, &error);
	} else {
		r = 0;
	}
	if (r < 0) {
		log_refused(handshake->from, "", error.text);
		handshake_free(handshake, false);
	} else if (r > 0) {
		handshake_free(handshake, admit(port, handshake->fd, handshake->tls,
						handshake->from));
	} else {
		event_del(handshake->ready);
		event_assign(handshake->ready, port->serve->base, handshake->fd,
			     tls_stream_wants_write(handshake->tls) ? EV_WRITE : EV_READ, on_ready,
			     handshake);
		event_add(handshake->ready, NULL);
	}
}

static void
on_late(evutil_socket_t fd, short what, void *context)
{
	struct handshake *handshake = context;

	log_refused(handshake->from, "", "its handshake takes too long");
	handshake_free(handshake, false);
}

static void
begin_handshake(struct serve_port *port, int fd, const char *from)
{
	struct serve *serve = port->serve;
	struct timeval limit = clock_timeval(serve->options.handshake_ns);
	struct handshake *handshake = xcalloc(1, sizeof *handshake);

	if (port->handshake_count >= serve->options.max_handshakes) {
		log_refused(TAILQ_FIRST(&port->handshakes)->from, "", "too many half-open connections");
		handshake_free(TAILQ_FIRST(&port->handshakes), false);
	}
	handshake->port = port;
	handshake->fd = fd;
	snprintf(handshake->from, sizeof handshake->from, "%s", from);
	TAILQ_INSERT_TAIL(&port->handshakes, handshake, link);
	port->handshake_count++;
	handshake->tls = tls_stream_new(port->tls, fd);
	handshake->ready = event_new(serve->base, fd, EV_READ, on_ready, handshake);
	handshake->late = evtimer_new(serve->base, on_late, handshake);
	if (!handshake->tls || !handshake->ready || !handshake->late ||
	    event_add(handshake->ready, NULL) || evtimer_add(handshake->late, &limit))
		handshake_free(handshake, false);
}

/* -- Coming in ------------------------------------------------------------ */

static void
format_address(const struct sockaddr *address, socklen_t size, char ret[ADDRESS_SIZE])
{
	char host[64], port[8];

	if (getnameinfo(address, size, host, sizeof host, port, sizeof port,
			NI_NUMERICHOST | NI_NUMERICSERV))
		snprintf(ret, ADDRESS_SIZE, "?");
	else
		snprintf(ret, ADDRESS_SIZE, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

/* A machine that went away without a word is to be noticed. */
static void
set_up_connection(int fd)
{
	static const struct { int level, name, value; } settings[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 }, { SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, 60 }, { IPPROTO_TCP, TCP_KEEPINTVL, 15 },
		{ IPPROTO_TCP, TCP_KEEPCNT, 4 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(settings); i++)
		if (setsockopt(fd, settings[i].level, settings[i].name, &settings[i].value,
			       sizeof settings[i].value))
			log_debug("setsockopt: %s", strerror(errno));
}

static bool
accept_one(struct serve_port *port)
{
	static struct log_limit limit = LOG_LIMIT(1, 60 * NS_PER_S);
	struct timeval pause = clock_timeval(ACCEPT_PAUSE_NS);
	struct sockaddr_storage address;
	socklen_t size = sizeof address;
	char from[ADDRESS_SIZE];
	int fd = accept4(port->fd, (struct sockaddr *) &address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		set_up_connection(fd);
		format_address((struct sockaddr *) &address, size, from);
		if (port->tls)
			begin_handshake(port, fd, from);
		else if (!admit(port, fd, NULL, from))
			close(fd);
		return true;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return false;
	/* The listener stays readable: look away for a while. */
	if (log_allowed(&limit))
		log_warning("cannot accept a client: port=%s: %s", port->name, strerror(errno));
	event_del(port->incoming);
	evtimer_add(port->resume, &pause);
	return false;
}

static void
on_incoming(evutil_socket_t fd, short what, void *context)
{
	for (int i = 0; i < ACCEPT_AT_ONCE && accept_one(context); i++)
		;
}

static void
on_resume(evutil_socket_t fd, short what, void *context)
{
	event_add(((struct serve_port *) context)->incoming, NULL);
}

/* -- Ports ---------------------------------------------------------------- */

/* "HOST:PORT", "[V6]:PORT", or "PORT": on the loopback interface. */
static int
resolve(const char *address, struct addrinfo **ret, struct error *error)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	const char *colon = strrchr(address, ':'), *port = colon ? colon + 1 : address;
	_cleanup_(freep) char *host = NULL;
	int r;

	if (!colon)
		host = xstrdup("127.0.0.1");
	else if (*address == '[' && colon > address && colon[-1] == ']')
		host = xstrndup(address + 1, (size_t) (colon - address) - 2);
	else
		host = xstrndup(address, (size_t) (colon - address));
	if (!*host || !*port || strspn(port, "0123456789") != strlen(port) || atol(port) > 65535)
		return error_set(error, EINVAL, "'%s' is no HOST:PORT to listen at", address);
	r = getaddrinfo(host, port, &hints, ret);
	if (r)
		return error_set(error, EADDRNOTAVAIL, "%s: %s", address, gai_strerror(r));
	return 0;
}

static bool
is_loopback(const struct sockaddr *address)
{
	if (address->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *) (const void *) address)->sin_addr.s_addr)
		       >> 24 == 127;
	return address->sa_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *) (const void *) address)->sin6_addr);
}

static int
listen_at(struct serve_port *port, const struct addrinfo *address, struct error *error)
{
	struct sockaddr_storage real;
	socklen_t size = sizeof real;
	int yes = 1;

	port->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (port->fd < 0)
		return error_set(error, errno, "socket: %s", strerror(errno));
	if (setsockopt(port->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) ||
	    bind(port->fd, address->ai_addr, address->ai_addrlen) || listen(port->fd, BACKLOG) ||
	    getsockname(port->fd, (struct sockaddr *) &real, &size))
		return error_set(error, errno, "%s: cannot listen: %s", port->name, strerror(errno));
	format_address((struct sockaddr *) &real, size, port->name);
	return 0;
}

static int
make_context(const struct serve_options *options, bool http, struct tls_context **ret,
	     struct error *error)
{
	const struct tls_options tls = {
		.certificate = options->tls_certificate, .key = options->tls_key,
		.authority = options->tls_authority, .crl = options->tls_crl,
		.certificate_optional = http && options->http_tokens,
	};

	if (!tls.certificate || !tls.key)
		return error_set(error, EINVAL, "%s needs tls-certificate and tls-key",
				 http ? "http-listen on other than a loopback address" : "tls-listen");
	if (!tls.authority && !tls.certificate_optional)
		return error_set(error, EINVAL, "%s needs tls-authority%s",
				 http ? "http-listen on other than a loopback address" : "tls-listen",
				 http ? " or http-tokens" : "");
	return tls_context_new(&tls, ret, error);
}

int
serve_port_reload(struct serve_port *port, const struct serve_options *options,
		  struct error *error)
{
	struct tls_context *context = NULL;
	int r = port && port->tls ? make_context(options, port->http, &context, error) : 0;

	if (r || !context)
		return r;
	/* Handshakes under way would go by what was read before. */
	free_handshakes(port);
	tls_context_free(port->tls);
	port->tls = context;
	return 0;
}

int
serve_port_check(const struct serve *serve, const struct serve_client *client, struct error *error)
{
	const struct serve_port *port = client->http ? serve->http_port : serve->lines_port;

	if (client->tls && tls_stream_check(client->tls, port->tls, error))
		return -EACCES;
	if (role_of(serve, client->tls) < client->role)
		return error_set(error, EACCES, "it has no longer the role with which it came");
	return 0;
}

static int
check_port(const struct serve_options *options, const char *address, bool http, struct error *error)
{
	struct tls_context *context = NULL;
	struct addrinfo *list = NULL;
	int r = address ? resolve(address, &list, error) : 0;

	if (!r && list && !(http && is_loopback(list->ai_addr)))
		r = make_context(options, http, &context, error);
	if (list)
		freeaddrinfo(list);
	tls_context_free(context);
	return r;
}

int
serve_check(const struct serve_options *options, struct error *error)
{
	struct serve_tokens *tokens = NULL;
	int r = serve_tokens_read(options->http_tokens, &tokens, error);

	serve_tokens_free(tokens);
	if (!r)
		r = check_port(options, options->tls_listen, false, error);
	return r ? r : check_port(options, options->http_listen, true, error);
}

int
serve_port_new(struct serve *serve, const char *address, bool http, struct serve_port **ret,
	       struct error *error)
{
	struct serve_port *port = *ret = xcalloc(1, sizeof *port);
	struct addrinfo *list = NULL;
	int r;

	port->serve = serve;
	port->http = http;
	port->fd = -1;
	TAILQ_INIT(&port->handshakes);
	snprintf(port->name, sizeof port->name, "%s", address);
	r = resolve(address, &list, error);
	if (!r && !(http && is_loopback(list->ai_addr)))
		r = make_context(&serve->options, http, &port->tls, error);
	if (!r)
		r = listen_at(port, list, error);
	if (list)
		freeaddrinfo(list);
	if (r)
		return r;
	port->incoming = event_new(serve->base, port->fd, EV_READ | EV_PERSIST, on_incoming, port);
	port->resume = evtimer_new(serve->base, on_resume, port);
	if (!port->incoming || !port->resume || event_add(port->incoming, NULL))
		return error_set(error, ENOMEM, "%s: no event for the port", port->name);
	log_info("listening: %s=%s, tls=%s", http ? "http" : "lines", port->name,
		 port->tls ? "yes" : "no");
	return 0;
}

void
serve_port_free(struct serve_port *port)
{
	if (!port)
		return;
	free_handshakes(port);
	if (port->incoming)
		event_free(port->incoming);
	if (port->resume)
		event_free(port->resume);
	closep(&port->fd);
	tls_context_free(port->tls);
	free(port);
}
