/* SPDX-License-Identifier: MIT
 *
 * tracer.c -- sessions, and the end and new start of lttng-sessiond (tracer.h).
 *
 * liblttng-ust waits for 5 s when lttng-sessiond was killed, before it tries
 * again, and can't be told to try.  A program that starts registers
 * immediately: so we start ourselves anew. */
#include "instrumentation/node/tracer.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "instrumentation/node/emit.h"
#include "instrumentation/node/files.h"
#include "instrumentation/node/missing.h"
#include "instrumentation/node/process.h"
#include "lib/clock.h"
#include "lib/log.h"

#define PATIENCE_NS (30 * NS_PER_S)
#define TRY_NS      (400 * NS_PER_MS)

static int wake_fd = -1;
static char **arguments;
static uint64_t started_ns;      /* Since boot, as processes' start times. */
/* Where the new sessiond is going to listen for programs; "" when there is
 * none to wait for. */
static char folder[80];
static uint64_t until_ns, try_ns;

void
tracer_init(char **argv)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	started_ns = (uint64_t) now.tv_sec * NS_PER_S + (uint64_t) now.tv_nsec;
	arguments = argv;
	/* Started anew it is "exe". */
	prctl(PR_SET_NAME, "cloudtrace-node");
}

/* -- Sessions --------------------------------------------------------------- */

/* In the library's thread. */
static void
dump_begins(void *data, void *session)
{
	eventfd_write(wake_fd, 1);
}

/* The library dumps its own state into each session that starts: where its first
 * event of that comes from, we listen too.  The function is exported for the code
 * that the library's headers make, and declared in none of them. */
int
tracer_open(void)
{
	typedef int register_fn(const char *provider, const char *event, void (*probe)(void), void *data,
				const char *signature);
	register_fn *listen_to =
		(register_fn *) dlsym(RTLD_DEFAULT, "lttng_ust_tracepoint_provider_register");

	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (wake_fd >= 0 && listen_to &&
	    listen_to("lttng_ust_statedump", "start", (void (*)(void)) dump_begins, NULL,
		      "struct lttng_ust_session *, session") == 0)
		return wake_fd;
	missing_note("sessions", "LTTng-UST does not tell when one begins: it is told with the next dump");
	return -1;
}

void
tracer_ready(void)
{
	eventfd_t n;

	eventfd_read(wake_fd, &n);
}

/* -- A new lttng-sessiond --------------------------------------------------- */

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
	try_ns = clock_mono_ns();
	until_ns = try_ns + PATIENCE_NS;
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

uint64_t
tracer_check_due(uint64_t now_ns)
{
	if (!*folder)
		return UINT64_MAX;
	if (now_ns < try_ns)
		return try_ns;
	if (!emit_is_traced() && is_listening()) {
		log_info("lttng-sessiond was started: beginning anew, to be known to it at once");
		execv("/proc/self/exe", arguments);
	}
	try_ns = now_ns + TRY_NS;
	if (emit_is_traced() || now_ns > until_ns)
		*folder = '\0';
	return try_ns;
}
