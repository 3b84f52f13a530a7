/* SPDX-License-Identifier: MIT
 *
 * nova_patterns.c -- what Nova's services log, and what it means.
 *
 * Wording of Train (2019) to 2026.1: where it differs there are several rows. */
#include "analyzers/openstack.h"

#define WSGI "nova.api.openstack.wsgi"
#define MANAGER "nova.compute.manager"
#define LIBVIRT "nova.virt.libvirt.driver"

const struct pattern nova_patterns[] = {
	/* -- API -- */
	{ WSGI, "Action: '%(action)s', calling method: %(meth)s, body: %(body)s", LOG_API_BEGIN,
	  .take = { F_ACTION, 0, F_BODY }, .flags = RID_OK },
	{ WSGI, "Calling method '%(meth)s'", LOG_API_BEGIN, .flags = RID_OK },
	{ WSGI, "Returning %(code)s to user: %(explanation)s", LOG_API_DETAIL, .flags = RID_OK,
	  .take = { 0, F_MESSAGE } },

	/* -- Conductor, scheduler -- */
	{ "nova.conductor.manager", "Took %0.2f seconds to select destinations for %s instance(s).",
	  LOG_NOVA_TOOK, "select_destinations", .take = { F_SECONDS, F_COUNT }, .flags = RID_OK | BY_REQUEST },
	{ "nova.scheduler.manager", "Starting to schedule for instances: %s", LOG_NOVA_BEGIN,
	  "schedule", .take = { F_DETAIL }, .flags = RID_OK | BY_REQUEST, .subject = F_REQUEST_ID },

	/* -- Compute: building -- */
	{ MANAGER, "Starting instance...", LOG_NOVA_BEGIN, "build", .flags = RID_OK },
	{ MANAGER, "Took %0.2f seconds to build instance.", LOG_NOVA_TOOK, "build", .take = { F_SECONDS }, .flags = RID_OK },
	{ MANAGER, "Start spawning the instance on the hypervisor.", LOG_NOVA_BEGIN, "spawn",
	  .flags = RID_OK },
	{ MANAGER, "Took %0.2f seconds to spawn the instance on the hypervisor.", LOG_NOVA_TOOK,
	  "spawn", .take = { F_SECONDS }, .flags = RID_OK },
	{ NULL }
};
