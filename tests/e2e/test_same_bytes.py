"""Same row, same answer: the output's bytes do not depend on threads, mini-batches, parts, the
instruction set, or on where a record stands."""
import json
import random

import pytest

from cli import files_in, json_lines, write
from tiny_model import WORDS


def make_texts(count):
    rng = random.Random(5)
    texts = [" ".join(rng.choices(WORDS, k=rng.choice([1, 3, 8, 20, 120]))) for _ in range(count)]
    texts[10] = texts[20] = texts[300]
    texts[30] = ""
    texts[40] = "great " * 3000
    return texts


TEXTS = make_texts(600)
JSON_LINES = json_lines({"id": i, "inputs": text} for i, text in enumerate(TEXTS))
CSV = "id,text,stars\r\n" + "".join(
    '{},"{}",{}\r\n'.format(i, text.replace(" the ", '\n""the"",\r\n'), i % 5)
    for i, text in enumerate(TEXTS))

JOBS = {
    "json": ("t.jsonl", JSON_LINES, []),
    "json_joined": ("t.jsonl", JSON_LINES, ["--join-source", "Input"]),
    "csv_joined": ("t.csv", CSV, ["--csv-header", "--text-column", "text", "--join-source",
                                  "Input"]),
    "text": ("t.txt", "".join(text + "\n" for text in TEXTS), []),
}

WAYS = {
    "two_threads": (["--threads", "2"], {}),
    "one_record_a_request": (["--batch-strategy", "SingleRecord", "--threads", "2"], {}),
    "many_in_flight": (["--max-concurrent-transforms", "16", "--threads", "2"], {}),
    "tiny_parts": (["--part-bytes", "1", "--threads", "2"], {}),
    "small_parts": (["--part-bytes", "3001"], {}),
    "small_parts_of_single_records": (["--part-bytes", "5000", "--batch-strategy",
                                       "SingleRecord"], {}),
    "unlimited_payload": (["--max-payload-in-mb", "0"], {}),
    "reference": ([], {"MILLRACE_ISA": "reference"}),
    "avx2": ([], {"MILLRACE_ISA": "avx2"}),
    "avx2_vnni": ([], {"MILLRACE_ISA": "avx2_vnni"}),
    "avx512": ([], {"MILLRACE_ISA": "avx512"}),
    "avx512_vnni": ([], {"MILLRACE_ISA": "avx512_vnni"}),
}
AVX512 = ["avx512f", "avx512bw", "avx512dq", "avx512vl"]
CPU_FLAGS = {"avx2": ["avx2", "fma"], "avx2_vnni": ["avx_vnni"], "avx512": AVX512,
             "avx512_vnni": [*AVX512, "avx512_vnni"]}


def cpu_has(isa):
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as cpu:
        words = cpu.read().split()
    return all(flag in words for flag in CPU_FLAGS.get(isa, []))


def output_of(cli, model, folder, job, flags=(), env=None):
    name, content, job_flags = JOBS[job]
    source = write(folder / name, content)
    run = cli.transform(model, source, folder / "out", *job_flags, *flags, env=env)
    (output,) = files_in(folder / "out").values()
    return output, run


@pytest.fixture(scope="module")
def expected(millrace, tiny_model, tmp_path_factory):
    """Each job by one thread in one part."""
    from cli import Cli
    cli = Cli(millrace, tmp_path_factory.mktemp("home"))
    return {job: output_of(cli, tiny_model, tmp_path_factory.mktemp(job), job,
                           ["--threads", "1"])[0] for job in JOBS}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("job", JOBS)
def test_the_way_to_the_answer_does_not_show(cli, tiny_model, tmp_path, expected, job, way):
    flags, env = WAYS[way]
    isa = env.get("MILLRACE_ISA")
    if isa and not cpu_has(isa):
        pytest.skip(f"this CPU has no {isa}")
    output, run = output_of(cli, tiny_model, tmp_path, job, flags, env)
    assert output == expected[job]
    assert run.summary["records"] == len(TEXTS)
    if isa:
        assert run.summary["isa"] == isa, "the instruction set that was asked for was used"


def test_a_record_answers_the_same_wherever_it_stands(cli, tiny_model, tmp_path, expected):
    order = list(range(len(TEXTS)))
    random.Random(9).shuffle(order)
    lines = JSON_LINES.splitlines(keepends=True)
    source = write(tmp_path / "s.jsonl", "".join(lines[i] for i in order))
    cli.transform(tiny_model, source, tmp_path / "out")
    answers = expected["json"].splitlines()
    assert files_in(tmp_path / "out")["s.jsonl.out"].splitlines() == [answers[i] for i in order]


def test_a_record_answers_the_same_alone_and_in_every_format(cli, tiny_model, tmp_path, expected):
    for i in (0, 10, 40, 599):
        source = write(tmp_path / f"{i}.json", json.dumps({"inputs": TEXTS[i]}))
        cli.transform(tiny_model, source, tmp_path / "out")
        alone = files_in(tmp_path / "out")[f"{i}.json.out"]
        assert alone.strip() == expected["json"].splitlines()[i]
        label, score = expected["text"].splitlines()[i].decode().split(",")
        assert alone.strip().decode() == f'[{{"label":"{label}","score":{score}}}]'


def test_the_scores_differ_between_records(expected):
    """Otherwise this file would prove nothing."""
    assert len(set(expected["text"].splitlines())) > 300
