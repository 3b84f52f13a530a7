/* SPDX-License-Identifier: MIT
 *
 * log_match.c -- finds the patterns of a log line: its logger by hash, then its
 * format (or its message, where it came without arguments) by hash.  Only lines
 * whose format is not known as it stands are held against templates, and only
 * those of its logger. */
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "analyzers/openstack.h"
#include "lib/util.h"

enum { MAX_LOGGERS = 256, CACHE_SIZE = 1024 };

/* A text with holes: literal[0] hole 0 literal[1] ... literal[n_holes]. */
struct template {
	unsigned n_holes;
	struct text literal[MAX_HOLES + 1];
	struct text name[MAX_HOLES];   /* Of %(name)s; of size 0 otherwise. */
};

struct known {
	const struct pattern *pattern;
	struct template template;
	int logger;
	uint64_t hash;
	struct known *same;            /* Next pattern of the same logger and text. */
	struct known *next_of_logger;  /* Next one with another text. */
};

struct logger {
	const char *name;
	size_t length;
	bool below;                    /* The name ends with '.'. */
	struct known *first;           /* By how much of a message they say. */
};

struct cached {
	uint64_t hash;
	int logger;
};

struct matcher {
	struct logger loggers[MAX_LOGGERS];
	int n_loggers;
	struct known *known;
	size_t n_known;
	struct known **buckets;        /* By hash of logger and text. */
	size_t n_buckets;              /* A power of two. */
	struct cached cache[CACHE_SIZE]; /* Logger names, by hash: what was found. */
};

/* -- Tables ------------------------------------------------------------------ */

static int
intern_logger(struct matcher *matcher, const char *name)
{
	struct logger *logger;

	for (int i = 0; i < matcher->n_loggers; i++)
		if (streq(matcher->loggers[i].name, name))
			return i;
	if (matcher->n_loggers == MAX_LOGGERS)
		abort();       /* Our own tables: the unit test sees it. */
	logger = &matcher->loggers[matcher->n_loggers];
	logger->name = name;
	logger->length = strlen(name);
	logger->below = name[logger->length - 1] == '.';
	return matcher->n_loggers++;
}

/* Behind the conversion that begins at 'at' (a '%'); its name in *ret. */
static const char *
read_conversion(const char *at, struct text *ret)
{
	*ret = (struct text) { "", 0 };
	at++;
	if (*at == '(') {
		const char *close = strchr(at, ')');

		*ret = (struct text) { at + 1, (size_t) (close - at - 1) };
		at = close + 1;
	}
	at += strspn(at, "#0- +*.123456789hlL");
	return *at ? at + 1 : at;
}

static void
make_template(struct template *template, const char *text)
{
	const char *from = text, *at = text;

	while ((at = strchr(at, '%'))) {
		if (at[1] == '%') {    /* Not in any text that has holes. */
			at += 2;
			continue;
		}
		if (template->n_holes == MAX_HOLES)
			abort();       /* As above. */
		template->literal[template->n_holes] = (struct text) { from, (size_t) (at - from) };
		from = at = read_conversion(at, &template->name[template->n_holes]);
		template->n_holes++;
	}
	template->literal[template->n_holes] = (struct text) { from, strlen(from) };
}

static uint64_t
hash_text(int logger, const char *s, size_t size)
{
	return XXH64(s, size, (uint64_t) logger);
}

static struct known *
find_known(const struct matcher *matcher, int logger, const struct text *text)
{
	const uint64_t hash = hash_text(logger, text->s, text->size);

	for (size_t i = hash;; i++) {
		struct known *known = matcher->buckets[i & (matcher->n_buckets - 1)];

		if (!known)
			return NULL;
		if (known->hash == hash && known->logger == logger &&
		    strlen(known->pattern->text) == text->size &&
		    !memcmp(known->pattern->text, text->s, text->size))
			return known;
	}
}

/* Bytes of a template that are not holes. */
static size_t
literals(const struct known *known)
{
	size_t n = 0;

	for (unsigned i = 0; i <= known->template.n_holes; i++)
		n += known->template.literal[i].size;
	return n;
}

static void
add_pattern(struct matcher *matcher, const struct pattern *pattern)
{
	struct known *known = &matcher->known[matcher->n_known++], *same;
	const struct text text = { pattern->text, strlen(pattern->text) };
	struct known **at;
	struct logger *logger;
	size_t i;

	known->pattern = pattern;
	known->logger = intern_logger(matcher, pattern->logger);
	known->hash = hash_text(known->logger, text.s, text.size);
	make_template(&known->template, pattern->text);
	same = find_known(matcher, known->logger, &text);
	if (same) {
		while (same->same)
			same = same->same;
		same->same = known;
		return;
	}
	for (i = known->hash; matcher->buckets[i & (matcher->n_buckets - 1)]; i++)
		;
	matcher->buckets[i & (matcher->n_buckets - 1)] = known;
	logger = &matcher->loggers[known->logger];
	/* Those that say most of the message come first. */
	for (at = &logger->first; *at && literals(*at) >= literals(known); at = &(*at)->next_of_logger)
		;
	known->next_of_logger = *at;
	*at = known;
}

struct matcher *
matcher_new(void)
{
	static const struct pattern *const tables[] = {
		common_patterns, nova_patterns, neutron_patterns, cinder_patterns,
		quiet_patterns,
	};
	struct matcher *matcher = xcalloc(1, sizeof *matcher);
	size_t n = 0;

	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (const struct pattern *p = tables[t]; p->logger; p++)
			n++;
	matcher->known = xcalloc(n, sizeof *matcher->known);
	matcher->n_buckets = 64;
	while (matcher->n_buckets < 4 * n)
		matcher->n_buckets *= 2;
	matcher->buckets = xcalloc(matcher->n_buckets, sizeof *matcher->buckets);
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (const struct pattern *p = tables[t]; p->logger; p++)
			add_pattern(matcher, p);
	return matcher;
}

void
matcher_free(struct matcher *matcher)
{
	if (!matcher)
		return;
	free(matcher->known);
	free(matcher->buckets);
	free(matcher);
}

/* -- Loggers ------------------------------------------------------------------ */

static int
search_logger(const struct matcher *matcher, const struct text *name)
{
	int found = -1;

	for (int i = 0; i < matcher->n_loggers; i++) {
		const struct logger *logger = &matcher->loggers[i];

		if (logger->length > name->size || memcmp(logger->name, name->s, logger->length))
			continue;
		if (logger->length == name->size)
			return i;
		/* The longest of those that it is below. */
		if (logger->below && (found < 0 || logger->length > matcher->loggers[found].length))
			found = i;
	}
	return found;
}

int
matcher_logger(struct matcher *matcher, const struct text *name)
{
	const uint64_t hash = XXH64(name->s, name->size, 1) | 1;  /* 0: free. */
	struct cached *cached = &matcher->cache[hash >> 32 & (CACHE_SIZE - 1)];

	if (cached->hash != hash) {
		cached->hash = hash;
		cached->logger = search_logger(matcher, name);
	}
	return cached->logger;
}

bool
matcher_knows(const struct matcher *matcher, int logger)
{
	return !matcher->loggers[logger].below;
}

/* -- Lines --------------------------------------------------------------------- */

static bool
match_template(const struct template *template, const struct text *text, struct text *holes)
{
	const char *at = text->s, *const end = text->s + text->size;
	const struct text *literal = template->literal;

	if (text->size < literal->size || memcmp(at, literal->s, literal->size))
		return false;
	at += literal->size;
	for (unsigned i = 0; i < template->n_holes; i++) {
		const char *to;

		literal++;
		if (i + 1 == template->n_holes) {
			if ((size_t) (end - at) < literal->size)
				return false;
			to = end - literal->size;
			if (memcmp(to, literal->s, literal->size))
				return false;
		} else {
			to = memmem(at, (size_t) (end - at), literal->s, literal->size);
			if (!to)
				return false;
		}
		holes[i] = (struct text) { at, (size_t) (to - at) };
		at = to + literal->size;
	}
	return at == end;
}

static bool
is_wanted(const struct pattern *pattern, unsigned hole)
{
	return pattern->take[hole] || pattern->hole == hole + 1;
}

static bool
is_none(const struct text *text)
{
	return text->size == 4 && !memcmp(text->s, "None", 4);
}

/* The values of the arguments; those that are too long or no plain value are
 * not in the record, but in the message. */
static void
take_arguments(const struct known *known, struct record *record, struct text *holes)
{
	const struct json_value *arguments = &record->members[RECORD_ARGUMENTS];
	const struct template *template = &known->template;
	struct json_walk walk = json_begin(arguments);
	struct json_value name, value;
	bool missing = false;

	for (unsigned i = 0; arguments->kind == JSON_LIST && i < template->n_holes; i++) {
		if (!json_next(&walk, &value))
			break;
		if (is_wanted(known->pattern, i))
			holes[i] = scratch_text(record->scratch, &value);
	}
	while (arguments->kind == JSON_MEMBERS && json_next_member(&walk, &name, &value))
		for (unsigned i = 0; i < template->n_holes; i++)
			if (is_wanted(known->pattern, i) && template->name[i].size == name.size &&
			    !memcmp(template->name[i].s, name.s, name.size))
				holes[i] = scratch_text(record->scratch, &value);
	for (unsigned i = 0; i < template->n_holes; i++)
		missing |= is_wanted(known->pattern, i) && !holes[i].size;
	if (missing) {
		struct text others[MAX_HOLES] = { { 0 } };
		const struct text message = record_text(record, RECORD_MESSAGE);

		if (match_template(template, &message, others))
			for (unsigned i = 0; i < template->n_holes; i++)
				if (!holes[i].size)
					holes[i] = others[i];
	}
}

/* A uuid behind "volume-" somewhere in a text: most drivers name volumes so. */
static struct text
volume_in(const struct text *text)
{
	static const char mark[] = "volume-";
	const char *at = text->s, *const end = text->s + text->size;

	while ((at = memmem(at, (size_t) (end - at), mark, sizeof mark - 1))) {
		at += sizeof mark - 1;
		if (end - at >= 36 && at[8] == '-' && at[13] == '-' && at[18] == '-' && at[23] == '-')
			return (struct text) { at, 36 };
	}
	return (struct text) { "", 0 };
}

/* The last part of a dotted name, without what stands behind a ';'. */
static struct text
short_name(struct text name)
{
	const char *semicolon = memchr(name.s, ';', name.size);
	const char *dot;

	if (semicolon)
		name.size = (size_t) (semicolon - name.s);
	dot = memrchr(name.s, '.', name.size);
	if (dot)
		name = (struct text) { dot + 1, (size_t) (name.s + name.size - dot - 1) };
	return name;
}

/* What stands behind 'mark' in a text: up to a quote, and of digits. */
static struct text
quoted_after(const struct text *text, const char *mark)
{
	const char *at = memmem(text->s, text->size, mark, strlen(mark)), *to;

	if (!at)
		return (struct text) { "", 0 };
	at += strlen(mark);
	to = memchr(at, '\'', (size_t) (text->s + text->size - at));
	return (struct text) { at, to ? (size_t) (to - at) : 0 };
}

static struct text
number_after(const struct text *text, const char *mark)
{
	const char *at = memmem(text->s, text->size, mark, strlen(mark));
	struct text number = { "", 0 };

	if (!at)
		return number;
	number.s = at + strlen(mark);
	while (number.s + number.size < text->s + text->size && number.s[number.size] >= '0' &&
	       number.s[number.size] <= '9')
		number.size++;
	return number;
}

/* What follows from the fields that were taken. */
static void
complete(struct line *line)
{
	struct text *fields = line->fields;
	struct record *record = line->record;

	if (fields[F_VOLUME].size > 36)
		fields[F_VOLUME] = volume_in(&fields[F_VOLUME]);
	if (!fields[F_VOLUME].size && fields[F_CONNECTION].size)
		fields[F_VOLUME] = volume_in(&fields[F_CONNECTION]);
	if (!fields[F_VOLUME].size && record->members[RECORD_RESOURCE].kind == JSON_MEMBERS) {
		const struct json_value id = json_at(&record->members[RECORD_RESOURCE], "id");

		/* Also of snapshots: who needs to know which looks at the step. */
		if (id.kind == JSON_TEXT && id.size == 36)
			fields[F_ID] = (struct text) { id.s, id.size };
	}
	if (fields[F_CONNECTION].size)
		fields[F_ATTACHMENT] = quoted_after(&fields[F_CONNECTION], "'attachment_id': '");
	if (fields[F_SIZE_GIB].size && *fields[F_SIZE_GIB].s == '{')
		fields[F_SIZE_GIB] = number_after(&fields[F_SIZE_GIB], "'volume_size': ");
	if (!line->name.size && fields[F_FUNCTION].size)
		line->name = short_name(fields[F_FUNCTION]);
}

static void
give_lines(const struct known *known, struct record *record, const struct text *found,
	   struct line *line, line_fn *give, void *context)
{
	for (; known; known = known->same) {
		const struct pattern *pattern = known->pattern;
		struct text holes[MAX_HOLES] = { { 0 } };

		if (pattern->event == LOG_NOTHING)
			continue;
		if (found)
			memcpy(holes, found, sizeof holes);
		else if (known->template.n_holes)
			take_arguments(known, record, holes);
		if (pattern->hole && !text_is(&holes[pattern->hole - 1], pattern->value))
			continue;
		memset(line->fields, 0, sizeof line->fields);
		for (unsigned i = 0; i < known->template.n_holes; i++)
			if (pattern->take[i] && !is_none(&holes[i]))
				line->fields[pattern->take[i]] = holes[i];
		if (pattern->sets)
			line->fields[pattern->sets] =
				(struct text) { pattern->to, strlen(pattern->to) };
		line->pattern = pattern;
		line->flags = pattern->flags;
		line->subject = pattern->subject;
		line->name = (struct text) { pattern->name ? pattern->name : "",
					     pattern->name ? strlen(pattern->name) : 0 };
		complete(line);
		give(context, pattern->event, line);
	}
}

/* A template of hardly more than holes matches nearly anything: an HTTP method
 * is a word of capitals. */
static bool
is_likely(const struct pattern *pattern, const struct text *holes)
{
	for (unsigned i = 0; i < MAX_HOLES; i++) {
		if (pattern->take[i] != F_METHOD)
			continue;
		if (!holes[i].size || holes[i].size > 8)
			return false;
		for (size_t k = 0; k < holes[i].size; k++)
			if (holes[i].s[k] < 'A' || holes[i].s[k] > 'Z')
				return false;
	}
	return true;
}

bool
matcher_match(struct matcher *matcher, int index, struct record *record, struct line *line,
	      line_fn *give, void *context)
{
	const struct logger *logger = &matcher->loggers[index];
	const bool formatted = record_has(record, RECORD_FORMAT);
	const struct text message = record_text(record, RECORD_MESSAGE);
	const struct text text = formatted ? record_text(record, RECORD_FORMAT) : message;
	const struct known *known = find_known(matcher, index, &text);

	if (known) {
		give_lines(known, record, NULL, line, give, context);
		return true;
	}
	for (known = logger->first; known; known = known->next_of_logger) {
		struct text holes[MAX_HOLES] = { { 0 } };

		if (known->template.n_holes && match_template(&known->template, &message, holes) &&
		    is_likely(known->pattern, holes)) {
			give_lines(known, record, holes, line, give, context);
			return true;
		}
	}
	return false;
}
