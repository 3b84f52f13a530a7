/* SPDX-License-Identifier: MIT
 *
 * log.h -- messages of a program to its operator, on standard error.
 *
 * Only programs (daemon/, client/, replay/) log; libraries hand up a struct
 * error.  A message is a sentence, then ": name=value, ..." where it helps.
 * Under systemd (JOURNAL_STREAM is set) lines carry the journal's <N> prefix.
 * Thread-safe. */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Messages above 'level' are dropped.  'program' prefixes each line unless
 * the journal does; it must stay valid. */
void log_init(const char *program, enum log_level level);
void log_set_level(enum log_level level);
/* Reads "error", "warning", "info" or "debug".  Returns 0 or -EINVAL. */
int log_level_parse(const char *name, enum log_level *ret);

void log_write(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* For messages that outsiders can cause: at most 'burst' per 'period_ns'. */
struct log_limit {
	uint64_t period_ns;
	unsigned burst;
	/* State: */
	uint64_t since_ns;
	unsigned count, dropped;
};
#define LOG_LIMIT(BURST, PERIOD_NS) { .period_ns = (PERIOD_NS), .burst = (BURST) }

/* Whether a message may be written now; says itself how many were dropped. */
bool log_allowed(struct log_limit *limit);

#endif /* log.h */
