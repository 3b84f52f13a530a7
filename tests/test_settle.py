#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Post-mortems: what is shown of a migration or request is the same, byte by byte,
after its windows were joined, and after they were removed."""
import json
import os
import sqlite3
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_kernel_corpus import Store, BUILD  # noqa: E402

S = 10**9
count = failed = 0


def report(name, why):
    global count, failed
    count += 1
    failed += bool(why)
    print(f"{'not ok' if why else 'ok'} {count} - {name}", flush=True)
    if why:
        print("#", why[:2000], flush=True)


def answers(store):
    """Every migration and request in full, as text."""
    daemon = subprocess.run(
        [os.path.join(BUILD, "cloudtraced"), "--store", store.path, "--stdio"], check=True, text=True,
        stdout=subprocess.PIPE, input="".join(json.dumps(
            {"jsonrpc": "2.0", "id": i, "method": method, "params": {"id": one}}) + "\n"
            for i, (method, one) in enumerate(store.ids, 1)))
    return daemon.stdout.splitlines()[1:]


def ids(store):
    return [("migration.show", m["id"]) for m in store.call("migration.list")] + \
           [("flow.show", f["id"]) for f in store.call("flow.list")]


def later(path, ns):
    """What is newest of each kind comes once more, so much later."""
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO window (host, kind, key, start_ns, end_ns, level, blob) SELECT host,"
                   " kind, key, start_ns + ?1, end_ns + ?1, 0, blob FROM window w WHERE start_ns ="
                   " (SELECT max(start_ns) FROM window n WHERE (n.host, n.kind, n.key) ="
                   " (w.host, w.kind, w.key))", (ns,))
    db.close()


def rows(path, sql):
    with sqlite3.connect(path) as db:
        found = db.execute(sql).fetchall()
    db.close()
    return found


def age(store, windows_ns):
    subprocess.run([os.path.join(BUILD, "tests/age-store"), store.path, "0", str(windows_ns)],
                   check=True)


def dump(store):
    return subprocess.run([os.path.join(BUILD, "cloudtraced"), "--store", store.path, "--dump-store"],
                          check=True, text=True, stdout=subprocess.PIPE).stdout


def check_trace(folder, trace):
    store = Store(folder, trace)
    store.ids = ids(store)
    store.close()
    before, end = answers(store), rows(store.path, "SELECT max(end_ns) FROM window")[0][0]
    if not any('"kernel"' in line for line in before):
        return "no kernel in the answers"
    # Nothing is old yet: nothing is settled, and nothing changes.
    first = dump(store)
    age(store, 0)
    if rows(store.path, "SELECT count(*) FROM settled")[0][0] or dump(store) != first:
        return "settled too early, or the store changed"
    # An hour and some later: all of that time is in windows of a second.
    later(store.path, 4000 * S)
    age(store, 0)
    levels = rows(store.path, f"SELECT DISTINCT level FROM window WHERE end_ns <= {end}"
                  " AND kind = 'cpu'")
    if levels != [(1,)]:
        return f"levels of windows after an hour: {levels}"
    if answers(store) != before:
        return "another answer after an hour"
    # A month later there are none.
    later(store.path, 31 * 86400 * S)
    age(store, end + 30 * 86400 * S)
    if rows(store.path, f"SELECT count(*) FROM window WHERE end_ns <= {end}")[0][0]:
        return "windows are still there after a month"
    if answers(store) != before:
        return "another answer after a month"
    settled = rows(store.path, "SELECT count(*), sum(length(doc)), (SELECT count(*) FROM settled_owner)"
                   " FROM settled")[0]
    print(f"# {trace}: {settled[0]} answers of {settled[2]} records, {settled[1]} bytes")
    # They would not be without.
    with sqlite3.connect(store.path) as db:
        db.execute("DELETE FROM settled")
    db.close()
    return "the same without what was settled" if answers(store) == before else ""


def check_removed_at_once(folder, trace):
    """The daemon was off for a month: windows go before they were ever joined."""
    store = Store(folder, trace)
    store.ids = ids(store)
    store.close()
    before, end = answers(store), rows(store.path, "SELECT max(end_ns) FROM window")[0][0]
    age(store, end + 1)
    if rows(store.path, "SELECT count(*) FROM window")[0][0]:
        return "windows are still there"
    return "" if answers(store) == before else "another answer"


def check_retention(folder, trace):
    """What was settled goes with its record."""
    store = Store(folder, trace)
    store.close()
    end = rows(store.path, "SELECT max(end_ns) FROM window")[0][0]
    age(store, end + 1)
    if not rows(store.path, "SELECT count(*) FROM settled")[0][0]:
        return "nothing was settled"
    subprocess.run([os.path.join(BUILD, "tests/age-store"), store.path, str(end + 1), str(end + 1)],
                   check=True)
    left = rows(store.path, "SELECT (SELECT count(*) FROM settled), (SELECT count(*) FROM"
                " settled_owner), (SELECT count(*) FROM migration), (SELECT count(*) FROM peer)")
    return "" if left == [(0, 0, 0, 0)] else f"left: {left}"


def main():
    with tempfile.TemporaryDirectory() as folder:
        for check in check_trace, check_removed_at_once, check_retention:
            with tempfile.TemporaryDirectory(dir=folder) as inner:
                report(f"{check.__name__[6:]}: full/kv-normal", check(inner, "full/kv-normal"))
    print(f"1..{count}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
