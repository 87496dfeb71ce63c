"""The names that the package offers."""

from __future__ import annotations

import pytest

from headrace.agents import middleware


def test_dir_lists_the_names_that_are_offered_and_no_other() -> None:
    assert dir(middleware) == sorted(middleware.__all__)
    assert set(middleware.__all__) == set(middleware.HOMES)
    assert all(getattr(middleware, name) is not None for name in dir(middleware))


def test_a_name_that_there_is_not_is_told_with_what_may_be_meant() -> None:
    with pytest.raises(AttributeError, match="no attribute 'HumanInLoopMiddleware'; did you mean 'HumanInTheLoopMidd"):
        middleware.HumanInLoopMiddleware  # noqa: B018 - looking it up is the test
    with pytest.raises(AttributeError, match=r"no attribute 'zzzzzz'$"):
        middleware.zzzzzz  # noqa: B018 - looking it up is the test
