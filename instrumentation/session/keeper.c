/* SPDX-License-Identifier: MIT */
#include "instrumentation/session/keeper.h"

#include <errno.h>

#include "instrumentation/session/node.h"
#include "instrumentation/session/plan.h"
#include "lib/util.h"

enum { PROBE_MS = 2000 };

static const char connection_lost[] = "its connection to the relayd is gone";

void
keeper_forget(struct keeper *keeper)
{
	keeper->looked = false;
	keeper->links.n = 0;
	keeper->exact = false;
	keeper->short_of = 0;
	keeper->adopted = false;
	keeper->gave_up = false;
}

void
keeper_look_again(struct keeper *keeper)
{
	if (!keeper->gave_up)
		keeper->looked = false;
}

int
keeper_look(struct keeper *keeper, struct error *error)
{
	struct wanted *wanted = keeper->wanted;

	if (keeper->looked)
		return 0;
	for (size_t i = 0; i < wanted->events.n; i++)
		wanted->events.items[i].missing = false;
	wanted->kernel_code = node_find_kernel_events(&wanted->events);
	if (wanted->kernel_code == -LTTNG_ERR_NO_SESSIOND ||
	    wanted->kernel_code == -LTTNG_ERR_CONNECT_FAIL)
		return lttng_failed(error, wanted->kernel_code, "can't list events");
	if (wanted->kernel == KERNEL_YES && wanted->kernel_code < 0)
		return lttng_failed(error, wanted->kernel_code,
				    "no kernel events, which --kernel=yes needs");
	keeper->looked = true;
	return 0;
}

int
connections_count(uint16_t data_port, int *ret_found, int *ret_due)
{
	struct links links;
	const int due = sessions_connections(data_port);
	const int r = due < 0 ? -EIO : links_find(data_port, &links);

	if (r < 0)
		return r;
	*ret_found = (int) links.n;
	*ret_due = due;
	return 0;
}

/* Which connections are the session's: those that came with it, or all when
 * there is no other session. */
static void
learn_links(struct keeper *keeper, const struct links *before)
{
	const struct wanted *wanted = keeper->wanted;
	struct links now;

	keeper->exact = false;
	if (links_find(wanted->data_port, &now) < 0)
		return;
	if (before) {
		links_subtract(&now, before);
		keeper->exact = now.n > 0;
	} else {
		const int own = wants_domain(wanted, DOMAIN_KERNEL) +
			(wants_domain(wanted, DOMAIN_UST) || wants_domain(wanted, DOMAIN_PYTHON));

		keeper->exact = (int) now.n == own && sessions_connections(wanted->data_port) == own;
	}
	if (keeper->exact)
		keeper->short_of = 0;
	keeper->links = now;
}

/* Without knowing whose they are: fewer connections than the sessions ought to
 * have.  A session that just comes into being has none for a moment. */
static bool
too_few(struct keeper *keeper, unsigned checks)
{
	int found, due;

	if (connections_count(keeper->wanted->data_port, &found, &due) < 0 || found >= due)
		keeper->short_of = 0;
	else
		keeper->short_of++;
	return keeper->short_of >= checks;
}

const char *
keeper_lost(struct keeper *keeper)
{
	int found, due;

	if (!keeper->links.n || links_alive(&keeper->links))
		return NULL;
	if (keeper->exact)
		return connection_lost;
	/* One of several went: it may be that of a session that was ended. */
	if (connections_count(keeper->wanted->data_port, &found, &due) < 0 || found < due)
		return connection_lost;
	learn_links(keeper, NULL);
	return NULL;
}

/* Leaves out a domain that LTTng refuses, if another one remains. */
static bool
give_up_domain(struct keeper *keeper, enum domain domain, const struct error *why)
{
	struct wanted *wanted = keeper->wanted;
	bool others = false;

	for (enum domain d = 0; d < N_DOMAINS; d++)
		others = others || (d != domain && wants_domain(wanted, d));
	if (domain == N_DOMAINS || !others ||
	    (domain == DOMAIN_KERNEL && wanted->kernel == KERNEL_YES))
		return false;
	/* A relayd that went meanwhile makes the same failures. */
	if (link_probe(wanted->host, wanted->control_port, PROBE_MS, NULL) < 0)
		return false;
	keeper->gave_up = true;
	for (size_t i = 0; i < wanted->events.n; i++)
		if (wanted->events.items[i].domain == domain)
			wanted->events.items[i].missing = true;
	buf_printf(&keeper->problems, "no %s events: %s\n", domains[domain].name, why->text);
	return true;
}

static int
carry_out(struct keeper *keeper, struct plan *plan, struct error *error)
{
	struct wanted *wanted = keeper->wanted;
	const bool makes = plan->n > 0 && plan->steps[plan->because ? 1 : 0].kind == STEP_CREATE;
	struct links before = { .n = 0 };
	int r = link_probe(wanted->host, wanted->control_port, PROBE_MS, error);

	if (r < 0)
		return r;
	links_find(wanted->data_port, &before);
	buf_clear(&keeper->problems);
	r = plan_run(plan, wanted, &keeper->problems, error);
	if (r < 0 && makes)
		session_destroy(wanted->name, 0, NULL);
	if (r >= 0 && (makes || !keeper->exact))
		learn_links(keeper, makes ? &before : NULL);
	keeper->adopted = r >= 0;
	if (r < 0)
		return r;
	/* Events that LTTng refused before, a probe in a module that isn't loaded
	 * as yet, are tried again each time. */
	return makes ? KEEP_MADE : plan->n_done ? KEEP_CHANGED : KEEP_NOTHING;
}

static int
keep_try(struct keeper *keeper, const char *lost, const char **because, enum domain *failed,
	 struct error *error)
{
	struct session_state state;
	struct plan plan = { .failed = N_DOMAINS };
	int r = keeper_look(keeper, error);

	if (r >= 0)
		r = state_read(&state, keeper->wanted->name, error);
	if (r < 0)
		return r;
	/* The first time, one finding is enough: nothing just came into being. */
	if (state.there && !keeper->exact && !lost && too_few(keeper, keeper->adopted ? 2 : 1))
		lost = connection_lost;
	plan_make(&plan, keeper->wanted, &state, lost);
	*because = plan.because;
	if (plan.n == 0) {
		/* Again and again, as a connection of an older session may linger. */
		if (!keeper->exact)
			learn_links(keeper, NULL);
		keeper->adopted = true;
		r = KEEP_NOTHING;
	} else if (plan.n == 1 && plan.steps[0].kind == STEP_DESTROY) {
		r = session_destroy(keeper->wanted->name, 0, error);
		r = r < 0 ? r : KEEP_CHANGED;
	} else {
		r = carry_out(keeper, &plan, error);
	}
	*failed = plan.failed;
	plan_done(&plan);
	state_done(&state);
	return r;
}

int
keep(struct keeper *keeper, const char *lost, const char **because, struct error *error)
{
	enum domain failed = N_DOMAINS;
	struct error first = { 0 };
	int r = keep_try(keeper, lost, because, &failed, &first);

	if (r < 0 && give_up_domain(keeper, failed, &first)) {
		_cleanup_(buf_done) struct buf problem = keeper->problems;

		keeper->problems = (struct buf) { 0 };
		first = (struct error) { 0 };
		r = keep_try(keeper, lost, because, &failed, &first);
		buf_add(&keeper->problems, problem.data, problem.size);
	}
	return r < 0 ? error_set(error, first.code, "%s", first.text) : r;
}

void
keeper_missing(struct keeper *keeper, struct buf *text)
{
	node_missing(&keeper->wanted->events, keeper->wanted->kernel_code, text);
	if (keeper->problems.size)
		buf_add(text, keeper->problems.data, keeper->problems.size);
}
