/* SPDX-License-Identifier: MIT
 *
 * vm.h -- the QEMU processes of this node.
 *
 *   cmdline.c   what the command line says, read once
 *   vm.c        one process: its threads, and when to look again
 *   vm_files.c  its open files: taps, images, devices
 *
 * A check is cheap as long as nothing happened: the number of threads and of
 * open files tells (Linux 6.2 or newer for files; before, their list). */
#ifndef INSTRUMENTATION_NODE_VM_H
#define INSTRUMENTATION_NODE_VM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "instrumentation/node/cmdline.h"
#include "instrumentation/node/events.h"
#include "instrumentation/node/set.h"

enum { VM_MAX = 4096 };

struct vm_nic {
	struct node_nic nic;     /* As last told, if it was. */
	struct cmdline_nic options;
	bool open, was_open;     /* Its tap, in the listing at hand and earlier. */
};
struct vm_disk {
	struct node_disk disk;
	dev_t device;            /* That holds the inode, or is it. */
	ino_t inode;             /* 0: not known. */
	char mounted[256];       /* Source of a file system without block device. */
	bool open, was_open, network;
};

struct vm {
	struct node_qemu_process process;
	int pidfd;               /* -1: none, its end is noticed at the next check. */
	unsigned checks;
	uint64_t check_ns;       /* When it is to be looked at again; monotonic. */
	uint64_t threads_mark, files_mark;  /* To see that nothing changed. */
	struct set vcpus, threads, nics, disks;
	/* As read and resolved; the sets hold what was told. */
	struct vm_nic *nic_list;
	struct vm_disk *disk_list;
	unsigned n_nics, n_disks;
	int32_t next_nic, next_disk;        /* Indices are not used twice. */
};

struct vm_options {
	bool own_uts_only;
	/* Called for each new VM, to watch its pidfd. */
	void (*appeared)(struct vm *vm);
};
extern struct vm_options vm_options;

/* Looks at a process that may be a QEMU: adds it if it is and was not known. */
void vm_consider(int pid, const char *comm);
/* A kernel thread "vhost-PID" (before Linux 6.4 no thread of QEMU's own). */
void vm_vhost_thread(int tid, const char *comm);
struct vm *vm_find(int pid);
/* Tells that it is gone, and forgets it. */
void vm_gone(struct vm *vm);
/* Looks at all whose time has come.  Returns when the next is due.  Costs
 * nothing before that. */
uint64_t vm_check_due(uint64_t now_ns);
/* Looks at all of them; at all that they have if 'whole'. */
void vm_check_all(uint64_t now_ns, bool whole);
/* What interfaces or block devices say has changed. */
void vm_refresh(void);
void vm_dump(void);
unsigned vm_count(void);
void vm_done(void);

/* vm_files.c: makes the lists from the command line; lists open files. */
void vm_files_init(struct vm *vm, const struct cmdline *cmdline);
void vm_files_scan(struct vm *vm);
/* Resolves and tells what changed. */
void vm_files_tell(struct vm *vm);
/* A number that differs when files were opened or closed; 0: can't be read. */
uint64_t vm_files_mark(const struct vm *vm);
void vm_files_done(struct vm *vm);
extern const struct set_kind vm_nic_kind, vm_disk_kind;

#endif /* vm.h */
