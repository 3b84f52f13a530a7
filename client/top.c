/* SPDX-License-Identifier: MIT
 *
 * top.c -- "top": who uses or wants CPU, asked for again and again on a terminal. */
#include <poll.h>

#include "client/ctl.h"

enum { AGAIN_MS = 2000 };

static int
draw_once(struct ctl *ctl, const struct command *command)
{
	_cleanup_(buf_done) struct buf page = { 0 };
	json_t *list;
	int r = ctl_call(ctl, command->method, NULL, &list);

	if (r)
		return r;
	ctl_update_now(ctl);
	if (json_array_size(list))
		view_table(command->view, list, &ctl->screen, &page);
	else
		buf_printf(&page, "%s\n", command->view->none);
	json_decref(list);
	return ctl_draw(ctl, &page);
}

int
run_top(struct ctl *ctl, const struct command *command, char **args)
{
	int r;

	/* What does not move needs one look: a store, or what is not drawn. */
	if (!ctl->tty || ctl->output > OUTPUT_WIDE || ctl->from_store)
		return run_list(ctl, command, args);
	r = ctl_connect(ctl);
	if (r)
		return r;
	ctl_catch_signals();
	ctl_begin_screen();
	while (!r && !ctl_has_ended()) {
		r = draw_once(ctl, command);
		if (!r && !ctl_has_ended())
			poll(NULL, 0, AGAIN_MS);
	}
	ctl_end_screen();
	return r;
}
