/* SPDX-License-Identifier: MIT
 *
 * notify.h -- readiness and watchdog for systemd; does nothing elsewhere. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

/* "READY=1", "STOPPING=1", "STATUS=..." */
void notify_state(const char *state);
/* Half the watchdog's period in ns, or 0 when there is none. */
uint64_t notify_watchdog_ns(void);

#endif /* notify.h */
