/* SPDX-License-Identifier: MIT
 *
 * qemu.h -- what qemu.c (tables and actions), qemu_qmp.c (requests),
 * qemu_stages.c, qemu_rounds.c (rounds, curve, forecast) and qemu_tell.c
 * (attributes of the facts) share.  A flow is one
 * QEMU process; it may be the destination of a migration, then the source of
 * others. */
#ifndef ANALYZERS_QEMU_H
#define ANALYZERS_QEMU_H

#include "analyzers/analyzer.h"

enum { QEMU_ROUNDS = 256, QEMU_STAGES = 16, QEMU_PAGE = 4096 };

enum qemu_state {
	IDLE = FLOW_IDLE,
	REQUESTED,             /* Asked to migrate, not begun. */
	SETUP, PRECOPY, STOPCOPY, POSTCOPY, PAUSED, RECOVER, CANCELLING,
	COMPLETED, FAILED, CANCELLED,
	INCOMING,              /* Destination that nobody has connected to. */
	LOADING, D_POSTCOPY, D_PAUSED, D_RECOVER,
	D_COMPLETED, D_FAILED,
	GONE, QEMU_N_STATES
};

enum qemu_stage_name {
	STAGE_NONE, STAGE_SETUP, STAGE_PRECOPY, STAGE_STOPCOPY, STAGE_POSTCOPY, STAGE_PAUSED,
	STAGE_RECOVER, N_STAGE_NAMES
};

struct qemu_stage {
	uint32_t name;         /* enum qemu_stage_name */
	uint32_t inferred;     /* Its first event was not seen. */
	uint64_t start_ns, end_ns;
};

/* From one synchronisation of the dirty bitmap to the next. */
struct qemu_round {
	uint64_t start_ns, end_ns;  /* end_ns 0: it goes on. */
	uint64_t dirty_pages;       /* Found at its end: written by the guest during it. */
	uint64_t sent_bytes;
	uint64_t start_bytes, known_ns;  /* Left to send at its start, as known then, */
	uint64_t low_bytes, low_ns;      /* before its end, as last measured, */
	uint64_t remaining_bytes;        /* and right after its end, with what was found. */
	uint32_t n, iterations;     /* Its number; sub-rounds of about 50 ms inside. */
	uint32_t throttle, pad;     /* Percent, during most of it. */
};

/* Set by QMP, and kept by the process from one migration to the next. */
struct qemu_settings {
	uint64_t downtime_limit_ns, max_bandwidth;
	uint32_t throttle_initial, throttle_increment, throttle_max;
	uint32_t auto_converge;
	uint32_t return_path;       /* 0: not known, 1: yes, 2: no. */
	uint32_t pad;
};

struct qemu_forecast {
	uint64_t at_ns;             /* 0: there is none. */
	uint64_t verdict;           /* enum forecast_verdict */
	uint64_t remaining_ns, downtime_ns;  /* UINT64_MAX: not known. */
	uint64_t needs_bytes_s, needs_limit_ns, needs_throttle;  /* 0: not needed, or no help. */
};

/* One migration, as one side sees it. */
struct qemu_migration {
	char uri[160], reason[240], checkpoint[48], section[48];
	uint64_t connect_ns;        /* Times are 0 until they are known. */
	uint64_t switchover_ns;     /* QEMU decided to stop the guest: its downtime begins. */
	uint64_t stop_ns;           /* The guest stopped. */
	uint64_t paused_ns;         /* The guest was paused from outside, during pre-copy. */
	uint64_t run_ns, completed_ns;
	int64_t ret;
	uint64_t dirty_syncs, throttle_percent, total_bytes, remaining_bytes, sent_bytes;
	uint64_t bandwidth;         /* Bytes/s, as last measured. */
	uint64_t period_ns, period_pages;  /* QEMU's counting period of at least 1 s. */
	uint64_t dirty_pages;       /* Found by the last synchronisation alone. */
	uint64_t sync_start_ns;
	uint64_t sample_slot;       /* 100 ms slot of the last sample. */
	uint64_t stall_ns, stall_limit_ns;  /* Start of the stall that is open, */
	uint64_t stall_event, stall_event_ns;  /* and what had been seen last. */
	char stall_checkpoint[48], stall_section[48];
	uint64_t slow_ns, slow_round;       /* Start of "not converging" that is open. */
	struct qemu_forecast forecast;
	uint32_t has_ret, postcopy, rolled_back, paused_before, inferred, return_path;
	uint32_t weak_reason;       /* A better one replaces it. */
	uint32_t exact_throttle;    /* Seen itself, not derived from the settings. */
	uint32_t has_pending;       /* The trace has migrate_pending. */
	uint32_t expect_pending;    /* The next one tells what the last round left. */
	uint32_t guessed;           /* The stage that begins now was not seen to begin. */
	uint32_t either;            /* Begun by what pre-copy and post-copy have alike. */
	uint32_t n_stages, stages_dropped;
	uint32_t n_rounds, rounds_dropped;
	struct qemu_stage stages[QEMU_STAGES];
	struct qemu_round rounds[QEMU_ROUNDS];  /* Last: only those in use are saved. */
};

struct qemu {
	struct flow flow;           /* Must be first. */
	struct qemu_settings settings;
	char listen_uri[160];       /* Where it waits for a source. */
	uint64_t request_ns;        /* qmp_enter_migrate */
	char request_uri[160];
	struct qemu_migration m;
};

static inline struct qemu *
qemu_of(struct flow *flow)
{
	return (struct qemu *) (void *) flow;
}

extern const struct state qemu_states[];
extern const char *const qemu_stage_names[];
/* Names of values where the trace has but numbers. */
enum { N_QEMU_STATUS_NUMBERS = 11, N_QEMU_RUNNING_NUMBERS = 2 };
extern const char *const qemu_status_numbers[N_QEMU_STATUS_NUMBERS];
extern const char *const qemu_running_numbers[N_QEMU_RUNNING_NUMBERS];

/* qemu_qmp.c */
struct qemu_words { struct text text; };
/* The settings, with QEMU's defaults where nothing was seen. */
struct qemu_settings *qemu_settings(struct qemu *q);
void qemu_request(struct flow *flow, const struct step *step);
void qemu_listen_at(struct flow *flow, const struct step *step);
void qemu_set_parameters(struct flow *flow, const struct step *step);
void qemu_set_capabilities(struct flow *flow, const struct step *step);
void qemu_read_query(struct flow *flow, const struct step *step);
/* Copies a string, cut at a UTF-8 border. */
void qemu_copy(char *buffer, size_t size, const char *string);

/* qemu_stages.c */
/* The flow changed its state: ends a stage and begins another. */
void qemu_moved(struct flow *flow, const struct step *step, unsigned from, unsigned to);
/* The guest has been stopped for too long. */
void qemu_stalled(struct flow *flow, const struct step *step);

/* qemu_rounds.c */
struct qemu_sync { uint64_t dirty_pages; };
void qemu_sync_start(struct flow *flow, const struct step *step);
void qemu_sync_end(struct flow *flow, const struct step *step);
struct qemu_pending { uint64_t size; };
void qemu_pending(struct flow *flow, const struct step *step);
struct qemu_transferred { uint64_t transferred, time_ms, bandwidth; };
void qemu_transferred(struct flow *flow, const struct step *step);
void qemu_iterate(struct flow *flow, const struct step *step);
/* Pre-copy began, or ended. */
void qemu_rounds_begin(struct qemu *q, uint64_t t_ns);
void qemu_rounds_end(struct qemu *q, const struct step *step);
/* Auto-converge takes CPU time from the guest: another step (7.2), or to a
 * percentage (10.0). */
void qemu_throttle_step(struct flow *flow, const struct step *step);
struct qemu_number { int64_t value; };
void qemu_throttle(struct flow *flow, const struct step *step);
/* A round is over, or a limit changed. */
void qemu_reforecast(struct qemu *q, const struct step *step);

/* qemu_tell.c */
json_t *qemu_attributes(const struct flow *flow, const struct step *step, unsigned state);
json_t *qemu_forecast_json(const struct qemu_forecast *forecast);
void qemu_tell_sample(struct qemu *q, const struct step *step);
void qemu_tell_throttle(struct qemu *q, const struct step *step);
void qemu_tell_stall(struct qemu *q, const struct step *step, uint64_t end_ns);
void qemu_tell_slow(struct qemu *q, const struct step *step, uint64_t end_ns);

#endif /* qemu.h */
