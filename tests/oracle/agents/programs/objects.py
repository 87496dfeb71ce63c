"""Answers as objects: strategies, schemas, mistakes and their correction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage
from pydantic import BaseModel
from typing_extensions import TypedDict

from ...roots import Kit
from ..compare import WORDS_OF_ANSWERS, WORDS_OF_ERRORS, agent, ask, calling, scripted
from ..parts import ONE, add


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int = 0


class City(BaseModel):
    """Some place."""

    city: str


@dataclass
class Named:
    name: str
    age: int = 0


class Keyed(TypedDict):
    name: str
    age: int


JSON = {
    "title": "Person",
    "description": "Somebody.",
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name"],
}

HI = ask("who?")
ADA = {"name": "Ada", "age": 36}
WORDS = [WORDS_OF_ANSWERS]
REFUSED = [WORDS_OF_ANSWERS, WORDS_OF_ERRORS, "status of a refused object"]


def by_tool(kit: Kit, *replies: Any, schema: Any = Person, tools: Any = (), **settings: Any) -> Any:
    strategy = kit.structured_output.ToolStrategy(schema, **settings)
    return kit.agents.create_agent(scripted(*replies), list(tools), response_format=strategy)


@agent(HI, differences=WORDS, shapes=True)
def object_by_tool(kit: Kit) -> Any:
    return by_tool(kit, calling(("Person", ADA)))


@agent(HI, differences=WORDS)
def object_by_tool_after_a_call(kit: Kit) -> Any:
    return by_tool(kit, calling(ONE), calling(("Person", ADA), first=2), tools=[add])


@agent(HI, differences=WORDS)
def dataclass_by_tool(kit: Kit) -> Any:
    return by_tool(kit, calling(("Named", ADA)), schema=Named)


@agent(HI, differences=WORDS)
def typed_dict_by_tool(kit: Kit) -> Any:
    return by_tool(kit, calling(("Keyed", ADA)), schema=Keyed)


@agent(HI, differences=WORDS)
def json_schema_by_tool(kit: Kit) -> Any:
    return by_tool(kit, calling(("Person", ADA)), schema=JSON)


@agent(HI, differences=WORDS)
def first_of_a_union(kit: Kit) -> Any:
    return by_tool(kit, calling(("Person", ADA)), schema=Person | City)


@agent(HI, differences=WORDS)
def second_of_a_union(kit: Kit) -> Any:
    return by_tool(kit, calling(("City", {"city": "Rome"})), schema=Person | City)


@agent(HI, differences=WORDS)
def one_of_several_json_schemas(kit: Kit) -> Any:
    other = {"title": "City", "type": "object", "properties": {"city": {"type": "string"}}}
    return by_tool(kit, calling(("City", {"city": "Rome"})), schema={"oneOf": [JSON, other]})


@agent(HI)
def own_words_for_the_answer(kit: Kit) -> Any:
    return by_tool(kit, calling(("Person", ADA)), tool_message_content="noted")


@agent(HI, differences=REFUSED)
def corrected_object(kit: Kit) -> Any:
    return by_tool(kit, calling(("Person", {"age": "old"})), calling(("Person", ADA), first=2))


@agent(HI, differences=REFUSED)
def corrected_object_with_tools(kit: Kit) -> Any:
    return by_tool(kit, calling(("Person", {"age": "old"})), calling(("Person", ADA), first=2), tools=[add])


@agent(HI, differences=REFUSED)
def two_objects_at_once(kit: Kit) -> Any:
    two = calling(("Person", ADA), ("City", {"city": "Rome"}))
    return by_tool(kit, two, calling(("City", {"city": "Rome"}), first=3), schema=Person | City)


@agent(HI, differences=REFUSED)
def an_object_and_a_call(kit: Kit) -> Any:
    return by_tool(kit, calling(("Person", ADA), ONE), tools=[add])


@agent(HI, differences=[*REFUSED, "refused object beside a call"])
def a_wrong_object_and_a_call(kit: Kit) -> Any:
    wrong = calling(("Person", {}), ONE)
    return by_tool(kit, wrong, calling(("Person", ADA), first=3), tools=[add])


@agent(HI, differences=["words in place of an object"])
def words_in_place_of_an_object(kit: Kit) -> Any:
    return by_tool(kit, "I do not know")


@agent(HI, differences=REFUSED[2:])
def own_words_for_a_mistake(kit: Kit) -> Any:
    replies = calling(("Person", {})), calling(("Person", ADA), first=2)
    return by_tool(kit, *replies, handle_errors="once more", tool_message_content="noted")


@agent(HI, differences=REFUSED[2:])
def a_function_for_mistakes(kit: Kit) -> Any:
    def explain(error: Exception) -> str:
        return f"{type(error).__name__}"

    replies = calling(("Person", {})), calling(("Person", ADA), first=2)
    return by_tool(kit, *replies, handle_errors=explain, tool_message_content="noted")


@agent(HI)
def mistakes_are_not_handled(kit: Kit) -> Any:
    return by_tool(kit, calling(("Person", {})), handle_errors=False)


@agent(HI)
def other_mistakes_are_handled(kit: Kit) -> Any:
    return by_tool(kit, calling(("Person", {})), handle_errors=(KeyError,))


@agent(HI, differences=REFUSED)
def these_mistakes_are_handled(kit: Kit) -> Any:
    kinds = kit.structured_output.StructuredOutputValidationError
    return by_tool(kit, calling(("Person", {})), calling(("Person", ADA), first=2), handle_errors=kinds)


def by_provider(kit: Kit, *replies: Any, schema: Any = Person, tools: Any = (), **settings: Any) -> Any:
    strategy = kit.structured_output.ProviderStrategy(schema, **settings)
    return kit.agents.create_agent(scripted(*replies), list(tools), response_format=strategy)


@agent(HI, shapes=True)
def object_by_provider(kit: Kit) -> Any:
    return by_provider(kit, '{"name": "Ada", "age": 36}')


@agent(HI)
def dataclass_by_provider(kit: Kit) -> Any:
    return by_provider(kit, '{"name": "Ada", "age": 36}', schema=Named)


@agent(HI)
def typed_dict_by_provider(kit: Kit) -> Any:
    return by_provider(kit, '{"name": "Ada", "age": 36}', schema=Keyed)


@agent(HI)
def json_schema_by_provider(kit: Kit) -> Any:
    return by_provider(kit, '{"name": "Ada", "age": 36}', schema=JSON)


@agent(HI)
def object_by_provider_after_a_call(kit: Kit) -> Any:
    return by_provider(kit, calling(ONE), '{"name": "Ada"}', tools=[add])


@agent(HI)
def no_json_by_provider(kit: Kit) -> Any:
    return by_provider(kit, "Ada, I think")


@agent(HI)
def wrong_object_by_provider(kit: Kit) -> Any:
    return by_provider(kit, '{"age": 36}')


@agent(HI)
def object_by_provider_in_blocks(kit: Kit) -> Any:
    return by_provider(kit, AIMessage([{"type": "text", "text": '{"name": "Ada"}'}]))


@agent(HI, differences=WORDS)
def automatic_without_a_profile(kit: Kit) -> Any:
    return kit.agents.create_agent(scripted(calling(("Person", ADA))), [add], response_format=Person)


@agent(HI)
def automatic_with_a_profile(kit: Kit) -> Any:
    model = scripted('{"name": "Ada"}', profile={"structured_output": True})
    return kit.agents.create_agent(model, [add], response_format=Person)


@agent(HI, differences=WORDS)
def automatic_with_a_profile_that_says_no(kit: Kit) -> Any:
    model = scripted(calling(("Person", ADA)), profile={"structured_output": False})
    return kit.agents.create_agent(model, [add], response_format=kit.structured_output.AutoStrategy(Person))


@agent(HI, ask("and now?"), differences=WORDS, saved=True)
def an_object_each_turn(kit: Kit) -> Any:
    strategy = kit.structured_output.ToolStrategy(Person)
    model = scripted(calling(("Person", ADA)), calling(("Person", {"name": "Bo"}), first=2))
    return kit.agents.create_agent(model, response_format=strategy, checkpointer=kit.InMemorySaver())


@agent(HI, ask("and now?"), differences=WORDS, saved=True)
def an_object_and_then_a_call(kit: Kit) -> Any:
    strategy = kit.structured_output.ToolStrategy(Person)
    replies = calling(("Person", ADA)), calling(ONE, first=2), calling(("Person", {"name": "Bo"}), first=3)
    return kit.agents.create_agent(
        scripted(*replies), [add], response_format=strategy, checkpointer=kit.InMemorySaver()
    )


@agent(HI, ask("and now?"), differences=WORDS, saved=True)
def an_object_and_then_words(kit: Kit) -> Any:
    strategy = kit.structured_output.ToolStrategy(Person)
    replies = calling(("Person", ADA)), "I do not know"
    return kit.agents.create_agent(
        scripted(*replies), [add], response_format=strategy, checkpointer=kit.InMemorySaver()
    )


@agent(HI, differences=WORDS)
def a_named_agent_with_an_object(kit: Kit) -> Any:
    strategy = kit.structured_output.ToolStrategy(Person)
    return kit.agents.create_agent(scripted(calling(("Person", ADA))), response_format=strategy, name="clerk")
