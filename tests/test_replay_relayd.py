#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cloudtrace-replay against a real lttng-relayd: what the relayd writes, and
what live viewers see, are the recorded events."""
import collections
import concurrent.futures
import functools
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

SRC = os.environ.get("top_srcdir", ".")
sys.path.insert(0, os.path.join(SRC, "tests", "lib"))
from ports import free_ports  # noqa: E402

BUILD = os.environ.get("top_builddir", ".")
REPLAY = os.path.join(BUILD, "cloudtrace-replay")
TIMEOUT = 120


class Relayd:
    """A private lttng-relayd on free ports, with its own folders."""

    def __init__(self, folder):
        self.out = os.path.join(folder, "out")
        self.log = os.path.join(folder, "relayd.log")
        os.makedirs(self.out)
        self.control, self.data, self.live = free_ports(3)
        self.process = subprocess.Popen(
            ["lttng-relayd", "-C", f"tcp://127.0.0.1:{self.control}",
             "-D", f"tcp://127.0.0.1:{self.data}", "-L", f"tcp://127.0.0.1:{self.live}",
             "-o", self.out],
            env={**os.environ, "HOME": folder, "LTTNG_HOME": folder},
            stdout=open(self.log, "w"), stderr=subprocess.STDOUT)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                socket.create_connection(("127.0.0.1", self.live), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError("lttng-relayd does not start: " + open(self.log).read())

    def arguments(self, *more):
        return [REPLAY, "--relayd", f"127.0.0.1:{self.control}:{self.data}", *more]

    def replay(self, *more, code=0):
        done = subprocess.run(self.arguments(*more), stderr=subprocess.PIPE, text=True,
                              timeout=TIMEOUT)
        assert done.returncode == code, (done.returncode, done.stderr)
        return done.stderr

    def clear(self):
        for name in os.listdir(self.out):
            shutil.rmtree(os.path.join(self.out, name))

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Viewer:
    """The smallest live viewer: attaches to one session and polls its streams."""

    def __init__(self, port):
        self.s = socket.create_connection(("127.0.0.1", port), 10)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.channels = {}
        self.ask(1, struct.pack(">QIII", 2**64 - 1, 2, 4, 1), 20)
        assert struct.unpack(">I", self.ask(8, b"", 4))[0] == 1

    def read(self, size):
        data = b""
        while len(data) < size:
            self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            more = self.s.recv(size - len(data))
            assert more, "relayd closed the viewer's connection"
            data += more
        return data

    def ask(self, command, payload, size):
        self.s.sendall(struct.pack(">QII", len(payload), command, 0) + payload)
        return self.read(size)

    def sessions(self):
        count = struct.unpack(">I", self.ask(2, b"", 4))[0]
        found = {}
        for _ in range(count):
            number, _, _, _, host, name = struct.unpack(">QIII64s255s", self.read(339))
            found[host.rstrip(b"\0").decode(), name.rstrip(b"\0").decode()] = number
        return found

    def attach(self, session):
        status, count = struct.unpack(">II", self.ask(
            3, struct.pack(">QQI", session, 0, 1), 8))
        assert status == 1, status
        streams = self.streams(count)
        end = time.monotonic() + TIMEOUT
        while not streams and time.monotonic() < end:
            # The session is listed before its streams are there.
            time.sleep(0.01)
            status, count = struct.unpack(">II", self.ask(7, struct.pack(">Q", session), 8))
            streams = self.streams(count if status == 1 else 0)
        assert streams
        return streams

    def streams(self, count):
        found = []
        for _ in range(count):
            raw = self.read(4371)
            number, _, metadata = struct.unpack(">QQI", raw[:20])
            if not metadata:
                found.append(number)
                self.channels[number] = raw[20 + 4096:].rstrip(b"\0").decode()
        return found

    def next_index(self, stream):
        fields = struct.unpack(">QQQQQQQII", self.ask(4, struct.pack(">Q", stream), 64))
        return fields[7], {"begin": fields[3], "end": fields[4], "bits": fields[1],
                           "offset": fields[0], "content": fields[2]}

    def packet(self, stream, index):
        status, size, _ = struct.unpack(">III", self.ask(
            5, struct.pack(">QQI", stream, index["offset"], index["content"] // 8), 12))
        assert status == 1, status
        return self.read(size)

    def events_until_hup(self, streams):
        """Of each channel, the bytes of all events, until all streams have ended."""
        got, end = collections.defaultdict(bytes), time.monotonic() + TIMEOUT
        streams = list(streams)
        while streams and time.monotonic() < end:
            for stream in list(streams):
                status, index = self.next_index(stream)
                if status == 1:
                    got[self.channels[stream]] += self.packet(stream, index)[84:]
                elif status == 3:
                    streams.remove(stream)
            time.sleep(0.005)
        assert not streams, "streams do not end"
        return got


def corpus(name):
    return subprocess.run([os.path.join(SRC, "tests/lib/corpus.sh"), name], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def events(*paths):
    """All events as text lines, and how many were lost."""
    done = subprocess.run(["babeltrace2", "--clock-seconds", "--no-delta", *paths],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          errors="replace", timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr[-500:]
    lost = sum(int(n) for n in re.findall(r"discarded (\d+) event", done.stderr))
    return done.stdout.splitlines(), lost


@functools.lru_cache(2)
def recorded_events(path):
    return events(path)


def span(lines):
    times = [float(re.match(r"\[([0-9.]+)\]", line)[1]) for line in lines]
    return min(times), max(times)


def event_bytes(folder):
    """Of each stream, the bytes of all events one after the other: for packets
    with header and context of 84 bytes, as LTTng has had them since 2.8."""
    streams = {}
    for path, _, files in os.walk(folder):
        if "metadata" not in files or b"packet_seq_num" not in open(
                os.path.join(path, "metadata"), "rb").read():
            continue
        for name in set(files) - {"metadata"}:
            data, at, events_only = open(os.path.join(path, name), "rb").read(), 0, bytearray()
            while at < len(data):
                content, size = struct.unpack_from("<QQ", data, at + 48)
                events_only += data[at + 84:at + content // 8]
                at += size // 8
            host = re.search(rb'hostname = "([^"]*)"',
                             open(os.path.join(path, "metadata"), "rb").read())[1]
            streams[host, name] = bytes(events_only)
    return streams


def same_events(relayd, name, *options):
    relayd.clear()
    path = corpus(name)
    relayd.replay("--speed", "max", "--quiet", *options, path)
    assert event_bytes(path) == event_bytes(relayd.out)
    recorded, lost = recorded_events(path)
    written, lost_now = events(relayd.out)
    assert len(recorded) > 10, len(recorded)
    if "--keep-packets" not in options:
        # babeltrace2 2.0 gives wrong strings where one crosses a border of its
        # window on the file, and that border moves.
        recorded, written = ([re.sub(r'"[^"]*"', '""', line) for line in lines]
                             for lines in (recorded, written))
    assert sorted(recorded) == sorted(written), (len(recorded), len(written))
    assert lost == lost_now, (lost, lost_now)


def packets_written(relayd):
    total = 0
    for folder, _, files in os.walk(relayd.out):
        if os.path.basename(folder) == "index":
            for name in files:
                data = open(os.path.join(folder, name), "rb").read()
                size = struct.unpack(">I", data[12:16])[0]
                total += (len(data) - 16) // size
    return total


def test_cuts_packets(relayd):
    path = corpus("qemu/b-rounds")
    relayd.replay("--speed", "max", "--quiet", "--keep-packets", path)
    kept = packets_written(relayd)
    relayd.clear()
    relayd.replay("--speed", "max", "--quiet", "--live-timer", "100ms", path)
    assert packets_written(relayd) > 2 * kept, (kept, packets_written(relayd))


def test_viewer_sees_beacons_and_pace(relayd):
    process = subprocess.Popen(relayd.arguments("--speed", "8", "--live-timer", "200ms", "--hold",
                                                "2s", "--quiet", corpus("qemu/b-rounds")))
    try:
        viewer = Viewer(relayd.live)
        end = time.monotonic() + TIMEOUT
        while len(viewer.sessions()) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        session = next(n for (host, _), n in viewer.sessions().items() if host == "compute-01")
        streams, seen = viewer.attach(session), collections.defaultdict(list)
        arrivals, beacons = [], 0
        while streams and time.monotonic() < end:
            for stream in list(streams):
                status, index = viewer.next_index(stream)
                if status == 1:
                    last = max(i["end"] for i in seen[stream]) if seen[stream] else 0
                    assert index["begin"] >= last, "events before what a beacon promised"
                    assert index["begin"] <= index["end"]
                    seen[stream].append(index)
                    arrivals.append(time.monotonic())
                elif status == 5:
                    if index["end"] > seen[stream][-1]["end"]:
                        beacons += 1
                        seen[stream].append(index)
                elif status == 3:
                    streams.remove(stream)
            time.sleep(0.005)
        assert not streams, "streams do not end"
        assert beacons >= 3, beacons
        assert len(arrivals) > 20 and arrivals[-1] - arrivals[0] > 0.5, "all came at once"
    finally:
        assert process.wait(TIMEOUT) == 0


def test_babeltrace_live(relayd):
    path = corpus("qemu/b-rounds")
    process = subprocess.Popen(relayd.arguments("--speed", "20", "--live-timer", "200ms",
                                                "--quiet", path))
    try:
        viewer, end = Viewer(relayd.live), time.monotonic() + TIMEOUT
        while len(viewer.sessions()) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        host, name = next(key for key in viewer.sessions() if key[0] == "compute-01")
        live = subprocess.run(
            ["babeltrace2", "--clock-seconds", "--no-delta", "-i", "lttng-live",
             f"net://127.0.0.1:{relayd.live}/host/{host}/{name}",
             "--params=session-not-found-action=\"end\""],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
    finally:
        assert process.wait(TIMEOUT) == 0
    recorded, _ = events(os.path.join(path, "compute-01"))
    got = collections.Counter(live.stdout.splitlines())
    assert live.returncode == 0, live.stderr[-500:]
    # babeltrace2 begins with what comes after it has attached.
    assert not got - collections.Counter(recorded), "events that are not in the trace"
    assert sum(got.values()) > len(recorded) / 2, (sum(got.values()), len(recorded))


def test_now_shift_copies(relayd):
    before = time.time()
    relayd.replay("--speed", "max", "--quiet", "--now", "--copies", "2",
                  "--shift", "compute-02=-3h", corpus("qemu/b-rounds"))
    assert sorted(os.listdir(relayd.out)) == [f"compute-0{i}-{n}" for i in (1, 2) for n in (1, 2)]
    hosts = {h: events(os.path.join(relayd.out, h))[0] for h in os.listdir(relayd.out)}
    recorded = {h: events(os.path.join(corpus("qemu/b-rounds"), h))[0]
                for h in ("compute-01", "compute-02")}
    first = min(span(lines)[0] for lines in recorded.values())
    shift = span(hosts["compute-01-1"])[0] - span(recorded["compute-01"])[0]
    assert before <= first + shift <= time.time(), first + shift - before
    back = span(hosts["compute-02-2"])[0] - span(recorded["compute-02"])[0]
    assert abs(back - (shift - 3 * 3600)) < 1e-3, (back, shift)
    assert all(" compute-02-2 " in line for line in hosts["compute-02-2"])


def test_signal_closes_sessions(relayd):
    process = subprocess.Popen(relayd.arguments("--quiet", corpus("qemu/b-rounds")))
    viewer, end = Viewer(relayd.live), time.monotonic() + TIMEOUT
    while len(viewer.sessions()) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    streams = viewer.attach(next(iter(viewer.sessions().values())))
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    while streams and time.monotonic() < end:
        streams = [s for s in streams if viewer.next_index(s)[0] != 3]
    assert not streams


def test_hold(relayd):
    begin = time.monotonic()
    err = relayd.replay("--speed", "max", "--hold", "500ms", "--live-timer", "50ms",
                        corpus("qemu/m-explicit"))
    assert 0.5 <= time.monotonic() - begin < 20
    assert "published 2 sessions" in err, err


def test_relayd_dies(relayd):
    process = subprocess.Popen(relayd.arguments(corpus("qemu/b-rounds")),
                               stderr=subprocess.PIPE, text=True)
    viewer, end = Viewer(relayd.live), time.monotonic() + TIMEOUT
    while len(viewer.sessions()) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    relayd.process.kill()
    _, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 1, process.returncode
    # Which of the two the kernel tells depends on whether bytes of ours were unread.
    assert f"relayd 127.0.0.1:{relayd.control}" in err, err
    assert "closed the" in err or "connection broke" in err, err


def test_relayd_pauses(relayd):
    """All is overdue when the relayd goes on; still no viewer may miss the end."""
    path = corpus("qemu/b-rounds")
    process = subprocess.Popen(relayd.arguments("--speed", "20", "--live-timer", "100ms",
                                                "--quiet", path))
    viewer = attached = None
    try:
        viewer, end = Viewer(relayd.live), time.monotonic() + TIMEOUT
        while len(viewer.sessions()) < 2 and time.monotonic() < end:
            time.sleep(0.01)
        attached = viewer.attach(viewer.sessions()["compute-01", "mig-b-rounds"])
        relayd.process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        relayd.process.send_signal(signal.SIGCONT)
        got = viewer.events_until_hup(attached)
    finally:
        relayd.process.send_signal(signal.SIGCONT)
        assert process.wait(TIMEOUT) == 0
    recorded = event_bytes(path)
    assert recorded == event_bytes(relayd.out)
    assert got == {name: events for (host, name), events in recorded.items()
                   if host == b"compute-01"}, {name: len(events) for name, events in got.items()}


def clock_uuids(folder):
    """Of each host, the uuids of its traces' clocks."""
    found = collections.defaultdict(list)
    for path, _, files in os.walk(folder):
        if "metadata" in files:
            text = open(os.path.join(path, "metadata"), "rb").read()
            host = re.search(rb'hostname = "([^"]*)"', text)[1].decode()
            found[host].append(re.search(rb'clock \{[^}]*uuid = "([^"]*)"', text)[1])
    return found


def give_clock(source, target):
    """Gives the trace at or below 'target' the clock uuid of the one below 'source'."""
    uuid = next(iter(clock_uuids(source).values()))[0]
    for path, _, files in os.walk(target):
        if "metadata" in files:
            file = os.path.join(path, "metadata")
            data = open(file, "rb").read()
            own = next(iter(clock_uuids(path).values()))[0]
            open(file, "wb").write(data.replace(own, uuid))


def test_clock_uuids(relayd):
    path = os.path.join(relayd.out, "..", "traces")
    for host in ("compute-01", "compute-02"):
        # Two sessions of one host have the same clock.
        shutil.copytree(os.path.join(corpus("qemu/b-rounds"), host), os.path.join(path, host))
        shutil.copytree(os.path.join(corpus("qemu/m-explicit"), host),
                        os.path.join(path, host + "-other"))
        give_clock(os.path.join(path, host), os.path.join(path, host + "-other"))
    recorded = clock_uuids(path)
    runs = []
    for options in ((), ("--now",), ("--now",)):
        relayd.clear()
        relayd.replay("--speed", "max", "--quiet", *options, path)
        runs.append(clock_uuids(relayd.out))
    assert runs[0] == recorded, (runs[0], recorded)
    assert any(len(uuids) > 1 for uuids in recorded.values()), recorded
    for host, uuids in recorded.items():
        one = {run[host][0] for run in runs}
        assert len(one) == 3, (host, one)
        for run in runs:
            assert len(run[host]) == len(uuids) and len(set(run[host])) == len(set(uuids)), run


def test_rename(relayd):
    path = corpus("qemu/m-explicit")
    relayd.replay("--speed", "max", "--quiet", "--rename", "compute-01=compute-02",
                  "--rename", "compute-02=node.9", path)
    assert sorted(os.listdir(relayd.out)) == ["compute-02", "node.9"], os.listdir(relayd.out)
    recorded, written = event_bytes(path), event_bytes(relayd.out)
    names = {b"compute-01": b"compute-02", b"compute-02": b"node.9"}
    assert {(names[h], c): e for (h, c), e in recorded.items()} == written, written.keys()
    assert all(" node.9 " in line
               for line in events(os.path.join(relayd.out, "node.9"))[0])
    for arguments, word in ((["--rename", "compute-01=compute-02"], "would both be"),
                            (["--rename", "compute-07=a"], "no trace is of a host"),):
        err = relayd.replay(*arguments, path, code=1)
        assert word in err, err
    relayd.replay("--rename", "compute-01=", path, code=2)


def test_loop(relayd):
    process = subprocess.Popen(relayd.arguments("--speed", "max", "--loop", "--quiet",
                                                corpus("qemu/m-explicit")))
    host, end = os.path.join(relayd.out, "compute-01"), time.monotonic() + TIMEOUT
    while time.monotonic() < end and (not os.path.isdir(host) or len(os.listdir(host)) < 3):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    assert len(os.listdir(host)) >= 3


def test_frozen_relayd_and_signal(relayd):
    relayd.process.send_signal(signal.SIGSTOP)
    process = subprocess.Popen(relayd.arguments(corpus("qemu/b-rounds")),
                               stderr=subprocess.PIPE, text=True)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode in (0, 1), err


def test_refused(relayd):
    (port,) = free_ports(1)
    done = subprocess.run([REPLAY, "--relayd", f"127.0.0.1:{port}", corpus("qemu/m-explicit")],
                          stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
    assert done.returncode == 1 and "cannot connect" in done.stderr, done.stderr


def test_usage(relayd):
    for arguments, word in (([], "--relayd"), (["--relayd", "x"], "DIR"),
                            (["--relayd", "x", "--speed", "fast", "d"], "--speed"),
                            (["--frobnicate"], "frobnicate")):
        done = subprocess.run([REPLAY, *arguments], stderr=subprocess.PIPE, text=True,
                              timeout=TIMEOUT)
        assert done.returncode == 2 and word in done.stderr, (arguments, done.stderr)
    done = subprocess.run([REPLAY, "--help"], stdout=subprocess.PIPE, text=True, timeout=TIMEOUT)
    assert done.returncode == 0 and "Examples:" in done.stdout
    err = relayd.replay(os.path.join(SRC, "replay"), code=1)
    assert "no trace to publish" in err, err


def test_other_traces_are_left_out(relayd):
    err = relayd.replay("--speed", "max", corpus("ctf/CTF2-7.0-succeed1"),
                        corpus("qemu/m-explicit"), code=1)
    assert "left out" in err and "published 2 sessions" in err, err


TRACES = ("qemu/b-rounds", "qemu/h-two-and-back", "kernel/f-live-migration", "kernel/i-lossy",
          "kernel/g-two-nodes-sync", "openstack/livemig-ok", "openstack/parallel10",
          "ctf/bug446190")


def tests():
    for name in TRACES:
        yield f"same events, cut: {name}", \
            lambda relayd, name=name: same_events(relayd, name, "--live-timer", "200ms")
        yield f"same events, as recorded: {name}", \
            lambda relayd, name=name: same_events(relayd, name, "--keep-packets")
    for name, function in list(globals().items()):
        if name.startswith("test_"):
            yield name[5:].replace("_", " "), function


def run(test):
    """What went wrong, or nothing; and how long it took."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="test-replay.") as folder:
        watchdog = threading.Timer(3 * TIMEOUT, os._exit, (99,))
        watchdog.start()
        relayd = None
        try:
            relayd = Relayd(folder)
            test[1](relayd)
            return "", time.monotonic() - begin
        except Exception as e:
            return f"{type(e).__name__}: {str(e)[:800]!r}", time.monotonic() - begin
        finally:
            watchdog.cancel()
            if relayd:
                relayd.stop()


def main():
    for program in ("lttng-relayd", "babeltrace2"):
        if not shutil.which(program):
            print(f"1..0 # SKIP {program} is not installed")
            return 0
    todo = [(n, f) for n, f in tests() if not sys.argv[1:] or any(a in n for a in sys.argv[1:])]
    print(f"1..{len(todo)}", flush=True)
    failed = 0
    # Most of them wait more than they work.
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for number, (test, (why, took)) in enumerate(zip(todo, pool.map(run, todo)), 1):
            print(f"{'not ok' if why else 'ok'} {number} - {test[0]}")
            print(f"# {took:.1f} s {why}", flush=True)
            failed += bool(why)
    return failed != 0


sys.exit(main())
