"""Names that roles give to what they make."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.lvs.vipless.plugins.filter.names import checked_names


def test_sound_names_come_as_the_host_will_have_them() -> None:
    sound = {
        "unit": {"a": "proxy"},
        "sysctl_file": {"b": "/etc/sysctl.d/90-x.conf"},
        "nft_table": {"c": "lvs_vipless"},
        "address": {"d": "2001:DB8:0:0::A"},
    }
    names = ["lvs-vipless-proxy.service", "/etc/sysctl.d/90-x.conf", "lvs_vipless", "2001:db8::a"]
    assert checked_names(sound) == names


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("unit", "Proxy", "x: 'Proxy' is not a name of lower-case letters, digits, - and _, at most 32."),
        ("unit", "../proxy", "x: '../proxy' is not a name"),
        ("sysctl_file", "90-x.conf", "x: '90-x.conf' is not an absolute path"),
        ("sysctl_file", "/etc/sysctl.d/90-x", "x: '/etc/sysctl.d/90-x' would not be read at boot:"),
        ("nft_table", "my table", "x: 'my table' is not a table's name"),
        ("address", "10.0.0.0/24", "x: '10.0.0.0/24' is not an IPv4 or IPv6 address."),
        ("unit", None, "x: 'None' is not a name"),
        ("device", "eth0", "checked_names: 'device' is none of unit, sysctl_file, nft_table, address."),
    ],
)
def test_the_first_name_that_cannot_be_is_told_with_its_variable(kind: str, value: str, message: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        checked_names({kind: {"x": value}})
    assert str(caught.value).startswith(message)
