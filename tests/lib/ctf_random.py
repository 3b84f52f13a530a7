# SPDX-License-Identifier: MIT
"""Writes a CTF 1.8 trace of random types and values, other for each seed.

What tracers we have no traces of may do: bit fields across bytes, both byte
orders, alignments, nested structs, variants and sequences (of tags and lengths
in any scope read before), all contexts, several clocks and streams, headers of
many forms, times that wrap, packets without events, padding, and loss.
"""
import math
import os
import random
import struct
import uuid


class Bits:
    """Bytes in the making, bit by bit: from the highest bit of a byte on in big
    endian, from the lowest in little endian."""

    def __init__(self, big):
        self.big = big
        self.bits = []

    def align(self, align):
        self.bits += [0] * (-len(self.bits) % align)

    def add(self, value, size, big):
        bits = [value >> i & 1 for i in range(size)]
        if big != self.big:
            # Only of whole bytes at byte borders.
            bits = [bits[i + k] for i in range(size - 8, -8, -8) for k in range(8)]
        self.bits += bits[::-1] if self.big else bits

    def bytes(self):
        self.align(8)
        order = range(7, -1, -1) if self.big else range(8)
        return bytes(sum(self.bits[i + k] << n for n, k in enumerate(order))
                     for i in range(0, len(self.bits), 8))


class Type:
    """What all types have: an alignment, a text() of TSDL, and write() for one value."""
    align = 1
    brackets = ""


class Integer(Type):
    def __init__(self, r, trace, size=None, signed=None, clock=None):
        self.size = size or r.choice([1, 3, 5, 7, 8, 8, 12, 16, 16, 24, 31, 32, 32, 33, 48, 63,
                                      64, 64])
        self.signed = r.random() < .4 if signed is None else signed
        whole = self.size % 8 == 0
        # babeltrace2 does not say how bytes are aligned, which makes an array of them one.
        self.align = 8 if self.size == 8 else r.choice(
            [8, 8, 8, 16, 32, 64] if whole and r.random() < .7 else [1, 1, 2, 4])
        foreign = whole and self.align % 8 == 0 and r.random() < .25
        self.big = trace.big != foreign
        self.clock = clock
        self.base = r.choice([2, 8, 10, 16])
        self.order = f" byte_order = {'be' if self.big else 'le'};"
        if not foreign and r.random() < .8:
            self.order = ""
        self.encoding = " encoding = UTF8;" if self.size == 8 and r.random() < .1 else ""

    def text(self):
        clock = f" map = clock.{self.clock}.value;" if self.clock else ""
        return (f"integer {{ size = {self.size}; align = {self.align}; signed = "
                f"{str(self.signed).lower()}; base = {self.base};{self.order}{self.encoding}{clock} }}")

    def random(self, r):
        value = r.getrandbits(self.size) if r.random() < .7 else r.choice([0, 1, (1 << self.size) - 1])
        return value - (1 << self.size) if self.signed and value >> self.size - 1 else value

    def write(self, bits, r, values, value=None):
        value = self.random(r) if value is None else value
        bits.align(self.align)
        bits.add(value & (1 << self.size) - 1, self.size, self.big)
        return value


class Enum(Integer):
    def __init__(self, r, trace):
        super().__init__(r, trace, size=r.choice([3, 5, 8, 16, 32]))
        self.encoding = ""
        low = -(1 << self.size - 1) if self.signed else 0
        points = sorted(r.sample(range(low, low + (1 << self.size)), r.choice([2, 4, 6])))
        self.ranges = list(zip(points[::2], points[1::2]))
        self.labels = [f"l{i}" for i in range(len(self.ranges))]

    def text(self):
        labels = ", ".join(f"{name} = {low} ... {high}" if low != high else f"{name} = {low}"
                           for name, (low, high) in zip(self.labels, self.ranges))
        return f"enum : {super().text()} {{ {labels} }}"

    def random(self, r):
        return r.randint(*r.choice(self.ranges))


class Float(Type):
    def __init__(self, r, trace):
        self.size = r.choice([32, 64])
        self.align = r.choice([1, 8, 8, 32, 64])
        self.big = trace.big if self.align == 1 else r.random() < .5

    def text(self):
        digits = "exp_dig = 8; mant_dig = 24" if self.size == 32 else "exp_dig = 11; mant_dig = 53"
        return (f"floating_point {{ {digits}; align = {self.align}; "
                f"byte_order = {'be' if self.big else 'le'}; }}")

    def write(self, bits, r, values):
        value = r.choice([0.0, -1.5, r.uniform(-1e9, 1e9), r.random() * 1e-30, math.inf])
        packed = struct.pack("<f" if self.size == 32 else "<d", value)
        bits.align(self.align)
        bits.add(int.from_bytes(packed, "little"), self.size, self.big)


class Text(Type):
    align = 8

    def text(self):
        return "string"

    def write(self, bits, r, values):
        bits.align(8)
        for c in "".join(r.choices("abc xyz\"\\{}=,", k=r.choice([0, 1, 5, 20]))).encode() + b"\0":
            bits.add(c, 8, bits.big)


class Array(Type):
    """Of a fixed length, or with that of 'length', a (path, integer)."""

    def __init__(self, r, trace, element, length=None):
        self.element, self.length = element, length
        self.n = r.choice([0, 1, 3, 6])
        self.align = element.align
        self.brackets = f"[{length[0] if length else self.n}]" + element.brackets

    def text(self):
        return self.element.text()

    def write(self, bits, r, values):
        bits.align(self.align)
        for _ in range(values[self.length[1]] if self.length else self.n):
            self.element.write(bits, r, values)


class Struct(Type):
    def __init__(self, members, align=1):
        self.members, self.own_align = members, align
        self.align = max([align] + [member.align for _, member in members])

    def text(self):
        own = f" align({self.own_align})" if self.own_align > 1 else ""
        members = " ".join(f"{m.text()} {name}{m.brackets};" for name, m in self.members)
        return f"struct {{ {members} }}{own}"

    def write(self, bits, r, values):
        bits.align(self.align)
        for _, member in self.members:
            values[member] = member.write(bits, r, values)


class Variant(Type):
    def __init__(self, path, tag, options):
        self.path, self.tag, self.options = path, tag, options

    def text(self):
        options = " ".join(f"{o.text()} {name}{o.brackets};" for name, o in self.options)
        return f"variant <{self.path}> {{ {options} }}"

    def write(self, bits, r, values):
        value = values[self.tag]
        for (low, high), (_, option) in zip(self.tag.ranges, self.options):
            if low <= value <= high:
                option.write(bits, r, values)
                return


class Length(Integer):
    def random(self, r):
        return r.choice([0, 1, 2, 5])


class Scope:
    """Makes the struct of one scope; 'before' are the lengths and tags in those before."""

    def __init__(self, r, trace, path, before):
        self.r, self.trace, self.path = r, trace, path
        self.seen = list(before)

    def name(self):
        self.trace.n_names += 1
        return f"{self.r.choice(['', '', '_', '__'])}{self.r.choice(['a', 'Field', 'x9_'])}{self.trace.n_names}"

    def type(self, depth, own):
        r, trace = self.r, self.trace
        if depth > 3 or r.random() < .5:
            kind = r.choice([Integer, Integer, Enum, Float, Text])
            return kind() if kind is Text else kind(r, trace)
        choice = r.random()
        if choice < .3:
            return self.struct(depth + 1, own)
        lengths = [x for x in own + self.seen if isinstance(x[1], Length)]
        tags = [x for x in own if isinstance(x[1], Enum)]
        if choice < .5 and tags:
            path, tag = r.choice(tags)
            return Variant(path, tag, [(label, self.type(depth + 1, own)) for label in tag.labels])
        if r.random() < .3:
            element = Integer(r, trace, size=8, signed=False)
        else:
            element = self.type(depth + 1, [])
        return Array(r, trace, element, r.choice(lengths) if lengths and r.random() < .6 else None)

    def struct(self, depth=0, own=(), first=(), absolute=False):
        r, members, own, later = self.r, list(first), list(own), []
        for _ in range(r.randint(0, 6)):
            name = self.name()
            if r.random() < .25:
                member = Length(r, self.trace, size=r.choice([3, 8, 8, 16, 32, 64]), signed=False)
            else:
                member = self.type(depth, own)
            members.append((name, member))
            if isinstance(member, (Length, Enum)):
                own.append((name, member))
                if depth == 0:
                    later.append((f"{self.path}.{name}", member))
        self.seen += later
        return Struct(members, r.choice([1, 1, 1, 8, 32]))


# The headers that LTTng writes: bits of id and time. Where the id is the largest, 32
# bits of id and 64 of time follow.
LTTNG = {"compact": (5, 27), "large": (16, 32)}


class Stream:
    """A stream class with its events."""

    def __init__(self, r, trace, number):
        self.r, self.trace, self.number = r, trace, number
        self.clock = r.choice(trace.clocks)
        self.sizes = r.choice([None, 32, 64])        # Of content_size and packet_size.
        times = r.random() < .8
        self.has_seq, self.has_discarded = times and r.random() < .5, times and r.random() < .6
        first = []
        if times:
            stamp = lambda: Integer(r, trace, size=64, signed=False, clock=self.clock[0])
            first += [("timestamp_begin", stamp()), ("timestamp_end", stamp())]
        if self.sizes:
            size = lambda: Integer(r, trace, size=self.sizes, signed=False)
            first += [("content_size", size()), ("packet_size", size())]
        if self.has_seq:
            first += [("packet_seq_num", Integer(r, trace, size=64, signed=False))]
        if self.has_discarded:
            first += [("events_discarded", Integer(r, trace, size=r.choice([32, 64]), signed=False))]
        r.shuffle(first)
        context = Scope(r, trace, "stream.packet.context", [])
        self.packet_context = context.struct(first=first)
        self.form = r.choice(["compact", "large", "plain", "plain"])
        self.packed = r.random() < .6                # Headers as of LTTng on x86.
        self.n_events = r.randint(1, 5)
        first = []
        if self.n_events > 1 or r.random() < .5:
            first += [("id", Integer(r, trace, size=r.choice([8, 16, 64]), signed=False))]
        if number == 0 or r.random() < .8:
            first += [("timestamp", Integer(r, trace, size=r.choice([20, 27, 32, 64]), signed=False,
                                            clock=self.clock[0]))]
        header = Scope(r, trace, "stream.event.header", context.seen)
        self.header = header.struct(first=first) if r.random() < .3 else Struct(first)
        before = header.seen if self.form == "plain" else context.seen
        scope = Scope(r, trace, "stream.event.context", before)
        self.context = scope.struct() if r.random() < .5 else None
        ids = r.sample(range(0, 31) if self.form == "plain" else range(0, 80), self.n_events)
        self.events = {}
        for i in ids:
            # Not to the scopes before: babeltrace2 2.0.4 fails an assertion there.
            own = Scope(r, trace, "event.context", [])
            context = own.struct() if r.random() < .4 else None
            fields = Scope(r, trace, "event.fields", scope.seen + own.seen)
            self.events[i] = context, fields.struct() if r.random() < .9 else None

    def header_align(self, size):
        """Of an integer of LTTng's headers."""
        return 1 if size % 8 else 8 if self.packed else size

    def lttng_header(self):
        def integer(size, mapped):
            clock = f" map = clock.{self.clock[0]}.value;" if mapped else ""
            return f"integer {{ size = {size}; align = {self.header_align(size)};{clock} }}"

        id_bits, time_bits = LTTNG[self.form]
        last = (1 << id_bits) - 1
        return (f"struct {{ enum : {integer(id_bits, False)} {{ compact = 0 ... {last - 1}, extended = {last} }} id;\n"
                f"  variant <id> {{ struct {{ {integer(time_bits, True)} timestamp; }} compact;\n"
                f"  struct {{ {integer(32, False)} id; {integer(64, True)} timestamp; }} extended; }} v;\n"
                f" }} align({max(8, self.header_align(id_bits))})")

    def text(self):
        header = self.header.text() if self.form == "plain" else self.lttng_header()
        text = f"stream {{ id = {self.number}; packet.context := {self.packet_context.text()};\n" \
            f" event.header := {header};\n"
        if self.context:
            text += f" event.context := {self.context.text()};\n"
        text += "};\n"
        for number, (context, fields) in self.events.items():
            text += f'event {{ name = "event:{self.number}_{number}"; id = {number};\n' \
                f" stream_id = {self.number};\n"
            if context:
                text += f" context := {context.text()};\n"
            if fields:
                text += f" fields := {fields.text()};\n"
            text += "};\n"
        return text

    def write_header(self, bits, values, number, now):
        if self.form == "plain":
            given = {"id": number, "timestamp": now}
            bits.align(self.header.align)
            for name, member in self.header.members:
                if name in given:
                    values[member] = member.write(bits, self.r, values, given[name] & (1 << member.size) - 1)
                else:
                    values[member] = member.write(bits, self.r, values)
            return
        id_bits, time_bits = LTTNG[self.form]
        last = (1 << id_bits) - 1
        extended = number >= last or self.r.random() < .2
        bits.align(max(8, self.header_align(id_bits)))
        for value, size in ((last, id_bits), (number, 32), (now, 64)) if extended else \
                ((number, id_bits), (now, time_bits)):
            if size == 32 and extended:
                bits.align(self.header_align(64))        # Of the struct.
            bits.align(self.header_align(size))
            bits.add(value & (1 << size) - 1, size, bits.big)

    def write_packet(self, begin, end, seq, discarded, n_events, sizes):
        """Returns the bytes; 'sizes' are those of content and packet, known after a first time."""
        r, trace = self.r, self.trace
        bits, values = Bits(trace.big), {}
        bits.add(0xC1FC1FC1, 32, trace.big)
        for byte in trace.uuid.bytes:
            bits.add(byte, 8, trace.big)
        bits.add(self.number, 32, trace.big)
        given = {"timestamp_begin": begin, "timestamp_end": end, "packet_seq_num": seq,
                 "events_discarded": discarded, "content_size": sizes[0], "packet_size": sizes[1]}
        bits.align(self.packet_context.align)
        for name, member in self.packet_context.members:
            if name in given:
                values[member] = member.write(bits, r, values, given[name])
            else:
                values[member] = member.write(bits, r, values)
        for i in range(n_events):
            number = r.choice(list(self.events))
            self.write_header(bits, values, number, begin + (end - begin) * i // n_events)
            for scope in (self.context, *self.events[number]):
                if scope:
                    scope.write(bits, r, values)
        content = len(bits.bits)
        return bits.bytes(), content

    def file(self):
        r, out = self.r, b""
        now, seq, discarded = r.randrange(1 << 40), r.randrange(3), 0
        for _ in range(r.randint(1, 5) if self.sizes else 1):
            end = now + r.randrange(1 << 19)
            discarded += r.choice([0, 0, 3]) if out else 0
            seq += r.choice([1, 1, 1, 3]) if self.sizes else 1
            n_events = r.choice([0, 1, 4, 12]) if self.sizes else 6
            state, sizes = r.getstate(), (0, 0)
            packet, content = self.write_packet(now, end, seq, discarded, n_events, sizes)
            padding = r.choice([0, 0, 1, 64]) if self.sizes else 0
            after = r.getstate()
            r.setstate(state)
            packet, content = self.write_packet(now, end, seq, discarded, n_events,
                                                (content, 8 * (len(packet) + padding)))
            r.setstate(after)
            out += packet + bytes(padding)
            now = end + r.randrange(1 << 19)
        return out


class Trace:
    def __init__(self, seed):
        r = random.Random(seed)
        self.big, self.n_names = r.random() < .5, 0
        self.uuid = uuid.UUID(int=r.getrandbits(128))
        # (name, frequency, offset in seconds, offset in cycles)
        self.clocks = [(f"clock{i}", r.choice([10**9, 10**9, 10**6, 2_400_000_000, 32768]),
                        r.choice([0, 1_500_000_000]), r.choice([0, 12345]))
                       for i in range(r.choice([1, 1, 2]))]
        self.streams = [Stream(r, self, i) for i in range(r.randint(1, 3))]

    def text(self):
        text = "/* CTF 1.8 */\ntrace { major = 1; minor = 8; " \
            f'uuid = "{self.uuid}"; byte_order = {"be" if self.big else "le"};\n' \
            " packet.header := struct { integer { size = 32; align = 8; } magic;" \
            " integer { size = 8; align = 8; } uuid[16]; integer { size = 32; align = 8; } stream_id; }; };\n"
        for name, frequency, seconds, cycles in self.clocks:
            text += f'clock {{ name = {name}; uuid = "{uuid.UUID(int=frequency)}"; freq = {frequency}; ' \
                f"offset_s = {seconds}; offset = {cycles}; }};\n"
        return text + "".join(stream.text() for stream in self.streams)


def write(seed, directory):
    """Writes the trace of 'seed' into 'directory', which is made."""
    trace = Trace(seed)
    os.makedirs(directory)
    with open(os.path.join(directory, "metadata"), "w", encoding="ascii") as file:
        file.write(trace.text())
    for stream in trace.streams:
        with open(os.path.join(directory, f"stream_{stream.number}"), "wb") as file:
            file.write(stream.file())
