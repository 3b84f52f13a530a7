#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The connection of the live viewer against a scripted relayd."""
import os
import random
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.environ.get("top_srcdir", "."), "tests", "lib"))
from mock_relayd import CONNECT, INDEX, LIST, SILENCE, MockRelayd  # noqa: E402
from ports import free_ports  # noqa: E402
from viewer_probe import Probe, run  # noqa: E402


def converse(mock, host="127.0.0.1", **options):
	"""Waits until all of the conversation has come through."""
	probe = Probe(mock.port, host=host, **options)
	try:
		for i in range(mock.packets):
			probe.wait("packet mock/ch_0 size=%d begin=%d .* first=%02x" % (100 + i, i, i))
		probe.wait("beacon mock/ch_0 1000")
		probe.end()
		return probe
	finally:
		probe.kill()
		mock.close()


def conversation():
	converse(MockRelayd())


def relayd_of_the_future():
	converse(MockRelayd(minor=99))


def host_by_name():
	converse(MockRelayd(), host="localhost")


def name_that_does_not_exist():
	probe = Probe(1, host="no-such-host.invalid", reply_ms=1000, dead_ms=2000)
	try:
		probe.wait("state CONNECTING: no-such-host.invalid:1: cannot resolve no-such-host.invalid: ",
			   timeout=20)
		probe.end()
	finally:
		probe.kill()


def nobody_listens():
	(port,) = free_ports(1)
	probe = Probe(port, reply_ms=1000, dead_ms=2000)
	try:
		probe.wait("state CONNECTING: 127.0.0.1:%d: cannot connect: Connection refused" % port)
		# It says so once, and goes on trying.
		time.sleep(0.5)
		assert probe.count("state") == 2, probe.text()
		with socket.create_server(("127.0.0.1", port)) as s:
			s.settimeout(2)
			s.accept()[0].close()
		probe.end()
	finally:
		probe.kill()


def bytes_one_at_a_time():
	converse(MockRelayd(slow=0.0005))


def closed_behind_every_reply():
	"""The n-th connection is closed instead of its n-th reply."""
	mock = MockRelayd()
	mock.fault = lambda number, command, reply: None if number == mock.connections - 1 \
		and number < 12 else reply
	probe = converse(mock, reply_ms=2000, dead_ms=3000)
	assert mock.connections == 13, mock.connections
	assert probe.count("relayd closed the connection, asked for CONNECT") == 1
	assert probe.count("session_attached") == probe.count("session_gone") > 5


def closed_in_the_middle_of_every_reply():
	mock = MockRelayd()
	state = {"closing": 0}

	def fault(number, command, reply):
		if state["closing"] == mock.connections:
			return None
		if number == mock.connections - 1 and number < 12:
			state["closing"] = mock.connections
			return reply[:len(reply) // 2]
		return reply
	mock.fault = fault
	# The rest never comes: only the next request or time tells.
	converse(mock, reply_ms=100, dead_ms=200)


def never_answers():
	for silent, name in ((CONNECT, "CONNECT"), (LIST, "LIST_SESSIONS")):
		mock = MockRelayd()
		mock.fault = lambda number, command, reply: SILENCE if command == silent \
			and mock.connections == 1 else reply
		probe = Probe(mock.port, reply_ms=200, dead_ms=500)
		try:
			probe.wait("state FROZEN: relayd does not answer: no reply to %s for " % name)
			probe.wait("state CONNECTING: .*: no reply to %s for " % name)
			probe.wait("packet mock/ch_0 size=102")
			probe.end()
		finally:
			probe.kill()
			mock.close()


def one_session_never_answers():
	"""The others go on, and it is taken up again."""
	mock = MockRelayd()
	mock.fault = lambda number, command, reply: SILENCE if command == INDEX \
		and mock.connections == 2 else reply
	probe = Probe(mock.port, reply_ms=200, dead_ms=500)
	try:
		probe.wait("session_attached node/mock")
		probe.wait("session_state node/mock LOST: .*: no reply to GET_NEXT_INDEX for ")
		probe.wait("session_attached node/mock")
		probe.wait("packet mock/ch_0 size=102")
		probe.end()
		assert probe.count("^state ") == 2, probe.text()
	finally:
		probe.kill()
		mock.close()


def a_connection_for_each_session():
	"""relayd 2.13 mixes up the files of sessions that share one."""
	mock = MockRelayd(sessions=3)
	probe = Probe(mock.port)
	try:
		for name in ("mock", "mock1", "mock2"):
			probe.wait("packet %s/ch_0 size=102" % name, since=0)
		probe.end()
		assert mock.connections == 4, mock.connections
		assert mock.attached == [1, 1, 1], mock.attached
	finally:
		probe.kill()
		mock.close()


def wrong_version():
	mock = MockRelayd(minor=3)
	probe = Probe(mock.port)
	try:
		probe.wait(r"state CONNECTING: 127.0.0.1:\d+: wrong reply to CONNECT: relayd speaks "
			   r"version 2\.3 of the live protocol")
		probe.end()
	finally:
		probe.kill()
		mock.close()


def garbage():
	"""Random bytes for the n-th reply of the n-th connection."""
	dice = random.Random(1)
	mock = MockRelayd()
	mock.fault = lambda number, command, reply: dice.randbytes(300) \
		if number == mock.connections - 1 and number < 10 else reply
	converse(mock, reply_ms=200, dead_ms=400)


def not_a_relayd():
	"""Something that talks first and hangs up."""
	with socket.create_server(("127.0.0.1", 0)) as s:
		s.settimeout(5)
		probe = Probe(s.getsockname()[1], reply_ms=500, dead_ms=900)
		try:
			connection, _ = s.accept()
			connection.sendall(b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u2\r\n")
			probe.wait("state CONNECTING: .*wrong reply to CONNECT: relayd speaks version ")
			connection.close()
			probe.end()
		finally:
			probe.kill()


if __name__ == "__main__":
	run([conversation, relayd_of_the_future, host_by_name, name_that_does_not_exist,
	     nobody_listens, bytes_one_at_a_time, closed_behind_every_reply,
	     closed_in_the_middle_of_every_reply, never_answers,
	     one_session_never_answers, a_connection_for_each_session, wrong_version, garbage,
	     not_a_relayd], 60)
