"""Models with code/inference.py: found, run behind AWS's toolkit, and taken down again."""
import json
import os
import signal
import textwrap
import time
import zipfile

import pytest

from cli import write
from python_models import (CACHE, ECHO, LINES, archive, make_model, processes, wait_until)


@pytest.fixture
def source(tmp_path):
    write(tmp_path / "in" / "a.txt", "one\ntwo\nthree\n")
    return tmp_path / "in"


@pytest.fixture
def run(cli, tmp_path, source, temp):
    """Runs a job and looks that nothing of it is left: processes, temporary folders."""
    def transform(model, *flags, lines=LINES, env=None, exit_status=0):
        cli.extra_environment = {"XDG_CACHE_HOME": str(CACHE), "TMPDIR": str(temp)}
        done = cli.transform(model, source, tmp_path / "out", *lines, *flags, env=env,
                             exit_status=exit_status)
        assert processes(tmp_path) == []
        assert list(temp.iterdir()) == []
        return done
    return transform


def output(tmp_path):
    return (tmp_path / "out" / "a.txt.out").read_text()


def test_four_functions(run, tmp_path):
    model = make_model(tmp_path / "model", """
        import os

        def model_fn(model_dir):
            with open(os.path.join(model_dir, "weights.txt")) as file:
                return file.read()

        def input_fn(data, content_type):
            return data.decode().splitlines()

        def predict_fn(data, model):
            return [f"{model}:{line}" for line in data]

        def output_fn(prediction, accept):
            return "".join(line + "\\n" for line in prediction), accept
    """, files=[("weights.txt", "w")])
    run(model)
    assert output(tmp_path) == "w:one\nw:two\nw:three\n"


def test_an_archive_is_unpacked_and_its_code_run(run, tmp_path):
    folder = make_model(tmp_path / "model", ECHO)
    run(archive(folder, tmp_path / "model.tar.gz"), "--batch-strategy", "SingleRecord")
    assert output(tmp_path) == "one\ntwo\nthree\n"


def test_the_program_variable_and_the_submit_directory(run, tmp_path):
    model = make_model(tmp_path / "model", ECHO, name="serve_it.py")
    run(model, "--env", "SAGEMAKER_PROGRAM=serve_it.py")
    missing = run(model, "--env", "SAGEMAKER_PROGRAM=other.py", exit_status=2)
    assert "SAGEMAKER_PROGRAM names other.py, which is not in" in missing.stderr
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "weights").write_text("x")
    code = make_model(tmp_path / "sources", ECHO, name="entry.py") / "code"
    packed = archive(code, tmp_path / "sourcedir.tar.gz")
    run(tmp_path / "bare", "--env", f"SAGEMAKER_SUBMIT_DIRECTORY={packed}", "--env",
        "SAGEMAKER_PROGRAM=entry.py", "--if-exists", "overwrite")
    run(model, "--env", "SAGEMAKER_SUBMIT_DIRECTORY=/opt/ml/model/code", "--env",
        "SAGEMAKER_PROGRAM=serve_it.py", "--if-exists", "overwrite")


def test_the_submit_directory_may_lie_in_s3(run, tmp_path, s3_server, bucket):
    """As the SDK uploads it: the model has the weights alone, the code lies beside it."""
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "weights").write_text("x")
    code = make_model(tmp_path / "sources", ECHO, name="entry.py") / "code"
    s3_server.put(bucket, "code/sourcedir.tar.gz",
                  archive(code, tmp_path / "sourcedir.tar.gz").read_bytes())
    submit = f"SAGEMAKER_SUBMIT_DIRECTORY=s3://{bucket}/code/sourcedir.tar.gz"
    run(tmp_path / "bare", "--env", submit, "--env", "SAGEMAKER_PROGRAM=entry.py",
        env=s3_server.environment)
    assert output(tmp_path) == "one\ntwo\nthree\n"
    missing = run(tmp_path / "bare", "--env", submit + ".not", "--env",
                  "SAGEMAKER_PROGRAM=entry.py", env=s3_server.environment, exit_status=2)
    assert "SAGEMAKER_SUBMIT_DIRECTORY" in missing.stderr


def test_the_environment_has_sagemakers_variables_and_no_keys(run, tmp_path):
    model = make_model(tmp_path / "model", """
        import json, os

        def model_fn(model_dir):
            return model_dir

        def transform_fn(model, data, content_type, accept, context):
            return json.dumps(dict(os.environ, model_dir=model, key=context.get_request_header(
                0, "X-Amzn-SageMaker-Input-Object")))
    """)
    keys = {"AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_ACCESS_KEY_ID": "AKIA", "DATABASE_URL": "x"}
    run(model, "--env", "MINE=1", env=keys)
    seen = json.loads(output(tmp_path))
    assert not keys.keys() & seen.keys()
    assert seen["MINE"] == "1" and seen["SAGEMAKER_BATCH"] == "true"
    assert seen["SAGEMAKER_PROGRAM"] == "inference.py" and seen["OMP_NUM_THREADS"] == "1"
    assert seen["model_dir"] == os.path.join(seen["SAGEMAKER_BASE_DIR"], "model")
    assert seen["key"] == str(tmp_path / "in" / "a.txt")
    run(model, "--pass-credentials", "--if-exists", "overwrite", env=keys)
    assert json.loads(output(tmp_path))["AWS_SECRET_ACCESS_KEY"] == "s3cret"


def test_code_may_say_how_many_records_it_wants(run, tmp_path):
    model = make_model(tmp_path / "model", ECHO.replace("return data\n", "return data + b'.'\n")
                       + """
    def execution_parameters_fn():
        return {"BatchStrategy": "SINGLE_RECORD", "MaxConcurrentTransforms": 1}
    """)
    run(model)
    assert output(tmp_path) == "one\n..two\n..three\n.."


def test_the_log_comes_line_by_line(run, tmp_path):
    model = make_model(tmp_path / "model", ECHO + """
    import logging, sys
    print("said at the start")
    logging.getLogger("mine").warning("careful")
    sys.stderr.write("x" * 3_000_000)
    """)
    done = run(model)
    assert "model: said at the start" in done.stderr
    assert "model: WARNING mine: careful" in done.stderr
    assert max(map(len, done.stderr.splitlines())) < 20_000


BROKEN = {
    "syntax": ("def model_fn(model_dir:\n    pass\n",
               ["code/inference.py, line 1: SyntaxError: '(' was never closed"]),
    "both": (ECHO + "    def transform_fn(m, d, c, a):\n        pass\n",
             ["Cannot use transform_fn implementation in conjunction with"]),
    "import": ("import packages_that_are_not_there\n",
               ["line 1: ModuleNotFoundError", "code/requirements.txt", "--image", "--python"]),
    "older_images": ("from sagemaker_containers.beta.framework import env\nenv.TrainingEnv()\n",
                     ["line 2: AttributeError", "env.TrainingEnv is there in AWS's images only"]),
    "place_in_images": ("open('/opt/ml/model/no-such.json')\n",
                        ["line 1: FileNotFoundError", "where model_fn's model_dir says"]),
    "model_fn": ("def model_fn(model_dir):\n    raise OSError('no weights')\n",
                 ["line 2: OSError: no weights", "Traceback (most recent call last)"]),
    "exit": ("raise SystemExit(3)\n", ["it called exit(3) while it was loaded"]),
    "hard_exit": ("import os\nprint('my last words', flush=True)\nos._exit(9)\n",
                  ["exit status 9", "my last words"]),
}


@pytest.mark.parametrize("name", BROKEN)
def test_code_that_cannot_be_loaded_starts_nothing(run, tmp_path, name):
    code, expected = BROKEN[name]
    done = run(make_model(tmp_path / "model", code), exit_status=2)
    for text in expected:
        assert text in done.stderr
    assert not (tmp_path / "out").exists()


FAILING = """
    import ctypes, os, subprocess, sys, time

    def model_fn(model_dir):
        return None

    def input_fn(data, content_type):
        {input}
        return data

    def predict_fn(data, model):
        {predict}
        return data

    def output_fn(prediction, accept):
        {output}
        return prediction
"""


def failing(**places):
    return FAILING.format(**({"input": "pass", "predict": "pass", "output": "pass"} | places))


JSON_LINES = ("--content-type", "application/jsonlines", "--accept", "application/jsonlines",
              "--split-type", "Line", "--assemble-with", "None", "--batch-strategy", "MultiRecord",
              "--threads", "2", "--on-record-error", "record")


@pytest.mark.parametrize("place", ["input", "predict", "output"])
def test_an_exception_fails_the_object_with_its_traceback(run, tmp_path, place):
    model = make_model(tmp_path / "model", failing(**{place: "raise KeyError('that')"}))
    done = run(model, exit_status=1)
    assert "a.txt: records 1 to 3" in done.stderr
    assert "Bad HTTP status received from algorithm: 500: 'that'" in done.stderr
    assert f"in {place}_fn" in done.stderr and "(after 4 attempts)" in done.stderr


def test_an_exception_in_transform_fn_fails_the_object_with_its_traceback(run, tmp_path):
    model = make_model(tmp_path / "model", """
        def model_fn(model_dir):
            return {}

        def transform_fn(model, data, content_type, accept):
            return model["that"]
    """)
    done = run(model, "--invocations-max-retries", "0", exit_status=1)
    assert "a.txt: records 1 to 3" in done.stderr
    assert "500: 'that'" in done.stderr and "in transform_fn" in done.stderr


WRONG_SIGNATURES = {
    "input_fn": "def input_fn(data):",
    "predict_fn": "def predict_fn(data, model, more, context):",
    "output_fn": "def output_fn():",
}


@pytest.mark.parametrize("function", WRONG_SIGNATURES)
def test_a_signature_that_does_not_fit_fails_the_object_by_name(run, tmp_path, function):
    code = failing()
    right = next(line.strip() for line in code.splitlines() if f"def {function}" in line)
    model = make_model(tmp_path / "model", code.replace(right, WRONG_SIGNATURES[function]))
    done = run(model, "--invocations-max-retries", "0", exit_status=1)
    assert "a.txt: records 1 to 3" in done.stderr
    assert f"TypeError: {function} takes" in done.stderr


def test_a_model_fn_that_takes_nothing_starts_nothing(run, tmp_path):
    model = make_model(tmp_path / "model", "def model_fn():\n    pass\n")
    done = run(model, exit_status=2)
    assert "TypeError: model_fn takes 0 arguments but 1 were given" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_no_model_says_what_one_has(run, tmp_path):
    (tmp_path / "model" / "code").mkdir(parents=True)
    (tmp_path / "model" / "code" / "inferense.py").write_text("")
    done = run(tmp_path / "model", exit_status=2)
    assert "code/inference.py" in done.stderr and "config.json" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_reply_of_an_odd_type_fails_the_object(run, tmp_path):
    model = make_model(tmp_path / "model", failing(output="return object()"))
    assert "of type object" in run(model, exit_status=1).stderr


DEADLY = {
    "exits": ("os._exit(5)", "exit status 5"),
    "raises_exit": ("sys.exit(6)", "exit status 6"),
    "crashes": ("ctypes.string_at(0)", "signal 11"),
}


@pytest.mark.parametrize("name", DEADLY)
def test_a_worker_that_dies_fails_the_object_and_names_the_records(run, tmp_path, name):
    code, expected = DEADLY[name]
    model = make_model(tmp_path / "model", failing(
        predict=f"print('before', flush=True)\n        {code}"))
    done = run(model, "--batch-strategy", "SingleRecord", exit_status=1)
    assert "record 1 (byte 0): the worker that answered ended, and so did the next" in done.stderr
    assert expected in done.stderr and "before" in done.stderr


def test_a_record_that_kills_its_worker_costs_only_itself(run, tmp_path):
    write(tmp_path / "in" / "a.txt", "".join(f'{{"n":{n}}}\n' for n in range(40)))
    model = make_model(tmp_path / "model", failing(
        predict="""if b'{"n":23}' in data: os._exit(7)"""))
    done = run(model, lines=JSON_LINES)
    lines = output(tmp_path).splitlines()
    assert len(lines) == 40 and done.summary["failed_records"] == 1
    assert "exit status 7" in json.loads(lines[23])["error"]["message"]
    assert lines[22] == '{"n":22}' and lines[24] == '{"n":24}'


def test_a_model_that_refuses_with_4xx_is_asked_in_halves(run, tmp_path):
    write(tmp_path / "in" / "a.txt", "".join(f'{{"n":{n}}}\n' for n in range(9)))
    model = make_model(tmp_path / "model", """
        from sagemaker_inference.errors import BaseInferenceToolkitError

        def model_fn(model_dir):
            return None

        def transform_fn(model, data, content_type, accept):
            if b"5" in data:
                raise BaseInferenceToolkitError(422, "no fives", "no fives")
            return data
    """)
    run(model, lines=JSON_LINES)
    assert "no fives" in output(tmp_path).splitlines()[5]


def test_a_worker_that_hangs_is_ended_in_time(run, tmp_path):
    model = make_model(tmp_path / "model", failing(predict="time.sleep(600)"))
    done = run(model, "--invocations-timeout-in-seconds", "1", "--invocations-max-retries", "1",
               exit_status=1)
    assert "no answer within 1 s" in done.stderr and "(after 2 attempts)" in done.stderr


def test_a_worker_that_allocates_without_end_gets_an_error_of_its_own(run, tmp_path):
    model = make_model(tmp_path / "model", failing(
        predict="x = []\n        while True: x.append(bytearray(1 << 20))"))
    done = run(model, "--model-memory-in-mb", "1500", "--invocations-max-retries", "0",
               exit_status=1)
    assert "MemoryError" in done.stderr


def test_a_worker_that_prints_without_measure_is_read_and_answers(run, tmp_path):
    model = make_model(tmp_path / "model", failing(
        predict="print('z' * 30_000_000, flush=True)\n"
                "        for n in range(20_000): sys.stderr.write(f'line {n}\\n')"))
    done = run(model)
    assert output(tmp_path) == "one\ntwo\nthree\n"
    assert done.stderr.count("z") >= 30_000_000 and "model: line 19999\n" in done.stderr
    assert max(map(len, done.stderr.splitlines())) < 20_000


def test_children_of_a_worker_end_with_it(run, tmp_path):
    model = make_model(tmp_path / "model", failing(
        predict=f"subprocess.Popen(['sleep', '321'], start_new_session=True, "
                f"cwd='/', env={{'A': '{tmp_path}'}})\n        os.fork()"))
    run(model, "--batch-strategy", "SingleRecord")
    assert output(tmp_path) == "one\ntwo\nthree\n"
    assert processes("sleep\x00321") == []


STUCK = {
    "importing": "import time\n{mark}\ntime.sleep(600)\n",
    "loading": failing().replace("return None", "{mark}; time.sleep(600)"),
    "answering": failing(predict="{mark}; time.sleep(600)"),
    "forked": failing(predict="os.fork(); {mark}; time.sleep(600)"),
}


@pytest.mark.parametrize("moment", STUCK)
def test_kill_9_leaves_nothing(cli, tmp_path, source, temp, moment):
    started = tmp_path / "started"
    mark = f"open({str(started)!r}, 'w').close()"
    kill_when(cli, tmp_path, source, temp, STUCK[moment].replace("{mark}", mark), started.exists)


def kill_when(cli, tmp_path, source, temp, code, reached, requirements=None):
    model = make_model(tmp_path / "model", code, requirements=requirements)
    cli.extra_environment = {"XDG_CACHE_HOME": str(CACHE), "TMPDIR": str(temp)}
    job = cli.start("transform", "--model", model, "--input", source, "--output",
                    tmp_path / "out", *LINES)
    wait_until(lambda: reached() or job.poll() is not None, 60)
    assert job.poll() is None, job.stderr.read().decode()
    assert len(processes(tmp_path)) > 1
    os.kill(job.pid, signal.SIGKILL)
    job.communicate()
    wait_until(lambda: processes(tmp_path) == [])
    wait_until(lambda: list(temp.iterdir()) == [])


SLOW_PACKAGE = """
    import pathlib
    import time
    import zipfile

    NAME = "millrace_slow_package-1.0"


    def build_wheel(folder, *_):
        pathlib.Path({started!r}).touch()
        while not pathlib.Path({go!r}).exists():
            time.sleep(0.05)
        info = NAME + ".dist-info/"
        with zipfile.ZipFile(pathlib.Path(folder, NAME + "-py3-none-any.whl"), "w") as wheel:
            wheel.writestr("millrace_slow_package.py", "NAME = 'built slowly'")
            wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: millrace-slow-package"
                                              "\\nVersion: 1.0\\n")
            wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n"
                                           "Tag: py3-none-any\\n")
            wheel.writestr(info + "RECORD", "")
        return NAME + "-py3-none-any.whl"
"""


def test_kill_9_while_requirements_are_installed_leaves_nothing_half_made(
        cli, run, tmp_path, source, temp):
    started, go = tmp_path / "started", tmp_path / "go"
    package = tmp_path / "package"
    write(package / "pyproject.toml", "[build-system]\nrequires = []\nbuild-backend = 'backend'\n"
                                      "backend-path = ['.']\n")
    write(package / "backend.py", textwrap.dedent(
        SLOW_PACKAGE.format(started=str(started), go=str(go))))
    code = ECHO.replace("return data\n", "return NAME\n")
    kill_when(cli, tmp_path, source, temp, "from millrace_slow_package import NAME\n"
              + textwrap.dedent(code), started.exists, requirements=f"--no-index\n{package}\n")
    go.touch()
    run(tmp_path / "model")
    assert output(tmp_path) == "built slowly"


def test_requirements_are_installed_once_for_each_content(run, cli, tmp_path, python_wheel):
    requirements = f"--no-index\n--find-links {python_wheel}\nmillrace-test-package\n"
    model = make_model(tmp_path / "model", """
        import millrace_test_package

        def model_fn(model_dir):
            return None

        def transform_fn(model, data, content_type, accept):
            return millrace_test_package.NAME
    """, requirements=requirements)
    first = run(model)
    assert output(tmp_path) == "from a wheel"
    again = run(model, "--if-exists", "overwrite")
    assert "once for this content" in first.stderr
    assert "once for this content" not in again.stderr


def test_requirements_that_cannot_be_installed_start_nothing(run, tmp_path):
    model = make_model(tmp_path / "model", ECHO,
                       requirements="--no-index\nno-package-of-this-name==1\n")
    done = run(model, exit_status=2)
    assert "pip ended with exit status 1" in done.stderr
    assert "no-package-of-this-name" in done.stderr


def test_an_interpreter_that_is_none_is_named(run, tmp_path):
    model = make_model(tmp_path / "model", ECHO)
    done = run(model, "--python", tmp_path / "nowhere", exit_status=2)
    assert "is neither an interpreter nor an environment" in done.stderr
    for program in ("/bin/true", "true"):  # a path, or a name in the PATH
        done = run(model, "--python", program, exit_status=2)
        assert "/true does not answer as Python 3 does" in done.stderr


def test_scripts_for_the_older_images_find_what_they_import(run, tmp_path):
    model = make_model(tmp_path / "model", """
        from sagemaker_containers.beta.framework import encoders, env, modules, transformer, worker

        def model_fn(model_dir):
            return None

        def input_fn(data, content_type):
            return encoders.csv_to_numpy(data, float)

        def predict_fn(data, model):
            return data.sum(axis=1)

        def output_fn(prediction, accept):
            return worker.Response(encoders.encode(prediction, accept), mimetype=accept)
    """)
    write(tmp_path / "in" / "a.txt", "1,2\n3,4\n")
    run(model, lines=("--content-type", "text/csv", "--accept", "text/csv", "--split-type", "Line",
                      "--assemble-with", "None"))
    assert output(tmp_path) == "3.0\n7.0\n"


@pytest.fixture
def python_wheel(tmp_path):
    """A folder with a wheel, which is a zip file of a package and what describes it."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    info = "millrace_test_package-1.0.dist-info/"
    # A time of its own makes a content of its own.
    files = {"millrace_test_package.py": f"NAME = 'from a wheel'  # {time.time()}\n",
             info + "METADATA": ("Metadata-Version: 2.1\nName: millrace-test-package\n"
                                 "Version: 1.0\n"),
             info + "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"}
    record = "".join(f"{name},,\n" for name in [*files, info + "RECORD"])
    with zipfile.ZipFile(folder / "millrace_test_package-1.0-py3-none-any.whl", "w") as wheel:
        for name, content in (files | {info + "RECORD": record}).items():
            wheel.writestr(name, content)
    return folder
