"""InputFilter, JoinSource and OutputFilter through the command line: random objects under random
settings, compared byte for byte with a plain model of Batch Transform; and SageMaker's own cases.

A few hundred objects run here; MILLRACE_TEST_OBJECTS=20000 makes it the long form.
"""
import json
import os
import random
import re

import pytest

import batch_transform_model as model
from cli import files_in, json_lines, write

OBJECTS = int(os.environ.get("MILLRACE_TEST_OBJECTS", "320"))
OBJECTS_IN_A_JOB = 16

WORDS = ["good", "bad", "great app", "I hate it", "naïve, café", "a \"quoted\" word", "😀 nice",
         "ok"]
RESULT_NAMES = ["predicted_label", "predicted_score"]


@pytest.fixture(scope="module")
def answers(millrace, tiny_model, tmp_path_factory):
    """text -> (label, score as it is written), asked once for all texts that tests use."""
    from cli import Cli
    run = Cli(millrace, tmp_path_factory.mktemp("home")).run(
        "classify", "--model", tiny_model, "--json", stdin="".join(w + "\n" for w in WORDS))
    found = {}
    for word, line in zip(WORDS, run.stdout.splitlines()):
        label, score = re.search(r'"label":\s*"(\w+)".*?"score":\s*([0-9.e+-]+)', line).groups()
        found[word] = (label, score)
    return found


class Cases:
    """Random settings and objects, the same in every run."""

    def __init__(self, seed):
        self.random = random.Random(f"{seed}6")

    def pick(self, *choices):
        return self.random.choice(choices)

    def settings(self, csv):
        extended = self.pick(False, True)
        header = csv and self.pick(False, True)
        join = self.pick(False, True)
        settings = {"extended": extended, "header": header, "join": join,
                    "result_names": RESULT_NAMES}
        if csv:
            settings |= self.csv_input(extended and header)
            columns = ["id", "text", "extra"] * join + RESULT_NAMES
            settings["output"] = self.csv_path(columns, extended, extended and header)
        else:
            settings["input"] = self.pick([], [[("name", "inputs")]],
                                          [[("name", "inputs"), ("name", "id")]])
            settings["output"] = self.json_path(join, extended)
        return settings

    def csv_input(self, named):
        """An InputFilter, and where the text then stands."""
        choices = [([], 1), ([[("index", 1)]], 0), ([[("index", -2)]], 0),
                   ([[("index", 2), ("index", 1)]], 1), ([[("slice", 1, None, None)]], 0),
                   ([[("all",)]], 1)]
        if named:
            choices += [([[("name", "text"), ("name", "id")]], 0), ([[("name", "text")]], 0)]
        path, column = self.pick(*choices)
        return {"input": path, "text_column": column}

    def csv_path(self, columns, extended, named):
        if self.pick(True, False, False):
            return []
        if self.pick(True, False):
            return [[self.slice(extended)]]
        selectors = []
        for _ in range(self.pick(1, 1, 2, 3)):
            # Rarely beyond the columns: then the object is to fail.
            index = self.random.randint(-len(columns), len(columns) - self.pick(1, 1, 1, 1, 1, 0))
            selectors.append(("name", self.pick(*columns)) if named and self.pick(True, False)
                             else ("index", index))
        if extended and self.pick(True, False, False):
            selectors.append(self.slice(True))
        return [selectors]

    def slice(self, extended):
        bound = [None, 0, 1, 2, -1, -2]
        return ("slice", self.pick(*bound), self.pick(*bound),
                self.pick(None, None, 1, 2, -1) if extended else None)

    def json_path(self, join, extended):
        if self.pick(True, False, False, False):
            return []
        label = [[("index", 0)], [("name", "label")]]
        paths = [label, [[("index", -1)]], [[("all",)]], [[("slice", 0, 0, None)]],
                 [[("all",)], [("name", "score")]], [[("index", 0)], [("all",)]],
                 [[("index", 1)], [("name", "label")]], [[("index", 0)], [("name", "nothere")]]]
        if join:
            paths = [[[("name", "SageMakerOutput")]] + path for path in paths]
            paths += [[[("name", "id"), ("name", "SageMakerOutput")]], [[("name", "id")]],
                      [[("name", "extra"), ("name", "nothere")]], [[("all",)]]]
        return self.pick(*paths)

    def csv_object(self, header):
        rows = [["id", "text", "extra"]] if header else []
        for number in range(self.pick(1, 2, 7)):
            rows.append([str(number), self.pick(*WORDS), self.pick("", "x", "1.50", "a,b")])
        end = self.pick("\n", "\r\n")
        text = end.join(",".join(map(model.csv_field, row)) for row in rows)
        return text + self.pick(end, "")

    def json_records(self):
        return [self.spaced(record) for record in
                ({"id": number, "inputs": self.pick(*WORDS), "extra": self.extra()}
                 for number in range(self.pick(1, 2, 7)))]

    def extra(self):
        return self.pick(None, True, "é\n\"", [], {"b": {"z": 1, "Z": [2]}, "a": []})

    def spaced(self, value):
        """JSON with blanks, keys in any order, and numbers in forms that no parser would print."""
        items = list(value.items())
        self.random.shuffle(items)
        blank = self.pick("", " ")
        members = ("," + blank).join(json.dumps(k) + blank + ":" + blank +
                                     json.dumps(v, ensure_ascii=False) for k, v in items)
        number = self.pick("1.10", "2E+2", "-0", "123456789012345678901234567890")
        return "{" + members + "," + blank + json.dumps("n") + ":" + number + "}"


def csv_job(cases, answers):
    settings = cases.settings(csv=True)
    objects = {}
    for i in range(OBJECTS_IN_A_JOB):
        content = cases.csv_object(settings["header"])
        objects[f"{i}.csv"] = content, model.transform_csv(
            content, settings, lambda row: list(answers[row[settings["text_column"]]]))
    named = settings["header"] and any(s[0] == "name" for p in settings["input"] for s in p)
    flags = ["--text-column", "text" if named else settings["text_column"]]
    if settings["header"]:
        flags += ["--csv-header"]
    return settings, objects, flags


def jsonl_job(cases, answers):
    settings = cases.settings(csv=False)
    objects = {}
    for i in range(OBJECTS_IN_A_JOB):
        records = cases.json_records()
        end = cases.pick("\n", "\r\n")
        results = model.transform_json(records, settings, json_answer(answers))
        expected = None if results is None else "".join(r + "\n" for r in results)
        objects[f"{i}.jsonl"] = end.join(records) + cases.pick(end, ""), expected
    return settings, objects, []


def json_job(cases, answers):
    settings = cases.settings(csv=False)
    objects = {}
    for i in range(OBJECTS_IN_A_JOB):
        record = cases.json_records()[0]
        results = model.transform_json([record], settings, json_answer(answers))
        content = record + cases.pick("", "\n")
        objects[f"{i}.json"] = content, None if results is None else results[0]
    return settings, objects, []


def json_answer(answers):
    def answer(sent):
        text = sent["inputs"] if isinstance(sent, dict) else sent
        label, score = answers[text]
        return [{"label": label, "score": model.Number(score)}]
    return answer


@pytest.mark.parametrize("make_job", [csv_job, jsonl_job, json_job])
def test_random_objects_under_random_settings_are_what_the_plain_model_says(
        cli, tiny_model, answers, tmp_path, make_job):
    cases = Cases(seed=make_job.__name__)
    refused = 0
    for number in range(max(1, OBJECTS // OBJECTS_IN_A_JOB // 3)):
        settings, objects, flags = make_job(cases, answers)
        flags += ["--json-path", "extended"] * settings["extended"]
        flags += ["--join-source", "Input"] * settings["join"]
        for side in ("input", "output"):
            if settings[side]:
                flags += [f"--{side}-filter", model.path_text(settings[side])]
        flags += ["--batch-strategy", cases.pick("MultiRecord", "SingleRecord"),
                  "--part-bytes", cases.pick(1, 64, 1 << 20)]
        source, target = tmp_path / f"in{number}", tmp_path / f"out{number}"
        for name, (content, _) in objects.items():
            write(source / name, content)
        run = cli.transform(tiny_model, source, target, *flags, exit_status=None)
        written = {name: content.decode() for name, content in files_in(target).items()} \
            if target.exists() else {}
        expected = {name + ".out": out for name, (_, out) in objects.items() if out is not None}
        assert written == expected, f"{flags}\n{run.stderr}"
        assert run.exit_status == (0 if len(expected) == len(objects) else 1), run.stderr
        refused += len(objects) - len(expected)
    assert refused > 0, "some settings ask for what is not there"


# --- SageMaker's own cases ---

def request_file(tmp_path, **data_processing):
    return write(tmp_path / "request.json", json.dumps({"DataProcessing": data_processing}))


def test_the_table_of_the_guide_through_a_request_file(cli, tiny_model, answers, tmp_path):
    source = write(tmp_path / "in.csv", "7,good,x\n8,bad,y\n")
    request = request_file(tmp_path, InputFilter="$[1:]", JoinSource="Input",
                           OutputFilter="$[0,-1]")
    cli.transform(tiny_model, source, tmp_path / "out.csv", "--cli-input-json", request,
                  "--text-column", "0")
    assert (tmp_path / "out.csv").read_text() == \
        f"7,{answers['good'][1]}\n8,{answers['bad'][1]}\n"


def test_names_with_underscores_are_refused_in_sagemakers_words(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in.jsonl", json_lines([{"account_id": 1, "inputs": "good"}]))
    request = request_file(tmp_path, OutputFilter="$['account_id','SageMakerOutput']",
                           JoinSource="Input")
    run = cli.transform(tiny_model, source, tmp_path / "out", "--cli-input-json", request,
                        exit_status=2)
    assert ("Invalid OutputFilter: \"$['account_id','SageMakerOutput']\". Unexpected \"_\" in "
            "JsonPath. Supported operators for \"application/jsonlines\" are ['$', '[', ']', '*', "
            "'.', ' ', ',', ':', '-', ''']") in run.stderr
    assert not (tmp_path / "out").exists()
    cli.transform(tiny_model, source, tmp_path / "out.jsonl", "--cli-input-json", request,
                  env={"MILLRACE_JSON_PATH": "extended"})
    assert list(json.loads((tmp_path / "out.jsonl").read_text())) == ["SageMakerOutput",
                                                                      "account_id"]


def test_a_range_beside_an_index_is_refused_before_work_starts(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in.csv", "7,good\n")
    run = cli.transform(tiny_model, source, tmp_path / "out", "--output-filter", "$[0:2,246:]",
                        exit_status=2)
    assert ("Invalid JsonPath: $[0:2,246:]: only single range filters of format (eg: [1:5]) are "
            "supported. Format [0:2,246:] is not supported") in run.stderr


def test_inference_ids_stay_the_same_over_parts_and_differ_between_records(
        cli, tiny_model, answers, tmp_path):
    source = write(tmp_path / "in" / "a.jsonl",
                   json_lines({"inputs": w, "A": 1, "z": 2} for w in WORDS))
    run = cli.transform(tiny_model, source, tmp_path / "out.jsonl", "--generate-inference-id",
                        "--join-source", "Input", "--part-bytes", "40")
    assert run.summary["records"] == len(WORDS)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [list(line) for line in lines] == [
        ["A", "SageMakerInferenceId", "SageMakerInferenceTime", "SageMakerOutput", "inputs", "z"]
    ] * len(WORDS)
    uuid = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
    ids = [line["SageMakerInferenceId"] for line in lines]
    assert all(map(uuid.fullmatch, ids)) and len(set(ids)) == len(WORDS)
    times = {line["SageMakerInferenceTime"] for line in lines}
    assert len(times) == 1
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", times.pop())


def test_inference_ids_are_two_last_columns_with_their_names(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in.csv", "id,text\n7,good\n8,bad\n")
    cli.transform(tiny_model, source, tmp_path / "out.csv", "--csv-header", "--text-column", "text",
                  "--join-source", "Input", "--output-filter", "$[0]",
                  "--generate-inference-id")
    header, *rows = [line.split(",") for line in (tmp_path / "out.csv").read_text().splitlines()]
    assert header == ["id", "SageMakerInferenceId", "SageMakerInferenceTime"]
    assert [row[0] for row in rows] == ["7", "8"]
    assert rows[0][2] == rows[1][2] and rows[0][1] != rows[1][1]


def test_data_capture_lists_inputs_and_outputs_by_the_hour(cli, tiny_model, tmp_path):
    write(tmp_path / "in" / "a.csv", "good\n")
    write(tmp_path / "in" / "more" / "b.csv", "bad\n")
    cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", "--data-capture-destination",
                  tmp_path / "captured", "--job-name", "nightly")
    files = files_in(tmp_path / "captured")
    hours = {re.fullmatch(r"(input|output)/(\d{4}/\d\d/\d\d/\d\d)/nightly\.json", name).groups()
             for name in files}
    assert {side for side, _ in hours} == {"input", "output"} and len(files) == 2
    lists = {name.split("/")[0]: json.loads(content) for name, content in files.items()}
    assert lists["input"] == [{"prefix": f"{tmp_path}/in/"}, "a.csv", "more/b.csv"]
    assert lists["output"] == [{"prefix": f"{tmp_path}/out/"}, "a.csv.out", "more/b.csv.out"]


def test_data_capture_lists_the_one_output_of_a_merge(cli, tiny_model, tmp_path):
    for name in "ab":
        write(tmp_path / "in" / f"{name}.csv", "good\n")
    cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", "--merge", "all.csv",
                  "--data-capture-destination", tmp_path / "captured")
    lists = {name.split("/")[0]: json.loads(content)
             for name, content in files_in(tmp_path / "captured").items()}
    assert lists["input"][1:] == ["a.csv", "b.csv"] and lists["output"][1:] == ["all.csv"]


def test_a_capture_that_cannot_be_written_is_told_and_the_outputs_are_there(cli, tiny_model,
                                                                             tmp_path):
    source = write(tmp_path / "in.csv", "good\n")
    write(tmp_path / "file", "")
    run = cli.transform(tiny_model, source, tmp_path / "out.csv", "--data-capture-destination",
                        tmp_path / "file" / "x", "--report", tmp_path / "report.json",
                        exit_status=1)
    assert "data capture" in run.stderr and run.summary["status"] == "Completed"
    assert (tmp_path / "out.csv").exists() and (tmp_path / "report.json").exists()


@pytest.mark.parametrize("flags,ends", [
    (["--generate-inference-id"], 4), (["--merge", "all.csv", "--merge-source-column", "from"], 3),
    (["--output-filter", "$[0]"], 1)])
def test_a_record_of_several_texts_has_whole_rows(cli, tiny_model, tmp_path, flags, ends):
    write(tmp_path / "in" / "a.jsonl", json_lines([{"inputs": ["good", "bad", "a"]}, "nice"]))
    cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", "--accept", "text/csv", *flags)
    (content,) = files_in(tmp_path / "out").values()
    rows = [line.split(",") for line in content.decode().splitlines()]
    assert [len(row) for row in rows] == [ends] * 4
    assert {row[0] for row in rows} <= {"NEGATIVE", "POSITIVE"}
    if "--merge" in flags:
        assert [row[2] for row in rows] == ["a.jsonl"] * 4
