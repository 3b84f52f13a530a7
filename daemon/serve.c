/* SPDX-License-Identifier: MIT
 *
 * serve.c -- the sockets of the daemon: who may come in, and when watchers are
 * looked after.  What a client says and hears is in serve_client.c. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/metrics.h"
#include "daemon/serve_internal.h"
#include "lib/clock.h"
#include "lib/log.h"

/* Least time between two looks at the store for watchers. */
#define POLL_NS (20 * NS_PER_MS)
/* In stdio mode nobody tells when the store changes. */
#define STDIO_POLL_NS (500 * NS_PER_MS)
/* After accept() failed for want of descriptors or memory. */
#define ACCEPT_PAUSE_NS (500 * NS_PER_MS)

struct serve_socket {
	struct serve *serve;
	char path[sizeof ((struct sockaddr_un *) 0)->sun_path + 1];
	bool read_only;
	int fd;
	dev_t device;     /* Of the socket file, to remove just our own. */
	ino_t inode;      /* 0: somebody else's. */
	struct event *incoming, *resume;
};

const struct serve_options serve_defaults = {
	.socket_fd = -1,
	.ro_socket_fd = -1,
	.tls_readers = "*",
	.max_remote_clients = 256,
	.max_handshakes = 64,
	.handshake_ns = 10 * NS_PER_S,
	.http_idle_ns = 60 * NS_PER_S,
	.max_clients = 64,
	.max_clients_per_uid = 16,
	.max_in_flight = 8,
	.max_watches = 16,
	.max_line = RPC_MAX_LINE,
	.max_reply = RPC_MAX_REPLY,
	.max_backlog = 4 << 20,
	.max_pending = 64 << 20,
	.stall_ns = 10 * NS_PER_S,
};

/* -- Watchers' looks ------------------------------------------------------ */

static void
poll_watchers(evutil_socket_t fd, short what, void *context)
{
	struct serve *serve = context;
	struct serve_client *client, *next;

	serve->polled_ns = clock_mono_ns();
	for (client = LIST_FIRST(&serve->clients); client; client = next) {
		next = LIST_NEXT(client, link);
		serve_watch_update(client);
		serve_client_settle(client);
	}
}

static void
on_notified(evutil_socket_t fd, short what, void *context)
{
	struct serve *serve = context;
	uint64_t since = clock_mono_ns() - serve->polled_ns, count;
	struct timeval wait = clock_timeval(since < POLL_NS ? POLL_NS - since : 0);

	if (read(fd, &count, sizeof count) < 0 && errno != EAGAIN)
		log_warning("cannot read the notification: %s", strerror(errno));
	serve->committed_ns = clock_mono_ns();
	if (!evtimer_pending(serve->poll, NULL))
		evtimer_add(serve->poll, &wait);
}

void
serve_notify(struct serve *serve)
{
	/* Fails only when the counter is full: then it is readable anyway. */
	if (serve && eventfd_write(serve->notify_fd, 1) < 0)
		return;
}

/* -- Coming in ------------------------------------------------------------ */

static unsigned
clients_like(const struct serve *serve, const struct serve_peer *peer)
{
	const struct serve_client *client;
	unsigned count = 0;

	LIST_FOREACH(client, &serve->clients, link)
		count += peer->remote ? streq(client->name, peer->name) : client->uid == peer->uid;
	return count;
}

const char *
serve_too_many(const struct serve *serve, const struct serve_peer *peer)
{
	const struct serve_options *options = &serve->options;

	/* Those from afar can't take the place of those on this machine. */
	if (peer->remote ? serve->remote_count >= options->max_remote_clients :
			   serve->client_count >= options->max_clients)
		return "Too many clients";
	if ((!peer->remote || *peer->name) &&
	    clients_like(serve, peer) >= options->max_clients_per_uid)
		return "Too many clients of your user";
	return NULL;
}

/* Says why in one line, as far as the socket's own buffer takes it. */
static void
turn_away(int fd, const char *why)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	struct rpc_error error;
	json_t *reply;

	rpc_error_set(&error, RPC_BUSY, NULL, "close other clients or try again later", "%s", why);
	reply = rpc_error_new(NULL, &error);
	if (!rpc_encode(reply, RPC_MAX_LINE, &line) &&
	    send(fd, line.data, line.size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("cannot turn a client away politely: %s", strerror(errno));
	json_decref(reply);
	close(fd);
}

static void
welcome(struct serve_socket *socket, int fd)
{
	static struct log_limit limit = LOG_LIMIT(5, 60 * NS_PER_S);
	struct serve *serve = socket->serve;
	struct ucred ucred = { .pid = 0, .uid = (uid_t) -1 };
	struct serve_peer peer = { .role = socket->read_only ? SERVE_READER : SERVE_OPERATOR };
	socklen_t size = sizeof ucred;
	const char *why;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ucred, &size))
		log_debug("SO_PEERCRED: %s", strerror(errno));
	peer.uid = ucred.uid;
	peer.pid = ucred.pid;
	why = serve_too_many(serve, &peer);
	if (why) {
		if (log_allowed(&limit))
			log_warning("%s: socket=%s, uid=%u, pid=%d", why, socket->path,
				    (unsigned) peer.uid, (int) peer.pid);
		turn_away(fd, why);
		return;
	}
	log_debug("client connected: socket=%s, uid=%u, gid=%u, pid=%d", socket->path,
		  (unsigned) ucred.uid, (unsigned) ucred.gid, (int) ucred.pid);
	if (!serve_client_new(serve, fd, fd, true, &peer))
		close(fd);
}

static void
on_incoming(evutil_socket_t listener, short what, void *context)
{
	static struct log_limit limit = LOG_LIMIT(1, 60 * NS_PER_S);
	struct serve_socket *socket = context;
	struct timeval pause = clock_timeval(ACCEPT_PAUSE_NS);
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		welcome(socket, fd);
		return;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return;
	/* The listener stays readable: look away for a while. */
	if (log_allowed(&limit))
		log_warning("cannot accept a client: %s", strerror(errno));
	event_del(socket->incoming);
	evtimer_add(socket->resume, &pause);
}

static void
on_resume(evutil_socket_t fd, short what, void *context)
{
	struct serve_socket *socket = context;

	event_add(socket->incoming, NULL);
}

/* -- Sockets -------------------------------------------------------------- */

/* Removes a socket file that a dead daemon left behind. */
static int
remove_stale(const char *path, const struct sockaddr_un *address, struct error *error)
{
	_cleanup_(closep) int fd = -1;
	struct stat stat;

	if (lstat(path, &stat))
		return errno == ENOENT ? 0 : error_set(error, errno, "%s: %s", path,
						       strerror(errno));
	if (!S_ISSOCK(stat.st_mode))
		return error_set(error, EEXIST, "%s: is in the way and no socket; remove it", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return error_set(error, errno, "socket: %s", strerror(errno));
	if (!connect(fd, (const struct sockaddr *) address, sizeof *address) || errno == EAGAIN)
		return error_set(error, EADDRINUSE,
				 "%s: another daemon listens there; stop it or choose another path",
				 path);
	if (errno != ECONNREFUSED)
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	if (unlink(path) && errno != ENOENT)
		return error_set(error, errno, "%s: cannot remove the old socket: %s", path,
				 strerror(errno));
	return 0;
}

/* Binds and listens.  Nobody can connect before listen(), so chmod() in
 * between is in time. */
static int
listen_at(const char *path, mode_t mode, struct serve_socket *ret, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat stat;
	int r;

	if (strlen(path) >= sizeof address.sun_path)
		return error_set(error, ENAMETOOLONG, "%s: longer than %zu bytes", path,
				 sizeof address.sun_path - 1);
	strcpy(address.sun_path, path);
	strcpy(ret->path, path);
	r = remove_stale(path, &address, error);
	if (r)
		return r;
	ret->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ret->fd < 0)
		return error_set(error, errno, "socket: %s", strerror(errno));
	if (bind(ret->fd, (const struct sockaddr *) &address, sizeof address))
		return error_set(error, errno, "%s: cannot make the socket: %s%s", path,
				 strerror(errno), errno == ENOENT ? "; is its folder there?" : "");
	if (chmod(path, mode) || listen(ret->fd, 64) || lstat(path, &stat))
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	ret->device = stat.st_dev;
	ret->inode = stat.st_ino;
	return 0;
}

/* Takes over a socket that listens. */
static int
adopt(int fd, struct serve_socket *ret, struct error *error)
{
	struct sockaddr_un address = { 0 };
	socklen_t size = sizeof address;

	ret->fd = fd;
	if (getsockname(fd, (struct sockaddr *) &address, &size) || evutil_make_socket_nonblocking(fd))
		return error_set(error, errno, "the socket that was passed in: %s", strerror(errno));
	snprintf(ret->path, sizeof ret->path, "%.*s", (int) sizeof address.sun_path,
		 address.sun_path);
	return 0;
}

static void
socket_free(struct serve_socket *socket)
{
	struct stat stat;

	if (!socket)
		return;
	if (socket->incoming)
		event_free(socket->incoming);
	if (socket->resume)
		event_free(socket->resume);
	/* Another daemon may have taken the path over meanwhile. */
	if (socket->inode && !lstat(socket->path, &stat) && stat.st_dev == socket->device &&
	    stat.st_ino == socket->inode)
		unlink(socket->path);
	if (socket->fd >= 0)
		close(socket->fd);
	free(socket);
}

static int
socket_new(struct serve *serve, const char *path, int fd, bool read_only,
	   struct serve_socket **ret, struct error *error)
{
	struct serve_socket *socket;
	int r;

	if (!path && fd < 0)
		return 0;
	*ret = socket = xcalloc(1, sizeof *socket);
	socket->serve = serve;
	socket->read_only = read_only;
	socket->fd = -1;
	r = fd >= 0 ? adopt(fd, socket, error) :
		listen_at(path, read_only ? 0666 : 0660, socket, error);
	if (r)
		return r;
	socket->incoming = event_new(serve->base, socket->fd, EV_READ | EV_PERSIST, on_incoming,
				     socket);
	socket->resume = evtimer_new(serve->base, on_resume, socket);
	if (!socket->incoming || !socket->resume || event_add(socket->incoming, NULL))
		return error_set(error, ENOMEM, "%s: no event for the socket", socket->path);
	return 0;
}

/* -- The whole ------------------------------------------------------------ */

void
serve_free(struct serve *serve)
{
	struct serve_client *client;

	if (!serve)
		return;
	while ((client = LIST_FIRST(&serve->clients)))
		serve_client_free(client);
	socket_free(serve->full);
	socket_free(serve->restricted);
	serve_port_free(serve->lines_port);
	serve_port_free(serve->http_port);
	serve_tokens_free(serve->tokens);
	metrics_free(serve->metrics);
	serve_watch_forget_looks(serve);
	json_decref(serve->status);
	if (serve->notified)
		event_free(serve->notified);
	if (serve->poll)
		event_free(serve->poll);
	closep(&serve->notify_fd);
	store_close(serve->store);
	free(serve);
}

static int
open_all(struct serve *serve, struct error *error)
{
	const struct serve_options *options = &serve->options;
	int r = store_open(options->store_path, STORE_READ, &serve->store, error);

	if (!r && !serve->stdio)
		r = socket_new(serve, options->socket_path, options->socket_fd, false, &serve->full,
			       error);
	if (!r && !serve->stdio)
		r = socket_new(serve, options->ro_socket_path, options->ro_socket_fd, true,
			       &serve->restricted, error);
	if (!r && !serve->stdio)
		r = metrics_start(serve->metrics, serve->store, error);
	if (!r && !serve->stdio)
		r = serve_tokens_read(options->http_tokens, &serve->tokens, error);
	if (!r && !serve->stdio && options->tls_listen)
		r = serve_port_new(serve, options->tls_listen, false, &serve->lines_port, error);
	if (!r && !serve->stdio && options->http_listen)
		r = serve_port_new(serve, options->http_listen, true, &serve->http_port, error);
	if (r)
		return r;
	serve->poll = event_new(serve->base, -1, serve->stdio ? EV_PERSIST : 0, poll_watchers,
				serve);
	if (!serve->poll)
		return error_set(error, ENOMEM, "no event for the watchers");
	if (serve->stdio)
		return 0;
	serve->notify_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (serve->notify_fd < 0)
		return error_set(error, errno, "eventfd: %s", strerror(errno));
	serve->notified = event_new(serve->base, serve->notify_fd, EV_READ | EV_PERSIST,
				    on_notified, serve);
	if (!serve->notified || event_add(serve->notified, NULL))
		return error_set(error, ENOMEM, "no event for notifications");
	return 0;
}

static int
serve_create(struct event_base *base, const struct serve_options *options, bool stdio,
	     struct serve **ret, struct error *error)
{
	struct serve *serve = xcalloc(1, sizeof *serve);
	int r;

	/* A client that went away is an error of write(), no end of ours. */
	signal(SIGPIPE, SIG_IGN);
	serve->options = *options;
	serve->metrics = metrics_new();
	serve->base = base;
	serve->stdio = stdio;
	serve->notify_fd = -1;
	LIST_INIT(&serve->clients);
	r = open_all(serve, error);
	if (r)
		serve_free(serve);
	else
		*ret = serve;
	return r;
}

int
serve_new(struct event_base *base, const struct serve_options *options, struct serve **ret,
	  struct error *error)
{
	return serve_create(base, options, false, ret, error);
}

/* Those who could not come in as what they are any more. */
static void
drop_unwelcome(struct serve *serve, bool other_tokens)
{
	struct serve_client *client, *next;

	for (client = LIST_FIRST(&serve->clients); client; client = next) {
		struct error error = { 0 };

		next = LIST_NEXT(client, link);
		if (!client->remote)
			continue;
		if (serve_port_check(serve, client, &error))
			serve_client_drop(client, error.text);
		else if (other_tokens && serve_http_listens_by_token(client))
			serve_client_drop(client, "the tokens are others");
	}
}

int
serve_reconfigure(struct serve *serve, const struct serve_options *options, struct error *error)
{
	struct serve_options old = serve->options;
	struct serve_tokens *tokens = NULL;
	bool other_tokens;
	int r = serve_tokens_read(options->http_tokens, &tokens, error);

	if (!r)
		r = serve_port_reload(serve->lines_port, options, error);
	if (!r)
		r = serve_port_reload(serve->http_port, options, error);
	if (r) {
		serve_tokens_free(tokens);
		return r;
	}
	other_tokens = !serve_tokens_equal(serve->tokens, tokens);
	serve_tokens_free(serve->tokens);
	serve->tokens = tokens;
	serve->options = *options;
	serve->options.max_in_flight = old.max_in_flight;  /* Sizes a ring of each client. */
	serve->options.started_ns = old.started_ns;
	serve->options.silence = old.silence;
	serve->options.silence_context = old.silence_context;
	drop_unwelcome(serve, other_tokens);
	return 0;
}

void
serve_show_rules(struct serve *serve, const struct config_sections *sections)
{
	serve->options.sections = sections;
}

int
serve_stdio(struct event_base *base, const struct serve_options *options, int in, int out,
	    struct error *error)
{
	const struct serve_peer peer = { .uid = getuid(), .pid = getpid(), .role = SERVE_OPERATOR };
	struct timeval period = clock_timeval(STDIO_POLL_NS);
	struct serve *serve = NULL;
	int r = serve_create(base, options, true, &serve, error);

	if (r)
		return r;
	if (!serve_client_new(serve, in, out, false, &peer) ||
	    evtimer_add(serve->poll, &period))
		r = error_set(error, ENOMEM, "no event for the client");
	while (!r && !LIST_EMPTY(&serve->clients))
		if (event_base_loop(base, EVLOOP_ONCE) < 0)
			r = error_set(error, EIO, "the event loop failed");
	serve_free(serve);
	return r;
}
