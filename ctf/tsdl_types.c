/* SPDX-License-Identifier: MIT
 *
 * tsdl_types.c -- type declarations of TSDL: integer {...}, struct {...},
 * typealias and so on, to struct ctf_type. */
#include "ctf/tsdl.h"

#include <stdlib.h>
#include <string.h>

#include "ctf/limits.h"
#include "ctf/trace_private.h"
#include "lib/util.h"

static const struct ctf_type *declarator(struct tsdl_parser *p, const struct ctf_type *type,
					 const char **ret_name);

void
tsdl_scope_begin(struct tsdl_parser *p, struct tsdl_scope *scope)
{
	*scope = (struct tsdl_scope) { .parent = p->scope };
	p->scope = scope;
}

void
tsdl_scope_end(struct tsdl_parser *p)
{
	struct tsdl_scope *scope = p->scope;

	p->scope = scope->parent;
	tsdl_scope_done(scope);
}

void
tsdl_scope_done(struct tsdl_scope *scope)
{
	/* The names themselves are in the arena. */
	HASH_CLEAR(hh, scope->names);
}

/* The newest declaration of a name holds: tracers that write their metadata
 * anew repeat all of them. */
static void
declare(struct tsdl_parser *p, const char *name, const struct ctf_type *type)
{
	struct tsdl_name *entry;

	HASH_FIND_STR(p->scope->names, name, entry);
	if (!entry) {
		entry = arena_alloc(p->arena, sizeof *entry);
		if (!entry) {
			tsdl_no_memory(p);
			return;
		}
		entry->name = name;
		HASH_ADD_KEYPTR(hh, p->scope->names, name, strlen(name), entry);
	}
	entry->type = type;
}

static const struct ctf_type *
find_type(const struct tsdl_parser *p, const char *name)
{
	for (const struct tsdl_scope *scope = p->scope; scope; scope = scope->parent) {
		struct tsdl_name *entry;

		HASH_FIND_STR(scope->names, name, entry);
		if (entry)
			return entry->type;
	}
	return NULL;
}

static struct ctf_type *
new_type(struct tsdl_parser *p, enum ctf_kind kind)
{
	struct ctf_type *type = arena_alloc(p->arena, sizeof *type);

	if (!type) {
		tsdl_no_memory(p);
		return NULL;
	}
	type->kind = kind;
	type->align = kind == CTF_TEXT ? 8 : 1;
	return type;
}

/* "a b" from two words. */
static const char *
join_words(struct tsdl_parser *p, const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	char *joined;

	if (n > 1024) {
		tsdl_fail(p, "the name of a type is too long");
		return NULL;
	}
	joined = arena_alloc(p->arena, n + m + 2);
	if (!joined) {
		tsdl_no_memory(p);
		return NULL;
	}
	memcpy(joined, a, n);
	joined[n] = ' ';
	memcpy(joined + n + 1, b, m);
	return joined;
}

static bool
set_align(struct tsdl_parser *p, struct ctf_type *type, const struct tsdl_value *value)
{
	if (value->kind != TSDL_IS_NUMBER || value->negative || !value->number ||
	    (value->number & (value->number - 1)) || value->number > CTF_LIMIT_ALIGN_BITS)
		return tsdl_fail(p, "an alignment must be a power of two up to %d",
				 CTF_LIMIT_ALIGN_BITS);
	type->align = (uint32_t) value->number;
	return true;
}

static bool
set_byte_order(struct tsdl_parser *p, struct ctf_type *type, const struct tsdl_value *value)
{
	const char *word = value->string ? value->string : "";

	if (streq(word, "le"))
		type->byte_order = CTF_LE;
	else if (streq(word, "be") || streq(word, "network"))
		type->byte_order = CTF_BE;
	else if (streq(word, "native"))
		type->byte_order = CTF_NATIVE;
	else
		return tsdl_fail(p, "byte_order must be le, be, network or native");
	return true;
}

static bool
is_true(const struct tsdl_value *value)
{
	if (value->kind == TSDL_IS_NUMBER)
		return value->number;
	return streq(value->string, "true") || streq(value->string, "TRUE");
}

/* "none", or a character encoding that is a superset of ASCII. */
static bool
is_text_encoding(const struct tsdl_value *value)
{
	static const char *const names[] = { "UTF8", "utf8", "UTF-8", "utf-8", "ASCII", "ascii" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (value->string && streq(value->string, names[i]))
			return true;
	return false;
}

static bool
set_clock(struct tsdl_parser *p, struct ctf_type *type, const struct tsdl_value *value)
{
	static const char prefix[] = "clock.", suffix[] = ".value";
	size_t n = value->string ? strlen(value->string) : 0;

	if (n <= sizeof prefix + sizeof suffix - 2 || !starts_with(value->string, prefix) ||
	    !streq(value->string + n - (sizeof suffix - 1), suffix))
		return tsdl_fail(p, "map must be clock.NAME.value");
	type->clock = arena_strndup(p->arena, value->string + sizeof prefix - 1,
				    n - (sizeof prefix - 1) - (sizeof suffix - 1));
	return type->clock || tsdl_no_memory(p);
}

/* The next "key = value;" between braces; false at '}' or after an error. */
static bool
next_attribute(struct tsdl_parser *p, const char **ret_key, struct tsdl_value *ret_value)
{
	if (tsdl_accept(p, '}') || p->failed)
		return false;
	*ret_key = tsdl_path_string(p);
	return *ret_key && tsdl_expect(p, '=') && tsdl_value(p, ret_value) && tsdl_expect(p, ';');
}

static const struct ctf_type *
parse_integer(struct tsdl_parser *p)
{
	struct ctf_type *type = new_type(p, CTF_INTEGER);
	struct tsdl_value value;
	const char *key;

	if (!type || !tsdl_expect(p, '{'))
		return NULL;
	type->align = 0;
	while (next_attribute(p, &key, &value)) {
		if (streq(key, "size")) {
			if (value.kind != TSDL_IS_NUMBER || !value.number || value.number > 64)
				tsdl_fail(p, "the size of an integer must be 1 to 64 bits");
			type->size = (uint32_t) value.number;
		} else if (streq(key, "align")) {
			set_align(p, type, &value);
		} else if (streq(key, "signed")) {
			type->is_signed = is_true(&value);
		} else if (streq(key, "byte_order")) {
			set_byte_order(p, type, &value);
		} else if (streq(key, "encoding")) {
			type->is_text = is_text_encoding(&value);
		} else if (streq(key, "map")) {
			set_clock(p, type, &value);
		}
		/* "base" is for presentation; others may come in later versions. */
	}
	if (!p->failed && !type->size)
		tsdl_fail(p, "an integer has no size");
	if (!type->align)
		type->align = type->size % 8 ? 1 : 8;
	return p->failed ? NULL : type;
}

/* Length of the text from '{' to '}' behind it, if nothing in between makes that
 * hard to say; else 0. */
static size_t
plain_braces(const char *open, const char *end)
{
	for (const char *at = open + 1; at < end; at++) {
		if (*at == '}')
			return (size_t) (at + 1 - open);
		if (*at == '{' || *at == '"' || *at == '/' || *at == '\n')
			break;
	}
	return 0;
}

static const struct ctf_type *
integer_type(struct tsdl_parser *p)
{
	const char *open = p->token.start;
	size_t n = tsdl_is(p, '{') ? plain_braces(open, p->end) : 0;
	struct tsdl_integer_text *known = NULL;
	const struct ctf_type *type;

	if (n)
		HASH_FIND(hh, p->trace->integers, open, n, known);
	if (known) {
		tsdl_jump(p, open + n);
		return p->failed ? NULL : known->type;
	}
	type = parse_integer(p);
	if (!type || !n)
		return type;
	known = arena_alloc(p->arena, sizeof *known);
	if (known)
		known->text = arena_strndup(p->arena, open, n);
	if (!known || !known->text) {
		tsdl_no_memory(p);
		return NULL;
	}
	known->type = type;
	HASH_ADD_KEYPTR(hh, p->trace->integers, known->text, n, known);
	return type;
}

static const struct ctf_type *
float_type(struct tsdl_parser *p)
{
	struct ctf_type *type = new_type(p, CTF_FLOAT);
	uint64_t exponent = 0, mantissa = 0;
	struct tsdl_value value;
	const char *key;

	if (!type || !tsdl_expect(p, '{'))
		return NULL;
	type->align = 0;
	while (next_attribute(p, &key, &value)) {
		if (streq(key, "exp_dig"))
			exponent = value.number;
		else if (streq(key, "mant_dig"))
			mantissa = value.number;
		else if (streq(key, "align"))
			set_align(p, type, &value);
		else if (streq(key, "byte_order"))
			set_byte_order(p, type, &value);
	}
	if (exponent == 8 && mantissa == 24)
		type->size = 32;
	else if (exponent == 11 && mantissa == 53)
		type->size = 64;
	else
		tsdl_fail(p, "a floating_point must be IEEE 754 single (exp_dig 8, mant_dig 24) or "
			  "double (11, 53)");
	if (!type->align)
		type->align = 8;
	return p->failed ? NULL : type;
}

static const struct ctf_type *
string_type(struct tsdl_parser *p)
{
	struct ctf_type *type = new_type(p, CTF_TEXT);
	struct tsdl_value value;
	const char *key;

	/* Its encodings are all bytes up to a NUL. */
	if (type && tsdl_accept(p, '{'))
		while (next_attribute(p, &key, &value))
			;
	return p->failed ? NULL : type;
}

/* One field "type a, b[4];", or option, of 'type'; types may be declared
 * between them. */
static bool
member(struct tsdl_parser *p, struct ctf_type *type, struct ctf_member ***tail)
{
	const struct ctf_type *base;

	if (tsdl_is_word(p, "typedef") || tsdl_is_word(p, "typealias"))
		return tsdl_type_declaration(p) && !p->failed;
	base = tsdl_type(p);
	if (!base)
		return false;
	/* "struct x {...};" only declares. */
	if (tsdl_accept(p, ';'))
		return true;
	do {
		struct ctf_member *new = arena_alloc(p->arena, sizeof *new);

		if (!new)
			return tsdl_no_memory(p);
		new->type = declarator(p, base, &new->name);
		if (!new->type)
			return false;
		**tail = new;
		*tail = &new->next;
		if (++type->n_members > CTF_LIMIT_NODES)
			return tsdl_fail(p, "more than %d members", CTF_LIMIT_NODES);
	} while (tsdl_accept(p, ','));
	return tsdl_expect(p, ';');
}

static bool
members(struct tsdl_parser *p, struct ctf_type *type)
{
	struct ctf_member *first = NULL, **tail = &first;
	struct tsdl_scope scope;

	tsdl_scope_begin(p, &scope);
	while (!p->failed && !tsdl_accept(p, '}'))
		if (!member(p, type, &tail))
			break;
	tsdl_scope_end(p);
	type->members = first;
	return !p->failed;
}

/* Looks up "struct NAME" and the like. */
static const struct ctf_type *
tagged_type(struct tsdl_parser *p, const char *keyword, const char *name)
{
	const struct ctf_type *type;
	const char *key = join_words(p, keyword, name);

	if (!key)
		return NULL;
	type = find_type(p, key);
	if (!type)
		tsdl_fail(p, "%s %s is not declared", keyword, name);
	return type;
}

static const char *
optional_name(struct tsdl_parser *p)
{
	const char *name = NULL;

	if (!p->failed && p->token.kind == TSDL_WORD) {
		name = p->token.string;
		tsdl_next(p);
	}
	return name;
}

static void
declare_tagged(struct tsdl_parser *p, const char *keyword, const char *name,
	       const struct ctf_type *type)
{
	const char *key = name ? join_words(p, keyword, name) : NULL;

	if (key)
		declare(p, key, type);
}

static const struct ctf_type *
struct_type(struct tsdl_parser *p)
{
	const char *name = optional_name(p);
	struct ctf_type *type;
	struct tsdl_value value;

	if (!tsdl_accept(p, '{')) {
		if (!name) {
			tsdl_fail(p, "a struct needs a name or a body");
			return NULL;
		}
		return tagged_type(p, "struct", name);
	}
	type = new_type(p, CTF_STRUCT);
	if (!type || !members(p, type))
		return NULL;
	if (tsdl_is_word(p, "align")) {
		tsdl_next(p);
		if (!tsdl_expect(p, '(') || !tsdl_value(p, &value) || !tsdl_expect(p, ')') ||
		    !set_align(p, type, &value))
			return NULL;
	}
	declare_tagged(p, "struct", name, type);
	return p->failed ? NULL : type;
}

/* "a.b" to its parts. */
static bool
split_path(struct tsdl_parser *p, const char *string, struct ctf_path *ret)
{
	unsigned n = 1;
	const char **parts;

	for (const char *s = string; *s; s++)
		n += *s == '.';
	parts = arena_alloc(p->arena, n * sizeof *parts);
	if (!parts)
		return tsdl_no_memory(p);
	for (unsigned i = 0; i < n; i++) {
		size_t length = strcspn(string, ".");

		parts[i] = arena_strndup(p->arena, string, length);
		if (!parts[i])
			return tsdl_no_memory(p);
		string += length + 1;
	}
	*ret = (struct ctf_path) { n, parts };
	return true;
}

static const struct ctf_type *
variant_type(struct tsdl_parser *p)
{
	const char *name = optional_name(p), *tag;
	struct ctf_path path = { 0 };
	const struct ctf_type *declared;
	struct ctf_type *type;

	if (tsdl_accept(p, '<')) {
		tag = tsdl_path_string(p);
		if (!tag || !split_path(p, tag, &path) || !tsdl_expect(p, '>'))
			return NULL;
	}
	if (p->failed)
		return NULL;
	type = new_type(p, CTF_VARIANT);
	if (!type)
		return NULL;
	if (tsdl_accept(p, '{')) {
		if (!members(p, type))
			return NULL;
		if (name && !path.n)
			declare_tagged(p, "variant", name, type);
	} else if (name) {
		declared = tagged_type(p, "variant", name);
		if (!declared)
			return NULL;
		*type = *declared;
	} else {
		tsdl_fail(p, "a variant needs a name or a body");
	}
	type->path = path;
	return p->failed ? NULL : type;
}

static bool
enum_label(struct tsdl_parser *p, struct ctf_label *label, uint64_t next)
{
	bool negative;

	if (p->token.kind != TSDL_WORD && p->token.kind != TSDL_STRING)
		return tsdl_fail(p, "a label was expected");
	label->name = p->token.string;
	label->low = label->high = next;
	if (!tsdl_next(p))
		return false;
	if (!tsdl_accept(p, '='))
		return !p->failed;
	if (!tsdl_integer(p, &label->low, &negative))
		return false;
	label->high = label->low;
	if (tsdl_accept(p, TSDL_ELLIPSIS))
		tsdl_integer(p, &label->high, &negative);
	return !p->failed;
}

static bool
enum_labels(struct tsdl_parser *p, struct ctf_type *type)
{
	struct ctf_label *first = NULL, **tail = &first;
	uint64_t next = 0;

	while (!p->failed && !tsdl_accept(p, '}')) {
		struct ctf_label *label = arena_alloc(p->arena, sizeof *label);

		if (!label)
			return tsdl_no_memory(p);
		if (!enum_label(p, label, next))
			return false;
		next = label->high + 1;
		*tail = label;
		tail = &label->next;
		if (!tsdl_accept(p, ',') && !tsdl_is(p, '}'))
			return tsdl_expect(p, '}');
	}
	type->labels = first;
	return !p->failed;
}

static const struct ctf_type *
enum_type(struct tsdl_parser *p)
{
	const char *name = optional_name(p);
	const struct ctf_type *container;
	struct ctf_type *type;

	if (!tsdl_is(p, ':') && !tsdl_is(p, '{')) {
		if (p->failed || name)
			return p->failed ? NULL : tagged_type(p, "enum", name);
		tsdl_fail(p, "an enum needs a name or a body");
		return NULL;
	}
	if (tsdl_accept(p, ':'))
		container = tsdl_type(p);
	else if (!(container = find_type(p, "int")))
		tsdl_fail(p, "an enum without a container needs a type \"int\"");
	if (!container || !tsdl_expect(p, '{'))
		return NULL;
	if (container->kind != CTF_INTEGER) {
		tsdl_fail(p, "the container of an enum must be an integer");
		return NULL;
	}
	type = new_type(p, CTF_INTEGER);
	if (!type)
		return NULL;
	*type = *container;
	type->is_enum = true;
	if (!enum_labels(p, type))
		return NULL;
	declare_tagged(p, "enum", name, type);
	return p->failed ? NULL : type;
}

static bool
is_c_keyword(const struct tsdl_parser *p)
{
	static const char *const words[] = {
		"unsigned", "signed", "char", "short", "int", "long", "float", "double", "void",
		"_Bool", "_Complex", "_Imaginary",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (tsdl_is_word(p, words[i]))
			return true;
	return false;
}

/* A name that typedef or typealias gave: one word, or several of C's. */
static const struct ctf_type *
named_type(struct tsdl_parser *p)
{
	const struct ctf_type *type;
	const char *name;

	if (p->token.kind != TSDL_WORD) {
		tsdl_fail(p, "a type was expected");
		return NULL;
	}
	name = p->token.string;
	if (is_c_keyword(p)) {
		tsdl_next(p);
		while (name && is_c_keyword(p)) {
			name = join_words(p, name, p->token.string);
			tsdl_next(p);
		}
	} else {
		tsdl_next(p);
	}
	if (p->failed)
		return NULL;
	type = find_type(p, name);
	if (!type)
		tsdl_fail(p, "type \"%.100s\" is not declared", name);
	return type;
}

const struct ctf_type *
tsdl_type(struct tsdl_parser *p)
{
	static const struct {
		const char *word;
		const struct ctf_type *(*parse)(struct tsdl_parser *p);
	} kinds[] = {
		{ "integer", integer_type }, { "floating_point", float_type },
		{ "string", string_type }, { "struct", struct_type },
		{ "variant", variant_type }, { "enum", enum_type },
	};
	const struct ctf_type *type = NULL;
	size_t i = 0;

	while (tsdl_is_word(p, "const"))
		tsdl_next(p);
	if (p->failed)
		return NULL;
	if (p->depth >= CTF_LIMIT_DEPTH) {
		tsdl_fail(p, "types are nested deeper than %d", CTF_LIMIT_DEPTH);
		return NULL;
	}
	p->depth++;
	while (i < ARRAY_SIZE(kinds) && !tsdl_is_word(p, kinds[i].word))
		i++;
	if (i == ARRAY_SIZE(kinds))
		type = named_type(p);
	else if (tsdl_next(p))
		type = kinds[i].parse(p);
	p->depth--;
	while (tsdl_is_word(p, "const"))
		tsdl_next(p);
	return p->failed ? NULL : type;
}

/* "[4]" or "[ length ]": an array of as yet unknown elements. */
static struct ctf_type *
dimension(struct tsdl_parser *p)
{
	struct ctf_type *type = new_type(p, CTF_ARRAY);
	const char *path;

	if (!type || !tsdl_next(p))
		return NULL;
	if (p->token.kind == TSDL_NUMBER) {
		type->length = p->token.number;
		tsdl_next(p);
	} else {
		type->kind = CTF_SEQUENCE;
		path = tsdl_path_string(p);
		if (!path || !split_path(p, path, &type->path))
			return NULL;
	}
	return tsdl_expect(p, ']') ? type : NULL;
}

/* Reads "name[4][n]"; a[4][n] is four times n elements. */
static const struct ctf_type *
declarator(struct tsdl_parser *p, const struct ctf_type *type, const char **ret_name)
{
	struct ctf_type *dimensions[CTF_LIMIT_DEPTH];
	unsigned n = 0;

	if (p->failed)
		return NULL;
	if (p->token.kind != TSDL_WORD) {
		tsdl_fail(p, "the name of a field or type was expected, not \"%.*s\"",
			  (int) MIN(p->token.length, (size_t) 40), p->token.start);
		return NULL;
	}
	*ret_name = p->token.string;
	tsdl_next(p);
	while (tsdl_is(p, '[')) {
		if (n == CTF_LIMIT_DEPTH) {
			tsdl_fail(p, "more than %d dimensions", CTF_LIMIT_DEPTH);
			return NULL;
		}
		dimensions[n] = dimension(p);
		if (!dimensions[n++])
			return NULL;
	}
	while (n) {
		dimensions[--n]->element = type;
		type = dimensions[n];
	}
	return p->failed ? NULL : type;
}

static void
typedef_declaration(struct tsdl_parser *p)
{
	const struct ctf_type *base, *type;
	const char *name;

	if (!tsdl_next(p) || !(base = tsdl_type(p)))
		return;
	do {
		type = declarator(p, base, &name);
		if (!type)
			return;
		declare(p, name, type);
	} while (tsdl_accept(p, ','));
	tsdl_expect(p, ';');
}

static void
typealias_declaration(struct tsdl_parser *p)
{
	const struct ctf_type *type;
	const char *name = NULL;

	if (!tsdl_next(p) || !(type = tsdl_type(p)) || !tsdl_expect(p, TSDL_ASSIGN))
		return;
	while (!p->failed && p->token.kind == TSDL_WORD) {
		name = name ? join_words(p, name, p->token.string) : p->token.string;
		tsdl_next(p);
	}
	if (p->failed)
		return;
	if (!name)
		tsdl_fail(p, "a name was expected after \":=\"");
	else if (tsdl_expect(p, ';'))
		declare(p, name, type);
}

bool
tsdl_type_declaration(struct tsdl_parser *p)
{
	if (tsdl_is_word(p, "typedef"))
		typedef_declaration(p);
	else if (tsdl_is_word(p, "typealias"))
		typealias_declaration(p);
	else if (tsdl_is_word(p, "struct") || tsdl_is_word(p, "variant") || tsdl_is_word(p, "enum"))
		(void) (tsdl_type(p) && tsdl_expect(p, ';'));
	else
		return false;
	return true;
}
