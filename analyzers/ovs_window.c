/* SPDX-License-Identifier: MIT
 *
 * ovs_window.c -- counters of an interval: kept, added up, as bytes and back. */
#include "analyzers/ovs_window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { VERSION = 1 };

const char *const ovs_counter_names[OVS_N_COUNTERS] = {
	[OVS_SOURCES] = "sources",
	[OVS_RECEIVED] = "received", [OVS_RECEIVED_BYTES] = "received_bytes",
	[OVS_SENT] = "sent", [OVS_SENT_BYTES] = "sent_bytes",
	[OVS_PACKETS] = "packets", [OVS_ACROSS] = "across_bridges",
	[OVS_TWO_IDENTITIES] = "two_identities",
	[OVS_LOOKUPS] = "lookups", [OVS_HITS] = "hits", [OVS_MISSES] = "misses",
	[OVS_MASKS] = "masks_tried", [OVS_CACHE_HITS] = "cache_hits",
	[OVS_UPCALLS] = "upcalls", [OVS_UPCALLS_MISS] = "upcalls_miss",
	[OVS_UPCALLS_ACTION] = "upcalls_action", [OVS_UPCALLS_REFUSED] = "upcalls_refused",
	[OVS_UPCALLS_ANSWERED] = "upcalls_answered",
	[OVS_UPCALLS_UNANSWERED] = "upcalls_unanswered", [OVS_READS] = "upcalls_read",
	[OVS_WAITING_MAX] = "upcalls_waiting_max",
	[OVS_EXECUTES] = "executes", [OVS_EXECUTES_UNKNOWN] = "executes_unknown",
	[OVS_FLOWS_ADDED] = "flows_added", [OVS_FLOWS_REMOVED] = "flows_removed",
	[OVS_DROPPED] = "dropped", [OVS_UNPAIRED] = "unpaired",
	[OVS_EVICTED_PACKETS] = "evicted_packets",
	[OVS_EVICTED_ADDRESSES] = "evicted_addresses",
	[OVS_EVICTED_CONVERSATIONS] = "evicted_conversations",
	[OVS_EVICTED_PATHS] = "evicted_paths", [OVS_EVICTED_OTHERS] = "evicted_others",
	[OVS_LOST_EVENTS] = "lost_events", [OVS_LATE_EVENTS] = "late_events",
};

const char *const ovs_component_names[OVS_N_COMPONENTS] = {
	[OVS_FAST] = "fast path", [OVS_SLOW] = "slow path", [OVS_JOURNEY] = "all bridges",
	[OVS_LOOKUP] = "lookup", [OVS_ACTIONS] = "actions", [OVS_ENQUEUE] = "upcall enqueue",
	[OVS_WAIT] = "upcall wait", [OVS_SERVICE] = "vswitchd service",
	[OVS_UPCALL] = "upcall round trip", [OVS_REINJECT] = "re-inject",
	[OVS_FLOW_PUT] = "flow put",
};

const char *const ovs_place_names[OVS_N_PLACES] = {
	[OVS_AT_LOOKUP] = "lookup", [OVS_AT_UPCALL] = "upcall", [OVS_AT_VSWITCHD] = "vswitchd",
	[OVS_AT_ACTIONS] = "actions", [OVS_AT_OUTPUT] = "output", [OVS_AT_KERNEL] = "kernel",
};

const char *const ovs_op_names[OVS_N_OPS] = {
	[OVS_FLOW_NEW] = "flow.new", [OVS_FLOW_SET] = "flow.set", [OVS_FLOW_DEL] = "flow.del",
	[OVS_VPORT_NEW] = "vport.new", [OVS_VPORT_DEL] = "vport.del", [OVS_DP_NEW] = "dp.new",
	[OVS_EXECUTE] = "packet.execute", [OVS_VPORT_SET] = "vport.set", [OVS_DP_SET] = "dp.set",
	[OVS_DP_DEL] = "dp.del",
};

/* Keys are compared as bytes: they must have none that are not set. */
_Static_assert(sizeof(((struct ovs_conversation *) 0)->key) == 32, "a key without padding");
_Static_assert(sizeof(((struct ovs_command *) 0)->key) == 20, "a key without padding");

/* -- The tables of a window ------------------------------------------------- */

/* What one kind of record is made of, so that the rest is written once. */
struct table {
	size_t at;                   /* Of the struct keyed in the window. */
	size_t size, key_size;
	uint32_t limit;
	size_t numbers;              /* Offset of the uint64_t members behind the key. */
	unsigned n_numbers;
	size_t histogram;            /* Offset, 0: it has none. */
	size_t extra, extra_size;    /* More bytes that are kept: the newest that are set. */
};

#define TABLE(MEMBER, TYPE, KEY, LIMIT, FIRST, N, ...) \
	{ .at = offsetof(struct ovs_window, MEMBER), .size = sizeof(TYPE), \
	  .key_size = sizeof(((TYPE *) 0)->KEY), .limit = (LIMIT), \
	  .numbers = offsetof(TYPE, FIRST), .n_numbers = (N), __VA_ARGS__ }

enum { PATHS, PORTS, CONVERSATIONS, DROPS, COMMANDS };
static const struct table tables[] = {
	[PATHS] = TABLE(paths, struct ovs_path, key, OVS_MAX_PATHS, packets, 2,
	      .histogram = offsetof(struct ovs_path, latency)),
	[PORTS] = TABLE(ports, struct ovs_port, port, OVS_MAX_PORTS, received, 5,
	      .extra = offsetof(struct ovs_port, ifindex), .extra_size = 20),
	[CONVERSATIONS] = TABLE(conversations, struct ovs_conversation, key, OVS_MAX_CONVERSATIONS,
				packets, 3, .histogram = offsetof(struct ovs_conversation, latency)),
	[DROPS] = TABLE(drops, struct ovs_drop, key, OVS_MAX_DROPS, count, 1),
	[COMMANDS] = TABLE(commands, struct ovs_command, key, OVS_MAX_COMMANDS, count, 2,
	      .histogram = offsetof(struct ovs_command, took)),
};
_Static_assert(offsetof(struct ovs_port, received) == offsetof(struct ovs_port, ifindex) + 20,
	       "ifindex and ifname are what is kept as they are");

static struct keyed *
keyed_of(const struct ovs_window *window, const struct table *table)
{
	return (struct keyed *) (uintptr_t) ((const char *) window + table->at);
}

static struct histogram *
histogram_of(const struct table *table, void *record)
{
	return table->histogram ?
	       (struct histogram *) (void *) ((char *) record + table->histogram) : NULL;
}

static uint64_t *
numbers_of(const struct table *table, void *record)
{
	return (uint64_t *) (void *) ((char *) record + table->numbers);
}

void
ovs_window_init(struct ovs_window *window)
{
	memset(window, 0, sizeof *window);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		*keyed_of(window, &tables[i]) = (struct keyed) {
			.size = tables[i].size, .key_size = tables[i].key_size,
			.limit = tables[i].limit,
		};
}

static void
free_histograms(const struct table *table, struct keyed *keyed)
{
	for (uint32_t i = 0; table->histogram && i < keyed->n; i++)
		histogram_done(histogram_of(table, keyed_at(keyed, i)));
}

void
ovs_window_done(struct ovs_window *window)
{
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		free_histograms(&tables[i], keyed_of(window, &tables[i]));
		keyed_done(keyed_of(window, &tables[i]));
	}
	for (unsigned i = 0; i < OVS_N_COMPONENTS; i++)
		histogram_done(&window->components[i]);
}

void
ovs_window_clear(struct ovs_window *window)
{
	memset(window->counters, 0, sizeof window->counters);
	for (unsigned i = 0; i < OVS_N_COMPONENTS; i++)
		histogram_reset(&window->components[i]);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		free_histograms(&tables[i], keyed_of(window, &tables[i]));
		keyed_clear(keyed_of(window, &tables[i]));
	}
}

bool
ovs_window_empty(const struct ovs_window *window)
{
	for (unsigned i = 0; i < OVS_N_COUNTERS; i++)
		if (window->counters[i] && i != OVS_SOURCES)
			return false;
	for (unsigned i = 0; i < OVS_N_COMPONENTS; i++)
		if (window->components[i].count)
			return false;
	return !window->commands.n && !window->drops.n;
}

bool
ovs_window_by_kprobes(const struct ovs_window *window)
{
	return window->counters[OVS_SOURCES] == OVS_BY_KPROBES;
}

size_t
ovs_window_size(const struct ovs_window *window)
{
	size_t size = sizeof *window;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		const struct table *table = &tables[i];
		const struct keyed *keyed = keyed_of(window, table);

		size += keyed->capacity * (keyed->size + 2 * sizeof *keyed->slots);
		for (uint32_t k = 0; table->histogram && k < keyed->n; k++)
			size += histogram_of(table, keyed_at(keyed, k))->n * sizeof(uint64_t);
	}
	for (unsigned i = 0; i < OVS_N_COMPONENTS; i++)
		size += window->components[i].n * sizeof(uint64_t);
	return size;
}

struct ovs_path *
ovs_window_path(struct ovs_window *window, uint32_t in, uint32_t out, bool slow)
{
	const uint32_t key[] = { in, out, slow };

	return keyed_get(&window->paths, key, NULL);
}

struct ovs_port *
ovs_window_port(struct ovs_window *window, uint32_t port)
{
	return keyed_get(&window->ports, &port, NULL);
}

/* -- Which conversations matter --------------------------------------------- */

static uint64_t
rank_bytes(const struct ovs_conversation *c)
{
	return c->bytes;
}

static uint64_t
rank_latency(const struct ovs_conversation *c)
{
	return c->latency.max;
}

static uint64_t
rank_lost(const struct ovs_conversation *c)
{
	return c->lost;
}

struct ranked {
	uint64_t rank;
	uint32_t i;
};

static int
compare_ranked(const void *a_, const void *b_)
{
	const struct ranked *a = a_, *b = b_;

	if (a->rank != b->rank)
		return a->rank > b->rank ? -1 : 1;
	return a->i < b->i ? -1 : a->i > b->i;
}

void
ovs_window_trim(struct ovs_window *window)
{
	static uint64_t (*const ranks[])(const struct ovs_conversation *) = {
		rank_bytes, rank_latency, rank_lost,
	};
	struct keyed *keyed = &window->conversations;
	const uint32_t n = keyed->n;
	struct ranked *order;
	bool *keep;

	if (n <= OVS_TOP_CONVERSATIONS)
		return;
	keyed_sort(keyed);
	order = xcalloc(n, sizeof *order);
	keep = xcalloc(n, sizeof *keep);
	for (size_t r = 0; r < ARRAY_SIZE(ranks); r++) {
		for (uint32_t i = 0; i < n; i++)
			order[i] = (struct ranked) { ranks[r](keyed_at(keyed, i)), i };
		qsort(order, n, sizeof *order, compare_ranked);
		for (uint32_t i = 0; i < OVS_TOP_CONVERSATIONS / (r ? 4 : 1) && order[i].rank; i++)
			keep[order[i].i] = true;
	}
	/* From behind: the record that takes a place was looked at already. */
	for (uint32_t i = n; i-- > 0; ) {
		struct ovs_conversation *c = keyed_at(keyed, i);

		if (keep[i])
			continue;
		window->counters[OVS_EVICTED_CONVERSATIONS]++;
		histogram_done(&c->latency);
		keyed_remove(keyed, c);
	}
	free(order);
	free(keep);
}

/* -- Adding up -------------------------------------------------------------- */

static uint64_t *
evicted(struct ovs_window *window, const struct table *table)
{
	return &window->counters[table == &tables[PATHS] ? OVS_EVICTED_PATHS :
				 table == &tables[CONVERSATIONS] ? OVS_EVICTED_CONVERSATIONS :
				 OVS_EVICTED_OTHERS];
}

static bool
any_set(const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return true;
	return false;
}

static void
merge_record(struct ovs_window *window, const struct table *table, void *other)
{
	void *record = keyed_get(keyed_of(window, table), other, NULL);
	const uint64_t *from = numbers_of(table, other);
	uint64_t *to;

	if (!record) {
		++*evicted(window, table);
		return;
	}
	to = numbers_of(table, record);
	for (unsigned i = 0; i < table->n_numbers; i++)
		to[i] += from[i];
	if (table->histogram)
		histogram_merge(histogram_of(table, record), histogram_of(table, other));
	if (table->extra && any_set((char *) other + table->extra, table->extra_size))
		memcpy((char *) record + table->extra, (char *) other + table->extra,
		       table->extra_size);
	if (table == &tables[CONVERSATIONS])
		((struct ovs_conversation *) record)->slow +=
			((struct ovs_conversation *) other)->slow;
}

void
ovs_window_merge(struct ovs_window *window, const struct ovs_window *other)
{
	for (unsigned i = 0; i < OVS_N_COUNTERS; i++) {
		if (i == OVS_SOURCES)
			window->counters[i] |= other->counters[i];
		else if (i == OVS_WAITING_MAX)
			window->counters[i] = MAX(window->counters[i], other->counters[i]);
		else
			window->counters[i] += other->counters[i];
	}
	for (unsigned i = 0; i < OVS_N_COMPONENTS; i++)
		histogram_merge(&window->components[i], &other->components[i]);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		const struct keyed *keyed = keyed_of(other, &tables[i]);

		for (uint32_t k = 0; k < keyed->n; k++)
			merge_record(window, &tables[i], keyed_at(keyed, k));
	}
}

/* -- As bytes --------------------------------------------------------------- */

static void
write_record(const struct table *table, void *record, struct buf *out)
{
	const uint64_t *numbers = numbers_of(table, record);

	buf_add(out, record, table->key_size);
	for (unsigned i = 0; i < table->n_numbers; i++)
		varint_write(numbers[i], out);
	if (table->extra)
		buf_add(out, (char *) record + table->extra, table->extra_size);
	if (table->histogram)
		histogram_write(histogram_of(table, record), out);
	if (table == &tables[CONVERSATIONS])
		varint_write(((struct ovs_conversation *) record)->slow, out);
}

/* Version; how many counters, and those; how many components, and those; the
 * tables with how many records each has.  Newer versions may have more of the
 * first two. */
void
ovs_window_write(struct ovs_window *window, struct buf *out)
{
	buf_add_char(out, VERSION);
	varint_write(OVS_N_COUNTERS, out);
	for (unsigned i = 0; i < OVS_N_COUNTERS; i++)
		varint_write(window->counters[i], out);
	varint_write(OVS_N_COMPONENTS, out);
	for (unsigned i = 0; i < OVS_N_COMPONENTS; i++)
		histogram_write(&window->components[i], out);
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		struct keyed *keyed = keyed_of(window, &tables[i]);

		keyed_sort(keyed);
		varint_write(keyed->n, out);
		for (uint32_t k = 0; k < keyed->n; k++)
			write_record(&tables[i], keyed_at(keyed, k), out);
	}
}

struct reader {
	const char *at;
	size_t left;
	bool bad;
};

static uint64_t
read_number(struct reader *reader)
{
	uint64_t value = 0;
	const ssize_t n = reader->bad ? -1 : varint_read(reader->at, reader->left, &value);

	if (n < 0) {
		reader->bad = true;
		return 0;
	}
	reader->at += n;
	reader->left -= (size_t) n;
	return value;
}

static void
read_bytes(struct reader *reader, void *to, size_t size)
{
	if (reader->bad || reader->left < size) {
		reader->bad = true;
		return;
	}
	memcpy(to, reader->at, size);
	reader->at += size;
	reader->left -= size;
}

static void
read_histogram(struct reader *reader, struct histogram *histogram)
{
	const ssize_t n = reader->bad ? -1 :
			  histogram_read(histogram, reader->at, reader->left);

	if (n < 0) {
		reader->bad = true;
		return;
	}
	reader->at += n;
	reader->left -= (size_t) n;
}

static void
read_record(struct reader *reader, const struct table *table, struct keyed *keyed)
{
	unsigned char key[64];
	bool is_new = false;
	uint64_t *numbers;
	void *record;

	read_bytes(reader, key, table->key_size);
	record = reader->bad ? NULL : keyed_get(keyed, key, &is_new);
	if (!record || !is_new) {
		reader->bad = true;
		return;
	}
	numbers = numbers_of(table, record);
	for (unsigned i = 0; i < table->n_numbers; i++)
		numbers[i] = read_number(reader);
	if (table->extra)
		read_bytes(reader, (char *) record + table->extra, table->extra_size);
	if (table->histogram)
		read_histogram(reader, histogram_of(table, record));
	if (table == &tables[CONVERSATIONS])
		((struct ovs_conversation *) record)->slow = (uint32_t) read_number(reader);
}

/* Names are for people and JSON: they end, whatever the bytes say. */
static void
end_names(struct ovs_window *window)
{
	for (uint32_t i = 0; i < window->ports.n; i++)
		((struct ovs_port *) keyed_at(&window->ports, i))->ifname[15] = '\0';
}

static bool
keys_sound(const struct ovs_window *window)
{
	for (uint32_t i = 0; i < window->drops.n; i++)
		if (((struct ovs_drop *) keyed_at(&window->drops, i))->key.place >= OVS_N_PLACES)
			return false;
	for (uint32_t i = 0; i < window->commands.n; i++) {
		const struct ovs_command *command = keyed_at(&window->commands, i);

		if (command->key.op >= OVS_N_OPS || command->key.comm[15])
			return false;
	}
	return true;
}

int
ovs_window_read(struct ovs_window *window, const void *bytes, size_t size)
{
	struct reader reader = { bytes, size, false };
	char version = 0;
	uint64_t n;

	ovs_window_clear(window);
	read_bytes(&reader, &version, 1);
	if (version != VERSION || read_number(&reader) != OVS_N_COUNTERS)
		reader.bad = true;
	for (unsigned i = 0; i < OVS_N_COUNTERS && !reader.bad; i++)
		window->counters[i] = read_number(&reader);
	if (read_number(&reader) != OVS_N_COMPONENTS)
		reader.bad = true;
	for (unsigned i = 0; i < OVS_N_COMPONENTS && !reader.bad; i++)
		read_histogram(&reader, &window->components[i]);
	for (size_t i = 0; i < ARRAY_SIZE(tables) && !reader.bad; i++)
		for (n = read_number(&reader); n && !reader.bad; n--)
			read_record(&reader, &tables[i], keyed_of(window, &tables[i]));
	end_names(window);
	if (!reader.bad && !reader.left && keys_sound(window))
		return 0;
	ovs_window_clear(window);
	return -EINVAL;
}
