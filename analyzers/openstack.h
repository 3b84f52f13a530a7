/* SPDX-License-Identifier: MIT
 *
 * openstack.h -- log lines of OpenStack's services as events: what a line says
 * (struct line), the tables that know which lines say what (struct pattern), and
 * what the analyzers of such events share (struct subject, notes).
 *
 *	guest_xml.c     disks in libvirt's XML, in such lines
 *	log_match.c     a record's logger and format -> its patterns -> lines
 *	log_decoder.c   lttng_python:event -> lines as derived events
 *	*_patterns.c    the tables, one for each family of services
 *	os_notes.c      what an analyzer remembers of a flow, and tells
 *	os_api.c, os_rpc.c, os_step.c, ...  the analyzers */
#ifndef ANALYZERS_OPENSTACK_H
#define ANALYZERS_OPENSTACK_H

#include "analyzers/oslo_record.h"

/* What is taken from lines.  The names of their attributes are in os_notes.c. */
enum log_field {
	F_NONE,
	F_SERVICE, F_PID, F_REQUEST_ID, F_RID_OK, F_GLOBAL_REQUEST_ID, F_USER, F_PROJECT,
	F_INSTANCE, F_NAME, F_DETAIL, F_CAUSE, F_EXCEPTION, F_MESSAGE, F_LOGGER,
	/* HTTP */
	F_METHOD, F_PATH, F_URL, F_HTTP_STATUS, F_CLIENT, F_SECONDS, F_BEGAN, F_BODY, F_ACTION,
	F_OPERATION, F_RESOURCE_TYPE, F_RESOURCE_ID, F_RESOURCE_NAME, F_CALLED, F_CALLEE,
	F_TRACE_INFO, F_TRACE,
	/* RPC */
	F_MSG_ID, F_EXCHANGE, F_TOPIC, F_WHAT, F_REPLY_QUEUE,
	/* Things */
	F_PORT, F_NETWORK, F_SUBNET, F_ROUTER, F_FLOATINGIP, F_VOLUME, F_SNAPSHOT, F_ATTACHMENT,
	F_IMAGE, F_MIGRATION, F_MIGRATION_TYPE, F_HOST, F_NODE, F_SOURCE, F_DESTINATION, F_STATUS,
	F_DEVICE, F_FILE, F_MAC, F_TAP, F_IPS, F_VIF_TYPE, F_DEVICE_OWNER, F_DEVICE_ID,
	F_DISPLAY_NAME, F_INSTANCE_NAME, F_FLAVOR, F_MEMORY_MIB, F_VCPUS, F_CREATED, F_SIZE_GIB,
	F_VOLUME_TYPE, F_BACKEND, F_CONNECTION, F_ADDRESSES, F_BLOCK_DEVICES, F_COUNT, F_UPDATE_ID,
	F_FAULT, F_STATE, F_OLD_STATE, F_TASK_STATE, F_OLD_TASK_STATE, F_POWER_STATE,
	F_FUNCTION, F_MILLISECONDS, F_ID,
	N_LOG_FIELDS
};

/* Derived events.  Each family of services has its own steps. */
enum log_event {
	LOG_NOTHING,            /* Known, and of no interest. */
	LOG_RECORD,             /* Any, before what it means. */
	LOG_GUEST_XML,          /* For the decoder: F_BODY has disks (guest_xml.c). */
	LOG_API_BEGIN, LOG_API_DETAIL, LOG_API_ANSWER, LOG_API_END,
	LOG_RPC_CALL, LOG_RPC_CAST, LOG_RPC_RECEIVED, LOG_RPC_RECEIVED_CAST, LOG_RPC_REPLY,
	LOG_RPC_GOT_REPLY,
	LOG_CHILD, LOG_TRACE,
	LOG_NOVA_BEGIN, LOG_NOVA_END, LOG_NOVA_FAIL, LOG_NOVA_TOOK, LOG_NOVA_NOTE,
	LOG_NEUTRON_BEGIN, LOG_NEUTRON_END, LOG_NEUTRON_FAIL, LOG_NEUTRON_TOOK, LOG_NEUTRON_NOTE,
	LOG_CINDER_BEGIN, LOG_CINDER_END, LOG_CINDER_FAIL, LOG_CINDER_TOOK, LOG_CINDER_NOTE,
	LOG_INSTANCE, LOG_PORT, LOG_VOLUME, LOG_VM_PORT, LOG_VM_VOLUME, LOG_MIGRATION,
	LOG_CAUSE, LOG_SERVICE_BEGAN, LOG_SERVICE_DONE, LOG_ALIVE, LOG_UNKNOWN,
	N_LOG_EVENTS
};
extern const char *const log_event_names[N_LOG_EVENTS];

enum { MAX_HOLES = 12 };

enum pattern_flag {
	RID_OK = 1,       /* Such lines carry the request id of what they are about. */
	BY_REQUEST = 2,   /* The request id is part of what names the flow. */
	RID_WRONG = 4,    /* They carry that of something else: it is not taken. */
	KEEPS = 8,        /* A begin that does not begin again what is open. */
	IF_OPEN = 32,     /* A failure of what is open; nothing if it is not. */
	BY_SUBJECT = 64,  /* With BY_REQUEST: several of one request are told apart. */
	CANCELLED = 128,  /* A failure that somebody asked for. */
	TIMED_OUT = 16,   /* A failure that is a timeout. */
};

/* What a kind of line means.  A line may fit several: each gives an event. */
struct pattern {
	const char *logger;     /* Ending with '.': all loggers below it. */
	/* The format, or the message where it has no arguments.  Its conversions
	 * (%s, %(name)s, ...) are the holes of a template that messages of other or no
	 * formats are held against: so a row covers other ways to write the same. */
	const char *text;
	enum log_event event;
	const char *name;       /* Of the step, the cause, ... */
	unsigned char take[MAX_HOLES];  /* enum log_field of each hole, F_NONE: not taken. */
	unsigned flags;
	enum log_field subject; /* What a step is about; F_NONE: the instance, or the request. */
	enum log_field sets;    /* What such lines say without saying it: this field */
	const char *to;         /* has this value. */
	/* It counts only if this hole (from 1) has this value. */
	unsigned hole;
	const char *value;
};

struct line {
	struct record *record;
	const struct pattern *pattern;    /* NULL for notifications. */
	struct text logger;
	/* Of the request that the thread serves, where that is known: that of the
	 * record is sometimes of a context that was made in between. */
	struct text request;
	bool replaced;                    /* It is not that of the record, but in 'held'. */
	char held[FACT_KEY_SIZE];
	struct text name;                 /* Of the step, ... */
	unsigned flags;                   /* enum pattern_flag */
	enum log_field subject;
	struct text fields[N_LOG_FIELDS]; /* Of size 0: not there. */
};

/* Tables, each ended by a NULL logger. */
extern const struct pattern common_patterns[], nova_patterns[], neutron_patterns[],
	cinder_patterns[], quiet_patterns[];

/* -- Matching (log_match.c) ------------------------------------------------ */

struct matcher;
struct matcher *matcher_new(void);
void matcher_free(struct matcher *matcher);
/* Number of the logger in the tables, or -1 when nobody wants its lines. */
int matcher_logger(struct matcher *matcher, const struct text *logger);
/* Whether we mean to know all lines of that logger: not so of whole trees. */
bool matcher_knows(const struct matcher *matcher, int logger);
typedef void line_fn(void *context, enum log_event event, const struct line *line);
/* Gives the events of a record of that logger.  Returns false when no pattern
 * knows it. */
bool matcher_match(struct matcher *matcher, int logger, struct record *record, struct line *line,
		   line_fn *give, void *context);
/* Events of a notification (nova_notification.c and others). */
bool notification_match(struct record *record, struct line *line, line_fn *give, void *context);

/* Gives an event for each volume in the guest's XML of F_BODY. */
void guest_disks(struct line *line, line_fn *give, void *context);

/* The decoder of lttng_python:event. */
extern const struct decoder log_decoder;

/* -- Notes (os_notes.c) ----------------------------------------------------- */

/* What is known of a flow, as (field, text) pairs; bounded, and so that equal
 * knowledge is equal bytes when it came in the same order. */
enum { NOTES_SIZE = 1536, NOTES_MAX_TEXT = 1024 };
struct notes {
	uint16_t size;
	uint16_t dropped;       /* Texts that found no room. */
	uint8_t bytes[NOTES_SIZE];
};

/* Sets a field; nothing for an empty text.  Returns whether that was news. */
bool notes_set(struct notes *notes, enum log_field field, struct text text);
/* Takes a field out; whether it was there. */
bool notes_clear(struct notes *notes, enum log_field field);
bool notes_set_string(struct notes *notes, enum log_field field, const char *string);
bool notes_set_u64(struct notes *notes, enum log_field field, uint64_t number);
struct text notes_get(const struct notes *notes, enum log_field field);
/* All of them as attributes; exception and message inside of "error" if so wanted. */
json_t *notes_json(const struct notes *notes, bool nested);
bool notes_check(const struct notes *notes);
static inline size_t
notes_used(const struct notes *notes)
{
	return offsetof(struct notes, bytes) + notes->size;
}

/* Service, pid, request, instance, ... and what the pattern took, into notes. */
void notes_line(struct notes *notes, const struct line *line);
struct text line_field(const struct line *line, enum log_field field);
/* The class of the exception that the line tells of, and what went wrong: its text
 * without class and traceback, or the message. */
struct text line_exception(const struct line *line);
struct text line_message(const struct line *line);
/* The service that wrote the line, or "". */
struct text line_service(const struct line *line);
/* A new reference; null for an empty text.  Bytes that are no UTF-8 become "?". */
json_t *text_json(const struct text *text);
double text_real(const struct text *text);
uint64_t text_u64(const struct text *text);
bool text_begins(const struct text *text, const char *prefix);
/* Appends to a name of a flow; returns the new size, NAME_SIZE at most. */
size_t name_add(char name[NAME_SIZE], size_t size, const struct text *text);
size_t name_add_string(char name[NAME_SIZE], size_t size, const char *string);

/* -- Flows ------------------------------------------------------------------- */

/* What most of these analyzers keep for a flow. */
struct subject {
	struct flow flow;       /* Must be first. */
	uint64_t extra;         /* For the analyzer: a time, a hash. */
	uint64_t began;         /* For the analyzer: the begin was told to its service. */
	char key[FACT_KEY_SIZE];
	struct notes notes;
};

/* Forgets what was noted, and takes the fact's key. */
void subject_begin(struct subject *subject, const struct text *key);
size_t subject_used(const struct flow *flow);
bool subject_check(const struct flow *flow);
const char *subject_key(const struct flow *flow);
json_t *subject_attributes(const struct flow *flow, const struct step *step, unsigned state);

/* -- Services (os_service.c) --------------------------------------------------- */

/* Something that a service did: values of service:began and service:done. */
struct work {
	struct text service, operation, request;
	uint64_t lasted_ns;
	bool failed;
	bool began;             /* It was told by service_began(). */
	bool abandoned;         /* Its end was not seen. */
};
void service_began(const struct step *step, const struct text *service);
void service_done(const struct step *step, const struct work *work);
/* Of its operation alone, not of all that the service did. */
void service_done_only(const struct step *step, const struct work *work);

/* -- Operations (os_operations.c) -------------------------------------------- */

struct operation {
	const char *method, *path, *name, *type;
};
struct operation_found {
	char name[96], type[48];
	struct text id;         /* Of the resource, in the path; of size 0: none. */
};
/* What a request asks for: "server.create".  Returns false for those that only
 * read; type and id are set all the same where the path has them. */
bool operation_find(const struct text *method, const struct text *path, const struct text *action,
		    struct operation_found *ret);
/* Name of the operation by the key of an action's body, or NULL. */
const char *operation_of_action(const struct text *action);

#endif /* openstack.h */
