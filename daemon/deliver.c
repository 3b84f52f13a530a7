/* SPDX-License-Identifier: MIT */
#include "daemon/deliver.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemon/batch.h"
#include "daemon/deliver_private.h"
#include "daemon/export_otlp.h"
#include "daemon/why.h"
#include "daemon/writer.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/util.h"

enum {
	AT_ONCE = 64, FLOWS_AT_ONCE = 16, MAX_EXPLAINED = 20, MAX_REPLY = 4096, MAX_TOKEN = 4096,
	MAX_SILENCED = 10000,
};
#define IDLE_NS     NS_PER_S
#define CHILD_NS    (20 * NS_PER_MS)
/* What belongs to a flow may come a little after its end. */
#define FLOW_NS     (3 * NS_PER_S)
/* Alertmanager wants to hear of what ended for so long. */
#define RESOLVED_NS (300 * NS_PER_S)

enum kind { KIND_ALERTMANAGER, KIND_WEBHOOK, KIND_JOURNAL, KIND_EXEC, KIND_OTLP };
static const char *const kind_names[] = { "alertmanager", "webhook", "journal", "exec", "otlp" };

struct target {
	struct deliver *deliver;
	struct config_receiver config;
	enum kind kind;
	/* What is under way. */
	bool busy, resending;
	CURL *easy;
	struct curl_slist *headers;
	struct buf body, reply;
	pid_t child;
	uint64_t child_due_ns;
	json_t *sent;              /* Array of what was read from the queue. */
	/* What comes next; monotonic times. */
	uint64_t done_seq;         /* All up to here is done with. */
	uint64_t next_ns, resend_ns;
	unsigned failures;
	json_t *silenced;          /* Id to seq: what it was not told of, to be told when that ends;
				    * the store keeps its mark, so that a restart forgets none. */
};

struct deliver {
	pthread_t thread;
	_Atomic bool stopping, notified;
	_Atomic uint64_t alive_ns;
	CURLM *multi;
	struct store *store;
	struct writer *writer;
	struct batch *done;        /* What the writer is to forget. */
	struct config_sections sections;
	struct target targets[CONFIG_MAX_RECEIVERS];
	unsigned n;
	json_t *silences;
};

static const char *
text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* -- Ends of deliveries --------------------------------------------------- */

static void
forget_sent(struct target *target)
{
	json_decref(target->sent);
	target->sent = NULL;
	target->busy = target->resending = false;
	curl_slist_free_all(target->headers);
	target->headers = NULL;
	buf_clear(&target->body);
	buf_clear(&target->reply);
}

/* It was told, or is over, or waits under another number. */
static void
forget_silenced(struct target *target, const char *id, uint64_t seq)
{
	uint64_t kept = (uint64_t) json_integer_value(json_object_get(target->silenced, id));

	if (kept && kept != seq)
		batch_add_delivered(target->deliver->done, kept, false);
	json_object_del(target->silenced, id);
}

/* What was sent is done with. */
static void
finish(struct target *target)
{
	struct deliver *deliver = target->deliver;
	const json_t *one;
	size_t i;

	json_array_foreach(target->sent, i, one) {
		uint64_t seq = (uint64_t) json_integer_value(json_object_get(one, "seq"));

		batch_add_delivered(deliver->done, seq, target->kind == KIND_OTLP);
		forget_silenced(target, text_of(json_object_get(one, "doc"), "id"), seq);
		target->done_seq = MAX(target->done_seq, seq);
	}
	target->failures = 0;
	target->next_ns = 0;
	forget_sent(target);
}

static void
retry(struct target *target, uint64_t after_ns, const char *why)
{
	static struct log_limit limit = LOG_LIMIT(10, 60 * NS_PER_S);
	uint64_t pause_ns = target->config.retry_min_ns << MIN(target->failures, 30U);

	if (target->failures >= 30 || pause_ns > target->config.retry_max_ns)
		pause_ns = target->config.retry_max_ns;
	pause_ns = MAX(pause_ns, after_ns);
	if (log_allowed(&limit))
		log_warning("a delivery failed: receiver=%s: %s; tried again in %.1f s",
			    target->config.name, why, (double) pause_ns / 1e9);
	target->failures++;
	target->next_ns = clock_mono_ns() + pause_ns;
	if (target->resending)
		target->resend_ns = target->next_ns;
	forget_sent(target);
}

static void
give_up(struct target *target, const char *why)
{
	log_error("what was sent is refused, and not sent again: receiver=%s: %s", target->config.name, why);
	finish(target);
}

/* -- HTTP ----------------------------------------------------------------- */

static size_t
take_reply(char *bytes, size_t size, size_t n, void *context)
{
	struct target *target = context;

	if (target->reply.size < MAX_REPLY)
		buf_add(&target->reply, bytes, MIN(size * n, MAX_REPLY - target->reply.size));
	return size * n;
}

static void
add_token(struct target *target)
{
	char token[MAX_TOKEN] = "";
	FILE *file = *target->config.token ? fopen(target->config.token, "re") : NULL;
	_cleanup_(freep) char *header = NULL;

	if (!file)
		return;
	if (fgets(token, sizeof token, file)) {
		token[strcspn(token, "\r\n")] = '\0';
		header = xasprintf("Authorization: Bearer %s", token);
		target->headers = curl_slist_append(target->headers, header);
		explicit_bzero(header, strlen(header));
	}
	explicit_bzero(token, sizeof token);
	fclose(file);
}

static void
set_up_request(struct target *target, const char *url)
{
	const struct config_receiver *config = &target->config;
	CURL *easy = target->easy;

	curl_easy_reset(easy);
	target->headers = curl_slist_append(NULL, "Content-Type: application/json");
	target->headers = curl_slist_append(target->headers, "Expect:");
	add_token(target);
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, target->headers);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, target->body.data);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) target->body.size);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_reply);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, target);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, target);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) (config->timeout_ns / NS_PER_MS));
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long) CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "cloudtraced/" PACKAGE_VERSION);
	if (*config->authority)
		curl_easy_setopt(easy, CURLOPT_CAINFO, config->authority);
	if (*config->certificate)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, config->certificate);
	if (*config->key)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, config->key);
}

static void
post(struct target *target)
{
	const char *url = target->config.url;
	size_t n = strlen(url);
	_cleanup_(freep) char *full = NULL;

	if (target->kind == KIND_ALERTMANAGER)
		full = xasprintf("%.*s/api/v2/alerts", (int) (n && url[n - 1] == '/' ? n - 1 : n), url);
	target->busy = true;
	set_up_request(target, full ? full : url);
	if (curl_multi_add_handle(target->deliver->multi, target->easy))
		retry(target, 0, "libcurl takes no request");
}

static void
answered(struct target *target, CURLcode code)
{
	char text[256];
	curl_off_t after_s = 0;
	long status = 0;

	curl_multi_remove_handle(target->deliver->multi, target->easy);
	curl_easy_getinfo(target->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(target->easy, CURLINFO_RETRY_AFTER, &after_s);
	if (code) {
		retry(target, 0, curl_easy_strerror(code));
		return;
	}
	if (status >= 200 && status < 300) {
		if (target->failures)
			log_info("deliveries are taken again: receiver=%s", target->config.name);
		finish(target);
		return;
	}
	snprintf(text, sizeof text, "HTTP status %ld: %.160s", status,
		 target->reply.data ? target->reply.data : "");
	/* What is wrong with the request itself stays wrong; the specification of OTLP
	 * says for which statuses another attempt makes sense. */
	if (target->kind == KIND_OTLP && status != 429 && status != 502 && status != 503 &&
	    status != 504)
		give_up(target, text);
	else if (status >= 400 && status < 500 && status != 401 && status != 403 && status != 404 &&
	    status != 408 && status != 429)
		give_up(target, text);
	else
		retry(target, (uint64_t) MIN(after_s, (curl_off_t) 3600) * NS_PER_S, text);
}

static void
take_answers(struct deliver *deliver)
{
	struct target *target;
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(deliver->multi, &left)))
		if (message->msg == CURLMSG_DONE &&
		    !curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **) &target))
			answered(target, message->data.result);
}

/* -- What is to be sent --------------------------------------------------- */

/* Takes the alerts of what was read from the queue. */
static json_t *
alerts_of(const json_t *queued)
{
	json_t *alerts = json_array();
	const json_t *one;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) queued, i, one)
		json_array_append(alerts, json_object_get(one, "doc"));
	return alerts;
}

/* Silenced ones are done with; they are remembered if they fire. */
static void
leave_out_silenced(struct target *target, json_t *queued, uint64_t now_ns)
{
	for (size_t i = json_array_size(queued); i-- > 0; ) {
		json_t *one = json_array_get(queued, i), *alert = json_object_get(one, "doc");
		uint64_t seq = (uint64_t) json_integer_value(json_object_get(one, "seq"));
		bool keep;

		if (!deliver_is_silenced(target->deliver->silences, alert, now_ns))
			continue;
		keep = streq(text_of(alert, "state"), "firing") &&
			json_object_size(target->silenced) < MAX_SILENCED;
		forget_silenced(target, text_of(alert, "id"), seq);
		if (keep)
			json_object_set_new(target->silenced, text_of(alert, "id"),
					    json_integer((json_int_t) seq));
		batch_add_delivered(target->deliver->done, seq, keep);
		json_array_remove(queued, i);
	}
}

/* They are ordered by when they were queued. */
static void
leave_out_young(json_t *queued, uint64_t now_ns)
{
	for (size_t i = json_array_size(queued); i-- > 0; ) {
		json_int_t at_ns = json_integer_value(json_object_get(json_array_get(queued, i),
								      "queued_ns"));

		if ((uint64_t) at_ns + FLOW_NS > now_ns && (uint64_t) at_ns < now_ns + FLOW_NS)
			json_array_remove(queued, i);
	}
}

/* A webhook's request has alerts of one rule, a program and the journal take one
 * alert at a time. */
static void
keep_first_group(const struct target *target, json_t *queued)
{
	const char *rule = text_of(json_object_get(json_array_get(queued, 0), "doc"), "rule");
	size_t n = 1;

	if (target->kind == KIND_ALERTMANAGER || target->kind == KIND_OTLP)
		return;
	while (target->kind == KIND_WEBHOOK && n < json_array_size(queued) &&
	       streq(rule, text_of(json_object_get(json_array_get(queued, n), "doc"), "rule")))
		n++;
	while (json_array_size(queued) > n)
		json_array_remove(queued, n);
}

/* The flows as they are now, those that there still are. */
static json_t *
flows_of(struct store *store, const json_t *queued)
{
	json_t *flows = json_array(), *one, *flow;
	size_t i;

	json_array_foreach((json_t *) (uintptr_t) queued, i, one) {
		const char *id = text_of(one, "id");

		flow = streq(text_of(json_object_get(one, "doc"), "topic"), "migration") ?
		       store_migration(store, id) : store_flow_show(store, id, NULL);
		if (flow)
			json_array_append_new(flows, flow);
	}
	return flows;
}

/* Adds what is known by now of why; of the first ones alone, as each takes some
 * milliseconds.  A copy, as what waits stays as it was raised. */
static void
explain(struct store *store, json_t *alerts)
{
	for (size_t i = 0; i < MIN(json_array_size(alerts), (size_t) MAX_EXPLAINED); i++) {
		json_t *alert = json_copy(json_array_get(alerts, i));
		json_t *findings = why_alert(store, alert);

		if (findings)
			json_object_set_new(alert, "findings", findings);
		json_array_set_new(alerts, i, alert);
	}
}

static void
send_sent(struct target *target)
{
	json_t *alerts = target->kind == KIND_OTLP ? flows_of(target->deliver->store, target->sent) :
			 alerts_of(target->sent);
	struct error error = { 0 };

	if (target->kind != KIND_OTLP)
		explain(target->deliver->store, alerts);

	switch (target->kind) {
	case KIND_ALERTMANAGER:
		payload_alertmanager(alerts, 4 * target->config.resend_ns, &target->body);
		post(target);
		break;
	case KIND_WEBHOOK:
		payload_webhook(alerts, target->config.name, &target->body);
		post(target);
		break;
	case KIND_OTLP:
		export_otlp(alerts, &target->body);
		post(target);
		break;
	case KIND_JOURNAL:
		if (payload_journal(json_array_get(alerts, 0), &error))
			retry(target, 0, error.text);
		else
			finish(target);
		break;
	case KIND_EXEC:
		target->busy = true;
		target->child_due_ns = clock_mono_ns() + target->config.timeout_ns;
		if (exec_start(target->config.command, json_array_get(alerts, 0), &target->child, &error))
			retry(target, 0, error.text);
		break;
	}
	json_decref(alerts);
}

/* Alertmanager hears of all that fires, or ended a short while ago. */
static void
send_again(struct target *target, uint64_t now_ns)
{
	uint64_t wall_ns = clock_wall_ns();
	json_t *alerts = store_alerts_recent(target->deliver->store, wall_ns - RESOLVED_NS, NULL);

	target->resend_ns = now_ns + target->config.resend_ns;
	for (size_t i = json_array_size(alerts); i-- > 0; )
		if (deliver_is_silenced(target->deliver->silences, json_array_get(alerts, i), wall_ns))
			json_array_remove(alerts, i);
	if (json_array_size(alerts)) {
		explain(target->deliver->store, alerts);
		target->resending = true;
		payload_alertmanager(alerts, 4 * target->config.resend_ns, &target->body);
		post(target);
	}
	json_decref(alerts);
}

/* Alerts whose silence ended, as if they were read from the queue. */
static json_t *
unsilenced(struct target *target)
{
	json_t *list = json_array(), *value;
	uint64_t now_ns = clock_wall_ns();
	const char *id;
	void *next;

	json_object_foreach_safe(target->silenced, next, id, value) {
		json_t *alert = store_alert(target->deliver->store, id);
		json_int_t end_ns = json_integer_value(json_object_get(alert, "end_ns"));

		if (alert && deliver_is_silenced(target->deliver->silences, alert, now_ns)) {
			json_decref(alert);
			continue;
		}
		if (alert && (!end_ns || (uint64_t) end_ns > now_ns)) {
			json_object_set_new(alert, "state", json_string("firing"));
			json_array_append_new(list, json_pack("{s:O, s:O}", "seq", value, "doc", alert));
		} else {
			forget_silenced(target, id, 0);
		}
		json_decref(alert);
	}
	return list;
}

static void
begin(struct target *target, uint64_t now_ns)
{
	json_t *queued;

	if (target->busy || now_ns < target->next_ns)
		return;
	queued = store_queued(target->deliver->store, target->config.name, target->done_seq,
			      target->kind == KIND_OTLP ? FLOWS_AT_ONCE : AT_ONCE, NULL);
	if (target->kind == KIND_OTLP)
		leave_out_young(queued, clock_wall_ns());
	else
		leave_out_silenced(target, queued, clock_wall_ns());
	if (!json_array_size(queued) && target->kind != KIND_ALERTMANAGER) {
		json_decref(queued);
		queued = unsilenced(target);
	}
	if (json_array_size(queued)) {
		keep_first_group(target, queued);
		target->sent = queued;
		send_sent(target);
		return;
	}
	json_decref(queued);
	if (target->kind == KIND_ALERTMANAGER && now_ns >= target->resend_ns)
		send_again(target, now_ns);
}

/* -- The thread ----------------------------------------------------------- */

static void
look_after_child(struct target *target, uint64_t now_ns)
{
	struct error error = { 0 };
	int r;

	if (!target->child)
		return;
	r = exec_poll(target->child, &error);
	if (r == 0 && now_ns < target->child_due_ns)
		return;
	if (r == 0)
		exec_kill(target->child);
	target->child = 0;
	if (r > 0)
		finish(target);
	else
		retry(target, 0, r ? error.text : "the program takes too long");
}

/* When there is something to do again, at the latest. */
static uint64_t
wait_ns(const struct deliver *deliver, uint64_t now_ns)
{
	uint64_t wait = IDLE_NS;

	for (unsigned i = 0; i < deliver->n; i++) {
		const struct target *target = &deliver->targets[i];

		if (target->child)
			wait = MIN(wait, CHILD_NS);
		if (target->next_ns > now_ns)
			wait = MIN(wait, target->next_ns - now_ns);
	}
	return MAX(wait, NS_PER_MS);
}

static void
hand_over_done(struct deliver *deliver)
{
	if (!batch_is_empty(deliver->done) && writer_submit(deliver->writer, deliver->done))
		deliver->done = batch_new();
}

static void
read_silences(struct deliver *deliver)
{
	json_t *silences = store_silences(deliver->store, clock_wall_ns(), NULL);

	if (silences) {
		json_decref(deliver->silences);
		deliver->silences = silences;
	}
}

static void *
run(void *context)
{
	struct deliver *deliver = context;
	int running, events;

	while (!deliver->stopping) {
		uint64_t now_ns = clock_mono_ns();

		deliver->alive_ns = now_ns;
		deliver->notified = false;
		read_silences(deliver);
		for (unsigned i = 0; i < deliver->n; i++) {
			look_after_child(&deliver->targets[i], now_ns);
			begin(&deliver->targets[i], now_ns);
		}
		curl_multi_perform(deliver->multi, &running);
		take_answers(deliver);
		hand_over_done(deliver);
		curl_multi_poll(deliver->multi, NULL, 0,
				(int) (wait_ns(deliver, clock_mono_ns()) / NS_PER_MS), &events);
	}
	return NULL;
}

/* -- Start and end -------------------------------------------------------- */

static int
make_target(struct deliver *deliver, const struct config_receiver *config, struct error *error)
{
	struct target *target = &deliver->targets[deliver->n++];

	target->deliver = deliver;
	target->config = *config;
	for (unsigned i = 0; i < ARRAY_SIZE(kind_names); i++)
		if (streq(config->type, kind_names[i]))
			target->kind = (enum kind) i;
	target->silenced = target->kind == KIND_OTLP ? json_object() :
		store_kept(deliver->store, config->name, MAX_SILENCED, error);
	if (!target->silenced)
		return -EIO;
	target->easy = curl_easy_init();
	return target->easy ? 0 : error_set(error, ENOMEM, "libcurl makes no handle");
}

static void
deliver_free(struct deliver *deliver)
{
	for (unsigned i = 0; i < deliver->n; i++) {
		struct target *target = &deliver->targets[i];

		if (target->child)
			exec_kill(target->child);
		if (target->easy && target->busy)
			curl_multi_remove_handle(deliver->multi, target->easy);
		if (target->easy)
			curl_easy_cleanup(target->easy);
		forget_sent(target);
		buf_done(&target->body);
		buf_done(&target->reply);
		json_decref(target->silenced);
	}
	if (deliver->multi)
		curl_multi_cleanup(deliver->multi);
	/* What was told just now is not to be told again. */
	if (!deliver->done || batch_is_empty(deliver->done) ||
	    !writer_submit(deliver->writer, deliver->done))
		batch_free(deliver->done);
	json_decref(deliver->silences);
	store_close(deliver->store);
	config_sections_done(&deliver->sections);
	free(deliver);
}

int
deliver_start(const char *store_path, const struct config_sections *sections,
	      struct writer *writer, struct deliver **ret, struct error *error)
{
	struct deliver *deliver;
	int r;

	*ret = NULL;
	if (!sections->n_receivers)
		return 0;
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return error_set(error, ENOMEM, "libcurl can't be started");
	deliver = xcalloc(1, sizeof *deliver);
	config_sections_copy_receivers(&deliver->sections, sections);
	deliver->writer = writer;
	deliver->done = batch_new();
	deliver->multi = curl_multi_init();
	deliver->alive_ns = clock_mono_ns();
	r = deliver->multi ? 0 : error_set(error, ENOMEM, "libcurl makes no handle");
	if (!r)
		r = store_open(store_path, STORE_READ, &deliver->store, error);
	for (unsigned i = 0; i < deliver->sections.n_receivers && !r; i++)
		r = make_target(deliver, &deliver->sections.receivers[i], error);
	if (!r) {
		r = pthread_create(&deliver->thread, NULL, run, deliver);
		if (r)
			r = error_set(error, r, "the thread of deliveries can't be started");
	}
	if (r)
		deliver_free(deliver);
	else
		*ret = deliver;
	return r;
}

void
deliver_notify(struct deliver *deliver)
{
	if (deliver && !atomic_exchange(&deliver->notified, true))
		curl_multi_wakeup(deliver->multi);
}

void
deliver_stop(struct deliver *deliver)
{
	if (!deliver)
		return;
	deliver->stopping = true;
	curl_multi_wakeup(deliver->multi);
	pthread_join(deliver->thread, NULL);
	deliver_free(deliver);
}

uint64_t
deliver_alive_ns(const struct deliver *deliver)
{
	return deliver->alive_ns;
}
