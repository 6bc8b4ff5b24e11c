# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's options to routing policy rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ansible_collections.lvs.vipless.plugins.module_utils._errors import BadInput
from ansible_collections.lvs.vipless.plugins.module_utils._model import values
from ansible_collections.lvs.vipless.plugins.module_utils._model.rule import ACTIONS, GOTO, PROTOCOLS, TO_TABLE, Rule


class _Prefix(NamedTuple):
    """A prefix of ``from`` or ``to``: what names it in a message, its family, its text."""

    option: str
    family: int
    text: str


_EVERY = "/0"
"""How a prefix of every address ends."""
_ECN = 0x3
_HIGHEST_PORT = 65535
_HIGHEST_USER = values.FULL_MASK - 1
_HIGHEST_GROUP = 0x7FFFFFFF
_PREFIX_LENGTHS = {values.IPV4: 32, values.IPV6: 128}


def parse(options: Mapping[str, Any], label: str = "", needs_action: bool = True) -> list[tuple[str, Rule]]:
    """The rules that one entry of the module's options asks for, each with what names it in a message: one for each
    pair of prefixes of one family, or one for each family.

    ``needs_action`` is false where only the identity counts, as for a removal.
    """
    found: dict[str, Any] = {
        "priority": values.number(label + "priority", options["priority"], 0, values.FULL_MASK),
        "protocol": values.owner(label + "protocol", options["protocol"]),
        "inverted": options["not"],
    }
    for name, (field, read) in _SELECTORS.items():
        if options[name] is not None:
            found[field] = read(label + name, options[name])
    if options["fwmark"] is not None:
        found["mark"], found["mask"] = values.mark_and_mask(label + "fwmark", options["fwmark"])
    if options["tos"] is not None and options["dscp"] is not None:
        raise BadInput(label + "dscp", options["dscp"], "cannot go with tos, which holds it.")
    sources, destinations = (_prefixes(options, label, name) for name in ("from", "to"))
    _require_partners(sources, destinations)
    families = _families(options["family"], [*sources, *destinations], label)
    if needs_action:
        found.update(_action(options, label, max(_PREFIX_LENGTHS[family] for family in families)))
    rules = [Rule(family, **found) for family in families]
    return [pair for rule in rules for pair in _selected(rule, label, sources, destinations)]


def _prefixes(options: Mapping[str, Any], label: str, name: str) -> list[_Prefix]:
    """The prefixes of ``from`` or ``to``; none where it is not given."""
    texts = options[name]
    if texts is None:
        return []
    if not texts:
        raise BadInput(label + name, texts, "is empty: name at least one prefix, or leave it out.")
    if len(texts) > 1 and options["not"]:
        raise BadInput(label + name, texts, "cannot go with not: each of its rules would take what the others select.")
    found = []
    for place, text in enumerate(texts):
        option = f"{label}{name}[{place}]" if len(texts) > 1 else label + name
        prefix = values.network(option, text)
        found.append(_Prefix(option, values.family_of(prefix), str(prefix)))
    return found


def _selected(
    rule: Rule, label: str, sources: Sequence[_Prefix], destinations: Sequence[_Prefix]
) -> Iterator[tuple[str, Rule]]:
    """The rule for each pair of prefixes of its family."""
    whole = _Prefix(label, rule.family, _EVERY)
    for source in sources or [whole]:
        for destination in destinations or [whole]:
            if source.family == destination.family == rule.family:
                named = destination.option if len(destinations) > 1 else source.option if len(sources) > 1 else label
                yield named, rule._replace(source=_selector(source), destination=_selector(destination))


def _selector(prefix: _Prefix) -> str:
    """The kernel drops a selector of length 0: it selects nothing."""
    return "" if prefix.text.endswith(_EVERY) else prefix.text


def _action(options: Mapping[str, Any], label: str, longest_prefix: int) -> dict[str, Any]:
    """What the rule does, as the fields of Rule."""
    name = options["action"] or ("lookup" if options["goto"] is None else "goto")
    found: dict[str, Any] = {"action": ACTIONS[name]}
    for option, needed in _OPTIONS_OF_ACTIONS.items():
        if options[option] not in (None, False) and name != needed:
            raise BadInput(label + option, options[option], f"cannot go with action {name}.")
    if found["action"] == TO_TABLE:
        if options["table"] is None and not options["l3mdev"]:
            raise BadInput(label + "table", None, "is missing: say which table the rule leads to.")
        if options["table"] is not None and options["l3mdev"]:
            raise BadInput(label + "table", options["table"], "cannot go with l3mdev, which finds the table.")
        found["l3mdev"] = options["l3mdev"]
        found["table"] = 0 if options["l3mdev"] else values.table(label + "table", options["table"])
        for option, highest in (("suppress_prefixlength", longest_prefix), ("suppress_ifgroup", _HIGHEST_GROUP)):
            if options[option] is not None:
                found[option] = values.number(label + option, options[option], 0, highest)
    if found["action"] == GOTO:
        if options["goto"] is None:
            raise BadInput(label + "goto", None, "is missing: say at which priority to go on.")
        found["target"] = values.number(label + "goto", options["goto"], options["priority"] + 1, values.FULL_MASK)
    return found


_OPTIONS_OF_ACTIONS = {
    "table": "lookup",
    "l3mdev": "lookup",
    "suppress_prefixlength": "lookup",
    "suppress_ifgroup": "lookup",
    "goto": "goto",
}


def _protocol(option: str, text: str) -> int:
    return PROTOCOLS[text] if text in PROTOCOLS else values.number(option, text, 1, 255)


def _tos(option: str, text: str) -> int:
    found = values.number(option, text, 0, 255)
    if found & _ECN:
        raise BadInput(option, text, "has one of the two lowest bits set, which are those of ECN.")
    return found


def _dscp(option: str, number: int) -> int:
    return values.number(option, number, 0, 63)


def _range(lowest: int, highest: int) -> Callable[[str, str], str]:
    """A reader of one number or a range LOW-HIGH, as canonical text."""

    def read(option: str, text: str) -> str:
        first, dash, last = text.partition("-")
        try:
            low = int(first)
            high = int(last) if dash else low
        except ValueError:
            raise BadInput(option, text, "is not a number nor a range such as 1000-1999.") from None
        for number in (low, high):
            if not lowest <= number <= highest:
                raise BadInput(option, text, f"is not between {lowest} and {highest}.")
        if low > high:
            raise BadInput(option, text, "ends before it starts.")
        return values.range_text(low, high)

    return read


_SELECTORS: dict[str, tuple[str, Callable[[str, Any], Any]]] = {
    "iif": ("iif", values.interface),
    "oif": ("oif", values.interface),
    "tos": ("tos", _tos),
    "dscp": ("dscp", _dscp),
    "ipproto": ("ipproto", _protocol),
    "sport": ("sport", _range(1, _HIGHEST_PORT)),
    "dport": ("dport", _range(1, _HIGHEST_PORT)),
    "uidrange": ("uidrange", _range(0, _HIGHEST_USER)),
}
"""The option, its field of Rule, and what reads its value."""


def _require_partners(sources: Sequence[_Prefix], destinations: Sequence[_Prefix]) -> None:
    """Every prefix must be in some rule."""
    for prefixes, others, other in ((sources, destinations, "to"), (destinations, sources, "from")):
        families = {prefix.family for prefix in others}
        for prefix in prefixes:
            if others and prefix.family not in families:
                raise BadInput(prefix.option, prefix.text, f"goes with no prefix of {other}: none is of its family.")


def _families(family: str | None, prefixes: Sequence[_Prefix], label: str) -> list[int]:
    """The families to make rules for."""
    if family is None and not prefixes:
        raise BadInput(label + "family", None, "is missing: the rule names no address to take it from.")
    if family == "both" and prefixes:
        raise BadInput(label + "family", family, "cannot go with an address, which has one family.")
    asked = {*values.FAMILIES.values()} if family in (None, "both") else {values.FAMILIES[family]}
    for prefix in prefixes:
        if prefix.family not in asked:
            raise BadInput(label + "family", family, f"is not the family of {prefix.option}: {prefix.text!r}.")
    return sorted({prefix.family for prefix in prefixes} or asked)
