/* SPDX-License-Identifier: MIT */
#include "instrumentation/session/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lttng/save.h>

#include "lib/util.h"

static const struct {
	int code, as;
	const char *advice;
} advices[] = {
	{ LTTNG_ERR_NO_SESSIOND, ENOTCONN, "start lttng-sessiond, or use --spawn-sessiond" },
	{ LTTNG_ERR_CONNECT_FAIL, ENOTCONN, "start lttng-sessiond, or use --spawn-sessiond" },
	{ LTTNG_ERR_NO_USTCONSUMERD, EIO, "lttng-consumerd died: restart lttng-sessiond" },
	{ LTTNG_ERR_NO_KERNCONSUMERD, EIO, "lttng-consumerd died: restart lttng-sessiond" },
	{ LTTNG_ERR_RELAYD_CONNECT_FAIL, EHOSTUNREACH, "is lttng-relayd running there?" },
	{ LTTNG_ERR_RELAYD_VERSION_FAIL, EHOSTUNREACH,
	  "lttng-relayd there is older than LTTng here: upgrade it" },
	{ LTTNG_ERR_EPERM, EIO, "run as root or as a member of group \"tracing\"" },
};

int
lttng_failed(struct error *error, int code, const char *what)
{
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++)
		if (advices[i].code == -code)
			return error_set(error, advices[i].as, "%s: %s: %s", what,
					 lttng_strerror(code), advices[i].advice);
	return error_set(error, EIO, "%s: %s", what, lttng_strerror(code));
}

bool
sessiond_is_there(void)
{
	return lttng_session_daemon_alive() == 1;
}

bool
sessiond_is_roots(void)
{
	return access("/var/run/lttng/client-lttng-sessiond", W_OK) == 0;
}

pid_t
sessiond_pid(void)
{
	const char *home = getenv("LTTNG_HOME") ? getenv("LTTNG_HOME") : getenv("HOME");
	_cleanup_(freep) char *path =
		sessiond_is_roots() ? xstrdup("/var/run/lttng/lttng-sessiond.pid")
				    : xasprintf("%s/.lttng/lttng-sessiond.pid", home ? home : "");
	FILE *file = fopen(path, "re");
	int pid = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%d", &pid) != 1 || pid < 0)
		pid = 0;
	fclose(file);
	return pid;
}

/* -- Contexts ------------------------------------------------------------ */

/* Everything of a small file, to be freed; NULL when it can't be read. */
static char *
slurp(const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum { LIMIT = 4 << 20 };
	struct stat info;
	char *text;
	ssize_t n;

	if (fd < 0 || fstat(fd, &info) < 0 || info.st_size > LIMIT)
		return NULL;
	text = xmalloc((size_t) info.st_size + 1);
	n = read(fd, text, (size_t) info.st_size);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* The library lists no contexts: a saved session has them.  A channel's are
 * the <context> elements up to its end. */
static void
find_contexts(struct domain_state *state, const struct domain_profile *profile, const char *text)
{
	_cleanup_(freep) char *start = xasprintf("<name>%s</name>", profile->channel);
	const char *at = strstr(text, start), *end = at ? strstr(at, "</channel>") : NULL;

	if (!end)
		return;
	state->contexts_known = true;
	while ((at = strstr(at, "<context>")) && at < end) {
		at += strlen("<context>");
		at += strspn(at, " \t\n");
		for (unsigned i = 0; i < N_CONTEXTS; i++) {
			_cleanup_(freep) char *type = xasprintf("<type>%s</type>",
								profile->contexts[i].saved);

			if (starts_with(at, type))
				state->contexts |= 1U << i;
		}
	}
}

static void
read_contexts(struct session_state *state, const char *name)
{
	char dir[] = "/tmp/cloudtrace-session.XXXXXX";
	struct lttng_save_session_attr *attr = lttng_save_session_attr_create();
	_cleanup_(freep) char *url = NULL, *path = NULL, *text = NULL;

	if (!attr || !mkdtemp(dir)) {
		lttng_save_session_attr_destroy(attr);
		return;
	}
	url = xasprintf("file://%s", dir);
	path = xasprintf("%s/%s.lttng", dir, name);
	if (lttng_save_session_attr_set_session_name(attr, name) == 0 &&
	    lttng_save_session_attr_set_output_url(attr, url) == 0 && lttng_save_session(attr) == 0)
		text = slurp(path);
	for (unsigned i = 0; text && i < N_DOMAINS; i++)
		find_contexts(&state->domains[i], &domains[i], text);
	unlink(path);
	rmdir(dir);
	lttng_save_session_attr_destroy(attr);
}

/* -- Sessions ------------------------------------------------------------ */

static void
read_channel(struct session_state *state, enum lttng_domain_type type,
	     struct lttng_channel *channel)
{
	struct domain_state *d = NULL;

	for (unsigned i = 0; i < N_DOMAINS && !d; i++)
		if (domains[i].type == type && streq(domains[i].channel, channel->name))
			d = &state->domains[i];
	if (!d) {
		state->strange++;
		return;
	}
	d->has_channel = true;
	d->enabled = channel->enabled;
	d->overwrite = channel->attr.overwrite == 1;
	d->subbuf_size = channel->attr.subbuf_size;
	d->num_subbuf = channel->attr.num_subbuf;
	lttng_channel_get_discarded_event_count(channel, &d->discarded);
	lttng_channel_get_lost_packet_count(channel, &d->lost_packets);
}

static int
read_channels(struct session_state *state, const char *name, const struct lttng_domain *domain,
	      struct error *error)
{
	struct lttng_domain copy = *domain;
	struct lttng_handle *handle = lttng_create_handle(name, &copy);
	struct lttng_channel *channels = NULL;
	const int n = handle ? lttng_list_channels(handle, &channels) : -LTTNG_ERR_NOMEM;

	for (int i = 0; i < n; i++)
		read_channel(state, domain->type, &channels[i]);
	for (unsigned i = 0; i < N_DOMAINS; i++)
		if (domains[i].type == domain->type)
			state->domains[i].per_user = domain->buf_type == domains[i].buffers;
	free(channels);
	lttng_destroy_handle(handle);
	/* A domain without a channel is an error to some versions. */
	if (n < 0 && n != -LTTNG_ERR_UST_CHAN_NOT_FOUND && n != -LTTNG_ERR_KERN_CHAN_NOT_FOUND)
		return lttng_failed(error, n, "can't list channels");
	return 0;
}

static int
read_events(struct session_state *state, const char *name, enum domain domain, struct error *error)
{
	struct domain_state *d = &state->domains[domain];
	struct lttng_domain lttng_domain = {
		.type = domains[domain].events_in, .buf_type = domains[domain].buffers,
	};
	struct lttng_handle *handle = lttng_create_handle(name, &lttng_domain);

	d->n_events = handle ? lttng_list_events(handle, domains[domain].channel, &d->events) :
		-LTTNG_ERR_NOMEM;
	lttng_destroy_handle(handle);
	/* Where nothing of Python was enabled there is no such domain. */
	if (d->n_events < 0 && domain == DOMAIN_PYTHON)
		d->n_events = 0;
	return d->n_events < 0 ? lttng_failed(error, d->n_events, "can't list events") : 0;
}

static int
read_session(struct session_state *state, const struct lttng_session *session, struct error *error)
{
	struct lttng_domain *list = NULL;
	int n, r = 0;

	state->there = true;
	state->active = session->enabled;
	state->live_us = session->live_timer_interval;
	snprintf(state->path, sizeof state->path, "%s", session->path);
	n = lttng_list_domains(session->name, &list);
	for (int i = 0; i < n && r >= 0; i++)
		if (list[i].type == LTTNG_DOMAIN_UST || list[i].type == LTTNG_DOMAIN_KERNEL)
			r = read_channels(state, session->name, &list[i], error);
	for (enum domain d = 0; d < N_DOMAINS && r >= 0; d++)
		if (state->domains[d].has_channel)
			r = read_events(state, session->name, d, error);
	free(list);
	if (n < 0)
		return lttng_failed(error, n, "can't list domains");
	if (r >= 0)
		read_contexts(state, session->name);
	return r;
}

int
state_read(struct session_state *state, const char *name, struct error *error)
{
	struct lttng_session *sessions = NULL;
	const int n = lttng_list_sessions(&sessions);
	int r = 0;

	memset(state, 0, sizeof *state);
	if (n < 0)
		return lttng_failed(error, n, "can't list sessions");
	for (int i = 0; i < n && r >= 0; i++)
		if (streq(sessions[i].name, name))
			r = read_session(state, &sessions[i], error);
	free(sessions);
	if (r < 0)
		state_done(state);
	return r;
}

void
state_done(struct session_state *state)
{
	for (unsigned i = 0; i < N_DOMAINS; i++)
		free(state->domains[i].events);
	memset(state, 0, sizeof *state);
}

const struct lttng_event *
state_find_event(const struct domain_state *state, const struct wanted_event *event)
{
	for (int i = 0; i < state->n_events; i++)
		if (state->events[i].type == event->type &&
		    streq(state->events[i].name, event->enable))
			return &state->events[i];
	return NULL;
}

int
sessions_connections(uint16_t data_port)
{
	_cleanup_(freep) char *port = xasprintf("[data: %u]", data_port);
	struct lttng_session *sessions = NULL;
	const int n = lttng_list_sessions(&sessions);
	int sum = n < 0 ? n : 0;

	for (int i = 0; i < n; i++) {
		struct lttng_domain *list = NULL;
		const int here = strstr(sessions[i].path, port) ?
			lttng_list_domains(sessions[i].name, &list) : 0;

		for (int j = 0; j < here; j++)
			sum += list[j].type == LTTNG_DOMAIN_UST ||
			       list[j].type == LTTNG_DOMAIN_KERNEL;
		free(list);
	}
	free(sessions);
	return sum;
}
