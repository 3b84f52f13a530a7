/* SPDX-License-Identifier: MIT
 *
 * ctf_dump.c -- reads traces with either backend, for test_oracle.py:
 *   ctf_dump own|babeltrace2 dump DIR...   all events, as --dump prints them
 *   ctf_dump own|babeltrace2 items DIR...  what an interest in everything (up to
 *                                          its limits) gets, losses as well
 * Problems go to standard error, a line each. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctf/reader.h"
#include "lib/buf.h"

static int
usage(void)
{
	fputs("usage: ctf_dump own|babeltrace2 dump|items DIR...\n", stderr);
	return 2;
}

int
main(int argc, char **argv)
{
	const char *const *paths = (const char *const *) argv + 3;
	enum ctf_backend backend;
	struct ctf_reader *reader;
	struct error error = { 0 };
	const char *problem;
	int r;

	if (argc < 4)
		return usage();
	backend = streq(argv[1], "own") ? CTF_BACKEND_OWN : CTF_BACKEND_BABELTRACE2;
	r = ctf_reader_open(paths, (size_t) argc - 3, NULL, backend, &reader, &error);
	if (r >= 0) {
		r = ctf_reader_dump_all(reader, stdout, &error);
		for (size_t i = 0; (problem = ctf_reader_problem(reader, i)); i++)
			fprintf(stderr, "problem: %s\n", problem);
		ctf_reader_close(reader);
	}
	if (r < 0)
		fprintf(stderr, "error: %s\n", error.text);
	return r < 0;
}
