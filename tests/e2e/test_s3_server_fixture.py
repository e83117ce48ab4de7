"""The fixture that other tests stand on sees objects and unfinished uploads as they are."""

import xml.etree.ElementTree


def test_objects_are_listed_and_read_back(s3_server, bucket):
    s3_server.put(bucket, "in/a b+c.csv", b"hello")
    s3_server.put(bucket, "other", b"")
    assert s3_server.list(bucket, "in/") == {"in/a b+c.csv": 5}
    assert s3_server.get(bucket, "in/a b+c.csv") == b"hello"


def test_an_upload_that_was_begun_is_seen_until_it_is_aborted(s3_server, bucket):
    reply = s3_server.request("POST", f"/{bucket}/out", {"uploads": ""})
    upload = xml.etree.ElementTree.fromstring(reply).findtext("{*}UploadId")
    assert s3_server.uploads(bucket) == [("out", upload)]
    s3_server.request("DELETE", f"/{bucket}/out", {"uploadId": upload})
    assert s3_server.uploads(bucket) == []
