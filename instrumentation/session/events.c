/* SPDX-License-Identifier: MIT */
#include "instrumentation/session/events.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "instrumentation/session/node.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/util.h"

enum { MAX_TEXT = 1 << 20, MAX_EVENTS = 4096, TIMEOUT_MS = 10000 };

/* Reads all of it; no more than MAX_TEXT, and not for ever from a program. */
static int
read_all(int fd, struct buf *text, int timeout_ms)
{
	for (;;) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		if (poll(&poll_fd, 1, timeout_ms) == 0)
			return -ETIMEDOUT;
		n = read(fd, buf_reserve(text, 4096), 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		text->size += (size_t) n;
		if (text->size > MAX_TEXT)
			return -EFBIG;
	}
}

static int
read_file(const char *path, struct buf *text, struct error *error)
{
	const bool is_stdin = streq(path, "-");
	_cleanup_(closep) int fd = is_stdin ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : read_all(fd, text, -1);

	if (r < 0)
		return error_set(error, -r, "can't read the list of events in %s: %s",
				 is_stdin ? "standard input" : path, strerror(-r));
	return 0;
}

static int
read_program(const char *program, const char *role, struct buf *text, struct error *error)
{
	int ends[2], status, r;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return error_set(error, errno, "can't make a pipe: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		execl(program, program, "--print-events", role, (char *) NULL);
		_exit(127);
	}
	close(ends[1]);
	r = pid < 0 ? -errno : read_all(ends[0], text, TIMEOUT_MS);
	close(ends[0]);
	if (pid > 0) {
		if (r < 0)
			kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (r >= 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
			r = -EPROTO;
	}
	if (r < 0)
		return error_set(error, -r, "%s --print-events %s failed%s%s", program, role,
				 r == -EPROTO ? "" : ": ", r == -EPROTO ? "" : strerror(-r));
	return 0;
}

/* Beside this program first, so that a build tree uses its own. */
static char *
find_cloudtraced(void)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	_cleanup_(freep) char *dirs = NULL;
	char *rest, *dir;

	self[n > 0 ? n : 0] = '\0';
	if (strrchr(self, '/'))
		*strrchr(self, '/') = '\0';
	dirs = xasprintf("%s:%s:%s", self, SBINDIR, getenv("PATH") ? getenv("PATH") : "");
	for (dir = strtok_r(dirs, ":", &rest); dir; dir = strtok_r(NULL, ":", &rest)) {
		char *path = xasprintf("%s/cloudtraced", dir);

		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

static bool
is_name(const char *name)
{
	const size_t length = strlen(name);

	return length > 0 && length < LTTNG_SYMBOL_NAME_LEN && name[0] != '-' &&
		name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			    "0123456789_:.*-")] == '\0';
}

/* Of a function in /proc/kallsyms; the compiler makes some with a ".": no
 * pattern, and no address. */
static bool
is_symbol(const char *symbol)
{
	const size_t length = strlen(symbol);

	return length > 0 && length < LTTNG_SYMBOL_NAME_LEN && !isdigit((unsigned char) *symbol) &&
		symbol[strspn(symbol, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
			      "0123456789_.")] == '\0';
}

/* What a line may begin with. */
static const struct line_kind {
	const char *key;
	enum domain domain;
	enum lttng_event_type type;
	bool has_symbol;  /* A function of the kernel follows the event's name. */
} kinds[] = {
	{ "ust", DOMAIN_UST, LTTNG_EVENT_TRACEPOINT, false },
	{ "kernel", DOMAIN_KERNEL, LTTNG_EVENT_TRACEPOINT, false },
	{ "kernel-probe", DOMAIN_KERNEL, LTTNG_EVENT_PROBE, true },
	{ "kernel-function", DOMAIN_KERNEL, LTTNG_EVENT_FUNCTION, true },
};

static const struct line_kind *
find_kind(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(kinds[i].key, key))
			return &kinds[i];
	return NULL;
}

/* A system call has two events and one name to enable them by; Python's logging
 * has one event, of a domain of its own. */
static void
resolve(struct wanted_event *event)
{
	static const char *const prefixes[] = { "syscall_entry_", "syscall_exit_" };
	const bool may_be = event->domain == DOMAIN_KERNEL && event->type == LTTNG_EVENT_TRACEPOINT;

	event->enable = event->name;
	if (event->domain == DOMAIN_UST && starts_with(event->name, "lttng_python:")) {
		event->domain = DOMAIN_PYTHON;
		event->enable = "*";
	}
	for (size_t i = 0; may_be && i < ARRAY_SIZE(prefixes); i++)
		if (starts_with(event->name, prefixes[i])) {
			event->type = LTTNG_EVENT_SYSCALL;
			event->enable = event->name + strlen(prefixes[i]);
		}
}

/* Whether the list already enables the same: twice in a file, or the entry and
 * the exit of a system call. */
static bool
has(const struct event_list *list, const struct wanted_event *event)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].domain == event->domain && list->items[i].type == event->type &&
		    streq(list->items[i].enable, event->enable))
			return true;
	return false;
}

/* The words after the first one.  A probe has one name, which is no pattern. */
static int
parse_names(const struct line_kind *kind, char *rest, char **ret_name, char **ret_symbol)
{
	char *name = strtok_r(NULL, " \t\r", &rest);
	char *symbol = kind->has_symbol ? strtok_r(NULL, " \t\r", &rest) : NULL;

	if (!name || !is_name(name) || strtok_r(NULL, " \t\r", &rest))
		return -EINVAL;
	if (kind->has_symbol && (!symbol || !is_symbol(symbol) || strchr(name, '*')))
		return -EINVAL;
	*ret_name = name;
	*ret_symbol = symbol;
	return 0;
}

static int
add_line(struct event_list *list, char *line, unsigned number, struct error *error)
{
	struct wanted_event event = { 0 };
	const struct line_kind *kind;
	char *rest, *key, *name, *symbol;

	line[strcspn(line, "#")] = '\0';
	key = strtok_r(line, " \t\r", &rest);
	if (!key)
		return 0;
	kind = find_kind(key);
	if (!kind)
		return error_set(error, EINVAL, "line %u: \"%s\" is no domain: write \"ust "
				 "NAME\" or \"kernel NAME\", or \"kernel-probe NAME SYMBOL\" or "
				 "\"kernel-function NAME SYMBOL\"", number, key);
	if (parse_names(kind, rest, &name, &symbol) < 0)
		return error_set(error, EINVAL, "line %u: \"%s\" needs %s", number, key,
				 kind->has_symbol ? "the name of an event and a function of the kernel" :
				 "one name of an event");
	event.domain = kind->domain;
	event.type = kind->type;
	if (list->n == MAX_EVENTS)
		return error_set(error, E2BIG, "line %u: more than %u events", number, MAX_EVENTS);
	event.name = xstrdup(name);
	resolve(&event);
	if (has(list, &event)) {
		free(event.name);
		return 0;
	}
	event.symbol = symbol ? xstrdup(symbol) : NULL;
	event.refused = event_refused(event.domain, event.name, node_modules_version());
	list->items = xrealloc(list->items, (list->n + 1) * sizeof *list->items);
	list->items[list->n++] = event;
	return 0;
}

int
events_parse(struct event_list *list, char *text, struct error *error)
{
	unsigned number = 0;
	int r = 0;

	while (text && r >= 0) {
		char *line = strsep(&text, "\n");

		r = add_line(list, line, ++number, error);
	}
	return r;
}

int
events_read(struct event_list *list, const char *role, const char *path, struct error *error)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(freep) char *program = path ? NULL : find_cloudtraced();
	int r;

	if (path) {
		list->source = xstrdup(streq(path, "-") ? "standard input" : path);
		r = read_file(path, &text, error);
	} else if (program) {
		list->source = xasprintf("%s --print-events %s", program, role);
		r = read_program(program, role, &text, error);
	} else {
		list->source = xasprintf("%s/%s", EVENTSDIR, role);
		if (access(list->source, R_OK) < 0)
			return error_set(error, ENOENT,
					 "neither cloudtraced nor %s is there to say "
					 "which events to record; copy the list with \"cloudtraced "
					 "--print-events %s\" and give it with --events=FILE",
					 list->source, role);
		r = read_file(list->source, &text, error);
	}
	if (r < 0)
		return r;
	buf_add_char(&text, '\0');
	if (strlen(text.data) + 1 != text.size)
		return error_set(error, EINVAL, "%s holds a NUL byte: this is no list of events",
				 list->source);
	r = events_parse(list, text.data, error);
	return r < 0 ? error_prefix(error, "%s", list->source) : 0;
}

void
events_done(struct event_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		free(list->items[i].name);
		free(list->items[i].symbol);
	}
	free(list->items);
	free(list->source);
	*list = (struct event_list) { 0 };
}

void
events_drop(struct event_list *list, enum domain domain)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->n; i++)
		if (list->items[i].domain == domain) {
			free(list->items[i].name);
			free(list->items[i].symbol);
		} else {
			list->items[kept++] = list->items[i];
		}
	list->n = kept;
}

size_t
events_count(const struct event_list *list, enum domain domain)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += event_wanted(&list->items[i], domain);
	return n;
}
