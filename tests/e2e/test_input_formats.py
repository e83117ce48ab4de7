"""Inputs as they are in the world: frames, arrays, gzip, manifests, encodings, delimiters. Each
gives what the same records give as plain lines."""
import csv
import gzip
import io
import json
import struct

import pytest

from cli import files_in, json_lines, write

TEXTS = ["great app", "I hate it", "Crashes always, again and again!", "naïve café 😀", "ok"]
VIETNAMESE = ["Ứng dụng rất dễ thương", "Tệ quá, không dùng được", "Đẹp; nhưng chậm"]


def record_io(data):
    """A frame as MXNet's format description has it."""
    return struct.pack("<II", 0xCED7230A, len(data)) + data + b"\0" * (-len(data) % 4)


def masked_crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def tf_record(data):
    length = struct.pack("<Q", len(data))
    return (length + struct.pack("<I", masked_crc32c(length)) + data
            + struct.pack("<I", masked_crc32c(data)))


@pytest.fixture
def lines_of(cli, tiny_model, tmp_path):
    """Output lines for texts that come as JSON lines: the yardstick."""
    def run(texts):
        source = write(tmp_path / "yardstick.jsonl", json_lines({"inputs": t} for t in texts))
        target = tmp_path / "yardstick.out"
        target.unlink(missing_ok=True)
        cli.transform(tiny_model, source, target)
        return target.read_text().splitlines()
    return run


@pytest.mark.parametrize("split_type, frame",
                         [("RecordIO", record_io), ("TFRecord", tf_record)])
def test_framed_records_are_read_without_their_frames(cli, tiny_model, tmp_path, lines_of,
                                                      split_type, frame):
    source = write(tmp_path / "in.bin", b"".join(
        frame(json.dumps({"inputs": t}).encode()) for t in TEXTS))
    outputs = []
    for strategy in "MultiRecord", "SingleRecord":
        for part_bytes in 50, 1 << 20:
            target = tmp_path / f"{strategy}-{part_bytes}.out"
            run = cli.transform(tiny_model, source, target, "--split-type", split_type,
                                "--content-type", "application/jsonlines",
                                "--assemble-with", "Line", "--batch-strategy", strategy,
                                "--part-bytes", part_bytes)
            assert run.summary["records"] == len(TEXTS)
            outputs.append(target.read_text().splitlines())
    assert outputs == [lines_of(TEXTS)] * 4


def test_a_damaged_tfrecord_is_named_and_leaves_no_output(cli, tiny_model, tmp_path):
    frames = [tf_record(b'"one"'), tf_record(b'"two"'), tf_record(b'"three"')]
    damaged = bytearray(b"".join(frames))
    damaged[len(frames[0]) + 13] ^= 1
    write(tmp_path / "in" / "bad.tfrecord", bytes(damaged))
    write(tmp_path / "in" / "good.tfrecord", b"".join(frames))
    run = cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", "--split-type", "TFRecord",
                        "--content-type", "application/jsonlines", exit_status=1)
    assert f"record 2 (byte {len(frames[0])}): " in run.stderr and "CRC-32C" in run.stderr
    assert list(files_in(tmp_path / "out")) == ["good.tfrecord.out"]


def test_foreign_tfrecord_files_are_cut_to_their_end(cli, tiny_model, tmp_path, test_data):
    """Their records are no text, so the first is refused: by the reader of JSON, not of frames."""
    for path in sorted((test_data / "data/conformance/tfrecord").glob("*.tfrecord")):
        run = cli.transform(tiny_model, path, tmp_path / "out", "--split-type", "TFRecord",
                            "--content-type", "application/jsonlines", exit_status=1)
        assert "record 1 (byte 0): " in run.stderr and "TFRecord" not in run.stderr


def test_a_json_array_comes_out_as_one_in_order(cli, tiny_model, tmp_path, lines_of):
    source = write(tmp_path / "in.json", json.dumps([{"inputs": t} for t in TEXTS], indent=2))
    target = tmp_path / "result.json"
    run = cli.transform(tiny_model, source, target, "--split-type", "JsonArray")
    assert run.summary["records"] == len(TEXTS)
    assert json.loads(target.read_text()) == [json.loads(line) for line in lines_of(TEXTS)]
    joined = tmp_path / "joined.json"
    cli.transform(tiny_model, source, joined, "--split-type", "JsonArray",
                  "--join-source", "Input")
    assert [row["inputs"] for row in json.loads(joined.read_text())] == TEXTS


@pytest.mark.parametrize("members", [1, 3])
def test_gzip_is_inferred_and_named_in_the_output(cli, tiny_model, tmp_path, lines_of, members):
    whole = json_lines({"inputs": t} for t in TEXTS).encode()
    cut = len(whole) // members + 1
    write(tmp_path / "in" / "x.jsonl.gz", b"".join(
        gzip.compress(whole[i:i + cut]) for i in range(0, len(whole), cut)))
    cli.transform(tiny_model, tmp_path / "in", tmp_path / "out")
    assert (tmp_path / "out" / "x.jsonl.gz.out").read_text().splitlines() == lines_of(TEXTS)


@pytest.mark.parametrize("damage, message", [
    (lambda data: data[:-5], "it was cut off"),
    (lambda data: data + b"garbage", "bytes that are no gzip data follow"),
    (lambda data: b"plain text\n", "not gzip data"),
])
def test_damaged_gzip_fails_its_object(cli, tiny_model, tmp_path, damage, message):
    source = write(tmp_path / "x.txt.gz", damage(gzip.compress(b"one\ntwo\n")))
    run = cli.transform(tiny_model, source, tmp_path / "out", exit_status=1)
    assert message in run.stderr and "x.txt.gz" in run.stderr
    assert not list((tmp_path / "out").glob("*.out"))


def test_a_gzip_bomb_streams_through(cli, tiny_model, tmp_path):
    """Half a gigabyte of one record ends at the payload's limit, in little memory."""
    packer = gzip.GzipFile(tmp_path / "bomb.txt.gz", "wb", mtime=0)
    with packer:
        for _ in range(128):
            packer.write(b"x" * (1 << 22))
    run = cli.transform(tiny_model, tmp_path / "bomb.txt.gz", tmp_path / "out", exit_status=1)
    assert "record 1 (byte 0)" in run.stderr and "larger than" in run.stderr


def test_a_local_manifest_names_inputs_and_missing_ones(cli, tiny_model, tmp_path):
    for name in "a.txt", "sub/b.txt", "other.txt":
        write(tmp_path / "data" / name, "ok\n")
    manifest = write(tmp_path / "list.json",
                     json.dumps([{"prefix": "data/"}, "sub/b.txt", "a.txt"]))
    cli.transform(tiny_model, manifest, tmp_path / "out", "--data-type", "ManifestFile")
    written = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.out")}
    assert written == {"a.txt.out", "sub/b.txt.out"}

    write(manifest, json.dumps([{"prefix": f"{tmp_path}/data/"}, "gone.txt", "a.txt"]))
    run = cli.transform(tiny_model, manifest, tmp_path / "out2", "--data-type", "ManifestFile",
                        exit_status=1)
    assert "gone.txt" in run.stderr and "no such object" in run.stderr
    assert (tmp_path / "out2" / "a.txt.out").exists()


def test_a_manifest_that_python_printed_is_refused_in_words(cli, tiny_model, tmp_path):
    manifest = write(tmp_path / "list.json", str([{"prefix": "s3://bucket/"}, "a.txt"]))
    run = cli.transform(tiny_model, manifest, tmp_path / "out", "--data-type", "ManifestFile",
                        exit_status=2)
    assert "single quotes" in run.stderr and "list.json" in run.stderr


def test_a_manifest_in_s3_and_keys_of_every_kind(cli, tiny_model, s3_server, bucket):
    """A prefix is one of keys, not a folder: a neighbour comes too, under its own name."""
    cli.extra_environment = s3_server.environment
    for key in "in/a b+%.txt", "in/ạ/Ứng dụng.txt", "in/part-1.txt", "in_old/x.txt":
        s3_server.put(bucket, key, b"ok\n")
    s3_server.put(bucket, "list.json", json.dumps(
        [{"prefix": f"s3://{bucket}/in/"}, "ạ/Ứng dụng.txt", "a b+%.txt"]).encode())
    url = f"s3://{bucket}"
    cli.transform(tiny_model, f"{url}/list.json", f"{url}/out1/", "--data-type", "ManifestFile")
    assert set(s3_server.list(bucket, "out1/")) == {"out1/a b+%.txt.out",
                                                    "out1/ạ/Ứng dụng.txt.out"}
    cli.transform(tiny_model, f"{url}/in", f"{url}/out2/")
    assert set(s3_server.list(bucket, "out2/")) == {
        "out2/a b+%.txt.out", "out2/part-1.txt.out", "out2/ạ/Ứng dụng.txt.out",
        "out2/in_old/x.txt.out"}
    cli.transform(tiny_model, f"{url}/in/part-", f"{url}/out3/")
    assert set(s3_server.list(bucket, "out3/")) == {"out3/part-1.txt.out"}


@pytest.mark.parametrize("encoding, flag", [("utf-16", "utf-16"), ("utf-16-be", "utf-16be"),
                                            ("cp1258", "cp1258")])
def test_vietnamese_in_other_encodings_comes_out_in_utf_8(cli, tiny_model, tmp_path, encoding,
                                                          flag):
    rows = io.StringIO()
    csv.writer(rows, delimiter=";").writerows([["id", "text"], *enumerate(VIETNAMESE)])
    text = rows.getvalue()
    if encoding == "cp1258":  # letters with a hat or horn, the tone mark behind them
        data = to_cp1258(text)
    else:
        data = text.encode(encoding)
    source = write(tmp_path / "in.csv", data)
    target = tmp_path / "result.csv"
    cli.transform(tiny_model, source, target, "--encoding", flag, "--csv-delimiter", ";",
                  "--csv-header", "--text-column", "text", "--join-source", "Input", "--csv-bom")
    assert target.read_bytes().startswith(b"\xef\xbb\xbfid;text;predicted_label")
    joined = list(csv.DictReader(io.StringIO(target.read_text("utf-8-sig")), delimiter=";"))
    assert [row["text"] for row in joined] == VIETNAMESE
    assert {row["predicted_label"] for row in joined} <= {"NEGATIVE", "POSITIVE"}


def to_cp1258(text):
    import unicodedata
    tones = "\u0300\u0301\u0303\u0309\u0323"
    out = []
    for char in text:
        parts = unicodedata.normalize("NFD", char)
        tone = [p for p in parts if p in tones]
        letter = unicodedata.normalize("NFC", "".join(p for p in parts if p not in tones))
        out.append(letter + "".join(tone))
    return "".join(out).encode("cp1258")


def test_bytes_without_meaning_follow_the_policy_for_invalid_text(cli, tiny_model, tmp_path):
    source = write(tmp_path / "in.txt", b"good\x81\nok\n")
    run = cli.transform(tiny_model, source, tmp_path / "out", "--encoding", "cp1252",
                        "--invalid-utf8", "error", exit_status=1)
    assert "record 1 (byte 0)" in run.stderr and "UTF-8" in run.stderr
    run = cli.transform(tiny_model, source, tmp_path / "out", "--encoding", "cp1252",
                        "--invalid-utf8", "replace")
    assert run.summary["records"] == 2


def test_no_input_is_an_error_unless_it_is_allowed(cli, tiny_model, tmp_path):
    (tmp_path / "in").mkdir()
    run = cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", exit_status=2)
    assert "no input objects" in run.stderr
    run = cli.transform(tiny_model, tmp_path / "in", tmp_path / "out", "--allow-empty")
    assert run.summary["objects"] == 0 and run.summary["status"] == "Completed"


def test_csv_keeps_line_ends_in_quotes_and_quotes_in_plain_fields(cli, tiny_model, tmp_path):
    """One part for each row: line ends in quotes are never taken for a row's."""
    source = write(tmp_path / "in.csv",
                   b'\xef\xbb\xbfid,text\r\n1,"a\r\nb\n""c"""\r\n2,say "hi"\r\n\r\n3,last')
    outputs = set()
    for part_bytes in 1, 1 << 20:
        target = tmp_path / f"{part_bytes}.csv"
        run = cli.transform(tiny_model, source, target, "--csv-header", "--text-column", "text",
                            "--join-source", "Input", "--part-bytes", part_bytes)
        assert run.summary["records"] == 3
        outputs.add(target.read_bytes())
    assert len(outputs) == 1
    joined = list(csv.reader(io.StringIO(outputs.pop().decode(), newline="")))
    assert [row[:2] for row in joined] == [["id", "text"], ["1", 'a\r\nb\n"c"'],
                                           ["2", 'say "hi"'], ["3", "last"]]


def test_tabs_by_name_and_by_flag(cli, tiny_model, tmp_path):
    content = "id\ttext\n1\tgreat app\n2\tnot, good\n"
    for name, flags in ("a.tsv", []), ("b.csv", ["--csv-delimiter", "tab"]):
        target = tmp_path / (name + ".out")
        cli.transform(tiny_model, write(tmp_path / name, content), target, "--csv-header",
                      "--text-column", "text", "--join-source", "Input", *flags)
        rows = [line.split("\t") for line in target.read_text().splitlines()]
        assert [row[:2] for row in rows] == [line.split("\t") for line in content.splitlines()]
        assert all(len(row) == 4 for row in rows)
