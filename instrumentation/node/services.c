/* SPDX-License-Identifier: MIT
 *
 * services.c -- which process is which service (services.h).
 *
 * A script's process has the script's name, cut to 15 characters; under
 * another name (python3, uwsgi, a WSGI process of Apache) the command line
 * says it. */
#include "instrumentation/node/services.h"

#include <stdio.h>
#include <string.h>

#include "instrumentation/node/emit.h"
#include "instrumentation/node/files.h"
#include "instrumentation/node/process.h"
#include "instrumentation/node/set.h"

static const struct set_kind service_kind = {
	.size = sizeof(struct node_service_process),
	.key_size = NODE_KEY_SIZE(service_process, start_ns), .max = 4096,
	.emit = emit_service_process,
};
static struct set services = { .kind = &service_kind };

/* A name that begins so is a service of that project. */
static const struct { const char *prefix, *project; } projects[] = {
	{ "nova-", "nova" }, { "neutron-", "neutron" }, { "ovn-", "ovn" }, { "cinder-", "cinder" },
	{ "glance-", "glance" }, { "placement-", "placement" }, { "keystone-", "keystone" },
};
/* Programs with that very name. */
static const struct { const char *name, *project; } programs[] = {
	{ "ovs-vswitchd", "openvswitch" }, { "ovsdb-server", "openvswitch" },
	{ "libvirtd", "libvirt" }, { "virtqemud", "libvirt" },
	{ "chronyd", "time" }, { "ntpd", "time" }, { "ptp4l", "time" }, { "phc2sys", "time" },
	{ "systemd-timesyncd", "time" }, { "ts2phc", "time" },
	{ "multipathd", "storage" }, { "iscsid", "storage" }, { "tgtd", "storage" },
};
/* What runs services under its own name: a script, or whatever its arguments
 * name. */
enum runner { NO_RUNNER, SCRIPT_RUNNER, ANY_RUNNER, PRIVSEP_RUNNER };
static const struct { const char *prefix; enum runner runner; } runners[] = {
	{ "python", SCRIPT_RUNNER }, { "gunicorn", ANY_RUNNER }, { "uwsgi", ANY_RUNNER },
	{ "apache2", ANY_RUNNER }, { "httpd", ANY_RUNNER }, { "(wsgi", ANY_RUNNER },
	{ "privsep-helper", PRIVSEP_RUNNER },
};

enum { COMM_LENGTH = 15 };   /* The kernel cuts names. */

static enum runner
find_runner(const char *comm)
{
	for (size_t i = 0; i < ARRAY_SIZE(runners); i++)
		if (starts_with(comm, runners[i].prefix))
			return runners[i].runner;
	return NO_RUNNER;
}

static const char *
find_program(const char *comm, const char **ret_name)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (strlen(programs[i].name) > COMM_LENGTH ?
		    !strncmp(programs[i].name, comm, COMM_LENGTH) : streq(programs[i].name, comm)) {
			*ret_name = programs[i].name;
			return programs[i].project;
		}
	return NULL;
}

static bool
is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* The service that 'text' (a path, or a title) names; its project or NULL.
 * A file that is called after a service ("nova-api-uwsgi.ini") counts if 'files'. */
static const char *
match_name(const char *text, bool files, char *ret_name, size_t size)
{
	const char *slash = strrchr(text, '/'), *name = slash ? slash + 1 : text, *suffix;
	size_t length = 0;

	if (starts_with(name, "(wsgi:"))
		name += strlen("(wsgi:");
	while (is_name_byte(name[length]))
		length++;
	if (!files && name[length] && !strchr(" :)", name[length]))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(projects); i++) {
		if (!starts_with(name, projects[i].prefix) || length <= strlen(projects[i].prefix))
			continue;
		suffix = strstr(name, "-uwsgi");
		if (suffix && suffix < name + length)
			length = (size_t) (suffix - name);
		snprintf(ret_name, size, "%.*s", (int) MIN(length, size - 1), name);
		return projects[i].project;
	}
	return NULL;
}

/* "privsep-helper ... --privsep_context nova.privsep.sys_admin_pctxt". */
static const char *
match_privsep(const char *context, char *ret_name, size_t size)
{
	snprintf(ret_name, size, "privsep-helper");
	for (size_t i = 0; i < ARRAY_SIZE(projects); i++) {
		size_t n = strlen(projects[i].prefix) - 1;

		if (!strncmp(context, projects[i].prefix, n) && context[n] == '.')
			return projects[i].project;
	}
	return "other";
}

const char *
services_match(const char *comm, const char *cmdline, size_t size, char *ret_name, size_t name_size)
{
	const char *end = cmdline + size, *previous = "", *name, *project = find_program(comm, &name);
	const enum runner runner = find_runner(comm);

	if (project) {
		snprintf(ret_name, name_size, "%s", name);
		return project;
	}
	for (const char *p = cmdline; !project && p < end; previous = p, p += strlen(p) + 1) {
		if (runner == PRIVSEP_RUNNER && streq(previous, "--privsep_context"))
			project = match_privsep(p, ret_name, name_size);
		else if (runner != PRIVSEP_RUNNER && *p != '-')
			project = match_name(p, runner == ANY_RUNNER, ret_name, name_size);
		/* The script is what follows the interpreter and its options. */
		if (runner < ANY_RUNNER && p != cmdline && *p != '-')
			break;
	}
	return project ? project : match_name(comm, false, ret_name, name_size);
}

/* ------------------------------------------------------------------------- */

static bool
may_be_service(const char *comm)
{
	const char *name;

	for (size_t i = 0; i < ARRAY_SIZE(projects); i++)
		if (starts_with(comm, projects[i].prefix))
			return true;
	return find_runner(comm) != NO_RUNNER || find_program(comm, &name);
}

static bool
is_known(int pid, uint64_t start_ns)
{
	struct node_service_process key;

	memset(&key, 0, sizeof key);
	key.pid = pid;
	key.start_ns = start_ns;
	return set_find(&services, &key);
}

void
services_consider(int pid, const char *comm)
{
	struct node_service_process service;
	struct process_stat stat;
	const char *cmdline, *project;
	char name[64];
	size_t size;

	if (!may_be_service(comm) || !process_stat(pid, &stat) || stat.zombie ||
	    is_known(pid, stat.start_ns))
		return;
	cmdline = process_cmdline(pid, &size);
	project = cmdline ? services_match(comm, cmdline, size, name, sizeof name) : NULL;
	if (!project)
		return;
	memset(&service, 0, sizeof service);
	service.pid = pid;
	service.start_ns = stat.start_ns;
	service.ppid = stat.ppid;
	service.vpid = process_vpid(pid);
	TEXT_SET(service.service, name);
	TEXT_SET(service.project, project);
	set_put(&services, &service);
}

bool
services_has(int pid)
{
	for (unsigned i = 0; i < services.n; i++)
		if (((const struct node_service_process *) set_item(&services, i))->pid == pid)
			return true;
	return false;
}

void
services_check(void)
{
	struct process_stat stat;

	for (unsigned i = services.n; i-- > 0; ) {
		const struct node_service_process *service = set_item(&services, i);

		if (!process_stat(service->pid, &stat) || stat.zombie ||
		    stat.start_ns != service->start_ns)
			set_remove(&services, i);
	}
}

void
services_dump(void)
{
	set_dump(&services);
}

unsigned
services_count(void)
{
	return services.n;
}

void
services_time(char *ret, size_t size)
{
	size_t used = 0;

	memset(ret, 0, size);
	for (unsigned i = 0; i < services.n; i++) {
		const struct node_service_process *service = set_item(&services, i);

		if (!streq(service->project, "time") || strstr(ret, service->service) ||
		    used + strlen(service->service) + 2 > size)
			continue;
		used += (size_t) snprintf(ret + used, size - used, "%s%s", used ? " " : "",
					  service->service);
	}
}

void
services_done(void)
{
	set_done(&services, false);
}
