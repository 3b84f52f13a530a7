# SPDX-License-Identifier: MIT
"""Plays the node's side (lttng-sessiond and consumers) to a real lttng-relayd,
protocol 2.10, or 2.11 with trace chunks, and starts a private relayd.  For the tests of the live viewer:
it says exactly what comes when, without any traced program."""
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import uuid

from ports import free_ports


class Relayd:
	"""A private lttng-relayd with ports and folders of its own."""

	def __init__(self):
		self.dir = tempfile.mkdtemp(prefix="cloudtraced-relayd.")
		self.control, self.data, self.live = free_ports(3)
		self.process = None
		self.start()

	def start(self):
		environment = dict(os.environ, LTTNG_HOME=self.dir, HOME=self.dir,
				   LTTNG_RELAYD_HEALTH=self.dir + "/health")
		url = "tcp://127.0.0.1:%d"
		self.process = subprocess.Popen(
			["lttng-relayd", "-C", url % self.control, "-D", url % self.data,
			 "-L", url % self.live, "-o", self.dir + "/traces"],
			env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
			stderr=open(self.dir + "/log", "ab"))
		deadline = time.monotonic() + 10
		while time.monotonic() < deadline:
			try:
				socket.create_connection(("127.0.0.1", self.control), 1).close()
				socket.create_connection(("127.0.0.1", self.live), 1).close()
				return
			except OSError:
				time.sleep(0.05)
		raise RuntimeError("lttng-relayd does not start: " + open(self.dir + "/log").read())

	def kill(self):
		self.process.send_signal(signal.SIGCONT)
		self.process.kill()
		self.process.wait()

	def close(self):
		self.kill()
		shutil.rmtree(self.dir, ignore_errors=True)


METADATA_MAGIC = 0x75D11D57


def metadata_packet(text):
	"""One packet of CTF metadata, big endian."""
	size = 37 + len(text)
	return struct.pack(">I16sIIIBBBBB", METADATA_MAGIC, b"\0" * 16, 0, size * 8, size * 8,
			   0, 0, 0, 1, 8) + text.encode()


class Stream:
	def __init__(self, handle, name):
		self.handle, self.name, self.sequence = handle, name, 0


class Producer:
	"""One session.  Streams of one path are one trace."""

	def __init__(self, relayd, name, host="node", live_us=100000, chunks=False):
		self.control = socket.create_connection(("127.0.0.1", relayd.control), 10)
		self.control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		self.command(5, struct.pack(">II", 2, 11 if chunks else 10), 8)
		self.name, self.host = name, host
		self.chunks, self.chunk = chunks, None
		if chunks:
			self.create_session_2_11(live_us)
		else:
			reply = self.command(2, struct.pack(">255s64sII", name.encode(), host.encode(),
							    live_us, 0), 12)
			self.id = struct.unpack(">QI", reply)[0]
		self.data = socket.create_connection(("127.0.0.1", relayd.data), 10)
		self.data.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

	def command(self, number, payload, reply_size):
		self.control.sendall(struct.pack(">QQII", 0, len(payload), number, 0) + payload)
		reply = b""
		while len(reply) < reply_size:
			more = self.control.recv(reply_size - len(reply))
			if not more:
				raise RuntimeError("relayd closed the control connection")
			reply += more
		return reply

	def create_session_2_11(self, live_us):
		names = self.name.encode() + b"\0" + self.host.encode() + b"\0"
		reply = self.command(2, struct.pack(">IIIIBB16sQQBQ", len(self.name) + 1,
						    len(self.host) + 1, 0, live_us, 0, 0,
						    uuid.uuid4().bytes, 0, int(time.time()), 0, 0)
				     + names, 16)
		self.id, _, length = struct.unpack(">QII", reply)
		while length:
			length -= len(self.control.recv(length))

	def start_chunk(self):
		"""As at the start of tracing, and at each rotation."""
		self.chunk = 0 if self.chunk is None else self.chunk + 1
		self.command(19, struct.pack(">QQI", self.chunk, int(time.time()), 0), 4)

	def add_stream_2_11(self, path, channel):
		names = channel.encode() + b"\0" + path.encode() + b"\0"
		if self.chunk is None:
			self.start_chunk()
		reply = self.command(1, struct.pack(">IIQQQ", len(channel) + 1, len(path) + 1, 0, 0,
						    self.chunk) + names, 12)
		return Stream(struct.unpack(">QI", reply)[0], channel)

	def add_stream(self, path, channel):
		if self.chunks:
			return self.add_stream_2_11(path, channel)
		full = "/%s/%s-20260101-000000/%s" % (self.host, self.name, path)
		reply = self.command(1, struct.pack(">264s4096sQQ", channel.encode(), full.encode(),
						    0, 0), 12)
		return Stream(struct.unpack(">QI", reply)[0], channel)

	def publish(self):
		self.command(16, b"", 4)

	def send_metadata(self, stream, text):
		packet = metadata_packet(text)
		payload = struct.pack(">QI", stream.handle, 0) + packet
		self.control.sendall(struct.pack(">QQII", 0, len(payload), 6, 0) + payload)

	def add_trace(self, path, channels, text="/* CTF 1.8 */\n"):
		"""Returns the metadata stream and the data streams, published."""
		metadata = self.add_stream(path, "metadata")
		streams = [self.add_stream(path, c) for c in channels]
		self.publish()
		self.send_metadata(metadata, text)
		return metadata, streams

	def packet(self, stream, content, begin, end, padding=0):
		data = content + b"\0" * padding
		self.data.sendall(struct.pack(">QQQII", 0, stream.handle, stream.sequence, len(data), 0)
				  + data)
		self.command(13, struct.pack(">10Q", stream.handle, stream.sequence, len(data) * 8,
					     len(content) * 8, begin, end, 0, 0, 0, stream.sequence), 4)
		stream.sequence += 1

	def beacon(self, stream, end):
		self.command(13, struct.pack(">10Q", stream.handle, 2 ** 64 - 1, 0, 0, 0, end, 0, 0, 0,
					     0), 4)

	def close_stream(self, stream):
		last = stream.sequence - 1 if stream.sequence else 2 ** 64 - 1
		self.command(7, struct.pack(">QQ", stream.handle, last & (2 ** 64 - 1)), 4)

	def close(self):
		self.control.close()
		self.data.close()
