/* SPDX-License-Identifier: MIT */
#include "instrumentation/session/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "instrumentation/session/keeper.h"
#include "instrumentation/session/plan.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"

struct report {
	const struct wanted *wanted;
	struct session_state session;
	int status;
	const char *state;
	int found, due;          /* Connections; -1: not known. */
	struct buf missing;
};

/* The port in sessiond's "... [data: PORT]". */
static uint16_t
data_port(const char *path)
{
	const char *at = strstr(path, "[data: ");

	return at ? (uint16_t) strtoul(at + strlen("[data: "), NULL, 10) : 0;
}

static void
judge(struct report *report)
{
	const struct session_state *session = &report->session;

	report->found = report->due = -1;
	report->status = STATUS_RECORDING;
	report->state = "recording";
	if (!session->there) {
		report->status = STATUS_NONE;
		report->state = "none";
		return;
	}
	if (connections_count(data_port(session->path), &report->found, &report->due) < 0)
		report->found = report->due = -1;
	if (!session->active || report->found < report->due) {
		report->status = STATUS_BROKEN;
		report->state = session->active ? "connection lost" : "stopped";
	}
}

/* Whether the kernel takes a probe only trying tells: by what the session has. */
static void
tell_no_probes(struct report *report)
{
	const struct event_list *list = &report->wanted->events;
	const struct domain_state *kernel = &report->session.domains[DOMAIN_KERNEL];

	for (size_t i = 0; kernel->has_channel && i < list->n; i++)
		if (list->items[i].symbol && event_wanted(&list->items[i], DOMAIN_KERNEL) &&
		    !state_find_event(kernel, &list->items[i]))
			tell_no_probe(list->items[i].name, list->items[i].symbol, &report->missing);
}

static uint64_t
memory_of(const struct report *report, enum domain d)
{
	const struct domain_state *state = &report->session.domains[d];

	return state->subbuf_size * state->num_subbuf * report->wanted->cpus *
		(domains[d].buffers == LTTNG_BUFFER_PER_UID ? report->wanted->role->users : 1);
}

static unsigned
enabled_events(const struct domain_state *state)
{
	unsigned n = 0;

	for (int i = 0; i < state->n_events; i++)
		n += state->events[i].enabled != 0;
	return n;
}

static void
print_text(const struct report *report)
{
	const struct session_state *session = &report->session;
	char text[32];

	printf("session     %s: %s\n", report->wanted->name, report->state);
	if (session->there)
		printf("relayd      %s, live timer %s\n", session->path,
		       format_duration(session->live_us * NS_PER_US, text, sizeof text));
	if (report->found >= 0)
		printf("connections %d of %d\n", report->found, report->due);
	for (enum domain d = 0; d < N_DOMAINS; d++) {
		const struct domain_state *state = &session->domains[d];

		if (!state->has_channel)
			continue;
		printf("%-11s %u of %zu events, %" PRIu64 " x %" PRIu64 "K a CPU, up to %s, "
		       "%" PRIu64 " events discarded, %" PRIu64 " packets lost\n", domains[d].name,
		       enabled_events(state), events_count(&report->wanted->events, d),
		       state->num_subbuf, state->subbuf_size / 1024,
		       format_bytes(memory_of(report, d), text, sizeof text), state->discarded,
		       state->lost_packets);
	}
	for (const char *at = report->missing.data; at && *at;) {
		const int length = (int) strcspn(at, "\n");

		printf("missing     %.*s\n", length, at);
		at += length + (at[length] == '\n');
	}
}

static void
add_string(struct buf *json, const char *key, const char *string, size_t length)
{
	buf_printf(json, "\"%s\":", key);
	buf_add_json_string(json, string, length);
}

static void
add_domain(struct buf *json, const struct report *report, enum domain d)
{
	const struct domain_state *state = &report->session.domains[d];
	bool first = true;

	add_string(json, "domain", domains[d].key, strlen(domains[d].key));
	buf_printf(json, ",\"subbuf_size\":%" PRIu64 ",\"num_subbuf\":%" PRIu64
		   ",\"memory_bytes\":%" PRIu64 ",\"discarded_events\":%" PRIu64
		   ",\"lost_packets\":%" PRIu64 ",\"events\":[", state->subbuf_size,
		   state->num_subbuf, memory_of(report, d), state->discarded, state->lost_packets);
	for (int i = 0; i < state->n_events; i++) {
		if (!state->events[i].enabled)
			continue;
		buf_add_string(json, first ? "" : ",");
		buf_add_json_string(json, state->events[i].name,
				    strnlen(state->events[i].name, LTTNG_SYMBOL_NAME_LEN));
		first = false;
	}
	buf_add_string(json, "]");
}

static void
print_json(const struct report *report)
{
	const struct session_state *session = &report->session;
	_cleanup_(buf_done) struct buf json = { 0 };
	const char *comma = "";

	buf_add_string(&json, "{");
	add_string(&json, "session", report->wanted->name, strlen(report->wanted->name));
	buf_add_string(&json, ",");
	add_string(&json, "state", report->state, strlen(report->state));
	buf_add_string(&json, ",");
	add_string(&json, "relayd", session->path, strlen(session->path));
	buf_printf(&json, ",\"live_timer_ns\":%" PRIu64, session->live_us * NS_PER_US);
	if (report->found >= 0)
		buf_printf(&json, ",\"connections\":{\"established\":%d,\"due\":%d}", report->found,
			   report->due);
	buf_add_string(&json, ",\"domains\":[");
	for (enum domain d = 0; d < N_DOMAINS; d++) {
		if (!session->domains[d].has_channel)
			continue;
		buf_printf(&json, "%s{", comma);
		add_domain(&json, report, d);
		buf_add_string(&json, "}");
		comma = ",";
	}
	buf_add_string(&json, "],\"missing\":[");
	comma = "";
	for (const char *at = report->missing.data; at && *at; comma = ",") {
		const size_t length = strcspn(at, "\n");

		buf_add_string(&json, comma);
		buf_add_json_string(&json, at, length);
		at += length + (at[length] == '\n');
	}
	buf_add_string(&json, "]}");
	puts(json.data);
}

int
status_print(struct wanted *wanted, bool json)
{
	struct report report = { .wanted = wanted };
	struct keeper keeper = { .wanted = wanted };
	struct error error = { 0 };

	if (!sessiond_is_there()) {
		log_error("no lttng-sessiond answers: start it, or run as root or as a member of "
			  "group \"tracing\"");
		return STATUS_UNKNOWN;
	}
	wanted->kernel = wanted->kernel == KERNEL_YES ? KERNEL_AUTO : wanted->kernel;
	if (keeper_look(&keeper, &error) < 0 ||
	    state_read(&report.session, wanted->name, &error) < 0) {
		log_error("%s", error.text);
		return error.code == ENOTCONN ? STATUS_UNKNOWN : STATUS_BROKEN;
	}
	judge(&report);
	keeper_missing(&keeper, &report.missing);
	tell_no_probes(&report);
	(json ? print_json : print_text)(&report);
	state_done(&report.session);
	buf_done(&report.missing);
	return report.status;
}

int
dry_run(struct wanted *wanted)
{
	struct session_state state = { 0 };
	struct keeper keeper = { .wanted = wanted };
	_cleanup_(buf_done) struct buf missing = { 0 };
	struct error error = { 0 };
	const char *lost = NULL;
	struct plan plan;
	int found, due;

	if (!sessiond_is_there())
		puts("# No lttng-sessiond answers: this is for a node with all tracers.\n"
		     "lttng-sessiond --daemonize");
	else if (keeper_look(&keeper, &error) < 0 || state_read(&state, wanted->name, &error) < 0) {
		log_error("%s", error.text);
		return EXIT_FAILURE;
	}
	keeper_missing(&keeper, &missing);
	for (char *at = missing.data; at && *at;) {
		const int length = (int) strcspn(at, "\n");

		printf("# %.*s\n", length, at);
		at += length + (at[length] == '\n');
	}
	if (state.there && connections_count(wanted->data_port, &found, &due) >= 0 && found < due)
		lost = "its connection to the relayd is gone";
	plan_make(&plan, wanted, &state, lost);
	if (plan.because)
		printf("# The session that is there has to go: %s.\n", plan.because);
	if (plan.n == 0)
		puts("# Nothing to do.");
	plan_print(&plan, wanted, stdout);
	plan_done(&plan);
	state_done(&state);
	return EXIT_SUCCESS;
}
