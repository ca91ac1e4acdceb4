"""A sealed folder per case: whatever is the person's lies here, under a key that can be destroyed.

<root>/<case>/key       the case's random data key, wrapped by the master key; "destroyed" once it is
              objects/  one file per object: header, then 64 KiB chunks of AES-256-GCM (the STREAM construction)
              parts/    what is being written; becomes an object by one rename
              scratch/  temp and spill files of tools that need a path; in the clear while in use, so the shortest time

Without the key nothing opens and nothing is written: there is no way round it and no cached key. Each act reads the
case's key anew, so that a destroyed key is destroyed for a process that is running, too.
Known limit (limits.md §5): a copy of the wrapped key in a backup still opens under the same master key.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import hmac
import io
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import quote, unquote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from dsr.errors import BadInput, Conflict, DsrError, Sealed

CHUNK, TAG = 64 * 1024, 16
_MAGIC, _SALT, _PREFIX = b"DSR1", 16, 7
_HEADER = len(_MAGIC) + _SALT + _PREFIX
_BATCH = 16 * CHUNK  # taken in and put out at once: few system calls, bounded memory
_DESTROYED = b"destroyed\n"


# -- files ------------------------------------------------------------------------------------------------------
@contextmanager
def _on_disk(what: str) -> Iterator[None]:
    """A full disk in words a person can act on."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DsrError(f"disk full while writing {what}: free space, run again; nothing half-written") from None


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _own(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _create(path: Path) -> BinaryIO:
    """A new file for its owner only, locked, so that ``sweep`` leaves alone what somebody is still writing."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return open(handle, "wb", buffering=_BATCH)  # noqa: PTH123  takes a descriptor


def _fill(path: Path, content: bytes) -> None:
    with _create(path) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _file_name(name: str, field: str) -> str:
    """``name`` as one flat file name that nothing can climb out of. Printable ASCII only: names are ids, not people."""
    safe = quote(name, safe="")
    safe = f"%2E{safe[1:]}" if safe.startswith(".") else safe
    if not name or not name.isascii() or not name.isprintable() or len(safe) > 200:
        raise BadInput(field, "is no id for something in the vault", "1 to 200 printable ASCII characters")
    return safe


# -- keys -------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, repr=False)
class Keys:
    """The home's two secrets: the master key that wraps every case's key, and the key that signs the log's heads."""

    master: bytes
    signing: Ed25519PrivateKey

    FILE = "keys.json"

    @property
    def public_key(self) -> bytes:
        """32 raw bytes, to be published where a stranger finds them."""
        return self.signing.public_key().public_bytes_raw()

    @property
    def twin_key(self) -> bytes:
        """Keys the digest by which the same request is found again."""
        return _derived(self.master, b"dsr twin requests")

    @property
    def suppression_key(self) -> bytes:
        """Keys the tokens of what must not come back."""
        return _derived(self.master, b"dsr suppression")

    @property
    def survey_key(self) -> bytes:
        """Keys the digests that two looks at one store are compared by."""
        return _derived(self.master, b"dsr survey")

    @classmethod
    def create(cls, folder: Path) -> Keys:
        """New keys in ``folder`` (0700, file 0600), whole or not at all. Raises Conflict where there are keys."""
        made = cls(secrets.token_bytes(32), Ed25519PrivateKey.generate())
        words = {"format": "dsr-keys/1", "master": _b64(made.master), "log": _b64(made.signing.private_bytes_raw())}
        part = folder / f".{cls.FILE}.{secrets.token_hex(8)}"
        with _on_disk("the keys"):
            _own(folder).chmod(0o700)
            try:
                _fill(part, json.dumps(words).encode())
                os.link(part, folder / cls.FILE)  # unlike a rename, refuses when there is one
            except FileExistsError:
                raise Conflict("keys: this folder holds keys already; they are never overwritten") from None
            finally:
                part.unlink(missing_ok=True)
            _sync_folder(folder)
        return made

    @classmethod
    def load(cls, folder: Path) -> Keys:
        """Raises Sealed where the keys are missing, unreadable or open to others than their owner."""
        path = folder / cls.FILE
        try:
            if path.stat().st_mode & 0o077:
                raise Sealed(f"keys: {cls.FILE} can be read by others than its owner; chmod 600")
            words = json.loads(path.read_bytes())
            master, log = (base64.b64decode(words[name], validate=True) for name in ("master", "log"))
            if words["format"] != "dsr-keys/1" or len(master) != 32:
                raise ValueError
            return cls(master, Ed25519PrivateKey.from_private_bytes(log))
        except OSError as error:
            problem = f"cannot be read ({type(error).__name__})"
        except (ValueError, KeyError, TypeError):
            problem = "is not a key file of this engine"
        raise Sealed(f"no key → nothing opens: {cls.FILE} {problem}; restore the keys folder from its own backup")


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _derived(key: bytes, purpose: bytes, length: int = 32, salt: bytes | None = None) -> bytes:
    return HKDF(SHA256(), length, salt, b"dsr/1 " + purpose).derive(key)


class Vault:
    """The sealed folders under ``root``, one per case. Holds no state but where and with which master key."""

    def __init__(self, root: Path, keys: Keys) -> None:
        self._root, self._keys = root, keys

    def __repr__(self) -> str:
        return "Vault()"

    def handed_over(self) -> tuple[Path, bytes]:
        """What a child process of ours needs to open the same folders (``taken_over``); given through its pipe only."""
        return self._root, self._keys.master

    @classmethod
    def taken_over(cls, told: tuple[Path, bytes]) -> Vault:
        """In the child. It cannot sign the log: the key for that is another."""
        root, master = told
        return cls(root, Keys(master, Ed25519PrivateKey.generate()))

    @contextmanager
    def opening(self) -> Iterator[None]:
        """One case is opened at a time: of two that drew one number, the later would replace the other's request."""
        handle = os.open(_own(self._root) / ".opening", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def case(self, case_no: str, create: bool = False, fence: Callable[[], None] | None = None) -> CaseVault:
        """Raises Sealed where the case has no key that opens: missing, destroyed, changed, or another master's.

        ``create`` makes folder and key for a new case only; a key that was lost or destroyed is never made anew.
        ``fence`` raises when the caller may not write any more; it is asked before an object is named or removed.
        """
        vault = CaseVault(self._root / _file_name(case_no, "case_no"), case_no, self._keys, fence)
        if create:
            vault.found()
        vault.check()
        return vault

    def destroy_key(self, case_no: str) -> None:
        """Forgets the case for good: its key is overwritten, then what it sealed is removed. Safe to call twice."""
        folder = self._root / _file_name(case_no, "case_no")
        key = folder / "key"
        if not folder.is_dir():
            raise Sealed(f"case {case_no}: no such vault; check the number")
        with key.open("r+b" if key.exists() else "xb", buffering=0) as file:
            # In place: the old block goes too, as far as file system and disk let us, and a full disk is no hindrance.
            file.write(_DESTROYED.ljust(os.fstat(file.fileno()).st_size))
            os.fsync(file.fileno())
        for name in ("objects", "parts", "scratch"):
            shutil.rmtree(folder / name, ignore_errors=True)
        _sync_folder(folder)


class CaseVault:
    """One case's sealed folder. Threads and processes may write different objects at once; of two writers of one
    object the later wins whole. Every act raises Sealed when the key is gone."""

    def __init__(self, folder: Path, case_no: str, keys: Keys, fence: Callable[[], None] | None = None) -> None:
        self.case_no, self._folder, self._keys, self._fence = case_no, folder, keys, fence or (lambda: None)
        self._objects, self._parts, self._scratch = folder / "objects", folder / "parts", folder / "scratch"

    def __repr__(self) -> str:
        return f"CaseVault({self.case_no})"

    # -- the case's key ---------------------------------------------------------------------------------------
    def found(self) -> None:
        """Folder and key of a new case, whole or not at all; nothing where the case has a folder already.

        ``objects`` is there from the start: a folder whose key was lost is thereby never taken for a new one.
        """
        if self._folder.exists():
            return
        nonce = secrets.token_bytes(12)
        wrapped = AESGCM(self._keys.master).encrypt(nonce, secrets.token_bytes(32), self._wrapping)
        fresh = _own(self._folder.parent) / f".{secrets.token_hex(16)}"
        try:
            with _on_disk(f"the key of case {self.case_no}"):
                _own(_own(fresh) / "objects")
                _fill(fresh / "key", nonce + wrapped)
                _sync_folder(fresh)
            with suppress(OSError):  # somebody was faster: theirs holds
                fresh.rename(self._folder)
            _sync_folder(self._folder.parent)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    @property
    def _wrapping(self) -> bytes:
        return b"dsr/1 case key\0" + self.case_no.encode()

    def check(self) -> None:
        self._key()

    def _key(self) -> bytes:
        try:
            raw = (self._folder / "key").read_bytes()
        except OSError as error:
            raise Sealed(f"case {self.case_no}: no key → nothing opens ({type(error).__name__})") from None
        if raw.startswith(_DESTROYED):
            raise Sealed(f"case {self.case_no}: its key was destroyed; nothing of it can be opened any more")
        try:
            return AESGCM(self._keys.master).decrypt(raw[:12], raw[12:], self._wrapping)
        except (InvalidTag, ValueError):
            problem = f"case {self.case_no}: its key does not open; bring back the key file, or the right master key"
        raise Sealed(problem)

    # -- objects ----------------------------------------------------------------------------------------------
    def write(self, name: str, data: bytes) -> None:
        with self.writer(name) as file:
            file.write(data)

    def read(self, name: str) -> bytes:
        with self._opened(name) as file:
            return b"".join(self._chunks(file, name))

    def exists(self, name: str) -> bool:
        self._key()
        return (self._objects / _file_name(name, "name")).is_file()

    def names(self, prefix: str = "") -> list[str]:
        self._key()
        return sorted(name for path in self._objects.iterdir() if (name := unquote(path.name)).startswith(prefix))

    def remove(self, name: str) -> None:
        """Safe to call twice."""
        self._key()
        self._fence()
        (self._objects / _file_name(name, "name")).unlink(missing_ok=True)
        _sync_folder(self._objects)

    @contextmanager
    def writer(self, name: str) -> Iterator[io.BufferedWriter]:
        """A file that only appends; it becomes the object when the ``with`` ends well, and not otherwise.

        Wrappers (text, csv, zip, Arrow) must be flushed or closed inside the ``with``. A full disk is a DsrError and
        leaves the old object as it was.
        """
        what, target = f"{self.case_no}/{name}", self._objects / _file_name(name, "name")
        seal, header = self._sealing(name)
        part = _own(self._parts) / secrets.token_hex(16)
        with _on_disk(what):
            raw = _create(part)
        try:
            sink = _Sink(raw, header, seal, what)
            yield cast(io.BufferedWriter, sink)  # what Arrow, csv, zip and PDF writers ask of one
            sink.finish()
            self._key()  # destroyed meanwhile: what was sealed under it must not appear
            self._fence()  # one that slept past its lease must not replace what its successor wrote
            part.replace(target)
            _sync_folder(self._objects)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        finally:
            with suppress(OSError):  # on a full disk the last flush fails once more, and says nothing new
                raw.close()

    def reader(self, name: str) -> io.BufferedReader:
        """A file that reads forward; every byte it gives was checked, and the end only where it truly is."""
        file = self._opened(name)
        return io.BufferedReader(_Source(file, self._chunks(file, name)), CHUNK)

    def _opened(self, name: str) -> BinaryIO:
        path = self._objects / _file_name(name, "name")
        self._key()
        try:
            return path.open("rb", buffering=_BATCH)
        except OSError as error:
            raise Sealed(f"{self.case_no}/{name}: not in the vault ({type(error).__name__})") from None

    def _bound(self, name: str) -> bytes:
        return f"{self.case_no}\0{name}".encode()

    def _sealing(self, name: str) -> tuple[Callable[[bytes, int, bool], bytes], bytes]:
        """A key of its own per object (salted), so that the 7-byte prefix need not be unique in the case."""
        salt, prefix, bound = secrets.token_bytes(_SALT), secrets.token_bytes(_PREFIX), self._bound(name)
        cipher = AESGCM(_derived(self._key(), b"object", salt=salt))
        return (lambda data, at, last: cipher.encrypt(_nonce(prefix, at, last), data, bound)), _MAGIC + salt + prefix

    def _chunks(self, file: BinaryIO, name: str) -> Iterator[bytes]:
        header, bound = file.read(_HEADER), self._bound(name)
        salt, prefix = header[len(_MAGIC) : -_PREFIX], header[-_PREFIX:]
        chunk = file.read(CHUNK + TAG)
        if len(header) != _HEADER or not header.startswith(_MAGIC):
            raise Sealed(f"{self.case_no}/{name}: is not a sealed object; fetch it again")
        cipher = AESGCM(_derived(self._key(), b"object", salt=salt))
        at, last = 0, False
        while not last:
            following = file.read(CHUNK + TAG)
            last = not following
            try:
                plain = cipher.decrypt(_nonce(prefix, at, last), chunk, bound)
            except (InvalidTag, ValueError):
                plain = None
            if plain is None:
                raise Sealed(f"{self.case_no}/{name}: was cut, changed or moved; fetch it again")
            yield plain
            chunk, at = following, at + 1

    # -- temp files -------------------------------------------------------------------------------------------
    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder (0700) for tools that need a path. Removed at the end; after a kill, by ``sweep``."""
        self._key()
        folder = _own(self._scratch) / secrets.token_hex(16)
        folder.mkdir(mode=0o700)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(handle)

    def sweep(self) -> int:
        """Removes what a killed run left half-written and in scratch; how many. What somebody holds open stays."""
        return sum(_swept(path) for path in [*self._parts.glob("*"), *self._scratch.glob("*")])

    # -- the log ----------------------------------------------------------------------------------------------
    def seal(self, step_key: str, data: bytes) -> bytes:
        """For the log's ``sealed`` column: same step and data, same bytes; so a resumed run has the same leaf."""
        return self._siv().encrypt(b"\1" + data, self._siv_bound(step_key))

    def unseal(self, step_key: str, sealed: bytes) -> bytes:
        try:
            return self._siv().decrypt(sealed, self._siv_bound(step_key))[1:]
        except (InvalidTag, ValueError):
            problem = f"{self.case_no}: the sealed part of step {step_key} was changed or belongs elsewhere"
        raise Sealed(problem)

    def _siv(self) -> AESSIV:
        return AESSIV(_derived(self._key(), b"log", length=64))

    def _siv_bound(self, step_key: str) -> list[bytes | bytearray | memoryview]:
        return [self.case_no.encode(), step_key.encode()]

    def commit(self, label: str, value: str) -> str:
        """A locator that may be named in public: keyed, so that trying every number finds nothing (traps.md T30)."""
        said = f"{len(label.encode())}:{label}{value}".encode()
        return hmac.digest(_derived(self._key(), b"commit"), said, "sha256").hex()


def _nonce(prefix: bytes, at: int, last: bool) -> bytes:
    return prefix + at.to_bytes(4, "big") + bytes([last])


def _swept(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


class _Sink(io.BufferedIOBase):
    """Seals what is written, chunk by chunk; holds back one chunk, as only the end knows which is the last."""

    def __init__(self, raw: BinaryIO, header: bytes, seal: Callable[[bytes, int, bool], bytes], what: str) -> None:
        self._raw, self._seal, self._what = raw, seal, what
        raw.write(header)  # stays in the buffer; the disk is met later
        self._held, self._chunks, self._size = bytearray(), 0, 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: Any, /) -> int:
        if self.closed:
            raise ValueError("write to a closed vault object")
        with memoryview(data) as view, view.cast("B") as octets:
            for start in range(0, len(octets), _BATCH):
                self._held += octets[start : start + _BATCH]
                if len(self._held) > CHUNK:
                    self._emit()
            self._size += len(octets)
            return len(octets)

    def _emit(self) -> None:
        done = 0
        with _on_disk(self._what), memoryview(self._held) as held:
            while len(held) - done > CHUNK:
                self._raw.write(self._seal(bytes(held[done : done + CHUNK]), self._chunks, False))
                done, self._chunks = done + CHUNK, self._chunks + 1
        del self._held[:done]

    def finish(self) -> None:
        """The last chunk, and everything on the disk. A wrapper's ``close`` before this does no harm."""
        with _on_disk(self._what):
            self._raw.write(self._seal(bytes(self._held), self._chunks, True))
            self._raw.flush()
            os.fsync(self._raw.fileno())
        self.close()


class _Source(io.RawIOBase):
    """What was opened, forward only. A fault stays a fault: asked again, it is not the end of the file."""

    def __init__(self, file: BinaryIO, chunks: Iterator[bytes]) -> None:
        self._file, self._from, self._held = file, chunks, memoryview(b"")
        self._fault: Sealed | None = None

    def readable(self) -> bool:
        return True

    def _next(self) -> bytes | None:
        if self._fault:
            raise self._fault
        try:
            return next(self._from, None)
        except Sealed as fault:
            self._fault = fault
            raise

    def readinto(self, buffer: Any, /) -> int:
        while not self._held:
            following = self._next()
            if following is None:
                return 0
            self._held = memoryview(following)
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        return count

    def readall(self) -> bytes:
        held, self._held = bytes(self._held), memoryview(b"")
        return held + b"".join(iter(self._next, None))

    def close(self) -> None:
        self._file.close()
        super().close()
