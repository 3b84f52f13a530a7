/* SPDX-License-Identifier: MIT
 *
 * Log records and what the tables make of them: JSON where it lies, records of
 * three kinds, formats and templates, notes, operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "analyzers/openstack.h"
#include "lib/util.h"

static struct scratch scratch;
static struct record record;

static struct text
text_of(const char *string)
{
	return (struct text) { string, strlen(string) };
}

static void
assert_text(struct text text, const char *expected)
{
	char copy[4096];

	text_copy(copy, sizeof copy, &text);
	assert_string_equal(copy, expected);
}

static void
read_record(const char *string)
{
	const struct text text = text_of(string);

	record_read(&record, &text, &scratch);
}

/* -- JSON --------------------------------------------------------------------- */

static struct json_value
parse(const char *string)
{
	return json_parse(string, strlen(string));
}

static void
json_walks(void **state)
{
	static const char text[] = " { \"a\" : 1 , \"b\\\"\":[ \"x,]\", {\"c\" : [] } ,-2.5e3,true ] ,"
		"\"d\":{\"e\":{\"f\":\"g\"}},\"n\":null}";
	struct json_value object = parse(text), name, value;
	struct json_walk walk = json_begin(&object);
	unsigned n = 0;

	(void) state;
	assert_int_equal(object.kind, JSON_MEMBERS);
	while (json_next_member(&walk, &name, &value))
		n++;
	assert_int_equal(n, 4);
	value = json_at(&object, "d/e/f");
	assert_int_equal(value.kind, JSON_TEXT);
	assert_text((struct text) { value.s, value.size }, "g");
	assert_int_equal(json_at(&object, "d/e/x").kind, JSON_NONE);
	assert_int_equal(json_at(&object, "a/e").kind, JSON_NONE);
	value = json_at(&object, "n");
	assert_true(json_is_nothing(&value));
	object = parse("[ 1, \"b\", [2], {} ]");
	walk = json_begin(&object);
	for (n = 0; json_next(&walk, &value); n++)
		assert_int_equal(value.kind, n == 0 ? JSON_NUMBER : n == 1 ? JSON_TEXT :
				 n == 2 ? JSON_LIST : JSON_MEMBERS);
	assert_int_equal(n, 4);
}

static void
json_refuses(void **state)
{
	static const char *const bad[] = { "", " ", "{", "[1,", "\"abc", "{\"a\":", "\"a\\\"", "{\"a\"",
					   "[[[[" };
	char deep[2 * JSON_MAX_DEPTH + 10];

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(parse(bad[i]).kind, JSON_NONE);
	memset(deep, '[', JSON_MAX_DEPTH + 1);
	memset(deep + JSON_MAX_DEPTH + 1, ']', JSON_MAX_DEPTH + 1);
	assert_int_equal(json_parse(deep, 2 * (JSON_MAX_DEPTH + 1)).kind, JSON_NONE);
	assert_int_equal(json_parse(deep + 1, 2 * JSON_MAX_DEPTH).kind, JSON_LIST);
}

static void
assert_unescaped(const char *string, size_t size, const char *expected)
{
	char to[64] = "";
	struct json_value value = parse(string);

	assert_int_equal(value.kind, JSON_TEXT);
	to[json_unescape(&value, to, size)] = '\0';
	assert_string_equal(to, expected);
}

static void
json_unescapes(void **state)
{
	(void) state;
	assert_unescaped("\"a\\n\\\"\\\\\\/\\t\"", 60, "a\n\"\\/\t");
	assert_unescaped("\"\\u00e4\\u20ac\\ud83d\\ude00\"", 60, "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_unescaped("\"\\ud800x\\udc00\\u0000\"", 60, "\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd");
	assert_unescaped("\"\\ud83d\\u0041\\uZZ\"", 60, "\xef\xbf\xbd" "A" "\xef\xbf\xbdZZ");
	/* Cut where a character ends. */
	assert_unescaped("\"abc\\u20ac\"", 5, "abc");
	assert_unescaped("\"ab\xe2\x82\xac\"", 4, "ab");
	assert_unescaped("\"ab\xe2\x82\xac\"", 5, "ab\xe2\x82\xac");
}

/* -- Records ------------------------------------------------------------------- */

static void
own_record(void **state)
{
	(void) state;
	read_record("{\"service\": \"nova-compute\", \"pid\": 17, \"gt\": 140, \"level\": \"INFO\", "
		    "\"request_id\": \"req-1\", \"instance\": \"i\\u0031\", \"message\": \"a \\\"b\\\"\", "
		    "\"fmt\": \"a %s\", \"args\": [\"\\\"b\\\"\"], \"project\": null}");
	assert_text(record_text(&record, RECORD_SERVICE), "nova-compute");
	assert_text(record_text(&record, RECORD_INSTANCE), "i1");
	assert_text(record_text(&record, RECORD_MESSAGE), "a \"b\"");
	assert_text(record_text(&record, RECORD_THREAD), "140");
	assert_int_equal(record.pid, 17);
	assert_false(record_has(&record, RECORD_PROJECT));
	assert_int_equal(record_text(&record, RECORD_PROJECT).size, 0);
}

static void
formatter_record(void **state)
{
	(void) state;
	read_record("{\"message\": \"m\", \"name\": \"n\", \"msg\": \"%s\", \"args\": [\"m\"], "
		"\"levelname\": "
		    "\"INFO\", \"process\": 9, \"thread\": 3, \"hostname\": \"h\", \"context\": "
		    "{\"request_id\": \"req-2\", \"user_id\": \"u\", \"tenant\": \"t\"}, \"extra\": "
		    "{\"instance\": {\"x\": 1, \"uuid\": \"i2\"}}}");
	assert_text(record_text(&record, RECORD_REQUEST_ID), "req-2");
	assert_text(record_text(&record, RECORD_USER), "u");
	assert_text(record_text(&record, RECORD_PROJECT), "t");
	assert_text(record_text(&record, RECORD_FORMAT), "%s");
	assert_text(record_text(&record, RECORD_INSTANCE), "i2");
	assert_int_equal(record.pid, 9);
}

static void
plain_record(void **state)
{
	(void) state;
	read_record("[None req-3 u p - - default default] [instance: 0123] Took it");
	assert_text(record_text(&record, RECORD_REQUEST_ID), "req-3");
	assert_text(record_text(&record, RECORD_INSTANCE), "0123");
	assert_text(record_text(&record, RECORD_MESSAGE), "Took it");
	read_record("[-] Nothing");
	assert_text(record_text(&record, RECORD_MESSAGE), "Nothing");
	assert_false(record_has(&record, RECORD_REQUEST_ID));
	read_record("[instance: 01");
	assert_text(record_text(&record, RECORD_MESSAGE), "[instance: 01");
	read_record("");
	assert_int_equal(record_text(&record, RECORD_MESSAGE).size, 0);
	/* What is left of a record that was cut. */
	read_record("{\"service\": \"s\", \"request_id\": \"req-4\", \"message\": \"cut of");
	assert_text(record_text(&record, RECORD_REQUEST_ID), "req-4");
	/* The formatter of oslo.log ran before. */
	read_record("{\"message\": \"[instance: 8e32e945-8af2-427d-a9f6-7cdeb7d0eba5] Hello\"}");
	assert_text(record_text(&record, RECORD_INSTANCE), "8e32e945-8af2-427d-a9f6-7cdeb7d0eba5");
	assert_text(record_text(&record, RECORD_MESSAGE), "Hello");
}

/* -- Matching ------------------------------------------------------------------- */

static struct matcher *matcher;
static struct {
	enum log_event event;
	struct line line;
} given[64];
static unsigned n_given;

static void
take_line(void *context, enum log_event event, const struct line *line)
{
	(void) context;
	assert_true(n_given < ARRAY_SIZE(given));
	given[n_given].event = event;
	given[n_given++].line = *line;
}

static bool
match(const char *logger, const char *message)
{
	static struct line line;
	const struct text name = text_of(logger);
	const int index = matcher_logger(matcher, &name);

	n_given = 0;
	if (index < 0)
		return false;
	read_record(message);
	memset(&line, 0, sizeof line);
	line.record = &record;
	return matcher_match(matcher, index, &record, &line, take_line, NULL);
}

static struct text
field(unsigned at, enum log_field which)
{
	return line_field(&given[at].line, which);
}

static void
loggers(void **state)
{
	static const char *const known[] = { "nova.compute.manager", "cinder.volume.drivers.rbd",
					     "os_brick.initiator.connectors.nvmeof", "neutron.wsgi" };
	static const char *const unknown[] = { "nova.compute", "nova.compute.manager2", "", "os_brick",
					       "oslo_concurrency.lockutils" };

	(void) state;
	for (unsigned twice = 0; twice < 2; twice++) {
		for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
			const struct text name = text_of(known[i]);

			assert_true(matcher_logger(matcher, &name) >= 0);
		}
		for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
			const struct text name = text_of(unknown[i]);

			assert_int_equal(matcher_logger(matcher, &name), -1);
		}
	}
}

static void
by_format(void **state)
{
	(void) state;
	/* A list, an object, and a message that has what the arguments lack. */
	assert_true(match("nova.compute.claims", "{\"message\": \"Claim successful on node n1\", \"fmt\": "
			  "\"Claim successful on node %s\", \"args\": [\"n1\"]}"));
	assert_int_equal(n_given, 1);
	assert_int_equal(given[0].event, LOG_NOVA_TOOK);
	assert_text(given[0].line.name, "claim");
	assert_text(field(0, F_NODE), "n1");
	assert_true(match("keystoneauth.session", "{\"message\": \"x\", \"fmt\": \"%(method)s call to "
			  "%(service_name)s for %(url)s used request id %(response_request_id)s\", \"args\": "
			  "{\"response_request_id\": \"req-9\", \"url\": \"http://x\", \"service_name\": "
			  "\"network\", \"method\": \"GET\"}}"));
	assert_text(field(0, F_CALLEE), "req-9");
	assert_text(field(0, F_CALLED), "network");
	assert_true(match("nova.virt.libvirt.driver", "{\"message\": \"Live Migration failure: it broke\", "
			  "\"fmt\": \"Live Migration failure: %s\", \"args\": [null]}"));
	assert_text(field(0, F_MESSAGE), "it broke");
	/* The format is that of another version: the message fits all the same. */
	assert_true(match("nova.compute.claims", "{\"message\": \"Claim successful on node n2\", \"fmt\": "
			  "\"Claim successful on node %(what)s\", \"args\": {\"what\": \"n2\"}}"));
	assert_text(field(0, F_NODE), "n2");
	assert_false(match("nova.compute.claims", "{\"message\": \"Claimed\"}"));
}

static void
by_template(void **state)
{
	(void) state;
	assert_true(match("nova.osapi_compute.wsgi.server", "{\"message\": \"10.0.0.1 \\\"GET /v2.1/servers"
			  "?name=a HTTP/1.1\\\" status: 200 len: 4 time: 0.25\"}"));
	assert_text(field(0, F_PATH), "/v2.1/servers?name=a");
	assert_text(field(0, F_HTTP_STATUS), "200");
	assert_text(field(0, F_SECONDS), "0.25");
	assert_true(match("eventlet.wsgi.server", "10.0.0.1 - - [23/Nov/2026 01:37:24] \"GET / "
		"HTTP/1.1\" 300 "
			  "1740 0.001179"));
	assert_text(field(0, F_HTTP_STATUS), "300");
	/* The id stands in the format. */
	assert_true(match("oslo_messaging._drivers.amqpdriver", "{\"message\": \"CALL msg_id: ab exchange "
			  "'nova' topic 'c.d'\", \"fmt\": \"CALL msg_id: ab exchange '%(exchange)s' topic "
			  "'%(topic)s'\", \"args\": {\"exchange\": \"nova\", \"topic\": \"c.d\"}}"));
	assert_text(field(0, F_MSG_ID), "ab");
	assert_text(field(0, F_TOPIC), "c.d");
	/* One that is nearly all holes takes no other line. */
	assert_true(match("cinder.api.openstack.wsgi", "POST http://x/v3/volumes"));
	assert_int_equal(given[0].event, LOG_API_BEGIN);
	assert_false(match("cinder.api.openstack.wsgi", "something else"));
	/* "None" is nothing. */
	assert_true(match("nova.compute.api", "Going to try to live migrate instance to None"));
	assert_int_equal(field(0, F_DESTINATION).size, 0);
}

/* Lines of one meaning in the words of several versions. */
static void
by_version(void **state)
{
	static const struct {
		const char *logger, *line;
		enum log_event event;
		const char *name;
		enum log_field field;
		const char *value;
	} lines[] = {
		/* Train, Wallaby, Zed */
		{ "nova.virt.libvirt.driver", "Timeout waiting for [('network-vif-plugged', 'p-1')] for "
		  "instance with vm_state building and task_state spawning.", LOG_NOVA_FAIL,
		  "vif-plug wait", F_DETAIL, "[('network-vif-plugged', 'p-1')]" },
		{ "nova.virt.libvirt.driver", "Timeout waiting for [('network-vif-plugged', 'p-1')] for "
		  "instance with vm_state building and task_state spawning", LOG_NOVA_FAIL,
		  "vif-plug wait", F_DETAIL, "[('network-vif-plugged', 'p-1')]" },
		{ "nova.compute.manager", "Timeout waiting for ['network-vif-plugged-p-1'] for instance "
		  "with vm_state building and task_state spawning. Event states are: p-1: timed out",
		  LOG_NOVA_FAIL, "vif-plug wait", F_DETAIL, "p-1: timed out" },
		{ "nova.scheduler.filter_scheduler", "Selected host: (c1, n1) ram: 1", LOG_NOVA_TOOK,
		  "weighed", F_DETAIL, "(c1, n1) ram: 1" },
		{ "nova.scheduler.manager", "Selected host: (c1, n1) ram: 1", LOG_NOVA_TOOK, "weighed",
		  F_DETAIL, "(c1, n1) ram: 1" },
		{ "nova.virt.libvirt.migration", "Switching to post-copy migration mode", LOG_NOVA_TOOK,
		  "switch_to_postcopy", F_DETAIL, "" },
		{ "nova.virt.libvirt.migration", "Live migration not completed after 800 sec", LOG_CAUSE,
		  "migration-timeout", F_SECONDS, "800" },
		{ "cinder.volume.manager", "Delete snapshot completed successfully.", LOG_CINDER_TOOK,
		  "snapshot_deleted", F_DETAIL, "" },
		{ "cinder.volume.manager", "Create snapshot completed successfully", LOG_CINDER_TOOK,
		  "snapshot_created", F_DETAIL, "" },
		{ "cinder.scheduler.base_filter", "Filter CapacityFilter returned 0 hosts", LOG_CAUSE,
		  "no-backend", F_DETAIL, "CapacityFilter" },
		/* Up to Zed, since 2024.1 */
		{ "neutron.agent.dhcp.agent", "Calling driver for network: n-1 action: enable",
		  LOG_NEUTRON_TOOK, "dhcp.driver", F_NETWORK, "n-1" },
		{ "neutron.agent.dhcp.agent", "Calling driver for network: n-1/seg=None action: enable",
		  LOG_NEUTRON_TOOK, "dhcp.driver", F_NETWORK, "n-1" },
		/* Of all that is known of the agent what it is. */
		{ "neutron.plugins.ml2.drivers.mech_agent", "Refusing to bind port p-1 to dead agent: "
		  "{'id': 'a-1', 'agent_type': 'Open vSwitch agent', 'binary': 'x', 'host': 'c1', "
		  "'alive': False}", LOG_CAUSE, "agent-down", F_MESSAGE, "Open vSwitch agent" },
		{ "neutron.plugins.ml2.drivers.mech_agent", "Refusing to bind port p-1 to dead agent: "
		  "{'id': 'a-1'}", LOG_CAUSE, "agent-down", F_PORT, "p-1" },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		assert_true(match(lines[i].logger, lines[i].line));
		assert_int_equal(given[0].event, lines[i].event);
		assert_text(given[0].line.name, lines[i].name);
		assert_text(field(0, lines[i].field), lines[i].value);
	}
}

static void
by_value(void **state)
{
	(void) state;
	assert_true(match("cinder.volume.manager", "Flow 'volume_create_manager' (u-1) transitioned into "
			  "state 'SUCCESS' from state 'RUNNING'"));
	assert_int_equal(n_given, 1);
	assert_int_equal(given[0].event, LOG_CINDER_END);
	assert_text(given[0].line.name, "volume_create_manager");
	assert_true(match("cinder.volume.manager", "Task 'a.b.CreateTask;volume:create' (u-2) transitioned "
			  "into state 'RUNNING' from state 'PENDING'"));
	assert_int_equal(given[0].event, LOG_CINDER_BEGIN);
	assert_text(given[0].line.name, "CreateTask");
	assert_true(match("cinder.scheduler.base_filter", "Filter CapacityFilter returned 3 host(s)"));
	assert_int_equal(n_given, 0);
	assert_true(match("cinder.scheduler.base_filter", "Filter CapacityFilter returned 0 host(s)"));
	assert_int_equal(n_given, 1);
	assert_int_equal(given[0].event, LOG_CAUSE);
	assert_text(field(0, F_DETAIL), "CapacityFilter");
}

static void
completed(void **state)
{
	(void) state;
	assert_true(match("cinder.volume.manager", "Connection info returned from driver {'export': 'h:/e', "
			  "'name': 'volume-c298f772-3d7e-4b13-90b3-e23b68af0b11', 'attachment_id': 'at-1'}"));
	assert_text(field(0, F_VOLUME), "c298f772-3d7e-4b13-90b3-e23b68af0b11");
	assert_text(field(0, F_ATTACHMENT), "at-1");
}

static void
disks(void **state)
{
	(void) state;
	assert_true(match("nova.virt.libvirt.driver", "{\"instance\": \"i\", \"message\": \"End "
		"_get_guest_xml "
			  "xml=<domain><devices><disk type='file'><source file='/a/disk'/><target dev='vda'/>"
			  "</disk><disk type=\\\"block\\\">\\n <source dev=\\\"/dev/sdx\\\"/>\\n <target "
			  "dev=\\\"vdc\\\" "
			  	"bus=\\\"virtio\\\"/>\\n<serial>c298f772-3d7e-4b13-90b3-e23b68af0b11"
			  "</serial></disk></devices></domain>\"}"));
	assert_int_equal(n_given, 1);
	assert_int_equal(given[0].event, LOG_GUEST_XML);
	n_given = 0;
	guest_disks(&given[0].line, take_line, NULL);
	/* The image's disk is no volume. */
	assert_int_equal(n_given, 2);
	assert_text(field(1, F_FILE), "/dev/sdx");
	assert_text(field(1, F_DEVICE), "/dev/vdc");
	assert_text(field(1, F_VOLUME), "c298f772-3d7e-4b13-90b3-e23b68af0b11");
}

/* Each row of the tables can be reached by a message of its own making. */
static void
all_rows(void **state)
{
	static const struct pattern *const tables[] = { common_patterns, nova_patterns,
							neutron_patterns, cinder_patterns,
							quiet_patterns };

	(void) state;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (const struct pattern *p = tables[t]; p->logger; p++) {
			char logger[128], message[1024];
			const char *at = p->text;
			unsigned n = 0, hole = 0;
			bool found = false;

			snprintf(logger, sizeof logger, "%s%s", p->logger,
				 p->logger[strlen(p->logger) - 1] == '.' ? "x" : "");
			while (*at && n < sizeof message - 64) {
				if (*at != '%') {
					message[n++] = *at++;
					continue;
				}
				at += at[1] == '(' ? strcspn(at, ")") + 1 : 1;
				at += strcspn(at, "sdifrx");
				at += *at != '\0';
				hole++;
				n += (unsigned) snprintf(message + n, 64, "%s",
					p->hole == hole ? p->value :
					p->take[hole - 1] == F_METHOD ? "PUT" :
					p->take[hole - 1] == F_VOLUME ?
					"c298f772-3d7e-4b13-90b3-e23b68af0b11" : "x");
			}
			message[n] = '\0';
			if (!match(logger, message))
				fail_msg("%s: %s", p->logger, message);
			for (unsigned i = 0; i < n_given && !found; i++)
				found = given[i].event == p->event &&
					(!p->name || text_is(&given[i].line.name, p->name));
			if (!found && p->event != LOG_NOTHING)
				fail_msg("%s: %s is another's", p->logger, p->text);
		}
}

/* -- Notes and operations ---------------------------------------------------------- */

static void
notes(void **state)
{
	struct notes notes = { 0 };
	char large[4000];
	json_t *object;

	(void) state;
	assert_true(notes_set_string(&notes, F_NAME, "a"));
	assert_false(notes_set_string(&notes, F_NAME, "a"));
	assert_true(notes_set_string(&notes, F_NAME, "b"));
	assert_true(notes_set_u64(&notes, F_PID, 7));
	assert_true(notes_set_string(&notes, F_EXCEPTION, "E"));
	assert_true(notes_set(&notes, F_DETAIL, (struct text) { "\xff\0\xfe", 3 }));
	assert_text(notes_get(&notes, F_NAME), "b");
	assert_true(notes_check(&notes));
	object = notes_json(&notes, true);
	assert_int_equal(json_integer_value(json_object_get(object, "pid")), 7);
	assert_string_equal(json_string_value(json_object_get(object, "detail")), "???");
	assert_non_null(json_object_get(json_object_get(object, "error"), "exception"));
	json_decref(object);
	assert_true(notes_clear(&notes, F_NAME));
	assert_false(notes_clear(&notes, F_NAME));
	memset(large, 'x', sizeof large);
	for (unsigned f = 1; f < N_LOG_FIELDS; f++)
		notes_set(&notes, f, (struct text) { large, sizeof large });
	assert_true(notes.dropped > 0 && notes.size <= NOTES_SIZE);
	assert_true(notes_check(&notes));
	notes.bytes[0] = N_LOG_FIELDS;
	assert_false(notes_check(&notes));
	notes.size = NOTES_SIZE + 1;
	assert_false(notes_check(&notes));
}

static void
operations(void **state)
{
	static const struct {
		const char *method, *path, *action, *name, *type, *id;
	} cases[] = {
		{ "POST", "/v2.1/servers", "", "server.create", "server", "" },
		{ "POST", "/compute/v2.1/229e825c049f41c48df8892ae42f521e/servers/i/action", "os-migrateLive",
		  "server.live-migrate", "server", "i" },
		{ "DELETE", "/v2.1/servers/i/os-volume_attachments/v", "", "server.detach-volume",
			"server", "i" },
		{ "POST", "/v3/229e825c049f41c48df8892ae42f521e/volumes/v1/action", "os-extend",
			"volume.extend",
		  "volume", "v1" },
		{ "POST", "/v3/229e825c049f41c48df8892ae42f521e/volumes/v1/action", "os-new_thing",
		  "volume.os-new_thing", "volume", "v1" },
		{ "PUT", "/v2.0/routers/r/add_router_interface?x=1", "", "router.add-interface",
			"router", "r" },
		{ "DELETE", "/v2.0/ports/p.json", "", "port.delete", "port", "p.json" },
		{ "POST", "/v2.0/security-group-rules", "", "security-group-rule.create",
		  "security-group-rule", "" },
		{ "PUT", "/allocations/a", "", "allocation.update", "allocation", "a" },
		{ "PATCH", "/v2/images/i", "", "image.update", "image", "i" },
		{ "PUT", "/resource_providers/r/inventories", "", "inventory.update",
			"resource_provider", "r" },
		{ "POST", "/v2.1/os-keypairs", "", "keypair.create", "keypair", "" },
		{ "GET", "/v2.1/servers/detail", "", "", "server", "" },
		{ "GET", "/", "", "", "", "" },
	};

	(void) state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct text method = text_of(cases[i].method), path = text_of(cases[i].path);
		const struct text action = text_of(cases[i].action);
		struct operation_found found;

		assert_int_equal(operation_find(&method, &path, &action, &found), *cases[i].name != '\0');
		assert_string_equal(found.name, cases[i].name);
		assert_string_equal(found.type, cases[i].type);
		assert_text(found.id.s ? found.id : text_of(""), cases[i].id);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_walks), cmocka_unit_test(json_refuses),
		cmocka_unit_test(json_unescapes), cmocka_unit_test(own_record),
		cmocka_unit_test(formatter_record), cmocka_unit_test(plain_record),
		cmocka_unit_test(loggers), cmocka_unit_test(by_format),
		cmocka_unit_test(by_template), cmocka_unit_test(by_version),
		cmocka_unit_test(by_value), cmocka_unit_test(completed), cmocka_unit_test(disks),
		cmocka_unit_test(all_rows), cmocka_unit_test(notes), cmocka_unit_test(operations),
	};
	int r;

	matcher = matcher_new();
	r = cmocka_run_group_tests(tests, NULL, NULL);
	matcher_free(matcher);
	return r;
}
