/* SPDX-License-Identifier: MIT
 *
 * common_patterns.c -- lines of the libraries that all services use: oslo's
 * messaging, keystoneauth, WSGI servers; and of Glance, Placement and Keystone,
 * which others call. */
#include "analyzers/openstack.h"

#define AMQP "oslo_messaging._drivers.amqpdriver"

/* Where requests end in services under eventlet. */
#define WSGI(LOGGER) \
	{ LOGGER, "%s \"%s %s HTTP/%s\" status: %s len: %s time: %s", LOG_API_END, \
	  .take = { F_CLIENT, F_METHOD, F_PATH, 0, F_HTTP_STATUS, 0, F_SECONDS }, .flags = RID_OK }, \
	{ LOGGER, "%s \"%s %s HTTP/%s\" status: %s  len: %s time: %s", LOG_API_END, \
	  .take = { F_CLIENT, F_METHOD, F_PATH, 0, F_HTTP_STATUS, 0, F_SECONDS }, .flags = RID_OK }, \
	{ LOGGER, "(%s) accepted (%s", .event = LOG_NOTHING }

/* A service of ours called another, which said by what id it knows the request. */
#define CLIENT(LOGGER) \
	{ LOGGER, "%(method)s call to %(service_name)s for %(url)s used request id " \
	  "%(response_request_id)s", LOG_CHILD, \
	  .take = { F_METHOD, F_CALLED, F_URL, F_CALLEE } }, \
	{ LOGGER, "%(method)s call to %(url)s used request id %(response_request_id)s", LOG_CHILD, \
	  .take = { F_METHOD, F_URL, F_CALLEE } }, \
	/* With OSprofiler: what it knows the request by, for whoever is called. */ \
	{ LOGGER, "REQ: %s -H \"X-Trace-Info: %s\"%s", LOG_TRACE, .take = { 0, F_TRACE_INFO } }, \
	{ LOGGER, "REQ: %s", .event = LOG_NOTHING }, \
	{ LOGGER, "RESP: %s", .event = LOG_NOTHING }, \
	{ LOGGER, "RESP BODY: %s", .event = LOG_NOTHING }, \
	{ LOGGER, "Request returned failure status: %s", .event = LOG_NOTHING }

const struct pattern common_patterns[] = {
	/* -- RPC: the id stands in the format itself -- */
	{ AMQP, "CALL msg_id: %s exchange '%s' topic '%s'", LOG_RPC_CALL, "call",
	  .take = { F_MSG_ID, F_EXCHANGE, F_TOPIC }, .flags = RID_OK },
	{ AMQP, "CAST unique_id: %s exchange '%s' topic '%s'", LOG_RPC_CAST, "cast",
	  .take = { F_MSG_ID, F_EXCHANGE, F_TOPIC }, .flags = RID_OK },
	{ AMQP, "CAST unique_id: %s FANOUT topic '%s'", LOG_RPC_CAST, "fanout",
	  .take = { F_MSG_ID, F_TOPIC }, .flags = RID_OK },
	{ AMQP, "CAST unique_id: %s NOTIFY exchange '%s' topic '%s'", LOG_NOTHING, .flags = 0 },
	{ AMQP, "received message msg_id: %(msg_id)s reply to %(queue)s", LOG_RPC_RECEIVED, "call",
	  .take = { F_MSG_ID, F_REPLY_QUEUE }, .flags = RID_WRONG },
	{ AMQP, "received message with unique_id: %s", LOG_RPC_RECEIVED_CAST, "cast",
	  .take = { F_MSG_ID }, .flags = RID_WRONG },
	{ AMQP, "sending reply msg_id: %(msg_id)s reply queue: %(reply_q)s time elapsed: "
	  "%(elapsed)ss", LOG_RPC_REPLY,
	  .take = { F_MSG_ID, F_REPLY_QUEUE, F_SECONDS }, .flags = RID_OK },
	{ AMQP, "received reply msg_id: %s", LOG_RPC_GOT_REPLY,
	  .take = { F_MSG_ID }, .flags = RID_WRONG },

	/* -- REST -- */
	CLIENT("keystoneauth.session"),
	CLIENT("keystoneauth.session."),
	CLIENT("novaclient."),
	CLIENT("neutronclient."),
	CLIENT("cinderclient."),
	CLIENT("glanceclient."),
	CLIENT("ironicclient."),

	WSGI("nova.osapi_compute.wsgi.server"),
	WSGI("nova.metadata.wsgi.server"),
	WSGI("nova.wsgi.server"),
	WSGI("neutron.wsgi"),
	WSGI("cinder.wsgi.server"),
	WSGI("eventlet.wsgi.server"),
	/* Glance's eventlet logs as eventlet itself does. */
	{ "eventlet.wsgi.server", "%s - - [%s] \"%s %s HTTP/%s\" %s %s %s", LOG_API_END,
	  .take = { F_CLIENT, 0, F_METHOD, F_PATH, 0, F_HTTP_STATUS, 0, F_SECONDS }, .flags = RID_OK },

	/* -- Under a web server: the service's own line -- */
	{ "nova.api.openstack.requestlog", "%(REMOTE_ADDR)s \"%(REQUEST_METHOD)s %(REQUEST_URI)s\" "
	  "status: %(status)s len: %(len)s microversion: %(microversion)s time: %(time).6f",
	  LOG_API_END, .take = { F_CLIENT, F_METHOD, F_PATH, F_HTTP_STATUS, 0, 0, F_SECONDS },
	  .flags = RID_OK },

	/* -- Placement -- */
	{ "placement.requestlog", "Starting request: %s \"%s %s\"", LOG_API_BEGIN,
	  .take = { F_CLIENT, F_METHOD, F_PATH }, .flags = RID_OK },
	{ "placement.requestlog", "%(REMOTE_ADDR)s \"%(REQUEST_METHOD)s %(REQUEST_URI)s\" status: "
	  "%(status)s len: %(bytes)s microversion: %(microversion)s", LOG_API_END,
	  .take = { F_CLIENT, F_METHOD, F_PATH, F_HTTP_STATUS }, .flags = RID_OK },
	{ 0 }
};
