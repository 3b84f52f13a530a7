/* SPDX-License-Identifier: MIT
 *
 * emit.c -- events out (emit.h). */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "instrumentation/node/tp.h"

#include "instrumentation/node/emit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/buf.h"
#include "lib/clock.h"

/* A dump of thousands of interfaces must not overrun LTTng's sub-buffers: so
 * many events, then the consumer gets a moment. */
enum { BURST = 512 };
#define PAUSE_NS (2 * NS_PER_MS)

static bool printing;
static struct buf line;
static unsigned burst;

void
emit_to_stdout(void)
{
	printing = true;
}

bool
emit_is_traced(void)
{
	return lttng_ust_tracepoint_enabled(cloudtrace_node, qemu_process) ||
	       lttng_ust_tracepoint_enabled(cloudtrace_node, interface) ||
	       lttng_ust_tracepoint_enabled(cloudtrace_node, service_process) ||
	       lttng_ust_tracepoint_enabled(cloudtrace_node, dump_end);
}

bool
emit_is_wanted(void)
{
	return printing || emit_is_traced();
}

static void
pace(void)
{
	const struct timespec pause = { .tv_nsec = PAUSE_NS };

	if (printing || ++burst < BURST || !emit_is_traced())
		return;
	burst = 0;
	nanosleep(&pause, NULL);
}

static void
add_name(const char *name)
{
	buf_printf(&line, "%s\"%s\":", line.size > 1 ? "," : "", name);
}

static void
add_text(const char *name, const char *text)
{
	add_name(name);
	buf_add_json_string(&line, text, strlen(text));
}

static void
begin_line(const char *name, const char *reason)
{
	buf_clear(&line);
	buf_add_char(&line, '{');
	add_text("event", name);
	if (reason)
		add_text("reason", reason);
}

static void
end_line(void)
{
	buf_add_string(&line, "}\n");
	fwrite(line.data, 1, line.size, stdout);
	fflush(stdout);
}

#define PRINT_TEXT(NAME) add_text(#NAME, node_text(e->NAME));
#define PRINT_NUMBER(TYPE, NAME) PRINT_MEMBER(e, TYPE, NAME)
#define PRINT_CLOCK(TYPE, NAME) PRINT_MEMBER(clock, TYPE, NAME)
#define PRINT_MEMBER(FROM, TYPE, NAME) \
	add_name(#NAME); \
	if ((TYPE) -1 < (TYPE) 1) \
		buf_printf(&line, "%" PRId64, (int64_t) FROM->NAME); \
	else \
		buf_printf(&line, "%" PRIu64, (uint64_t) FROM->NAME);

#define EMIT(EVENT, FIELDS) \
	void \
	emit_##EVENT(const char *reason, const void *event) \
	{ \
		const struct node_##EVENT *e = event; \
	\
		lttng_ust_tracepoint(cloudtrace_node, EVENT, reason, e); \
		pace(); \
		if (!printing) \
			return; \
		begin_line(#EVENT, reason); \
		FIELDS(PRINT_TEXT, PRINT_NUMBER) \
		end_line(); \
	}

EMIT(qemu_process, NODE_QEMU_PROCESS_FIELDS)
EMIT(vcpu_thread, NODE_VCPU_THREAD_FIELDS)
EMIT(qemu_thread, NODE_QEMU_THREAD_FIELDS)
EMIT(nic, NODE_NIC_FIELDS)
EMIT(disk, NODE_DISK_FIELDS)
EMIT(block_device, NODE_BLOCK_DEVICE_FIELDS)
EMIT(interface, NODE_INTERFACE_FIELDS)
EMIT(service_process, NODE_SERVICE_PROCESS_FIELDS)
EMIT(missing, NODE_MISSING_FIELDS)

void
emit_host(const char *reason, const struct node_host *e, const struct node_clock *clock)
{
	lttng_ust_tracepoint(cloudtrace_node, host, reason, e, clock);
	if (!printing)
		return;
	begin_line("host", reason);
	NODE_HOST_FIELDS(PRINT_TEXT, PRINT_NUMBER)
	NODE_CLOCK_FIELDS(PRINT_CLOCK)
	end_line();
}

void
emit_dump_end(const struct node_dump_end *e)
{
	lttng_ust_tracepoint(cloudtrace_node, dump_end, e);
	if (!printing)
		return;
	begin_line("dump_end", NULL);
	NODE_DUMP_END_FIELDS(PRINT_TEXT, PRINT_NUMBER)
	end_line();
}
