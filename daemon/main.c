/* SPDX-License-Identifier: MIT
 *
 * main.c -- cloudtraced: command line, and the wiring of its three threads.
 *
 *   lane    relayds -> events -> facts          (lane.h)
 *   writer  facts -> flows -> store             (writer.h)
 *   main    store -> JSON on sockets, signals   (serve.h) */
#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzers/engine.h"
#include "ctf/reader.h"
#include "daemon/alert_rules.h"
#include "daemon/archive.h"
#include "daemon/batch.h"
#include "daemon/config.h"
#include "daemon/deliver.h"
#include "daemon/lane.h"
#include "daemon/notify.h"
#include "daemon/serve.h"
#include "daemon/test_alerts.h"
#include "daemon/writer.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"

enum mode {
	MODE_RUN, MODE_READ, MODE_TEST_ALERTS, MODE_DUMP, MODE_DUMP_STORE, MODE_STDIO, MODE_CHECK,
	MODE_PRINT_EVENTS, MODE_PRINT_GRAPH, MODE_PRINT_CONFIG, MODE_PRINT_MANUAL, MODE_HELP, MODE_VERSION
};

static const struct {
	const char *option;
	enum mode mode;
	const char *argument;   /* NULL: none; "DIR...": all further words too. */
	const char *doc;
	const char *letter;
} modes[] = {
	{ "read", MODE_READ, "DIR...", "read trace directories to the end into --store, then exit", NULL },
	{ "test-alerts", MODE_TEST_ALERTS, NULL,
	  "print the alerts that the rules give over DIR... or --store, then exit", NULL },
	{ "dump", MODE_DUMP, "DIR...", "print every event as a line of JSON, then exit", NULL },
	{ "stdio", MODE_STDIO, NULL, "answer queries about --store on standard input and output", NULL },
	{ "dump-store", MODE_DUMP_STORE, NULL, "print what --store holds of the traces, then exit", NULL },
	{ "print-events", MODE_PRINT_EVENTS, "ROLE",
	  "print the LTTng events to enable on compute|network|storage|controller nodes", NULL },
	{ "print-graph", MODE_PRINT_GRAPH, "ANALYZER", "print a state machine as Graphviz text", NULL },
	{ "print-config", MODE_PRINT_CONFIG, NULL, "print all options, their values and meaning", NULL },
	{ "print-manual", MODE_PRINT_MANUAL, NULL, "print the keys' part of cloudtraced.conf(5)", NULL },
	{ "check", MODE_CHECK, NULL, "check the configuration, then exit (also -t)", "-t" },
	{ "help", MODE_HELP, NULL, "print this", "-h" },
	{ "version", MODE_VERSION, NULL, "print the version", NULL },
};

struct command_line {
	enum mode mode;
	const char *argument;
	const char **paths;
	size_t n_paths;
	struct config config;
};

static void
print_help(void)
{
	puts("Usage: cloudtraced --relayd=HOST[:PORT]... --store=FILE\n"
	     "       cloudtraced --config=FILE\n"
	     "       cloudtraced --read DIR... --store=FILE\n"
	     "       cloudtraced --dump DIR...\n\n"
	     "Watches the live LTTng sessions of an OpenStack cloud's nodes; see cloudtraced(8).\n");
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
		printf("  --%s%s%s%*s%s\n", modes[i].option, modes[i].argument ? " " : "",
		       modes[i].argument ? modes[i].argument : "",
		       (int) (24 - strlen(modes[i].option) -
			      (modes[i].argument ? strlen(modes[i].argument) + 1 : 0)), "", modes[i].doc);
	puts("  --config FILE             read options from a file (cloudtraced.conf(5))\n"
	     "  --KEY=VALUE               set one option; --print-config lists them\n\n"
	     "Exit status: 0 done or stopped, 1 failed, 2 wrong usage.");
}

static int
usage_error(const char *format, const char *what)
{
	char text[300];

	snprintf(text, sizeof text, format, what);
	fprintf(stderr, "cloudtraced: %s (see cloudtraced --help)\n", text);
	return -EINVAL;
}

static int
set_mode(struct command_line *line, unsigned i, const char *value, char **argv, int argc, int *at)
{
	if (line->mode != MODE_RUN && line->mode != modes[i].mode)
		return usage_error("--%s does not go with the options before it", modes[i].option);
	line->mode = modes[i].mode;
	if (!modes[i].argument)
		return value ? usage_error("--%s takes no value", modes[i].option) : 0;
	if (!value) {
		if (*at + 1 >= argc)
			return usage_error("--%s needs an argument", modes[i].option);
		value = argv[++*at];
	}
	if (!strstr(modes[i].argument, "..."))
		line->argument = value;
	else
		line->paths[line->n_paths++] = value;
	return 0;
}

/* What stands behind "--". */
static int
parse_option(struct command_line *line, char *word, char **argv, int argc, int *at,
	     struct error *error)
{
	char *equals = strchr(word, '='), *value = equals ? equals + 1 : NULL;

	if (equals)
		*equals = '\0';
	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
		if (streq(word, modes[i].option))
			return set_mode(line, i, value ? argv[*at] + (value - word) + 2 : NULL, argv,
					argc, at);
	if (!value && *at + 1 < argc && (config_has_key(word) || streq(word, "config")))
		value = argv[++*at];
	if (!value)
		return usage_error(config_has_key(word) ? "--%s needs a value" :
				   "there is no option --%s", word);
	/* The file was read in a first pass. */
	if (streq(word, "config"))
		return 0;
	return config_set(&line->config, word, value, error);
}

/* "--key=value", "--key value", a mode, or a directory. */
static int
parse_word(struct command_line *line, char **argv, int argc, int *at, struct error *error)
{
	_cleanup_(freep) char *copy = NULL;
	char *word = argv[*at];

	for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
		if (modes[i].letter && streq(word, modes[i].letter))
			return set_mode(line, i, NULL, argv, argc, at);
	if (!starts_with(word, "-")) {
		line->paths[line->n_paths++] = word;
		return 0;
	}
	if (!starts_with(word, "--"))
		return usage_error("there is no option %s", word);
	/* The words are read again at each SIGHUP. */
	copy = xstrdup(word + 2);
	return parse_option(line, copy, argv, argc, at, error);
}

/* The file first, wherever it stands, so that the command line wins. */
static int
read_config_file(struct command_line *line, int argc, char **argv, struct error *error)
{
	const char *path = NULL;

	for (int i = 1; i < argc; i++)
		if (starts_with(argv[i], "--config="))
			path = argv[i] + strlen("--config=");
		else if (streq(argv[i], "--config") && i + 1 < argc)
			path = argv[++i];
	return path ? config_read(&line->config, path, error) : 0;
}

static int
parse_command_line(struct command_line *line, int argc, char **argv, struct error *error)
{
	int r = read_config_file(line, argc, argv, error);

	for (int i = 1; r >= 0 && i < argc; i++)
		r = parse_word(line, argv, argc, &i, error);
	if (r < 0)
		return r;
	if (line->n_paths && line->mode != MODE_READ && line->mode != MODE_DUMP &&
	    line->mode != MODE_TEST_ALERTS)
		return usage_error("'%s' is not an option; directories go with --read or --dump",
				   line->paths[0]);
	return config_check(&line->config, error);
}

struct watch {
	int argc;
	char **argv;
	const struct config *config;      /* As the daemon began with it; the lane's. */
	struct config now;                /* As it was read last. */
	struct event_base *base;
	struct lane *lane;
	struct writer *writer;
	struct serve *serve;
	struct deliver *deliver;          /* NULL: nobody gets alerts. */
	pthread_mutex_t lock;             /* Of 'deliver', which SIGHUP exchanges. */
};

static void
on_signal(evutil_socket_t number, short what, void *user)
{
	log_info("stopping on signal %s", strsignal((int) number));
	event_base_loopbreak(((struct watch *) user)->base);
}

/* The watchdog is only fed while all threads move. */
static void
on_watchdog(evutil_socket_t fd, short what, void *user)
{
	struct watch *watch = user;
	uint64_t limit = clock_mono_ns() - 4 * notify_watchdog_ns();

	if (lane_alive_ns(watch->lane) > limit && writer_alive_ns(watch->writer) > limit &&
	    (!watch->deliver || deliver_alive_ns(watch->deliver) > limit))
		notify_state("WATCHDOG=1");
}

static void
on_commit(void *context)
{
	struct watch *watch = context;

	if (watch->serve)
		serve_notify(watch->serve);
	pthread_mutex_lock(&watch->lock);
	deliver_notify(watch->deliver);
	pthread_mutex_unlock(&watch->lock);
}

static bool
keep_silence(void *context, const char *id, json_t *silence)
{
	struct watch *watch = context;
	struct batch *batch = batch_new();

	batch_add_silence(batch, id, silence);
	if (writer_submit(watch->writer, batch))
		return true;
	batch_free(batch);
	return false;
}

static int
make_parent_dir(const char *path)
{
	char *copy = xstrdup(path), *slash = strrchr(copy, '/');
	int r = 0;

	if (slash && slash != copy) {
		*slash = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			r = -errno;
	}
	free(copy);
	return r;
}

/* "" is none. */
static const char *
text_or_null(const char *text)
{
	return *text ? text : NULL;
}

static struct serve_options
serving_of(const struct config *config)
{
	struct serve_options serving = serve_defaults;

	serving.store_path = config->store;
	serving.socket_path = text_or_null(config->socket);
	serving.ro_socket_path = text_or_null(config->ro_socket);
	serving.tls_listen = text_or_null(config->tls_listen);
	serving.http_listen = text_or_null(config->http_listen);
	serving.tls_certificate = text_or_null(config->tls_certificate);
	serving.tls_key = text_or_null(config->tls_key);
	serving.tls_authority = text_or_null(config->tls_authority);
	serving.tls_crl = text_or_null(config->tls_crl);
	serving.tls_readers = config->tls_readers;
	serving.tls_operators = config->tls_operators;
	serving.http_tokens = text_or_null(config->http_tokens);
	serving.http_hosts = config->http_hosts;
	serving.max_remote_clients = (unsigned) config->max_remote_clients;
	serving.max_handshakes = (unsigned) config->max_handshakes;
	serving.handshake_ns = config->handshake_ns;
	serving.http_idle_ns = config->http_idle_ns;
	serving.max_clients = (unsigned) config->max_clients;
	serving.max_clients_per_uid = (unsigned) config->max_clients_per_uid;
	serving.max_backlog = config->max_backlog_bytes;
	serving.sections = &config->sections;
	serving.started_ns = clock_wall_ns();
	return serving;
}

/* Exchanges the thread that delivers: what it had under way waits in the store. */
static int
start_deliver(struct watch *watch, const struct config *config, struct error *error)
{
	struct deliver *old = watch->deliver, *new = NULL;
	int r;

	pthread_mutex_lock(&watch->lock);
	watch->deliver = NULL;
	pthread_mutex_unlock(&watch->lock);
	deliver_stop(old);
	r = deliver_start(config->store, &config->sections, watch->writer, &new, error);
	pthread_mutex_lock(&watch->lock);
	watch->deliver = new;
	pthread_mutex_unlock(&watch->lock);
	return r;
}

static int
start_threads(struct watch *watch, const struct config *config, struct error *error)
{
	struct writer_options writing = {
		.store_path = config->store, .hub = hub_defaults,
		.retention_ns = config->retention_ns,
		.window_retention_ns = config->window_retention_ns,
		.committed = on_commit, .context = watch,
	};
	struct serve_options serving = serving_of(config);
	int r;

	make_parent_dir(config->store);
	serving.silence = keep_silence;
	serving.silence_context = watch;
	serving.socket_fd = notify_listener("control");
	serving.ro_socket_fd = notify_listener("ro");
	if (serving.socket_path && serving.socket_fd < 0)
		make_parent_dir(serving.socket_path);
	if (serving.ro_socket_path && serving.ro_socket_fd < 0)
		make_parent_dir(serving.ro_socket_path);
	writing.hub.failed_hold_ns = config->failed_hold_ns;
	r = alert_rules_new(config->sections.rules, config->sections.n_rules, &writing.hub.rules, error);
	if (r < 0)
		return r;
	writing.routes = deliver_routes_new(&config->sections);
	r = writer_start(&writing, &watch->writer, error);
	if (r >= 0)
		r = serve_new(watch->base, &serving, &watch->serve, error);
	if (r >= 0)
		r = start_deliver(watch, config, error);
	if (r >= 0)
		r = lane_start(config, watch->writer, &watch->lane, error);
	return r;
}

static void
set_log_level(const struct config *config)
{
	enum log_level level = LOG_LEVEL_INFO;

	log_level_parse(config->log_level, &level);
	log_set_level(level);
}

static void
log_difference(void *context, const char *key, bool reload)
{
	if (reload)
		log_info("%s is taken over", key);
	else
		log_warning("%s changed: it is taken over at the next start", key);
}

/* Takes over what can change; sources, clients and the store go on. */
static int
take_over(struct watch *watch, const struct config *config, struct error *error)
{
	struct serve_options serving = serving_of(config);
	struct hub_options hub = hub_defaults;
	int r = alert_rules_new(config->sections.rules, config->sections.n_rules, &hub.rules, error);

	if (r >= 0)
		r = serve_reconfigure(watch->serve, &serving, error);
	if (r < 0) {
		alert_rules_free(hub.rules);
		return r;
	}
	hub.failed_hold_ns = config->failed_hold_ns;
	writer_reconfigure(watch->writer, config->retention_ns, config->window_retention_ns, &hub,
			   deliver_routes_new(&config->sections));
	set_log_level(config);
	lane_reconfigure(watch->lane, config);
	return start_deliver(watch, config, error);
}

static void
on_hangup(evutil_socket_t number, short what, void *user)
{
	struct watch *watch = user;
	struct command_line line = { .paths = xcalloc((size_t) watch->argc + 1, sizeof (char *)) };
	struct error error = { 0 };
	int r;

	config_init(&line.config);
	notify_reloading();
	r = parse_command_line(&line, watch->argc, watch->argv, &error);
	if (r >= 0)
		r = take_over(watch, &line.config, &error);
	if (r < 0) {
		log_error("the configuration is not taken over: %s",
			  error.code ? error.text : "a word of the command line is wrong");
		config_done(&line.config);
	} else {
		config_compare(watch->now.store ? &watch->now : watch->config, &line.config,
			       log_difference, NULL);
		config_done(&watch->now);
		watch->now = line.config;
		serve_show_rules(watch->serve, &watch->now.sections);
		log_info("the configuration was read again");
	}
	free(line.paths);
	notify_state("READY=1");
}

static void
watch_signals(struct watch *watch, struct event *events[4])
{
	uint64_t period = notify_watchdog_ns();
	struct timeval every = clock_timeval(period);

	signal(SIGPIPE, SIG_IGN);
	events[0] = evsignal_new(watch->base, SIGINT, on_signal, watch);
	events[1] = evsignal_new(watch->base, SIGTERM, on_signal, watch);
	events[2] = event_new(watch->base, -1, EV_PERSIST, on_watchdog, watch);
	events[3] = evsignal_new(watch->base, SIGHUP, on_hangup, watch);
	event_add(events[0], NULL);
	event_add(events[1], NULL);
	event_add(events[3], NULL);
	if (period)
		event_add(events[2], &every);
}

/* Each live session takes a connection. */
static void
allow_many_files(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int
run_daemon(const struct config *config, int argc, char **argv, struct error *error)
{
	struct watch watch = { .argc = argc, .argv = argv, .config = config,
			       .lock = PTHREAD_MUTEX_INITIALIZER };
	struct deliver *deliver;
	struct event *events[4];
	int r;

	if (!config->n_relayds)
		log_warning("no relayd is configured: only the store is served (set relayd = HOST:PORT)");
	allow_many_files();
	evthread_use_pthreads();
	watch.base = event_base_new();
	if (!watch.base)
		return error_set(error, ENOMEM, "the event loop can't be made");
	watch_signals(&watch, events);
	r = start_threads(&watch, config, error);
	if (r >= 0) {
		notify_state("READY=1");
		log_info("running: store %s, socket %s, %u relayd%s", config->store, config->socket,
			 config->n_relayds, config->n_relayds == 1 ? "" : "s");
		event_base_dispatch(watch.base);
		notify_state("STOPPING=1");
	}
	lane_stop(watch.lane);
	pthread_mutex_lock(&watch.lock);
	deliver = watch.deliver;
	watch.deliver = NULL;
	pthread_mutex_unlock(&watch.lock);
	deliver_stop(deliver);
	writer_stop(watch.writer, 2 * NS_PER_S);
	serve_free(watch.serve);
	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		event_free(events[i]);
	event_base_free(watch.base);
	config_done(&watch.now);
	return r;
}

static int
run_stdio(const struct config *config, struct error *error)
{
	struct serve_options serving = serve_defaults;
	struct event_base *base = event_base_new();
	int r;

	signal(SIGPIPE, SIG_IGN);
	if (!base)
		return error_set(error, ENOMEM, "the event loop can't be made");
	serving.store_path = config->store;
	r = serve_stdio(base, &serving, STDIN_FILENO, STDOUT_FILENO, error);
	event_base_free(base);
	return r;
}

static void
print_if_fixed(void *context, const char *key, bool reload)
{
	bool *any = context;

	if (reload)
		return;
	printf("%s%s", *any ? ", " : "SIGHUP takes over all that changes in this file but: ", key);
	*any = true;
}

/* Which of the keys that were set need a restart. */
static void
print_fixed(const struct config *config)
{
	struct config defaults;
	bool any = false;

	config_init(&defaults);
	config_compare(&defaults, config, print_if_fixed, &any);
	if (any)
		puts("");
	config_done(&defaults);
}

static int
dump_store(const char *path, struct error *error)
{
	struct store *store;
	int r = store_open(path, STORE_READ, &store, error);

	if (r < 0)
		return r;
	r = store_dump(store, stdout, error);
	store_close(store);
	return r;
}

/* What only those who use it can tell: rules, certificates, tokens. */
static int
check_all(const struct config *config, struct error *error)
{
	struct serve_options serving = serving_of(config);
	struct alert_rules *rules = NULL;
	int r = alert_rules_new(config->sections.rules, config->sections.n_rules, &rules, error);

	alert_rules_free(rules);
	return r < 0 ? r : serve_check(&serving, error);
}

static enum ctf_backend
backend(const struct config *config)
{
	return streq(config->reader, "babeltrace2") ? CTF_BACKEND_BABELTRACE2 : CTF_BACKEND_OWN;
}

static int
perform(struct command_line *line, int argc, char **argv, struct error *error)
{
	const struct config *config = &line->config;
	int r;

	switch (line->mode) {
	case MODE_RUN:
		return run_daemon(config, argc, argv, error);
	case MODE_READ:
		return archive_read(config, line->paths, line->n_paths, backend(config), error);
	case MODE_TEST_ALERTS:
		return test_alerts(config, line->paths, line->n_paths, error);
	case MODE_DUMP:
		return archive_dump(line->paths, line->n_paths, backend(config), stdout, error);
	case MODE_DUMP_STORE:
		return dump_store(config->store, error);
	case MODE_STDIO:
		return run_stdio(config, error);
	case MODE_CHECK:
		if (check_all(config, error) < 0)
			return -EINVAL;
		print_fixed(config);
		puts("the configuration is good");
		return 0;
	case MODE_PRINT_EVENTS:
		return engine_print_events(analyzers, line->argument, stdout, error);
	case MODE_PRINT_GRAPH:
		r = engine_print_graph(analyzers, line->argument, stdout);
		if (r == -ENOTSUP)
			return error_set(error, ENOTSUP, "analyzer '%s' is a program, no table of "
					 "states: there is nothing to draw", line->argument);
		if (r == 0)
			return 0;
		return error_set(error, ENOENT, "there is no analyzer '%s'", line->argument);
	case MODE_PRINT_CONFIG:
		config_print(config, stdout);
		return 0;
	case MODE_PRINT_MANUAL:
		config_print_manual(stdout);
		return 0;
	case MODE_HELP:
		print_help();
		return 0;
	case MODE_VERSION:
		puts("cloudtraced " PACKAGE_VERSION);
		return 0;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct command_line line = { .paths = xcalloc((size_t) argc + 1, sizeof (char *)) };
	struct error error = { 0 };
	int r;

	log_init("cloudtraced", LOG_LEVEL_INFO);
	config_init(&line.config);
	if (parse_command_line(&line, argc, argv, &error) < 0) {
		if (error.code)
			log_error("%s", error.text);
		return 2;
	}
	set_log_level(&line.config);
	r = perform(&line, argc, argv, &error);
	if (fflush(stdout) != 0 && r >= 0)
		r = error_set(&error, errno, "standard output: %s", strerror(errno));
	if (r < 0)
		log_error("%s", error.text);
	config_done(&line.config);
	free(line.paths);
	return r < 0 ? 1 : 0;
}
