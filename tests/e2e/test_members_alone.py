"""What boto3 users can send, and nothing else: a CreateTransformJob request whose Environment
reaches every opt-in. The results are read by the programs that people read them with."""
import csv
import io
import json
import shutil
import subprocess

import pytest

from cli import write

TEXTS = ["Ứng dụng rất dễ thương", 'Tệ quá, "không" dùng được', "Đẹp;\r\nnhưng chậm",
         "two\nlines, and a comma", "ok"]


def request_file(path, transform_input, transform_output, environment, **members):
    request = {"TransformJobName": "nightly", "ModelName": "reviews",
               "TransformInput": transform_input, "TransformOutput": transform_output,
               "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
               "Environment": environment, **members}
    return write(path, json.dumps(request))


@pytest.fixture
def joined(cli, tiny_model, tmp_path):
    """A table with a header, CRLF, quotes and line ends in its texts, cut in the midst of rows, and
    one bad row; joined through a request file. Returns its rows, and the folder of outputs."""
    rows = [[str(i), TEXTS[i % len(TEXTS)], "y" * (i % 40)] for i in range(300)]
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerows([["id", "nhận xét", "more"], *rows[:200]])
    out.write("only an id\r\n")
    writer.writerows(rows[200:])
    write(tmp_path / "in/reviews.csv", out.getvalue())
    rows.insert(200, ["only an id", "", ""])
    request = request_file(
        tmp_path / "request.json",
        {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": str(tmp_path / "in")}},
         "ContentType": "text/csv", "SplitType": "Line"},
        {"S3OutputPath": str(tmp_path / "out"), "Accept": "text/csv", "AssembleWith": "Line"},
        {"MILLRACE_OPTIONS": json.dumps({
            "CSV": "rfc4180", "CSV_HEADER": "true", "TEXT_COLUMN": "nhận xét",
            "ON_RECORD_ERROR": "record", "ERROR_THRESHOLD": "5", "CSV_BOM": "true"}),
         "MILLRACE_PART_BYTES": "700", "MILLRACE_OUTPUT_SUFFIX": ".joined.csv"},
        DataProcessing={"JoinSource": "Input"})
    run = cli.run("transform", "--model", tiny_model, "--cli-input-json", request)
    assert run.summary["status"] == "Completed"
    assert (run.summary["records"], run.summary["failed_records"]) == (301, 1)
    return rows, tmp_path / "out"


def check_rows(rows, found):
    header, answers = found[0], found[1:]
    assert header == ["id", "nhận xét", "more", "predicted_label", "predicted_score"]
    assert [row[:3] for row in answers] == rows
    assert answers[200] == ["only an id", "", "", "ERROR", ""]
    for row in answers[:200] + answers[201:]:
        assert row[3] in ("NEGATIVE", "POSITIVE") and 0.5 <= float(row[4]) <= 1


def test_a_joined_table_and_its_errors_file(joined):
    rows, out = joined
    text = (out / "reviews.csv.joined.csv").read_bytes().decode("utf-8-sig")
    check_rows(rows, list(csv.reader(io.StringIO(text, newline=""))))
    [line] = (out / "reviews.csv.joined.csv.errors.jsonl").read_text().splitlines()
    error = json.loads(line)
    assert (error["record_number"], error["record"]) == (201, "only an id")
    assert error["code"] == "bad_input"


def test_pandas_reads_it(joined):
    pandas = pytest.importorskip("pandas")
    rows, out = joined
    table = pandas.read_csv(out / "reviews.csv.joined.csv", dtype=str, keep_default_na=False,
                            encoding="utf-8-sig")
    # Its C reader takes CRLF inside quotes for LF.
    plain = [[field.replace("\r\n", "\n") for field in row] for row in rows]
    found = [list(table.columns)] + [[field.replace("\r\n", "\n") for field in row]
                                     for row in table.to_numpy().tolist()]
    check_rows(plain, found)


def test_libreoffice_reads_it(joined, tmp_path):
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("no LibreOffice")
    rows, out = joined
    source = shutil.copy(out / "reviews.csv.joined.csv", tmp_path / "joined.csv")
    subprocess.run(
        [office, f"-env:UserInstallation=file://{tmp_path}/profile", "--headless",
         "--convert-to", "csv:Text - txt - csv (StarCalc):9,34,76,1,,0,false,true",
         "--infilter=CSV:44,34,76,1,1/2/2/2/3/2/4/2/5/2", "--outdir", str(tmp_path / "office"),
         str(source)], check=True, timeout=120, capture_output=True)
    text = (tmp_path / "office/joined.csv").read_bytes().decode("utf-8-sig")
    found = list(csv.reader(io.StringIO(text, newline=""), delimiter="\t"))
    plain = [[field.replace("\r\n", "\n") for field in row] for row in rows]
    check_rows(plain, [[field.replace("\r\n", "\n") for field in row] for row in found])


def test_embeddings_become_a_column_that_pyarrow_reads(cli, parquet, tiny_model, tmp_path):
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.parquet
    table = arrow.table({"id": list(range(50)), "text": [TEXTS[i % 5] for i in range(50)]})
    (tmp_path / "in").mkdir()
    pyarrow.parquet.write_table(table, tmp_path / "in/t.parquet", row_group_size=20)
    request = request_file(
        tmp_path / "request.json",
        {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": str(tmp_path / "in")}}},
        {"S3OutputPath": str(tmp_path / "out")},
        {"MILLRACE_SPLIT_TYPE": "Parquet", "MILLRACE_TEXT_COLUMN": "text",
         "MILLRACE_OUTPUT": "embedding"})
    cli.run("transform", "--model", tiny_model, "--cli-input-json", request)
    found = pyarrow.parquet.read_table(tmp_path / "out/t.parquet.out")
    assert found.column("text").to_pylist() == table.column("text").to_pylist()
    element = found.schema.field("embedding").type.value_type
    assert element == arrow.float32()
    vectors = found.column("embedding").to_pylist()
    assert len(vectors) == 50 and len(vectors[0]) == 32
    assert vectors[0] == vectors[5] and vectors[0] != vectors[1]
