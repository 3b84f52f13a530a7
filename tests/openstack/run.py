#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the log handler in real OpenStack services, and tells as TAP whether they bear it and
whether everything is in the trace.  README.md says more."""
import argparse
import collections
import difflib
import glob
import json
import os
import re
import signal
import subprocess
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from harness import BUILD, CLOUDTRACED, CTL, Tap, wait_for  # noqa: E402

import cloud
import config
import nodes as lab
from cloud import command

ROLES = {"controller": "controller", "compute-1": "compute", "compute-2": "compute",
         "storage-1": "storage"}
EVENT = "lttng_python:event"
SETUP = ("/usr/bin/python3", "-m", "cloudtrace_openstack.setup_tool")

# What the trace calls the services, and on which nodes.
EXPECTED = {
    "controller": {"nova-api", "nova-conductor", "nova-scheduler", "neutron-server",
                   "neutron-rpc-server", "neutron-linuxbridge-agent", "neutron-dhcp-agent",
                   "cinder-api", "cinder-scheduler", "glance-api", "placement-api"},
    "compute-1": {"nova-compute", "neutron-linuxbridge-agent"},
    "compute-2": {"nova-compute", "neutron-linuxbridge-agent"},
    "storage-1": {"cinder-volume"},
}
# The CLI's names of the services whose request ids must be in the trace.
TRACED_APIS = ("compute", "network", "image", "volumev3", "volume", "block-storage")

# What tells in a log that the handler did harm.
HARM = re.compile(r"cloudtrace|lttng|RecursionError|maximum recursion|Fatal Python error|"
                  r"core dumped|SIGABRT|SIGSEGV|Assertion .* failed|--- Logging error ---")
FAILED = re.compile(r"HTTP/1\.[01]\"? (?:status: )?50[0-9]|=> generated .* 50[0-9]\)")
# Neutron's own: the source and the destination of a live migration activate a binding at once.
KNOWN = re.compile(r"PUT /v2\.0/ports/\S+/bindings/\S+/activate")
tap = Tap()


class Cloud:
    """The nodes, and the tracing in them."""

    def __init__(self, work):
        self.nodes = lab.make(work)
        self.controller = self.nodes["controller"]
        self.traces = os.path.join(self.controller.own, "relayd")
        self.socket = f"--socket={self.controller.own}/control.sock"

    def bring_up(self):
        began = time.monotonic()
        cloud.configure(self.nodes)
        cloud.infrastructure(self.nodes)
        cloud.databases(self.nodes)
        cloud.accounts(self.nodes)
        print(f"# the cloud's databases and accounts: {time.monotonic() - began:.0f} s", flush=True)

    def relayd(self):
        self.controller.start("relayd", "lttng-relayd", "-o", self.traces)
        lab.until(lambda: not self.controller.run("bash", "-c", "</dev/tcp/127.0.0.1/5344",
                                                  check=False).returncode, 20, "relayd")

    def tracing(self):
        """relayd and cloudtraced; on each node sessiond, cloudtrace-node, cloudtrace-session."""
        self.relayd()
        self.controller.start("cloudtraced", CLOUDTRACED, "--relayd=127.0.0.1", "--ro-socket=",
                              f"--store={self.controller.own}/store.db", self.socket, "--list-interval=200ms")
        for name, node in self.nodes.items():
            events = subprocess.run([CLOUDTRACED, "--print-events", ROLES[name]], check=True,
                                    text=True, capture_output=True).stdout
            if EVENT not in events:
                events += f"ust {EVENT}\n"
            node.write("own/events", events)
            node.start("sessiond", "lttng-sessiond", "--no-kernel")
            node.start("cloudtrace-node", os.path.join(BUILD, "cloudtrace-node"))
            node.start("cloudtrace-session", os.path.join(BUILD, "cloudtrace-session"), ROLES[name],
                       f"--relayd=net://{self.controller.address}", f"--events={node.own}/events",
                       "--kernel=no")
        for node in self.nodes.values():
            lab.until(lambda node=node: node.run("lttng", "list", check=False).stdout.count(
                "[active]"), 20, f"session on {node.name}")

    def setup(self, *words):
        """cloudtrace-openstack-setup on every node: what it printed"""
        return "".join([self.nodes[name].run(*SETUP, *words, *files).stdout
                        for name, files in config.TRACED.items()])

    def configuration(self):
        """All files below /etc of each node that the setup could change."""
        out = {}
        for name, files in config.TRACED.items():
            for folder in sorted({os.path.dirname(file) for file in files}):
                for path in glob.glob(self.nodes[name].path(folder, "**"), recursive=True):
                    if os.path.isfile(path):
                        with open(path, "rb") as file:
                            state = os.stat(path)
                            out[path] = file.read(), state.st_uid, state.st_gid, state.st_mode
        return out

    def events(self):
        """Everything in the trace so far from the services, with "json" beside."""
        with subprocess.Popen([CLOUDTRACED, "--dump", self.traces],
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as dump:
            for line in dump.stdout:
                event = json.loads(line)
                if event["name"] == EVENT:
                    event["json"] = json.loads(event["payload"]["msg"])
                    yield event

    def ctl(self, *words):
        done = self.controller.run(CTL, self.socket, "-o", "json", *words, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else []

    def came(self, seconds, wanted, what):
        """Waits for an event since now for which wanted(event) holds."""
        since = time.time()
        tap.ok(wait_for(lambda: any(event["json"]["created"] > since and wanted(event)
                                    for event in self.events()), seconds, 1), what)

    def dead(self):
        return [one for node in self.nodes.values() for one in node.dead()]

    def logs(self):
        """{path: text} of what the services logged and printed."""
        out = {}
        for node in self.nodes.values():
            for path in glob.glob(node.path("/var/log/*/*.log")) + glob.glob(node.path("/out/*")):
                project = os.path.basename(os.path.dirname(path))
                if project in lab.PROJECTS or os.path.basename(path) in cloud.SERVICES[node.name]:
                    with open(path, errors="replace") as file:
                        out[os.path.relpath(path, os.path.dirname(node.folder))] = file.read()
        return out

    def server(self, name):
        return command(self.nodes, "server", "show", name)

    def boot(self, name):
        command(self.nodes, "server", "create", "--flavor=nano", "--image=tiny", "--network=net",
                "--wait", name)
        return self.server(name)

    def delete(self, name):
        command(self.nodes, "server", "delete", "--wait", name, form=())


def check_setup(it):
    """The handler is put into every service's configuration."""
    before = it.configuration()
    shown = it.setup()
    tap.same(it.configuration(), before, "setup without --apply changes nothing")
    applied = it.setup("--apply")
    tap.same(applied, shown, "setup shows the change that --apply makes")
    tap.same(shown.count("\n+log_config_append"), sum(map(len, config.TRACED.values())),
             "log_config_append is set in each file")
    tap.same(it.setup("--apply"), "", "applied again, nothing changes")
    return before


def check_operations(it):
    """Servers and volumes, as a user sees them."""
    one = it.boot("one")
    tap.same(one["status"], "ACTIVE", "a server boots")
    command(it.nodes, "volume", "create", "--size=1", "--type=nfs", "disk")
    tap.ok(wait_for(lambda: command(it.nodes, "volume", "show", "disk")["status"] == "available", 60),
           "a volume is created: mount and chmod by way of sudo and rootwrap")
    command(it.nodes, "server", "add", "volume", "one", "disk")
    tap.ok(wait_for(lambda: command(it.nodes, "volume", "show", "disk")["status"] == "in-use", 60),
           "it is attached: os-brick by way of privsep")
    it.delete("one")
    command(it.nodes, "volume", "delete", "disk", form=())
    two = it.boot("two")
    source = two["OS-EXT-SRV-ATTR:host"]
    target = next(name for name in lab.COMPUTES if name != source)
    command(it.nodes, "server", "migrate", "--live-migration", f"--host={target}", "--wait", "two",
            form=())
    moved = it.server("two")
    tap.same((moved["status"], moved["OS-EXT-SRV-ATTR:host"]), ("ACTIVE", target),
             "a server is migrated live")
    it.delete("two")
    return [(one["id"], "one"), (two["id"], "two")]


def check_trace(it, servers):
    services = collections.defaultdict(collections.Counter)
    keys, requests, instances = collections.Counter(), set(), collections.defaultdict(set)
    problems, users, hosts = [], collections.defaultdict(set), set()
    for event in it.events():
        said, context = event["json"], event["context"]
        services[event["host"]][said["service"]] += 1
        users[said["service"]].add(context["procname"])
        keys.update(said.keys())
        requests |= {said.get("request_id"), said.get("global_request_id")}
        instances[said.get("instance")].add((event["host"], said["service"]))
        if said["host"] != event["host"] or said["pid"] != context["vpid"]:
            hosts.add((said["host"], event["host"], said["pid"], context["vpid"]))
        if said.keys() & {"dropped", "format_error"}:
            problems.append(said)
    for node, names in sorted(services.items()):
        print(f"# {node}: " + ", ".join([f"{name} {n}" for name, n in sorted(names.items())]))
    print(f"# keys: {json.dumps(dict(keys.most_common()))}")
    print(f"# procname: {json.dumps({name: sorted(found) for name, found in sorted(users.items())})}")
    for node, wanted in EXPECTED.items():
        tap.same(sorted(wanted - set(services[node])), [], f"every service of {node} is in the trace")
    tap.same(sorted(hosts)[:5], [], "host and pid in each message are those of the tracer")
    tap.same(problems[:3], [], "no record was dropped, none could not be formatted")
    told = [pair for done in cloud.Cli.done for pair in done["requests"]]
    asked = {request for api, request in told if api in TRACED_APIS}
    missing = asked - requests
    print(f"# request ids of the CLI: {json.dumps(collections.Counter(api for api, _ in told))}")
    tap.ok(len(asked) > 20 and not missing, f"all {len(asked)} request ids that the CLI was told "
           "are in the trace", missing)
    for uuid, name in servers:
        found = {service for _, service in instances[uuid]}
        tap.same(sorted({"nova-api", "nova-conductor", "nova-compute"} - found), [],
                 f"server {name} is named by nova-api, nova-conductor and nova-compute")
    tap.ok(keys["notification"] > 10, "notifications came", keys)


def check_harm(it):
    tap.same(it.dead(), [], "every service is alive")
    bad = [f"{path}: {line[:300]}" for path, text in it.logs().items()
           for line in text.splitlines() if HARM.search(line)]
    tap.same(bad[:20], [], "no log tells of a crash, a recursion, or of us")
    failed = [f"{path}: {line[:300]}" for path, text in it.logs().items()
              for line in text.splitlines() if FAILED.search(line)]
    for line in failed:
        print(f"# {line}")
    tap.same([line for line in failed if not KNOWN.search(line)], [], "no request was answered 50x")
    helpers = [name for node in it.nodes.values()
               for name in node.run("ps", "-eo", "user=,args=").stdout.splitlines()
               if "privsep-helper" in name and name.startswith("root") and "sudo" not in name]
    print(f"# privsep helpers: {len(helpers)}")
    tap.ok(helpers, "privsep's helpers run as root")
    maps = [pid for node in it.nodes.values() for pid in node.run(
        "bash", "-c", "grep -l lttng-ust /proc/[0-9]*/maps 2>/dev/null | cut -d/ -f3 | "
        "while read p; do tr '\\0' ' ' <$p/cmdline; echo; done", check=False).stdout.splitlines()
        if "privsep-helper" in pid or "rootwrap" in pid]
    tap.same(maps, [], "no tracer in privsep's helpers and rootwrap")


def check_operator_log(it):
    """The service's own log is as it was: INFO and up, where Debian puts it."""
    for name, path in (("compute-1", "/var/log/nova/nova-compute.log"),
                       ("controller", "/var/log/nova/nova-conductor.log"),
                       ("storage-1", "/var/log/cinder/cinder-volume.log")):
        text = it.nodes[name].read(path)
        tap.ok(" INFO " in text and " DEBUG " not in text,
               f"{name}: {os.path.basename(path)} has INFO and no DEBUG", text[-500:])
    told = [path for path, text in it.logs().items() if "oslo.messaging.notification" in text]
    tap.same(told, [], "notifications are in the trace alone")


def check_daemon(it):
    live = {node["host"]: [source["state"] for source in node["sources"]]
            for node in it.ctl("node", "list")}
    tap.ok(all("live" in live.get(name, ()) for name in it.nodes),
           "cloudtracectl node list shows every node live", live)
    lost = [(node["host"], source["lost_events"]) for node in it.ctl("node", "list")
            for source in node["sources"] if source["lost_events"]]
    tap.same(lost, [], "nothing was lost on the way")


def check_outages(it):
    """Services do not care whether anybody can be traced to."""
    of_compute = {name: it.nodes[name].services["nova-compute"].pid for name in lab.COMPUTES}
    it.controller.stop("relayd", signal.SIGKILL)
    tap.same(it.boot("deaf")["status"], "ACTIVE", "a server boots while relayd is dead")
    it.delete("deaf")
    it.relayd()
    for name in it.nodes:
        it.came(60, lambda event, name=name: event["host"] == name,
                f"{name}: the same services are traced again when relayd is back")
    for name in lab.COMPUTES:
        os.killpg(it.nodes[name].services["sessiond"].pid, signal.SIGKILL)
        it.nodes[name].services.pop("sessiond").wait()
    tap.same(it.boot("mute")["status"], "ACTIVE", "a server boots while sessiond is dead")
    it.delete("mute")
    for name in lab.COMPUTES:
        it.nodes[name].start("sessiond", "lttng-sessiond", "--no-kernel")
    for name in lab.COMPUTES:
        it.came(60, lambda event, name=name: event["host"] == name and
                event["json"]["service"] == "nova-compute",
                f"{name}: nova-compute is traced again when sessiond is back")
    tap.same({name: it.nodes[name].services["nova-compute"].pid for name in lab.COMPUTES},
             of_compute, "by the same nova-compute processes")
    tap.same(it.dead(), [], "every service is alive")


def check_revert(it, before):
    it.setup("--revert")
    after = it.configuration()
    changed = [path for path in sorted(before.keys() | after.keys())
               if before.get(path) != after.get(path)]
    tap.same(changed, [], "reverted: all configuration is as it was, with owners and modes")
    for path in changed[:3]:
        texts = [side.get(path, (b"",))[0].decode(errors="replace").splitlines()
                 for side in (before, after)]
        print("\n".join(["# " + line for line in difflib.unified_diff(*texts, lineterm="")]))
    for node, names in cloud.SERVICES.items():
        for name in names:
            it.nodes[node].stop(name)
    time.sleep(2)
    quiet = time.time()
    cloud.services(it.nodes)
    tap.same(it.boot("after")["status"], "ACTIVE", "the services start without the handler")
    it.delete("after")
    tap.same([event["json"]["service"] for event in it.events()
              if event["json"]["created"] > quiet][:3], [], "and nothing of them is traced any more")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", default="/var/tmp/cloudtraced-openstack",
                        help="where the nodes' files are kept; made anew (%(default)s)")
    parser.add_argument("--shell", action="store_true",
                        help="a shell on the controller before the end")
    options = parser.parse_args()
    began = time.monotonic()
    it = Cloud(os.path.abspath(options.work))
    try:
        it.bring_up()
        before = check_setup(it)
        it.tracing()
        cloud.services(it.nodes)
        cloud.resources(it.nodes)
        servers = check_operations(it)
        time.sleep(3)       # the live timer, and the way through relayd
        check_trace(it, servers)
        check_harm(it)
        check_operator_log(it)
        check_daemon(it)
        check_outages(it)
        if options.shell:
            subprocess.call(it.controller.argv("bash", env=cloud.CLI_ENV))
        check_revert(it, before)
    finally:
        lab.end(it.nodes)
        with open(os.path.join(options.work, "cli.json"), "w") as file:
            json.dump(cloud.Cli.done, file, indent=1)
    print(f"# all: {(time.monotonic() - began) / 60:.0f} minutes")
    tap.done()


if __name__ == "__main__":
    main()
