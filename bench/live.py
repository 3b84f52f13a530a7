# SPDX-License-Identifier: MIT
"""The daemon at work: behind a private lttng-relayd, asked on its socket."""
import contextlib
import json
import os
import random
import re
import shutil
import socket
import subprocess
import time

from measure import Failed, Table, best, cpu_seconds, peak_kib, percentile, run

LIVE_TIMER_MS = 100


def wait_for(what, seconds, condition):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise Failed(f"waited {seconds} s for {what}")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for s in sockets:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


class Client:
    """One connection to cloudtraced: a line of JSON each way."""
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r", encoding="utf-8")
        self.id = 0
        self.updates = []
        self.read()

    def read(self):
        line = self.lines.readline()
        if not line:
            raise Failed("cloudtraced closed the connection")
        return json.loads(line)

    def call(self, method, **params):
        self.id += 1
        request = {"jsonrpc": "2.0", "id": self.id, "method": method, "params": params}
        self.socket.sendall((json.dumps(request) + "\n").encode())
        while True:
            reply = self.read()
            if reply.get("id") != self.id:
                self.updates.append(reply)
            elif "error" in reply:
                raise Failed(f"{method}: {reply['error']}")
            else:
                return reply["result"]


class Site(contextlib.ExitStack):
    """A relayd and a cloudtraced of our own; both end with the 'with'."""
    def __init__(self, bench, *options):
        super().__init__()
        self.bench = bench
        self.work = os.path.join(bench.work, "site")
        shutil.rmtree(self.work, ignore_errors=True)
        os.makedirs(self.work)
        self.callback(shutil.rmtree, self.work, True)
        self.control, self.data, self.viewer = free_ports(3)
        env = dict(os.environ, HOME=self.work, LTTNG_HOME=self.work)
        self.relayd = self.start(["lttng-relayd", "-C", f"tcp://127.0.0.1:{self.control}",
                                  "-D", f"tcp://127.0.0.1:{self.data}",
                                  "-L", f"tcp://127.0.0.1:{self.viewer}",
                                  "-o", os.path.join(self.work, "traces")], env=env)
        wait_for("lttng-relayd", 20, lambda: self.listens(self.viewer))
        self.socket = os.path.join(self.work, "control.sock")
        self.daemon = self.start([
            bench.program("cloudtraced"), f"--relayd=127.0.0.1:{self.viewer}",
            f"--store={self.work}/store.db", f"--socket={self.socket}",
            f"--ro-socket={self.work}/ro.sock", "--history=3650d", *options])
        wait_for("cloudtraced's socket", 20, lambda: os.path.exists(self.socket))

    def start(self, argv, **how):
        """Its output goes to a file; it is ended, and waited for, at the end."""
        log = self.enter_context(open(os.path.join(self.work, os.path.basename(argv[0]) + ".log"),
                                      "wb"))
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **how)
        self.callback(self.end, child)
        return child

    @staticmethod
    def end(child):
        child.terminate()
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    @staticmethod
    def listens(port):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    def client(self):
        client = Client(self.socket)
        self.callback(client.socket.close)
        return client

    def replay(self, *words):
        return [self.bench.program("cloudtrace-replay"), "--relayd",
                f"127.0.0.1:{self.control}:{self.data}", "--quiet", *words]


def sources(client):
    return [s for node in client.call("node.list") for s in node["sources"]]


def events(client):
    """All events that were walked over, wanted or not."""
    return client.call("counters").get("input", {}).get("events", 0)


def live(bench):
    """As fast as relayd takes it: what the daemon needs for each event."""
    count = bench.events // 4
    path = bench.generate("live", profile="qemu", streams=4, events=count)
    bt2 = best(bench.babeltrace2(path), bench.times)
    with Site(bench) as site:
        client = site.client()
        before, start = cpu_seconds(site.daemon.pid), time.monotonic()
        publish = subprocess.Popen(site.replay("--speed", "max", "--hold", "30s", path))
        site.callback(site.end, publish)
        seen = until_quiet(client)
        wall = seen[1] - start
        cpu = cpu_seconds(site.daemon.pid) - before
        print(f"\nlive: {count:,} generated qemu events, 4 streams, published at full speed")
        table = Table("", "events", "events/s", "CPU ns/event", "peak MiB")
        table.add("cloudtraced, live", seen[0], seen[0] / wall, 1e9 * cpu / max(seen[0], 1),
                  peak_kib(site.daemon.pid) / 1024)
        table.add("babeltrace2 -o dummy, from disk", count, count / bt2.wall, 1e9 * bt2.cpu / count,
                  bt2.peak_kib / 1024)
        table.print()
        bench.ratio("live, against babeltrace2 from disk: CPU", bt2.cpu / cpu, "-")
    shutil.rmtree(path)


def until_quiet(client):
    """The number of events once it stays, and when it was reached."""
    last, when = 0, time.monotonic()
    while time.monotonic() - when < (3 if last else 60):
        now = events(client)
        if now != last:
            last, when = now, time.monotonic()
        time.sleep(0.05)
    if not last:
        raise Failed("cloudtraced saw no events")
    return last, when


# -- Latency ------------------------------------------------------------------


class Tracing(contextlib.ExitStack):
    """A session daemon of our own with a live session of our traced program.
    As root it runs as another user: root's session daemon is the machine's."""
    def __init__(self, site):
        super().__init__()
        self.home = os.path.join(site.work, "home")
        os.makedirs(self.home)
        self.who = {}
        if os.getuid() == 0:
            for folder in (site.bench.work, site.work):
                os.chmod(folder, 0o755)
            os.chown(self.home, 65534, 65534)
            self.who = {"user": 65534, "group": 65534, "extra_groups": []}
        self.env = dict(os.environ, HOME=self.home, LTTNG_HOME=self.home)
        daemon = subprocess.Popen(["lttng-sessiond", "--no-kernel"], env=self.env,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, **self.who)
        self.callback(site.end, daemon)
        wait_for("lttng-sessiond", 20, lambda: self.lttng("list", check=False))
        self.lttng("create", "bench", f"--live={LIVE_TIMER_MS * 1000}",
                   "-C", f"tcp://127.0.0.1:{site.control}", "-D", f"tcp://127.0.0.1:{site.data}")
        self.lttng("enable-channel", "-u", "--subbuf-size=64k", "--num-subbuf=4", "qemu")
        self.lttng("enable-event", "-u", "-c", "qemu", "qemu:*")
        self.lttng("add-context", "-u", "-c", "qemu", "-t", "vpid", "-t", "vtid", "-t", "procname")
        self.lttng("start")

    def lttng(self, *words, check=True):
        done = subprocess.run(["lttng", *words], env=self.env, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                              check=False, **self.who)
        if check and done.returncode:
            raise Failed(f"lttng {' '.join(words)}: {done.stdout.strip()[-300:]}")
        return done.returncode == 0

    def program(self, source, *words):
        """A traced program in our session; a copy, for the other user to read."""
        path = shutil.copy(source, self.home)
        os.chmod(path, 0o755)
        return subprocess.Popen([path, *words], env=self.env, stdin=subprocess.DEVNULL, text=True,
                                stdout=subprocess.PIPE, **self.who)


def latency(bench):
    """From a tracepoint in a real LTTng-UST program to the answer that has it."""
    rounds = 40 if bench.options.quick else 200
    program = bench.program("bench/tracepoints")
    if not os.path.exists(program) or not shutil.which("lttng-sessiond"):
        raise Failed("it needs lttng-tools and liblttng-ust-dev")
    with Site(bench) as site, Tracing(site) as tracing:
        client = site.client()
        client.call("watch", topic="migration")
        child = tracing.program(program, str(rounds), str(random.randrange(1 << 30)))
        site.callback(site.end, child)
        arrivals = watch_syncs(client, rounds)
        told = dict(map(int, re.findall(r"(\d+) (\d+)", line)[0]) for line in child.stdout)
        delays = [(min(at for n, at in arrivals if n >= sync) - told[sync]) / 1e6
                  for sync in told if sync <= max(n for n, _ in arrivals)]
    print(f"\nlatency: tracepoint to answer, ms; live timer {LIVE_TIMER_MS} ms, "
          f"{len(delays)} rounds")
    table = Table("", "p50", "p90", "p99", "max")
    table.add("from the tracepoint", *(percentile(delays, p) for p in (50, 90, 99, 100)))
    table.add("beyond the live timer", *(percentile(delays, p) - LIVE_TIMER_MS
                                         for p in (50, 90, 99, 100)))
    table.print()
    bench.ratio("latency beyond the live timer, p99: ms", percentile(delays, 99) - LIVE_TIMER_MS,
                "at most 100")


def watch_syncs(client, rounds):
    """When each count of dirty syncs was first told: [(syncs, ns since 1970)]."""
    arrivals, best_known = [], 0
    client.socket.settimeout(30)
    while best_known < rounds:
        message = client.read()
        now = time.time_ns()
        for change in message.get("params", {}).get("items", []):
            syncs = (change.get("item") or {}).get("dirty_syncs") or 0
            if syncs > best_known:
                best_known = syncs
                arrivals.append((syncs, now))
    return arrivals


# -- Idle ---------------------------------------------------------------------


def idle(bench):
    """What a hundred sessions cost in which nothing happens."""
    sessions, seconds = (20, 5) if bench.options.quick else (100, 20)
    path = bench.generate("idle", profile="qemu", streams=2, events=200)
    with Site(bench) as site:
        client = site.client()
        publish = subprocess.Popen(site.replay("--now", "--copies", str(sessions), "--hold",
                                               f"{seconds + 60}s", path))
        site.callback(site.end, publish)
        wait_for(f"{sessions} live sessions", 60,
                 lambda: sum(s["state"] == "live" for s in sources(client)) >= sessions)
        time.sleep(3)
        before, start = cpu_seconds(site.daemon.pid), time.monotonic()
        time.sleep(seconds)
        share = 100 * (cpu_seconds(site.daemon.pid) - before) / (time.monotonic() - start)
        print(f"\nidle: {sessions} sessions of 2 streams, live timer 1 s, over {seconds} s")
        table = Table("", "sessions", "% of a core", "peak MiB")
        table.add("cloudtraced", sessions, share, peak_kib(site.daemon.pid) / 1024)
        table.print()
        bench.ratio(f"{sessions} idle sessions: % of a core", share, "under 3")
    shutil.rmtree(path)
