/* SPDX-License-Identifier: MIT
 *
 * notify.h -- readiness, watchdog and passed-in sockets of systemd; does
 * nothing elsewhere. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STOPPING=1", "STATUS=..." */
void notify_state(const char *state);
/* "RELOADING=1", with the time that it takes. */
void notify_reloading(void);
/* Half the watchdog's period in ns, or 0 when there is none. */
uint64_t notify_watchdog_ns(void);
/* The listening Unix socket that the service manager passed in under that name
 * (FileDescriptorName=), or -1. */
int notify_listener(const char *name);

#endif /* notify.h */
