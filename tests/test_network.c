/* SPDX-License-Identifier: MIT
 *
 * test_network.c -- what a migration meant for the VM's network: joined from
 * addresses that Open vSwitch saw and the sides of the migration, in any order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/network.h"
#include "tests/store_fixture.h"

/* An address that came to a port; 'from' unanswered packets went to where it was. */
static struct fact
address_fact(const char *host, unsigned pid, const char *ifname, uint64_t since_ns,
	     uint64_t forwarded_ns, uint64_t left_ns, unsigned unanswered, unsigned strays)
{
	struct fact fact = { .type = FACT_ENTITY, .host = host, .kind = "net.address",
			     .key = "52:54:00:00:00:01", .start_ns = since_ns };

	fact.attributes = json_pack("{s:s, s:s, s:I, s:i}", "mac", fact.key, "ifname", ifname,
				    "forwarded_ns", (json_int_t) forwarded_ns, "port_no", 3);
	if (pid)
		json_object_set_new(fact.attributes, "pid", json_integer(pid));
	if (left_ns)
		json_object_set_new(fact.attributes, "from", json_pack(
			"{s:I, s:i, s:i}", "last_ns", (json_int_t) left_ns, "unanswered",
			unanswered, "strays", strays));
	return fact;
}

static struct fact
nic_fact(const char *host, unsigned pid, const char *mac)
{
	struct fact fact = { .type = FACT_ENTITY, .host = host, .kind = "qemu.nic" };

	snprintf(fact.key, sizeof fact.key, "%u/0", pid);
	fact.attributes = json_pack("{s:s, s:i}", "mac", mac, "pid", pid);
	return fact;
}

static struct fact
source_fact(const char *host)
{
	return side_fact(&(struct given_side) {
		.source = true, .host = host, .pid = 10, .start = T0, .connect = T0 + MS(10),
		.stop = T0 + S(5), .end = T0 + S(5) + MS(50), .status = "completed",
		.uri = "tcp:10.0.0.2:4444" });
}

static struct fact
destination_fact(const char *host)
{
	return side_fact(&(struct given_side) {
		.host = host, .pid = 20, .start = T0 + MS(5), .connect = T0 + MS(11),
		.run = T0 + S(5) + MS(40), .end = T0 + S(5) + MS(60), .status = "completed",
		.uri = "tcp:0.0.0.0:4444" });
}

/* The record that these facts give, whatever their order. */
static json_t *
join(struct fact *facts, size_t n)
{
	char *first = NULL;
	json_t *record = NULL;

	for (unsigned round = 0; round < 24; round++) {
		struct store *store = open_store(temporary("network"), STORE_WRITE);
		struct hub *hub = hub_new(store, NULL);
		json_t *list;
		char *text;

		/* Each in a transaction of its own, rotated and turned around. */
		for (size_t i = 0; i < n; i++)
			give_all(store, hub, &facts[((round & 1 ? n - 1 - i : i) + round / 2) % n], 1);
		text = dump(store);
		if (first)
			assert_string_equal(text, first);
		list = store_migration_list(store, NULL, NULL);
		assert_int_equal(json_array_size(list), 1);
		json_decref(record);
		record = json_incref(json_array_get(list, 0));
		json_decref(list);
		free(first);
		first = text;
		hub_free(hub);
		store_close(store);
		temporary_done();
	}
	free(first);
	facts_done(facts, n);
	return record;
}

static void
by_process(void **state)
{
	struct fact facts[] = {
		source_fact("compute-01"), destination_fact("compute-02"),
		address_fact("compute-02", 20, "tap1", T0 + S(5) + MS(45), T0 + S(5) + MS(47), 0, 0, 0),
		/* An address of somebody else, and where the VM was long ago. */
		address_fact("compute-02", 0, "uplink", T0 - S(90), T0 - S(90), 0, 0, 0),
		address_fact("compute-01", 0, "uplink", T0 + S(5) + MS(48), T0 + S(5) + MS(49),
			     T0 + S(4) + MS(900), 2, 1),
	};
	json_t *record = join(facts, ARRAY_SIZE(facts)), *network;

	assert_int_equal(number(record, "network_blackout_ns"), MS(7));
	assert_int_equal(number(record, "packets_to_source"), 3);
	network = json_array_get(json_object_get(record, "network"), 0);
	assert_string_equal(member(network, "ifname"), "tap1");
	assert_int_equal(number(network, "first_forwarded_ns"), T0 + S(5) + MS(47));
	assert_int_equal(number(network, "gap_ns"), MS(147));
	json_decref(record);
}

static void
by_network_card_on_one_host(void **state)
{
	struct fact facts[] = {
		source_fact("compute-01"), destination_fact("compute-01"),
		nic_fact("compute-01", 20, "52:54:00:00:00:01"),
		address_fact("compute-01", 0, "tap2", T0 + S(5) + MS(42), T0 + S(5) + MS(43),
			     T0 + S(4) + MS(999), 0, 1),
		address_fact("compute-01", 0, "tap1", T0 - S(50), T0 - S(50), 0, 0, 0),
	};
	json_t *record = join(facts, ARRAY_SIZE(facts));

	assert_int_equal(number(record, "network_blackout_ns"), MS(3));
	assert_int_equal(number(record, "packets_to_source"), 1);
	assert_int_equal(json_array_size(json_object_get(record, "network")), 1);
	json_decref(record);
}

/* A guest that says nothing has no blackout that could be told. */
static void
silent(void **state)
{
	struct fact facts[] = {
		source_fact("compute-01"), destination_fact("compute-02"),
		nic_fact("compute-02", 20, "52:54:00:00:00:01"),
		address_fact("compute-02", 0, "tap1", T0 + S(500), T0 + S(500), 0, 0, 0),
	};
	json_t *record = join(facts, ARRAY_SIZE(facts));

	assert_true(json_is_null(json_object_get(record, "network_blackout_ns")));
	assert_true(json_is_null(json_object_get(record, "packets_to_source")));
	assert_int_equal(json_array_size(json_object_get(record, "network")), 0);
	json_decref(record);
}

/* -- Changes and what asked for them -------------------------------------------- */

#define PORT "1e2f3a4b-5c6d-4e7f-8a9b-0c1d2e3f4a5b"

static struct fact
neutron_fact(enum fact_type type, const char *kind, const char *key, uint64_t start_ns,
	     json_t *attributes)
{
	struct fact fact = { .type = type, .host = "controller", .kind = kind,
			     .start_ns = start_ns, .attributes = attributes };

	snprintf(fact.key, sizeof fact.key, "%s", key);
	if (type == FACT_SPAN) {
		fact.end_ns = start_ns + MS(300);
		fact.status = "ok";
	}
	return fact;
}

static struct fact
change_fact(const char *op, const char *name, uint64_t t_ns)
{
	struct fact fact = { .type = FACT_MARK, .host = "compute-01", .kind = "ovs.change",
			     .start_ns = t_ns };

	snprintf(fact.key, sizeof fact.key, "%s/77", op);
	fact.attributes = json_pack("{s:s, s:s, s:s, s:i, s:i}", "op", op, "name", name, "comm",
				    "ovs-vswitchd", "ret", 0, "tid", 77);
	return fact;
}

static json_t *
change_of(const json_t *changes, const char *op, const char *name)
{
	json_t *change;
	size_t i;

	json_array_foreach(json_object_get(changes, "changes"), i, change)
		if (!strcmp(member(change, "op"), op) && !strcmp(member(change, "name"), name))
			return change;
	return NULL;
}

static void
spellings(void **state)
{
	static const struct { const char *text, *address; } good[] = {
		{ "52:54:00:AA:00:50", "52:54:00:aa:00:50" },
		{ "52-54-00-aa-00-50", "52:54:00:aa:00:50" },
		{ "5254.00aa.0050", "52:54:00:aa:00:50" }, { "525400AA0050", "52:54:00:aa:00:50" },
		{ "fe80::5054:ff:feaa:50", "52:54:00:aa:00:50" }, { "10.1.0.50", "10.1.0.50" },
	};
	static const char *const bad[] = {
		"", "tap1", "10.1.0", "10.1.0.256", "52:54:00:aa:00", "52:54:00:aa:00:50:1",
		"52:54-00:aa:00:50", "52:54:00:aa:00:5g", "5254:00aa:0050", "fd00::1",
		"52:54:00:aa:0050:", "::ffff:10.1.0.50x",
	};
	char address[NETWORK_ADDRESS];

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(network_address_parse(good[i].text, address, NULL), 0);
		assert_string_equal(address, good[i].address);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(network_address_parse(bad[i], address, NULL), -EINVAL);
}

/* A VM that moved was on the host that heard it before; where no process sends, it is
 * at the port with the fewest addresses. */
static void
likeliest_place(void **state)
{
	struct fact facts[] = {
		address_fact("compute-01", 10, "tap1", T0, T0, 0, 0, 0),
		address_fact("compute-02", 20, "tap1", T0 + S(9), T0 + S(9), 0, 0, 0),
		address_fact("network-01", 0, "uplink", T0 + S(10), T0 + S(10), 0, 0, 0),
		address_fact("network-01", 0, "uplink", T0 + S(10), T0 + S(10), 0, 0, 0),
		address_fact("network-02", 0, "port", T0 + S(1), T0 + S(1), 0, 0, 0),
	};
	static const char *const hosts[] = { "compute-02", "compute-01", "network-02", "network-01" };
	const struct network_query all = { 0 };
	struct store *store = open_store(temporary("places"), STORE_WRITE);
	struct hub *hub = hub_new(store, NULL);
	json_t *places;

	snprintf(facts[3].key, sizeof facts[3].key, "52:54:00:00:00:02");
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		json_object_set_new(facts[i].attributes, "last_ns",
				    json_integer((json_int_t) facts[i].start_ns));
	give_all(store, hub, facts, ARRAY_SIZE(facts));
	places = network_where(store, "5254.0000.0001", &all, NULL);
	assert_int_equal(json_array_size(places), ARRAY_SIZE(hosts));
	for (size_t i = 0; i < json_array_size(places); i++) {
		const json_t *place = json_array_get(places, i);

		assert_string_equal(member(place, "host"), hosts[i]);
		assert_int_equal(json_is_true(json_object_get(place, "local")), i == 0);
	}
	json_decref(places);
	facts_done(facts, ARRAY_SIZE(facts));
	hub_free(hub);
	store_close(store);
	temporary_done();
}

static void
changes_have_reasons(void **state)
{
	struct fact facts[] = {
		neutron_fact(FACT_ENTITY, "port", PORT, 0, json_pack(
			"{s:s, s:s}", "mac", "fa:16:3e:00:00:01", "tap", "tap1e2f3a4b-5c")),
		neutron_fact(FACT_SPAN, "neutron.step", "port.create/" PORT, T0, json_pack(
			"{s:s, s:s, s:s, s:b, s:s}", "name", "port.create", "port", PORT,
			"request_id", "req-1", "rid_ok", 1, "service", "neutron-server")),
		neutron_fact(FACT_SPAN, "neutron.step", "port.delete/" PORT, T0 + S(100), json_pack(
			"{s:s, s:s, s:s, s:b, s:s}", "name", "port.delete", "port", PORT,
			"request_id", "req-2", "rid_ok", 1, "service", "neutron-server")),
		change_fact("vport.new", "tap1e2f3a4b-5c", T0 + S(2)),
		change_fact("vport.del", "tap1e2f3a4b-5c", T0 + S(101)),
		change_fact("vport.new", "tapffffffff-ff", T0 + S(3)),
		address_fact("compute-01", 20, "tap2", T0 + S(4), T0 + S(4), T0 + S(3), 1, 0),
	};
	const struct network_query all = { 0 };
	struct store *store = open_store(temporary("changes"), STORE_WRITE);
	struct hub *hub = hub_new(store, NULL);
	json_t *changes, *change;

	give_all(store, hub, facts, ARRAY_SIZE(facts));
	changes = network_changes(store, &all, NULL);
	assert_int_equal(json_array_size(json_object_get(changes, "changes")), 3);
	change = change_of(changes, "vport.new", "tap1e2f3a4b-5c");
	assert_string_equal(member(change, "port_id"), PORT);
	assert_string_equal(member(change, "request_id"), "req-1");
	assert_string_equal(member(json_object_get(change, "step"), "name"), "port.create");
	change = change_of(changes, "vport.del", "tap1e2f3a4b-5c");
	assert_string_equal(member(change, "request_id"), "req-2");
	/* Nobody knows who wanted that one. */
	change = change_of(changes, "vport.new", "tapffffffff-ff");
	assert_true(json_is_null(json_object_get(change, "port_id")));
	assert_true(json_is_null(json_object_get(change, "step")));
	assert_int_equal(json_array_size(json_object_get(changes, "moves")), 1);
	json_decref(changes);
	facts_done(facts, ARRAY_SIZE(facts));
	hub_free(hub);
	store_close(store);
	temporary_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_process),
		cmocka_unit_test(by_network_card_on_one_host),
		cmocka_unit_test(silent),
		cmocka_unit_test(spellings),
		cmocka_unit_test(likeliest_place),
		cmocka_unit_test(changes_have_reasons),
	};

	return cmocka_run_group_tests_name("network", tests, NULL, NULL);
}
