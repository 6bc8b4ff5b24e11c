# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that a role gives to what it makes, checked before it makes anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.vipless.plugins.module_utils._errors import LvsError
from ansible_collections.lvs.vipless.plugins.module_utils._model import boot_unit, sysctl, values


def checked_names(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """See checked_names.yml."""
    if unknown := sorted(found.keys() - _KINDS.keys()):
        raise AnsibleFilterError(f"checked_names: {unknown[0]!r} is none of {', '.join(_KINDS)}.")
    try:
        return [_KINDS[kind](name, str(value)) for kind, named in found.items() for name, value in named.items()]
    except LvsError as error:
        raise AnsibleFilterError(str(error)) from error


def _sysctl_file(option: str, path: str) -> str:
    sysctl.require_read_at_boot(option, path)
    return boot_unit.sysctl_file(option, path)


def _address(option: str, text: str) -> str:
    return str(values.address(option, text))


_KINDS: dict[str, Callable[[str, str], str]] = {
    "unit": boot_unit.unit_name,
    "sysctl_file": _sysctl_file,
    "nft_table": values.nft_table,
    "address": _address,
}


class FilterModule:
    """The filter by name."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """What Ansible asks for."""
        return {"checked_names": checked_names}
