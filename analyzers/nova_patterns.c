/* SPDX-License-Identifier: MIT
 *
 * nova_patterns.c -- what Nova's services log, and what it means.
 *
 * Wording of Train (2019) to 2026.1: where it differs there are several rows. */
#include "analyzers/openstack.h"

#define WSGI "nova.api.openstack.wsgi"
#define CONDUCTOR "nova.conductor.manager"
#define MANAGER "nova.compute.manager"
#define MIGRATION "nova.virt.libvirt.migration"
#define LIBVIRT "nova.virt.libvirt.driver"
#define GUEST "nova.virt.libvirt.guest"
#define TRACKER "nova.compute.resource_tracker"

/* A step in which the request id is that of the request. */
#define STEP(LOGGER, TEXT, EVENT, NAME, ...) \
	{ LOGGER, TEXT, EVENT, NAME, .flags = RID_OK, .take = { __VA_ARGS__ } }
/* A step of a thread that carries no request id, or another's. */
#define STALE(LOGGER, TEXT, EVENT, NAME, ...) \
	{ LOGGER, TEXT, EVENT, NAME, .flags = RID_WRONG, .take = { __VA_ARGS__ } }
/* What of it is open has failed. */
#define FAILS(LOGGER, TEXT, NAME) \
	{ LOGGER, TEXT, LOG_NOVA_FAIL, NAME, .flags = RID_OK | IF_OPEN }
#define NOTHING(LOGGER, TEXT) { LOGGER, TEXT, .event = LOG_NOTHING }

/* Nova's client of Neutron was another module until Ussuri. */
#define NETWORK(LOGGER) \
	STEP(LOGGER, "allocate_for_instance()", LOG_NOVA_BEGIN, "allocate_network", 0), \
	STEP(LOGGER, "Successfully created port: %s", LOG_NOVA_TOOK, "port_created", F_PORT), \
	STEP(LOGGER, "Successfully created port: %s", LOG_VM_PORT, NULL, F_PORT), \
	STEP(LOGGER, "Successfully updated port: %s", LOG_VM_PORT, NULL, F_PORT), \
	STEP(LOGGER, "Activated binding for port %s and host %s", LOG_NOVA_TOOK, \
	     "binding_activated", F_PORT, F_HOST), \
	STEP(LOGGER, "Port %(port_id)s updated with migration profile %(profile_data)s successfully", \
	     LOG_NOVA_TOOK, "port_profile", F_PORT, F_DETAIL), \
	STEP(LOGGER, "Binding failed for port %(port)s and host %(host)s.", LOG_CAUSE, \
	     "port-binding-failed", F_PORT, F_HOST), \
	STEP(LOGGER, "Binding failed for port %s and host %s.", LOG_CAUSE, "port-binding-failed", \
	     F_PORT, F_HOST), \
	NOTHING(LOGGER, "deallocate_for_instance()"), \
	NOTHING(LOGGER, "Building network info cache for instance"), \
	NOTHING(LOGGER, "Forcefully refreshing network info cache for instance"), \
	NOTHING(LOGGER, "Instance cache missing network info."), \
	NOTHING(LOGGER, "Refreshing network info cache for port %s"), \
	NOTHING(LOGGER, "Updated VIF entry in instance network info cache for port %s."), \
	NOTHING(LOGGER, "Updating instance_info_cache with network_info: %s"), \
	NOTHING(LOGGER, "Updating port %(port)s with attributes %(attributes)s"), \
	NOTHING(LOGGER, "Removing port %s migration profile"), \
	NOTHING(LOGGER, "validate_networks() for %s")

const struct pattern nova_patterns[] = {
	/* -- API -- */
	{ WSGI, "Action: '%(action)s', calling method: %(meth)s, body: %(body)s", LOG_API_BEGIN,
	  .take = { F_ACTION, 0, F_BODY }, .flags = RID_OK },
	STEP(WSGI, "Action: '%(action)s', calling method: %(meth)s, body: %(body)s", LOG_NOVA_TOOK,
	     "action_called", F_DETAIL),
	{ WSGI, "Calling method '%(meth)s'", LOG_API_BEGIN, .flags = RID_OK },
	{ WSGI, "Returning %(code)s to user: %(explanation)s", LOG_API_DETAIL,
	  .take = { 0, F_MESSAGE }, .flags = RID_OK },
	NOTHING(WSGI, "HTTP exception thrown: %s"),
	STEP("nova.api.openstack.compute.server_external_events",
	     "Creating event %(name)s:%(tag)s for instance %(instance_uuid)s on %(host)s",
	     LOG_NOVA_TOOK, "external_event", F_DETAIL, F_PORT, F_INSTANCE, F_HOST),
	STEP("nova.compute.api", "instance's host %s is down, deleting from database", LOG_NOVA_TOOK,
	     "local_delete", F_HOST),
	STEP("nova.compute.api", "Going to try to live migrate instance to %s", LOG_NOVA_TOOK,
	     "live_migrate_requested", F_DESTINATION),
	STEP("nova.compute.api", "Going to cancel live migration %s", LOG_NOVA_TOOK,
	     "live_migrate_abort_requested", F_DETAIL),
	STEP("nova.compute.api", "Going to try to force live migration to complete", LOG_NOVA_TOOK,
	     "live_migrate_force_requested", 0),
	NOTHING("nova.compute.api", "Fetching instance by UUID"),
	NOTHING("nova.compute.api", "Searching by: %s"),
	NOTHING("nova.compute.api", "Failed to fetch instance by id %s"),
	NOTHING("nova.compute.api", "block_device_mapping %s"),
	NOTHING("nova.compute.api", "Going to run %s instances..."),
	NOTHING("nova.compute.api", "Going to try to terminate instance"),
	NOTHING("nova.compute.api", "Going to try to stop instance"),
	NOTHING("nova.compute.api", "Going to try to start instance"),

	/* -- Conductor -- */
	{ CONDUCTOR, "Took %0.2f seconds to select destinations for %s instance(s).", LOG_NOVA_TOOK,
	  "select_destinations", .take = { F_SECONDS, F_COUNT }, .flags = RID_OK | BY_REQUEST,
	  .subject = F_REQUEST_ID },
	STEP(CONDUCTOR, "Selected host: %s; Selected node: %s; Alternates: %s", LOG_NOVA_TOOK,
	     "host_selected", F_HOST, F_NODE, F_DETAIL),
	STEP(CONDUCTOR, "Failed to schedule instances", LOG_CAUSE, NULL, 0),
	STEP(CONDUCTOR, "Migration of instance %(instance_id)s to host %(dest)s unexpectedly failed.",
	     LOG_CAUSE, "migration-failed", F_INSTANCE, F_DESTINATION),
	STEP(CONDUCTOR, "Exhausted all hosts available for retrying build failures for instance "
	     "%(instance_uuid)s.", LOG_CAUSE, "no-valid-host", F_INSTANCE),
	STEP(CONDUCTOR, "Unshelve attempted but an error has occurred", LOG_CAUSE, NULL, 0),
	STEP(CONDUCTOR, "Rebuild attempted but an error has occurred", LOG_CAUSE, NULL, 0),
	NOTHING(CONDUCTOR, "Rescheduling: %s"),
	NOTHING(CONDUCTOR, "block_device_mapping %s"),
	STEP(CONDUCTOR, "Targeting cell %(cell)s for conductor method %(meth)s", LOG_NOVA_TOOK,
	     "cell_targeted", 0, F_DETAIL),
	STEP("nova.conductor.tasks.live_migrate", "Start binding ports on destination host: %s",
	     LOG_NOVA_TOOK, "bind_ports", F_DESTINATION),
	STEP("nova.conductor.tasks.live_migrate", "Skipping host: %(host)s because: %(e)s", LOG_CAUSE,
	     "migration-check-failed", F_HOST, F_MESSAGE),
	NOTHING("nova.conductor.tasks.live_migrate", "Requesting cell %(cell)s while live migrating"),
	STEP("nova.conductor.tasks.migrate", "Created allocations for migration %(mig)s on %(rp)s",
	     LOG_MIGRATION, NULL, F_MIGRATION),
	STEP("nova.conductor.tasks.migrate", "Created allocations for migration %(mig)s on %(rp)s",
	     LOG_NOVA_TOOK, "allocation_moved", F_MIGRATION),
	STEP("nova.conductor.tasks.migrate", "Calling prep_resize with selected host: %s; Selected "
	     "node: %s; Alternates: %s", LOG_NOVA_TOOK, "host_selected", F_HOST, F_NODE, F_DETAIL),
	NOTHING("nova.conductor.tasks.migrate", "Restricting to cell %(cell)s while migrating"),
	STEP("nova.scheduler.utils", "Failed to %(service)s_%(method)s: %(ex)s", LOG_CAUSE, NULL,
	     0, F_DETAIL, F_MESSAGE),
	STEP("nova.scheduler.utils", "Error from last host: %(last_host)s (node %(last_node)s): "
	     "%(exc)s", LOG_CAUSE, "reschedule", F_SOURCE, 0, 0),
	NOTHING("nova.scheduler.utils", "Setting instance to %s state."),
	NOTHING("nova.scheduler.utils", "Attempting to claim resources in the placement API for "
		"instance %s"),

	/* -- Scheduler -- */
	{ "oslo_messaging.rpc.server", "Expected exception during message handling (%s)",
	  LOG_NOVA_FAIL, "scheduler.select_destinations", .take = { F_MESSAGE },
	  .flags = RID_OK | BY_REQUEST | IF_OPEN },
	STEP("oslo_messaging.rpc.server", "Exception during message handling", LOG_CAUSE, NULL, 0),
	STEP("oslo_messaging.rpc.server", "Exception during message handling: %s", LOG_CAUSE, NULL,
	     F_MESSAGE),
	STEP("nova.filters", "Filter %s returned 0 hosts", LOG_CAUSE, "no-valid-host", F_DETAIL),
	NOTHING("nova.filters", "Filter %(cls_name)s returned %(obj_len)d host(s)"),
	NOTHING("nova.filters", "Starting with %d host(s)"),
	STEP("nova.filters", "Filtering removed all hosts for the request with instance ID "
	     "'%(inst_uuid)s'. Filter results: %(str_results)s", LOG_CAUSE, "no-valid-host",
	     F_INSTANCE, F_DETAIL),
	{ "nova.scheduler.manager", "Got no allocation candidates from the Placement API. This could "
	  "be due to insufficient resources or a temporary occurrence as compute nodes start up.",
	  LOG_CAUSE, "no-valid-host", .flags = RID_OK, .sets = F_DETAIL, .to = "no allocation candidates" },
	{ "nova.scheduler.manager", "Got no allocation candidates from the Placement API. This may be "
	  "a temporary occurrence as compute nodes start up.", LOG_CAUSE, "no-valid-host",
	  .flags = RID_OK, .sets = F_DETAIL, .to = "no allocation candidates" },
	{ "nova.scheduler.manager", "Got no allocation candidates from the Placement API%s", LOG_CAUSE,
	  "no-valid-host", .flags = RID_OK, .sets = F_DETAIL, .to = "no allocation candidates" },
	{ "nova.scheduler.manager", "Selected host: %(host)s", LOG_NOVA_TOOK, "weighed",
	  .take = { F_DETAIL }, .flags = RID_OK },
	STEP("nova.scheduler.manager", "Unable to successfully claim against any host.", LOG_CAUSE,
	     "no-resources", 0),
	/* Before Zed. */
	{ "nova.scheduler.filter_scheduler", "Selected host: %(host)s", LOG_NOVA_TOOK, "weighed",
	  .take = { F_DETAIL }, .flags = RID_OK },
	STEP("nova.scheduler.filter_scheduler", "Unable to successfully claim against any host.",
	     LOG_CAUSE, "no-resources", 0),
	NOTHING("nova.scheduler.filter_scheduler", "Filtered %(hosts)s"),
	NOTHING("nova.scheduler.filter_scheduler", "Weighed %(hosts)s"),
	NOTHING("nova.scheduler.manager", "Filtered %(hosts)s"),
	NOTHING("nova.scheduler.manager", "Weighed %(hosts)s"),
	{ "nova.scheduler.manager", "Starting to schedule for instances: %s", LOG_NOVA_TOOK,
	  "schedule_begun", .flags = RID_OK | BY_REQUEST, .subject = F_REQUEST_ID },
	STEP("nova.scheduler.host_manager", "No hosts matched due to not matching '%(key)s' value of "
	     "'%(values)s'", LOG_CAUSE, "no-valid-host", F_DETAIL),
	STEP("nova.scheduler.host_manager", "No hosts matched due to not matching 'force_hosts' value "
	     "of '%s'", LOG_CAUSE, "no-valid-host", F_DETAIL),

	/* -- Compute: building -- */
	STEP(MANAGER, "Starting instance...", LOG_NOVA_BEGIN, "build", 0),
	STEP(MANAGER, "Took %0.2f seconds to build instance.", LOG_NOVA_TOOK, "build", F_SECONDS),
	STEP(MANAGER, "Failed to build and run instance", LOG_NOVA_FAIL, "build", 0),
	FAILS(MANAGER, "Failed to build and run instance", "spawn"),
	FAILS(MANAGER, "Failed to build and run instance", "block_device_mapping"),
	FAILS(MANAGER, "Failed to build and run instance", "allocate_network"),
	STEP(MANAGER, "Failed to build and run instance", LOG_CAUSE, NULL, 0),
	STEP(MANAGER, "Build of instance %s was re-scheduled: %s", LOG_CAUSE, "reschedule", F_INSTANCE,
	     F_MESSAGE),
	FAILS(MANAGER, "Build of instance %s aborted: %s", "build"),
	STEP(MANAGER, "Build of instance %s aborted: %s", LOG_CAUSE, NULL, F_INSTANCE, F_MESSAGE),
	STEP(MANAGER, "Start building block device mappings for instance.", LOG_NOVA_BEGIN,
	     "block_device_mapping", 0),
	STEP(MANAGER, "Start spawning the instance on the hypervisor.", LOG_NOVA_END,
	     "block_device_mapping", 0),
	STEP(MANAGER, "Start spawning the instance on the hypervisor.", LOG_NOVA_BEGIN, "spawn", 0),
	STEP(MANAGER, "Took %0.2f seconds to spawn the instance on the hypervisor.", LOG_NOVA_TOOK,
	     "spawn", F_SECONDS),
	STEP(MANAGER, "Instance failed to spawn", LOG_NOVA_FAIL, "spawn", 0),
	FAILS(MANAGER, "Instance failed to spawn", "create_image"),
	FAILS(MANAGER, "Instance failed to spawn", "vif-plug wait"),
	STEP(MANAGER, "Instance failed to spawn", LOG_CAUSE, NULL, 0),
	STEP(MANAGER, "Instance failed block device setup", LOG_NOVA_FAIL, "block_device_mapping", 0),
	STEP(MANAGER, "Instance failed block device setup", LOG_CAUSE, "block-device", 0),
	STEP(MANAGER, "Instance failed network setup after %(attempts)d attempt(s)", LOG_CAUSE,
	     "network-setup-failed", F_COUNT),
	STEP(MANAGER, "Instance network_info: |%s|", LOG_NOVA_END, "allocate_network", 0),
	STEP("nova.compute.claims", "Claim successful on node %s", LOG_NOVA_TOOK, "claim", F_NODE),
	STEP("nova.compute.claims", "Claim successful on node %(node)s", LOG_NOVA_TOOK, "claim", F_NODE),
	STEP("nova.compute.claims", "Claim successful", LOG_NOVA_TOOK, "claim", 0),
	STEP(LIBVIRT, "Creating image(s)", LOG_NOVA_BEGIN, "create_image", 0),
	STEP(LIBVIRT, "Creating image", LOG_NOVA_BEGIN, "create_image", 0),
	STEP(LIBVIRT, "Start _get_guest_xml network_info=%s", LOG_NOVA_END, "create_image", 0),
	STEP(LIBVIRT, "End _get_guest_xml xml=%(xml)s", LOG_GUEST_XML, NULL, F_BODY),
	STALE(LIBVIRT, "Instance spawned successfully.", LOG_NOVA_TOOK, "running", 0),
	NOTHING(LIBVIRT, "Guest created on hypervisor"),
	NOTHING(LIBVIRT, "Creating instance directory"),
	STEP(LIBVIRT, "Created local disks", LOG_NOVA_END, "create_image", 0),
	NOTHING(LIBVIRT, "Did not create local disks"),
	NOTHING(LIBVIRT, "Found default for %s"),
	NOTHING(LIBVIRT, "Attempting to register defaults for the following image properties: %s"),
	NOTHING(LIBVIRT, "No BDM found with device name %s, not building metadata."),
	NOTHING(LIBVIRT, "No VIF found with MAC %s, not building metadata"),
	NOTHING(LIBVIRT, "Ensure instance console log exists: %s"),
	NOTHING(LIBVIRT, "Ignoring supplied device name: %(device_name)s. Libvirt can't honour "
		"user-supplied dev names"),

	/* -- Compute: waiting for Neutron -- */
	{ MANAGER, "Preparing to wait for external event %(name)s-%(tag)s", LOG_NOVA_BEGIN,
	  "vif-plug wait", .take = { F_DETAIL, F_PORT }, .flags = RID_OK | KEEPS },
	STALE(MANAGER, "Processing event %(event)s", LOG_NOVA_END, "vif-plug wait", F_DETAIL),
	STEP(MANAGER, "Instance event wait completed in %i seconds for %s", LOG_NOVA_END,
	     "vif-plug wait", F_SECONDS, F_DETAIL),
	{ MANAGER, "Timeout waiting for %(events)s for instance with vm_state %(vm_state)s and "
	  "task_state %(task_state)s. Event states are: %(event_states)s", LOG_NOVA_FAIL,
	  "vif-plug wait", .take = { 0, 0, 0, F_DETAIL }, .flags = RID_OK | TIMED_OUT },
	STEP(MANAGER, "Timeout waiting for %(events)s for instance with vm_state %(vm_state)s and "
	     "task_state %(task_state)s. Event states are: %(event_states)s", LOG_CAUSE,
	     "vif-plug-timeout", 0, F_STATE, F_TASK_STATE, F_DETAIL),
	{ MANAGER, "Timeout waiting for %(events)s for instance with vm_state %(vm_state)s and "
	  "task_state %(task_state)s.", LOG_NOVA_FAIL, "vif-plug wait", .take = { F_DETAIL },
	  .flags = RID_OK | TIMED_OUT },
	STEP(MANAGER, "Timeout waiting for %(events)s for instance with vm_state %(vm_state)s and "
	     "task_state %(task_state)s.", LOG_CAUSE, "vif-plug-timeout", F_DETAIL, F_STATE,
	     F_TASK_STATE),
	/* Before Zed the driver says it; with a full stop at its end up to Victoria. */
	{ LIBVIRT, "Timeout waiting for %(events)s for instance with vm_state %(vm_state)s and "
	  "task_state %(task_state)s", LOG_NOVA_FAIL, "vif-plug wait", .take = { F_DETAIL },
	  .flags = RID_OK | TIMED_OUT },
	STEP(LIBVIRT, "Timeout waiting for %(events)s for instance with vm_state %(vm_state)s and "
	     "task_state %(task_state)s", LOG_CAUSE, "vif-plug-timeout", F_DETAIL, F_STATE,
	     F_TASK_STATE),
	STEP(MANAGER, "Timeout waiting for Neutron events: %s", LOG_CAUSE, "vif-plug-timeout", F_DETAIL),
	STALE(MANAGER, "Failed waiting for network virtual interfaces to be plugged on the destination "
	      "host %s.", LOG_CAUSE, "vif-plug-timeout", F_DESTINATION),
	NOTHING(MANAGER, "Received event %(event)s"),
	NOTHING(MANAGER, "Received event %s for instance with task_state %s."),
	NOTHING(MANAGER, "No waiting events found dispatching %(event)s"),
	NOTHING(MANAGER, "Received unexpected event %(event)s for instance with vm_state %(vm_state)s "
		"and task_state %(task_state)s."),
	NOTHING(MANAGER, "Refreshing instance network info cache due to event %s."),

	/* -- Compute: destroying -- */
	STEP(MANAGER, "Terminating instance", LOG_NOVA_BEGIN, "terminate", 0),
	STEP(MANAGER, "Start destroying the instance on the hypervisor.", LOG_NOVA_BEGIN, "destroy", 0),
	STEP(MANAGER, "Took %0.2f seconds to destroy the instance on the hypervisor.", LOG_NOVA_TOOK,
	     "destroy", F_SECONDS),
	STEP(MANAGER, "Deallocating network for instance", LOG_NOVA_BEGIN, "deallocate_network", 0),
	STEP(MANAGER, "Took %0.2f seconds to deallocate network for instance.", LOG_NOVA_TOOK,
	     "deallocate_network", F_SECONDS),
	STEP(MANAGER, "Took %0.2f seconds to deallocate network for instance.", LOG_NOVA_END,
	     "terminate", 0),
	STEP(MANAGER, "Took %(time).2f seconds to detach %(num)s volumes for instance.", LOG_NOVA_TOOK,
	     "detach_volumes", F_SECONDS, F_COUNT),
	STEP(LIBVIRT, "Deleting instance files %s", LOG_NOVA_BEGIN, "delete_files", F_FILE),
	STEP(LIBVIRT, "Deletion of %s complete", LOG_NOVA_END, "delete_files", F_FILE),
	NOTHING(LIBVIRT, "Instance destroyed successfully."),

	/* -- Compute: power, reboot -- */
	STEP(MANAGER, "Rebooting instance", LOG_NOVA_BEGIN, "reboot", 0),
	STEP(LIBVIRT, "Instance rebooted successfully.", LOG_NOVA_END, "reboot", 0),
	STEP(LIBVIRT, "Instance soft rebooted successfully.", LOG_NOVA_END, "reboot", 0),
	STEP(LIBVIRT, "Failed to soft reboot instance. Trying hard reboot.", LOG_CAUSE,
	     "soft-reboot-failed", 0),
	STEP(MANAGER, "Cannot reboot instance: %(error)s", LOG_NOVA_FAIL, "reboot", F_MESSAGE),
	STEP(MANAGER, "Cannot reboot instance: %(error)s", LOG_CAUSE, NULL, F_MESSAGE),
	STEP(MANAGER, "Cannot reboot instance: %s", LOG_CAUSE, NULL, F_MESSAGE),
	STEP(LIBVIRT, "Shutting down instance from state %s", LOG_NOVA_BEGIN, "shutdown_guest",
	     F_DETAIL),
	STEP(LIBVIRT, "Instance shutdown successfully after %d seconds.", LOG_NOVA_TOOK,
	     "shutdown_guest", F_SECONDS),
	{ LIBVIRT, "Instance failed to shutdown in %d seconds.", LOG_NOVA_FAIL, "shutdown_guest",
	  .take = { F_SECONDS }, .flags = RID_OK | TIMED_OUT },
	STALE(MANAGER, "VM %(state)s (Lifecycle Event)", LOG_NOVA_TOOK, "lifecycle", F_DETAIL),
	NOTHING(MANAGER, "Synchronizing instance power state after lifecycle event \"%(event)s\"; "
		"current vm_state: %(vm_state)s, current task_state: %(task_state)s, current DB "
		"power_state: %(db_power_state)s, VM power_state: %(vm_power_state)s"),
	NOTHING(MANAGER, "During sync_power_state the instance has a pending task (%(task)s). Skip."),
	STEP(MANAGER, "Instance shutdown by itself. Calling the stop API. Current vm_state: "
	     "%(vm_state)s, current task_state: %(task_state)s, original DB power_state: "
	     "%(db_power_state)s, current VM power_state: %(vm_power_state)s", LOG_CAUSE,
	     "guest-stopped-by-itself", F_STATE, F_TASK_STATE),
	NOTHING(MANAGER, "Checking state"),
	NOTHING("nova.virt.driver", "Emitting event %s"),

	/* -- Compute: resize, cold migration -- */
	NOTHING(LIBVIRT, "Starting migrate_disk_and_power_off"),
	STEP(MANAGER, "Swapping old allocation on %(rp_uuids)s held by migration %(mig)s for instance",
	     LOG_MIGRATION, NULL, 0, F_MIGRATION),
	STEP(LIBVIRT, "Starting finish_migration", LOG_NOVA_BEGIN, "finish_migration", 0),
	STEP(LIBVIRT, "finish_migration finished successfully.", LOG_NOVA_END, "finish_migration", 0),
	STEP(LIBVIRT, "Starting finish_revert_migration", LOG_NOVA_BEGIN, "finish_revert_migration", 0),
	STEP(LIBVIRT, "finish_revert_migration finished successfully.", LOG_NOVA_END,
	     "finish_revert_migration", 0),
	STEP(MANAGER, "Setting instance back to %(state)s after: %(error)s", LOG_CAUSE, "rolled-back",
	     F_DETAIL, F_MESSAGE),
	STEP(MANAGER, "Setting instance vm_state to ERROR", LOG_CAUSE, NULL, 0),
	STEP(TRACKER, "Starting to track incoming migration %s with flavor %s", LOG_MIGRATION, NULL,
	     F_MIGRATION),
	STEP(TRACKER, "Starting to track outgoing migration %s with flavor %s", LOG_MIGRATION, NULL,
	     F_MIGRATION),
	/* Also periodically. */
	STALE(TRACKER, "Updating resource usage from migration %s", LOG_MIGRATION, NULL, F_MIGRATION),
	NOTHING(MANAGER, "Migrating"),
	NOTHING(MANAGER, "Stashing vm_state: %s"),

	/* -- Compute: live migration; its thread on the source has no request id -- */
	STALE(MANAGER, "Took %0.2f seconds for pre_live_migration on destination host %s.",
	      LOG_NOVA_TOOK, "pre_live_migration", F_SECONDS, F_DESTINATION),
	STALE(MANAGER, "Took %0.2f seconds for pre_live_migration on destination host %s.",
	      LOG_NOVA_BEGIN, "live_migration", 0, F_DESTINATION),
	{ LIBVIRT, "Starting monitoring of live migration", LOG_NOVA_BEGIN, "live_migration",
	  .flags = RID_WRONG | KEEPS },
	STALE(LIBVIRT, "Starting monitoring of live migration", LOG_NOVA_BEGIN, "migration_monitor", 0),
	STALE(LIBVIRT, "Migration running for %s secs, memory %s remaining %s", LOG_NOVA_NOTE,
	      "live_migration", 0, F_DETAIL),
	STALE(LIBVIRT, "Migration operation has completed", LOG_NOVA_END, "live_migration", 0),
	STALE(LIBVIRT, "Migration operation has aborted", LOG_NOVA_FAIL, "live_migration", 0),
	STALE(LIBVIRT, "Migration operation has aborted", LOG_CAUSE, "migration-failed", 0),
	{ LIBVIRT, "Migration operation was cancelled", LOG_NOVA_FAIL, "live_migration",
	  .flags = RID_WRONG | CANCELLED },
	STALE(LIBVIRT, "Migration operation was cancelled", LOG_CAUSE, "migration-aborted", 0),
	{ LIBVIRT, "Live Migration failure: %s", LOG_NOVA_FAIL, "live_migration",
	  .take = { F_MESSAGE }, .flags = RID_WRONG | IF_OPEN },
	{ LIBVIRT, "Live Migration failure: %s", LOG_NOVA_FAIL, "libvirt_migrate",
	  .take = { F_MESSAGE }, .flags = RID_WRONG | IF_OPEN },
	STALE(LIBVIRT, "Live Migration failure: %s", LOG_CAUSE, NULL, F_MESSAGE),
	STALE(MIGRATION, "Live migration not completed after %d sec", LOG_CAUSE, "migration-timeout",
	      F_SECONDS),
	STALE(MIGRATION, "Switching to post-copy migration mode", LOG_NOVA_TOOK, "switch_to_postcopy", 0),
	STALE(MIGRATION, "Failed to switch to post-copy live migration: %s", LOG_CAUSE,
	      "postcopy-failed", F_MESSAGE),
	STALE(LIBVIRT, "Error from libvirt during live migration: %s", LOG_CAUSE, NULL, F_MESSAGE),
	{ LIBVIRT, "Error monitoring migration: %(ex)s", LOG_NOVA_FAIL, "live_migration",
	  .take = { F_MESSAGE }, .flags = RID_WRONG | IF_OPEN },
	STALE(LIBVIRT, "Error monitoring migration: %(ex)s", LOG_CAUSE, "migration-failed", F_MESSAGE),
	STEP(LIBVIRT, "Failed to cancel migration %s", LOG_CAUSE, "abort-failed", F_MESSAGE),
	STALE(TRACKER, "Migration %s is active on this compute host and has allocations in placement: "
	      "%s.", LOG_MIGRATION, NULL, F_MIGRATION),
	STALE(MIGRATION, "Increasing downtime to %(downtime)d ms after "
	      "%(waittime)d sec elapsed time", LOG_NOVA_TOOK, "increase_downtime", F_DETAIL),
	NOTHING(MIGRATION, "Current %(dt)s elapsed %(elapsed)d steps %(steps)s"),
	NOTHING(MIGRATION, "Downtime does not need to change"),
	STALE(MANAGER, "_post_live_migration() is started..", LOG_NOVA_BEGIN, "post_live_migration", 0),
	STALE(MANAGER, "Migrating instance to %s finished successfully.", LOG_NOVA_END,
	      "post_live_migration", F_DESTINATION),
	STEP(MANAGER, "Pre live migration failed at %s", LOG_CAUSE, NULL, F_DESTINATION),
	STALE(MANAGER, "Live migration failed.", LOG_CAUSE, NULL, 0),
	NOTHING(MANAGER, "Post operation of migration started"),
	STALE(LIBVIRT, "About to invoke the migrate API", LOG_NOVA_BEGIN, "libvirt_migrate", 0),
	STALE(LIBVIRT, "Migrate API has completed", LOG_NOVA_END, "libvirt_migrate", 0),
	NOTHING(LIBVIRT, "Operation thread is still running"),
	NOTHING(LIBVIRT, "Migration not running yet"),
	NOTHING(LIBVIRT, "Migration operation thread notification"),
	NOTHING(LIBVIRT, "Migration operation thread has finished"),
	STALE(LIBVIRT, "Live migration monitoring is all done", LOG_NOVA_END, "migration_monitor", 0),
	STEP(MANAGER, "destination check data is %s", LOG_NOVA_TOOK, "check_destination", 0),
	STEP(MANAGER, "source check data is %s", LOG_NOVA_TOOK, "check_source", 0),
	NOTHING(MANAGER, "pre_live_migration data is %s"),
	NOTHING(MANAGER, "driver pre_live_migration data is %s"),
	NOTHING(MANAGER, "pre_live_migration result data is %s"),
	NOTHING(MANAGER, "live_migration data is %s"),

	/* -- Compute: volumes, interfaces -- */
	STEP(MANAGER, "Attaching volume %(volume_id)s to %(mountpoint)s", LOG_VM_VOLUME, NULL, F_VOLUME,
	     F_DEVICE),
	STEP("nova.virt.block_device", "Booting with volume %(volume_id)s at %(mountpoint)s",
	     LOG_VM_VOLUME, NULL, F_VOLUME, F_DEVICE),
	/* Of the volume that is made of it, the guest's XML tells. */
	NOTHING("nova.virt.block_device", "Booting with volume snapshot %(snapshot_id)s at "
		"%(mountpoint)s"),
	{ MANAGER, "Detaching volume %(volume_id)s", LOG_NOVA_TOOK, "detach_volume",
	  .take = { F_VOLUME }, .flags = RID_OK, .subject = F_VOLUME },
	{ "nova.virt.block_device", "Attempting to driver detach volume %(volume_id)s from mountpoint "
	  "%(mp)s", LOG_NOVA_TOOK, "driver_detach", .take = { F_VOLUME, F_DEVICE }, .flags = RID_OK,
	  .subject = F_VOLUME },
	STEP("nova.virt.block_device", "Guest refused to detach volume %(vol)s", LOG_CAUSE,
	     "detach-failed", F_VOLUME),
	STEP(MANAGER, "Failed to attach %(volume_id)s at %(mountpoint)s", LOG_CAUSE, "attach-failed",
	     F_VOLUME, F_DEVICE),
	STEP(MANAGER, "Failed to attach volume at mountpoint: %s", LOG_CAUSE, "attach-failed", F_DEVICE),
	STEP("nova.virt.block_device", "Driver failed to attach volume %(volume_id)s at "
	     "%(mountpoint)s", LOG_CAUSE, "attach-failed", F_VOLUME, F_DEVICE),
	STEP(LIBVIRT, "Waiting for libvirt event about the detach of device %s with device alias %s "
	     "from instance %s is timed out.", LOG_CAUSE, "detach-timeout", F_DEVICE, 0, F_INSTANCE),
	STEP(LIBVIRT, "Run out of retry while detaching device %s with device alias %s from instance "
	     "%s from the live domain config. Device is still attached to the guest.", LOG_CAUSE,
	     "detach-failed", F_DEVICE, 0, F_INSTANCE),
	STEP(GUEST, "attach device xml: %s", LOG_GUEST_XML, NULL, F_BODY),
	NOTHING(GUEST, "detach device xml: %s"),
	NOTHING(GUEST, "set metadata xml: %s"),
	{ "nova.virt.libvirt.volume.mount", "_HostMountState.mount(fstype=%(fstype)s, "
	  "export=%(export)s, vol_name=%(vol_name)s, %(mountpoint)s, options=%(options)s) generation "
	  "%(gen)s", LOG_NOVA_BEGIN, "mount", .take = { 0, F_CONNECTION, F_VOLUME, F_FILE },
	  .flags = RID_OK, .subject = F_FILE },
	{ "nova.virt.libvirt.volume.mount", "_HostMountState.mount(fstype=%(fstype)s, "
	  "export=%(export)s, vol_name=%(vol_name)s, %(mountpoint)s, options=%(options)s) generation "
	  "%(gen)s", LOG_VM_VOLUME, .take = { 0, 0, F_VOLUME }, .flags = RID_OK },
	{ "nova.virt.libvirt.volume.mount", "_HostMountState.mount() for %(mountpoint)s generation "
	  "%(gen)s completed successfully", LOG_NOVA_END, "mount", .take = { F_FILE },
	  .flags = RID_OK, .subject = F_FILE },
	/* The vif's text has its fields in alphabetical order. */
	STEP("os_vif", "Successfully plugged vif %s(active=%s,address=%s,%s,id=%s,network=%s,"
	     "vif_name='%s')", LOG_PORT, NULL, 0, 0, F_MAC, 0, F_PORT, 0, F_TAP),
	{ "os_vif", "Plugging vif %s(active=%s,address=%s,%s,id=%s,network=%s", LOG_NOVA_BEGIN,
	  "plug_vif", .take = { 0, 0, F_MAC, 0, F_PORT }, .flags = RID_OK, .subject = F_PORT },
	{ "os_vif", "Successfully plugged vif %s(active=%s,address=%s,%s,id=%s,network=%s,"
	  "vif_name='%s')", LOG_NOVA_END, "plug_vif", .take = { 0, 0, F_MAC, 0, F_PORT, 0, F_TAP },
	  .flags = RID_OK, .subject = F_PORT },
	{ "os_vif", "Successfully plugged vif %s(active=%s,address=%s,%s,id=%s,network=%s",
	  LOG_NOVA_END, "plug_vif", .take = { 0, 0, F_MAC, 0, F_PORT }, .flags = RID_OK,
	  .subject = F_PORT },
	STEP("os_vif", "Failed to plug vif %s", LOG_CAUSE, "vif-plug-failed", F_DETAIL),
	NOTHING("os_vif", "Unplugging vif %s"),
	NOTHING("os_vif", "Successfully unplugged vif %s"),

	/* -- Compute: snapshot, rescue, rebuild -- */
	STEP(LIBVIRT, "Beginning live snapshot process", LOG_NOVA_BEGIN, "snapshot", 0),
	STEP(LIBVIRT, "Beginning cold snapshot process", LOG_NOVA_BEGIN, "snapshot", 0),
	STEP(LIBVIRT, "Beginning direct snapshot process", LOG_NOVA_BEGIN, "snapshot", 0),
	STEP(LIBVIRT, "Snapshot extracted, beginning image upload", LOG_NOVA_BEGIN, "snapshot_upload",
	     0),
	STEP(LIBVIRT, "Snapshot image upload complete", LOG_NOVA_END, "snapshot_upload", 0),
	STEP(LIBVIRT, "Snapshot image upload complete", LOG_NOVA_END, "snapshot", 0),
	STEP(MANAGER, "Took %0.2f seconds to snapshot the instance on the hypervisor.", LOG_NOVA_TOOK,
	     "snapshot_instance", F_SECONDS),
	{ 0 }
};
