"""Fixtures of the tests that run inside a guest, whose kernel has ip_vs."""

from __future__ import annotations

import os
from collections.abc import Iterator

import clients
import hypothesis
import kernel_modules
import probes
import pytest
from cluster import Cluster, cluster
from tool import ipvsadm

from namespace import Namespace

# A guest may be emulated, twenty times slower than its host: an example takes seconds, and plans and codecs have been
# through hundreds of them natively.
hypothesis.settings.register_profile("brief", deadline=None, max_examples=10)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=15)
hypothesis.settings.register_profile("nightly", deadline=None, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("LVS_PROFILE", "ci"))


@pytest.fixture(scope="session")
def hosts() -> Iterator[Cluster]:
    """A cluster with daemons that say who they are."""
    with cluster() as found:
        one, two = found.realservers
        with probes.daemon(one, "rs1"), probes.daemon(two, "rs2"), probes.daemon(found.director, "director", 22):
            yield found


@pytest.fixture(scope="session")
def made() -> Iterator[Namespace]:
    with Namespace() as netns:
        netns.ip(f"address add {clients.VIP}/32 dev lo")
        yield netns


@pytest.fixture
def netns(made: Namespace) -> Namespace:
    """One namespace for all tests, as making one takes a second in an emulated guest. It comes without services."""
    ipvsadm(made, "-C")
    return made


@pytest.fixture
def unloaded(netns: Namespace) -> Namespace:
    """The same, in a kernel that has not loaded ip_vs."""
    kernel_modules.unload()
    return netns
