/* SPDX-License-Identifier: MIT
 *
 * missing.c -- what can't be known (missing.h). */
#include "instrumentation/node/missing.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "instrumentation/node/emit.h"
#include "instrumentation/node/files.h"
#include "instrumentation/node/set.h"
#include "lib/log.h"

static const struct set_kind missing_kind = {
	.size = sizeof(struct node_missing), .key_size = NODE_KEY_SIZE(missing, what),
	.max = 32, .emit = emit_missing,
};
static struct set missing = { .kind = &missing_kind };

void
missing_note(const char *what, const char *format, ...)
{
	struct node_missing item;
	va_list arguments;

	memset(&item, 0, sizeof item);
	TEXT_SET(item.what, what);
	if (set_find(&missing, item.what))
		return;
	va_start(arguments, format);
	vsnprintf(item.detail, sizeof item.detail, format, arguments);
	va_end(arguments);
	if (set_put(&missing, &item))
		log_info("%s is missing: %s", item.what, item.detail);
}

void
missing_forget(const char *what)
{
	for (unsigned i = missing.n; i-- > 0; )
		if (streq(((const struct node_missing *) set_item(&missing, i))->what, what))
			set_remove(&missing, i);
}

void
missing_dump(void)
{
	set_dump(&missing);
}

unsigned
missing_count(void)
{
	return missing.n;
}
