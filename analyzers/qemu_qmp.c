/* SPDX-License-Identifier: MIT
 *
 * qemu_qmp.c -- what management asked of QEMU, from the JSON that its QMP
 * events carry: where to, with which limits.  For qemu.c. */
#include <stdio.h>
#include <string.h>

#include "analyzers/qemu.h"
#include "lib/clock.h"
#include "lib/util.h"

static const struct qemu_settings default_settings = {
	.downtime_limit_ns = 300 * NS_PER_MS,
	.throttle_initial = 20, .throttle_increment = 10, .throttle_max = 99,
};

struct qemu_settings *
qemu_settings(struct qemu *q)
{
	if (!q->settings.downtime_limit_ns)
		q->settings = default_settings;
	return &q->settings;
}

static json_t *
parse_json(const struct step *step)
{
	const struct text *text = &((const struct qemu_words *) step->values)->text;

	return text->size <= 1 << 16 ? json_loadb(text->s, text->size, 0, NULL) : NULL;
}

void
qemu_copy(char *buffer, size_t size, const char *string)
{
	text_copy(buffer, size, &(struct text) { string, strlen(string) });
}

/* Where it goes to: "uri", or since 8.2 "channels", of which the first is made
 * a uri again. */
static void
read_uri(const json_t *arguments, char *buffer, size_t size)
{
	const json_t *channels = json_object_get(arguments, "channels");
	const json_t *address = json_object_get(json_array_get(channels, 0), "addr");
	const char *uri = json_string_value(json_object_get(arguments, "uri"));
	const char *transport = json_string_value(json_object_get(address, "transport"));
	const char *host = json_string_value(json_object_get(address, "host"));
	const char *port = json_string_value(json_object_get(address, "port"));
	const char *path = json_string_value(json_object_get(address, "path"));
	const char *filename = json_string_value(json_object_get(address, "filename"));
	char text[512] = "";

	if (uri)
		snprintf(text, sizeof text, "%s", uri);
	else if (host && port)
		snprintf(text, sizeof text, strchr(host, ':') ? "tcp:[%s]:%s" : "tcp:%s:%s", host,
			 port);
	else if (path)
		snprintf(text, sizeof text, "unix:%s", path);
	else if (filename)
		snprintf(text, sizeof text, "file:%s", filename);
	else if (transport)
		snprintf(text, sizeof text, "%s:", transport);
	qemu_copy(buffer, size, text);
}

void
qemu_request(struct flow *flow, const struct step *step)
{
	struct qemu *q = qemu_of(flow);
	json_t *arguments = parse_json(step);

	q->request_ns = step->t_ns;
	read_uri(arguments, q->request_uri, sizeof q->request_uri);
	json_decref(arguments);
}

void
qemu_listen_at(struct flow *flow, const struct step *step)
{
	struct qemu *q = qemu_of(flow);
	json_t *arguments = parse_json(step);

	read_uri(arguments, q->listen_uri, sizeof q->listen_uri);
	json_decref(arguments);
}

static void
read_percent(const json_t *arguments, const char *name, uint32_t *ret)
{
	const json_t *value = json_object_get(arguments, name);

	if (json_is_integer(value) && json_integer_value(value) >= 0 &&
	    json_integer_value(value) <= 100)
		*ret = (uint32_t) json_integer_value(value);
}

void
qemu_set_parameters(struct flow *flow, const struct step *step)
{
	struct qemu *q = qemu_of(flow);
	struct qemu_settings *s = qemu_settings(q);
	json_t *arguments = parse_json(step);
	const json_t *limit = json_object_get(arguments, "downtime-limit");
	const json_t *bandwidth = json_object_get(arguments, "max-bandwidth");

	if (json_is_integer(limit) && json_integer_value(limit) > 0 &&
	    json_integer_value(limit) < 1 << 30)
		s->downtime_limit_ns = (uint64_t) json_integer_value(limit) * NS_PER_MS;
	if (json_is_integer(bandwidth) && json_integer_value(bandwidth) >= 0)
		s->max_bandwidth = (uint64_t) json_integer_value(bandwidth);
	read_percent(arguments, "cpu-throttle-initial", &s->throttle_initial);
	read_percent(arguments, "cpu-throttle-increment", &s->throttle_increment);
	read_percent(arguments, "max-cpu-throttle", &s->throttle_max);
	json_decref(arguments);
	if (flow->state == PRECOPY)
		qemu_reforecast(q, step);
}

void
qemu_set_capabilities(struct flow *flow, const struct step *step)
{
	struct qemu_settings *s = qemu_settings(qemu_of(flow));
	json_t *arguments = parse_json(step);
	const json_t *list = json_object_get(arguments, "capabilities");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		const char *name = json_string_value(json_object_get(item, "capability"));
		const bool on = json_is_true(json_object_get(item, "state"));

		if (name && streq(name, "auto-converge"))
			s->auto_converge = on;
		else if (name && streq(name, "return-path"))
			s->return_path = on ? 1 : 2;
	}
	json_decref(arguments);
}

/* QEMU 7.2 has no event with the throttle's percentage, but whoever asks for
 * the state of the migration gets it. */
void
qemu_read_query(struct flow *flow, const struct step *step)
{
	static const char name[] = "\"cpu-throttle-percentage\": ";
	const struct text *result = &((const struct qemu_words *) step->values)->text;
	const char *at = memmem(result->s, result->size, name, sizeof name - 1);
	const char *end = result->s + result->size;
	struct qemu_migration *m = &qemu_of(flow)->m;
	uint64_t percent = 0;

	if (!at)
		return;
	for (at += sizeof name - 1; at < end && *at >= '0' && *at <= '9' && percent < 100; at++)
		percent = percent * 10 + (uint64_t) (*at - '0');
	if (percent && percent <= 100 && percent != m->throttle_percent) {
		m->throttle_percent = percent;
		flow->tell = 1;
	}
}
