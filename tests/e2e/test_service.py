"""The SageMaker API with boto3, its endpoint changed and nothing else: jobs on reviews in a real S3
server from create to results, and told clearly why when they fail."""
import csv
import io
import json
import signal
import time

import botocore.exceptions
import pytest

import service as s
from cli import json_lines

REVIEWS = [{"inputs": text} for text in ("great app", "I hate it", "ok", "crashes never")]


@pytest.fixture
def service(cli, s3_server, tmp_path):
    running = s.Service(cli, tmp_path / "service", "--threads", "1",
                        environment=s3_server.environment)
    yield running
    if running.process.poll() is None:
        running.stop()


@pytest.fixture
def sagemaker(service):
    return service.client()


def put_reviews(s3_server, bucket, keys=("a.jsonl",)):
    for key in keys:
        s3_server.put(bucket, f"in/{key}", json_lines(REVIEWS).encode())


def error_of(call, *arguments, **members):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(*arguments, **members)
    return raised.value.response["Error"]["Code"], raised.value.response["Error"]["Message"]


def test_from_create_to_results(service, sagemaker, s3_server, bucket):
    put_reviews(s3_server, bucket, ["a.jsonl", "sub/b.jsonl"])
    assert s.create_model(sagemaker)["ModelArn"].endswith(":model/sentiment")
    arn = sagemaker.create_transform_job(**s.job_request("Job-1", bucket))["TransformJobArn"]
    assert arn == "arn:aws:sagemaker:us-east-1:000000000000:transform-job/job-1"
    sagemaker.get_waiter("transform_job_completed_or_stopped").wait(
        TransformJobName="Job-1", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    shown = sagemaker.describe_transform_job(TransformJobName="Job-1")
    assert shown["TransformJobStatus"] == "Completed", shown
    assert shown["TransformJobArn"] == arn
    assert shown["CreationTime"] <= shown["TransformStartTime"] <= shown["TransformEndTime"]
    assert shown["DataProcessing"] == {"InputFilter": "$", "OutputFilter": "$",
                                       "JoinSource": "None"}
    assert shown["TransformOutput"]["KmsKeyId"] == "" and shown["Environment"] == {}
    assert "FailureReason" not in shown and "MaxPayloadInMB" not in shown
    for key in ("out/a.jsonl.out", "out/sub/b.jsonl.out"):
        answers = [json.loads(line) for line in s3_server.get(bucket, key).splitlines()]
        assert len(answers) == len(REVIEWS), answers
        assert answers[0][0]["label"] in ("NEGATIVE", "POSITIVE")
    assert s3_server.uploads(bucket) == []


def test_a_failed_job_says_which_record_and_why(service, sagemaker, s3_server, bucket):
    s3_server.put(bucket, "in/good.jsonl", json_lines(REVIEWS).encode())
    s3_server.put(bucket, "in/bad.jsonl", b'{"inputs": "fine"}\n{"inputs": 7}\n')
    s.create_model(sagemaker)
    sagemaker.create_transform_job(**s.job_request("bad", bucket))
    shown = s.wait(sagemaker, "bad")
    assert shown["TransformJobStatus"] == "Failed"
    assert "record 2" in shown["FailureReason"] and "bad.jsonl" in shown["FailureReason"]
    assert sorted(s3_server.list(bucket, "out/")) == ["out/good.jsonl.out"]
    lines = s.log_lines(service.client("logs"), "bad")
    data_log = [line for name, messages in lines.items() if name.endswith("/data-log")
                for line in messages]
    assert any("bad.jsonl" in line and "record 2" in line for line in data_log), lines
    with pytest.raises(botocore.exceptions.WaiterError):
        sagemaker.get_waiter("transform_job_completed_or_stopped").wait(
            TransformJobName="bad", WaiterConfig={"Delay": 1, "MaxAttempts": 2})


def test_csv_with_header_and_a_bad_row_by_environment_alone(service, sagemaker, s3_server, bucket):
    table = "id,text\n1,great app\n2,\"I hate it\n3,ok\n4,crashes never\n"
    s3_server.put(bucket, "in/reviews.csv", table.encode())
    s.create_model(sagemaker)
    request = s.job_request(
        "csv", bucket, Environment={"MILLRACE_CSV_HEADER": "true", "MILLRACE_TEXT_COLUMN": "text",
                                    "MILLRACE_ON_RECORD_ERROR": "record"},
        DataProcessing={"JoinSource": "Input"})
    request["TransformInput"]["ContentType"] = "text/csv"
    request["TransformOutput"]["Accept"] = "text/csv"
    sagemaker.create_transform_job(**request)
    shown = s.wait(sagemaker, "csv")
    rows = list(csv.reader(io.StringIO(s3_server.get(bucket, "out/reviews.csv.out").decode())))
    assert rows[0] == ["id", "text", "predicted_label", "predicted_score"]
    assert rows[1][:2] == ["1", "great app"] and rows[1][2] in ("NEGATIVE", "POSITIVE")
    (errors,) = [key for key in s3_server.list(bucket, "out/") if "errors" in key]
    (refused,) = [json.loads(line) for line in s3_server.get(bucket, errors).splitlines()]
    assert "I hate it" in json.dumps(refused) and refused["record_number"] == 2, refused
    assert shown["TransformJobStatus"] == "Completed", shown
    lines = s.log_lines(service.client("logs"), "csv")
    assert any(f"in/reviews.csv: 1 of 4 records refused; s3://{bucket}/{errors}" in line
               for messages in lines.values() for line in messages), lines

    # Without the variable the row fails its object, and the reason names it.
    del request["Environment"]["MILLRACE_ON_RECORD_ERROR"]
    request["TransformOutput"]["S3OutputPath"] = f"s3://{bucket}/out2"
    sagemaker.create_transform_job(**(request | {"TransformJobName": "csv2"}))
    shown = s.wait(sagemaker, "csv2")
    assert shown["TransformJobStatus"] == "Failed"
    assert "record 2" in shown["FailureReason"] and "reviews.csv" in shown["FailureReason"]
    lines = s.log_lines(service.client("logs"), "csv2")
    assert any("reviews.csv" in line and "record 2" in line
               for messages in lines.values() for line in messages), lines
    assert s3_server.list(bucket, "out2/") == {}


def test_names_are_taken_whatever_their_case(sagemaker, s3_server, bucket):
    put_reviews(s3_server, bucket)
    s.create_model(sagemaker)
    code, message = error_of(s.create_model, sagemaker, "SENTIMENT")
    assert code == "ValidationException" and "Cannot create already existing model" in message
    sagemaker.create_transform_job(**s.job_request("name", bucket))
    code, message = error_of(sagemaker.create_transform_job, **s.job_request("NAME", bucket))
    assert code == "ResourceInUse" and "transform-job/name" in message
    s.wait(sagemaker, "name")


def test_errors_in_sagemakers_words(sagemaker, s3_server, bucket):
    put_reviews(s3_server, bucket)
    code, message = error_of(sagemaker.create_transform_job,
                             **s.job_request("j", bucket, model="nobody"))
    assert code == "ValidationException" and 'Could not find model "arn:aws:sagemaker:' in message
    s.create_model(sagemaker)
    code, message = error_of(sagemaker.create_transform_job,
                             **s.job_request("j", bucket, source="nothing/"))
    assert code == "ValidationException"
    assert f'No S3 objects found under S3 URL "s3://{bucket}/nothing/"' in message
    code, message = error_of(sagemaker.describe_transform_job, TransformJobName="nobody")
    assert code == "ValidationException"
    code, message = error_of(sagemaker.stop_transform_job, TransformJobName="nobody")
    assert code == "ResourceNotFound"
    code, message = error_of(sagemaker.create_model, ModelName="x", ExecutionRoleArn=s.ROLE,
                             PrimaryContainer={"Image": "registry/whatever:1"})
    assert code == "ValidationException" and "registry/whatever:1" in message
    code, message = error_of(sagemaker.create_transform_job, **s.job_request(
        "j", bucket, Environment={"MILLRACE_NO_SUCH": "1"}))
    assert code == "ValidationException" and "MILLRACE_NO_SUCH" in message


@pytest.mark.parametrize("change,words", [
    (lambda r: r["DataProcessing"].update(OutputFilter="$['account_id','SageMakerOutput']"),
     "Invalid OutputFilter: \"$['account_id','SageMakerOutput']\". Unexpected \"_\" in JsonPath. "
     "Supported operators for \"application/jsonlines\" are "
     "['$', '[', ']', '*', '.', ' ', ',', ':', '-', ''']"),
    (lambda r: r["DataProcessing"].update(InputFilter="$.a@b"), 'Unexpected "@" in JsonPath'),
    (lambda r: r["TransformOutput"].update(Accept="text/csv"), "text/csv"),
    (lambda r: r["TransformOutput"].update(AssembleWith="None"), "both Line or both None"),
    (lambda r: r["Environment"].update(MILLRACE_EMPTY="never"), "allowed: classify, blank"),
    (lambda r: r["Environment"].update(MILLRACE_CLEAN="soap"), "'soap' is no cleaning step"),
    (lambda r: r["Environment"].update(MILLRACE_THRESHOLDS='{"NEGATIVE":2}'), "from 0 to 1"),
    (lambda r: r["Environment"].update(MILLRACE_CSV_HEADER="true"), "which has no header"),
])
def test_what_cannot_work_is_refused_when_the_job_is_created(sagemaker, s3_server, bucket, change,
                                                             words):
    put_reviews(s3_server, bucket)
    s.create_model(sagemaker)
    request = s.job_request("j", bucket, DataProcessing={"JoinSource": "Input"},
                            Environment={"MILLRACE_LABELS": '{"NEGATIVE":"bad"}'})
    request["TransformInput"] |= {"ContentType": "application/jsonlines", "SplitType": "Line"}
    request["TransformOutput"] |= {"Accept": "application/jsonlines", "AssembleWith": "Line"}
    change(request)
    code, message = error_of(sagemaker.create_transform_job, **request)
    assert code == "ValidationException" and words in message


def test_the_same_request_without_the_fault_is_accepted(sagemaker, s3_server, bucket):
    put_reviews(s3_server, bucket)
    s.create_model(sagemaker)
    request = s.job_request("j", bucket, DataProcessing={"JoinSource": "Input"}, Environment={
        "MILLRACE_LABELS": '{"NEGATIVE":"bad"}', "MILLRACE_THRESHOLDS": '{"bad":0.3}'})
    request["TransformInput"] |= {"ContentType": "application/jsonlines", "SplitType": "Line"}
    request["TransformOutput"] |= {"Accept": "application/jsonlines", "AssembleWith": "Line"}
    sagemaker.create_transform_job(**request)
    assert s.wait(sagemaker, "j")["TransformJobStatus"] == "Completed"


def test_lists_have_pages_filters_and_orders(sagemaker, s3_server, bucket):
    put_reviews(s3_server, bucket)
    s.create_model(sagemaker)
    names = [f"job-{i:02}" for i in range(12)]
    for name in names:
        sagemaker.create_transform_job(**s.job_request(name, bucket))
    for name in names:
        s.wait(sagemaker, name)
    first = sagemaker.list_transform_jobs()
    assert [job["TransformJobName"] for job in first["TransformJobSummaries"]] == \
        names[:1:-1]  # the newest ten
    pages = sagemaker.get_paginator("list_transform_jobs").paginate(
        SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 5})
    listed = [job for page in pages for job in page["TransformJobSummaries"]]
    assert [job["TransformJobName"] for job in listed] == names
    assert all(job["TransformJobStatus"] == "Completed" and job["TransformEndTime"] >=
               job["CreationTime"] for job in listed)
    found = sagemaker.list_transform_jobs(NameContains="-03")["TransformJobSummaries"]
    assert [job["TransformJobName"] for job in found] == ["job-03"]
    assert sagemaker.list_transform_jobs(StatusEquals="Failed")["TransformJobSummaries"] == []
    middle = listed[6]["CreationTime"]
    later = sagemaker.list_transform_jobs(CreationTimeAfter=middle, SortOrder="Ascending")
    assert listed[6]["TransformJobName"] in [
        job["TransformJobName"] for job in later["TransformJobSummaries"]] or \
        later["TransformJobSummaries"][0]["TransformJobName"] == "job-07"
    code, _ = error_of(sagemaker.list_transform_jobs, NextToken="nonsense")
    assert code == "ValidationException"


def test_models_are_described_listed_and_deleted(sagemaker):
    s.create_model(sagemaker, "one", Environment={"A": "b"})
    s.create_model(sagemaker, "two")
    shown = sagemaker.describe_model(ModelName="one")
    assert shown["PrimaryContainer"] == {"Image": s.IMAGE, "Environment": {"A": "b"}}
    assert shown["ExecutionRoleArn"] == s.ROLE
    pages = sagemaker.get_paginator("list_models").paginate(PaginationConfig={"PageSize": 1})
    assert [model["ModelName"] for page in pages for model in page["Models"]] == ["two", "one"]
    sagemaker.delete_model(ModelName="one")
    code, message = error_of(sagemaker.describe_model, ModelName="one")
    assert code == "ValidationException" and "Could not find model" in message


def test_tags(sagemaker, s3_server, bucket):
    put_reviews(s3_server, bucket)
    arn = sagemaker.create_model(ModelName="m", ExecutionRoleArn=s.ROLE,
                                 PrimaryContainer={"Image": s.IMAGE},
                                 Tags=[{"Key": "team", "Value": "a"}])["ModelArn"]
    added = sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "b"},
                                                      {"Key": "k", "Value": ""}])["Tags"]
    assert sorted(added, key=lambda tag: tag["Key"]) == [{"Key": "k", "Value": ""},
                                                         {"Key": "team", "Value": "b"}]
    sagemaker.delete_tags(ResourceArn=arn, TagKeys=["k"])
    pages = sagemaker.get_paginator("list_tags").paginate(ResourceArn=arn)
    assert [tag for page in pages for tag in page["Tags"]] == [{"Key": "team", "Value": "b"}]


def many_reviews(count):
    return json_lines({"inputs": f"great app number {i} and then some words more"}
                      for i in range(count)).encode()


def test_stop_is_quick_and_keeps_what_is_committed(service, sagemaker, s3_server, bucket):
    s3_server.put(bucket, "in/1.jsonl", json_lines(REVIEWS).encode())
    s3_server.put(bucket, "in/2.jsonl", many_reviews(400_000))
    s.create_model(sagemaker)
    sagemaker.create_transform_job(**s.job_request("long", bucket))
    while not s3_server.list(bucket, "out/"):
        time.sleep(0.05)
    begin = time.monotonic()
    sagemaker.stop_transform_job(TransformJobName="long")
    assert s.wait(sagemaker, "long")["TransformJobStatus"] == "Stopped"
    assert time.monotonic() - begin < 5
    assert sorted(s3_server.list(bucket, "out/")) == ["out/1.jsonl.out"]
    code, _ = error_of(sagemaker.stop_transform_job, TransformJobName="long")
    assert code == "ValidationException"


def test_a_restart_goes_on_with_the_job(service, sagemaker, s3_server, bucket):
    s3_server.put(bucket, "in/1.jsonl", many_reviews(8_000))
    s.create_model(sagemaker)
    sagemaker.create_transform_job(**s.job_request("long", bucket))
    while sagemaker.describe_transform_job(
            TransformJobName="long").get("TransformStartTime") is None:
        time.sleep(0.05)
    service.stop(signal.SIGKILL, exit_status=None)
    service.start()
    shown = s.wait(service.client(), "long", seconds=180)
    assert shown["TransformJobStatus"] == "Completed", shown
    assert s3_server.get(bucket, "out/1.jsonl.out").count(b"\n") == 8_000
    assert s3_server.uploads(bucket) == []


def test_progress_objects_errors_resume_and_delete(service, sagemaker, s3_server, bucket):
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    import urllib.request

    def rest(method, path):
        request = botocore.awsrequest.AWSRequest(method, service.url + path)
        botocore.auth.SigV4Auth(botocore.credentials.Credentials(s.ACCESS_KEY, s.SECRET_KEY),
                                "sagemaker", s.REGION).add_auth(request)
        sent = urllib.request.Request(service.url + path, method=method,
                                      headers=dict(request.headers))
        try:
            with urllib.request.urlopen(sent, timeout=30) as reply:
                body = reply.read()
                return reply.status, json.loads(body) if body else None
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    s3_server.put(bucket, "in/good.jsonl", json_lines(REVIEWS).encode())
    s3_server.put(bucket, "in/bad.jsonl", b'{"inputs": 7}\n')
    s.create_model(sagemaker)
    sagemaker.create_transform_job(**s.job_request("j", bucket))
    s.wait(sagemaker, "j")
    status, job = rest("GET", "/v1/jobs/j")
    assert status == 200 and job["Progress"]["ObjectsFailed"] == 1, job
    status, objects = rest("GET", "/v1/jobs/j/objects")
    assert {one["Input"]: one["State"] for one in objects["Objects"]} == {
        f"s3://{bucket}/in/good.jsonl": "Completed", f"s3://{bucket}/in/bad.jsonl": "Failed"}
    status, errors = rest("GET", "/v1/jobs/j/errors")
    assert "record 1" in errors["Objects"][0]["Error"]
    s3_server.put(bucket, "in/bad.jsonl", json_lines(REVIEWS).encode())  # mended
    status, _ = rest("POST", "/v1/jobs/j/resume")
    assert status == 202
    assert s.wait(sagemaker, "j")["TransformJobStatus"] == "Completed"
    assert len(s3_server.list(bucket, "out/")) == 2
    assert rest("DELETE", "/v1/jobs/j")[0] == 204
    assert rest("GET", "/v1/jobs/j")[0] == 404
    sagemaker.create_transform_job(**s.job_request("j", bucket))  # the name is free again
    assert s.wait(sagemaker, "j")["TransformJobStatus"] == "Completed"
