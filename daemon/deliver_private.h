/* SPDX-License-Identifier: MIT
 *
 * deliver_private.h -- shared by deliver*.c. */
#ifndef DAEMON_DELIVER_PRIVATE_H
#define DAEMON_DELIVER_PRIVATE_H

#include <curl/curl.h>
#include <jansson.h>
#include <sys/types.h>

#include "daemon/config_sections.h"
#include "lib/buf.h"
#include "lib/error.h"

/* deliver_payload.c: bodies from arrays of alerts. */
void payload_alertmanager(const json_t *alerts, uint64_t valid_ns, struct buf *out);
void payload_webhook(const json_t *alerts, const char *receiver, struct buf *out);
/* Writes one alert to systemd's journal, with its members as fields. */
int payload_journal(const json_t *alert, struct error *error);

/* deliver_exec.c */
/* Starts the program with the alert on its standard input. */
int exec_start(const char *command, const json_t *alert, pid_t *ret, struct error *error);
/* Returns 1 when it took the alert, 0 while it runs, or a negative errno. */
int exec_poll(pid_t pid, struct error *error);
void exec_kill(pid_t pid);

#endif /* deliver_private.h */
