import pytest

import sklearn_own_tests


@pytest.mark.slow
def test_at_least_fifty_of_scikit_learns_own_tests_pass_unchanged():
    tally = sklearn_own_tests.run()
    assert not tally.failed
    assert len(tally.passed) >= 50
    assert set(tally.skipped) <= set(sklearn_own_tests.REASONS)
