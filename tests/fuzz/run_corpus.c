/* SPDX-License-Identifier: MIT
 *
 * Gives every file of a fuzzer's corpus to its target, as a test: what a
 * fuzzer has once found stays found.  FUZZ_CORPUS names the folder beside
 * this file; arguments, if any, are files to run instead. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
run_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = xmalloc(1 << 20);
	size_t size;

	if (!file) {
		printf("Bail out! cannot read %s\n", path);
		exit(1);
	}
	size = fread(bytes, 1, 1 << 20, file);
	fclose(file);
	/* Exactly as large as the input, so that reading behind it shows. */
	bytes = xrealloc(bytes, size);
	LLVMFuzzerTestOneInput(bytes, size);
	free(bytes);
}

int
main(int argc, char **argv)
{
	const char *top = getenv("top_srcdir");
	char *folder = xasprintf("%s/tests/fuzz/%s", top ? top : ".", FUZZ_CORPUS);
	struct dirent *entry;
	unsigned n = 0;
	DIR *dir;

	/* An endless loop is a finding too. */
	alarm(60);
	for (int i = 1; i < argc; i++)
		run_file(argv[i]);
	puts("1..1");
	dir = argc > 1 ? NULL : opendir(folder);
	while (dir && (entry = readdir(dir))) {
		char *path;

		if (entry->d_name[0] == '.')
			continue;
		path = xasprintf("%s/%s", folder, entry->d_name);
		run_file(path);
		free(path);
		n++;
	}
	if (dir)
		closedir(dir);
	printf("%s 1 - %u inputs of %s\n", n || argc > 1 ? "ok" : "not ok", n, FUZZ_CORPUS);
	free(folder);
	return !n && argc == 1;
}
