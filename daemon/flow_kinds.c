/* SPDX-License-Identifier: MIT
 *
 * flow_kinds.c -- the tables of flow.h: what kinds of requests there are, which
 * steps each does, what time in a step counts as, and how causes rank. */
#include <string.h>

#include "daemon/flow_private.h"
#include "lib/util.h"

/* -- Steps ---------------------------------------------------------------- */

/* What sort of work a step is; the first that fits holds.  'what' is where its
 * time goes in the budget: "" for what its service does. */
static const struct {
	const char *names, *sort, *what;
} steps[] = {
	/* Causes of errors. */
	{ "migration-* cpu-incompatible", "migrate", "" },
	{ "detach-* attach-*", "volume", "" },
	/* Steps. */
	{ "*live_migration_abort* *live_migration_force_complete* *_abort_requested"
	  " *_force_requested", "control", "" },
	{ "vif-plug* *network-vif-plugged*", "network", "waiting for vif-plug" },
	{ "pre_live_migration* *live_migration_pre*", "migrate", "compute: prepare destination" },
	{ "post_live_migration* *live_migration_post*", "migrate", "compute: after migration" },
	{ "*rollback*", "migrate", "compute: rollback" },
	{ "*live*migrat* migration* increase_downtime libvirt_migrate", "migrate",
	  "compute: live migration" },
	{ "*resize* *revert* *confirm* *migrate* finish_migration", "resize", "compute: resize" },
	{ "select_destinations scheduler* schedule* weighed host_selected", "build", "scheduler" },
	{ "spawn running", "build", "compute: spawn" },
	{ "image* create_image *cache*", "image", "image" },
	{ "*snapshot* *backup* *upload*", "image", "image" },
	{ "port* *bind* *dhcp* router* device* *network* *vif* subnet* *interface* nova_event"
	  " external_event ovs*", "network", "network" },
	{ "*attach* *detach* *volume* *block_device* *connector* mount backend_chosen clone_image",
	  "volume", "block" },
	{ "instance.create build* claim *create*", "build", "compute: build" },
	{ "*delete* *destroy* terminate* *shutdown*", "delete", "compute: destroy" },
	{ "*power_o* *reboot* *pause* *suspend* *resume* *restore* *rescue* *rebuild* *shelve*"
	  " *evacuat*", "power", "compute: power" },
};

/* What a service does in general. */
static const struct {
	const char *services, *what;
} services[] = {
	{ "nova-api* nova-osapi* nova_api*", "api" },
	{ "nova-conductor*", "conductor" },
	{ "nova-scheduler*", "scheduler" },
	{ "nova-compute*", "compute" },
	{ "neutron*", "network" },
	{ "cinder*", "block" },
	{ "glance*", "image" },
	{ "placement*", "placement" },
	{ "keystone*", "identity" },
};

/* -- Requests ------------------------------------------------------------- */

static const struct flow_kind kinds[] = {
	{ "server.create", "build network volume image delete other", "instance.create build",
	  "instance.create.error", "active", false },
	{ "server.delete", "delete network volume other", "instance.delete", "", "deleted", false },
	{ "server.force-delete", "delete network volume other", "instance.delete", "", "deleted",
	  false },
	{ "server.live-migrate", "migrate network volume image other",
	  "instance.live_migration_post_dest", "", "", true },
	{ "server.evacuate", "build network volume image other", "instance.rebuild", "", "", false },
	{ "server.rebuild", "build network volume image power other", "instance.rebuild", "", "",
	  false },
	{ "server.resize", "resize network volume image power other",
	  "instance.resize_finish instance.finish_resize", "", "resized", false },
	{ "server.migrate", "resize network volume image power other",
	  "instance.resize_finish instance.finish_resize", "", "resized", false },
	{ "server.confirm-resize", "resize network delete other", "instance.resize_confirm", "",
	  "active", false },
	{ "server.revert-resize", "resize network volume image power delete other",
	  "instance.resize_revert", "", "", false },
	{ "server.abort-migration", "control", "instance.live_migration_abort", "", "", false },
	{ "server.live-migrate-abort", "control", "instance.live_migration_abort", "", "", false },
	{ "server.force-complete", "control", "instance.live_migration_force_complete", "", "",
	  false },
	{ "server.live-migrate-force-complete", "control",
	  "instance.live_migration_force_complete", "", "", false },
	{ "server.attach-volume", "volume", "instance.volume_attach", "", "", false },
	{ "server.detach-volume", "volume", "instance.volume_detach", "", "", false },
	{ "server.attach-interface", "network", "instance.interface_attach", "", "", false },
	{ "server.detach-interface", "network", "instance.interface_detach", "", "", false },
	{ "server.start", "power network volume other", "instance.power_on", "", "active", false },
	{ "server.stop", "power delete other", "instance.power_off", "", "stopped", false },
	{ "server.reboot", "power network volume delete other", "instance.reboot", "", "", false },
	{ "server.pause", "power other", "instance.pause", "", "paused", false },
	{ "server.unpause", "power other", "instance.unpause", "", "active", false },
	{ "server.suspend", "power other", "instance.suspend", "", "suspended", false },
	{ "server.resume", "power network other", "instance.resume", "", "active", false },
	{ "server.shelve", "image power delete network volume other",
	  "instance.shelve instance.shelve_offload", "", "", false },
	{ "server.unshelve", "build network volume image other", "instance.unshelve", "",
	  "active", false },
	{ "server.snapshot", "image power other", "instance.snapshot", "", "", false },
	{ "server.create-image", "image power other", "instance.snapshot", "", "", false },
	{ "server.rescue", "power image network other", "instance.rescue", "", "rescued", false },
	{ "server.unrescue", "power network other", "instance.unrescue", "", "active", false },
	{ "volume.create", "volume image other", "volume_created volume.create", "", "", false },
	{ "volume.delete", "volume image other", "volume_deleted volume.delete", "", "", false },
	{ "volume.extend", "volume image other", "volume_extended volume.resize", "", "", false },
	{ "volume.*", "volume image other", "", "", "", false },
	{ "snapshot.create", "volume image other", "snapshot_created snapshot.create", "", "",
	  false },
	{ "snapshot.delete", "volume image other", "snapshot_deleted snapshot.delete", "", "",
	  false },
	{ "snapshot.*", "volume image other", "", "", "", false },
	{ "backup.*", "volume image other", "", "", "", false },
	{ "port.*", "network other", "", "", "", false },
	{ "router.*", "network other", "", "", "", false },
	{ "network.*", "network other", "", "", "", false },
	{ "subnet.*", "network other", "", "", "", false },
	{ "floatingip.*", "network other", "", "", "", false },
	{ "image.*", "image other", "", "", "", false },
	{ "*", "", "", "", "", false },
};

/* -- Causes --------------------------------------------------------------- */

/* The more specific first: of several errors of a request, that one is its
 * cause.  Those that services get over are findings, unless nothing else is said. */
static const struct {
	const char *cause;
	bool fatal;              /* The request fails. */
	bool remarkable;         /* Also where it was got over. */
} causes[] = {
	{ "migration-aborted", true, true }, { "migration-check-failed", true, true },
	{ "cpu-incompatible", true, false }, { "migration-timeout", true, true },
	{ "migration-failed", true, true }, { "detach-failed", true, true },
	{ "attach-failed", true, true }, { "quota", true, false }, { "forbidden", true, false },
	{ "no-backend", true, true }, { "volume-not-created", true, false },
	{ "image", true, true }, { "no-addresses", true, false },
	{ "network-setup-failed", true, true }, { "no-valid-host", true, true },
	{ "build-aborted", true, false }, { "build-failed", true, true },
	{ "resize-failed", true, true }, { "block-device", true, false },
	{ "instance-gone", true, false }, { "port-binding-failed", false, true },
	{ "port-in-use", false, false }, { "no-resources", false, true },
	{ "vif-plug-failed", false, true }, { "router-failed", false, true },
	{ "dhcp-failed", false, true }, { "vif-plug-timeout", false, true },
	{ "service-down", false, true }, { "rpc-timeout", false, true },
	{ "rpc-failed", false, false }, { "unreachable", false, false },
	{ "timeout", false, false }, { "database", false, false }, { "libvirt", false, false },
	{ "postcopy-failed", false, true }, { "detach-timeout", false, true },
	{ "agent-down", false, true }, { "agent-missing", false, true },
	{ "soft-reboot-failed", false, true }, { "nova-notify-failed", false, false },
	{ "guest-stopped-by-itself", false, false }, { "command-failed", false, false },
	{ "reschedule", false, true }, { "rolled-back", false, true },
	/* ... and at last those that nobody gave a name. */
	{ "error", false, false },
};

/* -- Looking up ----------------------------------------------------------- */

static bool
matches_one(const char *pattern, size_t length, const char *name)
{
	bool open_begin = length && pattern[0] == '*';
	bool open_end = length > 1 && pattern[length - 1] == '*';
	char word[64];
	size_t n = strlen(name), inner;

	inner = length - open_begin - open_end;
	if (length == 1 && open_begin)
		return true;
	snprintf(word, sizeof word, "%.*s", (int) inner, pattern + open_begin);
	if (open_begin && open_end)
		return strstr(name, word) != NULL;
	if (open_begin)
		return n >= inner && streq(name + n - inner, word);
	return open_end ? starts_with(name, word) : streq(name, word);
}

bool
flow_matches(const char *patterns, const char *name)
{
	for (const char *at = patterns; *at; at += strspn(at, " ")) {
		size_t length = strcspn(at, " ");

		if (matches_one(at, length, name))
			return true;
		at += length;
	}
	return false;
}

const struct flow_kind *
flow_kind_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (flow_matches(kinds[i].kind, name))
			return &kinds[i];
	return &kinds[ARRAY_SIZE(kinds) - 1];
}

static const char *
sort_of(const char *step)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps) && *step; i++)
		if (flow_matches(steps[i].names, step))
			return steps[i].sort;
	return "other";
}

/* What a request to this service is about; of those to Nova only Neutron's
 * events are asked for. */
static const char *
sort_of_service(const char *service)
{
	return flow_matches("neutron* nova*", service) ? "network" :
	       starts_with(service, "cinder") ? "volume" :
	       starts_with(service, "glance") ? "image" : "other";
}

bool
flow_kind_takes(const struct flow_kind *kind, const char *step, enum fact_family family)
{
	const char *sort = family == FAMILY_API ? sort_of_service(step) : sort_of(step);

	return flow_matches(kind->takes, sort);
}

int
flow_cause_rank(const char *cause)
{
	enum { UNKNOWN = 100, NONE = 300 };

	for (size_t i = 0; i < ARRAY_SIZE(causes) && cause && *cause; i++)
		if (streq(causes[i].cause, cause))
			return (int) i + (causes[i].fatal ? 0 : UNKNOWN + 1);
	return cause && *cause ? UNKNOWN : NONE;
}

bool
flow_is_remarkable(const char *cause)
{
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		if (streq(causes[i].cause, cause))
			return causes[i].remarkable;
	return false;
}

bool
flow_is_fatal(const struct flow_fact *error)
{
	const char *logger = flow_text(error, "logger");

	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		if (streq(causes[i].cause, error->name) && causes[i].fatal)
			return true;
	/* Whoever served a message gave up. */
	return logger && streq(logger, "oslo_messaging.rpc.server");
}

static const char *
what_of_service(const char *service)
{
	for (size_t i = 0; i < ARRAY_SIZE(services); i++)
		if (flow_matches(services[i].services, service))
			return services[i].what;
	return "other services";
}

const char *
flow_what(const struct flow_fact *fact)
{
	if (fact->family == FAMILY_STEP && !starts_with(fact->kind, "neutron") &&
	    !starts_with(fact->kind, "cinder"))
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
			if (flow_matches(steps[i].names, fact->name) && *steps[i].what)
				return steps[i].what;
	if (starts_with(fact->kind, "neutron."))
		return "network";
	if (starts_with(fact->kind, "cinder."))
		return "block";
	return what_of_service(fact->service);
}
