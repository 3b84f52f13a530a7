#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Real traces, read by cloudtraced: every reply has the form of its schema, and
cloudtracectl shows each migration in every format."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_serve import BUILD, CTL, SRC, WAIT, check, jsonschema  # noqa: E402

# Services, a volume, a failed migration with all its layers, packets, threads.
MORE = ("openstack/volume", "openstack/create-novalidhost", "full/fs-livemig-fail",
        "kernel/a2-ovs-addon-live", "kernel/d-vcpu-contention")
DAEMON = os.path.join(BUILD, "cloudtraced")
TRACES = ("qemu/b-rounds", "qemu/c-cancel", "qemu/e-device-mismatch", "qemu/f-long-stopcopy",
          "qemu/g-postcopy")


def run(*args, data=None):
    return subprocess.run(args, input=data, capture_output=True, timeout=4 * WAIT, check=True,
                          env=dict(os.environ, CLOUDTRACED=DAEMON, LC_ALL="C.UTF-8")).stdout


def replies(store, *requests):
    """The greeting and the replies of cloudtraced --stdio."""
    lines = "".join(json.dumps({"jsonrpc": "2.0", "id": i, "method": m, "params": p}) + "\n"
                    for i, (m, p) in enumerate(requests))
    out = run(DAEMON, "--store", store, "--stdio", data=lines.encode())
    return [json.loads(line) for line in out.splitlines()]


def test_replies(store):
    """each reply is as its schema says"""
    hello, described = replies(store, ("describe", {}))
    check("hello", hello)
    methods = {m["name"]: m for m in described["result"]["methods"]}
    for name, params in (("status", {}), ("migration.list", {}), ("node.list", {}),
                         ("alert.list", {}), ("counters", {}),
                         ("watch", {"topic": "migration", "since": "0"}),
                         ("watch", {"topic": "alert", "since": "0"}),
                         ("watch", {"topic": "node", "since": "0"})):
        reply = replies(store, (name, params))[1]
        assert "result" in reply, reply
        check(methods[name]["result"], reply["result"])
    listed = replies(store, ("migration.list", {}))[1]["result"]
    assert len(listed) >= len(TRACES), listed
    for migration in listed:
        shown = replies(store, ("migration.show", {"id": migration["id"]}))[1]["result"]
        check("migration", shown)
        for part in shown["stages"] + shown["rounds"]:
            spent = sum(one["ns"] for one in part.pop("budget", []))
            assert spent in (0, (part["end_ns"] or 0) - part["start_ns"]), part
        assert {k: v for k, v in shown.items()
                if k not in ("samples", "steps", "peers", "budget", "unknown", "findings")} == migration


def test_refusals(store):
    """refusals of the store have their kinds"""
    for method, params, kind in (("migration.show", {"id": "nobody"}, "not-found"),
                                 ("migration.show", {"id": ""}, "not-found"),
                                 ("migration.show", {"id": "%"}, "not-found"),
                                 ("migration.show", {"id": "' OR 1"}, "not-found")):
        reply = replies(store, (method, params))[1]
        check("error", reply)
        assert reply["error"]["data"]["kind"] == kind, reply


def test_watch_cursors(store):
    """the changes of a store can be had in any portion"""
    whole = replies(store, ("watch", {"topic": "migration", "since": "0"}))[1]["result"]
    assert whole["found"] and len(whole["items"]) >= len(TRACES), whole
    middle = whole["items"][len(whole["items"]) // 2]["cursor"]
    rest = replies(store, ("watch", {"topic": "migration", "since": middle}))[1]["result"]
    ids = [i["id"] for i in whole["items"] if int(i["cursor"]) > int(middle)]
    assert [i["id"] for i in rest["items"]] == ids


def test_ctl(store):
    """cloudtracectl shows all of it in every format"""
    listed = json.loads(run(CTL, "--store", store, "migration", "list", "-o", "json"))
    assert len(run(CTL, "--store", store, "migration", "list", "-o", "ndjson").splitlines()) == \
        len(listed)
    assert len(run(CTL, "--store", store, "migration", "list", "-o", "csv").splitlines()) == \
        len(listed) + 1
    for migration in listed:
        text = run(CTL, "--store", store, "migration", "show", migration["id"][:12]).decode()
        assert migration["id"] in text and migration["status"] in text, text
        assert "Memory left to send" in text and "STAGE" in text, text
    for page in ("status", "node", "alert"):
        assert run(CTL, "--store", store, page, "-o", "wide").strip()


def more(store):
    """The store of MORE, read when it is first asked for."""
    path = os.path.join(os.path.dirname(store), "more.db")
    if not os.path.exists(path):
        dirs = [run("sh", os.path.join(SRC, "tests", "lib", "corpus.sh"), t).decode().strip()
                for t in MORE]
        run(DAEMON, "--read", *dirs, "--store", path)
    return path


SHOWN = (("flow.list", "flow", "id"), ("vm.list", "vm", "uuid"), ("service.list", "service", "id"),
         ("volume.list", "volume", "id"), ("port.list", "port", "id"))


def test_things(store):
    """requests, VMs, services, volumes and ports are as their schemas say, one by one too"""
    path = more(store)
    lists = replies(path, *[(method, {}) for method, _, _ in SHOWN])[1:]
    for (method, noun, key), reply in zip(SHOWN, lists):
        check("[%s]" % noun, reply["result"])
        assert reply["result"], method
        shown = replies(path, *[(noun + ".show", {"id": one[key]})
                                for one in reply["result"]])[1:]
        for one, its in zip(reply["result"], shown):
            check(noun, its["result"])
            assert its["result"][key] == one[key]
    names = {one["result"]["id"] for one in replies(path, ("find", {"id": "vm9"}))[1:]}
    assert names == {"vm9"}


def test_budgets(store):
    """the budget of each finished request is its time, and all spans hang together"""
    path = more(store)
    flows = [f for f in replies(path, ("flow.list", {}))[1]["result"] if f["end_ns"]]
    assert len(flows) > 5
    for reply in replies(path, *[("flow.show", {"id": f["id"]}) for f in flows])[1:]:
        flow = reply["result"]
        assert sum(part["ns"] for part in flow["budget"]) == flow["total_ns"], flow["id"]
        ids = {span["id"] for span in flow["spans"]}
        assert all(span["parent"] in ids for span in flow["spans"][1:]), flow["id"]
        for span in flow["spans"]:
            assert sum(part["ns"] for part in span["budget"]) == span["took_ns"], span
        path = flow["critical_path"]
        assert all(a["to_ns"] == b["from_ns"] for a, b in zip(path, path[1:])), path
        assert sum(one["to_ns"] - one["from_ns"] for one in path) == flow["total_ns"], path


def test_nodes(store):
    """what kernels and Open vSwitch tell is as the schemas say"""
    path = more(store)
    hosts = [node["host"] for node in replies(path, ("node.list", {}))[1]["result"]]
    known = 0
    for method, schema in (("node.show", "node_show"), ("thread.list", "[thread]"),
                           ("disk.list", "[disk]"), ("network.show", "network")):
        for reply in replies(path, *[(method, {"host": host}) for host in hosts])[1:]:
            if "result" in reply:
                check(schema, reply["result"])
                known += 1
    assert known >= 4, known
    for method, schema in (("top", "[top]"), ("network.bridges", "[network-bridge]"),
                           ("network.ports", "[network-port]"), ("network.flows", "[network-flow]"),
                           ("network.latency", "[network-latency]"),
                           ("network.upcalls", "[network-upcalls]"),
                           ("network.changes", "network-changes"), ("status", "status")):
        reply = replies(path, (method, {"since_ns": 1} if method.startswith("network") else {}))[1]
        check(schema, reply["result"])


def test_ctl_things(store):
    """cloudtracectl shows each request, VM, service, volume, port and node in every format"""
    path = more(store)
    for _, noun, key in SHOWN:
        listed = json.loads(run(CTL, "--store", path, noun, "list", "-o", "json"))
        for form in ("table", "wide", "ndjson", "csv"):
            out = run(CTL, "--store", path, noun, "list", "-o", form).decode()
            assert form not in ("ndjson", "csv") or \
                len(out.splitlines()) == len(listed) + (form == "csv"), (noun, form)
        for one in listed[:12]:
            for form in ("table", "wide", "json", "csv"):
                assert run(CTL, "--store", path, noun, "show", one[key], "-o", form), one
    vm = json.loads(run(CTL, "--store", path, "vm", "list", "-o", "json"))[0]["uuid"]
    history = json.loads(run(CTL, "--store", path, "vm", "history", vm, "-o", "json"))
    assert len(run(CTL, "--store", path, "vm", "history", vm).splitlines()) == len(history) + 1
    for words in (["network", "bridges"], ["network", "latency"], ["network", "upcalls"],
                  ["network", "changes"], ["network", "flows"], ["top"], ["trace", vm]):
        for form in ("table", "wide", "json", "csv"):
            assert run(CTL, "--store", path, *words, "-o", form), (words, form)


def main():
    if not os.access(DAEMON, os.X_OK) or jsonschema is None:
        print("1..0 # SKIP cloudtraced or python3-jsonschema is missing")
        return 0
    tests = [f for n, f in globals().items() if n.startswith("test_") and callable(f)]
    folder = tempfile.mkdtemp(prefix="ct-schemas.")
    failed = 0
    print("1..%d" % len(tests))
    try:
        dirs = [run("sh", os.path.join(SRC, "tests", "lib", "corpus.sh"), t).decode().strip()
                for t in TRACES]
        store = os.path.join(folder, "store.db")
        run(DAEMON, "--read", *dirs, "--store", store)
        for number, test in enumerate(tests, 1):
            try:
                test(store)
                print("ok %d - %s" % (number, test.__doc__))
            except Exception:  # pylint: disable=broad-except
                failed += 1
                import traceback
                print("not ok %d - %s" % (number, test.__doc__))
                print("# " + traceback.format_exc().replace("\n", "\n# "))
    finally:
        shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
