/* SPDX-License-Identifier: MIT
 *
 * host.h -- facts about this node and its clock. */
#ifndef INSTRUMENTATION_NODE_HOST_H
#define INSTRUMENTATION_NODE_HOST_H

#include <stdbool.h>

/* Reads them; tells if something changed, or if 'dump'. */
void host_scan(bool dump);
/* Says that nothing more is going to be told. */
void host_gone(void);
const char *host_name(void);

#endif /* host.h */
