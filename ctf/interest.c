/* SPDX-License-Identifier: MIT
 *
 * interest.c -- the wanted events and fields, by name.  Used when an event
 * class appears, never per event. */
#include "ctf/event.h"

#include <errno.h>
#include <stdlib.h>

#include <uthash.h>

#include "lib/util.h"

struct wanted_field {
	enum ctf_scope scope;
	char *name;
};

struct wanted_event {
	char *name;              /* Key. */
	unsigned index;
	unsigned n_fields;
	struct wanted_field fields[CTF_MAX_SLOTS];
	UT_hash_handle hh;
};

struct ctf_interest {
	struct wanted_event *by_name;
	struct wanted_event **events;  /* By index. */
	unsigned n_events;
};

struct ctf_interest *
ctf_interest_new(void)
{
	return xcalloc(1, sizeof (struct ctf_interest));
}

void
ctf_interest_free(struct ctf_interest *interest)
{
	if (!interest)
		return;
	HASH_CLEAR(hh, interest->by_name);
	for (unsigned i = 0; i < interest->n_events; i++) {
		struct wanted_event *event = interest->events[i];

		for (unsigned k = 0; k < event->n_fields; k++)
			free(event->fields[k].name);
		free(event->name);
		free(event);
	}
	free(interest->events);
	free(interest);
}

int
ctf_interest_find(const struct ctf_interest *interest, const char *name)
{
	struct wanted_event *event;

	HASH_FIND_STR(interest->by_name, name, event);
	return event ? (int) event->index : -1;
}

unsigned
ctf_interest_event(struct ctf_interest *interest, const char *name)
{
	int found = ctf_interest_find(interest, name);
	struct wanted_event *event;

	if (found >= 0)
		return (unsigned) found;
	event = xcalloc(1, sizeof *event);
	event->name = xstrdup(name);
	event->index = interest->n_events;
	interest->events = xrealloc(interest->events,
				    (interest->n_events + 1) * sizeof *interest->events);
	interest->events[interest->n_events++] = event;
	HASH_ADD_KEYPTR(hh, interest->by_name, event->name, strlen(event->name), event);
	return event->index;
}

int
ctf_interest_field(struct ctf_interest *interest, unsigned event_index, enum ctf_scope scope,
		   const char *name)
{
	struct wanted_event *event = interest->events[event_index];

	for (unsigned i = 0; i < event->n_fields; i++)
		if (event->fields[i].scope == scope && streq(event->fields[i].name, name))
			return (int) i;
	if (event->n_fields == CTF_MAX_SLOTS)
		return -E2BIG;
	event->fields[event->n_fields] = (struct wanted_field) { scope, xstrdup(name) };
	return (int) event->n_fields++;
}

unsigned
ctf_interest_n_events(const struct ctf_interest *interest)
{
	return interest->n_events;
}

const char *
ctf_interest_event_name(const struct ctf_interest *interest, unsigned event)
{
	return interest->events[event]->name;
}

unsigned
ctf_interest_n_fields(const struct ctf_interest *interest, unsigned event)
{
	return interest->events[event]->n_fields;
}

const char *
ctf_interest_field_name(const struct ctf_interest *interest, unsigned event, unsigned slot,
			enum ctf_scope *ret_scope)
{
	const struct wanted_field *field = &interest->events[event]->fields[slot];

	if (ret_scope)
		*ret_scope = field->scope;
	return field->name;
}
