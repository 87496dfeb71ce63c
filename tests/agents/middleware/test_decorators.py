"""Middleware of one hook, made of a function."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import SystemMessage

from headrace.agents import create_agent
from headrace.agents.middleware.decorators import dynamic_prompt
from headrace.testing import ScriptedChatModel
from tests.agents.middleware.tool_calls import HI
from tests.drive import Drive


@pytest.mark.parametrize("returned", [None, ["be", "kind"]])
def test_a_dynamic_prompt_that_is_none_is_refused(drive: Drive, returned: Any) -> None:
    @dynamic_prompt
    def kindly(request: Any) -> Any:
        return returned

    model = ScriptedChatModel(replies=["done"])
    with pytest.raises(TypeError, match="a dynamic prompt is a text or a SystemMessage"):
        drive.invoke(create_agent(model, middleware=[kindly]), HI)
    assert model.calls == []


@pytest.mark.parametrize("returned", ["be kind", SystemMessage("be kind")])
def test_a_dynamic_prompt_is_a_text_or_a_message(drive: Drive, returned: Any) -> None:
    model = ScriptedChatModel(replies=["done"])
    drive.invoke(create_agent(model, middleware=[dynamic_prompt(lambda request: returned)]), HI)
    assert model.calls[0][0].text == "be kind"
