/* SPDX-License-Identifier: MIT
 *
 * guest_xml.c -- disks in the XML that Nova gives to libvirt, for a whole guest or
 * for a device that is attached: which volume is which file or device, and what
 * the guest calls it.  Only what stands inside of <disk> counts; it is read as
 * text, since it may be cut. */
#include <string.h>

#include "analyzers/openstack.h"
#include "lib/util.h"

/* The part of 'text' between two marks, or of size 0. */
static struct text
between(const struct text *text, const char *from, const char *to)
{
	const char *at = memmem(text->s, text->size, from, strlen(from)), *stop;

	if (!at)
		return (struct text) { "", 0 };
	at += strlen(from);
	stop = memmem(at, (size_t) (text->s + text->size - at), to, strlen(to));
	return (struct text) { at, stop ? (size_t) (stop - at) : 0 };
}

/* The value of an attribute in a tag's text, in quotes of either kind. */
static struct text
attribute(const struct text *tag, const char *name)
{
	char from[32];
	struct text value;

	snprintf(from, sizeof from, " %s=\"", name);
	value = between(tag, from, "\"");
	if (value.size)
		return value;
	snprintf(from, sizeof from, " %s='", name);
	return between(tag, from, "'");
}

/* As Nova and its API call it: "/dev/vdb". */
static struct text
device_of(struct scratch *scratch, const struct text *target)
{
	const struct text name = attribute(target, "dev");
	char *to = scratch->bytes + scratch->used;
	const size_t size = 5 + name.size;

	if (!name.size || size > SCRATCH_SIZE - scratch->used)
		return name;
	memcpy(to, "/dev/", 5);
	memcpy(to + 5, name.s, name.size);
	scratch->used += size;
	return (struct text) { to, size };
}

static void
give_disk(struct line *line, const struct text *disk, line_fn *give, void *context)
{
	const struct text source = between(disk, "<source", ">"), target = between(disk, "<target", ">");
	const struct text serial = between(disk, "<serial>", "</serial>");
	struct text path = attribute(&source, "file");

	if (serial.size != 36 || serial.s[8] != '-')
		return;        /* No volume: an image's disk has no serial. */
	if (!path.size)
		path = attribute(&source, "dev");
	if (!path.size)
		path = attribute(&source, "name");
	memset(line->fields, 0, sizeof line->fields);
	line->fields[F_VOLUME] = serial;
	line->fields[F_FILE] = path;
	line->fields[F_DEVICE] = device_of(line->record->scratch, &target);
	give(context, LOG_VOLUME, line);
	if (record_has(line->record, RECORD_INSTANCE))
		give(context, LOG_VM_VOLUME, line);
}

void
guest_disks(struct line *line, line_fn *give, void *context)
{
	struct text left = line_field(line, F_BODY);

	for (;;) {
		const struct text disk = between(&left, "<disk ", "</disk>");

		if (!disk.size)
			return;
		left.size = (size_t) (left.s + left.size - disk.s - disk.size);
		left.s = disk.s + disk.size;
		give_disk(line, &disk, give, context);
	}
}
