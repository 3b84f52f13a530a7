/* SPDX-License-Identifier: MIT
 *
 * state.h -- what sessiond has under a session's name, read through the LTTng
 * control library.  plan.h compares it with what is wanted. */
#ifndef SESSION_STATE_H
#define SESSION_STATE_H

#include <limits.h>

#include "instrumentation/session/wanted.h"

struct domain_state {
	bool has_channel;             /* By its name; the rest is about it. */
	bool enabled, overwrite, per_user;
	uint64_t subbuf_size, num_subbuf;
	uint64_t discarded, lost_packets;
	struct lttng_event *events;
	int n_events;
	bool contexts_known;
	unsigned contexts;            /* Bit i: the domain's i-th context. */
};

struct session_state {
	bool there, active;
	char path[PATH_MAX];          /* As sessiond writes the relayd's address. */
	unsigned live_us;
	unsigned strange;             /* Channels of other names. */
	struct domain_state domains[N_DOMAINS];
};

/* Reads it; 0 also when there is no such session.  Negative with 'error'
 * filled when sessiond doesn't tell. */
int state_read(struct session_state *state, const char *name, struct error *error);
void state_done(struct session_state *state);
/* The event that the session has under the same name and of the same type, or NULL. */
const struct lttng_event *state_find_event(const struct domain_state *state,
					   const struct wanted_event *event);

/* Whether lttng-sessiond answers. */
bool sessiond_is_there(void);
/* Its process, as the library chooses between root's and the user's own; 0 when
 * that isn't known. */
pid_t sessiond_pid(void);
/* Whether it is root's, which alone has the kernel domain. */
bool sessiond_is_roots(void);
/* How many connections to 'data_port' the sessions of this sessiond should
 * have: one for each domain.  Negative when sessiond doesn't tell. */
int sessions_connections(uint16_t data_port);

/* Fills 'error' from an LTTng error code, with what to do where that is known.
 * Returns -ENOTCONN for want of a sessiond, -EHOSTUNREACH of a relayd, else -EIO. */
int lttng_failed(struct error *error, int code, const char *what);

#endif /* state.h */
