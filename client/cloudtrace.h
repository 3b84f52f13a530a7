/* SPDX-License-Identifier: MIT
 *
 * cloudtrace.h -- libcloudtrace: asks cloudtraced(8) from a C program.
 *
 *	struct cloudtrace_error error = { 0 };
 *	struct cloudtrace *daemon;
 *	json_t *list;
 *
 *	if (cloudtrace_connect(NULL, &daemon, &error) ||
 *	    cloudtrace_call(daemon, "migration.list", NULL, &list, &error))
 *		errx(1, "%s", error.text);
 *	... json_decref(list);
 *	cloudtrace_close(daemon);
 *
 * Methods and their results are in cloudtraced-protocol(7).  Values are those
 * of jansson.  A connection is used by one thread at a time. */
#ifndef CLOUDTRACE_H
#define CLOUDTRACE_H

#include <jansson.h>

#ifdef __cplusplus
extern "C" {
#endif

struct cloudtrace;

struct cloudtrace_error {
	int code;         /* An errno; EPROTO: the daemon refused, and 'kind' says how. */
	char kind[32];    /* "not-found", "invalid-params", ... or "". */
	char text[768];   /* For people. */
};

/* Connects and checks the greeting, in at most 10 s.  'address' is the path of
 * a Unix socket, HOST:PORT, store:FILE (runs cloudtraced to read that store), or
 * NULL: the local daemon's own socket, or its read-only one if that is denied.
 * Returns 0 or a negative errno with *error filled. */
int cloudtrace_connect(const char *address, struct cloudtrace **ret,
		       struct cloudtrace_error *error);
/* Files in PEM form. */
struct cloudtrace_tls {
	const char *certificate;  /* Yours and its chain; NULL: none. */
	const char *key;          /* Its key; NULL: it is in the same file. */
	const char *authority;    /* Who signed the daemon's; NULL: those of the system. */
};

/* The same over TLS, to HOST:PORT. */
int cloudtrace_connect_tls(const char *address, const struct cloudtrace_tls *tls,
			   struct cloudtrace **ret, struct cloudtrace_error *error);
/* Accepts NULL. */
void cloudtrace_close(struct cloudtrace *daemon);

/* Calls a method and waits up to 30 s for its result.  Takes over 'params', an
 * object or NULL.  '*ret_result' is a new reference.  Returns 0 or a negative
 * errno; after all but -EPROTO and -EINVAL the connection is of no more use. */
int cloudtrace_call(struct cloudtrace *daemon, const char *method, json_t *params,
		    json_t **ret_result, struct cloudtrace_error *error);

/* Asks for changes of "migration", "alert" or "node".  'filter' (taken over)
 * and 'since', the last cursor that is known, may be NULL.  '*ret_result' is as
 * the schema watch.json has it. */
int cloudtrace_watch(struct cloudtrace *daemon, const char *topic, json_t *filter,
		     const char *since, json_t **ret_result, struct cloudtrace_error *error);

/* Waits up to 'timeout_ms' (-1: for ever) for a notification ("update" or
 * "lost", a new reference).  Returns 1, 0 on timeout or a signal, or a negative
 * errno. */
int cloudtrace_next(struct cloudtrace *daemon, int timeout_ms, json_t **ret_notification,
		    struct cloudtrace_error *error);

/* For poll(2): readable when cloudtrace_next() may have something. */
int cloudtrace_fd(const struct cloudtrace *daemon);

#ifdef __cplusplus
}
#endif

#endif /* cloudtrace.h */
