"""docs/behaviour.md names tests: each of them is there."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = (ROOT / "docs/behaviour.md").read_text(encoding="utf-8")


def unit_tests():
    pattern = re.compile(r"TEST(?:_F|_P)?\((\w+),\s*(\w+)\)")
    found = {}
    for path in ROOT.glob("src/**/*_test.cc"):
        for suite, name in pattern.findall(path.read_text(encoding="utf-8")):
            found.setdefault(suite, set()).add(name)
    return found


def test_every_test_that_the_table_names_exists():
    units = unit_tests()
    missing = []
    for suite, name in re.findall(r"`([A-Z]\w+)\.(\*|[A-Z]\w+)`", TABLE):
        if suite not in units or (name != "*" and name not in units[suite]):
            missing.append(f"{suite}.{name}")
    files = {path.stem: path.read_text(encoding="utf-8")
             for path in (ROOT / "tests/e2e").glob("test_*.py")}
    for row in TABLE.splitlines():
        file = None
        for word in re.findall(r"e2e/(test_\w+)|`(test_\w+)`", row):
            if word[0]:
                file = word[0]
                missing += [] if file in files else [file]
            elif file and f"def {word[1]}(" not in files[file]:
                missing.append(f"{file} {word[1]}")
            elif not file:
                missing.append(f"{word[1]}: of which file?")
    assert missing == []


def test_every_behaviour_has_a_proof():
    table, _, _ = TABLE.partition("## Where it is deliberately not SageMaker")
    rows = [row for row in table.splitlines() if row.startswith("|") and "---" not in row]
    bare = [row for row in rows if row.count("|") == 3
            and not re.search(r"`[A-Z]\w+\.|test_|the same|e2e/|proof|csv-spectrum", row)]
    assert bare == []
