/* SPDX-License-Identifier: MIT
 *
 * commands.c -- the commands of cloudtracectl and what is common to them. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "proto/methods.h"

/* -- Finding -------------------------------------------------------------- */

/* 2: the same; 1: a beginning of it; 0: neither. */
static int
match(const char *word, const char *name)
{
	if (streq(word, name))
		return 2;
	return *word && starts_with(name, word) ? 1 : 0;
}

/* Whether commands[i] is the first of its noun. */
static bool
first_of_noun(unsigned i)
{
	return !i || !streq(commands[i].noun, commands[i - 1].noun);
}

static const char *
find_noun(const char *word)
{
	const char *found = NULL;
	unsigned matches = 0;

	for (unsigned i = 0; commands[i].noun; i++) {
		int m = first_of_noun(i) ? match(word, commands[i].noun) : 0;

		if (m == 2)
			return commands[i].noun;
		if (m && matches++ == 0)
			found = commands[i].noun;
	}
	if (matches == 1)
		return found;
	log_error(matches ? "\"%s\" may be more than one command" : "no command \"%s\"", word);
	return NULL;
}

static const struct command *
find_verb(const char *noun, const char *word)
{
	const struct command *found = NULL;
	unsigned matches = 0;

	for (const struct command *c = commands; c->noun; c++) {
		int m = streq(c->noun, noun) ? match(word, c->verb) : 0;

		if (m == 2)
			return c;
		if (m && matches++ == 0)
			found = c;
	}
	if (matches == 1)
		return found;
	log_error(matches ? "\"%s %s\" may be more than one command" : "no command \"%s %s\"",
		  noun, word);
	return NULL;
}

const struct command *
command_find(char ***args, int *count)
{
	const struct command *command = commands;
	const char *noun = *count ? find_noun((*args)[0]) : commands[0].noun;

	if (!noun)
		return NULL;
	if (*count) {
		++*args;
		--*count;
	}
	while (!streq(command->noun, noun))
		command++;
	/* A noun alone does its first verb. */
	if (!*command->verb || !*count)
		return command;
	command = find_verb(noun, (*args)[0]);
	++*args;
	--*count;
	return command;
}

/* -- Common to commands --------------------------------------------------- */

int
ctl_failed(const struct cloudtrace_error *error)
{
	log_error("%s", error->text);
	if (streq(error->kind, "not-found") || streq(error->kind, "not-unique"))
		return EXIT_NOT_FOUND;
	return streq(error->kind, "invalid-params") ? EXIT_USAGE : EXIT_FAILED;
}

int
ctl_open(struct ctl *ctl, struct cloudtrace_error *error)
{
	const struct cloudtrace_tls *tls = &ctl->tls;

	if (tls->certificate || tls->key || tls->authority)
		return cloudtrace_connect_tls(ctl->address, tls, &ctl->daemon, error);
	return cloudtrace_connect(ctl->address, &ctl->daemon, error);
}

int
ctl_connect(struct ctl *ctl)
{
	struct cloudtrace_error error = { 0 };

	if (ctl->daemon || !ctl_open(ctl, &error))
		return 0;
	log_error("%s", error.text);
	return ctl->from_store ? EXIT_FAILED : EXIT_NO_DAEMON;
}

int
ctl_call(struct ctl *ctl, const char *method, json_t *params, json_t **ret)
{
	struct cloudtrace_error error = { 0 };
	int r = ctl_connect(ctl);

	if (r) {
		json_decref(params);
		return r;
	}
	params = params ? params : json_copy(ctl->params);
	if (cloudtrace_call(ctl->daemon, method, params, ret, &error))
		return ctl_failed(&error);
	return 0;
}

void
ctl_update_now(struct ctl *ctl)
{
	if (!ctl->fixed_now)
		ctl->screen.now_ns = clock_wall_ns();
}

int
ctl_flush(struct buf *out)
{
	size_t size = out->size;
	bool written = !size || fwrite(out->data, 1, size, stdout) == size;

	buf_clear(out);
	if (!fflush(stdout) && written)
		return EXIT_OK;
	log_error("cannot write: %s", strerror(errno));
	return EXIT_FAILED;
}

static int
add_json(const char *bytes, size_t size, void *out)
{
	buf_add(out, bytes, size);
	return 0;
}

int
ctl_print_json(const struct ctl *ctl, const json_t *value)
{
	/* On a terminal no character of a name may steer it. */
	size_t flags = JSON_ENCODE_ANY | (ctl->tty ? JSON_ENSURE_ASCII : 0);
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *item;
	size_t i;

	if (ctl->output == OUTPUT_JSON) {
		json_dump_callback(value, add_json, &out, flags | JSON_INDENT(2));
		buf_add_char(&out, '\n');
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, item) {
			json_dump_callback(item, add_json, &out, flags | JSON_COMPACT);
			buf_add_char(&out, '\n');
		}
	} else {
		json_dump_callback(value, add_json, &out, flags | JSON_COMPACT);
		buf_add_char(&out, '\n');
	}
	return ctl_flush(&out);
}

json_t *
ctl_major(const struct ctl *ctl, const struct view *view, json_t *list)
{
	bool asked = ctl->output == OUTPUT_WIDE || json_object_get(ctl->params, "kind") ||
		     json_object_get(ctl->params, "request");

	return asked ? json_incref(list) : view_major(view, list);
}

static bool
is_json(const struct ctl *ctl)
{
	return ctl->output == OUTPUT_JSON || ctl->output == OUTPUT_NDJSON;
}

/* -- The simple commands -------------------------------------------------- */

static int
run_status(struct ctl *ctl, const struct command *command, char **args)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *status;
	int r = ctl_call(ctl, command->method, NULL, &status);

	if (r)
		return r;
	ctl_update_now(ctl);
	if (is_json(ctl))
		r = ctl_print_json(ctl, status);
	else if (ctl->output == OUTPUT_CSV)
		view_csv_object(status, ctl->screen.headers, &out);
	else
		view_status(status, &ctl->screen, &out);
	json_decref(status);
	return r ? r : ctl_flush(&out);
}

/* The filters, and what stands behind the command: the method's mandatory
 * parameters in their order. */
static json_t *
params_with(const struct ctl *ctl, const struct command *command, char **args)
{
	const struct rpc_param *param = rpc_method_find(command->method)->params;
	json_t *params = json_copy(ctl->params);

	for (; param->name && *args; param++)
		if (param->mandatory)
			json_object_set_new(params, param->name, json_string(*args++));
	return params;
}

static void
write_table(struct ctl *ctl, const struct view *view, json_t *list, struct buf *out)
{
	json_t *shown = ctl_major(ctl, view, list);
	size_t left_out = json_array_size(list) - json_array_size(shown);

	if (json_array_size(shown))
		view_table(view, shown, &ctl->screen, out);
	else
		log_info("%s", view->none);
	if (left_out)
		log_info("%zu %s", left_out, view->minor);
	json_decref(shown);
}

int
ctl_print_list(struct ctl *ctl, const struct view *view, const json_t *list)
{
	_cleanup_(buf_done) struct buf out = { 0 };

	if (is_json(ctl))
		return ctl_print_json(ctl, list);
	if (ctl->output == OUTPUT_CSV)
		view_csv(view, list, ctl->screen.headers, &out);
	else
		write_table(ctl, view, (json_t *) (uintptr_t) list, &out);
	return ctl_flush(&out);
}

int
run_list(struct ctl *ctl, const struct command *command, char **args)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *list;
	int r = ctl_call(ctl, command->method, params_with(ctl, command, args), &list);

	if (r)
		return r;
	ctl_update_now(ctl);
	if (command->page && json_array_size(list) && !is_json(ctl) && ctl->output != OUTPUT_CSV) {
		command->page(list, &ctl->screen, &out);
		r = ctl_flush(&out);
	} else {
		r = ctl_print_list(ctl, command->view, list);
	}
	json_decref(list);
	return r;
}

/* The thing itself, or the array in it that the command is about. */
static const json_t *
part_of(const json_t *thing, const struct command *command)
{
	return command->member ? json_object_get(thing, command->member) : thing;
}

static void
write_csv(const struct command *command, const json_t *thing, const struct screen *screen,
	  struct buf *out)
{
	json_t *list;

	if (!command->view) {
		view_csv_object(thing, screen->headers, out);
		return;
	}
	list = command->member ? json_incref(json_object_get(thing, command->member)) :
	       json_is_array(thing) ? json_incref((json_t *) thing) : json_pack("[O]", thing);
	view_csv(command->view, list, screen->headers, out);
	json_decref(list);
}

/* What other methods know of a thing, for more parts of its page. */
static const struct {
	const char *method;               /* Of the page. */
	const char *part_method;
	struct {
		const char *param, *path;     /* What it is asked by, from the thing. */
	} by[2];
	part_fn *part;
} parts[] = {
	{ "vm.show", "thread.list", { { "host", "host" }, { "pid", "pid" } }, view_vm_threads },
	{ "vm.show", "disk.list", { { "host", "host" } }, view_vm_disks },
	{ "vm.show", "network.ports", { { "host", "host" } }, view_vm_ports },
	{ "volume.show", "volume.chain", { { "id", "id" } }, view_volume_chain },
};

/* A part that cannot be had is no reason to fail. */
static void
add_part(struct ctl *ctl, unsigned i, const json_t *thing, struct buf *out)
{
	struct cloudtrace_error error;
	json_t *params = json_object(), *part;

	for (unsigned k = 0; k < ARRAY_SIZE(parts[i].by) && parts[i].by[k].param; k++) {
		json_t *value = (json_t *) json_at(thing, parts[i].by[k].path);

		if (!value) {
			json_decref(params);
			return;
		}
		json_object_set(params, parts[i].by[k].param, value);
	}
	if (cloudtrace_call(ctl->daemon, parts[i].part_method, params, &part, &error))
		return;
	parts[i].part(thing, part, &ctl->screen, out);
	json_decref(part);
}

static void
write_page(struct ctl *ctl, const struct command *command, const json_t *thing, struct buf *out)
{
	command->page(thing, &ctl->screen, out);
	for (unsigned i = 0; i < ARRAY_SIZE(parts) && !command->member; i++)
		if (command->method && streq(parts[i].method, command->method))
			add_part(ctl, i, thing, out);
}

/* Prints one thing as the output format wants it, and lets go of it. */
static int
show(struct ctl *ctl, const struct command *command, json_t *thing)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	const json_t *part = part_of(thing, command);
	json_t *none = json_array();
	int r = EXIT_OK;

	ctl_update_now(ctl);
	if (is_json(ctl))
		r = ctl_print_json(ctl, part ? part : none);
	else if (ctl->output == OUTPUT_CSV)
		write_csv(command, thing, &ctl->screen, &out);
	else if (command->member && !json_array_size(part))
		log_info("%s", command->view->none);
	else
		write_page(ctl, command, part, &out);
	json_decref(none);
	json_decref(thing);
	return r ? r : ctl_flush(&out);
}

/* An empty list, which only JSON can tell on standard output. */
static int
show_none(struct ctl *ctl, const struct command *command, json_t *list)
{
	int r = is_json(ctl) ? ctl_print_json(ctl, list) : EXIT_OK;

	log_error("%s", command->view->none);
	json_decref(list);
	return r;
}

static int
run_show(struct ctl *ctl, const struct command *command, char **args)
{
	json_t *thing;
	bool found;
	int r = ctl_call(ctl, command->method, params_with(ctl, command, args), &thing);

	/* Nothing was found by what was given. */
	found = r || !json_is_array(thing) || json_array_size(thing);
	r = r ? r : found ? show(ctl, command, thing) : show_none(ctl, command, thing);
	return r || found ? r : EXIT_NOT_FOUND;
}

static int
run_compare(struct ctl *ctl, const struct command *command, char **args)
{
	json_t *params = json_pack("{s:s}", "a", args[0]), *compared;
	int r;

	if (args[1])
		json_object_set_new(params, "b", json_string(args[1]));
	r = ctl_call(ctl, command->method, params, &compared);
	return r ? r : show(ctl, command, compared);
}

/* One request that is all there is to an id is shown itself. */
static int
show_only_flow(struct ctl *ctl, json_t *found)
{
	static const struct command flow_show = { .page = view_flow };
	const char *id = json_text_at(json_array_get(json_at(found, "flows"), 0), "id");
	json_t *flow;
	int r = ctl_call(ctl, "flow.show", json_pack("{s:s}", "id", id ? id : ""), &flow);

	json_decref(found);
	return r ? r : show(ctl, &flow_show, flow);
}

static int
print_rows(struct ctl *ctl, const struct command *command, json_t *found)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *rows = find_rows(found);

	view_csv(command->view, rows, ctl->screen.headers, &out);
	json_decref(rows);
	json_decref(found);
	return ctl_flush(&out);
}

static int
run_trace(struct ctl *ctl, const struct command *command, char **args)
{
	json_t *found;
	size_t things, flows;
	int r = ctl_call(ctl, command->method, params_with(ctl, command, args), &found);

	if (r)
		return r;
	things = json_array_size(json_at(found, "things"));
	flows = json_array_size(json_at(found, "flows"));
	if (!things && !flows) {
		json_decref(found);
		log_error("nothing is known of \"%s\"", args[0]);
		return EXIT_NOT_FOUND;
	}
	if (flows == 1 && !things && ctl->output <= OUTPUT_WIDE)
		return show_only_flow(ctl, found);
	if (ctl->output == OUTPUT_CSV)
		return print_rows(ctl, command, found);
	return show(ctl, command, found);
}

/* Alerts whose subject is that migration; fewer is no reason to fail. */
static json_t *
alerts_of(struct ctl *ctl, const json_t *migration)
{
	const char *id = json_text_at(migration, "id");
	json_t *params = json_object(), *alerts = NULL;

	json_object_set_new(params, "since_ns", json_integer(
		(json_int_t) json_number_at(migration, "start_ns")));
	if (ctl_call(ctl, "alert.list", params, &alerts))
		return NULL;
	for (size_t i = json_array_size(alerts); i-- > 0; ) {
		const char *subject = json_text_at(json_array_get(alerts, i), "subject");

		if (!id || !subject || !streq(id, subject))
			json_array_remove(alerts, i);
	}
	return alerts;
}

static int
run_migration_show(struct ctl *ctl, const struct command *command, char **args)
{
	_cleanup_(buf_done) struct buf out = { 0 };
	json_t *migration, *alerts;
	int r = ctl_call(ctl, command->method, json_pack("{s:s}", "id", args[0]), &migration);

	if (r)
		return r;
	ctl_update_now(ctl);
	if (is_json(ctl)) {
		r = ctl_print_json(ctl, migration);
	} else if (ctl->output == OUTPUT_CSV) {
		view_csv_object(migration, ctl->screen.headers, &out);
	} else {
		alerts = alerts_of(ctl, migration);
		view_migration(migration, alerts, &ctl->screen, &out);
		json_decref(alerts);
	}
	json_decref(migration);
	return r ? r : ctl_flush(&out);
}

static int
run_raw(struct ctl *ctl, const struct command *command, char **args)
{
	json_t *params = NULL, *result;
	json_error_t at = { .text = "" };
	int r;

	if (args[1]) {
		params = json_loads(args[1], JSON_REJECT_DUPLICATES, &at);
		if (!json_is_object(params)) {
			json_decref(params);
			log_error("the parameters must be a JSON object%s%s",
				  at.text[0] ? ": " : "", at.text);
			return EXIT_USAGE;
		}
	} else {
		params = json_object();
	}
	r = ctl_call(ctl, args[0], params, &result);
	if (r)
		return r;
	if (ctl->output != OUTPUT_NDJSON)
		ctl->output = OUTPUT_JSON;
	r = ctl_print_json(ctl, result);
	json_decref(result);
	return r;
}

/* -- The table: the first is what cloudtracectl alone does ----------------- */

#define LIST(NOUN, VIEW, DOC, EXAMPLES) \
	{ #NOUN, "list", "", 0, 0, #NOUN ".list", VIEW, NULL, NULL, run_list, DOC, EXAMPLES }
#define WATCH(NOUN, VIEW) \
	{ #NOUN, "watch", "", 0, 0, #NOUN ".list", VIEW, NULL, NULL, run_watch, \
	  "the list, kept up to date", NULL }
#define SHOW(NOUN, CSV, PAGE, DOC, EXAMPLES) \
	{ #NOUN, "show", "ID", 1, 1, #NOUN ".show", CSV, PAGE, NULL, run_show, DOC, EXAMPLES }

#define OF_HOST(NOUN, VIEW, DOC, EXAMPLES) \
	{ #NOUN, "list", "HOST", 1, 1, #NOUN ".list", VIEW, NULL, NULL, run_list, DOC, EXAMPLES }
#define NETWORK_LIST(VERB, VIEW, PAGE, DOC, EXAMPLES) \
	{ "network", #VERB, "", 0, 0, "network." #VERB, VIEW, PAGE, NULL, run_list, DOC, EXAMPLES }

const struct command commands[] = {
	{ "status", "", "", 0, 0, "status", NULL, NULL, NULL, run_status,
	  "health; requests and migrations in flight, what failed, alerts, nodes not live", NULL },
	LIST(flow, &flow_view, "requests, newest first",
	     "  cloudtracectl flow list --status error --since 1h     what failed lately\n"
	     "  cloudtracectl flow list --slow 30s --kind 'server.*'  slow ones of servers\n"
	     "  cloudtracectl flow list --vm web-14 -o wide           all about a VM\n"),
	SHOW(flow, &flow_spans_csv, view_flow,
	     "one request: where its time went, who failed, all its parts",
	     "  cloudtracectl flow show req-9f3a5c0d\n"
	     "  cloudtracectl flow show req-9f3a5c0d -o wide   nothing folded or left out\n"
	     "  cloudtracectl flow show req-9f3a5c0d -o csv    its parts, a line each\n"),
	WATCH(flow, &flow_view),
	LIST(vm, &vm_view, "virtual machines and their states",
	     "  cloudtracectl vm list --host compute-03\n"
	     "  cloudtracectl vm list --state error\n"),
	SHOW(vm, NULL, view_vm, "one VM: states, ports, volumes, requests",
	     "  cloudtracectl vm show web-14\n"),
	{ "vm", "history", "ID", 1, 1, "vm.show", &vm_history_view, view_vm_history, "history",
	  run_show, "each change of its states and host, with the request that did it",
	  "  cloudtracectl vm history web-14\n"
	  "  cloudtracectl vm history web-14 -o csv\n" },
	LIST(service, &service_view, "services: rates, errors, latencies",
	     "  cloudtracectl service list --host ctl-1\n"
	     "  cloudtracectl service list --service nova-compute --since 10m\n"),
	SHOW(service, &operation_view, view_service,
	     "one service: its operations and how their latencies spread",
	     "  cloudtracectl service show nova-compute@compute-03\n"
	     "  cloudtracectl service show nova-conductor --since 10m\n"),
	LIST(volume, &volume_view, "volumes and what they are attached to",
	     "  cloudtracectl volume list --vm web-14\n"),
	SHOW(volume, NULL, view_volume, "one volume: attachments, path, requests",
	     "  cloudtracectl volume show 1e2f\n"),
	LIST(port, &port_view, "ports and where they are bound",
	     "  cloudtracectl port list --host compute-03\n"),
	SHOW(port, NULL, view_port, "one port: the steps of its binding, requests",
	     "  cloudtracectl port show fa:16:3e:5b:01:9c\n"),
	{ "trace", "", "ID", 1, 1, "find", &find_view, view_find, NULL, run_trace,
	  "what is known by any id or name, of a request, VM, port, volume, MAC",
	  "  cloudtracectl trace req-9f3a5c0d      the request, or the one that it is part of\n"
	  "  cloudtracectl trace tap1e2f3a4b-5c    the port, and requests about it\n"
	  "  cloudtracectl trace web-14\n" },
	{ "why", "", "ID", 1, 1, "why", NULL, view_why, NULL, run_show,
	  "why it failed or took so long: of a request, migration, VM or alert",
	  "  cloudtracectl why web-14              the newest operation of a VM\n"
	  "  cloudtracectl why req-9f3a5c0d -o json\n" },
	LIST(migration, &migration_view, "live migrations, newest first",
	     "  cloudtracectl migration list --since 1d --status failed -o json\n"),
	{ "migration", "show", "ID", 1, 1, "migration.show", NULL, NULL, NULL, run_migration_show,
	  "stages, rounds and dirty-page curve of one (ID: its beginning, or a VM)",
	  "  cloudtracectl migration show web-14\n" },
	WATCH(migration, &migration_view),
	{ "compare", "", "A [B]", 1, 2, "compare", &compare_csv, view_compare, NULL, run_compare,
	  "two requests or two migrations side by side, or one and its peers",
	  "  cloudtracectl compare req-9f3a5c0d req-1b2c3d4e   what made the one slower\n"
	  "  cloudtracectl compare req-9f3a5c0d               how it stands among its peers\n" },
	NETWORK_LIST(bridges, &bridge_view, NULL, "Open vSwitch: bridges, their rates and latencies",
		     NULL),
	NETWORK_LIST(ports, &switch_port_view, NULL, "ports of bridges and whose they are", NULL),
	NETWORK_LIST(flows, &conversation_view, NULL, "conversations with most bytes, latency or loss",
		     "  cloudtracectl network flows --sort lost --host compute-03\n"),
	NETWORK_LIST(latency, &network_component_view, view_network_latency,
		     "where packets spend their time, drops, slowest packets",
		     "  cloudtracectl network latency --host compute-03 --since 5m\n"),
	NETWORK_LIST(upcalls, &network_component_view, view_network_upcalls,
		     "what waits for ovs-vswitchd, storms, commands",
		     "  cloudtracectl network upcalls --host compute-03\n"),
	{ "network", "changes", "", 0, 0, "network.changes", &network_change_csv,
	  view_network_changes, NULL, run_show,
	  "changes of ports and flows, by whom and for which request; addresses that moved",
	  "  cloudtracectl network changes --since 10m\n" },
	{ "network", "where", "ADDRESS", 1, 1, "network.where", &place_view, view_network_where,
	  NULL, run_show, "where a MAC or IP address is: host, port, VM",
	  "  cloudtracectl network where fa:16:3e:5b:01:9c\n" },
	{ "network", "path", "SRC DST", 2, 2, "network.path", &network_hop_csv, view_network_path,
	  NULL, run_show, "the way of packets between two addresses, with the latency of each hop",
	  "  cloudtracectl network path 192.168.50.92 192.168.50.11\n" },
	{ "network", "show", "HOST", 1, 1, "network.show", &node_connection_csv, view_network_show,
	  NULL, run_show, "interfaces and TCP connections of a node, retransmissions, drops",
	  "  cloudtracectl network show compute-03 --since 1m\n" },
	LIST(node, &node_view, "nodes and what comes from them", NULL),
	{ "node", "show", "HOST", 1, 1, "node.show", NULL, view_node, NULL, run_show,
	  "one node: CPU by VM, who waited for whom, disks, network",
	  "  cloudtracectl node show compute-03\n"
	  "  cloudtracectl node show compute-03 --since 10m --until 9m\n" },
	OF_HOST(thread, &thread_view, "threads of a node: ran, waited for a CPU, were blocked, and why",
		"  cloudtracectl thread list compute-03 --pid 18173\n"),
	OF_HOST(disk, &disk_view, "disks of a node: requests, latencies, whose, what is below",
		"  cloudtracectl disk list compute-03\n"),
	{ "top", "", "", 0, 0, "top", &top_view, NULL, NULL, run_top,
	  "VMs and processes that use or want most CPU; on a terminal kept up to date",
	  "  cloudtracectl top --host compute-03\n" },
	{ "node", "drain-status", "HOST", 1, 1, "node.drain_status", &drain_csv, view_drain, NULL, run_show,
	  "a host that is being emptied: who left, leaves and waits, and when all will have left",
	  "  cloudtracectl node drain-status compute-03\n"
	  "  cloudtracectl node drain-status compute-03 --since 2h -o csv\n" },
	LIST(alert, &alert_view, "alerts, newest first",
	     "  cloudtracectl alert list --state firing\n"),
	{ "alert", "show", "ID", 1, 1, "alert.show", NULL, view_alert, NULL, run_show,
	  "one alert with what was found out about its subject", NULL },
	WATCH(alert, &alert_view),
	{ "alert", "rules", "", 0, 0, "alert.rules", &rule_view, NULL, NULL, run_list,
	  "the rules that raise alerts", NULL },
	{ "alert", "silences", "", 0, 0, "alert.silences", &silence_view, NULL, NULL, run_list,
	  "alerts that nobody is to be told of for a while", NULL },
	{ "alert", "silence", "DURATION [COMMENT]", 1, 2, "alert.silence", NULL, NULL, NULL, run_silence,
	  "tell nobody of alerts of --rule, --host, --severity, --subject or --alert for so long",
	  "  cloudtracectl alert silence 2h 'new disks' --host compute-03\n" },
	{ "alert", "unsilence", "ID", 1, 1, "alert.unsilence", NULL, NULL, NULL, run_unsilence,
	  "ends a silence", NULL },
	{ "alert", "test", "CONFIG", 1, 1, NULL, NULL, NULL, NULL, run_alert_test,
	  "alerts that the rules of a configuration give, over a --store or a folder of traces",
	  "  cloudtracectl --store pm.db alert test new.conf\n"
	  "  cloudtracectl --store traces/ alert test new.conf\n" },
	{ "export", "perfetto", "ID", 1, 1, NULL, NULL, NULL, NULL, run_export,
	  "a flow or migration as a file for ui.perfetto.dev",
	  "  cloudtracectl export perfetto req-9f3a5c0d >trace.pftrace\n" },
	{ "export", "chrome", "ID", 1, 1, NULL, NULL, NULL, NULL, run_export,
	  "the same in Chrome's JSON", NULL },
	{ "sources", "", "", 0, 0, "node.list", &source_view, NULL, NULL, run_sources,
	  "sessions of all nodes: state, events, losses, lag", NULL },
	{ "counters", "", "", 0, 0, "counters", NULL, NULL, NULL, run_counters,
	  "what the daemon counts", NULL },
	{ "log", "set", "LEVEL", 1, 1, "log.set", NULL, NULL, NULL, run_log_set,
	  "how much the daemon logs: error, warning, info or debug", NULL },
	{ "watch", "", "TOPIC", 1, 1, NULL, NULL, NULL, NULL, run_watch,
	  "what changes from now on: migration, alert, node, flow, vm or service",
	  "  cloudtracectl watch flow -o ndjson\n" },
	{ "check", "", "", 0, 0, "status", NULL, NULL, NULL, run_check,
	  "one line for Nagios; exits 0 ok, 1 warning, 2 critical, 3 unknown", NULL },
	{ "raw", "", "METHOD [JSON]", 1, 2, NULL, NULL, NULL, NULL, run_raw,
	  "calls a method of cloudtraced-protocol(7)",
	  "  cloudtracectl raw flow.list '{\"limit\": 1}'\n" },
	{ .noun = NULL }
};
