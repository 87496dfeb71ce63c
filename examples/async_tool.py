"""A tool that has only a coroutine, in a sync stream: it is awaited behind the scenes, and tells as it goes."""

from langchain_core.messages import AIMessage
from langchain_core.tools import tool

from headrace.config import get_stream_writer
from headrace.prebuilt import create_react_agent
from headrace.testing import ScriptedChatModel


@tool
async def get_items(place: str) -> str:
    """Use this tool to list items one might find in a place."""
    writer = get_stream_writer()
    items = ["books", "pencils", "pictures"]
    for chunk in items:
        writer({"custom_tool_data": chunk})
    return ", ".join(items)


llm = ScriptedChatModel(
    replies=[
        AIMessage("", tool_calls=[{"name": "get_items", "args": {"place": "office"}, "id": "call_1"}]),
        "In an office one finds books, pencils and pictures.",
    ]
)
agent = create_react_agent(llm, tools=[get_items])
question = {"messages": [{"role": "user", "content": "what items are in the office?"}]}


def main() -> None:
    for chunk in agent.stream(question, stream_mode="custom"):
        print(chunk)


if __name__ == "__main__":
    main()
