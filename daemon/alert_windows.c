/* SPDX-License-Identifier: MIT */
#include "daemon/alert_windows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define uthash_fatal(MESSAGE) abort()
#include <uthash.h>

#include "analyzers/kernel_block_sum.h"
#include "analyzers/kernel_cpu_sum.h"
#include "lib/util.h"

/* How many spans one window can touch: it may be long when nothing happens. */
enum { MAX_SPANS = 1000 };

static const char *const kinds[] = { "cpu", "block" };

struct pending {
	char *host;
	const char *kind;
	uint64_t from_ns;
	char key[ALERT_SPAN_ID_SIZE];
	UT_hash_handle hh;
};

struct alert_windows {
	struct pending *pending;
};

static const char *
find_kind(const char *kind)
{
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(kinds[i], kind))
			return kinds[i];
	return NULL;
}

bool
alert_windows_kind(const char *kind)
{
	return find_kind(kind) != NULL;
}

struct alert_windows *
alert_windows_new(void)
{
	return xcalloc(1, sizeof(struct alert_windows));
}

static void
forget(struct alert_windows *windows)
{
	struct pending *pending, *next;

	HASH_ITER(hh, windows->pending, pending, next) {
		HASH_DEL(windows->pending, pending);
		free(pending->host);
		free(pending);
	}
}

void
alert_windows_free(struct alert_windows *windows)
{
	if (!windows)
		return;
	forget(windows);
	free(windows);
}

void
alert_span_id(const struct alert_span *span, char ret[ALERT_SPAN_ID_SIZE])
{
	snprintf(ret, ALERT_SPAN_ID_SIZE, "window %s %llu %s", span->kind,
		 (unsigned long long) span->from_ns, span->host);
}

/* -- Which spans ---------------------------------------------------------- */

static void
touch(struct alert_windows *windows, const char *host, const char *kind, uint64_t from_ns)
{
	const struct alert_span span = { host, find_kind(kind), from_ns };
	struct pending *pending;
	char key[ALERT_SPAN_ID_SIZE];

	alert_span_id(&span, key);
	HASH_FIND_STR(windows->pending, key, pending);
	if (pending)
		return;
	pending = xcalloc(1, sizeof *pending);
	pending->host = xstrdup(host);
	pending->kind = span.kind;
	pending->from_ns = from_ns;
	memcpy(pending->key, key, sizeof key);
	HASH_ADD_STR(windows->pending, key, pending);
}

void
alert_windows_touch(struct alert_windows *windows, const char *host, const char *kind, uint64_t to_ns)
{
	if (find_kind(kind) && to_ns >= ALERT_SPAN_NS && to_ns % ALERT_SPAN_NS == 0)
		touch(windows, host, kind, to_ns - ALERT_SPAN_NS);
}

static void
touch_all(struct alert_windows *windows, const char *host, const char *kind, uint64_t start_ns,
	  uint64_t end_ns)
{
	unsigned left = MAX_SPANS;

	for (uint64_t from_ns = start_ns - start_ns % ALERT_SPAN_NS; left-- && from_ns < end_ns;
	     from_ns += ALERT_SPAN_NS)
		touch(windows, host, kind, from_ns);
}

int
alert_windows_fact(struct alert_windows *windows, struct store *store, const struct fact *fact,
		   struct error *error)
{
	struct fact_window before = { 0 };
	int r;

	if (!find_kind(fact->kind))
		return 0;
	touch_all(windows, fact->host, fact->kind, fact->start_ns, fact->end_ns);
	/* It may be what shows that the span before is over. */
	r = store_window_before(store, fact->host, fact->kind, fact->start_ns, &before, error);
	if (r > 0)
		touch_all(windows, fact->host, fact->kind, before.start_ns, before.end_ns);
	return MIN(r, 0);
}

static bool
touch_window(void *context, const char *host, const char *kind, const struct fact_window *window)
{
	touch_all(context, host, kind, window->start_ns, window->end_ns);
	return true;
}

int
alert_windows_all(struct alert_windows *windows, struct store *store, struct error *error)
{
	int r = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(kinds) && r >= 0; i++)
		r = store_each_window(store, kinds[i], touch_window, windows, error);
	return r;
}

int
alert_windows_settle(struct alert_windows *windows, struct store *store,
		     int (*judge)(void *context, struct store *store, const struct alert_span *span,
				  struct error *error),
		     void *context, struct error *error)
{
	struct pending *pending;
	int r = 0;

	for (pending = windows->pending; pending && r >= 0; pending = pending->hh.next) {
		const struct alert_span span = { pending->host, pending->kind, pending->from_ns };

		r = store_window_follows(store, span.host, span.kind, span.from_ns + ALERT_SPAN_NS, error);
		if (r > 0)
			r = judge(context, store, &span, error);
	}
	if (r >= 0)
		forget(windows);
	return MIN(r, 0);
}

/* -- VMs ------------------------------------------------------------------ */

struct vm {
	uint32_t pid;
	unsigned vcpus;
	uint64_t running_ns, waiting_ns, neighbour_ns;
	uint64_t worst_ns, worst_neighbour_ns;       /* Of one vCPU. */
	struct cpu_sum_taker taker;                  /* Who had most of what it waited for. */
	uint64_t by_ns;
	uint32_t by_pid;                             /* The VM that had most of it. */
};

struct vms {
	const struct cpu_sum_thread *threads;
	size_t n_threads;
	struct vm *vms;
	size_t n;
};

static bool
add_cpu(void *context, const char *host, const char *key, const struct fact_window *window)
{
	/* What is damaged is left out; the other windows still count. */
	(void) cpu_sum_add(context, window);
	return true;
}

static struct vm *
vm_of(const struct vms *vms, uint32_t pid)
{
	for (size_t i = 0; i < vms->n; i++)
		if (pid && vms->vms[i].pid == pid)
			return &vms->vms[i];
	return NULL;
}

/* The process that a thread works for: of "vhost-PID" and "kvm-pit/PID" it is in
 * the name, as the kernel made them. */
static uint32_t
owner_of(const struct vms *vms, const struct cpu_sum_taker *taker)
{
	static const char *const prefixes[] = { "vhost-", "kvm-pit/" };
	uint64_t pid;

	for (unsigned i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (starts_with(taker->name, prefixes[i]) &&
		    !parse_u64(taker->name + strlen(prefixes[i]), &pid) && pid <= UINT32_MAX)
			return (uint32_t) pid;
	for (size_t i = 0; i < vms->n_threads && taker->tid; i++)
		if (vms->threads[i].tid == taker->tid)
			return vms->threads[i].pid;
	return 0;
}

static void
add_vcpu(const struct vms *vms, struct vm *vm, const struct cpu_sum_thread *thread)
{
	uint64_t neighbour_ns = 0;

	for (size_t i = 0; i < thread->n_takers; i++) {
		const struct cpu_sum_taker *taker = &thread->takers[i];
		uint32_t pid = owner_of(vms, taker);

		if (taker->ns > vm->taker.ns)
			vm->taker = *taker;
		if (pid == vm->pid || !vm_of(vms, pid))
			continue;
		neighbour_ns += taker->ns;
		if (taker->ns > vm->by_ns) {
			vm->by_ns = taker->ns;
			vm->by_pid = pid;
		}
	}
	vm->running_ns += thread->ns[CPU_RUNNING];
	vm->waiting_ns += thread->ns[CPU_WAITING];
	vm->neighbour_ns += neighbour_ns;
	vm->worst_ns = MAX(vm->worst_ns, thread->ns[CPU_WAITING]);
	vm->worst_neighbour_ns = MAX(vm->worst_neighbour_ns, neighbour_ns);
}

static void
find_vms(struct vms *vms)
{
	vms->vms = xcalloc(vms->n_threads + 1, sizeof *vms->vms);
	for (size_t i = 0; i < vms->n_threads; i++) {
		const struct cpu_sum_thread *thread = &vms->threads[i];
		struct vm *vm = vm_of(vms, thread->pid);

		if (thread->role != CPU_VCPU || !thread->pid)
			continue;
		if (!vm) {
			vm = &vms->vms[vms->n++];
			vm->pid = thread->pid;
		}
		vm->vcpus++;
	}
	for (size_t i = 0; i < vms->n_threads; i++)
		if (vms->threads[i].role == CPU_VCPU && vms->threads[i].pid)
			add_vcpu(vms, vm_of(vms, vms->threads[i].pid), &vms->threads[i]);
}

static json_int_t
percent(uint64_t ns)
{
	return (json_int_t) (ns * 100 / ALERT_SPAN_NS);
}

static json_t *
vm_json(const struct alert_span *span, const struct vm *vm)
{
	char subject[320];

	snprintf(subject, sizeof subject, "%.200s/%u", span->host, vm->pid);
	return json_pack("{s:o, s:o, s:I, s:i, s:I, s:I, s:I, s:I, s:I, s:o, s:o}", "subject",
			 store_string(subject), "host", store_string(span->host), "pid",
			 (json_int_t) vm->pid, "vcpus", (int) vm->vcpus, "running_ns",
			 (json_int_t) vm->running_ns, "waiting_ns", (json_int_t) vm->waiting_ns,
			 "neighbour_ns", (json_int_t) vm->neighbour_ns, "waiting_percent",
			 percent(vm->worst_ns), "neighbour_percent", percent(vm->worst_neighbour_ns),
			 "neighbour_pid", vm->by_pid ? json_integer(vm->by_pid) : json_null(), "taker",
			 vm->taker.ns ? store_string(vm->taker.name) : json_null());
}

static json_t *
vm_objects(struct store *store, const struct alert_span *span, struct error *error)
{
	struct cpu_sum *sum = cpu_sum_new(span->from_ns, span->from_ns + ALERT_SPAN_NS);
	struct vms vms = { 0 };
	json_t *list = NULL;

	if (store_windows(store, span->host, span->kind, NULL, span->from_ns,
			  span->from_ns + ALERT_SPAN_NS, add_cpu, sum, error) >= 0) {
		list = json_array();
		vms.n_threads = cpu_sum_threads(sum, &vms.threads);
		find_vms(&vms);
		for (size_t i = 0; i < vms.n; i++)
			json_array_append_new(list, vm_json(span, &vms.vms[i]));
		free(vms.vms);
	}
	cpu_sum_free(sum);
	return list;
}

/* -- Disks ---------------------------------------------------------------- */

struct disks {
	struct block_sum sum;
	uint64_t from_ns, to_ns;
};

static bool
add_block(void *context, const char *host, const char *key, const struct fact_window *window)
{
	struct disks *disks = context;

	/* Each window counts where it begins. */
	if (window->start_ns >= disks->from_ns && window->start_ns < disks->to_ns)
		(void) block_sum_add(&disks->sum, window);
	return true;
}

static json_t *
disk_json(const struct alert_span *span, const struct block_device *device, bool top)
{
	struct histogram latency = { 0 };
	char subject[320], id[32];
	json_t *object;

	histogram_merge(&latency, &device->total[BLOCK_READ]);
	histogram_merge(&latency, &device->total[BLOCK_WRITE]);
	snprintf(id, sizeof id, "%u:%u", BLOCK_MAJOR(device->dev), BLOCK_MINOR(device->dev));
	snprintf(subject, sizeof subject, "%.200s/%s", span->host, id);
	object = json_pack("{s:o, s:o, s:s, s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "subject",
			   store_string(subject), "host", store_string(span->host), "device", id, "name",
			   store_string(*device->name ? device->name : id), "top", top, "requests",
			   (json_int_t) latency.count, "errors", (json_int_t) device->errors,
			   "latency_p50_ns", (json_int_t) histogram_quantile(&latency, 500),
			   "latency_p90_ns", (json_int_t) histogram_quantile(&latency, 900),
			   "latency_p99_ns", (json_int_t) histogram_quantile(&latency, 990),
			   "latency_max_ns", (json_int_t) latency.max, "latency_mean_ns",
			   (json_int_t) (latency.count ? latency.sum / latency.count : 0));
	histogram_done(&latency);
	return object;
}

/* Whether nothing lies on it. */
static bool
is_top(const json_t *links, uint32_t dev)
{
	const json_t *link;
	char id[32];
	size_t i;

	snprintf(id, sizeof id, "%u:%u", BLOCK_MAJOR(dev), BLOCK_MINOR(dev));
	json_array_foreach(links, i, link) {
		const char *lower = json_string_value(json_object_get(link, "lower"));

		if (lower && streq(lower, id))
			return false;
	}
	return true;
}

static json_t *
disk_objects(struct store *store, const struct alert_span *span, struct error *error)
{
	struct disks disks = { .from_ns = span->from_ns, .to_ns = span->from_ns + ALERT_SPAN_NS };
	json_t *links = store_things(store, FACT_LINK, span->host, "block.chain", error), *list = NULL;
	int r = links ? 0 : -1;

	block_sum_init(&disks.sum);
	if (!r)
		r = store_windows(store, span->host, span->kind, NULL, disks.from_ns, disks.to_ns, add_block,
				  &disks, error);
	if (r >= 0) {
		list = json_array();
		for (uint32_t i = 0; i < disks.sum.devices.n; i++) {
			const struct block_device *device = keyed_at(&disks.sum.devices, i);

			json_array_append_new(list, disk_json(span, device, is_top(links, device->dev)));
		}
	}
	json_decref(links);
	block_sum_done(&disks.sum);
	return list;
}

/* -- Objects -------------------------------------------------------------- */

json_t *
alert_span_objects(struct store *store, const struct alert_span *span, struct error *error)
{
	return streq(span->kind, "cpu") ? vm_objects(store, span, error) :
	       disk_objects(store, span, error);
}

/* As people call it: name or id of the VM, else its process. */
static json_t *
vm_name(struct store *store, const struct alert_span *span, json_int_t pid)
{
	char key[24];
	json_t *vm, *name;

	snprintf(key, sizeof key, "%" JSON_INTEGER_FORMAT, pid);
	vm = store_entity(store, span->host, "qemu.process", key, span->from_ns + ALERT_SPAN_NS);
	name = json_object_get(vm, "name");
	if (!json_is_string(name))
		name = json_object_get(vm, "uuid");
	if (json_is_string(name)) {
		json_incref(name);
	} else {
		char text[32];

		snprintf(text, sizeof text, "with pid %" JSON_INTEGER_FORMAT, pid);
		name = json_string(text);
	}
	json_decref(vm);
	return name;
}

static void
name_vm(struct store *store, const struct alert_span *span, json_t *object)
{
	const json_t *neighbour = json_object_get(object, "neighbour_pid");

	json_object_set_new(object, "vm", vm_name(store, span, json_integer_value(
							  json_object_get(object, "pid"))));
	if (json_is_integer(neighbour))
		json_object_set_new(object, "neighbour", vm_name(store, span,
								 json_integer_value(neighbour)));
}

/* Which VM has it, as which volume. */
static void
name_disk(struct store *store, const struct alert_span *span, json_t *object)
{
	json_t *disks = store_things(store, FACT_ENTITY, span->host, "qemu.disk", NULL), *disk;
	const char *device = json_string_value(json_object_get(object, "device"));
	static const char *const names[] = { "volume_id", "serial", "path" };
	size_t i;

	json_array_foreach(disks, i, disk) {
		json_t *major = json_object_get(disk, "major"), *name = NULL;
		char id[48];

		snprintf(id, sizeof id, "%lld:%lld", (long long) json_integer_value(major),
			 (long long) json_integer_value(json_object_get(disk, "minor")));
		if (!json_is_integer(major) || !streq(id, device))
			continue;
		for (unsigned k = 0; k < ARRAY_SIZE(names) && !json_string_length(name); k++)
			name = json_object_get(disk, names[k]);
		if (json_string_length(name))
			json_object_set(object, "name", name);
		json_object_set_new(object, "vm", vm_name(store, span, json_integer_value(
								  json_object_get(disk, "pid"))));
	}
	json_decref(disks);
}

json_t *
alert_span_object(struct store *store, const struct alert_span *span, const char *subject)
{
	json_t *list = alert_span_objects(store, span, NULL), *object, *found = NULL;
	size_t i;

	json_array_foreach(list, i, object)
		if (streq(json_string_value(json_object_get(object, "subject")), subject))
			found = json_incref(object);
	json_decref(list);
	if (found && streq(span->kind, "cpu"))
		name_vm(store, span, found);
	else if (found)
		name_disk(store, span, found);
	return found;
}

const char *
alert_windows_named(const struct fact *fact, char *ret_subject, size_t size)
{
	const json_t *attributes = fact->attributes, *lower = json_object_get(attributes, "lower");

	if (fact->type == FACT_ENTITY && streq(fact->kind, "qemu.process")) {
		snprintf(ret_subject, size, "%.200s/%s", fact->host, fact->key);
		return "cpu";
	}
	if (fact->type == FACT_ENTITY && streq(fact->kind, "qemu.disk"))
		snprintf(ret_subject, size, "%.200s/%lld:%lld", fact->host,
			 (long long) json_integer_value(json_object_get(attributes, "major")),
			 (long long) json_integer_value(json_object_get(attributes, "minor")));
	else if (fact->type == FACT_LINK && streq(fact->kind, "block.chain") && json_is_string(lower))
		snprintf(ret_subject, size, "%.200s/%s", fact->host, json_string_value(lower));
	else
		return NULL;
	return "block";
}
