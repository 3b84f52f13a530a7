/* SPDX-License-Identifier: MIT */
#include "replay/metadata.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"
#include "replay/wire.h"

/* A piece of the text, as positions in it. */
struct piece {
	size_t begin, end;
};

/* Behind the comment, string or single character at 'at'. */
static size_t
step(const struct buf *text, size_t at)
{
	const char *s = text->data, *end;

	if (!strncmp(s + at, "/*", 2)) {
		end = strstr(s + at + 2, "*/");
		return end ? (size_t) (end - s) + 2 : text->size;
	}
	if (!strncmp(s + at, "//", 2)) {
		end = strchr(s + at, '\n');
		return end ? (size_t) (end - s) + 1 : text->size;
	}
	if (s[at] != '"')
		return at + 1;
	for (at++; at < text->size && s[at] != '"'; at++)
		if (s[at] == '\\' && at + 1 < text->size)
			at++;
	return MIN(at + 1, text->size);
}

static bool
is_word(char c)
{
	return isalnum((unsigned char) c) || c == '_';
}

static bool
is_gap(const struct buf *text, size_t at)
{
	return isspace((unsigned char) text->data[at]) || !strncmp(text->data + at, "/*", 2)
		|| !strncmp(text->data + at, "//", 2);
}

static size_t
skip_gaps(const struct buf *text, size_t at)
{
	while (at < text->size && is_gap(text, at))
		at = step(text, at);
	return at;
}

/* Finds 'word' followed by 'mark' in 'within', not deeper than its own level
 * of braces when 'flat'.  *ret_at is the position behind the mark. */
static bool
find_word(const struct buf *text, struct piece within, const char *word, char mark, bool flat,
	  size_t *ret_at)
{
	const char *s = text->data;
	size_t length = strlen(word), behind;
	int depth = 0;

	for (size_t at = within.begin; at < within.end;) {
		if (s[at] == '{' || s[at] == '}')
			depth += s[at] == '{' ? 1 : -1;
		if (!is_word(s[at])) {
			at = step(text, at);
			continue;
		}
		for (behind = at; behind < within.end && is_word(s[behind]); behind++)
			;
		if ((!flat || !depth) && behind - at == length && !memcmp(s + at, word, length)) {
			behind = skip_gaps(text, behind);
			if (behind < within.end && s[behind] == mark) {
				*ret_at = behind + 1;
				return true;
			}
		}
		at = behind;
	}
	return false;
}

/* The next top-level "name { ... }" from 'from' on: what is in its braces. */
static bool
find_block(const struct buf *text, size_t from, const char *name, struct piece *ret)
{
	size_t begin, at;
	int depth = 1;

	if (!text->size || !find_word(text, (struct piece) { from, text->size }, name, '{', true,
				      &begin))
		return false;
	for (at = begin; at < text->size; at = step(text, at)) {
		if (text->data[at] == '{')
			depth++;
		else if (text->data[at] == '}' && !--depth)
			break;
	}
	*ret = (struct piece) { begin, at };
	return at < text->size;
}

/* The value of "key = value;" in a block, without the gaps around it. */
static bool
find_value(const struct buf *text, struct piece block, const char *key, struct piece *ret)
{
	size_t at, end;

	if (!find_word(text, block, key, '=', true, &at))
		return false;
	at = end = skip_gaps(text, at);
	while (end < block.end && text->data[end] != ';' && !is_gap(text, end))
		end = step(text, end);
	*ret = (struct piece) { at, end };
	return end < block.end;
}

static void
replace(struct buf *text, struct piece piece, const char *with)
{
	struct buf new = { 0 };

	buf_add(&new, text->data, piece.begin);
	buf_add_string(&new, with);
	buf_add(&new, text->data + piece.end, text->size - piece.end);
	buf_done(text);
	*text = new;
}

int
metadata_set_hostname(struct buf *text, const char *hostname, struct error *error)
{
	_cleanup_(freep) char *value = NULL;
	struct piece block, piece;

	for (const char *c = hostname; *c; c++)
		if (*c == '"' || *c == '\\' || iscntrl((unsigned char) *c))
			return error_set(error, EINVAL, "the host name '%s' has a character"
					 " that metadata cannot hold", hostname);
	if (!find_block(text, 0, "env", &block)) {
		value = xasprintf("\nenv {\n\thostname = \"%s\";\n};\n", hostname);
		buf_add_string(text, value);
	} else if (find_value(text, block, "hostname", &piece)) {
		value = xasprintf("\"%s\"", hostname);
		replace(text, piece, value);
	} else {
		value = xasprintf("\n\thostname = \"%s\";", hostname);
		replace(text, (struct piece) { block.begin, block.begin }, value);
	}
	return 0;
}

static int
shift_clock(struct buf *text, struct piece block, int64_t cycles, struct error *error)
{
	_cleanup_(freep) char *new = NULL;
	struct piece piece;
	long long offset;
	char *end;

	if (!find_value(text, block, "offset", &piece)) {
		new = xasprintf("\n\toffset = %" PRId64 ";", cycles);
		replace(text, (struct piece) { block.begin, block.begin }, new);
		return 0;
	}
	errno = 0;
	offset = strtoll(text->data + piece.begin, &end, 0);
	if (errno || end == text->data + piece.begin
	    || __builtin_add_overflow(offset, cycles, &offset))
		return error_set(error, ERANGE, "the clock's offset '%.*s' cannot be moved by %"
				 PRId64, (int) MIN(piece.end - piece.begin, (size_t) 40),
				 text->data + piece.begin, cycles);
	new = xasprintf("%lld", offset);
	replace(text, piece, new);
	return 0;
}

int
metadata_shift_clocks(struct buf *text, int64_t cycles, struct error *error)
{
	struct piece block = { 0 };
	int err;

	if (!cycles)
		return 0;
	while (find_block(text, block.begin, "clock", &block)) {
		err = shift_clock(text, block, cycles, error);
		if (err)
			return err;
		/* The braces moved: look for the next one from inside this one's end. */
		while (block.begin < text->size && text->data[block.begin] != '}')
			block.begin = step(text, block.begin);
		block.begin++;
	}
	return 0;
}

uint64_t
metadata_clock_frequency(const struct buf *text)
{
	struct piece block, piece;

	if (find_block(text, 0, "clock", &block) && find_value(text, block, "freq", &piece))
		return strtoull(text->data + piece.begin, NULL, 0);
	return UINT64_C(1000000000);
}

unsigned
metadata_max_alignment(const struct buf *text)
{
	static const char marks[] = "=(";
	unsigned max = 8;
	size_t at;

	for (const char *mark = marks; *mark; mark++) {
		for (at = 0; find_word(text, (struct piece) { at, text->size }, "align", *mark,
				       false, &at);) {
			unsigned long align = 0;

			at = skip_gaps(text, at);
			if (at < text->size)
				align = strtoul(text->data + at, NULL, 0);
			if (align > max)
				max = align < 1ul << 16 ? (unsigned) align : 1u << 16;
		}
	}
	return max;
}

bool
metadata_is_big_endian(const struct buf *text)
{
	struct piece block, piece;

	return find_block(text, 0, "trace", &block)
		&& find_value(text, block, "byte_order", &piece)
		&& (starts_with(text->data + piece.begin, "be")
		    || starts_with(text->data + piece.begin, "network"));
}

void
metadata_packetize(const char *text, size_t size, const uint8_t uuid[16], bool big_endian,
		   struct buf *out)
{
	enum { HEADER = 37, ROOM = METADATA_PACKET_SIZE - HEADER };
	/* No compression, encryption and checksum scheme; CTF 1.8. */
	static const uint8_t schemes_version[] = { 0, 0, 0, 1, 8 };

	for (size_t at = 0, n; at < size; at += n) {
		n = MIN(size - at, (size_t) ROOM);
		wire_add(out, 4, big_endian, 0x75d11d57);
		buf_add(out, uuid, 16);
		wire_add(out, 4, big_endian, 0);
		wire_add(out, 4, big_endian, 8 * (HEADER + n));
		wire_add(out, 4, big_endian, 8 * METADATA_PACKET_SIZE);
		buf_add(out, schemes_version, sizeof schemes_version);
		buf_add(out, text + at, n);
		memset(buf_reserve(out, ROOM - n), 0, ROOM - n + 1);
		out->size += ROOM - n;
	}
}
