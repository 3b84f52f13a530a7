#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Reading of trace directories: what is found, grouped, left out, told; how
events are printed; and how much memory it takes.  The traces are made here."""
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile

BUILD = os.environ.get("top_builddir", ".")
DUMP = os.path.join(BUILD, "tests/ctf_dump")
TIMEOUT = 120
UUID = "00112233-4455-6677-8899-aabbccddeeff"
MIB = 1 << 20
# Not counted with sanitizers: their own memory is large.
SANITIZERS = b"__asan_init" in open(DUMP, "rb").read()

METADATA = """/* CTF 1.8 */
typealias integer { size = 8; align = 8; signed = false; } := u8;
typealias integer { size = 16; align = 8; signed = true; } := s16;
typealias integer { size = 32; align = 8; signed = false; } := u32;
typealias integer { size = 64; align = 8; signed = false; } := u64;
typealias integer { size = 64; align = 8; signed = true; } := s64;
typealias floating_point { exp_dig = 8; mant_dig = 24; align = 8; } := f32;
typealias floating_point { exp_dig = 11; mant_dig = 53; align = 8; } := f64;
trace {
	major = 1; minor = 8; byte_order = le;
	packet.header := struct { u32 magic; u32 stream_id; u64 stream_instance_id; };
};
env { %s };
clock { name = mono; uuid = "%s"; freq = 1000000000; offset = %d; };
typealias integer { size = 64; align = 8; map = clock.mono.value; } := ts;
stream {
	id = 0;
	event.header := struct { u32 id; ts timestamp; };
	packet.context := struct {
		ts timestamp_begin; ts timestamp_end; u64 content_size; u64 packet_size;
		u64 packet_seq_num; u64 events_discarded; u32 cpu_id;
	};
};
event { name = "tick"; id = 0; stream_id = 0; fields := struct { u32 _n; }; };
event { name = "blob"; id = 1; stream_id = 0; fields := struct { u32 _n; string _text; }; };
event {
	name = "all \\"kinds\\""; id = 2; stream_id = 0;
	fields := struct {
		f32 _single; f64 _double; f64 _nan; f64 _inf; s16 _negative; s64 _least; u64 _most;
		struct { u8 _a; struct { u8 _b; } _inner; } _outer;
		u8 _array[2]; u32 _count; u8 _sequence[_count]; string _text;
		enum : u8 { one = 1, two } _tag;
		variant <_tag> { u8 one; string two; } _choice;
	};
};
"""


class Tap:
    """Runs test functions and prints the results as TAP."""

    def __init__(self):
        self.n = self.failed = 0

    def run(self, test):
        self.n += 1
        try:
            with tempfile.TemporaryDirectory() as directory:
                test(directory)
            print(f"ok {self.n} - {test.__doc__}")
        except AssertionError as error:
            self.failed += 1
            print(f"not ok {self.n} - {test.__doc__}")
            for line in str(error).splitlines()[:30]:
                print(f"# {line[:400]}")
        sys.stdout.flush()


def check(condition, *shown):
    if not condition:
        raise AssertionError("\n".join(str(each) for each in shown) or "it is not so")


def packet(events, seq=0, instance=0, begin=None, end=None, discarded=0, cpu=0):
    """'events': (time, id, payload bytes)."""
    body = b"".join(struct.pack("<IQ", number, time) + payload for time, number, payload in events)
    size = 16 + 52 + len(body)
    begin = events[0][0] if begin is None else begin
    end = events[-1][0] if end is None else end
    return struct.pack("<IIQ", 0xc1fc1fc1, 0, instance) + struct.pack(
        "<QQQQQQI", begin, end, size * 8, size * 8, seq, discarded, cpu) + body


def ticks(*times):
    return [(time, 0, struct.pack("<I", time)) for time in times]


def make_trace(directory, files, hostname="h", offset=0, uuid=UUID):
    """'files': name to packets."""
    os.makedirs(directory)
    with open(os.path.join(directory, "metadata"), "w", encoding="ascii") as file:
        file.write(METADATA % (f'hostname = "{hostname}";' if hostname else "", uuid, offset))
    for name, packets in files.items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(b"".join(packets))


def run(mode, *directories, status=0):
    """Runs ctf_dump; returns (output, error lines)."""
    # libbabeltrace2's metadata parser leaks where it finds a syntax error.
    leaks = ":detect_leaks=0" if mode == "babeltrace2" else ""
    done = subprocess.run([DUMP, mode, *directories], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=TIMEOUT, check=False,
                          env={**os.environ,
                               "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + leaks})
    errors = done.stderr.decode().splitlines()
    check(done.returncode == status, f"exit status {done.returncode}", *errors)
    return done.stdout.decode(), errors


def events(*directories, backend="own", problems=0):
    out, errors = run(backend, *directories)
    check(len(errors) == problems, "told:", *errors)
    return [json.loads(line) for line in out.splitlines()]


def times(*directories, **options):
    return [event["t"] for event in events(*directories, **options)]


def test_rotation(top):
    """rotated files of one stream instance are one stream, oldest first"""
    make_trace(top + "/t", {
        "c_0_0": [packet(ticks(30, 31), 2, 7)],
        "c_0_1": [packet(ticks(40), 3, 7), packet(ticks(50), 4, 7)],
        "c_0_2": [packet(ticks(10), 0, 7), packet(ticks(20), 1, 7)],
        "c_1_0": [packet(ticks(15, 45), 0, 8)],
    })
    for backend in "own", "babeltrace2":
        check(times(top, backend=backend) == [10, 15, 20, 30, 31, 40, 45, 50], backend)
        check({event["stream"] for event in events(top, backend=backend)} ==
              {"h/t/c_0_2", "h/t/c_1_0"}, backend)
    out, _ = run("losses", top)
    check("2 streams" in out and " 0 packets missing" in out, out)


def test_discovery(top):
    """traces are found at any depth, once, in the order of their names"""
    make_trace(top + "/b/ust/uid/0/64-bit", {"c_0": [packet(ticks(1))]}, "b")
    make_trace(top + "/a/kernel", {"c_0": [packet(ticks(2))], "empty": [], ".hidden": [b"x"]}, "a")
    make_trace(top + "/.hidden", {"c_0": [packet(ticks(3))]}, "c")
    os.makedirs(top + "/a/kernel/index")
    os.symlink("..", top + "/a/loop")
    os.symlink("b", top + "/again")
    check(times(top) == [2, 1])
    # Named directly, a hidden folder is read; the label is the folder's name.
    check(events(top + "/.hidden")[0]["stream"] == "c/.hidden/c_0")
    # A folder with nothing new is told.
    check(times(top, top + "/a", problems=1) == [2, 1])


def test_depth(top):
    """folders that are too deep end with a problem, not with a crash"""
    deep = top + "/d" * 80
    make_trace(deep, {"c_0": [packet(ticks(1))]})
    _, errors = run("own", top, status=1)
    check("no CTF trace" in errors[-1], *errors)
    check(times(top + "/d" * 60) == [1])


def test_not_there(top):
    """a path that is not there is named"""
    _, errors = run("own", top + "/none", status=1)
    check(len(errors) == 1 and top + "/none" in errors[0] and "No such file" in errors[0], *errors)
    make_trace(top + "/t", {"c_0": [packet(ticks(1))]})
    check(times(top + "/none", top + "/t", problems=1) == [1])


def test_bad_metadata(top):
    """a trace that can't be opened does not keep others from being read"""
    make_trace(top + "/good", {"c_0": [packet(ticks(1))]})
    make_trace(top + "/bad", {"c_0": [packet(ticks(2))]})
    with open(top + "/bad/metadata", "w", encoding="ascii") as file:
        file.write("/* CTF 1.8 */ trace { nonsense")
    for backend in "own", "babeltrace2":
        check(times(top, backend=backend, problems=1) == [1])
        _, errors = run(backend, top + "/bad", status=1)
        check("/bad" in errors[0], *errors)


def test_foreign_file(top):
    """a file that is no stream is left out and told"""
    make_trace(top + "/t", {"c_0": [packet(ticks(1))],
                            "readme.txt": [b"Hello, this is no stream.\n" * 9], "short": [b"x"]})
    out, errors = run("own", top)
    check(len(out.splitlines()) == 1 and len(errors) == 2, out, *errors)
    check("readme.txt" in errors[0] and "short" in errors[1], *errors)


def test_no_streams(top):
    """a trace without stream files has no events, and no host"""
    make_trace(top + "/t", {})
    for backend in "own", "babeltrace2":
        check(not events(top, backend=backend), backend)


def test_cut_off(top):
    """of a packet that was cut off, what is there is read"""
    whole = packet(ticks(1, 2)) + packet(ticks(3, 4, 5), 1)
    make_trace(top + "/t", {"c_0": [whole[:-20]], "c_1": [packet(ticks(6), instance=1)]})
    check(times(top, problems=1) == [1, 2, 3, 6])


def test_garbage_behind(top):
    """garbage behind a packet ends the file, not the reading"""
    make_trace(top + "/t", {"c_0": [packet(ticks(1)), b"\xff" * 200, packet(ticks(2))],
                            "c_1": [packet(ticks(6), instance=1)]})
    _, errors = run("own", top)
    check(times(top, problems=1) == [1, 6])
    check("t/c_0: packet at byte 84" in errors[0], *errors)


def index_of(packets):
    at, entries = 0, b""
    for each in packets:
        entries += struct.pack(">QQQQQQQQQ", at, len(each) * 8, len(each) * 8, 0, 0, 0, 0, 0, 0)
        at += len(each)
    return struct.pack(">IIII", 0xc1f1dcc1, 1, 1, 72) + entries


def test_index(top):
    """an index is not needed; one that disagrees is told"""
    packets = [packet(ticks(1)), packet(ticks(2, 3), 1)]
    for name, index, problems in (
            ("good", index_of(packets), 0), ("less", index_of(packets[:1]), 1),
            ("other", index_of(packets[::-1]), 1), ("no", b"junk" * 9, 1), ("short", b"", 1)):
        make_trace(f"{top}/{name}", {"c_0": packets})
        os.mkdir(f"{top}/{name}/index")
        with open(f"{top}/{name}/index/c_0.idx", "wb") as file:
            file.write(index)
        check(times(f"{top}/{name}", problems=problems) == [1, 2, 3], name)


def test_hosts(top):
    """one host after the other; one clock is merged by its raw value"""
    make_trace(top + "/1", {"c_0": [packet(ticks(10, 30))]}, "b", offset=1000)
    make_trace(top + "/2", {"c_0": [packet(ticks(20, 40))]}, "b", offset=900)
    make_trace(top + "/3", {"c_0": [packet(ticks(5))]}, "a", offset=5000)
    make_trace(top + "/4", {"c_0": [packet(ticks(5))]}, None, offset=0)
    make_trace(top + "/5", {"c_0": [packet(ticks(7))]}, "b", uuid=UUID.replace("00", "ff", 1))
    for backend in "own", "babeltrace2":
        check([(event["host"], event["t"]) for event in events(top, backend=backend)] ==
              [(top + "/4", 5), ("a", 5005), ("b", 1010), ("b", 920), ("b", 1030), ("b", 940),
               ("b", 7)], backend, *events(top, backend=backend))
    out, _ = run("losses", top)
    check(out.startswith("4 hosts, 5 traces, 5 streams"), out)


def test_same_label(top):
    """streams of equal names in different folders have different keys"""
    for name in "x", "y":
        make_trace(f"{top}/{name}/t", {"c_0": [packet(ticks(1))]})
    keys = {event["stream"] for event in events(top + "/x", top + "/y")}
    check(keys == {"h/t/c_0", "h/t#2/c_0"}, keys)


def test_losses(top):
    """discarded events and missing packets are told; a decrease is a glitch"""
    make_trace(top + "/t", {"c_0": [
        packet(ticks(1, 2), 0, discarded=0), packet(ticks(3, 4), 1, discarded=5),
        packet(ticks(5), 2, discarded=3), packet(ticks(6), 3, discarded=6),
        packet(ticks(9), 8, discarded=6)]})
    out, _ = run("losses", top)
    check(out.splitlines() == [
        "h/t/c_0: 5 events, 0 packets until 4", "h/t/c_0: 1 events, 0 packets until 6",
        "h/t/c_0: 0 events, 4 packets until 9",
        "1 hosts, 1 traces, 1 streams, 5 packets, 452 bytes, 7 events, 6 discarded, "
        "4 packets missing, 1 glitches, 0 bad packets, 0 late"], out)
    run("compare", top)


def test_late(top):
    """an event that is older than one before it is given, and counted"""
    make_trace(top + "/t", {"c_0": [packet(ticks(10, 8, 12))]})
    check(times(top, problems=1) == [10, 8, 12])
    out, _ = run("losses", top)
    check(out.splitlines()[-1].endswith(" 1 late"), out)


def test_json(top):
    """all kinds of fields as JSON"""
    payload = struct.pack("<fdddhqQ", 0.1, 0.1, float("nan"), float("-inf"), -2, -1 << 63,
                          (1 << 64) - 1) + bytes([1, 2, 3, 4]) + struct.pack("<I", 3) + \
        b"\x05\x06\x07" + b'q"\\\n\x01\xff\xc3\xa9\0' + b"\x02two\0"
    make_trace(top + "/t", {"c_0": [packet([(1, 2, payload)], cpu=3)]})
    for backend in "own", "babeltrace2":
        out, _ = run(backend, top)
        check(out == '{"t":1,"host":"h","stream":"h/t/c_0","name":"all \\"kinds\\"",'
              '"packet":{"cpu_id":3},"context":{},"payload":{"single":0.100000001,'
              '"double":0.10000000000000001,"nan":null,"inf":null,"negative":-2,'
              '"least":-9223372036854775808,"most":18446744073709551615,'
              '"outer":{"a":1,"inner":{"b":2}},"array":[3,4],"count":3,"sequence":[5,6,7],'
              '"text":"q\\"\\\\\\n\\u0001\ufffd\u00e9","tag":2,"choice":"two"}}\n', backend, out)


def test_full_disk(top):
    """output that can't be written is an error"""
    make_trace(top + "/t", {"c_0": [packet(ticks(1))]})
    with open("/dev/full", "wb") as full:
        done = subprocess.run([DUMP, "own", top], stdout=full, stderr=subprocess.PIPE,
                              timeout=TIMEOUT, check=False)
    check(done.returncode == 1 and b"can't be written" in done.stderr, done.stderr)


def memory_of(top, bytes_per_packet, packets):
    """Peak resident MiB of reading 64 streams of such packets."""
    each = [(1000 * n, 1, struct.pack("<I", n) + b"x" * 100 + b"\0")
            for n in range(bytes_per_packet // 117)]
    make_trace(top + "/t", {"c_0": [packet(each, seq) for seq in range(packets)]})
    for n in range(1, 64):
        # The same with another stream instance.
        with open(top + "/t/c_0", "rb") as one, open(f"{top}/t/c_{n}", "wb") as other:
            content = bytearray(one.read())
            at = 0
            for _ in range(packets):
                struct.pack_into("<Q", content, at + 8, n)
                at += struct.unpack_from("<Q", content, at + 40)[0] // 8
            other.write(content)
    out, errors = run("losses", top)
    check("64 streams" in out and not [line for line in errors if "late" not in line], out, *errors)
    # Of all that were run up to now, so at least of this.
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def test_memory_small(top):
    """64 streams with packets of 1 MiB take less than 100 MiB"""
    used = memory_of(top, MIB, 2)
    check(used < 100 or SANITIZERS, f"{used:.0f} MiB")


def test_memory_large(top):
    """64 streams with packets of 6 MiB take less than 100 MiB"""
    used = memory_of(top, 6 * MIB, 1)
    check(used < 100 or SANITIZERS, f"{used:.0f} MiB")


def main():
    tap = Tap()
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            tap.run(test)
    print(f"1..{tap.n}")
    return 1 if tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
