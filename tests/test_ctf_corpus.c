/* SPDX-License-Identifier: MIT
 *
 * test_ctf_corpus.c -- real traces: as many events as babeltrace2 finds, and
 * every field has the same value when it is fetched by interest (plans) as
 * when it is visited (interpreter). */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ctf/stream.h"
#include "lib/util.h"

/* Counts by babeltrace2 2.0.4, each stream for itself. */
static const struct sample {
	const char *name;        /* In tests/corpus... */
	const char *folder;      /* and within. */
	uint64_t events, lost;
} samples[] = {
	{ "ctf/bandwidth_issue", ".", 1680, 0 },
	{ "ctf/bug446190", ".", 31556, 0 },
	{ "ctf/cyg-profile", "glxgears-cyg-profile", 4977, 0 },
	{ "ctf/flipping-endianness", ".", 14310, 0 },
	{ "ctf/hello-lost", ".", 32300, 967700 },
	{ "ctf/many-threads", ".", 240644, 0 },
	{ "ctf/mpi_allreduce", ".", 891, 0 },
	{ "ctf/synctraces", "scp_dest", 85729, 0 },
	{ "kernel/g-two-nodes-sync", "node-a", 18775, 0 },
	{ "openstack/boot-delete", "ctf/compute-1", 595, 0 },
	{ "qemu/b-rounds", "compute-01", 912, 0 },
	{ "qemu/b-rounds", "compute-02", 622, 0 },
	{ "qemu/q10-f-long-stopcopy", "compute-01", 37519, 0 },
};

enum { MAX_SEEN = 512 };

/* A field of one event, as visited. */
struct seen {
	enum ctf_scope scope;
	char path[128];
	struct ctf_value value;
};

struct walk {
	struct seen seen[MAX_SEEN];
	unsigned n_seen;
	enum ctf_scope scope;
	char path[128];
	unsigned arrays;         /* Open ones: what is in them has no path. */
	char event[256];
};

static void
event_begin(void *context, struct ctf_stream *stream, const char *name, uint64_t raw_ns,
	    uint64_t t_ns, bool has_time)
{
	struct walk *walk = context;

	walk->n_seen = 0;
	walk->path[0] = '\0';
	snprintf(walk->event, sizeof walk->event, "%s", name);
}

static void
nothing(void *context)
{
}

static void
scope_begin(void *context, const char *scope)
{
	((struct walk *) context)->scope = streq(scope, "packet") ? CTF_PACKET_CONTEXT :
		streq(scope, "context") ? CTF_EVENT_CONTEXT : CTF_PAYLOAD;
}

static void
see(struct walk *walk, const char *name, struct ctf_value value)
{
	struct seen *seen = &walk->seen[walk->n_seen];

	if (walk->arrays || !name)
		return;
	assert_true(walk->n_seen < MAX_SEEN);
	seen->scope = walk->scope;
	snprintf(seen->path, sizeof seen->path, "%s%s", walk->path, name);
	seen->value = value;
	walk->n_seen++;
}

static void
unsigned_integer(void *context, const char *name, uint64_t u)
{
	see(context, name, (struct ctf_value) { .type = CTF_UNSIGNED, .u = u });
}

static void
signed_integer(void *context, const char *name, int64_t i)
{
	see(context, name, (struct ctf_value) { .type = CTF_SIGNED, .i = i });
}

static void
real(void *context, const char *name, double r, bool single)
{
	see(context, name, (struct ctf_value) { .type = CTF_REAL, .r = r });
}

static void
string(void *context, const char *name, const char *bytes, size_t size)
{
	see(context, name, (struct ctf_value) { .type = CTF_STRING, .size = (uint32_t) size,
						.s = bytes });
}

static void
structure_begin(void *context, const char *name)
{
	struct walk *walk = context;
	size_t n = strlen(walk->path);

	if (!walk->arrays)
		snprintf(walk->path + n, sizeof walk->path - n, "%s.", name);
}

static void
structure_end(void *context)
{
	struct walk *walk = context;
	char *dot;

	if (walk->arrays)
		return;
	walk->path[strlen(walk->path) - 1] = '\0';
	dot = strrchr(walk->path, '.');
	*(dot ? dot + 1 : walk->path) = '\0';
}

static void
array_begin(void *context, const char *name)
{
	((struct walk *) context)->arrays++;
}

static void
array_end(void *context)
{
	((struct walk *) context)->arrays--;
}

static const struct ctf_visitor visitor = {
	event_begin, nothing, scope_begin, nothing, unsigned_integer, signed_integer, real, string,
	structure_begin, structure_end, array_begin, array_end,
};

static void *
map_file(const char *path, size_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *bytes = NULL;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size) {
		*ret_size = (size_t) st.st_size;
		bytes = mmap(NULL, *ret_size, PROT_READ, MAP_PRIVATE, fd, 0);
		assert_ptr_not_equal(bytes, MAP_FAILED);
	}
	if (fd >= 0)
		close(fd);
	return bytes;
}

static struct ctf_trace *
open_trace(const char *folder, const struct ctf_interest *interest)
{
	struct ctf_trace *trace = ctf_trace_new(folder, interest);
	char *path = xasprintf("%s/metadata", folder);
	struct error error = { 0 };
	size_t size = 0;
	void *bytes = map_file(path, &size);

	assert_non_null(bytes);
	if (ctf_trace_add_metadata(trace, bytes, size, &error) < 0)
		fail_msg("%s", error.text);
	munmap(bytes, size);
	free(path);
	return trace;
}

static struct ctf_stream *
open_stream(struct ctf_trace *trace, const char *key, const uint8_t *bytes, size_t size, bool all)
{
	struct ctf_stream *stream = ctf_stream_new(trace, key);
	struct ctf_packet_info info;
	struct error error = { 0 };
	size_t n;

	if (all)
		ctf_stream_want_all(stream);
	for (; size; bytes += n, size -= n) {
		if (ctf_packet_peek(trace, bytes, size, &info, &error) < 0)
			fail_msg("%s", error.text);
		n = info.packet_bits ? MIN((size_t) (info.packet_bits / 8), size) : size;
		assert_int_equal(ctf_stream_push(stream, bytes, n, NULL, NULL, &error), 0);
	}
	ctf_stream_end(stream);
	return stream;
}

static bool
same_value(const struct ctf_value *a, const struct ctf_value *b)
{
	if (a->type != b->type)
		return false;
	if (a->type == CTF_STRING)
		return a->size == b->size && !memcmp(a->s, b->s, a->size);
	return a->u == b->u;
}

/* Compares the event with what was visited, where it is wanted. */
static void
compare(struct ctf_interest *interest, const struct walk *walk, const struct ctf_event *event)
{
	for (unsigned i = 0; i < walk->n_seen; i++) {
		const struct seen *seen = &walk->seen[i];
		int slot = ctf_interest_field(interest, event->wanted, seen->scope, seen->path);

		if (slot >= 0 && !same_value(&seen->value, &event->values[slot]))
			fail_msg("%s.%s differs", walk->event, seen->path);
	}
}

static void
want(struct ctf_interest *interest, const struct walk *walk)
{
	unsigned event = ctf_interest_event(interest, walk->event);

	for (unsigned i = 0; i < walk->n_seen; i++)
		ctf_interest_field(interest, event, walk->seen[i].scope, walk->seen[i].path);
}

/* Without 'wanted': fills 'interest' with all that is visited.  With it: walks
 * both ways at once and compares. */
static void
walk_file(const char *key, const uint8_t *bytes, size_t size, struct ctf_trace *all,
	  struct ctf_trace *wanted, struct ctf_interest *interest, uint64_t sum[2])
{
	struct ctf_stream *visited = open_stream(all, key, bytes, size, true), *fetched = NULL;
	struct walk walk = { 0 };
	struct error error = { 0 };
	uint64_t raw_ns, other_ns;
	int head;

	if (wanted)
		fetched = open_stream(wanted, key, bytes, size, false);
	while ((head = ctf_stream_head(visited, &raw_ns, &error)) != CTF_HEAD_END) {
		if (fetched) {
			assert_int_equal(ctf_stream_head(fetched, &other_ns, &error), head);
			assert_int_equal(other_ns, raw_ns);
		}
		if (head == CTF_HEAD_EVENT) {
			assert_int_equal(ctf_stream_visit(visited, &visitor, &walk, &error), 0);
			if (fetched)
				compare(interest, &walk, ctf_stream_event(fetched));
			else
				want(interest, &walk);
		}
		ctf_stream_advance(visited);
		if (fetched)
			ctf_stream_advance(fetched);
	}
	assert_null(ctf_stream_error(visited));
	sum[0] += ctf_stream_counters(visited)->events;
	sum[1] += ctf_stream_counters(visited)->discarded_events;
	ctf_stream_free(visited);
	ctf_stream_free(fetched);
}

static void
walk_trace(const char *folder, struct ctf_interest *interest, bool compare_all, uint64_t sum[2])
{
	struct ctf_trace *all = open_trace(folder, NULL), *wanted = NULL;
	struct dirent **entries;
	int n = scandir(folder, &entries, NULL, alphasort);

	if (compare_all)
		wanted = open_trace(folder, interest);
	for (int i = 0; i < n; i++) {
		const char *name = entries[i]->d_name;
		char *path = xasprintf("%s/%s", folder, name);
		size_t size;
		void *bytes;

		if (name[0] != '.' && !streq(name, "metadata") && (bytes = map_file(path, &size))) {
			walk_file(name, bytes, size, all, wanted, interest, sum);
			munmap(bytes, size);
		}
		free(path);
		free(entries[i]);
	}
	free(entries);
	ctf_trace_free(wanted);
	ctf_trace_free(all);
}

/* Runs 'command' and returns the first line that it prints. */
static char *
output_of(const char *command)
{
	FILE *pipe = popen(command, "r");
	char line[4096] = "";

	assert_non_null(pipe);
	if (!fgets(line, sizeof line, pipe))
		line[0] = '\0';
	if (pclose(pipe) != 0)
		fail_msg("failed: %s", command);
	line[strcspn(line, "\n")] = '\0';
	return xstrdup(line);
}

/* The folder of the first trace below that of the sample. */
static char *
find_trace(const struct sample *sample)
{
	const char *top = getenv("top_srcdir");
	char *command = xasprintf("dir=$(%s/tests/lib/corpus.sh %s) && find \"$dir/%s\" -name "
				  "metadata | sort | head -n 1", top ? top : ".", sample->name,
				  sample->folder);
	char *found = output_of(command), *slash = strrchr(found, '/');

	assert_non_null(slash);
	*slash = '\0';
	free(command);
	return found;
}

static void
test_sample(void **state)
{
	const struct sample *sample = *state;
	struct ctf_interest *interest = ctf_interest_new();
	char *folder = find_trace(sample);
	uint64_t first[2] = { 0 }, second[2] = { 0 };

	walk_trace(folder, interest, false, first);
	assert_int_equal(first[0], sample->events);
	assert_int_equal(first[1], sample->lost);
	walk_trace(folder, interest, true, second);
	assert_int_equal(second[0], sample->events);
	assert_int_equal(second[1], sample->lost);
	ctf_interest_free(interest);
	free(folder);
}

int
main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(samples)];
	char names[ARRAY_SIZE(samples)][96];

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		snprintf(names[i], sizeof names[i], "%s %s", samples[i].name, samples[i].folder);
		tests[i] = (struct CMUnitTest) {
			.name = names[i],
			.test_func = test_sample,
			.initial_state = (void *) (uintptr_t) &samples[i],
		};
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
