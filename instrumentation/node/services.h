/* SPDX-License-Identifier: MIT
 *
 * services.h -- processes of OpenStack's services, and of what they rest on. */
#ifndef INSTRUMENTATION_NODE_SERVICES_H
#define INSTRUMENTATION_NODE_SERVICES_H

#include <stddef.h>
#include <stdbool.h>

/* Looks at a process: adds it if it is one and was not known. */
void services_consider(int pid, const char *comm);
bool services_has(int pid);
/* Looks which of them are gone. */
void services_check(void);
void services_dump(void);
unsigned services_count(void);
/* Names of the running time services ("chronyd", "ptp4l phc2sys"). */
void services_time(char *ret, size_t size);
void services_done(void);

/* For tests: which service a command line is of; its project, or NULL. */
const char *services_match(const char *comm, const char *cmdline, size_t size, char *ret_name,
			   size_t name_size);

#endif /* services.h */
