/* SPDX-License-Identifier: MIT
 *
 * deliver_exec.c -- an alert to a program: no shell, no words of the alert in its
 * arguments, a small environment. */
#include "daemon/deliver_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
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

/* The child: becomes the program, or says why not.  What may be called between
 * fork() and execve() is all that is called. */
static _Noreturn void
become(char *const *argv, int input, pid_t parent, int report)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	static char locale[] = "LC_ALL=C.UTF-8";
	char *environment[] = { path, locale, NULL };
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC), why;
	sigset_t none;

	sigemptyset(&none);
	/* A group of its own, so that its children go with it; and if nobody can wait
	 * for it any more, not even because of kill -9, it is of no use. */
	if (nowhere >= 0 && !setpgid(0, 0) && !prctl(PR_SET_PDEATHSIG, SIGKILL) && getppid() == parent &&
	    dup2(input, STDIN_FILENO) >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0 &&
	    signal(SIGPIPE, SIG_DFL) != SIG_ERR && !sigprocmask(SIG_SETMASK, &none, NULL))
		execve(argv[0], argv, environment);
	why = errno;
	_exit(write(report, &why, sizeof why) == sizeof why ? 127 : 126);
}

static int
spawn(char *const *argv, int input, pid_t *ret)
{
	pid_t parent = getpid(), child;
	int report[2], why = 0;
	ssize_t n;

	if (pipe2(report, O_CLOEXEC))
		return -errno;
	child = fork();
	if (child == 0)
		become(argv, input, parent, report[1]);
	why = child < 0 ? errno : 0;
	close(report[1]);
	/* It ends without a word when the program begins. */
	do
		n = child < 0 ? 0 : read(report[0], &why, sizeof why);
	while (n < 0 && errno == EINTR);
	close(report[0]);
	if (!why)
		*ret = child;
	else if (child > 0)
		waitpid(child, NULL, 0);
	return -why;
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
