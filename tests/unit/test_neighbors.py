"""Neighbour entries as bytes, read by pyroute2's message class, which is somebody else's; and read back by our own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.rtnl.ndmsg import ndmsg

from ansible_collections.lvs.vipless.plugins.module_utils._kernel import inet, neighbors, routes
from ansible_collections.lvs.vipless.plugins.module_utils._model.neighbor import Neighbor
from second_opinion import decoded, parts, written_again

MACS = st.binary(min_size=6, max_size=6).map(lambda mac: mac.hex(":"))


@st.composite
def entries(draw: st.DrawFn) -> Neighbor:
    family = draw(st.sampled_from([2, 10]))
    address = str(draw(st.ip_addresses(v=4 if family == 2 else 6)))
    proxy = draw(st.booleans())
    return Neighbor(family, address, "lo", proxy, "" if proxy else draw(MACS), draw(st.integers(1, 255)))


@given(st.lists(entries()))
def test_entries_as_bytes(some: list[Neighbor]) -> None:
    encoder = neighbors.Encoder()
    for entry in some:
        body = encoder.encode(entry)
        assert neighbors.decode(body, routes.Devices()) == entry
        seen = decoded(ndmsg, body)
        assert (seen["family"], seen["ifindex"], seen["state"]) == (entry.family, 1, 0x80)
        assert seen["flags"] == (8 if entry.proxy else 0)
        assert inet.packed(seen.get_attr("NDA_DST")) == inet.packed(entry.address)
        assert (seen.get_attr("NDA_LLADDR") or "") == entry.mac
        assert dict(seen["attrs"]).get("NDA_PROTOCOL") is not None
        assert written_again(ndmsg, body) == parts(ndmsg, body)
