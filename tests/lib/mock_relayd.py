# SPDX-License-Identifier: MIT
"""A scriptable relayd of sessions with one stream each, for faults that a real
one does not show.  'fault(number, command, reply)' is asked for every reply of
a connection (counted from 0) and returns the bytes to send instead, None to
close the connection, or SILENCE to say nothing any more."""
import socket
import struct
import threading
import time

SILENCE = object()
CONNECT, LIST, ATTACH, INDEX, PACKET, METADATA, NEW_STREAMS, CREATE, DETACH = range(1, 10)


def stream(number, trace, is_metadata, channel):
	return struct.pack(">QQI4096s255s", number, trace, is_metadata, b"node/trace", channel)


class MockRelayd:
	def __init__(self, fault=None, minor=13, slow=0.0, packets=3, sessions=1):
		self.fault, self.minor, self.slow, self.packets = fault, minor, slow, packets
		self.connections = 0
		self.requests = []
		self.sessions = sessions
		self.attached = []       # For each connection that attached: to how many.
		self.listener = socket.create_server(("127.0.0.1", 0))
		self.port = self.listener.getsockname()[1]
		threading.Thread(target=self._accept, daemon=True).start()

	def close(self):
		self.listener.close()

	def _accept(self):
		while True:
			try:
				connection, _ = self.listener.accept()
			except OSError:
				return
			self.connections += 1
			threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

	def _serve(self, connection):
		state = {"metadata": False, "sent": 0}
		number = 0
		try:
			with connection:
				while True:
					header = self._read(connection, 16)
					size, command, _ = struct.unpack(">QII", header)
					payload = self._read(connection, size)
					self.requests.append(command)
					reply = self._reply(command, payload, state)
					if self.fault:
						reply = self.fault(number, command, reply)
					number += 1
					if reply is None:
						return
					if reply is SILENCE:
						time.sleep(3600)
					self._send(connection, reply)
		except (OSError, EOFError):
			pass

	def _send(self, connection, reply):
		if not self.slow:
			connection.sendall(reply)
			return
		# The long lists of names in one go, the rest byte by byte.
		connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
		for i in range(len(reply)):
			if len(reply) > 1000 and 30 < i < len(reply) - 30:
				continue
			step = len(reply) - 60 if len(reply) > 1000 and i == 30 else 1
			connection.sendall(reply[i:i + step])
			time.sleep(self.slow)

	@staticmethod
	def _read(connection, size):
		data = b""
		while len(data) < size:
			more = connection.recv(size - len(data))
			if not more:
				raise EOFError
			data += more
		return data

	def _reply(self, command, payload, state):
		if command == CONNECT:
			return struct.pack(">QIII", 7, 2, self.minor, 1)
		if command == CREATE or command == DETACH:
			return struct.pack(">I", 1)
		if command == LIST:
			return struct.pack(">I", self.sessions) + b"".join(
				struct.pack(">QIII64s255s", 5 + i, 100000, 0, 2, b"node",
					    b"mock%d" % i if i else b"mock")
				for i in range(self.sessions))
		if command == ATTACH:
			if "attached" not in state:
				state["attached"] = len(self.attached)
				self.attached.append(0)
			self.attached[state["attached"]] += 1
			return (struct.pack(">II", 1, 2) + stream(20, 3, 1, b"metadata")
				+ stream(21, 3, 0, b"ch_0"))
		if command == NEW_STREAMS:
			return struct.pack(">II", 2, 0)
		if command == METADATA:
			if state["metadata"]:
				return struct.pack(">QI", 0, 2)
			state["metadata"] = True
			return struct.pack(">QI", 10, 1) + b"m" * 10
		if command == INDEX:
			sent = state["sent"]
			if sent >= self.packets:
				return struct.pack(">7QII", 0, 0, 0, 0, 1000, 0, 0, 5, 0)
			state["sent"] += 1
			return struct.pack(">7QII", sent * 4096, 4096 * 8, (100 + sent) * 8, sent, sent,
					   0, 0, 1, 0)
		assert command == PACKET
		_, offset, length = struct.unpack(">QQI", payload)
		return struct.pack(">III", 1, length, 0) + bytes([offset // 4096]) * length
