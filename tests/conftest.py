import os

import hypothesis
import numpy as np
import pytest

hypothesis.settings.register_profile(
    "ci", derandomize=True, max_examples=50, deadline=None, database=None, print_blob=True
)
hypothesis.settings.register_profile("thorough", max_examples=2000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture
def rng():
    """Return a fresh generator for each test: no test can change what another draws."""
    return np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _names_of_the_examples(doctest_namespace):
    import clearprop

    doctest_namespace["np"] = np
    doctest_namespace["cp"] = clearprop
