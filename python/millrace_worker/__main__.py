"""A worker of Millrace's Python handler: loads the user's code once, then answers requests.

    python python/millrace_worker --model FOLDER --code FOLDER --index N

File descriptor 3 is the channel to Millrace (channel.py). Standard output and standard error are
the job's log. The process ends when the channel does.
"""
import argparse
import os
import sys

# Our modules are found as members of this package only: none is taken for one of the user's.
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
from millrace_worker import channel as channels  # noqa: E402
from millrace_worker import failures  # noqa: E402
from millrace_worker import service as services  # noqa: E402

CHANNEL = 3
# Twenty thousand links have taken from one to twenty seconds; a model with more files than this is
# shown as it lies.
LINKS_MAX = 1000


def prepare(arguments):
    """What SageMaker's images have in place before the user's code is imported: a model folder of
    its own, where the toolkit looks for it, which is the working folder too; modules in code/ and
    in the model; and no arguments that the code could take for its own."""
    ours = sys.path.pop(0)
    base = os.path.join(os.environ.get("TMPDIR", "/tmp"), "ml", str(arguments.index))
    model = os.path.join(base, "model")
    os.makedirs(base, exist_ok=True)
    if has_few_entries(arguments.model):
        link_files(arguments.model, model)
    elif not os.path.lexists(model):
        os.symlink(arguments.model, model)
    os.chdir(model)
    # Read when the toolkit is imported.
    os.environ["SAGEMAKER_BASE_DIR"] = base
    sys.path[:0] = [arguments.code, model]
    sys.path.append(os.path.join(ours, "compat"))
    del sys.argv[1:]
    return model


def has_few_entries(folder):
    left = LINKS_MAX
    for _, folders, files in os.walk(folder):
        left -= len(folders) + len(files)
        if left < 0:
            return False
    return True


def link_files(source, folder):
    """Folders anew, with links to the files: what the code writes beside them goes away with the
    job, and neither the user's folder nor the archive that later jobs share is changed by it."""
    os.makedirs(folder, exist_ok=True)
    with os.scandir(source) as entries:
        for entry in entries:
            path = os.path.join(folder, entry.name)
            if entry.is_dir(follow_symlinks=False):
                link_files(entry.path, path)
            elif not os.path.lexists(path):  # a worker that is started again finds its own
                os.symlink(entry.path, path)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--code", required=True)
    parser.add_argument("--index", type=int, default=0)
    arguments = parser.parse_args()
    channel = channels.Channel(CHANNEL)
    owner = os.getpid()
    try:
        model = prepare(arguments)
        service = services.load(model, arguments.index)
        ready = services.statement(service)
    except BaseException as error:  # also SystemExit: user code may do anything
        channel.send_failure(failures.describe(error, arguments.code))
        return 1
    channel.send_ready(ready)
    while True:
        request = channel.receive()
        if request is None:
            return 0
        reply = service.answer(*request)
        if os.getpid() != owner:
            os._exit(0)  # a child that the user's code forked and that came back: not its turn
        channel.send_reply(*reply)


if __name__ == "__main__":
    sys.exit(main())
