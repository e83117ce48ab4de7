"""A table of Vietnamese reviews through a boto3 user's request alone, then into pandas and, in
the long form (MILLRACE_LONG_TESTS=1), into LibreOffice where there is one: no cell changes."""
import csv
import io
import json
import os
import shutil
import subprocess

import pandas as pd
import pytest

from cli import write

TEXTS = ["Ứng dụng rất tốt, tôi thích nó!", "Quá tệ…\nkhông mở được\n\nlần nào cũng thế",
         'Tài xế nói "xin chào"\r\nrồi bỏ đi', "Giao hàng nhanh; giá hợp lý 👍", "",
         "  khoảng trắng  ", "Tiền hoàn lại\tchậm", "đ" * 300]
ROWS = [(f"{i:04}", f"{i},5", TEXTS[i % len(TEXTS)]) for i in range(64)]


def joined(cli, model, tmp_path, **more):
    """The table with the result columns, by what a CreateTransformJob request can say."""
    table = io.StringIO(newline="")
    csv.writer(table, lineterminator="\r\n").writerows([("mã", "điểm", "nội dung"), *ROWS])
    source = write(tmp_path / "đánh giá.csv", table.getvalue())
    request = {
        "TransformJobName": "vi", "ModelName": "m",
        "TransformInput": {"ContentType": "text/csv", "SplitType": "Line"},
        "TransformOutput": {"Accept": "text/csv", "AssembleWith": "Line"},
        "DataProcessing": {"JoinSource": "Input"},
        "Environment": {"MILLRACE_OPTIONS": json.dumps(
            {"CSV": "rfc4180", "CSV_HEADER": True, "TEXT_COLUMN": "nội dung", "PART_BYTES": 500,
             **more})}}
    write(tmp_path / "request.json", json.dumps(request))
    target = tmp_path / "out.csv"
    cli.transform(model, source, target, "--cli-input-json", tmp_path / "request.json")
    return target


def check(rows):
    assert rows[0] == ["mã", "điểm", "nội dung", "predicted_label", "predicted_score"]
    assert [tuple(row[:3]) for row in rows[1:]] == ROWS
    for row in rows[1:]:
        assert (row[3] in ("NEGATIVE", "POSITIVE")) == (row[2].strip() != "")


def test_pandas_reads_every_cell(cli, tiny_model, tmp_path):
    target = joined(cli, tiny_model, tmp_path)
    frame = pd.read_csv(target, dtype=str, keep_default_na=False)
    check([list(frame.columns), *frame.values.tolist()])
    scores = pd.read_csv(target)["predicted_score"]
    assert scores.dropna().between(0.5, 1).all() and scores.isna().sum() == 8


@pytest.mark.skipif(os.environ.get("MILLRACE_LONG_TESTS") != "1", reason="MILLRACE_LONG_TESTS=1")
def test_libreoffice_reads_every_cell(cli, tiny_model, tmp_path):
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("no LibreOffice here")
    target = joined(cli, tiny_model, tmp_path)
    # In as UTF-8 text columns, out as a spreadsheet of its own, and that as CSV again.
    text_columns = "/".join(f"{i}/2" for i in range(1, 6))
    steps = [(target, "ods", [f"--infilter=Text - txt - csv (StarCalc):44,34,76,1,{text_columns}"]),
             (tmp_path / "ods" / "out.ods", "csv:Text - txt - csv (StarCalc):44,34,76,1", [])]
    for source, form, flags in steps:
        folder = tmp_path / form.partition(":")[0]
        subprocess.run([office, "--headless", f"-env:UserInstallation=file://{tmp_path}/profile",
                        *flags, "--convert-to", form, "--outdir", folder, source], check=True,
                       timeout=300, capture_output=True)
    with open(tmp_path / "csv" / "out.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    # A line end is one character there, and a tab in a cell none.
    expected = [tuple(cell.replace("\r\n", "\n").replace("\t", "") for cell in row)
                for row in ROWS]
    assert [tuple(cell.replace("\r\n", "\n") for cell in row[:3]) for row in rows[1:]] == expected
