"""Every content type in, every accept out: records, order, labels and scores, as the native model's
specification says, through the command line."""
import csv
import io
import json
import re

import numpy as np
import pytest

from cli import files_in, json_lines, write

TEXTS = ["great app", "I hate it", "Crashes always, again and again!", "naïve café 😀", "ok"]


def transform(cli, model, tmp_path, name, content, *flags, **options):
    """One object through the program; returns the output's text and the run."""
    source = write(tmp_path / "in" / name, content)
    target = tmp_path / "result.out"
    run = cli.transform(model, source, target, *flags, **options)
    return target.read_bytes().decode(), run


def classified(cli, model, texts):
    """What the program says of texts one by one: the yardstick for all formats."""
    run = cli.run("classify", "--model", model, "--json", stdin="".join(t + "\n" for t in texts))
    return [json.loads(line) for line in run.stdout.splitlines()]


def is_float32_as_python_prints_it(text):
    return repr(float(np.float32(float(text)))) == text


@pytest.fixture
def results(cli, tiny_model, tmp_path):
    """[(label, score text)] of TEXTS, from text/plain in and text/csv out."""
    text, _ = transform(cli, tiny_model, tmp_path / "yardstick", "texts.txt",
                        "".join(t + "\n" for t in TEXTS))
    rows = list(csv.reader(io.StringIO(text)))
    assert len(rows) == len(TEXTS)
    return [tuple(row) for row in rows]


def test_plain_text_lines_become_csv_rows(results):
    assert {label for label, _ in results} <= {"NEGATIVE", "POSITIVE"}
    for _, score in results:
        assert 0.5 <= float(score) <= 1
        assert is_float32_as_python_prints_it(score)


def test_json_lines_become_json_lines(cli, tiny_model, tmp_path, results):
    text, run = transform(cli, tiny_model, tmp_path, "texts.jsonl",
                          json_lines({"inputs": t} for t in TEXTS))
    expected = "".join(f'[{{"label":"{label}","score":{score}}}]\n' for label, score in results)
    assert text == expected
    assert run.summary["records"] == len(TEXTS)


def test_a_json_line_may_be_a_string_a_list_or_a_pair(cli, tiny_model, tmp_path, results):
    lines = ['"great app"', '{"inputs":["great app","I hate it"]}',
             '{"inputs":{"text":"great app","text_pair":"I hate it"}}']
    text, _ = transform(cli, tiny_model, tmp_path, "texts.jsonl", "\n".join(lines))
    first, two, pair = [json.loads(line) for line in text.splitlines()]
    assert [first[0]["label"]] == [results[0][0]]
    assert [each["label"] for each in two] == [results[0][0], results[1][0]]
    assert [repr(each["score"]) for each in two] == [results[0][1], results[1][1]]
    assert list(pair) == ["label", "score"] and pair["score"] != first[0]["score"], (
        "a pair is answered by one object, as Hugging Face does")


def test_one_json_document_is_answered_by_one(cli, tiny_model, tmp_path, results):
    text, run = transform(cli, tiny_model, tmp_path, "one.json",
                          '{\n  "inputs": "great app"\n}\n')
    assert json.loads(text) == [{"label": results[0][0], "score": float(results[0][1])}]
    assert text.rstrip("\n") == f'[{{"label":"{results[0][0]}","score":{results[0][1]}}}]'
    assert run.summary["records"] == 1


def test_parameters_of_a_record_count(cli, tiny_model, tmp_path, results):
    records = [{"inputs": "great app", "parameters": {"top_k": None}},
               {"inputs": "great app", "parameters": {"top_k": 1}},
               {"inputs": "great app", "parameters": {"function_to_apply": "sigmoid"}},
               {"inputs": "great app", "parameters": {"function_to_apply": "none"}},
               {"inputs": "great app " * 20, "parameters": {"truncation": True, "max_length": 4}}]
    text, run = transform(cli, tiny_model, tmp_path, "texts.jsonl", json_lines(records))
    every, top, sigmoid, logit, cut = [json.loads(line) for line in text.splitlines()]
    assert sorted(each["label"] for each in every) == ["NEGATIVE", "POSITIVE"]
    assert every[0]["score"] >= every[1]["score"]
    assert sum(each["score"] for each in every) == pytest.approx(1, abs=1e-6)
    assert top == every[:1]
    assert sigmoid[0]["score"] == pytest.approx(1 / (1 + np.exp(-logit[0]["score"])), abs=1e-6)
    assert cut == top, "cut to [CLS] great app [SEP], as long as the other"
    assert run.summary["truncated"] == 1


def test_csv_of_one_column_becomes_label_and_score(cli, tiny_model, tmp_path, results):
    rows = "".join('"' + t.replace('"', '""') + '"\r\n' for t in TEXTS)
    text, run = transform(cli, tiny_model, tmp_path, "texts.csv", rows)
    assert [tuple(row) for row in csv.reader(io.StringIO(text))] == results
    assert run.summary["records"] == len(TEXTS)


def test_tsv_is_csv_with_tabs(cli, tiny_model, tmp_path, results):
    rows = "".join(f"{i}\t{t}\n" for i, t in enumerate(TEXTS))
    text, _ = transform(cli, tiny_model, tmp_path, "texts.tsv", rows, "--text-column", "1")
    assert [tuple(re.split("[,\t]", line)) for line in text.splitlines()] == results


def test_text_column_by_name_and_by_index_agree(cli, tiny_model, tmp_path, results):
    body = "".join(f'{i},"{t}",5\n' for i, t in enumerate(TEXTS))
    named, _ = transform(cli, tiny_model, tmp_path / "a", "texts.csv", "id,review,stars\n" + body,
                         "--csv-header", "--text-column", "review")
    indexed, _ = transform(cli, tiny_model, tmp_path / "b", "texts.csv", body,
                           "--text-column", "1")
    rows = [tuple(row) for row in csv.reader(io.StringIO(indexed))]
    assert rows == results
    assert [tuple(row) for row in csv.reader(io.StringIO(named))][-len(TEXTS):] == results


def test_a_field_of_a_json_object_may_be_the_text(cli, tiny_model, tmp_path, results):
    records = [{"id": i, "review": {"body": t}} for i, t in enumerate(TEXTS)]
    text, _ = transform(cli, tiny_model, tmp_path, "texts.jsonl", json_lines(records),
                        "--text-column", "review.body")
    assert [json.loads(line)[0]["label"] for line in text.splitlines()] == [r[0] for r in results]


def test_accept_chooses_the_replys_type(cli, tiny_model, tmp_path, results):
    source = json_lines({"inputs": t} for t in TEXTS)
    text, _ = transform(cli, tiny_model, tmp_path, "t.jsonl", source, "--accept", "text/csv")
    assert [tuple(row) for row in csv.reader(io.StringIO(text))] == results
    rows = "".join(f'"{t}"\n' for t in TEXTS)
    text, _ = transform(cli, tiny_model, tmp_path / "b", "t.csv", rows,
                        "--accept", "application/jsonlines")
    assert [json.loads(line)[0]["label"] for line in text.splitlines()] == [r[0] for r in results]


def test_lines_end_at_newlines_only(cli, tiny_model, tmp_path):
    source = "great\u2028app\u2029\x0b\x0c\x85 x\nI hate it\n"
    text, run = transform(cli, tiny_model, tmp_path, "texts.txt", source)
    assert run.summary["records"] == 2 and len(text.splitlines()) == 2


def test_carriage_returns_and_a_byte_order_mark_change_nothing(cli, tiny_model, tmp_path):
    lines = [json.dumps({"inputs": t}) for t in TEXTS]
    unix, _ = transform(cli, tiny_model, tmp_path / "a", "t.jsonl", "\n".join(lines) + "\n")
    windows, _ = transform(cli, tiny_model, tmp_path / "b", "t.jsonl",
                           "\ufeff" + "\r\n".join(lines) + "\r\n")
    unended, _ = transform(cli, tiny_model, tmp_path / "c", "t.jsonl", "\n".join(lines))
    assert unix == windows == unended


def test_empty_and_null_texts(cli, tiny_model, tmp_path):
    source = json_lines([{"inputs": ""}, {"inputs": None}, {"inputs": "ok"}])
    text, run = transform(cli, tiny_model, tmp_path, "t.jsonl", source)
    empty, null, ok = [json.loads(line) for line in text.splitlines()]
    assert empty[0]["label"] in ("NEGATIVE", "POSITIVE"), "as Hugging Face does"
    assert null == [{"label": None, "score": None}]
    assert ok[0]["label"]
    assert run.summary["empty"] == 2
    text, run = transform(cli, tiny_model, tmp_path / "b", "t.csv", 'ok\n""\nok\n')
    assert list(csv.reader(io.StringIO(text)))[1] == ["", ""]
    assert run.summary["empty"] == 1


def test_exact_duplicates_are_counted_and_answered_alike(cli, tiny_model, tmp_path):
    text, run = transform(cli, tiny_model, tmp_path, "t.txt", "great app\nok\n" * 50)
    assert len(set(text.splitlines()[::2])) == 1
    assert run.summary["duplicates"] == 98


def test_long_texts_are_truncated_and_counted(cli, tiny_model, tmp_path):
    text, run = transform(cli, tiny_model, tmp_path, "t.txt", "great " * 5000 + "\nok\n")
    assert len(text.splitlines()) == 2 and run.summary["truncated"] == 1


def test_shaped_outputs(cli, tiny_model, tmp_path):
    source = json_lines({"inputs": t} for t in TEXTS)

    def shaped(shape, *flags):
        text, _ = transform(cli, tiny_model, tmp_path / shape, "t.jsonl", source,
                            "--env", f"MILLRACE_OUTPUT={shape}", *flags)
        return [json.loads(line) for line in text.splitlines()]

    for each in shaped("columns"):
        assert list(each) == ["predicted_label", "predicted_score", "score_NEGATIVE",
                              "score_POSITIVE"]
        assert each["predicted_score"] == max(each["score_NEGATIVE"], each["score_POSITIVE"])
    assert all(list(each) == ["logit_NEGATIVE", "logit_POSITIVE"] for each in shaped("logits"))
    assert all(len(each) == 32 for each in shaped("embedding"))


def test_thresholds_choose_the_label(cli, tiny_model, tmp_path):
    source = "".join(t + "\n" for t in TEXTS)
    text, _ = transform(cli, tiny_model, tmp_path, "t.txt", source,
                        "--thresholds", '{"NEGATIVE":0.0}')
    assert all(line.startswith("NEGATIVE,") for line in text.splitlines())
    text, _ = transform(cli, tiny_model, tmp_path / "b", "t.txt", source, "--thresholds",
                        '{"NEGATIVE":1.0,"POSITIVE":1.0}', "--otherwise", "NEUTRAL")
    assert all(line.startswith("NEUTRAL,") for line in text.splitlines())


def test_scores_are_rounded_on_request(cli, tiny_model, tmp_path, results):
    text, _ = transform(cli, tiny_model, tmp_path, "t.txt", "".join(t + "\n" for t in TEXTS),
                        "--score-digits", "3")
    assert [row[1] for row in csv.reader(io.StringIO(text))] == [
        repr(round(float(score), 3)) for _, score in results]


def test_cleaning_happens_before_the_model(cli, tiny_model, tmp_path):
    text, _ = transform(cli, tiny_model, tmp_path, "t.txt",
                        "great app\n<b>great</b> app https://x.example/y\nI <3 great app\n",
                        "--clean", "html,urls,whitespace")
    plain, marked, heart = text.splitlines()
    assert plain == marked and heart != plain


def test_classify_answers_what_transform_does(cli, tiny_model, results):
    run = cli.run("classify", "--model", tiny_model, *TEXTS)
    rows = [line.split("\t") for line in run.stdout.splitlines()]
    assert [row[0] for row in rows] == [label for label, _ in results]
    assert [row[2] for row in rows] == TEXTS
    for row, (_, score) in zip(rows, results):
        assert float(row[1]) == pytest.approx(float(score), abs=1e-3)
    assert len(classified(cli, tiny_model, TEXTS)) == len(TEXTS)


def test_assembling_without_newlines(cli, tiny_model, tmp_path):
    text, _ = transform(cli, tiny_model, tmp_path, "t.jsonl",
                        json_lines({"inputs": t} for t in TEXTS[:2]),
                        "--assemble-with", "None", "--batch-strategy", "SingleRecord")
    assert "\n" not in text and text.count("}][{") == 1


def test_nothing_but_the_output_is_written(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in" / "t.txt", "ok\n")
    cli.transform(tiny_model, source, tmp_path / "out")
    assert list(files_in(tmp_path / "out")) == ["t.txt.out"]
    assert files_in(tmp_path / "in") == {"t.txt": b"ok\n"}
    assert not files_in(cli.home), "a completed job leaves no work area"
