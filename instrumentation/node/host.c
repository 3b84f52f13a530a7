/* SPDX-License-Identifier: MIT
 *
 * host.c -- facts about this node (host.h).
 *
 * Whether the clock is synchronized the kernel says itself, whoever disciplines
 * it (chrony, ntpd, phc2sys); their processes are known from services.c. */
#include "instrumentation/node/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

#include "instrumentation/node/emit.h"
#include "instrumentation/node/files.h"
#include "instrumentation/node/services.h"
#include "lib/clock.h"

static struct node_host told;

const char *
host_name(void)
{
	static char name[65];

	gethostname(name, sizeof name - 1);
	return name;
}

static void
read_clock(struct node_host *host, struct node_clock *clock)
{
	struct timex timex = { .modes = 0 };

	host->synchronized = -1;
	memset(clock, 0, sizeof *clock);
	if (adjtimex(&timex) < 0)
		return;
	host->synchronized = !(timex.status & STA_UNSYNC);
	clock->offset_ns = timex.offset * (timex.status & STA_NANO ? 1 : 1000);
	/* In units of 2^-16 ppm. */
	clock->frequency_ppb = (int64_t) timex.freq * 1000 / 65536;
	clock->max_error_ns = (uint64_t) MAX(timex.maxerror, 0) * NS_PER_US;
	clock->estimated_error_ns = (uint64_t) MAX(timex.esterror, 0) * NS_PER_US;
}

static void
read_ptp(struct node_host *host)
{
	DIR *dir = files_dir("/sys/class/ptp");
	struct dirent *entry;
	char name[48];
	size_t used = 0;

	while (dir && (entry = readdir(dir))) {
		if (*entry->d_name == '.')
			continue;
		files_line(name, sizeof name, "/sys/class/ptp/%s/clock_name", entry->d_name);
		if (used + strlen(name) + 2 <= sizeof host->ptp)
			used += (size_t) snprintf(host->ptp + used, sizeof host->ptp - used, "%s%s",
						  used ? ", " : "", name);
	}
	if (dir)
		closedir(dir);
}

static void
read_memory(struct node_host *host)
{
	char text[256];

	if (files_read(text, sizeof text, "/proc/meminfo") > 0 && starts_with(text, "MemTotal:"))
		host->memory_mib = (uint32_t) (strtoull(text + strlen("MemTotal:"), NULL, 10) >> 10);
}

void
host_gone(void)
{
	const struct node_clock clock = { 0 };

	emit_host("gone", &told, &clock);
}

void
host_scan(bool dump)
{
	struct node_host host;
	struct node_clock clock;
	bool changed;

	memset(&host, 0, sizeof host);
	TEXT_SET(host.hostname, host_name());
	files_line(host.kernel, sizeof host.kernel, "/proc/sys/kernel/osrelease");
	files_line(host.boot_id, sizeof host.boot_id, "/proc/sys/kernel/random/boot_id");
	files_line(host.clocksource, sizeof host.clocksource,
		   "/sys/devices/system/clocksource/clocksource0/current_clocksource");
	host.cpus = (uint32_t) sysconf(_SC_NPROCESSORS_ONLN);
	read_memory(&host);
	services_time(host.time_service, sizeof host.time_service);
	read_ptp(&host);
	read_clock(&host, &clock);
	changed = memcmp(&host, &told, sizeof host) != 0;
	if (changed || dump)
		emit_host(!changed ? "dump" : *told.hostname ? "change" : "new", &host, &clock);
	memcpy(&told, &host, sizeof told);
}
