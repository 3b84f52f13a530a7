/* SPDX-License-Identifier: MIT
 *
 * cinder_patterns.c */
#include "analyzers/openstack.h"

const struct pattern cinder_patterns[] = {
	{ "cinder.api.openstack.wsgi", "%(method)s %(url)s", LOG_API_BEGIN,
	  .take = { F_METHOD, F_PATH }, .flags = RID_OK },
	{ "cinder.api.openstack.wsgi", "Action: '%(action)s', calling method: %(meth)s, body: %(body)s",
	  LOG_API_DETAIL, .take = { F_ACTION, 0, F_BODY }, .flags = RID_OK },
	{ "cinder.api.openstack.wsgi", "%(url)s returned with HTTP %(status)s", LOG_API_ANSWER,
	  .take = { F_PATH, F_HTTP_STATUS }, .flags = RID_OK },
	{ "cinder.api.openstack.wsgi", "%(url)s returned with HTTP %(status)d", LOG_API_ANSWER,
	  .take = { F_PATH, F_HTTP_STATUS }, .flags = RID_OK },
	{ NULL }
};
