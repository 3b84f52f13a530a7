/* SPDX-License-Identifier: MIT
 *
 * analyzer.h -- what an analyzer is: rules over states, as const tables.
 *
 * An analyzer keeps one flow per key (a process id, mostly): a plain struct
 * without pointers that begins with a struct flow.  Each event with a rule
 * for the flow's state runs the rule's action and moves the flow.  States name
 * the span that lasts while a flow is in them; the engine opens, tells and
 * closes spans, an analyzer only says what is known (attributes).  The same
 * tables give the list of events to trace, a graph, and checks.
 *
 * Where events come by the thousand and each touches several things (the
 * kernel, Open vSwitch), an analyzer is native instead: a function that gets
 * each event, with state of its own per host. */
#ifndef ANALYZERS_ANALYZER_H
#define ANALYZERS_ANALYZER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "analyzers/engine.h"
#include "analyzers/facts.h"
#include "ctf/event.h"
#include "ctf/stream.h"

enum {
	FLOW_IDLE = 0,         /* State of a flow that was just made. */
	STAY = -1,             /* As a rule's target: the state it is in. */
	MAX_STATES = 32,
	MAX_VALUES_SIZE = 256, /* Bytes of a struct that fields are read into. */
	NAME_SIZE = 256,       /* Bytes of what names a flow of derived events. */
	MAX_NATIVE_VALUES_SIZE = 512,
	MAX_NATIVE_FIELDS = 32,
};
#define IN(STATE) (UINT32_C(1) << (STATE))

/* First member of each analyzer's flow.  Kept by the engine. */
struct flow {
	uint64_t key;
	uint64_t start_ns;     /* Of its open or last span; an action may set it earlier. */
	uint64_t end_ns;       /* Of its last span, once in an ended state. */
	uint64_t last_ns;      /* Time of its last event: within a flow time never goes back. */
	uint64_t last_event;   /* Which event that was; 0: none yet.  See step_event_name(). */
	uint64_t entered_ns;   /* When it came into its state. */
	uint64_t deadline_ns;  /* When 'timer' is to run, 0: never.  Set by actions. */
	uint64_t events;       /* Used since the span began. */
	uint64_t lost;         /* Lost on its node since the span began. */
	uint32_t state;
	uint32_t tell;         /* Set by actions: something worth telling changed. */
};

struct native_run;

/* What an action is given. */
struct step {
	struct engine_host *host;
	const struct analyzer *analyzer;
	const void *values;                   /* The struct of the rule's fields. */
	uint64_t t_ns;                        /* Since 1970; never before flow->last_ns. */
	const struct engine_options *options;
	bool late;                            /* Came out of order, after later ones. */
	/* Only for native analyzers: */
	int32_t cpu;                          /* Of the event's packet ("cpu_id"), or -1. */
	uint64_t event_ns;                    /* The event's own time: t_ns before it was raised. */
	uint64_t next_ns;                     /* For 'watermark': of the event that comes next,
					       * as far as is known; else 0. */
	struct native_run *run;               /* The engine's. */
};

typedef void action_fn(struct flow *flow, const struct step *step);
typedef bool guard_fn(const struct flow *flow, const struct step *step);

/* A string as it lies in the packet: not NUL-terminated, gone after the action. */
struct text {
	const char *s;
	size_t size;
};

/* FIELD_BYTES is a struct text too, of an address or the like. */
enum field_type { FIELD_U64, FIELD_I64, FIELD_TEXT, FIELD_BYTES };
struct field {
	const char *name;      /* NULL ends the list. */
	const char *older;     /* Its name in other versions of the program, or NULL. */
	enum field_type type;
	enum ctf_scope scope;
	bool optional;         /* Zero where the trace has none; else the event is of no use. */
	size_t offset;
};
#define FIELD(TYPE, STRUCT, MEMBER, ...) \
	{ .type = FIELD_##TYPE, .offset = offsetof(STRUCT, MEMBER), .name = __VA_ARGS__ }

struct state {
	const char *name;
	const char *span;      /* Kind of the span that lasts in this state; NULL: none. */
	const char *status;    /* Of that span; NULL: "running". */
	bool ended;            /* The span is over: entering sets its end.  A flow in such a
				* state is at rest, and may be forgotten when many are. */
	bool final;            /* The flow is over: the engine forgets it. */
};

struct rule {
	const char *on;        /* Event; NULL ends the table. */
	const char *is;        /* Value of the event's selector; NULL: any not named by others. */
	uint32_t in;           /* States, as IN(A) | IN(B). */
	int to;                /* State after, or STAY. */
	action_fn *act;
	const struct field *reads;
	guard_fn *when;        /* The rule counts only if this says so; else the next one. */
	/* A new span begins: what was open is told as lost, and the start is set,
	 * before the action.  Late events do not begin any. */
	bool begins;
	bool retracts;         /* What was open was a wrong guess: taken back, not lost. */
};

/* What is special about reading an event; others need no entry. */
struct source {
	const char *event;     /* NULL ends the table. */
	const char *key;       /* Payload field that names the flow, instead of the analyzer's. */
	const char *selector;  /* Payload field by whose value the rules differ. */
	const char *const *numbers; /* Names of its values where it is a number (0, 1, ...). */
	unsigned n_numbers;
};

/* Makes other events of those of a trace: what is in the trace is a log line, a
 * derived event is what it means.  Derived events live in the engine only; rules
 * name them like others, and get their values as the decoder gave them. */
struct decoder {
	const char *event;             /* What it reads. */
	const struct field *reads;
	const char *const *derives;    /* Names of the derived events, by number. */
	unsigned n_derives;
	/* One state for each engine; it holds no knowledge of the trace, as it is
	 * not kept over a restart: scratch memory and caches. */
	void *(*start)(void);
	void (*stop)(void *state);
	/* Reads step->values and calls step_derive() any number of times. */
	void (*decode)(void *state, const struct step *step);
};

enum role {
	ROLE_COMPUTE = 1, ROLE_NETWORK = 2, ROLE_STORAGE = 4, ROLE_CONTROLLER = 8
};

/* An event that a native analyzer reads.  How to enable it follows from its
 * name, unless it is one that a probe makes. */
struct native_event {
	const char *name;            /* NULL ends the list. */
	const struct field *reads;   /* At most MAX_NATIVE_FIELDS; NULL: none. */
	const char *probe;           /* Kernel function: the event is a kprobe on it. */
	const char *function;        /* The same for entry and return: NAME_entry, NAME_exit. */
	bool silent;                 /* Read where it is there, but not asked for. */
	bool other;                  /* Of another trace than the rest: it does not move time, as
				      * one trace may be there before the other after a restart. */
};

/* All run on the engine's thread.  'step' has host, analyzer, t_ns, options, and
 * what the function says.  Time never goes back between calls (t_ns is raised
 * where it would), except for late events. */
struct native {
	const struct native_event *events;
	size_t state_size;           /* One state per host, zeroed. */
	void (*start)(void *state, const struct step *step); /* NULL: nothing to do. */
	void (*stop)(void *state);   /* Frees what start and others made; may be NULL. */
	/* 'event' is the index in 'events'; step: values, cpu, late. */
	void (*event)(void *state, const struct step *step, unsigned event);
	/* Events of a CPU (loss->cpu) are missing: from the last one of that CPU to
	 * loss->end_t_ns.  May be NULL. */
	void (*loss)(void *state, const struct step *step, const struct ctf_loss *loss);
	/* The time that step_wake() asked for, which is step->t_ns, was reached:
	 * before the first event that is not before it.  When no event comes, at
	 * most one call: so that it does not matter how often and how far
	 * watermarks are told.  May be NULL. */
	void (*watermark)(void *state, const struct step *step);
	/* No event of this host comes any more; a wake-up that was asked for came
	 * before.  'stop' follows.  May be NULL. */
	void (*end)(void *state, const struct step *step);
	/* Checkpoint: gives each record that changed since the last call under a key
	 * of the analyzer's choice, and NULL for those that are no more. */
	void (*save)(void *state, void (*put)(void *context, uint64_t key, const void *record,
					      size_t size), void *context);
	/* Takes one back, after 'start'.  -EINVAL: its contents can't be. */
	int (*restore)(void *state, uint64_t key, const void *record, size_t size);
	size_t (*bytes)(const void *state);  /* Memory held, for the counters; may be NULL. */
};

struct analyzer {
	const char *name, *summary;
	unsigned version;      /* Raised when the meaning of the flow's members changes. */
	unsigned roles;        /* Nodes on which its events are. */
	bool kernel;           /* Events of the kernel, not of a program. */
	const char *key;       /* Context field that names the flow. */
	/* Its rules name derived events.  'identify' then writes what names the flow
	 * (any bytes; returns their number, 0: the event is of no flow), and
	 * 'fact_key' gives the key of the flow's facts. */
	const struct decoder *decoder;
	size_t (*identify)(char text[NAME_SIZE], unsigned event, const void *values);
	const char *(*fact_key)(const struct flow *flow);
	/* Flows of a host: more than 'keep' at rest make room for new ones, more than
	 * 'max_flows' are left out.  0: with all others of no limit of their own. */
	unsigned keep, max_flows;
	size_t flow_size;
	const struct state *states;
	unsigned n_states;
	unsigned gone;         /* The final state of a flow whose trace ends. */
	const struct rule *rules;
	const struct source *sources;
	/* All of these may be NULL.  'moved': after the action, before the span
	 * is told.  'used': bytes of a flow that matter, for checkpoints.
	 * 'check': whether counts and indices of a restored flow can be. */
	void (*moved)(struct flow *flow, const struct step *step, unsigned from, unsigned to);
	void (*timer)(struct flow *flow, const struct step *step);
	/* The state to move to when the timer ran; NULL: it stays. */
	unsigned (*expires)(const struct flow *flow, const struct step *step);
	uint32_t expires_to;   /* The states that it gives, as IN(A) | IN(B). */
	json_t *(*attributes)(const struct flow *flow, const struct step *step, unsigned state);
	size_t (*used)(const struct flow *flow);
	bool (*check)(const struct flow *flow);
	/* If set, 'rules' is no_rules, and states, key, gone and the functions above are not used. */
	const struct native *native;
};
extern const struct rule no_rules[];

/* -- For actions -------------------------------------------------------- */

/* Gives a fact about the flow: host is filled in, and the key where it is
 * empty.  Takes over the reference to its attributes. */
void step_tell(const struct step *step, const struct flow *flow, struct fact *fact);
/* Id of the flow's span, to be the parent of others. */
void step_span_id(const struct step *step, const struct flow *flow, char ret[FACT_ID_SIZE]);
/* Feeds a derived event to the analyzers of the decoder whose number 'event' is.
 * 'values' is theirs until this returns.  For decoders, and for actions of
 * analyzers whose own rules do not name that event. */
void step_derive(const struct step *step, const struct decoder *decoder, unsigned event,
		 const void *values);
/* For native analyzers: gives a fact whose key is set.  Takes over the reference
 * to its attributes; borrows its blob. */
void native_tell(const struct step *step, struct fact *fact);
/* Asks for 'watermark' at t_ns, instead of what was asked for before; 0: never. */
void step_wake(const struct step *step, uint64_t t_ns);
/* Name of an event as flow->last_event has it; "" for none. */
const char *step_event_name(const struct step *step, uint64_t event);
/* Copies at most size - 1 bytes of 'text', NUL-terminated, at a UTF-8 border. */
void text_copy(char *buffer, size_t size, const struct text *text);
bool text_is(const struct text *text, const char *string);

#endif /* analyzer.h */
