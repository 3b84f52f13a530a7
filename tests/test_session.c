/* SPDX-License-Identifier: MIT
 *
 * The tables of cloudtrace-session, its lists of events and its addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "instrumentation/session/node.h"
#include "instrumentation/session/plan.h"
#include "lib/util.h"

static void
test_refused(void **state)
{
	static const struct {
		enum domain domain;
		const char *name, *modules;
		bool refused;
	} cases[] = {
		{ DOMAIN_KERNEL, "kvm_mmio", "2.13.9", true },
		{ DOMAIN_KERNEL, "kvm_mmio", "2.13.13", true },
		{ DOMAIN_KERNEL, "kvm_mmio", "2.13.14", false },
		{ DOMAIN_KERNEL, "kvm_mmio", "2.12.17", true },
		{ DOMAIN_KERNEL, "kvm_mmio", "2.12.18", false },
		{ DOMAIN_KERNEL, "kvm_mmio", "2.11.9", true },
		{ DOMAIN_KERNEL, "kvm_mmio", "2.14.0", false },
		{ DOMAIN_KERNEL, "kvm_mmio", "3.0", false },
		{ DOMAIN_KERNEL, "kvm_mmio", "rubbish", true },
		{ DOMAIN_KERNEL, "kvm_mmio", NULL, true },
		{ DOMAIN_KERNEL, "kvm_*", "2.13.9", true },
		{ DOMAIN_KERNEL, "*", "2.13.9", true },
		{ DOMAIN_KERNEL, "kvm_*", "2.14.1", false },
		{ DOMAIN_KERNEL, "kvm_x86_exit", "2.13.9", false },
		{ DOMAIN_KERNEL, "kvm_x86_*", "2.13.9", false },
		{ DOMAIN_UST, "kvm_mmio", "2.13.9", false },
		{ DOMAIN_UST, "qemu:migration_transferred_bytes", NULL, true },
		{ DOMAIN_UST, "qemu:migrat*", NULL, true },
		{ DOMAIN_UST, "qemu:*", NULL, true },
		{ DOMAIN_UST, "*", NULL, true },
		{ DOMAIN_UST, "qemu:postcopy_*", NULL, true },
		{ DOMAIN_UST, "qemu:postcopy_place_page", NULL, true },
		{ DOMAIN_UST, "qemu:migrate_transferred", NULL, false },
		{ DOMAIN_UST, "qemu:migrate_*", NULL, false },
		{ DOMAIN_UST, "cloudtrace_node:*", NULL, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *reason =
			event_refused(cases[i].domain, cases[i].name, cases[i].modules);

		if (!!reason != cases[i].refused)
			fail_msg("%s with %s: %s", cases[i].name,
				 cases[i].modules ? cases[i].modules : "no version", reason);
	}
}

static int
parse(struct event_list *list, const char *text, struct error *error)
{
	_cleanup_(freep) char *copy = xstrdup(text);

	return events_parse(list, copy, error);
}

static void
test_list(void **state)
{
	struct event_list list = { 0 };
	struct error error = { 0 };

	assert_int_equal(parse(&list,
			       "# comment\n\nust  a:b # more\nust a:b\r\n\tkernel sched_switch\n"
			       "kernel syscall_entry_sendmsg\nkernel syscall_exit_sendmsg\n"
			       "kernel kvm_mmio*\nust lttng_python:event",
			       &error),
			 0);
	assert_int_equal(list.n, 5);
	assert_string_equal(list.items[0].name, "a:b");
	assert_int_equal(list.items[1].domain, DOMAIN_KERNEL);
	assert_string_equal(list.items[2].enable, "sendmsg");
	assert_int_equal(list.items[2].type, LTTNG_EVENT_SYSCALL);
	assert_non_null(list.items[3].refused);
	assert_int_equal(events_count(&list, DOMAIN_KERNEL), 2);
	assert_int_equal(events_count(&list, DOMAIN_UST), 1);
	assert_int_equal(events_count(&list, DOMAIN_PYTHON), 1);
	assert_string_equal(list.items[4].enable, "*");
	events_drop(&list, DOMAIN_KERNEL);
	assert_int_equal(list.n, 2);
	events_done(&list);
}

static void
test_kernel_list(void **state)
{
	static const struct {
		const char *enable, *symbol;
		enum lttng_event_type type;
	} wanted[] = {
		{ "block_rq_issue", NULL, LTTNG_EVENT_TRACEPOINT },
		{ "lttng_statedump_*", NULL, LTTNG_EVENT_TRACEPOINT },
		{ "openat", NULL, LTTNG_EVENT_SYSCALL },
		{ "kp_do_output", "do_output", LTTNG_EVENT_PROBE },
		{ "kp_cold", "do_output.cold.12", LTTNG_EVENT_PROBE },
		{ "kr_do_output", "do_output", LTTNG_EVENT_FUNCTION },
		/* A probe may be called like a system call or a tracepoint. */
		{ "syscall_entry_openat", "do_sys_openat2", LTTNG_EVENT_PROBE },
		{ "block_rq_issue", "blk_mq_start_request", LTTNG_EVENT_PROBE },
	};
	struct event_list list = { 0 };
	struct error error = { 0 };

	assert_int_equal(parse(&list,
			       "kernel block_rq_issue\nkernel lttng_statedump_*\n"
			       "kernel syscall_exit_openat\nkernel-probe kp_do_output do_output\n"
			       "\tkernel-probe  kp_cold\tdo_output.cold.12 # as the compiler calls it\n"
			       "kernel-function kr_do_output do_output\r\n"
			       "kernel syscall_entry_openat\nkernel-probe kp_do_output other\n"
			       "kernel-probe syscall_entry_openat do_sys_openat2\n"
			       "kernel-probe block_rq_issue blk_mq_start_request\n",
			       &error),
			 0);
	assert_int_equal(list.n, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const struct wanted_event *event = &list.items[i];

		assert_int_equal(event->domain, DOMAIN_KERNEL);
		assert_int_equal(event->type, wanted[i].type);
		assert_string_equal(event->enable, wanted[i].enable);
		if (wanted[i].symbol)
			assert_string_equal(event->symbol, wanted[i].symbol);
		else
			assert_null(event->symbol);
	}
	assert_int_equal(events_count(&list, DOMAIN_KERNEL), ARRAY_SIZE(wanted));
	events_done(&list);
}

/* A session in which 'text' is recorded of the kernel's events, as sessiond tells it. */
static void
recorded(struct session_state *session, const struct wanted *wanted, const char *text)
{
	const struct buffers buffers = role_buffers(wanted->role, DOMAIN_KERNEL, wanted->cpus);
	struct domain_state *kernel = &session->domains[DOMAIN_KERNEL];
	struct event_list list = { 0 };

	assert_int_equal(parse(&list, text, NULL), 0);
	*session = (struct session_state) { .there = true, .active = true, .live_us = wanted->live_us };
	snprintf(session->path, sizeof session->path, "tcp4://127.0.0.1:5342/ [data: 5343]");
	*kernel = (struct domain_state) {
		.has_channel = true, .enabled = true, .per_user = true,
		.subbuf_size = buffers.subbuf_size, .num_subbuf = buffers.num_subbuf,
		.events = xcalloc(list.n, sizeof *kernel->events), .n_events = (int) list.n,
	};
	for (size_t i = 0; i < list.n; i++) {
		struct lttng_event *event = &kernel->events[i];

		event->type = list.items[i].type;
		event->enabled = 1;
		snprintf(event->name, sizeof event->name, "%s", list.items[i].enable);
		if (list.items[i].symbol)
			snprintf(event->attr.probe.symbol_name, sizeof event->attr.probe.symbol_name,
				 "%s", list.items[i].symbol);
	}
	events_done(&list);
}

/* What is done about such a session. */
static void
test_kernel_plan(void **state)
{
	static const char had[] = "kernel sched_switch\nkernel syscall_entry_openat\n"
		"kernel-probe p f\nkernel-function r f\n";
	static const struct {
		const char *text, *name;
		int n;
		enum step_kind kind;
		enum lttng_event_type type;
	} cases[] = {
		{ "kernel sched_switch\nkernel syscall_exit_openat\nkernel-probe p f\n"
		  "kernel-function r f", NULL, 0, STEP_START, LTTNG_EVENT_ALL },
		{ "kernel sched_switch\nkernel syscall_exit_openat\nkernel-function r f", "p", 1,
		  STEP_DISABLE, LTTNG_EVENT_PROBE },
		{ "kernel sched_switch\nkernel syscall_exit_openat\nkernel-probe p f\n"
		  "kernel-function r f\nkernel-probe q f", "q", 1, STEP_ENABLE, LTTNG_EVENT_PROBE },
		{ "kernel sched_switch\nkernel-probe p f\nkernel-function r f", "openat", 1,
		  STEP_DISABLE, LTTNG_EVENT_SYSCALL },
		/* Another function: LTTng can't move a probe. */
		{ "kernel sched_switch\nkernel syscall_exit_openat\nkernel-probe p g\n"
		  "kernel-function r f", "", 11, STEP_DESTROY, LTTNG_EVENT_TRACEPOINT },
		{ "kernel sched_switch\nkernel syscall_exit_openat\nkernel-probe p f\n"
		  "kernel-function r g", "", 11, STEP_DESTROY, LTTNG_EVENT_TRACEPOINT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct wanted wanted = { .role = role_find("network"), .live_us = 1000000, .cpus = 2 };
		struct session_state session;
		struct plan plan;

		assert_int_equal(wanted_set_url(&wanted, "net://127.0.0.1", NULL), 0);
		assert_int_equal(parse(&wanted.events, cases[i].text, NULL), 0);
		recorded(&session, &wanted, had);
		plan_make(&plan, &wanted, &session, NULL);
		if (plan.n != (size_t) cases[i].n)
			fail_msg("case %zu: %zu steps", i, plan.n);
		if (plan.n > 0) {
			assert_int_equal(plan.steps[0].kind, cases[i].kind);
			assert_int_equal(plan.steps[0].type, cases[i].type);
		}
		if (plan.n == 1)
			assert_string_equal(plan.steps[0].name, cases[i].name);
		assert_int_equal(plan.because != NULL, cases[i].kind == STEP_DESTROY);
		plan_done(&plan);
		free(session.domains[DOMAIN_KERNEL].events);
		events_done(&wanted.events);
	}
}

/* What brings a missing event is said once for all that come from there. */
static void
test_missing_kernel(void **state)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	struct event_list list = { 0 };

	assert_int_equal(parse(&list,
			       "kernel sched_switch\nkernel odd_one\nkernel ovs_packet_receive\n"
			       "kernel ovs_dp_upcall\nkernel kvm_x86_exit\nkernel ovs_packet_send\n"
			       "kernel odd_two\nkernel kvm_entry\nkernel-probe ovs_x f\n"
			       "kernel kvm_x86_entry\nkernel kvm_exit\n", NULL), 0);
	/* kvm_entry is there under its other name. */
	for (size_t i = 1; i < list.n; i++)
		list.items[i].missing = i != 8 && i != 9;
	node_missing(&list, 0, &text);
	buf_add_char(&text, '\0');
	assert_string_equal(text.data,
		"kernel event ovs_dp_upcall: modprobe lttng-probe-openvswitch (package "
		"cloudtrace-openvswitch-dkms)\n"
		"kernel event ovs_packet_receive, ovs_packet_send: modprobe lttng-ovs-addon (package "
		"cloudtrace-openvswitch-dkms)\n"
		"kernel event kvm_x86_exit, kvm_exit: lttng-modules has them only where it was built "
		"with the kernel's full source (modprobe lttng-probe-kvm-x86)\n"
		"kernel event odd_one: this kernel's tracer does not have it\n"
		"kernel event odd_two: this kernel's tracer does not have it\n");
	events_done(&list);
}

static void
test_bad_lists(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "ust", "line 1" },
		{ "\nust a b", "line 2" },
		{ "jul x", "line 1" },
		{ "python x", "no domain" },
		{ "ust a;b", "needs one name" },
		{ "ust -x", "needs one name" },
		{ "ust a/../b", "needs one name" },
		{ "kernel a b", "needs one name" },
		{ "kernel", "needs one name" },
		{ "kernel-probe", "needs the name of an event and" },
		{ "kernel-probe a", "needs the name of an event and" },
		{ "kernel-probe a*", "needs the name of an event and" },
		{ "kernel-probe a* b", "needs the name of an event and" },
		{ "kernel-probe a b*", "needs the name of an event and" },
		{ "kernel-probe a b+8", "needs the name of an event and" },
		{ "kernel-probe a 0xffffffff81000000", "needs the name of an event and" },
		{ "kernel-probe a -b", "needs the name of an event and" },
		{ "kernel-function a b c", "needs the name of an event and" },
		{ "kernel-function a;b c", "needs the name of an event and" },
		{ "kernel-sdt a b", "no domain" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct event_list list = { 0 };
		struct error error = { 0 };

		assert_true(parse(&list, cases[i].text, &error) < 0);
		assert_non_null(strstr(error.text, cases[i].says));
		events_done(&list);
	}
}

static void
test_long_name(void **state)
{
	struct event_list list = { 0 };
	struct error error = { 0 };
	char text[400] = "ust ";

	memset(text + 4, 'a', 256);
	assert_true(parse(&list, text, &error) < 0);
	text[4 + 255] = '\0';
	error = (struct error) { 0 };
	assert_int_equal(parse(&list, text, &error), 0);
	events_done(&list);
}

static void
test_url(void **state)
{
	static const struct {
		const char *url, *host;
		uint16_t control, data;
	} good[] = {
		{ "net://ctl-1", "ctl-1", 5342, 5343 },
		{ "net://10.0.0.1:7000", "10.0.0.1", 7000, 5343 },
		{ "net://ctl-1:7000:7001", "ctl-1", 7000, 7001 },
		{ "net6://[fd00::1]:7000:7001", "fd00::1", 7000, 7001 },
		{ "net6://[fd00::1]", "fd00::1", 5342, 5343 },
	};
	static const char *const bad[] = {
		"",	     "ctl-1",	   "net://",	    "net://:1",	     "tcp://a",
		"file:///x", "net://a:0",  "net://a:70000", "net://a:1:2:3", "net://a/path",
		"net://a:",  "net://a:1x", "net6://[::1",   "net6://[::1]x",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct wanted wanted = { 0 };

		assert_int_equal(wanted_set_url(&wanted, good[i].url, NULL), 0);
		assert_string_equal(wanted.host, good[i].host);
		assert_int_equal(wanted.control_port, good[i].control);
		assert_int_equal(wanted.data_port, good[i].data);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct wanted wanted = { 0 };

		if (wanted_set_url(&wanted, bad[i], NULL) == 0)
			fail_msg("\"%s\" was taken", bad[i]);
	}
}

/* However many CPUs: powers of 2, at least two, and bounded. */
static void
test_memory(void **state)
{
	for (size_t i = 0; i < n_roles; i++)
		for (enum domain d = 0; d < N_DOMAINS; d++)
			for (unsigned cpus = 1; cpus <= 256; cpus++) {
				const struct buffers b = role_buffers(&roles[i], d, cpus);

				assert_true(b.subbuf_size >= 4096 && b.num_subbuf >= 2);
				assert_int_equal(b.subbuf_size & (b.subbuf_size - 1), 0);
				assert_int_equal(b.num_subbuf & (b.num_subbuf - 1), 0);
				assert_true(role_memory(&roles[i], d, cpus) <= 256 << 20);
			}
	assert_null(role_find("computer"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused), cmocka_unit_test(test_list),
		cmocka_unit_test(test_kernel_list), cmocka_unit_test(test_kernel_plan),
		cmocka_unit_test(test_missing_kernel),
		cmocka_unit_test(test_bad_lists), cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_url), cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
