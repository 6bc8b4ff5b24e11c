"""The host's own Debian archive, so that an image can be built wherever the host itself can install packages."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.requirements import KEYRING

_APT = Path("/etc/apt")
_ONE_LINE = re.compile(r"deb\s+(?:\[(?P<options>[^]]*)\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)\s+(?P<components>.+)")
# What reaches a mirror or judges its files; the rest of the host's apt configuration stays on the host.
_TRANSPORT = re.compile(r"Acquire::(?:https?|Check-Valid-Until|Check-Date|Retries|ForceIPv[46])\b[^ ]* \"[^\"]+\";")


@dataclass(frozen=True)
class Source:
    """One archive of packages, as in sources.list(5)."""

    uri: str
    suite: str
    signed_by: str = ""

    def line(self) -> str:
        signed_by = f"[signed-by={self.signed_by}] " if self.signed_by else ""
        return f"deb {signed_by}{self.uri} {self.suite} main"


def sources(release: str) -> list[Source]:
    """Return the host's archives of a Debian release with its updates, or Debian's own where the host has none."""
    suites = {release, f"{release}-updates", f"{release}-security"}
    found = [source for source in _host_sources() if source.suite in suites]
    if any(source.suite == release for source in found):
        return list(dict.fromkeys(found))
    return [
        Source("http://deb.debian.org/debian", release, str(KEYRING)),
        Source("http://deb.debian.org/debian", f"{release}-updates", str(KEYRING)),
        Source("http://deb.debian.org/debian-security", f"{release}-security", str(KEYRING)),
    ]


def transport_options() -> list[str]:
    """Return the host's apt settings for proxies, certificates, retries and validity, as apt.conf(5) statements."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    return [line for line in dump.splitlines() if _TRANSPORT.fullmatch(line)]


def _host_sources() -> Iterator[Source]:
    parts = _APT / "sources.list.d"
    for path in [_APT / "sources.list", *sorted(parts.glob("*.list"))]:
        if path.is_file():
            yield from parse_one_line(path.read_text(encoding="utf-8"))
    for path in sorted(parts.glob("*.sources")):
        yield from parse_deb822(path.read_text(encoding="utf-8"))


def parse_one_line(text: str) -> Iterator[Source]:
    """Read the one-line format of sources.list(5); only binary packages of the component main."""
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.split("#")[0].strip())
        if match and "main" in match["components"].split():
            options = dict(option.split("=", 1) for option in (match["options"] or "").split() if "=" in option)
            yield Source(match["uri"], match["suite"], options.get("signed-by", ""))


def parse_deb822(text: str) -> Iterator[Source]:
    """Read the deb822 format of sources.list(5); only enabled binary packages of the component main."""
    lines = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", lines):
        fields = dict(re.findall(r"^([\w-]+):[ \t]*(.*(?:\n[ \t]+.*)*)$", stanza, re.MULTILINE))
        wanted = "deb" in fields.get("Types", "").split() and "main" in fields.get("Components", "").split()
        if not wanted or fields.get("Enabled", "yes").strip().lower() in {"no", "false"}:
            continue
        key = fields.get("Signed-By", "").strip()
        for uri in fields.get("URIs", "").split():
            for suite in fields.get("Suites", "").split():
                # A key may stand in the file itself; only a path can be handed on.
                yield Source(uri, suite, key if key.startswith("/") else "")
