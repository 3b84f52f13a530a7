#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A real QEMU, cloudtrace-node, lttng-sessiond and lttng-relayd: the daemon knows the VM by uuid and
name within 2 s; also after sessiond and relayd were killed and started again."""
import json
import os
import shutil
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import BUILD, Lab, Tap, wait_for  # noqa: E402

QEMU = "qemu-system-x86_64"
for program in ("lttng-sessiond", "lttng-relayd", "lttng", QEMU):
    if not shutil.which(program):
        print(f"1..0 # SKIP {program} is missing")
        sys.exit(0)

# The tracer of root is one for the machine; that of a user is found below LTTNG_HOME.
USER = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
LIMIT = 2.0
tap = Tap()


class Node:
    """The tracer of one user, cloudtrace-node, and QEMUs."""

    def __init__(self, lab):
        self.lab = lab
        self.home = lab.path("home")
        os.makedirs(self.home)
        os.chmod(lab.dir, 0o755)
        if USER:
            shutil.chown(self.home, 65534, 65534)
        self.env = dict(os.environ, HOME=self.home, LTTNG_HOME=self.home, LTTNG_RUNDIR=self.home + "/run",
                        LTTNG_UST_REGISTER_TIMEOUT="0")
        self.env.pop("ASAN_OPTIONS", None)

    def start(self, argv, log, **more):
        return self.lab.start(argv, log, env=self.env, **USER, **more)

    def lttng(self, *argv):
        return subprocess.run(["lttng", "--no-sessiond", *argv], env=self.env, capture_output=True, text=True,
                              timeout=60, cwd="/", **USER)

    def sessiond(self):
        self.process = self.start(["lttng-sessiond", "--no-kernel"], "sessiond.log", start_new_session=True)
        if not wait_for(lambda: self.lttng("list").returncode == 0, 20):
            raise RuntimeError("lttng-sessiond did not start: " + self.lab.log("sessiond.log"))

    def kill_sessiond(self):
        """With its consumer daemons."""
        os.killpg(self.process.pid, 9)
        self.process.wait()

    def session(self):
        relayd = f"tcp://127.0.0.1:{self.lab.ctrl}", f"tcp://127.0.0.1:{self.lab.data}"
        for argv in (["create", "cloud", "--live=200000", "-C", relayd[0], "-D", relayd[1]],
                     ["enable-channel", "-u", "c", "--subbuf-size=256K", "--num-subbuf=4"],
                     ["enable-event", "-u", "-c", "c", "cloudtrace_node:*"],
                     ["add-context", "-u", "-c", "c", "-t", "vpid", "-t", "vtid"], ["start"]):
            r = self.lttng(*argv)
            if r.returncode:
                raise RuntimeError(f"lttng {' '.join(argv)}: {r.stdout}{r.stderr}{self.lab.log('sessiond.log')}")

    def dumps(self):
        """How often everything was told so far."""
        return self.lab.log("node.log").count('"event":"dump_end"')

    def qemu(self, name):
        vm = str(uuid.uuid4())
        p = self.start([QEMU, "-name", f"guest={name},debug-threads=on", "-uuid", vm, "-S", "-machine",
                        "q35,accel=tcg", "-m", "32", "-nodefaults", "-display", "none"], f"{name}.log")
        return p, vm


def entities(lab, store):
    """Attributes of the QEMU processes that the store knows."""
    found = []
    for line in lab.dump_store(store).splitlines():
        columns = line.split("\t")
        if columns[0] == "fact" and columns[4] == "qemu.process":
            found.append(json.loads(columns[-1]))
    return found


def named(lab, store, vm, name, pid, since, what):
    def known():
        return any((e["uuid"], e["name"], e["pid"]) == (vm, name, pid) for e in entities(lab, store))
    got = wait_for(known, 10, 0.02)
    took = time.monotonic() - since
    limit = LIMIT * (5 if "sanitize" in BUILD else 1)
    tap.ok(got and took < limit, f"{what} ({took:.2f} s)",
           f"{entities(lab, store)}\n{lab.log('cloudtraced.log')}\n{lab.log('node.log')}")


with Lab() as lab:
    node = Node(lab)
    relayd = lab.relayd()
    # Streams that a killed relayd left unfinished hold back the node's other events for this long.
    daemon = lab.daemon()
    node.sessiond()
    node.session()
    program = node.start([os.path.join(BUILD, "cloudtrace-node"), "--print", "--interval=1h"], "node.log")
    before, before_uuid = node.qemu("before")
    wait_for(lambda: any(e["uuid"] == before_uuid for e in entities(lab, "store.db")), 10)
    started = time.monotonic()
    first, first_uuid = node.qemu("instance-00000001")
    named(lab, "store.db", first_uuid, "instance-00000001", first.pid, started, "a new VM is known by uuid and name")

    node.kill_sessiond()
    relayd.kill()
    relayd.wait()
    second, second_uuid = node.qemu("instance-00000002")
    time.sleep(0.5)
    relayd = lab.relayd()
    node.sessiond()
    node.session()
    started = time.monotonic()
    named(lab, "store.db", second_uuid, "instance-00000002", second.pid, started,
          "both daemons killed and started: a VM of meanwhile is known")
    third, third_uuid = node.qemu("instance-00000003")
    started = time.monotonic()
    named(lab, "store.db", third_uuid, "instance-00000003", third.pid, started, "and a new one")

    # What another session was told is not in this one.
    node.lttng("create", "late", "--output=" + node.home + "/late")
    node.lttng("enable-event", "-u", "-s", "late", "cloudtrace_node:*")
    for what in (["start", "late"], ["regenerate", "statedump", "-s", "late"]):
        dumps = node.dumps()
        node.lttng(*what)
        tap.ok(wait_for(lambda: node.dumps() > dumps, LIMIT, 0.02),
               f"lttng {what[0]} in a second session: all is told again", lab.log("node.log"))
    node.lttng("destroy", "late")

    daemon.kill()
    daemon.wait()
    started = time.monotonic()
    lab.daemon(store="fresh.db")
    named(lab, "fresh.db", first_uuid, "instance-00000001", first.pid, started,
          "a daemon that knows nothing knows the VM of before")
    tap.same(program.poll(), None, "cloudtrace-node still runs")

    second.kill()
    second.wait()
    node.lttng("destroy", "cloud")
    dump = subprocess.run([os.path.join(BUILD, "cloudtraced"), "--dump", lab.path("relayd")], capture_output=True,
                          text=True, timeout=60).stdout
    gone = [e for e in map(json.loads, dump.splitlines()) if e["name"] == "cloudtrace_node:qemu_process" and
            e["payload"]["reason"] == "gone" and e["payload"]["uuid"] == second_uuid]
    tap.same(len(gone), 1, "the end of a VM is told")
tap.done()
