"""Random programs with shared memory: what is said of them is true, and every outcome comes."""

import pytest

from tests.selection import either
from tests.soundness.generated import disagreement

SEEDS = range(either(28, 5_000))
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_random_programs_are_told_right_and_have_all_their_outcomes(part):
    wrong = [told for seed in SEEDS[part::PARTS] if (told := disagreement(seed)) is not None]
    assert not wrong, "\n\n".join(wrong)
