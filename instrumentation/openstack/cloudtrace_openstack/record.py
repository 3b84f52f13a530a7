# SPDX-License-Identifier: MIT
"""One log record as one JSON object, of at most a given size.

The keys are those that the OpenStack analyzers read (README.md lists them).
It is written by hand and not with json.dumps(): twice as fast, and the size has
a bound.  What json.dumps() would write but strict readers refuse does not come
out: NUL, lone surrogates, NaN, numbers beyond 64 bits."""
import json
import operator
import re
import sys
import traceback
import weakref
from json.encoder import encode_basestring_ascii as _quote
from math import isfinite

SHORT = 200             # characters of a string argument; longer ones are null
FORMAT = 256            # characters of a format; longer ones are left out
ARGUMENTS = 12
FIELD = 512             # bytes of any other field, quoted
EXCEPTION = 2000        # bytes of an exception's text, quoted
RESOURCE = 8            # entries of a resource
SMALLEST = 2048         # bytes: a bound below this leaves no room for a message

_INT_LAST = 2 ** 63 - 1
_CONTEXT = (("request_id", "request_id"), ("global_request_id", "global_request_id"),
            ("user_id", "user"), ("project_id", "project"),
            ("project_name", "project_name"), ("user_name", "user_name"))
_INSTANCE = (("host", "instance_host"), ("vm_state", "vm_state"), ("task_state", "task_state"),
             ("power_state", "power_state"), ("display_name", "instance_name"))
_LEVELS = {name: f'"{name}"' for name in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "TRACE")}
_REST = 64              # bytes of the punctuation and of "truncated"
_NOTIFICATION = "oslo.messaging.notification."
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _clean(text):
    """Without what has no place in UTF-8 JSON: undecodable bytes are spelled out."""
    return str.replace(text, "\0", "\ufffd").encode("utf-8", "backslashreplace").decode("utf-8")


def quoted(text, limit):
    """The JSON string of at most `limit` bytes, and whether it is whole."""
    if len(text) <= limit:
        out = _quote(text)
        if "\\u" in out and ("\\ud" in out or "\\u0000" in out):
            out = _quote(_clean(text))
        if len(out) <= limit:
            return out, True
    keep = min(len(text), limit)
    while True:
        out = _quote(_clean(text[:keep]))
        if len(out) <= limit or keep == 0:
            return out, False
        keep = min(keep - 1, keep * limit // len(out))


def _field(text, limit=FIELD):
    return quoted(text, limit)[0]


def scalar(value, short=SHORT):
    """A plain value as JSON; null for an object, whose text is in the message."""
    kind = type(value)
    if kind is str:
        if len(value) > short:
            return "null"
        out = _quote(value)
        return out if "\\u" not in out else quoted(value, 6 * short + 2)[0]
    if kind is int and -_INT_LAST <= value <= _INT_LAST:
        return repr(value)
    if kind is float and isfinite(value):
        return repr(value)
    if value is None:
        return "null"
    if kind is bool:
        return "true" if value else "false"
    if isinstance(value, int):
        number = int.__repr__(value) if -_INT_LAST <= value <= _INT_LAST else f'"{int(value):#x}"'
        return number if len(number) <= short else "null"
    if isinstance(value, float):
        return float.__repr__(value) if isfinite(value) else f'"{float(value)}"'
    if isinstance(value, str):
        return scalar(str.__str__(value), short)
    return "null"


class _Kept(dict):
    """What was made for the last keys, of which there are few at a time."""

    def keep(self, key, value):
        if len(self) >= 1024:
            self.clear()
        self[key] = value
        return value


_contexts = _Kept()
_formats = _Kept()
_last = (lambda: None, None, "")
_context_values = operator.attrgetter(*[attribute for attribute, _ in _CONTEXT])


def _context(record, nested):
    context = getattr(record, "context", None)
    if context is None:
        # Never imported here: an import before eventlet's patching would give
        # all green threads of the service one and the same context.
        module = sys.modules.get("oslo_context.context")
        context = module.get_current() if module is not None else None
        if context is None:
            return ""
    if nested:
        held = context if isinstance(context, dict) else getattr(context, "__dict__", {})
        return _context_text([held.get(attribute) for attribute, _ in _CONTEXT], nested)
    global _last
    try:
        # The same object, in the same request, is the same context.
        last, request, text = _last
        if last() is context and request == context.request_id:
            return text
        values = _context_values(context)
        text = _contexts.get(values) or _contexts.keep(values, _context_text(values, nested))
        _last = weakref.ref(context), values[0], text
        return text
    except (AttributeError, TypeError):     # a mapping, or one of another kind
        read = context.get if isinstance(context, dict) else \
            lambda attribute: getattr(context, attribute, None)
        return _context_text([read(attribute) for attribute, _ in _CONTEXT], nested)


def _context_text(values, nested):
    out = ""
    for value, (_, key) in zip(values, _CONTEXT):
        if value and (type(value) is str or not nested):
            out += f', "{key}": {_field(str(value))}'
    return out


def _held(thing, attribute):
    """A field of a versioned object, if it is there: reading one that is not
    would load it from the database, and log."""
    try:
        is_set = getattr(thing, "obj_attr_is_set", None)
        if is_set is not None and not is_set(attribute):
            return None
        return getattr(thing, attribute, None)
    except Exception:
        return None


def _instance(instance, nested):
    if isinstance(instance, dict):
        return f', "instance": {scalar(instance.get("uuid"))}'
    if isinstance(instance, str):
        # oslo.log's formatter, had it run before us, leaves "[instance: UUID] ".
        found = _UUID.search(instance)
        return f', "instance": {_field(found.group() if found else instance)}'
    if nested:
        return ""
    out = f', "instance": {scalar(_held(instance, "uuid"))}'
    for attribute, key in _INSTANCE:
        value = scalar(_held(instance, attribute))
        if value != "null":
            out += f', "{key}": {value}'
    return out


def _resource(resource, nested):
    if nested or type(resource) is str and not resource:
        return ""       # oslo.log's formatter leaves an empty one
    if not isinstance(resource, dict):
        return f', "resource": {{"id": {_field(str(_held(resource, "id")))}}}'
    entries = [f"{_field(str(key))}: {scalar(value)}" for key, value in resource.items()
               if value is None or isinstance(value, (str, int, float))][:RESOURCE]
    return f', "resource": {{{", ".join(entries)}}}'


def _no_constant(name):
    raise ValueError(name)


def _pruned(value, short, length, depth):
    """A notification with its long texts and lists cut."""
    if isinstance(value, dict):
        if depth == 0:
            return None
        return {_clean(str(k)[:short]): _pruned(v, short, length, depth - 1)
                for k, v in value.items()}
    if isinstance(value, list):
        return [_pruned(v, short, length, depth - 1) for v in value[:length]] if depth else None
    if isinstance(value, str):
        return _clean(value[:short])
    if isinstance(value, int) and not -_INT_LAST <= value <= _INT_LAST:
        return hex(value)
    return value


def _notification(text, limit):
    """The notification's own JSON where it fits, or what is left of it when it
    is cut ever more; None when it is no JSON."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except (ValueError, TypeError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    size = len(text)
    if size <= limit and text.isascii() and "\\ud" not in text and "\\u0000" not in text:
        return text if "\n" not in text else json.dumps(value)
    for short, length, depth in ((size, size, 64), (256, 16, 12), (64, 4, 8), (64, 4, 3)):
        out = json.dumps(_pruned(value, short, length, depth))
        if len(out) <= limit:
            return out if short == size else f'{out}, "truncated": {size}'
    kept = {key: _pruned(value.get(key), 128, 0, 1)
            for key in ("event_type", "publisher_id", "message_id", "timestamp", "priority")}
    return f'{json.dumps(kept)}, "truncated": {size}'


def _arguments(message, arguments):
    if len(message) >= FORMAT:
        return ""
    out = _formats.get(message) or \
        _formats.keep(message, f', "fmt": {_field(message, 6 * FORMAT + 2)}')
    if isinstance(arguments, tuple):
        count = len(arguments)
        if count == 1:
            return f'{out}, "args": [{scalar(arguments[0])}]'
        if count == 2:      # most have one or two
            return f'{out}, "args": [{scalar(arguments[0])}, {scalar(arguments[1])}]'
        if count > ARGUMENTS:
            return out
        return f'{out}, "args": [{", ".join(map(scalar, arguments))}]'
    if isinstance(arguments, dict):
        # The whole of what a mapping holds, as a request's environment, is no argument.
        wanted = [f"{_field(key)}: {scalar(value)}" for key, value in list(arguments.items())
                  if isinstance(key, str) and f"%({key})" in message][:ARGUMENTS]
        return f'{out}, "args": {{{", ".join(wanted)}}}'
    return out


def _exception(record, nested):
    kind, value = record.exc_info[:2]
    if kind is None:
        return ""
    out = f', "exc": {_field(kind.__name__)}'
    if nested:
        return out
    try:
        text = "".join(traceback.format_exception_only(kind, value))
    except Exception as error:
        text = f"{kind.__name__}: (its text failed: {type(error).__name__})\n"
    return out + f', "exc_text": {_field(text, EXCEPTION)}'


def _unformatted(message):
    return message if isinstance(message, str) else f"({type(message).__name__})"


def _text_of(error):
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


def to_json(head, record, limit, nested=False):
    """The JSON object for `record`, of at most `limit` (>= SMALLEST) bytes.

    `head` begins it: {"service": .., "host": .., "pid": N, "gt": .
    `nested` runs none of the service's code (no __str__ of an argument, no
    property): for records that come up while one is being formatted."""
    # Not record.__dict__: Python makes that only when it is asked for.
    thread = record.thread
    level = record.levelname
    base = f'{head}{thread if type(thread) is int else 0}, "level": ' \
        f'{_LEVELS.get(level) or _field(str(level), 64)}, "created": {record.created:.6f}'
    out = base + _context(record, nested)
    instance = getattr(record, "instance", None)
    if instance is None or type(instance) is str and not instance:
        instance = getattr(record, "instance_uuid", None)
    if instance is not None:
        out += _instance(instance, nested)
    resource = getattr(record, "resource", None)
    if resource is not None:
        out += _resource(resource, nested)
    message, arguments = record.msg, record.args
    if isinstance(message, str):
        if record.name.startswith(_NOTIFICATION):
            text = _notification(message, limit - len(out) - _REST)
            if text is not None and len(out) + len(text) + _REST <= limit:
                return f'{out}, "notification": {text}}}'
        tail = _arguments(message, arguments) if arguments else ""
    else:
        tail = ""
    if nested:
        text = _unformatted(message)
        tail = ', "nested": true' + tail
    else:
        try:
            text = record.getMessage()
        except Exception as error:
            text = _unformatted(message)
            tail = f', "format_error": {_field(_text_of(error))}{tail}'
    if record.exc_info:
        tail += _exception(record, nested)
    room = limit - len(out) - len(tail) - _REST
    if room < SMALLEST // 4:        # fields of the most costly characters: the text goes first
        out, tail = base, ""
        room = limit - len(out) - _REST
    quote = _quote(text) if len(text) < room else ""
    if len(quote) > room or not quote or "\\u" in quote:
        quote, whole = quoted(text, room)
        if not whole:
            tail += f', "truncated": {len(text)}'
    return f'{out}, "message": {quote}{tail}}}'
