"""A lake in an S3 bucket: ``s3://[key:secret@]bucket/prefix[?endpoint_override=…&scheme=…&region=…]``."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa
from pyarrow import fs

from connectors.survey.reach import Reach
from dsr.errors import BadInput

_FROM_ENVIRONMENT = {
    "access_key": "AWS_ACCESS_KEY_ID", "secret_key": "AWS_SECRET_ACCESS_KEY", "session_token": "AWS_SESSION_TOKEN",
    "region": "AWS_REGION",
}


def opened(reach: Reach) -> tuple[Any, str]:
    """The bucket's files and the prefix before every path. What the address leaves out the AWS_… variables say."""
    try:
        address = urlsplit(reach.address())
        said = dict(parse_qsl(address.query))
        if address.scheme == "s3" and address.hostname and set(said) <= {"endpoint_override", "scheme", "region"}:
            root = f"{address.netloc.rpartition('@')[2]}/{address.path.strip('/')}".rstrip("/")
            return fs.S3FileSystem(**_given(reach, address.username, address.password), **said), root
    except (ValueError, TypeError, pa.ArrowException):  # their words quote it
        pass
    raise BadInput(f"system.{reach.system.name}.survey_url", "is no place of a lake", "write s3://bucket/prefix")


def _given(reach: Reach, user: str | None, secret: str | None) -> dict[str, str]:
    told = {name: reach.environment.get(variable, "") for name, variable in _FROM_ENVIRONMENT.items()}
    if user:
        told |= {"access_key": unquote(user), "secret_key": unquote(secret or ""), "session_token": ""}
    endpoint = reach.environment.get("AWS_ENDPOINT_URL_S3") or reach.environment.get("AWS_ENDPOINT_URL") or ""
    told["scheme"], _, told["endpoint_override"] = endpoint.rpartition("://")
    return {name: value for name, value in told.items() if value}
