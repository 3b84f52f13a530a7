#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What cloudtrace-node costs on a node with many VMs.

Starts VMS processes that look like QEMU (8 vCPUs, an iothread, a disk, some 50 descriptors each),
lets cloudtrace-node run beside them, and tells how much of a core it used."""
import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid

BUILD = os.environ.get("top_builddir", os.path.join(os.path.dirname(__file__), "../build"))


def start_vm(program, folder, n):
    disk = os.path.join(folder, f"disk{n}")
    with open(disk, "w"):
        os.truncate(disk, 1 << 20)
    return subprocess.Popen(
        [program, "-name", f"guest=instance-{n:08x},debug-threads=on", "-uuid", str(uuid.uuid4()),
         "-S", "-machine", "pc-q35-7.2,accel=kvm", "-m", "size=4194304k", "-smp", "8",
         "-object", "iothread,id=iothread1", "-drive", f"file={disk},format=raw,id=drive0",
         "-netdev", f"tap,id=hostnet0,ifname=tap{n:08x}-00", "-device",
         "virtio-net-pci,netdev=hostnet0,mac=fa:16:3e:00:00:01"], stdin=subprocess.PIPE)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/schedstat") as f:
        own = int(f.read().split()[0])
    return own / 1e9


def all_threads_seconds(pid):
    return sum(cpu_seconds(f"{pid}/task/{tid}") for tid in os.listdir(f"/proc/{pid}/task"))


def measure(node, seconds):
    """Share of a core, wake-ups a second."""
    before, t = all_threads_seconds(node.pid), time.monotonic()
    time.sleep(seconds)
    return (all_threads_seconds(node.pid) - before) / (time.monotonic() - t)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vms", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--as-user", help="run it as that user: without the proc connector")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="cloudtrace-node-bench.")
    os.chmod(folder, 0o755)
    program = os.path.join(folder, "qemu-system-x86_64")
    shutil.copy(os.path.join(BUILD, "tests/fake-qemu"), program)
    vms = [start_vm(program, folder, n) for n in range(options.vms)]
    command = [os.path.join(BUILD, "cloudtrace-node")]
    node = subprocess.Popen(command, user=options.as_user)
    try:
        time.sleep(10)
        share = measure(node, options.seconds)
        how = "listing /proc" if options.as_user else "proc connector"
        print(f"{options.vms} VMs, {how}: {100 * share:.3f} % of a core")
    finally:
        for process in [node, *vms]:
            process.kill()
            process.wait()
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
