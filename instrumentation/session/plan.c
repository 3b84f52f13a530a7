/* SPDX-License-Identifier: MIT */
#include "instrumentation/session/plan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/util.h"

static void
add(struct plan *plan, const struct step *step)
{
	plan->steps = xrealloc(plan->steps, (plan->n + 1) * sizeof *plan->steps);
	plan->steps[plan->n++] = *step;
}

void
plan_done(struct plan *plan)
{
	free(plan->steps);
	*plan = (struct plan) { 0 };
}

/* -- Comparing ----------------------------------------------------------- */

/* Whether sessiond's "tcp4://ADDRESS:CTRL/ [data: DATA]" is the relayd that is
 * wanted.  When the host's name can't be looked up now, it is: a working
 * session is worth more. */
static bool
same_relayd(const struct wanted *wanted, const char *path)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	_cleanup_(freep) char *ports =
		xasprintf(":%u/ [data: %u]", wanted->control_port, wanted->data_port);
	const char *tail = strstr(path, ports), *host = strstr(path, "://");
	struct addrinfo *addresses = NULL;
	bool same = false;

	if (!tail || !host || strlen(tail) != strlen(ports))
		return false;
	host += 3;
	if (getaddrinfo(wanted->host, NULL, &hints, &addresses) != 0)
		return true;
	for (const struct addrinfo *a = addresses; a; a = a->ai_next) {
		char text[NI_MAXHOST];

		if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0,
				NI_NUMERICHOST) != 0)
			continue;
		host += *host == '[';
		same = same || (starts_with(host, text) && strchr(":]", host[strlen(text)]));
	}
	freeaddrinfo(addresses);
	return same;
}

/* Whether a probe is on another function than the one that is wanted. */
static bool
has_other_symbol(const struct wanted *wanted, enum domain domain, const struct domain_state *state)
{
	for (size_t i = 0; i < wanted->events.n; i++) {
		const struct wanted_event *event = &wanted->events.items[i];
		const struct lttng_event *old =
			event->symbol && event_wanted(event, domain) ? state_find_event(state, event) : NULL;

		if (old && !streq(old->attr.probe.symbol_name, event->symbol))
			return true;
	}
	return false;
}

/* Why one domain can't be changed into what is wanted: LTTng changes neither
 * channels nor contexts once a session was started, and never what a probe is
 * on. */
static const char *
domain_differs(const struct wanted *wanted, enum domain domain, const struct domain_state *state)
{
	const struct buffers buffers = role_buffers(wanted->role, domain, wanted->cpus);

	if (!wants_domain(wanted, domain))
		return state->has_channel ? "it has a domain that isn't wanted" : NULL;
	if (!state->has_channel)
		return "a domain has to be added";
	if (!state->per_user || state->overwrite)
		return "its buffers are of another kind";
	if (state->subbuf_size != buffers.subbuf_size || state->num_subbuf != buffers.num_subbuf)
		return "its buffers have another size";
	if (state->contexts_known && state->contexts != (1U << N_CONTEXTS) - 1)
		return "its contexts differ";
	return has_other_symbol(wanted, domain, state) ? "a probe is on another function" : NULL;
}

static const char *
session_differs(const struct wanted *wanted, const struct session_state *state)
{
	const char *because = NULL;

	if (!same_relayd(wanted, state->path))
		return "it goes to another relayd";
	if (state->live_us != wanted->live_us)
		return "its live timer differs";
	if (state->strange)
		return "it has channels that aren't wanted";
	for (enum domain d = 0; d < N_DOMAINS && !because; d++)
		because = domain_differs(wanted, d, &state->domains[d]);
	return because;
}

/* -- Making -------------------------------------------------------------- */

static bool
is_wanted(const struct event_list *list, enum domain domain, const struct lttng_event *event)
{
	for (size_t i = 0; i < list->n; i++)
		if (event_wanted(&list->items[i], domain) && list->items[i].type == event->type &&
		    streq(list->items[i].enable, event->name))
			return true;
	return false;
}

static void
plan_events(struct plan *plan, const struct wanted *wanted, enum domain domain,
	    const struct domain_state *state)
{
	for (size_t i = 0; i < wanted->events.n; i++) {
		const struct wanted_event *event = &wanted->events.items[i];
		const struct lttng_event *old = state_find_event(state, event);

		if (event_wanted(event, domain) && (!old || !old->enabled))
			add(plan, &(struct step) { .kind = STEP_ENABLE, .domain = domain,
						   .name = event->enable, .type = event->type,
						   .symbol = event->symbol });
	}
	for (int i = 0; i < state->n_events; i++)
		if (state->events[i].enabled &&
		    !is_wanted(&wanted->events, domain, &state->events[i]))
			add(plan, &(struct step) { .kind = STEP_DISABLE, .domain = domain,
						   .name = state->events[i].name,
						   .type = state->events[i].type });
}

void
plan_make(struct plan *plan, const struct wanted *wanted, const struct session_state *state,
	  const char *lost)
{
	static const struct session_state nothing;

	*plan = (struct plan) { .failed = N_DOMAINS };
	if (state->there)
		plan->because = lost ? lost : session_differs(wanted, state);
	if (plan->because) {
		/* To a relayd that is gone nothing can be sent any more. */
		add(plan, &(struct step) { .kind = STEP_DESTROY,
					   .wait_ms = lost ? 0 : DESTROY_WAIT_MS });
		state = &nothing;
	}
	if (!wants_any(wanted))
		return;
	if (!state->there)
		add(plan, &(struct step) { .kind = STEP_CREATE });
	for (enum domain d = 0; d < N_DOMAINS; d++) {
		if (!wants_domain(wanted, d))
			continue;
		if (!state->there || !state->domains[d].enabled)
			add(plan, &(struct step) { .kind = STEP_CHANNEL, .domain = d });
		for (unsigned i = 0; i < N_CONTEXTS && !state->there; i++)
			add(plan, &(struct step) { .kind = STEP_CONTEXT, .domain = d, .context = i,
						   .name = domains[d].contexts[i].name });
		plan_events(plan, wanted, d, &state->domains[d]);
	}
	if (!state->active)
		add(plan, &(struct step) { .kind = STEP_START });
}

/* -- Printing ------------------------------------------------------------ */

/* Steps of the same kind are one command, with a list of names. */
static size_t
print_names(const struct plan *plan, size_t i, const char *separator, FILE *file)
{
	const struct step *first = &plan->steps[i];

	fputs(first->name, file);
	while (++i < plan->n && plan->steps[i].kind == first->kind &&
	       plan->steps[i].domain == first->domain && plan->steps[i].type == first->type &&
	       !first->symbol)
		fprintf(file, "%s%s", separator, plan->steps[i].name);
	fputc('\n', file);
	return i;
}

static size_t
print_step(const struct plan *plan, size_t i, const struct wanted *wanted, FILE *file)
{
	const struct step *step = &plan->steps[i];
	const struct domain_profile *d = &domains[step->domain];
	const struct buffers buffers = role_buffers(wanted->role, step->domain, wanted->cpus);
	const char *type = step->type == LTTNG_EVENT_SYSCALL ? " --syscall" :
		step->symbol && step->type == LTTNG_EVENT_PROBE ? " --probe=" :
		step->symbol ? " --function=" : "";

	switch (step->kind) {
	case STEP_DESTROY:
		fprintf(file, "lttng destroy %s%s\n", step->wait_ms ? "" : "--no-wait ", wanted->name);
		break;
	case STEP_CREATE:
		fprintf(file, "lttng create %s --live=%u --set-url=%s\n", wanted->name,
			wanted->live_us, wanted->url);
		break;
	case STEP_CHANNEL:
		fprintf(file,
			"lttng enable-channel %s --session=%s%s --discard --subbuf-size=%lluK "
			"--num-subbuf=%llu %s\n",
			d->option, wanted->name,
			d->buffers == LTTNG_BUFFER_PER_UID ? " --buffers-uid" : "",
			(unsigned long long) (buffers.subbuf_size / 1024),
			(unsigned long long) buffers.num_subbuf, d->channel);
		break;
	case STEP_CONTEXT:
		fprintf(file, "lttng add-context %s --session=%s --channel=%s --type=", d->option,
			wanted->name, d->channel);
		return print_names(plan, i, " --type=", file);
	case STEP_ENABLE:
	case STEP_DISABLE:
		if (step->domain == DOMAIN_PYTHON) {
			fprintf(file, "lttng enable-event --python --session=%s --all\n",
				wanted->name);
			break;
		}
		fprintf(file, "lttng %s-event %s%s%s --session=%s --channel=%s ",
			step->kind == STEP_ENABLE ? "enable" : "disable", d->option, type,
			step->symbol ? step->symbol : "", wanted->name, d->channel);
		return print_names(plan, i, ",", file);
	case STEP_START:
		fprintf(file, "lttng start %s\n", wanted->name);
		break;
	}
	return i + 1;
}

void
plan_print(const struct plan *plan, const struct wanted *wanted, FILE *file)
{
	for (size_t i = 0; i < plan->n;)
		i = print_step(plan, i, wanted, file);
}

/* -- Doing --------------------------------------------------------------- */

void
tell_no_probe(const char *name, const char *symbol, struct buf *text)
{
	buf_printf(text, "kernel event %s: no probe on %s: is it in /proc/kallsyms, with its module "
		   "loaded, and not in /sys/kernel/debug/kprobes/blacklist?\n", name, symbol);
}

static bool
session_exists(const char *name)
{
	struct lttng_session *sessions = NULL;
	const int n = lttng_list_sessions(&sessions);
	bool found = false;

	for (int i = 0; i < n; i++)
		found = found || streq(sessions[i].name, name);
	free(sessions);
	return found;
}

int
session_destroy(const char *name, unsigned wait_ms, struct error *error)
{
	const uint64_t until = clock_mono_ns() + wait_ms * NS_PER_MS;
	int r;

	if (!session_exists(name))
		return 0;
	if (wait_ms && lttng_stop_tracing_no_wait(name) == 0)
		while (clock_mono_ns() < until && lttng_data_pending(name) == 1)
			usleep(20000);
	r = lttng_destroy_session_no_wait(name);
	/* Its buffers go even when the consumer daemon is no more. */
	if (r < 0 && session_exists(name))
		return lttng_failed(error, r, "can't destroy the session");
	for (unsigned i = 0; i < 100 && session_exists(name); i++)
		usleep(50000);
	return 1;
}

static int
run_channel(const struct wanted *wanted, enum domain domain, struct lttng_handle *handle)
{
	const struct buffers buffers = role_buffers(wanted->role, domain, wanted->cpus);
	struct lttng_domain lttng_domain = { .type = domains[domain].type,
					     .buf_type = domains[domain].buffers };
	struct lttng_channel *channel = lttng_channel_create(&lttng_domain);
	int r;

	if (!channel)
		return -LTTNG_ERR_NOMEM;
	strncpy(channel->name, domains[domain].channel, sizeof channel->name - 1);
	channel->enabled = 1;
	channel->attr.overwrite = 0;
	channel->attr.subbuf_size = buffers.subbuf_size;
	channel->attr.num_subbuf = buffers.num_subbuf;
	channel->attr.switch_timer_interval = 0;
	r = lttng_enable_channel(handle, channel);
	lttng_channel_destroy(channel);
	return r;
}

/* UST's "already there" is no failure. */
static int
run_event(const struct step *step, struct lttng_handle *handle)
{
	struct lttng_event *event = lttng_event_create();
	int r;

	if (!event)
		return -LTTNG_ERR_NOMEM;
	/* In user space, sessiond disables an event only as one of any type. */
	event->type = step->kind == STEP_DISABLE && step->domain == DOMAIN_UST ? LTTNG_EVENT_ALL
									       : step->type;
	event->loglevel_type = LTTNG_EVENT_LOGLEVEL_ALL;
	event->loglevel = -1;
	strncpy(event->name, step->name, sizeof event->name - 1);
	if (step->symbol)
		strncpy(event->attr.probe.symbol_name, step->symbol,
			sizeof event->attr.probe.symbol_name - 1);
	r = step->kind == STEP_ENABLE ?
		lttng_enable_event(handle, event, step->domain == DOMAIN_PYTHON ? NULL :
				   domains[step->domain].channel) :
		lttng_disable_event_ext(handle, event, domains[step->domain].channel, NULL);
	lttng_event_destroy(event);
	return r == -LTTNG_ERR_UST_EVENT_ENABLED || r == -LTTNG_ERR_KERN_EVENT_EXIST ? 0 : r;
}

static int
run_context(const struct step *step, struct lttng_handle *handle)
{
	const struct domain_profile *d = &domains[step->domain];
	struct lttng_event_context context = { .ctx = d->contexts[step->context].type };

	return lttng_add_context(handle, &context, NULL, d->channel);
}

static int
run_in_domain(const struct step *step, const struct wanted *wanted)
{
	const struct domain_profile *d = &domains[step->domain];
	const bool is_event = step->kind == STEP_ENABLE || step->kind == STEP_DISABLE;
	struct lttng_domain domain = { .type = is_event ? d->events_in : d->type,
				       .buf_type = d->buffers };
	struct lttng_handle *handle = lttng_create_handle(wanted->name, &domain);
	int r;

	if (!handle)
		return -LTTNG_ERR_NOMEM;
	if (step->kind == STEP_CHANNEL)
		r = run_channel(wanted, step->domain, handle);
	else if (step->kind == STEP_CONTEXT)
		r = run_context(step, handle);
	else
		r = run_event(step, handle);
	lttng_destroy_handle(handle);
	return r;
}

static void
tell_problem(const struct step *step, const char *why, struct buf *problems)
{
	if (step->symbol)
		tell_no_probe(step->name, step->symbol, problems);
	else
		buf_printf(problems, "%s event %s: %s\n", domains[step->domain].key, step->name, why);
}

/* 1 when it was carried out, 0 when it was told in 'problems' and left out. */
static int
run_step(const struct step *step, const struct wanted *wanted, struct buf *problems,
	 struct error *error)
{
	static const char *const names[] = {
		[STEP_CREATE] = "can't create the session", [STEP_CHANNEL] = "can't make a channel",
		[STEP_CONTEXT] = "can't add a context", [STEP_ENABLE] = "can't enable an event",
		[STEP_DISABLE] = "can't disable an event", [STEP_START] = "can't start the session",
	};
	int r;

	if (step->kind == STEP_DESTROY) {
		r = session_destroy(wanted->name, step->wait_ms, error);
		return r < 0 ? r : 1;
	}
	if (step->kind == STEP_CREATE)
		r = lttng_create_session_live(wanted->name, wanted->url, wanted->live_us);
	else if (step->kind == STEP_START)
		r = lttng_start_tracing(wanted->name);
	else
		r = run_in_domain(step, wanted);
	if (r >= 0 || (step->kind == STEP_START && r == -LTTNG_ERR_TRACE_ALREADY_STARTED))
		return 1;
	/* One event that is refused must not cost the others, unless the reason
	 * is one for all. */
	if ((step->kind == STEP_ENABLE || step->kind == STEP_DISABLE) && sessiond_is_there() &&
	    r != -LTTNG_ERR_RELAYD_CONNECT_FAIL) {
		tell_problem(step, lttng_strerror(r), problems);
		return 0;
	}
	return lttng_failed(error, r, names[step->kind]);
}

int
plan_run(struct plan *plan, const struct wanted *wanted, struct buf *problems,
	 struct error *error)
{
	int r = 0;

	plan->failed = N_DOMAINS;
	plan->n_done = 0;
	for (size_t i = 0; i < plan->n && r >= 0; i++) {
		const struct step *step = &plan->steps[i];

		r = run_step(step, wanted, problems, error);
		plan->n_done += r > 0;
		if (r == -EIO && (step->kind == STEP_CHANNEL || step->kind == STEP_CONTEXT))
			plan->failed = step->domain;
	}
	return r < 0 ? r : 0;
}
