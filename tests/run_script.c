/* SPDX-License-Identifier: MIT
 *
 * run_script.c -- runs the analyzers over a text script of events and prints
 * what they tell: text in, text out, one file per behaviour.
 *
 *	@1.5s host=compute-01 vpid=7 qemu:migrate_set_state new_state="active"
 *
 * Before the event's name stand host and context fields, behind it its payload:
 * 7 is unsigned, -7 signed, 7.0 a real, "x" a string (with \" and \xNN).  What stands before the
 * name holds for the following lines too, until said otherwise.  Other lines:
 *
 *	@3s watermark            everything up to here was seen
 *	@3s loss events=12       a program's tracer dropped events
 *	@3s loss events=12 cpu=0 the kernel's tracer did
 *	@3s end                  the trace of this host is at its end
 *	restart                  checkpoint, new engine, recovery
 *	@3s late qemu:...        an event that comes too late
 *	log LOGGER message="..." fmt="..." args="[1, \"a\"]"
 *	                         a log record as JSON in lttng_python:event; service,
 *	                         pid, gt, request_id and instance hold for later lines too
 *
 * Facts are printed with the attributes that changed since they were told
 * before; times count from the script's zero.  --json prints whole facts. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/analyzer.h"
#include "analyzers/windows.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { MAX_TOKENS = 64, MAX_LINE = 1 << 20, MAX_BLOBS = 256 };
#define BASE_NS (UINT64_C(1795390000) * NS_PER_S)

struct token {
	char *name;            /* NULL: a word alone. */
	struct ctf_value value;
	char *word;
};

struct blob {
	char *host, *analyzer, *key, *bytes;
	size_t size;
};

static struct engine *engine;
static bool whole_facts;
static json_t *told;       /* Attributes by fact id. */
static struct blob blobs[MAX_BLOBS];
static unsigned n_blobs, line_number;
static uint64_t now_ns;
static char host_name[64] = "compute-01";
static struct token context[MAX_TOKENS];
static unsigned n_context;

static void
die(const char *what, const char *which)
{
	fprintf(stderr, "line %u: %s: %s\n", line_number, what, which);
	exit(1);
}

/* -- Printing ------------------------------------------------------------ */

static void
print_time(uint64_t t_ns)
{
	char text[40];
	size_t n;

	if (t_ns < BASE_NS) {
		printf("%" PRIu64, t_ns);
		return;
	}
	t_ns -= BASE_NS;
	n = (size_t) snprintf(text, sizeof text, "@%" PRIu64 ".%09" PRIu64, t_ns / NS_PER_S,
			      t_ns % NS_PER_S);
	while (text[n - 1] == '0')
		text[--n] = '\0';
	if (text[n - 1] == '.')
		text[--n] = '\0';
	printf("%s", text);
}

static void
print_json(const json_t *value)
{
	const char *name, *separator = "";
	json_t *item;
	size_t i;
	char *text;

	if (json_is_integer(value) && json_integer_value(value) < 0) {
		printf("%lld", (long long) json_integer_value(value));
	} else if (json_is_integer(value)) {
		print_time((uint64_t) json_integer_value(value));
	} else if (json_is_object(value)) {
		printf("{");
		json_object_foreach((json_t *) value, name, item) {
			printf("%s%s=", separator, name);
			print_json(item);
			separator = " ";
		}
		printf("}");
	} else if (json_is_array(value)) {
		printf("[");
		json_array_foreach(value, i, item) {
			printf("%s", separator);
			print_json(item);
			separator = " ";
		}
		printf("]");
	} else {
		text = json_dumps(value, JSON_ENCODE_ANY);
		printf("%s", text);
		free(text);
	}
}

/* The elements that changed. */
static void
print_array(const char *name, const json_t *before, const json_t *now)
{
	json_t *item;
	size_t i;

	json_array_foreach(now, i, item)
		if (i >= json_array_size(before) || !json_equal(item, json_array_get(before, i))) {
			printf("\n\t%s[%zu]=", name, i);
			print_json(item);
		}
}

static void
print_changes(const char *id, json_t *attributes)
{
	json_t *before = json_object_get(told, id), *value;
	const char *name;

	json_object_foreach(attributes, name, value) {
		json_t *old = json_object_get(before, name);

		if (old ? json_equal(old, value) : json_is_null(value))
			continue;
		/* These change with every line; they are told once, at the end. */
		if (streq(name, "last_event_ns") || streq(name, "last_event") ||
		    streq(name, "events"))
			if (before)
				continue;
		if (json_is_array(value)) {
			print_array(name, old, value);
			continue;
		}
		printf("\n\t%s=", name);
		print_json(value);
	}
	json_object_set(told, id, attributes);
}

static void
print_whole(const struct fact *fact, const char *id, const char *type)
{
	json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:s, s:O?}",
				   "id", id, "type", type, "host", fact->host, "kind", fact->kind,
				   "key", fact->key, "start_ns", (json_int_t) fact->start_ns,
				   "end_ns", (json_int_t) fact->end_ns, "status",
				   fact->status ? fact->status : "", "parent", fact->parent,
				   "attributes", fact->attributes);

	json_dumpf(object, stdout, JSON_COMPACT);
	printf("\n");
	json_decref(object);
}

static void
take_fact(void *user, const struct fact *fact)
{
	static const char *const types[] = {
		[FACT_SPAN] = "span", [FACT_SAMPLE] = "sample", [FACT_ENTITY] = "entity",
		[FACT_LINK] = "link", [FACT_MARK] = "mark", [FACT_RETRACT] = "retract",
		[FACT_WINDOW] = "window",
	};
	char id[FACT_ID_SIZE];
	struct fact shown = *fact;

	if (fact->type == FACT_WINDOW) {
		const struct fact_window window = { fact->start_ns, fact->end_ns, fact->blob,
					       fact->blob_size };

		shown.attributes = window_kind(fact->kind)->json(&window);
	}
	fact_id(fact, id);
	if (whole_facts) {
		print_whole(&shown, id, types[fact->type]);
	} else {
		print_time(BASE_NS + now_ns);
		printf(" %s %s %s/%s ", types[fact->type], fact->kind, fact->host, fact->key);
		print_time(fact->start_ns);
		if (fact->end_ns) {
			printf("..");
			print_time(fact->end_ns);
		}
		if (fact->status)
			printf(" %s", fact->status);
		print_changes(id, shown.attributes);
		printf("\n");
	}
	json_decref(shown.attributes);
}

static void
print_counters(void)
{
	const struct engine_counters *c = engine_counters(engine);

	printf("used=%" PRIu64 " ignored=%" PRIu64 " unexpected=%" PRIu64 " incomplete=%" PRIu64
	       " late=%" PRIu64 " capped=%" PRIu64 "\n", c->used, c->ignored, c->unexpected,
	       c->incomplete, c->late, c->capped);
	engine_print_unexpected(engine, stdout);
}

/* -- Reading ------------------------------------------------------------- */

static char *
read_string(char *at, struct ctf_value *value)
{
	char *to = at, *start = at;

	for (; *at && *at != '"'; at++) {
		unsigned byte;

		if (*at == '\\' && at[1] == 'x' && sscanf(at + 2, "%2x", &byte) == 1) {
			*to++ = (char) byte;
			at += 3;
			continue;
		}
		if (*at == '\\' && at[1])
			at++;
		*to++ = *at;
	}
	if (*at != '"')
		die("no end of string", start);
	value->type = CTF_STRING;
	value->s = start;
	value->size = (uint32_t) (to - start);
	return at + 1;
}

static char *
read_number(char *at, struct ctf_value *value)
{
	char *end = at + strcspn(at, " \t\n");
	char *rest;

	if (memchr(at, '.', (size_t) (end - at))) {
		value->type = CTF_REAL;
		value->r = strtod(at, &rest);
	} else if (*at == '-') {
		value->type = CTF_SIGNED;
		value->i = strtoll(at, &rest, 0);
	} else {
		value->type = CTF_UNSIGNED;
		value->u = strtoull(at, &rest, 0);
	}
	if (rest != end || rest == at)
		die("no number", at);
	return end;
}

static unsigned
read_tokens(char *at, struct token tokens[MAX_TOKENS])
{
	unsigned n = 0;

	for (;;) {
		size_t length;
		struct token *t = &tokens[n];

		at += strspn(at, " \t\n");
		if (!*at)
			return n;
		if (n++ == MAX_TOKENS)
			die("too many words", at);
		memset(t, 0, sizeof *t);
		length = strcspn(at, "= \t\n");
		if (at[length] != '=') {
			t->word = at;
			at += length;
			if (*at)
				*at++ = '\0';
			continue;
		}
		t->name = at;
		at[length] = '\0';
		at += length + 1;
		at = *at == '"' ? read_string(at + 1, &t->value)
			: isdigit((unsigned char) *at) || *at == '-' ? read_number(at, &t->value)
			: (t->value.type = CTF_STRING, t->value.s = at,
			   t->value.size = (uint32_t) strcspn(at, " \t\n"), at + t->value.size);
		if (*at)
			*at++ = '\0';
	}
}

static const struct ctf_value *
find_value(const struct token *tokens, unsigned n, const char *name)
{
	for (unsigned i = 0; i < n; i++)
		if (tokens[i].name && streq(tokens[i].name, name))
			return &tokens[i].value;
	return NULL;
}

/* -- Doing --------------------------------------------------------------- */

static void
send_event(const char *name, const struct token *payload, unsigned n_payload, bool late)
{
	const struct ctf_interest *interest = engine_interest(engine);
	const int wanted = ctf_interest_find(interest, name);
	struct ctf_value values[CTF_MAX_SLOTS] = { 0 };
	struct ctf_event event = {
		.values = values, .raw_ns = now_ns, .t_ns = BASE_NS + now_ns, .late = late,
	};

	if (wanted < 0)
		return;
	event.wanted = (uint32_t) wanted;
	event.n_values = ctf_interest_n_fields(interest, event.wanted);
	for (unsigned slot = 0; slot < event.n_values; slot++) {
		enum ctf_scope scope;
		const char *field = ctf_interest_field_name(interest, event.wanted, slot, &scope);
		const struct ctf_value *value = scope == CTF_PAYLOAD
			? find_value(payload, n_payload, field)
			: find_value(context, n_context, field);

		if (value)
			values[slot] = *value;
	}
	engine_event(engine_host(engine, host_name), &event);
}

static json_t *
value_to_json(const struct ctf_value *value)
{
	json_t *json = NULL;

	if (value->type == CTF_UNSIGNED)
		return json_integer((json_int_t) value->u);
	if (value->type == CTF_REAL)
		return json_real(value->r);
	if (value->size && (*value->s == '{' || *value->s == '['))
		json = json_loadb(value->s, value->size, 0, NULL);
	return json ? json : json_stringn(value->s, value->size);
}

/* A log record: what holds for several lines stands in the context. */
static void
send_log(const struct token *rest, unsigned n, bool late)
{
	static const char *const kept[] = { "service", "pid", "gt", "request_id", "global_request_id",
					    "instance", "user", "project" };
	struct token payload[2] = { { .name = (char *) (uintptr_t) "msg" },
				    { .name = (char *) (uintptr_t) "logger_name" } };
	json_t *record = json_object();
	char *text;

	if (!n || !rest[0].word)
		die("log needs a logger", "");
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		const struct ctf_value *value = find_value(context, n_context, kept[i]);

		if (value && (value->type != CTF_STRING || (value->size && *value->s != '-')))
			json_object_set_new(record, kept[i], value_to_json(value));
	}
	for (unsigned i = 1; i < n; i++)
		if (rest[i].name)
			json_object_set_new(record, rest[i].name, value_to_json(&rest[i].value));
	text = json_dumps(record, JSON_COMPACT);
	payload[0].value = (struct ctf_value) { .type = CTF_STRING, .s = text,
						.size = (uint32_t) strlen(text) };
	payload[1].value = (struct ctf_value) { .type = CTF_STRING, .s = rest[0].word,
						.size = (uint32_t) strlen(rest[0].word) };
	send_event("lttng_python:event", payload, 2, late);
	free(text);
	json_decref(record);
}

static void
save_blob(void *user, const char *host, const char *analyzer, const char *key, const void *bytes,
	  size_t size)
{
	struct blob *blob = NULL;

	for (unsigned i = 0; i < n_blobs && !blob; i++)
		if (streq(blobs[i].host, host) && streq(blobs[i].analyzer, analyzer) &&
		    streq(blobs[i].key, key))
			blob = &blobs[i];
	if (!blob) {
		if (n_blobs == MAX_BLOBS)
			die("too many flows", key);
		blob = &blobs[n_blobs++];
		*blob = (struct blob) { xstrdup(host), xstrdup(analyzer), xstrdup(key), NULL, 0 };
	}
	free(blob->bytes);
	blob->bytes = NULL;
	if (bytes) {
		blob->bytes = xmalloc(size);
		memcpy(blob->bytes, bytes, size);
		blob->size = size;
	}
}

static void
start(void)
{
	static const struct fact_sink sink = { .fact = take_fact };

	engine = engine_new(analyzers, &engine_defaults, &sink);
	if (!engine)
		die("engine", "can't be made");
	for (unsigned i = 0; i < n_blobs; i++)
		if (blobs[i].bytes && engine_restore(engine, blobs[i].host, blobs[i].analyzer,
						     blobs[i].key, blobs[i].bytes, blobs[i].size))
			die("not restored", blobs[i].key);
}

static void
restart(void)
{
	engine_save(engine, save_blob, NULL);
	engine_free(engine);
	start();
}

/* Keeps what stands before the name for the lines that follow. */
static void
set_context(const struct token *token)
{
	struct token *to = NULL;

	if (streq(token->name, "host")) {
		snprintf(host_name, sizeof host_name, "%.*s", (int) token->value.size,
			 token->value.s);
		return;
	}
	for (unsigned i = 0; i < n_context && !to; i++)
		if (streq(context[i].name, token->name))
			to = &context[i];
	if (!to) {
		if (n_context == MAX_TOKENS)
			die("too many fields", token->name);
		to = &context[n_context++];
		to->name = xstrdup(token->name);
	}
	if (to->value.type == CTF_STRING)
		free((char *) (uintptr_t) to->value.s);
	to->value = token->value;
	if (to->value.type == CTF_STRING)
		to->value.s = xstrndup(token->value.s, token->value.size);
}

static void
do_words(const char *word, const struct token *rest, unsigned n, bool late)
{
	struct engine_host *host = engine_host(engine, host_name);
	const struct ctf_value *lost = find_value(rest, n, "events");
	const struct ctf_value *cpu = find_value(rest, n, "cpu");
	const struct ctf_loss loss = {
		.events = lost ? lost->u : 1, .cpu = cpu ? (int32_t) cpu->u : -1,
		.kernel = cpu != NULL,
		.begin_t_ns = BASE_NS + now_ns, .end_t_ns = BASE_NS + now_ns,
	};

	/* Those of kernels have no colon. */
	if (strchr(word, ':') || ctf_interest_find(engine_interest(engine), word) >= 0)
		send_event(word, rest, n, late);
	else if (streq(word, "log"))
		send_log(rest, n, late);
	else if (streq(word, "watermark"))
		engine_watermark(host, BASE_NS + now_ns);
	else if (streq(word, "end"))
		engine_host_end(host, BASE_NS + now_ns);
	else if (streq(word, "loss"))
		engine_loss(host, &loss);
	else if (streq(word, "restart"))
		restart();
	else
		die("what is that", word);
}

static void
do_line(char *line)
{
	struct token tokens[MAX_TOKENS];
	const unsigned n = read_tokens(line, tokens);
	bool late = false;

	for (unsigned i = 0; i < n; i++) {
		char *word = tokens[i].word;

		if (!word) {
			set_context(&tokens[i]);
		} else if (*word == '@') {
			if (parse_duration(word + 1, &now_ns))
				die("no time", word);
		} else if (streq(word, "late")) {
			late = true;
		} else {
			do_words(word, tokens + i + 1, n - i - 1, late);
			return;
		}
	}
}

int
main(int argc, char **argv)
{
	static char line[MAX_LINE];
	FILE *file;

	whole_facts = argc > 2 && streq(argv[1], "--json");
	if (argc < 2 || !(file = fopen(argv[argc - 1], "r"))) {
		fprintf(stderr, "usage: run_script [--json] SCRIPT\n");
		return 2;
	}
	told = json_object();
	start();
	while (fgets(line, sizeof line, file)) {
		line_number++;
		if (*line != '#')
			do_line(line);
	}
	if (!whole_facts)
		print_counters();
	fclose(file);
	engine_free(engine);
	json_decref(told);
	for (unsigned i = 0; i < n_blobs; i++) {
		free(blobs[i].host);
		free(blobs[i].analyzer);
		free(blobs[i].key);
		free(blobs[i].bytes);
	}
	for (unsigned i = 0; i < n_context; i++) {
		free(context[i].name);
		if (context[i].value.type == CTF_STRING)
			free((char *) (uintptr_t) context[i].value.s);
	}
	return 0;
}
