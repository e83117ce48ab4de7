"""`millrace serve` as the tests run it: on a free port, with access keys, a folder of its own and a
real S3 server behind it; and the clients that talk to it."""
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import boto3
import botocore.config

ACCESS_KEY = "SERVICEKEY"
SECRET_KEY = "service-secret"
REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/local"
IMAGE = ("763104351884.dkr.ecr.us-east-1.amazonaws.com/"
         "huggingface-pytorch-inference:2.1.0-transformers4.37.0-cpu-py310-ubuntu22.04")


def write_keys(path, keys):
    text = "".join(f"[key{i}]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n"
                   for i, (access, secret) in enumerate(keys))
    temporary = path.with_suffix(".new")
    temporary.write_text(text)
    temporary.chmod(0o600)
    temporary.replace(path)
    return path


class Service:
    def __init__(self, cli, folder, *flags, environment=None, keys=((ACCESS_KEY, SECRET_KEY),)):
        self.cli, self.folder = cli, pathlib.Path(folder)
        self.flags, self.extra = flags, environment or {}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.keys = write_keys(self.folder / "keys", keys) if keys else None
        self.lines = []
        self.start()

    def start(self):
        access = ["--keys", self.keys] if self.keys else ["--no-auth"]
        self.process = subprocess.Popen(
            [str(self.cli.program), "serve", "--listen", "127.0.0.1:0", "--data-dir",
             str(self.folder / "state"), *map(str, access), *map(str, self.flags)],
            env=self.cli.environment(self.extra), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.url = None
        self._reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self._reader.start()
        for _ in range(1000):
            if self.url or self.process.poll() is not None:
                break
            time.sleep(0.02)
        assert self.url, "".join(self.lines)

    def _read(self, process):
        for line in process.stderr:
            self.lines.append(line)
            found = re.search(r'url"?[=:]"?(https?://[\d.]+:\d+)', line)
            if found:
                self.url = found.group(1)

    @property
    def log(self):
        return "".join(self.lines)

    def stop(self, signal_number=signal.SIGTERM, exit_status=0):
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        status = self.process.wait(60)
        self._reader.join(10)
        assert exit_status is None or status == exit_status, self.log
        return self.log

    def client(self, name="sagemaker", access=ACCESS_KEY, secret=SECRET_KEY, region=REGION,
               **options):
        return boto3.client(
            name, endpoint_url=self.url, region_name=region, aws_access_key_id=access,
            aws_secret_access_key=secret,
            config=botocore.config.Config(retries={"total_max_attempts": 1}), **options)

    def environment(self, s3_server):
        """What a client that is configured by its environment needs."""
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith(("AWS_", "MILLRACE_"))}
        return kept | {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL_SAGEMAKER": self.url, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": self.url,
            "AWS_ENDPOINT_URL_STS": self.url, "AWS_ENDPOINT_URL_IAM": self.url,
            "AWS_ENDPOINT_URL_S3": s3_server.url}


def job_request(name, bucket, source="in/", model="sentiment", **members):
    """A CreateTransformJob request as people write them: JSON Lines in, JSON Lines out."""
    request = {
        "TransformJobName": name, "ModelName": model,
        "TransformInput": {"DataSource": {"S3DataSource": {
            "S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{source}"}},
            "ContentType": "application/jsonlines", "SplitType": "Line"},
        "TransformOutput": {"S3OutputPath": f"s3://{bucket}/out", "AssembleWith": "Line",
                            "Accept": "application/jsonlines"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1}}
    return request | members


def create_model(client, name="sentiment", image=IMAGE, **container):
    return client.create_model(ModelName=name, ExecutionRoleArn=ROLE,
                               PrimaryContainer={"Image": image, **container})


def wait(client, name, seconds=60):
    """The job's description when it has ended."""
    for _ in range(seconds * 20):
        shown = client.describe_transform_job(TransformJobName=name)
        if shown["TransformJobStatus"] not in ("InProgress", "Stopping"):
            return shown
        time.sleep(0.05)
    raise AssertionError(f"still {json.dumps(shown, default=str)}")


def log_lines(logs, job):
    """Every line of the job's streams, as the SDKs read them: stream -> messages."""
    group = "/aws/sagemaker/TransformJobs"
    found = {}
    for stream in logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/",
                                            orderBy="LogStreamName")["logStreams"]:
        name, messages, token = stream["logStreamName"], [], {}
        while True:
            page = logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True,
                                       **token)
            if not page["events"]:
                break
            messages += [event["message"] for event in page["events"]]
            token = {"nextToken": page["nextForwardToken"]}
        found[name] = messages
    return found
