"""The keys that ip_vs brings along: check mode knows them before the module is loaded."""

from __future__ import annotations

import subprocess

from ansible_collections.lvs.vipless.plugins.module_utils._model.ipvs_sysctl import DEFAULTS
from namespace import Namespace

_AS_LOADED = {f"net.ipv4.vs.{key}": value for key, value in DEFAULTS.items()}


def test_check_mode_foresees_the_keys_of_ip_vs(unloaded: Namespace) -> None:
    wanted = {**_AS_LOADED, "net.ipv4.vs.expire_nodest_conn": "1"}
    foreseen = unloaded.call("sysctl", check=True, values=_AS_LOADED)
    predicted = unloaded.call("sysctl", check=True, values=wanted)
    subprocess.run(["modprobe", "ip_vs"], check=True)
    assert foreseen == unloaded.call("sysctl", values=_AS_LOADED)
    assert not foreseen["changed"]
    assert predicted == unloaded.call("sysctl", values=wanted)
    assert predicted["changes"] == [
        "change runtime net.ipv4.vs.expire_nodest_conn = 0 to runtime net.ipv4.vs.expire_nodest_conn = 1"
    ]
