"""What a model's code finds around it, as in AWS's images: files, modules, arguments; and what it
may say of itself."""
import pytest

from cli import write
from python_models import CACHE, ECHO, LINES, archive, make_model


@pytest.fixture
def run(cli, tmp_path, temp):
    def transform(model, *flags, exit_status=0, **options):
        cli.extra_environment = {"XDG_CACHE_HOME": str(CACHE), "TMPDIR": str(temp)}
        source = write(tmp_path / "in" / "a.txt", "one\ntwo\nthree\n")
        done = cli.transform(model, source.parent, tmp_path / "out", *LINES, *flags,
                             exit_status=exit_status, **options)
        assert list(temp.iterdir()) == []
        return done
    return transform


def output(tmp_path):
    return (tmp_path / "out" / "a.txt.out").read_text()


@pytest.mark.parametrize("body", ["raise ValueError('no idea')", "return object()"])
def test_code_that_cannot_say_how_many_records_it_wants_gets_the_defaults(run, tmp_path, body):
    model = make_model(tmp_path / "model", ECHO + f"""
    def execution_parameters_fn():
        {body}
    """)
    done = run(model)
    assert output(tmp_path) == "one\ntwo\nthree\n"
    assert "execution_parameters_fn failed, so it states nothing" in done.stderr


def test_the_working_folder_is_the_model_and_keeps_what_is_written_out_of_it(run, tmp_path):
    model = make_model(tmp_path / "model", """
        import os, sys
        import beside

        def model_fn(model_dir):
            for folder in ".", os.path.join(model_dir, "data"), os.path.join(model_dir, "code"):
                with open(os.path.join(folder, "scratch.txt"), "w") as file:
                    file.write("written")
            return sorted(os.path.join(os.path.relpath(folder, model_dir), name)
                          for folder, _, names in os.walk(model_dir) for name in names)

        def transform_fn(model, data, content_type, accept):
            labels = open("data/labels.txt").read()
            return f"{labels} {open('scratch.txt').read()} {beside.x} {sys.argv[1:]} {model}"
    """, files=[("data/labels.txt", "from the model,"), ("beside.py", "x = 'imported'\n")])
    before = sorted(model.rglob("*"))
    (tmp_path / "here").mkdir()
    run(model, cwd=tmp_path / "here")
    assert output(tmp_path) == (
        "from the model, written imported [] ['./beside.py', './scratch.txt', "
        "'code/inference.py', 'code/scratch.txt', 'data/labels.txt', 'data/scratch.txt']")
    assert not list((tmp_path / "here").iterdir())
    assert sorted(model.rglob("*")) == before


def test_what_the_code_writes_is_not_there_for_the_next_job(run, tmp_path):
    folder = make_model(tmp_path / "model", """
        import os

        def model_fn(model_dir):
            path = os.path.join(model_dir, "runs.txt")
            seen = os.path.exists(path)
            open(path, "a").write("run")
            return seen

        def transform_fn(model, data, content_type, accept):
            return str(model)
    """)
    model = archive(folder, tmp_path / "model.tar.gz")
    for _ in range(2):
        run(model, "--if-exists", "overwrite")
        assert output(tmp_path) == "False"


def test_a_model_of_very_many_files_is_shown_as_it_lies(run, tmp_path):
    model = make_model(tmp_path / "model", """
        import os

        def model_fn(model_dir):
            return os.path.realpath(model_dir), os.getcwd(), len(os.listdir("many"))

        def transform_fn(model, data, content_type, accept):
            return str(model)
    """, files=[(f"many/{i}", "") for i in range(1001)])
    run(model)
    assert output(tmp_path) == str((str(model), str(model), 1001))
