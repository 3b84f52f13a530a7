/* SPDX-License-Identifier: MIT */
#include "daemon/notify.h"

#ifdef HAVE_SYSTEMD
#include <stdlib.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>

#include "lib/clock.h"
#include "lib/util.h"

void
notify_reloading(void)
{
	sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
		   (unsigned long long) (clock_mono_ns() / NS_PER_US));
}

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

int
notify_listener(const char *name)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(0, &names), found = -1;

	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (streq(names[i], name) && sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) > 0)
			found = fd;
		free(names[i]);
	}
	free(names);
	return found;
}
#else
void
notify_reloading(void)
{
}

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

int
notify_listener(const char *name)
{
	(void) name;
	return -1;
}
#endif
