/* SPDX-License-Identifier: MIT
 *
 * age_store.c -- what the daemon does to a store as time goes by:
 *	age-store STORE RECORDS_NS WINDOWS_NS
 * forgets records that ended before the one time and windows that did before the
 * other, settles and thins. */
#include <stdio.h>

#include "daemon/store.h"
#include "lib/util.h"

int
main(int argc, char **argv)
{
	struct store *store = NULL;
	struct error error = { 0 };
	uint64_t records_ns, windows_ns;
	int r;

	if (argc != 4 || parse_u64(argv[2], &records_ns) || parse_u64(argv[3], &windows_ns))
		return 2;
	r = store_open(argv[1], STORE_WRITE, &store, &error);
	do
		r = r < 0 ? r : store_retain(store, records_ns, windows_ns, &error);
	while (r > 0);
	store_close(store);
	if (r)
		fprintf(stderr, "%s\n", error.text);
	return r ? 1 : 0;
}
