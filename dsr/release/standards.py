"""Whether a PDF keeps the standards it claims, and its syntax: failed rules by their names, no text of the document."""

from __future__ import annotations

import io
from collections.abc import Sequence

import page
import pikepdf

from dsr.release.finding import Finding

_MOST = 1 << 40
LIMITS = page.SafetyLimits(
    max_input_size=_MOST, max_decoded_stream_size=_MOST, max_total_decoded_content_size=_MOST,
    max_form_invocations=10_000_000, max_object_count=100_000_000, max_table_grid_rows=10_000_000,
    max_table_grid_cells=100_000_000, max_unicode_cmap_mappings=10_000_000,
)  # fmt: skip
"""Its own limits are for strangers' files; ours may hold a table of 100,000 rows."""


def standards(file: str, pdf: bytes, profiles: Sequence[str]) -> list[Finding]:
    """Failed rules as findings, each once; empty when all is kept. Raises ValueError for an unknown profile."""
    rules = set(_syntax(pdf))
    for profile in profiles:
        try:
            report = page.validate_pdf_bytes(pdf, profile=profile, limits=LIMITS)
        except page.ProfileError:
            raise ValueError(f"profile: {profile!r} is unknown") from None
        except page.PageError as error:
            rules.add(f"{profile}: {type(error).__name__}")
        else:
            rules |= {f"{profile}: {failure.rule_id}" for failure in report.failures}
            if not report.is_compliant and not report.failures:
                rules.add(f"{profile}: not compliant")
    return [Finding(file, rule, "standard") for rule in sorted(rules)]


def _syntax(pdf: bytes) -> list[str]:
    try:
        with pikepdf.open(io.BytesIO(pdf), attempt_recovery=False) as opened:
            return ["syntax"] if opened.check_pdf_syntax() else []
    except pikepdf.PdfError:
        return ["syntax"]


__all__ = ["standards"]
