"""Trees and tables are listed in an order that does not change, and from any row on."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow", reason="pyarrow comes with the extras bulk and test")

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from bulk.errors import RootError
from bulk.manifest.chunk import Source
from bulk.manifest.local import LocalFolder
from bulk.manifest.remote import Bucket
from bulk.manifest.sources import WINDOW, FolderSource, open_root
from bulk.manifest.walk import AHEAD, Page, Walk

KEYS = (
    *("0.jpg", "a-b/1.jpg", "a-b/2.jpg", "a.jpg", "a/1.jpg", "a/b/c/1.jpg", "a/b/c/2.jpg", "a/z.jpg", "a0.jpg"),
    *("b/.hidden/1.jpg", "b/1.jpg", "b/1.txt", "c/.nomedia", "c/1.jpg", "c/d/1.jpg", "d//double.jpg", "d/é\n.jpg"),
    *("z/1.jpg", "z/2.jpg", "z/3.jpg", "z/4.jpg", "z/5.jpg", "z/6.jpg", "z/7.jpg", "z5.jpg"),
)
LISTED = [key for key in sorted(KEYS) if ".hidden" not in key and ".txt" not in key and not key.startswith("c/")]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def listed(source: Source, pool: ThreadPoolExecutor, after: str = "") -> tuple[list[str], list[str]]:
    """The paths, and where the listing goes on after each."""
    paths: list[str] = []
    ways: list[str] = []
    for chunk in source.chunks(pool, after):
        paths += chunk.table["path"].to_pylist()
        ways += [chunk.after(row) for row in range(chunk.table.num_rows)]
    return paths, ways


def check(source: Source, pool: ThreadPoolExecutor, base: str, keys: list[str]) -> None:
    """All keys are listed in their order, and from each row on the rest is."""
    paths, ways = listed(source, pool)
    assert paths == [base + key for key in keys]
    for number, way in enumerate(ways):
        assert listed(source, pool, way)[0] == paths[number + 1 :]


class FewKeys:
    """S3 as it lists: keys in the order of their bytes, at most three an answer, common prefixes counted as keys."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def call_s3(self, method: str, **asked: Any) -> dict[str, Any]:
        assert method == "list_objects_v2"
        self.asked.append(asked)
        prefix, begin = asked["Prefix"], asked.get("ContinuationToken") or asked.get("StartAfter", "")
        found: dict[str, bool] = {}
        for key in sorted(f"photos/{key}" for key in KEYS):
            if key.startswith(prefix):
                rest, slash, _ = key[len(prefix) :].partition("/")
                name = prefix + rest + slash
                if name > begin:
                    found[name] = bool(slash)
        names = list(found)[:3]
        answer = {
            "Contents": [{"Key": name, "Size": 1, "ETag": '"abc"'} for name in names if not found[name]],
            "CommonPrefixes": [{"Prefix": name} for name in names if found[name]],
            "IsTruncated": len(found) > 3,
        }
        return answer | ({"NextContinuationToken": names[-1]} if len(found) > 3 else {})


def test_a_local_tree_is_listed_in_the_order_of_its_keys_and_from_any_row_on(
    tmp_path: Path, pool: ThreadPoolExecutor
) -> None:
    for key in KEYS:
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    keys = sorted(key.replace("//", "/") for key in LISTED)
    check(open_root(str(tmp_path)), pool, f"{tmp_path}/", keys)


def test_other_storage_is_listed_folder_by_folder(pool: ThreadPoolExecutor) -> None:
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    keys = [key for key in KEYS if "//" not in key]
    for key in keys:
        system.pipe_file(f"/photos/{key}", b"xyz")
    check(open_root("memory://photos"), pool, "memory://photos/", [key for key in LISTED if key in keys])
    chunk = next(open_root("memory://photos").chunks(pool, ""))
    assert chunk.table["size"].to_pylist() == [3]
    assert chunk.table["stamp"][0].as_py()
    system.store.clear()


def test_s3_is_listed_page_by_page_and_from_any_row_on(pool: ThreadPoolExecutor) -> None:
    system = FewKeys()
    check(FolderSource("s3://bucket/photos", Bucket("s3://bucket/photos", system, "bucket/photos")), pool,
          "s3://bucket/photos/", LISTED)  # fmt: skip
    chunk = next(FolderSource("", Bucket("s3://bucket/photos", system, "bucket/photos")).chunks(pool, ""))
    assert chunk.table["stamp"].to_pylist() == ["abc"]


def test_a_listing_that_goes_on_asks_s3_for_nothing_that_lies_before(pool: ThreadPoolExecutor) -> None:
    system = FewKeys()
    source = FolderSource("", Bucket("s3://bucket/photos", system, "bucket/photos"))
    assert listed(source, pool, "z/6.jpg")[0] == ["s3://bucket/photos/z/7.jpg", "s3://bucket/photos/z5.jpg"]
    assert [(one["Prefix"], one["StartAfter"]) for one in system.asked] == [
        ("photos/", "photos/z"),
        ("photos/z/", "photos/z/6.jpg"),
    ]


@pytest.mark.parametrize(
    ("error", "is_fatal"), [(PermissionError("no"), False), (TimeoutError("late"), True), (OSError("broken"), True)]
)
def test_a_prefix_that_may_not_be_read_is_left_out_and_storage_that_fails_ends_the_listing(
    pool: ThreadPoolExecutor, error: OSError, is_fatal: bool
) -> None:
    class Refusing(FewKeys):
        def call_s3(self, method: str, **asked: Any) -> dict[str, Any]:
            if asked["Prefix"] == "photos/a/b/":
                raise error
            return super().call_s3(method, **asked)

    source = FolderSource("s3://bucket/photos", Bucket("s3://bucket/photos", Refusing(), "bucket/photos"))
    if is_fatal:
        with pytest.raises(RootError, match="does not answer as it should"):
            list(source.chunks(pool, ""))
    else:
        chunks = list(source.chunks(pool, ""))
        assert [text for chunk in chunks for text in chunk.unread] == ["s3://bucket/photos/a/b/ (no)"]
        assert sum(chunk.table.num_rows for chunk in chunks) == len([key for key in LISTED if "a/b/" not in key])


def test_a_folder_that_is_mounted_in_itself_is_entered_once(pool: ThreadPoolExecutor) -> None:
    class Mounted(LocalFolder):
        def pages(self, prefix: bytes, after: bytes) -> Iterator[Page]:
            yield Page([b"1.jpg", b"again/"], itself=(1, 1 if prefix.endswith(b"again/") else 2))

    found = [files.prefix + name for files in Walk(Mounted(b"/"), pool).files() for name in files.page.names]
    assert found == [b"1.jpg", b"again/1.jpg"]


def test_a_page_holds_few_names_however_many_a_folder_has(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    for number in range(2_345):
        (tmp_path / f"{number}.jpg").touch()
    chunks = list(open_root(str(tmp_path)).chunks(pool, ""))
    assert [chunk.table.num_rows for chunk in chunks] == [1_000, 1_000, 345]


def test_no_more_than_some_pages_are_read_ahead(pool: ThreadPoolExecutor) -> None:
    class Endless(LocalFolder):
        def pages(self, prefix: bytes, after: bytes) -> Iterator[Page]:
            for number in range(WINDOW + AHEAD + 10):
                yield Page([b"%04d.jpg" % number])
            raise AssertionError("read too far ahead")

    assert next(FolderSource("", Endless(b"/nowhere")).chunks(pool, "")).table.num_rows == 0


CSV = b'name,path,size\nx,/photos/1.jpg,12\ny,"two\nlines.jpg",\nz,s3://bucket/3.jpg,9\n'
JSONL = (
    b'{"path": "/photos/1.jpg", "size": 12, "more": {"a": 1}}\n{"path": "two\\nlines.jpg"}\n'
    b'{"path": "s3://bucket/3.jpg", "size": 9}\n'
)


def table_of(folder: Path, kind: str) -> Path:
    path = folder / f"photos.{kind}"
    if kind == "parquet":
        columns = {"path": ["/photos/1.jpg", "two\nlines.jpg", "s3://bucket/3.jpg"], "size": [12, None, 9]}
        pq.write_table(pa.table(columns), path)
    else:
        path.write_bytes(CSV if kind == "csv" else JSONL)
    return path


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_a_table_of_photos_is_taken_as_it_is_and_from_any_row_on(
    tmp_path: Path, pool: ThreadPoolExecutor, kind: str
) -> None:
    source = open_root(str(table_of(tmp_path, kind)))
    (chunk,) = source.chunks(pool, "")
    assert chunk.table.drop_columns("id").to_pylist() == [
        {"path": "/photos/1.jpg", "relpath": "", "size": 12, "stamp": ""},
        {"path": f"{tmp_path}/two\nlines.jpg", "relpath": "", "size": None, "stamp": ""},
        {"path": "s3://bucket/3.jpg", "relpath": "", "size": 9, "stamp": ""},
    ]
    paths, ways = listed(source, pool)
    for number, way in enumerate(ways):
        assert listed(source, pool, way)[0] == paths[number + 1 :]


def test_the_manifest_of_a_plan_is_a_table_of_photos_too(tmp_path: Path, pool: ThreadPoolExecutor) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.jpg").touch()
    (chunk,) = open_root(str(tmp_path)).chunks(pool, "")
    pq.write_table(chunk.table, tmp_path / "part.parquet")
    (again,) = open_root(str(tmp_path / "part.parquet")).chunks(pool, "")
    assert again.table.equals(chunk.table)


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.csv", b"file,size\n1.jpg,3\n", "names no photo in row 1: its column path is missing"),
        ("a.csv", b"path,size\n1.jpg,3\n,4\n", "names no photo in row 2"),
        ("a.csv", b"path\ncaf\xe9.jpg\n", "cannot be read as a table"),
        ("a.jsonl", b'{"path": "1.jpg"}\n{"path"', "cannot be read as a table"),
        ("a.parquet", b"no parquet", "cannot be read as a table"),
    ],
)
def test_a_table_that_names_no_photos_is_one_sentence(
    tmp_path: Path, pool: ThreadPoolExecutor, name: str, data: bytes, why: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RootError, match=why):
        list(open_root(str(tmp_path / name)).chunks(pool, ""))
