"""Models from the hub and in PyTorch's own files: pulled, resumed, compared, converted; the answers
are those of the folder that they came from."""
import json
import os
import pickle
import shutil
import zipfile

import pytest
from safetensors.numpy import load_file

import torch_file
from cli import write
from hub_server import HubServer
from python_models import archive

REPOSITORY = "someone/tiny-sentiment"
TEXT = ("--content-type", "text/plain", "--split-type", "Line", "--assemble-with", "Line",
        "--accept", "text/csv")


@pytest.fixture
def hub(tmp_path, tiny_model):
    folder = tmp_path / "hub" / REPOSITORY
    shutil.copytree(tiny_model, folder)
    write(folder / "README.md", "a model\n")
    write(folder / "tf_model.h5", "not wanted")
    write(folder / "onnx" / "model.onnx", "not wanted")
    server = HubServer(tmp_path / "hub")
    yield server
    server.stop()


@pytest.fixture
def pull(cli, hub, tmp_path):
    def run(*arguments, env=None, exit_status=0):
        return cli.run("model", "pull", *arguments, exit_status=exit_status,
                       env={"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")} | (env or {}))
    return run


def cache(tmp_path):
    return tmp_path / "hf" / "hub" / "models--someone--tiny-sentiment"


def fetched(hub):
    return [path.rsplit("/", 1)[1] for method, path, *_ in hub.requests if method == "GET"
            and "/api/" not in path]


def answers(cli, model, tmp_path, name, *flags, env=None):
    source = write(tmp_path / "texts.txt", "a good app\nworst ride ever\nit crashes\n")
    cli.transform(model, source, tmp_path / name, *TEXT, *flags, env=env)
    return (tmp_path / name).read_bytes()


def test_a_pulled_model_is_the_model(cli, hub, pull, tiny_model, tmp_path):
    folder = pull(REPOSITORY).stdout.strip()
    assert folder == str(cache(tmp_path) / "snapshots" / ("a" * 40))
    assert sorted(os.listdir(folder)) == ["README.md", "config.json", "model.safetensors",
                                          "tokenizer_config.json", "vocab.txt"]
    assert (cache(tmp_path) / "refs" / "main").read_text() == "a" * 40
    assert answers(cli, folder, tmp_path, "hub.csv") == answers(cli, tiny_model, tmp_path, "t.csv")


def test_nothing_is_fetched_twice_and_offline_needs_no_server(cli, hub, pull, tmp_path):
    first = pull(f"hf://{REPOSITORY}@v1")
    hub.requests.clear()
    assert pull(REPOSITORY, "--revision", "v1").stdout == first.stdout
    assert fetched(hub) == []
    hub.requests.clear()
    offline = {"HF_HUB_OFFLINE": "1"}
    assert pull(REPOSITORY, "--revision", "v1", env=offline).stdout == first.stdout
    refused = pull(REPOSITORY, env=offline, exit_status=2)
    assert f"HF_HUB_OFFLINE is set, and {REPOSITORY}@main is not in the cache" in refused.stderr
    assert hub.requests == []
    env = {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1"}
    assert answers(cli, f"hf://{REPOSITORY}@v1", tmp_path, "o.csv", env=env)


def test_a_job_pulls_what_its_environment_names(cli, hub, tmp_path, tiny_model):
    env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf")}
    source = write(tmp_path / "texts.txt", "a good app\nworst ride ever\nit crashes\n")
    cli.run("transform", "--input", source, "--output", tmp_path / "out.csv", *TEXT, "--env",
            f"HF_MODEL_ID={REPOSITORY}", "--env", "HF_TASK=text-classification", env=env)
    assert (tmp_path / "out.csv").read_bytes() == answers(cli, tiny_model, tmp_path, "t.csv")
    done = cli.run("transform", "--input", source, "--output", tmp_path / "out2.csv", *TEXT,
                   "--env", f"HF_MODEL_ID={REPOSITORY}", "--env", "HF_TASK=summarization",
                   env=env, exit_status=2)
    assert "HF_TASK: 'summarization'" in done.stderr


def test_a_download_that_broke_off_goes_on_where_it_was(hub, pull, tmp_path, tiny_model):
    hub.cut_after = 5000
    pull(REPOSITORY)
    ranges = [r for method, path, r, _ in hub.requests if "/storage/" in path and method == "GET"]
    assert ranges == [None, "bytes=5000-"]
    weights = cache(tmp_path) / "snapshots" / ("a" * 40) / "model.safetensors"
    assert weights.read_bytes() == (tiny_model / "model.safetensors").read_bytes()


def test_a_wrong_checksum_is_named_and_nothing_kept(hub, pull, tmp_path):
    hub.lie = True
    done = pull(REPOSITORY, exit_status=2)
    assert "model.safetensors: its checksum is" in done.stderr
    assert not (cache(tmp_path) / "snapshots" / ("a" * 40) / "model.safetensors").exists()
    assert not list((cache(tmp_path) / "blobs").glob("*.incomplete"))


def test_the_token_goes_to_the_hub_and_nowhere_else(hub, pull):
    hub.token = "hf_secret"
    refused = pull(REPOSITORY, exit_status=2)
    assert "refused (401); set HF_TOKEN" in refused.stderr
    pull(REPOSITORY, env={"HF_TOKEN": "hf_secret"})
    storage = [token for _, path, _, token in hub.requests if path.startswith("/storage/")]
    assert storage and set(storage) == {None}
    assert "hf_secret" not in refused.stderr


def test_a_job_cannot_have_this_machines_token_sent_elsewhere(cli, hub, tmp_path):
    elsewhere = HubServer(tmp_path / "hub")
    env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "hf"), "HF_TOKEN": "hf_machine"}
    source = write(tmp_path / "texts.txt", "a good app\n")
    cli.run("transform", "--input", source, "--output", tmp_path / "out.csv", *TEXT,
            "--env", f"HF_MODEL_ID={REPOSITORY}", "--env", f"HF_ENDPOINT={elsewhere.url}",
            "--env", f"HF_HUB_CACHE={tmp_path / 'theirs'}", env=env)
    elsewhere.stop()
    assert elsewhere.requests == [] and hub.requests != []
    assert not (tmp_path / "theirs").exists()


def test_what_is_not_there_is_named(hub, pull):
    assert "no such repository or revision" in pull("someone/else", exit_status=2).stderr
    assert "no such repository or revision" in pull(f"{REPOSITORY}@v9", exit_status=2).stderr
    for name in ("../etc", "a/b/c", "a/.git", "someone/x@../../y", ""):
        assert "expected ORG/NAME[@REVISION]" in pull(name, exit_status=2).stderr


@pytest.mark.parametrize("former", ["tiny-sentiment", "someone-else/tiny"])
def test_a_repository_is_found_by_its_former_name(hub, pull, tmp_path, former):
    hub.renamed = {former: REPOSITORY}
    hub.token = "hf_secret"
    folder = pull(former, env={"HF_TOKEN": "hf_secret"}).stdout.strip()
    assert "model.safetensors" in os.listdir(folder)
    assert f"models--{former.replace('/', '--')}/snapshots" in folder
    hub.stop()
    assert pull(former, env={"HF_HUB_OFFLINE": "1"}).stdout.strip() == folder


def test_a_hub_that_does_not_answer_is_named_with_what_was_asked_of_it(hub, pull):
    hub.broken = True
    assert f"{REPOSITORY}@main on {hub.url}: answered 503" in pull(REPOSITORY, exit_status=2).stderr
    refused = pull(REPOSITORY, env={"HF_ENDPOINT": "nonsense"}, exit_status=2)
    assert "HF_ENDPOINT: URL 'nonsense'" in refused.stderr


def as_torch(tiny_model, folder, shards=1):
    shutil.copytree(tiny_model, folder)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    if shards == 1:
        torch_file.save(tensors, folder / "pytorch_model.bin")
        return folder
    where = {}
    for i in range(shards):
        file = f"pytorch_model-{i + 1:05}-of-{shards:05}.bin"
        part = {name: tensors[name] for name in names[i::shards]}
        torch_file.save(part, folder / file)
        where |= dict.fromkeys(part, file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": where}))
    return folder


@pytest.mark.parametrize("shards", [1, 3])
def test_pytorch_files_answer_as_safetensors_do(cli, tiny_model, tmp_path, shards):
    folder = as_torch(tiny_model, tmp_path / "torch", shards)
    expected = answers(cli, tiny_model, tmp_path, "s.csv")
    assert answers(cli, folder, tmp_path, "t.csv") == expected
    cli.run("model", "convert", folder, tmp_path / "converted")
    assert answers(cli, tmp_path / "converted", tmp_path, "c.csv") == expected
    ours, theirs = (load_file(folder / "model.safetensors")
                    for folder in (tmp_path / "converted", tiny_model))
    assert ours.keys() == theirs.keys()
    assert all((ours[name] == theirs[name]).all() for name in ours)


def test_an_archive_without_code_runs_natively(cli, tiny_model, tmp_path):
    packed = archive(as_torch(tiny_model, tmp_path / "torch"), tmp_path / "model.tar.gz")
    assert answers(cli, packed, tmp_path, "a.csv") == answers(cli, tiny_model, tmp_path, "s.csv")


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/millrace-test-was-here",)


def test_a_pickle_that_would_run_something_is_refused_by_name(cli, tiny_model, tmp_path):
    folder = as_torch(tiny_model, tmp_path / "torch")
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"w": Evil()}, protocol=2))
    done = cli.run("model", "inspect", folder, exit_status=2)
    assert "pytorch_model.bin: its pickle asks for posix.system" in done.stderr
    assert not os.path.exists("/tmp/millrace-test-was-here")
