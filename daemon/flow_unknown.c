/* SPDX-License-Identifier: MIT
 *
 * flow_unknown.c -- what is not known of a request (unknown.h, flow.h). */
#include <string.h>

#include "daemon/flow_private.h"
#include "daemon/unknown.h"
#include "lib/util.h"

enum { MAX_HOSTS = 64 };

static void
name_host(json_t *hosts, const char *host)
{
	if (host && *host && json_object_size(hosts) < MAX_HOSTS && !json_object_get(hosts, host))
		json_object_set_new(hosts, host, json_true());
}

/* The host that a message is for, of "compute.HOST" or "cinder-volume.HOST@BACKEND";
 * false: not for one host. */
static bool
addressee(const struct flow_fact *call, char *ret, size_t size)
{
	const char *topic = flow_text(call, "topic"), *what = flow_text(call, "what");
	const char *dot = topic ? strchr(topic, '.') : NULL;

	if (!dot || !dot[1] || (what && streq(what, "fanout")))
		return false;
	snprintf(ret, size, "%.*s", (int) strcspn(dot + 1, "@#"), dot + 1);
	return *ret;
}

/* Nodes that have a part in it, in the order in which they come up. */
static json_t *
hosts_of(const struct flow *flow)
{
	json_t *hosts = json_object();
	char host[128];

	for (size_t i = 0; i < flow->n; i++) {
		name_host(hosts, flow->facts[i]->host);
		if (flow->facts[i]->family == FAMILY_CALL &&
		    addressee(flow->facts[i], host, sizeof host) && store_is_host(flow->store, host))
			name_host(hosts, host);
	}
	name_host(hosts, json_string_value(json_object_get(flow->record, "source")));
	name_host(hosts, json_string_value(json_object_get(flow->record, "destination")));
	return hosts;
}

static double
after(const struct flow *flow, uint64_t t_ns)
{
	return (double) ((int64_t) t_ns - (int64_t) flow->start_ns) / 1e9;
}

/* Of its migration, without what was lost: that is told of the whole request. */
static json_t *
of_migration(const struct flow *flow)
{
	json_t *all = flow->record ? unknown_of_migration(flow->store, flow->record) : json_array();
	json_t *list = json_array(), *one;
	size_t i;

	json_array_foreach(all, i, one)
		if (!streq(flow_member(one, "what"), "lost-events"))
			json_array_append(list, one);
	json_decref(all);
	return list;
}

/* Hosts that were told of already. */
static json_t *
told_of(const json_t *list)
{
	json_t *told = json_object(), *one;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) list, i, one)
		if (streq(flow_member(one, "what"), "no-trace"))
			name_host(told, flow_member(one, "host"));
	return told;
}

/* Nodes that were told to do something, or that Nova names, and that nothing came from. */
static void
tell_untraced(const struct flow *flow, json_t *list)
{
	json_t *told = told_of(list);
	char host[128];

	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_fact *call = flow->facts[i];

		if (call->family != FAMILY_CALL || call->other || !addressee(call, host, sizeof host) ||
		    json_object_get(told, host))
			continue;
		if (!unknown_is_traced(flow->store, host))
			unknown_add(list, host, "no-trace", call->start_ns, 0,
				    "%s: there is no trace of this node: what it did after %s asked it at"
				    " %.3f s is not known", host,
				    *call->service ? call->service : "somebody",
				    after(flow, call->start_ns));
		name_host(told, host);
	}
	for (int i = 0; i < 2; i++) {
		const char *end = i ? "destination" : "source", *named = flow_text(flow->told, end);

		if (named && !json_object_get(told, named) && !unknown_is_traced(flow->store, named))
			unknown_add(list, named, "no-trace", flow->start_ns, flow->end_ns,
				    "%s, the %s: there is no trace of this node: what it did is not known",
				    named, end);
	}
	json_decref(told);
}

/* What somebody was at when he was last heard of. */
static void
tell_lost(const struct flow *flow, json_t *list)
{
	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_fact *fact = flow->facts[i];

		if (!fact->surely || !streq(fact->status, "lost") || fact->family == FAMILY_ERROR)
			continue;
		unknown_add(list, fact->host, "trace-ends", flow_last(fact), 0,
			    "%s: nothing was heard of %s%s%s%s after %.3f s: what became of it is not known",
			    fact->host, *fact->service ? fact->service : "it",
			    *fact->name && fact->family == FAMILY_STEP ? "'s " : "",
			    fact->family == FAMILY_STEP ? fact->name : "",
			    fact->family == FAMILY_CALL ? "'s question being answered" :
			    fact->family == FAMILY_SERVED ? "'s answer" : "", after(flow, flow_last(fact)));
	}
}

/* When the node was last heard of; false: it may still tell more, or nothing is known. */
static bool
has_ended(struct store *store, const char *host, uint64_t *ret_last_ns)
{
	json_t *node = store_node(store, host), *source;
	bool ended = json_array_size(json_object_get(node, "sources")) > 0;
	size_t i;

	*ret_last_ns = 0;
	json_array_foreach(json_object_get(node, "sources"), i, source) {
		const char *state = flow_member(source, "state");

		ended &= state && (streq(state, "gone") || streq(state, "lost"));
		*ret_last_ns = MAX(*ret_last_ns, flow_number(source, "last_event_ns"));
	}
	json_decref(node);
	return ended;
}

/* Whether a message of this topic was taken on the host, as far as was seen. */
static bool
serves(const struct flow *flow, const char *topic, const char *host)
{
	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_fact *fact = flow->facts[i];
		const char *of = flow_text(fact->other, "topic");

		if (fact->family == FAMILY_SERVED && of && streq(of, topic) && streq(fact->host, host))
			return true;
	}
	return false;
}

/* Whether the host was asked after that time, and nobody was seen to take it. */
static bool
is_unheard(const struct flow *flow, const char *host, uint64_t t_ns)
{
	for (size_t i = 0; i < flow->n; i++) {
		const struct flow_fact *call = flow->facts[i];
		const char *topic = flow_text(call, "topic");
		char to[128];

		if (call->family == FAMILY_CALL && !call->other && call->surely && topic &&
		    call->start_ns > t_ns && (addressee(call, to, sizeof to) ? streq(to, host) :
					      serves(flow, topic, host)))
			return true;
	}
	return false;
}

/* The first message to that host that nobody took, of a request that is over; or NULL. */
static const struct flow_fact *
untaken(const struct flow *flow, const char *host)
{
	char to[128];

	for (size_t i = 0; i < flow->n && !streq(flow->status, "running"); i++) {
		const struct flow_fact *call = flow->facts[i];

		if (call->family == FAMILY_CALL && !call->other && call->surely &&
		    addressee(call, to, sizeof to) && streq(to, host))
			return call;
	}
	return NULL;
}

/* Nodes that were asked something when their trace was over, or had a gap, or when nobody
 * there listened. */
static void
tell_deaf(const struct flow *flow, const json_t *hosts, json_t *list)
{
	const struct flow_fact *call;
	const char *host;
	json_t *unused;
	uint64_t last_ns;

	json_object_foreach((json_t *) (uintptr_t) hosts, host, unused) {
		if (has_ended(flow->store, host, &last_ns) && last_ns && is_unheard(flow, host, last_ns))
			unknown_add(list, host, "trace-ends", last_ns, 0,
				    "%s: its trace ends at %.3f s: what it was asked after that, and did,"
				    " is not known", host, after(flow, last_ns));
		else if (last_ns && (call = untaken(flow, host)))
			unknown_add(list, host, "not-taken", call->start_ns, 0,
				    "%s: nobody was seen to take what %s asked it at %.3f s: it was not"
				    " traced then, or did not listen", host,
				    *call->service ? call->service : "somebody",
				    after(flow, call->start_ns));
	}
}

/* Of what is not over: whose trace is. */
static void
tell_ended(const struct flow *flow, const json_t *hosts, json_t *list)
{
	const char *host;
	json_t *unused;
	uint64_t last_ns;

	if (json_array_size(list) || (!streq(flow->status, "running") && !streq(flow->status, "lost")))
		return;
	json_object_foreach((json_t *) (uintptr_t) hosts, host, unused)
		if (has_ended(flow->store, host, &last_ns) && last_ns)
			unknown_add(list, host, "trace-ends", last_ns, 0,
				    "%s: its trace ends at %.3f s, before the end of this was told", host,
				    after(flow, last_ns));
}

void
flow_unknown(const struct flow *flow, json_t *record)
{
	const struct unknown_span span = { flow->start_ns, flow->end_ns, 0 };
	json_t *list = of_migration(flow), *hosts = hosts_of(flow), *unused;
	const char *host;

	tell_untraced(flow, list);
	tell_lost(flow, list);
	tell_deaf(flow, hosts, list);
	tell_ended(flow, hosts, list);
	json_object_foreach(hosts, host, unused)
		unknown_add_losses(list, flow->store, host, &span);
	json_object_set_new(record, "unknown", list);
	json_decref(hosts);
}
