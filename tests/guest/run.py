#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Boots the guest that image.sh made, with a relayd and a cloudtraced outside, and tells as TAP
what the guest's own checks, the daemon and the trace say.  README.md says more."""
import argparse
import collections
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../lib"))
sys.path.insert(0, os.path.join(HERE, "../../bench"))
import profiles  # noqa: E402
from harness import BUILD, CLOUDTRACED, TOP, Lab, Tap  # noqa: E402

OPENVSWITCH = os.path.join(TOP, "instrumentation/openvswitch")
ROLES = ("compute", "network", "storage", "controller")
PACKETS = ("ovs_packet_receive", "ovs_packet_send")
# What tells packets apart and no bridge changes.
SAME = ("eth_type", "saddr", "daddr", "l4_proto", "sport", "dport", "ip_id", "tcp_seq", "tcp_ack",
        "pkt_hash")
ICMP = 1
tap = Tap()


def role_events(role):
    """The list that cloudtraced gives for a role."""
    return subprocess.run([CLOUDTRACED, "--print-events", role], check=True, text=True,
                          capture_output=True).stdout


def make_share(folder):
    """What the guest finds in /share."""
    os.mkdir(folder)
    for name in ("guest-scenario.sh",):
        shutil.copy(os.path.join(HERE, name), folder)
    for name in ("check-layout", "ovs-layout.h", "kprobes.profile"):
        shutil.copy(os.path.join(OPENVSWITCH, name), folder)
    shutil.copy(os.path.join(TOP, "bench/service.py"), folder)
    for program in ("cloudtrace-session", "cloudtrace-node", "bench/load"):
        if os.path.exists(os.path.join(BUILD, program)):
            shutil.copy(os.path.join(BUILD, program), folder)
    for role in ROLES:
        with open(os.path.join(folder, f"events.{role}"), "w") as f:
            f.write(role_events(role))


def boot(lab, options):
    out = lab.path("out")
    make_share(lab.path("share"))
    os.mkdir(out)
    work = os.path.abspath(options.work)
    words = {"host": options.host, "control": lab.ctrl, "data": lab.data, "rounds": options.rounds,
             "limit": options.limit, "parts": options.parts}
    append = "root=/dev/vda rw console=ttyS0 panic=1 init=/sbin/guest-init quiet "
    append += "tsc=reliable no_timer_check "
    append += " ".join(f"guest.{key}={value}" for key, value in words.items())
    # For costs the guest's clock is a count of instructions, 500 million a second, so that what
    # else this machine does can't be seen in it.  With two processors QEMU 7.2 doesn't boot then.
    count = "cost" in options.parts.split(",")
    clock = ["-icount", "shift=1"] if count else []
    return lab.start(
        ["nice", "-n", "5", options.qemu, "-accel", f"tcg,thread={options.thread}",
         "-cpu", "max", "-smp", "1" if count else "2", "-m", "2G",
         "-kernel", f"{work}/vmlinuz", "-initrd", f"{work}/initrd.img",
         "-append", append, "-drive", f"file={work}/root.img,if=virtio,format=raw,snapshot=on",
         "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net",
         "-virtfs", f"local,path={lab.path('share')},mount_tag=share,security_model=none,readonly=on",
         "-virtfs", f"local,path={out},mount_tag=out,security_model=none",
         *clock, "-device", "virtio-rng-pci", "-display", "none", "-vga", "none",
         "-serial", f"file:{lab.path('console')}", "-no-reboot"], "qemu.log",
        env=dict(os.environ, TMPDIR=lab.dir))


def watch(lab, guest, options):
    """Until the guest is off: how the daemon shows it, each state of it once; and of how many
    events of each session it knows."""
    seen, events = [], collections.Counter()
    until = time.monotonic() + options.limit + 120
    while guest.poll() is None and time.monotonic() < until:
        for node in lab.json("node", "list"):
            for source in node["sources"]:
                what = (source["session"], source["state"])
                events[source["session"]] = max(events[source["session"]], source["events"])
                if node["host"] == options.host and what not in seen:
                    seen.append(what)
                    print(f"# {time.strftime('%T')} node list: {node['host']}: session "
                          f"{source['session']} is {source['state']}", flush=True)
        time.sleep(1)
    tap.same(guest.poll(), 0, "the guest went off by itself")
    return seen, events


def guest_checks(lab):
    try:
        with open(lab.path("out/checks")) as f:
            checks = f.read().splitlines()
    except FileNotFoundError:
        checks = []
    for line in checks:
        good = line.startswith("ok ")
        if line != "end":
            tap.ok(good, "guest: " + line[3 if good else 7:])
    tap.ok("end" in checks, "guest: the scenario came to its end",
           "\n".join(lab.log("console").splitlines()[-60:]))


def events_of(lab, session):
    """The events of one session that the relayd has written."""
    folders = [d for d, _, files in os.walk(lab.path("relayd"))
               if "metadata" in files and f"/{session}-" in d]
    if not folders:
        return
    with subprocess.Popen([CLOUDTRACED, "--dump", *folders], stdout=subprocess.PIPE, text=True) as p:
        for line in p.stdout:
            yield json.loads(line)


def check_tags(lab):
    """One tag is one packet, from its first bridge to its last, upcalls and all."""
    names = collections.Counter()
    packets = collections.defaultdict(set)   # tag: what its events say it is
    received = collections.defaultdict(set)  # tag: interfaces
    states = collections.Counter()
    icmp, upcalls, executes, found = set(), set(), 0, 0
    for event in events_of(lab, "addon"):
        name, fields = event["name"], event.get("payload", {})
        names[name] += 1
        tag = fields.get("tag")
        if name in PACKETS and tag:
            packets[tag].add(tuple(fields[key] for key in SAME))
        if name == "ovs_packet_receive":
            states[fields["tag_state"]] += 1
            received[tag].add(fields["ifname"])
            if fields["eth_type"] == 0x800 and fields["l4_proto"] == ICMP:
                icmp.add(tag)
        elif name == "ovs_upcall_begin" and tag:
            upcalls.add(tag)
        elif name == "ovs_packet_execute":
            executes += 1
            found += tag in upcalls
    both = sum(1 for ports in received.values() if len(ports) > 1)
    ours = {name: n for name, n in sorted(names.items()) if name.startswith("ovs_")}
    print(f"# events: {sum(names.values())}, of the module: {json.dumps(ours)}")
    print(f"# receives by tag_state: {json.dumps(dict(sorted(states.items())))}")
    print(f"# tags {len(received)}, of which received on both bridges {both}; "
          f"upcalls with a tag {len(upcalls)}, packets executed {executes}, tag known {found}")
    tap.ok(names["ovs_packet_receive"] > 200, "events of packets came")
    tap.same(sum(len(what) > 1 for what in packets.values()), 0, "no tag is two packets")
    tap.same((len(icmp), sum(len(received[tag]) > 1 for tag in icmp)), (30, 30),
             "15 pings are 30 packets, each known on both bridges")
    tap.ok(both >= 0.9 * len(received), "9 of 10 tags are known on both bridges", both)
    tap.ok(executes and found == executes, "tags outlive upcalls", (executes, found))


def check_kprobes(lab):
    names = collections.Counter(event["name"] for event in events_of(lab, "kprobes"))
    ours = {name: n for name, n in sorted(names.items()) if name.startswith(("kp_", "kr_"))}
    print(f"# kprobes: {json.dumps(ours)}")
    tap.ok(len(ours) > 10, "plain kprobes give events")


def status(lab, session):
    """What cloudtrace-session said of its session; None if it isn't built."""
    try:
        return json.loads(lab.log(f"out/status.{session}"))
    except FileNotFoundError:
        return None


def kernel_events(lab, session):
    return sorted(name for domain in status(lab, session)["domains"] if domain["domain"] == "kernel"
                  for name in domain["events"])


def check_roles(lab, seen):
    for role in ROLES:
        names = collections.Counter(event["name"] for event in events_of(lab, f"role-{role}"))
        print(f"# {role}: {sum(names.values())} events of {len(names)} kinds")
        tap.ok(names["sched_switch"] > 0, f"{role}: the kernel's events came")
        if not status(lab, f"role-{role}"):
            continue
        with open(lab.path(f"share/events.{role}")) as f:
            wanted = {line.split()[1] for line in f if line.startswith("kernel")}
        # A system call is enabled by its own name.
        wanted = {re.sub("^syscall_(entry|exit)_", "", name) for name in wanted}
        on = set(kernel_events(lab, f"role-{role}"))
        missing = "\n".join(status(lab, f"role-{role}")["missing"])
        absent = {name for name in wanted - on
                  if re.search(rf"(event |, ){re.escape(name)}[,:]", missing)}
        print(f"# {role}: {len(on)} kernel events on; told to be missing: {sorted(absent)}")
        tap.same((sorted(on - wanted), sorted(wanted - on - absent)), ([], []),
                 f"{role}: all kernel events of its list are on, or told to be missing")
        tap.ok(all(name.startswith("kvm_") for name in absent),
               f"{role}: of what Debian's tracer can have, none is missing", absent)
        tap.ok(seen[f"role-{role}"] > 0, f"{role}: the daemon reads events of the guest", seen)


def check_lists(lab):
    if not status(lab, "lists"):
        return
    tap.same(kernel_events(lab, "lists"),
             ["kp_do_output", "kr_ovs_dp_upcall", "lttng_statedump_*", "openat", "sched_switch"],
             "lists: what can be had is on, and nothing else")
    missing = "\n".join(status(lab, "lists")["missing"])
    for what in ("refused kvm_mmio: ", "kernel event no_such_tracepoint: ",
                 "kernel event kp_nowhere: "):
        tap.ok(what in missing, f"lists: {what.rstrip(': ')} is told", missing)
    names, bare = collections.Counter(), 0
    for event in events_of(lab, "lists"):
        names[event["name"]] += 1
        bare += not set(event.get("context", {})) >= {"pid", "tid", "procname"}
    for name in ("sched_switch", "syscall_entry_openat", "syscall_exit_openat", "kp_do_output",
                 "kr_ovs_dp_upcall_entry", "kr_ovs_dp_upcall_exit", "lttng_statedump_process_state"):
        tap.ok(names[name], f"lists: {name} was recorded", names)
    tap.same(bare, 0, "lists: all with pid, tid and procname")
    # One at the start of each of two sessions, and then one each second of a watch.
    tap.ok(names["lttng_statedump_start"] >= 6, "lists: the statedump is made again and again",
           names["lttng_statedump_start"])


def show_cost(lab):
    times = collections.defaultdict(list)
    for line in lab.log("out/cost").splitlines():
        what, ms = line.split()
        times[what].append(int(ms))
    for what, all_ms in times.items():
        best, base = min(all_ms), min(times["nothing"])
        print(f"# 2000 round trips, {what}: best of {len(all_ms)} {best} ms, "
              f"{(best - base) / 8:+.1f} us a crossing, ratio {best / base:.2f}")


def show_loads(lab):
    """What a role's kernel events cost: the median of pairs that ran one after the other."""
    rates = collections.defaultdict(list)
    for line in lab.log("out/loads").splitlines():
        role, load, how, a_second, cpu_us = line.split()[:5]
        rates[role, load, how].append(profiles.Rate(a_second, cpu_us))
    for role, load in dict.fromkeys(key[:2] for key in rates):
        pairs = list(zip(rates[role, load, "with"], rates[role, load, "without"]))
        ratio, least, most, cpu = profiles.slower(pairs)
        without = statistics.median(off.a_second for _, off in pairs)
        print(f"# emulated: {role}'s kernel events, {load}: time with / without {ratio:.2f} "
              f"({least:.2f} to {most:.2f} in {len(pairs)} pairs), CPU {cpu:.2f}; "
              f"{without:,.0f} a second without")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", required=True, help="where image.sh has made the guest")
    parser.add_argument("--host", default="compute1", help="host name of the guest")
    parser.add_argument("--rounds", type=int, default=10, help="loads and unloads under packets")
    parser.add_argument("--limit", type=int, default=900, help="seconds for the scenario")
    parser.add_argument("--qemu", default="qemu-system-x86_64", help="the program")
    parser.add_argument("--thread", choices=("single", "multi"), default="single",
                        help="QEMU's: multi is faster, but see README.md")
    parser.add_argument("--parts", default="module,unload,roles,lists,kprobes,clones,usdt")
    parser.add_argument("--keep", help="copy what the run made there")
    options = parser.parse_args()
    parts = options.parts.split(",")
    with Lab() as lab:
        lab.relayd()
        lab.daemon()
        guest = boot(lab, options)
        try:
            seen, events = watch(lab, guest, options)
            guest_checks(lab)
            tap.ok("live" in (state for _, state in seen),
                   "cloudtracectl node list shows the guest, live", seen)
            if "module" in parts:
                print("# " + lab.log("out/counters").replace("\n", ", ").rstrip(", "))
                check_tags(lab)
            if "roles" in parts:
                check_roles(lab, events)
            if "lists" in parts:
                check_lists(lab)
            if "kprobes" in parts:
                check_kprobes(lab)
            if "cost" in parts and os.path.exists(lab.path("out/loads")):
                show_loads(lab)
            if "cost" in parts and os.path.exists(lab.path("out/cost")):
                show_cost(lab)
        finally:
            if options.keep:
                shutil.copytree(lab.dir, options.keep, dirs_exist_ok=True,
                                ignore=shutil.ignore_patterns("*.sock"))
    tap.done()


main()
