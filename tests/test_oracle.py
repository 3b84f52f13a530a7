#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Compares what our decoder gives of every trace in tests/corpus with babeltrace2.

For each trace:
* all events with all fields, by both backends (ctf_dump own|babeltrace2): the
  same lines, stream by stream;
* what a consumer that is interested in every field gets from both, with losses
  and totals (ctf_dump compare);
and the same for random traces (lib/ctf_random.py), which have what tracers of
the corpus do not write; and for some, against the text that the babeltrace2 command prints, so that not
all depends on our own use of its library: number, time, name, field names and
field values of all events.

Usage: test_oracle.py [DIRECTORY...]: these instead of tests/corpus, with the
command's text for all of them.
"""
import collections
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

TOP = os.environ.get("top_srcdir", os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests/lib"))
import ctf_random
BUILD = os.environ.get("top_builddir", ".")
DUMP = os.path.join(BUILD, "tests/ctf_dump")
TIMEOUT = 300
CHUNK = 1 << 20

# Traces that both backends must refuse, and what ours must say.
REFUSED = {
    "ctf/CTF2-7.0-succeed1": "CTF 2",
}

# Known faults of babeltrace2 2.0.4 that show in the corpus.  A command that
# fails here is not used for comparing; its library is, stream by stream.
COMMAND_FAILS = {
    # Packets of LTTng-UST 2.3 end up to 3 us after the next one begins (their
    # end is stamped after the switch): the packet end message is younger than
    # the next packet's beginning, and the muxer takes that for an error.
    "ctf/hello-lost": "last returned timestamp",
    # The same in lttng-modules 2.1.
    "ctf/synctraces": "last returned timestamp",
}

# Where a string is empty, the command prints the text of an earlier one (fixed
# later upstream).  Ours gives "", and the raw bytes decide, see stale_text();
# here is how often.
STALE_TEXT = {
    "ctf/bug446190": 3,
    "ctf/many-threads": 1,
    "kernel/c-block-lvm": 1,
    "kernel/i-lossy": 72,
}

# Compared with the text of the command: of each kind and size some.
WITH_TEXT = {
    "ctf/bandwidth_issue", "ctf/cyg-profile", "ctf/flipping-endianness", "ctf/mpi_allreduce",
    "kernel/g-two-nodes-sync", "openstack/boot-delete", "openstack/livemig-ok",
    "qemu/b-rounds", "qemu/g-postcopy", "qemu/q10-m-explicit",
} | set(STALE_TEXT)

# Seeds of random traces; babeltrace2 2.0.4 dies (by an assertion on lengths that
# stand in scopes before, or of a bad pointer) of about every second one.
SEEDS = range(60)
SEEDS_COMPARED = 25


class Tap:
    """Prints test results as TAP."""

    def __init__(self):
        self.n = 0
        self.failed = 0

    def result(self, name, problem):
        self.n += 1
        self.failed += bool(problem)
        print(f"{'not ok' if problem else 'ok'} {self.n} - {name}")
        for line in (problem or "").splitlines()[:20]:
            print(f"# {line[:400]}")
        sys.stdout.flush()

    def done(self):
        print(f"1..{self.n}")
        return 1 if self.failed else 0


def run(*command):
    """Runs to the end; returns (exit status, output, errors)."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=TIMEOUT, check=False)
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def same_output(one, other):
    """Whether two running commands print the same bytes and both end well."""
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                 for command in (one, other)]
    same = True
    while same:
        chunks = [process.stdout.read(CHUNK) for process in processes]
        same = chunks[0] == chunks[1]
        if not chunks[0]:
            break
    for process in processes:
        process.stdout.close()
    return same & all([process.wait(TIMEOUT) == 0 for process in processes])


def by_stream(path):
    streams = collections.defaultdict(list)
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            streams[json.loads(line)["stream"]].append(line)
    return streams


def stream_differences(directory):
    """Compares the dumps stream by stream; returns a text, or None if equal."""
    with tempfile.TemporaryDirectory() as temporary:
        streams = {}
        for backend in "own", "babeltrace2":
            path = os.path.join(temporary, backend)
            with open(path, "wb") as out:
                done = subprocess.run([DUMP, backend, directory], stdout=out,
                                      stderr=subprocess.PIPE, timeout=TIMEOUT, check=False)
            if done.returncode:
                return f"{backend}: {done.stderr.decode(errors='replace')}"
            streams[backend] = by_stream(path)
    text = ""
    for stream in sorted(set(streams["own"]) | set(streams["babeltrace2"])):
        ours, theirs = streams["own"][stream], streams["babeltrace2"][stream]
        if len(ours) != len(theirs):
            text += f"{stream}: {len(ours)} events, babeltrace2 has {len(theirs)}\n"
        for i, (one, other) in enumerate(zip(ours, theirs)):
            if one != other:
                text += f"{stream}: event {i}:\nours:   {one}theirs: {other}"
                break
    return text or "the order of the streams differs, their contents do not"


TOKEN = re.compile(r'''(?P<name>\w+|\[\d+\])\s=\s
    | \(\s(?:[^()"]|"(?:[^"\\]|\\.)*")*\s:\scontainer\s=\s(?P<enum>-?\d+)\s\)
    | "(?P<string>(?:[^"\\]|\\.)*)"
    | (?P<hex>0x[0-9A-Fa-f]+) | 0b(?P<binary>[01]+)
    | (?P<number>-?(?:\d+(?:\.\d+)?(?:e[-+]?\d+)?|inf|nan))''', re.X | re.S)
EVENT = re.compile(r"\[(\d+)\.(\d{9})\] (.*?): (?=\{|$)")
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v",
           "e": "\x1b", "0": "\0"}


def flatten(value, names, values):
    """Lists the names and the scalars of a JSON value, in order."""
    if isinstance(value, dict):
        for name, member in value.items():
            names.append(name)
            flatten(member, names, values)
    elif isinstance(value, list):
        for element in value:
            flatten(element, names, values)
    else:
        values.append(value)


def parse_text(text):
    """The same of what babeltrace2 prints."""
    names, values = [], []
    for token in TOKEN.finditer(text):
        kind = token.lastgroup
        value = token.group(kind)
        if kind == "name":
            if value[0] != "[":
                names.append(value)
        elif kind == "string":
            values.append(re.sub(r"\\(.)", lambda m: ESCAPES.get(m[1], m[1]), value, flags=re.S))
        elif kind == "hex":
            values.append((int(value, 16), 4 * len(value) - 8))
        elif kind == "binary":
            values.append((int(value, 2), len(value)))
        else:
            values.append(value)
    return names, values


def same_scalar(ours, theirs):
    if isinstance(ours, str):
        return ours == theirs
    if isinstance(theirs, tuple):
        # In base 16 and 2 negative numbers are printed as they are in memory.
        number, bits = theirs
        return number == (ours & (1 << bits) - 1 if ours < 0 else ours)
    if ours is None:
        return theirs.lstrip("-") in ("inf", "nan")
    if isinstance(ours, float):
        return abs(ours - float(theirs)) <= 1e-5 * abs(ours)
    # Base 8 is printed with a leading 0.
    octal = len(theirs) > 1 and theirs[0] == "0" and theirs.isdigit()
    number = int(theirs, 8) if octal else float(theirs) if "." in theirs or "e" in theirs \
        else int(theirs)
    return ours == number


def text_events(directory, hosts):
    """(time, name, field names, field values) of each event that the command prints."""
    status, out, errors = run("babeltrace2", "--no-delta", "--clock-seconds", "--color=never",
                              directory)
    if status:
        raise RuntimeError(errors)
    # A string may hold a line feed only as an escape, so a line is an event.
    for line in out.decode(errors="replace").split("\n")[:-1]:
        head = EVENT.match(line)
        if not head:
            raise RuntimeError("not understood: " + line)
        host, _, name = head[3].partition(" ")
        names, values = parse_text(line[head.end():])
        yield (int(head[1]) * 10**9 + int(head[2]), name if host in hosts else head[3], names,
               values)


def dump_events(directory, hosts):
    status, out, errors = run(DUMP, "own", directory)
    if status:
        raise RuntimeError(errors)
    for line in out.decode().splitlines():
        event = json.loads(line)
        hosts.add(event["host"])
        names, values = [], []
        for scope in "packet", "context", "payload":
            flatten(event[scope], names, values)
        yield event["t"], event["name"], names, values


def same_event(ours, theirs, stale):
    """Whether they are equal but for stale text, which is added to 'stale'."""
    if ours[:3] != theirs[:3] or len(ours[3]) != len(theirs[3]):
        return False
    different = [(one, other) for one, other in zip(ours[3], theirs[3])
                 if not same_scalar(one, other)]
    if all(one == "" and isinstance(other, str) for one, other in different):
        stale.extend(other for one, other in different)
        return True
    return False


def stale_text(directory, ours, stale):
    """Checks by the raw bytes that the strings that the command shows, and we give
    as empty, are empty: each string that ends with such a text is in a stream
    file just as often as in ours."""
    raw = b""
    for folder, _, names in os.walk(directory):
        if "metadata" in names:
            for name in names:
                if name != "metadata":
                    with open(os.path.join(folder, name), "rb") as file:
                        raw += file.read()
    for text in sorted(set(stale)):
        in_file = raw.count(text.encode() + b"\0")
        in_ours = sum(value.endswith(text) for event in ours for value in event[3]
                      if isinstance(value, str))
        if in_file != in_ours:
            return f"{text!r} is {in_file} times in the files, {in_ours} times in ours"
    return None


def text_differences(name, directory):
    """Compares ours with the command's text; events of equal time in any order."""
    hosts, stale = set(), []
    ours = sorted(dump_events(directory, hosts), key=lambda e: e[:2])
    theirs = sorted(text_events(directory, hosts), key=lambda e: e[:2])
    if len(ours) != len(theirs):
        return f"{len(ours)} events, babeltrace2 prints {len(theirs)}"
    text = ""
    at = 0
    while at < len(ours) and text.count("\n") < 10:
        # A run of events with the same time and name.
        end = at + 1
        while end < len(ours) and ours[end][:2] == ours[at][:2]:
            end += 1
        left = theirs[at:end]
        for event in ours[at:end]:
            same = next((i for i, other in enumerate(left) if same_event(event, other, stale)),
                        None)
            if same is None:
                text += f"ours:   {event}\ntheirs: {left[:1]}\n"
            else:
                del left[same]
        at = end
    if text or not stale:
        return text or None
    if name in STALE_TEXT and len(stale) != STALE_TEXT[name]:
        return f"stale text in {len(stale)} strings, known are {STALE_TEXT[name]}"
    return stale_text(directory, ours, stale)


def check_refused(tap, name, directory):
    for backend in "own", "babeltrace2":
        status, out, errors = run(DUMP, backend, directory)
        good = status == 1 and not out and REFUSED[name] in errors and \
            len(errors.splitlines()) == 1
        tap.result(f"{name}: refused by {backend}", None if good else f"{status}: {errors}")


def check_trace(tap, name, directory, with_text):
    if same_output([DUMP, "own", directory], [DUMP, "babeltrace2", directory]):
        problem = None
    else:
        problem = stream_differences(directory)
    tap.result(f"{name}: all events", problem)
    status, out, errors = run(DUMP, "compare", directory)
    tap.result(f"{name}: values and losses",
               errors + out.decode(errors="replace") if status else None)
    if name in COMMAND_FAILS:
        status, out, errors = run("babeltrace2", "-o", "dummy", directory)
        known = re.sub(r"[-\s]+", " ", errors).replace("\n", " ")
        tap.result(f"{name}: the command fails as it is known to, or not any more",
                   None if not status or COMMAND_FAILS[name] in known else errors)
    elif with_text:
        try:
            problem = text_differences(name, directory)
        except RuntimeError as error:
            problem = str(error)
        tap.result(f"{name}: the command's text", problem)


def check_random(tap):
    compared = 0
    with tempfile.TemporaryDirectory() as temporary:
        for seed in SEEDS:
            directory = os.path.join(temporary, str(seed))
            ctf_random.write(seed, directory)
            if run(DUMP, "babeltrace2", directory)[0] == 0:
                check_trace(tap, f"random/{seed}", directory, False)
                compared += 1
    tap.result("random traces that babeltrace2 survives",
               None if compared >= SEEDS_COMPARED else f"only {compared}")


def main():
    tap = Tap()
    if len(sys.argv) > 1:
        for directory in sys.argv[1:]:
            name = "/".join(os.path.abspath(directory).split("/")[-2:])
            if name in REFUSED:
                check_refused(tap, name, directory)
            else:
                check_trace(tap, name, directory, True)
        return tap.done()
    corpus = os.path.join(TOP, "tests/corpus")
    archives = sorted(glob.glob(corpus + "/*/*.tar.xz"))
    tap.result("there are traces", None if archives else f"none in {corpus}")
    for archive in archives:
        name = os.path.relpath(archive, corpus)[:-len(".tar.xz")]
        status, out, errors = run("sh", os.path.join(TOP, "tests/lib/corpus.sh"), name)
        directory = out.decode().strip()
        if status:
            tap.result(f"{name}: unpack", errors)
        elif name in REFUSED:
            check_refused(tap, name, directory)
        else:
            check_trace(tap, name, directory, name in WITH_TEXT)
    check_random(tap)
    return tap.done()


if __name__ == "__main__":
    sys.exit(main())
