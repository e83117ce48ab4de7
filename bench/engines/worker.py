"""One baseline engine in a process of its own, so that its threads disturb no other's.

Reads one JSON object a line: {"texts": FILE} with texts and their token ids. Answers each with one
line: {"seconds", "answers"}; its first line says that it is ready, or why it will never be."""
import importlib
import json
import os
import pathlib
import sys


def main():
    module, precision, arrangement, model, work, threads = sys.argv[1:]
    # What libraries print goes to stderr: stdout is the protocol's.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def reply(message):
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    try:
        library = importlib.import_module(f"engines.{module}")
        engine = library.Engine(precision, arrangement, pathlib.Path(model), pathlib.Path(work),
                                int(threads))
    except Exception as error:  # whatever an engine raises is why its row is empty
        reply({"why": f"{type(error).__name__}: {error}".split("\n")[0]})
        return
    reply({"ready": True, "version": library.VERSION})
    for line in sys.stdin:
        data = json.loads(pathlib.Path(json.loads(line)["texts"]).read_text())
        try:
            seconds, answers = engine.run(data["texts"], data["ids"])
            reply({"seconds": seconds, "answers": [float(a) for a in answers]})
        except Exception as error:
            reply({"why": f"{type(error).__name__}: {error}".split("\n")[0]})


if __name__ == "__main__":
    main()
