# SPDX-License-Identifier: MIT
"""Decoding, merging, memory and the pipeline, on trace directories."""
import os
import re
import shutil
import subprocess
import uuid

from measure import Failed, Table, best, run, slope

# Three fields of each event of gen_trace's kernel profile.
KERNEL_FIELDS = {
    "kernel:sched_switch": "context.vtid,prev_tid,next_tid",
    "kernel:sched_waking": "context.vtid,comm,tid",
    "kernel:sched_migrate_task": "context.vtid,tid,dest_cpu",
    "kernel:timer_hrtimer_expire_entry": "context.vtid,hrtimer,now",
    "kernel:irq_handler_entry": "context.vtid,irq,name",
    "kernel:syscall_exit_read": "context.vtid,context.vpid,ret",
}
WANTS = {
    "nothing": [],
    "one": [f"--want={name}/{KERNEL_FIELDS[name]}" for name in ("kernel:sched_switch",)],
    "all": [f"--want={name}/{fields}" for name, fields in KERNEL_FIELDS.items()],
}
STREAMS = (2, 16, 64)


def want_text(want):
    return {"nothing": "nothing wanted", "one": "3 fields of one in four",
            "all": "3 fields of all"}[want]


class Offline:
    """What the sections share: programs, sizes, and traces measured once."""
    def __init__(self, options):
        self.options = options
        self.work = options.work
        self.events = options.events or (300_000 if options.quick else 4_000_000)
        self.times = 1 if options.quick else 3
        self.counted = (5_000, 15_000) if options.quick else (20_000, 60_000)
        self.measured = {}
        self.ratios = []

    def program(self, name):
        return os.path.join(self.options.build, name)

    def generate(self, name, **arguments):
        path = os.path.join(self.work, name)
        shutil.rmtree(path, ignore_errors=True)
        run([self.program("bench/gen_trace"), *(f"--{k}={v}" for k, v in arguments.items()), path])
        return path

    def decode(self, path, wants):
        return [self.program("bench/bench_decode"), *WANTS[wants], path]

    def babeltrace2(self, *paths):
        return ["babeltrace2", "-o", "dummy", *paths]

    def ratio(self, what, value, target):
        self.ratios.append((what, value, target))

    def kernel(self, streams, header="large", wants=("all",)):
        """Times of babeltrace2 and of ours on one generated trace."""
        key = (streams, header)
        results = self.measured.setdefault(key, {})
        missing = [w for w in ("babeltrace2", *wants) if w not in results]
        if not missing:
            return results
        path = self.generate("kernel", profile="kernel", streams=streams, header=header,
                             events=self.events)
        for want in missing:
            argv = self.babeltrace2(path) if want == "babeltrace2" else self.decode(path, want)
            results[want] = best(argv, self.times)
            if want != "babeltrace2" and results[want].json()["events"] != self.events:
                raise Failed(f"{self.events} events were written, {results[want].out} read")
        shutil.rmtree(path)
        return results


def decode(bench):
    """Nanoseconds and instructions per event, merge included."""
    print(f"\ndecode: CPU ns per event, {bench.events:,} events of 59 bytes, no consumer")
    table = Table("streams, headers, fields", "bt2 ns", "ours ns", "ratio", "bt2 wall", "ours wall")
    rows = [(2, "large", ("nothing", "one", "all"))] + \
        [(2, "compact", ("all",))] + [(n, "large", ("all",)) for n in STREAMS[1:]]
    for streams, header, wants in rows:
        results = bench.kernel(streams, header, wants)
        bt2 = results["babeltrace2"]
        for want in wants:
            ours = results[want]
            table.add(f"{streams}, {header}, {want_text(want)}", 1e9 * bt2.cpu / bench.events,
                      1e9 * ours.cpu / bench.events, bt2.cpu / ours.cpu,
                      1e9 * bt2.wall / bench.events, 1e9 * ours.wall / bench.events)
    table.print()
    count(bench)


def count(bench):
    """Instructions, as slopes between two sizes."""
    if not shutil.which("valgrind"):
        print("  no instruction counts: valgrind is not installed")
        return
    print("\ndecode: instructions per event (callgrind; slope of {:,} and {:,} events)".format(
        *bench.counted))
    table = Table("streams, wanted", "bt2", "ours", "ratio")
    for streams in STREAMS:
        sizes = [(n, bench.generate(f"count-{n}", profile="kernel", streams=streams, events=n,
                                    packet=8)) for n in bench.counted]
        bt2 = slope(bench.babeltrace2, *sizes)
        for want in WANTS:
            ours = slope(lambda path, w=want: bench.decode(path, w), *sizes)
            table.add(f"{streams}, {want_text(want)}", bt2, ours, bt2 / ours)
            if want != "nothing":
                bench.ratio(f"instructions, {streams} streams, {want_text(want)}", bt2 / ours,
                            "40 x")
    table.print()


def memory(bench):
    """Peak resident memory."""
    print(f"\nmemory: peak resident MiB, {bench.events:,} events, packets of 128 KiB")
    table = Table("streams", "bt2", "ours", "ratio")
    for streams in STREAMS:
        results = bench.kernel(streams)
        bt2, ours = results["babeltrace2"].peak_kib / 1024, results["all"].peak_kib / 1024
        table.add(str(streams), bt2, ours, bt2 / ours)
        if streams == 64:
            bench.ratio("memory at 64 streams: MiB", ours, "under 100")
    table.print()


def pipeline(bench):
    """cloudtraced --read into a store against babeltrace2 that only reads."""
    print("\npipeline: cloudtraced --read with a store, against babeltrace2 -o dummy; CPU seconds")
    table = Table("traces", "events", "wanted", "bt2 s", "ours s", "ratio", "ours ns", "ours MiB")
    cases = corpus(bench)
    together = [[path for paths, _ in cases for path in paths]]
    measure_pipeline(bench, table, "qemu corpus, each by itself", [paths for paths, _ in cases])
    measure_pipeline(bench, table, "qemu corpus, all at once", together,
                     "pipeline, qemu corpus at once: CPU")
    measure_tiled(bench, table, "qemu corpus", together[0])
    path = bench.generate("qemu", profile="qemu", streams=4, events=bench.events)
    measure_pipeline(bench, table, "generated qemu, 4 streams", [[path]],
                     "pipeline, generated qemu trace: CPU")
    shutil.rmtree(path)
    pipeline_kernel(bench, table)
    table.print()


def pipeline_kernel(bench, table):
    """Kernels: events of which nearly all are wanted, each by three analyzers or more.
    At most 150 ns an event, where babeltrace2 alone takes 732 to 1183: 5 times less."""
    kernels = corpus(bench, "kernel")
    for paths, name in kernels:
        measure_pipeline(bench, table, f"kernel, {name}", [paths])
    together = [path for paths, _ in kernels for path in paths]
    measure_pipeline(bench, table, "kernel corpus, all at once", [together],
                     "pipeline, kernel corpus at once: CPU", "5 x")
    measure_tiled(bench, table, "kernel corpus", together, "5 x")


def measure_tiled(bench, table, name, paths, times="20 x"):
    """A long archive: many copies, so that the start does not count."""
    copies = 2 if bench.options.quick else 10
    tiles = [tile(path, os.path.join(bench.work, f"tiles-{n}"), n) for n in range(copies)
             for path in paths]
    measure_pipeline(bench, table, f"{name}, {copies} times, all at once", [tiles],
                     f"pipeline, tiled {name} at once: CPU", times)
    for folder in {os.path.dirname(path) for path in tiles}:
        shutil.rmtree(folder, ignore_errors=True)


def read_argv(bench, paths):
    store = os.path.join(bench.work, "pipeline.db")
    for suffix in ("", "-wal", "-shm"):
        if os.path.exists(store + suffix):
            os.unlink(store + suffix)
    return [bench.program("cloudtraced"), "--read", *paths, "--store", store]


def read_best(bench, paths):
    return min((run(read_argv(bench, paths)) for _ in range(bench.times)), key=lambda r: r.cpu)


def measure_pipeline(bench, table, name, runs, target=None, times="20 x"):
    """'runs' are lists of directories; what each takes is added up."""
    events = wanted = 0
    for paths in runs:
        events += bench_counts(bench, paths)
    bt2 = [best(bench.babeltrace2(*paths), bench.times) for paths in runs]
    ours = [read_best(bench, paths) for paths in runs]
    wanted = sum(bench_counts(bench, paths, interesting(bench)) for paths in runs)
    bt2_cpu, cpu = sum(r.cpu for r in bt2), sum(r.cpu for r in ours)
    table.add(name, events, f"{100 * wanted / events:.0f} %", bt2_cpu, cpu, bt2_cpu / cpu,
              1e9 * cpu / events, max(r.peak_kib for r in ours) / 1024)
    if target:
        bench.ratio(target, bt2_cpu / cpu, times)


def interesting(bench):
    """The events that the analyzers of a compute node read."""
    lines = run([bench.program("cloudtraced"), "--print-events", "compute"]).out.split("\n")
    return [f"--want={line.split()[1]}" for line in lines if len(line.split()) > 1]


def bench_counts(bench, paths, wants=None):
    counts = run([bench.program("bench/bench_decode"), *(wants or []), *paths]).json()
    return counts["wanted" if wants else "events"]


def corpus(bench, kind="qemu"):
    """Recordings of a kind, "qemu" or "kernel": a list of ([directories], name)."""
    folder = os.path.join(bench.options.source, "tests", "corpus", kind)
    names = sorted(n[:-len(".tar.xz")] for n in os.listdir(folder) if n.endswith(".tar.xz"))
    script = os.path.join(bench.options.source, "tests", "lib", "corpus.sh")
    env = dict(os.environ, top_srcdir=bench.options.source, top_builddir=bench.options.build)
    return [([subprocess.run([script, f"{kind}/{name}"], env=env, check=True, text=True,
                             stdout=subprocess.PIPE).stdout.strip()], name) for name in names]


def metadata_text(blob):
    """The text of a metadata file that consists of little-endian packets."""
    text, at = b"", 0
    while at < len(blob):
        content, packet = (int.from_bytes(blob[at + o:at + o + 4], "little") // 8 for o in (24, 28))
        text += blob[at + 37:at + content]
        at += packet
    return text.decode()


def tile(path, to, number):
    """Copies a scenario so that it happened 'number' times 4 hours later, on
    hosts that were started anew: other uuids of traces and clocks."""
    to = os.path.join(to, os.path.basename(path))
    for folder, _, files in os.walk(path):
        target = os.path.join(to, os.path.relpath(folder, path))
        os.makedirs(target, exist_ok=True)
        if "metadata" in files:
            tile_trace(folder, target, files, number)
    return to


def tile_trace(folder, target, files, number):
    with open(os.path.join(folder, "metadata"), "rb") as file:
        text = metadata_text(file.read())
    old = uuid.UUID(re.search(r'uuid = "([^"]*)"', text).group(1))
    new = uuid.uuid5(old, str(number))
    clock = re.search(r'clock \{.*?uuid = "([^"]*)"', text, re.S).group(1)
    text = text.replace(str(old), str(new)).replace(clock, str(uuid.uuid5(uuid.UUID(clock),
                                                                          str(number))))
    text = re.sub(r"\boffset = (\d+);",
                  lambda m: f"offset = {int(m.group(1)) + number * 4 * 3600 * 10**9};", text)
    with open(os.path.join(target, "metadata"), "w", encoding="utf-8") as file:
        # Plain text needs the signature, which the kernel's tracer leaves out.
        file.write(text if text.startswith("/* CTF") else "/* CTF 1.8 */\n" + text)
    for name in files:
        if name == "metadata":
            continue
        with open(os.path.join(folder, name), "rb") as source, \
                open(os.path.join(target, name), "wb") as copy:
            copy.write(source.read().replace(old.bytes, new.bytes))
