/* SPDX-License-Identifier: MIT
 *
 * deliver_exec.c -- an alert to a program: no shell, no words of the alert in its
 * arguments, a small environment. */
#include "daemon/deliver_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/util.h"

enum { MAX_ARGUMENTS = 64 };

/* A file that holds the alert as a line. */
static int
make_input(const json_t *alert)
{
	char *text = json_dumps(alert, JSON_COMPACT | JSON_SORT_KEYS);
	int fd = memfd_create("alert", MFD_CLOEXEC);
	size_t size = text ? strlen(text) : 0;

	if (text)
		text[size++] = '\n';   /* In place of its NUL. */
	if (fd >= 0 && (!text || write(fd, text, size) != (ssize_t) size || lseek(fd, 0, SEEK_SET))) {
		close(fd);
		fd = -1;
	}
	free(text);
	return fd;
}

static unsigned
split(char *command, char *argv[MAX_ARGUMENTS + 1])
{
	unsigned n = 0;
	char *save, *word;

	for (word = strtok_r(command, " \t", &save); word && n < MAX_ARGUMENTS;
	     word = strtok_r(NULL, " \t", &save))
		argv[n++] = word;
	argv[n] = NULL;
	return n;
}

static int
spawn(char *const *argv, int input, pid_t *ret)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char locale[] = "LC_ALL=C.UTF-8";
	char *environment[] = { path, locale, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int r;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	/* A group of its own, so that its children go with it. */
	posix_spawnattr_setpgroup(&attributes, 0);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
				 POSIX_SPAWN_SETPGROUP);
	r = posix_spawn(ret, argv[0], &actions, &attributes, argv, environment);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int
exec_start(const char *command, const json_t *alert, pid_t *ret, struct error *error)
{
	_cleanup_(freep) char *copy = xstrdup(command);
	_cleanup_(closep) int input = make_input(alert);
	char *argv[MAX_ARGUMENTS + 1];
	int r;

	if (input < 0)
		return error_set(error, ENOMEM, "the alert can't be passed on");
	if (!split(copy, argv))
		return error_set(error, EINVAL, "there is no command");
	r = spawn(argv, input, ret);
	return r ? error_set(error, -r, "%s: %s", argv[0], strerror(-r)) : 0;
}

int
exec_poll(pid_t pid, struct error *error)
{
	int status;
	pid_t got = waitpid(pid, &status, WNOHANG);

	if (got == 0 || (got < 0 && errno == EINTR))
		return 0;
	if (got < 0)
		return error_set(error, errno, "waitpid: %s", strerror(errno));
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 1;
	return error_set(error, EIO, "it ended with %s %d", WIFEXITED(status) ? "status" : "signal",
			 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

void
exec_kill(pid_t pid)
{
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
