/* SPDX-License-Identifier: MIT
 *
 * kernel_cpu_names.c -- what the numbers in windows of the kind "cpu" are called. */
#include "analyzers/kernel_cpu_sum.h"

const char *const cpu_state_names[N_CPU_STATES] = {
	"unknown", "running", "waiting", "blocked", "dead",
};
const char *const cpu_cause_names[N_CPU_CAUSES] = {
	"unknown", "timer", "disk", "network", "task", "interrupt", "softirq", "new", "preempted",
};
const char *const cpu_role_names[N_CPU_ROLES] = {
	"other", "vcpu", "qemu", "migration", "iothread", "vhost", "service", "softirq", "switch",
};

static const struct {
	uint32_t reason;
	const char *name;
} exits[] = {
#define VMX(N) (1U << 24 | (N))
#define SVM(N) (2U << 24 | (N))
	{ VMX(0), "exception" }, { VMX(1), "interrupt" }, { VMX(7), "interrupt-window" },
	{ VMX(10), "cpuid" }, { VMX(12), "hlt" }, { VMX(28), "cr-access" }, { VMX(30), "io" },
	{ VMX(31), "msr-read" }, { VMX(32), "msr-write" }, { VMX(40), "pause" },
	{ VMX(44), "apic-access" }, { VMX(45), "eoi" }, { VMX(48), "ept-violation" },
	{ VMX(49), "ept-misconfig" }, { VMX(52), "preemption-timer" }, { VMX(56), "apic-write" },
	{ VMX(18), "vmcall" },
	{ SVM(64), "exception" }, { SVM(96), "interrupt" }, { SVM(97), "nmi" },
	{ SVM(100), "interrupt-window" }, { SVM(114), "cpuid" }, { SVM(119), "pause" },
	{ SVM(120), "hlt" }, { SVM(123), "io" }, { SVM(124), "msr" }, { SVM(129), "vmmcall" },
	{ SVM(1024), "npf" }, { SVM(1025), "avic-incomplete-ipi" },
#undef VMX
#undef SVM
};

const char *
cpu_exit_name(uint32_t reason)
{
	static const char *const userspace[] = {
		"user:unknown", "user:exception", "user:io", "user:hypercall", "user:debug", "user:hlt",
		"user:mmio", "user:irq-window", "user:shutdown", "user:fail-entry", "user:intr",
	};

	if (reason >> 24 == EXIT_USERSPACE && (reason & 0xffffff) < ARRAY_SIZE(userspace))
		return userspace[reason & 0xffffff];
	for (size_t i = 0; i < ARRAY_SIZE(exits); i++)
		if (exits[i].reason == reason)
			return exits[i].name;
	return NULL;
}
