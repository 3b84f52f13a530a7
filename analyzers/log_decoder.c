/* SPDX-License-Identifier: MIT
 *
 * log_decoder.c -- lttng_python:event, in which each record of Python's logging
 * comes, as derived events.  The logger's name stands outside of the JSON: what
 * nobody wants is left there. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/openstack.h"
#include "lib/util.h"

const char *const log_event_names[N_LOG_EVENTS] = {
	[LOG_NOTHING] = "log:nothing",
	[LOG_RECORD] = "log:record",
	[LOG_GUEST_XML] = "log:guest_xml",
	[LOG_API_BEGIN] = "api:begin",
	[LOG_API_DETAIL] = "api:detail",
	[LOG_API_ANSWER] = "api:answer",
	[LOG_API_END] = "api:end",
	[LOG_RPC_CALL] = "rpc:call",
	[LOG_RPC_CAST] = "rpc:cast",
	[LOG_RPC_RECEIVED] = "rpc:received",
	[LOG_RPC_RECEIVED_CAST] = "rpc:received_cast",
	[LOG_RPC_REPLY] = "rpc:reply",
	[LOG_RPC_GOT_REPLY] = "rpc:got_reply",
	[LOG_CHILD] = "request:child",
	[LOG_TRACE] = "request:trace",
	[LOG_NOVA_BEGIN] = "nova:begin",
	[LOG_NOVA_END] = "nova:end",
	[LOG_NOVA_FAIL] = "nova:fail",
	[LOG_NOVA_TOOK] = "nova:took",
	[LOG_NOVA_NOTE] = "nova:note",
	[LOG_NEUTRON_BEGIN] = "neutron:begin",
	[LOG_NEUTRON_END] = "neutron:end",
	[LOG_NEUTRON_FAIL] = "neutron:fail",
	[LOG_NEUTRON_TOOK] = "neutron:took",
	[LOG_NEUTRON_NOTE] = "neutron:note",
	[LOG_CINDER_BEGIN] = "cinder:begin",
	[LOG_CINDER_END] = "cinder:end",
	[LOG_CINDER_FAIL] = "cinder:fail",
	[LOG_CINDER_TOOK] = "cinder:took",
	[LOG_CINDER_NOTE] = "cinder:note",
	[LOG_INSTANCE] = "nova:instance",
	[LOG_PORT] = "neutron:port",
	[LOG_VOLUME] = "cinder:volume",
	[LOG_VM_PORT] = "vm:port",
	[LOG_VM_VOLUME] = "vm:volume",
	[LOG_MIGRATION] = "nova:migration",
	[LOG_CAUSE] = "log:cause",
	[LOG_SERVICE_BEGAN] = "service:began",
	[LOG_SERVICE_DONE] = "service:done",
	[LOG_ALIVE] = "service:alive",
	[LOG_UNKNOWN] = "log:unknown",
};

struct values {
	struct text msg, logger, procname;
	uint64_t level, thread, vpid;
};
static const struct field fields[] = {
	FIELD(TEXT, struct values, msg, "msg"),
	FIELD(TEXT, struct values, logger, "logger_name"),
	FIELD(U64, struct values, level, "int_loglevel", .optional = true),
	FIELD(U64, struct values, thread, "thread", .optional = true),
	FIELD(TEXT, struct values, procname, "procname", .scope = CTF_EVENT_CONTEXT, .optional = true),
	FIELD(U64, struct values, vpid, "vpid", .scope = CTF_EVENT_CONTEXT, .optional = true),
	{ 0 }
};

enum { LEVEL_ERROR = 40 };

struct decoding {
	struct matcher *matcher;
	struct scratch scratch;
	struct record record;
	struct line line;
	char thread[24];
};

static void *
start(void)
{
	struct decoding *state = xcalloc(1, sizeof *state);

	state->matcher = matcher_new();
	return state;
}

static void
stop(void *state)
{
	matcher_free(((struct decoding *) state)->matcher);
	free(state);
}

/* Steps of libraries are those of the service that uses them. */
static enum log_event
of_family(enum log_event event, const struct line *line)
{
	static const struct {
		const char *service;
		enum log_event first;
	} families[] = {
		{ "nova", LOG_NOVA_BEGIN }, { "neutron", LOG_NEUTRON_BEGIN },
		{ "cinder", LOG_CINDER_BEGIN },
	};
	const struct text service = line_service(line);

	if (event < LOG_NOVA_BEGIN || event > LOG_CINDER_NOTE)
		return event;
	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (text_begins(&service, families[i].service))
			return families[i].first + (event - LOG_NOVA_BEGIN) %
				(LOG_NEUTRON_BEGIN - LOG_NOVA_BEGIN);
	return event;
}

static void
give(void *context, enum log_event event, const struct line *line)
{
	if (event == LOG_GUEST_XML)
		guest_disks((struct line *) (uintptr_t) line, give, context);
	else
		step_derive(context, &log_decoder, of_family(event, line), line);
}

/* What the record itself does not say is known of its process. */
static void
fill_in(struct decoding *state, const struct values *values)
{
	struct record *record = &state->record;

	if (!record_has(record, RECORD_SERVICE) && values->procname.size)
		record->texts[RECORD_SERVICE] = values->procname;
	if (!record->pid)
		record->pid = values->vpid;
	if (!record_has(record, RECORD_THREAD) && values->thread) {
		const int n = snprintf(state->thread, sizeof state->thread, "%" PRIu64,
				       values->thread);

		record->texts[RECORD_THREAD] = (struct text) { state->thread, (size_t) n };
	}
	state->line.record = record;
	state->line.logger = values->logger;
	state->line.request = record_text(record, RECORD_REQUEST_ID);
	state->line.replaced = false;
}

/* A line that no pattern knows: told when it is an error, counted otherwise. */
static void
give_other(struct decoding *state, const struct step *step, bool watched)
{
	const struct values *values = step->values;
	struct line *line = &state->line;

	memset(line->fields, 0, sizeof line->fields);
	line->pattern = NULL;
	line->flags = 0;
	line->subject = F_NONE;
	line->name = (struct text) { "", 0 };
	if (values->level >= LEVEL_ERROR)
		give((void *) (uintptr_t) step, LOG_CAUSE, line);
	if (watched)
		give((void *) (uintptr_t) step, LOG_UNKNOWN, line);
}

static void
decode(void *context, const struct step *step)
{
	struct decoding *state = context;
	const struct values *values = step->values;
	const bool notification = text_begins(&values->logger, "oslo.messaging.notification.");
	const int logger = notification ? -1 : matcher_logger(state->matcher, &values->logger);
	void *to = (void *) (uintptr_t) step;
	bool known;

	if (logger < 0 && !notification && values->level < LEVEL_ERROR)
		return;
	record_read(&state->record, &values->msg, &state->scratch);
	fill_in(state, values);
	give(to, LOG_RECORD, &state->line);
	if (notification)
		known = notification_match(&state->record, &state->line, give, to);
	else
		known = logger >= 0 && matcher_match(state->matcher, logger, &state->record,
						     &state->line, give, to);
	if (!known)
		give_other(state, step, logger >= 0 && matcher_knows(state->matcher, logger));
	state->line.name = (struct text) { "", 0 };
	give(to, LOG_ALIVE, &state->line);
}

const struct decoder log_decoder = {
	.event = "lttng_python:event",
	.reads = fields,
	.derives = log_event_names,
	.n_derives = N_LOG_EVENTS,
	.start = start,
	.stop = stop,
	.decode = decode,
};
