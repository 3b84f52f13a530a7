/* SPDX-License-Identifier: MIT */
#include "instrumentation/session/wanted.h"

#include <errno.h>
#include <string.h>

#include "lib/util.h"

static int
take_port(const char **at, uint16_t *port)
{
	_cleanup_(freep) char *text = NULL;
	uint64_t value;
	size_t length;

	if (**at == '\0')
		return 0;
	if (**at != ':')
		return -EINVAL;
	length = strcspn(*at + 1, ":");
	text = xstrndup(*at + 1, length);
	if (parse_u64(text, &value) < 0 || value == 0 || value > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t) value;
	*at += 1 + length;
	return 0;
}

int
wanted_set_url(struct wanted *wanted, const char *url, struct error *error)
{
	const char *at = strstr(url, "://");
	bool in_brackets;
	size_t length;

	wanted->url = url;
	wanted->control_port = 5342;
	wanted->data_port = 5343;
	if (!at || (!starts_with(url, "net://") && !starts_with(url, "net6://")))
		goto bad;
	in_brackets = at[3] == '[';
	at += 3 + in_brackets;
	length = strcspn(at, in_brackets ? "]" : ":/");
	if (length == 0 || length >= sizeof wanted->host || (in_brackets && at[length] != ']'))
		goto bad;
	memcpy(wanted->host, at, length);
	wanted->host[length] = '\0';
	at += length + in_brackets;
	if (take_port(&at, &wanted->control_port) < 0 || take_port(&at, &wanted->data_port) < 0 ||
	    *at)
		goto bad;
	return 0;
bad:
	return error_set(error, EINVAL, "\"%s\" is no relayd: write net://HOST[:CONTROL[:DATA]], "
			 "or net6://[ADDRESS][:CONTROL[:DATA]]", url);
}
