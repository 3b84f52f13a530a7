/* SPDX-License-Identifier: MIT */
#include "daemon/alert_condition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/util.h"

enum { MAX_MEMBER = 64 };

static const struct {
	const char *text;
	enum condition_op op;
} ops[] = {
	/* Longer ones first. */
	{ "<=", OP_AT_MOST }, { ">=", OP_AT_LEAST }, { "!=", OP_IS_NOT }, { "==", OP_IS },
	{ "<", OP_LESS }, { ">", OP_MORE }, { "=", OP_IS }, { "~", OP_CONTAINS },
};

/* "5", "5%", "300ms", "64MiB" */
static bool
parse_value(const char *text, double *ret)
{
	uint64_t number;
	char *end;

	*ret = strtod(text, &end);
	if (end != text && (!*end || streq(end, "%")))
		return true;
	if (parse_duration(text, &number) && parse_size(text, &number))
		return false;
	*ret = (double) number;
	return true;
}

static char *
trimmed(const char *from, size_t size)
{
	while (size && strchr(" \t", *from)) {
		from++;
		size--;
	}
	while (size && strchr(" \t", from[size - 1]))
		size--;
	return xstrndup(from, size);
}

static bool
is_member(const char *name)
{
	return *name && strlen(name) < MAX_MEMBER &&
	       !name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-")];
}

static int
parse_term(const char *text, size_t size, struct condition *condition, struct error *error)
{
	struct condition_term *term = &condition->terms[condition->n];
	_cleanup_(freep) char *copy = trimmed(text, size);
	size_t at = strcspn(copy, "<>=!~"), i = 0;

	if (condition->n == CONDITION_MAX_TERMS)
		return error_set(error, ERANGE, "more than %d terms", CONDITION_MAX_TERMS);
	while (i < ARRAY_SIZE(ops) && !starts_with(copy + at, ops[i].text))
		i++;
	if (i == ARRAY_SIZE(ops))
		return error_set(error, EINVAL, "'%.60s' is not MEMBER OP VALUE", copy);
	condition->n++;
	*term = (struct condition_term) { .op = ops[i].op, .member = trimmed(copy, at) };
	term->words = trimmed(copy + at + strlen(ops[i].text), strlen(copy + at + strlen(ops[i].text)));
	term->is_number = parse_value(term->words, &term->number);
	if (!is_member(term->member) || !*term->words || strstr(term->words, " and"))
		return error_set(error, EINVAL, "'%.60s' is not MEMBER OP VALUE", copy);
	if (term->op <= OP_AT_LEAST && !term->is_number)
		return error_set(error, EINVAL, "'%.60s' is no number, duration or size", term->words);
	if (!streq(term->member, "open"))
		return 0;
	if (term->op != OP_MORE || term->number < 1)
		return error_set(error, EINVAL, "'open' takes '>' and a duration");
	condition->open_ns = (uint64_t) term->number;
	return 0;
}

int
condition_parse(const char *text, struct condition *ret, struct error *error)
{
	const char *end;
	int r = 0;

	*ret = (struct condition) { .n = 0 };
	if (!text[strspn(text, " \t")])
		return 0;
	for (; !r && text; text = end ? end + strlen(" and ") : NULL) {
		end = strstr(text, " and ");
		r = parse_term(text, end ? (size_t) (end - text) : strlen(text), ret, error);
	}
	if (r)
		condition_done(ret);
	return r;
}

void
condition_done(struct condition *condition)
{
	for (unsigned i = 0; i < condition->n; i++) {
		free(condition->terms[i].member);
		free(condition->terms[i].words);
	}
	*condition = (struct condition) { .n = 0 };
}

const json_t *
condition_member(const json_t *object, const char *path)
{
	char name[MAX_MEMBER];
	size_t n;

	for (;;) {
		n = strcspn(path, ".");
		if (!path[n] || n >= sizeof name)
			return json_object_get(object, path);
		memcpy(name, path, n);
		name[n] = '\0';
		object = json_object_get(object, name);
		path += n + 1;
	}
}

/* "duration" is that of what ended. */
static const json_t *
value_of(const json_t *object, const char *member)
{
	return condition_member(object, streq(member, "duration") ? "duration_ns" : member);
}

static bool
as_number(const json_t *value, double *ret)
{
	const char *text = json_string_value(value);
	char *end;

	*ret = json_number_value(value);
	if (!text)
		return json_is_number(value);
	*ret = strtod(text, &end);
	return end != text && !*end;
}

static const char *
as_text(const json_t *value)
{
	if (json_is_boolean(value))
		return json_is_true(value) ? "true" : "false";
	return json_string_value(value);
}

/* Whether 'text' is one of "a|b". */
static bool
is_one_of(const char *words, const char *text)
{
	size_t size = strlen(text), n;

	for (;; words += n + 1) {
		n = strcspn(words, "|");
		if (n == size && !strncmp(words, text, n))
			return true;
		if (!words[n])
			return false;
	}
}

static bool
is_same(const struct condition_term *term, const json_t *value)
{
	double number;

	if (term->is_number && as_number(value, &number))
		return number >= term->number && number <= term->number;
	return as_text(value) && is_one_of(term->words, as_text(value));
}

static bool
term_holds(const struct condition_term *term, const json_t *object)
{
	const json_t *value = value_of(object, term->member);
	double number;

	switch (term->op) {
	case OP_IS:
		return is_same(term, value);
	case OP_IS_NOT:
		return !is_same(term, value);
	case OP_CONTAINS:
		return as_text(value) && strstr(as_text(value), term->words);
	default:
		break;
	}
	if (!as_number(value, &number))
		return false;
	return term->op == OP_LESS ? number < term->number :
	       term->op == OP_AT_MOST ? number <= term->number :
	       term->op == OP_MORE ? number > term->number : number >= term->number;
}

bool
condition_holds(const struct condition *condition, const json_t *object)
{
	for (unsigned i = 0; i < condition->n; i++)
		if (!streq(condition->terms[i].member, "open") && !term_holds(&condition->terms[i], object))
			return false;
	return true;
}

/* -- Texts ---------------------------------------------------------------- */

static void
add_member(struct buf *out, const char *name, const json_t *object)
{
	const json_t *value = value_of(object, name);
	size_t n = strlen(name);
	char duration[40];

	if (json_is_integer(value) && (streq(name, "duration") || streq(name, "within") ||
				       (n > 3 && streq(name + n - 3, "_ns"))))
		buf_add_string(out, format_duration((uint64_t) json_integer_value(value), duration,
						    sizeof duration));
	else if (json_is_integer(value))
		buf_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		buf_printf(out, "%g", json_real_value(value));
	else
		buf_add_string(out, as_text(value) ? as_text(value) : "-");
}

void
condition_add_text(struct buf *out, const char *text, const json_t *object)
{
	for (; *text; text++) {
		const char *end = *text == '{' ? strchr(text, '}') : NULL;
		char name[MAX_MEMBER];

		if (!end || end - text - 1 >= MAX_MEMBER) {
			buf_add_char(out, *text);
			continue;
		}
		memcpy(name, text + 1, (size_t) (end - text - 1));
		name[end - text - 1] = '\0';
		add_member(out, name, object);
		text = end;
	}
}
