/* SPDX-License-Identifier: MIT
 *
 * tsdl_lexer.c -- TSDL text to tokens, and the small steps that all parsing
 * functions share. */
#include "ctf/tsdl.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ctf/trace_private.h"
#include "lib/util.h"

enum { SPACE = 1, WORD = 2, DIGIT = 4 };

/* What <ctype.h> says in the C locale. */
static const unsigned char class_of[256] = {
	['\t'] = SPACE, ['\n'] = SPACE, ['\v'] = SPACE, ['\f'] = SPACE, ['\r'] = SPACE, [' '] = SPACE,
	['a' ... 'z'] = WORD, ['A' ... 'Z'] = WORD, ['_'] = WORD,
	['0' ... '9'] = DIGIT,
};

static inline unsigned
class_at(const char *at)
{
	return class_of[(unsigned char) *at];
}

bool
tsdl_fail(struct tsdl_parser *p, const char *format, ...)
{
	char text[256];
	va_list args;

	if (p->failed)
		return false;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	p->failed = error_set(p->error, EBADMSG, "%s: metadata line %u, column %u: %s",
			      p->trace->name, p->token.line, p->token.column, text);
	return false;
}

bool
tsdl_no_memory(struct tsdl_parser *p)
{
	if (!p->failed)
		p->failed = error_set(p->error, EFBIG, "%s: metadata line %u: its types need more "
				      "than %d MiB", p->trace->name, p->token.line,
				      CTF_LIMIT_ARENA_BYTES >> 20);
	return false;
}

/* Steps over white space and comments. */
static void
skip_space(struct tsdl_parser *p)
{
	while (p->at < p->end) {
		if (*p->at == '\n') {
			p->line++;
			p->line_start = ++p->at;
		} else if (class_at(p->at) == SPACE) {
			p->at++;
		} else if (p->end - p->at >= 2 && p->at[0] == '/' && p->at[1] == '/') {
			while (p->at < p->end && *p->at != '\n')
				p->at++;
		} else if (p->end - p->at >= 2 && p->at[0] == '/' && p->at[1] == '*') {
			for (p->at += 2; p->at < p->end; p->at++) {
				if (*p->at == '\n') {
					p->line++;
					p->line_start = p->at + 1;
				}
				if (p->end - p->at >= 2 && p->at[0] == '*' && p->at[1] == '/')
					break;
			}
			p->at = MIN(p->at + 2, p->end);
		} else {
			return;
		}
	}
}

static bool
lex_number(struct tsdl_parser *p)
{
	char text[72];
	size_t n = 0;
	unsigned base = 10;
	char *digits = text;

	while (p->at < p->end && isalnum((unsigned char) *p->at)) {
		if (n == sizeof text - 1)
			return tsdl_fail(p, "a number is too long");
		text[n++] = *p->at++;
	}
	/* C suffixes say nothing here. */
	while (n > 1 && strchr("uUlL", text[n - 1]))
		n--;
	text[n] = '\0';
	if (text[0] == '0' && n > 1) {
		base = strchr("xX", text[1]) ? 16 : strchr("bB", text[1]) ? 2 : 8;
		digits += base == 8 ? 1 : 2;
	}
	p->token.number = 0;
	if (!*digits)
		return tsdl_fail(p, "\"%s\" is no number", text);
	for (; *digits; digits++) {
		unsigned digit = isdigit((unsigned char) *digits) ? (unsigned) (*digits - '0') :
			(unsigned) (tolower((unsigned char) *digits) - 'a') + 10;

		if (digit >= base)
			return tsdl_fail(p, "\"%s\" is no number", text);
		if (__builtin_mul_overflow(p->token.number, base, &p->token.number) ||
		    __builtin_add_overflow(p->token.number, digit, &p->token.number))
			return tsdl_fail(p, "\"%s\" does not fit in 64 bits", text);
	}
	p->token.kind = TSDL_NUMBER;
	return true;
}

static unsigned char
lex_escape(struct tsdl_parser *p)
{
	static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
	const char *found;
	unsigned value = 0;
	char c = *p->at++;

	if (c == 'x') {
		for (int i = 0; i < 2 && p->at < p->end && isxdigit((unsigned char) *p->at); i++) {
			c = (char) tolower((unsigned char) *p->at++);
			value = value * 16 + (unsigned) (isdigit((unsigned char) c) ? c - '0' :
							 c - 'a' + 10);
		}
		return (unsigned char) value;
	}
	if (c >= '0' && c <= '7') {
		value = (unsigned) (c - '0');
		for (int i = 0; i < 2 && p->at < p->end && *p->at >= '0' && *p->at <= '7'; i++)
			value = value * 8 + (unsigned) (*p->at++ - '0');
		return (unsigned char) value;
	}
	found = c ? strchr(from, c) : NULL;
	return (unsigned char) (found ? to[found - from] : c);
}

static bool
lex_string(struct tsdl_parser *p)
{
	const char *close = p->at + 1;
	char *to;

	while (close < p->end && *close != '"')
		close += *close == '\\' ? 2 : 1;
	if (close >= p->end)
		return tsdl_fail(p, "a string has no end");
	to = arena_alloc(p->arena, (size_t) (close - p->at));
	if (!to)
		return tsdl_no_memory(p);
	p->token.string = to;
	for (p->at++; p->at < close; ) {
		if (*p->at == '\n') {
			p->line++;
			p->line_start = p->at + 1;
		}
		if (*p->at == '\\') {
			p->at++;
			*to++ = (char) lex_escape(p);
		} else {
			*to++ = *p->at++;
		}
	}
	p->at = close + 1;
	p->token.kind = TSDL_STRING;
	return true;
}

static bool
lex_punctuation(struct tsdl_parser *p)
{
	static const struct {
		const char *text;
		int code;
	} longer[] = { { ":=", TSDL_ASSIGN }, { "...", TSDL_ELLIPSIS }, { "->", TSDL_ARROW } };

	p->token.kind = TSDL_PUNCTUATION;
	if (*p->at == ';' || *p->at == '=') {
		p->token.punctuation = *p->at++;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(longer); i++) {
		size_t n = strlen(longer[i].text);

		if ((size_t) (p->end - p->at) >= n && !memcmp(p->at, longer[i].text, n)) {
			p->at += n;
			p->token.punctuation = longer[i].code;
			return true;
		}
	}
	if (!*p->at || !strchr("{}[]()<>;:,=*.-+", *p->at)) {
		if (isprint((unsigned char) *p->at))
			return tsdl_fail(p, "unexpected character '%c'", *p->at);
		return tsdl_fail(p, "unexpected byte 0x%02x", (unsigned char) *p->at);
	}
	p->token.punctuation = *p->at++;
	return true;
}

bool
tsdl_next(struct tsdl_parser *p)
{
	bool ok = true;

	if (p->failed)
		return false;
	skip_space(p);
	p->token = (struct tsdl_token) {
		.start = p->at,
		.line = p->line,
		.column = (unsigned) (p->at - p->line_start) + 1,
	};
	if (p->at == p->end) {
		p->token.kind = TSDL_END;
	} else if (class_at(p->at) == DIGIT) {
		ok = lex_number(p);
	} else if (*p->at == '"') {
		ok = lex_string(p);
	} else if (class_at(p->at) == WORD) {
		while (p->at < p->end && class_at(p->at) & (WORD | DIGIT))
			p->at++;
		p->token.kind = TSDL_WORD;
		p->token.string = arena_strndup(p->arena, p->token.start,
						(size_t) (p->at - p->token.start));
		if (!p->token.string)
			ok = tsdl_no_memory(p);
	} else {
		ok = lex_punctuation(p);
	}
	p->token.length = (size_t) (p->at - p->token.start);
	return ok;
}

void
tsdl_jump(struct tsdl_parser *p, const char *to)
{
	p->at = to;
	tsdl_next(p);
}

bool
tsdl_is(const struct tsdl_parser *p, int punctuation)
{
	return !p->failed && p->token.kind == TSDL_PUNCTUATION &&
		p->token.punctuation == punctuation;
}

bool
tsdl_is_word(const struct tsdl_parser *p, const char *word)
{
	return !p->failed && p->token.kind == TSDL_WORD && streq(p->token.string, word);
}

bool
tsdl_accept(struct tsdl_parser *p, int punctuation)
{
	if (!tsdl_is(p, punctuation))
		return false;
	return tsdl_next(p);
}

bool
tsdl_expect(struct tsdl_parser *p, int punctuation)
{
	static const char *const longer[] = { ":=", "...", "->" };
	char single[2] = { (char) punctuation, '\0' };
	const char *wanted = single;

	if (tsdl_is(p, punctuation))
		return tsdl_next(p);
	if (punctuation >= TSDL_ASSIGN)
		wanted = longer[punctuation - TSDL_ASSIGN];
	if (p->token.kind == TSDL_END)
		return tsdl_fail(p, "the declaration ends where \"%s\" was expected", wanted);
	return tsdl_fail(p, "\"%s\" was expected, not \"%.*s\"", wanted,
			 (int) MIN(p->token.length, (size_t) 40), p->token.start);
}

const char *
tsdl_path_string(struct tsdl_parser *p)
{
	const char *path = p->token.string;

	if (p->token.kind != TSDL_WORD) {
		tsdl_fail(p, "a name was expected");
		return NULL;
	}
	tsdl_next(p);
	while (tsdl_is(p, '.') || tsdl_is(p, TSDL_ARROW)) {
		size_t n = strlen(path);
		char *joined;

		if (!tsdl_next(p))
			return NULL;
		if (p->token.kind != TSDL_WORD || n > 1024) {
			tsdl_fail(p, "a name was expected after \".\"");
			return NULL;
		}
		joined = arena_alloc(p->arena, n + p->token.length + 2);
		if (!joined) {
			tsdl_no_memory(p);
			return NULL;
		}
		memcpy(joined, path, n);
		joined[n] = '.';
		memcpy(joined + n + 1, p->token.string, p->token.length);
		path = joined;
		tsdl_next(p);
	}
	return p->failed ? NULL : path;
}

bool
tsdl_integer(struct tsdl_parser *p, uint64_t *ret, bool *ret_negative)
{
	bool negative = tsdl_accept(p, '-');

	if (!negative)
		tsdl_accept(p, '+');
	if (p->failed)
		return false;
	if (p->token.kind != TSDL_NUMBER)
		return tsdl_fail(p, "a number was expected");
	if (negative && p->token.number > (uint64_t) INT64_MAX + 1)
		return tsdl_fail(p, "a number does not fit in 64 bits");
	*ret = negative ? -p->token.number : p->token.number;
	*ret_negative = negative;
	return tsdl_next(p);
}

bool
tsdl_value(struct tsdl_parser *p, struct tsdl_value *ret)
{
	*ret = (struct tsdl_value) { 0 };
	if (p->failed)
		return false;
	if (p->token.kind == TSDL_STRING) {
		ret->kind = TSDL_IS_STRING;
		ret->string = p->token.string;
		return tsdl_next(p);
	}
	if (p->token.kind == TSDL_WORD) {
		ret->kind = TSDL_IS_PATH;
		ret->string = tsdl_path_string(p);
		return ret->string;
	}
	ret->kind = TSDL_IS_NUMBER;
	return tsdl_integer(p, &ret->number, &ret->negative);
}
