/* SPDX-License-Identifier: MIT
 *
 * os_marks.c -- what one line alone tells: which request called which, and what
 * went wrong. */
#include <string.h>

#include "analyzers/openstack.h"
#include "lib/util.h"

enum { DONE = FLOW_IDLE + 1, N_STATES };

static const struct state states[] = {
	[FLOW_IDLE] = { .name = "unknown" },
	[DONE]      = { .name = "told", .final = true },
};

/* -- Requests that call others ------------------------------------------------- */

static size_t
identify_child(char name[NAME_SIZE], unsigned event, const void *values)
{
	const struct text callee = line_field(values, F_CALLEE);
	const struct text caller = ((const struct line *) values)->request;

	(void) event;
	if (caller.size == callee.size && !memcmp(caller.s, callee.s, caller.size))
		return 0;
	return name_add(name, 0, &callee);
}

static void
tell_child(struct flow *flow, const struct step *step)
{
	const struct text callee = line_field(step->values, F_CALLEE);
	struct fact fact = { .type = FACT_LINK, .kind = "request.child", .start_ns = step->t_ns };
	struct notes notes = { 0 };

	text_copy(fact.key, sizeof fact.key, &callee);
	notes_line(&notes, step->values);
	fact.attributes = notes_json(&notes, false);
	step_tell(step, flow, &fact);
}

static const struct rule child_rules[] = {
	{ .on = "request:child", .in = IN(FLOW_IDLE), .to = DONE, .act = tell_child },
	{ 0 }
};

const struct analyzer os_child_analyzer = {
	.name = "request-child",
	.summary = "Which request made which other",
	.version = 1,
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER,
	.decoder = &log_decoder,
	.identify = identify_child,
	.max_flows = 16,
	.flow_size = sizeof(struct flow),
	.states = states,
	.n_states = N_STATES,
	.gone = DONE,
	.rules = child_rules,
};

/* -- Requests that OSprofiler traces ---------------------------------------------- */

enum { MAX_INFO = 384, UUID_SIZE = 36 };

/* Six bits of either alphabet of base64, or -1. */
static int
digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int) (at - digits) : c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

static size_t
decode(const struct text *text, char ret[MAX_INFO])
{
	unsigned bits = 0, n_bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < text->size && n < MAX_INFO; i++) {
		int six = digit(text->s[i]);

		if (six < 0)
			break;
		bits = (bits << 6 | (unsigned) six) & 0xffff;
		n_bits += 6;
		if (n_bits < 8)
			continue;
		n_bits -= 8;
		ret[n++] = (char) (bits >> n_bits & 0xff);
	}
	return n;
}

/* X-Trace-Info is base64 of {"base_id": UUID, "parent_id": UUID}. */
static bool
base_id(const struct text *info, char ret[UUID_SIZE + 1])
{
	static const char hex[] = "0123456789abcdef-";
	char bytes[MAX_INFO];
	size_t n = decode(info, bytes);
	json_t *object = json_loadb(bytes, n, 0, NULL);
	const json_t *value = json_object_get(object, "base_id");
	const char *id = json_string_value(value);
	bool good = id && json_string_length(value) == UUID_SIZE && strspn(id, hex) == UUID_SIZE &&
		strspn(id, "0-") < UUID_SIZE;

	if (good)
		memcpy(ret, id, UUID_SIZE + 1);
	json_decref(object);
	return good;
}

static size_t
identify_trace(char name[NAME_SIZE], unsigned event, const void *values)
{
	const struct text info = line_field(values, F_TRACE_INFO);
	char id[UUID_SIZE + 1];

	(void) event;
	if (!((const struct line *) values)->request.size || !base_id(&info, id))
		return 0;
	return name_add(name, 0, &((const struct line *) values)->request);
}

static void
tell_trace(struct flow *flow, const struct step *step)
{
	const struct line *line = step->values;
	const struct text info = line_field(line, F_TRACE_INFO);
	struct fact fact = { .type = FACT_LINK, .kind = "request.trace", .start_ns = step->t_ns };
	struct notes notes = { 0 };
	char id[UUID_SIZE + 1];

	if (!base_id(&info, id))
		return;
	text_copy(fact.key, sizeof fact.key, &line->request);
	notes_line(&notes, line);
	notes_set_string(&notes, F_TRACE, id);
	fact.attributes = notes_json(&notes, false);
	step_tell(step, flow, &fact);
}

static const struct rule trace_rules[] = {
	{ .on = "request:trace", .in = IN(FLOW_IDLE), .to = DONE, .act = tell_trace },
	{ 0 }
};

const struct analyzer os_trace_analyzer = {
	.name = "request-trace",
	.summary = "What OSprofiler knows a request by",
	.version = 1,
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER,
	.decoder = &log_decoder,
	.identify = identify_trace,
	.max_flows = 16,
	.flow_size = sizeof(struct flow),
	.states = states,
	.n_states = N_STATES,
	.gone = DONE,
	.rules = trace_rules,
};

/* -- Causes --------------------------------------------------------------------- */

/* Exceptions whose name is the cause. */
static const struct {
	const char *exception, *cause;
} causes[] = {
	{ "NoValidHost", "no-valid-host" },
	{ "NoValidHost_Remote", "no-valid-host" },
	{ "NoValidBackend", "no-backend" },
	{ "MaxRetriesExceeded", "no-valid-host" },
	{ "RescheduledException", "reschedule" },
	{ "BuildAbortException", "build-aborted" },
	{ "VirtualInterfaceCreateException", "vif-plug-timeout" },
	{ "VirtualInterfacePlugException", "vif-plug-failed" },
	{ "PortBindingFailed", "port-binding-failed" },
	{ "PortInUse", "port-in-use" },
	{ "ExternalNetworkAttachForbidden", "forbidden" },
	{ "Forbidden", "forbidden" },
	{ "OverQuota", "quota" },
	{ "QuotaError", "quota" },
	{ "QuotaExceeded", "quota" },
	{ "TooManyInstances", "quota" },
	{ "PortLimitExceeded", "quota" },
	{ "VolumeLimitExceeded", "quota" },
	{ "VolumeSizeExceedsAvailableQuota", "quota" },
	{ "ComputeResourcesUnavailable", "no-resources" },
	{ "InsufficientFreeMemory", "no-resources" },
	{ "ResizeError", "resize-failed" },
	{ "InstanceFaultRollback", "rolled-back" },
	{ "MigrationError", "migration-failed" },
	{ "MigrationPreCheckError", "migration-check-failed" },
	{ "MigrationPreCheckClientException", "migration-check-failed" },
	{ "LiveMigrationURINotAvailable", "migration-failed" },
	{ "InvalidSharedStorage", "migration-check-failed" },
	{ "InvalidLocalStorage", "migration-check-failed" },
	{ "InvalidCPUInfo", "cpu-incompatible" },
	{ "DestinationHypervisorTooOld", "migration-check-failed" },
	{ "ComputeServiceUnavailable", "service-down" },
	{ "ComputeHostNotFound", "service-down" },
	{ "ServiceUnavailable", "service-down" },
	{ "MessagingTimeout", "rpc-timeout" },
	{ "MessageDeliveryFailure", "rpc-failed" },
	{ "DeviceDetachFailed", "detach-failed" },
	{ "InvalidBDM", "block-device" },
	{ "VolumeNotCreated", "volume-not-created" },
	{ "VolumeAttachFailed", "attach-failed" },
	{ "ImageUnacceptable", "image" },
	{ "ImageNotFound", "image" },
	{ "ImageCopyFailure", "image" },
	{ "InstanceNotFound", "instance-gone" },
	{ "InstanceDeployFailure", "build-failed" },
	{ "libvirtError", "libvirt" },
	{ "ProcessExecutionError", "command-failed" },
	{ "DBConnectionError", "database" },
	{ "DBDeadlock", "database" },
	{ "DBError", "database" },
	{ "ConnectFailure", "unreachable" },
	{ "ConnectionRefused", "unreachable" },
	{ "DiscoveryFailure", "unreachable" },
	{ "NoHostForPort", "port-binding-failed" },
	{ "IpAddressGenerationFailure", "no-addresses" },
	{ "TimeoutException", "timeout" },
	{ "Timeout", "timeout" },
};

/* Words of a message that name the cause, where no exception does. */
static const struct {
	const char *words, *cause;
} wordings[] = {
	{ "No valid host was found", "no-valid-host" },
	{ "No valid backend was found", "no-backend" },
	{ "No valid service", "no-backend" },
	{ "No weighed backends", "no-backend" },
	{ "Quota exceeded", "quota" },
	{ "quota exceeded", "quota" },
	{ "exceeds allowed", "quota" },
	{ "Insufficient compute resources", "no-resources" },
	{ "canceled by client", "migration-aborted" },
	{ "cancelled by client", "migration-aborted" },
	{ "Exceeded maximum number of retries", "no-valid-host" },
	{ "Timed out waiting for a reply", "rpc-timeout" },
	{ "MessagingTimeout", "rpc-timeout" },
	{ "Binding failed for port", "port-binding-failed" },
	{ "Failed to allocate the network", "network-setup-failed" },
	{ "Unable to detach", "detach-failed" },
	{ "Device detach failed", "detach-failed" },
	{ "Connection to the hypervisor is broken", "libvirt" },
	{ "job 'migration out'", "migration-failed" },
	{ "Live Migration failure", "migration-failed" },
};

static const char *
cause_of(const struct text *exception, const struct text *message)
{
	struct text name = *exception;

	/* Those that came over RPC. */
	if (name.size > 7 && !memcmp(name.s + name.size - 7, "_Remote", 7))
		name.size -= 7;
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		if (text_is(&name, causes[i].exception))
			return causes[i].cause;
	for (size_t i = 0; i < ARRAY_SIZE(wordings); i++)
		if (memmem(message->s, message->size, wordings[i].words, strlen(wordings[i].words)))
			return wordings[i].cause;
	return "error";
}

static struct text
about(const struct line *line)
{
	struct text text = line->request;

	if (!text.size || line->flags & RID_WRONG)
		text = line_field(line, F_INSTANCE);
	if (!text.size)
		text = record_text(line->record, RECORD_INSTANCE);
	return text.size ? text : (struct text) { "-", 1 };
}

static size_t
identify_cause(char name[NAME_SIZE], unsigned event, const void *values)
{
	const struct text text = about(values);

	(void) event;
	return name_add(name, 0, &text);
}

static void
tell_cause(struct flow *flow, const struct step *step)
{
	const struct line *line = step->values;
	const struct text exception = line_exception(line), on = about(line);
	const struct text service = line_service(line), message = line_message(line);
	struct fact fact = { .type = FACT_MARK, .kind = "log.error", .start_ns = step->t_ns };
	struct notes notes = { 0 };

	snprintf(fact.key, sizeof fact.key, "%.*s/%.*s", (int) MIN(service.size, (size_t) 32), service.s,
		 (int) MIN(on.size, (size_t) 48), on.s);
	if (line->name.size && line->pattern)
		notes_set(&notes, F_CAUSE, line->name);
	else
		notes_set_string(&notes, F_CAUSE, cause_of(&exception, &message));
	notes_set(&notes, F_EXCEPTION, exception);
	notes_set(&notes, F_LOGGER, line->logger);
	notes_line(&notes, line);
	notes_set(&notes, F_MESSAGE, message);
	fact.attributes = notes_json(&notes, false);
	step_tell(step, flow, &fact);
}

static const struct rule cause_rules[] = {
	{ .on = "log:cause", .in = IN(FLOW_IDLE), .to = DONE, .act = tell_cause },
	{ 0 }
};

const struct analyzer os_cause_analyzer = {
	.name = "log-error",
	.summary = "What went wrong, by the lines that say so",
	.version = 1,
	.roles = ROLE_COMPUTE | ROLE_NETWORK | ROLE_STORAGE | ROLE_CONTROLLER,
	.decoder = &log_decoder,
	.identify = identify_cause,
	.max_flows = 16,
	.flow_size = sizeof(struct flow),
	.states = states,
	.n_states = N_STATES,
	.gone = DONE,
	.rules = cause_rules,
};
