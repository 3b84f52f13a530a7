/* SPDX-License-Identifier: MIT
 *
 * store.h -- what was found, kept in SQLite.
 *
 * Nothing outside store*.c speaks SQL.  One thread writes, in transactions;
 * any number of read-only handles answer queries.  The answers are JSON values
 * in the shapes of proto/schemas (a new reference each; the caller decrefs).
 *
 * A store made read-only never changes the file; one of a newer version is
 * refused with a text that says so; an older one is migrated when opened to
 * write. */
#ifndef DAEMON_STORE_H
#define DAEMON_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "analyzers/facts.h"
#include "analyzers/windows.h"
#include "ctf/stream.h"
#include "lib/error.h"

struct store;

enum store_mode { STORE_WRITE, STORE_READ };

int store_open(const char *path, enum store_mode mode, struct store **ret, struct error *error);
/* Accepts NULL; rolls back what was not committed. */
void store_close(struct store *store);

/* -- Writing (one thread) ------------------------------------------------ */

/* Begins a transaction.  Of a store made to read: all that is read until its
 * store_commit() is of one moment, and facts that are asked for again cost less. */
int store_begin(struct store *store, struct error *error);
/* A commit that fails (disk full...) rolls back. */
int store_commit(struct store *store, struct error *error);
/* Gives up what was written since store_begin(); does nothing outside of a
 * transaction.  For after a failed write. */
void store_rollback(struct store *store);
/* Keeps or replaces a fact; its attributes are borrowed.  Returns 1 when that
 * changed the store, 0 when it held the same already.  A closed span is not
 * opened again by a repeated beginning, unless it was closed as "lost". */
int store_put_fact(struct store *store, const struct fact *fact, struct error *error);
/* Keeps a joined migration (proto/schemas/migration.json, without "samples"),
 * replacing one of the same id; NULL forgets it. */
int store_put_migration(struct store *store, const char *id, const json_t *migration,
			struct error *error);
/* Keeps an alert without "state" and "seen_ns" (those are the store's), NULL
 * forgets it.  Private members: "due_ns", wall time before which it is not
 * shown; "live": it follows from a source's state, not from the trace. */
int store_put_alert(struct store *store, const char *id, const json_t *alert, struct error *error);
/* Gives each alert that began or ended and was not given before. */
int store_alerts_untold(struct store *store, uint64_t now_ns,
			void (*alert)(void *context, const json_t *alert), void *context,
			struct error *error);

struct store_source {
	const char *host, *relayd, *session;
	const char *state;           /* live|behind|silent|busy|gone|lost */
	const char *text;            /* Why, for people; may be NULL. */
	uint64_t events, lost_events, late_events;
	uint64_t last_event_ns;      /* Trace time of the last event; 0: none yet. */
	uint64_t lag_ns;             /* Wall time minus the watermark. */
	uint64_t seen_ns;            /* Wall time of this line. */
};
int store_put_source(struct store *store, const struct store_source *source, struct error *error);
/* Named numbers of the daemon (events read, unexpected, ...), by scope. */
int store_put_counter(struct store *store, const char *scope, const char *name, uint64_t value,
		      struct error *error);

/* Checkpoint: committed together with the facts that came from before it. */
int store_put_position(struct store *store, const char *stream_key,
		       const struct ctf_position *position, struct error *error);
int store_put_flow(struct store *store, const char *host, const char *analyzer, const char *key,
		   const void *blob, size_t size, struct error *error);
int store_put_horizon(struct store *store, const char *host, uint64_t t_ns, struct error *error);
/* Forgets what ended before 't_ns', and windows that did before 'windows_ns', in many
 * short transactions: not to be called within one.  What records need of windows is
 * settled first (settle.h), and old windows are thinned.  Returns 0, 1 when there is
 * more to do soon, or a negative errno. */
int store_retain(struct store *store, uint64_t t_ns, uint64_t windows_ns, struct error *error);

/* Joins windows that are old, by the newest of their host, kind and key: those of less than
 * 1 s after 1 h, those of less than 10 s after 1 day.  'kinds' says how (ended by
 * NULL); others are left.  Many short transactions, as store_retain(), which
 * calls it. */
int store_thin(struct store *store, const struct window_kind *const *kinds, struct error *error);

/* -- Delivery, silences, counting rules (store_alerts.c) ------------------ */

/* Queues a document for a receiver.  When 'max' wait already the oldest goes and
 * is counted (scope "delivery", name "dropped_RECEIVER"). */
int store_queue(struct store *store, const char *receiver, const char *id, const json_t *doc,
		uint64_t max, struct error *error);
/* Whether something with this id waits for the receiver or was done. */
bool store_is_queued(struct store *store, const char *receiver, const char *id);
/* What waits, oldest first, after number 'after': array of {"seq","id","doc","queued_ns"}. */
json_t *store_queued(struct store *store, const char *receiver, uint64_t after, unsigned limit,
		     struct error *error);
/* It was delivered, or given up: forgotten, or just marked as done ('keep'). */
int store_unqueue(struct store *store, uint64_t seq, bool keep, struct error *error);
/* What was kept of a receiver, as an object of id to seq. */
json_t *store_kept(struct store *store, const char *receiver, unsigned limit, struct error *error);
/* Keeps a silence (proto/schemas/silence.json), NULL forgets it. */
int store_put_silence(struct store *store, const char *id, const json_t *silence,
		      struct error *error);
/* Those that have not ended at 'now_ns' (0: all that are kept). */
json_t *store_silences(struct store *store, uint64_t now_ns, struct error *error);
/* A thing that a rule counts, at its time; or not any more. */
int store_put_hit(struct store *store, const char *rule, const char *subject, uint64_t t_ns,
		  const char *id, struct error *error);
/* Forgets it wherever it was counted; gives the pairs as {"rule","subject","t_ns"}. */
json_t *store_drop_hits(struct store *store, const char *id, struct error *error);
/* Times of the hits in [from_ns, to_ns], ascending, at most 'limit'. */
json_t *store_hits(struct store *store, const char *rule, const char *subject, uint64_t from_ns,
		   uint64_t to_ns, unsigned limit, struct error *error);
/* Widens [from_ns, to_ns] to the hits that follow each other within 'gap_ns', by at
 * most 'limit' on each side: 1 when there may be more before, else 0, or negative. */
int store_hit_chain(struct store *store, const char *rule, const char *subject, uint64_t gap_ns,
		    unsigned limit, uint64_t *from_ns, uint64_t *to_ns, struct error *error);
/* The newest alert of a rule about a subject that began at 't_ns' or before; or NULL. */
json_t *store_alert_about(struct store *store, const char *rule, const char *subject, uint64_t t_ns);
/* The newest hit before, or the oldest after (not at) a time; 0: none. */
uint64_t store_hit_before(struct store *store, const char *rule, const char *subject, uint64_t t_ns);
uint64_t store_hit_after(struct store *store, const char *rule, const char *subject, uint64_t t_ns);
/* Forgets the alerts of a rule about a subject that start in [from_ns, to_ns], but for 'ids'. */
int store_drop_alerts(struct store *store, const char *rule, const char *subject, uint64_t from_ns,
		      uint64_t to_ns, const json_t *ids, struct error *error);
/* Forgets all alerts and what rules counted. */
int store_forget_alerts(struct store *store, struct error *error);
/* Gives each fact that is kept, in order of time; stops when 'give' fails. */
int store_each_fact(struct store *store,
		    int (*give)(void *context, const struct fact *fact, struct error *error),
		    void *context, struct error *error);
/* Copies the store at a path, which may be in use, to a file that is new. */
int store_copy(const char *path, const char *to, struct error *error);
/* Alerts that fire, or that ended after 'since_ns'; due ones only. */
json_t *store_alerts_recent(struct store *store, uint64_t since_ns, struct error *error);


/* -- Recovery ------------------------------------------------------------ */

bool store_position(struct store *store, const char *stream_key, struct ctf_position *ret);
uint64_t store_horizon(struct store *store, const char *host);
int store_flows(struct store *store,
		void (*flow)(void *context, const char *host, const char *analyzer, const char *key,
			     const void *blob, size_t size),
		void *context, struct error *error);

/* -- Facts as the hub needs them ----------------------------------------- */

/* Spans of the kinds 'kind' (and 'kind2', may be NULL) that touch
 * [from_ns, to_ns], as an array of {"id","host","kind","key","start_ns",
 * "end_ns","status","parent","attributes"}, ordered by (start_ns, id). */
json_t *store_spans(struct store *store, const char *kind, const char *kind2, uint64_t from_ns,
		    uint64_t to_ns, struct error *error);
/* The spans of 'kind' with this host and key, in the same form. */
json_t *store_spans_of_key(struct store *store, const char *kind, const char *host,
			   const char *key, struct error *error);
/* The sides ("migration.source", "migration.destination") that connected, or
 * else began, within [from_ns, to_ns], in the same form. */
json_t *store_sides(struct store *store, uint64_t from_ns, uint64_t to_ns, struct error *error);
/* The sides that touch [from_ns, to_ns] and have no partner that was found by time, in the same
 * form and with "partner", the id of the one they have otherwise. */
json_t *store_loose_sides(struct store *store, uint64_t from_ns, uint64_t to_ns,
			  struct error *error);
/* One span in the same form, or NULL. */
json_t *store_span(struct store *store, const char *id);
/* Attributes of the entity as it was last known, or NULL; a key can be used
 * again (pids): of those, the newest that began before 'until_ns' (0: of all),
 * else the oldest. */
json_t *store_entity(struct store *store, const char *host, const char *kind, const char *key,
		     uint64_t until_ns);
/* What is known of the things (type FACT_ENTITY) or links (FACT_LINK) of a kind on
 * a host (NULL: any): an object for each key, its newest telling with "host", "key" and
 * "start_ns" added, ordered by (host, key). */
json_t *store_things(struct store *store, enum fact_type type, const char *host, const char *kind,
		     struct error *error);
/* The migration record of that very id, or of which this side is part; or NULL. */
json_t *store_migration(struct store *store, const char *id);
json_t *store_migration_of_side(struct store *store, const char *side_id);
/* Whether that record is one of the "loose" ones of store_loose_sides(): 1 or 0;
 * -1 when there is none. */
int store_is_loose(struct store *store, const char *side_id);
/* Ids of running migrations with this host at either end. */
json_t *store_migrations_running(struct store *store, const char *host, struct error *error);
/* The spans below another one, in the same form as store_spans(). */
json_t *store_children(struct store *store, const char *id, struct error *error);
/* One alert as it was put, or NULL; all about 'subject'; those that follow from
 * a source of this host and are open. */
json_t *store_alert(struct store *store, const char *id);
json_t *store_alerts_of(struct store *store, const char *subject, struct error *error);
json_t *store_alerts_live(struct store *store, const char *host, struct error *error);

/* -- Requests and things (flow.h, thing.h) -------------------------------- */

/* At most so many facts are given by the two that follow. */
enum { STORE_MAX_NAMING = 5000 };
/* The facts that name 'value' (a request, message, VM, port, volume...), and
 * those of one kind that began within a time; in the form of store_spans(),
 * ordered by (start_ns, id).  Of requests, messages and links between requests
 * the kind "=KIND" is those whose own name it is, "KIND" all others. */
json_t *store_facts_naming(struct store *store, const char *value, struct error *error);
json_t *store_facts_naming_in(struct store *store, const char *value, const char *kind,
			      uint64_t from_ns, uint64_t to_ns, struct error *error);
/* Keeps a flow (proto/schemas/flow.json, without what lists leave out); NULL
 * forgets it.  'core_ns': where what surely belongs to it ends, 0: it goes on.
 * 'behalf': the request it was made for, should that get known, or NULL.
 * 'subjects': an array of the ids it is about.  Returns 1 when that changed
 * more than the document alone, 0 when not, or a negative errno. */
int store_put_request(struct store *store, const char *id, const json_t *flow, uint64_t core_ns,
		      const char *behalf, const json_t *subjects, struct error *error);
/* Whether somebody worked under this request id. */
bool store_is_request_known(struct store *store, const char *request);
/* Ids of the flows with that 'behalf'; what a flow is about. */
json_t *store_requests_on_behalf(struct store *store, const char *request, struct error *error);
json_t *store_subjects_of(struct store *store, const char *request, struct error *error);
/* The flow of that very id, or NULL. */
json_t *store_request(struct store *store, const char *id);
/* The flows about a subject that began by 'to_ns' and whose core reaches to
 * 'from_ns', as an array of {"id","kind","status","start_ns","end_ns","core_ns"},
 * oldest first. */
json_t *store_requests_of(struct store *store, const char *subject, uint64_t from_ns,
			  uint64_t to_ns, struct error *error);
/* The flow that has this live migration in it: its id, or null. */
json_t *store_request_of_migration(struct store *store, const char *migration);
/* Live migrations of a VM that touch [from_ns, to_ns], oldest first. */
json_t *store_migrations_of_vm(struct store *store, const char *uuid, uint64_t from_ns,
			       uint64_t to_ns, struct error *error);
/* Keeps a VM, port or volume without what lists leave out; NULL forgets it. */
int store_put_thing(struct store *store, const char *topic, const char *id, const json_t *thing,
		    struct error *error);
/* It, or NULL. */
json_t *store_thing(struct store *store, const char *topic, const char *id);

/* A JSON string of text that need not be UTF-8. */
json_t *store_string(const char *text);

/* -- Windows ------------------------------------------------------------- */

/* Gives the windows of 'kind' that touch [from_ns, to_ns), ordered by (host, key,
 * start_ns); 'host' and 'key' may be NULL: of any.  The blob is borrowed.  'window'
 * returns whether to go on. */
int store_windows(struct store *store, const char *host, const char *kind, const char *key,
		  uint64_t from_ns, uint64_t to_ns,
		  bool (*window)(void *context, const char *host, const char *key,
				 const struct fact_window *window),
		  void *context, struct error *error);

/* The newest window of a host that began before 't_ns', without its blob: 1, 0: there is
 * none, or negative. */
int store_window_before(struct store *store, const char *host, const char *kind, uint64_t t_ns,
			struct fact_window *ret, struct error *error);
/* Whether one begins at 't_ns' or later: 1, 0, or negative. */
int store_window_follows(struct store *store, const char *host, const char *kind, uint64_t t_ns,
			 struct error *error);
/* Gives the span of each window of a kind, without its blob; 'window' as above. */
int store_each_window(struct store *store, const char *kind,
		      bool (*window)(void *context, const char *host, const char *kind,
				     const struct fact_window *window),
		      void *context, struct error *error);

/* -- Settled answers (settle.h) -------------------------------------------- */

/* While one is set, answers are kept, for a record that ends at 'keep_ns'. */
struct store_settling {
	uint64_t keep_ns;
	bool last_chance;            /* Whether or not more may be known later. */
	unsigned waiting;            /* Answers that are not ripe. */
	bool failed;
};
/* Sets it, NULL: ends it. */
void store_settle(struct store *store, struct store_settling *settling);
struct store_settling *store_settling(const struct store *store);
/* The answer of that question: null when it is that nothing is known; NULL when it is not kept. */
json_t *store_settled(struct store *store, const char *question);
int store_put_settled(struct store *store, const char *question, const json_t *answer,
		      struct error *error);
/* All answers about a migration or flow are kept. */
int store_put_settled_owner(struct store *store, const char *topic, const char *id, uint64_t end_ns,
			    struct error *error);
/* Of windows that were never joined: the first and the last end.  False: there are none. */
bool store_fine_windows(struct store *store, uint64_t *ret_oldest_ns, uint64_t *ret_newest_ns);
/* Migrations and flows with answers to be kept: those that reach to 'from_ns' and ended
 * before 'before_ns', and migrations that run since before it, as an array of
 * {"topic","id","start_ns","end_ns"}, oldest first. */
json_t *store_unsettled(struct store *store, uint64_t from_ns, uint64_t before_ns, unsigned limit,
			struct error *error);

/* -- Peers (parts.h) --------------------------------------------------------- */

struct store_peer {
	const char *kind;            /* Of a flow; mode of a migration. */
	uint64_t size;               /* Class of a migration's memory; 0: none. */
	uint64_t start_ns, total_ns;
	const json_t *parts;         /* Borrowed. */
};
/* Keeps what a migration or flow (topic) is compared by, NULL forgets it. */
int store_put_peer(struct store *store, const char *topic, const char *id, const struct store_peer *peer,
		   struct error *error);
/* Those of kind and size of 'like' that began after 'since_ns', but for one, newest first. */
int store_peers(struct store *store, const char *topic, const struct store_peer *like, const char *but,
		uint64_t since_ns, unsigned limit,
		void (*give)(void *context, const struct store_peer *peer), void *context,
		struct error *error);

/* -- Clocks (clock_relation.h) ------------------------------------------------ */

struct clock_hull;
enum { STORE_MAX_CLOCK_SLOTS = 64, STORE_MAX_CLOCK_PAIRS = 10000,
       STORE_MAX_CLOCK_MESSAGES = 200 };
/* What two hosts (a before b by name) say of each other's clocks around t_ns of a's,
 * nearest first. */
int store_clock_slots(struct store *store, const char *a, const char *b, uint64_t t_ns, uint64_t within_ns,
		      void (*give)(void *context, const struct clock_hull *above,
				   const struct clock_hull *below),
		      void *context, struct error *error);
/* Calls and casts of one of both that the other served, and that ended within that time of
 * t_ns.  'from_a': who sent.  The reply's times are 0 where there is none, or more than
 * one that may have answered. */
struct store_message {
	bool from_a;
	uint64_t sent_ns, received_ns, replied_ns, answered_ns;
};
int store_clock_messages(struct store *store, const char *a, const char *b, uint64_t t_ns,
			 uint64_t within_ns, void (*give)(void *context, const struct store_message *message),
			 void *context, struct error *error);
/* Pairs that met in [from_ns, to_ns], by name.  'width_ns': about twice their error;
 * INT64_MAX: messages went but one way. */
int store_clock_pairs(struct store *store, uint64_t from_ns, uint64_t to_ns,
		      void (*give)(void *context, const char *a, const char *b, int64_t width_ns),
		      void *context, struct error *error);

/* By how much the programs' traces of a host are ahead of its kernel's at t_ns: both take
 * the same clock's zero for different times.  False: one of them is not known. */
bool store_clock_epochs(struct store *store, const char *host, uint64_t t_ns, int64_t *ret_least_ns,
			int64_t *ret_most_ns);
/* Whether two hosts count the same clock (containers of one kernel) at t_ns; by how much
 * b's traces are ahead then. */
bool store_clock_same(struct store *store, const char *a, const char *b, uint64_t t_ns,
		      int64_t *ret_least_ns, int64_t *ret_most_ns);
/* The middle of the newest time that two hosts met in, both ways.  -ENOENT: there is none. */
int store_clock_newest(struct store *store, uint64_t *ret_ns);

/* -- The network (network.h) ----------------------------------------------- */

/* Facts of any type, {"id","host","kind","key","start_ns","end_ns","status",
 * "attributes"}, newest first.  Of one kind, that touch [from_ns, to_ns] (to_ns 0:
 * open); 'host' may be NULL, limit 0: 1000. */
json_t *store_facts_of_kind(struct store *store, const char *kind, const char *host,
			    uint64_t from_ns, uint64_t to_ns, unsigned limit,
			    struct error *error);
/* Where an address (MAC, or with no host IPv4 too) was; those of a process. */
json_t *store_addresses(struct store *store, const char *host, const char *address,
			struct error *error);
json_t *store_addresses_of_process(struct store *store, const char *host, uint64_t pid,
				   struct error *error);
/* How many addresses were ever heard at a port; 0 when the store failed. */
uint64_t store_addresses_at_port(struct store *store, const char *host, uint64_t port_no,
				 uint64_t ifindex);
/* What belongs to a process: of the kinds with keys "PID/...". */
json_t *store_parts_of_process(struct store *store, const char *host, const char *kind,
			       const char *pid, struct error *error);
/* Marks of that kind with such keys in [from_ns, to_ns], oldest first. */
json_t *store_marks_of_process(struct store *store, const char *host, const char *kind, uint64_t pid,
			       uint64_t from_ns, uint64_t to_ns, struct error *error);
/* Sides of migrations on that host that began before t_ns + before_ns and did not end
 * before t_ns - after_ns, by that host's clock. */
json_t *store_sides_near(struct store *store, const char *host, uint64_t t_ns,
			 uint64_t before_ns, uint64_t after_ns, struct error *error);
/* Begin of the first and end of the last window of the kind (NULL: any), of 'host' (NULL: any).
 * False: there are none. */
bool store_windows_span(struct store *store, const char *host, const char *kind,
			uint64_t *ret_first_ns, uint64_t *ret_last_ns);

/* -- Answers ------------------------------------------------------------- */

struct store_filter {
	uint64_t since_ns, until_ns;     /* 0: open */
	const char *status, *host, *vm;  /* NULL: any */
	const char *severity, *state, *rule; /* Alerts; of VMs "state" is the vm_state. */
	const char *kind, *request;      /* Flows: a kind may end in ".*". */
	const char *volume, *port;
	uint64_t slow_ns;                /* Flows that took at least so long; 0: any. */
	const char *service;
	unsigned limit;                  /* 0: 1000 */
};

json_t *store_migration_list(struct store *store, const struct store_filter *filter,
			     struct error *error);
/* By id, or a prefix of it that is unique, or of one of its two sides, or the
 * VM's uuid or name (the newest).  -ENOENT, or -ENOTUNIQ with the candidates
 * in the text. */
json_t *store_migration_show(struct store *store, const char *id, struct error *error);
json_t *store_alert_list(struct store *store, const struct store_filter *filter,
			 struct error *error);
/* One alert by its very id, as lists give it. */
json_t *store_alert_show(struct store *store, const char *id, struct error *error);
json_t *store_node_list(struct store *store, struct error *error);
/* One of them, also if nothing came from it. */
json_t *store_node(struct store *store, const char *host);
/* Whether something came from that host. */
bool store_is_host(struct store *store, const char *host);
/* The newest event that was read of any host: what is "now" for what is kept. */
uint64_t store_newest_ns(struct store *store);
/* Requests (proto/schemas/flow.json), newest first, without spans and budget. */
json_t *store_flow_list(struct store *store, const struct store_filter *filter,
			struct error *error);
/* By id, by the id of a request in it, or by a prefix that is unique. */
json_t *store_flow_show(struct store *store, const char *id, struct error *error);
/* VMs, volumes and ports (topic "vm", "volume", "port"), by name and id. */
json_t *store_thing_list(struct store *store, const char *topic, const struct store_filter *filter,
			 struct error *error);
/* By id, name (the newest) or a prefix of the id that is unique. */
json_t *store_thing_show(struct store *store, const char *topic, const char *id,
			 struct error *error);
/* Services with what they did in the time of the filter. */
json_t *store_service_list(struct store *store, const struct store_filter *filter,
			   struct error *error);
json_t *store_service_show(struct store *store, const char *id, const struct store_filter *filter,
			   struct error *error);
/* What has this id or name in it (proto/schemas/find.json). */
json_t *store_find(struct store *store, const char *id, unsigned limit, struct error *error);
/* {"nodes":{...counts by state},"migrations":{...},"alerts":{...},"counters":{...},
 *  "store":{"path","bytes","version"}} */
json_t *store_summary(struct store *store, struct error *error);
/* Everything that follows from the trace alone, as text in a fixed order: what
 * has to be equal between two ways to the same store. */
int store_dump(struct store *store, FILE *file, struct error *error);

/* Changes for watchers.  Topics: "migration", "alert", "node".  Gives
 * {"cursor": "N", "found": bool, "items": [{"cursor","topic","id","op","item"}]}
 * with what changed after 'since' (NULL: from now, no items), each thing once with its
 * newest state.  "found" is false when 'since' is older than what is kept. */
json_t *store_changes(struct store *store, const char *topic, const char *since, unsigned limit,
		      struct error *error);

#endif /* store.h */
