/* SPDX-License-Identifier: MIT
 *
 * engine_tables.c -- what the tables say without running them: the events to
 * trace, mistakes, a graph; and which cases they did not foresee. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "analyzers/engine_private.h"
#include "lib/util.h"

void
engine_print_unexpected(const struct engine *engine, FILE *file)
{
	const struct unexpected *u;

	for (u = engine->unexpected; u; u = u->hh.next) {
		const struct program *program = &engine->programs[u->route->analyzer];
		const unsigned column = (u->id >> 8) & 0xffff, state = u->id & 0xff;

		fprintf(file, "%s: %s%s%s in state %s: %" PRIu64 "\n", program->analyzer->name,
			program->events[u->route->event], column ? " " : "",
			column ? u->route->values[column] : "",
			program->analyzer->states[state].name, u->count);
	}
}

/* -- Events -------------------------------------------------------------- */

static const struct {
	const char *name;
	enum role role;
} roles[] = {
	{ "compute", ROLE_COMPUTE }, { "network", ROLE_NETWORK },
	{ "storage", ROLE_STORAGE }, { "controller", ROLE_CONTROLLER },
};

/* The event of the trace that a rule needs. */
static const char *
traced_event(const struct analyzer *analyzer, const struct rule *rule)
{
	return analyzer->decoder ? analyzer->decoder->event : rule->on;
}

/* Whether an earlier rule of the list, or an earlier analyzer, has the event. */
static bool
printed_before(const struct analyzer *const *table, const struct rule *rule, const char *event,
	       unsigned role)
{
	for (; *table; table++)
		for (const struct rule *r = (*table)->rules; r->on; r++) {
			if (r == rule)
				return false;
			if (((*table)->roles & role) && streq(traced_event(*table, r), event))
				return true;
		}
	return false;
}

int
engine_print_events(const struct analyzer *const *table, const char *role, FILE *file,
		    struct error *error)
{
	unsigned mask = 0;

	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		if (streq(roles[i].name, role))
			mask = roles[i].role;
	if (!mask)
		return error_set(error, EINVAL,
				 "no role of nodes is named \"%s\": there are compute, network, "
				 "storage and controller", role);
	for (const struct analyzer *const *a = table; *a; a++)
		for (const struct rule *r = (*a)->rules; ((*a)->roles & mask) && r->on; r++)
			if (!printed_before(table, r, traced_event(*a, r), mask))
				fprintf(file, "%s %s\n", (*a)->kernel ? "kernel" : "ust",
					traced_event(*a, r));
	natives_print_events(table, mask, file);
	return 0;
}

/* -- Checks -------------------------------------------------------------- */

struct checker {
	const struct analyzer *analyzer;
	FILE *file;
	unsigned mistakes;
};

static void
complain(struct checker *checker, const char *who, const char *is, const char *what)
{
	checker->mistakes++;
	fprintf(checker->file, "%s: %s%s%s: %s\n", checker->analyzer->name, who, is ? " " : "",
		is ? is : "", what);
}

static bool
same_case(const struct rule *a, const struct rule *b)
{
	return streq(a->on, b->on) && (a->in & b->in) &&
		((!a->is && !b->is) || (a->is && b->is && streq(a->is, b->is)));
}

/* Whether a span is open in state 'from' that goes on in state 'to'. */
static bool
span_goes_on(const struct state *from, const struct state *to)
{
	return from->span && to->span && streq(from->span, to->span) &&
		(!from->ended || to->ended);
}

static void
check_rule(struct checker *checker, const struct rule *rule)
{
	const struct analyzer *a = checker->analyzer;
	const struct source *source = a->sources;
	unsigned n_fields = 0;

	if (rule->to != STAY && (rule->to < 0 || (unsigned) rule->to >= a->n_states)) {
		complain(checker, rule->on, rule->is, "its target is no state");
		return;
	}
	if (!rule->in || (a->n_states < MAX_STATES && rule->in >> a->n_states))
		complain(checker, rule->on, rule->is, "it is in no state, or in one that is not");
	for (unsigned s = 0; s < a->n_states; s++) {
		if (!(rule->in & IN(s)))
			continue;
		if (a->states[s].final)
			complain(checker, rule->on, rule->is, "it is in a final state");
		if (rule->to != STAY && a->states[rule->to].span && !rule->begins &&
		    !span_goes_on(&a->states[s], &a->states[rule->to]))
			complain(checker, rule->on, a->states[s].name,
				 "it opens a span without 'begins'");
	}
	for (const struct field *f = rule->reads; f && f->name; f++)
		if (++n_fields > MAX_FIELDS || f->offset + sizeof(struct text) > MAX_VALUES_SIZE)
			complain(checker, rule->on, f->name, "too many fields or too far");
	while (source && source->event && !streq(source->event, rule->on))
		source++;
	if (rule->is && (!source || !source->event || !source->selector))
		complain(checker, rule->on, rule->is, "a value without a selector");
	for (const struct rule *r = rule + 1; r->on && !rule->when; r++)
		if (same_case(rule, r))
			complain(checker, rule->on, rule->is, "a second rule for the same case");
}

/* States that can be reached, and those that can be left. */
static void
check_states(struct checker *checker)
{
	const struct analyzer *a = checker->analyzer;
	uint32_t reached = IN(FLOW_IDLE) | IN(a->gone) | a->expires_to, left = 0, before;

	do {
		before = reached;
		for (const struct rule *r = a->rules; r->on; r++)
			if (r->to != STAY && (r->in & reached))
				reached |= IN(r->to);
	} while (reached != before);
	for (const struct rule *r = a->rules; r->on; r++)
		if (r->to != STAY)
			left |= r->in & ~IN(r->to);
	for (unsigned s = 0; s < a->n_states; s++) {
		if (!(reached & IN(s)))
			complain(checker, a->states[s].name, NULL, "the state is never reached");
		if (!(left & IN(s)) && !a->states[s].final && a->n_states > 2 &&
		    !a->expires_to && (a->states[s].span || !a->states[s].ended))
			complain(checker, a->states[s].name, NULL, "the state has no way out");
	}
}

unsigned
engine_check_tables(const struct analyzer *const *table, FILE *file)
{
	unsigned mistakes = 0;

	for (; *table; table++) {
		struct checker checker = { .analyzer = *table, .file = file };

		if ((*table)->native)
			continue;
		if ((*table)->n_states > MAX_STATES || (*table)->gone >= (*table)->n_states ||
		    !(*table)->states[(*table)->gone].final) {
			complain(&checker, "states", NULL, "too many, or none for what is gone");
		} else {
			for (const struct rule *r = (*table)->rules; r->on; r++)
				check_rule(&checker, r);
			check_states(&checker);
		}
		mistakes += checker.mistakes;
	}
	return mistakes;
}

/* -- Graph --------------------------------------------------------------- */

/* One edge for all rules that go from one state to another. */
static void
print_edge(const struct analyzer *a, unsigned from, unsigned to, FILE *file)
{
	const char *separator = "";

	for (const struct rule *r = a->rules; r->on; r++) {
		if (r->to != (int) to || !(r->in & IN(from)) || from == to)
			continue;
		if (!*separator)
			fprintf(file, "\t\"%s\" -> \"%s\" [label=\"", a->states[from].name,
				a->states[to].name);
		fprintf(file, "%s%s%s%s%s", separator, strchr(r->on, ':') + 1, r->is ? " " : "",
			r->is ? r->is : "", r->when ? " ?" : "");
		separator = "\\n";
	}
	if (*separator)
		fputs("\"];\n", file);
}

int
engine_print_graph(const struct analyzer *const *table, const char *analyzer, FILE *file)
{
	while (*table && !streq((*table)->name, analyzer))
		table++;
	if (!*table)
		return -ENOENT;
	if ((*table)->native)
		return -ENOTSUP;
	fprintf(file, "digraph \"%s\" {\n\tnode [shape=box];\n", (*table)->name);
	for (unsigned s = 0; s < (*table)->n_states; s++) {
		const struct state *state = &(*table)->states[s];

		fprintf(file, "\t\"%s\" [label=\"%s%s%s\"%s];\n", state->name, state->name,
			state->span ? "\\n" : "", state->span ? state->span : "",
			state->ended || state->final ? ", peripheries=2" : "");
	}
	for (unsigned from = 0; from < (*table)->n_states; from++)
		for (unsigned to = 0; to < (*table)->n_states; to++)
			print_edge(*table, from, to, file);
	fputs("}\n", file);
	return 0;
}
