/* SPDX-License-Identifier: MIT */
#include "daemon/config.h"

#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config_keys.h"
#include "lib/clock.h"
#include "lib/util.h"

#define AT(MEMBER) offsetof(struct config, MEMBER)
#define DAYS(N) ((N) * UINT64_C(86400) * NS_PER_S)

static const struct key keys[] = {
	{ "relayd", KEY_LIST | KEY_RELOAD, AT(relayd), NULL,
	  "lttng-relayd to attach to, as host or host:port; once for each", 0, 0, NULL },
	{ "store", KEY_STRING, AT(store), LOCALSTATEDIR "/lib/cloudtraced/store.db",
	  "the SQLite file that keeps what was found", 0, 0, NULL },
	{ "socket", KEY_STRING, AT(socket), RUNSTATEDIR "/cloudtraced/control.sock",
	  "Unix socket for cloudtracectl, mode 0660", 0, 0, NULL },
	{ "ro-socket", KEY_STRING, AT(ro_socket), RUNSTATEDIR "/cloudtraced/ro.sock",
	  "Unix socket for everybody on this machine, read-only, mode 0666", 0, 0, NULL },
	{ "log-level", KEY_CHOICE | KEY_RELOAD, AT(log_level), "info", "how much is logged", 0, 0,
	  "error|warning|info|debug" },
	{ "reader", KEY_CHOICE, AT(reader), "own",
	  "what decodes trace directories (--read, --dump)", 0, 0, "own|babeltrace2" },
	{ "history", KEY_DURATION | KEY_RELOAD, AT(history_ns), "1h",
	  "how far back to read when first attaching to a session that a relayd already holds",
	  0, DAYS(3650), NULL },
	{ "retention", KEY_DURATION | KEY_RELOAD, AT(retention_ns), "60d",
	  "how long ended migrations, requests and alerts are kept, with all that is shown of them",
	  60 * NS_PER_S, DAYS(3650), NULL },
	{ "window-retention", KEY_DURATION | KEY_RELOAD, AT(window_retention_ns), "7d",
	  "how long figures of kernels and Open vSwitch are kept for any time; those of migrations and "
	  "requests stay with them", 3600 * NS_PER_S, DAYS(3650), NULL },
	{ "list-interval", KEY_DURATION, AT(list_interval_ns), "1s",
	  "how often a relayd is asked for new sessions", 10 * NS_PER_MS, 3600 * NS_PER_S, NULL },
	{ "reply-timeout", KEY_DURATION, AT(reply_timeout_ns), "5s",
	  "a relayd that owes a reply for this long is shown as frozen",
	  10 * NS_PER_MS, 3600 * NS_PER_S, NULL },
	{ "dead-timeout", KEY_DURATION, AT(dead_timeout_ns), "30s",
	  "a relayd that owes a reply for this long is connected to anew",
	  10 * NS_PER_MS, 3600 * NS_PER_S, NULL },
	{ "backoff-min", KEY_DURATION, AT(backoff_min_ns), "100ms",
	  "pause before the first new attempt to connect", NS_PER_MS, 3600 * NS_PER_S, NULL },
	{ "backoff-max", KEY_DURATION, AT(backoff_max_ns), "1s",
	  "longest pause between two attempts to connect", NS_PER_MS, 3600 * NS_PER_S, NULL },
	{ "patience", KEY_DURATION, AT(patience_ns), "5s",
	  "a stream that is silent for this long no longer holds back the others of its host",
	  10 * NS_PER_MS, 3600 * NS_PER_S, NULL },
	{ "grace", KEY_DURATION | KEY_RELOAD, AT(grace_ns), "25ms",
	  "how long streams without a first packet hold back the others of their host",
	  0, 60 * NS_PER_S, NULL },
	{ "lost-after", KEY_DURATION | KEY_RELOAD, AT(lost_after_ns), "10s",
	  "open migrations of a host are lost when all its sessions were gone for this long",
	  0, DAYS(30), NULL },
	{ "stall-min", KEY_DURATION, AT(stall_min_ns), "2s",
	  "least duration after which an open stop-and-copy is a stall",
	  NS_PER_MS, 3600 * NS_PER_S, NULL },
	{ "stall-max", KEY_DURATION, AT(stall_max_ns), "2500ms",
	  "an open stop-and-copy is a stall after this, however large its downtime limit",
	  NS_PER_MS, DAYS(30), NULL },
	{ "stall-factor", KEY_NUMBER, AT(stall_factor), "3",
	  "a stop-and-copy open for this many downtime limits is a stall", 1, 1000, NULL },
	{ "failed-hold", KEY_DURATION | KEY_RELOAD, AT(failed_hold_ns), "1h",
	  "how long the alert of a failed migration keeps firing", 0, DAYS(30), NULL },
	{ "max-sessions", KEY_NUMBER, AT(max_sessions), "4096", "sessions per relayd", 1, 1000000, NULL },
	{ "max-streams", KEY_NUMBER, AT(max_streams), "65536", "streams per relayd", 1, 10000000, NULL },
	{ "max-flows", KEY_NUMBER, AT(max_flows), "4096",
	  "processes followed per host; more are counted and left out", 1, 1000000, NULL },
	{ "max-packet", KEY_SIZE, AT(max_packet_bytes), "64MiB",
	  "largest packet that is taken", 4096, UINT64_C(1) << 32, NULL },
	{ "max-in-flight", KEY_SIZE, AT(max_in_flight_bytes), "8MiB",
	  "bytes of packets asked for at a time, per relayd", 4096, UINT64_C(1) << 32, NULL },
	{ "max-pending", KEY_SIZE | KEY_RELOAD, AT(max_pending_bytes), "64MiB",
	  "bytes of packets that wait to be merged, over all hosts; then reading pauses",
	  4096, UINT64_C(1) << 36, NULL },
	{ "max-clients", KEY_NUMBER | KEY_RELOAD, AT(max_clients), "64",
	  "connections to the Unix sockets", 1, 4096, NULL },
	{ "max-clients-per-user", KEY_NUMBER | KEY_RELOAD, AT(max_clients_per_uid), "16",
	  "connections of one user", 1, 4096, NULL },
	{ "max-backlog", KEY_SIZE | KEY_RELOAD, AT(max_backlog_bytes), "4MiB",
	  "bytes that wait for one slow client before it is dropped", 4096, UINT64_C(1) << 30, NULL },
	/* TCP. */
	{ "tls-listen", KEY_STRING, AT(tls_listen), "",
	  "where to take clients over TLS, as host:port, or a port of the loopback interface; empty: nowhere",
	  0, 0, NULL },
	{ "http-listen", KEY_STRING, AT(http_listen), "",
	  "where to speak HTTP, as host:port, or a port of the loopback interface; elsewhere it is over TLS; "
	  "empty: nowhere", 0, 0, NULL },
	{ "tls-certificate", KEY_STRING | KEY_RELOAD, AT(tls_certificate), "",
	  "PEM file of the daemon's certificate and its chain", 0, 0, NULL },
	{ "tls-key", KEY_STRING | KEY_RELOAD, AT(tls_key), "", "PEM file of its private key", 0, 0, NULL },
	{ "tls-authority", KEY_STRING | KEY_RELOAD, AT(tls_authority), "",
	  "PEM file of the authorities that sign clients' certificates", 0, 0, NULL },
	{ "tls-crl", KEY_STRING | KEY_RELOAD, AT(tls_crl), "",
	  "PEM file of the authorities' lists of revoked certificates; whoever is on one is refused "
	  "and cut off, and everybody when a list is missing or out of date; empty: no lists", 0, 0, NULL },
	{ "tls-readers", KEY_STRING | KEY_RELOAD, AT(tls_readers), "*",
	  "names of certificates (common name or subjectAltName) that may read, with blanks between; *: all "
	  "that the authority signed", 0, 0, NULL },
	{ "tls-operators", KEY_STRING | KEY_RELOAD, AT(tls_operators), "",
	  "names of certificates that may also change things", 0, 0, NULL },
	{ "http-tokens", KEY_STRING | KEY_RELOAD, AT(http_tokens), "",
	  "file with lines 'reader TOKEN' or 'operator TOKEN': bearer tokens for HTTP; with it nobody reads "
	  "without one", 0, 0, NULL },
	{ "http-hosts", KEY_STRING | KEY_RELOAD, AT(http_hosts), "",
	  "further names by which browsers call this machine, with blanks between", 0, 0, NULL },
	{ "max-remote-clients", KEY_NUMBER | KEY_RELOAD, AT(max_remote_clients), "256",
	  "connections over TCP", 1, 65536, NULL },
	{ "max-handshakes", KEY_NUMBER | KEY_RELOAD, AT(max_handshakes), "64",
	  "half-open TLS connections; then the oldest is dropped", 1, 65536, NULL },
	{ "handshake-timeout", KEY_DURATION | KEY_RELOAD, AT(handshake_ns), "10s",
	  "how long a TLS handshake may take", 10 * NS_PER_MS, 600 * NS_PER_S, NULL },
	{ "http-idle", KEY_DURATION | KEY_RELOAD, AT(http_idle_ns), "60s",
	  "an HTTP connection without a request for this long is closed", 10 * NS_PER_MS, 3600 * NS_PER_S,
	  NULL },
};

static const struct key *
find_key(const char *name)
{
	return key_find(keys, ARRAY_SIZE(keys), name);
}

bool
config_has_key(const char *key)
{
	return find_key(key) != NULL;
}

static int
add_relayd(struct config *config, const char *value, struct error *error)
{
	char host[256];
	uint16_t port;
	int r = config_parse_relayd(value, host, sizeof host, &port, error);

	if (r < 0)
		return r;
	for (unsigned i = 0; i < config->n_relayds; i++)
		if (streq(config->relayd[i], value))
			return 0;
	if (config->n_relayds == CONFIG_MAX_RELAYDS)
		return error_set(error, ERANGE, "relayd: more than %d", CONFIG_MAX_RELAYDS);
	config->relayd[config->n_relayds++] = xstrdup(value);
	return 0;
}

int
config_set(struct config *config, const char *name, const char *value, struct error *error)
{
	const struct key *key = find_key(name);

	if (!key)
		return error_set(error, ENOENT,
				 "unknown option '%s' (cloudtraced --print-config lists all)", name);
	return key_type(key) == KEY_LIST ? add_relayd(config, value, error) :
	       key_set(key, config, value, error);
}

void
config_init(struct config *config)
{
	*config = (struct config) { 0 };
	key_set_defaults(keys, ARRAY_SIZE(keys), config);
	config_sections_init(&config->sections);
}

void
config_done(struct config *config)
{
	key_done(keys, ARRAY_SIZE(keys), config);
	config_sections_done(&config->sections);
	for (unsigned i = 0; i < config->n_relayds; i++)
		free(config->relayd[i]);
	*config = (struct config) { 0 };
}

int
config_parse_relayd(const char *text, char *host, size_t size, uint16_t *ret_port,
		    struct error *error)
{
	const char *end, *colon;
	uint64_t port = 5344;
	size_t n;

	if (*text == '[') {
		end = strchr(++text, ']');
		colon = end && end[1] == ':' ? end + 1 : NULL;
		if (!end || (end[1] && !colon))
			return error_set(error, EINVAL,
					 "relayd: '[%s' has no closing bracket before its port", text);
	} else {
		colon = strrchr(text, ':');
		/* A bare IPv6 address has several colons and no port. */
		if (colon && strchr(text, ':') != colon)
			colon = NULL;
		end = colon ? colon : text + strlen(text);
	}
	n = (size_t) (end - text);
	/* Names, addresses, and the zone of one. */
	if (!n || n >= size || strspn(text, "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:%") < n)
		return error_set(error, EINVAL, "relayd: '%s' is not host or host:port", text);
	if (colon && (parse_u64(colon + 1, &port) < 0 || !port || port > 65535))
		return error_set(error, EINVAL, "relayd: '%s' is not a port (1 to 65535)", colon + 1);
	memcpy(host, text, n);
	host[n] = '\0';
	*ret_port = (uint16_t) port;
	return 0;
}

struct reading {
	struct config *config;
	struct error *error;
};

static int
on_line(void *user, const char *section, const char *name, const char *value)
{
	struct reading *reading = user;

	if (*section)
		return config_sections_set(&reading->config->sections, section, name, value,
					   reading->error) == 0;
	return config_set(reading->config, name, value, reading->error) == 0;
}

int
config_read(struct config *config, const char *path, struct error *error)
{
	struct error first = { 0 };
	struct reading reading = { config, &first };
	FILE *file = fopen(path, "re");
	int line;

	if (!file)
		return error_set(error, errno, "%s: %s", path, strerror(errno));
	line = ini_parse_file(file, on_line, &reading);
	if (ferror(file) && !line) {
		fclose(file);
		return error_set(error, EIO, "%s: it can't be read", path);
	}
	fclose(file);
	if (line == 0)
		return 0;
	return error_set(error, first.code ? first.code : EINVAL, "%s:%d: %s", path, line,
			 first.code ? first.text : "this line is not 'key = value'");
}

int
config_check(const struct config *config, struct error *error)
{
	if (config->backoff_min_ns > config->backoff_max_ns)
		return error_set(error, EINVAL, "backoff-min is longer than backoff-max");
	if (config->reply_timeout_ns > config->dead_timeout_ns)
		return error_set(error, EINVAL, "reply-timeout is longer than dead-timeout");
	if (config->stall_min_ns > config->stall_max_ns)
		return error_set(error, EINVAL, "stall-min is longer than stall-max");
	if (*config->socket && streq(config->socket, config->ro_socket))
		return error_set(error, EINVAL, "socket and ro-socket are the same path");
	return config_sections_check(&config->sections, error);
}

static void
print_relayds(const struct config *config, FILE *file)
{
	for (unsigned i = 0; i < config->n_relayds; i++)
		fprintf(file, "relayd = %s\n", config->relayd[i]);
	if (!config->n_relayds)
		fprintf(file, "#relayd = 127.0.0.1:5344\n");
}

void
config_print(const struct config *config, FILE *file)
{
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
		key_print_doc(&keys[i], file);
		if (key_type(&keys[i]) == KEY_LIST)
			print_relayds(config, file);
		else
			key_print(&keys[i], config, file);
	}
	config_sections_print(&config->sections, file);
}

void
config_print_manual(FILE *file)
{
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		key_print_manual(&keys[i], file);
	fputs(".El\n.Ss [receiver NAME]\n.Bl -tag -width Ds\n", file);
	config_sections_print_manual("receiver", file);
	fputs(".El\n.Ss [alert NAME]\n.Bl -tag -width Ds\n", file);
	config_sections_print_manual("alert", file);
}

static bool
is_same(const struct key *key, const struct config *a, const struct config *b)
{
	if (key_type(key) != KEY_LIST)
		return key_is_same(key, a, b);
	for (unsigned i = 0; i < a->n_relayds && a->n_relayds == b->n_relayds; i++)
		if (!streq(a->relayd[i], b->relayd[i]))
			return false;
	return a->n_relayds == b->n_relayds;
}

void
config_compare(const struct config *old, const struct config *new,
	       void (*differs)(void *context, const char *key, bool reload), void *context)
{
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		if (!is_same(&keys[i], old, new))
			differs(context, keys[i].name, keys[i].type & KEY_RELOAD);
	if (!config_sections_are_same(&old->sections, &new->sections))
		differs(context, "alert rules and receivers", true);
}
