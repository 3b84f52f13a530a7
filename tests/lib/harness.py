# SPDX-License-Identifier: MIT
"""What the end-to-end tests share: TAP, temp folders, ports, and the real programs."""
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from ports import free_ports

TOP = os.environ.get("top_srcdir", os.path.abspath(os.path.join(os.path.dirname(__file__), "../..")))
BUILD = os.environ.get("top_builddir", os.path.join(TOP, "build/gcc"))
CLOUDTRACED = os.path.join(BUILD, "cloudtraced")
CTL = os.path.join(BUILD, "cloudtracectl")
REPLAY = os.path.join(BUILD, "cloudtrace-replay")


class Tap:
    """Counts checks; a failed one goes on, so that one run tells all."""

    def __init__(self):
        self.n = self.bad = 0
        self.lock = threading.Lock()

    def ok(self, good, what, why=""):
        with self.lock:
            self.n += 1
            self.bad += not good
            print(f"{'ok' if good else 'not ok'} {self.n} - {what}")
            if not good and why:
                print("\n".join("# " + line for line in str(why).splitlines()[:60]))
            sys.stdout.flush()
        return good

    def same(self, got, wanted, what):
        return self.ok(got == wanted, what, f"got    {got!r}\nwanted {wanted!r}")

    def done(self):
        print(f"1..{self.n}")
        sys.exit(1 if self.bad or not self.n else 0)


def side_by_side(calls, most=4):
    """Makes calls that mostly wait, several at a time; what one of them raises is raised."""
    with ThreadPoolExecutor(most) as pool:
        for call in [pool.submit(call) for call in calls]:
            call.result()


def corpus(name):
    """The folder where tests/corpus/NAME.tar.xz is unpacked."""
    return subprocess.run([os.path.join(TOP, "tests/lib/corpus.sh"), name], check=True,
                          capture_output=True, text=True).stdout.strip()


def wait_for(condition, seconds, step=0.05):
    """Waits until condition() is true and gives what it gave; None after 'seconds'."""
    until = time.monotonic() + seconds
    while True:
        got = condition()
        if got or time.monotonic() > until:
            return got or None
        time.sleep(step)


class Lab:
    """A temp folder and the processes in it; all gone at the end."""

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix="cloudtraced-test.")
        self.processes = []
        self.ctrl, self.data, self.live = free_ports(3)
        return self

    def __exit__(self, *_):
        for p in reversed(self.processes):
            if p.poll() is None:
                p.send_signal(signal.SIGCONT)
                p.kill()
                p.wait()
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def start(self, argv, log, **more):
        with open(self.path(log), "ab") as out:
            p = subprocess.Popen(argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                 cwd=self.dir, **more)
        self.processes.append(p)
        return p

    def log(self, name):
        with open(self.path(name), errors="replace") as f:
            return f.read()

    def relayd(self):
        env = dict(os.environ, HOME=self.dir, LTTNG_HOME=self.dir)
        env.pop("ASAN_OPTIONS", None)
        p = self.start(["lttng-relayd", "-C", f"tcp://127.0.0.1:{self.ctrl}",
                        "-D", f"tcp://127.0.0.1:{self.data}", "-L", f"tcp://127.0.0.1:{self.live}",
                        "-o", self.path("relayd")], "relayd.log", env=env)

        def up():
            try:
                socket.create_connection(("127.0.0.1", self.live), 1).close()
                return True
            except OSError:
                return False
        if not wait_for(up, 10):
            raise RuntimeError("lttng-relayd did not start: " + self.log("relayd.log"))
        return p

    def daemon(self, *options, store="store.db", wait=True):
        p = self.start([CLOUDTRACED, f"--relayd=127.0.0.1:{self.live}",
                        f"--store={self.path(store)}", f"--socket={self.path('control.sock')}",
                        "--ro-socket=", "--list-interval=100ms", *options], "cloudtraced.log")
        if wait and not wait_for(lambda: self.ctl("status")[0] == 0, 10):
            raise RuntimeError("cloudtraced did not start: " + self.log("cloudtraced.log"))
        return p

    def replay(self, *argv, wait=True):
        p = self.start([REPLAY, "--quiet", "--relayd", f"127.0.0.1:{self.ctrl}:{self.data}", *argv],
                       "replay.log")
        if wait:
            p.wait(timeout=120)
        return p

    def ctl(self, *argv, store=None):
        where = ["--store", self.path(store)] if store else ["--socket", self.path("control.sock")]
        env = dict(os.environ, CLOUDTRACED=CLOUDTRACED)
        r = subprocess.run([CTL, *where, *argv], capture_output=True, text=True, timeout=30, env=env)
        return r.returncode, r.stdout, r.stderr

    def json(self, *argv, store=None):
        code, out, err = self.ctl("-o", "json", *argv, store=store)
        if code != 0:
            raise RuntimeError(f"cloudtracectl {' '.join(argv)}: exit {code}: {err}")
        return json.loads(out)

    def read(self, *paths, store="store.db", options=()):
        r = subprocess.run([CLOUDTRACED, "--read", *paths, f"--store={self.path(store)}", *options],
                           capture_output=True, text=True, timeout=300)
        if r.returncode != 0:
            raise RuntimeError(f"cloudtraced --read: exit {r.returncode}: {r.stderr}")
        return r.stderr

    def dump_store(self, store="store.db"):
        return subprocess.run([CLOUDTRACED, "--dump-store", f"--store={self.path(store)}"], check=True,
                              capture_output=True, text=True, timeout=60).stdout


def difference(a, b):
    """The first lines in which two texts differ."""
    import difflib
    return "\n".join(list(difflib.unified_diff(a.splitlines(), b.splitlines(), lineterm="", n=1))[:40])
