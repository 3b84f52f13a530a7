/* SPDX-License-Identifier: MIT */
#include "tests/ovs_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/util.h"

extern const struct analyzer ovs_analyzer;
static const struct analyzer *const table[] = { &ovs_analyzer, NULL };

static void
take_fact(void *context, const struct fact *fact)
{
	struct ovs_run *run = context;
	struct ovs_window window;
	char *text;

	run->facts[fact->type]++;
	if (fact->type == FACT_WINDOW) {
		ovs_window_init(&window);
		if (ovs_window_read(&window, fact->blob, fact->blob_size))
			abort();
		ovs_window_merge(&run->sum, &window);
		ovs_window_done(&window);
		run->blob_bytes += fact->blob_size;
	}
	if (!run->quiet) {
		buf_printf(&run->text, "%d %s %s %llu %llu %s ", fact->type, fact->kind, fact->key,
			   (unsigned long long) (fact->start_ns - OVS_START_NS),
			   (unsigned long long) (fact->end_ns ? fact->end_ns - OVS_START_NS : 0),
			   fact->status ? fact->status : "-");
		for (size_t i = 0; i < fact->blob_size; i++)
			buf_printf(&run->text, "%02x", ((const unsigned char *) fact->blob)[i]);
		text = fact->attributes ? json_dumps(fact->attributes, JSON_COMPACT |
						     JSON_SORT_KEYS) : NULL;
		buf_printf(&run->text, "%s\n", text ? text : "");
		free(text);
	}
	json_decref(fact->attributes);
}

static void
start_engine(struct ovs_run *run)
{
	const struct fact_sink sink = { .fact = take_fact, .context = run };

	run->engine = engine_new(table, &engine_defaults, &sink);
	if (!run->engine)
		abort();
}

void
ovs_run_start(struct ovs_run *run)
{
	memset(run, 0, sizeof *run);
	ovs_window_init(&run->sum);
	run->blobs = KEYED(struct ovs_blob, key, 100000);
	start_engine(run);
}

void
ovs_run_stop(struct ovs_run *run)
{
	for (uint32_t i = 0; i < run->blobs.n; i++)
		free(((struct ovs_blob *) keyed_at(&run->blobs, i))->bytes);
	keyed_done(&run->blobs);
	ovs_window_done(&run->sum);
	buf_done(&run->text);
	engine_free(run->engine);
}

static void
take_blob(void *context, const char *host, const char *analyzer, const char *key,
	  const void *bytes, size_t size)
{
	struct ovs_run *run = context;
	char name[24] = "";
	struct ovs_blob *blob;

	(void) host;
	(void) analyzer;
	memcpy(name, key, MIN(strlen(key), sizeof name - 1));
	blob = keyed_get(&run->blobs, name, NULL);
	free(blob->bytes);
	blob->bytes = bytes ? xmalloc(size) : NULL;
	blob->size = size;
	if (bytes)
		memcpy(blob->bytes, bytes, size);
}

void
ovs_run_restart(struct ovs_run *run)
{
	engine_save(run->engine, take_blob, run);
	engine_free(run->engine);
	start_engine(run);
	for (uint32_t i = 0; i < run->blobs.n; i++) {
		const struct ovs_blob *blob = keyed_at(&run->blobs, i);

		if (blob->bytes && engine_restore(run->engine, "compute-01", "ovs", blob->key,
						  blob->bytes, blob->size))
			abort();
	}
}

struct engine_host *
ovs_run_host(struct ovs_run *run)
{
	return engine_host(run->engine, "compute-01");
}

static struct ctf_value
value_of(const struct ovs_value *values, const char *field, int cpu)
{
	if (streq(field, "cpu_id") && cpu >= 0)
		return (struct ctf_value) { .type = CTF_UNSIGNED, .u = (unsigned) cpu };
	for (; values->name; values++) {
		if (!streq(values->name, field))
			continue;
		if (!values->text)
			return (struct ctf_value) { .type = CTF_UNSIGNED, .u = values->number };
		return (struct ctf_value) {
			.type = values->bytes ? CTF_BYTES : CTF_STRING, .s = values->text,
			.size = (uint32_t) (values->bytes ? values->bytes : strlen(values->text)) };
	}
	return (struct ctf_value) { 0 };
}

void
ovs_run_event(struct ovs_run *run, const char *name, uint64_t t_ns, int cpu,
	      const struct ovs_value *list)
{
	const struct ctf_interest *interest = engine_interest(run->engine);
	struct ctf_value values[CTF_MAX_SLOTS];
	struct ctf_event event = { .values = values, .raw_ns = t_ns, .t_ns = t_ns };
	enum ctf_scope scope;

	event.wanted = (uint32_t) ctf_interest_find(interest, name);
	event.n_values = ctf_interest_n_fields(interest, event.wanted);
	for (unsigned i = 0; i < event.n_values; i++)
		values[i] = value_of(list, ctf_interest_field_name(interest, event.wanted, i,
								   &scope), cpu);
	engine_event(ovs_run_host(run), &event);
}

/* -- Packets ------------------------------------------------------------------- */

static void
event(struct ovs_run *run, struct ovs_made *made, const char *name,
      const struct ovs_value *values)
{
	ovs_run_event(run, name, made->t_ns, made->cpu, values);
	made->t_ns += 1000;
}

static void
edge(struct ovs_run *run, struct ovs_made *made, const char *name, uint32_t port)
{
	char src[6] = { 2, 0 }, dst[6] = { 2, 1 }, ifname[16];
	const uint32_t flow = made->flow;
	const struct ovs_value values[] = {
		{ "tag", made->tag, NULL, 0 }, { "tag_state", 1, NULL, 0 },
		{ "skbaddr", made->skb, NULL, 0 }, { "port_no", port, NULL, 0 },
		{ "ifindex", port + 10 + made->round * 100, NULL, 0 }, { "ifname", 0, ifname, 0 },
		{ "len", 100, NULL, 0 }, { "eth_type", 0x800, NULL, 0 },
		{ "src_mac", 0, src, 6 }, { "dst_mac", 0, dst, 6 },
		{ "saddr", 0x0a000000 | flow, NULL, 0 }, { "daddr", 0x0b000001, NULL, 0 },
		{ "l4_proto", 17, NULL, 0 }, { "pkt_hash", flow * 7919 + 1, NULL, 0 },
		{ "pid", 500, NULL, 0 }, { "tid", 500, NULL, 0 }, { "procname", 0, "vhost-400", 0 },
		{ NULL, 0, NULL, 0 }
	};

	snprintf(ifname, sizeof ifname, "tap%u", port);
	memcpy(src + 2, &flow, 4);
	event(run, made, name, values);
}

void
ovs_made_receive(struct ovs_run *run, struct ovs_made *made)
{
	edge(run, made, "ovs_packet_receive", made->in);
}

void
ovs_made_lookup(struct ovs_run *run, struct ovs_made *made, bool hit)
{
	const struct ovs_value values[] = {
		{ "tag", made->tag, NULL, 0 }, { "skbaddr", made->skb, NULL, 0 },
		{ "hit", hit, NULL, 0 }, { "n_mask_hit", 2, NULL, 0 }, { "n_cache_hit", 1, NULL, 0 },
		{ NULL, 0, NULL, 0 }
	};

	event(run, made, "ovs_flow_lookup_begin", values);
	event(run, made, "ovs_flow_lookup_end", values);
}

void
ovs_made_actions(struct ovs_run *run, struct ovs_made *made, bool sends, int ret)
{
	const struct ovs_value values[] = {
		{ "tag", made->tag, NULL, 0 }, { "skbaddr", made->skb, NULL, 0 },
		{ "out_port", made->out, NULL, 0 }, { "ret", (uint64_t) ret, NULL, 0 },
		{ "actions_len", made->out != OVS_NO_PORT ? 8 : 0, NULL, 0 },
		{ NULL, 0, NULL, 0 }
	};

	event(run, made, "ovs_actions_begin", values);
	if (made->out != OVS_NO_PORT)
		event(run, made, "ovs_action_output", values);
	if (sends)
		edge(run, made, "ovs_packet_send", made->out);
	event(run, made, "ovs_actions_end", values);
}

void
ovs_made_upcall(struct ovs_run *run, struct ovs_made *made, int ret)
{
	const struct ovs_value values[] = {
		{ "tag", made->tag, NULL, 0 }, { "skbaddr", made->skb, NULL, 0 },
		{ "cmd", 1, NULL, 0 }, { "portid", 7000, NULL, 0 }, { "len", 100, NULL, 0 },
		{ "ret", (uint64_t) ret, NULL, 0 }, { NULL, 0, NULL, 0 }
	};

	event(run, made, "ovs_upcall_begin", values);
	event(run, made, "ovs_upcall_end", values);
}

void
ovs_made_execute(struct ovs_run *run, struct ovs_made *made, uint64_t tid)
{
	const struct ovs_value values[] = {
		{ "tag", made->tag, NULL, 0 }, { "tid", tid, NULL, 0 }, { "tag_state", 3, NULL, 0 },
		{ "phase", 0, NULL, 0 }, { "op", 0, "ovs_flow_cmd_new", 0 },
		{ "name", 0, "", 0 }, { "procname", 0, "handler1", 0 }, { NULL, 0, NULL, 0 }
	};
	struct ovs_value ends[ARRAY_SIZE(values)];

	memcpy(ends, values, sizeof ends);
	ends[3].number = 1;
	event(run, made, "ovs_genl_cmd", values);
	event(run, made, "ovs_genl_cmd", ends);
	event(run, made, "ovs_packet_execute", values);
}
