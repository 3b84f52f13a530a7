/* SPDX-License-Identifier: MIT
 *
 * cinder_patterns.c -- what Cinder's services log, and what it means.
 *
 * Wording of Train (2019) to 2026.1. */
#include "analyzers/openstack.h"

#define WSGI "cinder.api.openstack.wsgi"
#define MANAGER "cinder.volume.manager"
#define CREATE "cinder.volume.flows.manager.create_volume"
#define SCHEDULER "cinder.scheduler.filter_scheduler"
#define IMAGES "cinder.image.image_utils"

#define STEP(LOGGER, TEXT, EVENT, NAME, SUBJECT, ...) \
	{ LOGGER, TEXT, EVENT, NAME, .flags = RID_OK, .take = { __VA_ARGS__ }, .subject = SUBJECT }
#define DONE(TEXT, NAME) \
	{ MANAGER, TEXT, LOG_CINDER_TOOK, NAME, .flags = RID_OK, .subject = F_REQUEST_ID }
#define NOTHING(LOGGER, TEXT) { LOGGER, TEXT, .event = LOG_NOTHING }

/* taskflow tells of a flow and of each of its tasks as they go from state to state. */
#define MOVED(LOGGER, WHAT, STATE, EVENT) \
	{ LOGGER, WHAT " '%s' (%s) transitioned into state '%s' from state '%s'", EVENT, \
	  .take = { F_FUNCTION, F_ID }, .flags = RID_OK, .subject = F_ID, .hole = 3, .value = STATE }, \
	{ LOGGER, WHAT " '%s' (%s) transitioned into state '%s' from state '%s' with result '%s'", \
	  EVENT, .take = { F_FUNCTION, F_ID }, .flags = RID_OK, .subject = F_ID, .hole = 3, \
	  .value = STATE }
#define TASKFLOW(LOGGER) \
	MOVED(LOGGER, "Flow", "RUNNING", LOG_CINDER_BEGIN), \
	MOVED(LOGGER, "Flow", "SUCCESS", LOG_CINDER_END), \
	MOVED(LOGGER, "Flow", "REVERTED", LOG_CINDER_FAIL), \
	MOVED(LOGGER, "Task", "RUNNING", LOG_CINDER_BEGIN), \
	MOVED(LOGGER, "Task", "SUCCESS", LOG_CINDER_END), \
	MOVED(LOGGER, "Task", "FAILURE", LOG_CINDER_FAIL), \
	{ LOGGER, "Task '%s' (%s) transitioned into state '%s' from state '%s'%s", LOG_CINDER_FAIL, \
	  .take = { F_FUNCTION, F_ID }, .flags = RID_OK, .subject = F_ID, .hole = 3, \
	  .value = "FAILURE" }

/* Drivers and os-brick tell of calls with the time they took. */
#define CALLS(LOGGER) \
	STEP(LOGGER, "==> %(func)s: call %(all_args)r", LOG_CINDER_BEGIN, NULL, F_REQUEST_ID, \
	     F_FUNCTION), \
	STEP(LOGGER, "<== %(func)s: return (%(time)dms) %(result)r", LOG_CINDER_TOOK, NULL, \
	     F_REQUEST_ID, F_FUNCTION, F_MILLISECONDS), \
	STEP(LOGGER, "<== %(func)s: exception (%(time)dms) %(exc)r", LOG_CINDER_FAIL, NULL, \
	     F_REQUEST_ID, F_FUNCTION, F_MILLISECONDS, F_MESSAGE)

const struct pattern cinder_patterns[] = {
	/* -- API -- */
	{ WSGI, "%(method)s %(url)s", LOG_API_BEGIN, .take = { F_METHOD, F_PATH }, .flags = RID_OK },
	{ WSGI, "%(url)s returned with HTTP %(status)s", LOG_API_ANSWER,
	  .take = { F_PATH, F_HTTP_STATUS }, .flags = RID_OK },
	{ WSGI, "%(url)s returned with HTTP %(status)d", LOG_API_ANSWER,
	  .take = { F_PATH, F_HTTP_STATUS }, .flags = RID_OK },
	{ WSGI, "Action: '%(action)s', calling method: %(meth)s, body: %(body)s", LOG_API_DETAIL,
	  .take = { F_ACTION, 0, F_BODY }, .flags = RID_OK },
	NOTHING(WSGI, "Calling method '%(meth)s'"),
	NOTHING(WSGI, "Action body: %s"),
	NOTHING(WSGI, "Empty body provided in request"),
	STEP(WSGI, "HTTP exception thrown: %s", LOG_API_DETAIL, NULL, F_NONE, F_MESSAGE),
	NOTHING("cinder.volume.api", "Searching by: %s."),
	NOTHING("cinder.volume.api", "Get all volumes completed successfully."),
	NOTHING("cinder.volume.api", "Volume info retrieved successfully."),
	TASKFLOW("cinder.volume.api"),
	TASKFLOW("cinder.scheduler.manager"),
	TASKFLOW(MANAGER),
	TASKFLOW("cinder.flow_utils"),

	/* -- Scheduler -- */
	STEP(SCHEDULER, "Choosing %s", LOG_CINDER_TOOK, "backend_chosen", F_REQUEST_ID, F_BACKEND),
	NOTHING(SCHEDULER, "Filtered %s"),
	{ "cinder.scheduler.base_filter", "Filter %(cls_name)s returned %(obj_len)d host(s)", LOG_CAUSE,
	  "no-backend", .take = { F_DETAIL }, .flags = RID_OK, .hole = 2, .value = "0" },
	STEP("cinder.scheduler.base_filter", "Filter %s returned 0 hosts", LOG_CAUSE, "no-backend", F_NONE,
	     F_DETAIL),
	STEP(SCHEDULER, "No weighed backend found for volume with properties: %s", LOG_CAUSE,
	     "no-backend", F_NONE, F_DETAIL),
	STEP("cinder.scheduler.base_filter", "Filtering removed all hosts for the request with volume "
	     "ID '%(vol_id)s'. Filter results: %(str_results)s", LOG_CAUSE, "no-backend", F_NONE,
	     F_VOLUME, F_DETAIL),
	STEP("cinder.scheduler.flows.create_volume", "Failed to run task %(name)s: %(cause)s", LOG_CAUSE,
	     NULL, F_NONE, F_DETAIL, F_MESSAGE),
	STEP("cinder.scheduler.manager", "Failed to schedule_%(method)s: %(ex)s", LOG_CAUSE, NULL,
	     F_NONE, F_DETAIL, F_MESSAGE),

	/* -- Volume manager -- */
	{ CREATE, "Volume %(volume_id)s: being created as %(create_type)s with specification: "
	  "%(volume_spec)s", LOG_CINDER_BEGIN, "volume_create_in_backend",
	  .take = { F_VOLUME, F_DETAIL }, .flags = RID_OK, .subject = F_VOLUME },
	{ CREATE, "Volume %(volume_id)s: being created as %(create_type)s with specification: "
	  "%(volume_spec)s", LOG_VOLUME, .take = { F_VOLUME, 0, F_SIZE_GIB }, .flags = RID_OK,
	  .sets = F_STATUS, .to = "creating" },
	{ CREATE, "Volume %(volume_name)s (%(volume_id)s): created successfully", LOG_VOLUME,
	  .take = { 0, F_VOLUME }, .flags = RID_OK, .sets = F_STATUS, .to = "available" },
	STEP(CREATE, "Volume %(volume_name)s (%(volume_id)s): created successfully", LOG_CINDER_END,
	     "volume_create_in_backend", F_VOLUME, 0, F_VOLUME),
	STEP(CREATE, "Cloning %(volume_id)s from image %(image_id)s  at location %(image_location)s.",
	     LOG_CINDER_TOOK, "clone_image", F_VOLUME, F_VOLUME, F_IMAGE),
	STEP(MANAGER, "Connection info returned from driver %(connection_info)s", LOG_VOLUME, NULL,
	     F_NONE, F_CONNECTION),
	DONE("Created volume successfully.", "volume_created"),
	DONE("Deleted volume successfully.", "volume_deleted"),
	DONE("Extend volume completed successfully.", "volume_extended"),
	DONE("Attach volume completed successfully.", "volume_attached"),
	DONE("Detach volume completed successfully.", "volume_detached"),
	DONE("Initialize volume connection completed successfully.", "connection_initialized"),
	DONE("Terminate volume connection completed successfully.", "connection_terminated"),
	DONE("attachment_update completed successfully.", "attachment_updated"),
	DONE("Create snapshot completed successfully", "snapshot_created"),
	DONE("Delete snapshot completed successfully.", "snapshot_deleted"),
	DONE("Migrate volume completed successfully.", "volume_migrated"),
	DONE("Complete-Migrate volume completed successfully.", "volume_migration_completed"),
	DONE("Retype volume completed successfully.", "volume_retyped"),
	DONE("Copy volume to image completed successfully.", "volume_uploaded"),
	DONE("Revert volume completed successfully", "volume_reverted"),
	STEP(IMAGES, "Image fetch details: dest %(dest)s, size %(sz).2f MB, duration %(duration).2f sec",
	     LOG_CINDER_TOOK, "image_fetch", F_REQUEST_ID, 0, F_DETAIL, F_SECONDS),
	STEP(IMAGES, "Image conversion details: src %(src)s, size %(sz).2f MB, duration %(duration).2f "
	     "sec, destination %(dest)s", LOG_CINDER_TOOK, "image_convert", F_REQUEST_ID, 0, F_DETAIL,
	     F_SECONDS),
	CALLS("cinder.volume.drivers."),
	CALLS("cinder.backup."),
	CALLS("os_brick."),
	{ 0 }
};
