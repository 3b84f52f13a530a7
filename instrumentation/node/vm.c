/* SPDX-License-Identifier: MIT
 *
 * vm.c -- QEMU processes and their threads (vm.h). */
#include "instrumentation/node/vm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "instrumentation/node/emit.h"
#include "instrumentation/node/files.h"
#include "instrumentation/node/missing.h"
#include "instrumentation/node/process.h"
#include "lib/clock.h"

/* A young VM is still starting threads and opening files. */
static const uint64_t young_ns[] = {
	20 * NS_PER_MS, 50 * NS_PER_MS, 100 * NS_PER_MS, 200 * NS_PER_MS, 400 * NS_PER_MS,
	NS_PER_S, 2 * NS_PER_S,
};
#define CHECK_NS (5 * NS_PER_S)

static const struct set_kind vcpu_kind = {
	.size = sizeof(struct node_vcpu_thread), .key_size = NODE_KEY_SIZE(vcpu_thread, tid),
	.max = 1024, .emit = emit_vcpu_thread,
};
static const struct set_kind thread_kind = {
	.size = sizeof(struct node_qemu_thread), .key_size = NODE_KEY_SIZE(qemu_thread, tid),
	.max = 256, .emit = emit_qemu_thread,
};

struct vm_options vm_options;
static struct vm *vms[VM_MAX];
/* Theirs, close together: looked for at each fork and exec of the node. */
static int pids[VM_MAX];
static unsigned n_vms;
/* When the first of them is to be looked at, or earlier. */
static uint64_t due_ns = UINT64_MAX;

struct vm *
vm_find(int pid)
{
	for (unsigned i = 0; i < n_vms; i++)
		if (pids[i] == pid)
			return vms[i];
	return NULL;
}

unsigned
vm_count(void)
{
	return n_vms;
}

/* -- Threads ---------------------------------------------------------------- */

static void
put_thread(struct vm *vm, int tid, const char *role, const char *comm, const char *name)
{
	struct node_qemu_thread thread;

	memset(&thread, 0, sizeof thread);
	thread.pid = vm->process.pid;
	thread.tid = tid;
	TEXT_SET(thread.role, role);
	TEXT_SET(thread.comm, comm);
	TEXT_SET(thread.name, name);
	set_put(&vm->threads, &thread);
}

static void
put_vcpu(struct vm *vm, int tid, int index, const char *comm)
{
	struct node_vcpu_thread vcpu;

	memset(&vcpu, 0, sizeof vcpu);
	vcpu.pid = vm->process.pid;
	vcpu.tid = tid;
	vcpu.index = index;
	TEXT_SET(vcpu.comm, comm);
	set_put(&vm->vcpus, &vcpu);
}

static void
take_thread(struct vm *vm, int tid)
{
	char comm[PROCESS_COMM_SIZE];
	int index;

	process_comm(vm->process.pid, tid, comm);
	if (starts_with(comm, "CPU ") && text_number(comm + 4, &index))
		put_vcpu(vm, tid, index, comm);
	else if (streq(comm, "ALL CPUs/TCG"))
		put_vcpu(vm, tid, -1, comm);
	else if (tid == vm->process.pid)
		put_thread(vm, tid, "main", comm, "");
	else if (starts_with(comm, "IO "))
		put_thread(vm, tid, "iothread", comm, comm + 3);
	else if (starts_with(comm, "vhost-"))
		put_thread(vm, tid, "vhost", comm, "");
}

/* vhost threads that are no threads of the process have to be asked for. */
static void
keep_vhost_threads(struct vm *vm)
{
	char comm[PROCESS_COMM_SIZE];

	for (unsigned i = 0; i < vm->threads.n; i++) {
		const struct node_qemu_thread *thread = set_item(&vm->threads, i);

		if (set_is_fresh(&vm->threads, i) || !streq(thread->role, "vhost"))
			continue;
		process_comm(thread->tid, 0, comm);
		if (streq(comm, thread->comm))
			put_thread(vm, thread->tid, "vhost", comm, "");
	}
}

static void
scan_threads(struct vm *vm)
{
	DIR *dir = files_dir("/proc/%d/task", vm->process.pid);
	struct dirent *entry;
	int tid;

	if (!dir)
		return;
	while ((entry = readdir(dir)))
		if (text_number(entry->d_name, &tid))
			take_thread(vm, tid);
	closedir(dir);
	keep_vhost_threads(vm);
	set_sweep(&vm->vcpus);
	set_sweep(&vm->threads);
}

void
vm_vhost_thread(int tid, const char *comm)
{
	int pid;
	struct vm *vm = text_number(comm + strlen("vhost-"), &pid) ? vm_find(pid) : NULL;

	if (vm)
		put_thread(vm, tid, "vhost", comm, "");
}

/* -- Checks ----------------------------------------------------------------- */

static uint64_t
threads_mark(const struct vm *vm)
{
	struct stat st;

	/* A link for each thread. */
	return files_stat(&st, "/proc/%d/task", vm->process.pid) ? 0 : (uint64_t) st.st_nlink;
}

static bool
is_alive(const struct vm *vm)
{
	struct process_stat stat;

	return process_stat(vm->process.pid, &stat) && !stat.zombie &&
	       stat.start_ns == vm->process.start_ns;
}

static uint64_t
next_check(const struct vm *vm, uint64_t now_ns)
{
	if (vm->checks < ARRAY_SIZE(young_ns))
		return now_ns + young_ns[vm->checks];
	return now_ns + CHECK_NS;
}

static void
check(struct vm *vm, uint64_t now_ns, bool whole)
{
	const uint64_t threads = threads_mark(vm), files = vm_files_mark(vm);

	/* Threads get their names after they were made. */
	whole |= vm->checks <= ARRAY_SIZE(young_ns);
	vm->checks++;
	vm->check_ns = next_check(vm, now_ns);
	due_ns = MIN(due_ns, vm->check_ns);
	if (whole || threads != vm->threads_mark)
		scan_threads(vm);
	if (whole || files != vm->files_mark) {
		vm_files_scan(vm);
		vm_files_tell(vm);
	}
	vm->threads_mark = threads;
	vm->files_mark = files;
	if (vm->checks == ARRAY_SIZE(young_ns) + 1 && !vm->vcpus.n)
		missing_note("thread-names", "QEMU %d does not name its threads: start it with"
			     " -name ...,debug-threads=on", vm->process.pid);
}

static void
check_or_end(struct vm *vm, uint64_t now_ns, bool whole)
{
	/* Without pidfd nobody tells; another process may have its number by now. */
	if (vm->pidfd < 0 && !is_alive(vm))
		vm_gone(vm);
	else
		check(vm, now_ns, whole);
}

uint64_t
vm_check_due(uint64_t now_ns)
{
	if (now_ns < due_ns)
		return due_ns;
	/* Backwards: who is gone is replaced by the last. */
	for (unsigned i = n_vms; i-- > 0; )
		if (vms[i]->check_ns <= now_ns)
			check_or_end(vms[i], now_ns, false);
	due_ns = UINT64_MAX;
	for (unsigned i = 0; i < n_vms; i++)
		due_ns = MIN(due_ns, vms[i]->check_ns);
	return due_ns;
}

void
vm_check_all(uint64_t now_ns, bool whole)
{
	for (unsigned i = n_vms; i-- > 0; )
		check_or_end(vms[i], now_ns, whole);
}

void
vm_refresh(void)
{
	for (unsigned i = 0; i < n_vms; i++)
		vm_files_tell(vms[i]);
}

void
vm_dump(void)
{
	for (unsigned i = 0; i < n_vms; i++) {
		emit_qemu_process("dump", &vms[i]->process);
		set_dump(&vms[i]->vcpus);
		set_dump(&vms[i]->threads);
		set_dump(&vms[i]->nics);
		set_dump(&vms[i]->disks);
	}
}

/* -- Coming and going ------------------------------------------------------- */

static bool
is_qemu(const char *exe)
{
	const char *name = strrchr(exe, '/');

	return name && (strstr(name, "qemu-system") || strstr(name, "qemu-kvm"));
}

static void
add(int pid, const struct process_stat *stat, const char *exe, const struct cmdline *cmdline)
{
	struct vm *vm = xcalloc(1, sizeof *vm);
	struct node_qemu_process *process = &vm->process;

	process->pid = pid;
	process->start_ns = stat->start_ns;
	process->vpid = process_vpid(pid);
	TEXT_SET(process->uuid, cmdline->uuid);
	TEXT_SET(process->name, cmdline->name);
	TEXT_SET(process->machine, cmdline->machine);
	TEXT_SET(process->accel, cmdline->accel);
	TEXT_SET(process->incoming, cmdline->incoming);
	TEXT_SET(process->exe, exe);
	process->memory_mib = cmdline->memory_mib;
	process->vcpus = cmdline->vcpus;
	vm->vcpus.kind = &vcpu_kind;
	vm->threads.kind = &thread_kind;
	vm->nics.kind = &vm_nic_kind;
	vm->disks.kind = &vm_disk_kind;
	vm->pidfd = files_are_real() ? (int) syscall(SYS_pidfd_open, pid, 0) : -1;
	pids[n_vms] = pid;
	vms[n_vms++] = vm;
	emit_qemu_process("new", process);
	vm_files_init(vm, cmdline);
	check(vm, clock_mono_ns(), true);
	if (vm_options.appeared)
		vm_options.appeared(vm);
}

void
vm_consider(int pid, const char *comm)
{
	char exe[256];
	struct process_stat stat;
	struct cmdline *cmdline;
	const char *bytes;
	struct vm *known;
	size_t size;

	known = vm_find(pid);
	if ((!known && !starts_with(comm, "qemu")) || !process_stat(pid, &stat) || stat.zombie)
		return;
	process_exe(pid, exe, sizeof exe);
	/* A child of QEMU's looks like it until it becomes what it is for. */
	if (known && known->process.start_ns == stat.start_ns &&
	    (starts_with(comm, "qemu") || is_qemu(exe)))
		return;
	if (known)
		vm_gone(known);
	bytes = process_cmdline(pid, &size);
	/* Who may not read the link has the name that it was started by. */
	if (bytes && !*exe)
		TEXT_SET(exe, *bytes == '/' ? bytes : "");
	if (!bytes || !is_qemu(exe) || (vm_options.own_uts_only && !process_is_in_own_uts(pid)))
		return;
	cmdline = cmdline_parse(bytes, size);
	node_counters.left_out += cmdline->left_out;
	node_counters.malformed += cmdline->malformed;
	if (!cmdline->probe && n_vms >= VM_MAX)
		node_counters.left_out++;
	else if (!cmdline->probe)
		add(pid, &stat, exe, cmdline);
	free(cmdline);
}

static void
forget(struct vm *vm, bool tell)
{
	unsigned i = 0;

	while (vms[i] != vm)
		i++;
	vms[i] = vms[--n_vms];
	pids[i] = pids[n_vms];
	set_done(&vm->vcpus, tell);
	set_done(&vm->threads, tell);
	set_done(&vm->nics, tell);
	set_done(&vm->disks, tell);
	if (tell)
		emit_qemu_process("gone", &vm->process);
	vm_files_done(vm);
	closep(&vm->pidfd);
	free(vm);
}

void
vm_gone(struct vm *vm)
{
	forget(vm, true);
}

void
vm_done(void)
{
	while (n_vms)
		forget(vms[0], false);
}
