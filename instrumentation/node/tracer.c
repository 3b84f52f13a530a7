/* SPDX-License-Identifier: MIT
 *
 * tracer.c -- the end and new start of lttng-sessiond (tracer.h). */
#include "instrumentation/node/tracer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "instrumentation/node/emit.h"
#include "instrumentation/node/files.h"
#include "instrumentation/node/process.h"
#include "lib/clock.h"
#include "lib/log.h"

#define PATIENCE_NS (30 * NS_PER_S)

static char **arguments;
static uint64_t started_ns;      /* Since boot, as processes' start times. */
/* Where the new sessiond is going to listen for programs; "" when there is
 * none to wait for. */
static char folder[80];
static uint64_t until_ns;

void
tracer_init(char **argv)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	started_ns = (uint64_t) now.tv_sec * NS_PER_S + (uint64_t) now.tv_nsec;
	arguments = argv;
}

void
tracer_consider(int pid, const char *comm)
{
	struct process_stat process;
	const char *home = getenv("LTTNG_HOME");
	struct stat st;

	if (!streq(comm, "lttng-sessiond") || !process_stat(pid, &process) ||
	    process.start_ns < started_ns || files_stat(&st, "/proc/%d", pid))
		return;
	home = home ? home : getenv("HOME");
	/* Root's is everybody's, a user's own is below the home folder. */
	if (st.st_uid == 0)
		TEXT_SET(folder, "/var/run/lttng");
	else if (st.st_uid == geteuid() && home && strlen(home) + 8 < sizeof folder)
		snprintf(folder, sizeof folder, "%s/.lttng", home);
	else
		return;
	until_ns = clock_mono_ns() + PATIENCE_NS;
}

/* Its socket is named after the version of its protocol. */
static bool
is_listening(void)
{
	static const char prefix[] = "lttng-ust-sock-";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	DIR *dir = files_dir("%s", folder);
	struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir))) {
		int version;

		if (!starts_with(entry->d_name, prefix) ||
		    !text_number(entry->d_name + strlen(prefix), &version))
			continue;
		_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		snprintf(address.sun_path, sizeof address.sun_path, "%s/%s%d", folder, prefix, version);
		found = fd >= 0 && !connect(fd, (const struct sockaddr *) &address, sizeof address);
	}
	if (dir)
		closedir(dir);
	return found;
}

void
tracer_tick(void)
{
	if (!*folder)
		return;
	if (emit_is_wanted() || clock_mono_ns() > until_ns) {
		*folder = '\0';
	} else if (is_listening()) {
		log_info("lttng-sessiond was started: beginning anew, to be known to it at once");
		execv("/proc/self/exe", arguments);
		*folder = '\0';
	}
}
