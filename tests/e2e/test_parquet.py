"""Parquet in and out: every row with its result, everything else as it was; read by pyarrow and
pandas. Skipped where the program was built without Apache Arrow."""
import datetime
import decimal
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli import files_in, write

TEXTS = ["great app", "I hate it", None, "", "two\nlines, \"quoted\" \\ é 😀 ữ", "ok", "NULL", "7"]


pytestmark = pytest.mark.usefixtures("parquet")


def reviews(rows=40):
    return pa.table({"id": pa.array(range(rows), pa.int64()),
                     "text": pa.array([TEXTS[i % len(TEXTS)] for i in range(rows)], pa.string())})


def transform(cli, model, tmp_path, table, *flags, name="reviews.parquet", env=None, **writing):
    source = tmp_path / "in" / name
    source.parent.mkdir(exist_ok=True)
    pq.write_table(table, source, **writing)
    target = tmp_path / f"result-{len(list(tmp_path.iterdir()))}.parquet"
    run = cli.transform(model, source, target, "--text-column", "text", *flags, env=env)
    return target, run


def classified(cli, model, texts):
    run = cli.run("classify", "--model", model, "--json", stdin="".join(t + "\n" for t in texts))
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_results_become_columns_beside_the_others(cli, tiny_model, tmp_path):
    table = reviews()
    target, run = transform(cli, tiny_model, tmp_path, table, row_group_size=7)
    out = pq.read_table(target)
    assert out.schema.names == ["id", "text", "predicted_label", "predicted_score"]
    assert out.select(["id", "text"]).equals(table)
    assert run.summary["records"] == 40
    groups = pq.ParquetFile(target).metadata
    assert [groups.row_group(i).num_rows for i in range(groups.num_row_groups)] == [7] * 5 + [5]
    texts = ["great app", "I hate it", "ok"]
    said = dict(zip(texts, classified(cli, tiny_model, texts)))
    for row in out.to_pylist():
        if row["text"] in said:
            answer = said[row["text"]]
            assert row["predicted_label"] == answer["label"]
            assert row["predicted_score"] == answer["score"]
    frame = pd.read_parquet(target)
    assert frame["predicted_score"].dtype == float and frame["predicted_label"].count() == 35


def test_null_texts_follow_millrace_empty(cli, tiny_model, tmp_path):
    for policy, label in (("blank", None), ("classify", "a label")):
        target, run = transform(cli, tiny_model, tmp_path, reviews(16),
                                env={"MILLRACE_EMPTY": policy})
        labels = pq.read_table(target)["predicted_label"].to_pylist()
        nulls = [labels[i] for i in range(16) if TEXTS[i % len(TEXTS)] is None]
        assert (nulls == [None, None]) == (label is None)
    source = tmp_path / "in" / "reviews.parquet"
    run = cli.transform(tiny_model, source, tmp_path / "no", "--text-column", "text",
                        env={"MILLRACE_EMPTY": "error"}, exit_status=1)
    assert "record 3: the text is empty, and --empty (MILLRACE_EMPTY) is error" in run.stderr
    assert not (tmp_path / "no").exists()


def test_the_same_bytes_for_all_threads(cli, tiny_model, tmp_path):
    outputs = set()
    for threads in ("1", "2", "5"):
        target, _ = transform(cli, tiny_model, tmp_path, reviews(500), "--threads", threads,
                              "--part-bytes", threads + "00", row_group_size=33)
        outputs.add(target.read_bytes())
    assert len(outputs) == 1


@pytest.mark.parametrize("shape, columns", [
    ("columns", ["predicted_label", "predicted_score", "score_NEGATIVE", "score_POSITIVE"]),
    ("logits", ["logit_NEGATIVE", "logit_POSITIVE"]), ("embedding", ["embedding"])])
def test_shapes_of_results(cli, tiny_model, tmp_path, shape, columns):
    target, _ = transform(cli, tiny_model, tmp_path, reviews(), "--output-shape", shape)
    out = pq.read_table(target)
    assert out.schema.names[2:] == columns
    numbers = [name for name in columns if name != "predicted_label"]
    if shape != "embedding":
        assert all(out.schema.field(name).type == pa.float64() for name in numbers)
        return
    assert out.schema.field("embedding").type.value_type == pa.float32()
    assert pa.types.is_list(out.schema.field("embedding").type)
    embeddings = out["embedding"].to_pylist()
    assert embeddings[2] is None, "a text that is null has none"
    # The same numbers as in JSON Lines, to the last bit.
    lines = write(tmp_path / "in" / "texts.jsonl", "".join(
        json.dumps(t) + "\n" for t in TEXTS if t is not None))
    cli.transform(tiny_model, lines, tmp_path / "texts.out", "--output-shape", "embedding")
    expected = iter(map(json.loads, (tmp_path / "texts.out").read_text().splitlines()))
    for text, embedding in zip(TEXTS, embeddings):
        if text is not None:
            value = next(expected)
            assert np.array_equal(np.float32(embedding), np.float32(value).reshape(-1))


def test_other_columns_types_and_metadata_stay(cli, tiny_model, tmp_path):
    n = 20
    at = datetime.datetime(2024, 2, 29, 12, 30, 1, 123456)
    table = pa.table({
        "tags": pa.array([[{"k": "a", "v": [1, None]}], None] * (n // 2)),
        "price": pa.array([decimal.Decimal("12345678901234567.89"), None] * (n // 2),
                          pa.decimal128(25, 2)),
        "when": pa.array([at] * n, pa.timestamp("us", tz="Asia/Ho_Chi_Minh")),
        "at": pa.array([at] * n, pa.timestamp("ns")),
        "shop": pa.array(["Hà Nội", "Huế"] * (n // 2)).dictionary_encode(),
        "day": pa.array([at.date()] * n, pa.date32()),
        "raw": pa.array([b"\xff\x00", None] * (n // 2), pa.binary()),
        "big": pa.array(["x"] * n, pa.large_string()),
        "f16": pa.array(np.arange(n, dtype=np.float16)),
        "map": pa.array([[("a", 1)]] * n, pa.map_(pa.string(), pa.int32())),
        "text": pa.array((TEXTS * 3)[:n]).dictionary_encode(),
    }).replace_schema_metadata({"owner": "reviews team"})
    target, _ = transform(cli, tiny_model, tmp_path, table, row_group_size=6)
    out = pq.read_table(target)
    kept = out.select(table.schema.names)
    assert kept.schema.equals(table.schema, check_metadata=False)
    assert kept.equals(table)
    assert out.schema.metadata == {b"owner": b"reviews team"}


def test_a_file_of_another_writer_keeps_its_schema(cli, tiny_model, tmp_path):
    """As Spark writes: no Arrow schema in it, timestamps as INT96."""
    table = reviews().append_column("t", pa.array([datetime.datetime(2024, 1, 1)] * 40))
    target, _ = transform(cli, tiny_model, tmp_path, table, store_schema=False,
                          use_deprecated_int96_timestamps=True)
    before = pq.ParquetFile(tmp_path / "in" / "reviews.parquet").schema
    after = pq.ParquetFile(target).schema
    for i in range(3):
        assert (after.column(i).name, after.column(i).physical_type) == (
            before.column(i).name, before.column(i).physical_type)
    assert b"ARROW:schema" not in (pq.ParquetFile(target).metadata.metadata or {})


def test_a_pandas_index_stays(cli, tiny_model, tmp_path):
    frame = pd.DataFrame({"text": ["great app", "bad"]}, index=pd.Index(["x", "y"], name="key"))
    (tmp_path / "in").mkdir()
    frame.to_parquet(tmp_path / "in" / "frame.parquet")
    cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", "--text-column", "text")
    out = pd.read_parquet(tmp_path / "out" / "frame.parquet.out")
    assert list(out.index) == ["x", "y"] and out.index.name == "key"
    assert list(out.columns) == ["text", "predicted_label", "predicted_score"]


@pytest.mark.parametrize("codec", ["NONE", "SNAPPY", "GZIP", "ZSTD", "BROTLI", "LZ4"])
def test_compression_stays(cli, tiny_model, tmp_path, codec):
    target, _ = transform(cli, tiny_model, tmp_path, reviews(), compression=codec)

    def codecs(path):
        group = pq.ParquetFile(path).metadata.row_group(0)
        return [group.column(i).compression for i in range(group.num_columns)]

    before = codecs(tmp_path / "in" / "reviews.parquet")
    assert codecs(target) == before + [before[1]] * 2


def test_the_only_text_column_need_not_be_named(cli, tiny_model, tmp_path):
    pq.write_table(reviews(), tmp_path / "one.parquet")
    cli.transform(tiny_model, tmp_path / "one.parquet", tmp_path / "out")
    two = reviews().append_column("title", pa.array(["t"] * 40))
    pq.write_table(two, tmp_path / "two.parquet")
    run = cli.transform(tiny_model, tmp_path / "two.parquet", tmp_path / "no", exit_status=2)
    assert "--text-column must say which column is the text" in run.stderr
    assert "0 id (int64), 1 text (string), 2 title (string)" in run.stderr


def test_wrong_columns_are_refused_before_work(cli, tiny_model, tmp_path):
    taken = reviews().append_column("predicted_score", pa.array([1.0] * 40))
    pq.write_table(taken, tmp_path / "taken.parquet")
    job = (tiny_model, tmp_path / "taken.parquet", tmp_path / "out", "--text-column")
    run = cli.transform(*job, "text", exit_status=2)
    assert "there is a column 'predicted_score' already" in run.stderr
    assert "MILLRACE_RESULT_PREFIX" in run.stderr
    cli.transform(*job, "text", env={"MILLRACE_RESULT_PREFIX": "model_"})
    run = cli.transform(*job[:2], tmp_path / "no", "--text-column", "review", exit_status=2)
    assert "there is no column 'review'" in run.stderr
    run = cli.transform(*job[:2], tmp_path / "no", "--text-column", "id", exit_status=2)
    assert "column 'id' does not hold texts" in run.stderr
    assert not (tmp_path / "no").exists()


def test_files_without_rows(cli, tiny_model, tmp_path):
    target, run = transform(cli, tiny_model, tmp_path, reviews(0))
    out = pq.read_table(target)
    assert out.num_rows == 0 and run.summary["records"] == 0
    assert out.schema.names == ["id", "text", "predicted_label", "predicted_score"]


def test_damaged_files_fail_alone_and_say_why(cli, tiny_model, tmp_path):
    pq.write_table(reviews(), tmp_path / "good.parquet", row_group_size=10)
    good = (tmp_path / "good.parquet").read_bytes()
    page = bytearray(good)
    for i in range(60, 400, 3):
        page[i] ^= 0xFF
    damaged = {"cut.parquet": good[:-20], "magic.parquet": good[:-4] + b"XXXX",
               "short.parquet": b"PAR1", "footer.parquet": good[:-8] + b"\xff\xff\xff\x7fPAR1",
               "text.parquet": b"id,text\n1,ok\n" * 9, "page.parquet": bytes(page)}
    for name, content in damaged.items():
        write(tmp_path / "in" / name, content)
    write(tmp_path / "in" / "a-good.parquet", good)
    run = cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", "--text-column", "text",
                        exit_status=1)
    assert list(files_in(tmp_path / "out")) == ["a-good.parquet.out"]
    assert run.summary["failed_objects"] == len(damaged)
    for name in damaged:
        assert name in run.stderr


def test_every_damaged_byte_is_survived(cli, tiny_model, tmp_path):
    """Whatever one byte says, the program ends with a result or with an error."""
    pq.write_table(reviews(8), tmp_path / "good.parquet")
    good = (tmp_path / "good.parquet").read_bytes()
    for i in range(4, len(good), 7):
        content = bytearray(good)
        content[i] ^= 0x55
        write(tmp_path / "in" / f"{i:06}.parquet", bytes(content))
    run = cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", "--text-column", "text",
                        exit_status=None)
    assert run.exit_status in (0, 1) and run.summary["objects"] == len(range(4, len(good), 7))


def test_parquet_on_s3(cli, tiny_model, tmp_path, s3_server, bucket):
    cli.extra_environment = s3_server.environment
    target, _ = transform(cli, tiny_model, tmp_path, reviews(), row_group_size=9)
    s3_server.put(bucket, "in/a.parquet", (tmp_path / "in" / "reviews.parquet").read_bytes())
    s3_server.put(bucket, "in/bad.parquet", b"PAR1 and nothing else")
    run = cli.transform(tiny_model, f"s3://{bucket}/in/", f"s3://{bucket}/out/", "--text-column",
                        "text", exit_status=1)
    assert list(s3_server.list(bucket, "out/")) == ["out/a.parquet.out"]
    assert s3_server.get(bucket, "out/a.parquet.out") == target.read_bytes()
    assert f"s3://{bucket}/in/bad.parquet" in run.stderr
    assert s3_server.uploads(bucket) == []


def test_merged_parquet_is_one_table(cli, tiny_model, tmp_path):
    (tmp_path / "in").mkdir()
    pq.write_table(reviews(10), tmp_path / "in" / "b.parquet", row_group_size=4)
    pq.write_table(reviews(5), tmp_path / "in" / "a.parquet")
    cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", "--text-column", "text",
                  "--merge", "all.parquet", "--merge-source-column", "file")
    out = pq.read_table(tmp_path / "out" / "all.parquet")
    assert out["file"].to_pylist() == ["a.parquet"] * 5 + ["b.parquet"] * 10
    assert out["id"].to_pylist() == [*range(5), *range(10)]
    assert out["predicted_score"].null_count == 2

    pq.write_table(reviews(5).rename_columns(["number", "text"]), tmp_path / "in" / "c.parquet")
    run = cli.transform(tiny_model, tmp_path / "in", tmp_path / "no", "--text-column", "text",
                        "--merge", "all.parquet", exit_status=1)
    assert "c.parquet are not those of" in run.stderr and not (tmp_path / "no").exists()


REFUSE_EMPTY = {"MILLRACE_EMPTY": "error"}


def errors_of(target):
    return [json.loads(line) for line in
            target.with_name(target.name + ".errors.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("shape, result", [
    ("default", ["ERROR", None]), ("columns", ["ERROR", None, None, None]),
    ("logits", [None, None]), ("embedding", [None])])
def test_a_refused_row_stays_with_an_error_in_its_place(cli, tiny_model, tmp_path, shape, result):
    flags = ["--on-record-error", "record"]
    flags += [] if shape == "default" else ["--output-shape", shape]
    target, run = transform(cli, tiny_model, tmp_path, reviews(), *flags, env=REFUSE_EMPTY,
                            row_group_size=7)
    whole, _ = transform(cli, tiny_model, tmp_path, reviews(), *flags[2:], row_group_size=7)
    out = pq.read_table(target)
    assert out.select(["id", "text"]).equals(reviews())
    refused = [i for i in range(40) if not TEXTS[i % len(TEXTS)]]
    assert run.summary["failed_records"] == len(refused) == 10
    for row, other in zip(out.to_pylist(), pq.read_table(whole).to_pylist()):
        assert (list(row.values())[2:] == result) == (row["id"] in refused)
        assert row["id"] in refused or row == other
    told = errors_of(target)
    assert [error["record_number"] for error in told] == [i + 1 for i in refused]
    assert [error["record"] for error in told] == [TEXTS[i % len(TEXTS)] for i in refused]
    assert all(error["object"].endswith("reviews.parquet") and "byte_offset" not in error
               and "the text is empty" in error["cause"] for error in told)


def test_a_refused_row_may_be_dropped(cli, tiny_model, tmp_path):
    rows = reviews(500)
    for group_rows in (1, 33, 500):
        target, run = transform(cli, tiny_model, tmp_path, rows, "--on-record-error", "drop",
                                env=REFUSE_EMPTY, row_group_size=group_rows)
        whole, _ = transform(cli, tiny_model, tmp_path, rows, row_group_size=group_rows)
        kept = pq.read_table(whole).filter(pa.compute.not_equal(rows["text"].fill_null(""), ""))
        assert pq.read_table(target).equals(kept)
        assert run.summary["failed_records"] == 500 - kept.num_rows == len(errors_of(target))


def test_all_rows_may_be_refused(cli, tiny_model, tmp_path):
    table = pa.table({"id": [1, 2], "text": pa.array([None, ""], pa.string())})
    target, _ = transform(cli, tiny_model, tmp_path, table, "--on-record-error", "drop",
                          env=REFUSE_EMPTY)
    assert pq.read_table(target).num_rows == 0
    assert pq.read_table(target).schema.names[2:] == ["predicted_label", "predicted_score"]
    assert [error["record"] for error in errors_of(target)] == [None, ""]


def test_too_large_a_text_is_a_refused_row(cli, tiny_model, tmp_path):
    texts = ["ok", "x" * (1024 * 1024), "fine"]
    target, run = transform(cli, tiny_model, tmp_path, pa.table({"text": texts}),
                            "--max-payload-in-mb", "1", "--on-record-error", "record")
    assert pq.read_table(target)["predicted_label"].to_pylist()[1] == "ERROR"
    assert run.summary["failed_records"] == 1
    [error] = errors_of(target)
    assert "MaxPayloadInMB" in error["cause"] and error["record"] == texts[1]


def test_merged_tables_have_one_errors_file(cli, tiny_model, tmp_path):
    (tmp_path / "in").mkdir()
    pq.write_table(reviews(10), tmp_path / "in" / "b.parquet", row_group_size=4)
    pq.write_table(reviews(5), tmp_path / "in" / "a.parquet")
    for on, rows in (("record", 15), ("drop", 11)):
        target = tmp_path / on / "all.parquet"
        cli.transform(tiny_model, tmp_path / "in", target.parent, "--text-column", "text",
                      "--merge", "all.parquet", "--on-record-error", on, env=REFUSE_EMPTY)
        out = pq.read_table(target)
        assert out.num_rows == rows
        assert out["id"].to_pylist() == ([*range(5), *range(10)] if on == "record" else
                                         [0, 1, 4, 0, 1, 4, 5, 6, 7, 8, 9])
        assert [(e["object"].rsplit("/")[-1], e["record_number"]) for e in errors_of(target)] == [
            ("a.parquet", 3), ("a.parquet", 4), ("b.parquet", 3), ("b.parquet", 4)]


@pytest.mark.parametrize("flags, told", [
    (["--output-compression", "gzip"], "--output-compression: Parquet compresses"),
    (["--accept", "text/csv"], "--accept does not go with Parquet"),
    (["--content-type", "text/csv"], "--content-type does not go with Parquet"),
    (["--csv-header"], "--csv-header does not go with Parquet")])
def test_what_makes_no_sense_for_parquet_is_refused(cli, tiny_model, tmp_path, flags, told):
    pq.write_table(reviews(3), tmp_path / "a.parquet")
    run = cli.transform(tiny_model, tmp_path / "a.parquet", tmp_path / "out", "--split-type",
                        "Parquet", *flags, exit_status=2)
    assert told in run.stderr and not (tmp_path / "out").exists()


def test_embeddings_by_environment_alone(cli, tiny_model, tmp_path):
    """A boto3 request reaches Parquet through the job's Environment."""
    pq.write_table(reviews(6), tmp_path / "reviews.parquet")
    request = {"TransformJobName": "embed", "ModelName": "m",
               "Environment": {"MILLRACE_OPTIONS": json.dumps(
                   {"SPLIT_TYPE": "Parquet", "TEXT_COLUMN": "text", "OUTPUT": "embedding"})}}
    write(tmp_path / "request.json", json.dumps(request))
    cli.transform(tiny_model, tmp_path / "reviews.parquet", tmp_path / "out.parquet",
                  "--cli-input-json", tmp_path / "request.json")
    out = pq.read_table(tmp_path / "out.parquet")
    assert out.schema.names == ["id", "text", "embedding"]
    assert len(out["embedding"][0].as_py()) == 32
