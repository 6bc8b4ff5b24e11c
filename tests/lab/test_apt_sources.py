"""The host's Debian archive, read from both formats of sources.list(5)."""

from __future__ import annotations

import pytest

from lab import apt_sources
from lab.apt_sources import Source, parse_deb822, parse_one_line

ONE_LINE = """\
# deb http://off.example/debian bookworm main
deb http://mirror.example/debian bookworm main contrib # the near one
deb [arch=amd64 signed-by=/etc/apt/keyrings/m.gpg] https://mirror.example/debian bookworm-updates main
deb-src http://mirror.example/debian bookworm main
deb http://other.example/tool stable extra
"""
DEB822 = """\
Types: deb deb-src
# a comment between the fields
URIs: http://mirror.example/debian
 http://second.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEY865UxYJKwYBBAHaRw8BAQdAd7Z0srwuhlB6JKFkcf4HU4SSS/xcRfwEQWzr
"""
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def test_one_line_format() -> None:
    assert list(parse_one_line(ONE_LINE)) == [
        Source("http://mirror.example/debian", "bookworm"),
        Source("https://mirror.example/debian", "bookworm-updates", "/etc/apt/keyrings/m.gpg"),
    ]


def test_deb822_format() -> None:
    assert list(parse_deb822(DEB822)) == [
        Source("http://mirror.example/debian", "bookworm", KEYRING),
        Source("http://mirror.example/debian", "bookworm-updates", KEYRING),
        Source("http://second.example/debian", "bookworm", KEYRING),
        Source("http://second.example/debian", "bookworm-updates", KEYRING),
        Source("http://security.example/debian-security", "bookworm-security"),
    ]


def test_debians_own_archive_where_the_host_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt_sources, "_host_sources", lambda: iter([Source("http://u.example/ubuntu", "noble")]))
    assert [source.line() for source in apt_sources.sources("bookworm")] == [
        f"deb [signed-by={KEYRING}] http://deb.debian.org/debian bookworm main",
        f"deb [signed-by={KEYRING}] http://deb.debian.org/debian bookworm-updates main",
        f"deb [signed-by={KEYRING}] http://deb.debian.org/debian-security bookworm-security main",
    ]


def test_only_the_release_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Source("http://mirror.example/debian", "bookworm")
    monkeypatch.setattr(
        apt_sources, "_host_sources", lambda: iter([mine, mine, Source("http://mirror.example/debian", "trixie")])
    )
    assert apt_sources.sources("bookworm") == [mine]
