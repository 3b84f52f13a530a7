/* SPDX-License-Identifier: MIT
 *
 * Log records: lines of "LOGGER\n" and a record, several parted by a zero byte.
 * Whatever is in them, the analyzers go on, their flows can be saved and taken
 * back, and what they tell can be written as JSON. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/engine.h"
#include "analyzers/analyzer.h"
#include "lib/clock.h"
#include "lib/util.h"

#define START_NS (UINT64_C(1795390000) * NS_PER_S)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
take_fact(void *context, const struct fact *fact)
{
	char *text;

	(void) context;
	if (!fact->attributes)
		return;
	text = json_dumps(fact->attributes, JSON_COMPACT);
	if (!text)
		abort();
	free(text);
	json_decref(fact->attributes);
}

static void
send(struct engine *engine, const char *logger, size_t logger_size, const char *record, size_t size,
     uint64_t t_ns)
{
	const struct ctf_interest *interest = engine_interest(engine);
	const int wanted = ctf_interest_find(interest, "lttng_python:event");
	struct ctf_value values[CTF_MAX_SLOTS] = { 0 };
	struct ctf_event event = { .wanted = (uint32_t) wanted, .values = values, .t_ns = t_ns,
				   .raw_ns = t_ns };

	event.n_values = ctf_interest_n_fields(interest, event.wanted);
	for (unsigned i = 0; i < event.n_values; i++) {
		enum ctf_scope scope;
		const char *field = ctf_interest_field_name(interest, event.wanted, i, &scope);
		struct ctf_value *value = &values[i];

		if (streq(field, "msg"))
			*value = (struct ctf_value) { .type = CTF_STRING, .s = record,
						      .size = (uint32_t) size };
		else if (streq(field, "logger_name"))
			*value = (struct ctf_value) { .type = CTF_STRING, .s = logger,
						      .size = (uint32_t) logger_size };
		else if (streq(field, "int_loglevel"))
			*value = (struct ctf_value) { .type = CTF_UNSIGNED, .u = size % 2 ? 40 : 20 };
		else if (streq(field, "vpid"))
			*value = (struct ctf_value) { .type = CTF_UNSIGNED, .u = 7 };
	}
	engine_event(engine_host(engine, "h"), &event);
}

static void
restore(void *context, const char *hostname, const char *analyzer, const char *key,
	const void *blob, size_t size)
{
	if (blob && engine_restore(context, hostname, analyzer, key, blob, size))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fact_sink sink = { .fact = take_fact };
	struct engine *engine = engine_new(analyzers, &engine_defaults, &sink);
	struct engine *other = engine_new(analyzers, &engine_defaults, &sink);
	const char *at = (const char *) data, *const end = at + size;
	uint64_t t_ns = START_NS;

	while (at < end) {
		const char *stop = memchr(at, '\0', (size_t) (end - at));
		const char *line = memchr(at, '\n', (size_t) ((stop ? stop : end) - at));

		stop = stop ? stop : end;
		if (line)
			send(engine, at, (size_t) (line - at), line + 1, (size_t) (stop - line - 1), t_ns);
		t_ns += 700 * NS_PER_MS;
		at = stop + 1;
	}
	engine_save(engine, restore, other);
	engine_watermark(engine_host(other, "h"), t_ns + 10000 * NS_PER_S);
	engine_host_end(engine_host(engine, "h"), t_ns);
	engine_host_end(engine_host(other, "h"), t_ns);
	engine_free(engine);
	engine_free(other);
	return 0;
}
