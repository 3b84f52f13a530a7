/* SPDX-License-Identifier: MIT
 *
 * forecast.h -- will a pre-copy migration end, when, and what would it need?
 *
 * Pure functions over what was measured, no trace in sight.  doc/analyzers/forecast.md
 * tells the model and where it comes from. */
#ifndef ANALYZERS_FORECAST_H
#define ANALYZERS_FORECAST_H

#include <stdbool.h>
#include <stdint.h>

enum { FORECAST_ROUNDS = 16 };  /* More of the past would not help. */

enum forecast_verdict {
	FORECAST_UNKNOWN,        /* Too early, or out of the model's reach. */
	FORECAST_CONVERGING,
	FORECAST_NOT_CONVERGING,
};

/* One closed round: everything that was left at its start was sent, and what
 * the guest wrote meanwhile was found at its end. */
struct forecast_round {
	double seconds;
	double dirty_bytes;      /* Found at its end. */
	double left_bytes;       /* To send after its end: these and what was not sent. */
	double drained_bytes;    /* Gone of what was left at its start, */
	double drained_s;        /* in this time: up to the last measurement before its end. */
	bool first;              /* All of RAM, much of it zero pages that cost nothing to send. */
	double throttle;         /* Part of the guest's time that was taken away, 0 to 1. */
};

struct forecast_input {
	const struct forecast_round *rounds;  /* Oldest first. */
	unsigned n_rounds;
	double left_bytes;        /* Now: right after the last round. */
	double bytes_per_s;       /* Speed of the link as measured; 0: by the rounds. */
	double downtime_limit_s;
	double throttle;          /* Now. */
	bool auto_converge;       /* It will be throttled further. */
	double throttle_initial, throttle_increment, throttle_max;
};

struct forecast {
	enum forecast_verdict verdict;
	double remaining_s;       /* Until the guest runs at the destination; < 0: never. */
	double downtime_s;        /* < 0: not known. */
	/* What would make it end, each alone; 0: would not, or is not needed. */
	double needs_bytes_per_s;
	double needs_downtime_limit_s;
	double needs_throttle;
};

void forecast(const struct forecast_input *input, struct forecast *ret);

#endif /* forecast.h */
