"""Give every proof, or those that are named, and say whether it holds. Ends with 1 where one does not."""

from __future__ import annotations

import sys

from proof.checks import ALL
from proof.guests import GuestError


def main() -> int:
    failed = 0
    for proofs in [one for one in ALL if not sys.argv[1:] or one.__name__ in sys.argv[1:]]:
        try:
            for proof in proofs():
                print("  ok  " if proof.holds else " FAIL ", proof.sentence, flush=True)
                failed += not proof.holds
        except GuestError as error:
            print(" FAIL ", error, flush=True)
            failed += 1
    print(f"{failed} proofs failed." if failed else "Every proof holds.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
