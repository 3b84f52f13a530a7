/* SPDX-License-Identifier: MIT
 *
 * columns.h -- short forms for const tables of columns. */
#ifndef CLIENT_COLUMNS_H
#define CLIENT_COLUMNS_H

#include "client/view.h"

#define FIELD(TITLE, PATH, VALUE, FLAGS) { TITLE, PATH, VALUE_##VALUE, FLAGS, NULL }
#define PIECE(TITLE, WRITE, FLAGS) { TITLE, NULL, VALUE_TEXT, FLAGS, WRITE }

/* A view without minor items. */
#define VIEW(TOPIC, EXPAND, COLUMNS, CSV, NONE) { TOPIC, EXPAND, COLUMNS, CSV, NONE, NULL, NULL }

#endif /* columns.h */
