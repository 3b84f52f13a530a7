/* SPDX-License-Identifier: MIT
 *
 * metadata.c -- the metadata stream of a trace: packets or plain text to whole
 * declarations, which tsdl_parse() reads one by one.
 *
 * A live stream may be cut anywhere between two packets, also within a
 * declaration: what is not whole yet waits for the rest. */
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "ctf/trace_private.h"
#include "lib/util.h"

enum { METADATA_MAGIC = 0x75D11D57, PACKET_HEADER_BYTES = 37 };

struct packet_header {
	uint32_t content_bits, packet_bits;
	uint8_t compression, encryption, major;
};

static uint32_t
read_u32(const uint8_t *at, bool big_endian)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return big_endian ? be32toh(value) : le32toh(value);
}

/* CTF 1.8.3, section 7.1 */
static int
read_packet_header(struct ctf_trace *trace, const uint8_t *at, struct packet_header *ret,
		   struct error *error)
{
	bool big_endian = read_u32(at, true) == METADATA_MAGIC;

	if (!big_endian && read_u32(at, false) != METADATA_MAGIC)
		return error_set(error, EBADMSG, "%s: metadata packet without its magic number",
				 trace->name);
	*ret = (struct packet_header) {
		.content_bits = read_u32(at + 24, big_endian),
		.packet_bits = read_u32(at + 28, big_endian),
		.compression = at[32],
		.encryption = at[33],
		.major = at[35],
	};
	if (ret->content_bits % 8 || ret->packet_bits % 8 ||
	    ret->content_bits > ret->packet_bits || ret->content_bits / 8 < PACKET_HEADER_BYTES)
		return error_set(error, EBADMSG, "%s: metadata packet of %u bits with %u bits of "
				 "content", trace->name, ret->packet_bits, ret->content_bits);
	if (ret->compression || ret->encryption)
		return error_set(error, EPROTONOSUPPORT, "%s: compressed or encrypted metadata",
				 trace->name);
	return 0;
}

static int
refuse_ctf2(const struct ctf_trace *trace, struct error *error)
{
	return error_set(error, EPROTONOSUPPORT, "%s: this is a CTF 2 trace (JSON metadata), only "
			 "CTF 1.8 is understood: record it with the CTF 1.8 format of LTTng (lttng "
			 "create --trace-format=ctf-1.8), or convert it with babeltrace2",
			 trace->name);
}

/* Moves the contents of all whole packets from 'raw' to 'text'. */
static int
unpack(struct ctf_trace *trace, struct error *error)
{
	const uint8_t *bytes = (const uint8_t *) trace->raw.data;
	size_t at = 0, left, content;
	struct packet_header header = { 0 };
	int r = 0;

	for (;;) {
		left = trace->raw.size - at;
		if (trace->padding) {
			size_t n = MIN(left, trace->padding);

			at += n;
			left -= n;
			trace->padding -= n;
		}
		if (left < PACKET_HEADER_BYTES)
			break;
		r = read_packet_header(trace, bytes + at, &header, error);
		if (r < 0)
			break;
		if (header.major > 1) {
			r = refuse_ctf2(trace, error);
			break;
		}
		content = header.content_bits / 8;
		if (left < content)
			break;
		buf_add(&trace->text, bytes + at + PACKET_HEADER_BYTES,
			content - PACKET_HEADER_BYTES);
		at += content;
		trace->padding = header.packet_bits / 8 - content;
	}
	buf_consume(&trace->raw, at);
	return r;
}

/* Finds the end of the next declaration (behind its ';') from where the last
 * search ended; 0 if it is not there yet. */
static size_t
find_declaration_end(struct ctf_trace *trace)
{
	enum { NORMAL, SLASH, LINE_COMMENT, COMMENT, COMMENT_STAR, STRING, ESCAPE };
	static const bool matters[256] = {
		['/'] = true, ['"'] = true, ['{'] = true, ['}'] = true, [';'] = true,
	};
	const char *text = trace->text.data;
	const size_t size = trace->text.size;

	while (trace->scanned < size) {
		size_t at = trace->scanned;
		char c;

		if (trace->scan_state == NORMAL)
			while (at < size - 1 && !matters[(unsigned char) text[at]])
				at++;
		c = text[at];
		trace->scanned = at + 1;
		switch (trace->scan_state) {
		case SLASH:
			trace->scan_state = c == '/' ? LINE_COMMENT : c == '*' ? COMMENT : NORMAL;
			if (trace->scan_state != NORMAL)
				break;
			/* fall through */
		case NORMAL:
			if (c == '/')
				trace->scan_state = SLASH;
			else if (c == '"')
				trace->scan_state = STRING;
			else if (c == '{')
				trace->scan_depth++;
			else if (c == '}' && trace->scan_depth)
				trace->scan_depth--;
			else if (c == ';' && !trace->scan_depth)
				return trace->scanned;
			break;
		case LINE_COMMENT:
			if (c == '\n')
				trace->scan_state = NORMAL;
			break;
		case COMMENT:
			if (c == '*')
				trace->scan_state = COMMENT_STAR;
			break;
		case COMMENT_STAR:
			trace->scan_state = c == '/' ? NORMAL : c == '*' ? COMMENT_STAR : COMMENT;
			break;
		case STRING:
			trace->scan_state = c == '\\' ? ESCAPE : c == '"' ? NORMAL : STRING;
			break;
		case ESCAPE:
			trace->scan_state = STRING;
			break;
		}
	}
	return 0;
}

static int
parse_declarations(struct ctf_trace *trace, struct error *error)
{
	int result = 0, r;
	size_t end;

	while ((end = find_declaration_end(trace))) {
		const char *from = trace->text.data + trace->parsed;
		size_t n = end - trace->parsed;

		/* A bad declaration does not keep the others from being known. */
		r = tsdl_parse(trace, from, n, trace->parsed_line, error);
		if (r < 0 && !result)
			result = r;
		for (const char *at = from; (at = memchr(at, '\n', n - (size_t) (at - from))); at++)
			trace->parsed_line++;
		trace->parsed = end;
	}
	return result;
}

/* Plain text comes as a whole: nothing may be left but space and comments. */
static int
check_rest(struct ctf_trace *trace, struct error *error)
{
	struct tsdl_parser p = {
		.trace = trace,
		.arena = &trace->arena,
		.error = error,
		.at = trace->text.data + trace->parsed,
		.end = trace->text.data + trace->text.size,
		.line = trace->parsed_line,
	};

	p.line_start = p.at;
	if (tsdl_next(&p) && p.token.kind != TSDL_END)
		tsdl_fail(&p, "the metadata ends within a declaration");
	return p.failed;
}

static int
take_bytes(struct ctf_trace *trace, const void *bytes, size_t size, struct error *error)
{
	const uint8_t *raw;
	size_t start = 0;
	int r = 0;

	if (size > CTF_LIMIT_METADATA_BYTES - trace->raw_bytes)
		return error_set(error, EFBIG, "%s: more than %d MiB of metadata", trace->name,
				 CTF_LIMIT_METADATA_BYTES >> 20);
	trace->raw_bytes += size;
	buf_add(&trace->raw, bytes, size);
	if (trace->metadata_form == CTF_METADATA_UNKNOWN) {
		if (trace->raw.size < 4)
			return 0;
		raw = (const uint8_t *) trace->raw.data;
		trace->metadata_form = read_u32(raw, true) == METADATA_MAGIC ||
			read_u32(raw, false) == METADATA_MAGIC ?
			CTF_METADATA_PACKETS : CTF_METADATA_PLAIN;
	}
	if (trace->metadata_form == CTF_METADATA_PACKETS) {
		r = unpack(trace, error);
	} else {
		buf_add(&trace->text, trace->raw.data, trace->raw.size);
		buf_clear(&trace->raw);
	}
	while (start < trace->text.size && isspace((unsigned char) trace->text.data[start]))
		start++;
	/* CTF 2 is a sequence of JSON fragments (RFC 7464), each after a 0x1e. */
	if (r >= 0 && start < trace->text.size && strchr("\x1e{[", trace->text.data[start]) &&
	    trace->text.data[start])
		r = refuse_ctf2(trace, error);
	return r;
}

int
ctf_trace_add_metadata(struct ctf_trace *trace, const void *bytes, size_t size,
		       struct error *error)
{
	struct error first = { 0 };
	int r;

	if (trace->broken.code)
		return error_set(error, trace->broken.code, "%s", trace->broken.text);
	r = take_bytes(trace, bytes, size, &trace->broken);
	if (r < 0) {
		error_set(&first, -r, "%s", trace->broken.text);
		/* CTF 2 is no TSDL; of anything else, read what came before. */
		if (r == -EPROTONOSUPPORT)
			return error_set(error, -r, "%s", first.text);
	}
	/* Most often there is no more, and an archive has many traces. */
	if (!trace->raw.size)
		buf_done(&trace->raw);
	parse_declarations(trace, &first);
	if (trace->metadata_form == CTF_METADATA_PLAIN)
		check_rest(trace, &first);
	ctf_trace_compile(trace, &first);
	return first.code ? error_set(error, first.code, "%s", first.text) : 0;
}

const char *
ctf_trace_metadata_text(const struct ctf_trace *trace, size_t *ret_size)
{
	*ret_size = trace->text.size;
	return trace->text.data ? trace->text.data : "";
}
