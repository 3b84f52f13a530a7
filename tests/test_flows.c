/* SPDX-License-Identifier: MIT
 *
 * test_flows.c -- facts of the application layer become requests, VMs, ports,
 * volumes and services (daemon/flow.h, thing.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "tests/store_fixture.h"

#define VM "11111111-1111-1111-1111-111111111111"
#define OTHER "22222222-2222-2222-2222-222222222222"
#define PORT "33333333-3333-3333-3333-333333333333"
#define VOLUME "44444444-4444-4444-4444-444444444444"

static struct store *store;
static struct hub *hub;

/* -- Facts ---------------------------------------------------------------- */

/* In its own transaction.  'attributes' is JSON with ' for ". */
static void
tell_as(enum fact_type type, const char *host, const char *kind, const char *key, uint64_t start,
	uint64_t end, const char *status, const char *attributes)
{
	struct fact fact = { .type = type, .host = host, .kind = kind, .start_ns = start,
			     .end_ns = end, .status = status };
	char *text = strdup(attributes);

	snprintf(fact.key, sizeof fact.key, "%s", key);
	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	fact.attributes = json_loads(text, 0, NULL);
	assert_non_null(fact.attributes);
	free(text);
	give_all(store, hub, &fact, 1);
	json_decref(fact.attributes);
}

static void
span(const char *host, const char *kind, const char *key, uint64_t start, uint64_t end,
     const char *attributes)
{
	tell_as(FACT_SPAN, host, kind, key, T0 + start, end ? T0 + end : 0, end ? "ok" : "running",
		attributes);
}

static void
api(const char *request, uint64_t start, uint64_t end, const char *more)
{
	char *text = xasprintf("{'service': 'nova-api', 'method': 'POST', 'http_status': 202,"
			       " 'request_id': '%s', 'path': '/v2.1/servers/%s/action'%s}", request,
			       VM, more);

	span("ctl", "api.request", request, start, end, text);
	free(text);
}

static void
link_requests(const char *host, const char *callee, const char *caller)
{
	char *text = xasprintf("{'service': 'nova-compute', 'request_id': '%s'}", caller);

	tell_as(FACT_LINK, host, "request.child", callee, T0 + S(2), 0, NULL, text);
	free(text);
}

static void
step(const char *host, const char *name, const char *request, bool sure, const char *instance,
     uint64_t start, uint64_t end)
{
	char *key = xasprintf("%s/%s", name, instance ? instance : request);
	char *text = xasprintf("{'name': '%s', 'service': 'nova-compute', 'request_id': '%s',"
			       " 'rid_ok': %s, 'instance': '%s'}", name, request,
			       sure ? "true" : "false", instance ? instance : "");

	span(host, "nova.step", key, start, end, text);
	free(key);
	free(text);
}

/* -- Looking -------------------------------------------------------------- */

static json_t *
flow_at(const char *id)
{
	return store_request(store, id);
}

static size_t
flows(void)
{
	json_t *list = store_flow_list(store, NULL, NULL);
	size_t n = json_array_size(list);

	json_decref(list);
	return n;
}

static bool
has_span(const char *id, const char *name)
{
	json_t *flow = store_flow_show(store, id, NULL), *one;
	bool found = false;
	size_t i;

	json_array_foreach(json_object_get(flow, "spans"), i, one)
		found |= streq(member(one, "name"), name);
	json_decref(flow);
	return found;
}

static void
assert_status(const char *id, const char *status)
{
	json_t *flow = flow_at(id);

	assert_non_null(flow);
	assert_string_equal(member(flow, "status"), status);
	json_decref(flow);
}

static int
begin(void **state)
{
	store = open_store(temporary("flows.db"), STORE_WRITE);
	hub = hub_new(store, NULL);
	return 0;
}

static int
end(void **state)
{
	hub_free(hub);
	store_close(store);
	temporary_done();
	return 0;
}

/* -- Who asked ------------------------------------------------------------ */

static void
test_one_request(void **state)
{
	json_t *flow;

	api("req-a", 0, S(1), ", 'operation': 'server.start', 'began_ns': 1699999999900000000");
	step("c1", "instance.power_on", "req-a", true, VM, S(2), S(3));
	flow = flow_at("req-a");
	assert_string_equal(member(flow, "kind"), "server.start");
	assert_string_equal(member(flow, "status"), "ok");
	assert_int_equal(number(flow, "start_ns"), T0 - MS(100));
	assert_int_equal(number(flow, "end_ns"), T0 + S(3));
	assert_string_equal(member(json_object_get(flow, "vm"), "uuid"), VM);
	json_decref(flow);
}

/* What OSprofiler knows it by, whenever that gets known. */
static void
test_osprofiler(void **state)
{
	json_t *flow;

	api("req-a", 0, S(1), ", 'operation': 'server.start'");
	flow = flow_at("req-a");
	assert_null(json_object_get(flow, "trace_id"));
	json_decref(flow);
	tell_as(FACT_LINK, "ctl", "request.trace", "req-a", T0 + MS(500), 0, NULL,
		"{'service': 'nova-api', 'request_id': 'req-a', 'trace_id':"
		" '7a1c9d52-3b5e-4f6a-8a7b-0c1d2e3f4a5b'}");
	flow = flow_at("req-a");
	assert_string_equal(member(flow, "trace_id"), "7a1c9d52-3b5e-4f6a-8a7b-0c1d2e3f4a5b");
	assert_int_equal(number(flow, "end_ns"), T0 + S(1));
	json_decref(flow);
	assert_int_equal(flows(), 1);
}

/* Plain queries are in the view of services. */
static void
test_queries(void **state)
{
	const char *get = "{'service': 'nova-api', 'method': 'GET', 'http_status': 200,"
			  " 'path': '/v2.1/servers'}";

	span("ctl", "api.request", "req-fast", 0, MS(20), get);
	assert_null(flow_at("req-fast"));
	span("ctl", "api.request", "req-slow", 0, MS(1200), get);
	assert_status("req-slow", "ok");
	span("ctl", "api.request", "req-bad", 0, MS(20), "{'service': 'nova-api', 'method': 'GET',"
	     " 'http_status': 500, 'path': '/v2.1/servers'}");
	assert_status("req-bad", "error");
}

/* What was made on behalf of another is a span of that, whenever that gets known. */
static void
test_children(void **state)
{
	const char *port = "{'service': 'neutron-server', 'method': 'POST', 'http_status': 201,"
			   " 'path': '/v2.0/ports', 'operation': 'port.create'}";
	json_t *changes, *change;
	size_t i;

	span("ctl", "api.request", "req-port", S(2), S(3), port);
	assert_int_equal(flows(), 1);
	api("req-a", 0, S(1), ", 'operation': 'server.create'");
	assert_int_equal(flows(), 2);
	link_requests("c1", "req-port", "req-a");
	assert_int_equal(flows(), 1);
	assert_true(has_span("req-a", "POST /v2.0/ports"));
	/* Watchers are told that it is none. */
	changes = store_changes(store, "flow", "0", 0, NULL);
	json_array_foreach(json_object_get(changes, "items"), i, change)
		assert_string_equal(member(change, "op"), streq(member(change, "id"), "req-port") ?
				    "delete" : "insert");
	assert_int_equal(json_array_size(json_object_get(changes, "items")), 2);
	json_decref(changes);
	/* By the id of a request in it. */
	changes = store_flow_show(store, "req-port", NULL);
	assert_string_equal(member(changes, "id"), "req-a");
	json_decref(changes);
}

/* A global request id that nobody works under is that of a client. */
static void
test_global_id(void **state)
{
	span("ctl", "api.request", "req-v", S(2), S(3), "{'service': 'cinder-api', 'method':"
	     " 'DELETE', 'http_status': 202, 'path': '/v3/p/volumes/" VOLUME "', 'operation':"
	     " 'volume.delete', 'global_request_id': 'req-a'}");
	assert_int_equal(flows(), 1);
	step("c1", "terminate", "req-a", true, VM, S(1), S(2));
	assert_int_equal(flows(), 0);
}

/* Neither is one that the same client got from the same service before. */
static void
test_client_reuses_id(void **state)
{
	span("ctl", "api.request", "req-1", 0, S(1), "{'service': 'cinder-api', 'method': 'POST',"
	     " 'http_status': 202, 'path': '/v3/p/volumes', 'operation': 'volume.create',"
	     " 'request_id': 'req-1'}");
	span("ctl", "api.request", "req-2", S(1), S(2), "{'service': 'cinder-api', 'method': 'POST',"
	     " 'http_status': 202, 'path': '/v3/p/volumes/" VOLUME "/action', 'operation':"
	     " 'volume.extend', 'request_id': 'req-2', 'global_request_id': 'req-1'}");
	assert_int_equal(flows(), 2);
}

/* A circle of links has one root, and ends. */
static void
test_circle(void **state)
{
	api("req-a", 0, S(1), ", 'operation': 'server.stop'");
	api("req-b", 0, S(1), ", 'operation': 'server.start'");
	link_requests("c1", "req-a", "req-b");
	link_requests("c1", "req-b", "req-a");
	assert_int_equal(flows(), 0);
}

/* Glance works under the id of whoever asked it. */
static void
test_glance(void **state)
{
	json_t *flow;

	span("ctl", "api.request", "req-a", 0, S(3), "{'service': 'glance-api', 'method': 'GET',"
	     " 'http_status': 200, 'path': '/v2/images/x'}");
	api("req-a", MS(100), S(1), ", 'operation': 'server.create'");
	flow = flow_at("req-a");
	assert_string_equal(member(flow, "kind"), "server.create");
	json_decref(flow);
	assert_true(has_span("req-a", "GET /v2/images/x"));
}

/* -- Evidence and proof --------------------------------------------------- */

/* A line's request id may be stale: the receiver of a message has the right one. */
static void
test_stale_sender(void **state)
{
	api("req-a", 0, S(1), ", 'operation': 'server.stop'");
	api("req-b", 0, S(1), ", 'operation': 'server.start'");
	span("ctl", "rpc.call", "msg-1", S(1), S(2), "{'what': 'call', 'topic': 'compute',"
	     " 'service': 'nova-conductor', 'request_id': 'req-a'}");
	assert_true(has_span("req-a", "call compute"));
	span("c1", "rpc.served", "msg-1", S(1) + MS(5), S(2), "{'what': 'call', 'service':"
	     " 'nova-compute', 'request_id': 'req-b'}");
	assert_false(has_span("req-a", "call compute"));
	assert_true(has_span("req-b", "call compute"));
	assert_true(has_span("req-b", "serve compute"));
}

/* What names but a VM goes to the newest request about it that does such things. */
static void
test_loose_steps(void **state)
{
	api("req-a", 0, S(1), ", 'operation': 'server.live-migrate'");
	step("c1", "instance.live_migration_pre", "req-a", true, VM, S(1), S(30));
	step("c1", "live_migration", "", false, VM, S(5), S(20));
	assert_true(has_span("req-a", "live_migration"));
	/* An abort does no such things, a second migration does. */
	api("req-b", S(3), S(4), ", 'operation': 'server.live-migrate-abort'");
	assert_true(has_span("req-a", "live_migration"));
	assert_false(has_span("req-b", "live_migration"));
	api("req-c", S(4), S(5), ", 'operation': 'server.live-migrate'");
	assert_false(has_span("req-a", "live_migration"));
	assert_true(has_span("req-c", "live_migration"));
}

/* Being named is not being about. */
static void
test_other_vm(void **state)
{
	api("req-a", 0, S(1), ", 'operation': 'server.start'");
	step("c1", "instance.power_on", "req-a", true, VM, S(1), S(3));
	step("c1", "destroy", "req-a", true, OTHER, S(1), S(2));
	assert_true(has_span("req-a", "instance.power_on"));
	assert_false(has_span("req-a", "destroy"));
}

/* -- Outcome -------------------------------------------------------------- */

static void
mark(const char *request, const char *cause, const char *message, uint64_t at)
{
	char *text = xasprintf("{'cause': '%s', 'service': 'nova-compute', 'request_id': '%s',"
			       " 'message': '%s', 'exception': 'Broken', 'instance': '" VM "'}",
			       cause, request, message);

	tell_as(FACT_MARK, "c1", "log.error", request, T0 + at, 0, NULL, text);
	free(text);
}

static void
test_refused(void **state)
{
	json_t *flow;

	span("ctl", "api.request", "req-a", 0, MS(30), "{'service': 'nova-api', 'method': 'POST',"
	     " 'http_status': 403, 'path': '/v2.1/servers', 'operation': 'server.create', 'error':"
	     " {'message': 'Quota exceeded'}}");
	flow = flow_at("req-a");
	assert_string_equal(member(flow, "status"), "error");
	assert_string_equal(member(json_object_get(flow, "error"), "message"), "Quota exceeded");
	assert_int_equal(number(flow, "end_ns"), T0 + MS(30));
	json_decref(flow);
}

/* The most specific cause is the error; what was got over is a finding. */
static void
test_cause(void **state)
{
	json_t *flow;

	api("req-a", 0, S(1), ", 'operation': 'server.create'");
	mark("req-a", "error", "something else", S(2));
	mark("req-a", "no-valid-host", "No valid host was found", S(3));
	flow = flow_at("req-a");
	assert_string_equal(member(flow, "status"), "error");
	assert_string_equal(member(json_object_get(flow, "error"), "cause"), "no-valid-host");
	json_decref(flow);
	step("c1", "instance.create", "req-a", true, VM, S(3), S(5));
	flow = flow_at("req-a");
	assert_string_equal(member(flow, "status"), "ok");
	assert_true(json_is_null(json_object_get(flow, "error")));
	assert_int_equal(json_array_size(json_object_get(flow, "findings")), 1);
	json_decref(flow);
}

static void
test_running(void **state)
{
	api("req-a", 0, S(1), ", 'operation': 'server.create'");
	span("ctl", "rpc.call", "cast-1", S(1), S(1), "{'what': 'cast', 'topic': 'conductor',"
	     " 'service': 'nova-api', 'request_id': 'req-a'}");
	assert_status("req-a", "running");
	step("c1", "instance.create", "req-a", true, VM, S(2), 0);
	assert_status("req-a", "running");
	step("c1", "instance.create", "req-a", true, VM, S(2), S(9));
	assert_status("req-a", "ok");
}

/* Where the compute node is not traced, the VM's state tells. */
static void
test_state_tells(void **state)
{
	json_t *flow;

	api("req-a", 0, S(1), ", 'operation': 'server.create'");
	span("ctl", "rpc.call", "cast-1", S(1), S(1), "{'what': 'cast', 'topic': 'compute.c1',"
	     " 'service': 'nova-conductor', 'request_id': 'req-a'}");
	assert_status("req-a", "running");
	tell_as(FACT_MARK, "ctl", "vm.change", VM "/vm_state", T0 + S(7), 0, NULL,
		"{'what': 'vm_state', 'from': 'building', 'to': 'active', 'instance': '" VM "',"
		" 'request_id': 'req-a', 'rid_ok': true}");
	flow = flow_at("req-a");
	assert_string_equal(member(flow, "status"), "ok");
	assert_int_equal(number(flow, "end_ns"), T0 + S(7));
	json_decref(flow);
}

/* What failed on one host while another is tried has not failed. */
static void
test_rescheduled(void **state)
{
	api("req-a", 0, S(1), ", 'operation': 'server.create'");
	mark("req-a", "build-failed", "Insufficient compute resources", S(3));
	assert_status("req-a", "error");
	mark("req-a", "reschedule", "Build of instance was re-scheduled", S(3) + MS(1));
	assert_status("req-a", "running");
	mark("req-a", "vif-plug-timeout", "Timeout waiting for a port", S(5));
	assert_status("req-a", "running");
	mark("req-a", "build-failed", "Insufficient compute resources", S(6));
	assert_status("req-a", "error");
	step("c2", "instance.create", "req-a", true, VM, S(4), S(7));
	assert_status("req-a", "ok");
}

/* Cinder's API answers before anything is done. */
static void
test_volume_running(void **state)
{
	api("req-v", 0, S(1), ", 'operation': 'volume.create'");
	span("ctl", "rpc.call", "cast-1", S(1), S(1), "{'what': 'cast', 'topic': 'cinder-scheduler',"
	     " 'service': 'cinder-api', 'request_id': 'req-v'}");
	assert_status("req-v", "running");
	span("s1", "cinder.step", "volume_created/req-v", S(3), S(3), "{'name': 'volume_created',"
	     " 'service': 'cinder-volume', 'request_id': 'req-v', 'rid_ok': true}");
	assert_status("req-v", "ok");
}

/* Where the time went adds up, and the innermost work counts. */
static void
test_budget(void **state)
{
	json_t *flow, *budget, *share;
	int64_t sum = 0, spawn = 0;
	size_t i;

	api("req-a", 0, S(1), ", 'operation': 'server.create'");
	step("c1", "instance.create", "req-a", true, VM, S(2), S(10));
	step("c1", "spawn", "req-a", true, VM, S(4), S(9));
	flow = store_flow_show(store, "req-a", NULL);
	budget = json_object_get(flow, "budget");
	json_array_foreach(budget, i, share) {
		sum += number(share, "ns");
		if (streq(member(share, "what"), "compute: spawn"))
			spawn = number(share, "ns");
	}
	assert_int_equal(sum, number(flow, "total_ns"));
	assert_int_equal(spawn, S(5));
	json_decref(flow);
}

/* -- The hypervisor's part ------------------------------------------------ */

static void
test_migration(void **state)
{
	struct given_side side = { .source = true, .host = "c1", .pid = 7, .start = T0 + S(3),
				   .connect = T0 + S(3), .uri = "tcp:c2:49152" };
	struct fact facts[3];
	json_t *flow, *migration;
	const char *id;

	facts[0] = process_fact("c1", 7, VM, "web", NULL);
	facts[1] = side_fact(&side);
	side.end = T0 + S(6);
	side.status = "failed";
	side.reason = "the return path was closed";
	facts[2] = side_fact(&side);
	give_all(store, hub, facts, 2);
	api("req-a", 0, S(1), ", 'operation': 'server.live-migrate'");
	step("c1", "live_migration", "", false, VM, S(2), 0);
	flow = flow_at("req-a");
	id = member(flow, "migration");
	assert_string_not_equal(id, "");
	migration = store_migration(store, id);
	assert_string_equal(member(migration, "request_id"), "req-a");
	json_decref(migration);
	/* It fails, whatever Nova says of its action; the record is made anew, and
	 * still knows who asked. */
	step("c2", "instance.live_migration_pre", "req-a", true, VM, S(2), S(7));
	give_all(store, hub, &facts[2], 1);
	migration = store_migration(store, id);
	assert_string_equal(member(migration, "status"), "failed");
	assert_string_equal(member(migration, "request_id"), "req-a");
	assert_status("req-a", "error");
	json_decref(migration);
	json_decref(flow);
	facts_done(facts, 3);
}

/* QEMU is done at once, Nova takes notice later and has to tidy up: it goes on until then. */
static void
test_migration_noticed(void **state)
{
	struct given_side side = { .source = true, .host = "c1", .pid = 7, .start = T0 + S(3),
				   .connect = T0 + S(3), .uri = "tcp:c2:49152", .end = T0 + S(6),
				   .status = "completed" };
	struct fact facts[] = { process_fact("c1", 7, VM, "web", NULL), side_fact(&side) };

	api("req-a", 0, S(1), ", 'operation': 'server.live-migrate'");
	step("c1", "live_migration", "", false, VM, S(2), 0);
	give_all(store, hub, facts, 2);
	assert_status("req-a", "running");
	step("c1", "live_migration", "", false, VM, S(2), S(7));
	assert_status("req-a", "running");
	step("c1", "post_live_migration", "", false, VM, S(7), 0);
	assert_status("req-a", "running");
	step("c1", "post_live_migration", "", false, VM, S(7), S(9));
	assert_status("req-a", "ok");
	facts_done(facts, 2);
}

static const char *
control_text(const char *id)
{
	static char text[256];
	json_t *flow = store_flow_show(store, id, NULL), *finding;
	size_t i;

	*text = '\0';
	json_array_foreach(json_object_get(flow, "findings"), i, finding)
		if (streq(member(finding, "rule"), "control"))
			snprintf(text, sizeof text, "%s", member(finding, "text"));
	json_decref(flow);
	return text;
}

/* Who asked for it to be aborted is a request of its own; each tells of the other. */
static void
test_control(void **state)
{
	api("req-a", 0, S(1), ", 'operation': 'server.live-migrate'");
	step("c1", "live_migration", "", false, VM, S(2), S(6));
	step("c1", "instance.live_migration_post_dest", "req-a", true, VM, S(6), S(7));
	api("req-b", S(4), S(5), ", 'operation': 'server.live-migrate-abort'");
	step("c1", "instance.live_migration_abort", "req-b", true, VM, S(4), S(5));
	api("req-c", S(50), S(51), ", 'operation': 'server.live-migrate-abort'");
	step("c1", "instance.live_migration_abort", "req-c", true, VM, S(50), S(51));
	assert_string_equal(control_text("req-a"), "req-b asked after 4.0 s that it be aborted");
	assert_string_equal(control_text("req-b"), "it asks that req-a, 4.0 s after that began, "
			    "be aborted");
	assert_string_equal(control_text("req-c"), "");
}

/* What Open vSwitch did for one of its ports while it ran, and nothing else. */
static void
test_datapath(void **state)
{
	static const struct { const char *host, *name; uint64_t t; } changes[] = {
		{ "c1", "tap33333333-33", S(3) },
		{ "c2", "tap33333333-33", S(9) },   /* Later. */
		{ "c3", "tap44444444-44", S(3) },   /* Another port. */
		{ "c4", "br-int", S(3) },
	};
	json_t *flow, *one, *found = NULL;
	size_t i, n = 0;

	api("req-a", 0, S(1), ", 'operation': 'server.create'");
	span("c1", "neutron.step", "port.update/" PORT, S(2), S(4), "{'name': 'port.update',"
	     " 'service': 'neutron-server', 'request_id': 'req-a', 'rid_ok': true,"
	     " 'port': '" PORT "', 'instance': '" VM "'}");
	step("c1", "instance.create", "req-a", true, VM, S(2), S(5));
	for (i = 0; i < ARRAY_SIZE(changes); i++) {
		char *text = xasprintf("{'op': 'vport_new', 'tid': 9, 'comm': 'ovs-vswitchd',"
				       " 'name': '%s', 'ret': 0, 'took_ns': 1000}",
				       changes[i].name);

		tell_as(FACT_MARK, changes[i].host, "ovs.change", "vport_new/9", T0 + changes[i].t,
			0, NULL, text);
		free(text);
	}
	flow = store_flow_show(store, "req-a", NULL);
	json_array_foreach(json_object_get(flow, "spans"), i, one) {
		if (streq(member(one, "service"), "openvswitch")) {
			found = one;
			n++;
		}
	}
	assert_int_equal(n, 1);
	assert_string_equal(member(found, "host"), "c1");
	assert_string_equal(member(found, "name"), "vport_new");
	assert_string_equal(member(found, "layer"), "virtualization");
	assert_int_equal(json_integer_value(json_object_get(found, "start_ns")), T0 + S(3) - 1000);
	json_array_foreach(json_object_get(flow, "spans"), i, one)
		if (streq(member(one, "id"), member(found, "parent")))
			assert_string_equal(member(one, "name"), "port.update");
	json_decref(flow);
}

/* -- VMs, ports, volumes -------------------------------------------------- */

/* A second migration is not the first one's. */
static void
test_migrations_apart(void **state)
{
	struct given_side side = { .source = true, .host = "c1", .pid = 7, .start = T0 + S(23),
				   .connect = T0 + S(23), .end = T0 + S(26), .status = "completed",
				   .uri = "tcp:c2:49152" };
	struct fact facts[2] = { process_fact("c1", 7, VM, "web", NULL), side_fact(&side) };
	json_t *flow;

	api("req-a", 0, S(1), ", 'operation': 'server.live-migrate'");
	give_all(store, hub, facts, 2);
	flow = flow_at("req-a");
	assert_string_not_equal(member(flow, "migration"), "");
	json_decref(flow);
	api("req-b", S(20), S(21), ", 'operation': 'server.live-migrate'");
	flow = flow_at("req-a");
	assert_string_equal(member(flow, "migration"), "");
	json_decref(flow);
	flow = flow_at("req-b");
	assert_string_not_equal(member(flow, "migration"), "");
	json_decref(flow);
	facts_done(facts, 2);
}

static void
change(const char *what, const char *from, const char *to, uint64_t at, unsigned seq)
{
	char *text = xasprintf("{'what': '%s', 'from': %s, 'to': %s, 'instance': '" VM "', 'seq': %u,"
			       " 'request_id': 'req-a', 'host': 'c1'}", what, from, to, seq);
	char *key = xasprintf(VM "/%s", what);

	tell_as(FACT_MARK, "ctl", "vm.change", key, T0 + at, 0, NULL, text);
	free(text);
	free(key);
}

static void
test_vm(void **state)
{
	struct fact process = process_fact("c1", 4711, VM, "instance-1", NULL);
	json_t *vm;

	give_all(store, hub, &process, 1);
	facts_done(&process, 1);
	vm = store_thing(store, "vm", VM);
	assert_string_equal(member(vm, "host"), "c1");
	assert_int_equal(number(vm, "pid"), 4711);
	json_decref(vm);
	tell_as(FACT_ENTITY, "ctl", "vm", VM, 0, 0, NULL, "{'name': 'web', 'flavor': 'm1.tiny',"
		" 'created': '2023-11-14T22:13:20Z'}");
	change("task_state", "'spawning'", "null", S(2), 2);
	change("vm_state", "'building'", "'active'", S(2), 1);
	change("power_state", "0", "1", S(3), 1);
	vm = store_thing_show(store, "vm", "web", NULL);
	assert_string_equal(member(vm, "vm_state"), "active");
	assert_true(json_is_null(json_object_get(vm, "task_state")));
	assert_string_equal(member(vm, "power_state"), "running");
	assert_int_equal(number(vm, "created_ns"), T0);
	assert_string_equal(member(json_array_get(json_object_get(vm, "history"), 0), "what"),
			    "vm_state");
	assert_int_equal(json_array_size(json_object_get(vm, "history")), 3);
	json_decref(vm);
	/* Another controller tells it again. */
	tell_as(FACT_MARK, "ctl-2", "vm.change", VM "/vm_state", T0 + S(4), 0, NULL, "{'what': 'vm_state',"
		" 'from': 'building', 'to': 'active', 'instance': '" VM "', 'seq': 0}");
	vm = store_thing_show(store, "vm", "web", NULL);
	assert_int_equal(json_array_size(json_object_get(vm, "history")), 3);
	json_decref(vm);
	/* The same task again is another change. */
	change("task_state", "null", "'rebooting'", S(5), 1);
	change("task_state", "'rebooting'", "null", S(6), 1);
	change("task_state", "null", "'rebooting'", S(7), 1);
	vm = store_thing_show(store, "vm", "web", NULL);
	assert_int_equal(json_array_size(json_object_get(vm, "history")), 6);
	json_decref(vm);
}

static void
test_parts(void **state)
{
	json_t *vm, *port, *volume;

	tell_as(FACT_ENTITY, "ctl", "vm", VM, 0, 0, NULL, "{'name': 'web'}");
	tell_as(FACT_LINK, "c1", "vm.port", VM "/" PORT, 0, 0, NULL,
		"{'mac': 'fa:16:3e:00:00:01', 'tap': 'tap33333333-33', 'ips': '10.0.0.5,fe80::1'}");
	tell_as(FACT_LINK, "c1", "vm.volume", VM "/" VOLUME, 0, 0, NULL, "{'device': '/dev/vdb'}");
	tell_as(FACT_ENTITY, "ctl", "port", PORT, 0, 0, NULL, "{'status': 'ACTIVE'}");
	tell_as(FACT_ENTITY, "s1", "volume", VOLUME, 0, 0, NULL,
		"{'status': 'in-use', 'path': '/mnt/volume', 'attachment_id': 'a1'}");
	vm = store_thing(store, "vm", VM);
	port = json_array_get(json_object_get(vm, "ports"), 0);
	assert_string_equal(member(port, "status"), "ACTIVE");
	assert_int_equal(json_array_size(json_object_get(port, "ips")), 2);
	volume = json_array_get(json_object_get(vm, "volumes"), 0);
	assert_string_equal(member(volume, "device"), "/dev/vdb");
	assert_string_equal(member(volume, "attachment"), "a1");
	json_decref(vm);
	/* Once it is detached the VM has it no more, but it knows its last path. */
	tell_as(FACT_LINK, "c1", "vm.volume", VM "/" VOLUME, 0, T0 + S(9), NULL,
		"{'device': '/dev/vdb'}");
	vm = store_thing(store, "vm", VM);
	assert_int_equal(json_array_size(json_object_get(vm, "volumes")), 0);
	json_decref(vm);
	volume = store_thing_show(store, "volume", VOLUME, NULL);
	assert_true(json_is_null(json_object_get(volume, "vm")));
	assert_string_equal(member(volume, "device"), "/dev/vdb");
	assert_int_equal(number(volume, "detached_ns"), T0 + S(9));
	json_decref(volume);
	port = store_find(store, "fa:16:3e:00:00:01", 0, NULL);
	assert_int_equal(json_array_size(json_object_get(port, "things")), 1);
	json_decref(port);
	/* As tables show ids; too short a beginning means nothing. */
	port = store_find(store, "33333333", 0, NULL);
	assert_int_equal(json_array_size(json_object_get(port, "things")), 1);
	json_decref(port);
	port = store_find(store, "333", 0, NULL);
	assert_int_equal(json_array_size(json_object_get(port, "things")), 0);
	json_decref(port);
}

static void
link_volume(const char *host, const char *vm, uint64_t start, uint64_t end)
{
	char *key = xasprintf("%s/" VOLUME, vm);
	char *text = xasprintf("{'instance': '%s', 'volume': '" VOLUME "', 'device': '/dev/vdb',"
			       " 't_ns': %llu}", vm, (unsigned long long) (T0 + (end ? end : start)));

	tell_as(FACT_LINK, host, "vm.volume", key, T0 + start, end ? T0 + end : 0, NULL, text);
	free(key);
	free(text);
}

static void
assert_volume(const char *status, const char *vm, size_t attachments)
{
	json_t *volume = store_thing_show(store, "volume", VOLUME, NULL);

	assert_string_equal(member(volume, "status"), status);
	assert_string_equal(member(json_object_get(volume, "vm"), "uuid"), vm);
	assert_int_equal(json_array_size(json_object_get(volume, "attachments")), attachments);
	json_decref(volume);
}

/* Where no service is traced, the node knows which VM has a volume or port. */
static void
test_told_by_node(void **state)
{
	json_t *part;

	tell_as(FACT_ENTITY, "c1", "qemu.process", "7", 0, 0, NULL, "{'pid': 7, 'uuid': '" VM "'}");
	tell_as(FACT_ENTITY, "c1", "qemu.disk", "7/0", 0, 0, NULL,
		"{'pid': 7, 'path': '/dev/vg/volume', 'volume_id': '" VOLUME "', 'gone': false}");
	tell_as(FACT_ENTITY, "c1", "qemu.disk", "7/1", 0, 0, NULL,
		"{'pid': 7, 'path': '/root.raw', 'volume_id': null, 'gone': false}");
	tell_as(FACT_ENTITY, "c1", "qemu.nic", "7/0", 0, 0, NULL,
		"{'pid': 7, 'ifname': 'tap1', 'mac': 'fa:16:3e:00:00:01', 'port_id': 'p1', 'gone': false}");
	assert_volume("in-use", VM, 0);
	part = store_thing_show(store, "volume", VOLUME, NULL);
	assert_string_equal(member(part, "path"), "/dev/vg/volume");
	json_decref(part);
	part = store_thing_show(store, "port", "p1", NULL);
	assert_string_equal(member(json_object_get(part, "vm"), "uuid"), VM);
	json_decref(part);
	assert_null(store_thing_show(store, "volume", "1", NULL));
	tell_as(FACT_ENTITY, "c1", "qemu.disk", "7/0", 0, 0, NULL,
		"{'pid': 7, 'path': '/dev/vg/volume', 'volume_id': '" VOLUME "', 'gone': true}");
	assert_volume("", "", 0);
	/* What a service says of it comes first. */
	link_volume("c1", VM, S(1), 0);
	assert_volume("in-use", VM, 1);
}

/* Cinder logs neither that a volume is in use, nor which one it deleted: the VMs that have
 * it tell, and the request. */
static void
test_attachments(void **state)
{
	json_t *volume, *list;

	tell_as(FACT_ENTITY, "s1", "volume", VOLUME, 0, 0, NULL, "{'status': 'available'}");
	assert_volume("available", "", 0);
	link_volume("c1", VM, S(1), 0);
	assert_volume("in-use", VM, 1);
	/* Migrated with its VM, detached, attached to another that is deleted. */
	link_volume("c2", VM, S(2), 0);
	link_volume("c2", VM, S(2), S(3));
	assert_volume("available", "", 2);
	link_volume("c2", OTHER, S(4), 0);
	assert_volume("in-use", OTHER, 3);
	tell_as(FACT_MARK, "ctl", "vm.change", OTHER "/vm_state", T0 + S(5), 0, NULL,
		"{'what': 'vm_state', 'from': 'active', 'to': 'deleted', 'instance': '" OTHER "'}");
	assert_volume("available", "", 3);
	volume = store_thing_show(store, "volume", VOLUME, NULL);
	list = json_object_get(volume, "attachments");
	assert_int_equal(number(json_array_get(list, 0), "end_ns"), T0 + S(2));
	assert_int_equal(number(json_array_get(list, 1), "end_ns"), T0 + S(3));
	assert_int_equal(number(json_array_get(list, 2), "end_ns"), T0 + S(5));
	json_decref(volume);
	/* The step comes before the end of the request, whose path has the volume. */
	span("s1", "cinder.step", "volume_deleted/req-d", S(7), S(7), "{'name': 'volume_deleted',"
	     " 'service': 'cinder-volume', 'request_id': 'req-d', 'rid_ok': true}");
	assert_volume("available", "", 3);
	span("ctl", "api.request", "req-d", S(6), S(7), "{'service': 'cinder-api', 'method': 'DELETE',"
	     " 'http_status': 202, 'request_id': 'req-d', 'operation': 'volume.delete',"
	     " 'resource_type': 'volume', 'resource_id': '" VOLUME "'}");
	assert_volume("deleted", "", 3);
}

/* -- Services ------------------------------------------------------------- */

static void
test_services(void **state)
{
	json_t *service;

	tell_as(FACT_ENTITY, "ctl", "service", "nova-api/9", 0, 0, NULL,
		"{'service': 'nova-api', 'pid': 9, 'first_ns': 5, 'last_ns': 1700000000000000000}");
	for (unsigned i = 0; i < 3; i++)
		tell_as(FACT_SAMPLE, "ctl", "service.window", "nova-api/*", T0 + S(10) * i, 0, NULL,
			"{'service': 'nova-api', 'operation': '*', 'requests': 10, 'errors': 1,"
			" 'in_flight': 2, 'sum_ns': 1000, 'max_ns': 9000000, 'slowest': 'req-s',"
			" 'histogram': [[1048576, 9], [8388608, 1]]}");
	service = store_service_show(store, "nova-api", NULL, NULL);
	assert_string_equal(member(service, "id"), "nova-api@ctl");
	assert_int_equal(number(service, "requests"), 30);
	assert_int_equal(number(service, "errors"), 3);
	assert_int_equal(number(service, "in_flight"), 2);
	assert_in_range(number(service, "p50_ns"), 1048576, 1310720);
	assert_in_range(number(service, "p99_ns"), 8388608, 9000000);
	assert_int_equal(json_array_size(json_object_get(service, "workers")), 1);
	json_decref(service);
	assert_null(store_service_show(store, "nobody", NULL, NULL));
}

/* -- Forgetting ----------------------------------------------------------- */

static void
test_retention(void **state)
{
	struct error error = { 0 };
	json_t *vm;

	api("req-old", 0, S(1), ", 'operation': 'server.delete'");
	step("c1", "instance.delete", "req-old", true, VM, S(1), S(2));
	change("vm_state", "'active'", "'deleted'", S(2), 1);
	tell_as(FACT_LINK, "c1", "vm.port", VM "/" PORT, 0, 0, NULL, "{'mac': 'fa:16:3e:00:00:01'}");
	span("ctl", "api.request", "req-open", 0, S(1), "{'service': 'nova-api', 'method': 'POST',"
	     " 'http_status': 202, 'path': '/v2.1/servers', 'operation': 'server.create',"
	     " 'request_id': 'req-open'}");
	step("c1", "instance.create", "req-open", true, NULL, S(2), 0);
	assert_int_equal(flows(), 2);
	tell_as(FACT_ENTITY, "ctl", "vm", OTHER, 0, 0, NULL, "{'name': 'db'}");
	link_volume("c1", OTHER, S(1), 0);
	assert_int_equal(store_retain(store, T0 + S(1), T0 + S(1), &error), 0);
	assert_int_equal(flows(), 2);
	vm = store_thing(store, "vm", VM);
	assert_int_equal(json_array_size(json_object_get(vm, "ports")), 1);
	json_decref(vm);
	assert_int_equal(store_retain(store, T0 + S(100), T0 + S(100), &error), 0);
	assert_null(flow_at("req-old"));
	assert_null(store_thing(store, "vm", VM));
	/* What goes on keeps all that is its own. */
	assert_volume("in-use", OTHER, 1);
	assert_true(has_span("req-open", "instance.create"));
	assert_status("req-open", "running");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_request, begin, end),
		cmocka_unit_test_setup_teardown(test_osprofiler, begin, end),
		cmocka_unit_test_setup_teardown(test_queries, begin, end),
		cmocka_unit_test_setup_teardown(test_children, begin, end),
		cmocka_unit_test_setup_teardown(test_global_id, begin, end),
		cmocka_unit_test_setup_teardown(test_client_reuses_id, begin, end),
		cmocka_unit_test_setup_teardown(test_circle, begin, end),
		cmocka_unit_test_setup_teardown(test_glance, begin, end),
		cmocka_unit_test_setup_teardown(test_stale_sender, begin, end),
		cmocka_unit_test_setup_teardown(test_loose_steps, begin, end),
		cmocka_unit_test_setup_teardown(test_other_vm, begin, end),
		cmocka_unit_test_setup_teardown(test_refused, begin, end),
		cmocka_unit_test_setup_teardown(test_cause, begin, end),
		cmocka_unit_test_setup_teardown(test_running, begin, end),
		cmocka_unit_test_setup_teardown(test_state_tells, begin, end),
		cmocka_unit_test_setup_teardown(test_rescheduled, begin, end),
		cmocka_unit_test_setup_teardown(test_volume_running, begin, end),
		cmocka_unit_test_setup_teardown(test_budget, begin, end),
		cmocka_unit_test_setup_teardown(test_migration, begin, end),
		cmocka_unit_test_setup_teardown(test_migration_noticed, begin, end),
		cmocka_unit_test_setup_teardown(test_control, begin, end),
		cmocka_unit_test_setup_teardown(test_migrations_apart, begin, end),
		cmocka_unit_test_setup_teardown(test_attachments, begin, end),
		cmocka_unit_test_setup_teardown(test_datapath, begin, end),
		cmocka_unit_test_setup_teardown(test_vm, begin, end),
		cmocka_unit_test_setup_teardown(test_parts, begin, end),
		cmocka_unit_test_setup_teardown(test_told_by_node, begin, end),
		cmocka_unit_test_setup_teardown(test_services, begin, end),
		cmocka_unit_test_setup_teardown(test_retention, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
