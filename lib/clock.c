/* SPDX-License-Identifier: MIT */
#include "lib/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

static uint64_t
read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (uint64_t) now.tv_sec * NS_PER_S + (uint64_t) now.tv_nsec;
}

uint64_t
clock_wall_ns(void)
{
	return read_clock(CLOCK_REALTIME);
}

uint64_t
clock_mono_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

struct timeval
clock_timeval(uint64_t ns)
{
	return (struct timeval) {
		.tv_sec = (time_t) (ns / NS_PER_S),
		.tv_usec = (suseconds_t) (ns % NS_PER_S / NS_PER_US),
	};
}

/* Three significant figures; what rounds up to 1000 belongs to the next unit. */
static void
three_figures(double value, const char *unit, char *buffer, size_t size)
{
	snprintf(buffer, size, "%.*f %s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, unit);
}

char *
format_duration(uint64_t ns, char *buffer, size_t size)
{
	uint64_t s = (ns + NS_PER_S / 2) / NS_PER_S;

	if (ns < NS_PER_US)
		snprintf(buffer, size, "%" PRIu64 " ns", ns);
	else if (ns < 999500)
		three_figures((double) ns / 1e3, "us", buffer, size);
	else if (ns < 999500000)
		three_figures((double) ns / 1e6, "ms", buffer, size);
	else if (ns < 119500 * NS_PER_MS)
		three_figures((double) ns / 1e9, "s", buffer, size);
	else if (s < 7200)
		snprintf(buffer, size, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else if (s < 172800)
		snprintf(buffer, size, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	else
		snprintf(buffer, size, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
	return buffer;
}

char *
format_bytes(uint64_t bytes, char *buffer, size_t size)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double) bytes;
	unsigned unit = 0;

	for (; value >= 999.5 && unit < 6; unit++)
		value /= 1024;
	if (unit)
		three_figures(value, units[unit], buffer, size);
	else
		snprintf(buffer, size, "%" PRIu64 " B", bytes);
	return buffer;
}

char *
format_time_utc(uint64_t ns, char *buffer, size_t size)
{
	time_t s = (time_t) (ns / NS_PER_S);
	struct tm tm;
	char date[32];

	if (!gmtime_r(&s, &tm) || !strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm))
		snprintf(date, sizeof date, "?");
	snprintf(buffer, size, "%s.%09" PRIu64 "Z", date, ns % NS_PER_S);
	return buffer;
}
