/* SPDX-License-Identifier: MIT
 *
 * serve_http.c -- requests of HTTP: who may ask for what, and the answers.
 *
 * An HTTP connection is a client like any other (serve_client.c): the same
 * limits on what waits for it, dropped by the same rules.  libevent's own server
 * would bring others: it takes any number of connections and no accepted socket.
 *
 * Pages of other sites must get nothing through a visitor's browser: the Host
 * has to be a name of this machine or an address (no rebinding of names), an
 * Origin has to be this server itself, and POST takes application/json only. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "daemon/metrics.h"
#include "daemon/serve_internal.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "proto/http.h"

enum { MAX_TOKENS = 64, MIN_TOKEN = 16, MAX_TOKEN = 512, MAX_VALUE = 256 };
/* A stream of events says something at least this often. */
#define COMMENT_NS (15 * NS_PER_S)

struct serve_http {
	struct serve_client *client;
	struct http_reader reader;
	bool streams;              /* Answers with events until it is closed. */
	bool head_only;
	bool hungry;               /* What is there is no whole request. */
	struct event *timer;       /* Idle too long, or time for a comment. */
};

/* -- Tokens --------------------------------------------------------------- */

struct serve_tokens {
	unsigned count;
	struct {
		enum serve_role role;
		char text[MAX_TOKEN + 1];
	} list[MAX_TOKENS];
};

void
serve_tokens_free(struct serve_tokens *tokens)
{
	if (tokens)
		explicit_bzero(tokens, sizeof *tokens);
	free(tokens);
}

bool
serve_tokens_equal(const struct serve_tokens *a, const struct serve_tokens *b)
{
	return a && b ? !memcmp(a, b, sizeof *a) : a == b;
}

/* "reader TOKEN" or "operator TOKEN". */
static int
add_token(struct serve_tokens *tokens, char *line)
{
	char *save, *role = strtok_r(line, " \t\r\n", &save);
	char *text = role ? strtok_r(NULL, " \t\r\n", &save) : NULL;

	if (!role || *role == '#')
		return 0;
	if (!text || strtok_r(NULL, " \t\r\n", &save) || strlen(text) < MIN_TOKEN ||
	    strlen(text) > MAX_TOKEN || tokens->count == MAX_TOKENS ||
	    (!streq(role, "reader") && !streq(role, "operator")))
		return -EINVAL;
	tokens->list[tokens->count].role = streq(role, "operator") ? SERVE_OPERATOR : SERVE_READER;
	strcpy(tokens->list[tokens->count++].text, text);
	return 0;
}

int
serve_tokens_read(const char *path, struct serve_tokens **ret, struct error *error)
{
	struct serve_tokens *tokens;
	char line[MAX_TOKEN + 64];
	unsigned n = 0;
	FILE *file;
	int r = 0;

	*ret = NULL;
	if (!path)
		return 0;
	file = fopen(path, "re");
	if (!file)
		return error_set(error, errno, "http-tokens: %s: %s", path, strerror(errno));
	tokens = xcalloc(1, sizeof *tokens);
	while (!r && fgets(line, sizeof line, file)) {
		n++;
		r = add_token(tokens, line);
	}
	explicit_bzero(line, sizeof line);
	if (r)
		r = error_set(error, EINVAL, "http-tokens: %s:%u: not \"reader TOKEN\" or \"operator "
			      "TOKEN\" with %d to %d characters (at most %d lines)", path, n, MIN_TOKEN,
			      MAX_TOKEN, MAX_TOKENS);
	else if (ferror(file))
		r = error_set(error, EIO, "http-tokens: %s: it can't be read", path);
	fclose(file);
	if (r)
		serve_tokens_free(tokens);
	else
		*ret = tokens;
	return r;
}

/* Takes as long for a wrong token as for a right one of the same length. */
static bool
is_same_token(const char *token, const char *given, size_t size)
{
	unsigned char differs = strlen(token) != size;

	for (size_t i = 0; i < size; i++)
		differs |= (unsigned char) (given[i] ^ token[i % (strlen(token) + 1)]);
	return !differs;
}

static enum serve_role
role_of_token(const struct serve_tokens *tokens, const char *authorization)
{
	enum serve_role role = SERVE_NOBODY;
	const char *given;

	if (!tokens || !authorization || strncasecmp(authorization, "Bearer ", 7))
		return SERVE_NOBODY;
	given = authorization + 7 + strspn(authorization + 7, " ");
	for (unsigned i = 0; i < tokens->count; i++)
		if (is_same_token(tokens->list[i].text, given, strlen(given)))
			role = tokens->list[i].role;
	return role;
}

/* -- Answering ------------------------------------------------------------ */

static void
add_date(struct buf *out)
{
	time_t now = time(NULL);
	char text[40];
	struct tm tm;

	if (strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm)))
		buf_printf(out, "Date: %s\r\n", text);
}

static void
add_head(struct buf *out, unsigned status, const char *type)
{
	buf_printf(out, "HTTP/1.1 %u %s\r\n", status, http_reason(status));
	add_date(out);
	if (type)
		buf_printf(out, "Content-Type: %s\r\n", type);
	buf_add_string(out, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
		       "Content-Security-Policy: default-src 'self'\r\nReferrer-Policy: no-referrer\r\n"
		       "X-Frame-Options: DENY\r\n");
}

static void
answer(struct serve_client *client, unsigned status, const char *type, const char *more,
       const struct buf *body)
{
	_cleanup_(buf_done) struct buf head = { 0 };

	add_head(&head, status, type);
	buf_printf(&head, "%sContent-Length: %zu\r\n\r\n", more ? more : "", body->size);
	serve_client_queue(client, head.data, head.size);
	if (body->size && !client->http->head_only)
		serve_client_queue(client, body->data, body->size);
	serve_client_replied(client);
}

static void
answer_text(struct serve_client *client, unsigned status, const char *more, const char *text)
{
	_cleanup_(buf_done) struct buf body = { 0 };

	buf_printf(&body, "%s\n", text);
	answer(client, status, "text/plain; charset=utf-8", more, &body);
}

static void
answer_json(struct serve_client *client, const json_t *id, json_t *message)
{
	_cleanup_(buf_done) struct buf body = { 0 };
	size_t max = client->serve->options.max_reply;
	struct rpc_error error;

	if (rpc_encode(message, max, &body)) {
		json_decref(message);
		rpc_error_set(&error, RPC_TOO_LARGE, NULL, "ask for less: limit, since_ns, until_ns",
			      "The reply is larger than %zu bytes", max);
		message = rpc_error_new(id, &error);
		rpc_encode(message, max, &body);
	}
	json_decref(message);
	answer(client, 200, "application/json", NULL, &body);
}

/* -- Paths ---------------------------------------------------------------- */

static void
get_metrics(struct serve_client *client, const struct http_request *request)
{
	_cleanup_(buf_done) struct buf body = { 0 };
	struct error error = { 0 };

	if (metrics_write(client->serve, &body, &error))
		answer_text(client, 500, NULL, error.text);
	else
		answer(client, 200, "text/plain; version=0.0.4; charset=utf-8", NULL, &body);
}

static void
post_rpc(struct serve_client *client, const struct http_request *request)
{
	struct rpc_request rpc;
	struct rpc_error error;
	json_t *result = NULL;

	if (!request->content_type || strncasecmp(request->content_type, "application/json", 16)) {
		answer_text(client, 415, NULL, "send Content-Type: application/json");
		return;
	}
	client->no_watch = true;
	if (!rpc_request_parse(request->body, request->body_size, &rpc, &error))
		result = serve_call(client, &rpc, &error);
	answer_json(client, rpc.id, result ? rpc_result_new(rpc.id, result) :
		    rpc_error_new(rpc.id, &error));
	rpc_request_done(&rpc);
}

/* The parameters of watch, from those of the query.  NULL: one is wrong. */
static json_t *
watch_params(const struct http_request *request)
{
	json_t *params = json_object(), *filter = json_object();
	char value[MAX_VALUE];
	int r = http_query(request->query, "topic", value, sizeof value);

	if (r > 0)
		r = json_object_set_new(params, "topic", json_string(value));
	if (!r)
		r = http_query(request->query, "since", value, sizeof value);
	if (request->last_event_id && *request->last_event_id && r >= 0)
		r = snprintf(value, sizeof value, "%s", request->last_event_id) < MAX_VALUE ? 1 :
		    -EINVAL;
	if (r > 0)
		r = json_object_set_new(params, "since", json_string(value));
	for (const struct rpc_param *param = rpc_watch_filter; param->name && r >= 0; param++) {
		r = http_query(request->query, param->name, value, sizeof value);
		if (r > 0)
			r = json_object_set_new(filter, param->name, json_string(value));
	}
	json_object_set_new(params, "filter", filter);
	if (r >= 0)
		return params;
	json_decref(params);
	return NULL;
}

static void
get_events(struct serve_client *client, const struct http_request *request)
{
	_cleanup_(buf_done) struct buf head = { 0 };
	const struct rpc_param *known = rpc_method_find("watch")->params;
	struct timeval period = clock_timeval(COMMENT_NS);
	json_t *params = watch_params(request), *changes = NULL;
	struct rpc_error error = { .text = "a parameter of the query is wrong" };
	bool found;

	/* Without a topic: all of them, which watch itself does not do. */
	if (params && (!json_object_get(params, "topic") || !rpc_check_params(known, params, &error)))
		changes = serve_watch_add(client, params, &error);
	json_decref(params);
	if (!changes) {
		answer_text(client, 400, NULL, error.text);
		return;
	}
	add_head(&head, 200, "text/event-stream");
	buf_add_string(&head, "Connection: close\r\n\r\nretry: 2000\n\n");
	serve_client_queue(client, head.data, head.size);
	client->http->streams = true;
	event_del(client->http->timer);
	event_add(client->http->timer, &period);
	found = json_is_true(json_object_get(changes, "found"));
	json_object_del(changes, "found");
	if (!found)
		json_object_del(changes, "items");
	serve_http_event(client, rpc_notification_new(found ? "update" : "lost", changes));
	serve_client_replied(client);
}

static void
get_index(struct serve_client *client, const struct http_request *request)
{
	answer_text(client, 200, NULL,
		    "cloudtraced " PACKAGE_VERSION "\n\nPOST /rpc\nGET /events?topic=TOPIC\nGET /metrics");
}

static const struct {
	const char *method, *path;
	void (*answer)(struct serve_client *client, const struct http_request *request);
} routes[] = {
	{ "GET", "/", get_index },
	{ "GET", "/metrics", get_metrics },
	{ "POST", "/rpc", post_rpc },
	{ "GET", "/events", get_events },
};

void
serve_http_event(struct serve_client *client, json_t *message)
{
	const json_t *params = json_object_get(message, "params");
	const char *cursor = json_string_value(json_object_get(params, "cursor"));
	const char *name = json_string_value(json_object_get(message, "method"));
	_cleanup_(buf_done) struct buf event = { 0 };

	/* JSON of one line has no newline that would end the data. */
	buf_printf(&event, "id: %s\nevent: %s\ndata: ", cursor ? cursor : "", name ? name : "update");
	if (!rpc_encode(params, client->serve->options.max_reply, &event)) {
		buf_add_char(&event, '\n');
		serve_client_queue(client, event.data, event.size);
	}
	json_decref(message);
}

/* -- Who asks ------------------------------------------------------------- */

/* "name:port" or "[v6]:port" without its port. */
static size_t
name_size(const char *host)
{
	const char *end = *host == '[' ? strchr(host, ']') : NULL;

	return end ? (size_t) (end - host) + 1 : strcspn(host, ":");
}

static bool
is_address(const char *host, size_t size)
{
	struct in6_addr address;
	char text[64];

	if (size >= sizeof text)
		return false;
	memcpy(text, host, size);
	text[size] = '\0';
	if (*text != '[')
		return inet_pton(AF_INET, text, &address) == 1;
	text[size - 1] = '\0';
	return inet_pton(AF_INET6, text + 1, &address) == 1;
}

static bool
is_our_name(const struct serve *serve, const char *host)
{
	size_t size = name_size(host), n;
	char own[65] = "";

	gethostname(own, sizeof own - 1);
	if ((size == strlen("localhost") && !strncasecmp(host, "localhost", size)) ||
	    (size == strlen(own) && !strncasecmp(host, own, size)) || is_address(host, size))
		return true;
	for (const char *names = serve->options.http_hosts; names && *names; names += n) {
		names += strspn(names, " \t");
		n = strcspn(names, " \t");
		if (n && n == size && !strncasecmp(host, names, n))
			return true;
	}
	return false;
}

/* "http://HOST" with exactly the Host that was asked. */
static bool
is_same_origin(const char *origin, const char *host)
{
	if (starts_with(origin, "http://"))
		return !strcasecmp(origin + 7, host);
	return starts_with(origin, "https://") && !strcasecmp(origin + 8, host);
}

/* Whether it may go on; else it was answered. */
static bool
check_caller(struct serve_client *client, const struct http_request *request)
{
	enum serve_role role = client->role;

	if (!request->host || !is_our_name(client->serve, request->host)) {
		answer_text(client, 421, NULL, "this is no name of this server (http-hosts)");
		return false;
	}
	if (request->origin && !is_same_origin(request->origin, request->host)) {
		answer_text(client, 403, NULL, "requests of other sites' pages are not answered");
		return false;
	}
	if (request->authorization || role == SERVE_NOBODY)
		role = MAX(role, role_of_token(client->serve->tokens, request->authorization));
	if (role == SERVE_NOBODY) {
		answer_text(client, 401, "WWW-Authenticate: Bearer\r\n",
			    "a bearer token or a client certificate is needed");
		return false;
	}
	client->read_only = role != SERVE_OPERATOR;
	return true;
}

static void
dispatch(struct serve_client *client, const struct http_request *request)
{
	bool known = false;

	client->http->head_only = streq(request->method, "HEAD");
	if (!check_caller(client, request))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(routes); i++) {
		if (!streq(routes[i].path, request->path))
			continue;
		known = true;
		if (streq(routes[i].method, client->http->head_only ? "GET" : request->method)) {
			if (client->http->head_only && routes[i].answer == get_events)
				break;
			routes[i].answer(client, request);
			return;
		}
	}
	answer_text(client, known ? 405 : 404, NULL, known ? "not by this method" : "there is nothing");
}

/* -- The connection ------------------------------------------------------- */

static void
on_timer(evutil_socket_t fd, short what, void *context)
{
	struct serve_http *http = context;
	struct serve_client *client = http->client;

	if (!http->streams) {
		/* Somebody in the middle of a request hears why. */
		if (http_reader_left(&http->reader))
			answer_text(client, 408, "Connection: close\r\n", "the request takes too long");
		client->closing = true;
	} else if (!serve_client_backlog(client)) {
		serve_client_queue(client, ":\n\n", 3);
	}
	serve_client_settle(client);
}

struct serve_http *
serve_http_new(struct serve_client *client)
{
	struct timeval idle = clock_timeval(client->serve->options.http_idle_ns);
	struct serve_http *http = xcalloc(1, sizeof *http);

	http->client = client;
	http->reader.max_body = client->serve->options.max_line;
	http->timer = event_new(client->serve->base, -1, EV_PERSIST, on_timer, http);
	if (!http->timer || event_add(http->timer, &idle)) {
		serve_http_free(http);
		return NULL;
	}
	return http;
}

void
serve_http_free(struct serve_http *http)
{
	if (!http)
		return;
	if (http->timer)
		event_free(http->timer);
	http_reader_done(&http->reader);
	free(http);
}

void
serve_http_add(struct serve_client *client, const void *bytes, size_t size)
{
	/* Who listens to events has nothing more to say. */
	if (client->http->streams)
		return;
	http_reader_add(&client->http->reader, bytes, size);
	client->http->hungry = false;
}

bool
serve_http_ready(struct serve_client *client)
{
	const struct serve_http *http = client->http;

	return !http->streams && !http->hungry && http_reader_left(&http->reader);
}

bool
serve_http_listens_by_token(const struct serve_client *client)
{
	return client->http && client->http->streams && client->role == SERVE_NOBODY;
}

int
serve_http_next(struct serve_client *client)
{
	struct serve_http *http = client->http;
	struct timeval idle = clock_timeval(client->serve->options.http_idle_ns);
	const struct http_request *request;
	int r;

	if (http->streams)
		return 0;
	r = http_reader_next(&http->reader, &request);
	if (r < 0) {
		answer_text(client, (unsigned) -r, "Connection: close\r\n", http_reason((unsigned) -r));
		return -1;
	}
	http->hungry = r == 0;
	if (r == 0)
		return 0;
	dispatch(client, request);
	if (http->streams)
		return 1;
	event_add(http->timer, &idle);
	return request->keep_alive ? 1 : -1;
}
