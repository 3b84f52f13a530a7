/* SPDX-License-Identifier: MIT
 *
 * find.c -- walks folders for find.h. */
#include "ctf/find.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uthash.h>

enum { MAX_DEPTH = 64, MAX_FOLDERS = 1000000, MAX_TRACES = 65536, MAX_PROBLEMS = 1000 };

/* A folder that was visited. */
struct visited {
	struct {
		uint64_t device, inode;
	} key;
	UT_hash_handle hh;
};

struct walk {
	struct ctf_found *found;
	struct ctf_problems *problems;
	struct visited *visited;
	size_t root_length;      /* Of the path that was asked for. */
	bool full;               /* A limit was reached and told. */
};

void
ctf_problems_add(struct ctf_problems *problems, const char *format, ...)
{
	va_list args;
	char *text;

	if (problems->n > MAX_PROBLEMS)
		return;
	va_start(args, format);
	if (problems->n == MAX_PROBLEMS)
		text = xstrdup("there are more problems than are kept");
	else if (vasprintf(&text, format, args) < 0)
		text = xstrdup("out of memory");
	va_end(args);
	problems->texts = xrealloc(problems->texts, (problems->n + 1) * sizeof *problems->texts);
	problems->texts[problems->n++] = text;
}

void
ctf_problems_done(struct ctf_problems *problems)
{
	for (size_t i = 0; i < problems->n; i++)
		free(problems->texts[i]);
	free(problems->texts);
	*problems = (struct ctf_problems) { 0 };
}

/* The last part of a path. */
static const char *
last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool
is_regular_at(int dir, const char *name, struct stat *ret)
{
	return !fstatat(dir, name, ret, 0) && S_ISREG(ret->st_mode);
}

/* Whether this folder comes up for the first time. */
static bool
visit_once(struct walk *walk, const struct stat *st)
{
	struct visited *visited;
	struct visited key = { .key = { st->st_dev, st->st_ino } };

	HASH_FIND(hh, walk->visited, &key.key, sizeof key.key, visited);
	if (visited)
		return false;
	visited = xmalloc(sizeof *visited);
	*visited = key;
	HASH_ADD(hh, walk->visited, key, sizeof visited->key, visited);
	return true;
}

static void
add_trace(struct walk *walk, const char *path)
{
	struct ctf_found *found = walk->found;
	const char *label = path + walk->root_length;

	while (*label == '/')
		label++;
	if (!*label)
		label = last_part(path);
	found->traces = xrealloc(found->traces, (found->n + 1) * sizeof *found->traces);
	found->traces[found->n++] = (struct ctf_found_trace) { xstrdup(path), xstrdup(label) };
}

static int
is_folder_name(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && !streq(entry->d_name, "index") &&
		(entry->d_type == DT_DIR || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN);
}

/* In the order of bytes: the same everywhere, unlike alphasort(). */
static int
by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int
walk_folder(struct walk *walk, const char *path, unsigned depth, struct error *error)
{
	_cleanup_(closep) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **entries = NULL;
	struct stat st;
	int n;

	if (dir < 0 || fstat(dir, &st) < 0)
		return error_set(error, errno, "%s: the folder can't be opened: %s", path,
				 strerror(errno));
	if (walk->full || !visit_once(walk, &st))
		return 0;
	if (HASH_COUNT(walk->visited) >= MAX_FOLDERS || walk->found->n >= MAX_TRACES) {
		walk->full = true;
		ctf_problems_add(walk->problems, "%s: there are more than %d folders or %d traces; "
				 "the rest is not read", path, MAX_FOLDERS, MAX_TRACES);
		return 0;
	}
	if (is_regular_at(dir, "metadata", &st))
		add_trace(walk, path);
	if (depth >= MAX_DEPTH) {
		ctf_problems_add(walk->problems, "%s: folders more than %d levels deep are "
				 "not read", path, MAX_DEPTH);
		return 0;
	}
	n = scandirat(dir, ".", &entries, is_folder_name, by_name);
	if (n < 0)
		return error_set(error, errno, "%s: the folder can't be read: %s", path,
				 strerror(errno));
	for (int i = 0; i < n; i++) {
		if (!fstatat(dir, entries[i]->d_name, &st, 0) && S_ISDIR(st.st_mode)) {
			_cleanup_(freep) char *sub = xasprintf("%s/%s", path, entries[i]->d_name);
			struct error sub_error = { 0 };

			if (walk_folder(walk, sub, depth + 1, &sub_error) < 0)
				ctf_problems_add(walk->problems, "%s", sub_error.text);
		}
		free(entries[i]);
	}
	free(entries);
	return 0;
}

/* Gives "#2" and so on to labels that came up before. */
static void
make_labels_unique(struct ctf_found *found)
{
	struct label {
		const char *text;
		unsigned n;
		UT_hash_handle hh;
	} *labels = NULL, *label, *next;

	for (size_t i = 0; i < found->n; i++) {
		struct ctf_found_trace *trace = &found->traces[i];

		for (;;) {
			char *longer;

			HASH_FIND_STR(labels, trace->label, label);
			if (!label)
				break;
			longer = xasprintf("%s#%u", trace->label, ++label->n);
			free(trace->label);
			trace->label = longer;
		}
		label = xcalloc(1, sizeof *label);
		*label = (struct label) { .text = trace->label, .n = 1 };
		HASH_ADD_KEYPTR(hh, labels, label->text, strlen(label->text), label);
	}
	HASH_ITER(hh, labels, label, next) {
		HASH_DEL(labels, label);
		free(label);
	}
}

int
ctf_find_traces(const char *const *paths, size_t n_paths, struct ctf_found *ret,
		struct ctf_problems *problems, struct error *error)
{
	struct ctf_found found = { 0 };
	struct walk walk = { .found = &found, .problems = problems };
	struct visited *visited, *next;
	struct error first = { 0 };

	for (size_t i = 0; i < n_paths; i++) {
		_cleanup_(freep) char *path = xstrdup(paths[i]);
		struct error path_error = { 0 };
		size_t n = found.n;

		for (size_t end = strlen(path); end > 1 && path[end - 1] == '/'; end--)
			path[end - 1] = '\0';
		walk.root_length = strlen(path);
		if (walk_folder(&walk, path, 0, &path_error) >= 0 && found.n == n)
			error_set(&path_error, ENOENT, "%s: there is no CTF trace (a folder with a "
				  "file 'metadata') in it that was not given before", path);
		if (path_error.code) {
			ctf_problems_add(problems, "%s", path_error.text);
			if (!first.code)
				first = path_error;
		}
	}
	HASH_ITER(hh, walk.visited, visited, next) {
		HASH_DEL(walk.visited, visited);
		free(visited);
	}
	if (!found.n)
		return error_set(error, first.code ? first.code : EINVAL, "%s",
				 first.code ? first.text : "no folder to read was given");
	make_labels_unique(&found);
	*ret = found;
	return 0;
}

void
ctf_found_done(struct ctf_found *found)
{
	for (size_t i = 0; i < found->n; i++) {
		free(found->traces[i].path);
		free(found->traces[i].label);
	}
	free(found->traces);
	*found = (struct ctf_found) { 0 };
}

static int
is_stream_name(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && !streq(entry->d_name, "metadata") &&
		!(length > 4 && streq(entry->d_name + length - 4, ".idx")) &&
		entry->d_type != DT_DIR;
}

int
ctf_find_stream_files(const char *path, struct ctf_found_file **ret, size_t *ret_n,
		      struct error *error)
{
	_cleanup_(closep) int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **entries = NULL;
	struct ctf_found_file *files;
	size_t n_files = 0;
	int n;

	if (dir < 0)
		return error_set(error, errno, "%s: the folder can't be opened: %s", path,
				 strerror(errno));
	n = scandirat(dir, ".", &entries, is_stream_name, by_name);
	if (n < 0)
		return error_set(error, errno, "%s: the folder can't be read: %s", path,
				 strerror(errno));
	files = xcalloc((size_t) n, sizeof *files);
	for (int i = 0; i < n; i++) {
		struct stat st;

		if (is_regular_at(dir, entries[i]->d_name, &st) && st.st_size > 0)
			files[n_files++] = (struct ctf_found_file) {
				xstrdup(entries[i]->d_name), (uint64_t) st.st_size };
		free(entries[i]);
	}
	free(entries);
	*ret = files;
	*ret_n = n_files;
	return 0;
}

void
ctf_found_files_free(struct ctf_found_file *files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(files[i].name);
	free(files);
}
