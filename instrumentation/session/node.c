/* SPDX-License-Identifier: MIT */
#include "instrumentation/session/node.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "instrumentation/session/state.h"
#include "lib/util.h"

/* Reads the first line of a small file; false when there is none. */
static bool
read_line(const char *path, char *line, size_t size)
{
	FILE *file = fopen(path, "re");
	const bool good = file && fgets(line, (int) size, file);

	if (file)
		fclose(file);
	if (good)
		line[strcspn(line, "\n")] = '\0';
	return good;
}

unsigned
node_cpus(void)
{
	char line[256];
	const char *last;
	long configured;

	/* "0-3" or "0,2-5": the last number is what counts. */
	if (read_line("/sys/devices/system/cpu/possible", line, sizeof line)) {
		last = line + strlen(line);
		while (last > line && isdigit((unsigned char) last[-1]))
			last--;
		if (*last && strtoul(last, NULL, 10) < 65536)
			return (unsigned) strtoul(last, NULL, 10) + 1;
	}
	configured = sysconf(_SC_NPROCESSORS_CONF);
	return configured > 0 ? (unsigned) configured : 1;
}

const char *
node_modules_version(void)
{
	static char version[64];

	return read_line("/sys/module/lttng_tracer/version", version, sizeof version) ? version
										      : NULL;
}

/* -- Kernel -------------------------------------------------------------- */

static bool
has_event(const struct lttng_event *have, int n, const struct wanted_event *event)
{
	for (int i = 0; i < n; i++)
		if (have[i].type == event->type && fnmatch(event->enable, have[i].name, 0) == 0)
			return true;
	return false;
}

/* Whether modules.dep of the running kernel names lttng-tracer. */
static bool
module_is_installed(const char *release)
{
	_cleanup_(freep) char *path = xasprintf("/lib/modules/%s/modules.dep", release);
	FILE *file = fopen(path, "re");
	char line[4096];
	bool found = false;

	while (file && !found && fgets(line, sizeof line, file))
		found = strstr(line, "/lttng-tracer.ko") != NULL;
	if (file)
		fclose(file);
	return found;
}

static bool
modules_are_there(void)
{
	struct utsname self;

	uname(&self);
	return access("/sys/module/lttng_tracer", F_OK) == 0 || module_is_installed(self.release);
}

static bool
sessiond_has_no_kernel(void)
{
	_cleanup_(freep) char *path = xasprintf("/proc/%d/cmdline", (int) sessiond_pid());
	char line[4096];
	FILE *file = fopen(path, "re");
	size_t n = file ? fread(line, 1, sizeof line - 1, file) : 0;

	if (file)
		fclose(file);
	line[n] = '\0';
	for (const char *word = line; word < line + n; word += strlen(word) + 1)
		if (streq(word, "--no-kernel"))
			return true;
	return false;
}

static bool
wants_kernel(const struct event_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].domain == DOMAIN_KERNEL && !list->items[i].refused)
			return true;
	return false;
}

/* lttng-sessiond 2.13 with --no-kernel releases a lock that it doesn't hold when
 * it is asked for anything of the kernel, and may abort.  So it is only asked
 * where there can be an answer. */
static int
list_kernel(struct lttng_event **tracepoints)
{
	struct lttng_domain domain = { .type = LTTNG_DOMAIN_KERNEL };
	struct lttng_handle *handle;
	int n;

	if (!sessiond_is_roots())
		return -LTTNG_ERR_NEED_ROOT_SESSIOND;
	if (!modules_are_there() || sessiond_has_no_kernel())
		return -LTTNG_ERR_KERN_NA;
	handle = lttng_create_handle(NULL, &domain);
	n = handle ? lttng_list_tracepoints(handle, tracepoints) : -LTTNG_ERR_NOMEM;
	lttng_destroy_handle(handle);
	return n;
}

int
node_find_kernel_events(struct event_list *list)
{
	struct lttng_event *tracepoints = NULL, *syscalls = NULL;
	int n_tracepoints = wants_kernel(list) ? list_kernel(&tracepoints) : 0;
	int n_syscalls = n_tracepoints <= 0 ? 0 : lttng_list_syscalls(&syscalls);

	for (size_t i = 0; i < list->n; i++) {
		struct wanted_event *event = &list->items[i];

		/* Whether a function takes a probe only trying tells. */
		if (event->domain != DOMAIN_KERNEL || event->refused || event->symbol)
			continue;
		event->missing = event->type == LTTNG_EVENT_SYSCALL ?
			!has_event(syscalls, n_syscalls, event) :
			!has_event(tracepoints, n_tracepoints, event);
	}
	free(tracepoints);
	free(syscalls);
	return n_tracepoints < 0 ? n_tracepoints : 0;
}

static bool
exists(const char *directory, const char *prefix)
{
	DIR *dir = opendir(directory);
	const struct dirent *entry;
	bool found = false;

	while (dir && !found && (entry = readdir(dir)))
		found = starts_with(entry->d_name, prefix);
	if (dir)
		closedir(dir);
	return found;
}

static void
explain_no_tracer(struct buf *text)
{
	struct utsname self;
	_cleanup_(freep) char *modules = NULL;

	uname(&self);
	modules = xasprintf("/lib/modules/%s", self.release);
	buf_printf(text, "kernel tracer: none for kernel %s: ", self.release);
	if (modules_are_there() && sessiond_has_no_kernel())
		buf_add_string(text, "lttng-sessiond runs with --no-kernel: restart it without\n");
	else if (modules_are_there())
		buf_add_string(text, "its modules are there, but don't load: see \"modprobe "
			       "lttng-tracer\" and dmesg (Secure Boot refuses unsigned modules)\n");
	else if (access(modules, F_OK) < 0)
		buf_printf(text, "%s isn't there: in a container, trace on its host; with a kernel "
			   "built by hand, install its modules\n", modules);
	else if (exists("/usr/src", "lttng-modules-"))
		buf_printf(text,
			   "lttng-modules-dkms has no modules for it: install linux-headers-%s, "
			   "run \"dkms autoinstall\" (if that fails, see "
			   "/var/lib/dkms/lttng-modules/*/build/make.log)\n",
			   self.release);
	else
		buf_printf(text, "install lttng-modules-dkms and linux-headers-%s\n", self.release);
}

/* Where events of the kernel come from that lttng-modules does not always bring;
 * the first pattern that fits counts. */
static const struct {
	const char *pattern, *advice;
} origins[] = {
	{ "ovs_@(dp_upcall|do_execute_action)",
	  "modprobe lttng-probe-openvswitch (package cloudtrace-openvswitch-dkms)" },
	{ "ovs_*", "modprobe lttng-ovs-addon (package cloudtrace-openvswitch-dkms)" },
	{ "kvm_@(x86_*|entry|exit)", "lttng-modules has them only where it was built with the "
	  "kernel's full source (modprobe lttng-probe-kvm-x86)" },
	{ "*", "this kernel's tracer does not have it" },
};

static size_t
origin_of(const char *name)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(origins) - 1 &&
	       fnmatch(origins[i].pattern, name, FNM_EXTMATCH) != 0)
		i++;
	return i;
}

/* One event by the names that it has in different versions: a list has both, and a
 * kernel one of them. */
static const char *const same_events[][2] = {
	{ "kvm_entry", "kvm_x86_entry" }, { "kvm_exit", "kvm_x86_exit" },
};

static bool
is_there(const struct event_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (event_wanted(&list->items[i], DOMAIN_KERNEL) && streq(list->items[i].name, name))
			return true;
	return false;
}

static bool
has_other_name(const struct event_list *list, const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(same_events); i++)
		for (unsigned j = 0; j < 2; j++)
			if (streq(same_events[i][j], name))
				return is_there(list, same_events[i][!j]);
	return false;
}

/* Those of one origin in one line, with what to do about it; others one by one. */
static void
explain_events(const struct event_list *list, struct buf *text)
{
	for (size_t origin = 0; origin < ARRAY_SIZE(origins); origin++) {
		const char *advice = origins[origin].advice, *before = "kernel event ";
		const bool together = origin < ARRAY_SIZE(origins) - 1;

		for (size_t i = 0; i < list->n; i++) {
			const struct wanted_event *event = &list->items[i];

			if (!event->missing || event->domain != DOMAIN_KERNEL ||
			    origin_of(event->name) != origin || has_other_name(list, event->name))
				continue;
			buf_printf(text, "%s%s", before, event->name);
			if (!together)
				buf_printf(text, ": %s\n", advice);
			else
				before = ", ";
		}
		if (*before == ',')
			buf_printf(text, ": %s\n", advice);
	}
}

static void
explain_kernel(const struct event_list *list, int kernel, struct buf *text)
{
	if (kernel == -LTTNG_ERR_NEED_ROOT_SESSIOND)
		buf_add_string(text,
			       "kernel tracer: no right to it: run as root, or as a member of "
			       "group \"tracing\" beside a lttng-sessiond of root\n");
	else if (kernel == -LTTNG_ERR_KERN_NA)
		explain_no_tracer(text);
	else if (kernel == -LTTNG_ERR_KERN_VERSION)
		buf_add_string(text,
			       "kernel tracer: lttng-modules and lttng-tools don't go together: "
			       "install the same 2.x version of both\n");
	else if (kernel < 0)
		buf_printf(text, "kernel tracer: can't be used: %s\n", lttng_strerror(kernel));
	if (kernel >= 0)
		explain_events(list, text);
}

/* -- Programs ------------------------------------------------------------ */

enum instrumented { UNKNOWN, WITHOUT, WITH };

/* Whether a process has mapped a library whose path holds 'library'. */
static enum instrumented
has_library(const char *pid, const char *library)
{
	char path[64], line[PATH_MAX + 128];
	enum instrumented has = WITHOUT;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%.20s/maps", pid);
	file = fopen(path, "re");
	if (!file)
		return UNKNOWN;
	while (has == WITHOUT && fgets(line, sizeof line, file))
		if (strstr(line, library))
			has = WITH;
	if (ferror(file))
		has = UNKNOWN;
	fclose(file);
	return has;
}

/* The name of the program that a process runs, without its folder. */
static const char *
program_of(const char *pid, char *buffer, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%.20s/exe", pid);
	n = readlink(path, buffer, size - 1);
	if (n > 0) {
		buffer[n] = '\0';
		return strrchr(buffer, '/') ? strrchr(buffer, '/') + 1 : buffer;
	}
	/* Others' processes hide it, but not their short name. */
	snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
	return read_line(path, buffer, size) ? buffer : NULL;
}

/* What a provider's events come from. */
struct source {
	const char *prefix;    /* Of the events' names. */
	const char *programs[4];
	const char *library;   /* NULL: running is enough. */
	const char *none;      /* No such process. */
	const char *without;   /* Some without the library; after "pid 1, 2". */
	bool one_is_enough;    /* Others of these programs have no need of it. */
};

static const struct source sources[] = {
	{ "qemu:", { "qemu-system-*", "qemu-kvm", "kvm" }, "/liblttng-ust.so",
	  "QEMU: none runs, so whether it has tracepoints can't be told\n",
	  "built without LTTng-UST, and says nothing: build QEMU with "
	  "--enable-trace-backends=ust, then start or migrate these VMs anew", false },
	{ "lttng_python:", { "python*", "nova-*", "neutron-*", "cinder-*" },
	  "/liblttng-ust-python-agent.so",
	  "OpenStack: no service runs in Python here\n",
	  "no service has the log handler: install python3-cloudtrace-openstack, run "
	  "cloudtrace-openstack-setup, then restart the services", true },
	{ "cloudtrace_node:", { "cloudtrace-node", "cloudtrace-nod" }, NULL,
	  "cloudtrace-node: it doesn't run, so VMs have no names: "
	  "systemctl enable --now cloudtrace-node\n", NULL, true },
};

struct census {
	unsigned with, without, unknown;
	struct buf pids;  /* Of those without. */
};

static void
count_process(const struct source *source, const char *pid, struct census *census)
{
	char buffer[PATH_MAX];
	const char *program = program_of(pid, buffer, sizeof buffer);
	bool is_one = false;
	enum instrumented has;

	for (unsigned i = 0; program && i < ARRAY_SIZE(source->programs) && source->programs[i];
	     i++)
		is_one = is_one || fnmatch(source->programs[i], program, 0) == 0;
	if (!is_one)
		return;
	has = source->library ? has_library(pid, source->library) : WITH;
	census->with += has == WITH;
	census->unknown += has == UNKNOWN;
	if (has == WITHOUT && census->without++ < 8)
		buf_printf(&census->pids, "%s%s", census->pids.size ? ", " : "", pid);
}

static void
explain_source(const struct source *source, struct buf *text)
{
	struct census census = { 0 };
	DIR *dir = opendir("/proc");
	const struct dirent *entry;
	const char *name = starts_with(source->prefix, "qemu") ? "QEMU" : "OpenStack";

	while (dir && (entry = readdir(dir)))
		if (isdigit((unsigned char) entry->d_name[0]))
			count_process(source, entry->d_name, &census);
	if (dir)
		closedir(dir);
	if (!census.with && !census.without && !census.unknown)
		buf_add_string(text, source->none);
	else if (census.without && (!source->one_is_enough || !census.with))
		buf_printf(text, "%s: pid %s%s: %s\n", name, census.pids.data,
			   census.without > 8 ? ", ..." : "", source->without);
	if (census.unknown && !census.with)
		buf_printf(text, "%s: no right to look into %u of its processes: run as root to be "
			   "told whether they have tracepoints\n", name, census.unknown);
	buf_done(&census.pids);
}

static bool
wants(const struct event_list *list, const char *prefix)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].domain != DOMAIN_KERNEL &&
		    starts_with(list->items[i].name, prefix))
			return true;
	return false;
}

void
node_missing(const struct event_list *list, int kernel, struct buf *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].refused)
			buf_printf(text, "refused %s: %s\n", list->items[i].name,
				   list->items[i].refused);
	if (wants_kernel(list))
		explain_kernel(list, kernel, text);
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		if (wants(list, sources[i].prefix))
			explain_source(&sources[i], text);
}
