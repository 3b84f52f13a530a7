/* SPDX-License-Identifier: MIT
 *
 * neutron_patterns.c -- what Neutron's server and agents log, and what it means.
 *
 * Wording of Train (2019) to 2026.1. */
#include "analyzers/openstack.h"

#define BASE "neutron.api.v2.base"
#define MANAGERS "neutron.plugins.ml2.managers"
#define PLUGIN "neutron.plugins.ml2.plugin"
#define RPC "neutron.plugins.ml2.rpc"
#define BLOCKS "neutron.db.provisioning_blocks"
#define COMMON_AGENT "neutron.plugins.ml2.drivers.agent._common_agent"
#define OVS_AGENT "neutron.plugins.ml2.drivers.openvswitch.agent.ovs_neutron_agent"
#define DHCP "neutron.agent.dhcp.agent"
#define L3 "neutron.agent.l3.agent"

#define STEP(LOGGER, TEXT, EVENT, NAME, SUBJECT, ...) \
	{ LOGGER, TEXT, EVENT, NAME, .flags = RID_OK, .take = { __VA_ARGS__ }, .subject = SUBJECT }
#define NOTHING(LOGGER, TEXT) { LOGGER, TEXT, .event = LOG_NOTHING }

/* A request that is refused ends what its notification began. */
#define REFUSED_ONE(LOGGER, NAME) \
	{ LOGGER, "%(action)s failed (client error): %(exc)s", LOG_NEUTRON_FAIL, NAME, \
	  .take = { 0, F_MESSAGE }, .flags = RID_OK | BY_REQUEST | IF_OPEN }
#define REFUSED(LOGGER) \
	REFUSED_ONE(LOGGER, "port.create"), REFUSED_ONE(LOGGER, "port.update"), \
	REFUSED_ONE(LOGGER, "port.delete"), REFUSED_ONE(LOGGER, "network.create"), \
	REFUSED_ONE(LOGGER, "network.update"), REFUSED_ONE(LOGGER, "network.delete"), \
	REFUSED_ONE(LOGGER, "subnet.create"), REFUSED_ONE(LOGGER, "subnet.update"), \
	REFUSED_ONE(LOGGER, "subnet.delete"), REFUSED_ONE(LOGGER, "router.create"), \
	REFUSED_ONE(LOGGER, "router.update"), REFUSED_ONE(LOGGER, "router.delete"), \
	REFUSED_ONE(LOGGER, "floatingip.create"), REFUSED_ONE(LOGGER, "floatingip.update"), \
	REFUSED_ONE(LOGGER, "floatingip.delete"), REFUSED_ONE(LOGGER, "security_group.create"), \
	REFUSED_ONE(LOGGER, "security_group.delete"), REFUSED_ONE(LOGGER, "binding.create"), \
	REFUSED_ONE(LOGGER, "binding.update"), REFUSED_ONE(LOGGER, "binding.delete")

const struct pattern neutron_patterns[] = {
	/* -- API -- */
	{ BASE, "Request body: %(body)s", LOG_API_BEGIN, .take = { F_BODY }, .flags = RID_OK },
	STEP("neutron.api.v2.resource", "%(action)s failed (client error): %(exc)s", LOG_API_ANSWER,
	     NULL, F_NONE, 0, F_MESSAGE),
	REFUSED("neutron.api.v2.resource"),
	REFUSED("neutron.pecan_wsgi.hooks.translation"),
	STEP("neutron.api.v2.resource", "%(action)s failed: No details.", LOG_CAUSE, NULL, F_NONE,
	     F_DETAIL),
	STEP("neutron.pecan_wsgi.hooks.translation", "%(action)s failed (client error): %(exc)s",
	     LOG_API_ANSWER, NULL, F_NONE, 0, F_MESSAGE),
	STEP("neutron.pecan_wsgi.hooks.translation", "%(action)s failed.", LOG_CAUSE, NULL, F_NONE,
	     F_DETAIL),
	NOTHING("neutron.wsgi", "%(url)s returned with HTTP %(status)d"),

	/* -- Server: binding -- */
	STEP(MANAGERS, "Attempting to bind port %(port)s on host %(host)s for vnic_type %(vnic_type)s "
	     "with profile %(profile)s", LOG_NEUTRON_BEGIN, "port.bind", F_PORT, F_PORT, F_HOST, 0, 0),
	STEP(MANAGERS, "Bound port: %(port)s, host: %(host)s, vif_type: %(vif_type)s, vif_details: "
	     "%(vif_details)s, binding_levels: %(binding_levels)s", LOG_NEUTRON_END, "port.bind",
	     F_PORT, F_PORT, F_HOST, F_VIF_TYPE),
	STEP(MANAGERS, "Bound port: %(port)s, host: %(host)s, vif_type: %(vif_type)s, vif_details: "
	     "%(vif_details)s, binding_levels: %(binding_levels)s", LOG_PORT, NULL, F_PORT, F_PORT,
	     F_HOST, F_VIF_TYPE),
	STEP(MANAGERS, "Failed to bind port %(port)s on host %(host)s for vnic_type %(vnic_type)s using "
	     "segments %(segments)s", LOG_NEUTRON_FAIL, "port.bind", F_PORT, F_PORT, F_HOST),
	STEP(MANAGERS, "Failed to bind port %(port)s on host %(host)s for vnic_type %(vnic_type)s using "
	     "segments %(segments)s", LOG_CAUSE, "port-binding-failed", F_PORT, F_PORT, F_HOST),
	NOTHING(MANAGERS, "Attempting to bind port %(port)s by drivers %(drivers)s on host %(host)s at "
		"level %(level)s using segments %(segments)s"),
	/* Of all that is said of the agent, what it is and where. */
	STEP("neutron.plugins.ml2.drivers.mech_agent", "Refusing to bind port %(pid)s to dead agent: "
	     "{%s'agent_type': '%s', %s'host': '%s', %s", LOG_CAUSE, "agent-down", F_PORT, F_PORT, 0,
	     F_MESSAGE, 0, F_DETAIL),
	STEP("neutron.plugins.ml2.drivers.mech_agent", "Refusing to bind port %(pid)s to dead agent: "
	     "{%s", LOG_CAUSE, "agent-down", F_PORT, F_PORT, F_DETAIL),
	STEP("neutron.plugins.ml2.drivers.mech_agent", "Port %(pid)s on network %(network)s not bound, "
	     "no agent of type %(at)s registered on host %(host)s", LOG_CAUSE, "agent-missing", F_PORT,
	     F_PORT, F_NETWORK, F_DETAIL, F_HOST),

	/* -- Server: status -- */
	STEP(PLUGIN, "Current status of the port %s is: %s; New status is: %s", LOG_NEUTRON_TOOK,
	     "port.status", F_PORT, F_PORT, F_DETAIL, F_STATUS),
	STEP(PLUGIN, "Current status of the port %s is: %s; New status is: %s", LOG_PORT, NULL, F_PORT,
	     F_PORT, 0, F_STATUS),
	NOTHING(PLUGIN, "Attempt %(count)s to provision port %(port)s"),
	NOTHING(PLUGIN, "Port %s cannot update to ACTIVE because it is not bound."),
	{ PLUGIN, "Deleting port %s", LOG_NEUTRON_FAIL, "port.provisioning", .take = { F_PORT },
	  .flags = RID_OK | IF_OPEN | CANCELLED, .subject = F_PORT },
	NOTHING(PLUGIN, "Calling delete_port for %(port_id)s owned by %(owner)s"),
	{ BLOCKS, "Transition to ACTIVE for %(otype)s object %(oid)s will not be triggered until "
	  "provisioned by entity %(entity)s.", LOG_NEUTRON_BEGIN, "port.provisioning",
	  .take = { 0, F_PORT, F_DETAIL }, .flags = RID_OK | KEEPS, .subject = F_PORT },
	STEP(BLOCKS, "Provisioning complete for %(otype)s %(oid)s triggered by entity %(entity)s.",
	     LOG_NEUTRON_END, "port.provisioning", F_PORT, 0, F_PORT, F_DETAIL),
	STEP(BLOCKS, "Provisioning for %(otype)s %(oid)s completed by entity %(entity)s.",
	     LOG_NEUTRON_TOOK, "port.provisioned", F_PORT, 0, F_PORT, F_DETAIL),
	NOTHING(BLOCKS, "Ignored duplicate provisioning block setup for %(otype)s %(oid)s by entity "
		"%(entity)s."),

	/* -- Server: what agents ask -- */
	{ RPC, "Device %(device)s details requested by agent %(agent_id)s with host %(host)s",
	  LOG_NEUTRON_BEGIN, "device.wiring", .take = { F_TAP, F_DETAIL, F_HOST },
	  .flags = RID_OK | KEEPS, .subject = F_TAP },
	STEP(RPC, "Device %(device)s up at agent %(agent_id)s", LOG_NEUTRON_END, "device.wiring", F_TAP,
	     F_TAP, F_DETAIL),
	STEP(RPC, "Device %(device)s no longer exists at agent %(agent_id)s", LOG_NEUTRON_TOOK,
	     "device.gone", F_TAP, F_TAP, F_DETAIL),
	{ RPC, "Device %(device)s no longer exists at agent %(agent_id)s", LOG_NEUTRON_FAIL,
	  "device.wiring", .take = { F_TAP }, .flags = RID_OK | IF_OPEN | CANCELLED,
	  .subject = F_TAP },
	NOTHING(RPC, "Returning: %s"),
	NOTHING(RPC, "Device %(device)s not bound to the agent host %(host)s"),
	NOTHING(RPC, "Device %(device)s has no active binding in host %(host)s"),

	/* -- Server: telling Nova -- */
	STEP("neutron.notifiers.nova", "Sending events: [{'name': '%s', 'server_uuid': '%s', 'tag': "
	     "'%s'%s", LOG_NEUTRON_TOOK, "nova_event", F_PORT, F_DETAIL, F_INSTANCE, F_PORT),
	STEP("neutron.notifiers.nova", "Sending events: [{'server_uuid': '%s', 'name': '%s', %s'tag': "
	     "'%s'%s", LOG_NEUTRON_TOOK, "nova_event", F_PORT, F_INSTANCE, F_DETAIL, 0, F_PORT),
	NOTHING("neutron.notifiers.nova", "%s response: %s"),
	NOTHING("neutron.notifiers.nova", "Ignoring state change previous_port_status: %(pre_status)s "
		"current_port_status: %(cur_status)s port_id %(id)s"),
	STEP("neutron.notifiers.nova", "Failed to notify nova on events: %s", LOG_CAUSE,
	     "nova-notify-failed", F_NONE, F_DETAIL),

	/* -- L2 agents -- */
	STEP(COMMON_AGENT, "Port %s added", LOG_NEUTRON_BEGIN, "device.plug", F_TAP, F_TAP),
	STEP(COMMON_AGENT, "Port %s updated. Details: {%s'network_id': '%s', 'port_id': '%s', "
	     "'mac_address': '%s'%s", LOG_NEUTRON_END, "device.plug", F_TAP, F_TAP, 0, F_NETWORK,
	     F_PORT, F_MAC),
	STEP(COMMON_AGENT, "Port %s updated. Details: {%s'network_id': '%s', 'port_id': '%s', "
	     "'mac_address': '%s'%s", LOG_PORT, NULL, F_PORT, F_TAP, 0, F_NETWORK, F_PORT, F_MAC),
	{ COMMON_AGENT, "Attachment %s removed", LOG_NEUTRON_FAIL, "device.plug", .take = { F_TAP },
	  .flags = RID_OK | IF_OPEN | CANCELLED, .subject = F_TAP },
	STEP(COMMON_AGENT, "Attachment %s removed", LOG_NEUTRON_TOOK, "device.unplug", F_TAP, F_TAP),
	NOTHING(COMMON_AGENT, "Port %(device)s updated. Details: %(details)s "),
	{ COMMON_AGENT, "%s Agent out of sync with plugin!", LOG_CAUSE, "agent-out-of-sync",
	  .flags = RID_WRONG },
	{ COMMON_AGENT, "%s Agent has just been revived. Doing a full sync.", LOG_CAUSE,
	  "agent-revived", .flags = RID_WRONG },
	NOTHING(COMMON_AGENT, "Agent loop found changes! %s"),
	NOTHING(COMMON_AGENT, "Port %s updated."),
	NOTHING(COMMON_AGENT, "Device %s has no active binding in host"),
	STEP(OVS_AGENT, "Port %s updated. Details: {%s'network_id': '%s', 'port_id': '%s', "
	     "'mac_address': '%s'%s", LOG_NEUTRON_TOOK, "device.plug", F_TAP, F_TAP, 0, F_NETWORK,
	     F_PORT, F_MAC),
	STEP(OVS_AGENT, "process_network_ports - iteration:%(iter_num)d - "
	     "treat_devices_added_or_updated completed. Skipped %(num_skipped)d and no activated "
	     "binding devices %(num_no_active_binding)d of total %(num_current)d current devices, "
	     "%(num_added_or_updated)d added or updated. Time elapsed: %(elapsed).3f",
	     LOG_NEUTRON_TOOK, "ovs.devices", F_NONE, F_DETAIL, 0, 0, 0, 0, F_SECONDS),
	STEP(OVS_AGENT, "Setting status for %s to UP", LOG_NEUTRON_TOOK, "device.up", F_TAP, F_TAP),
	STEP(OVS_AGENT, "Setting status for %s to DOWN", LOG_NEUTRON_TOOK, "device.down", F_TAP, F_TAP),

	/* -- DHCP agent -- */
	STEP(DHCP, "Trigger reload_allocations for port %s id=%s, mac_address=%s, name=%s on network %s",
	     LOG_NEUTRON_TOOK, "dhcp.reload", F_PORT, 0, F_PORT, F_MAC, 0, F_NETWORK),
	STEP(DHCP, "DHCP configuration for ports {'%s'} is completed", LOG_NEUTRON_TOOK,
	     "dhcp.configured", F_PORT, F_PORT),
	STEP(DHCP, "Starting network %s dhcp configuration", LOG_NEUTRON_BEGIN, "dhcp.network",
	     F_NETWORK, F_NETWORK),
	STEP(DHCP, "Finished network %s dhcp configuration", LOG_NEUTRON_END, "dhcp.network", F_NETWORK,
	     F_NETWORK),
	STEP(DHCP, "Calling driver for network: %(net)s action: %(action)s", LOG_NEUTRON_TOOK,
	     "dhcp.driver", F_NETWORK, F_NETWORK, F_DETAIL),
	STEP(DHCP, "Calling driver for network: %(net)s/seg=%(seg)s action: %(action)s", LOG_NEUTRON_TOOK,
	     "dhcp.driver", F_NETWORK, F_NETWORK, 0, F_DETAIL),
	STEP(DHCP, "Unable to %(action)s dhcp for %(net_id)s.", LOG_CAUSE, "dhcp-failed", F_NETWORK,
	     F_DETAIL, F_NETWORK),
	{ DHCP, "Synchronizing state", LOG_NEUTRON_BEGIN, "dhcp.sync", .flags = RID_WRONG,
	  .subject = F_DETAIL, .sets = F_DETAIL, .to = "all" },
	{ DHCP, "Synchronizing state complete", LOG_NEUTRON_END, "dhcp.sync", .flags = RID_WRONG,
	  .subject = F_DETAIL, .sets = F_DETAIL, .to = "all" },
	NOTHING(DHCP, "%(caller)s method %(method_name)s called with arguments %(args)s %(kwargs)s"),

	/* -- L3 agent -- */
	{ L3, "Starting processing update %s, action %s, priority %s, update_id %s. Wait time elapsed: "
	  "%.3f", LOG_NEUTRON_BEGIN, "router.process", .flags = RID_OK | KEEPS,
	  .take = { F_ROUTER, 0, 0, F_UPDATE_ID, F_SECONDS }, .subject = F_ROUTER },
	{ L3, "Starting router update for %s, action %s, priority %s, update_id %s. Wait time elapsed: "
	  "%.3f", LOG_NEUTRON_BEGIN, "router.process", .flags = RID_OK | KEEPS,
	  .take = { F_ROUTER, 0, 0, F_UPDATE_ID }, .subject = F_ROUTER },
	{ L3, "Starting router update for %s, action %s, priority %s", LOG_NEUTRON_BEGIN,
	  "router.process", .flags = RID_OK | KEEPS, .take = { F_ROUTER }, .subject = F_ROUTER },
	{ L3, "Starting router update for %s", LOG_NEUTRON_BEGIN, "router.process",
	  .flags = RID_OK | KEEPS, .take = { F_ROUTER }, .subject = F_ROUTER },
	STEP(L3, "Finished a router update for %s, update_id %s. Time elapsed: %.3f", LOG_NEUTRON_TOOK,
	     "router.process", F_ROUTER, F_ROUTER, 0, F_SECONDS),
	STEP(L3, "Finished a router delete for %s, update_id %s. Time elapsed: %.3f", LOG_NEUTRON_TOOK,
	     "router.process", F_ROUTER, F_ROUTER, 0, F_SECONDS),
	STEP(L3, "Finished a router update for %s", LOG_NEUTRON_END, "router.process", F_ROUTER,
	     F_ROUTER),
	STEP(L3, "Failed to process compatible router: %s", LOG_CAUSE, "router-failed", F_ROUTER,
	     F_ROUTER),
	STEP(L3, "Error while processing router %s", LOG_CAUSE, "router-failed", F_ROUTER, F_ROUTER),
	STEP(L3, "Hit retry limit with router update for %s, action %s", LOG_CAUSE, "router-failed",
	     F_ROUTER, F_ROUTER, F_DETAIL),
	STEP(L3, "Error while deleting router %s", LOG_CAUSE, "router-failed", F_ROUTER, F_ROUTER),
	NOTHING(L3, "Got routers updated notification :%s"),
	NOTHING(L3, "Got router deleted notification for %s"),
	NOTHING(L3, "Router %s info in cache, will do the router update action."),
	NOTHING(L3, "Router %s info not in cache, will do the router add action."),
	NOTHING(L3, "Router info %s delete action done, and it was removed from cache."),
	STEP("neutron.db.agents_db", "Agent healthcheck: found %(count)s dead agents out of %(total)s:"
	     "\n%(data)s", LOG_CAUSE, "agent-down", F_NONE, F_COUNT, 0, F_DETAIL),
	{ 0 }
};
