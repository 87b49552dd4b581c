"""S3 by boto3: objects, conditions, parts, pages, versions, and what a key may do.

s3.py URL TOKEN ENDPOINT: a line for each part that went well; the first that did not ends it with
status 1.
"""

import io
import os
import sys
import threading

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from linode_api4 import LinodeClient

REGION = "fr-par"
MIB = 1 << 20


def refused(status, call, **wanted):
    """The code of an error that has this status."""
    try:
        call(**wanted)
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == status, error
        return error.response["Error"]["Code"]
    raise AssertionError(f"it went well: {wanted}")


class Run:
    def __init__(self, url, token, endpoint):
        self.api = LinodeClient(token, base_url=f"{url}/v4")
        self.endpoint = endpoint
        self.s3 = self.client(self.key("everything"))
        self.bucket("first")

    def key(self, label, access=None):
        wanted = {"label": label}
        if access:
            buckets = [{"region": REGION, "bucket_name": b, "permissions": p} for b, p in access]
            wanted["bucket_access"] = buckets
        return self.api.post("/object-storage/keys", data=wanted)

    def client(self, key):
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=key["access_key"],
            aws_secret_access_key=key["secret_key"],
            region_name=REGION,
            config=Config(retries={"max_attempts": 8}),
        )

    def bucket(self, label):
        return self.api.post("/object-storage/buckets", data={"label": label, "region": REGION})

    def counted(self, label):
        bucket = self.api.get(f"/object-storage/buckets/{REGION}/{label}")
        return bucket["objects"], bucket["size"]

    def objects(self):
        s3 = self.s3
        assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["first"]
        body = b"one two three"
        put = s3.put_object(
            Bucket="first",
            Key="a/ñ + 100%.txt",
            Body=body,
            ContentType="text/plain",
            Metadata={"writer": "boto3"},
        )
        got = s3.get_object(Bucket="first", Key="a/ñ + 100%.txt")
        assert got["Body"].read() == body and got["ETag"] == put["ETag"], got
        assert got["ContentType"] == "text/plain" and got["Metadata"] == {"writer": "boto3"}, got
        part = s3.get_object(Bucket="first", Key="a/ñ + 100%.txt", Range="bytes=4-6")
        assert part["Body"].read() == b"two" and part["ContentRange"] == "bytes 4-6/13", part
        assert refused(416, s3.get_object, Bucket="first", Key="a/ñ + 100%.txt", Range="bytes=13-")
        assert refused(304, s3.get_object, Bucket="first", Key="a/ñ + 100%.txt", IfNoneMatch=put["ETag"])
        copied = s3.copy_object(Bucket="first", Key="copy", CopySource="first/a/ñ + 100%.txt")
        assert copied["CopyObjectResult"]["ETag"] == put["ETag"]
        assert s3.head_object(Bucket="first", Key="copy")["Metadata"] == {"writer": "boto3"}
        assert self.counted("first") == (2, 26)
        s3.delete_object(Bucket="first", Key="copy")
        assert refused(404, s3.get_object, Bucket="first", Key="copy") == "NoSuchKey"
        assert refused(404, s3.get_object, Bucket="none", Key="copy") == "NoSuchBucket"
        assert refused(501, s3.get_bucket_policy, Bucket="first") == "NotImplemented"
        s3.put_object(Bucket="first", Key="empty", Body=b"")
        assert s3.get_object(Bucket="first", Key="empty")["Body"].read() == b""
        wrong = "AAAAAA=="
        assert refused(400, s3.put_object, Bucket="first", Key="b", Body=body, ChecksumCRC32=wrong)
        assert refused(404, s3.head_object, Bucket="first", Key="b")

    def conditions(self):
        s3, name = self.s3, {"Bucket": "first", "Key": "once"}
        one = s3.put_object(**name, Body=b"1", IfNoneMatch="*")["ETag"]
        assert refused(412, s3.put_object, **name, Body=b"2", IfNoneMatch="*") == "PreconditionFailed"
        two = s3.put_object(**name, Body=b"2", IfMatch=one)["ETag"]
        assert refused(412, s3.put_object, **name, Body=b"3", IfMatch=one) == "PreconditionFailed"
        assert refused(404, s3.put_object, Bucket="first", Key="none", Body=b"", IfMatch=one)
        assert s3.get_object(**name, IfMatch=two)["Body"].read() == b"2"
        winners = []

        def rival(number):
            try:
                s3.put_object(Bucket="first", Key="race", Body=b"%d" % number, IfNoneMatch="*")
                winners.append(b"%d" % number)
            except ClientError:
                pass

        rivals = [threading.Thread(target=rival, args=(n,)) for n in range(16)]
        [r.start() for r in rivals]
        [r.join() for r in rivals]
        assert [s3.get_object(Bucket="first", Key="race")["Body"].read()] == winners, winners

    def parts(self):
        s3, body = self.s3, os.urandom(13 * MIB)
        config = TransferConfig(multipart_threshold=6 * MIB, multipart_chunksize=5 * MIB)
        s3.upload_fileobj(io.BytesIO(body), "first", "large", Config=config)
        got = io.BytesIO()
        s3.download_fileobj("first", "large", got, Config=config)
        assert got.getvalue() == body
        assert s3.head_object(Bucket="first", Key="large")["ETag"].endswith('-3"')
        # By parts of another object.
        s3.copy({"Bucket": "first", "Key": "large"}, "first", "larger", Config=config)
        assert s3.get_object(Bucket="first", Key="larger")["Body"].read() == body
        name = {"Bucket": "first", "Key": "small"}
        upload = {**name, "UploadId": s3.create_multipart_upload(**name)["UploadId"]}
        tags = [s3.upload_part(**upload, PartNumber=n, Body=b"x" * n)["ETag"] for n in (1, 2)]
        assert [p["Size"] for p in s3.list_parts(**upload)["Parts"]] == [1, 2]
        assert len(s3.list_multipart_uploads(Bucket="first")["Uploads"]) == 1
        parts = [{"PartNumber": n + 1, "ETag": tag} for n, tag in enumerate(tags)]
        finish = s3.complete_multipart_upload
        assert refused(400, finish, **upload, MultipartUpload={"Parts": parts}) == "EntityTooSmall"
        wrong = [{"PartNumber": 1, "ETag": tags[1]}]
        assert refused(400, finish, **upload, MultipartUpload={"Parts": wrong}) == "InvalidPart"
        assert refused(404, s3.head_object, **name)
        s3.abort_multipart_upload(**upload)
        assert refused(404, s3.list_parts, **upload) == "NoSuchUpload"

    def pages(self):
        s3 = self.s3
        self.bucket("pages")
        names = sorted([f"day/{n // 10}/{n}" for n in range(60)] + ["a&b", "<x>", "day"])
        for name in names:
            s3.put_object(Bucket="pages", Key=name, Body=b"x")
        for operation in ("list_objects_v2", "list_objects"):
            pages = s3.get_paginator(operation)

            def listed(**wanted):
                found = {"Contents": [], "CommonPrefixes": []}
                for page in pages.paginate(Bucket="pages", **wanted):
                    for kind, field in (("Contents", "Key"), ("CommonPrefixes", "Prefix")):
                        found[kind] += [entry[field] for entry in page.get(kind, [])]
                return found["Contents"], found["CommonPrefixes"]

            assert listed(PaginationConfig={"PageSize": 7}) == (names, []), operation
            size = {"PaginationConfig": {"PageSize": 2}}
            assert listed(Delimiter="/", **size) == (["<x>", "a&b", "day"], ["day/"]), operation
            folders = [f"day/{n}/" for n in range(6)]
            assert listed(Delimiter="/", Prefix="day/", **size) == ([], folders), operation
        gone = [{"Key": name} for name in names]
        assert len(s3.delete_objects(Bucket="pages", Delete={"Objects": gone})["Deleted"]) == 63
        assert self.counted("pages") == (0, 0)

    def versions(self):
        s3 = self.s3
        self.bucket("versions")
        on = {"Bucket": "versions"}
        s3.put_object(**on, Key="k", Body=b"before")
        s3.put_bucket_versioning(**on, VersioningConfiguration={"Status": "Enabled"})
        assert s3.get_bucket_versioning(**on)["Status"] == "Enabled"
        one = s3.put_object(**on, Key="k", Body=b"one")["VersionId"]
        two = s3.put_object(**on, Key="k", Body=b"two")["VersionId"]
        read = lambda **wanted: s3.get_object(**on, Key="k", **wanted)["Body"].read()
        assert (read(), read(VersionId=one), read(VersionId="null")) == (b"two", b"one", b"before")
        marker = s3.delete_object(**on, Key="k")
        assert marker["DeleteMarker"] and refused(404, s3.get_object, **on, Key="k") == "NoSuchKey"
        assert self.counted("versions") == (3, 12)
        pages = list(s3.get_paginator("list_object_versions").paginate(
            **on, PaginationConfig={"PageSize": 1}))
        listed = [v["VersionId"] for page in pages for v in page.get("Versions", [])]
        assert listed == [two, one, "null"] and pages[0]["DeleteMarkers"][0]["IsLatest"], listed
        s3.delete_object(**on, Key="k", VersionId=marker["VersionId"])
        assert read() == b"two"
        for version in (two, "null"):
            s3.delete_object(**on, Key="k", VersionId=version)
        assert read() == b"one"
        s3.put_bucket_versioning(**on, VersioningConfiguration={"Status": "Suspended"})
        assert "VersionId" not in s3.put_object(**on, Key="k", Body=b"three")
        assert (read(), read(VersionId=one)) == (b"three", b"one")
        rules = [{
            "ID": "old",
            "Status": "Enabled",
            "Filter": {"Prefix": ""},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
        }]
        lifecycle = s3.get_bucket_lifecycle_configuration
        assert refused(404, lifecycle, **on) == "NoSuchLifecycleConfiguration"
        s3.put_bucket_lifecycle_configuration(**on, LifecycleConfiguration={"Rules": rules})
        assert lifecycle(**on)["Rules"] == rules, lifecycle(**on)

    def keys(self):
        self.s3.put_object(Bucket="first", Key="shared", Body=b"x")
        key = self.key("limited", [("first", "read_only"), ("pages", "read_write")])
        limited = self.client(key)
        assert limited.get_object(Bucket="first", Key="shared")["Body"].read() == b"x"
        assert refused(403, limited.put_object, Bucket="first", Key="y", Body=b"") == "AccessDenied"
        assert refused(403, limited.delete_object, Bucket="first", Key="shared") == "AccessDenied"
        assert refused(403, limited.list_objects_v2, Bucket="versions") == "AccessDenied"
        limited.put_object(Bucket="pages", Key="y", Body=b"")
        limited.copy_object(Bucket="pages", Key="z", CopySource="first/shared")
        stolen = {"Bucket": "pages", "Key": "z", "CopySource": "versions/k"}
        assert refused(403, limited.copy_object, **stolen) == "AccessDenied"
        forged = self.client({**key, "secret_key": key["secret_key"][::-1]})
        assert refused(403, forged.list_buckets) == "SignatureDoesNotMatch"
        self.api.delete(f"/object-storage/keys/{key['id']}")
        assert refused(403, limited.list_buckets) == "InvalidAccessKeyId"


if __name__ == "__main__":
    run = Run(*sys.argv[1:])
    for part in ("objects", "conditions", "parts", "pages", "versions", "keys"):
        getattr(run, part)()
        print(part, flush=True)
