"""Every member and every constraint of every operation, taken from the service model that botocore
ships: the request that violates it, and the error that comes back. A member that the server's table
forgets, or knows otherwise, fails here by name."""
import http.client
import json
import urllib.parse

import botocore.session
import pytest

import service as s

OPERATIONS = {
    "sagemaker": ["CreateTransformJob", "DescribeTransformJob", "ListTransformJobs",
                  "StopTransformJob", "CreateModel", "DescribeModel", "ListModels", "DeleteModel",
                  "AddTags", "ListTags", "DeleteTags"],
    "logs": ["DescribeLogStreams", "GetLogEvents", "FilterLogEvents"],
}
SAMPLES = {  # strings that satisfy the patterns that a plain word does not
    "RoleArn": s.ROLE, "S3Uri": "s3://bucket/key", "Url": "s3://bucket/m.tar.gz",
    "S3ModelUri": "s3://bucket/m", "MetricsEndpointPath": "/metrics",
    "ResourceArn": "arn:aws:sagemaker:us-east-1:123456789012:model/m",
}
# One that violates each pattern; shapes that are missing here take anything.
BAD = {
    "TransformJobName": "a_b", "ModelName": "a_b", "TransformEnvironmentKey": "1a", "S3Uri": "b/k",
    "ContentType": "a\nb", "Accept": "a\nb", "KmsKeyId": "a b", "TransformAmiVersion": "a--b",
    "TagKey": "a#b", "TagValue": "a#b", "ExperimentEntityName": "a_b", "NameContains": "a_b",
    "NextToken": "a\nb", "PaginationToken": "a\nb", "ModelNameContains": "a_b",
    "ContainerHostname": "a_b", "ContainerImage": "a b",
    "RepositoryCredentialsProviderArn": "a\nb", "Url": "m.tar.gz", "S3ModelUri": "m",
    "HubContentArn": "a\nb", "AdditionalModelChannelName": "a b", "EnvironmentKey": "1a",
    "VersionedArnOrName": "a_b", "InferenceSpecificationName": "a_b",
    "MetricsEndpointPath": "metrics", "RoleArn": "arn:aws:iam::12:role/xxxxxxxxxx",
    "SecurityGroupId": "a_b", "SubnetId": "a_b", "ResourceArn": "arn:aws:s3:::b",
    "LogGroupName": "a b", "LogGroupIdentifier": "a b", "LogStreamName": "a:b",
}
ANYTHING = {r"[\S\s]*"}


@pytest.fixture(scope="module")
def server(millrace, tmp_path_factory):
    from cli import Cli
    running = s.Service(Cli(millrace, tmp_path_factory.mktemp("home")),
                        tmp_path_factory.mktemp("service"), keys=None)
    yield running
    running.stop()


class Caller:
    def __init__(self, url, service):
        self.connection = http.client.HTTPConnection(urllib.parse.urlparse(url).netloc)
        self.prefix = {"sagemaker": "SageMaker", "logs": "Logs_20140328"}[service]

    def __call__(self, operation, request):
        self.connection.request("POST", "/", json.dumps(request), {
            "X-Amz-Target": f"{self.prefix}.{operation}",
            "Content-Type": "application/x-amz-json-1.1"})
        reply = self.connection.getresponse()
        body = reply.read()
        return reply.status, json.loads(body) if body else {}


def sample(shape):
    """The smallest good value with every member set."""
    if shape.type_name == "structure":
        return {name: sample(member) for name, member in shape.members.items()}
    if shape.type_name == "list":
        return [sample(shape.member)]
    if shape.type_name == "map":
        return {"KEY": sample(shape.value)}
    if shape.type_name == "string":
        if shape.enum:
            return shape.enum[0]
        text = SAMPLES.get(shape.name, "abc")
        return text.ljust(shape.metadata.get("min", 0), "a")
    if shape.type_name in ("integer", "long"):
        return max(1, shape.metadata.get("min", 1))
    return {"boolean": True, "timestamp": 1764106123.5}[shape.type_name]


def lower_first(name):
    return name[0].lower() + name[1:]


def violations(shape, path):
    """(how to set it: a function of the value now, path in the message, constraint) of a shape."""
    data = shape.metadata
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            inner = f"{path}.{lower_first(name)}" if path else lower_first(name)
            if name in shape.required_members:
                yield [name], None, inner, "Member must not be null"
            for keys, value, at, must in violations(member, inner):
                yield [name, *keys], value, at, must
    elif shape.type_name == "list":
        yield from bounds(shape, path, "length", lambda n: [sample(shape.member)] * n)
        for keys, value, at, must in violations(shape.member, f"{path}.1.member"):
            yield [0, *keys], value, at, must
    elif shape.type_name == "map":
        yield from bounds(shape, path, "length", lambda n: {f"K{i}": "v" for i in range(n)})
        yield [], {BAD[shape.key.name]: "v"}, path, "Map keys must satisfy constraint: ["
        if "max" in shape.value.metadata:
            yield [], {"K": "v" * (shape.value.metadata["max"] + 1)}, path, \
                "Map value must satisfy constraint: ["
    elif shape.type_name == "string":
        yield from bounds(shape, path, "length", lambda n: "a" * n)
        if shape.enum:
            yield [], "Nonsense", path, \
                f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
        if "pattern" in data and data["pattern"] not in ANYTHING:
            yield [], BAD[shape.name], path, \
                f"Member must satisfy regular expression pattern: {data['pattern']}"
    elif shape.type_name in ("integer", "long"):
        yield from bounds(shape, path, "value", lambda n: n)


def bounds(shape, path, what, make):
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if high is not None:
        yield [], make(high + 1), path, f"Member must have {what} less than or equal to {high}"
    if low is not None and (low > 0 or what == "value"):
        yield [], make(low - 1), path, f"Member must have {what} greater than or equal to {low}"


def with_value(request, keys, value):
    request = json.loads(json.dumps(request))
    target = request
    for key in keys[:-1]:
        target = target[key]
    if value is None:
        del target[keys[-1]]
    else:
        target[keys[-1]] = value
    return request


CASES = [(service, operation) for service, names in OPERATIONS.items() for operation in names]


@pytest.mark.parametrize("service,operation", CASES)
def test_every_member_and_constraint(server, service, operation):
    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(operation).input_shape
    call = Caller(server.url, service)
    good = sample(shape)
    _, answer = call(operation, good)
    assert "validation error" not in answer.get("message", ""), answer
    assert answer.get("__type") != "SerializationException", answer
    checked = 0
    for keys, value, path, must in violations(shape, ""):
        status, answer = call(operation, with_value(good, keys, value))
        assert status == 400 and f" at '{path}' failed to satisfy constraint: {must}" in \
            answer["message"], (keys, must, answer)
        assert answer["__type"] == {"sagemaker": "ValidationException",
                                    "logs": "InvalidParameterException"}[service], answer
        checked += 1
    assert checked >= len(shape.required_members)
    print(f"{operation}: {checked} constraints")


@pytest.mark.parametrize("service,operation", CASES)
def test_every_member_has_its_type(server, service, operation):
    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(operation).input_shape
    call = Caller(server.url, service)
    good = sample(shape)
    for keys, member in members(shape, []):
        wrong = {"string": 7, "integer": "x", "long": "x", "boolean": "true", "timestamp": "x",
                 "list": {}, "map": [], "structure": []}[member.type_name]
        status, answer = call(operation, with_value(good, keys, wrong))
        assert (status, answer["__type"]) == (400, "SerializationException"), (keys, answer)


def members(shape, keys):
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            yield [*keys, name], member
            yield from members(member, [*keys, name])
    elif shape.type_name == "list":
        yield [*keys, 0], shape.member
        yield from members(shape.member, [*keys, 0])


def test_all_violations_come_at_once(server):
    call = Caller(server.url, "sagemaker")
    _, answer = call("CreateTransformJob", {"TransformJobName": "a_b", "MaxPayloadInMB": -1})
    assert answer["message"].startswith("6 validation errors detected: ")
    assert answer["message"].count("failed to satisfy constraint") == 6
