/* SPDX-License-Identifier: MIT
 *
 * process.c -- /proc/PID (process.h). */
#include "instrumentation/node/process.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "instrumentation/node/cmdline.h"
#include "instrumentation/node/files.h"
#include "lib/clock.h"

/* Fields of /proc/PID/stat, as proc(5) numbers them. */
enum { STAT_STATE = 3, STAT_PPID = 4, STAT_STARTTIME = 22 };

bool
process_stat(int pid, struct process_stat *ret)
{
	char text[1024], *p;
	uint64_t ticks = 0;
	const long hz = sysconf(_SC_CLK_TCK);

	*ret = (struct process_stat) { 0 };
	if (files_read(text, sizeof text, "/proc/%d/stat", pid) <= 0)
		return false;
	/* The name is in parentheses, and may hold some itself. */
	p = strrchr(text, ')');
	for (int field = STAT_STATE; p && field <= STAT_STARTTIME; field++) {
		p = strchr(p, ' ');
		if (!p)
			break;
		p++;
		if (field == STAT_STATE)
			ret->zombie = *p == 'Z' || *p == 'X';
		else if (field == STAT_PPID)
			ret->ppid = (int) strtol(p, NULL, 10);
		else if (field == STAT_STARTTIME)
			ticks = strtoull(p, NULL, 10);
	}
	ret->start_ns = ticks * (NS_PER_S / (uint64_t) MAX(hz, 1));
	return p != NULL;
}

void
process_comm(int pid, int tid, char ret[PROCESS_COMM_SIZE])
{
	if (tid)
		files_line(ret, PROCESS_COMM_SIZE, "/proc/%d/task/%d/comm", pid, tid);
	else
		files_line(ret, PROCESS_COMM_SIZE, "/proc/%d/comm", pid);
}

void
process_exe(int pid, char *ret, size_t size)
{
	memset(ret, 0, size);
	if (files_link(ret, size, "/proc/%d/exe", pid) < 0)
		memset(ret, 0, size);
}

int
process_vpid(int pid)
{
	char text[4096], *line, *last;
	int vpid = pid;

	if (files_read(text, sizeof text, "/proc/%d/status", pid) <= 0)
		return pid;
	line = strstr(text, "\nNSpid:");
	if (!line)
		return pid;
	line += strlen("\nNSpid:");
	line[strcspn(line, "\n")] = '\0';
	/* The outermost first, the innermost last. */
	last = strrchr(line, '\t');
	return last && text_number(last + 1, &vpid) ? vpid : pid;
}

bool
process_is_in_own_uts(int pid)
{
	struct stat own, other;

	return !files_stat(&own, "/proc/self/ns/uts") &&
	       !files_stat(&other, "/proc/%d/ns/uts", pid) &&
	       own.st_ino == other.st_ino && own.st_dev == other.st_dev;
}

const char *
process_cmdline(int pid, size_t *ret_size)
{
	static char *buffer;
	ssize_t n;

	if (!buffer)
		buffer = xmalloc(CMDLINE_SIZE);
	n = files_read(buffer, CMDLINE_SIZE, "/proc/%d/cmdline", pid);
	if (n <= 0)
		return NULL;
	*ret_size = (size_t) n;
	return buffer;
}
