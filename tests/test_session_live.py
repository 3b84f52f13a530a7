#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cloudtrace-session with a real lttng-sessiond, relayd and a program with tracepoints: makes the
session, changes nothing the second time, and has it back after each daemon was killed."""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import BUILD, CLOUDTRACED, TOP, Lab, Tap, wait_for  # noqa: E402

SESSION = os.path.join(BUILD, "cloudtrace-session")
PROBE = os.path.join(BUILD, "tests/qemu-system-probe")
NAME = f"test-{os.getpid()}"


def skip(why):
    print(f"1..0 # SKIP {why}")
    sys.exit(0)


def own_namespace():
    """As root, LTTng's sockets are in /run/lttng only: a mount namespace hides the machine's."""
    if os.geteuid() != 0:
        if os.access("/var/run/lttng/client-lttng-sessiond", os.W_OK):
            skip("this user controls the machine's own lttng-sessiond")
        return
    if "SESSION_NAMESPACE" in os.environ:
        return
    mounts = "mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /dev/shm"
    if subprocess.run(["unshare", "-m", "sh", "-c", mounts], capture_output=True).returncode != 0:
        skip("root without the right to mount")
    os.environ["SESSION_NAMESPACE"] = "1"
    os.execvp("unshare", ["unshare", "-m", "sh", "-c", mounts + ' && exec "$@"', "sh",
                          sys.executable, os.path.abspath(__file__)])


class SessionLab(Lab):
    """Lab with a sessiond of its own, and the program under test."""

    def __enter__(self):
        super().__enter__()
        os.environ.update(HOME=self.dir, LTTNG_HOME=self.dir)
        self.events("ust qemu:migrate_set_state", "ust qemu:migration_bitmap_sync_end")
        return self

    def events(self, *lines):
        with open(self.path("events"), "w") as f:
            f.write("\n".join(lines) + "\n")

    def argv(self, *more, role="compute"):
        return [SESSION, role, f"--session={NAME}", f"--events={self.path('events')}",
                f"--relayd=net://127.0.0.1:{self.ctrl}:{self.data}", "--live-timer=200ms",
                "--cpus=2", *more]

    def session(self, *more, role="compute"):
        """Exit status, standard output, standard error."""
        r = subprocess.run(self.argv(*more, role=role), capture_output=True, text=True, timeout=30)
        return r.returncode, r.stdout, r.stderr

    def status(self):
        code, out, _ = self.session("--status", "-o", "json")
        return code, json.loads(out) if out else {}

    def sessiond(self):
        env = dict(os.environ)
        env.pop("ASAN_OPTIONS", None)
        p = self.start(["lttng-sessiond", "--no-kernel"], "sessiond.log", env=env)
        if not wait_for(lambda: self.session("--status")[0] != 4, 10):
            raise RuntimeError("lttng-sessiond did not start: " + self.log("sessiond.log"))
        return p

    def dump(self):
        """What relayd's files hold, of all sessions one after the other."""
        found = []
        for metadata in glob.glob(self.path("relayd/**/metadata"), recursive=True):
            r = subprocess.run([CLOUDTRACED, "--dump", os.path.dirname(metadata)],
                               capture_output=True, text=True, timeout=30)
            found += [json.loads(line) for line in r.stdout.splitlines()]
        return found

    def count(self):
        """The probe's highest number that arrived."""
        return max([e["payload"]["dirty_pages"] for e in self.dump()
                    if e["name"] == "qemu:migration_bitmap_sync_end"], default=0)


# What the handler for OpenStack's services does with a record.
PYTHON_SERVICE = """
import ctypes, time
agent = ctypes.CDLL("liblttng-ust-python-agent.so.1")
for i in range(3000):
    agent.py_tracepoint(b"now", b"{}", b"nova", b"f", 1, 20, 1, b"main")
    time.sleep(0.02)
"""


def kill(process, number=signal.SIGKILL):
    process.send_signal(number)
    process.wait(timeout=20)


def check_usage(t, lab):
    for argv, code, says in (
            ([SESSION], 2, "which role"), ([SESSION, "computer", "--relayd=net://a"], 2, "no role"),
            ([SESSION, "compute"], 2, "--relayd"), ([SESSION, "compute", "--relayd=a"], 2, "net://HOST"),
            (lab.argv("--live-timer=0"), 2, "--live-timer"), (lab.argv("--nonsense"), 2, "no option"),
            (lab.argv("--stop", "--status"), 2, "only one of"),
            (lab.argv("--events=/nowhere"), 1, "/nowhere"),
            ([SESSION, "--help"], 0, "")):
        r = subprocess.run(argv, capture_output=True, text=True, timeout=30)
        t.ok(r.returncode == code and says in r.stderr, f"{' '.join(argv[1:3])}: exit {code}, {says}",
             f"{r.returncode}\n{r.stderr}")


def check_manual(t):
    with open(os.path.join(TOP, "doc/cloudtrace-session.8")) as f:
        manual = f.read()
    out = subprocess.run([SESSION, "--help"], capture_output=True, text=True, timeout=30).stdout
    options = re.findall(r"--([a-z-]+)", out)
    t.same([o for o in options if not re.search(rf"^\.It .*Fl -{o}( |$)", manual, re.M)], [],
           "the manual has every option")


GOLDEN = """\
# No lttng-sessiond answers: this is for a node with all tracers.
lttng-sessiond --daemonize
# refused kvm_mmio: lttng-modules before 2.13.14 makes the kernel oops at kvm_mmio
lttng create NAME --live=200000 --set-url=URL
lttng enable-channel --userspace --session=NAME --buffers-uid --discard --subbuf-size=256K --num-subbuf=4 cloudtrace-ust
lttng add-context --userspace --session=NAME --channel=cloudtrace-ust --type=vpid --type=vtid --type=procname
lttng enable-event --userspace --session=NAME --channel=cloudtrace-ust app:one,app:two
lttng enable-channel --userspace --session=NAME --buffers-uid --discard --subbuf-size=256K --num-subbuf=4 lttng_python_channel
lttng add-context --userspace --session=NAME --channel=lttng_python_channel --type=vpid --type=vtid --type=procname
lttng enable-event --python --session=NAME --all
lttng enable-channel --kernel --session=NAME --discard --subbuf-size=1024K --num-subbuf=4 cloudtrace-kernel
lttng add-context --kernel --session=NAME --channel=cloudtrace-kernel --type=pid --type=tid --type=procname
lttng enable-event --kernel --session=NAME --channel=cloudtrace-kernel sched_switch
lttng enable-event --kernel --syscall --session=NAME --channel=cloudtrace-kernel sendmsg
lttng enable-event --kernel --probe=x_begin --session=NAME --channel=cloudtrace-kernel kp_x
lttng enable-event --kernel --probe=y_begin --session=NAME --channel=cloudtrace-kernel kp_y
lttng enable-event --kernel --function=x_begin --session=NAME --channel=cloudtrace-kernel kr_x
lttng start NAME
"""


def check_dry_run(t, lab):
    lab.events("ust app:one", "kernel sched_switch", "ust lttng_python:event", "ust app:two", "kernel syscall_entry_sendmsg",
               "kernel syscall_exit_sendmsg", "kernel kvm_mmio", "kernel-probe kp_x x_begin",
               "kernel-probe kp_y y_begin", "kernel-function kr_x x_begin")
    code, out, _ = lab.session("--dry-run")
    url = f"net://127.0.0.1:{lab.ctrl}:{lab.data}"
    # A machine with newer kernel modules may enable it.
    lines = [line for line in out.replace(NAME, "NAME").replace(url, "URL").splitlines(True)]
    if os.path.exists("/sys/module/lttng_tracer"):
        lines = [line.replace("sched_switch,kvm_mmio", "sched_switch") for line in lines]
    wanted = GOLDEN.splitlines(True)
    lines = [line for line in lines if not line.startswith("# OpenStack: ")]
    t.same("".join(line for line in lines if "kvm_mmio" not in line),
           "".join(line for line in wanted if "kvm_mmio" not in line), "--dry-run is what one would type")
    t.ok(code == 0 and ("# refused kvm_mmio: " in out or os.path.exists("/sys/module/lttng_tracer")),
         "--dry-run says what it refuses", out)
    listed = subprocess.run([CLOUDTRACED, "--print-events", "compute"], capture_output=True, text=True,
                            timeout=30).stdout.splitlines()
    # Under the names that LTTng enables them by.
    listed = {re.sub("^syscall_(entry|exit)_", "", line.split()[1]) for line in listed
              if not line.startswith("ust lttng_python:")}
    out = subprocess.run([SESSION, "compute", "--relayd=net://h", "--dry-run"], capture_output=True,
                         text=True, timeout=30).stdout
    enabled = re.findall(r"^lttng enable-event .* --channel=cloudtrace-\w+ (\S+)$", out, re.M)
    t.same(sorted(set(",".join(enabled).split(","))), sorted(listed), "the events are cloudtraced's")
    r = subprocess.run([SESSION, "compute", "--relayd=net://h", "--dry-run", "--events=-"],
                       input="ust x:y\n", capture_output=True, text=True, timeout=30)
    t.ok("cloudtrace-ust x:y\n" in r.stdout, "--events=- reads standard input", r.stdout + r.stderr)


def check_without(t, lab):
    """What is said when a daemon is not there."""
    lab.events("ust qemu:migrate_set_state", "ust qemu:migration_bitmap_sync_end")
    t.same(lab.session("--status")[0], 4, "--status without sessiond: 4")
    code, _, err = lab.session("--once")
    t.ok(code == 1 and "start lttng-sessiond" in err, "--once without sessiond says so", err)
    t.same(lab.session("--stop")[0], 0, "--stop without sessiond has nothing to do")
    lab.sessiond_process = lab.sessiond()
    code, _, err = lab.session("--once")
    t.ok(code == 1 and "no relayd answers at 127.0.0.1" in err, "--once without relayd says so", err)
    t.same(lab.session("--status")[0], 3, "--status without a session: 3, and none was left")


def check_once(t, lab):
    lab.relayd_process = lab.relayd()
    code, _, err = lab.session("--once")
    t.ok(code == 0 and "recording" in err, "--once makes the session", err)
    code, status = lab.status()
    t.same((code, status["state"], sorted(status["domains"][0]["events"])),
           (0, "recording", ["qemu:migrate_set_state", "qemu:migration_bitmap_sync_end"]),
           "--status: recording, exactly the events wanted")
    t.same(status["domains"][0]["memory_bytes"], 2 * 4 * 262144 * 4, "--status: the bound on memory")
    t.ok("4 x 256K a CPU, up to 8.00 MiB" in lab.session("--status")[1], "--status as text",
         lab.session("--status")[1])
    made = sorted(os.listdir(glob.glob(lab.path("relayd/*"))[0]))
    code, _, err = lab.session("--once")
    t.ok(code == 0 and "nothing to do" in err, "the second time there is nothing to do", err)
    t.ok("# Nothing to do." in lab.session("--dry-run")[1], "and --dry-run says so")
    t.same(sorted(os.listdir(glob.glob(lab.path("relayd/*"))[0])), made, "no second trace at relayd")


def check_changes(t, lab):
    lab.events("ust qemu:migrate_set_state", "ust app:new")
    code, out, err = lab.session("--dry-run")
    t.ok("enable-event" in out and "disable-event" in out and "create" not in out,
         "other events don't cost the session", out + err)
    code, _, err = lab.session("--once")
    t.same((code, sorted(lab.status()[1]["domains"][0]["events"])),
           (0, ["app:new", "qemu:migrate_set_state"]), "events are enabled and disabled to match")
    lab.events("ust qemu:migrate_set_state", "ust qemu:migration_bitmap_sync_end")
    code, _, err = lab.session("--once", "--live-timer=300ms")
    t.ok(code == 0 and "made anew, as its live timer differs" in err, "another timer: made anew", err)
    t.same(lab.status()[1]["live_timer_ns"], 300000000, "with that timer")
    code, _, err = lab.session("--once", "--cpus=32")
    t.ok(code == 0 and "made anew, as" in err, "other buffers: made anew", err)
    lab.session("--once")
    code, _, err = lab.session("--once")
    t.ok("nothing to do" in err, "and then again nothing", err)


def check_missing(t, lab, probe):
    fake = lab.path("qemu-system-fake")
    shutil.copy(shutil.which("sleep"), fake)
    p = lab.start([fake, "60"], "fake.log")
    missing = " ".join(lab.status()[1]["missing"])
    without = re.search(r"QEMU: pid ([0-9, .]+): built without LTTng-UST", missing)
    pids = re.findall(r"\d+", without.group(1)) if without else []
    t.ok(str(p.pid) in pids or "..." in (without.group(1) if without else ""),
         "a QEMU without LTTng-UST is named", missing)
    t.ok("--enable-trace-backends=ust" in missing, "with the build option", missing)
    t.ok(str(probe.pid) not in pids, "one with it is not", missing)
    kill(p)
    lab.events("ust qemu:migrate_set_state", "kernel sched_switch", "ust qemu:migrat*", "kernel kvm_*",
               "ust qemu:postcopy_place_page", "ust lttng_python:event")
    code, status = lab.status()
    missing = "\n".join(status["missing"])
    t.ok("kernel tracer: " in missing, "no kernel tracer: said, with what to do", missing)
    for refused in ("qemu:migrat*", "kvm_*", "qemu:postcopy_place_page"):
        t.ok(f"refused {refused}: " in missing or
             (refused == "kvm_*" and os.path.exists("/sys/module/lttng_tracer")), f"{refused} is refused",
             missing)
    code, _, err = lab.session("--once")
    domains = {d["domain"]: d["events"] for d in lab.status()[1]["domains"]}
    t.same((code, domains), (0, {"ust": ["qemu:migrate_set_state"], "python": ["*"]}), "and the rest enabled")
    t.ok("nothing to do" in lab.session("--once")[2], "Python's too: the second time nothing is done")
    code, _, err = lab.session("--once", "--kernel=yes")
    t.ok(code == 1 and "--kernel=yes" in err, "--kernel=yes fails without one", err)
    missing = "\n".join(json.loads(lab.session("--status", "--kernel=no", "-o", "json")[1])["missing"])
    t.ok("kernel tracer" not in missing, "--kernel=no doesn't ask for one", missing)


def check_watch(t, lab):
    """Each daemon is killed once, and comes back: so must the events."""
    lab.events("ust qemu:migrate_set_state", "ust qemu:migration_bitmap_sync_end",
               "ust lttng_ust_statedump:start", "ust lttng_python:event")
    lab.start([sys.executable, "-c", PYTHON_SERVICE], "service.log")
    watch = lab.start(lab.argv("--statedump-interval=1s"), "watch.log")
    # The session was there with other events, and relayd has the probe's first ones.
    t.ok(wait_for(lambda: "events changed" in lab.log("watch.log"), 10), "the watch adopts the session",
         lab.log("watch.log"))
    before = lab.count()
    t.ok(wait_for(lambda: lab.count() > before + 40, 10), "events arrive at relayd", lab.log("watch.log"))
    events = lab.dump()
    t.ok(events and all(set(e["context"]) >= {"vpid", "vtid", "procname"} for e in events),
         "with vpid, vtid and procname", events[:1])
    names = {e["name"] for e in events}
    t.ok("qemu:migrate_set_state" in names, "of all names", names)
    t.ok(wait_for(lambda: "lttng_python:event" in {e["name"] for e in lab.dump()}, 10, 0.2),
         "what a service in Python logs too", lab.log("service.log"))

    for what in ("relayd", "sessiond"):
        kill(getattr(lab, what + "_process"))
        time.sleep(0.6)
        t.ok(watch.poll() is None, f"{what} killed: the watch goes on")
        before = lab.count()
        setattr(lab, what + "_process", getattr(lab, what)())
        since = time.monotonic()
        t.ok(wait_for(lambda: lab.status()[0] == 0, 8), f"{what} back: --status says so",
             f"{lab.session('--status')} {lab.log('watch.log')}")
        print(f"# {time.monotonic() - since:.1f} s from {what}'s start to a session that records")
        # Past all that the buffers may have held.
        t.ok(wait_for(lambda n=before: lab.count() > n + 40, 12), f"and events arrive again",
             lab.log("watch.log"))
        print(f"# {time.monotonic() - since:.1f} s from {what}'s start to the 40th event at relayd")
    t.ok("records no more: its connection to the relayd is gone" in lab.log("watch.log") and
         "lttng-sessiond ended" in lab.log("watch.log"), "both told in the log", lab.log("watch.log"))

    def starts():
        return sum(e["name"] == "lttng_ust_statedump:start" for e in lab.dump())
    had = starts()
    t.ok(wait_for(lambda: starts() > had + 1, 15, 0.3), "the statedump is made again and again",
         f"{had} then {starts()}\n{lab.log('watch.log')}")
    kill(watch, signal.SIGTERM)
    t.same((watch.returncode, lab.status()[0]), (0, 0), "SIGTERM ends the watch, not the session")


def check_stop(t, lab):
    other = [a.replace(NAME, NAME + "-other") for a in lab.argv("--once")]
    t.same(subprocess.run(other, capture_output=True, timeout=30).returncode, 0, "a second session")
    # Two sessions, and nobody was there to see whose connection broke.
    kill(lab.relayd_process)
    t.same(lab.status()[0], 5, "--status with a dead relayd: 5")
    lab.relayd_process = lab.relayd()
    t.same(lab.status()[0], 5, "and still when a new one is there")
    code, _, err = lab.session("--once")
    t.ok(code == 0 and "connection to the relayd is gone" in err, "--once makes it anew", err)
    lab.session("--stop")
    t.same(lab.session("--status")[0], 3, "--stop: no session")
    other[-1] = "--status"
    t.ok(subprocess.run(other, capture_output=True, timeout=30).returncode != 3, "but the other one stays")
    other[-1] = "--stop"
    subprocess.run(other, capture_output=True, timeout=30)
    code, _, err = lab.session("--stop")
    t.ok(code == 0 and "there is no session" in err, "--stop again: nothing to do", err)


def main():
    for program in ("lttng-sessiond", "lttng-relayd"):
        if not shutil.which(program):
            skip(f"{program} is not there: install lttng-tools")
    if not os.path.exists(PROBE):
        skip("no program with tracepoints: install liblttng-ust-dev")
    own_namespace()
    t = Tap()
    with SessionLab() as lab:
        check_usage(t, lab)
        check_manual(t)
        check_dry_run(t, lab)
        check_without(t, lab)
        check_once(t, lab)
        probe = lab.start([PROBE], "probe.log")
        check_changes(t, lab)
        check_missing(t, lab, probe)
        check_watch(t, lab)
        check_stop(t, lab)
    t.done()


main()
