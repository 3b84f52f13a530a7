/* SPDX-License-Identifier: MIT
 *
 * gen_trace.c -- makes traces for the benchmarks: as many events over as many
 * streams as wanted, the same for the same options.
 *
 *   kernel  what a busy host's scheduler says: about 59 bytes an event
 *   qemu    live migrations, of which one event in twenty matters to anybody,
 *           among what QEMU 10 says for every transfer of some bytes */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/trace_writer.h"
#include "lib/clock.h"
#include "lib/util.h"

struct gen {
	struct writer *writer;
	unsigned n_streams;
	uint64_t events, wanted;     /* Made so far, to be made. */
	uint64_t now;                /* Raw ns. */
	uint64_t random;
};

#define N(NUMBER) { .u = (uint64_t) (NUMBER) }
#define S(STRING) { .s = (STRING) }
#define VALUES(...) ((const union writer_value[]) { __VA_ARGS__ })

static uint64_t
rnd(struct gen *gen, uint64_t below)
{
	gen->random ^= gen->random << 13;
	gen->random ^= gen->random >> 7;
	gen->random ^= gen->random << 17;
	return (gen->random >> 11) % below;
}

/* -- kernel -------------------------------------------------------------- */

enum { K_SWITCH, K_WAKING, K_MIGRATE, K_TIMER, K_IRQ, K_SYSCALL };

static const struct writer_class kernel_classes[] = {
	[K_SWITCH] = { "kernel:sched_switch", {
		{ "prev_comm", WRITER_COMM }, { "prev_tid", WRITER_I32 },
		{ "prev_prio", WRITER_I32 }, { "prev_state", WRITER_I64 }, { "next_comm", WRITER_COMM },
		{ "next_tid", WRITER_I32 }, { "next_prio", WRITER_I32 } } },
	[K_WAKING] = { "kernel:sched_waking", {
		{ "comm", WRITER_COMM }, { "tid", WRITER_I32 }, { "prio", WRITER_I32 },
		{ "target_cpu", WRITER_I32 } } },
	[K_MIGRATE] = { "kernel:sched_migrate_task", {
		{ "comm", WRITER_COMM }, { "tid", WRITER_I32 }, { "prio", WRITER_I32 },
		{ "orig_cpu", WRITER_I32 }, { "dest_cpu", WRITER_I32 } } },
	[K_TIMER] = { "kernel:timer_hrtimer_expire_entry", {
		{ "hrtimer", WRITER_X64 }, { "now", WRITER_I64 }, { "function", WRITER_X64 } } },
	[K_IRQ] = { "kernel:irq_handler_entry", {
		{ "irq", WRITER_I32 }, { "name", WRITER_STRING } } },
	[K_SYSCALL] = { "kernel:syscall_exit_read", {
		{ "ret", WRITER_I64 }, { "buf", WRITER_X64 } } },
};

static void
kernel_event(struct gen *gen)
{
	static const char *const names[] = {
		"qemu-system-x86", "CPU 0/KVM", "CPU 1/KVM", "vhost-18173", "swapper/0",
		"kworker/2:1", "ovs-vswitchd", "nova-compute", "ksoftirqd/1", "rcu_preempt"
	};
	const unsigned cpu = (unsigned) rnd(gen, gen->n_streams), a = (unsigned) rnd(gen, 10);
	const unsigned b = (unsigned) rnd(gen, 10), kind = (unsigned) rnd(gen, 100);
	const struct writer_context context = {
		18000 + (int32_t) a, 18100 + (int32_t) a, names[a]
	};
	const uint64_t now = gen->now += 100 + rnd(gen, 800);

	if (kind < 25)
		writer_event(gen->writer, cpu, now, K_SWITCH, &context,
			     VALUES(S(names[a]), N(18100 + a), N(20), N(kind & 1), S(names[b]),
				    N(18100 + b), N(20)));
	else if (kind < 50)
		writer_event(gen->writer, cpu, now, K_WAKING, &context,
			     VALUES(S(names[b]), N(18100 + b), N(20), N(cpu)));
	else if (kind < 55)
		writer_event(gen->writer, cpu, now, K_MIGRATE, &context,
			     VALUES(S(names[b]), N(18100 + b), N(20), N(cpu), N(a)));
	else if (kind < 70)
		writer_event(gen->writer, cpu, now, K_TIMER, &context,
			     VALUES(N(UINT64_C(0xffff888000001000) + 64 * b), N(now),
				    N(UINT64_C(0xffffffff81170b50))));
	else if (kind < 80)
		writer_event(gen->writer, cpu, now, K_IRQ, &context,
			     VALUES(N(24 + a), S("virtio0-input.0")));
	else
		writer_event(gen->writer, cpu, now, K_SYSCALL, &context,
			     VALUES(N(4096), N(UINT64_C(0x7f0000000000) + 4096 * b)));
	gen->events++;
}

static void
run_kernel(struct gen *gen)
{
	while (gen->events < gen->wanted)
		kernel_event(gen);
}

/* -- qemu ---------------------------------------------------------------- */

enum {
	Q_RUNSTATE, Q_NOTIFY, Q_MIGRATE, Q_STATE, Q_CONNECTED, Q_HEADER, Q_SETUP, Q_SYNC_START,
	Q_SYNC_END, Q_READY, Q_SECTION_START, Q_SECTION_END, Q_ESTIMATE, Q_EXACT, Q_TRANSFERRED,
	Q_LOW, Q_STOPPED, Q_CHECKPOINT, Q_AFTER, Q_CLEANUP, Q_BYTES, Q_LIMIT, Q_VMSTATE, Q_RATE,
};

static const struct writer_class qemu_classes[] = {
	[Q_RUNSTATE] = { "qemu:runstate_set", {
		{ "current_state", WRITER_I32 }, { "current_state_str", WRITER_STRING },
		{ "new_state", WRITER_I32 }, { "new_state_str", WRITER_STRING } } },
	[Q_NOTIFY] = { "qemu:vm_state_notify", {
		{ "running", WRITER_I32 }, { "reason", WRITER_I32 },
		{ "reason_str", WRITER_STRING } } },
	[Q_MIGRATE] = { "qemu:qmp_enter_migrate", { { "json", WRITER_STRING } } },
	[Q_STATE] = { "qemu:migrate_set_state", { { "new_state", WRITER_STRING } } },
	[Q_CONNECTED] = { "qemu:migration_socket_outgoing_connected", {
		{ "hostname", WRITER_STRING } } },
	[Q_HEADER] = { "qemu:savevm_state_header", { { NULL, WRITER_NO_MORE } } },
	[Q_SETUP] = { "qemu:savevm_state_setup", { { NULL, WRITER_NO_MORE } } },
	[Q_SYNC_START] = { "qemu:migration_bitmap_sync_start", { { NULL, WRITER_NO_MORE } } },
	[Q_SYNC_END] = { "qemu:migration_bitmap_sync_end", { { "dirty_pages", WRITER_U64 } } },
	[Q_READY] = { "qemu:migration_thread_setup_complete", { { NULL, WRITER_NO_MORE } } },
	[Q_SECTION_START] = { "qemu:savevm_section_start", {
		{ "id", WRITER_STRING }, { "section_id", WRITER_U32 } } },
	[Q_SECTION_END] = { "qemu:savevm_section_end", {
		{ "id", WRITER_STRING }, { "section_id", WRITER_U32 }, { "ret", WRITER_I32 } } },
	[Q_ESTIMATE] = { "qemu:migrate_pending_estimate", {
		{ "size", WRITER_U64 }, { "pre", WRITER_U64 }, { "post", WRITER_U64 } } },
	[Q_EXACT] = { "qemu:migrate_pending_exact", {
		{ "size", WRITER_U64 }, { "pre", WRITER_U64 }, { "post", WRITER_U64 } } },
	[Q_TRANSFERRED] = { "qemu:migrate_transferred", {
		{ "transferred", WRITER_U64 }, { "time_spent", WRITER_U64 },
		{ "bandwidth", WRITER_U64 }, { "avail_bw", WRITER_U64 }, { "size", WRITER_U64 } } },
	[Q_LOW] = { "qemu:migration_thread_low_pending", { { "pending", WRITER_U64 } } },
	[Q_STOPPED] = { "qemu:migration_completion_vm_stop", { { "ret", WRITER_I32 } } },
	[Q_CHECKPOINT] = { "qemu:vmstate_downtime_checkpoint", {
		{ "checkpoint", WRITER_STRING } } },
	[Q_AFTER] = { "qemu:migration_thread_after_loop", { { NULL, WRITER_NO_MORE } } },
	[Q_CLEANUP] = { "qemu:savevm_state_cleanup", { { NULL, WRITER_NO_MORE } } },
	[Q_BYTES] = { "qemu:migration_transferred_bytes", {
		{ "qemu_file", WRITER_U64 }, { "multifd", WRITER_U64 }, { "rdma", WRITER_U64 } } },
	[Q_LIMIT] = { "qemu:migration_rate_limit_post", { { "urgent", WRITER_I32 } } },
	[Q_VMSTATE] = { "qemu:vmstate_save", {
		{ "idstr", WRITER_STRING }, { "vmsd_name", WRITER_STRING } } },
	[Q_RATE] = { "qemu:migration_rate_limit_pre", { { "ms", WRITER_I32 } } },
};

enum { N_VMS = 8, ROUNDS = 10, SUB_ROUNDS = 10, SUB_PARTS = 4, FLOOD = 19 };

/* One QEMU process that migrates away; then another one takes its place. */
struct vm {
	int32_t pid;
	unsigned step;               /* In begin_steps, then end_steps. */
	unsigned round, part;
	uint64_t sent;
};

/* What happens once, at the start and at the end of each migration. */
struct step {
	unsigned id;
	bool main_thread;
	union writer_value values[4];
};

static const struct step begin_steps[] = {
	{ Q_RUNSTATE, true, { N(6), S("prelaunch"), N(9), S("running") } },
	{ Q_NOTIFY, true, { N(1), N(9), S("running") } },
	{ Q_MIGRATE, true, { S("{\"uri\": \"tcp:10.77.0.12:49154\"}") } },
	{ Q_STATE, true, { S("setup") } },
	{ Q_CONNECTED, true, { S("10.77.0.12") } },
	{ Q_HEADER, false, { N(0) } },
	{ Q_SETUP, false, { N(0) } },
	{ Q_SYNC_START, false, { N(0) } },
	{ Q_SYNC_END, false, { N(0) } },
	{ Q_STATE, false, { S("active") } },
	{ Q_READY, false, { N(0) } },
};

static const struct step end_steps[] = {
	{ Q_LOW, false, { N(0) } },
	{ Q_CHECKPOINT, false, { S("src-downtime-start") } },
	{ Q_RUNSTATE, false, { N(9), S("running"), N(7), S("finish-migrate") } },
	{ Q_NOTIFY, false, { N(0), N(7), S("finish-migrate") } },
	{ Q_STOPPED, false, { N(0) } },
	{ Q_CHECKPOINT, false, { S("src-vm-stopped") } },
	{ Q_STATE, false, { S("device") } },
	{ Q_SYNC_START, false, { N(0) } },
	{ Q_SYNC_END, false, { N(0) } },
	{ Q_SECTION_START, false, { S("ram"), N(2) } },
	{ Q_SECTION_END, false, { S("ram"), N(2), N(0) } },
	{ Q_CHECKPOINT, false, { S("src-downtime-end") } },
	{ Q_STATE, false, { S("completed") } },
	{ Q_AFTER, false, { N(0) } },
	{ Q_RUNSTATE, true, { N(7), S("finish-migrate"), N(8), S("postmigrate") } },
	{ Q_CLEANUP, true, { N(0) } },
};

static void
emit(struct gen *gen, struct vm *vm, unsigned id, bool main_thread,
     const union writer_value *values)
{
	const uint64_t slice = gen->now / (100 * NS_PER_MS);
	const unsigned cpu = (unsigned) (((uint64_t) vm->pid + slice) % gen->n_streams);
	const struct writer_context context = {
		vm->pid, main_thread ? vm->pid : vm->pid + 7,
		main_thread ? "qemu-system-x86" : "mig/src/main"
	};

	gen->now += 100 * NS_PER_US + rnd(gen, 100 * NS_PER_US);
	writer_event(gen->writer, cpu, gen->now, id, &context, values);
	gen->events++;
}

static void
emit_flood(struct gen *gen, struct vm *vm)
{
	const uint64_t kind = rnd(gen, 100);

	vm->sent += 32768;
	if (kind < 85)
		emit(gen, vm, Q_BYTES, false, VALUES(N(vm->sent), N(0), N(0)));
	else if (kind < 90)
		emit(gen, vm, Q_LIMIT, false, VALUES(N(0)));
	else if (kind < 95)
		emit(gen, vm, Q_VMSTATE, false,
		     VALUES(S("0000:00:03.0/virtio-net"), S("virtio-net")));
	else
		emit(gen, vm, Q_RATE, false, VALUES(N(50)));
}

/* The dirty bitmap is read: this round is over, the next has half as much. */
static void
emit_sync(struct gen *gen, struct vm *vm, unsigned part)
{
	const uint64_t pages = (UINT64_C(1) << 17) >> vm->round;

	if (part == 0) {
		emit(gen, vm, Q_SYNC_START, false, VALUES(N(0)));
	} else if (part == 1) {
		emit(gen, vm, Q_SYNC_END, false, VALUES(N(pages)));
	} else {
		emit(gen, vm, Q_EXACT, false, VALUES(N(pages * 4096), N(pages * 4096), N(0)));
		vm->round++;
		vm->part = 0;
	}
}

/* One part of a round: a few sub-rounds of sending, then the sync. */
static void
emit_round(struct gen *gen, struct vm *vm)
{
	const unsigned part = vm->part++;
	const uint64_t left = ((UINT64_C(1) << 30) >> vm->round) / (part / SUB_PARTS + 1);

	if (part >= SUB_ROUNDS * SUB_PARTS)
		emit_sync(gen, vm, part - SUB_ROUNDS * SUB_PARTS);
	else if (part % SUB_PARTS == 0)
		emit(gen, vm, Q_ESTIMATE, false, VALUES(N(left), N(left), N(0)));
	else if (part % SUB_PARTS == 1)
		emit(gen, vm, Q_SECTION_START, false, VALUES(S("ram"), N(2)));
	else if (part % SUB_PARTS == 2)
		emit(gen, vm, Q_SECTION_END, false, VALUES(S("ram"), N(2), N(0)));
	else
		emit(gen, vm, Q_TRANSFERRED, false,
		     VALUES(N(105941726), N(100), N(1059417), N(1059417), N(317825178)));
}

static void
emit_step(struct gen *gen, struct vm *vm, const struct step *step)
{
	emit(gen, vm, step->id, step->main_thread, step->values);
}

/* The next event that matters; true when this process has migrated away. */
static bool
emit_next(struct gen *gen, struct vm *vm)
{
	if (vm->step < ARRAY_SIZE(begin_steps)) {
		emit_step(gen, vm, &begin_steps[vm->step++]);
	} else if (vm->round < ROUNDS) {
		emit_round(gen, vm);
	} else {
		emit_step(gen, vm, &end_steps[vm->step++ - ARRAY_SIZE(begin_steps)]);
		return vm->step == ARRAY_SIZE(begin_steps) + ARRAY_SIZE(end_steps);
	}
	return false;
}

static void
run_qemu(struct gen *gen)
{
	struct vm vms[N_VMS] = { 0 };
	int32_t pid = 20000;

	for (unsigned i = 0; i < N_VMS; i++, pid += 16)
		vms[i].pid = pid;
	while (gen->events < gen->wanted) {
		struct vm *vm = &vms[rnd(gen, N_VMS)];

		if (emit_next(gen, vm)) {
			*vm = (struct vm) { .pid = pid };
			pid = pid > 4000000 ? 20000 : pid + 16;
		}
		for (unsigned i = 0; i < FLOOD && gen->events < gen->wanted; i++)
			emit_flood(gen, vm);
	}
}

/* -- Command line -------------------------------------------------------- */

static const struct profile {
	const char *name, *channel;
	const struct writer_class *classes;
	unsigned n_classes;
	void (*run)(struct gen *gen);
} profiles[] = {
	{ "kernel", "channel0", kernel_classes, ARRAY_SIZE(kernel_classes), run_kernel },
	{ "qemu", "qemu", qemu_classes, ARRAY_SIZE(qemu_classes), run_qemu },
};

static _Noreturn void
usage(void)
{
	fputs("Usage: gen_trace [OPTION]... DIR\n"
	      "Writes one CTF 1.8 trace as LTTng-UST would.\n\n"
	      "  --profile=kernel|qemu    which events (kernel)\n"
	      "  --streams=N              stream files (2)\n"
	      "  --events=N               events in all (1000000)\n"
	      "  --header=large|compact   event headers (large)\n"
	      "  --packet=PAGES           packet size in pages of 4096 bytes (32)\n"
	      "  --hostname=NAME          env.hostname (compute-01)\n"
	      "  --offset=NS              clock offset from 1970 (1795392361581727882)\n"
	      "  --seed=N                 another trace of the same kind (1)\n", stderr);
	exit(2);
}

static uint64_t
number(const char *text, uint64_t min, uint64_t max)
{
	uint64_t value;

	if (parse_u64(text, &value) < 0 || value < min || value > max) {
		fprintf(stderr, "gen_trace: '%s' is no number from %" PRIu64 " to %" PRIu64 "\n",
			text, min, max);
		exit(2);
	}
	return value;
}

static const struct profile *
find_profile(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(profiles); i++)
		if (streq(profiles[i].name, name))
			return &profiles[i];
	usage();
}

static const struct option long_options[] = {
	{ "profile", required_argument, NULL, 'p' }, { "streams", required_argument, NULL, 's' },
	{ "events", required_argument, NULL, 'e' }, { "header", required_argument, NULL, 'h' },
	{ "packet", required_argument, NULL, 'k' }, { "hostname", required_argument, NULL, 'n' },
	{ "offset", required_argument, NULL, 'o' }, { "seed", required_argument, NULL, 'r' },
	{ NULL, 0, NULL, 0 }
};

int
main(int argc, char **argv)
{
	struct writer_options options = {
		.hostname = "compute-01", .n_streams = 2, .packet_size = 131072,
		.clock_offset_ns = UINT64_C(1795392361581727882), .seed = 1,
	};
	struct gen gen = { .wanted = 1000000, .now = 6 * NS_PER_S };
	const struct profile *profile = &profiles[0];
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		switch (c) {
		case 'p': profile = find_profile(optarg); break;
		case 's': options.n_streams = (unsigned) number(optarg, 1, 4096); break;
		case 'e': gen.wanted = number(optarg, 1, UINT64_C(1) << 40); break;
		case 'h': options.compact = streq(optarg, "compact"); break;
		case 'k': options.packet_size = number(optarg, 1, 1 << 14) * 4096; break;
		case 'n': options.hostname = optarg; break;
		case 'o': options.clock_offset_ns = number(optarg, 0, UINT64_MAX); break;
		case 'r': options.seed = number(optarg, 1, UINT64_MAX); break;
		default: usage();
		}
	if (optind + 1 != argc)
		usage();
	options.path = argv[optind];
	options.channel = profile->channel;
	gen.n_streams = options.n_streams;
	gen.random = options.seed * UINT64_C(0x9e3779b97f4a7c15);
	gen.writer = writer_new(&options, profile->classes, profile->n_classes);
	profile->run(&gen);
	writer_close(gen.writer);
	return 0;
}
