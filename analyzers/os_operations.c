/* SPDX-License-Identifier: MIT
 *
 * os_operations.c -- what a request asks for, as operators call it, from its
 * method, its path and the action in its body.
 *
 * Most follow a rule: POST /volumes is volume.create, DELETE /ports/ID is
 * port.delete.  The tables hold what does not. */
#include <string.h>

#include "analyzers/openstack.h"
#include "lib/util.h"

/* Actions: POST .../ID/action with {"ACTION": ...}. */
static const struct {
	const char *action, *name;
} actions[] = {
	/* Nova: servers */
	{ "addFixedIp", "server.add-fixed-ip" },
	{ "removeFixedIp", "server.remove-fixed-ip" },
	{ "addFloatingIp", "server.add-floating-ip" },
	{ "removeFloatingIp", "server.remove-floating-ip" },
	{ "addSecurityGroup", "server.add-security-group" },
	{ "removeSecurityGroup", "server.remove-security-group" },
	{ "changePassword", "server.change-password" },
	{ "confirmResize", "server.confirm-resize" },
	{ "createBackup", "server.backup" },
	{ "createImage", "server.snapshot" },
	{ "evacuate", "server.evacuate" },
	{ "forceDelete", "server.force-delete" },
	{ "force_complete", "server.live-migrate-force-complete" },
	{ "injectNetworkInfo", "server.inject-network-info" },
	{ "lock", "server.lock" },
	{ "migrate", "server.migrate" },
	{ "os-getConsoleOutput", "server.console-output" },
	{ "os-getVNCConsole", "server.console" },
	{ "os-getSPICEConsole", "server.console" },
	{ "os-getSerialConsole", "server.console" },
	{ "os-migrateLive", "server.live-migrate" },
	{ "os-resetState", "server.reset-state" },
	{ "os-start", "server.start" },
	{ "os-stop", "server.stop" },
	{ "pause", "server.pause" },
	{ "reboot", "server.reboot" },
	{ "rebuild", "server.rebuild" },
	{ "rescue", "server.rescue" },
	{ "resetNetwork", "server.reset-network" },
	{ "resize", "server.resize" },
	{ "restore", "server.restore" },
	{ "resume", "server.resume" },
	{ "revertResize", "server.revert-resize" },
	{ "shelve", "server.shelve" },
	{ "shelveOffload", "server.shelve-offload" },
	{ "suspend", "server.suspend" },
	{ "trigger_crash_dump", "server.trigger-crash-dump" },
	{ "unlock", "server.unlock" },
	{ "unpause", "server.unpause" },
	{ "unrescue", "server.unrescue" },
	{ "unshelve", "server.unshelve" },
	/* Cinder: volumes, snapshots, attachments */
	{ "os-attach", "volume.attach" },
	{ "os-begin_detaching", "volume.begin-detaching" },
	{ "os-complete", "attachment.complete" },
	{ "os-detach", "volume.detach" },
	{ "os-extend", "volume.extend" },
	{ "os-extend_volume_completion", "volume.extend-completion" },
	{ "os-force_delete", "volume.force-delete" },
	{ "os-force_detach", "volume.force-detach" },
	{ "os-initialize_connection", "volume.initialize-connection" },
	{ "os-migrate_volume", "volume.migrate" },
	{ "os-migrate_volume_completion", "volume.migrate-completion" },
	{ "os-reimage", "volume.reimage" },
	{ "os-reserve", "volume.reserve" },
	{ "os-reset_status", "volume.reset-state" },
	{ "os-retype", "volume.retype" },
	{ "os-roll_detaching", "volume.roll-detaching" },
	{ "os-set_bootable", "volume.set-bootable" },
	{ "os-set_image_metadata", "volume.set-image-metadata" },
	{ "os-show_image_metadata", "volume.show-image-metadata" },
	{ "os-terminate_connection", "volume.terminate-connection" },
	{ "os-unmanage", "volume.unmanage" },
	{ "os-unreserve", "volume.unreserve" },
	{ "os-unset_image_metadata", "volume.unset-image-metadata" },
	{ "os-update_readonly_flag", "volume.set-readonly" },
	{ "os-update_snapshot_status", "snapshot.update-status" },
	{ "os-volume_upload_image", "volume.upload-to-image" },
	{ "revert", "volume.revert" },
};

/* Paths behind the version, and behind the project where there is one; '*' is an
 * id or a name. */
static const struct operation operations[] = {
	{ "POST", "servers/*/os-volume_attachments", "server.attach-volume", "server" },
	{ "PUT", "servers/*/os-volume_attachments/*", "server.swap-volume", "server" },
	{ "DELETE", "servers/*/os-volume_attachments/*", "server.detach-volume", "server" },
	{ "POST", "servers/*/os-interface", "server.attach-interface", "server" },
	{ "DELETE", "servers/*/os-interface/*", "server.detach-interface", "server" },
	{ "DELETE", "servers/*/migrations/*", "server.live-migrate-abort", "server" },
	{ "POST", "servers/*/migrations/*/action", "server.live-migrate-force-complete", "server" },
	{ "POST", "servers/*/remote-consoles", "server.console", "server" },
	{ "POST", "os-server-external-events", "server.external-event", "server" },
	{ "POST", "os-assisted-volume-snapshots", "volume.assisted-snapshot", "volume" },
	{ "DELETE", "os-assisted-volume-snapshots/*", "volume.assisted-snapshot-delete", "volume" },
	{ "POST", "ports/*/bindings", "port-binding.create", "port" },
	{ "PUT", "ports/*/bindings/*", "port-binding.update", "port" },
	{ "PUT", "ports/*/bindings/*/activate", "port-binding.activate", "port" },
	{ "DELETE", "ports/*/bindings/*", "port-binding.delete", "port" },
	{ "PUT", "routers/*/add_router_interface", "router.add-interface", "router" },
	{ "PUT", "routers/*/remove_router_interface", "router.remove-interface", "router" },
	{ "PUT", "routers/*/add_extraroutes", "router.add-routes", "router" },
	{ "PUT", "routers/*/remove_extraroutes", "router.remove-routes", "router" },
	{ "PUT", "trunks/*/add_subports", "trunk.add-subports", "trunk" },
	{ "PUT", "trunks/*/remove_subports", "trunk.remove-subports", "trunk" },
	{ "POST", "agents/*/l3-routers", "agent.add-router", "agent" },
	{ "DELETE", "agents/*/l3-routers/*", "agent.remove-router", "agent" },
	{ "POST", "agents/*/dhcp-networks", "agent.add-network", "agent" },
	{ "DELETE", "agents/*/dhcp-networks/*", "agent.remove-network", "agent" },
	{ "POST", "backups/*/restore", "backup.restore", "backup" },
	{ "POST", "volume-transfers/*/accept", "volume-transfer.accept", "volume-transfer" },
	{ "POST", "os-volume-transfer/*/accept", "volume-transfer.accept", "volume-transfer" },
	{ "PUT", "images/*/file", "image.upload", "image" },
	{ "PUT", "images/*/stage", "image.stage", "image" },
	{ "POST", "images/*/import", "image.import", "image" },
	{ "POST", "images/*/actions/deactivate", "image.deactivate", "image" },
	{ "POST", "images/*/actions/reactivate", "image.reactivate", "image" },
};

/* Plurals that do not lose an "s", and names without their "os-". */
static const struct {
	const char *plural, *singular;
} singulars[] = {
	{ "os-keypairs", "keypair" },
	{ "os-server-groups", "server-group" },
	{ "os-aggregates", "aggregate" },
	{ "os-services", "service" },
	{ "os-quota-sets", "quota-set" },
	{ "os-flavor-access", "flavor-access" },
	{ "os-volume-transfer", "volume-transfer" },
	{ "inventories", "inventory" },
	{ "policies", "policy" },
	{ "address-scopes", "address-scope" },
	{ "metadata", "metadata" },
	{ "traits", "trait" },
	{ "aliases", "alias" },
	{ "classes", "class" },
	{ "resource_classes", "resource-class" },
};

enum { MAX_SEGMENTS = 10 };

struct path {
	struct text segments[MAX_SEGMENTS];
	unsigned n;
};

static bool
is_hex(const struct text *text, size_t length)
{
	if (text->size != length)
		return false;
	for (size_t i = 0; i < length; i++)
		if (!strchr("0123456789abcdef", text->s[i]))
			return false;
	return true;
}

/* "v2.1", "v3", "v2.0" */
static bool
is_version(const struct text *text)
{
	return text->size >= 2 && text->size <= 5 && *text->s == 'v' && text->s[1] >= '0' &&
		text->s[1] <= '9';
}

/* The path in parts, from behind version and project on. */
static void
split(const struct text *path, struct path *ret)
{
	const char *at = path->s, *const end = path->s + path->size;
	bool versioned = false;

	ret->n = 0;
	while (at < end && *at != '?') {
		const char *to = at;

		while (to < end && *to != '/' && *to != '?')
			to++;
		if (to > at) {
			const struct text segment = { at, (size_t) (to - at) };

			if (!versioned && is_version(&segment) && ret->n < 3) {
				versioned = true;
				ret->n = 0;
			} else if (is_hex(&segment, 32) && ret->n == 0) {
				/* A project. */
			} else {
				if (ret->n == MAX_SEGMENTS)
					return;
				ret->segments[ret->n++] = segment;
			}
		}
		at = to + (to < end && *to == '/');
	}
}

static bool
path_is(const struct path *path, const char *wanted)
{
	for (unsigned i = 0; i < path->n; i++) {
		const size_t length = strcspn(wanted, "/");

		if (!length)
			return false;
		if (!(length == 1 && *wanted == '*') &&
		    (path->segments[i].size != length ||
		     memcmp(path->segments[i].s, wanted, length)))
			return false;
		wanted += length + (wanted[length] == '/');
	}
	return !*wanted;
}

static size_t
singular(const struct text *plural, char *to, size_t size)
{
	for (size_t i = 0; i < ARRAY_SIZE(singulars); i++)
		if (text_is(plural, singulars[i].plural))
			return (size_t) snprintf(to, size, "%s", singulars[i].singular);
	return (size_t) snprintf(to, size, "%.*s", (int) MIN(plural->size -
		(plural->size > 1 && plural->s[plural->size - 1] == 's'), (size_t) 40), plural->s);
}

static const char *
verb(const struct text *method)
{
	return text_is(method, "POST") ? "create" : text_is(method, "DELETE") ? "delete" :
		text_is(method, "PUT") || text_is(method, "PATCH") ? "update" : NULL;
}

const char *
operation_of_action(const struct text *action)
{
	for (size_t i = 0; i < ARRAY_SIZE(actions); i++)
		if (text_is(action, actions[i].action))
			return actions[i].name;
	return NULL;
}

bool
operation_find(const struct text *method, const struct text *url, const struct text *action,
	       struct operation_found *ret)
{
	const char *name = NULL;
	struct path path;
	unsigned collection, n;

	memset(ret, 0, sizeof *ret);
	split(url, &path);
	if (!path.n)
		return false;
	if (path.n > 1 && !text_is(&path.segments[1], "detail"))
		ret->id = path.segments[1];
	singular(&path.segments[0], ret->type, sizeof ret->type);
	if (!verb(method))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(operations) && !name; i++)
		if (text_is(method, operations[i].method) && path_is(&path, operations[i].path))
			name = operations[i].name;
	if (!name && text_is(&path.segments[path.n - 1], "action")) {
		if (!action->size)
			return false;  /* It is told later. */
		name = operation_of_action(action);
	}
	if (name) {
		snprintf(ret->name, sizeof ret->name, "%s", name);
		return true;
	}
	/* Of an odd number of parts the last is a collection. */
	n = path.n - text_is(&path.segments[path.n - 1], "action");
	if (!n)
		return false;
	collection = n - (n % 2 ? 1 : 2);
	singular(&path.segments[collection], ret->name, sizeof ret->name);
	if (n < path.n && action->size)
		snprintf(ret->name + strlen(ret->name), sizeof ret->name - strlen(ret->name), ".%.*s",
			 (int) MIN(action->size, (size_t) 40), action->s);
	else
		snprintf(ret->name + strlen(ret->name), sizeof ret->name - strlen(ret->name), ".%s",
			 verb(method));
	return true;
}
