/* SPDX-License-Identifier: MIT
 *
 * serve_internal.h -- shared by serve.c (sockets, who may come in),
 * serve_tcp.c (the same for TCP and TLS), serve_client.c (bytes in and out of one
 * client), serve_http.c (requests of HTTP), serve_methods.c (answers),
 * serve_status.c (the answer of "status") and serve_watch.c (updates). */
#ifndef DAEMON_SERVE_INTERNAL_H
#define DAEMON_SERVE_INTERNAL_H

#include <event2/buffer.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "daemon/serve.h"
#include "daemon/store.h"
#include "daemon/tls.h"
#include "proto/line.h"
#include "proto/methods.h"
#include "proto/rpc.h"

struct serve_socket;
struct serve_port;
struct serve_http;
struct serve_tokens;

enum serve_role { SERVE_NOBODY, SERVE_READER, SERVE_OPERATOR };

/* Who is at the other end of a connection. */
struct serve_peer {
	uid_t uid;               /* Of a local one; else -1. */
	pid_t pid;
	enum serve_role role;
	bool remote, http;
	bool needs_credentials;  /* Each request has to show who it is from (HTTP). */
	struct tls_stream *tls;  /* Taken over; NULL: plain. */
	char name[TLS_NAME_SIZE]; /* Of its certificate, or "". */
};

struct serve_watch {
	LIST_ENTRY(serve_watch) link;
	json_int_t id;
	char *topic;             /* NULL: all. */
	json_t *filter;          /* Object or NULL. */
	char cursor[64];         /* Up to where the client knows. */
};

struct serve_client {
	LIST_ENTRY(serve_client) link;
	struct serve *serve;
	int in, out;
	bool owns_fds;           /* Else they are the caller's (stdio). */
	bool in_is_plain;        /* A plain file: no event tells of it. */
	enum serve_role role;    /* Of the connection; SERVE_NOBODY: tokens decide. */
	bool read_only;
	bool closing;            /* Nothing more is taken; ends when all is written. */
	bool dead;               /* Freed by the next serve_client_settle(). */
	uid_t uid;
	pid_t pid;
	bool remote;
	bool no_watch;           /* There is no way to tell it of changes. */
	char name[TLS_NAME_SIZE]; /* Of its certificate, or "". */
	struct tls_stream *tls;  /* NULL: plain. */
	struct serve_http *http; /* NULL: lines. */
	struct event *readable, *writable, *stalled, *again;
	struct line_reader lines;
	struct evbuffer *output;
	uint64_t queued, written;  /* Bytes over its life. */
	uint64_t *reply_ends;      /* Ring of max_in_flight: 'queued' after each reply. */
	unsigned replies;          /* Replies ever queued. */
	LIST_HEAD(serve_watches, serve_watch) watches;
	unsigned watch_count;
	json_int_t last_watch;
	bool behind;               /* Watches wait until the output is empty. */
};

/* Changes after a cursor, kept for the other watchers that are as far: most are. */
struct serve_look {
	char topic[16], since[64];   /* "" is all topics. */
	uint64_t looked_ns;          /* Monotonic. */
	json_t *changes;             /* As the store gave it; NULL: unused. */
	char *items;                 /* Its items as text; made when it is needed. */
};
enum { SERVE_LOOKS = 16 };

struct serve {
	struct serve_options options;
	struct event_base *base;
	struct store *store;
	struct serve_socket *full, *restricted;
	struct serve_port *lines_port, *http_port;
	struct serve_tokens *tokens;
	struct metrics *metrics;
	LIST_HEAD(serve_clients, serve_client) clients;
	unsigned client_count, remote_count;
	size_t pending;          /* Bytes that wait for all clients. */
	int notify_fd;           /* eventfd; -1 in stdio mode. */
	struct event *notified;
	struct event *poll;      /* Timer: watchers' next look. */
	uint64_t polled_ns;      /* Monotonic time of the last one. */
	struct serve_look looks[SERVE_LOOKS];
	unsigned next_look;
	json_t *status;          /* The last answer of "status", for those who ask next. */
	uint64_t status_ns;      /* Monotonic time of it. */
	uint64_t committed_ns;   /* The same of the last commit that was heard of. */
	bool stdio;              /* No daemon writes the store. */
};

/* serve.c */
/* Why nobody more like 'peer' may come in, or NULL. */
const char *serve_too_many(const struct serve *serve, const struct serve_peer *peer);

/* serve_tcp.c */
/* Listens at 'address'.  '*ret' is to be freed even on failure. */
int serve_port_new(struct serve *serve, const char *address, bool http, struct serve_port **ret,
		   struct error *error);
void serve_port_free(struct serve_port *port);
/* Reads the certificates anew, for connections to come. */
int serve_port_reload(struct serve_port *port, const struct serve_options *options,
		      struct error *error);

/* Whether a remote client may stay after the certificates, lists and roles were
 * read again; the error says why not. */
int serve_port_check(const struct serve *serve, const struct serve_client *client,
		     struct error *error);

/* serve_http.c */
struct serve_http *serve_http_new(struct serve_client *client);
void serve_http_free(struct serve_http *http);
void serve_http_add(struct serve_client *client, const void *bytes, size_t size);
/* Answers the next request.  Returns 1, 0 when more bytes are needed, or -1 when
 * the connection has to end. */
int serve_http_next(struct serve_client *client);
/* Whether serve_http_next() may have something to do. */
bool serve_http_ready(struct serve_client *client);
/* A notification as an event of text/event-stream; takes 'message' over. */
void serve_http_event(struct serve_client *client, json_t *message);
/* The file of http_tokens; '*ret' is NULL when there is none. */
int serve_tokens_read(const char *path, struct serve_tokens **ret, struct error *error);
void serve_tokens_free(struct serve_tokens *tokens);
bool serve_tokens_equal(const struct serve_tokens *a, const struct serve_tokens *b);
/* Whether it listens to events that it asked for with a token. */
bool serve_http_listens_by_token(const struct serve_client *client);

/* serve_client.c */
/* Greets.  Takes over the descriptors if 'owns_fds', and peer->tls.  NULL: out of
 * events; they stay the caller's then. */
struct serve_client *serve_client_new(struct serve *serve, int in, int out, bool owns_fds,
				      const struct serve_peer *peer);
/* Queues bytes.  May mark the client as dead. */
void serve_client_queue(struct serve_client *client, const void *bytes, size_t size);
/* A reply ends at what is queued now. */
void serve_client_replied(struct serve_client *client);
void serve_client_free(struct serve_client *client);
/* Says so in the log, and frees it. */
void serve_client_drop(struct serve_client *client, const char *why);
/* Queues a message and takes it over.  Returns 0 or -EMSGSIZE: nothing queued. */
int serve_client_send(struct serve_client *client, json_t *message);
size_t serve_client_backlog(const struct serve_client *client);
/* To be called last in each event that concerns the client: writes, and waits
 * for what comes next.  May free the client. */
void serve_client_settle(struct serve_client *client);

/* serve_methods.c: the result (new reference), or NULL with 'error' filled. */
json_t *serve_call(struct serve_client *client, const struct rpc_request *request,
		   struct rpc_error *error);
/* Turns a failure of the store into one of the protocol; returns NULL. */
json_t *serve_store_failed(const struct error *from, struct rpc_error *error);

/* serve_alerts.c: answers about rules and silences. */
json_t *serve_alert_rules(struct serve_client *client, const json_t *params, struct rpc_error *error);
json_t *serve_alert_silences(struct serve_client *client, const json_t *params,
			     struct rpc_error *error);
json_t *serve_alert_silence(struct serve_client *client, const json_t *params,
			    struct rpc_error *error);
json_t *serve_alert_unsilence(struct serve_client *client, const json_t *params,
			      struct rpc_error *error);
json_t *serve_log_set(struct serve_client *client, const json_t *params, struct rpc_error *error);

/* serve_status.c */
json_t *serve_status(struct serve *serve, struct error *error);

/* serve_watch.c */
json_t *serve_watch_add(struct serve_client *client, const json_t *params, struct rpc_error *error);
json_t *serve_watch_remove(struct serve_client *client, const json_t *params,
			   struct rpc_error *error);
void serve_watch_free_all(struct serve_client *client);
void serve_watch_forget_looks(struct serve *serve);
/* Queues what changed for the watches of one client; marks it as behind where
 * its output is in the way. */
void serve_watch_update(struct serve_client *client);
/* Whether 'item' has the values that 'filter' asks for; host and vm may also be
 * those of the migration 'subject', which may be NULL. */
bool serve_filter_matches(const json_t *filter, const json_t *item, const json_t *subject);

/* serve_network.c: answers of "network.*". */
json_t *serve_network_bridges(struct serve_client *client, const json_t *params,
			      struct rpc_error *error);
json_t *serve_network_ports(struct serve_client *client, const json_t *params,
			    struct rpc_error *error);
json_t *serve_network_flows(struct serve_client *client, const json_t *params,
			    struct rpc_error *error);
json_t *serve_network_latency(struct serve_client *client, const json_t *params,
			      struct rpc_error *error);
json_t *serve_network_upcalls(struct serve_client *client, const json_t *params,
			      struct rpc_error *error);
json_t *serve_network_changes(struct serve_client *client, const json_t *params,
			      struct rpc_error *error);
json_t *serve_network_where(struct serve_client *client, const json_t *params,
			    struct rpc_error *error);
json_t *serve_network_path(struct serve_client *client, const json_t *params,
			   struct rpc_error *error);

#endif /* serve_internal.h */
