/* SPDX-License-Identifier: MIT */
#include "instrumentation/session/watch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#endif

#include "instrumentation/session/state.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"

#define TICK_NS       (250 * NS_PER_MS)
#define CHECK_NS      (5 * NS_PER_S)
#define LOOK_ROUND_NS (300 * NS_PER_S)
/* For a daemon to find the new session and attach, before the statedump. */
#define FIRST_DUMP_NS (5 * NS_PER_S)
#define MIN_BACKOFF_NS (250 * NS_PER_MS)
#define MAX_BACKOFF_NS NS_PER_S

struct watch {
	struct keeper keeper;
	const struct watch_options *options;
	int signals;
	int sessiond;           /* A pidfd, or -1: then only checks notice its end. */
	bool up;
	const char *lost;
	uint64_t next_check, next_dump, next_look, next_feed, backoff, feed_ns;
	char told[480];         /* The last failure, to tell it once. */
	char *missing;
};

static void
notify(const char *state)
{
#ifdef HAVE_SYSTEMD
	sd_notify(0, state);
#endif
}

/* Feeding at a third of the time that systemd allows. */
static uint64_t
feed_period(void)
{
#ifdef HAVE_SYSTEMD
	uint64_t us;

	return sd_watchdog_enabled(0, &us) > 0 ? us * NS_PER_US / 3 : 0;
#else
	return 0;
#endif
}

/* -- sessiond ------------------------------------------------------------ */

int
sessiond_spawn(struct error *error)
{
	const pid_t pid = fork();
	int status;

	if (pid == 0) {
		sigset_t none;

		signal(SIGPIPE, SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execlp("lttng-sessiond", "lttng-sessiond", "--daemonize", (char *) NULL);
		_exit(127);
	}
	if (pid < 0)
		return error_set(error, errno, "can't fork: %s", strerror(errno));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return error_set(error, ECHILD, "can't start lttng-sessiond%s",
				 WIFEXITED(status) && WEXITSTATUS(status) == 127
					 ? ": it is not there; install lttng-tools"
					 : "; run it by hand to see why");
	log_info("started lttng-sessiond");
	return 0;
}

/* Its end is then known at once. */
static int
sessiond_open(void)
{
	const pid_t pid = sessiond_pid();

	return pid > 0 ? (int) syscall(SYS_pidfd_open, pid, 0) : -1;
}

static void
sessiond_close(struct watch *watch)
{
	if (watch->sessiond >= 0)
		close(watch->sessiond);
	watch->sessiond = -1;
	keeper_forget(&watch->keeper);
}

/* -- Telling ------------------------------------------------------------- */

static void
tell_lines(const char *text)
{
	while (*text) {
		const size_t length = strcspn(text, "\n");

		log_warning("%.*s", (int) length, text);
		text += length + (text[length] == '\n');
	}
}

/* What is missing, when that is news. */
static void
tell_missing(struct watch *watch, uint64_t now)
{
	_cleanup_(buf_done) struct buf text = { 0 };

	watch->next_look = now + LOOK_ROUND_NS;
	keeper_missing(&watch->keeper, &text);
	buf_add_char(&text, '\0');
	if (watch->missing && streq(watch->missing, text.data))
		return;
	tell_lines(text.data);
	if (watch->missing && !*text.data)
		log_info("nothing is missing any more");
	free(watch->missing);
	watch->missing = xstrdup(text.data);
}

static void
tell_session(const struct watch *watch, int what, const char *because)
{
	const struct wanted *w = watch->keeper.wanted;
	const size_t ust =
		events_count(&w->events, DOMAIN_UST) + events_count(&w->events, DOMAIN_PYTHON);
	const size_t kernel = events_count(&w->events, DOMAIN_KERNEL);
	uint64_t memory = 0;
	char text[32];

	for (enum domain d = 0; d < N_DOMAINS; d++)
		memory += wants_domain(w, d) ? role_memory(w->role, d, w->cpus) : 0;
	if (ust + kernel == 0)
		log_warning("nothing can be recorded here: %s: role=%s",
			    w->events.n ? "see above" : "no analyzer reads events of such nodes",
			    w->role->name);
	else if (what == KEEP_NOTHING)
		log_info("nothing to do: session %s is as wanted: relayd=%s", w->name, w->url);
	else if (what == KEEP_CHANGED)
		log_info("session %s: events changed: ust=%zu, kernel=%zu", w->name, ust, kernel);
	else
		log_info("session %s: recording%s%s: relayd=%s, ust=%zu, kernel=%zu, memory<=%s",
			 w->name, because ? "; made anew, as " : "", because ? because : "", w->url,
			 ust, kernel, format_bytes(memory, text, sizeof text));
}

/* -- Checking ------------------------------------------------------------ */

static int
check(struct watch *watch, uint64_t now)
{
	struct error error = { 0 };
	const char *because = NULL;
	int r = 0;

	if (watch->options->spawn_sessiond && !sessiond_is_there())
		r = sessiond_spawn(&error);
	if (r >= 0)
		r = keep(&watch->keeper, watch->lost, &because, &error);
	if (r < 0) {
		if (!streq(watch->told, error.text))
			log_error("%s%s", error.text, watch->options->once ? "" : "; trying again");
		snprintf(watch->told, sizeof watch->told, "%s", error.text);
		watch->up = false;
		watch->next_check = now + watch->backoff;
		watch->backoff = MIN(2 * watch->backoff, MAX_BACKOFF_NS);
		notify("STATUS=not recording: see the journal");
		return r;
	}
	if (!watch->up || r != KEEP_NOTHING) {
		tell_missing(watch, now);
		tell_session(watch, r, because);
		watch->next_dump = now + FIRST_DUMP_NS;
		notify("STATUS=recording");
	}
	if (watch->sessiond < 0)
		watch->sessiond = sessiond_open();
	watch->up = true;
	watch->lost = NULL;
	watch->told[0] = '\0';
	watch->backoff = MIN_BACKOFF_NS;
	watch->next_check = now + CHECK_NS;
	return r;
}

static void
dump_state(struct watch *watch, uint64_t now)
{
	const struct wanted *wanted = watch->keeper.wanted;
	const uint64_t period = watch->options->statedump_ns;
	const int r = wants_any(wanted) ? lttng_regenerate_statedump(wanted->name) : 0;

	if (r < 0)
		log_warning("can't regenerate the statedump: %s", lttng_strerror(r));
	else
		log_debug("statedump regenerated");
	watch->next_dump = period ? now + period : UINT64_MAX;
}

static void
tick(struct watch *watch)
{
	const uint64_t now = clock_mono_ns();

	if (watch->feed_ns && now >= watch->next_feed) {
		notify("WATCHDOG=1");
		watch->next_feed = now + watch->feed_ns;
	}
	if (watch->up && !watch->lost) {
		watch->lost = keeper_lost(&watch->keeper);
		if (watch->lost) {
			log_warning("session %s records no more: %s", watch->keeper.wanted->name,
				    watch->lost);
			watch->next_check = now;
		}
	}
	if (now >= watch->next_check)
		check(watch, now);
	if (watch->up && now >= watch->next_dump)
		dump_state(watch, now);
	if (watch->up && now >= watch->next_look) {
		keeper_look_again(&watch->keeper);
		tell_missing(watch, now);
	}
}

/* Waits for a tick, a signal or the end of sessiond; true to leave. */
static bool
wait_tick(struct watch *watch)
{
	struct pollfd fds[] = {
		{ .fd = watch->signals, .events = POLLIN },
		{ .fd = watch->sessiond, .events = POLLIN },
	};

	if (poll(fds, ARRAY_SIZE(fds), (int) (TICK_NS / NS_PER_MS)) <= 0)
		return false;
	if (fds[0].revents)
		return true;
	if (fds[1].revents) {
		log_warning("lttng-sessiond ended: the session is gone with it");
		sessiond_close(watch);
		watch->up = false;
		watch->lost = NULL;
		watch->next_check = clock_mono_ns();
	}
	return false;
}

int
watch_run(struct wanted *wanted, const struct watch_options *options)
{
	struct watch watch = {
		.keeper.wanted = wanted, .options = options, .sessiond = -1,
		.backoff = MIN_BACKOFF_NS, .feed_ns = feed_period(),
	};
	sigset_t mask;
	int r = check(&watch, clock_mono_ns());

	if (!options->once) {
		sigemptyset(&mask);
		sigaddset(&mask, SIGTERM);
		sigaddset(&mask, SIGINT);
		sigprocmask(SIG_BLOCK, &mask, NULL);
		watch.signals = signalfd(-1, &mask, SFD_CLOEXEC);
		notify("READY=1");
		while (!wait_tick(&watch))
			tick(&watch);
		notify("STOPPING=1");
		log_info("leaving; session %s stays, --stop ends it", wanted->name);
		close(watch.signals);
		r = 0;
	}
	sessiond_close(&watch);
	buf_done(&watch.keeper.problems);
	free(watch.missing);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
