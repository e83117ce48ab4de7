"""The service's door: keys and their rotation, TLS, configuration, health, slow clients, and what
it refuses to start with."""
import json
import os
import socket
import ssl
import subprocess
import time
import urllib.request

import botocore.exceptions
import pytest

import service as s


@pytest.fixture
def start(cli, tmp_path):
    running = []

    def make(*flags, **options):
        running.append(s.Service(cli, tmp_path / f"service{len(running)}", *flags, **options))
        return running[-1]
    yield make
    for one in running:
        if one.process.poll() is None:
            one.stop()


def code_of(call, **members):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**members)
    return raised.value.response["Error"]["Code"]


def get(url, **options):
    with urllib.request.urlopen(url, timeout=20, **options) as reply:
        return reply.read().decode()


def test_keys_are_checked_and_change_without_a_restart(start):
    service = start()
    assert service.client().list_models()["Models"] == []
    assert code_of(service.client(access="NOBODY").list_models) == "UnrecognizedClientException"
    assert code_of(service.client(secret="wrong").list_models) == "InvalidSignatureException"
    assert code_of(service.client(region="eu-west-1").list_models) == "InvalidSignatureException"
    s.write_keys(service.keys, [("NEWKEY", "new-secret"), (s.ACCESS_KEY, s.SECRET_KEY)])
    new = service.client(access="NEWKEY", secret="new-secret")
    for _ in range(100):
        try:
            new.list_models()
            break
        except botocore.exceptions.ClientError:
            time.sleep(0.05)
    assert new.list_models()["Models"] == []
    assert service.client().list_models()["Models"] == []
    s.write_keys(service.keys, [("NEWKEY", "new-secret")])
    for _ in range(100):
        try:
            service.client().list_models()
            time.sleep(0.05)
        except botocore.exceptions.ClientError:
            break
    assert code_of(service.client().list_models) == "UnrecognizedClientException"
    log = service.stop()
    assert "secret" not in log and "access keys were read again" in log


def test_sts_and_iam_answer_as_the_sdk_needs_it(start):
    service = start()
    identity = service.client("sts").get_caller_identity()
    assert identity["Arn"] == f"arn:aws:sts::000000000000:assumed-role/millrace/{s.ACCESS_KEY}"
    assert identity["Account"] == "000000000000"
    assert code_of(service.client("iam").get_role, RoleName="x") == "AccessDenied"
    assert code_of(service.client("sts", secret="wrong").get_caller_identity) == \
        "SignatureDoesNotMatch"


def test_an_s3_client_is_told_where_it_is(start):
    service = start()
    s3 = service.client("s3")
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        s3.put_object(Bucket="bucket", Key="key", Body=b"x" * 100_000)
    assert "AWS_ENDPOINT_URL_S3" in str(raised.value)
    assert code_of(s3.list_objects_v2, Bucket="bucket") == "InvalidRequest"


def test_health_readiness_and_metrics_need_no_key(start):
    service = start("--log-format", "json", "--log-level", "debug")
    assert get(service.url + "/healthz") == "ok\n"
    assert get(service.url + "/readyz") == "ready\n"
    service.client().list_models()
    metrics = get(service.url + "/metrics")
    assert 'millrace_api_requests_total{operation="ListModels",code="",status="200"} 1' in metrics
    assert "millrace_jobs_running 0" in metrics and "process_cpu_seconds_total" in metrics
    log = [json.loads(line) for line in service.stop().splitlines()]
    (listed,) = [line for line in log if line.get("operation") == "ListModels"]
    assert listed["access_key"] == s.ACCESS_KEY and len(listed["request_id"]) == 36


def make_certificate(certificate, key):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key,
                    "-out", certificate], check=True, capture_output=True)


def test_tls(start, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make_certificate(certificate, key)
    service = start("--certificate", certificate, "--private-key", key)
    assert service.url.startswith("https://")
    client = service.client(verify=str(certificate))
    for _ in range(3):
        assert client.list_models()["Models"] == []
    context = ssl.create_default_context(cafile=str(certificate))
    assert get(service.url + "/healthz", context=context) == "ok\n"


def certificate_in_force(service):
    host, port = service.url.removeprefix("https://").split(":")
    return ssl.get_server_certificate((host, int(port)))


def test_a_certificate_is_renewed_without_a_restart(start, tmp_path):
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make_certificate(certificate, key)
    first = certificate.read_text()
    service = start("--certificate", certificate, "--private-key", key)
    assert certificate_in_force(service) == first

    make_certificate(tmp_path / "new.pem", tmp_path / "new-key.pem")
    (tmp_path / "new.pem").rename(certificate)  # a certificate whose key is not there yet
    time.sleep(2.5)
    assert certificate_in_force(service) == first
    (tmp_path / "new-key.pem").rename(key)
    deadline = time.monotonic() + 10
    while certificate_in_force(service) == first and time.monotonic() < deadline:
        time.sleep(0.2)
    assert certificate_in_force(service) == certificate.read_text() != first
    log = service.stop()
    assert "the certificate and key read before stay in force" in log
    assert "the certificate was read again" in log


def refused(cli, *flags, env=None):
    where = () if "--listen" in flags else ("--listen", "127.0.0.1:0")
    run = cli.run("serve", *where, *flags, exit_status=2, env=env)
    return run.stderr


def test_it_does_not_start_without_saying_who_may_call(cli, tmp_path):
    assert "--keys FILE" in refused(cli)
    assert "loopback addresses only" in refused(cli, "--no-auth", "--listen", "0.0.0.0:0")
    for wrong in ("8800", "127.0.0.1:", ":8800", "127.0.0.1:70000", "::1:8800"):
        assert "expected HOST:PORT" in refused(cli, "--no-auth", "--listen", wrong)
    keys = s.write_keys(tmp_path / "keys", [("A", "secret-b")])
    keys.chmod(0o644)
    told = refused(cli, "--keys", keys)
    assert "chmod 600" in told and "secret-b" not in told
    assert "belong together" in refused(cli, "--no-auth", "--certificate", "x.pem")
    assert "certificate x.pem" in refused(cli, "--no-auth", "--certificate", "x.pem",
                                          "--private-key", "y.pem")


def test_it_is_not_its_own_s3_server(cli):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        run = cli.run("serve", "--no-auth", "--listen", f"127.0.0.1:{port}", exit_status=2,
                      env={name: f"http://localhost:{port}"})
        assert "is this server itself" in run.stderr and name in run.stderr


def test_flags_are_stronger_than_variables_and_variables_than_the_file(cli, tmp_path):
    config = tmp_path / "millrace.conf"
    config.write_text("# comment\nregion = eu-west-1\naccount = 111111111111\nno-auth = true\n"
                      "log-format = json\nimage = a=native\nimage = b=native\n")
    service = s.Service(cli, tmp_path / "service", "--config", config, "--account",
                        "222222222222", keys=None,
                        environment={"MILLRACE_REGION": "eu-north-1"})
    (line,) = [json.loads(line) for line in service.lines if '"serving"' in line]
    assert (line["region"], line["account"]) == ("eu-north-1", "222222222222")
    service.stop()
    config.write_text("prot = 5\n")
    assert "there is no setting 'prot'" in refused(cli, "--config", config)
    config.write_text("port\n")
    assert "line 1" in refused(cli, "--config", config)


def test_a_second_server_on_the_same_folder_is_refused(start, cli):
    service = start()
    told = refused(cli, "--no-auth", "--data-dir", service.folder / "state")
    assert str(service.folder / "state") in told


def test_idle_and_slow_clients_hold_nobody_up(start):
    service = start()
    port = int(service.url.rsplit(":", 1)[1])
    idle = []
    for _ in range(1000):
        idle.append(socket.create_connection(("127.0.0.1", port)))
    slow = socket.create_connection(("127.0.0.1", port))
    slow.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    begin = time.monotonic()
    client = service.client()
    for _ in range(20):
        client.list_models()
        slow.sendall(b"a")
    assert time.monotonic() - begin < 5
    slow.settimeout(20)
    assert slow.recv(1) == b""  # closed after the time for headers, whatever trickles in
    for one in idle:
        one.close()
    assert "millrace_http_connections " in get(service.url + "/metrics")
