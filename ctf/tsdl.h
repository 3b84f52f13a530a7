/* SPDX-License-Identifier: MIT
 *
 * tsdl.h -- between the files of the TSDL parser: tsdl_lexer.c (tokens),
 * tsdl_types.c (type declarations), tsdl_blocks.c (trace, stream, event...).
 * metadata.c calls tsdl_parse() for each complete declaration. */
#ifndef CTF_TSDL_H
#define CTF_TSDL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uthash.h>

#include "ctf/types.h"
#include "lib/error.h"

struct ctf_trace;

enum tsdl_token_kind {
	TSDL_END,
	TSDL_WORD,
	TSDL_NUMBER,
	TSDL_STRING,
	TSDL_PUNCTUATION,  /* 'punctuation' says which; ":=" is ':' '=' joined. */
};

enum { TSDL_ASSIGN = 256, TSDL_ELLIPSIS, TSDL_ARROW };

struct tsdl_token {
	enum tsdl_token_kind kind;
	const char *start;       /* In the text. */
	size_t length;
	int punctuation;
	uint64_t number;
	const char *string;      /* Of words and strings, in the arena. */
	unsigned line, column;
};

/* Named types that are visible between two braces. */
struct tsdl_name {
	const char *name;        /* "uint32_t", "unsigned long", "struct x". */
	const struct ctf_type *type;
	UT_hash_handle hh;
};

/* Integers by their text from '{' to '}': tracers repeat a few of them for each
 * field, and they are most of what a tracer writes. */
struct tsdl_integer_text {
	const char *text;
	const struct ctf_type *type;
	UT_hash_handle hh;
};

struct tsdl_scope {
	struct tsdl_scope *parent;
	struct tsdl_name *names;
};

struct tsdl_parser {
	struct ctf_trace *trace;
	struct arena *arena;
	struct error *error;
	const char *at, *end;
	const char *line_start;
	unsigned line;
	struct tsdl_token token; /* The one to be looked at. */
	struct tsdl_scope *scope;
	unsigned depth;
	int failed;              /* Negative errno of the first error. */
};

/* A literal or a path of words, as on the right of '='. */
struct tsdl_value {
	enum { TSDL_IS_NUMBER, TSDL_IS_STRING, TSDL_IS_PATH } kind;
	uint64_t number;
	bool negative;
	const char *string;      /* Of paths: joined by '.'. */
};

/* tsdl_lexer.c */
/* Makes the next token the one to be looked at.  Returns false after an error. */
bool tsdl_next(struct tsdl_parser *p);
/* Goes on at 'to', further on in the same line. */
void tsdl_jump(struct tsdl_parser *p, const char *to);
bool tsdl_fail(struct tsdl_parser *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool tsdl_no_memory(struct tsdl_parser *p);
bool tsdl_is(const struct tsdl_parser *p, int punctuation);
bool tsdl_is_word(const struct tsdl_parser *p, const char *word);
/* Steps over 'punctuation' if it is next; says whether. */
bool tsdl_accept(struct tsdl_parser *p, int punctuation);
/* The same, and an error if it is not. */
bool tsdl_expect(struct tsdl_parser *p, int punctuation);
bool tsdl_value(struct tsdl_parser *p, struct tsdl_value *ret);
/* A number that may have a minus before it. */
bool tsdl_integer(struct tsdl_parser *p, uint64_t *ret, bool *ret_negative);
/* "a.b.c" or "a->b" as one string. */
const char *tsdl_path_string(struct tsdl_parser *p);

/* tsdl_types.c */
/* A type without declarators; NULL after an error. */
const struct ctf_type *tsdl_type(struct tsdl_parser *p);
/* typedef, typealias, or a struct, variant or enum with a name: true if the
 * token started one of these (and it was parsed, or failed). */
bool tsdl_type_declaration(struct tsdl_parser *p);
void tsdl_scope_begin(struct tsdl_parser *p, struct tsdl_scope *scope);
void tsdl_scope_end(struct tsdl_parser *p);
void tsdl_scope_done(struct tsdl_scope *scope);

/* tsdl_blocks.c */
/* Parses the declarations of 'text' into 'trace'.  Those after a bad one are
 * parsed too; the first error is returned. */
int tsdl_parse(struct ctf_trace *trace, const char *text, size_t size, unsigned first_line,
	       struct error *error);

#endif /* tsdl.h */
