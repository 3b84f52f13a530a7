/* SPDX-License-Identifier: MIT
 *
 * fuzz_rpc.c -- lines of a client through framing, parsing and dispatch, with
 * the answers thrown away. */
#include <event2/event.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/serve_internal.h"
#include "lib/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct event_base *base;
static struct serve_options options;

static void
write_store(char *path)
{
	static const char text[] =
		"{\"migrations\": [{\"id\": \"a1\", \"vm\": {\"name\": \"web\"}, \"status\":"
		" \"running\", \"start_ns\": 1}], \"alerts\": [], \"nodes\": []}";
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, text, sizeof text - 1) < 0)
		abort();
	close(fd);
}

static void
set_up(void)
{
	static char path[] = "/tmp/fuzz-rpc.XXXXXX";

	write_store(path);
	log_init("fuzz_rpc", LOG_LEVEL_ERROR);
	base = event_base_new();
	options = serve_defaults;
	options.store_path = path;
	options.max_line = 4096;
	options.max_in_flight = 4;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct error error = { 0 };
	int ends[2], out;

	if (!base)
		set_up();
	if (size > 65536)
		return 0;
	out = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (out < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		abort();
	/* All fits the socket's buffer; its end ends the client. */
	if (write(ends[1], data, size) != (ssize_t) size)
		abort();
	close(ends[1]);
	if (serve_stdio(base, &options, ends[0], out, &error))
		abort();
	close(ends[0]);
	close(out);
	return 0;
}
