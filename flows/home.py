"""An engine home on disk, and how store, vault, inventory, connectors, officer and clock are wired together from it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from connectors.build import connect
from connectors.stores.lake_index import SideIndex
from connectors.survey import surveyor
from dsr.case import Act
from dsr.connector import Connector, Scratch
from dsr.days import TOKYO
from dsr.engine.desk import OFFICE_LOG
from dsr.engine.office import ENGINE, Office, Officer, secret_hash, sign_in
from dsr.errors import BadInput, DsrError, NotAllowed
from dsr.inventory import Inventory, System, read_inventory, value_of
from dsr.plan import Surveyor
from dsr.rules.lifecycle import ROLES, allowed
from dsr.shapes import read_json
from dsr.store import Store
from dsr.vault import Keys, Vault

SETTINGS = "settings.json"
INDEX, INDEX_KEY = "index.db", "index.key"
SESSION = "session.json"


def init(home: Path, inventory: Path, officers: Path | None, keys: Path | None, production: bool,
         journal: Path | None = None) -> None:  # fmt: skip
    """Make a home. Nothing is left behind when something is wrong; an existing home is never overwritten."""
    if (home / SETTINGS).exists():
        raise BadInput("--home", "there is a home already", "choose another folder")
    read_inventory(inventory)
    people = _officers(officers) if officers else []
    key_folder = keys or home / "keys"
    with closing(_connected(home)) as store:
        store.vacant()
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        home.chmod(0o700)
        Keys.create(key_folder)
        store.create()
        for name, role, secret in people:
            store.add_officer(name, role, secret_hash(secret))
    (home / "prefect").mkdir(exist_ok=True, mode=0o700)
    settings = {"inventory": str(inventory.resolve()), "keys": str(key_folder.resolve()), "production": production,
                "journal": str((journal or home / "journal").resolve())}  # fmt: skip
    part = home / f"{SETTINGS}.part"
    part.write_text(json.dumps(settings, ensure_ascii=False, indent=2) + "\n")
    part.chmod(0o600)
    part.replace(home / SETTINGS)


def _officers(path: Path) -> list[tuple[str, str, str]]:
    listed = read_json(path, "officers")
    if not isinstance(listed, list):
        raise BadInput("officers", "is not a list", '[{"name": …, "role": …, "secret": …}]')
    made: list[tuple[str, str, str]] = []
    for at, entry in enumerate(listed):
        try:
            name, role, secret = (str(entry[part]) for part in ("name", "role", "secret"))
        except (TypeError, KeyError):
            raise BadInput(f"officers.{at}", "lacks name, role or secret", "give all three") from None
        if name in {other for other, _, _ in made}:
            raise BadInput(f"officers.{at}.name", "there is such an officer already", "choose another name")
        made.append((_name(name, f"officers.{at}.name"), role_named(role, f"officers.{at}.role"), secret))
    return made


def _name(name: str, field: str) -> str:
    """As it can be printed on a letter; PostgreSQL could not even keep some of the rest."""
    if not name.strip() or not name.isprintable():
        raise BadInput(field, "is no name that can be printed", "use letters and digits")
    return name


def role_named(role: str, field: str) -> str:
    roles = sorted({name for allowed in ROLES.values() for name in allowed})
    if role not in roles:
        raise BadInput(field, "no such role", f"one of {', '.join(roles)}")
    return role


def _connected(home: Path) -> Store:
    return Store.connect(os.environ.get("DSR_DATABASE_URL") or f"sqlite:///{home / 'dsr.db'}")


def _store(home: Path) -> Store:
    """Raises DsrError, naming the cure, for a store of another release than this program."""
    store = _connected(home)
    try:
        return store.ready()
    except DsrError:
        store.close()
        raise


def upgrade(home: Path) -> tuple[str, str]:
    """The store's revision before and now. A technician's act on the machine, like ``init``: no officer signs in."""
    settings_of(home)
    with closing(_connected(home)) as store:
        return store.upgrade()


def settings_of(home: Path) -> dict[str, Any]:
    if not (home / SETTINGS).exists():
        raise BadInput("--home", "is no engine home", "run dsr init --home DIR --inventory FILE, or set DSR_HOME")
    return dict(read_json(home / SETTINGS, "settings"))


def clock_of(now: str | None, production: bool) -> tuple[Callable[[], datetime], bool]:
    """The machine's clock, or the rehearsal clock that ``--now`` sets; a production home refuses the latter."""
    if now is None:
        return lambda: datetime.now(TOKYO), False
    if production:
        raise BadInput("--now", "this home is marked production", "leave --now out; rehearse in another home")
    try:
        fixed = datetime.fromisoformat(now)
    except ValueError:
        raise BadInput("--now", "is no instant", "write 2026-11-22T09:00+09:00") from None
    if fixed.tzinfo is None:
        raise BadInput("--now", "has no zone", "write 2026-11-22T09:00+09:00")
    return lambda: fixed, True


def office(
    home: Path,
    now: str | None = None,
    officer: Officer | None = None,
    tries: int = 3,
) -> Office:
    """Everything wired. ``officer`` None signs in by DSR_OFFICER and DSR_SECRET or the login session."""
    settings = settings_of(home)
    clock, rehearsal = clock_of(now, bool(settings["production"]))
    keys = Keys.load(Path(settings["keys"]))
    inventory = read_inventory(Path(settings["inventory"]))
    index = side_index(home, Path(settings["keys"]))
    store = _store(home)

    def build(answers: Callable[[str], Any], scratch: Scratch) -> Mapping[str, Connector]:
        return connect(inventory, answers=answers, scratch=scratch, index=index)

    try:
        actor = officer or _signed_in(home, store)
    except DsrError:
        store.close()
        raise
    def look(system: System) -> Surveyor:
        return surveyor(inventory, system, os.environ, keys.survey_key)

    places = Path(settings.get("journal") or home / "journal"), Path(settings["keys"]) / "journal"
    return Office(
        home, store, Vault(home / "vault", keys), keys, inventory, build, actor, clock, rehearsal,
        bool(settings["production"]), tries, time.sleep, look, lambda system: dialect(inventory, system), places,
    )  # fmt: skip


def dialect(inventory: Inventory, system: System) -> str:
    """Of SQL the database's own name; of any other kind of store that kind."""
    if system.store != "sql":
        return system.store
    url = value_of(system.url, f"system.{system.name}.url", os.environ, inventory.folder)
    return "postgresql" if url.startswith("postgres") else "sqlite"


def side_index(home: Path, keys: Path) -> SideIndex | None:
    """None without its key, or with one that is no key or that others may read: then every file is scanned."""
    try:
        path = keys / INDEX_KEY
        key = bytes.fromhex(path.read_text().strip()) if not path.stat().st_mode & 0o077 else b""
    except (OSError, ValueError):
        return None
    return SideIndex(home / INDEX, key) if len(key) == 32 else None


def engine_office(home: Path, now: str | None = None) -> Office:
    """For flows: the engine itself acts, in the name of nobody."""
    return office(home, now, ENGINE)


def _signed_in(home: Path, store: Store) -> Officer:
    name, secret = os.environ.get("DSR_OFFICER"), os.environ.get("DSR_SECRET")
    if name and secret:
        return sign_in(store, name, secret)
    if (home / SESSION).exists():
        session = read_json(home / SESSION, "session")
        return sign_in(store, session["name"], session["secret"])
    raise NotAllowed("nobody is signed in: run dsr login NAME, or set DSR_OFFICER and DSR_SECRET")


def log_in(home: Path, name: str, secret: str) -> Officer:
    """Checks the secret and keeps the session in an owner-only file."""
    with closing(_store(home)) as store:
        officer = sign_in(store, name, secret)
    part = home / f"{SESSION}.part"
    part.touch(mode=0o600)
    part.write_text(json.dumps({"name": name, "secret": secret}, ensure_ascii=False))
    part.replace(home / SESSION)
    return officer


def add_officer(home: Path, name: str, role: str, secret: str, now: str | None) -> None:
    """The first officer of a home is a technician; every further one is added by a technician who is signed in."""
    settings = settings_of(home)
    clock, rehearsal = clock_of(now, bool(settings["production"]))
    with closing(_store(home)) as store:
        actor = _name(name, "name")
        if store.has_officers():
            officer = _signed_in(home, store)
            if not allowed(officer.role, "add_officer"):
                raise NotAllowed(f"officer add: not open to the role {officer.role}; sign in as technician")
            actor = officer.name
        elif role_named(role, "--role") != "technician":
            raise BadInput("--role", "the first officer must be a technician", "add one, who adds the others")
        store.add_officer(name, role_named(role, "--role"), secret_hash(secret))
        public = {"role": role, **({"rehearsal": True} if rehearsal else {})}
        store.log_alone(OFFICE_LOG, Act(f"officer:{name}", "result", public), clock(), actor)
