/* SPDX-License-Identifier: MIT
 *
 * bt2_reader.c -- a trace folder, opened by libbabeltrace2 (backend.h).
 *
 * One graph per trace: its source.ctf.fs component and a sink of our own with
 * one message iterator per stream, which takes messages of the stream that the
 * merge asks for.  So the order between streams is ours: babeltrace2's muxer
 * gives up where timestamps go back, and one bad stream ends all. */
#include <babeltrace2/babeltrace.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctf/backend.h"
#include "ctf/bt2_fields.h"
#include "lib/clock.h"

struct bt2;

struct bt2_stream {
	struct bt2 *bt2;
	char *name;
	uint64_t bytes;             /* For progress: its part of the trace's. */
	uint64_t hz;                /* Of its clock; 0: its events have no time. */
	const bt_trace *trace;
	char env_number[24];        /* The last that was asked for, as text. */
	bt_message_iterator *iterator;
	bt_message_array_const messages;
	uint64_t n_messages, at;
	bool ended;                 /* The iterator gives nothing more. */
	/* What comes next: */
	enum ctf_head head;
	struct ctf_event event;
	struct ctf_loss loss;
	struct ctf_loss due;        /* Discarded events, to be told at the packet's end. */
	bool has_due;
	int32_t cpu;                        /* "cpu_id" of the last packet; -1: none. */
	bool kernel;                        /* Of the kernel's tracer. */
	int64_t discarded, max_discarded;   /* Running total since the first packet. */
	uint64_t clock_ns;                  /* Begin of the packet, or its last event. */
	uint64_t last_raw_ns;               /* Latest event or loss that was given. */
	struct ctf_value values[CTF_MAX_SLOTS];
	struct buf storage;
	struct ctf_stream_counters counters;
};

struct bt2 {
	struct ctf_opened public;
	const struct ctf_interest *interest;
	struct ctf_problems *problems;
	bt_graph *graph;
	struct bt2_stream *streams;
	size_t n;
	struct bt2_stream *wanted;  /* Whom the next run of the graph is for. */
	bool has_clock;             /* 'public' tells of it. */
};

static void
plugin_putp(const bt_plugin **plugin)
{
	bt_plugin_put_ref(*plugin);
}

/* Takes the error that libbabeltrace2 keeps for this thread: the message of its
 * first cause. */
static void
take_error(char *text, size_t size)
{
	const bt_error *error = bt_current_thread_take_error();

	snprintf(text, size, "%s", error && bt_error_get_cause_count(error) ?
		 bt_error_cause_get_message(bt_error_borrow_cause_by_index(error, 0)) :
		 "it does not say why");
	if (error)
		bt_error_release(error);
}

/* --- The sink component: takes messages of the stream that is wanted. --- */

static bt_component_class_initialize_method_status
sink_initialize(bt_self_component_sink *self, bt_self_component_sink_configuration *configuration,
		const bt_value *parameters, void *data)
{
	struct bt2 *bt2 = data;

	bt_self_component_set_data(bt_self_component_sink_as_self_component(self), bt2);
	for (size_t i = 0; i < bt2->n; i++) {
		_cleanup_(freep) char *name = xasprintf("in%zu", i);

		if (bt_self_component_sink_add_input_port(self, name, NULL, NULL))
			return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_ERROR;
	}
	return BT_COMPONENT_CLASS_INITIALIZE_METHOD_STATUS_OK;
}

static bt_component_class_sink_graph_is_configured_method_status
sink_configured(bt_self_component_sink *self)
{
	struct bt2 *bt2 = bt_self_component_get_data(
		bt_self_component_sink_as_self_component(self));

	for (size_t i = 0; i < bt2->n; i++)
		if (bt_message_iterator_create_from_sink_component(
			    self, bt_self_component_sink_borrow_input_port_by_index(self, i),
			    &bt2->streams[i].iterator))
			return BT_COMPONENT_CLASS_SINK_GRAPH_IS_CONFIGURED_METHOD_STATUS_ERROR;
	return BT_COMPONENT_CLASS_SINK_GRAPH_IS_CONFIGURED_METHOD_STATUS_OK;
}

static bt_component_class_sink_consume_method_status
sink_consume(bt_self_component_sink *self)
{
	struct bt2 *bt2 = bt_self_component_get_data(
		bt_self_component_sink_as_self_component(self));
	struct bt2_stream *stream = bt2->wanted;
	bt_message_iterator_next_status status;
	char text[sizeof ((struct error *) NULL)->text];

	stream->at = stream->n_messages = 0;
	do
		status = bt_message_iterator_next(stream->iterator, &stream->messages,
						  &stream->n_messages);
	while (status == BT_MESSAGE_ITERATOR_NEXT_STATUS_AGAIN);
	if (status == BT_MESSAGE_ITERATOR_NEXT_STATUS_OK)
		return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_OK;
	/* The other streams of the trace can go on: no error for the graph. */
	stream->n_messages = 0;
	stream->ended = true;
	if (status != BT_MESSAGE_ITERATOR_NEXT_STATUS_END) {
		take_error(text, sizeof text);
		ctf_problems_add(bt2->problems, "%s: libbabeltrace2 can't read on: %s",
				 stream->name, text);
	}
	return BT_COMPONENT_CLASS_SINK_CONSUME_METHOD_STATUS_OK;
}

static const bt_component_class_sink *
make_sink_class(void)
{
	bt_component_class_sink *class = bt_component_class_sink_create("merge", sink_consume);

	if (class) {
		bt_component_class_sink_set_initialize_method(class, sink_initialize);
		bt_component_class_sink_set_graph_is_configured_method(class, sink_configured);
	}
	return class;
}

/* --- Messages to events and losses. --- */

/* The next message, which stays the stream's; NULL at the end. */
static const bt_message *
next_message(struct bt2_stream *stream)
{
	while (stream->at == stream->n_messages) {
		struct bt2 *bt2 = stream->bt2;
		char text[sizeof ((struct error *) NULL)->text];

		if (stream->ended)
			return NULL;
		bt2->wanted = stream;
		if (bt_graph_run_once(bt2->graph) < 0) {
			take_error(text, sizeof text);
			ctf_problems_add(bt2->problems, "%s: libbabeltrace2 can't read on: %s",
					 stream->name, text);
			stream->n_messages = stream->at = 0;
			stream->ended = true;
		}
	}
	return stream->messages[stream->at];
}

static void
drop_message(struct bt2_stream *stream)
{
	bt_message_put_ref(stream->messages[stream->at++]);
}

/* Clock cycles in ns, as libbabeltrace2 and our decoder (ctf_clock_ns()) do it. */
static uint64_t
cycles_to_ns(uint64_t hz, uint64_t cycles)
{
	double ns = 1e9 * (double) cycles / (double) hz;

	if (hz == NS_PER_S)
		return cycles;
	return ns >= (double) UINT64_MAX ? UINT64_MAX : (uint64_t) ns;
}

static uint64_t
raw_ns(const struct bt2_stream *stream, const bt_clock_snapshot *snapshot, uint64_t *ret_t_ns)
{
	uint64_t raw = cycles_to_ns(stream->hz, bt_clock_snapshot_get_value(snapshot));
	int64_t t;

	*ret_t_ns = bt_clock_snapshot_get_ns_from_origin(snapshot, &t) ?
		raw + (uint64_t) stream->bt2->public.clock_offset_ns : (uint64_t) t;
	return raw;
}

static void
set_loss_times(struct bt2_stream *stream, struct ctf_loss *loss, const bt_clock_snapshot *begin,
	       const bt_clock_snapshot *end)
{
	loss->begin_raw_ns = raw_ns(stream, begin, &loss->begin_t_ns);
	loss->end_raw_ns = raw_ns(stream, end, &loss->end_t_ns);
}

/* Discarded events: the difference between the running totals of two packets,
 * which is huge when the total went down.  That is a glitch of the tracer, and
 * what comes up to the old total again was told before. */
static void
take_discarded_events(struct bt2_stream *stream, const bt_message *message)
{
	const bt_stream_class *class = bt_stream_borrow_class_const(
		bt_message_discarded_events_borrow_stream_const(message));
	struct ctf_loss *loss = &stream->due;
	const bt_clock_snapshot *begin, *end;
	uint64_t n;

	if (bt_message_discarded_events_get_count(message, &n) !=
	    BT_PROPERTY_AVAILABILITY_AVAILABLE)
		return;
	if ((int64_t) n < 0)
		stream->counters.discarded_glitches++;
	stream->discarded += (int64_t) n;
	if (stream->discarded <= stream->max_discarded)
		return;
	*loss = (struct ctf_loss) {
		.stream = stream->event.stream,
		.events = (uint64_t) (stream->discarded - stream->max_discarded),
		.cpu = stream->cpu, .kernel = stream->kernel,
	};
	stream->max_discarded = stream->discarded;
	stream->has_due = true;
	if (!bt_stream_class_discarded_events_have_default_clock_snapshots(class))
		return;
	begin = bt_message_discarded_events_borrow_beginning_default_clock_snapshot_const(message);
	end = bt_message_discarded_events_borrow_end_default_clock_snapshot_const(message);
	set_loss_times(stream, loss, begin, end);
}

/* The loss comes next, at 'order_ns' among the events: the same as in stream.c. */
static void
give_loss(struct bt2_stream *stream, uint64_t order_ns, const struct ctf_loss *loss)
{
	stream->loss = *loss;
	if (loss->begin_raw_ns > loss->end_raw_ns) {
		stream->loss.begin_raw_ns = loss->end_raw_ns;
		stream->loss.begin_t_ns = loss->end_t_ns;
	}
	stream->last_raw_ns = MAX(stream->last_raw_ns, order_ns);
	stream->counters.discarded_events += loss->events;
	stream->counters.missing_packets += loss->packets;
}

static bool
take_discarded_packets(struct bt2_stream *stream, const bt_message *message)
{
	const bt_stream_class *class = bt_stream_borrow_class_const(
		bt_message_discarded_packets_borrow_stream_const(message));
	struct ctf_loss loss = { .stream = stream->event.stream, .cpu = stream->cpu,
				 .kernel = stream->kernel };
	const bt_clock_snapshot *begin, *end;

	if (bt_message_discarded_packets_get_count(message, &loss.packets) !=
	    BT_PROPERTY_AVAILABILITY_AVAILABLE || (int64_t) loss.packets < 0)
		return false;
	if (!bt_stream_class_discarded_packets_have_default_clock_snapshots(class)) {
		give_loss(stream, 0, &loss);
		return true;
	}
	begin = bt_message_discarded_packets_borrow_beginning_default_clock_snapshot_const(message);
	end = bt_message_discarded_packets_borrow_end_default_clock_snapshot_const(message);
	set_loss_times(stream, &loss, begin, end);
	give_loss(stream, loss.end_raw_ns, &loss);
	return true;
}

/* Makes an event of the message; false when nobody wants it. */
static bool
take_event(struct bt2_stream *stream, const bt_message *message)
{
	const bt_event *event = bt_message_event_borrow_event_const(message);
	const char *name = bt_event_class_get_name(bt_event_borrow_class_const(event));
	struct bt2 *bt2 = stream->bt2;
	int wanted = bt2->interest ? ctf_interest_find(bt2->interest, name ? name : "") : 0;
	uint64_t t_ns = 0;

	stream->counters.events++;
	if (stream->hz)
		stream->clock_ns = raw_ns(stream,
			bt_message_event_borrow_default_clock_snapshot_const(message), &t_ns);
	if (wanted < 0)
		return false;
	stream->counters.wanted++;
	stream->event.wanted = (uint32_t) wanted;
	stream->event.raw_ns = stream->clock_ns;
	stream->event.t_ns = t_ns;
	stream->event.late = stream->event.raw_ns < stream->last_raw_ns;
	stream->counters.late += stream->event.late;
	stream->last_raw_ns = MAX(stream->last_raw_ns, stream->event.raw_ns);
	if (bt2->interest) {
		stream->event.values = stream->values;
		stream->event.n_values = ctf_interest_n_fields(bt2->interest, (unsigned) wanted);
		ctf_bt2_values(event, bt2->interest, (unsigned) wanted, stream->values,
			       &stream->storage);
	}
	return true;
}

static const void *
stream_origin(void *context)
{
	return ((const struct bt2_stream *) context)->bt2;
}

static const char *
stream_env(void *context, const char *key)
{
	struct bt2_stream *stream = context;
	const bt_value *value = stream->trace ?
		bt_trace_borrow_environment_entry_value_by_name_const(stream->trace, key) : NULL;

	if (!value || bt_value_is_string(value))
		return value ? bt_value_string_get(value) : NULL;
	snprintf(stream->env_number, sizeof stream->env_number, "%" PRId64,
		 bt_value_integer_signed_get(value));
	return stream->env_number;
}

static int32_t
packet_cpu(const bt_packet *packet)
{
	const bt_field *context = bt_packet_borrow_context_field_const(packet);
	const bt_field *cpu = context ?
		bt_field_structure_borrow_member_field_by_name_const(context, "cpu_id") : NULL;
	uint64_t number;

	if (!cpu || !bt_field_class_type_is(bt_field_get_class_type(cpu),
					    BT_FIELD_CLASS_TYPE_UNSIGNED_INTEGER))
		return -1;
	number = bt_field_integer_unsigned_get_value(cpu);
	return number <= INT32_MAX ? (int32_t) number : -1;
}

static void
begin_packet(struct bt2_stream *stream, const bt_message *message)
{
	const bt_packet *packet = bt_message_packet_beginning_borrow_packet_const(message);
	const bt_stream_class *class =
		bt_stream_borrow_class_const(bt_packet_borrow_stream_const(packet));
	const bt_clock_snapshot *begin;
	uint64_t t_ns;

	stream->cpu = packet_cpu(packet);
	stream->counters.packets++;
	if (!bt_stream_class_packets_have_beginning_default_clock_snapshot(class))
		return;
	begin = bt_message_packet_beginning_borrow_default_clock_snapshot_const(message);
	stream->clock_ns = raw_ns(stream, begin, &t_ns);
}

/* Takes what the message says; it is dropped unless it is an event to give. */
static enum ctf_head
take_message(struct bt2_stream *stream, const bt_message *message)
{
	switch (bt_message_get_type(message)) {
	case BT_MESSAGE_TYPE_EVENT:
		if (take_event(stream, message))
			return CTF_HEAD_EVENT;
		break;
	case BT_MESSAGE_TYPE_DISCARDED_EVENTS:
		take_discarded_events(stream, message);
		break;
	case BT_MESSAGE_TYPE_DISCARDED_PACKETS:
		if (take_discarded_packets(stream, message)) {
			drop_message(stream);
			return CTF_HEAD_LOSS;
		}
		break;
	case BT_MESSAGE_TYPE_PACKET_BEGINNING:
		begin_packet(stream, message);
		break;
	case BT_MESSAGE_TYPE_PACKET_END:
		/* babeltrace2 tells discarded events before the packet that they
		 * were counted in; they are due at its end. */
		if (!stream->has_due)
			break;
		stream->has_due = false;
		give_loss(stream, stream->clock_ns, &stream->due);
		drop_message(stream);
		return CTF_HEAD_LOSS;
	default:
		break;
	}
	drop_message(stream);
	return CTF_HEAD_NONE;
}

static int
stream_head(void *context, uint64_t *ret_raw_ns, struct error *error)
{
	struct bt2_stream *stream = context;

	while (stream->head == CTF_HEAD_NONE) {
		const bt_message *message = next_message(stream);

		stream->head = message ? take_message(stream, message) : CTF_HEAD_END;
		if (!message)
			stream->counters.bytes = stream->bytes;
	}
	*ret_raw_ns = stream->head == CTF_HEAD_LOSS ? stream->last_raw_ns : stream->event.raw_ns;
	return (int) stream->head;
}

static const struct ctf_event *
stream_event(void *context)
{
	struct bt2_stream *stream = context;

	return &stream->event;
}

static const struct ctf_loss *
stream_loss(void *context)
{
	struct bt2_stream *stream = context;

	return &stream->loss;
}

static void
stream_advance(void *context)
{
	struct bt2_stream *stream = context;

	if (stream->head == CTF_HEAD_EVENT)
		drop_message(stream);
	if (stream->head != CTF_HEAD_END)
		stream->head = CTF_HEAD_NONE;
}

static int
stream_visit(void *context, const struct ctf_visitor *visitor, void *visitor_context,
	     struct error *error)
{
	struct bt2_stream *stream = context;
	const bt_event *event =
		bt_message_event_borrow_event_const(stream->messages[stream->at]);

	visitor->event_begin(visitor_context, stream->event.stream,
			     bt_event_class_get_name(bt_event_borrow_class_const(event)),
			     stream->event.raw_ns, stream->event.t_ns, stream->hz);
	ctf_bt2_visit(event, visitor, visitor_context);
	visitor->event_end(visitor_context);
	return 0;
}

static struct ctf_stream_counters *
stream_counters(void *context)
{
	struct bt2_stream *stream = context;

	return &stream->counters;
}

static const struct ctf_foreign_ops stream_ops = {
	.head = stream_head,
	.event = stream_event,
	.loss = stream_loss,
	.advance = stream_advance,
	.visit = stream_visit,
	.counters = stream_counters,
	.env = stream_env,
	.origin = stream_origin,
};

/* --- Opening. --- */

static int
failed(struct error *error, const struct ctf_found_trace *found, int code)
{
	char text[sizeof error->text];

	take_error(text, sizeof text);
	return error_set(error, code, "%s: libbabeltrace2 can't open it: %s", found->path, text);
}

/* Says it when libbabeltrace2 refused a trace for being CTF 2: its metadata are
 * JSON objects behind RS characters (RFC 7464). */
static int
refused(struct error *error, const struct ctf_found_trace *found)
{
	_cleanup_(freep) char *path = xasprintf("%s/metadata", found->path);
	FILE *file = fopen(path, "re");
	int first = file ? fgetc(file) : EOF;

	if (file)
		fclose(file);
	if (first == '\x1e' || first == '{' || first == '[')
		error_set(error, EPROTONOSUPPORT, "%s: this is a CTF 2 trace (JSON metadata), "
			  "which libbabeltrace2 2.0 does not understand", found->path);
	/* Does not change a text that is there. */
	return failed(error, found, EBADMSG);
}

static int
add_source(struct bt2 *bt2, const struct ctf_found_trace *found,
	   const bt_component_source **ret, struct error *error)
{
	_cleanup_(plugin_putp) const bt_plugin *plugin = NULL;
	const bt_component_class_source *class = NULL;
	bt_value *parameters, *inputs;
	int r;

	if (!bt_plugin_find("ctf", BT_TRUE, BT_FALSE, BT_TRUE, BT_TRUE, BT_FALSE, &plugin))
		class = bt_plugin_borrow_source_component_class_by_name_const(plugin, "fs");
	if (!class)
		return error_set(error, ENOENT, "babeltrace2's plugin 'ctf' is not installed");
	parameters = bt_value_map_create();
	if (bt_value_map_insert_empty_array_entry(parameters, "inputs", &inputs) ||
	    bt_value_array_append_string_element(inputs, found->path))
		r = -ENOMEM;
	else
		r = bt_graph_add_source_component(bt2->graph, class, "ctf", parameters,
						  BT_LOGGING_LEVEL_NONE, ret);
	bt_value_put_ref(parameters);
	return r ? refused(error, found) : 0;
}

static int
add_sink(struct bt2 *bt2, const struct ctf_found_trace *found,
	 const bt_component_source *source, struct error *error)
{
	const bt_component_class_sink *class = make_sink_class();
	const bt_component_sink *sink;
	int r = class ? bt_graph_add_sink_component_with_initialize_method_data(
		bt2->graph, class, "merge", NULL, bt2, BT_LOGGING_LEVEL_NONE, &sink) : -ENOMEM;

	bt_component_class_sink_put_ref(class);
	for (size_t i = 0; !r && i < bt2->n; i++)
		r = bt_graph_connect_ports(bt2->graph,
			bt_component_source_borrow_output_port_by_index_const(source, i),
			bt_component_sink_borrow_input_port_by_index_const(sink, i), NULL);
	return r ? failed(error, found, EIO) : 0;
}

static void
note_clock(struct bt2_stream *stream, const bt_stream_class *stream_class)
{
	const bt_clock_class *clock =
		bt_stream_class_borrow_default_clock_class_const(stream_class);
	struct bt2 *bt2 = stream->bt2;
	struct ctf_opened *public = &bt2->public;
	int64_t seconds;
	uint64_t cycles;
	bt_uuid uuid;

	if (!clock)
		return;
	stream->hz = bt_clock_class_get_frequency(clock);
	if (bt2->has_clock)
		return;
	bt2->has_clock = true;
	uuid = bt_clock_class_get_uuid(clock);
	bt_clock_class_get_offset(clock, &seconds, &cycles);
	public->clock_offset_ns = (int64_t) ((uint64_t) seconds * NS_PER_S +
					     cycles_to_ns(stream->hz, cycles));
	public->has_clock_uuid = uuid;
	if (uuid)
		memcpy(public->clock_uuid, uuid, sizeof public->clock_uuid);
}

/* What the first message of a stream tells of its trace. */
static void
note_facts(struct bt2 *bt2, struct bt2_stream *stream)
{
	const bt_message *message = next_message(stream);
	const bt_stream *bt_stream;
	const char *path, *hostname, *domain;

	if (!message || bt_message_get_type(message) != BT_MESSAGE_TYPE_STREAM_BEGINNING)
		return;
	bt_stream = bt_message_stream_beginning_borrow_stream_const(message);
	path = bt_stream_get_name(bt_stream);
	if (path)
		stream->name = xstrdup(strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	note_clock(stream, bt_stream_borrow_class_const(bt_stream));
	stream->trace = bt_stream_borrow_trace_const(bt_stream);
	bt_trace_get_ref(stream->trace);
	domain = stream_env(stream, "domain");
	stream->kernel = domain && streq(domain, "kernel");
	hostname = stream_env(stream, "hostname");
	if (hostname && !bt2->public.hostname)
		bt2->public.hostname = xstrdup(hostname);
}

static void
bt2_close(struct ctf_opened *opened)
{
	struct bt2 *bt2 = CONTAINER_OF(opened, struct bt2, public);

	for (size_t i = 0; i < opened->n_streams; i++)
		ctf_stream_free(opened->streams[i]);
	for (size_t i = 0; i < bt2->n; i++) {
		struct bt2_stream *stream = &bt2->streams[i];

		while (stream->at < stream->n_messages)
			drop_message(stream);
		bt_message_iterator_put_ref(stream->iterator);
		bt_trace_put_ref(stream->trace);
		buf_done(&stream->storage);
		free(stream->name);
	}
	bt_graph_put_ref(bt2->graph);
	free(bt2->streams);
	free(opened->streams);
	free(opened->hostname);
	free(bt2);
}

static int
open_streams(struct bt2 *bt2, const struct ctf_found_trace *found, struct error *error)
{
	struct ctf_opened *public = &bt2->public;
	struct ctf_found_file *files;
	size_t n;
	int r = ctf_find_stream_files(found->path, &files, &n, error);

	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		public->bytes += files[i].size;
	ctf_found_files_free(files, n);
	for (size_t i = 0; i < bt2->n; i++) {
		bt2->streams[i].bytes = public->bytes / bt2->n;
		note_facts(bt2, &bt2->streams[i]);
	}
	public->streams = xcalloc(bt2->n, sizeof *public->streams);
	for (size_t i = 0; i < bt2->n; i++) {
		struct bt2_stream *stream = &bt2->streams[i];
		_cleanup_(freep) char *key = NULL;

		if (!stream->name)
			stream->name = xasprintf("stream-%zu", i);
		key = ctf_make_stream_key(public->hostname, found->label, stream->name);
		stream->event.stream = ctf_stream_new_foreign(key, &stream_ops, stream);
		public->streams[public->n_streams++] = stream->event.stream;
	}
	return 0;
}

static int
bt2_open(const struct ctf_found_trace *found, const struct ctf_interest *interest,
	 struct ctf_problems *problems, struct ctf_opened **ret, struct error *error)
{
	struct bt2 *bt2 = xcalloc(1, sizeof *bt2);
	const bt_component_source *source;
	int r;

	bt2->public.ops = &ctf_bt2_backend;
	bt2->interest = interest;
	bt2->problems = problems;
	bt2->graph = bt_graph_create(0);
	r = bt2->graph ? add_source(bt2, found, &source, error) : failed(error, found, ENOMEM);
	if (r >= 0) {
		bt2->n = (size_t) bt_component_source_get_output_port_count(source);
		bt2->streams = xcalloc(bt2->n, sizeof *bt2->streams);
		for (size_t i = 0; i < bt2->n; i++)
			bt2->streams[i].bt2 = bt2;
		r = add_sink(bt2, found, source, error);
	}
	if (r >= 0)
		r = open_streams(bt2, found, error);
	if (r < 0) {
		bt2_close(&bt2->public);
		return r;
	}
	*ret = &bt2->public;
	return 0;
}

static void
bt2_start(struct ctf_opened *opened, size_t bytes_per_stream, size_t *mapped_bytes)
{
}

static void
bt2_trim(struct ctf_opened *opened)
{
}

const struct ctf_backend_ops ctf_bt2_backend = {
	.open = bt2_open,
	.start = bt2_start,
	.trim = bt2_trim,
	.close = bt2_close,
};
