/* SPDX-License-Identifier: MIT */
#include "proto/http.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

/* -- Characters ----------------------------------------------------------- */

/* tchar of RFC 9110, section 5.6.2. */
static bool
is_token(const char *text)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (!((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
		      (*text >= '0' && *text <= '9') || strchr("!#$%&'*+-.^_`|~", *text)))
			return false;
	return true;
}

static bool
is_visible(const char *text)
{
	for (; *text; text++)
		if (*text <= ' ' || *text == 0x7f)
			return false;
	return true;
}

/* What a header's value may hold: no controls but tabs. */
static bool
is_value(const char *text)
{
	for (; *text; text++)
		if (((unsigned char) *text < ' ' && *text != '\t') || *text == 0x7f)
			return false;
	return true;
}

/* -- Parts ---------------------------------------------------------------- */

/* "GET /path?query HTTP/1.1", with NULs put in. */
static int
parse_first_line(char *line, struct http_request *request)
{
	char *path = strchr(line, ' '), *version, *query;

	if (!path)
		return -400;
	*path++ = '\0';
	version = strchr(path, ' ');
	if (!version)
		return -400;
	*version++ = '\0';
	if (!is_token(line) || *path != '/' || !is_visible(path))
		return -400;
	if (strlen(version) != 8 || strncmp(version, "HTTP/", 5))
		return -400;
	if (strcmp(version, "HTTP/1.1") && strcmp(version, "HTTP/1.0"))
		return -505;
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	request->method = line;
	request->path = path;
	request->query = query ? query : "";
	request->keep_alive = version[7] == '1';
	return 0;
}

/* Returns 0 or a negative status; a size must be given once, in digits. */
static int
parse_length(const char *value, bool *has_length, size_t max, size_t *ret)
{
	size_t size = 0;

	if (*has_length || !*value || strspn(value, "0123456789") != strlen(value))
		return -400;
	*has_length = true;
	if (strlen(value) > 12)
		return -413;
	for (; *value; value++)
		size = size * 10 + (size_t) (*value - '0');
	if (size > max)
		return -413;
	*ret = size;
	return 0;
}

/* Whether 'word' is one of a list with commas. */
static bool
has_word(const char *list, const char *word)
{
	size_t n;

	for (; *list; list += n) {
		list += strspn(list, ", \t");
		n = strcspn(list, ", \t");
		if (n == strlen(word) && !strncasecmp(list, word, n))
			return true;
	}
	return false;
}

static int
take_header(struct http_request *request, const char *name, const char *value)
{
	const struct { const char *name; const char **to; } kept[] = {
		{ "Host", &request->host }, { "Origin", &request->origin },
		{ "Authorization", &request->authorization },
		{ "Last-Event-ID", &request->last_event_id },
		{ "Content-Type", &request->content_type },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
		if (!strcasecmp(name, kept[i].name)) {
			if (*kept[i].to)
				return -400;
			*kept[i].to = value;
		}
	if (!strcasecmp(name, "Transfer-Encoding"))
		return -501;
	if (!strcasecmp(name, "Connection") && has_word(value, "close"))
		request->keep_alive = false;
	return 0;
}

/* The lines behind the first one, each "Name: value", with NULs put in. */
static int
parse_headers(struct http_reader *reader, char *at, char *end)
{
	struct http_request *request = &reader->request;
	bool has_length = false;
	unsigned count = 0;
	int r = 0;

	while (!r && at < end) {
		char *next = strstr(at, "\r\n"), *colon = strchr(at, ':'), *value, *last;

		if (!next || !colon || colon > next)
			return -400;
		if (++count > HTTP_MAX_HEADERS)
			return -431;
		*next = *colon = '\0';
		value = colon + 1 + strspn(colon + 1, " \t");
		for (last = next; last > value && strchr(" \t", last[-1]); )
			*--last = '\0';
		if (!is_token(at) || !is_value(value))
			return -400;
		if (!strcasecmp(at, "Content-Length"))
			r = parse_length(value, &has_length, reader->max_body, &request->body_size);
		else
			r = take_header(request, at, value);
		at = next + 2;
	}
	return r;
}

/* The head is whole: 'size' bytes with the empty line that ends it. */
static int
parse_head(struct http_reader *reader, size_t size)
{
	char *text, *end;
	int r;

	reader->request = (struct http_request) { .query = "" };
	buf_clear(&reader->head);
	buf_add(&reader->head, reader->bytes.data, size);
	buf_consume(&reader->bytes, size);
	reader->scanned = 0;
	text = reader->head.data;
	if (memchr(text, '\0', size))
		return -400;
	/* The NUL takes the place of the empty line. */
	text[size - 2] = '\0';
	end = strstr(text, "\r\n");
	*end = '\0';
	r = parse_first_line(text, &reader->request);
	if (!r)
		r = parse_headers(reader, end + 2, text + size - 2);
	return r;
}

/* -- The reader ----------------------------------------------------------- */

void
http_reader_done(struct http_reader *reader)
{
	buf_done(&reader->bytes);
	buf_done(&reader->head);
	reader->scanned = reader->used = 0;
	reader->has_head = false;
}

/* Leaves what was given behind. */
static void
forget_used(struct http_reader *reader)
{
	if (reader->used)
		reader->bytes.data[reader->used] = reader->after;
	buf_consume(&reader->bytes, reader->used);
	reader->used = 0;
}

void
http_reader_add(struct http_reader *reader, const void *bytes, size_t size)
{
	forget_used(reader);
	buf_add(&reader->bytes, bytes, size);
}

size_t
http_reader_left(const struct http_reader *reader)
{
	return reader->bytes.size - reader->used;
}

/* Size of the head with its end, or 0.  Looks at each byte once. */
static size_t
find_head(struct http_reader *reader)
{
	size_t from = reader->scanned > 3 ? reader->scanned - 3 : 0;
	const char *found = NULL;

	if (reader->bytes.size > from)
		found = memmem(reader->bytes.data + from, reader->bytes.size - from, "\r\n\r\n", 4);
	reader->scanned = reader->bytes.size;
	return found ? (size_t) (found - reader->bytes.data) + 4 : 0;
}

int
http_reader_next(struct http_reader *reader, const struct http_request **ret)
{
	size_t size;
	int r;

	forget_used(reader);
	if (!reader->has_head) {
		size = find_head(reader);
		if (size > HTTP_MAX_HEAD || (!size && reader->bytes.size > HTTP_MAX_HEAD))
			return -431;
		if (!size)
			return 0;
		r = parse_head(reader, size);
		if (r)
			return r;
		reader->has_head = true;
	}
	size = reader->request.body_size;
	if (reader->bytes.size < size)
		return 0;
	reader->has_head = false;
	reader->request.body = "";
	if (size) {
		reader->used = size;
		reader->after = reader->bytes.data[size];
		reader->bytes.data[size] = '\0';
		reader->request.body = reader->bytes.data;
	}
	*ret = &reader->request;
	return 1;
}

/* -- Queries, statuses ---------------------------------------------------- */

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int
decode(const char *text, size_t n, char *ret, size_t size)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++) {
		char c = text[i] == '+' ? ' ' : text[i];

		if (c == '%') {
			if (n - i < 3 || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0)
				return -EINVAL;
			c = (char) (digit(text[i + 1]) * 16 + digit(text[i + 2]));
			i += 2;
		}
		if (!c || to + 1 >= size)
			return -EINVAL;
		ret[to++] = c;
	}
	ret[to] = '\0';
	return 1;
}

int
http_query(const char *query, const char *name, char *ret, size_t size)
{
	size_t n = strlen(name), length;

	for (; *query; query += length + (query[length] == '&')) {
		length = strcspn(query, "&");
		if (length > n && !strncmp(query, name, n) && query[n] == '=')
			return decode(query + n + 1, length - n - 1, ret, size);
	}
	return 0;
}

const char *
http_reason(unsigned status)
{
	static const struct { unsigned status; const char *reason; } reasons[] = {
		{ 100, "Continue" }, { 200, "OK" }, { 204, "No Content" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" }, { 408, "Request Timeout" },
		{ 413, "Content Too Large" }, { 415, "Unsupported Media Type" },
		{ 417, "Expectation Failed" }, { 421, "Misdirected Request" },
		{ 431, "Request Header Fields Too Large" }, { 500, "Internal Server Error" },
		{ 501, "Not Implemented" }, { 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Error";
}
