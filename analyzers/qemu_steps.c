/* SPDX-License-Identifier: MIT
 *
 * qemu_steps.c -- what a QEMU process was asked and did, step by step: a mark
 * ("qemu.step", key PID/STEP) for each.  The stages of a migration (qemu.c) are
 * made of such steps, and what libvirt does around them (waiting for a source, the
 * disks' mirror, the switchover it holds back) is seen in these alone. */
#include <inttypes.h>
#include <stdio.h>

#include "analyzers/qemu.h"
#include "lib/util.h"

/* A state for each step: the last that was taken. */
enum {
	DID_IDLE = FLOW_IDLE, DID_PROCESS_SEEN, DID_WAITING, DID_NBD_START,
	DID_MIGRATE_INCOMING, DID_MIRROR_START, DID_MIRROR_READY, DID_MIGRATE, DID_SETUP,
	DID_ACTIVE, DID_POSTCOPY_START, DID_POSTCOPY_ACTIVE, DID_POSTCOPY_PAUSED,
	DID_POSTCOPY_RECOVER, DID_QMP_STOP, DID_FINISH_MIGRATE, DID_GUEST_STOPPED,
	DID_PRE_SWITCHOVER, DID_MIGRATE_CONTINUE, DID_DEVICE, DID_LOADED, DID_COMPLETED,
	DID_QMP_CONT, DID_GUEST_RUNNING, DID_MIGRATE_CANCEL, DID_CANCELLING, DID_CANCELLED,
	DID_FAILED, DID_PROCESS_GONE, DID_TRACE_GONE, N_DID
};

#define STEP_STATE(NAME) { .name = NAME, .ended = true }
static const struct state states[] = {
	[DID_IDLE] = { .name = "idle" },
	[DID_PROCESS_SEEN] = STEP_STATE("process-seen"),
	[DID_WAITING] = STEP_STATE("inmigrate"),
	[DID_NBD_START] = STEP_STATE("nbd-server-start"),
	[DID_MIGRATE_INCOMING] = STEP_STATE("migrate-incoming"),
	[DID_MIRROR_START] = STEP_STATE("mirror-start"),
	[DID_MIRROR_READY] = STEP_STATE("mirror-ready"),
	[DID_MIGRATE] = STEP_STATE("migrate"),
	[DID_SETUP] = STEP_STATE("setup"),
	[DID_ACTIVE] = STEP_STATE("active"),
	[DID_POSTCOPY_START] = STEP_STATE("migrate-start-postcopy"),
	[DID_POSTCOPY_ACTIVE] = STEP_STATE("postcopy-active"),
	[DID_POSTCOPY_PAUSED] = STEP_STATE("postcopy-paused"),
	[DID_POSTCOPY_RECOVER] = STEP_STATE("postcopy-recover"),
	[DID_QMP_STOP] = STEP_STATE("stop"),
	[DID_FINISH_MIGRATE] = STEP_STATE("finish-migrate"),
	[DID_GUEST_STOPPED] = STEP_STATE("guest-stopped"),
	[DID_PRE_SWITCHOVER] = STEP_STATE("pre-switchover"),
	[DID_MIGRATE_CONTINUE] = STEP_STATE("migrate-continue"),
	[DID_DEVICE] = STEP_STATE("device"),
	[DID_LOADED] = STEP_STATE("loaded"),
	[DID_COMPLETED] = STEP_STATE("completed"),
	[DID_QMP_CONT] = STEP_STATE("cont"),
	[DID_GUEST_RUNNING] = STEP_STATE("guest-running"),
	[DID_MIGRATE_CANCEL] = STEP_STATE("migrate-cancel"),
	[DID_CANCELLING] = STEP_STATE("cancelling"),
	[DID_CANCELLED] = STEP_STATE("cancelled"),
	[DID_FAILED] = STEP_STATE("failed"),
	[DID_PROCESS_GONE] = { .name = "process-gone", .final = true },
	[DID_TRACE_GONE] = { .name = "gone", .final = true },
};

struct process {
	struct flow flow;      /* Must be first. */
};

static void
moved(struct flow *flow, const struct step *step, unsigned from, unsigned to)
{
	struct fact fact = { .type = FACT_MARK, .kind = "qemu.step", .start_ns = step->t_ns };

	(void) from;
	if (to == DID_TRACE_GONE || to == DID_IDLE)
		return;
	snprintf(fact.key, sizeof fact.key, "%" PRIu64 "/%s", flow->key, states[to].name);
	fact.attributes = json_pack("{s:I, s:s}", "pid", (json_int_t) flow->key, "step",
				    states[to].name);
	step_tell(step, flow, &fact);
}

#define ALIVE (~(IN(DID_PROCESS_GONE) | IN(DID_TRACE_GONE)) & (IN(N_DID) - 1))
#define DOES(ON, IS, TO) { .on = "qemu:" ON, .is = (IS), .in = ALIVE, .to = (TO), .begins = true }

static const struct rule rules[] = {
	DOES("runstate_set", "inmigrate", DID_WAITING),
	DOES("runstate_set", "finish-migrate", DID_FINISH_MIGRATE),
	DOES("qmp_enter_nbd_server_start", NULL, DID_NBD_START),
	DOES("qmp_enter_migrate_incoming", NULL, DID_MIGRATE_INCOMING),
	DOES("qmp_enter_blockdev_mirror", NULL, DID_MIRROR_START),
	DOES("qmp_enter_drive_mirror", NULL, DID_MIRROR_START),
	DOES("job_state_transition", "ready", DID_MIRROR_READY),
	DOES("qmp_enter_migrate", NULL, DID_MIGRATE),
	DOES("qmp_enter_migrate_start_postcopy", NULL, DID_POSTCOPY_START),
	DOES("qmp_enter_migrate_continue", NULL, DID_MIGRATE_CONTINUE),
	DOES("qmp_enter_migrate_cancel", NULL, DID_MIGRATE_CANCEL),
	DOES("qmp_enter_stop", NULL, DID_QMP_STOP),
	DOES("qmp_enter_cont", NULL, DID_QMP_CONT),
	DOES("migrate_set_state", "setup", DID_SETUP),
	DOES("migrate_set_state", "active", DID_ACTIVE),
	DOES("migrate_set_state", "postcopy-active", DID_POSTCOPY_ACTIVE),
	DOES("migrate_set_state", "postcopy-paused", DID_POSTCOPY_PAUSED),
	DOES("migrate_set_state", "postcopy-recover", DID_POSTCOPY_RECOVER),
	DOES("migrate_set_state", "pre-switchover", DID_PRE_SWITCHOVER),
	DOES("migrate_set_state", "device", DID_DEVICE),
	DOES("migrate_set_state", "completed", DID_COMPLETED),
	DOES("migrate_set_state", "cancelling", DID_CANCELLING),
	DOES("migrate_set_state", "cancelled", DID_CANCELLED),
	DOES("migrate_set_state", "failed", DID_FAILED),
	DOES("vm_state_notify", "stopped", DID_GUEST_STOPPED),
	DOES("vm_state_notify", "running", DID_GUEST_RUNNING),
	DOES("process_incoming_migration_co_end", NULL, DID_LOADED),
	{ .on = "cloudtrace_node:qemu_process", .is = "new", .in = ALIVE, .to = DID_PROCESS_SEEN,
	  .begins = true },
	{ .on = "cloudtrace_node:qemu_process", .is = "gone", .in = ALIVE, .to = DID_PROCESS_GONE,
	  .begins = true },
	/* What else they say is no step. */
	{ .on = "qemu:runstate_set", .in = ALIVE, .to = STAY },
	{ .on = "qemu:job_state_transition", .in = ALIVE, .to = STAY },
	{ .on = "qemu:migrate_set_state", .in = ALIVE, .to = STAY },
	{ .on = "qemu:vm_state_notify", .in = ALIVE, .to = STAY },
	{ .on = "cloudtrace_node:qemu_process", .in = ALIVE, .to = STAY },
	{ 0 }
};

static const struct source sources[] = {
	{ .event = "qemu:migrate_set_state", .selector = "new_state", .numbers = qemu_status_numbers,
	  .n_numbers = N_QEMU_STATUS_NUMBERS },
	{ .event = "qemu:runstate_set", .selector = "new_state_str" },
	{ .event = "qemu:job_state_transition", .selector = "s1" },
	{ .event = "qemu:vm_state_notify", .selector = "running", .numbers = qemu_running_numbers,
	  .n_numbers = N_QEMU_RUNNING_NUMBERS },
	{ .event = "cloudtrace_node:qemu_process", .key = "pid", .selector = "reason" },
	{ 0 }
};

const struct analyzer qemu_steps_analyzer = {
	.name = "qemu-steps",
	.summary = "What QEMU processes were asked and did around live migrations",
	.version = 1,
	.roles = ROLE_COMPUTE,
	.key = "vpid",
	.keep = 4096,
	.max_flows = 8192,
	.flow_size = sizeof(struct process),
	.states = states,
	.n_states = N_DID,
	.gone = DID_TRACE_GONE,
	.rules = rules,
	.sources = sources,
	.moved = moved,
};
