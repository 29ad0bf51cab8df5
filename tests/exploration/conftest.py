import pytest

import clearprop as cp


@pytest.fixture(scope="session")
def playground():
    """Return the page without a network of one's own."""
    return cp.explore().html
