# SPDX-License-Identifier: MIT
"""What many clients cost while the daemon reads as fast as it can: 50 that ask for the status each
second, and 50 that watch."""
import json
import os
import selectors
import socket
import statistics
import threading
import time

from live import Client, Site, events, wait_for
from measure import Failed, Table, cpu_seconds, percentile

POLLERS, WATCHERS, EVERY = 50, 50, 1.0
TOPICS = ("migration", "alert", "node")


class Crowd(threading.Thread):
    """All of them in one thread; times each answer."""
    def __init__(self, path):
        super().__init__(daemon=True)
        self.selector, self.latencies, self.updates, self.stopping = selectors.DefaultSelector(), [], 0, False
        self.pollers = [self.connect(path) for _ in range(POLLERS)]
        for i in range(WATCHERS):
            self.ask(self.connect(path), "watch", topic=TOPICS[i % len(TOPICS)])

    def connect(self, path):
        s = socket.socket(socket.AF_UNIX)
        s.connect(path)
        client = {"socket": s, "bytes": b"", "asked": None}
        self.selector.register(s, selectors.EVENT_READ, client)
        return client

    @staticmethod
    def ask(client, method, **params):
        client["asked"] = time.monotonic()
        client["socket"].sendall((json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                              "params": params}) + "\n").encode())

    def read(self, client):
        got = client["socket"].recv(1 << 20)
        if not got:
            raise Failed("a client was dropped")
        client["bytes"] += got
        *lines, client["bytes"] = client["bytes"].split(b"\n")
        for line in lines:
            if line.startswith(b'{"jsonrpc":"2.0","id":1,'):
                self.latencies.append(time.monotonic() - client["asked"])
                client["asked"] = None
            elif b'"method":"update"' in line:
                self.updates += 1

    def run(self):
        due = [time.monotonic() + EVERY * i / POLLERS for i in range(POLLERS)]
        while not self.stopping:
            now = time.monotonic()
            for i, client in enumerate(self.pollers):
                if now >= due[i] and not client["asked"]:
                    self.ask(client, "status")
                    due[i] = now + EVERY
            for key, _ in self.selector.select(0.005):
                self.read(key.data)

    def end(self):
        self.stopping = True
        self.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()


def once(site, bench, count, crowded):
    """Seconds and CPU seconds that a fresh daemon needs for all that the relayd holds; the crowd."""
    path = os.path.join(site.work, "crowd.sock")
    store = os.path.join(site.work, "crowd.db")
    for suffix in ("", "-wal", "-shm", "-lock"):
        if os.path.exists(store + suffix):
            os.unlink(store + suffix)
    daemon = site.start([bench.program("cloudtraced"), f"--relayd=127.0.0.1:{site.viewer}", f"--store={store}",
                         f"--socket={path}", "--ro-socket=", "--history=3650d", "--max-clients=256",
                         "--max-clients-per-user=256"])
    crowd = None
    try:
        client = wait_for("the socket", 20, lambda: os.path.exists(path) and connected(path))
        if crowded:
            crowd = Crowd(path)
            crowd.start()
        wait_for("the first events", 60, lambda: events(client))
        first, start = events(client), time.monotonic()
        wait_for("the last event", 300, lambda: events(client) >= count)
        took = (time.monotonic() - start) * count / max(count - first, 1)
        cpu = cpu_seconds(daemon.pid)
        client.socket.close()
    finally:
        if crowd:
            crowd.end()
        site.end(daemon)
    return took, cpu, crowd


def connected(path):
    try:
        return Client(path)
    except OSError:
        return None


def clients(bench):
    count = bench.events * 2
    path = bench.generate("clients", profile="qemu", streams=4, events=count)
    alone, crowded, alone_cpu, crowded_cpu, latencies, updates = [], [], [], [], [], 0
    with Site(bench, "--max-clients=1") as site:
        site.end(site.daemon)
        publish = site.start(site.replay("--speed", "max", "--hold", "600s", path))
        wait_for("what is published", 300, lambda: quiet(site, publish))
        once(site, bench, count, False)
        for _ in range(max(bench.times, 2)):
            took, cpu, _ = once(site, bench, count, False)
            alone.append(took)
            alone_cpu.append(cpu)
            took, cpu, crowd = once(site, bench, count, True)
            crowded.append(took)
            crowded_cpu.append(cpu)
            latencies += crowd.latencies
            updates += crowd.updates
    slower = statistics.median(b / a for a, b in zip(alone, crowded))
    print(f"\nclients: {count:,} generated qemu events read from a relayd at full speed; {POLLERS} clients ask for "
          f"the status each second, {WATCHERS} watch")
    table = Table("", "events/s", "CPU s", "answers", "updates", "p50 ms", "p99 ms", "max ms")
    table.add("alone", count / min(alone), min(alone_cpu), "-", "-", "-", "-", "-")
    table.add("with clients", count / min(crowded), min(crowded_cpu), len(latencies), updates,
              *(1000 * percentile(latencies, p) for p in (50, 99, 100)))
    table.print()
    bench.ratio("clients: time to read all, with them against alone", slower, "1.05 or less")
    bench.ratio("clients: CPU of the daemon, with them against alone", min(crowded_cpu) / min(alone_cpu),
                "1.05 or less")
    bench.ratio("clients: 99th percentile of answers, ms", 1000 * percentile(latencies, 99), "20 or less")


def quiet(site, publish):
    """Whether the relayd has all: its folder does not grow any more."""
    def size():
        return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in
                   os.walk(os.path.join(site.work, "traces")) for name in names)
    if publish.poll() is not None:
        raise Failed("cloudtrace-replay ended")
    before = size()
    time.sleep(1)
    return before and size() == before
