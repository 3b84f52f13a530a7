#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What is found out about the migrations and requests of real traces: nothing of the healthy ones, and of the
others the rule, layer and node that somebody who knows would name; "why" by any id, and in alerts.
With directories of traces as arguments those are read instead, as far as EXPECTED knows their names."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import CLOUDTRACED, CTL, Tap, corpus  # noqa: E402
from test_serve import check, jsonschema  # noqa: E402

VIRTUALIZATION = "virtualization"
# Of each trace its migrations, newest first: what is found, those that explain most first.
EXPECTED = {
    "qemu/a-idle": [[]],
    "qemu/b-rounds": [[]],
    "qemu/c-cancel": [[("dirty-rate", VIRTUALIZATION, "compute-01"),
                       ("cancelled", VIRTUALIZATION, "compute-01")]],
    "qemu/d-autoconverge": [[("dirty-rate", VIRTUALIZATION, "compute-01")]],
    "qemu/e-destination-killed": [[("migration-failed", VIRTUALIZATION, "compute-02")]],
    "qemu/e-device-mismatch": [[("migration-failed", VIRTUALIZATION, "compute-02")]],
    "qemu/f-long-stopcopy": [[("stalled-stop-and-copy", VIRTUALIZATION, "compute-01")]],
    "qemu/g-postcopy": [[]],
    "qemu/h-two-and-back": [[], [], []],
    "qemu/m-explicit": [[]],
    "qemu/q10-b-rounds": [[]],
    "qemu/q10-f-long-stopcopy": [[("stalled-stop-and-copy", VIRTUALIZATION, "compute-01")]],
    "qemu/q10-m-explicit": [[]],
    "qemu/r-e-device-mismatch-rp": [[("migration-failed", VIRTUALIZATION, "compute-02")]],
    "qemu/r-e-source-killed": [[("migration-failed", VIRTUALIZATION, "compute-01")]],
    "qemu/r-g-postcopy-recover": [[("postcopy-paused", "network", "compute-01")]],
    "qemu/r-h-cancel-then-retry": [[], [("cancelled", VIRTUALIZATION, "compute-01")]],
    "qemu/r-i-multifd": [[]],
    "qemu/r-k-per-pid": [[]],
    "qemu/r-q10-g-postcopy-recover": [[("postcopy-paused", "network", "compute-01")]],
    "full/kv-normal": [[]],
    "full/kv-contended": [[("cpu-contention", "kernel", "node-a")]],
    "full/kv-longstop": [[("stalled-stop-and-copy", VIRTUALIZATION, "node-a")]],
    "full/fs-livemig-ok": [[], []],
    "full/fs-parallel": [[], [], []],
    "full/fs-livemig-busy": [[("dirty-rate", VIRTUALIZATION, "compute-2"),
                              ("stopped-early", VIRTUALIZATION, "compute-2")],
                             [("dirty-rate", VIRTUALIZATION, "compute-2"),
                              ("cancelled", VIRTUALIZATION, "compute-2")]],
    "full/fs-livemig-fail": [[("migration-failed", VIRTUALIZATION, "compute-1")]],
}
# Where more may be found behind what is expected.
AND_MORE = ("full/kv-contended", "full/kv-longstop")
# Those that are no part of tests/corpus: tests/test_why has their figures.
LARGE = ("full/kv-contended", "full/kv-longstop", "full/fs-livemig-ok")
# Of requests: the first finding of the only one of that kind and status.
REQUESTS = {
    "openstack/create-novalidhost": ("server.create", "error", "no-valid-host", "application", "controller"),
    "openstack/livemig-fail-killed": ("server.live-migrate", "error", "migration-failed", "application",
                                      "compute-2"),
    "full/fs-livemig-fail": ("server.live-migrate", "error", "migration-failed", VIRTUALIZATION, "compute-1"),
    "full/fs-livemig-busy": ("server.live-migrate", "cancelled", "dirty-rate", VIRTUALIZATION, "compute-2"),
    "full/fs-parallel": ("server.live-migrate", "slow", "held-back", "application", "compute-1"),
}
# Requests that went well and had no trouble at all.
HEALTHY = ("openstack/boot-delete", "openstack/livemig-ok", "openstack/network", "openstack/agent-mode")
tap = Tap()


class Store:
    """A store that was read from a trace, and a daemon that answers from it."""
    def __init__(self, folder, name, trace):
        self.path = os.path.join(folder, name.replace("/", "-") + ".db")
        subprocess.run([CLOUDTRACED, "--read", trace, "--store", self.path], check=True, timeout=120,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.daemon = subprocess.Popen([CLOUDTRACED, "--store", self.path, "--stdio"], text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        json.loads(self.daemon.stdout.readline())

    def ask(self, method, **params):
        self.daemon.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                            "params": params}) + "\n")
        self.daemon.stdin.flush()
        return json.loads(self.daemon.stdout.readline())

    def call(self, method, **params):
        reply = self.ask(method, **params)
        if "error" in reply:
            raise AssertionError(f"{method} {params}: {reply['error']}")
        return reply["result"]

    def close(self):
        self.daemon.stdin.close()
        self.daemon.wait()


def short(findings):
    return [(f["rule"], f["layer"], f["node"]) for f in findings]


def schema(name, value):
    if jsonschema:
        check(name, value)


def check_migrations(store, name):
    found = []
    for migration in store.call("migration.list"):
        shown = store.call("migration.show", id=migration["id"])
        schema("migration", shown)
        weights = [f["weight"] for f in shown["findings"]]
        if weights != sorted(weights, reverse=True):
            tap.ok(False, f"{name}: what explains most comes first", weights)
        found.append(short(shown["findings"]))
    wanted = EXPECTED[name]
    if name in AND_MORE:
        found = [one[:len(want)] for one, want in zip(found, wanted)] + found[len(wanted):]
    tap.same(found, wanted, f"{name}: {', '.join(f[0] for one in wanted for f in one) or 'nothing'}")


def check_requests(store, name):
    kind, status, *wanted = REQUESTS[name]
    flows = [f for f in store.call("flow.list", kind=kind) if f["status"] == status or status == "slow"]
    flow = max(flows, key=lambda f: f["total_ns"])
    answer = store.call("why", id=flow["id"])
    schema("why", answer)
    tap.same(short(answer["findings"])[:1], [tuple(wanted)],
             f"{name}: why {kind}: {wanted[0]} on {wanted[2]}")
    tap.ok(answer["findings"] and answer["findings"][0]["text"] in answer["verdict"],
           f"{name}: the verdict says it", answer["verdict"])


def check_healthy(store, name):
    found = [(f["id"], short(store.call("flow.show", id=f["id"])["findings"]))
             for f in store.call("flow.list", status="ok")]
    tap.same([one for one in found if one[1]], [], f"{name}: nothing of {len(found)} healthy requests")


def check_ids(store):
    """By the id of a migration, its request, its VM, its alert, and by none."""
    migration = store.call("migration.list")[0]
    flow = store.call("flow.list", kind="server.live-migrate")[0]
    by_migration = store.call("why", id=migration["id"])
    tap.same((by_migration["topic"], by_migration["id"]), ("migration", migration["id"]), "by a migration")
    for what, key in (("a request", flow["id"]), ("a VM, its newest operation", flow["vm"]["uuid"])):
        tap.same(store.call("why", id=key)["topic"], "flow", f"by {what}")
    alert = [a for a in store.call("alert.list") if a["subject"] == migration["id"]][0]
    tap.same(store.call("why", id=alert["id"])["id"], migration["id"], "by an alert")
    shown = store.call("alert.show", id=alert["id"])
    schema("alert", shown)
    tap.same(shown["findings"], by_migration["findings"], "an alert carries them")
    tap.ok("findings" not in alert, "lists do not")
    for key in ("nobody", "", "%", "' OR 1"):
        error = store.ask("why", id=key).get("error", {})
        tap.same(error.get("data", {}).get("kind"), "not-found", f"nothing is known by \"{key}\"")
    run = subprocess.run([CTL, "--store", store.path, "why", migration["id"]], capture_output=True, text=True,
                         timeout=60)
    tap.ok(run.returncode == 0 and run.stdout.startswith(by_migration["verdict"]) and
           "evidence: " in run.stdout, "cloudtracectl says the verdict first", run.stdout + run.stderr)


def main():
    given = {os.path.basename(path.rstrip("/")): path for path in sys.argv[1:]}
    names = list(EXPECTED) + [n for n in (*REQUESTS, *HEALTHY) if n not in EXPECTED]
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            if os.path.basename(name) not in given if given else name in LARGE:
                continue
            store = Store(folder, name, given.get(os.path.basename(name)) or corpus(name))
            if name in EXPECTED:
                check_migrations(store, name)
            if name in REQUESTS:
                check_requests(store, name)
            if name in HEALTHY:
                check_healthy(store, name)
            if name == "full/fs-livemig-fail":
                check_ids(store)
            store.close()
    tap.done()


if __name__ == "__main__":
    main()
