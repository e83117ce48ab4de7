"""Random objects under random combinations of all options of the data path, compared record by
record with a plain model: how objects are stored and cut, how requests are made, joins, filters,
bad records, how outputs are put together, compressed and merged.

Some hundred objects run here; MILLRACE_TEST_OBJECTS=20000 makes it the long form.
"""
import csv
import gzip
import io
import json
import os
import random
import re

import pytest

from batch_transform_model import Number, csv_field, dump_json, parse_json
from cli import Cli, files_in, write
from test_input_formats import record_io, tf_record
from test_output_forms import decompressed

OBJECTS = int(os.environ.get("MILLRACE_TEST_OBJECTS", "120"))
OBJECTS_IN_A_JOB = 6
SEED = int(os.environ.get("MILLRACE_TEST_SEED", "1"))

# All of Windows-1252, so that any encoding can hold them.
WORDS = ["good", "bad", "great app", "I hate it", "naïve, café", 'a "quoted" word', "è ok"]
ENCODINGS = {"utf-8": "utf-8", "utf-16": "utf-16", "utf-16le": "utf-16-le", "cp1252": "cp1252"}
ERROR = {"error": {"code": "bad_input", "message": "*"}}


@pytest.fixture(scope="module")
def answers(millrace, tiny_model, tmp_path_factory):
    """text -> (label, score as it is written), asked once."""
    run = Cli(millrace, tmp_path_factory.mktemp("home")).run(
        "classify", "--model", tiny_model, "--json", stdin="".join(w + "\n" for w in WORDS))
    pattern = re.compile(r'"label":\s*"(\w+)".*?"score":\s*([0-9.e+-]+)')
    return {word: pattern.search(line).groups()
            for word, line in zip(WORDS, run.stdout.splitlines())}


class Job:
    """A random job: its flags, its objects, and what the plain model says they become."""

    def __init__(self, number, answers):
        self.random = random.Random(f"{SEED}-{number}")
        self.answers = answers
        self.kind = self.pick("csv", "jsonl", "array", "RecordIO", "TFRecord")
        self.framed = self.kind in ("RecordIO", "TFRecord")
        self.join = self.pick(False, True) and not self.framed  # a join needs Line and Line
        self.on_error = self.pick("fail", "fail", "record", "drop")
        self.encoding = "utf-8" if self.framed else self.pick("utf-8", *ENCODINGS)
        self.gzip = self.pick(False, False, True)
        self.compression = self.pick("none", "none", "gzip", "zstd")
        self.merge = self.kind != "array" and self.pick(False, False, True)
        self.header = self.kind == "csv" and self.pick(False, True)
        self.delimiter = self.pick(",", ";", "\t") if self.kind == "csv" else ","
        # Merged, the mark stands before a header or is refused.
        markable = self.kind == "csv" and (self.header or not self.merge)
        self.bom = markable and self.pick(False, False, True)
        self.ids_only = self.join and self.kind != "csv" and self.pick(False, False, True)
        self.flags = self.make_flags()
        self.objects = {}
        self.expected = {}
        for i in range(OBJECTS_IN_A_JOB):
            self.add_object(f"{i}.{'csv' if self.kind == 'csv' else 'in'}")

    def pick(self, *choices):
        return self.random.choice(choices)

    def make_flags(self):
        media = {"csv": "text/csv", "array": "application/json"}
        split = {"csv": "Line", "jsonl": "Line", "array": "JsonArray"}
        flags = ["--content-type", media.get(self.kind, "application/jsonlines"),
                 "--split-type", split.get(self.kind, self.kind),
                 "--assemble-with", "None" if self.kind == "array" else "Line",
                 "--batch-strategy", self.pick("MultiRecord", "SingleRecord"),
                 "--part-bytes", self.pick(1, 40, 1000, 1 << 20),
                 "--max-payload-in-mb", self.pick(0, 1, 6), "--threads", self.pick(1, 3),
                 "--join-source", "Input" if self.join else "None",
                 "--on-record-error", self.on_error, "--encoding", self.encoding,
                 "--compression-type", "Gzip" if self.gzip else "None",
                 "--output-compression", self.compression]
        if self.kind == "csv":
            delimiter = "tab" if self.delimiter == "\t" else self.delimiter
            flags += ["--csv", "rfc4180", "--text-column", "1", "--csv-delimiter", delimiter]
        flags += ["--csv-header"] * self.header + ["--csv-bom"] * self.bom
        if self.ids_only:
            flags += ["--output-filter", "$['id','SageMakerOutput']"]
        if self.merge:
            flags += ["--merge", "all.out", "--output-suffix", ""]
        return flags

    def add_object(self, name):
        bad = self.pick(0, 0, 0.3) if self.on_error != "fail" else self.pick(0, 0, 0, 0.1)
        count = self.pick(0, 1, 2, 9, 40)
        records = [self.record(i, self.random.random() < bad) for i in range(count)]
        self.objects[name] = self.stored(records)
        results = [self.result(record) for record in records]
        refused = sum(result is None for result in results)
        if refused and self.on_error == "fail":
            self.expected[name] = None
            return
        kept = [self.placeholder(record) if result is None else result
                for record, result in zip(records, results)
                if result is not None or self.on_error == "record"]
        self.expected[name] = self.assembled(kept)

    # --- one record: a row, or a JSON text ---

    def record(self, number, bad):
        if self.kind == "csv":
            row = [str(number), self.pick(*WORDS), self.pick("", "x\ny", "1.50", "a,b;c\td")]
            return row[:1] if bad else row
        value = {"n": Number(self.pick("1.10", "2E+2", "-0")), "id": Number(str(number)),
                 "inputs": self.pick(*WORDS)}
        if bad:
            del value["inputs"]
        return dump_json(value)

    def result(self, record):
        """The text of its result, or None where it is refused."""
        if self.kind == "csv":
            if len(record) < 2:
                return None
            return self.row((record if self.join else []) + list(self.answers[record[1]]))
        value = parse_json(record)
        if "inputs" not in value:
            return None
        label, score = self.answers[value["inputs"]]
        return self.json_result(value, [{"label": label, "score": Number(score)}])

    def placeholder(self, record):
        if self.kind == "csv":
            columns = 3 if self.header else len(record)
            joined = record + [""] * (columns - len(record))
            return self.row((joined if self.join else []) + ["ERROR", ""])
        return self.json_result(parse_json(record), ERROR)

    def json_result(self, value, output):
        if not self.join:
            return dump_json(output)
        joined = value | {"SageMakerOutput": output}
        if self.ids_only:
            joined = {name: joined[name] for name in ("id", "SageMakerOutput")}
        return dump_json(joined)

    def row(self, fields):
        return self.delimiter.join(self.field(field) for field in fields)

    def field(self, text):
        if any(c in text for c in self.delimiter + '"\n\r'):
            return '"' + text.replace('"', '""') + '"'
        return text

    # --- an object ---

    def stored(self, records):
        if self.framed:
            frame = record_io if self.kind == "RecordIO" else tf_record
            data = b"".join(frame(record.encode()) for record in records)
        else:
            data = self.text_of(records).encode(ENCODINGS[self.encoding])
        if not self.gzip:
            return data
        cut = self.random.randint(0, len(data))  # two members
        return gzip.compress(data[:cut]) + gzip.compress(data[cut:])

    def text_of(self, records):
        if self.kind == "array":
            return "[" + self.pick(",", ",\n ").join(records) + "]" + self.pick("", "\n")
        end = self.pick("\n", "\r\n")
        if self.kind == "csv":
            rows = [["id", "text", "extra"]] * self.header + records
            records = [self.row(row) for row in rows]
        return end.join(records) + self.pick(end, "") * bool(records)

    def assembled(self, results):
        if self.kind == "array":
            return "[" + ",\n".join(results) + "]\n"
        head = []
        if self.header:
            head = [self.row((["id", "text", "extra"] if self.join else [])
                             + ["predicted_label", "predicted_score"])]
        mark = "\ufeff" if self.bom else ""
        return mark + "".join(line + "\n" for line in head + results)

    def merged(self):
        contents = [self.expected[name] for name in sorted(self.objects)]
        if None in contents:
            return {}
        first, *others = contents
        if self.bom:
            others = [content.removeprefix("\ufeff") for content in others]
        if self.header:
            others = [content.split("\n", 1)[1] for content in others]
        return {"all.out": first + "".join(others)}

    def outputs(self):
        if self.merge:
            return self.merged()
        return {name + ".out": content for name, content in self.expected.items()
                if content is not None}


def compare(cli, tiny_model, folder, job):
    for name, content in job.objects.items():
        write(folder / "in" / name, content)
    run = cli.transform(tiny_model, folder / "in", folder / "out", *job.flags, "--allow-empty",
                        exit_status=None)
    told = f"MILLRACE_TEST_SEED={SEED}\n{' '.join(map(str, job.flags))}\n{run.stderr}"
    suffix = {"none": "", "gzip": ".gz", "zstd": ".zst"}[job.compression]
    written = {}
    for name, content in (files_in(folder / "out") if (folder / "out").exists() else {}).items():
        if name.endswith(".errors.jsonl"):
            continue
        if suffix:
            content = decompressed(content, job.compression)
        text = content.decode()
        written[name.removesuffix(suffix)] = re.sub(
            r'("code":"bad_input","message":)"(?:[^"\\]|\\.)*"', r'\1"*"', text)
    # An empty file is no input on the command line.
    empty = {name for name, content in job.objects.items() if not content}
    expected = {name: text for name, text in job.outputs().items()
                if (len(empty) < len(job.objects) if job.merge
                    else name.removesuffix(".out") not in empty)}
    assert written == expected, told
    assert run.exit_status == (1 if None in job.expected.values() else 0), told


def test_random_combinations_of_options_are_what_the_plain_model_says(cli, tiny_model, answers,
                                                                      tmp_path):
    for number in range(max(1, OBJECTS // OBJECTS_IN_A_JOB)):
        compare(cli, tiny_model, tmp_path / str(number), Job(number, answers))


def test_the_plain_model_meets_every_option(answers):
    """The comparison would be worth little if the random jobs left something out."""
    jobs = [Job(number, answers) for number in range(200)]
    for name, values in {
            "kind": 5, "join": 2, "on_error": 3, "encoding": 4, "gzip": 2, "compression": 3,
            "merge": 2, "header": 2, "delimiter": 3, "bom": 2, "ids_only": 2}.items():
        assert len({getattr(job, name) for job in jobs}) == values, name
    assert any(None in job.expected.values() for job in jobs)
    assert any("ERROR" in (text or "") for job in jobs for text in job.expected.values())


def test_errors_files_name_exactly_the_records_that_were_refused(cli, tiny_model, answers,
                                                                 tmp_path):
    checked = {"alone": 0, "merged": 0}
    for number in range(200):
        job = Job(number, answers)
        if job.on_error == "fail" or job.kind == "array":
            continue
        folder = tmp_path / str(number)
        for name, content in job.objects.items():
            write(folder / "in" / name, content)
        cli.transform(tiny_model, folder / "in", folder / "out", *job.flags, "--allow-empty",
                      exit_status=0)
        told = errors_told(job, folder / "out")
        bad = {name: bad_rows(job, content) for name, content in sorted(job.objects.items())}
        refused = [(name, row) for name, rows in bad.items() for row in rows]
        assert told == refused, job.flags
        checked["merged" if job.merge else "alone"] += len(refused)
        if all(count > 20 for count in checked.values()):
            return
    raise AssertionError(f"too few records were refused: {checked}")


def errors_told(job, folder):
    """(object, record) of each line, in the order of the objects."""
    suffix = {"none": "", "gzip": ".gz", "zstd": ".zst"}[job.compression]
    names = [f"{name}.out{suffix}" for name in sorted(job.objects)]
    files = [folder / f"{name}.errors.jsonl" for name in (["all.out"] if job.merge else names)]
    lines = [json.loads(line) for file in files if file.exists()
             for line in file.read_text().splitlines()]
    return [(line["object"].rsplit("/")[-1], line["record_number"]) for line in lines]


def bad_rows(job, content):
    """Numbers, from 1, of the records without a text."""
    if job.gzip:
        content = gzip.decompress(content)
    if job.framed:
        pattern = rb'\{"id"[^}]*\}'
        return [i for i, text in enumerate(re.findall(pattern, content), 1)
                if b"inputs" not in text]
    text = content.decode(ENCODINGS[job.encoding])
    if job.kind == "csv":
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=job.delimiter))
        return [i for i, row in enumerate(rows[job.header:], 1) if len(row) < 2]
    return [i for i, line in enumerate(text.splitlines(), 1) if "inputs" not in json.loads(line)]
