/* SPDX-License-Identifier: MIT
 *
 * config_rules.c -- the alert rules that are there without any configuration. */
#include "daemon/config_sections.h"

const struct config_default_rule config_default_rules[] = {
	/* Their texts come from alerts.c, which knows migrations. */
	{ .name = "migration-stalled", .on = "span migration.stall", .severity = "critical",
	  .builtin = true },
	{ .name = "migration-not-converging", .on = "span migration.not-converging", .severity = "warning",
	  .builtin = true },
	{ .name = "migration-failed", .on = "migration", .when = "status = failed", .severity = "critical",
	  .hold_s = 3600, .builtin = true },
	{ .name = "source-lost", .on = "source", .when = "state = lost|gone|busy|silent",
	  .severity = "critical", .builtin = true },
	/* What comes in. */
	{ .name = "source-silent", .on = "source", .when = "state = silent|lost", .severity = "warning",
	  .text = "Session {session} of {host} at {relayd} is {state}" },
	{ .name = "source-lossy", .on = "source", .when = "lost_now > 0", .severity = "warning",
	  .text = "Session {session} of {host} at {relayd} lost {lost_now} events: give it larger buffers" },
	/* Services. */
	{ .name = "api-errors", .on = "span api.request", .when = "status = error and http_status >= 500",
	  .subject = "service", .count = 5, .within_s = 300, .severity = "critical",
	  .text = "{subject} answered {count} requests within {within} with a server error" },
	{ .name = "api-slow", .on = "span api.request", .when = "duration > 10s", .subject = "service",
	  .count = 5, .within_s = 300, .severity = "warning",
	  .text = "{subject} took more than 10 s for {count} requests within {within}" },
	{ .name = "rpc-unanswered", .on = "span rpc.call", .when = "what = call and status = unanswered",
	  .subject = "topic", .count = 3, .within_s = 300, .severity = "critical",
	  .text = "{count} RPC calls to {subject} got no answer within {within}" },
	{ .name = "vif-plug-timeout", .on = "mark log.error", .when = "cause = vif-plug-timeout",
	  .severity = "critical", .text = "Neutron did not plug a port of VM {instance} in time on {host}" },
	{ .name = "no-valid-host", .on = "mark log.error", .when = "cause = no-valid-host",
	  .severity = "warning", .text = "No host was found for VM {instance}: {message}" },
	/* Requests as a whole. */
	{ .name = "request-failed", .on = "flow", .when = "status = error", .severity = "warning",
	  .hold_s = 900, .text = "{kind} {request_id} failed: {error.message}" },
	{ .name = "request-slow", .on = "flow", .when = "open > 300s", .severity = "warning",
	  .text = "{kind} {request_id} takes long: {duration} so far" },
	{ .name = NULL },
};
