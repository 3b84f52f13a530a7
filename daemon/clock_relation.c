/* SPDX-License-Identifier: MIT
 *
 * clock_relation.c -- how two hosts' clocks stand to each other. */
#include "daemon/clock_relation.h"

#include <errno.h>

#include "lib/util.h"

const char *
clock_how_name(enum clock_how how)
{
	static const char *const names[] = {
		[CLOCK_SAME] = "same", [CLOCK_PACKETS] = "packets",
		[CLOCK_MESSAGES] = "messages", [CLOCK_MIGRATION] = "migration",
	};

	return names[how];
}

int
clock_relation(struct store *store, const char *a, const char *b, uint64_t t_ns,
	       struct clock_relation *ret)
{
	(void) store;
	(void) t_ns;
	if (!streq(a, b))
		return -ENOENT;
	*ret = (struct clock_relation) { .how = CLOCK_SAME };
	return 0;
}
