/* SPDX-License-Identifier: MIT
 *
 * config.h -- what can be configured, from one table.
 *
 * Each key can stand in the configuration file (cloudtraced.conf(5)) and on
 * the command line as --key=value; the command line wins.  The table knows
 * default, unit, range and meaning of each key; it checks values, writes a file
 * (cloudtraced --print-config) and the keys' part of the manual (--print-manual).
 * What SIGHUP can take over is marked in it. */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "daemon/config_sections.h"
#include "lib/error.h"

enum { CONFIG_MAX_RELAYDS = 256 };

struct config {
	char *relayd[CONFIG_MAX_RELAYDS];  /* "host" or "host:port" */
	unsigned n_relayds;
	char *store, *socket, *ro_socket;
	char *log_level, *reader;
	uint64_t history_ns, retention_ns, window_retention_ns;
	uint64_t list_interval_ns, reply_timeout_ns, dead_timeout_ns;
	uint64_t backoff_min_ns, backoff_max_ns;
	uint64_t patience_ns, grace_ns, lost_after_ns;
	uint64_t stall_min_ns, stall_max_ns, stall_factor, failed_hold_ns;
	uint64_t max_sessions, max_streams, max_flows;
	uint64_t max_packet_bytes, max_in_flight_bytes, max_pending_bytes;
	uint64_t max_clients, max_clients_per_uid, max_backlog_bytes;
	char *tls_listen, *http_listen;
	char *tls_certificate, *tls_key, *tls_authority, *tls_crl, *tls_readers, *tls_operators;
	char *http_tokens, *http_hosts;
	struct config_sections sections;
	uint64_t max_remote_clients, max_handshakes, handshake_ns, http_idle_ns;
};

/* Fills in the defaults. */
void config_init(struct config *config);
void config_done(struct config *config);
/* Sets one key.  -ENOENT for an unknown one, -EINVAL or -ERANGE for a bad
 * value; the text says what would be right. */
int config_set(struct config *config, const char *key, const char *value, struct error *error);
/* Reads a file; the error names file and line. */
int config_read(struct config *config, const char *path, struct error *error);
/* Checks what no single key can tell. */
int config_check(const struct config *config, struct error *error);
/* Splits "host", "host:port" or "[v6]:port" (port 5344 unless given). */
int config_parse_relayd(const char *text, char *host, size_t size, uint16_t *ret_port,
			struct error *error);
/* All keys with their present values and their meaning, as a file that
 * config_read() takes. */
void config_print(const struct config *config, FILE *file);
bool config_has_key(const char *key);
/* The keys as items of a list in mdoc(7), for cloudtraced.conf(5). */
void config_print_manual(FILE *file);
/* Calls 'differs' for each key that has another value, with whether it can be
 * taken over without a restart. */
void config_compare(const struct config *old, const struct config *new,
		    void (*differs)(void *context, const char *key, bool reload), void *context);

#endif /* config.h */
