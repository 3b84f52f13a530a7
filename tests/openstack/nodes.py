# SPDX-License-Identifier: MIT
"""Nodes on one machine: each has a host name, a network, processes and mounts of its own, and
its own copy of what the services write to or are configured by.  All of it goes when run.py ends."""
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
from harness import TOP, wait_for  # noqa: E402

PACKAGE = os.path.join(TOP, "instrumentation/openstack/cloudtrace_openstack")
ADDRESSES = {"controller": "10.77.0.10", "compute-1": "10.77.0.11", "compute-2": "10.77.0.12",
             "storage-1": "10.77.0.13"}
COMPUTES = ("compute-1", "compute-2")
PROJECTS = ("keystone", "placement", "glance", "nova", "neutron", "cinder", "libvirt")

# What a node has its own copy of, where it exists.
OWN = [f"/{folder}/{project}" for project in PROJECTS
       for folder in ("etc", "var/lib", "var/log", "var/cache")] + \
    ["/var/lib/mysql", "/var/lib/rabbitmq", "/var/log/mysql", "/var/log/rabbitmq"]
RUN = ("lock", "lttng", "mysqld", "sudo", *PROJECTS)

# mount.nfs of a node: nothing here serves NFS, a folder stands for the export.
MOUNT_NFS = """#!/bin/sh
exec mount --bind {export} "$2"
"""

# The first process of a node takes in its orphans.
INIT = """set -e
hostname {name}
ip link set lo up
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /dev/shm
mount -t overlay overlay -o lowerdir={work}/sbin:/usr/sbin /usr/sbin
{binds}
trap : TERM INT
echo up
sleep infinity & while :; do wait $!; done
"""


class Node:
    """A node, and the processes started in it."""

    def __init__(self, work, name, site):
        self.name, self.address = name, ADDRESSES[name]
        self.folder = os.path.join(work, name)
        self.services = {}      # name: its Popen; what it prints goes to out/NAME
        self.own = os.path.join(self.folder, "own")     # for run.py's files: inside and outside the same
        for folder in ("run", "own", "out"):
            os.makedirs(os.path.join(self.folder, folder))
        binds = [("/run", "run")]
        for path in OWN:
            if os.path.isdir(path):
                os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
                subprocess.run(["cp", "-a", path, self.path(path)], check=True)
                binds.append((path, path[1:]))
        for folder in RUN:
            os.makedirs(os.path.join(self.folder, "run", folder))
        for project in PROJECTS[:-1]:
            shutil.chown(os.path.join(self.folder, "run", project), project, project)
            # oslo.concurrency's locks, of several users
        os.chmod(os.path.join(self.folder, "run/lock"), 0o1777)
        lines = [f"mount --bind {os.path.join(self.folder, own)} {path}" for path, own in binds]
        lines += [f"mount --bind {work}/hosts /etc/hosts",
                  f"mkdir -p {site} && mount --bind {work}/site {site}"]
        self.first = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--uts", "--net", "--pid",
             "--fork", "--kill-child", "--mount-proc", "--propagation", "private", "bash", "-c",
             INIT.format(name=name, work=work, binds="\n".join(lines))],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if self.first.stdout.readline() != "up\n":
            raise RuntimeError(f"{name} did not start")
        self.pid = children(self.first.pid)[0]

    def argv(self, *command, user=None, env=()):
        """The command line that runs `command` in the node."""
        who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        return ["nsenter", f"--target={self.pid}", "--mount", "--uts", "--net", "--pid", "--",
                "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8",
                "PYTHONWARNINGS=ignore", f"HOME={'/var/lib/' + user if user else '/root'}", *env,
                *who, *command]

    def run(self, *command, check=True, timeout=300, **more):
        done = subprocess.run(self.argv(*command, **more), stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=timeout)
        if check and done.returncode:
            raise RuntimeError(f"{self.name}: {' '.join(command)}: exit {done.returncode}\n"
                               f"{done.stdout[-1000:]}{done.stderr[-3000:]}")
        return done

    def start(self, name, *command, **more):
        with open(self.path("out", name), "ab") as out:
            self.services[name] = subprocess.Popen(
                self.argv("nice", "-n", "5", *command, **more), stdin=subprocess.DEVNULL, stdout=out,
                stderr=out, start_new_session=True)

    def service(self, name):
        """Starts a service as its Debian package does."""
        self.start(name, f"/etc/init.d/{name}", "systemd-start", user=name.split("-")[0])

    def stop(self, name, how=signal.SIGTERM):
        outer = self.services.pop(name)
        for pid in children(outer.pid):
            try:
                os.kill(pid, how)
            except ProcessLookupError:
                pass
        try:
            outer.wait(40)
        except subprocess.TimeoutExpired:
            for pid in children(outer.pid):
                os.kill(pid, signal.SIGKILL)
            outer.wait()

    def dead(self):
        """Services that ended, though nobody stopped them."""
        return [f"{self.name}: {name}: {process.returncode}"
                for name, process in self.services.items() if process.poll() is not None]

    def path(self, *names):
        """From outside, what is /NAMES in the node."""
        return os.path.join(self.folder, *[name.lstrip("/") for name in names])

    def read(self, *names):
        with open(self.path(*names), errors="replace") as file:
            return file.read()

    def write(self, name, text, mode="w"):
        with open(self.path(name), mode) as file:
            file.write(text)

    def end(self):
        self.first.kill()
        self.first.wait()
        self.first.stdout.close()
        for process in self.services.values():
            process.wait()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(word) for word in file.read().split()]


def make(work):
    """All nodes, joined by a bridge of the controller's."""
    shutil.rmtree(work, ignore_errors=True)
    for folder in ("sbin", "export", "site"):
        os.makedirs(os.path.join(work, folder))
    os.chmod(os.path.join(work, "export"), 0o777)
    with open(os.path.join(work, "sbin/mount.nfs"), "w") as file:
        file.write(MOUNT_NFS.format(export=os.path.join(work, "export")))
    os.chmod(os.path.join(work, "sbin/mount.nfs"), 0o755)
    with open(os.path.join(work, "hosts"), "w") as file:
        file.write("127.0.0.1 localhost\n" +
                   "".join([f"{address} {name}\n" for name, address in ADDRESSES.items()]))
    shutil.copytree(PACKAGE, os.path.join(work, "site/cloudtrace_openstack"),
                    ignore=shutil.ignore_patterns("__pycache__"))
    site = subprocess.run(["/usr/bin/python3", "-c", "import site; print(site.getsitepackages()[0])"],
                          check=True, capture_output=True, text=True).stdout.strip()
    nodes = {}
    try:
        for name in ADDRESSES:
            nodes[name] = Node(work, name, site)
        join(nodes)
    except BaseException:
        end(nodes)
        raise
    return nodes


def join(nodes):
    controller = nodes["controller"]
    controller.run("ip", "link", "add", "lab", "type", "bridge")
    controller.run("ip", "addr", "add", f"{controller.address}/24", "dev", "lab")
    controller.run("ip", "link", "set", "lab", "up")
    for node in nodes.values():
        if node is not controller:
            port = "v" + node.name.replace("-", "")
            subprocess.run(["ip", "link", "add", port, "netns", str(controller.pid), "type", "veth",
                            "peer", "name", "eth0", "netns", str(node.pid)], check=True)
            controller.run("ip", "link", "set", port, "master", "lab", "up")
            node.run("ip", "addr", "add", f"{node.address}/24", "dev", "eth0")
            node.run("ip", "link", "set", "eth0", "up")


def end(nodes):
    for node in nodes.values():
        node.end()


def until(condition, seconds, what):
    """Waits, and says how long it took."""
    began = time.monotonic()
    got = wait_for(condition, seconds, 0.5)
    if not got:
        raise RuntimeError(f"{what}: not within {seconds} s")
    print(f"# {what}: {time.monotonic() - began:.0f} s", flush=True)
    return got
