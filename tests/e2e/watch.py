"""Watches an output folder or prefix from another process, as a stranger would: whatever is visible
at any moment must be whole."""
import multiprocessing
import os
import pathlib
import time
import urllib.error

from cli import is_stamp


class FolderView:
    """What is visible below a folder: name -> content, hidden files too."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def objects(self):
        found = {}
        # os.walk passes over a folder that went away while it was listed; a file may go as well.
        for folder, _, names in os.walk(self.folder):
            for path in (pathlib.Path(folder, name) for name in names if not is_stamp(name)):
                try:
                    found[str(path.relative_to(self.folder))] = path.read_bytes()
                except FileNotFoundError:
                    pass
        return found

    def uploads(self):
        return []


class BucketView:
    """The same of a prefix on an S3 server."""

    def __init__(self, server, bucket, prefix):
        self.server, self.bucket, self.prefix = server, bucket, prefix

    def objects(self):
        found = {}
        for key in self.server.list(self.bucket, self.prefix):
            try:
                found[key.removeprefix(self.prefix)] = self.server.get(self.bucket, key)
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise
        return found

    def uploads(self):
        return [upload for upload in self.server.uploads(self.bucket)
                if upload[0].startswith(self.prefix)]


class Watcher:
    """Polls a view in a process of its own until stopped; tells what it saw that was not whole."""

    def __init__(self, view, expected):
        self.stop_event = multiprocessing.Event()
        self.answers, answer = multiprocessing.Pipe(duplex=False)
        self.process = multiprocessing.Process(
            target=self.watch, args=(view, expected, self.stop_event, answer), daemon=True)

    @staticmethod
    def watch(view, expected, stop_event, answer):
        polls, partial, first_upload = 0, [], None
        while True:
            last = stop_event.is_set()
            for name, content in view.objects().items():
                if expected.get(name) != content:
                    partial.append((name, len(content)))
            if first_upload is None and view.uploads():
                first_upload = time.monotonic()
            polls += 1
            if last or partial:
                break
            time.sleep(0.002)
        answer.send((polls, partial, first_upload))

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *_):
        if self.process.is_alive():
            self.finish()

    def finish(self):
        """(number of polls, what was partial, when the first upload was seen or None)"""
        self.stop_event.set()
        if not self.answers.poll(60):
            self.process.kill()
            raise RuntimeError("the watcher gave no answer: see its error above")
        answer = self.answers.recv()
        self.process.join(30)
        return answer
