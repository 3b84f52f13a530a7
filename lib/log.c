/* SPDX-License-Identifier: MIT */
#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/util.h"

static const char *const level_names[] = { "error", "warning", "info", "debug" };
/* Set once by log_init(), before threads start. */
static const char *program_name = "?";
static bool to_journal;
static _Atomic enum log_level max_level = LOG_LEVEL_INFO;

void
log_init(const char *program, enum log_level level)
{
	program_name = program;
	to_journal = getenv("JOURNAL_STREAM") != NULL;
	max_level = level;
}

void
log_set_level(enum log_level level)
{
	max_level = level;
}

int
log_level_parse(const char *name, enum log_level *ret)
{
	for (unsigned i = 0; i < ARRAY_SIZE(level_names); i++)
		if (streq(name, level_names[i])) {
			*ret = (enum log_level) i;
			return 0;
		}
	return -EINVAL;
}

void
log_write(enum log_level level, const char *format, ...)
{
	static const int syslog_levels[] = { 3, 4, 6, 7 };
	char line[1024];
	int n, prefix;
	va_list args;

	if (level > max_level)
		return;
	if (to_journal)
		prefix = snprintf(line, sizeof line, "<%d>", syslog_levels[level]);
	else
		prefix = snprintf(line, sizeof line, "%s: %s%s", program_name,
				  level == LOG_LEVEL_INFO ? "" : level_names[level],
				  level == LOG_LEVEL_INFO ? "" : ": ");
	va_start(args, format);
	n = vsnprintf(line + prefix, sizeof line - (size_t) prefix - 1, format, args);
	va_end(args);
	if (n < 0)
		return;
	/* Text from outside must not forge lines or steer a terminal. */
	for (char *c = line; *c; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			*c = ' ';
	strcat(line, "\n");
	fputs(line, stderr);
}

bool
log_allowed(struct log_limit *limit)
{
	uint64_t now = clock_mono_ns();
	unsigned dropped = limit->dropped;

	if (now - limit->since_ns >= limit->period_ns) {
		limit->since_ns = now;
		limit->count = limit->dropped = 0;
		if (dropped)
			log_info("%u similar messages were left out", dropped);
	}
	if (limit->count < limit->burst) {
		limit->count++;
		return true;
	}
	limit->dropped++;
	return false;
}
