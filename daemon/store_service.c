/* SPDX-License-Identifier: MIT
 *
 * store_service.c -- services: what they did in a time, from the windows of
 * their analyzers (proto/schemas/service.json). */
#include "daemon/store_internal.h"

#include <errno.h>
#include <string.h>

#include "lib/clock.h"

json_t *
store_service_list(struct store *store, const struct store_filter *filter, struct error *error)
{
	return json_array();
}

json_t *
store_service_show(struct store *store, const char *id, const struct store_filter *filter,
		   struct error *error)
{
	error_set(error, ENOENT, "no service is known by \"%s\"", id);
	return NULL;
}
