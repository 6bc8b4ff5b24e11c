"""The VIPs that every benchmark uses."""

from __future__ import annotations


def vip(family: int, place: int) -> str:
    """A host prefix of the benchmarking networks (RFC 2544, RFC 5180); ``family`` is AF_INET or AF_INET6."""
    if family == 2:
        return f"198.{18 + (place >> 16)}.{place >> 8 & 255}.{place & 255}/32"
    return f"2001:2::{place:x}/128"
