"""The lab's command line."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from lab import manager, requirements, ssh
from lab.console import say
from lab.errors import LabError, RequirementError
from lab.inventory import inventory
from lab.settings import Settings, from_environment
from lab.status import status
from lab.topology import DEFAULT_HOSTS, HOSTS


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit status: 0 done, 1 failed, 2 wrong use or something missing here."""
    requirements.add_system_directories_to_path()
    options = _parser().parse_args(arguments)
    try:
        _run(options, from_environment())
    except LabError as error:
        say(f"lab: {error}")
        return error.exit_status
    except KeyboardInterrupt:
        say("lab: interrupted; the next `up` or `down` removes what is left")
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lab",
        description="Virtual machines of an LVS cluster in a network namespace of their own.",
        epilog="Environment: LVS_LAB_NAME (lvslab), LVS_LAB_CACHE (~/.cache/lvs-vipless), LVS_LAB_ACCEL (auto), "
        "LVS_LAB_RELEASE (bookworm).",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("check", help="say what this machine lacks")
    up = commands.add_parser("up", help="start hosts, from their clean snapshots where they have one")
    up.add_argument(
        "--hosts",
        type=_host_names,
        default=DEFAULT_HOSTS,
        metavar="A,B",
        help=f"of {','.join(HOSTS)}; default {','.join(DEFAULT_HOSTS)}",
    )
    up.add_argument("--fresh", action="store_true", help="boot from scratch and make new snapshots")
    up.add_argument("--clean", action="store_true", help="take hosts that are up already back to their snapshots")
    commands.add_parser("restore", help="take all hosts that are up back to their clean snapshots")
    commands.add_parser("down", help="end the lab, whatever state it is in; snapshots stay")
    commands.add_parser("status", help="print the state of the lab as JSON")
    commands.add_parser("inventory", help="print the hosts that are up as an Ansible inventory (JSON)")
    shell = commands.add_parser("ssh", help="run a command, or a shell, on a host")
    shell.add_argument("host", choices=tuple(HOSTS), metavar="HOST")
    shell.add_argument("arguments", nargs=argparse.REMAINDER, metavar="cmd…")
    return parser


def _host_names(text: str) -> tuple[str, ...]:
    names = tuple(name for name in text.split(",") if name)
    unknown = [name for name in names if name not in HOSTS]
    if unknown or not names:
        raise argparse.ArgumentTypeError(f"{text!r} must list some of {', '.join(HOSTS)}")
    return names


def _run(options: argparse.Namespace, settings: Settings) -> None:
    if options.command in {"check", "up", "restore"}:
        found = requirements.problems()
        if found:
            raise RequirementError("\n".join(["this machine cannot run the lab:", *found]))
    match options.command:
        case "check":
            print("This machine has what the lab needs.")
        case "up":
            manager.up(settings, options.hosts, fresh=options.fresh, clean=options.clean)
        case "restore":
            manager.restore(settings)
        case "down":
            manager.down(settings)
        case "status":
            print(json.dumps(status(settings), indent=2))
        case "inventory":
            print(json.dumps(inventory(settings), indent=2))
        case "ssh":
            sys.stdout.flush()
            argv = ssh.command(settings, options.host, options.arguments)
            os.execvp(argv[0], argv)
