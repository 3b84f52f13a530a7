/* SPDX-License-Identifier: MIT
 *
 * wanted.h -- the session that the operator asked for, from the command line
 * and the list of events. */
#ifndef SESSION_WANTED_H
#define SESSION_WANTED_H

#include <stdint.h>

#include "instrumentation/session/events.h"

enum kernel_use { KERNEL_AUTO, KERNEL_YES, KERNEL_NO };

struct wanted {
	const struct role *role;
	const char *name;    /* Of the session. */
	const char *url;     /* Of the relayd, as LTTng takes it; NULL for --status and --stop. */
	char host[256];      /* From it. */
	uint16_t control_port, data_port;
	unsigned live_us;
	unsigned cpus;
	enum kernel_use kernel;
	struct event_list events;
	int kernel_code;     /* What node_find_kernel_events() gave. */
};

/* Fills host and ports from 'url', "net://HOST[:CTRL[:DATA]]" or net6 with an
 * address in brackets.  'url' must stay.  0, or -EINVAL with 'error' filled. */
int wanted_set_url(struct wanted *wanted, const char *url, struct error *error);

/* Whether the session has a use for this domain: events that can be had. */
static inline bool
wants_domain(const struct wanted *wanted, enum domain domain)
{
	return events_count(&wanted->events, domain) > 0;
}

/* Whether there is anything to record. */
static inline bool
wants_any(const struct wanted *wanted)
{
	for (unsigned d = 0; d < N_DOMAINS; d++)
		if (wants_domain(wanted, (enum domain) d))
			return true;
	return false;
}

#endif /* wanted.h */
