/* SPDX-License-Identifier: MIT
 *
 * load.c -- the loads whose speed is compared with and without a role's profile
 * (profiles.py, and tests/guest, where there is a kernel tracer).  A load runs
 * for some seconds and prints two numbers: how many operations it did a second,
 * and the CPU time of one in us.  No library but libc, so that the same program
 * runs in the guest. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A second build of it has a tracepoint in each round trip. */
#ifdef LOAD_TRACED
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "bench/tracepoints_provider.h"
#define TRACE(n) lttng_ust_tracepoint(qemu, migration_bitmap_sync_end, n)
#else
#define TRACE(n)
#endif

enum { BLOCK = 4096, BLOCKS = 4096, OPERATIONS_A_SYNC = 16, BATCH = 64 };

struct load {
	const char *name;
	bool (*operate)(void);  /* Once; false when it failed. */
	bool (*prepare)(const char *path);
	bool needs_path;
};

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t) t.tv_sec * 1000000000 + (uint64_t) t.tv_nsec;
}

static double
cpu_us(int who)
{
	struct rusage usage;

	getrusage(who, &usage);
	return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 +
		(double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* The same numbers in every run, on every machine. */
static uint32_t
next_random(void)
{
	static uint32_t state = 2463534242;

	state ^= state << 13;
	state ^= state >> 17;
	state ^= state << 5;
	return state;
}

/* -- Ping-pong ----------------------------------------------------------- */

static int ours = -1;

/* Both on one CPU, so that every message is a switch from one to the other. */
static void
stay_on_one_cpu(void)
{
	cpu_set_t allowed, one;

	if (sched_getaffinity(0, sizeof allowed, &allowed) < 0)
		return;
	CPU_ZERO(&one);
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
		if (CPU_ISSET(cpu, &allowed)) {
			CPU_SET(cpu, &one);
			sched_setaffinity(0, sizeof one, &one);
			return;
		}
}

static bool
prepare_ping_pong(const char *path)
{
	int ends[2];
	char byte;
	pid_t pid;

	(void) path;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return false;
	stay_on_one_cpu();
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		while (read(ends[1], &byte, 1) == 1 && write(ends[1], &byte, 1) == 1)
			;
		_exit(0);
	}
	close(ends[1]);
	ours = ends[0];
	return pid > 0;
}

static bool
ping(void)
{
	char byte = 'p';

	TRACE(next_random());
	return write(ours, &byte, 1) == 1 && read(ours, &byte, 1) == 1;
}

/* -- Disk ---------------------------------------------------------------- */

static int disk = -1;
static char *block;

/* A file of 16 MiB, past the page cache where the file system lets us. */
static bool
prepare_disk(const char *path)
{
	if (posix_memalign((void **) &block, BLOCK, BLOCK) != 0)
		return false;
	memset(block, 'd', BLOCK);
	disk = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_DIRECT, 0600);
	if (disk < 0 && errno == EINVAL)
		disk = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (int i = 0; disk >= 0 && i < BLOCKS; i++)
		if (pwrite(disk, block, BLOCK, (off_t) i * BLOCK) != BLOCK)
			return false;
	return disk >= 0 && fsync(disk) == 0;
}

/* One in two writes; what was written goes to the disk now and then. */
static bool
read_or_write(void)
{
	static unsigned n;
	const off_t at = (off_t) (next_random() % BLOCKS) * BLOCK;

	if (++n % OPERATIONS_A_SYNC == 0)
		return fdatasync(disk) == 0;
	return (n % 2 ? pwrite(disk, block, BLOCK, at) : pread(disk, block, BLOCK, at)) == BLOCK;
}

/* The other process, if there is one, leaves at the end of its socket. */
static void
finish(void)
{
	if (ours >= 0)
		close(ours);
	while (wait(NULL) > 0)
		;
}

/* -- Main ---------------------------------------------------------------- */

static const struct load loads[] = {
	{ "ping-pong", ping, prepare_ping_pong, false },
	{ "disk", read_or_write, prepare_disk, true },
};

static const struct load *
find(const char *name)
{
	for (size_t i = 0; i < sizeof loads / sizeof *loads; i++)
		if (strcmp(loads[i].name, name) == 0)
			return &loads[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	const struct load *load = argc > 2 ? find(argv[1]) : NULL;
	const double seconds = argc > 2 ? strtod(argv[2], NULL) : 0;
	uint64_t start, now, n = 0;
	double cpu;

	if (!load || seconds <= 0 || seconds > 3600 || (load->needs_path && argc < 4)) {
		fputs("Usage: load ping-pong SECONDS | disk SECONDS FILE\n", stderr);
		return 2;
	}
	if (!load->prepare(argc > 3 ? argv[3] : NULL)) {
		perror(load->name);
		return 1;
	}
	start = now = now_ns();
	cpu = cpu_us(RUSAGE_SELF);
	while ((double) (now - start) < seconds * 1e9) {
		for (int i = 0; i < BATCH; i++)
			if (!load->operate()) {
				perror(load->name);
				return 1;
			}
		n += BATCH;
		now = now_ns();
	}
	finish();
	cpu = cpu_us(RUSAGE_SELF) + cpu_us(RUSAGE_CHILDREN) - cpu;
	printf("%.1f %.4f\n", (double) n / ((double) (now - start) / 1e9), cpu / (double) n);
	return 0;
}
