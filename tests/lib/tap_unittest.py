# SPDX-License-Identifier: MIT
"""Runs a module's unittest classes, or those named as arguments, and prints TAP."""
import sys
import unittest


class _Result(unittest.TestResult):
    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.number = 0

    def _line(self, good, test, more=""):
        self.number += 1
        what = test.shortDescription() or test.id()
        print(f"{'ok' if good else 'not ok'} {self.number} - {what}{more}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._line(True, test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._line(True, test, f" # SKIP {reason}")

    def _bad(self, test, texts):
        self._line(False, test)
        for line in texts[-1][1].splitlines()[-60:]:
            print("# " + line[:400], flush=True)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._bad(test, self.failures)

    def addError(self, test, err):
        super().addError(test, err)
        self._bad(test, self.errors)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._bad(subtest, self.failures if issubclass(err[0], test.failureException)
                      else self.errors)


def main():
    loader, module = unittest.defaultTestLoader, sys.modules["__main__"]
    suite = loader.loadTestsFromNames(sys.argv[1:], module) if sys.argv[1:] else \
        loader.loadTestsFromModule(module)
    result = _Result()
    suite.run(result)
    print(f"1..{result.number}")
    sys.exit(0 if result.wasSuccessful() and result.number else 1)
