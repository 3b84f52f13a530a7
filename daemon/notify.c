/* SPDX-License-Identifier: MIT */
#include "daemon/notify.h"

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>

void
notify_state(const char *state)
{
	sd_notify(0, state);
}

uint64_t
notify_watchdog_ns(void)
{
	uint64_t us;

	return sd_watchdog_enabled(0, &us) > 0 ? us * 500 : 0;
}
#else
void
notify_state(const char *state)
{
	(void) state;
}

uint64_t
notify_watchdog_ns(void)
{
	return 0;
}
#endif
