/* SPDX-License-Identifier: MIT
 *
 * profile.h -- what is the same for every node of a role: the tracing domains
 * with their channel and contexts, the sizes of the ring buffers, and the
 * events that must never be enabled.  All const tables; which events there are
 * says cloudtraced (events.h), what this node has says node.h. */
#ifndef SESSION_PROFILE_H
#define SESSION_PROFILE_H

#include <stddef.h>
#include <stdint.h>

#include <lttng/lttng.h>

/* What LTTng calls the Python domain is a channel of user space with a name that
 * LTTng chose and one event, which can't be enabled under its own name. */
enum domain { DOMAIN_UST, DOMAIN_PYTHON, DOMAIN_KERNEL, N_DOMAINS };
enum { N_CONTEXTS = 3 };

struct context {
	enum lttng_event_context_type type;
	const char *name;   /* As "lttng add-context --type" has it. */
	const char *saved;  /* As a saved session has it. */
};

struct domain_profile {
	const char *name;      /* "user space" */
	const char *key;       /* As in the list of events: "ust" */
	const char *option;    /* Of the lttng command: "--userspace" */
	const char *channel;
	enum lttng_domain_type type;       /* Of the channel and its contexts. */
	enum lttng_domain_type events_in;  /* Of its events. */
	enum lttng_buffer_type buffers;
	struct context contexts[N_CONTEXTS];
};
extern const struct domain_profile domains[N_DOMAINS];

struct role {
	const char *name;
	/* Users whose processes are traced: each has its own user-space buffers. */
	unsigned users;
};
extern const struct role roles[];
extern const size_t n_roles;

/* NULL if there is no such role. */
const struct role *role_find(const char *name);

struct buffers {
	uint64_t subbuf_size;  /* Bytes, a power of 2. */
	uint64_t num_subbuf;   /* Of each CPU and, in user space, each user. */
};

/* What 'role' takes on a node of 'cpus' CPUs. */
struct buffers role_buffers(const struct role *role, enum domain domain, unsigned cpus);
/* The most that these buffers can take, in bytes. */
uint64_t role_memory(const struct role *role, enum domain domain, unsigned cpus);

/* Why an event may not be enabled, or NULL.  'name' may be a pattern with *: it
 * is refused if it matches a dangerous one.  'modules' is the version of
 * lttng-modules; NULL, as when it isn't known, counts as the worst. */
const char *event_refused(enum domain domain, const char *name, const char *modules);

#endif /* profile.h */
