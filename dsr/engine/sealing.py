"""The sealed copy for a download: one ZIP under AES-256, its password going another way (documents.md §5)."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

import pyzipper

from dsr.case import Act
from dsr.engine import fulfilling
from dsr.engine.assembling import FOLDER
from dsr.engine.office import Hold, Office
from dsr.errors import BadInput, DsrError, os_words
from dsr.rules.lifecycle import State

STEP = "sealed"
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
"""What can be read aloud and typed from paper without a doubt."""
GROUPS = 6
FIRST_DAY = (1980, 1, 1, 0, 0, 0)


def seal_out(office: Office, case_no: str, out: Path) -> str:
    """Writes the released package to the file ``out`` and gives its password: shown once, kept nowhere.

    Whole or not at all. Raises BadInput for a path that is taken, NotAllowed in another state.
    """
    office.may("package")
    with office.hold(case_no) as hold:
        hold.require(State.DISPATCHING, State.CLOSED)
        hold.must_be_whole()
        fulfilling.must_be_released(hold)
        if out.exists() or out.suffix != ".zip":
            raise BadInput("--sealed", "is not a new file that ends in .zip", "name one, such as DIR/package.zip")
        number = 1 + sum(s.startswith(f"{STEP}:") and phase == "result" for s, phase in hold.steps())
        hold.record(Act(f"{STEP}:{number}", "intent"))
        password = "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(GROUPS))
        _write(hold, out, password)
        hold.record(Act(f"{STEP}:{number}", "result", {"bytes": out.stat().st_size}))
        return password


def _write(hold: Hold, out: Path, password: str) -> None:
    part = out.with_name(f".{out.name}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with part.open("xb") as plain:
            part.chmod(0o600)
            with pyzipper.AESZipFile(plain, "w", pyzipper.ZIP_DEFLATED, encryption=pyzipper.WZ_AES) as sealed:
                sealed.setpassword(password.encode())
                for name, digest in fulfilling.made(hold).items():
                    entry = sealed.zipinfo_cls(f"{hold.case_no}/{name}", FIRST_DAY)
                    entry.compress_type = pyzipper.ZIP_DEFLATED
                    with sealed.open(entry, "w", force_zip64=True) as member:
                        fulfilling.copy_to(hold, FOLDER + name, digest, member)
            plain.flush()
            os.fsync(plain.fileno())
        part.rename(out)
    except OSError as error:
        raise DsrError(f"--sealed: cannot be written ({os_words(error)}); free space, run again") from None
    finally:
        with suppress(FileNotFoundError):
            part.unlink()
