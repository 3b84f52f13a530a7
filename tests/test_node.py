#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""cloudtrace-node --print: on made-up /proc and /sys folders, and beside processes that look like
QEMU.  No tracer is needed."""
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib"))
from harness import BUILD, Lab, Tap, wait_for  # noqa: E402

NODE = os.path.join(BUILD, "cloudtrace-node")
UUID = "5f9cd898-418c-4ee1-9bea-058f60f6a020"
VOLUME = "c0ffee00-1111-2222-3333-444455556666"
tap = Tap()


class Root:
    """A folder that stands for /."""

    def __init__(self, path):
        self.path = path

    def write(self, name, content):
        path = self.path + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else content.encode())

    def link(self, name, target):
        path = self.path + name
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(target, path)

    def process(self, pid, comm, argv, exe="/usr/bin/qemu-system-x86_64", threads=(), start=100):
        where = f"/proc/{pid}"
        fields = ["S", "1"] + ["0"] * 17 + [str(start)] + ["0"] * 30
        self.write(f"{where}/stat", f"{pid} ({comm}) {' '.join(fields)}\n")
        self.write(f"{where}/comm", comm + "\n")
        self.write(f"{where}/status", f"Name:\t{comm}\nNSpid:\t{pid}\t7\n")
        self.write(f"{where}/cmdline", b"".join(os.fsencode(a) + b"\0" for a in argv))
        if exe:
            self.link(f"{where}/exe", exe)
        self.write(f"{where}/task/{pid}/comm", comm + "\n")
        for tid, name in threads:
            self.write(f"{where}/task/{tid}/comm", name + "\n")

    def block(self, name, number, size, place="virtual/block", **files):
        where = f"/sys/devices/{place}/{name}"
        self.write(f"{where}/dev", number + "\n")
        self.write(f"{where}/size", f"{size}\n")
        for file, content in files.items():
            self.write(f"{where}/{file.replace('__', '/')}", content)
        self.link(f"/sys/class/block/{name}", f"../../devices/{place}/{name}")

    def run(self):
        r = subprocess.run([NODE, "--once", "--print", f"--root={self.path}"], capture_output=True,
                           text=True, timeout=60)
        if r.returncode:
            raise RuntimeError(f"exit {r.returncode}: {r.stderr}")
        return [json.loads(line) for line in r.stdout.splitlines()]


def of(events, name, /, **values):
    return [e for e in events if e["event"] == name and all(e.get(k) == v for k, v in values.items())]


def one(events, name, wanted, what, /, **values):
    found = of(events, name, **values)
    got = {k: found[0].get(k) for k in wanted} if len(found) == 1 else found
    tap.same(got, wanted, what)


def made_up_node(root):
    argv = ["/usr/bin/qemu-system-x86_64", "-name", "guest=instance-1,debug-threads=on", "-uuid", UUID,
            "-machine", "pc", "-m", "size=65536k", "-smp", "2", "-incoming", "defer",
            "-blockdev", '{"driver":"host_device","filename":"/dev/sdb","node-name":"s"}',
            "-blockdev", '{"driver":"raw","file":"s","node-name":"f"}',
            "-device", '{"driver":"virtio-blk-pci","drive":"f","id":"virtio-disk0"}',
            "-netdev", '{"type":"tap","fd":"31","id":"hostnet0"}',
            "-device", "virtio-net-pci,netdev=hostnet0,mac=fa:16:3e:01:02:03"]
    root.process(100, "qemu-system-x86", argv,
                 threads=[(101, "CPU 0/KVM"), (102, "CPU 1/KVM"), (103, "IO iothread1"),
                          (104, "vhost-100"), (105, "worker")])
    root.write("/proc/100/fdinfo/31", "pos:\t0\nflags:\t0104002\niff:\ttap5f9cd898-41\n")
    root.link("/proc/100/fd/31", "/dev/net/tun")
    root.link("/proc/100/fd/32", "/var/lib/nova/instances/hot.qcow2")
    root.write("/proc/100/fdinfo/32", "flags:\t0100002\n")
    root.write("/var/lib/nova/instances/hot.qcow2", "QFI\xfb")
    root.link("/proc/100/fd/33", "/var/log/qemu.log")
    root.write("/proc/100/fdinfo/33", "flags:\t0102001\n")
    root.write("/var/log/qemu.log", "")
    root.process(120, "vhost-100", [], exe="")
    root.process(200, "qemu-system-x86", ["qemu-system-x86_64", "-machine", "none,accel=kvm"])
    root.process(300, "nova-compute", ["/usr/bin/python3", "/usr/bin/nova-compute"], exe="/usr/bin/python3")
    root.process(301, "chronyd", ["/usr/sbin/chronyd"], exe="/usr/sbin/chronyd")
    root.process(302, "bash", ["bash", "nova-compute"], exe="/bin/bash")
    root.write("/sys/class/ptp/ptp0/clock_name", "KVM virtual PTP\n")
    root.write("/sys/devices/system/clocksource/clocksource0/current_clocksource", "kvm-clock\n")


def made_up_disks(root):
    root.block("sda", "8:0", 1000, "pci/ata1/host0/block")
    root.block("sda1", "8:1", 500, "pci/ata1/host0/block/sda", partition="1\n")
    root.block("sdb", "8:16", 2048, "platform/host2/session1/target2:0:0/2:0:0:1/block", device__serial="x\n")
    root.write("/sys/class/iscsi_session/session1/targetname", f"iqn.2010-10.org.openstack:volume-{VOLUME}\n")
    root.block("dm-0", "253:0", 4096, dm__name=f"cinder--volumes-volume--{VOLUME.replace('-', '--')}",
               dm__uuid="LVM-abc\n")
    root.link("/sys/devices/virtual/block/dm-0/slaves/sda1", "../../../../x/sda1")
    root.block("dm-1", "253:1", 4096, dm__name="mpatha\n", dm__uuid="mpath-360\n")
    root.link("/sys/devices/virtual/block/dm-1/slaves/sdb", "../../../../x/sdb")
    root.block("loop0", "7:0", 0)
    root.block("rbd0", "252:0", 8)
    root.write("/sys/devices/rbd/0/pool", "volumes\n")
    root.write("/sys/devices/rbd/0/name", f"volume-{VOLUME}\n")
    root.block("vdb", "254:16", 8)
    root.link(f"/dev/disk/by-id/virtio-volume-{VOLUME}", "../../vdb")
    root.write("/sys/class/block/bad/dev", "8:x\n")


def made_up(lab):
    root = Root(lab.path("root"))
    made_up_node(root)
    made_up_disks(root)
    events = root.run()
    one(events, "qemu_process", {"reason": "new", "pid": 100, "uuid": UUID, "name": "instance-1",
                                 "machine": "pc", "memory_mib": 64, "vcpus": 2, "incoming": "defer",
                                 "start_ns": 10 ** 9, "vpid": 7}, "the VM, and no probe of libvirt's")
    tap.same({(e["tid"], e["index"]) for e in of(events, "vcpu_thread")}, {(101, 0), (102, 1)}, "vCPU threads")
    tap.same({(e["tid"], e["role"], e["name"]) for e in of(events, "qemu_thread")},
             {(100, "main", "-"), (103, "iothread", "iothread1"), (104, "vhost", "-"), (120, "vhost", "-")},
             "other threads, and vhost threads that are processes")
    one(events, "nic", {"ifname": "tap5f9cd898-41", "mac": "fa:16:3e:01:02:03", "port_id": "5f9cd898-41",
                        "port_from": "name", "ovs_port": -1}, "the tap behind a descriptor")
    disks = sorted(of(events, "disk"), key=lambda d: d["index"])
    tap.same([(d["path"], d["node"], d["device"]) for d in disks],
             [("/dev/sdb", "s", "virtio-disk0"), ("/var/lib/nova/instances/hot.qcow2", "fd:32", "-")],
             "disks of the command line and hot-plugged ones, no logs")
    tap.same({(e["service"], e["project"]) for e in of(events, "service_process")},
             {("nova-compute", "nova"), ("chronyd", "time")}, "services")
    one(events, "host", {"clocksource": "kvm-clock", "ptp": "KVM virtual PTP", "time_service": "chronyd"},
        "facts of the host")
    tap.same({e["name"]: (e["kind"], e["slaves"], e["source"], e["volume_id"]) for e in of(events, "block_device")},
             {"sda": ("disk", "-", "-", "-"), "sda1": ("partition", "8:0", "-", "-"),
              "sdb": ("disk", "-", f"iscsi:iqn.2010-10.org.openstack:volume-{VOLUME}", VOLUME),
              "dm-0": ("lv", "8:1", "-", VOLUME), "dm-1": ("mpath", "8:16", "-", "-"),
              "rbd0": ("rbd", "-", f"rbd:volumes/volume-{VOLUME}", VOLUME), "vdb": ("disk", "-", "-", VOLUME)},
             "block devices: what each lies on, its source and volume")
    tap.same([(e["processes"], e["services"], e["block_devices"], e["left_out"], e["malformed"])
              for e in events if e["event"] == "dump_end"], [(1, 2, 7, 0, 0)], "the frame of the dump")


def hostile(lab):
    root = Root(lab.path("hostile"))
    qemu = ["/usr/bin/qemu-system-x86_64"]
    root.process(10, "qemu-system-x86", qemu + ["-uuid", UUID, "-drive", "file=" + "a," * 400000])
    root.process(11, "qemu) R 1 (x", qemu + ["-name", 'x"\n\\\x01', "-blockdev", "{" * 5000])
    root.write("/proc/12/comm", "qemu-system-x86")
    root.write("/proc/12/stat", "12")
    root.process(13, "qemu-system-x86", [])
    root.process(14, "qemu-system-x86", qemu, threads=[(20000 + i, f"CPU {i}/KVM") for i in range(1100)])
    root.process(15, "vhost-99999999999999", [])
    root.process(16, "nova-\x00\xff", ["nova-" + "y" * 5000])
    root.write("/proc/99999999999/comm", "qemu-system-x86")
    root.process(17, "qemu-system-x86", [os.fsdecode(b"qemu"), "-name", os.fsdecode(b"\xff\xfe")])
    for fd in range(300):
        root.link(f"/proc/14/fd/{fd}", f"/images/{fd}" if fd % 2 else "x" * 600)
        root.write(f"/proc/14/fdinfo/{fd}", "flags:\t02\n")
        root.write(f"/images/{fd}", "")
    events = root.run()
    end = events[-1]
    tap.same(sorted(e["pid"] for e in of(events, "qemu_process")), [10, 11, 14, 17], "hostile processes are read")
    tap.same(len(of(events, "vcpu_thread")), 1024, "no more threads than the limit")
    tap.ok(end["left_out"] >= 76 and end["malformed"] >= 2, "what was left out and malformed is counted", end)
    tap.same(subprocess.run([NODE, "--once", "--print", "--root=/nonexistent"], capture_output=True).returncode, 0,
             "nothing to read is no error")


class Beside:
    """cloudtrace-node beside real processes."""

    def __init__(self, lab, log, prefix, **more):
        self.lab, self.log = lab, log
        out = open(lab.path(log), "wb")
        self.process = subprocess.Popen([*prefix, NODE, "--print"], stdout=out, stderr=out, **more)
        lab.processes.append(self.process)
        self.wait("dump_end", 20)

    def events(self):
        return [json.loads(line) for line in self.lab.log(self.log).splitlines()
                if line.startswith("{") and line.endswith("}")]

    def wait(self, name, seconds, /, **values):
        return wait_for(lambda: of(self.events(), name, **values), seconds, 0.02)


def fake_qemu(lab, disk, **more):
    program = lab.path("qemu-system-x86_64")
    if not os.path.exists(program):
        shutil.copy(os.path.join(BUILD, "tests/fake-qemu"), program)
    p = subprocess.Popen([program, "-name", "guest=vm", "-uuid", UUID, "-smp", "2", "-object", "iothread,id=io1",
                          "-drive", f"file={disk},format=raw,id=d0"], stdin=subprocess.PIPE, text=True, **more)
    lab.processes.append(p)
    return p


def tell(process, line):
    process.stdin.write(line + "\n")
    process.stdin.flush()


def beside(lab, how, prefix=(), **more):
    disk, plugged = lab.path("disk"), lab.path("plugged")
    for path in (disk, plugged):
        with open(path, "wb") as f:
            f.truncate(1 << 20)
        os.chmod(path, 0o666)
    os.chmod(lab.dir, 0o755)
    node = Beside(lab, f"node {how}", prefix, **more)
    started = time.monotonic()
    vm = fake_qemu(lab, disk, **more)
    new = node.wait("qemu_process", 5, reason="new", pid=vm.pid)
    took = time.monotonic() - started
    tap.ok(new and took < 1, f"{how}: a new QEMU is told within 1 s ({took:.2f} s)", node.events()[-5:])
    tap.ok(node.wait("vcpu_thread", 5, pid=vm.pid, index=1) and
           node.wait("qemu_thread", 5, pid=vm.pid, role="iothread", name="io1"), f"{how}: its threads")
    tap.ok(node.wait("disk", 5, pid=vm.pid, path=disk, kind="file"), f"{how}: its disk")
    time.sleep(1)
    tell(vm, f"open {plugged}")
    tap.ok(node.wait("disk", 12, pid=vm.pid, path=plugged, reason="new"), f"{how}: a hot-plugged disk")
    tell(vm, "close")
    tap.ok(node.wait("disk", 12, pid=vm.pid, path=plugged, reason="gone"), f"{how}: it is gone again")
    vm.kill()
    vm.wait()
    started = time.monotonic()
    tap.ok(node.wait("qemu_process", 5, reason="gone", pid=vm.pid), f"{how}: the end of QEMU", node.events()[-5:])
    tap.ok(time.monotonic() - started < 1, f"{how}: within 1 s")
    child = fake_qemu(lab, disk, **more)
    node.wait("qemu_process", 5, reason="new", pid=child.pid)
    tell(child, "exec")
    node.process.send_signal(1)
    tap.ok(node.wait("qemu_process", 5, reason="gone", pid=child.pid),
           f"{how}: what became another program is no QEMU", node.events()[-5:])
    dumps = len(of(node.events(), "dump_end"))
    node.process.send_signal(1)
    tap.ok(wait_for(lambda: len(of(node.events(), "dump_end")) > dumps, 5), f"{how}: SIGHUP asks for a dump")
    node.process.terminate()
    tap.same(node.process.wait(timeout=10), 0, f"{how}: ends when asked to")
    return node


with Lab() as the_lab:
    made_up(the_lab)
    hostile(the_lab)
with Lab() as the_lab:
    beside(the_lab, "as we are")
if os.getuid() == 0:
    # The proc connector is only in the first network namespace.
    with Lab() as the_lab:
        told = beside(the_lab, "without proc connector", ["unshare", "--net"])
        tap.same(len(of(told.events(), "missing", what="proc-connector", reason="new")), 1,
                 "what a node does not permit is told, and once")
    with Lab() as the_lab:
        strange = fake_qemu(the_lab, "/nonexistent")
        told = beside(the_lab, "without privileges", user=65534, group=65534, extra_groups=[])
        tap.same(len(of(told.events(), "missing", what="open-files", reason="new")), 1,
                 "files that may not be seen are told, and once")
        tap.ok(of(told.events(), "qemu_process", pid=strange.pid), "and the VM all the same")
tap.done()
