/* SPDX-License-Identifier: MIT */
#include "daemon/deliver_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_SYSTEMD
#include <systemd/sd-journal.h>
#endif

#include "daemon/store.h"
#include "lib/clock.h"
#include "lib/util.h"

/* Of cloudtraced's alerts in the journal: journalctl MESSAGE_ID=... */
#define MESSAGE_ID "6c1d2f0e6f3b4b4c9b0d7c1f5e0f7a91"

static const char *
text_of(const json_t *alert, const char *name)
{
	const char *text = json_string_value(json_object_get(alert, name));

	return text ? text : "";
}

static uint64_t
ns_of(const json_t *alert, const char *name)
{
	json_int_t ns = json_integer_value(json_object_get(alert, name));

	return ns > 0 ? (uint64_t) ns : 0;
}

static bool
is_firing(const json_t *alert)
{
	return streq(text_of(alert, "state"), "firing");
}

static json_t *
time_json(uint64_t ns)
{
	char text[40];

	return json_string(format_time_utc(ns, text, sizeof text));
}

/* Labels are the alert's identity over there: nothing that changes is in them. */
static json_t *
labels_of(const json_t *alert)
{
	json_t *labels = json_object(), *value;
	const char *name;

	json_object_foreach(json_object_get(alert, "labels"), name, value)
		json_object_set(labels, name, value);
	json_object_set_new(labels, "alertname", store_string(text_of(alert, "rule")));
	json_object_set_new(labels, "severity", store_string(text_of(alert, "severity")));
	json_object_set_new(labels, "subject", store_string(text_of(alert, "subject")));
	json_object_set_new(labels, "id", store_string(text_of(alert, "id")));
	if (json_object_get(alert, "host"))
		json_object_set_new(labels, "host", store_string(text_of(alert, "host")));
	return labels;
}

/* The first of what was found out about its subject; "": nothing. */
static const char *
why_of(const json_t *alert)
{
	return text_of(json_array_get(json_object_get(alert, "findings"), 0), "text");
}

static json_t *
annotations_of(const json_t *alert)
{
	json_t *annotations = json_pack("{s:o}", "summary", store_string(text_of(alert, "text")));

	if (*why_of(alert))
		json_object_set_new(annotations, "why", store_string(why_of(alert)));
	return annotations;
}

static void
add_json(json_t *json, struct buf *out)
{
	char *text = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS);

	buf_add_string(out, text ? text : "null");
	free(text);
	json_decref(json);
}

void
payload_alertmanager(const json_t *alerts, uint64_t valid_ns, struct buf *out)
{
	json_t *list = json_array(), *alert;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) alerts, i, alert)
		/* What fires ends over there when we are not heard of any more. */
		json_array_append_new(list, json_pack(
			"{s:o, s:o, s:o, s:o}", "labels", labels_of(alert), "annotations",
			annotations_of(alert), "startsAt", time_json(ns_of(alert, "start_ns")),
			"endsAt", time_json(is_firing(alert) ? clock_wall_ns() + valid_ns :
					    ns_of(alert, "end_ns"))));
	add_json(list, out);
}

/* -- Webhook -------------------------------------------------------------- */

static json_t *
webhook_alert(const json_t *alert)
{
	bool firing = is_firing(alert);

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:s, s:s}", "status",
			 firing ? "firing" : "resolved", "labels", labels_of(alert), "annotations",
			 annotations_of(alert), "startsAt", time_json(ns_of(alert, "start_ns")), "endsAt",
			 firing ? json_string("0001-01-01T00:00:00Z") : time_json(ns_of(alert, "end_ns")),
			 "generatorURL", "", "fingerprint", text_of(alert, "id"));
}

/* What all have alike in 'member'. */
static json_t *
common(const json_t *alerts, const char *member)
{
	const json_t *first = json_object_get(json_array_get(alerts, 0), member), *alert;
	json_t *same = json_object(), *value;
	const char *name;
	size_t i;

	json_object_foreach((json_t *) (uintptr_t) first, name, value) {
		bool alike = true;

		json_array_foreach((json_t *) (uintptr_t) alerts, i, alert)
			alike &= json_equal(value, json_object_get(json_object_get(alert, member), name));
		if (alike)
			json_object_set(same, name, value);
	}
	return same;
}

void
payload_webhook(const json_t *alerts, const char *receiver, struct buf *out)
{
	json_t *list = json_array(), *alert;
	bool firing = false;
	const char *rule = text_of(json_array_get(alerts, 0), "rule");
	_cleanup_(freep) char *group = xasprintf("{}:{alertname=\"%s\"}", rule);
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) alerts, i, alert) {
		firing |= is_firing(alert);
		json_array_append_new(list, webhook_alert(alert));
	}
	add_json(json_pack("{s:s, s:s, s:i, s:s, s:s, s:{s:s}, s:o, s:o, s:s, s:o}", "version", "4",
			   "groupKey", group, "truncatedAlerts", 0, "status",
			   firing ? "firing" : "resolved", "receiver", receiver, "groupLabels",
			   "alertname", rule, "commonLabels", common(list, "labels"),
			   "commonAnnotations", common(list, "annotations"), "externalURL", "", "alerts",
			   list), out);
}

/* -- Journal -------------------------------------------------------------- */

#ifdef HAVE_SYSTEMD
int
payload_journal(const json_t *alert, struct error *error)
{
	const char *severity = text_of(alert, "severity");
	int priority = !is_firing(alert) ? 6 : streq(severity, "critical") ? 2 :
		       streq(severity, "warning") ? 4 : 5;
	int r = sd_journal_send(
		"MESSAGE_ID=" MESSAGE_ID, "PRIORITY=%d", priority, "MESSAGE=alert %s %s: %s",
		text_of(alert, "rule"), text_of(alert, "state"), text_of(alert, "text"),
		"CLOUDTRACE_ALERT=%s", text_of(alert, "id"), "CLOUDTRACE_RULE=%s", text_of(alert, "rule"),
		"CLOUDTRACE_STATE=%s", text_of(alert, "state"), "CLOUDTRACE_SEVERITY=%s", severity,
		"CLOUDTRACE_SUBJECT=%s", text_of(alert, "subject"), "CLOUDTRACE_WHY=%s", why_of(alert), NULL);

	return r < 0 ? error_set(error, -r, "the journal: %s", strerror(-r)) : 0;
}
#else
int
payload_journal(const json_t *alert, struct error *error)
{
	return error_set(error, ENOTSUP, "this cloudtraced was built without libsystemd");
}
#endif
