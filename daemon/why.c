/* SPDX-License-Identifier: MIT */
#include "daemon/why_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FINDINGS = 40 };

const char *
why_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text && *text ? text : NULL;
}

uint64_t
why_ns(const json_t *object, const char *name)
{
	const json_int_t value = json_integer_value(json_object_get(object, name));

	return value > 0 ? (uint64_t) value : 0;
}

char *
why_duration(uint64_t ns)
{
	if (ns >= 100 * NS_PER_S)
		return xasprintf("%.0f s", (double) ns / 1e9);
	if (ns >= NS_PER_S)
		return xasprintf("%.1f s", (double) ns / 1e9);
	return xasprintf("%.0f ms", (double) ns / 1e6);
}

char *
why_rate(double bytes_s)
{
	static const char *const units[] = { "B", "kB", "MB", "GB" };
	size_t i = 0;

	while (bytes_s >= 1000 && i + 1 < ARRAY_SIZE(units)) {
		bytes_s /= 1000;
		i++;
	}
	return xasprintf(bytes_s < 10 && i ? "%.2f %s/s" : "%.0f %s/s", bytes_s, units[i]);
}

uint64_t
why_end(struct store *store, const json_t *span, const char *host)
{
	const uint64_t end_ns = why_ns(span, "end_ns");

	return end_ns || !host ? end_ns : store_horizon(store, host);
}

bool
why_is_much(const struct why_rule *rule, uint64_t ns, uint64_t of_ns)
{
	return ns && ns >= rule->least_ns && (double) ns >= rule->share * (double) of_ns;
}

double
why_share(const struct why *why, uint64_t ns)
{
	return MIN((double) ns / (double) why->total_ns, 1.0);
}

void
why_add(struct why *why, const struct why_rule *rule, const char *node, double weight,
	json_t *evidence, char *text)
{
	json_t *said = store_string(text);

	/* Thousandths will do, and look the same everywhere. */
	weight = round(fmax(0, fmin(weight, 1)) * 1000) / 1000;
	if (json_array_size(why->findings) < MAX_FINDINGS)
		json_array_append_new(why->findings, json_pack(
			"{s:s, s:o, s:O, s:s, s:o, s:f}", "rule", rule->name, "text", said,
			"evidence", evidence, "layer", rule->layer, "node",
			node ? store_string(node) : json_null(), "weight", weight));
	else
		json_decref(said);
	json_decref(evidence);
	free(text);
}

void
why_run(struct why *why, const struct why_rule *rules)
{
	for (; rules->name; rules++)
		rules->find(why, rules);
}

static double
weight_of(const json_t *finding)
{
	return json_number_value(json_object_get(finding, "weight"));
}

/* By insertion: there are few, and equal ones have to stay in their order. */
void
why_sort(json_t *findings)
{
	for (size_t i = 1; i < json_array_size(findings); i++) {
		json_t *one = json_incref(json_array_get(findings, i));
		size_t k = i;

		while (k && weight_of(json_array_get(findings, k - 1)) < weight_of(one))
			k--;
		json_array_remove(findings, i);
		json_array_insert_new(findings, k, one);
	}
}

static struct why
why_begin(struct store *store, const json_t *subject, const char *host)
{
	struct why why = { .store = store, .subject = subject, .findings = json_array(),
			   .start_ns = why_ns(subject, "start_ns"),
			   .end_ns = why_end(store, subject, host) };

	why.end_ns = MAX(why.end_ns, why.start_ns);
	why.total_ns = MAX(why.end_ns - why.start_ns, (uint64_t) 1);
	return why;
}

json_t *
why_migration(struct store *store, const json_t *migration)
{
	struct why why = why_begin(store, migration, why_text(migration, "source") ?:
				   why_text(migration, "destination"));

	why_run(&why, why_qemu_rules);
	why_run(&why, why_kernel_rules);
	why_sort(why.findings);
	return why.findings;
}

json_t *
why_flow(struct store *store, const json_t *flow)
{
	struct why why = why_begin(store, flow, why_text(flow, "host"));

	why_run(&why, why_flow_rules);
	why_sort(why.findings);
	return why.findings;
}
