/* SPDX-License-Identifier: MIT */
#include "instrumentation/session/profile.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/util.h"

const struct domain_profile domains[N_DOMAINS] = {
	[DOMAIN_UST] = {
		"user space", "ust", "--userspace", "cloudtrace-ust",
		LTTNG_DOMAIN_UST, LTTNG_DOMAIN_UST, LTTNG_BUFFER_PER_UID, {
			{ LTTNG_EVENT_CONTEXT_VPID, "vpid", "VPID" },
			{ LTTNG_EVENT_CONTEXT_VTID, "vtid", "VTID" },
			{ LTTNG_EVENT_CONTEXT_PROCNAME, "procname", "PROCNAME" },
		},
	},
	[DOMAIN_PYTHON] = {
		"Python", "python", "--userspace", "lttng_python_channel",
		LTTNG_DOMAIN_UST, LTTNG_DOMAIN_PYTHON, LTTNG_BUFFER_PER_UID, {
			{ LTTNG_EVENT_CONTEXT_VPID, "vpid", "VPID" },
			{ LTTNG_EVENT_CONTEXT_VTID, "vtid", "VTID" },
			{ LTTNG_EVENT_CONTEXT_PROCNAME, "procname", "PROCNAME" },
		},
	},
	[DOMAIN_KERNEL] = {
		"kernel", "kernel", "--kernel", "cloudtrace-kernel",
		LTTNG_DOMAIN_KERNEL, LTTNG_DOMAIN_KERNEL, LTTNG_BUFFER_GLOBAL, {
			{ LTTNG_EVENT_CONTEXT_PID, "pid", "PID" },
			{ LTTNG_EVENT_CONTEXT_TID, "tid", "TID" },
			{ LTTNG_EVENT_CONTEXT_PROCNAME, "procname", "PROCNAME" },
		},
	},
};

/* Compute: root, QEMU's user, Nova, Neutron.  Network: root, Neutron, Open
 * vSwitch.  Storage: root, Cinder, Glance.  Controller: root and one user for
 * each of Nova, Neutron, Cinder, Glance, Placement, Keystone and the web server. */
const struct role roles[] = {
	{ "compute", 4 }, { "network", 3 }, { "storage", 3 }, { "controller", 8 },
};
const size_t n_roles = ARRAY_SIZE(roles);

const struct role *
role_find(const char *name)
{
	for (size_t i = 0; i < n_roles; i++)
		if (streq(roles[i].name, name))
			return &roles[i];
	return NULL;
}

enum { KIB = 1024, MAX_ROWS = 3, ALL = 1 << 30 };

/* A CPU's buffers have to hold what it writes until the live timer has run
 * twice: some 600 B a log line and 60 B a kernel event.  With many CPUs each
 * has less to say, and the sum has to stay within what a node can spare. */
static const struct {
	const char *role;
	enum domain domain;
	struct { unsigned cpus; struct buffers buffers; } up_to[MAX_ROWS];
} buffer_rows[] = {
	{ "compute", DOMAIN_UST, {
		{ 16, { 256 * KIB, 4 } }, { 64, { 128 * KIB, 4 } }, { ALL, { 64 * KIB, 4 } } } },
	{ "compute", DOMAIN_KERNEL, {
		{ 16, { 1024 * KIB, 4 } }, { 64, { 512 * KIB, 4 } }, { ALL, { 256 * KIB, 4 } } } },
	{ "compute", DOMAIN_PYTHON, {
		{ 16, { 256 * KIB, 4 } }, { 64, { 128 * KIB, 4 } }, { ALL, { 64 * KIB, 4 } } } },
	{ "network", DOMAIN_UST, {
		{ 16, { 64 * KIB, 4 } }, { 64, { 32 * KIB, 4 } }, { ALL, { 16 * KIB, 4 } } } },
	{ "network", DOMAIN_PYTHON, {
		{ 16, { 256 * KIB, 4 } }, { 64, { 128 * KIB, 4 } }, { ALL, { 64 * KIB, 4 } } } },
	{ "network", DOMAIN_KERNEL, {
		{ 16, { 1024 * KIB, 4 } }, { 64, { 512 * KIB, 4 } }, { ALL, { 256 * KIB, 4 } } } },
	{ "storage", DOMAIN_UST, {
		{ 16, { 64 * KIB, 4 } }, { 64, { 32 * KIB, 4 } }, { ALL, { 16 * KIB, 4 } } } },
	{ "storage", DOMAIN_PYTHON, {
		{ 16, { 256 * KIB, 4 } }, { 64, { 128 * KIB, 4 } }, { ALL, { 64 * KIB, 4 } } } },
	{ "storage", DOMAIN_KERNEL, {
		{ 16, { 512 * KIB, 4 } }, { 64, { 256 * KIB, 4 } }, { ALL, { 128 * KIB, 4 } } } },
	{ "controller", DOMAIN_UST, {
		{ 16, { 64 * KIB, 4 } }, { 64, { 16 * KIB, 4 } }, { ALL, { 8 * KIB, 4 } } } },
	{ "controller", DOMAIN_PYTHON, {
		{ 16, { 256 * KIB, 4 } }, { 64, { 64 * KIB, 4 } }, { ALL, { 32 * KIB, 4 } } } },
	{ "controller", DOMAIN_KERNEL, {
		{ 16, { 512 * KIB, 4 } }, { 64, { 256 * KIB, 4 } }, { ALL, { 128 * KIB, 4 } } } },
};

struct buffers
role_buffers(const struct role *role, enum domain domain, unsigned cpus)
{
	for (size_t i = 0; i < ARRAY_SIZE(buffer_rows); i++) {
		if (buffer_rows[i].domain != domain || !streq(buffer_rows[i].role, role->name))
			continue;
		for (unsigned j = 0; j < MAX_ROWS; j++)
			if (cpus <= buffer_rows[i].up_to[j].cpus)
				return buffer_rows[i].up_to[j].buffers;
	}
	return (struct buffers) { 64 * KIB, 4 };
}

uint64_t
role_memory(const struct role *role, enum domain domain, unsigned cpus)
{
	const struct buffers buffers = role_buffers(role, domain, cpus);

	return buffers.subbuf_size * buffers.num_subbuf * cpus *
		(domains[domain].buffers == LTTNG_BUFFER_PER_UID ? role->users : 1);
}

/* Fixed in 2.12.18, in 2.13.14 and from 2.14 on. */
static bool
kvm_mmio_oopses(const char *modules)
{
	unsigned major, minor, patch = 0;

	if (!modules || sscanf(modules, "%u.%u.%u", &major, &minor, &patch) < 2)
		return true;
	if (major != 2)
		return major < 2;
	if (minor == 12)
		return patch < 18;
	return minor == 13 ? patch < 14 : minor < 14;
}

static const struct {
	enum domain domain;
	const char *name;
	bool (*only_if)(const char *modules);
	const char *reason;
} dangerous[] = {
	{ DOMAIN_KERNEL, "kvm_mmio", kvm_mmio_oopses,
	  "lttng-modules before 2.13.14 makes the kernel oops at kvm_mmio" },
	{ DOMAIN_UST, "qemu:migration_transferred_bytes", NULL,
	  "qemu:migration_transferred_bytes comes 10,000 times a second in a migration" },
	{ DOMAIN_UST, "qemu:postcopy_place_page", NULL,
	  "qemu:postcopy_place_page comes for each page of memory" },
	{ DOMAIN_UST, "qemu:postcopy_place_page_zero", NULL,
	  "qemu:postcopy_place_page_zero comes for each page of memory" },
};

const char *
event_refused(enum domain domain, const char *name, const char *modules)
{
	for (size_t i = 0; i < ARRAY_SIZE(dangerous); i++)
		if (dangerous[i].domain == domain &&
		    (!dangerous[i].only_if || dangerous[i].only_if(modules)) &&
		    fnmatch(name, dangerous[i].name, 0) == 0)
			return dangerous[i].reason;
	return NULL;
}
