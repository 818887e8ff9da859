"""JSON text as TF Serving's REST interface reads and prints it.

Reading is stricter than the server's in what would be guesswork: a text that is not
UTF-8 and a name that stands twice in an object are refused.
"""

import json
import math
import re

from zoo.serving.errors import ServingError, invalid

# Numbers as long as these may be larger than any double.
_MAY_OVERFLOW = re.compile(r"[eE]\+?\d{3}|\d{300}")
_MAY_BE_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
# Longest text of a value inside a message, in characters.
_LONGEST = 2000
_INDENT = "    "
# What the server's parser calls the faults that Python's finds.
_FAULTS = {
    "Expecting property name": "Missing a name for object member.",
    "Expecting ':'": "Missing a colon after a name of object member.",
    "Expecting ','": "Missing a comma or ] after an array element.",
    "Unterminated string": "Missing a closing quotation mark in string.",
    "Invalid control": "Invalid encoding in string.",
    "Invalid \\escape": "Invalid escape character in string.",
    "Invalid \\uXXXX": "Incorrect hex digit after \\u escape in string.",
    "Extra data": "The document root must not be followed by other values.",
}


def read_json(body: bytes) -> dict:
    """The JSON object of a request's body.

    Raises:
        ServingError: it is none.
    """
    if not body:
        raise _fault("The document is empty")
    try:
        text = body.decode("utf-8-sig")
        value = _parsed(text)
        if _MAY_BE_SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise _fault("The surrogate pair in string is invalid.") from None
    except UnicodeDecodeError as error:
        raise _fault("Invalid encoding in string.", error.start) from None
    except json.JSONDecodeError as error:
        offset = len(error.doc[: error.pos].encode("utf-8", "surrogatepass"))
        raise _fault(_named(error), offset) from None
    except RecursionError:
        raise _fault("The document is nested too deeply.") from None
    if not isinstance(value, dict):
        raise invalid(f"JSON Value: {value_text(value)} Is not object")
    return value


def _parsed(text: str):
    large = _finite if _MAY_OVERFLOW.search(text) else None
    return json.loads(
        text,
        object_pairs_hook=_object,
        parse_float=large and (lambda digits: _finite(digits, float)),
        parse_int=large and (lambda digits: _finite(digits, int)),
    )


def _finite(digits: str, kind: type):
    if math.isinf(float(digits)):
        raise _fault("Number too big to be stored in double.")
    return kind(digits)


def _object(pairs: list) -> dict:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _fault(f"The name {value_text(twice)} stands twice in an object.")
    return value


def _named(error: json.JSONDecodeError) -> str:
    for start, name in _FAULTS.items():
        if error.msg.startswith(start):
            return name
    if not error.doc.strip():
        return "The document is empty."
    return "Invalid value."


def _fault(name: str, offset: int | None = None) -> ServingError:
    place = "" if offset is None else f" at offset: {offset}"
    return invalid(f"JSON Parse error: {name}{place}")


def type_name(value) -> str:
    """What messages call the type of a JSON value."""
    if isinstance(value, bool):
        return str(value)
    names = {dict: "Object", list: "Array", str: "String", type(None): "Null"}
    return names.get(type(value), "Number")


def value_text(value) -> str:
    """A value as messages print it: objects a name a line, lists on one line."""
    try:
        text = "".join(_pieces(value, 0))
    except RecursionError:
        return "..."
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "..."


def string_text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _pieces(value, depth: int):
    if isinstance(value, dict) and value:
        between = "{"
        for name, element in value.items():
            yield f"{between}\n{_INDENT * (depth + 1)}{string_text(name)}: "
            yield from _pieces(element, depth + 1)
            between = ","
        yield f"\n{_INDENT * depth}}}"
    elif isinstance(value, list):
        between = "["
        for element in value:
            yield between
            yield from _pieces(element, depth + 1)
            between = ", "
        yield "]" if value else "[]"
    else:
        yield json.dumps(value, ensure_ascii=False).replace("e+", "e")
