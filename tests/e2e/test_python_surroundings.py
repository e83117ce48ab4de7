"""What a model's code finds around it, as in AWS's images: files, modules, arguments; and what it
may say of itself."""
import pytest

from cli import write
from python_models import CACHE, ECHO, LINES, make_model


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


def test_the_working_folder_shows_the_model_and_keeps_what_is_written_out_of_it(run, tmp_path):
    model = make_model(tmp_path / "model", """
        import sys
        import beside

        def model_fn(model_dir):
            with open("scratch.txt", "w") as file:
                file.write("written")
            return None

        def transform_fn(model, data, content_type, accept):
            return f"{open('labels.txt').read()} {open('scratch.txt').read()} {beside.x} " + str(
                sys.argv[1:])
    """, files=[("labels.txt", "from the model,"), ("beside.py", "x = 'imported'\n")])
    (tmp_path / "here").mkdir()
    run(model, cwd=tmp_path / "here")
    assert output(tmp_path) == "from the model, written imported []"
    assert not list((tmp_path / "here").iterdir())
    assert not (model / "scratch.txt").exists()
