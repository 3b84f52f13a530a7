/* SPDX-License-Identifier: MIT
 *
 * flow_private.h -- shared by the files of flow.h: a request with its facts. */
#ifndef DAEMON_FLOW_PRIVATE_H
#define DAEMON_FLOW_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/flow.h"
#include "lib/clock.h"

enum {
	FLOW_MAX_FACTS = 4000,       /* Of one request; more are left out, and counted. */
	FLOW_MAX_SPANS = 1500,       /* In the answer. */
	FLOW_MAX_REQUESTS = 500,     /* Made on behalf of one. */
	FLOW_MAX_DEPTH = 16,         /* From a request up to its root. */
	FLOW_MAX_SUBJECTS = 64,
};
/* What names but a VM, port or volume belongs to a request for so long after
 * what surely is of it. */
#define FLOW_GRACE_NS (60 * NS_PER_S)
/* A query that took at least so long is a flow of its own. */
#define FLOW_SLOW_NS (1 * NS_PER_S)

enum fact_family {
	FAMILY_API,                  /* api.request */
	FAMILY_CALL,                 /* rpc.call */
	FAMILY_SERVED,               /* rpc.served */
	FAMILY_STEP,                 /* nova.step, neutron.step, cinder.step */
	FAMILY_ERROR,                /* log.error */
	FAMILY_CHILD,                /* request.child */
	FAMILY_TRACE,                /* request.trace */
	FAMILY_MIGRATION,            /* nova.migration */
	FAMILY_CHANGE,               /* vm.change */
	FAMILY_OTHER,
};

struct flow_fact {
	json_t *json;                /* Owned; the rest is borrowed from it. */
	const json_t *attributes;
	const char *id, *kind, *host, *key;
	const char *status;          /* "" if it has none. */
	const char *name;            /* Of a step, cause of an error, service of an API;
				      * "" if it has none. */
	const char *service;         /* "" if it has none. */
	const char *request_id;      /* Of its line; "" if it has none. */
	enum fact_family family;
	uint64_t start_ns, end_ns;   /* 0: open. */
	bool surely;                 /* Joined by its request or message id. */
	int64_t ahead_ns;            /* Its host's clock is ahead of the root's: flow_clocks(). */
	const struct flow_fact *other; /* Of a message: the other end, or NULL. */
	/* Set by flow_spans.c: */
	const struct flow_fact *parent;
	const char *what;            /* In the budget. */
};

/* How requests of one kind go. */
struct flow_kind {
	const char *kind;            /* May end in "*". */
	const char *takes;           /* Families of steps, "" for none: see flow_kinds.c. */
	const char *done;            /* Steps whose end ends it well, patterns with blanks between. */
	const char *failed;          /* Steps whose end ends it badly. */
	const char *state;           /* Of the VM at last, which tells when no step does; or "". */
	bool migrates;               /* A live migration is part of it. */
};

struct flow {
	struct store *store;
	char id[FACT_KEY_SIZE];
	char behalf[FACT_KEY_SIZE];  /* On whose behalf, if anybody gets known; or "". */
	struct flow_fact **facts;    /* Ordered by (start_ns, id) once gathered. */
	size_t n, capacity;
	unsigned dropped;
	json_t *by_id;               /* Ids of facts that were looked at. */
	json_t *requests;            /* Ids of its requests, as names. */
	json_t *instances, *ports, *volumes; /* Ids, as names, in the order found. */
	const struct flow_fact *root; /* NULL: there is no such request. */
	char kind_name[64];
	const struct flow_kind *kind;
	const char *done;            /* The kind's, or its own name. */
	uint64_t start_ns;
	uint64_t core_ns;            /* End of what surely is of it. */
	bool core_open;              /* Some of that goes on. */
	uint64_t loose_to_ns;        /* Where another request about the same begins, or INT64_MAX. */
	json_t *migrations;          /* Records of live migrations, array. */
	/* Set by flow_outcome.c: */
	const char *status;
	uint64_t end_ns;             /* 0: none yet. */
	json_t *record;              /* Of its live migration, or NULL. */
	const struct flow_fact *told; /* What Nova told of that, or NULL. */
	json_t *error;               /* Object, or NULL. */
	json_t *findings;            /* Array. */
	/* Set by flow_clocks.c: */
	struct flow_clock *clocks;   /* Of each host that the root's clock is related to. */
	size_t n_clocks;
};

/* flow_facts.c: a fact in the form of store_spans(), which it borrows. */
struct flow_fact flow_fact_of(json_t *json);
const char *flow_member(const json_t *object, const char *name);   /* Text; NULL: none. */
const char *flow_text(const struct flow_fact *fact, const char *attribute);
bool flow_true(const struct flow_fact *fact, const char *attribute);
uint64_t flow_number(const json_t *object, const char *name);
/* The first id of a set, or NULL. */
const char *flow_first(const json_t *set);
/* Where an API request began: better than when its first line was seen. */
uint64_t flow_began(const struct flow_fact *fact);

/* When it was last heard of. */
uint64_t flow_last(const struct flow_fact *fact);
/* Text as JSON, null for none. */
json_t *flow_text_json(const char *text);

/* flow_behalf.c */
struct flow_behalf {
	char parent[FACT_KEY_SIZE];  /* "": none is known. */
	char global[FACT_KEY_SIZE];  /* The id that the callee was told, or "". */
	bool own;                    /* An operator may have asked for it. */
	bool served;                 /* By an API that is traced. */
};
/* 'depth': how many requests it was followed up through already. */
void flow_behalf(struct store *store, const char *request, struct flow_behalf *ret, int depth);
/* All facts of two kinds that name a request; NULL on failure. */
json_t *flow_both(struct store *store, const char *request, const char *kind, const char *other);
/* Whether a service made this request, but nobody said for which of its own. */
bool flow_is_stray(struct store *store, const char *request);

/* flow_clocks.c: relates the clocks of all hosts to the root's. */
void flow_clocks(struct flow *flow);
/* A time (0: none) by the root's clock: of a fact, or of any host. */
uint64_t flow_moved(const struct flow_fact *fact, uint64_t t_ns);
uint64_t flow_moved_of(const struct flow *flow, const char *host, uint64_t t_ns);
/* The end of the flow by the root's clock; of one that goes on, of what surely is of it. */
uint64_t flow_moved_end(const struct flow *flow);
/* How far that may be off; 0: it ends on the root's host, or that is not known. */
uint64_t flow_end_error(const struct flow *flow);
/* Sets "offset_ns" and "error_ns" of spans whose host has another clock; begins that are
 * before the parent's by no more than the errors are moved there ("clamped_ns"). */
void flow_relate(const struct flow *flow, json_t *spans);

/* flow_datapath.c: adds a span for each change of Open vSwitch's ports that the flow
 * asked for. */
void flow_datapath(const struct flow *flow, json_t *spans);
/* flow_steps.c: adds the steps of its live migration, those that last and those of a moment. */
void flow_steps(const struct flow *flow, json_t *spans);

/* flow_gather.c: finds all facts of a request.  Returns 1 when it is a flow,
 * 0 when not (made on behalf of another, or nothing worth one), or a negative
 * errno.  To be ended by flow_done() in any case. */
int flow_gather(struct flow *flow, struct store *store, const char *id, struct error *error);
void flow_done(struct flow *flow);
/* flow_kinds.c */
const struct flow_kind *flow_kind_of(const char *name);
/* Whether requests of this kind do steps of this name. */
bool flow_kind_takes(const struct flow_kind *kind, const char *step, enum fact_family family);
/* Whether 'name' fits one of the patterns ('*' at either end). */
bool flow_matches(const char *patterns, const char *name);
/* How specific a cause is: the smaller the more; with no cause last. */
int flow_cause_rank(const char *cause);
/* Whether an error of this cause is worth telling of although it was got over. */
bool flow_is_remarkable(const char *cause);
/* Whether a request fails by this error, unless the step that ends it says
 * otherwise. */
bool flow_is_fatal(const struct flow_fact *error);
/* What time in this span counts as in the budget. */
const char *flow_what(const struct flow_fact *fact);

/* flow_outcome.c */
void flow_outcome(struct flow *flow);
/* What a fact says of an error, in the form of a flow's. */
json_t *flow_error_of(const struct flow_fact *fact);
/* flow_findings.c: sets 'findings'; what was the cause is no finding. */
void flow_findings(struct flow *flow, const struct flow_fact *caused);
/* flow_record.c: a new reference. */
json_t *flow_record(const struct flow *flow);
/* flow_parts.c: its parts (parts.h), after flow_outcome(); NULL: it has not ended. */
json_t *flow_parts(const struct flow *flow);
/* flow_evidence.c: fill the object 'evidence' with the identities that join a span to the
 * flow, and return which of them does ("joined_by"): of a fact, of the flow's live
 * migration, of one of its stages. */
const char *flow_evidence(const struct flow *flow, const struct flow_fact *fact, json_t *evidence);
const char *flow_evidence_of_migration(const struct flow *flow, json_t *evidence);
const char *flow_evidence_of_stage(const struct flow *flow, json_t *evidence);
/* flow_unknown.c: sets "unknown". */
void flow_unknown(const struct flow *flow, json_t *record);
/* flow_spans.c: sets "spans", "budget", "dropped_spans". */
void flow_spans(struct flow *flow, json_t *record);

#endif /* flow_private.h */
