"""The usual workaround: delete again some time later, when slow readers should have finished.

It removes what a reader has stored in the meantime, in both layers. It works exactly as long as no
reader is slower than the delay; the delay is an assumption about production, not a fix.
"""

import time

from pytest_supercache.reference.naive import NaiveShop

DELAY_SECONDS = 0.5


class WorkaroundShop(NaiveShop):
    """Invalidates twice, the second time after a delay."""

    def _invalidate(self, key: str) -> None:
        super()._invalidate(key)
        time.sleep(DELAY_SECONDS)  # noqa: TID251 - what the team wrote; we only watch it
        super()._invalidate(key)
