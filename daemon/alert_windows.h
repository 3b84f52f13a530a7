/* SPDX-License-Identifier: MIT
 *
 * alert_windows.h -- what alert rules judge of windows: the figures of each VM and
 * each disk over spans of 10 s of a node's time.
 *
 * A span is judged when it is over, that is when a window begins behind it, and
 * again when one of its windows changes.  So what is found follows from the
 * windows in the store, whatever the order in which they came. */
#ifndef DAEMON_ALERT_WINDOWS_H
#define DAEMON_ALERT_WINDOWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "analyzers/facts.h"
#include "daemon/store.h"
#include "lib/clock.h"
#include "lib/error.h"

#define ALERT_SPAN_NS (10 * NS_PER_S)

enum { ALERT_SPAN_ID_SIZE = 320 };

/* A span of a host that is to be judged. */
struct alert_span {
	const char *host, *kind;
	uint64_t from_ns;
};

struct alert_windows;

struct alert_windows *alert_windows_new(void);
/* Accepts NULL. */
void alert_windows_free(struct alert_windows *windows);
/* Whether windows of this kind can be judged: "cpu" gives VMs, "block" disks. */
bool alert_windows_kind(const char *kind);
/* A window was put; its span, or that before it, may have to be judged. */
int alert_windows_fact(struct alert_windows *windows, struct store *store, const struct fact *fact,
		       struct error *error);
/* Has the span that ends at 'to_ns' judged again. */
void alert_windows_touch(struct alert_windows *windows, const char *host, const char *kind,
			 uint64_t to_ns);
/* All spans that windows in the store touch. */
int alert_windows_all(struct alert_windows *windows, struct store *store, struct error *error);
/* Gives each span that is over and is to be judged, and forgets them. */
int alert_windows_settle(struct alert_windows *windows, struct store *store,
			 int (*judge)(void *context, struct store *store,
				      const struct alert_span *span, struct error *error),
			 void *context, struct error *error);
/* The name of a span, to keep what was found in it by. */
void alert_span_id(const struct alert_span *span, char ret[ALERT_SPAN_ID_SIZE]);
/* The VMs ("subject" is HOST/PID) or disks (HOST/MAJOR:MINOR) with their figures
 * (cloudtraced.conf(5)), by subject; NULL: it can't be read. */
json_t *alert_span_objects(struct store *store, const struct alert_span *span, struct error *error);
/* One of them with its names, for texts; NULL: it is not there. */
json_t *alert_span_object(struct store *store, const struct alert_span *span, const char *subject);
/* Which subject an entity or a link tells more of, and of which kind; or NULL. */
const char *alert_windows_named(const struct fact *fact, char *ret_subject, size_t size);

#endif /* alert_windows.h */
