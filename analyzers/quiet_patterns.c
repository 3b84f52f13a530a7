/* SPDX-License-Identifier: MIT
 *
 * quiet_patterns.c -- lines of loggers that we read, which say nothing that we
 * want: known here, they are not counted as unknown (os_service.c). */
#include "analyzers/openstack.h"

#define AMQP "oslo_messaging._drivers.amqpdriver"
#define API "nova.compute.api"
#define MANAGER "nova.compute.manager"
#define TRACKER "nova.compute.resource_tracker"
#define LIBVIRT "nova.virt.libvirt.driver"
#define SCHEDULER "nova.scheduler.host_manager"
#define PLUGIN "neutron.plugins.ml2.plugin"
#define MECHANISM "neutron.plugins.ml2.drivers.mech_agent"
#define COMMON_AGENT "neutron.plugins.ml2.drivers.agent._common_agent"
#define DHCP "neutron.agent.dhcp.agent"
#define VOLUMES "cinder.volume.api"

#define NOTHING(LOGGER, TEXT) { LOGGER, TEXT, .event = LOG_NOTHING }

const struct pattern quiet_patterns[] = {
	NOTHING(AMQP, "Listener is running"),
	NOTHING(AMQP, "AMQPListener connection consume"),
	NOTHING(AMQP, "AMQPListener connection timeout"),
	NOTHING(AMQP, "Poll the incoming message with unique_id: %s"),
	NOTHING(AMQP, "Poll the incoming message msg_id: %s"),
	NOTHING(AMQP, "Expecting reply to msg %s in queue %s"),

	NOTHING(API, "Instance %(instance)s is migrating %(cells_msg)s, copying events to all relevant "
		"hosts: %(hosts)s"),
	NOTHING(API, "Doing local delete in cell %s"),
	NOTHING(API, "Old instance type %(current_flavor_name)s, new instance type %(new_flavor_name)s"),
	NOTHING("nova.api.openstack.compute.server_external_events",
		"Unable to find a host for instance %(instance)s. Dropping event %(event)s"),
	NOTHING("nova.scheduler.utils", "Re-scheduling is disabled due to forcing a host (%s) and/or "
		"node (%s)"),
	NOTHING(SCHEDULER, "Update host state with service dict: %s"),
	NOTHING(SCHEDULER, "Update host state with instances: %s"),
	NOTHING(SCHEDULER, "Update host state with aggregates: %s"),
	NOTHING(SCHEDULER, "Update host state from compute node: %s"),
	NOTHING(SCHEDULER, "Successfully synced instances from host '%s'."),
	NOTHING(SCHEDULER, "The instance sync for host '%s' did not match. Re-created its InstanceList."),
	NOTHING(SCHEDULER, "Received an update from an unknown host '%s'. Re-created its InstanceList."),
	NOTHING(SCHEDULER, "Host filter forcing available hosts to %s"),
	NOTHING(SCHEDULER, "Host filter only checking host %(host)s and node %(node)s"),

	NOTHING(TRACKER, "Total usable vcpus: %(tcpu)s, total allocated vcpus: %(ucpu)s"),
	NOTHING(TRACKER, "Hypervisor/Node resource view: name=%(node)s free_ram=%(free_ram)sMB "
		"free_disk=%(free_disk)sGB free_vcpus=%(free_vcpus)s pci_devices=%(pci_devices)s"),
	NOTHING(TRACKER, "Final resource view: name=%(node)s phys_ram=%(phys_ram)sMB "
		"used_ram=%(used_ram)sMB %(rest)s"),
	NOTHING(TRACKER, "Compute_service record updated for %(host)s:%(node)s"),
	NOTHING(TRACKER, "Auditing locally available compute resources for %(host)s (node: %(node)s)"),
	NOTHING(TRACKER, "Instance %s actively managed on this compute host and has allocations in "
		"placement: %s."),
	NOTHING(TRACKER, "Instance %(uuid)s has allocations against this compute host but is not found "
		"in the database."),
	NOTHING(TRACKER, "Migration for instance %(uuid)s refers to another host's instance!"),
	NOTHING(TRACKER, "Skipping migration as instance is neither resizing nor live-migrating."),
	NOTHING(TRACKER, "Instance %s has been moved to another host %s(%s). There are allocations "
		"remaining against the source host that might need to be removed: %s."),
	NOTHING(TRACKER, "Applying migration context for instance %s as it has an incoming, in-progress "
		"migration %s. Migration status is %s"),
	NOTHING("nova.compute.claims", "Aborting claim: %s"),

	NOTHING(MANAGER, "Starting heal instance info cache"),
	NOTHING(MANAGER, "Rebuilding the list of instances to heal"),
	NOTHING(MANAGER, "CONF.reclaim_instance_interval <= 0, skipping..."),
	NOTHING(MANAGER, "Start building networks asynchronously for instance."),
	NOTHING(MANAGER, "Didn't find any instances for network info cache update."),
	NOTHING(MANAGER, "Allocating IP information in the background."),
	NOTHING(MANAGER, "Updated the network info_cache for instance"),
	NOTHING(MANAGER, "Skipping network cache update for instance because it is Building."),
	NOTHING(MANAGER, "Neutron deleted interface %(intf)s; detaching it from the instance and deleting "
		"it from the info cache"),
	NOTHING(MANAGER, "Detach interface failed, port_id=%(port_id)s, reason: %(msg)s"),
	NOTHING(MANAGER, "Cleaning up deleted instances"),
	NOTHING(MANAGER, "Cleaning up deleted instances with incomplete migration "),
	NOTHING(MANAGER, "There are %d instances to clean"),
	NOTHING(MANAGER, "Instance has had %(attempts)s of %(max)s cleanup attempts"),
	NOTHING(MANAGER, "Events pending at deletion: %(events)s"),
	NOTHING(MANAGER, "Unplugging VIFs for instance"),
	NOTHING(MANAGER, "Unplugged VIFs for instance"),
	NOTHING(MANAGER, "Calling driver.cleanup from _post_live_migration"),
	NOTHING(MANAGER, "Calling driver.post_live_migration_at_source with original source VIFs from "
		"migrate_data: %s"),
	NOTHING(MANAGER, "Stopping instance; current vm_state: %(vm_state)s, current task_state: "
		"%(task_state)s, current DB power_state: %(db_power_state)s, current VM power_state: "
		"%(current_power_state)s"),
	NOTHING(MANAGER, "During the sync_power process the instance has moved from host %(src)s to host "
		"%(dst)s"),
	NOTHING(MANAGER, "Retry info not present, will not reschedule"),
	NOTHING(MANAGER, "Triggering sync for uuid %s"),
	NOTHING(MANAGER, "Updating instance to original state: '%s'"),
	NOTHING(MANAGER, "Removing trait %s from compute node resource provider %s in placement."),
	NOTHING(MANAGER, "Going to confirm migration %s"),
	NOTHING(MANAGER, "Pausing"),
	NOTHING(MANAGER, "Unpausing"),
	NOTHING(MANAGER, "Resuming"),

	NOTHING(LIBVIRT, "Plugging VIFs using destination host port bindings before live migration."),
	NOTHING(LIBVIRT, "Checking to make sure images and backing files are present before live "
		"migration."),
	NOTHING(LIBVIRT, "migrate_data in pre_live_migration: %s"),
	NOTHING(LIBVIRT, "Creating tmpfile %s to notify to other compute nodes that they should mount the "
		"same storage."),
	NOTHING(LIBVIRT, "Creating tmpfile %s to verify with other compute node that the instance is on "
		"the same shared storage."),
	NOTHING(LIBVIRT, "Check if temp file %s exists to indicate shared storage is being used for "
		"migration. Exists? %s"),
	NOTHING(LIBVIRT, "Creating instance directory: %s"),
	NOTHING(LIBVIRT, "Instance directory exists: not creating"),
	NOTHING(LIBVIRT, "Creating disk.info with the contents: %s"),
	NOTHING(LIBVIRT, "During wait destroy, instance disappeared."),
	NOTHING(LIBVIRT, "Instance running successfully."),
	NOTHING(LIBVIRT, "skipping disk %(path)s (%(target)s) as it is a volume"),
	NOTHING(LIBVIRT, "Successfully detached device %s from instance %s from the persistent domain "
		"config."),
	NOTHING(LIBVIRT, "Attempting to detach device %s from instance %s from the persistent domain "
		"config."),
	NOTHING(LIBVIRT, "(%s/%s): Attempting to detach device %s with device alias %s from instance %s "
		"from the live domain config."),
	NOTHING(LIBVIRT, "Start waiting for the detach event from libvirt for device %s with device alias "
		"%s for instance %s"),
	NOTHING(LIBVIRT, "Failed to detach device %s with device alias %s from instance %s from the live "
		"domain config. Libvirt did not report any error but the device is still in the config."),
	NOTHING(LIBVIRT, "Device %s not found in instance."),
	NOTHING(LIBVIRT, "Updating compute service status to %s"),
	NOTHING(LIBVIRT, "Fixed incorrect job type to be %d"),
	NOTHING(LIBVIRT, "Connection event '%(enabled)d' reason '%(reason)s'"),
	NOTHING("nova.virt.libvirt.migration", "Updating guest XML with vif config: %s"),
	NOTHING("nova.virt.libvirt.migration", "VM running on src, migration failed"),
	NOTHING("nova.virt.libvirt.guest", "Failed to set time: agent not configured"),
	NOTHING("nova.virt.libvirt.guest", "Domain has shutdown/gone away: %s"),
	NOTHING("nova.virt.libvirt.volume.mount", "Got _HostMountState generation %(gen)i"),
	NOTHING("nova.virt.libvirt.volume.mount", "Initialising _HostMountState generation %(gen)i"),
	NOTHING("nova.virt.libvirt.volume.mount", "Mounting %(mountpoint)s generation %(gen)s"),
	NOTHING("nova.virt.libvirt.volume.mount", "_HostMountState.umount(vol_name=%(vol_name)s, "
		"mountpoint=%(mountpoint)s) generation %(gen)s"),
	NOTHING("nova.virt.libvirt.volume.mount", "_HostMountState.umount() for %(mountpoint)s generation "
		"%(gen)s completed successfully"),
	NOTHING("nova.virt.block_device", "Updating existing volume attachment record: %s"),

	NOTHING("neutron.api.v2.base", "Unknown quota resources %s."),
	NOTHING("neutron.db.agents_db", "Agent healthcheck: found %s active agents"),
	NOTHING(MECHANISM, "Checking agent: %s"),
	NOTHING(MECHANISM, "Attempting to bind port %(port)s on network %(network)s"),
	NOTHING(MECHANISM, "Checking segment: %(segment)s for mappings: %(mappings)s with network types: "
		"%(network_types)s"),
	NOTHING(MECHANISM, "Bound using segment: %s"),
	NOTHING("neutron.plugins.ml2.managers", "Attempt %(count)s to bind port %(port)s"),
	NOTHING(PLUGIN, "Attempt %(count)s to bind port %(port)s"),
	NOTHING(PLUGIN, "Port %s had new provisioning blocks added so it will not transition to active."),
	NOTHING(PLUGIN, "No Port match for: %s"),
	NOTHING(PLUGIN, "The host %s is not matching for port %s host %s!"),
	NOTHING(PLUGIN, "In _notify_port_updated(), no bound segment for port %(port_id)s on network "
		"%(network_id)s"),
	NOTHING("neutron.notifiers.nova", "Sending events: %s"),
	NOTHING("neutron.notifiers.nova", "device_id is not set on port %s yet."),
	NOTHING("neutron.notifiers.nova", "%s: %s returned with failed status"),
	NOTHING("neutronclient.", "Error message: %s"),
	NOTHING(COMMON_AGENT, "Loop iteration exceeded interval (%(polling_interval)s vs. %(elapsed)s)!"),
	NOTHING(COMMON_AGENT, "Device %s not defined on plugin"),
	NOTHING(COMMON_AGENT, "RPC agent_id: %s"),
	NOTHING(COMMON_AGENT, "%s Agent RPC Daemon Started!"),
	NOTHING(COMMON_AGENT, "Stopping %s agent."),
	NOTHING(DHCP, "Resync event has been scheduled"),
	NOTHING(DHCP, "All active networks have been fetched through RPC."),
	NOTHING(DHCP, "resync (%(network)s): %(reason)s"),
	NOTHING(DHCP, "Network %s has been deleted."),

	NOTHING(VOLUMES, "Create volume request issued successfully."),
	NOTHING(VOLUMES, "Delete volume request issued successfully."),
	NOTHING(VOLUMES, "Extend volume request issued successfully."),
	NOTHING(VOLUMES, "Begin detaching volume completed successfully."),
	NOTHING(VOLUMES, "Roll detaching of volume completed successfully."),
	NOTHING(VOLUMES, "Availability Zones retrieved successfully."),
	NOTHING(VOLUMES, "Get all snapshots completed successfully."),
	NOTHING(VOLUMES, "Volume updated successfully."),
	NOTHING("cinder.scheduler.base_filter", "Starting with %d host(s)"),
	NOTHING("cinder.volume.manager", "Deleting attachment %(attachment_id)s."),
	NOTHING("cinder.volume.flows.manager.create_volume", "Volume reschedule parameters: %(allow)s "
		"retry: %(retry)s"),
	NOTHING("cinder.volume.flows.manager.create_volume", "Copying metadata from %(src_type)s "
		"%(src_id)s to %(vol_id)s."),
	NOTHING("cinder.volume.flows.manager.create_volume", "Creating volume glance metadata for volume "
		"%(volume_id)s backed by image %(image_id)s with: %(vol_metadata)s."),
	{ 0 }
};
