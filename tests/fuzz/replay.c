/* SPDX-License-Identifier: MIT
 *
 * replay.c -- main() for a libFuzzer target without libFuzzer: runs it on the
 * files of its corpus (FUZZ_CORPUS below the sources, or the paths given). */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
replay(const char *path)
{
	FILE *file = fopen(path, "rb");
	uint8_t *bytes = xmalloc(1 << 20), *exact;
	size_t size;

	if (!file) {
		free(bytes);
		return false;
	}
	size = fread(bytes, 1, 1 << 20, file);
	fclose(file);
	/* Of the exact size, so that reading beyond it is noticed. */
	exact = xrealloc(bytes, size ? size : 1);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	return true;
}

int
main(int argc, char **argv)
{
	const char *top = getenv("top_srcdir");
	struct dirent **entries;
	char *folder;
	int n, number = 0, failures = 0;

	for (int i = 1; i < argc; i++)
		failures += !replay(argv[i]);
	if (argc > 1)
		return failures > 0;
	folder = xasprintf("%s/%s", top ? top : ".", FUZZ_CORPUS);
	n = scandir(folder, &entries, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		char *path = xasprintf("%s/%s", folder, entries[i]->d_name);
		bool ok;

		if (entries[i]->d_name[0] != '.') {
			ok = replay(path);
			failures += !ok;
			printf("%s %d - %s\n", ok ? "ok" : "not ok", ++number, entries[i]->d_name);
		}
		free(path);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	if (!number)
		printf("not ok %d - no corpus in %s\n", ++number, folder);
	printf("1..%d\n", number);
	free(folder);
	return failures > 0;
}
