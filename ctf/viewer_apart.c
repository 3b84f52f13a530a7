/* SPDX-License-Identifier: MIT
 *
 * Each session has a connection of its own.
 *
 * relayd (seen in 2.13.9, live.c) keeps one "current trace chunk" for each
 * connection and tells chunks apart by their number alone, which counts anew in
 * each session.  With two sessions on one connection, a stream that appears
 * after ATTACH_SESSION is therefore opened in the folder of whichever session
 * was served last: one node's trace comes under the other's name, or relayd
 * announces metadata that it then does not send.
 *
 * The root viewer lists the sessions; for each one that the owner wants it
 * makes another viewer, which is the same machine with this one session, that
 * lists nothing and does not connect again by itself. */
#include "ctf/viewer_private.h"

#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

void
viewer_apart_start(struct viewer_session *session)
{
	struct viewer *viewer = viewer_open_apart(session->viewer);
	struct viewer_wire_session wire = {
		.id = session->id,
		.live_timer_us = session->live_timer_us,
		.hostname = session->hostname,
		.name = session->name,
		.hostname_length = strlen(session->hostname),
		.name_length = strlen(session->name),
	};
	struct viewer_session *own;

	session->phase = SESSION_APART;
	session->apart = viewer;
	own = viewer_session_new(viewer, &wire);
	own->listed = true;
	own->phase = SESSION_WAITING;
	own->due = viewer->now;
}

/* The list says whether it is still there. */
void
viewer_apart_listed(struct viewer_session *session)
{
	struct viewer_session *own = session->apart ? session->apart->sessions : NULL;

	if (!own)
		return;
	own->listed = session->listed;
	if (own->listed)
		return;
	if (own->phase == SESSION_WAITING)
		viewer_session_end(own, VIEWER_SESSION_GONE, "the session was destroyed");
	viewer_session_reap(own);
}

void
viewer_apart_ended(struct viewer_session *session, enum viewer_session_state state)
{
	session->viewer->attached = session->phase == SESSION_ATTACHED;
	session->viewer->gone = state == VIEWER_SESSION_GONE;
}

void
viewer_apart_reaped(struct viewer *viewer)
{
	if (viewer->root == viewer || viewer->sessions)
		return;
	viewer->over = true;
	viewer_wake(viewer->root);
}

void
viewer_apart_run(struct viewer_session *session)
{
	struct viewer *apart = session->apart, *viewer = session->viewer;
	bool gone;

	if (!apart || !apart->over)
		return;
	gone = apart->gone;
	if (apart->link_since &&
	    viewer->now - apart->link_since >= viewer->options.backoff_max_ns)
		session->backoff_ns = viewer->options.backoff_min_ns;
	if (!apart->attached && !gone)
		viewer_session_tell(session, VIEWER_SESSION_LOST, apart->told_text);
	session->apart = NULL;
	viewer_free(apart);
	session->phase = gone ? SESSION_ENDED : SESSION_WAITING;
	if (!gone)
		session->due = viewer->now + viewer_backoff(viewer, &session->backoff_ns);
}

void
viewer_apart_stop(struct viewer_session *session, const char *why)
{
	if (!session->apart)
		return;
	viewer_stop(session->apart, why);
	viewer_free(session->apart);
	session->apart = NULL;
}
