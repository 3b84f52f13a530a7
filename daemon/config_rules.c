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
	{ .name = "rpc-queueing", .on = "span rpc.served", .when = "queued_ns > 1s", .subject = "service",
	  .count = 3, .within_s = 300, .severity = "warning",
	  .text = "{count} messages to {subject} waited for more than 1 s each within {within}: it has "
		  "too few workers, or they are stuck" },
	/* Nodes. */
	{ .name = "upcall-storm", .on = "span ovs.upcall_storm", .when = "open > 1s", .severity = "warning",
	  .text = "Open vSwitch on {host} sends up to {peak_per_s} packets a second to its slow path: "
		  "{upcalls} of {lookups} lookups missed the flow table" },
	{ .name = "noisy-neighbour", .on = "window cpu", .when = "neighbour_percent >= 20", .within_s = 30,
	  .severity = "warning",
	  .text = "VM {vm} on {host} waited for a CPU that other VMs had: a vCPU for {neighbour_percent} % "
		  "of 10 s, most for VM {neighbour}" },
	{ .name = "cpu-contention", .on = "window cpu", .when = "waiting_percent >= 20", .within_s = 30,
	  .severity = "warning",
	  .text = "VM {vm} on {host} waited for a CPU: a vCPU for {waiting_percent} % of 10 s, "
		  "most for {taker}" },
	{ .name = "slow-volume", .on = "window block",
	  .when = "top = true and requests >= 20 and latency_p90_ns > 100ms", .within_s = 60,
	  .severity = "warning",
	  .text = "Disk {name} of {host} is slow: 90 % of {requests} requests took up to {latency_p90_ns}, "
		  "the slowest {latency_max_ns}" },
	/* Requests as a whole. */
	{ .name = "request-failed", .on = "flow", .when = "status = error", .severity = "warning",
	  .hold_s = 900, .text = "{kind} {request_id} failed: {error.message}" },
	{ .name = "request-slow", .on = "flow", .when = "open > 300s", .severity = "warning",
	  .text = "{kind} {request_id} takes long: {duration} so far" },
	{ .name = NULL },
};
