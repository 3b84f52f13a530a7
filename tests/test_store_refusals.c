/* SPDX-License-Identifier: MIT
 *
 * test_store_refusals.c -- files that can't be used, and writes that fail:
 * each gives a text that names the file and what to do, and harms nothing. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store_internal.h"
#include "tests/store_fixture.h"

static int
teardown(void **state)
{
	(void) state;
	temporary_done();
	return 0;
}

static void
refused(const char *path, enum store_mode mode, int code, const char *word)
{
	struct error error = { 0 };
	struct store *store = NULL;

	assert_int_equal(store_open(path, mode, &store, &error), -code);
	assert_null(store);
	assert_int_equal(error.code, code);
	if (!strstr(error.text, word) || !strstr(error.text, path))
		fail_msg("unclear: %s", error.text);
}

static void
make_file(const char *path, const char *bytes, size_t size)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void
run_sql(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
test_foreign(void **state)
{
	char garbage[8192];

	(void) state;
	memset(garbage, 'x', sizeof garbage);
	make_file(temporary("garbage"), garbage, sizeof garbage);
	refused(temporary("garbage"), STORE_READ, EBADMSG, "not a database");
	refused(temporary("garbage"), STORE_WRITE, EBADMSG, "not a database");
	run_sql(temporary("other.db"), "CREATE TABLE a (b)");
	refused(temporary("other.db"), STORE_WRITE, EINVAL, "another program");
	refused(temporary("other.db"), STORE_READ, EINVAL, "another program");
	refused(temporary("none.db"), STORE_READ, ENOENT, "unable to open");
	refused(temporary("no/folder.db"), STORE_WRITE, ENOENT, "No such file");
	make_file(temporary("empty.db"), "", 0);
	refused(temporary("empty.db"), STORE_READ, EPROTO, "no store yet");
	store_close(open_store(temporary("empty.db"), STORE_WRITE));
	store_close(open_store(temporary("empty.db"), STORE_READ));
}

static void
test_versions(void **state)
{
	(void) state;
	store_close(open_store(temporary("v.db"), STORE_WRITE));
	run_sql(temporary("v.db"), "PRAGMA user_version = 99");
	refused(temporary("v.db"), STORE_WRITE, EPROTO, "newer version");
	refused(temporary("v.db"), STORE_READ, EPROTO, "newer version");
	run_sql(temporary("v.db"), "PRAGMA user_version = 0");
	refused(temporary("v.db"), STORE_READ, EPROTO, "let cloudtraced open it once");
}

static void
test_one_writer(void **state)
{
	struct store *store = open_store(temporary("w.db"), STORE_WRITE);

	(void) state;
	refused(temporary("w.db"), STORE_WRITE, EBUSY, "another cloudtraced");
	refused(temporary("w.db"), STORE_WRITE, EBUSY, "another cloudtraced");
	store_close(open_store(temporary("w.db"), STORE_READ));
	store_close(store);
	store_close(open_store(temporary("w.db"), STORE_WRITE));
	assert_int_not_equal(access(temporary("w.db-lock"), F_OK), 0);
}

static void
test_damaged_pages(void **state)
{
	struct store *store = open_store(temporary("p.db"), STORE_WRITE);
	struct error error = { 0 };
	json_t *list;
	int fd;

	(void) state;
	for (int i = 0; i < 500; i++) {
		struct fact fact = side_fact(&(struct given_side) {
			.source = true, .host = "c1", .pid = 7, .start = T0 + (uint64_t) i });

		assert_int_equal(store_put_fact(store, &fact, NULL), 1);
		json_decref(fact.attributes);
	}
	store_close(store);
	fd = open(temporary("p.db"), O_WRONLY);
	for (off_t page = 2; page < 60; page++)
		assert_int_equal(pwrite(fd, "\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f", 8, page * 4096), 8);
	close(fd);
	/* Opening may be fine, reading is not. */
	if (store_open(temporary("p.db"), STORE_READ, &store, &error)) {
		assert_int_equal(error.code, EBADMSG);
		return;
	}
	list = store_spans(store, "migration.source", NULL, 0, UINT64_MAX, &error);
	assert_null(list);
	assert_int_equal(error.code, EBADMSG);
	assert_non_null(strstr(error.text, "move it away"));
	store_close(store);
}

static void
test_disk_full(void **state)
{
	struct store *store = open_store(temporary("full.db"), STORE_WRITE);
	struct fact fact =
		side_fact(&(struct given_side){ .source = true, .host = "c1", .pid = 7 });
	struct error error = { 0 };
	char *before, *after;
	int r = 0;

	(void) state;
	assert_int_equal(store_put_fact(store, &fact, NULL), 1);
	before = dump(store);
	assert_int_equal(sqlite3_exec(store->db, "PRAGMA max_page_count = 60", NULL, NULL, NULL),
			 0);
	assert_int_equal(store_begin(store, &error), 0);
	for (int i = 1; i < 100000 && r >= 0; i++) {
		fact.start_ns = (uint64_t) i;
		r = store_put_fact(store, &fact, &error);
	}
	assert_int_equal(r, -ENOSPC);
	assert_non_null(strstr(error.text, "free some space"));
	store_rollback(store);
	after = dump(store);
	assert_string_equal(before, after);
	/* With room again it goes on. */
	assert_int_equal(sqlite3_exec(store->db, "PRAGMA max_page_count = 6000", NULL, NULL, NULL),
			 0);
	assert_int_equal(store_begin(store, NULL), 0);
	assert_int_equal(store_put_fact(store, &fact, NULL), 1);
	assert_int_equal(store_commit(store, NULL), 0);
	free(before);
	free(after);
	json_decref(fact.attributes);
	store_close(store);
}

/* Runs 'check' as somebody whom permissions bind. */
static void
as_nobody(void (*check)(const char *path), const char *path)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (!pid) {
		if (!geteuid() && (setgid(65534) || setuid(65534)))
			_exit(3);
		check(path);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
reads_one(const char *path)
{
	struct error error = { 0 };
	struct store *store;
	json_t *spans;

	if (store_open(path, STORE_READ, &store, &error)) {
		fprintf(stderr, "%s\n", error.text);
		_exit(1);
	}
	spans = store_spans(store, "migration.source", NULL, 0, UINT64_MAX, &error);
	if (json_array_size(spans) != 1)
		_exit(2);
	json_decref(spans);
	store_close(store);
	/* And writing is refused. */
	if (store_open(path, STORE_WRITE, &store, &error) >= 0)
		_exit(4);
}

static void
test_read_only(void **state)
{
	struct fact fact =
		side_fact(&(struct given_side){ .source = true, .host = "c1", .pid = 7 });
	char path[300], folder[280];
	struct store *store;
	pid_t pid;

	(void) state;
	snprintf(folder, sizeof folder, "%s", temporary("ro"));
	snprintf(path, sizeof path, "%s/s %%41?#.db", folder);
	assert_int_equal(mkdir(folder, 0755), 0);
	assert_int_equal(chmod(temporary(""), 0755), 0);
	store = open_store(path, STORE_WRITE);
	assert_int_equal(store_put_fact(store, &fact, NULL), 1);
	store_close(store);
	chmod(path, 0444);
	chmod(folder, 0555);
	as_nobody(reads_one, path);
	/* Left by a writer that was killed: its log is there. */
	chmod(path, 0644);
	chmod(folder, 0755);
	pid = fork();
	if (!pid) {
		store = open_store(path, STORE_WRITE);
		fact.host = "c2";
		kill(getpid(), store_put_counter(store, "a", "b", 1, NULL) ? SIGTERM : SIGKILL);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(access(strcat(strcpy(folder, path), "-wal"), F_OK), 0);
	chmod(temporary("ro"), 0555);
	as_nobody(reads_one, path);
	chmod(temporary("ro"), 0755);
	json_decref(fact.attributes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_foreign, teardown),
		cmocka_unit_test_teardown(test_versions, teardown),
		cmocka_unit_test_teardown(test_one_writer, teardown),
		cmocka_unit_test_teardown(test_damaged_pages, teardown),
		cmocka_unit_test_teardown(test_disk_full, teardown),
		cmocka_unit_test_teardown(test_read_only, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
