/* SPDX-License-Identifier: MIT
 *
 * events.h -- the list of events to record.  It has one home, the analyzers'
 * tables: it is read from "cloudtraced --print-events ROLE", or from a file
 * that holds what that printed. */
#ifndef SESSION_EVENTS_H
#define SESSION_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "instrumentation/session/profile.h"
#include "lib/error.h"

struct wanted_event {
	enum domain domain;
	enum lttng_event_type type;
	char *name;           /* As the list has it. */
	const char *enable;   /* As LTTng enables it: a system call's own name, Python's "*". */
	char *symbol;         /* Function of the kernel, of a probe; else NULL. */
	const char *refused;  /* Why it won't be enabled, or NULL. */
	bool missing;         /* This kernel's tracer doesn't have it. */
};

struct event_list {
	struct wanted_event *items;
	size_t n;
	char *source;  /* Where it came from, for a person. */
};

/* Reads the list of 'role': from 'path' ("-": standard input), or with NULL
 * from cloudtraced, or from the list that was installed with this program.
 * 0, or negative with 'error' filled. */
int events_read(struct event_list *list, const char *role, const char *path, struct error *error);
/* Reads a list from text.  # begins a comment; a line is one of
 *
 *	ust NAME                     tracepoint of a program, "provider:event"; what
 *	                             services in Python log is "lttng_python:event"
 *	kernel NAME                  tracepoint of the kernel as LTTng calls it, or a
 *	                             system call: syscall_entry_X, syscall_exit_X, which
 *	                             LTTng only has together
 *	kernel-probe NAME SYMBOL     kprobe: event NAME when the function SYMBOL begins
 *	kernel-function NAME SYMBOL  kretprobe: events NAME_entry and NAME_exit
 *
 * The first two may be patterns with *.  What is there twice counts once; of two
 * probes with one NAME, the first.  0, or -EINVAL or -E2BIG with 'error' filled. */
int events_parse(struct event_list *list, char *text, struct error *error);
void events_done(struct event_list *list);
/* Takes all events of a domain out. */
void events_drop(struct event_list *list, enum domain domain);
/* How many of a domain are to be enabled. */
size_t events_count(const struct event_list *list, enum domain domain);

/* Whether the event is to be enabled in 'domain'. */
static inline bool
event_wanted(const struct wanted_event *event, enum domain domain)
{
	return event->domain == domain && !event->refused && !event->missing;
}

#endif /* events.h */
