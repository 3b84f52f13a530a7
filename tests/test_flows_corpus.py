#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Requests, VMs and services of tests/corpus/openstack and full, against what the cloud's own API said:
one flow for each request of an operator, its kind, status, start and end; the states of each VM."""
import datetime
import functools
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import BUILD, Lab, Tap, corpus, difference, side_by_side  # noqa: E402

SCENARIOS = ("openstack/agent-mode", "openstack/boot-delete", "openstack/create-novalidhost",
             "openstack/lifecycle", "openstack/livemig-abort", "openstack/livemig-fail-killed",
             "openstack/livemig-ok", "openstack/network", "openstack/parallel10",
             "openstack/reschedule", "openstack/resize", "openstack/volume", "full/fs-livemig-busy",
             "full/fs-livemig-fail")
# In how many orders the facts are given, too: each kind comes last in one of some twenty.
ORDERS = {"openstack/create-novalidhost": 24, "openstack/livemig-abort": 24, "openstack/resize": 8,
          "openstack/volume": 4,
          "full/fs-livemig-busy": 12}
# What an operator typed, and the kind of the request that it makes; the first that fits.
KINDS = (("server create", "server.create"), ("server delete", "server.delete"),
         ("server start", "server.start"), ("server stop", "server.stop"),
         ("server reboot", "server.reboot"), ("server pause", "server.pause"),
         ("server unpause", "server.unpause"), ("server suspend", "server.suspend"),
         ("server resume", "server.resume"), ("server resize confirm", "server.confirm-resize"),
         ("server resize revert", "server.revert-resize"), ("server resize", "server.resize"),
         ("server migrate --live", "server.live-migrate"),
         ("server migration abort", "server.live-migrate-abort"),
         ("server migration force", "server.live-migrate-force-complete"),
         ("server add volume", "server.attach-volume"),
         ("server remove volume", "server.detach-volume"),
         ("server add network", "server.attach-interface"), ("volume create", "volume.create"),
         ("volume delete", "volume.delete"), ("volume set --size", "volume.extend"),
         ("network create", "network.create"), ("network delete", "network.delete"),
         ("subnet create", "subnet.create"), ("port create", "port.create"),
         ("port delete", "port.delete"), ("router create", "router.create"),
         ("router delete", "router.delete"), ("router add subnet", "router.add-interface"),
         ("router remove subnet", "router.remove-interface"))
POWER = {0: "pending", 1: "running", 3: "paused", 4: "shutdown", 6: "crashed", 7: "suspended"}
MIGRATION = {"completed": "ok", "failed": "error", "error": "error", "cancelled": "cancelled"}
tap = Tap()


def seconds(text):
    """Nova's times are whole seconds, cut off."""
    when = datetime.datetime.fromisoformat(text.split(".")[0])
    return when.replace(tzinfo=datetime.timezone.utc).timestamp()


def client_seconds(text):
    when = datetime.datetime.strptime(text, "%Y-%m-%d %H:%M:%S.%f")
    return when.replace(tzinfo=datetime.timezone.utc).timestamp()


def asked(truth):
    """Request id: (command, its exit status, when the client had the answer)."""
    found = {}
    for operation in truth.get("operations") or []:
        for request in operation.get("requests") or []:
            if request["method"] != "GET":
                found[request["request_id"]] = (operation.get("cmd", ""), operation["rc"],
                                                client_seconds(request["at"]))
    for create in truth.get("creates") or []:
        found[create["request_id"]] = ("openstack server create", 0, create["t_api"])
    return found


def actions(truth):
    """Request id: (Nova's action, migrations of its server, state of that)."""
    found = {}
    for server in (truth.get("servers") or {}).values():
        for action in server.get("events") or []:
            found[action["request_id"]] = (action, server.get("migrations") or [])
    return found


def wanted_status(flow, action, migrations):
    if flow["kind"] == "server.live-migrate":
        near = [m for m in migrations if m["migration_type"] == "live-migration" and
                abs(seconds(m["created_at"]) - seconds(action["start_time"])) < 3]
        if near:
            return MIGRATION[near[0]["status"]]
    failed = action["message"] == "Error" or any(e["result"] == "Error" for e in action["events"])
    return "error" if failed else "ok"


def wrong_flow(flow, command, code, answered, action, migrations):
    """What is not as the API said, as texts."""
    wrong = []
    kinds = [k for text, k in KINDS if command.startswith("openstack " + text)]
    # "volume create --bootable" makes two requests.
    if kinds and flow["kind"] != kinds[0] and not (kinds[0] == "volume.create" and
                                                  flow["kind"] == "volume.set-bootable"):
        wrong.append(f"kind {flow['kind']} instead of {kinds[0]}")
    replied = flow["start_ns"] + flow["api_ns"]
    if not -0.05 <= answered - replied / 1e9 <= 5:
        wrong.append(f"the client had the answer {answered - replied / 1e9:.3f} s after ours")
    if not action:
        if flow["status"] != ("error" if code else "ok"):
            wrong.append(f"status {flow['status']}, {flow['error']}")
        return wrong
    status = wanted_status(flow, action, migrations)
    if flow["status"] != status:
        wrong.append(f"status {flow['status']} instead of {status}: {flow['error']}")
    finished = [seconds(e["finish_time"]) for e in action["events"] if e["finish_time"]]
    late = flow["end_ns"] / 1e9 - max(finished) if finished and flow["end_ns"] else 0
    # Of a failed migration the truth was taken before it was rolled back.
    if late < -1 or (late > 1 and status == "ok"):
        wrong.append(f"ends {late:.3f} s after Nova's action")
    return wrong


def check_flows(name, lab, truth):
    flows = lab.json("flow", "list", store="store.db")
    by_request = {}
    for flow in flows:
        by_request.setdefault(flow["request_id"], []).append(flow)
    requests, of_nova, wrong = asked(truth), actions(truth), []
    for request, (command, code, answered) in requests.items():
        found = by_request.get(request, [])
        if len(found) != 1:
            wrong.append(f"{request}: {len(found)} flows: {command}")
            continue
        action, migrations = of_nova.get(request, (None, []))
        wrong += [f"{request} {command[:60]}: {w}" for w in
                  wrong_flow(found[0], command, code, answered, action, migrations)]
    tap.ok(requests and not wrong, f"{name}: {len(requests)} requests as the API has them",
           "\n".join(wrong))
    extra = [f"{f['id']} {f['kind']} {f['path']}" for f in flows
             if f["request_id"] not in requests and not f["kind"].startswith("api.")]
    tap.same(extra, [], f"{name}: no flow of what a service asked of another")
    return flows


def check_tree(name, lab, flows):
    """Every span hangs on the root, the budget is the whole time, and no VM is in another's flow."""
    wrong = []
    for listed in flows:
        flow = lab.json("flow", "show", listed["id"], store="store.db")
        ids = {s["id"] for s in flow["spans"]}
        roots = [s for s in flow["spans"] if s["parent"] is None]
        if len(roots) != 1 or flow["spans"][0] is not roots[0]:
            wrong.append(f"{flow['id']}: {len(roots)} roots")
        wrong += [f"{flow['id']}: {s['name']} hangs on nothing" for s in flow["spans"]
                  if s["parent"] is not None and s["parent"] not in ids]
        percent = sum(b["percent"] for b in flow["budget"])
        spent = sum(b["ns"] for b in flow["budget"])
        if flow["total_ns"] and (abs(percent - 100) > 0.001 or spent != flow["total_ns"]):
            wrong.append(f"{flow['id']}: {percent} % and {spent} of {flow['total_ns']} ns")
        others = {s["attributes"].get("instance") for s in flow["spans"]} - {None}
        if flow["vm"] and others - {flow["vm"]["uuid"]}:
            wrong.append(f"{flow['id']}: VMs {others}")
    tap.ok(not wrong, f"{name}: trees, budgets, one VM each", "\n".join(wrong))


def check_states(name, lab, truth):
    wrong = []
    for server in (truth.get("servers") or {}).values():
        show = server.get("show")
        show = json.loads(show) if isinstance(show, str) else show
        if not show:
            continue
        vm = lab.json("vm", "show", show["id"], store="store.db")
        # It was shown before it was deleted.
        gone = min([c["t_ns"] for c in vm["history"] if c["to"] == "deleting"], default=1 << 62)
        last = {c["what"]: c["to"] for c in vm["history"] if c["t_ns"] < gone}
        want = {"vm_state": show["OS-EXT-STS:vm_state"], "task_state": show["OS-EXT-STS:task_state"],
                "host": show["OS-EXT-SRV-ATTR:host"]}
        if "power_state" in last:
            want["power_state"] = POWER[show["OS-EXT-STS:power_state"]]
        if vm["name"] != show["name"] or any(last.get(k) != v for k, v in want.items() if k in last):
            wrong.append(f"{vm['name']}: {last} instead of {want}")
        for before, after in zip(vm["history"], vm["history"][1:]):
            if after["t_ns"] < before["t_ns"]:
                wrong.append(f"{vm['name']}: not in the order of time")
    tap.ok(not wrong, f"{name}: states of VMs as the API shows them", "\n".join(wrong))


def check_services(name, lab):
    services = lab.json("service", "list", store="store.db")
    wrong = [s["id"] for s in services if not s["workers"] or not s["last_ns"]]
    apis = {s["service"]: s for s in services}
    tap.ok({"nova-api", "nova-compute", "neutron-server"} <= set(apis) and not wrong,
           f"{name}: services with their workers", f"{wrong} {sorted(apis)}")
    api = apis.get("nova-api", {})
    tap.ok(api.get("requests") and api["p50_ns"] <= api["p90_ns"] <= api["p99_ns"] <= api["max_ns"],
           f"{name}: latencies of nova-api", api)


def flow_of(flows, kind, status=None):
    found = [f for f in flows if f["kind"] == kind and status in (None, f["status"])]
    return found[0] if found else {"error": None, "findings": [], "id": ""}


def check_special(name, lab, flows):
    """What a scenario is about."""
    if name.endswith("create-novalidhost"):
        error = flow_of(flows, "server.create", "error")["error"]
        tap.ok(error and error["service"].startswith("nova-") and "NoValidHost" in error["exception"] and
               "allocation candidates" in error["message"], f"{name}: why no host was found", error)
    if name.endswith("reschedule"):
        rules = [f["rule"] for f in flow_of(flows[::-1], "server.create")["findings"]]
        tap.ok("reschedule" in rules and "vif-plug-timeout" in rules,
               f"{name}: was scheduled again, and waited for its port", rules)
    if name.endswith("fs-livemig-busy"):
        flow = lab.json("flow", "show", flow_of(flows, "server.live-migrate", "cancelled")["id"],
                        store="store.db")
        stages = [s["name"] for s in flow["spans"] if s["layer"] == "virtualization"]
        tap.ok(flow["migration"] and "precopy" in stages, f"{name}: QEMU's part is in it", stages)
        migration = lab.json("migration", "show", flow["migration"], store="store.db")
        tap.same(migration["request_id"], flow["id"], f"{name}: the migration knows its request")
    if name.endswith("livemig-fail-killed"):
        error = flow_of(flows, "server.live-migrate", "error")["error"]
        tap.ok(error and error["cause"] == "migration-failed", f"{name}: failed, not cancelled", error)
    if name.endswith("openstack/volume"):
        check_volume(name, lab, flows)


def check_volume(name, lab, flows):
    volume, = [v for v in lab.json("volume", "list", store="store.db") if v["path"]]
    shown = lab.json("volume", "show", volume["id"], store="store.db")
    tap.ok(shown["device"] == "/dev/vdb" and shown["path"].endswith(volume["id"]) and
           shown["attachments"] and shown["flows"], f"{name}: volume, path, device", shown)
    error = flow_of(flows, "server.detach-volume", "error")["error"]
    tap.ok(error and error["cause"] == "detach-failed", f"{name}: the guest did not let go", error)
    port, = lab.json("port", "list", store="store.db")[:1]
    shown = lab.json("port", "show", port["id"], store="store.db")
    tap.ok(shown["mac"] and shown["tap"].startswith("tap") and shown["steps"],
           f"{name}: a port with its steps", shown)
    for what in (port["mac"], port["tap"], volume["id"], flows[0]["id"]):
        found = lab.json("raw", "find", json.dumps({"id": what}), store="store.db")
        tap.ok(found["things"] or found["flows"], f"{name}: {what} is found", found)


def shuffled(name, lab, traces):
    tool = os.path.join(BUILD, "tests/shuffled_facts")
    done = subprocess.run([tool, lab.path("shuffled.db"), str(ORDERS[name]), traces],
                          capture_output=True, text=True, timeout=300, check=False)
    tap.ok(done.returncode == 0, f"{name}: the same store in {ORDERS[name]} other orders",
           done.stdout[:4000] + done.stderr)


def check_scenario(name):
    with Lab() as lab:
        folder = corpus(name)
        traces = os.path.join(folder, "ctf")
        with open(os.path.join(folder, "truth.json"), encoding="utf-8") as f:
            truth = json.load(f)
        lab.read(traces)
        flows = check_flows(name, lab, truth)
        check_tree(name, lab, flows)
        check_states(name, lab, truth)
        check_services(name, lab)
        check_special(name, lab, flows)
        first = lab.dump_store()
        lab.read(traces)
        tap.ok(first and lab.dump_store() == first, f"{name}: reading it again changes nothing",
               difference(first, lab.dump_store()))
        if name in ORDERS:
            shuffled(name, lab, traces)


# The slowest first.
side_by_side((functools.partial(check_scenario, name)
              for name in sorted(sys.argv[1:] or SCENARIOS, key=lambda name: -ORDERS.get(name, 0))), 2)
tap.done()
