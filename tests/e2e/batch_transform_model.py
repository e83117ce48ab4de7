"""Batch Transform's data processing, as slow and as plain as it can be written: one record after
the other, with Python's csv and json. The property test compares the program with it.

JSON texts are written here as the program writes them: compact, keys sorted by their UTF-8 bytes,
numbers with the digits they came with.
"""
import csv
import io
import json


class Refused(Exception):
    """The record, and with it the object, is refused."""


class Number(str):
    """A JSON number, as it is written."""


def parse_json(text):
    return json.loads(text, parse_float=Number, parse_int=Number)


def dump_json(value):
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        members = sorted(value.items(), key=lambda item: item[0].encode())
        return "{" + ",".join(dump_json(k) + ":" + dump_json(v) for k, v in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump_json, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


# --- JSONPath: a list of steps, a step a list of selectors ---
# A selector is ("name", text), ("index", n), ("slice", start, end, step) or ("all",).

def path_text(steps):
    return "$" + "".join("[" + ",".join(map(_selector_text, step)) + "]" for step in steps)


def _selector_text(selector):
    kind, *rest = selector
    if kind == "name":
        return "'" + rest[0] + "'"
    if kind == "index":
        return str(rest[0])
    if kind == "all":
        return "*"
    start, end, step = ("" if n is None else str(n) for n in rest)
    return f"{start}:{end}" + (f":{step}" if step else "")


def _positions(selector, count, extended):
    if selector[0] == "index":
        n = selector[1] + count if selector[1] < 0 else selector[1]
        return [n] if 0 <= n < count else None
    _, start, end, step = selector
    if not extended and end is not None:  # SageMaker includes the end
        end = end + count if end < 0 else end
        end = max(end + 1, 0)
    return list(range(count))[slice(start, end, step)]


def _step(node, selector, extended):
    if selector[0] == "name":
        if isinstance(node, dict) and selector[1] in node:
            return [node[selector[1]]]
    elif selector[0] == "all":
        if isinstance(node, dict):
            return [node[key] for key in sorted(node, key=str.encode)]
        if isinstance(node, list):
            return list(node)
    elif isinstance(node, list):
        found = _positions(selector, len(node), extended)
        if found is not None:
            return [node[i] for i in found]
    if extended:
        return []
    raise Refused(f"{selector} of {node}")


def select_json(value, steps, extended):
    if not steps:
        return value
    nodes = [value]
    single = all(len(step) == 1 and step[0][0] in ("name", "index") for step in steps)
    *before, last = steps
    before_single = all(len(step) == 1 and step[0][0] in ("name", "index") for step in before)
    members = not single and before_single and all(s[0] == "name" for s in last)
    for step in before if members else steps:
        nodes = [found for node in nodes for s in step for found in _step(node, s, extended)]
    if members:
        node = nodes[0] if nodes else {}
        if not isinstance(node, dict):
            if not extended:
                raise Refused("no object")
            node = {}
        wanted = [s[1] for s in last]
        if not extended and any(name not in node for name in wanted):
            raise Refused("no such member")
        return {name: node[name] for name in wanted if name in node}
    if single:
        if not nodes:
            raise Refused("nothing")
        return nodes[0]
    return nodes


def select_csv(row, steps, extended, names=None):
    if not steps:
        return row
    found = []
    for selector in steps[0]:
        if selector[0] == "all":
            found += range(len(row))
            continue
        if selector[0] == "name":
            selector = ("index", names.index(selector[1]))
        positions = _positions(selector, len(row), extended)
        if positions is None:
            raise Refused("no such column")
        found += positions
    if not found:
        raise Refused("no column")
    return [row[i] for i in found]


# --- records ---

def csv_text(row):
    """A row as the program writes it where its fields came quoted only if they must be."""
    if row == [""]:
        return '""'
    return ",".join(csv_field(field) for field in row)


def csv_field(field):
    if any(c in field for c in ',"\n\r'):
        return '"' + field.replace('"', '""') + '"'
    return field


def transform_csv(content, settings, answer):
    """The output of one object, or None where it is refused. `answer(row)`: the model's row."""
    rows = list(csv.reader(io.StringIO(content, newline="")))
    rows = [row for row in rows if row]
    lines = []
    names = result_names = None
    extended = settings["extended"]
    try:
        if settings["header"]:
            names = rows.pop(0)
            result_names = (names if settings["join"] else []) + settings["result_names"]
            header = select_csv(result_names, settings["output"], extended, result_names)
            lines.append(csv_text(header))
        for row in rows:
            sent = select_csv(row, settings["input"], extended, names)
            result = answer(sent)
            joined = row + result if settings["join"] else result
            lines.append(csv_text(select_csv(joined, settings["output"], extended, result_names)))
    except Refused:
        return None
    return "".join(line + "\n" for line in lines)


def transform_json(records, settings, answer):
    """`records`: texts. The texts of the results, or None where the object is refused."""
    results = []
    try:
        for text in records:
            record = parse_json(text)
            sent = select_json(record, settings["input"], settings["extended"])
            result = answer(sent)
            if settings["join"]:
                joined = dict(record) if isinstance(record, dict) else {"SageMakerInput": record}
                joined["SageMakerOutput"] = result
            else:
                joined = result
            results.append(dump_json(select_json(joined, settings["output"],
                                                 settings["extended"])))
    except Refused:
        return None
    return results
