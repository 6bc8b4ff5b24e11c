# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specifications as values that can be merged, instead of dictionaries that are copied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput


@dataclass(frozen=True)
class ArgumentSpec:
    """A module's options and the constraints between them, in the words of AnsibleModule."""

    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    mutually_exclusive: Sequence[Sequence[str]] = ()
    required_one_of: Sequence[Sequence[str]] = ()
    required_together: Sequence[Sequence[str]] = ()
    required_if: Sequence[Sequence[Any]] = ()
    required_by: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def merge(self, other: ArgumentSpec) -> ArgumentSpec:
        """Both specifications in one; an option named twice is the other's."""
        return ArgumentSpec(
            {**self.options, **other.options},
            [*self.mutually_exclusive, *other.mutually_exclusive],
            [*self.required_one_of, *other.required_one_of],
            [*self.required_together, *other.required_together],
            [*self.required_if, *other.required_if],
            {**self.required_by, **other.required_by},
        )

    def to_kwargs(self) -> dict[str, Any]:
        """The arguments of AnsibleModule. Every module of this collection honours check mode."""
        return {
            "argument_spec": {name: dict(option) for name, option in self.options.items()},
            "mutually_exclusive": [list(group) for group in self.mutually_exclusive],
            "required_one_of": [list(group) for group in self.required_one_of],
            "required_together": [list(group) for group in self.required_together],
            "required_if": [list(group) for group in self.required_if],
            "required_by": {name: list(group) for name, group in self.required_by.items()},
            "supports_check_mode": True,
        }


def one_or_many(
    plural: str, options: Mapping[str, Mapping[str, Any]], *, identity: str, alternative: str = ""
) -> ArgumentSpec:
    """One object through top-level options, or many through the list ``plural``; beside them ``state``, ``purge`` and
    ``file``.

    ``identity`` is the option that every object must have; where there are two kinds, those of the second have
    ``alternative``.
    """
    state: dict[str, dict[str, Any]] = {
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "purge": {"type": "bool", "default": False},
        "file": {"type": "str"},
    }
    return one_or_listed(plural, options, identity=identity, alternative=alternative).merge(ArgumentSpec(state))


def one_or_listed(
    plural: str, options: Mapping[str, Mapping[str, Any]], *, identity: str, alternative: str = ""
) -> ArgumentSpec:
    """The same for objects that have no state, such as questions."""
    identities = [identity, alternative] if alternative else [identity]
    top = {name: {k: v for k, v in option.items() if k != "required"} for name, option in options.items()}
    listed = {"type": "list", "elements": "dict", "options": {n: dict(o) for n, o in options.items()}}
    return ArgumentSpec(
        {**top, plural: listed},
        mutually_exclusive=[(plural, name) for name in identities],
        required_one_of=[(plural, *identities)],
    )


def objects(params: Mapping[str, Any], plural: str, options: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The objects the user named, each with the prefix of its options in a message (``rules[3].`` or nothing)."""
    if params.get("purge") and (params[plural] is None or params["state"] == "absent"):
        raise BadInput("purge", True, f"goes with the list {plural} and state: present only.")
    if params[plural] is None:
        return [("", {name: params[name] for name in options})]
    return [(f"{plural}[{i}].", entry) for i, entry in enumerate(params[plural])]
