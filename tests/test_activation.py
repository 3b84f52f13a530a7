#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cloudtraced as systemd starts it: sockets passed in by name, readiness, the
watchdog, a stop; and started again on the same sockets."""
import json
import os
import select
import shutil
import socket
import subprocess
import tempfile

BUILD = os.environ.get("top_builddir", os.getcwd())
WAIT = 30
# With valgrind or sanitizers a daemon is slow to start; nothing here waits in vain.
WATCHDOG_US = 2000000

with open(os.path.join(BUILD, "config.h")) as file:
    if "#define HAVE_SYSTEMD 1" not in file.read():
        print("1..0 # SKIP built without libsystemd")
        raise SystemExit

folder = tempfile.mkdtemp(prefix="ct-activation.")
number = 0


def check(what, good, detail=""):
    global number
    number += 1
    print("%sok %d - %s" % ("" if good else "not ", number, what), flush=True)
    if not good and detail:
        print("# %r" % (detail,), flush=True)


def listener(name):
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(os.path.join(folder, name))
    sock.listen(16)
    return sock


def start(sockets, names):
    """Runs cloudtraced with these sockets as descriptors 3, 4..."""
    while select.select([notify], [], [], 0)[0]:
        notify.recv(4096)
    copies = [os.dup(s.fileno()) for s in sockets]

    def place():
        high = [os.dup(fd) for fd in copies]
        high = [os.dup2(fd, 100 + i) for i, fd in enumerate(high)]
        for i, fd in enumerate(high):
            os.dup2(fd, 3 + i, inheritable=True)

    environment = dict(os.environ, LISTEN_FDS=str(len(sockets)), LISTEN_FDNAMES=":".join(names),
                       NOTIFY_SOCKET=os.path.join(folder, "notify"),
                       WATCHDOG_USEC=str(WATCHDOG_US))
    # LISTEN_PID is the daemon's own: the shell's, which becomes the daemon.
    process = subprocess.Popen(
        ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", os.path.join(BUILD, "cloudtraced"),
         "--store=" + os.path.join(folder, "store.db"), "--socket=" + os.path.join(folder, "own"),
         "--ro-socket="], env=environment, close_fds=False, preexec_fn=place,
        stderr=subprocess.PIPE)
    for fd in copies:
        os.close(fd)
    return process


def told(state):
    """Whether the daemon tells this state; others before it are passed over."""
    while select.select([notify], [], [], WAIT)[0]:
        if state in notify.recv(4096).decode().split("\n"):
            return True
    return False


def ask(name, method, **params):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(WAIT)
        sock.connect(os.path.join(folder, name))
        lines = sock.makefile("rwb")
        hello = json.loads(lines.readline())
        lines.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method,
                                "params": params}).encode() + b"\n")
        lines.flush()
        return hello, json.loads(lines.readline())


def stop(process):
    process.terminate()
    text = process.communicate(timeout=WAIT)[1].decode()
    return process.returncode, text


notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(os.path.join(folder, "notify"))
control, read_only = listener("control.sock"), listener("ro.sock")
process = None
try:
    # The other order than ours: names count, not numbers.
    process = start([read_only, control], ["ro", "control"])
    check("it tells that it is ready", told("READY=1"))
    for name, access in ("control.sock", "rw"), ("ro.sock", "ro"):
        hello, reply = ask(name, "status")
        check("%s answers" % name, "result" in reply, reply)
        check("its access is %s" % access, hello["params"].get("access") == access, hello)
    check("it made no socket of its own", not os.path.exists(os.path.join(folder, "own")))
    check("it feeds the watchdog", told("WATCHDOG=1") and told("WATCHDOG=1"))
    status, text = stop(process)
    check("it tells that it stops", told("STOPPING=1"))
    check("it stops well", status == 0, text)
    check("the sockets' files stay", os.path.exists(os.path.join(folder, "control.sock")) and
          os.path.exists(os.path.join(folder, "ro.sock")))

    # Who asks while no daemon runs, waits.
    waiting = socket.socket(socket.AF_UNIX)
    waiting.settimeout(WAIT)
    waiting.connect(os.path.join(folder, "control.sock"))
    process = start([control], ["control"])
    check("a client that came before the daemon is greeted", bool(waiting.recv(4096)))
    waiting.close()
    status, text = stop(process)
    check("it stops well again", status == 0, text)

    process = start([control], ["other"])
    check("with sockets of other names it makes its own", told("READY=1") and
          "result" in ask("own", "status")[1])
    status, text = stop(process)
    check("it stops well then", status == 0, text)
    check("and removes its own", not os.path.exists(os.path.join(folder, "own")))
finally:
    if process and process.poll() is None:
        process.kill()
    shutil.rmtree(folder)
print("1..%d" % number)
