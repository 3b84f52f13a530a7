/* SPDX-License-Identifier: MIT
 *
 * main.c -- cloudtrace-node: says what no trace says (see its manual page).
 *
 * One thread.  Everything is noticed either by a descriptor that becomes
 * readable (a new session, a new process, the end of a QEMU, a changed interface
 * or block device, OVSDB's answer) or by a cheap look every few seconds; the rest of the
 * time it sleeps. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "instrumentation/node/block.h"
#include "instrumentation/node/emit.h"
#include "instrumentation/node/files.h"
#include "instrumentation/node/host.h"
#include "instrumentation/node/links.h"
#include "instrumentation/node/missing.h"
#include "instrumentation/node/ovs.h"
#include "instrumentation/node/process.h"
#include "instrumentation/node/services.h"
#include "instrumentation/node/tracer.h"
#include "instrumentation/node/vm.h"
#include "instrumentation/node/watch.h"
#include "lib/clock.h"
#include "lib/log.h"

#define POLL_NS   (500 * NS_PER_MS)  /* New processes, if nobody tells. */
#define BATCH_NS  (200 * NS_PER_MS)  /* If somebody does: many at a time are cheaper. */
#define CHECK_NS  (5 * NS_PER_S)
#define SETTLE_NS (200 * NS_PER_MS)  /* Changes come in bursts. */
/* One dump in so many looks at everything anew; the others tell what is known,
 * as changes are noticed when they happen. */
enum { WHOLE_EACH = 10 };

enum source {
	SOURCE_SIGNAL, SOURCE_TRACER, SOURCE_WATCH, SOURCE_LINKS, SOURCE_BLOCK, SOURCE_OVSDB, SOURCE_VM,
};

static int epoll_fd = -1, ovsdb_fd = -1, watch_fd = -1;
static bool stopping, dump_asked;
static uint64_t dumps;
/* When what is due; monotonic.  0: now, UINT64_MAX: never. */
enum { POLL, CHECK, DUMP, LINKS, BLOCK, N_DUE };
static uint64_t due[N_DUE];

static const struct option options[] = {
	{ "interval", required_argument, NULL, 'i' },
	{ "once", no_argument, NULL, '1' },
	{ "own-uts", no_argument, NULL, 'u' },
	{ "print", no_argument, NULL, 'p' },
	{ "root", required_argument, NULL, 'r' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 }
};
static const char help[] =
	"Usage: cloudtrace-node [OPTION]...\n"
	"Tells LTTng, as events cloudtrace_node:*, which processes, threads, network\n"
	"cards and disks of this node belong to which VM, volume, port and service.\n"
	"\n"
	"  --interval=TIME  tell everything again so often (30s); also on SIGHUP, and\n"
	"                   when a tracing session begins to listen\n"
	"  --print          print the events on standard output too\n"
	"  --once           one dump, then exit\n"
	"  --own-uts        only processes in our own UTS namespace\n"
	"  --root=DIR       read /proc, /sys, ... below DIR (for tests)\n"
	"  --help, --version\n";

static void
listen_to(int fd, enum source source, int pid)
{
	struct epoll_event event = {
		.events = EPOLLIN, .data.u64 = (uint64_t) source << 32 | (uint32_t) pid,
	};

	if (fd >= 0 && epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
		log_warning("can't listen to a descriptor, looking at it now and then: %s",
			    strerror(errno));
}

/* The watch's descriptor is waited on once, then read when the batch is due. */
static void
listen_to_watch(int operation)
{
	struct epoll_event event = {
		.events = EPOLLIN | EPOLLONESHOT, .data.u64 = (uint64_t) SOURCE_WATCH << 32,
	};

	if (watch_fd >= 0)
		epoll_ctl(epoll_fd, operation, watch_fd, &event);
}

static void
vm_appeared(struct vm *vm)
{
	listen_to(vm->pidfd, SOURCE_VM, vm->process.pid);
}

static void
consider(int pid, const char *comm)
{
	if (starts_with(comm, "vhost-"))
		vm_vhost_thread(pid, comm);
	vm_consider(pid, comm);
	services_consider(pid, comm);
	tracer_consider(pid, comm);
}

static bool
has_children_of_interest(int pid)
{
	return vm_find(pid) || services_has(pid);
}

/* -- Looking and telling ---------------------------------------------------- */

static void
scan_ovs(void)
{
	if (ovs_scan()) {
		links_refresh();
		vm_refresh();
	}
	/* It may have connected, or connected anew. */
	if (ovs_fd() >= 0 && ovs_fd() != ovsdb_fd)
		listen_to(ovs_fd(), SOURCE_OVSDB, 0);
	ovsdb_fd = ovs_fd();
}

static void
tell_all(void)
{
	block_dump();
	links_dump();
	services_dump();
	vm_dump();
	missing_dump();
}

static void
dump(uint64_t now_ns, uint64_t interval_ns)
{
	struct node_dump_end end;
	const bool first = dumps == 0, whole = dumps++ % WHOLE_EACH == 0;

	block_scan();
	links_scan(whole);
	scan_ovs();
	watch_all();
	services_check();
	vm_check_all(now_ns, whole);
	host_scan(!first);
	/* What was just told as new need not be told again. */
	if (!first && emit_is_wanted())
		tell_all();
	memset(&end, 0, sizeof end);
	end.processes = (int32_t) vm_count();
	end.scan_ns = clock_mono_ns() - now_ns;
	TEXT_SET(end.hostname, host_name());
	end.services = services_count();
	end.interfaces = links_count();
	end.block_devices = block_count();
	end.missing = missing_count();
	end.left_out = node_counters.left_out;
	end.malformed = node_counters.malformed;
	emit_dump_end(&end);
	due[DUMP] = now_ns + interval_ns;
	dump_asked = false;
}

static void
check(uint64_t now_ns)
{
	services_check();
	host_scan(false);
	due[CHECK] = now_ns + CHECK_NS;
}

static void
poll_processes(uint64_t now_ns)
{
	if (watch_fd >= 0)
		watch_ready();
	if (!watch_is_told())
		watch_poll(now_ns);
	due[POLL] = watch_is_told() ? UINT64_MAX : now_ns + POLL_NS;
	listen_to_watch(EPOLL_CTL_MOD);
}

static void
rescan(uint64_t now_ns)
{
	if (now_ns >= due[LINKS]) {
		scan_ovs();
		due[LINKS] = UINT64_MAX;
		vm_refresh();
	}
	if (now_ns >= due[BLOCK]) {
		block_scan();
		due[BLOCK] = UINT64_MAX;
		vm_refresh();
	}
}

/* Does what is due; returns when the next is. */
static uint64_t
work(uint64_t interval_ns)
{
	uint64_t now_ns = clock_mono_ns(), next_ns;

	if (now_ns >= due[POLL])
		poll_processes(now_ns);
	if (now_ns >= due[CHECK])
		check(now_ns);
	rescan(now_ns);
	if (now_ns >= due[DUMP] || dump_asked)
		dump(now_ns, interval_ns);
	next_ns = MIN(vm_check_due(now_ns), tracer_check_due(now_ns));
	for (unsigned i = 0; i < N_DUE; i++)
		next_ns = MIN(next_ns, due[i]);
	return next_ns;
}

/* -- What comes in ---------------------------------------------------------- */

static void
take_signal(int fd)
{
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof info) == sizeof info) {
		if (info.ssi_signo == SIGHUP)
			dump_asked = true;
		else
			stopping = true;
	}
}

static void
take_event(const struct epoll_event *event, int signal_fd)
{
	const enum source source = (enum source) (event->data.u64 >> 32);
	struct vm *vm;

	if (source == SOURCE_SIGNAL) {
		take_signal(signal_fd);
	} else if (source == SOURCE_TRACER) {
		tracer_ready();
		dump_asked = true;
	} else if (source == SOURCE_WATCH) {
		due[POLL] = MIN(due[POLL], clock_mono_ns() + BATCH_NS);
	} else if (source == SOURCE_LINKS) {
		links_ready();
		due[LINKS] = MIN(due[LINKS], clock_mono_ns() + SETTLE_NS);
	} else if (source == SOURCE_BLOCK) {
		if (block_ready())
			due[BLOCK] = MIN(due[BLOCK], clock_mono_ns() + SETTLE_NS);
	} else if (source == SOURCE_OVSDB) {
		if (ovs_fd() >= 0 && ovs_ready()) {
			links_refresh();
			vm_refresh();
		}
	} else {
		vm = vm_find((int) (event->data.u64 & UINT32_MAX));
		if (vm)
			vm_gone(vm);
	}
}

static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int
timeout_ms(uint64_t next_ns)
{
	const uint64_t now_ns = clock_mono_ns();

	/* Rounded up, or the last millisecond is spent in turning. */
	return next_ns > now_ns ? (int) MIN((next_ns - now_ns) / NS_PER_MS + 1, (uint64_t) 60000) : 0;
}

static int
run(uint64_t interval_ns, bool once)
{
	struct epoll_event events[64];
	int signal_fd = open_signals();

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0 || signal_fd < 0) {
		log_error("can't start: %s", strerror(errno));
		return 1;
	}
	listen_to(signal_fd, SOURCE_SIGNAL, 0);
	vm_options.appeared = vm_appeared;
	watch_init(consider, has_children_of_interest);
	due[LINKS] = due[BLOCK] = UINT64_MAX;
	if (!once) {
		listen_to(tracer_open(), SOURCE_TRACER, 0);
		watch_fd = watch_open();
		listen_to_watch(EPOLL_CTL_ADD);
		listen_to(block_open(), SOURCE_BLOCK, 0);
	}
	listen_to(links_open(), SOURCE_LINKS, 0);
	dump(clock_mono_ns(), interval_ns);
	while (!stopping && !once) {
		int n = epoll_wait(epoll_fd, events, ARRAY_SIZE(events), timeout_ms(work(interval_ns)));

		for (int i = 0; i < n; i++)
			take_event(&events[i], signal_fd);
	}
	if (!once)
		host_gone();
	close(signal_fd);
	close(epoll_fd);
	return 0;
}

int
main(int argc, char **argv)
{
	uint64_t interval_ns = 30 * NS_PER_S;
	bool once = false;
	int option, status;

	log_init("cloudtrace-node", LOG_LEVEL_INFO);
	tracer_init(argv);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == 'i' && (parse_duration(optarg, &interval_ns) || interval_ns < NS_PER_S)) {
			log_error("--interval=%s: a time of at least 1s", optarg);
			return 2;
		} else if (option == 'u') {
			vm_options.own_uts_only = true;
		} else if (option == 'p') {
			emit_to_stdout();
		} else if (option == '1') {
			once = true;
		} else if (option == 'r') {
			files_set_root(optarg);
		} else if (option == 'h' || option == 'V') {
			fputs(option == 'h' ? help : PACKAGE_STRING "\n", stdout);
			return 0;
		} else if (option != 'i') {
			fputs("Try cloudtrace-node --help.\n", stderr);
			return 2;
		}
	}
	if (optind < argc) {
		log_error("%s: no arguments are expected; try --help", argv[optind]);
		return 2;
	}
	status = run(interval_ns, once);
	vm_done();
	services_done();
	links_done();
	ovs_done();
	block_done();
	watch_done();
	return status;
}
