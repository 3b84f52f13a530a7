/* SPDX-License-Identifier: MIT
 *
 * ovs.c -- Open vSwitch's ports (ovs.h). */
#include "instrumentation/node/ovs.h"

#include <errno.h>
#include <jansson.h>
#include <linux/genetlink.h>
#include <linux/openvswitch.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "instrumentation/node/files.h"
#include "instrumentation/node/missing.h"
#include "instrumentation/node/netlink.h"
#include "instrumentation/node/set.h"
#include "lib/buf.h"

enum { MAX_ANSWER = 32 << 20, MAX_DATAPATHS = 16 };

/* Two views of the same ports, each of which may be missing. */
struct vport {
	char name[16];
	int32_t port;
	char datapath[16];
};
struct db_port {
	char name[16];
	int32_t ofport;
	char bridge[16], iface_id[40], mac[18];
};

static bool changed;

static void
note_change(const char *reason, const void *item)
{
	changed = true;
}

static const struct set_kind vport_kind = {
	.size = sizeof(struct vport), .key_size = 16, .max = 16384, .emit = note_change,
};
static const struct set_kind db_kind = {
	.size = sizeof(struct db_port), .key_size = 16, .max = 16384, .emit = note_change,
};
static struct set vports = { .kind = &vport_kind }, db_ports = { .kind = &db_kind };

const struct ovs_port *
ovs_find(const char *name)
{
	static struct ovs_port port;
	const struct vport *vport;
	const struct db_port *db;
	char key[16];

	TEXT_SET(key, name);
	vport = set_find(&vports, key);
	db = set_find(&db_ports, key);
	if (!vport && !db)
		return NULL;
	port = (struct ovs_port) { .port = -1, .ofport = -1 };
	TEXT_SET(port.name, name);
	if (vport) {
		port.port = vport->port;
		TEXT_SET(port.datapath, vport->datapath);
	}
	if (db) {
		port.ofport = db->ofport;
		TEXT_SET(port.bridge, db->bridge);
		TEXT_SET(port.iface_id, db->iface_id);
		TEXT_SET(port.mac, db->mac);
	}
	return &port;
}

/* -- The datapath ------------------------------------------------------------ */

struct datapaths {
	unsigned n;
	struct { int ifindex; char name[16]; } list[MAX_DATAPATHS];
	const char *name;        /* Of the one whose ports are being read. */
};

static void
take_family(void *context, const struct nlmsghdr *header, const void *payload, size_t size)
{
	uint16_t *ret_id = context;
	struct netlink_attribute a;
	bool more = size >= GENL_HDRLEN &&
		    netlink_first(&a, (const char *) payload + GENL_HDRLEN, size - GENL_HDRLEN);

	for (; more; more = netlink_next(&a))
		if (a.type == CTRL_ATTR_FAMILY_ID && a.size >= sizeof *ret_id)
			memcpy(ret_id, a.data, sizeof *ret_id);
}

static uint16_t
family(int fd, const char *name)
{
	const struct genlmsghdr get = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 };
	uint16_t id = 0;

	/* An acknowledgement ends the answer. */
	if (netlink_request(fd, GENL_ID_CTRL, NLM_F_ACK, &get, sizeof get, CTRL_ATTR_FAMILY_NAME, name) ||
	    netlink_answer(fd, take_family, &id))
		return 0;
	return id;
}

/* Attributes behind the two headers of OVS's messages. */
static bool
ovs_first(struct netlink_attribute *ret, const void *payload, size_t size, int *ret_ifindex)
{
	const size_t headers = GENL_HDRLEN + NLMSG_ALIGN(sizeof(struct ovs_header));
	struct ovs_header header;

	if (size < headers)
		return false;
	memcpy(&header, (const char *) payload + GENL_HDRLEN, sizeof header);
	*ret_ifindex = header.dp_ifindex;
	return netlink_first(ret, (const char *) payload + headers, size - headers);
}

static void
take_datapath(void *context, const struct nlmsghdr *header, const void *payload, size_t size)
{
	struct datapaths *datapaths = context;
	struct netlink_attribute a;
	int ifindex;

	for (bool more = ovs_first(&a, payload, size, &ifindex); more; more = netlink_next(&a)) {
		if (a.type != OVS_DP_ATTR_NAME || datapaths->n == MAX_DATAPATHS)
			continue;
		datapaths->list[datapaths->n].ifindex = ifindex;
		netlink_text(&a, datapaths->list[datapaths->n++].name, 16);
	}
}

static void
take_vport(void *context, const struct nlmsghdr *header, const void *payload, size_t size)
{
	const struct datapaths *datapaths = context;
	struct netlink_attribute a;
	struct vport port;
	int ifindex;

	memset(&port, 0, sizeof port);
	for (bool more = ovs_first(&a, payload, size, &ifindex); more; more = netlink_next(&a)) {
		if (a.type == OVS_VPORT_ATTR_NAME)
			netlink_text(&a, port.name, sizeof port.name);
		else if (a.type == OVS_VPORT_ATTR_PORT_NO)
			port.port = (int32_t) netlink_u32(&a);
	}
	TEXT_SET(port.datapath, datapaths->name);
	if (*port.name)
		set_put(&vports, &port);
}

static int
ask(int fd, uint16_t id, uint8_t command, int ifindex, netlink_fn *take, void *context)
{
	struct {
		struct genlmsghdr genl;
		struct ovs_header ovs;
	} header = { { .cmd = command, .version = 1 }, { .dp_ifindex = ifindex } };
	int r = netlink_request(fd, id, NLM_F_DUMP, &header, sizeof header, 0, NULL);

	return r ? r : netlink_answer(fd, take, context);
}

static void
scan_datapaths(void)
{
	_cleanup_(closep) int fd = netlink_open(NETLINK_GENERIC, 0);
	struct datapaths datapaths = { 0 };
	uint16_t datapath_id = fd < 0 ? 0 : family(fd, OVS_DATAPATH_FAMILY);
	uint16_t vport_id = datapath_id ? family(fd, OVS_VPORT_FAMILY) : 0;

	if (vport_id)
		ask(fd, datapath_id, OVS_DP_CMD_GET, 0, take_datapath, &datapaths);
	for (unsigned i = 0; i < datapaths.n; i++) {
		datapaths.name = datapaths.list[i].name;
		ask(fd, vport_id, OVS_VPORT_CMD_GET, datapaths.list[i].ifindex, take_vport, &datapaths);
	}
	set_sweep(&vports);
}

/* -- OVSDB ------------------------------------------------------------------- */

static int db = -1;
static bool asked;
static struct buf answer;
/* Where the JSON text in 'answer' is, to see its end. */
static struct { size_t at; int depth; bool string, escaped; } scan;

static void
disconnect(void)
{
	closep(&db);
	db = -1;
	asked = false;
	buf_done(&answer);
	memset(&scan, 0, sizeof scan);
}

static void
connect_db(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	TEXT_SET(address.sun_path, "/run/openvswitch/db.sock");
	db = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (db < 0 || !connect(db, (const struct sockaddr *) &address, sizeof address))
		return;
	if (errno == EACCES || errno == EPERM)
		missing_note("ovsdb", "no permission for %s", address.sun_path);
	disconnect();
}

static void
ask_db(void)
{
	static const char request[] =
		"{\"id\":1,\"method\":\"transact\",\"params\":[\"Open_vSwitch\","
		"{\"op\":\"select\",\"table\":\"Interface\",\"where\":[],"
		"\"columns\":[\"_uuid\",\"name\",\"ofport\",\"external_ids\"]},"
		"{\"op\":\"select\",\"table\":\"Port\",\"where\":[],\"columns\":[\"_uuid\",\"interfaces\"]},"
		"{\"op\":\"select\",\"table\":\"Bridge\",\"where\":[],\"columns\":[\"name\",\"ports\"]}]}";

	if (db < 0)
		connect_db();
	if (db < 0 || asked)
		return;
	asked = send(db, request, sizeof request - 1, MSG_NOSIGNAL) == (ssize_t) sizeof request - 1;
	if (!asked)
		disconnect();
}

/* The i-th of a column that holds one UUID or a set of them; NULL behind the last. */
static const char *
uuid_at(const json_t *column, size_t i)
{
	const char *kind = json_string_value(json_array_get(column, 0));

	if (kind && streq(kind, "uuid"))
		return i ? NULL : json_string_value(json_array_get(column, 1));
	return json_string_value(json_array_get(json_array_get(json_array_get(column, 1), i), 1));
}

static const char *
map_value(const json_t *column, const char *key)
{
	const json_t *pairs = json_array_get(column, 1), *pair;
	size_t i;

	json_array_foreach((json_t *) pairs, i, pair) {
		const char *name = json_string_value(json_array_get(pair, 0));

		if (name && streq(name, key))
			return json_string_value(json_array_get(pair, 1));
	}
	return NULL;
}

/* To 'map' (a JSON object): each UUID of the rows' column, with the value that
 * 'names' has for the row's own UUID, or the row's name. */
static void
map_members(const json_t *rows, const char *column, const json_t *names, json_t *map)
{
	const json_t *row;
	const char *member;
	size_t i;

	json_array_foreach((json_t *) rows, i, row) {
		const char *own = uuid_at(json_object_get(row, "_uuid"), 0);
		json_t *name = names ? json_object_get(names, own ? own : "") : json_object_get(row, "name");

		for (size_t j = 0; name && (member = uuid_at(json_object_get(row, column), j)); j++)
			json_object_set(map, member, name);
	}
}

static void
take_interface(const json_t *row, const json_t *bridges)
{
	const char *uuid = uuid_at(json_object_get(row, "_uuid"), 0);
	const json_t *ofport = json_object_get(row, "ofport"), *ids = json_object_get(row, "external_ids");
	struct db_port port;

	memset(&port, 0, sizeof port);
	TEXT_SET(port.name, json_string_value(json_object_get(row, "name")));
	TEXT_SET(port.bridge, json_string_value(json_object_get(bridges, uuid ? uuid : "")));
	TEXT_SET(port.iface_id, map_value(ids, "iface-id"));
	TEXT_SET(port.mac, map_value(ids, "attached-mac"));
	port.ofport = json_is_integer(ofport) ? (int32_t) json_integer_value(ofport) : -1;
	if (*port.name)
		set_put(&db_ports, &port);
}

bool
ovs_take_answer(const char *json, size_t size)
{
	json_t *reply = json_loadb(json, size, 0, NULL), *ports = json_object(), *bridges = json_object();
	const json_t *result = json_object_get(reply, "result"), *row;
	const json_t *rows = json_object_get(json_array_get(result, 0), "rows");
	size_t i;

	map_members(json_object_get(json_array_get(result, 2), "rows"), "ports", NULL, ports);
	map_members(json_object_get(json_array_get(result, 1), "rows"), "interfaces", ports, bridges);
	json_array_foreach((json_t *) rows, i, row)
		take_interface(row, bridges);
	if (rows)
		set_sweep(&db_ports);
	json_decref(ports);
	json_decref(bridges);
	json_decref(reply);
	return rows != NULL;
}

/* Whether one JSON text is whole; it ends before scan.at. */
static bool
is_whole(void)
{
	while (scan.at < answer.size) {
		char c = answer.data[scan.at++];

		if (scan.string) {
			scan.string = scan.escaped || c != '"';
			scan.escaped = !scan.escaped && c == '\\';
		} else if (c == '"') {
			scan.string = true;
		} else if (c == '{' || c == '[') {
			scan.depth++;
		} else if ((c == '}' || c == ']') && --scan.depth <= 0) {
			return true;
		}
	}
	return false;
}

bool
ovs_ready(void)
{
	ssize_t n;

	changed = false;
	do {
		n = recv(db, buf_reserve(&answer, 64 << 10), 64 << 10, 0);
		if (n > 0)
			answer.size += (size_t) n;
	} while (n > 0 && answer.size < MAX_ANSWER);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		disconnect();
		return false;
	}
	while (is_whole()) {
		/* What else comes are its questions whether we are alive. */
		if (ovs_take_answer(answer.data, scan.at))
			asked = false;
		buf_consume(&answer, scan.at);
		memset(&scan, 0, sizeof scan);
	}
	if (answer.size >= MAX_ANSWER) {
		node_counters.left_out++;
		disconnect();
	}
	return changed;
}

/* ---------------------------------------------------------------------------- */

bool
ovs_scan(void)
{
	bool datapath_changed;

	if (!files_are_real())
		return false;
	changed = false;
	scan_datapaths();
	datapath_changed = changed;
	ask_db();
	return datapath_changed;
}

int
ovs_fd(void)
{
	return db;
}

void
ovs_done(void)
{
	disconnect();
	set_done(&vports, false);
	set_done(&db_ports, false);
}
