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


def prepare(arguments):
    """What SageMaker's images have in place before the user's code is imported: the model's folder
    where the toolkit looks for it, modules in code/ and beside it, the model's files in the working
    folder, and no arguments that the code could take for its own."""
    ours = sys.path.pop(0)
    base = os.path.join(os.environ.get("TMPDIR", "/tmp"), "ml")
    os.makedirs(base, exist_ok=True)
    link_to(arguments.model, os.path.join(base, "model"))
    enter_working_folder(arguments.model, os.path.join(base, f"work-{arguments.index}"))
    # Read when the toolkit is imported.
    os.environ["SAGEMAKER_BASE_DIR"] = base
    sys.path[:0] = [arguments.code, arguments.model]
    sys.path.append(os.path.join(ours, "compat"))
    del sys.argv[1:]
    return os.path.join(base, "model")


def enter_working_folder(model, folder):
    """AWS's server starts its workers in a copy of the model's folder: names relative to it are
    found, and what the code writes beside them stays out of the model and of the user's folders."""
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(model):
        link_to(os.path.join(model, name), os.path.join(folder, name))
    os.chdir(folder)


def link_to(target, path):
    if not os.path.lexists(path):
        os.symlink(target, path)


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
