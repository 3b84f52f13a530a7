# SPDX-License-Identifier: MIT
"""What a role's profile costs the node that it runs on: loads with and without it, by turns.

This machine gives the user-space domain: a session that cloudtrace-session keeps, towards a real
lttng-relayd, with cloudtrace-node beside it.  tests/guest measures the kernel's with the same
programs."""
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import time

import live
from measure import Failed, Table, run

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests/lib"))
from python_tracing import Tracing  # noqa: E402

ROLES = ("compute", "network", "storage", "controller")
# What is divided by what: (name of the row, load with the profile, load without).
ROWS = (
    ("ping-pong", "ping-pong", "ping-pong"),
    ("ping-pong, a tracepoint each", "ping-pong traced", "ping-pong traced"),
    ("disk", "disk", "disk"),
    ("log: handler beside a FileHandler", "log handler", "log handler"),
    ("log: the same, against a FileHandler only", "log handler", "log file"),
)


class Rate:
    """What one run of a load gave."""
    def __init__(self, a_second, cpu_us):
        self.a_second, self.cpu_us = float(a_second), float(cpu_us)


def slower(pairs):
    """How much longer an operation takes, from [(Rate with the profile, Rate without)]: the median
    of the pairs' ratios, the least and the greatest of them; the median ratio of CPU time."""
    ratios = sorted(without.a_second / with_it.a_second for with_it, without in pairs)
    cpu = statistics.median(with_it.cpu_us / without.cpu_us for with_it, without in pairs)
    return statistics.median(ratios), ratios[0], ratios[-1], cpu


class Node(contextlib.ExitStack):
    """A node without a profile: a relayd, a session daemon, a service that logs, and our programs.
    As root all of it is another user's, as root's session daemon is the machine's."""
    def __init__(self, bench):
        super().__init__()
        self.bench = bench
        self.tracing = Tracing()
        self.callback(self.tracing.close)
        try:
            self.begin()
        except BaseException:
            self.close()
            raise

    def begin(self):
        self.control, self.data, viewer = live.free_ports(3)
        self.start(["lttng-relayd", "-C", f"tcp://127.0.0.1:{self.control}",
                    "-D", f"tcp://127.0.0.1:{self.data}", "-L", f"tcp://127.0.0.1:{viewer}",
                    "-o", self.tracing.path("relayd")], **self.tracing.who)
        live.wait_for("lttng-relayd", 20, lambda: live.Site.listens(viewer))
        self.tracing.start()
        self.programs = {name: self.copy(name) for name in (
            "cloudtrace-node", "cloudtrace-session", "bench/load", "bench/load_traced")}
        self.service = self.start_service()
        self.events = {role: self.list_events(role) for role in ROLES}

    def copy(self, name):
        """For the other user to read; None where it could not be built."""
        source = self.bench.program(name)
        if not os.path.exists(source):
            if name == "bench/load_traced":
                return None
            raise Failed(f"there is no {name}: it needs liblttng-ctl-dev and liblttng-ust-dev")
        path = shutil.copy(source, self.tracing.path(os.path.basename(name)))
        os.chmod(path, 0o755)
        return path

    def start(self, argv, **how):
        child = subprocess.Popen(argv, env=self.tracing.env, cwd=self.tracing.work,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, **how)
        self.callback(live.Site.end, child)
        return child

    def start_service(self):
        with open(os.path.join(TOP, "bench/service.py"), encoding="utf-8") as file:
            service = self.tracing.program(file.read(), self.tracing.path("service.log"))
        if service.stdout.readline() != "ready\n":
            raise Failed("bench/service.py: " + service.communicate()[1][-300:])
        return service

    def list_events(self, role):
        path = self.tracing.path("events." + role)
        text = run([self.bench.program("cloudtraced"), "--print-events", role]).out
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o644)
        return text

    def hears(self, role):
        """Whether the role's profile has what OpenStack's services log."""
        return "ust lttng_python:event\n" in self.events[role]

    # -- Loads

    def load(self, name, seconds):
        """Runs a load: its Rate, or None where it can't be had; whether a session has it."""
        kind, _, what = name.partition(" ")
        if kind == "log":
            self.service.stdin.write(f"{what} {seconds}\n")
            self.service.stdin.flush()
            words = self.service.stdout.readline().split()
            if len(words) != 3:
                raise Failed("bench/service.py ended: " + self.service.communicate()[1][-300:])
            return Rate(*words[:2]), words[2]
        program = self.programs["bench/load_traced" if what else "bench/load"]
        if not program:
            return None, "-"
        done = subprocess.run([program, kind, str(seconds), self.tracing.path("disk")], text=True,
                              env=self.tracing.env, stdin=subprocess.DEVNULL, timeout=seconds + 60,
                              capture_output=True, check=False, **self.tracing.who)
        if done.returncode:
            raise Failed(f"{name}: {done.stderr.strip()}")
        return Rate(*done.stdout.split()), "-"

    def loads(self, seconds, hears=False):
        """Each load once: {name: Rate}.  'hears': a session has the service's records."""
        rates = {}
        for name in sorted({load for row in ROWS for load in row[1:]}):
            rates[name], heard = self.load(name, seconds)
            if name == "log handler" and heard != ("traced" if hears else "unheard"):
                raise Failed(f"the service's records are {heard}")
        return rates

    # -- The profile

    def session(self, role, *words):
        return [self.programs["cloudtrace-session"], role, "--kernel=no",
                f"--relayd=net://127.0.0.1:{self.control}:{self.data}",
                f"--events={self.tracing.path('events.' + role)}", *words]

    def asked(self, role, *words):
        return subprocess.run(self.session(role, *words), env=self.tracing.env, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                              **self.tracing.who)

    @contextlib.contextmanager
    def profile(self, role):
        """With the role's profile, until the end of the 'with'."""
        with contextlib.ExitStack() as ours:
            for argv in ([self.programs["cloudtrace-node"]], self.session(role)):
                child = self.start(argv, **self.tracing.who)
                ours.callback(live.Site.end, child)
            live.wait_for(f"the session of role {role}", 30,
                          lambda: self.asked(role, "--status").returncode == 0)
            # What begins with a session, as the first look at all processes, is over then.
            time.sleep(1)
            yield
        if self.asked(role, "--stop").returncode:
            raise Failed(f"the session of role {role} did not end")
        time.sleep(0.5)


def profiles(bench):
    """The section of bench/run."""
    pairs, seconds = (1, 0.3) if bench.options.quick else (5, 0.6)
    print(f"\nprofiles: user-space events of each role, {pairs} pairs of {seconds} s")
    with Node(bench) as node:
        results = {role: [(node.loads(seconds), turn(node, role, seconds)) for _ in range(pairs)]
                   for role in ROLES}
        deaf = [role for role in ROLES if not node.hears(role)]
    tell(bench, results)
    if deaf:
        print(f"  No analyzer reads what services log in {', '.join(deaf)}: nobody listens there")


def tell(bench, results):
    wall = Table("an operation's time, with / without: median of the pairs", *ROLES)
    ranges = Table("least and greatest of them", *ROLES)
    cpu = Table("an operation's CPU time, with / without: median", *ROLES)
    for row, with_it, without in ROWS:
        found = [slower([(on[with_it], off[without]) for off, on in results[role]])
                 if results[role][0][0][with_it] else None for role in ROLES]
        wall.add(row, *(f and f[0] for f in found))
        ranges.add(row, *(f and f"{f[1]:.2f} to {f[2]:.2f}" for f in found))
        cpu.add(row, *(f and f[3] for f in found))
        if found[0]:
            bench.ratio(f"compute's profile, {row}: CPU with / without", found[0][3], "-")
    plain = Table("without a profile: median", "a second", "CPU us")
    rates = [off for pairs in results.values() for off, _ in pairs]
    for name in rates[0]:
        if rates[0][name]:
            plain.add(name, statistics.median(r[name].a_second for r in rates),
                      statistics.median(r[name].cpu_us for r in rates))
    for table in (wall, ranges, cpu, plain):
        table.print()


def turn(node, role, seconds):
    with node.profile(role):
        return node.loads(seconds, node.hears(role))
