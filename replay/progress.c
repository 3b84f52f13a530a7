/* SPDX-License-Identifier: MIT */
#include "replay/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/util.h"

enum { MAX_NODES_SHOWN = 8 };
#define INTERVAL_NS (5 * NS_PER_S)

void
progress_init(struct progress *progress, bool quiet)
{
	*progress = (struct progress) {
		.quiet = quiet, .terminal = isatty(STDERR_FILENO),
		.next_mono_ns = clock_mono_ns() + INTERVAL_NS,
	};
}

static void
add_node(struct buf *line, const struct node *node)
{
	char time[32];

	if (!node->ready) {
		buf_printf(line, "  %s connects", node->hostname);
		return;
	}
	format_duration(node->time_ns - node->stage->start_ns, time, sizeof time);
	buf_printf(line, "  %s %u %% %s %" PRIu64 " packets%s", node->hostname, node_percent(node),
		   time, node->packets, node->ended ? " closed" : "");
}

void
progress_show(struct progress *progress, const struct stage *stage, const struct node *nodes,
	      unsigned n)
{
	_cleanup_(buf_done) struct buf line = { 0 };
	uint64_t now = clock_mono_ns();
	struct winsize window = { 0 };
	char time[32];

	if (progress->quiet || (!progress->terminal && now < progress->next_mono_ns))
		return;
	progress->next_mono_ns = now + INTERVAL_NS;
	format_duration(stage->end_ns - stage->start_ns, time, sizeof time);
	buf_printf(&line, "replaying %s:", time);
	for (unsigned i = 0; i < MIN(n, (unsigned) MAX_NODES_SHOWN); i++)
		add_node(&line, &nodes[i]);
	if (n > MAX_NODES_SHOWN)
		buf_printf(&line, "  and %u more", n - MAX_NODES_SHOWN);
	if (!progress->terminal) {
		fprintf(stderr, "%s\n", line.data);
		return;
	}
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) < 0 || !window.ws_col)
		window.ws_col = 80;
	fprintf(stderr, "\r\033[K%.*s", window.ws_col - 1, line.data);
	progress->open = true;
}

void
progress_clear(struct progress *progress)
{
	if (progress->open)
		fputs("\r\033[K", stderr);
	progress->open = false;
}

void
progress_summary(struct progress *progress, const struct stage *stage, const struct node *nodes,
		 unsigned n)
{
	uint64_t packets = 0, beacons = 0, bytes = 0;
	char size[32], time[32];

	progress_clear(progress);
	if (progress->quiet)
		return;
	for (unsigned i = 0; i < n; i++) {
		packets += nodes[i].packets;
		beacons += nodes[i].beacons;
		bytes += nodes[i].bytes;
	}
	format_duration(clock_mono_ns() - stage->start_mono_ns, time, sizeof time);
	format_bytes(bytes, size, sizeof size);
	fprintf(stderr, "published %u session%s: %" PRIu64 " packets, %s, %" PRIu64
		" beacons in %s\n", n, n == 1 ? "" : "s", packets, size, beacons, time);
}
