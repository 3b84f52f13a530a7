/* SPDX-License-Identifier: MIT
 *
 * test_alerts.h -- what the alert rules of a configuration give over what a
 * store, or a folder of traces, holds already. */
#ifndef DAEMON_TEST_ALERTS_H
#define DAEMON_TEST_ALERTS_H

#include "daemon/config.h"

/* Prints the alerts as a JSON array, newest first.  Without 'paths' the rules
 * judge a copy of the store, which itself stays as it is. */
int test_alerts(const struct config *config, const char **paths, size_t n_paths, struct error *error);

#endif /* test_alerts.h */
