/* SPDX-License-Identifier: MIT
 *
 * client_example.c -- how another program uses libcloudtrace: prints the
 * migrations that run, then each that changes.  Ends after as many changes as
 * the second argument says.  Usage: client-example ADDRESS [CHANGES] */
#include <stdio.h>
#include <stdlib.h>

#include "client/cloudtrace.h"

static void
print_migration(const json_t *migration)
{
	printf("%s %s\n", json_string_value(json_object_get(migration, "id")),
	       json_string_value(json_object_get(migration, "status")));
	fflush(stdout);
}

static size_t
print_changes(const json_t *items)
{
	json_t *change;
	size_t i;

	json_array_foreach(items, i, change) {
		print_migration(json_object_get(change, "item"));
	}
	return json_array_size(items);
}

/* Prints 'left' changes or more. */
static int
follow(struct cloudtrace *daemon, size_t left, struct cloudtrace_error *error)
{
	while (left) {
		json_t *message = NULL;
		int r = cloudtrace_next(daemon, -1, &message, error);
		size_t n;

		if (r < 0)
			return r;
		if (r == 0)
			continue;
		n = print_changes(json_object_get(json_object_get(message, "params"), "items"));
		left -= n < left ? n : left;
		json_decref(message);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	size_t changes = argc > 2 ? strtoul(argv[2], NULL, 10) : 0, i;
	struct cloudtrace_error error = { .code = 0 };
	json_t *watch = NULL, *list = NULL, *one;
	struct cloudtrace *daemon = NULL;
	int r = cloudtrace_connect(argc > 1 ? argv[1] : NULL, &daemon, &error);

	/* First the watch, then the list: nothing in between is missed. */
	if (!r)
		r = cloudtrace_watch(daemon, "migration", NULL, NULL, &watch, &error);
	if (!r)
		r = cloudtrace_call(daemon, "migration.list", json_pack("{s:s}", "status", "running"),
				    &list, &error);
	json_array_foreach(list, i, one) {
		print_migration(one);
	}
	if (!r)
		r = follow(daemon, changes, &error);
	if (r)
		fprintf(stderr, "client-example: %s\n", error.text);
	json_decref(watch);
	json_decref(list);
	cloudtrace_close(daemon);
	return r ? 1 : 0;
}
