/* SPDX-License-Identifier: MIT
 *
 * neutron_patterns.c */
#include "analyzers/openstack.h"

const struct pattern neutron_patterns[] = {
	{ "neutron.api.v2.base", "Request body: %(body)s", LOG_API_BEGIN, .take = { F_BODY },
	  .flags = RID_OK },
	{ NULL }
};
