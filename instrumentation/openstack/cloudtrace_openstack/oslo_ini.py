# SPDX-License-Identifier: MIT
"""Configuration files of oslo.config, changed line by line.

Comments, order, blank lines and line ends stay as they are.  Each change is
marked by a comment line, from which undo() restores what was there, whatever
else has been edited since:

    # cloudtrace: added           the next line is ours
    # cloudtrace: was: LINE       a line that is out of force
    # cloudtrace: added section   the next line is a section of ours"""

ADDED = "# cloudtrace: added"
ADDED_SECTION = "# cloudtrace: added section"
WAS = "# cloudtrace: was: "


class Refused(Exception):
    """What the file has, that this does not understand: file, line and why."""

    def __init__(self, path, line, why):
        super().__init__(f"{path}:{line}: {why}" if line else f"{path}: {why}")


class Setting:
    """One assignment: lines first to last (from 0; last is past the end)."""

    def __init__(self, section, key, value, first, last):
        self.section, self.key, self.value = section, key, value
        self.first, self.last = first, last


class Ini:
    """A file in memory."""

    def __init__(self, path, text):
        self.path = path
        self.lines = text.splitlines(keepends=True) if "\r" not in text.replace("\r\n", "") \
            else self._refuse(1, "it has carriage returns that end no line")
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.settings = []
        self.sections = {}          # name: number of its first line
        self._parse()

    def _refuse(self, line, why):
        raise Refused(self.path, line, why)

    def _parse(self):
        self.settings, self.sections = [], {}
        section = None
        for i, line in enumerate(self.lines):
            text = line.rstrip()
            if any(c in line.rstrip("\r\n") for c in "\0\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"):
                self._refuse(i + 1, "a control character")
            if not text or text[0] in "#;":
                continue
            if text[0].isspace():
                if not self.settings or self.settings[-1].last is None:
                    self._refuse(i + 1, "a continued line, but nothing that it continues")
                self.settings[-1].last = i + 1
                self.settings[-1].value += "\n" + text.strip()
                continue
            if text[0] == "[":
                section = self._section(i, text)
                continue
            self.settings.append(self._setting(section, i, text))

    def _section(self, i, text):
        if not text.endswith("]") or len(text) < 3:
            self._refuse(i + 1, f"'{text[:60]}' is no section")
        name = text[1:-1].strip()
        self.sections.setdefault(name, i)
        return name

    def _setting(self, section, i, text):
        ends = [end for end in (text.find("="), text.find(":")) if end > 0]
        if not ends:
            self._refuse(i + 1, f"'{text[:60]}' is no 'option = value'")
        if section is None:
            self._refuse(i + 1, "an option before the first section")
        end = min(ends)
        value = text[end + 1:].strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        return Setting(section, text[:end].strip(), value, i, i + 1)

    def all(self, section, key):
        """The assignments of an option, under any of the names that oslo takes."""
        names = {key, key.replace("_", "-")}
        return [s for s in self.settings if s.section == section and s.key in names]

    def text(self):
        return "".join(self.lines)

    def set(self, section, key, value):
        """Makes `value` the only one in force."""
        held = self.all(section, key)
        if held and held[-1].value == value:
            return
        for setting in reversed(held):
            self.lines[setting.first:setting.last] = [
                WAS + line for line in self.lines[setting.first:setting.last]]
        self._insert(section, f"{key} = {value}", held[-1].last if held else None)

    def add(self, section, key, value):
        """One more value of an option that may be given several times."""
        held = self.all(section, key)
        if all(setting.value != value for setting in held):
            self._insert(section, f"{key} = {value}", held[-1].last if held else None)

    def _insert(self, section, line, place):
        new = [ADDED + self.newline, line + self.newline]
        if place is None and section in self.sections:
            place = self.sections[section] + 1
        elif place is None:
            place = len(self.lines)
            new = [ADDED_SECTION + self.newline, f"[{section}]" + self.newline] + new
        if place and not self.lines[place - 1].endswith("\n"):
            # The end of a last line without one comes back with undo().
            new = [self.newline + new[0]] + new[1:-1] + [new[-1].rstrip("\r\n")]
            new = "".join(new).splitlines(keepends=True)
            self.lines[place - 1] += new.pop(0)
        self.lines[place:place] = new
        self._parse()

    def undo(self):
        """Without the changes that set() and add() made."""
        out, lines, i = [], self.lines, 0
        while i < len(lines):
            mark = lines[i].rstrip("\r\n")
            if mark in (ADDED, ADDED_SECTION):
                last = i + 1 == len(lines) or not lines[i + 1].endswith("\n")
                if mark == ADDED_SECTION and self._used(i + 1):
                    i += 1      # the operator has put options of their own below it
                    continue
                if last and out:
                    out[-1] = out[-1].rstrip("\r\n")
                i += 2
                continue
            out.append(lines[i][len(WAS):] if lines[i].startswith(WAS) else lines[i])
            i += 1
        self.lines = out
        self._parse()

    def _used(self, header):
        """Whether a section of ours holds more than our own lines."""
        i = header + 1
        while i < len(self.lines) and not self.lines[i].startswith("["):
            mark = self.lines[i].rstrip("\r\n")
            if mark == ADDED_SECTION:
                return False
            if mark == ADDED:
                i += 2
                continue
            if mark.strip():
                return True
            i += 1
        return False
