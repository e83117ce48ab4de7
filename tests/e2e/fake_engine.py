#!/usr/bin/env python3
"""Stands in for podman: writes down what it is asked and starts model_server.py instead of a
container. FAKE_ENGINE names a folder with `settings.json`; `calls.jsonl` appears there."""
import json
import os
import pathlib
import sys
import time

FOLDER = pathlib.Path(os.environ["FAKE_ENGINE"])
SERVER = pathlib.Path(__file__).with_name("model_server.py")


def option(arguments, name):
    return arguments[arguments.index(name) + 1] if name in arguments else ""


def run(arguments, settings):
    pairs = pathlib.Path(option(arguments, "--env-file")).read_text().splitlines()
    environment = dict(pair.split("=", 1) for pair in pairs)
    host, port, _ = option(arguments, "--publish").split(":")
    if settings.get("address"):
        host, port = settings["address"], "8080"
    environment |= {"SAGEMAKER_BIND_TO_PORT": port, "MODEL_SERVER_HOST": host}
    behaviour = settings.get("behaviour", "")
    (FOLDER / "environment").write_text("\n".join(pairs))
    os.execve(sys.executable, [sys.executable, str(SERVER), "serve", behaviour, str(FOLDER)],
              environment)


def main():
    arguments = sys.argv[1:]
    settings = json.loads((FOLDER / "settings.json").read_text())
    with open(FOLDER / "calls.jsonl", "a", encoding="utf-8") as calls:
        calls.write(json.dumps(arguments) + "\n")
    if arguments[0] == "--version":
        print(settings.get("version", "podman version 4.3.1"))
    elif arguments[0] == "info":
        print(settings.get("info", "[name=seccomp,profile=builtin]"))
    elif arguments[:2] == ["image", "inspect"]:
        sys.exit(0 if arguments[-1] in settings.get("images", []) else 125)
    elif arguments[0] == "pull":
        print("Error: initializing source: reading manifest: name unknown", file=sys.stderr)
        sys.exit(125)
    elif arguments[0] == "ps":
        print("\n".join(settings.get("containers", [])))
    elif arguments[:2] == ["network", "ls"]:
        print("\n".join(settings.get("networks", [])))
    elif arguments[0] == "inspect":
        print(settings.get("address", ""))
    elif arguments[0] == "run":
        time.sleep(settings.get("start_seconds", 0))
        run(arguments, settings)


if __name__ == "__main__":
    main()
