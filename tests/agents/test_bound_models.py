"""Models that come to an agent with something bound to them."""

from __future__ import annotations

from typing import Any

from langchain_core.runnables import RunnableBinding

from headrace.agents import create_agent
from headrace.testing import ScriptedChatModel
from tests.agents.build import HI, ONE, add, calling, kinds, scripted
from tests.drive import Drive


class Polite(RunnableBinding[Any, Any]):
    """A provider's own binding, which does more than add arguments."""

    def invoke(self, input: Any, config: Any = None, **more: Any) -> Any:
        return super().invoke(input, config, **more, please=True)

    async def ainvoke(self, input: Any, config: Any = None, **more: Any) -> Any:
        return await super().ainvoke(input, config, **more, please=True)


class PoliteChatModel(ScriptedChatModel):
    def bind_tools(self, tools: Any, **settings: Any) -> Any:
        return Polite(bound=self, kwargs={"tools": [tool.name for tool in tools]})


class SelfConfiguringChatModel(ScriptedChatModel):
    """Calls itself with a config of its own."""

    def invoke(self, input: Any, config: Any = None, **more: Any) -> Any:
        return scripted(*self.replies).with_config(tags=["own"]).invoke(input, config, **more)

    async def ainvoke(self, input: Any, config: Any = None, **more: Any) -> Any:
        return await scripted(*self.replies).with_config(tags=["own"]).ainvoke(input, config, **more)


def test_arguments_bound_to_a_model_reach_it(drive: Drive) -> None:
    model = scripted("hello")
    drive.invoke(create_agent(model.bind(stop=["."], seed=7)), HI)
    assert model.options == [{"stop": ["."], "seed": 7}]


def test_tools_bound_to_a_model_before_are_the_ones_it_is_shown(drive: Drive) -> None:
    model = scripted(calling(ONE), "three")
    end = drive.invoke(create_agent(model.bind_tools([add], seed=7), [add]), HI)
    assert kinds(end["messages"]) == ["human", "ai", "success", "ai"]
    assert [[tool["function"]["name"] for tool in options["tools"]] for options in model.options] == [["add"], ["add"]]
    assert [options["seed"] for options in model.options] == [7, 7]


def test_the_config_bound_to_a_model_holds_for_its_calls(drive: Drive) -> None:
    model = scripted("hello").with_config(tags=["mine"], metadata={"a": 1})
    told = drive.stream(create_agent(model), HI, stream_mode="messages")
    assert [(part.text, about["tags"], about["a"]) for part, about in told if part.text] == [("hello", ["mine"], 1)]


def test_a_binding_that_does_more_than_add_arguments_does_it(drive: Drive) -> None:
    model = PoliteChatModel(replies=[calling(ONE), "three"])
    drive.invoke(create_agent(model, [add]), HI)
    assert model.options == [{"tools": ["add"], "please": True}] * 2


def test_tokens_are_told_once_whatever_the_model_is_wrapped_in(drive: Drive) -> None:
    for model in (scripted("hello"), SelfConfiguringChatModel(replies=["hello"]), scripted("hello").bind(seed=7)):
        told = drive.stream(create_agent(model), HI, stream_mode="messages")
        assert [part.text for part, _ in told if part.text] == ["hello"]
