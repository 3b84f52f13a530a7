/* SPDX-License-Identifier: MIT
 *
 * watch.c -- new processes (watch.h). */
#include "instrumentation/node/watch.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "instrumentation/node/files.h"
#include "instrumentation/node/missing.h"
#include "instrumentation/node/netlink.h"
#include "instrumentation/node/process.h"
#include "instrumentation/node/set.h"
#include "lib/clock.h"

/* A child of libvirtd waits for a while before it becomes QEMU: new processes
 * are looked at again for this long. */
#define YOUNG_NS (15 * NS_PER_S)
enum { MAX_PROCESSES = 1 << 20 };

static watch_fn *consider;
static bool (*is_known)(int pid);
static int connector = -1;
static bool told;

static void
look(int pid)
{
	char comm[PROCESS_COMM_SIZE];

	process_comm(pid, 0, comm);
	if (*comm)
		consider(pid, comm);
}

/* -- The proc connector ----------------------------------------------------- */

/* Where the kernel's filter finds what happened, and which numbers it is to let
 * through: the answer to our request, exec, and fork unless it made a thread. */
enum {
	EVENT_AT = NLMSG_HDRLEN + sizeof(struct cn_msg),
	WHAT_AT = EVENT_AT + offsetof(struct proc_event, what),
	CHILD_AT = EVENT_AT + offsetof(struct proc_event, event_data.fork.child_pid),
	CHILD_PROCESS_AT = EVENT_AT + offsetof(struct proc_event, event_data.fork.child_tgid),
	WHAT_ANSWER = 0, WHAT_FORK = 1, WHAT_EXEC = 2,
};

static void
set_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, WHAT_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(WHAT_EXEC), 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(WHAT_ANSWER), 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(WHAT_FORK), 0, 5),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, CHILD_AT),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, CHILD_PROCESS_AT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	/* Without it there is just more to read. */
	(void) setsockopt(connector, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static int
subscribe(void)
{
	struct {
		struct cn_msg message;
		uint32_t operation;
	} request = {
		.message = { .id = { CN_IDX_PROC, CN_VAL_PROC }, .len = sizeof(uint32_t) },
		.operation = PROC_CN_MCAST_LISTEN,
	};

	return netlink_request(connector, NLMSG_DONE, 0, &request,
			       offsetof(typeof(request), operation) + sizeof request.operation, 0, NULL);
}

void
watch_init(watch_fn *function, bool (*known)(int pid))
{
	consider = function;
	is_known = known;
}

int
watch_open(void)
{
	int r;

	if (!files_are_real())
		return -1;
	connector = netlink_open(NETLINK_CONNECTOR, CN_IDX_PROC);
	if (connector >= 0) {
		set_filter();
		r = subscribe();
		if (r)
			closep(&connector);
	} else {
		r = connector;
	}
	if (r) {
		connector = -1;
		missing_note("proc-connector", "%s; new processes are found by listing /proc"
			     " (needs CAP_NET_ADMIN)", strerror(-r));
	}
	return connector;
}

bool
watch_is_told(void)
{
	return told;
}

static void
take_message(const char *bytes, size_t size)
{
	const size_t head = NLMSG_HDRLEN + sizeof(struct cn_msg);
	struct proc_event event = { 0 };

	if (size < head + offsetof(struct proc_event, event_data))
		return;
	memcpy(&event, bytes + head, MIN(size - head, sizeof event));
	if ((int) event.what == WHAT_ANSWER) {
		told = event.event_data.ack.err == 0;
		if (!told)
			missing_note("proc-connector", "%s; new processes are found by listing /proc",
				     strerror((int) event.event_data.ack.err));
	} else if ((int) event.what == WHAT_EXEC) {
		look(event.event_data.exec.process_tgid);
	} else if ((int) event.what == WHAT_FORK && is_known(event.event_data.fork.parent_tgid)) {
		/* A worker of a service, or a QEMU that goes to the background. */
		look(event.event_data.fork.child_tgid);
	}
}

void
watch_ready(void)
{
	char bytes[1024];
	struct sockaddr_nl from = { 0 };
	socklen_t from_size;
	ssize_t n;

	for (int i = 0; i < 1024; i++) {
		from_size = sizeof from;
		n = recvfrom(connector, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *) &from,
			     &from_size);
		if (n < 0 && errno == ENOBUFS) {
			watch_all();
			continue;
		}
		if (n < 0)
			return;
		if (from_size == sizeof from && from.nl_pid == 0)
			take_message(bytes, (size_t) n);
	}
}

/* -- Listing ---------------------------------------------------------------- */

struct listed {
	int pid;
	uint64_t until_ns;       /* Looked at again until then. */
};
static struct listed *before, *now;
static size_t n_before, now_capacity;
static char last_made[32];

/* Whether any process or thread was made since the last call. */
static bool
something_was_made(void)
{
	char text[128], *pid;

	files_line(text, sizeof text, "/proc/loadavg");
	/* Behind the averages: the last number that was given to a process. */
	pid = strrchr(text, ' ');
	if (pid && streq(pid, last_made))
		return false;
	TEXT_SET(last_made, pid ? pid : "");
	return true;
}

static int
by_pid(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

static size_t
list_processes(void)
{
	DIR *dir = files_dir("/proc");
	struct dirent *entry;
	size_t n = 0;
	int pid;

	while (dir && (entry = readdir(dir))) {
		if (!text_number(entry->d_name, &pid))
			continue;
		if (n == MAX_PROCESSES) {
			node_counters.left_out++;
			break;
		}
		if (n == now_capacity) {
			now_capacity = MAX((size_t) 256, 2 * now_capacity);
			now = xrealloc(now, now_capacity * sizeof *now);
		}
		now[n++] = (struct listed) { .pid = pid };
	}
	if (dir)
		closedir(dir);
	/* The kernel gives them in order. */
	for (size_t i = 1; i < n; i++)
		if (now[i].pid < now[i - 1].pid) {
			qsort(now, n, sizeof *now, by_pid);
			break;
		}
	return n;
}

static void
list(uint64_t now_ns, bool all)
{
	size_t n = list_processes(), old = 0;

	for (size_t i = 0; i < n; i++) {
		while (old < n_before && before[old].pid < now[i].pid)
			old++;
		if (old < n_before && before[old].pid == now[i].pid)
			now[i].until_ns = before[old].until_ns;
		else
			now[i].until_ns = now_ns + YOUNG_NS;
		if (all || now_ns < now[i].until_ns)
			look(now[i].pid);
	}
	before = xrealloc(before, MAX(n, (size_t) 1) * sizeof *before);
	if (n)
		memcpy(before, now, n * sizeof *before);
	n_before = n;
}

/* Whether some may still become QEMU. */
static bool
some_are_young(uint64_t now_ns)
{
	for (size_t i = 0; i < n_before; i++)
		if (now_ns < before[i].until_ns)
			return true;
	return false;
}

void
watch_poll(uint64_t now_ns)
{
	if (something_was_made()) {
		list(now_ns, false);
		return;
	}
	for (size_t i = 0; some_are_young(now_ns) && i < n_before; i++)
		if (now_ns < before[i].until_ns)
			look(before[i].pid);
}

void
watch_all(void)
{
	list(clock_mono_ns(), true);
}

void
watch_done(void)
{
	closep(&connector);
	connector = -1;
	free(before);
	free(now);
	before = now = NULL;
	n_before = now_capacity = 0;
}
