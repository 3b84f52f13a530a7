/* SPDX-License-Identifier: MIT
 *
 * fuzz_http.c -- bytes of an HTTP client through the reader of requests, in
 * pieces whose sizes come from the input; what comes out has to be sound. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proto/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_text(const char *text)
{
	if (text && strpbrk(text, "\r\n"))
		abort();
}

static void
check(const struct http_request *request, const struct http_reader *reader)
{
	char value[64];

	check_text(request->method);
	check_text(request->path);
	check_text(request->query);
	check_text(request->host);
	check_text(request->origin);
	check_text(request->authorization);
	check_text(request->content_type);
	check_text(request->last_event_id);
	if (*request->path != '/' || request->body_size > reader->max_body ||
	    request->body[request->body_size])
		abort();
	if (http_query(request->query, "topic", value, sizeof value) > 0 &&
	    strlen(value) >= sizeof value)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_reader reader = { .max_body = 4096 };
	const struct http_request *request;
	size_t step = size ? 1 + data[0] % 64U * 8 : 1;
	int r = 0;

	if (size > 65536)
		return 0;
	for (size_t at = 0; at < size && r >= 0; at += step) {
		http_reader_add(&reader, data + at, size - at < step ? size - at : step);
		while ((r = http_reader_next(&reader, &request)) > 0)
			check(request, &reader);
	}
	http_reader_done(&reader);
	return 0;
}
