"""Where a lake's files lie: on this machine's disks, or in an S3 bucket that only pyarrow ever speaks to."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import accumulate
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from connectors.stores.access import Access, identity
from connectors.stores.rows import LIMIT
from dsr.errors import BadInput, ConnectorMisread, ConnectorRefused, ConnectorUnavailable
from dsr.inventory import Dataset

_TAIL = 65_536
_TOGETHER = 8
_AHEAD, _AT_ONCE = 32 << 20, 2 << 20
"""Bytes of a row group (unpacked) up to which it is fetched as a whole; of a larger one so much of a column at once."""


@dataclass(frozen=True)
class LakeFile:
    """One version of a file: ``identity`` changes with any write, ``footer`` is a SHA-256, ``starts`` the first row of
    each row group and, last, the number of rows."""

    path: str
    size: int
    identity: str
    footer: str
    schema: pa.Schema
    starts: tuple[int, ...]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def groups(self) -> int:
        return len(self.starts) - 1


@dataclass(frozen=True)
class Piece:
    """A file, or only the row groups of it that are named."""

    file: LakeFile
    groups: tuple[int, ...] | None = None


class Shelf:
    """The files of a lake's datasets as they are now. A system without a url keeps them here, beside its inventory."""

    def __init__(self, access: Access) -> None:
        self.access = access

    @property
    def here(self) -> bool:
        return not self.access.system.url

    @cached_property
    def _place(self) -> tuple[Any, str]:
        return (fs.LocalFileSystem(), "") if self.here else _bucket(self.access)

    @property
    def filesystem(self) -> Any:
        return self._place[0]

    def files(self, dataset: Dataset) -> list[LakeFile]:
        """Sorted by path. Raises ConnectorUnavailable for none and ConnectorMisread for one that is not whole."""
        paths = self._on_disk(dataset) if self.here else self._in_bucket(dataset)
        with ThreadPoolExecutor(_TOGETHER) as pool:
            return list(pool.map(lambda found: self._file(dataset, *found), paths))

    def _on_disk(self, dataset: Dataset) -> list[tuple[str, int]]:
        return [(str(path), path.stat().st_size) for path in self.access.files(dataset)]

    def _in_bucket(self, dataset: Dataset) -> list[tuple[str, int]]:
        pattern = dataset.glob or self.access.system.glob
        if not pattern:
            raise BadInput(f"{dataset.id}.glob", "is not given", "write the glob of the files")
        filesystem, root = self._place
        wanted = [root, *pattern.strip("/").split("/")]
        fixed = next(at for at, part in enumerate(wanted) if at and (at == len(wanted) - 1 or set(part) & set("*?[")))
        listed = filesystem.get_file_info(
            fs.FileSelector("/".join(filter(None, wanted[:fixed])), recursive=True, allow_not_found=True)
        )
        parts = [part for part in "/".join(wanted).split("/") if part]
        found = [
            (one.path, one.size)
            for one in listed if one.type == fs.FileType.File and _fits(one.path.split("/"), parts)
        ]
        if not found:
            raise ConnectorUnavailable(dataset.system, dataset.name, "no object matches the declared glob")
        return sorted(found)

    def _file(self, dataset: Dataset, path: str, size: int) -> LakeFile:
        """Of the file only its end is read: a footer says all there is to say about groups and columns."""
        (identity, footer), broken = self._footer(path, size), "no footer"
        try:
            told = pq.read_metadata(pa.BufferReader(footer))
            schema = told.schema.to_arrow_schema().remove_metadata()
            starts = accumulate((told.row_group(group).num_rows for group in range(told.num_row_groups)), initial=0)
            return LakeFile(path, size, identity, hashlib.sha256(footer).hexdigest(), schema, tuple(starts))
        except (pa.ArrowException, OSError) as error:  # OSError: of its bytes, which are in memory by now
            broken = type(error).__name__
        name = path.rpartition("/")[2]
        raise ConnectorMisread(dataset.system, dataset.name, f"{name} is no whole Parquet file ({broken})")

    def _footer(self, path: str, size: int) -> tuple[str, bytes]:
        """With the identity as it was before."""
        with self.filesystem.open_input_file(path) as file:
            identity = self._identity(path, file)
            tail: bytes = file.read_at(min(size, _TAIL), max(0, size - _TAIL))
            length = int.from_bytes(tail[-8:-4], "little") + 8
            whole = length <= len(tail) or length > size
            return identity, tail[-length:] if whole else file.read_at(length, size - length)

    def _identity(self, path: str, file: Any) -> str:
        """Of an object its ETag, which S3 makes of the content (RFC 9110 §8.8.3), and its version."""
        if self.here:
            return identity(os.stat(path))  # noqa: PTH116 - as pyarrow names it
        told = file.metadata()
        return f"{told['ETag'].decode()} {told.get('VersionId', b'').decode()}"

    def unchanged(self, files: Sequence[LakeFile]) -> bool:
        """Whether the files are still the versions that were looked at."""
        with ThreadPoolExecutor(_TOGETHER) as pool:
            return all(pool.map(self._is_still, files))

    def _is_still(self, file: LakeFile) -> bool:
        with self.filesystem.open_input_file(file.path) as opened:
            return self._identity(file.path, opened) == file.identity


def _fits(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """``*``, ``?`` and ``[…]`` within a segment, ``**`` for any number of them; hidden names only where written."""
    if not path or not pattern:
        return not path and not pattern
    if pattern[0] == "**":
        return _fits(path, pattern[1:]) or (not path[0].startswith(".") and len(path) > 1 and _fits(path[1:], pattern))
    shown = not path[0].startswith(".") or pattern[0].startswith(".")
    return shown and fnmatchcase(path[0], pattern[0]) and _fits(path[1:], pattern[1:])


# -- S3 ------------------------------------------------------------------------------------------------------------


def _bucket(access: Access) -> tuple[Any, str]:
    """``s3://[key:secret@]bucket/prefix[?endpoint_override=…&scheme=…&region=…]``; what it leaves out is told by the
    usual AWS_… of the environment, and failing that by the machine's role. Nothing is asked before the first look."""
    try:
        address = urlsplit(access.address())
        said = dict(parse_qsl(address.query))
        known = set(said) <= {"endpoint_override", "scheme", "region"}
        if address.scheme == "s3" and address.hostname and address.port is None and known:
            root = f"{address.netloc.rpartition('@')[2]}/{address.path.strip('/')}".rstrip("/")
            return fs.S3FileSystem(**_reached(access, address, said)), root
    except (ValueError, pa.ArrowException):  # their words quote it
        pass
    fix = "write s3://bucket/prefix (may end ?endpoint_override=…&scheme=…&region=…; / in a secret: %2F), or none"
    raise BadInput(f"system.{access.system.name}.url", "is no place of a lake", fix)


def _reached(access: Access, address: SplitResult, said: dict[str, str]) -> dict[str, Any]:
    environment = access.environment
    endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL") or ""
    scheme, _, host = endpoint.rpartition("://")
    given = {
        "access_key": unquote(address.username or "") or environment.get("AWS_ACCESS_KEY_ID"),
        "secret_key": unquote(address.password or "") or environment.get("AWS_SECRET_ACCESS_KEY"),
        "session_token": None if address.username else environment.get("AWS_SESSION_TOKEN"),
        "region": said.get("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"),
        "endpoint_override": said.get("endpoint_override") or host,
        "scheme": said.get("scheme") or scheme,
    }
    return {
        **{name: value for name, value in given.items() if value},
        "connect_timeout": 10, "request_timeout": 60, "retry_strategy": fs.AwsStandardS3RetryStrategy(max_attempts=3),
    }


_CODE = re.compile(r"AWS Error ([A-Z_]+)")
_REFUSED = re.compile(r"ACCESS_DENIED|SIGNATURE|TOKEN|ACCESS_KEY|CREDENTIALS|UNAUTHORIZED|OPT_IN|ACCOUNT")


def bucket_words(error: OSError) -> tuple[type[ConnectorUnavailable] | type[ConnectorRefused], str] | None:
    """What an S3 server's code says of the fault; pyarrow gives it in words only, which name bucket and key."""
    code = _CODE.search(str(error))
    if code is None:
        return None
    if _REFUSED.search(code[1]):
        return ConnectorRefused, f"the object store refuses: {code[1]}"
    return ConnectorUnavailable, f"the object store does not give it: {code[1]}"


class Feed:
    """What DuckDB reads of objects that it cannot open: the columns and row groups named, anew for every scan of them.

    ``failure`` is what broke it off; DuckDB passes on only words.
    """

    def __init__(
        self, shelf: Shelf, pieces: Sequence[Piece], columns: Sequence[str], only: ds.Expression | None
    ) -> None:
        self._shelf, self._pieces, self._only = shelf, pieces, only
        self._schema = pieces[0].file.schema
        self._shown = pa.schema([field for field in self._schema if field.name in columns])
        self.failure: Exception | None = None

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        reader = pa.RecordBatchReader.from_batches(self._shown, self._batches())
        return reader.__arrow_c_stream__(requested_schema)

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            for piece in self._pieces:
                yield from self._rows(piece)
        except Exception as error:
            self.failure = error
            raise

    def _rows(self, piece: Piece) -> Iterator[pa.RecordBatch]:
        """A row group after the other, each as it is decoded: a dataset's scanner decodes several whole ones ahead."""
        part = ds.ParquetFileFormat().make_fragment(piece.file.path, self._shelf.filesystem, row_groups=piece.groups)
        part = part if self._only is None else part.subset(self._only, self._schema)
        with self._shelf.filesystem.open_input_file(piece.file.path) as file:
            for group in part.row_groups:
                ahead = group.total_byte_size <= _AHEAD
                buffer = 0 if ahead else _AT_ONCE
                reader = pq.ParquetFile(file, metadata=part.metadata, pre_buffer=ahead, buffer_size=buffer)
                for batch in reader.iter_batches(LIMIT, [group.id], self._shown.names):
                    shown = batch.select(self._shown.names).cast(self._shown)
                    yield shown if self._only is None else shown.filter(self._only)
