"""The running lab as an Ansible inventory."""

from __future__ import annotations

from typing import Any

from lab import ssh
from lab.errors import LabError
from lab.manager import ready_hosts
from lab.settings import Settings
from lab.topology import HOSTS


def inventory(settings: Settings) -> dict[str, Any]:
    """Return the hosts that are up, by group, with all that a connection takes; JSON of it is an inventory file."""
    names = ready_hosts(settings)
    if not names:
        raise LabError(f"The lab {settings.name} is not up: run `up`.")
    groups: dict[str, Any] = {}
    for name in names:
        groups.setdefault(HOSTS[name].group, {"hosts": {}})["hosts"][name] = _variables(settings, name)
    return {"all": {"children": groups}}


def _variables(settings: Settings, name: str) -> dict[str, Any]:
    return {
        "ansible_host": HOSTS[name].management.ipv4,
        "ansible_port": ssh.PORT,
        "ansible_user": ssh.USER,
        "ansible_ssh_private_key_file": str(settings.ssh_key),
        "ansible_ssh_common_args": " ".join(ssh.common_arguments(settings)),
        "ansible_python_interpreter": settings.python,
        # Ansible's own, but that a connection outlasts a minute that belongs to other hosts, and is not compressed: an
        # emulated guest takes longer for either than the network can save.
        "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=15m",
        # Else a task that installs packages first asks the host what it is, which takes as long again.
        "ansible_package_use": "ansible.builtin.apt",
    }
