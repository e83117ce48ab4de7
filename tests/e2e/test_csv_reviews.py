"""A table of reviews in, the same table with label and score columns out, by one command; pandas
reads it row for row."""
import io

import pandas as pd
import pytest

from cli import write

REVIEWS = [
    ("1", "great app", "5"), ("2", "I hate it, always", "1"), ("3", 'it "crashes"', "1"),
    ("4", "two\nlines", "3"), ("5", "windows\r\nlines\r\n\r\nand a blank", "2"), ("6", "", ""),
    ("007", " spaces ", "4"), ("8", "emoji 😀 ữ é", "5"), ("9", "NA", "NULL"), ("10", '"', ","),
    ("11", "great app", "5"), ("12", "5\" screen", "4"), ("13", "tab\there", "1e400"),
]


def read(content):
    return pd.read_csv(io.BytesIO(content), dtype=str, keep_default_na=False,
                       encoding="utf-8-sig")


def label(cli, model, source, target, *flags):
    run = cli.transform(model, source, target, "--csv-header", "--join-source", "Input", *flags)
    return run, target.read_bytes()


@pytest.fixture
def table():
    return pd.DataFrame(REVIEWS, columns=["id", "text", "score"])


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("part_bytes", ["1", "100", "8388608"])
def test_every_row_comes_back_with_its_answer(cli, tiny_model, tmp_path, table, line_end, mark,
                                              part_bytes):
    content = (mark + table.to_csv(index=False, lineterminator=line_end)).encode()
    source = write(tmp_path / "reviews.csv", content)
    run, output = label(cli, tiny_model, source, tmp_path / "labelled.csv", "--text-column",
                        "text", "--part-bytes", part_bytes)
    result, before = read(output), read(content)
    assert list(result) == ["id", "text", "score", "predicted_label", "predicted_score"]
    pd.testing.assert_frame_equal(result[["id", "text", "score"]], before)
    blank = result["text"] == ""
    assert set(result.loc[~blank, "predicted_label"]) <= {"NEGATIVE", "POSITIVE"}
    assert (result.loc[~blank, "predicted_score"].astype(float) >= 0.5).all()
    assert (result.loc[blank, ["predicted_label", "predicted_score"]] == "").all(axis=None)
    assert run.summary["records"] == len(REVIEWS) and run.summary["empty"] == blank.sum()
    same = result[result["text"] == "great app"]
    assert len(set(same["predicted_score"])) == 1


def test_the_inputs_bytes_stay_as_they_are(cli, tiny_model, tmp_path):
    source = write(tmp_path / "r.csv", 'id,"text"\n 007 ,"plain"\n"1","a ""b"""\n')
    _, output = label(cli, tiny_model, source, tmp_path / "o.csv", "--text-column", "1")
    lines = output.decode().splitlines()
    assert lines[0] == 'id,"text",predicted_label,predicted_score'
    assert lines[1].startswith(' 007 ,"plain",') and lines[2].startswith('"1","a ""b""",')


def test_column_names_that_are_taken_are_refused_before_work_starts(cli, tiny_model, tmp_path):
    source = write(tmp_path / "r.csv", "predicted_label,text\nx,ok\n")
    run = cli.transform(tiny_model, source, tmp_path / "o.csv", "--csv-header", "--join-source",
                        "Input", "--text-column", "text", exit_status=None)
    assert run.exit_status in (1, 2)
    assert "predicted_label" in run.stderr and "prefix" in run.stderr.lower()
    assert not (tmp_path / "o.csv").exists()
    _, output = label(cli, tiny_model, source, tmp_path / "o.csv", "--text-column", "text",
                      "--result-prefix", "model_")
    assert list(read(output)) == ["predicted_label", "text", "model_label", "model_score"]


def test_the_columns_shape_adds_a_score_for_each_label(cli, tiny_model, tmp_path, table):
    source = write(tmp_path / "r.csv", table.to_csv(index=False))
    _, output = label(cli, tiny_model, source, tmp_path / "o.csv", "--text-column", "text",
                      "--env", "MILLRACE_OUTPUT=columns")
    result = read(output)
    assert list(result)[3:] == ["predicted_label", "predicted_score", "score_NEGATIVE",
                                "score_POSITIVE"]
    assert len(result) == len(REVIEWS)


def test_the_uber_reviews(cli, tiny_model, tmp_path, test_data):
    source = test_data / "data/app-reviews/uber/uber_reviews_without_reviewid.csv"
    if not source.exists():
        pytest.skip(f"no {source}")
    _, output = label(cli, tiny_model, source, tmp_path / "uber.csv", "--text-column", "content")
    before, result = read(source.read_bytes()), read(output)
    assert list(result) == [*before, "predicted_label", "predicted_score"]
    pd.testing.assert_frame_equal(result[list(before)], before)
    answered = result["content"] != ""
    assert set(result.loc[answered, "predicted_label"]) == {"NEGATIVE", "POSITIVE"}
