"""Plans and copies of photos in S3, against a server on this machine; `make system` has what that needs."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow", reason="pyarrow comes with the extras bulk and test")
pytest.importorskip("moto", reason="the S3 server comes with the extra system")

import boto3
import pyarrow as pa
from moto.server import ThreadedMotoServer

from bulk.manifest.parts import open_plan
from bulk.results.schema import RESULTS
from bulk.results.store import ResultStore
from tests.bulk.judged import ABOUT, row
from tests.daemon.support import unique

NAMES = ("a b#?%.jpg", "d//x.jpg", "é.jpg", "@eaDir/1.jpg", "notes.txt", "d/", "z.jpg")
MANY = 2_100
"""Keys in one folder: three pages."""
KILLED = (
    "import os, pathlib, signal, sys\n"
    "from bulk.manifest.make import make_plan\n"
    "def kill(progress): progress.parts == 2 and os.kill(os.getpid(), signal.SIGKILL)\n"
    "make_plan([sys.argv[1]], pathlib.Path(sys.argv[2]), 600, kill)\n"
)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    served = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    served.start()
    host, port = served.get_host_and_port()
    yield f"http://{host}:{port}"
    served.stop()


@pytest.fixture
def s3(address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of a new server, which `phototriage` finds by the usual variables."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": address,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    return client


def call(*words: object) -> subprocess.CompletedProcess[str]:
    """Run `bulk plan` as a process, because fsspec's thread stays as long as its process."""
    command = [sys.executable, "-m", "phototriage", "bulk", "plan", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


def test_a_bucket_is_listed_and_a_listing_that_was_killed_goes_on(s3: Any, tmp_path: Path) -> None:
    for name in (*NAMES, *(f"many/{number:04d}.jpg" for number in range(MANY))):
        put = s3.put_object(Bucket="bucket", Key=f"photos/{name}", Body=name.encode())
    for prefix in ("s3://bucket/photos", "s3://bucket/photos/"):
        output = tmp_path / str(len(prefix))
        killed = subprocess.run([sys.executable, "-c", KILLED, prefix, output], capture_output=True, text=True)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        done = call(prefix, "--output", output, "--rows-per-part", 600)
        assert done.stdout == f"2,104 photos in 4 parts of {output}, 1,200 of them before\n"
        plan = open_plan(output)
        rows = [row for name in plan.parts() for row in plan.read(name).to_pylist()]
        kept = [f"s3://bucket/photos/{name}" for name in ("a b#?%.jpg", "d//x.jpg", "z.jpg", "é.jpg")]
        many = [f"s3://bucket/photos/many/{number:04d}.jpg" for number in range(MANY)]
        assert [row["path"] for row in rows] == sorted([*kept, *many])
        assert rows[-3]["stamp"] == put["ETag"].strip('"')
        assert rows[-3]["size"] == len(f"many/{MANY - 1}.jpg")


def test_a_bucket_that_is_not_there_is_one_sentence(s3: Any, tmp_path: Path) -> None:
    done = call("s3://another-bucket/photos", "--output", tmp_path / "plan")
    assert done.returncode == 1
    assert done.stderr.startswith("phototriage: s3://another-bucket/photos cannot be listed (")


def test_a_server_that_does_not_answer_is_one_sentence(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    done = call("s3://bucket/photos", "--output", tmp_path / "plan")
    assert done.returncode == 1
    assert "does not answer as it should" in done.stderr


def test_photos_are_copied_inside_s3_and_read_back_and_a_second_call_copies_none(s3: Any, tmp_path: Path) -> None:
    names = ("a b#?%.jpg", "d/x.jpg", "d/é.jpg")
    store = ResultStore(tmp_path / "results")
    store.begin(ABOUT)
    rows = []
    for number, name in enumerate(names):
        data = unique("red", number)
        s3.put_object(Bucket="bucket", Key=f"photos/{name}", Body=data)
        relpath = {"relpath": "d"} if "/" in name else {}
        rows.append(row(f"s3://bucket/photos/{name}", data, "red") | relpath)
    store.publish("part-000000.parquet", pa.Table.from_pylist(rows, RESULTS))
    words = [sys.executable, "-m", "phototriage", "bulk", "file", str(tmp_path / "results"), "--copy-to"]
    for told in ("3 copied\n", "nothing to copy; 3 were done before\n"):
        done = subprocess.run([*words, "s3://bucket/sorted/{label}/"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith(told)
    for number, name in enumerate(names):
        assert s3.get_object(Bucket="bucket", Key=f"sorted/red/{name}")["Body"].read() == unique("red", number)
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket="bucket", Prefix="sorted/")["Contents"]]
    manifest = ["sorted/_copied/copied.json", "sorted/_copied/part-000000.parquet"]
    assert sorted(keys) == sorted([*manifest, *(f"sorted/red/{name}" for name in names)])
