/* SPDX-License-Identifier: MIT
 *
 * check.c -- "cloudtracectl check": one line and an exit code as Nagios,
 * Icinga and Zabbix want them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/ctl.h"

enum { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

/* '|' begins the performance data, so no text may hold it. */
static void
add_text(const struct ctl *ctl, const char *text, struct buf *out)
{
	size_t from = out->size;

	screen_add_text(&ctl->screen, text, out);
	for (; from < out->size; from++)
		if (out->data[from] == '|')
			out->data[from] = '/';
}

static void
add_reasons(const struct ctl *ctl, const json_t *reasons, struct buf *out)
{
	const char *separator = ": ";
	json_t *reason;
	size_t i;

	json_array_foreach(reasons, i, reason) {
		const char *text = json_text_at(reason, "text");
		const char *severity = json_text_at(reason, "severity");

		if (!text || !severity || streq(severity, "info"))
			continue;
		buf_add_string(out, separator);
		add_text(ctl, text, out);
		separator = "; ";
	}
}

static void
add_performance(const json_t *status, struct buf *out)
{
	size_t critical = 0;
	json_t *alert;
	size_t i;

	json_array_foreach(json_at(status, "firing"), i, alert) {
		const char *severity = json_text_at(alert, "severity");

		critical += severity && streq(severity, "critical");
	}
	buf_printf(out, " | in_flight=%zu firing=%zu critical=%zu",
		   json_array_size(json_at(status, "in_flight")),
		   json_array_size(json_at(status, "firing")), critical);
	buf_printf(out, " sources=%" PRIu64 " live=%" PRIu64 " lag=%.3fs events=%" PRIu64
		   "c lost=%" PRIu64 "c",
		   json_number_at(status, "input.sources"), json_number_at(status, "input.live"),
		   (double) json_number_at(status, "input.lag_ns") / 1e9,
		   json_number_at(status, "input.events"),
		   json_number_at(status, "input.lost_events"));
	buf_printf(out, " open=%" PRIu64 " failed=%" PRIu64 " slow=%" PRIu64,
		   json_number_at(status, "flows.open"), json_number_at(status, "flows.failed"),
		   json_number_at(status, "flows.slow"));
}

static int
check_of(const json_t *status)
{
	static const char *const states[] = { "ok", "warning", "critical" };
	const char *state = json_text_at(status, "health.state");

	for (int i = 0; state && i < (int) ARRAY_SIZE(states); i++)
		if (streq(state, states[i]))
			return i;
	return CHECK_UNKNOWN;
}

int
run_check(struct ctl *ctl, const struct command *command, char **args)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	struct cloudtrace_error error = { 0 };
	int result = CHECK_UNKNOWN;
	json_t *status;

	buf_add_string(&out, "CLOUDTRACE ");
	if (ctl_open(ctl, &error) ||
	    cloudtrace_call(ctl->daemon, "status", NULL, &status, &error)) {
		buf_printf(&out, "%s: ", words[result]);
		add_text(ctl, error.text, &out);
	} else {
		result = check_of(status);
		buf_add_string(&out, words[result]);
		if (result == CHECK_OK)
			buf_printf(&out, ": %zu migrations in flight",
				   json_array_size(json_at(status, "in_flight")));
		add_reasons(ctl, json_at(status, "health.reasons"), &out);
		add_performance(status, &out);
		json_decref(status);
	}
	buf_add_char(&out, '\n');
	return ctl_flush(&out) ? CHECK_UNKNOWN : result;
}
