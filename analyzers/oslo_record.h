/* SPDX-License-Identifier: MIT
 *
 * oslo_record.h -- a log record as it comes in the msg field of an LTTng event:
 * the JSON of cloudtrace's handler, that of oslo.log's JSONFormatter, or a plain
 * line of text.
 *
 * One pass notes where the members lie that anybody wants; nothing is copied or
 * unescaped until it is asked for. */
#ifndef ANALYZERS_OSLO_RECORD_H
#define ANALYZERS_OSLO_RECORD_H

#include "analyzers/analyzer.h"
#include "analyzers/json_text.h"

enum record_member {
	RECORD_SERVICE,
	RECORD_HOST,
	RECORD_PID,
	RECORD_THREAD,          /* Of greenlets: theirs. */
	RECORD_LEVEL,
	RECORD_REQUEST_ID,
	RECORD_GLOBAL_REQUEST_ID,
	RECORD_USER,
	RECORD_PROJECT,
	RECORD_INSTANCE,
	RECORD_RESOURCE,
	RECORD_MESSAGE,
	RECORD_FORMAT,          /* As the program has it, with its %s. */
	RECORD_ARGUMENTS,       /* A list, or an object of names. */
	RECORD_EXCEPTION,       /* Its class. */
	RECORD_EXCEPTION_TEXT,
	RECORD_NOTIFICATION,
	N_RECORD_MEMBERS
};

enum { SCRATCH_SIZE = 32768 };

/* Where unescaped texts of one record are kept: what does not fit is cut. */
struct scratch {
	size_t used;
	char bytes[SCRATCH_SIZE];
};

struct record {
	struct json_value members[N_RECORD_MEMBERS];
	struct text texts[N_RECORD_MEMBERS];  /* Those that were asked for. */
	struct scratch *scratch;
	uint64_t pid;                         /* 0: not known. */
};

/* Reads the record in 'message'.  'scratch' is used from its beginning, and has
 * to stay as long as the texts. */
void record_read(struct record *record, const struct text *message, struct scratch *scratch);
/* The text of a member; of size 0 where there is none.  A number is its digits. */
struct text record_text(struct record *record, enum record_member member);
/* The text of any value in the record. */
struct text scratch_text(struct scratch *scratch, const struct json_value *value);
static inline bool
record_has(const struct record *record, enum record_member member)
{
	return record->members[member].kind != JSON_NONE;
}

#endif /* oslo_record.h */
