# SPDX-License-Identifier: MIT
"""Runs tests/viewer_probe and waits for lines that it writes; prints TAP."""
import os
import re
import signal
import subprocess
import sys
import threading
import time
import traceback


class Probe:
	def __init__(self, port, host="127.0.0.1", reply_ms=None, dead_ms=None):
		program = os.path.join(os.environ.get("top_builddir", "."), "tests", "viewer_probe")
		args = [program, host, str(port)]
		if reply_ms:
			args += [str(reply_ms), str(dead_ms)]
		self.lines, self.mark = [], 0
		self.changed = threading.Condition()
		self.process = subprocess.Popen(args, stdout=subprocess.PIPE, text=True,
						errors="replace")
		self.reader = threading.Thread(target=self._read, daemon=True)
		self.reader.start()

	def _read(self):
		for line in self.process.stdout:
			with self.changed:
				self.lines.append(line.rstrip("\n").split(" ", 1))
				self.changed.notify_all()

	def wait(self, pattern, timeout=10, since=None):
		"""Waits for a line that matches behind the last one found; returns the match."""
		deadline = time.monotonic() + timeout
		at = self.mark if since is None else since
		with self.changed:
			while True:
				while at < len(self.lines):
					at += 1
					match = re.search(pattern, self.lines[at - 1][1])
					if match:
						self.mark = at
						return match
				left = deadline - time.monotonic()
				if left <= 0 or not self.changed.wait(left):
					if time.monotonic() >= deadline:
						raise AssertionError("no line /%s/ within %g s; got:\n%s" % (
							pattern, timeout, self.text(-30)))

	def text(self, start=0):
		return "\n".join(" ".join(line) for line in self.lines[start:])

	def count(self, pattern):
		return sum(1 for line in self.lines if re.search(pattern, line[1]))

	def counters(self):
		since = len(self.lines)
		self.process.send_signal(signal.SIGUSR1)
		self.wait(r"^counters", since=since)
		return {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", self.lines[self.mark - 1][1])}

	def end(self):
		"""Ends it in order and checks that everything was told as gone."""
		self.process.send_signal(signal.SIGTERM)
		try:
			code = self.process.wait(10)
		except subprocess.TimeoutExpired:
			self.process.kill()
			raise AssertionError("the probe does not end")
		self.reader.join(5)
		assert code == 0, "exit %s:\n%s" % (code, self.text(-30))
		assert not self.count("FAULT"), self.text()
		self.process.stdout.close()

	def kill(self):
		if self.process.poll() is None:
			self.process.kill()
			self.process.wait()


def run(cases, limit):
	"""Runs each function as a TAP test; the whole ends after 'limit' s at the latest."""
	def too_long(number, frame):
		print("Bail out! longer than %d s" % limit, flush=True)
		traceback.print_stack(frame)
		os._exit(99)
	signal.signal(signal.SIGALRM, too_long)
	signal.alarm(limit)
	failed = 0
	wanted = sys.argv[1:]
	cases = [c for c in cases if not wanted or c.__name__ in wanted]
	print("1..%d" % len(cases))
	for number, case in enumerate(cases, 1):
		start = time.monotonic()
		try:
			case()
			result = "ok"
		except BaseException:
			print("# " + traceback.format_exc()[-3000:].replace("\n", "\n# "))
			result, failed = "not ok", failed + 1
		print("%s %d - %s (%.1f s)" % (result, number, case.__name__.replace("_", " "),
					       time.monotonic() - start), flush=True)
	sys.exit(failed != 0)
