"""What the user's code gave as a reply, as status, content type and bytes. One that no server could
send is an error of the code: 500 or 503 with the reason, whatever status it has itself."""
import json
import re


def reply(status, content_type, value):
    """(status, content type, body)"""
    if hasattr(value, "get_data") and hasattr(value, "mimetype"):  # a Flask response, or like one
        status = getattr(value, "status_code", None) or status
        content_type = value.mimetype or content_type
        value = value.get_data()
    if not is_status(status):
        return error(500, f"{status!r} is no status of a reply; the reply is {value!r}")
    status = int(status)
    content_type = "" if content_type is None else content_type
    if not is_header(content_type):
        return error(500, f"the reply's content type is {content_type!r}")
    if status >= 300 and isinstance(value, str):
        return error(status, value, content_type)
    try:
        return status, content_type, encoded(value)
    except UnicodeEncodeError as cause:
        return error(500, f"the reply cannot be sent: {cause}")
    except (TypeError, ValueError, RecursionError):
        return error(503, "Unsupported model output data type: the reply is of type "
                     f"{type(value).__name__}; return bytes, text, or what JSON can say")


def error(status, message, content_type="text/plain"):
    """What UTF-8 has no form for is shown as an escape."""
    try:
        return status, content_type, message.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return status, content_type, message.encode("utf-8", "backslashreplace")


def is_status(value):
    try:
        return 100 <= int(value) <= 999
    except (TypeError, ValueError, OverflowError):
        return False


def is_header(value):
    try:
        return not re.search(rb"[\0-\x1f\x7f]", value.encode("utf-8", "surrogateescape"))
    except (AttributeError, UnicodeEncodeError):
        return False


def encoded(value):
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    return json.dumps(value, indent=2).encode("utf-8")
