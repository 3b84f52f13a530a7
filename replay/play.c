/* SPDX-License-Identifier: MIT */
#include "replay/play.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"
#include "replay/node.h"
#include "replay/progress.h"

/* After a signal, for the relayd to take the rest. */
enum { GRACE_S = 5 };

struct player {
	struct stage stage;           /* First: nodes know only this. */
	struct node *nodes;
	unsigned n_nodes, n_ended;
	struct progress progress;
	struct event *tick, *interrupt, *terminate, *grace;
	bool stopped;                 /* By a signal. */
	struct error error;           /* The first one. */
};

static void
close_all(struct player *player)
{
	for (unsigned i = 0; i < player->n_nodes; i++)
		node_close(&player->nodes[i]);
	evtimer_add(player->grace, &(struct timeval) { .tv_sec = GRACE_S });
}

/* The end of one session.  One that fails ends all, in good order if it can. */
static void
on_ended(struct stage *stage, const struct error *error)
{
	struct player *player = CONTAINER_OF(stage, struct player, stage);

	player->n_ended++;
	if (error && !player->error.code) {
		player->error = *error;
		close_all(player);
	}
	if (player->n_ended >= player->n_nodes)
		event_base_loopbreak(stage->base);
}

static void
on_tick(evutil_socket_t fd, short what, void *context)
{
	struct player *player = context;

	for (unsigned i = 0; i < player->n_nodes; i++)
		relayd_session_tick(player->nodes[i].session, clock_mono_ns());
	progress_show(&player->progress, &player->stage, player->nodes, player->n_nodes);
}

static void
on_signal(evutil_socket_t fd, short what, void *context)
{
	struct player *player = context;

	if (player->stopped)
		event_base_loopbreak(player->stage.base);
	player->stopped = true;
	close_all(player);
}

static void
on_grace_over(evutil_socket_t fd, short what, void *context)
{
	struct player *player = context;

	error_set(&player->error, ETIMEDOUT, "relayd %s did not take the rest within %d s:"
		  " sessions stay open in it", player->stage.address->name, GRACE_S);
	event_base_loopbreak(player->stage.base);
}

/* How many traces from 'i' on belong to the same session. */
static unsigned
group_size(const struct sources *sources, unsigned i)
{
	const struct source *first = &sources->all[i];
	unsigned n = 1;

	while (i + n < sources->n && streq(first[n].hostname, first->hostname)
	       && streq(first[n].session, first->session))
		n++;
	return n;
}

static int
check_shifts(const struct options *options, const struct sources *sources, struct error *error)
{
	for (unsigned i = 0; i < options->n_shifts; i++) {
		bool known = false;

		for (unsigned j = 0; j < sources->n; j++)
			known |= streq(options->shifts[i].hostname, sources->all[j].hostname);
		if (!known)
			return error_set(error, EINVAL, "--shift: no trace is of a host '%s'",
					 options->shifts[i].hostname);
	}
	return 0;
}

static int
start_nodes(struct player *player, const struct sources *sources, struct error *error)
{
	unsigned copies = MAX(player->stage.options->copies, 1u), groups = 0;
	int err;

	for (unsigned i = 0; i < sources->n; i += group_size(sources, i))
		groups++;
	player->nodes = xcalloc((size_t) groups * copies, sizeof *player->nodes);
	for (unsigned copy = 0; copy < copies; copy++) {
		for (unsigned i = 0; i < sources->n; i += group_size(sources, i)) {
			err = node_start(&player->nodes[player->n_nodes++], &player->stage,
					 &sources->all[i], group_size(sources, i),
					 player->stage.options->copies ? copy + 1 : 0, error);
			if (err)
				return err;
		}
	}
	return 0;
}

/* Different for each run, so that a relayd never mixes two. */
static void
set_date(struct stage *stage, uint64_t wall_ns)
{
	time_t seconds = (time_t) (wall_ns / NS_PER_S);
	struct tm tm;
	size_t n;

	gmtime_r(&seconds, &tm);
	n = strftime(stage->date, sizeof stage->date, "%Y%m%d-%H%M%S", &tm);
	snprintf(stage->date + n, sizeof stage->date - n, "-%03u",
		 (unsigned) (wall_ns / NS_PER_MS % 1000));
}

static int
start(struct player *player, const struct options *options, const struct sources *sources,
      struct error *error)
{
	struct stage *stage = &player->stage;
	struct event_base *base = event_base_new();
	uint64_t wall_ns = clock_wall_ns();

	if (!base)
		return error_set(error, ENOMEM, "no event loop");
	stage->base = base;
	stage->options = options;
	stage->start_ns = sources->first_event_ns;
	stage->end_ns = sources->end_ns;
	stage->start_mono_ns = clock_mono_ns();
	stage->shift_ns = options->now ? (int64_t) (wall_ns - stage->start_ns) : 0;
	stage->ended = on_ended;
	set_date(stage, wall_ns);
	player->grace = evtimer_new(base, on_grace_over, player);
	player->tick = event_new(base, -1, EV_PERSIST, on_tick, player);
	player->interrupt = evsignal_new(base, SIGINT, on_signal, player);
	player->terminate = evsignal_new(base, SIGTERM, on_signal, player);
	event_add(player->tick, &(struct timeval) { .tv_usec = 500000 });
	event_add(player->interrupt, NULL);
	event_add(player->terminate, NULL);
	return start_nodes(player, sources, error);
}

/* Tells of packets that could not be cut; every copy says the same. */
static void
warn_kept(const struct player *player)
{
	const struct error *why;
	unsigned copies = MAX(player->stage.options->copies, 1u);

	for (unsigned i = 0; i < player->n_nodes / copies; i++) {
		const struct node *node = &player->nodes[i];

		for (unsigned j = 0; j < node->n_streams; j++) {
			uint64_t kept = packets_kept(node->streams[j].packets, &why);

			if (kept)
				log_warning("%llu packets were sent as recorded, the first one"
					    " because of %s", (unsigned long long) kept, why->text);
		}
	}
}

static void
finish(struct player *player)
{
	struct event *events[] = {
		player->tick, player->interrupt, player->terminate, player->grace,
	};

	for (unsigned i = 0; i < player->n_nodes; i++)
		node_done(&player->nodes[i]);
	free(player->nodes);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (events[i])
			event_free(events[i]);
	if (player->stage.base)
		event_base_free(player->stage.base);
}

int
play(const struct options *options, struct sources *sources, const struct relayd_address *address,
     struct error *error)
{
	struct player player = { .stage.address = address };
	int err;

	err = check_shifts(options, sources, error);
	if (err)
		return err;
	progress_init(&player.progress, options->quiet);
	err = start(&player, options, sources, error);
	if (!err && !player.error.code)
		event_base_dispatch(player.stage.base);
	if (!err && player.error.code)
		err = error_set(error, player.error.code, "%s", player.error.text);
	if (!err) {
		progress_summary(&player.progress, &player.stage, player.nodes, player.n_nodes);
		warn_kept(&player);
		err = player.stopped;
	} else {
		progress_clear(&player.progress);
	}
	finish(&player);
	return err;
}
