# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Questions to what the readers return, in JMESPath."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

try:
    import jmespath

    HAS_JMESPATH = True
except ImportError:
    HAS_JMESPATH = False

_NAME = re.compile(r"\$(\w+)")


def query(found: Any, expression: str, **names: Any) -> Any:
    """See query.yml."""
    if not HAS_JMESPATH:
        raise AnsibleFilterError("The Python library jmespath is missing on the controller: pip install jmespath.")
    asked = _NAME.sub(lambda match: _literal(names[match[1]]) if match[1] in names else match[0], expression)
    try:
        return jmespath.search(asked, _plain(found))
    except jmespath.exceptions.JMESPathError as error:
        raise AnsibleFilterError(f"query: {str(expression)!r} cannot be asked: {error}") from error


def _plain(value: Any) -> Any:
    """The same in Python's own types: JMESPath knows no others, and ansible-core 2.19 gives variables others."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value


def _literal(value: Any) -> str:
    """A string as a literal in JSON, whose end is a backquote (jmespath.org, Literal Expressions)."""
    return "`" + json.dumps(str(value)).replace("`", "\\`") + "`"


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """The filter by its name."""
        return {"query": query}
