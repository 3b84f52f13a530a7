/* SPDX-License-Identifier: MIT
 *
 * fake_qemu.c -- looks like a QEMU process, and only sleeps.
 *
 *   fake_qemu [ARGUMENT...]
 *
 * To be run under the name qemu-system-x86_64, with QEMU's arguments.  For
 * "-smp N" it has threads "CPU 0/KVM", ..., for each "-object iothread,id=X" one
 * "IO X", and it opens the files of "-drive file=X" and some more descriptors,
 * as many as a usual guest has.  Reads commands on standard input: "open FILE",
 * "close" (what was opened last), "exec" (becomes sleep). */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { EVENTFDS = 40, STACK = 64 << 10 };

static void *
sleeper(void *name)
{
	pthread_setname_np(pthread_self(), name);
	for (;;)
		pause();
	return NULL;
}

static void
start(const char *format, const char *argument)
{
	char *name = malloc(16);
	pthread_attr_t attributes;
	pthread_t thread;

	snprintf(name, 16, format, argument);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK);
	if (pthread_create(&thread, &attributes, sleeper, name))
		abort();
}

static void
read_arguments(char **argv)
{
	char number[16], path[512];

	for (; *argv && argv[1]; argv++) {
		for (int i = 0; !strcmp(*argv, "-smp") && i < atoi(argv[1]); i++) {
			snprintf(number, sizeof number, "%d", i);
			start("CPU %s/KVM", number);
		}
		if (!strcmp(*argv, "-object") && !strncmp(argv[1], "iothread,id=", 12))
			start("IO %s", argv[1] + 12);
		if (!strcmp(*argv, "-drive") && sscanf(argv[1], "file=%511[^,]", path) == 1)
			(void) !open(path, O_RDWR);
	}
}

int
main(int argc, char **argv)
{
	char line[600];
	int fd = -1;

	(void) argc;
	for (int i = 0; i < EVENTFDS; i++)
		eventfd(0, 0);
	read_arguments(argv);
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "open ", 5))
			fd = open(line + 5, O_RDWR);
		else if (!strcmp(line, "close"))
			close(fd);
		else if (!strcmp(line, "exec"))
			execlp("sleep", "sleep", "60", (char *) NULL);
	}
	for (;;)
		pause();
}
