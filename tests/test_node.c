/* SPDX-License-Identifier: MIT
 *
 * test_node.c -- cloudtrace-node's reading of what others wrote: command lines,
 * OVSDB's answers, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "instrumentation/node/cmdline.h"
#include "instrumentation/node/files.h"
#include "instrumentation/node/keyval.h"
#include "instrumentation/node/ovs.h"
#include "instrumentation/node/services.h"
#include "instrumentation/node/set.h"
#include "lib/buf.h"

#define UUID "5f9cd898-418c-4ee1-9bea-058f60f6a020"
#define VOLUME "c0ffee00-1111-2222-3333-444455556666"

/* Arguments as /proc has them: each ended by NUL. */
static struct cmdline *
parse_list(const char *first, ...)
{
	_cleanup_(buf_done) struct buf bytes = { 0 };
	va_list list;

	va_start(list, first);
	for (const char *argument = first; argument; argument = va_arg(list, const char *))
		buf_add(&bytes, argument, strlen(argument) + 1);
	va_end(list);
	return cmdline_parse(bytes.data, bytes.size);
}
#define PARSE(...) parse_list("/usr/bin/qemu-system-x86_64", __VA_ARGS__, NULL)

static void
libvirt_with_json(void **state)
{
	struct cmdline *c = PARSE(
		"-name", "guest=instance-00000037,debug-threads=on", "-S", "-uuid", UUID,
		"-machine", "pc-q35-7.2,usb=off,dump-guest-core=off,memory-backend=pc.ram",
		"-accel", "kvm", "-m", "size=4194304k", "-smp",
		"4,sockets=4,dies=1,cores=1,threads=1", "-object",
		"{\"qom-type\":\"iothread\",\"id\":\"iothread1\"}", "-incoming", "defer",
		"-blockdev",
		"{\"driver\":\"file\",\"filename\":\"/var/lib/nova/instances/" UUID "/disk\","
		"\"node-name\":\"libvirt-2-storage\",\"cache\":{\"direct\":true},\"auto-read-"
		"only\":true}",
		"-blockdev",
		"{\"node-name\":\"libvirt-2-format\",\"read-only\":false,\"driver\":\"qcow2\","
		"\"file\":\"libvirt-2-storage\",\"backing\":null}",
		"-device",
		"{\"driver\":\"virtio-blk-pci\",\"bus\":\"pci.4\",\"drive\":\"libvirt-2-format\","
		"\"id\":\"virtio-disk0\",\"bootindex\":1}",
		"-blockdev",
		"{\"driver\":\"host_device\",\"filename\":\"/dev/sdb\","
		"\"node-name\":\"libvirt-1-storage\"}",
		"-blockdev",
		"{\"node-name\":\"libvirt-1-format\",\"read-only\":true,\"driver\":\"raw\","
		"\"file\":\"libvirt-1-storage\"}",
		"-device",
		"{\"driver\":\"virtio-blk-pci\",\"drive\":\"libvirt-1-format\",\"id\":\"virtio-"
		"disk1\","
		"\"serial\":\"" VOLUME "\"}",
		"-netdev",
		"{\"type\":\"tap\",\"fds\":\"33:34\",\"vhost\":true,\"vhostfds\":\"35:36\",\"id\":"
		"\"hostnet0\"}",
		"-device",
		"{\"driver\":\"virtio-net-pci\",\"mq\":true,\"netdev\":\"hostnet0\",\"id\":"
		"\"net0\","
		"\"mac\":\"fa:16:3e:01:02:03\"}");

	(void)state;
	assert_string_equal(c->uuid, UUID);
	assert_string_equal(c->name, "instance-00000037");
	assert_string_equal(c->machine, "pc-q35-7.2");
	assert_string_equal(c->accel, "kvm");
	assert_string_equal(c->incoming, "defer");
	assert_int_equal(c->memory_mib, 4096);
	assert_int_equal(c->vcpus, 4);
	assert_int_equal(c->n_disks, 2);
	assert_string_equal(c->disks[0].path, "/var/lib/nova/instances/" UUID "/disk");
	assert_string_equal(c->disks[0].format, "qcow2");
	assert_string_equal(c->disks[0].device, "virtio-disk0");
	assert_false(c->disks[0].readonly);
	assert_string_equal(c->disks[1].path, "/dev/sdb");
	assert_string_equal(c->disks[1].format, "raw");
	assert_string_equal(c->disks[1].serial, VOLUME);
	assert_true(c->disks[1].readonly);
	assert_int_equal(c->n_nics, 1);
	assert_string_equal(c->nics[0].mac, "fa:16:3e:01:02:03");
	assert_string_equal(c->nics[0].model, "virtio-net-pci");
	assert_int_equal(c->nics[0].n_fds, 2);
	assert_int_equal(c->nics[0].fds[1], 34);
	assert_true(c->nics[0].vhost);
	assert_int_equal(c->left_out + c->malformed, 0);
	free(c);
}

static void
older_syntax(void **state)
{
	struct cmdline *c = PARSE(
		"-name", "web,,1,process=qemu:web", "--uuid", UUID, "-M", "q35,accel=kvm:tcg", "-m",
		"2G", "-smp", "cpus=2,maxcpus=8", "-hda", "/images/a,b.img", "-drive",
		"file=/dev/mapper/vg-volume--1,format=raw,if=none,id=drive-virtio-disk0,cache=none",
		"-device",
		"virtio-blk-pci,scsi=off,drive=drive-virtio-disk0,id=virtio-disk0,serial=" VOLUME,
		"-drive", "file=/cd.iso,media=cdrom", "-netdev",
		"tap,fd=27,id=hostnet0,vhost=on,vhostfd=28", "-device",
		"rtl8139,netdev=hostnet0,id=net0,mac=fa:16:3e:0a:0b:0c", "-nic",
		"tap,ifname=tap9,mac=52:54:00:00:00:01,model=e1000");

	(void)state;
	assert_string_equal(c->name, "web,1");
	assert_string_equal(c->uuid, UUID);
	assert_string_equal(c->machine, "q35");
	assert_string_equal(c->accel, "kvm");
	assert_int_equal(c->memory_mib, 2048);
	assert_int_equal(c->vcpus, 2);
	assert_int_equal(c->n_disks, 3);
	assert_string_equal(c->disks[0].path, "/images/a,b.img");
	assert_string_equal(c->disks[1].serial, VOLUME);
	assert_string_equal(c->disks[1].device, "virtio-disk0");
	assert_true(c->disks[2].readonly);
	assert_int_equal(c->n_nics, 2);
	assert_int_equal(c->nics[0].fds[0], 27);
	assert_string_equal(c->nics[0].model, "rtl8139");
	assert_string_equal(c->nics[1].ifname, "tap9");
	assert_string_equal(c->nics[1].mac, "52:54:00:00:00:01");
	free(c);
}

static void
network_disks_without_secrets(void **state)
{
	static const struct {
		const char *option, *argument, *path;
	} cases[] = {
		{ "-blockdev",
		  "{\"driver\":\"rbd\",\"pool\":\"volumes\",\"image\":\"volume-" VOLUME "\","
		  "\"server\":[{\"host\":\"10.0.0.1\",\"port\":\"6789\"}],\"user\":\"cinder\","
		  "\"node-name\":\"a\"}",
		  "rbd:volumes/volume-" VOLUME },
		{ "-blockdev",
		  "driver=qcow2,node-name=b,file.driver=nbd,file.server.type=inet,"
		  "file.server.host=h,file.server.port=10809,file.export=e",
		  "nbd:h:10809/e" },
		{ "-blockdev",
		  "{\"driver\":\"iscsi\",\"portal\":\"10.0.0.1:3260\",\"target\":\"iqn.x:"
		  "volume-" VOLUME "\",\"lun\":1,\"password-secret\":\"s\",\"node-name\":\"c\"}",
		  "iscsi:10.0.0.1:3260/iqn.x:volume-" VOLUME "/1" },
		{ "-drive", "file=rbd:volumes/v1:id=cinder:key=TOPSECRET==:auth_supported=cephx",
		  "rbd:volumes/v1" },
		{ "-drive", "file=https://user:TOPSECRET@host/path/x@y.img",
		  "https://host/path/x@y.img" },
		{ "-drive", "file=json:{\"driver\":\"rbd\",,\"key-secret\":\"TOPSECRET\"}",
		  "json:" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cmdline *c = PARSE(cases[i].option, cases[i].argument);

		assert_int_equal(c->n_disks, 1);
		assert_string_equal(c->disks[0].path, cases[i].path);
		assert_true(c->disks[0].network);
		free(c);
	}
}

static void
probes_are_no_vms(void **state)
{
	struct cmdline *c = PARSE("-S", "-no-user-config", "-nodefaults", "-nographic", "-machine",
				  "none,accel=kvm:tcg", "-qmp", "unix:/x,server=on");

	(void) state;
	assert_true(c->probe);
	free(c);
}

static void
hostile_lines(void **state)
{
	_cleanup_(buf_done) struct buf bytes = { 0 };
	struct cmdline *c;

	(void)state;
	/* Options without their argument, nonsense in them, layers in a circle. */
	c = PARSE("-blockdev", "{", "-blockdev", "{\"a\":[[[[[[[[[[[[1]]]]]]]]]]]]}", "-m", "-1",
		  "-smp", "x", "-blockdev", "driver=qcow2,node-name=a,file=b", "-blockdev",
		  "driver=raw,node-name=b,file=a", "-device", "virtio-blk,drive=a", "-netdev",
		  "tap,fds=1:2:::::99999999999999999999:7,id=", "-device", "x,netdev=", "-drive",
		  ",,,,=", "-name", "", "-uuid");
	assert_int_equal(c->malformed, 2);
	assert_int_equal(c->vcpus, 1);
	assert_int_equal(c->memory_mib, 128);
	assert_int_equal(c->nics[0].n_fds, 3);
	free(c);
	/* More of everything than there is room for. */
	for (int i = 0; i < 3000; i++) {
		char argument[64];

		for (int j = 0; j < 2; j++) {
			buf_add(&bytes, j ? "-netdev" : "-drive", j ? 8 : 7);
			snprintf(argument, sizeof argument, j ? "tap,id=n%d" : "file=/d%d", i);
			buf_add(&bytes, argument, strlen(argument) + 1);
		}
	}
	c = cmdline_parse(bytes.data, bytes.size);
	assert_int_equal(c->n_disks, CMDLINE_DISKS);
	assert_int_equal(c->n_nics, CMDLINE_NICS);
	assert_true(c->left_out > 1000);
	free(c);
	/* One argument, as long as can be; nothing at all. */
	buf_clear(&bytes);
	buf_add(&bytes, "-drive", 7);
	for (int i = 0; i < CMDLINE_SIZE; i++)
		buf_add_char(&bytes, i % 3 ? ',' : '=');
	c = cmdline_parse(bytes.data, bytes.size);
	assert_true(c->malformed + c->left_out > 0);
	free(c);
	c = cmdline_parse("", 0);
	assert_string_equal(c->uuid, "");
	free(c);
}

static void
names_and_numbers(void **state)
{
	char id[40], place[4];
	int n = 7;

	(void)state;
	assert_true(text_volume_id("/dev/cinder/volume-" VOLUME, id));
	assert_string_equal(id, VOLUME);
	assert_true(text_volume_id(
		"cinder--volumes-volume--c0ffee00--1111--2222--3333--444455556666", id));
	assert_string_equal(id, VOLUME);
	assert_true(text_volume_id("volume-x/volume-" VOLUME ".deleted", id));
	assert_false(text_volume_id("volume-" VOLUME "0", id));
	assert_false(text_volume_id("volume-c0ffee00-1111-2222-3333-44445555666", id));
	assert_false(text_volume_id("volume-", id));
	assert_true(text_number("12x", &n));
	assert_int_equal(n, 12);
	assert_false(text_number("2147483648", &n));
	assert_false(text_number("-1", &n));
	assert_false(text_number("", &n));
	TEXT_SET(place, "abcdef");
	assert_string_equal(place, "abc");
}

static void
service_names(void **state)
{
	static const struct {
		const char *comm, *cmdline, *service, *project;
		size_t size;
	} cases[] = {
#define LINE(S) S, .size = sizeof(S)
		{ "nova-compute", .service = "nova-compute", .project = "nova",
		  .cmdline = LINE("/usr/bin/python3\0/usr/bin/nova-compute\0--config-file\0/etc/"
				  "nova/nova.conf") },
		{ "neutron-openvsw", .service = "neutron-openvswitch-agent", .project = "neutron",
		  .cmdline = LINE("/usr/bin/python3\0/usr/bin/neutron-openvswitch-agent") },
		{ "python3", .service = "cinder-volume", .project = "cinder",
		  .cmdline = LINE("python3\0-u\0/opt/stack/bin/cinder-volume\0-d") },
		{ "uwsgi", .service = "nova-api", .project = "nova",
		  .cmdline = LINE("/usr/bin/uwsgi\0--ini\0/etc/nova/nova-api-uwsgi.ini") },
		{ "apache2", .service = "placement-api", .project = "placement",
		  .cmdline = LINE("(wsgi:placement-api) -k start") },
		{ "privsep-helper", .service = "privsep-helper", .project = "neutron",
		  .cmdline = LINE("/usr/bin/python3\0/usr/bin/"
				  "privsep-helper\0--privsep_context\0neutron.privileged.x") },
		{ "ovs-vswitchd", .service = "ovs-vswitchd", .project = "openvswitch",
		  .cmdline = LINE("ovs-vswitchd\0unix:/run/x") },
		{ "systemd-timesyn", .service = "systemd-timesyncd", .project = "time",
		  .cmdline = LINE("x") },
		{ "python3", .cmdline = LINE("python3\0/home/x.py\0/usr/bin/nova-compute") },
		{ "apache2", .cmdline = LINE("/usr/sbin/apache2\0-k\0start") },
		{ "uwsgi", .cmdline = LINE("") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char name[64] = "";
		const char *project = services_match(cases[i].comm, cases[i].cmdline, cases[i].size,
						     name, sizeof name);

		if (!cases[i].project) {
			assert_null(project);
			continue;
		}
		assert_non_null(project);
		assert_string_equal(project, cases[i].project);
		assert_string_equal(name, cases[i].service);
	}
}

static bool
take(const char *json)
{
	return ovs_take_answer(json, strlen(json));
}

static void
ovsdb_answers(void **state)
{
	const struct ovs_port *port;

	(void)state;
	assert_true(
		take("{\"id\":1,\"error\":null,\"result\":[{\"rows\":["
		     "{\"_uuid\":[\"uuid\",\"i1\"],\"name\":\"tap5f9cd898-41\",\"ofport\":7,"
		     "\"external_ids\":[\"map\","
		     "[[\"attached-mac\",\"fa:16:3e:01:02:03\"],[\"iface-id\",\"" UUID "\"]]]},"
		     "{\"_uuid\":[\"uuid\",\"i2\"],\"name\":\"br-int\",\"ofport\":[\"set\",[]],"
		     "\"external_ids\":[\"map\",[]]}]},"
		     "{\"rows\":[{\"_uuid\":[\"uuid\",\"p1\"],\"interfaces\":[\"uuid\",\"i1\"]},"
		     "{\"_uuid\":[\"uuid\",\"p2\"],\"interfaces\":[\"set\",[[\"uuid\",\"i2\"]]]}]},"
		     "{\"rows\":[{\"name\":\"br-int\",\"ports\":[\"set\",[[\"uuid\",\"p1\"],["
		     "\"uuid\",\"p2\"]]]}]}]}"));
	port = ovs_find("tap5f9cd898-41");
	assert_non_null(port);
	assert_int_equal(port->ofport, 7);
	assert_int_equal(port->port, -1);
	assert_string_equal(port->iface_id, UUID);
	assert_string_equal(port->bridge, "br-int");
	assert_string_equal(port->mac, "fa:16:3e:01:02:03");
	port = ovs_find("br-int");
	assert_non_null(port);
	assert_int_equal(port->ofport, -1);
	assert_string_equal(port->bridge, "br-int");
	/* Nonsense changes nothing; an answer without rows empties it. */
	assert_false(take("{\"id\":\"echo\",\"method\":\"echo\",\"params\":[]}"));
	assert_false(take("{\"result\":[{\"error\":\"x\"},1,null]}"));
	assert_false(take("["));
	assert_true(take("{\"result\":[{\"rows\":[{\"name\":7},{\"name\":null,\"_uuid\":[1,2],"
			 "\"external_ids\":3},8]},"
			 "{\"rows\":[{\"interfaces\":[\"set\",[[1]]]}]},{\"rows\":{}}]}"));
	assert_null(ovs_find("br-int"));
	ovs_done();
}

static unsigned n_new, n_changed, n_gone;

static void
count(const char *reason, const void *item)
{
	(void)item;
	n_new += streq(reason, "new");
	n_changed += streq(reason, "change");
	n_gone += streq(reason, "gone");
}

static void
sets_tell_differences(void **state)
{
	static const struct set_kind kind = { .size = 8, .key_size = 4, .max = 100, .emit = count };
	struct set set = { .kind = &kind };
	uint64_t before = node_counters.left_out;

	(void) state;
	for (int32_t i = 0; i < 200; i++)
		set_put(&set, (int32_t [2]) { i * 7919 % 200, i });
	assert_int_equal(n_new, 100);
	assert_int_equal(node_counters.left_out - before, 100);
	set_sweep(&set);
	for (unsigned i = 1; i < set.n; i++)
		assert_true(memcmp(set_item(&set, i - 1), set_item(&set, i), 4) < 0);
	set_put(&set, set_item(&set, 0));
	assert_int_equal(n_changed, 0);
	set_put(&set, (int32_t [2]) { 0, 77 });
	assert_int_equal(n_changed, 1);
	assert_int_equal(((const int32_t *) set_find(&set, (int32_t [1]) { 0 }))[1], 77);
	set_sweep(&set);
	assert_int_equal(n_gone, 99);
	assert_int_equal(set.n, 1);
	set_done(&set, true);
	assert_int_equal(n_gone, 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(libvirt_with_json),
		cmocka_unit_test(older_syntax),
		cmocka_unit_test(network_disks_without_secrets),
		cmocka_unit_test(probes_are_no_vms),
		cmocka_unit_test(hostile_lines),
		cmocka_unit_test(names_and_numbers),
		cmocka_unit_test(service_names),
		cmocka_unit_test(ovsdb_answers),
		cmocka_unit_test(sets_tell_differences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
