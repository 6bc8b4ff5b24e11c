# Copyright: (c) 2026, lvs.vipless contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the keys of ip_vs will be once it is loaded, so that check mode can tell before.

Documentation/networking/ipvs-sysctl.rst and ip_vs_control_net_init_sysctl() in net/netfilter/ipvs/ip_vs_ctl.c.
sync_qlen_max is not here: it depends on the memory of the host.
"""

from __future__ import annotations

DEFAULTS = {
    "am_droprate": "10",
    "amemthresh": "1024",
    "backup_only": "0",
    "cache_bypass": "0",
    "conn_reuse_mode": "1",
    "conntrack": "0",
    "drop_entry": "0",
    "drop_packet": "0",
    "expire_nodest_conn": "0",
    "expire_quiescent_template": "0",
    "ignore_tunneled": "0",
    "nat_icmp_send": "0",
    "pmtu_disc": "1",
    "run_estimation": "1",
    "schedule_icmp": "0",
    "secure_tcp": "0",
    "sloppy_sctp": "0",
    "sloppy_tcp": "0",
    "snat_reroute": "1",
    "sync_persist_mode": "0",
    "sync_ports": "1",
    "sync_refresh_period": "0",
    "sync_retries": "0",
    "sync_sock_size": "0",
    "sync_threshold": "3 50",
    "sync_version": "1",
}
