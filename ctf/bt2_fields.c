/* SPDX-License-Identifier: MIT
 *
 * bt2_fields.c -- reads fields through libbabeltrace2 for bt2_reader.c.
 *
 * Strings are taken with their length: a string that is empty in the trace can
 * have the text of an earlier one behind its pointer (up to babeltrace2 2.0.4). */
#include "ctf/bt2_fields.h"

#include <string.h>

enum { MAX_NAME = 256, BYTE_BITS = 8 };

/* The scopes that a ctf_scope stands for, in the order of our decoder. */
static size_t
scope_fields(const bt_event *event, enum ctf_scope scope, const bt_field *ret[2])
{
	const bt_stream_class *class;
	const bt_packet *packet;
	size_t n = 0;

	switch (scope) {
	case CTF_PAYLOAD:
		ret[n++] = bt_event_borrow_payload_field_const(event);
		break;
	case CTF_EVENT_CONTEXT:
		ret[n++] = bt_event_borrow_common_context_field_const(event);
		ret[n++] = bt_event_borrow_specific_context_field_const(event);
		break;
	case CTF_PACKET_CONTEXT:
		class = bt_stream_borrow_class_const(bt_event_borrow_stream_const(event));
		if (!bt_stream_class_supports_packets(class))
			break;
		packet = bt_event_borrow_packet_const(event);
		ret[n++] = bt_packet_borrow_context_field_const(packet);
		break;
	}
	return n;
}

/* Follows "outer.inner" from a structure; NULL when there is no such field. */
static const bt_field *
find_field(const bt_field *field, const char *path)
{
	while (field) {
		size_t length = strcspn(path, ".");
		char name[MAX_NAME];

		while (field && bt_field_class_type_is(bt_field_get_class_type(field),
						       BT_FIELD_CLASS_TYPE_VARIANT))
			field = bt_field_variant_borrow_selected_option_field_const(field);
		if (!field || bt_field_get_class_type(field) != BT_FIELD_CLASS_TYPE_STRUCTURE ||
		    length >= sizeof name)
			return NULL;
		memcpy(name, path, length);
		name[length] = '\0';
		field = bt_field_structure_borrow_member_field_by_name_const(field, name);
		if (!path[length])
			break;
		path += length + 1;
	}
	while (field && bt_field_class_type_is(bt_field_get_class_type(field),
					       BT_FIELD_CLASS_TYPE_VARIANT))
		field = bt_field_variant_borrow_selected_option_field_const(field);
	return field;
}

/* Whether 'field' is an array of 8-bit integers; adds them to 'storage'. */
static bool
array_bytes(const bt_field *field, struct buf *storage, struct ctf_value *ret)
{
	const bt_field_class *element = bt_field_class_array_borrow_element_field_class_const(
		bt_field_borrow_class_const(field));
	bt_field_class_type type = bt_field_class_get_type(element);
	uint64_t n = bt_field_array_get_length(field);
	bool is_signed;

	if (!bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_INTEGER) ||
	    bt_field_class_integer_get_field_value_range(element) != BYTE_BITS)
		return false;
	is_signed = bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_SIGNED_INTEGER);
	*ret = (struct ctf_value) { .type = CTF_BYTES, .size = (uint32_t) n, .u = storage->size };
	for (uint64_t i = 0; i < n; i++) {
		const bt_field *byte = bt_field_array_borrow_element_field_by_index_const(field, i);

		buf_add_char(storage, is_signed ? (char) bt_field_integer_signed_get_value(byte) :
			     (char) bt_field_integer_unsigned_get_value(byte));
	}
	return true;
}

static struct ctf_value
field_value(const bt_field *field, struct buf *storage)
{
	struct ctf_value value = { .type = CTF_ABSENT };
	bt_field_class_type type = bt_field_get_class_type(field);

	if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_UNSIGNED_INTEGER)) {
		value.type = CTF_UNSIGNED;
		value.u = bt_field_integer_unsigned_get_value(field);
	} else if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_SIGNED_INTEGER)) {
		value.type = CTF_SIGNED;
		value.i = bt_field_integer_signed_get_value(field);
	} else if (type == BT_FIELD_CLASS_TYPE_SINGLE_PRECISION_REAL) {
		value.type = CTF_REAL;
		value.r = (double) bt_field_real_single_precision_get_value(field);
	} else if (type == BT_FIELD_CLASS_TYPE_DOUBLE_PRECISION_REAL) {
		value.type = CTF_REAL;
		value.r = bt_field_real_double_precision_get_value(field);
	} else if (type == BT_FIELD_CLASS_TYPE_STRING) {
		value.type = CTF_STRING;
		value.size = (uint32_t) bt_field_string_get_length(field);
		value.s = bt_field_string_get_value(field);
	} else if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_ARRAY)) {
		array_bytes(field, storage, &value);
	}
	return value;
}

void
ctf_bt2_values(const bt_event *event, const struct ctf_interest *interest, unsigned wanted,
	       struct ctf_value *values, struct buf *storage)
{
	unsigned n = ctf_interest_n_fields(interest, wanted);

	buf_clear(storage);
	for (unsigned slot = 0; slot < n; slot++) {
		enum ctf_scope scope;
		const char *path = ctf_interest_field_name(interest, wanted, slot, &scope);
		const bt_field *scopes[2], *field = NULL;
		size_t n_scopes = scope_fields(event, scope, scopes);

		for (size_t i = 0; i < n_scopes && !field; i++)
			field = find_field(scopes[i], path);
		values[slot] = field ? field_value(field, storage) :
			(struct ctf_value) { .type = CTF_ABSENT };
	}
	/* The storage does not move any more. */
	for (unsigned slot = 0; slot < n; slot++)
		if (values[slot].type == CTF_BYTES)
			values[slot].s = storage->data ? storage->data + values[slot].u : "";
}

struct walk {
	const struct ctf_visitor *visitor;
	void *context;
};

static void walk_field(const struct walk *walk, const char *name, const bt_field *field);

static void
walk_members(const struct walk *walk, const bt_field *field)
{
	const bt_field_class *class = bt_field_borrow_class_const(field);
	uint64_t n = bt_field_class_structure_get_member_count(class);

	for (uint64_t i = 0; i < n; i++) {
		const bt_field_class_structure_member *member =
			bt_field_class_structure_borrow_member_by_index_const(class, i);

		walk_field(walk, bt_field_class_structure_member_get_name(member),
			   bt_field_structure_borrow_member_field_by_index_const(field, i));
	}
}

static void
walk_array(const struct walk *walk, const char *name, const bt_field *field)
{
	uint64_t n = bt_field_array_get_length(field);

	walk->visitor->array_begin(walk->context, name);
	for (uint64_t i = 0; i < n; i++)
		walk_field(walk, NULL,
			   bt_field_array_borrow_element_field_by_index_const(field, i));
	walk->visitor->array_end(walk->context);
}

static void
walk_field(const struct walk *walk, const char *name, const bt_field *field)
{
	const struct ctf_visitor *visitor = walk->visitor;
	void *context = walk->context;
	bt_field_class_type type = bt_field_get_class_type(field);

	if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_UNSIGNED_INTEGER)) {
		visitor->unsigned_integer(context, name,
					  bt_field_integer_unsigned_get_value(field));
	} else if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_SIGNED_INTEGER)) {
		visitor->signed_integer(context, name, bt_field_integer_signed_get_value(field));
	} else if (type == BT_FIELD_CLASS_TYPE_SINGLE_PRECISION_REAL) {
		visitor->real(context, name,
			      (double) bt_field_real_single_precision_get_value(field), true);
	} else if (type == BT_FIELD_CLASS_TYPE_DOUBLE_PRECISION_REAL) {
		visitor->real(context, name, bt_field_real_double_precision_get_value(field),
			      false);
	} else if (type == BT_FIELD_CLASS_TYPE_STRING) {
		visitor->string(context, name, bt_field_string_get_value(field),
				bt_field_string_get_length(field));
	} else if (type == BT_FIELD_CLASS_TYPE_STRUCTURE) {
		visitor->structure_begin(context, name);
		walk_members(walk, field);
		visitor->structure_end(context);
	} else if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_ARRAY)) {
		walk_array(walk, name, field);
	} else if (bt_field_class_type_is(type, BT_FIELD_CLASS_TYPE_VARIANT)) {
		walk_field(walk, name, bt_field_variant_borrow_selected_option_field_const(field));
	}
}

void
ctf_bt2_visit(const bt_event *event, const struct ctf_visitor *visitor, void *context)
{
	static const struct {
		enum ctf_scope scope;
		const char *name;
	} scopes[] = {
		{ CTF_PACKET_CONTEXT, "packet" },
		{ CTF_EVENT_CONTEXT, "context" },
		{ CTF_PAYLOAD, "payload" },
	};
	const struct walk walk = { visitor, context };

	for (size_t i = 0; i < ARRAY_SIZE(scopes); i++) {
		const bt_field *fields[2];
		size_t n = scope_fields(event, scopes[i].scope, fields);

		visitor->scope_begin(context, scopes[i].name);
		for (size_t j = 0; j < n; j++)
			if (fields[j])
				walk_members(&walk, fields[j]);
		visitor->scope_end(context);
	}
}
