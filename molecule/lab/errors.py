"""What the lab raises when it cannot go on; the command line prints it as one message."""

from __future__ import annotations


class LabError(Exception):
    """The lab cannot do what was asked; the text says what is wrong and what to do."""

    exit_status = 1


class RequirementError(LabError):
    """This machine lacks something the lab needs."""

    exit_status = 2
