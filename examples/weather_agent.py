"""An agent with one tool.

    headrace run examples/weather_agent.py:agent "what is the weather in sf"

It runs offline, on a model that goes by rules. For a real one name it, and have its key in the environment:

    WEATHER_MODEL=openai:gpt-4o-mini headrace run examples/weather_agent.py:agent "what is the weather in sf"
"""

import os
from typing import Any

from support.rule_based import RuleBasedChatModel

from headrace.agents import create_agent


def get_weather(city: str) -> str:
    """Get weather for a given city."""
    return f"It's always sunny in {city}!"


model: Any = os.environ.get("WEATHER_MODEL") or RuleBasedChatModel()
agent = create_agent(model, tools=[get_weather], system_prompt="You are a helpful assistant")


if __name__ == "__main__":
    question = {"messages": [{"role": "user", "content": "what is the weather in sf"}]}
    for chunk in agent.stream(question, stream_mode="updates"):
        for step, data in chunk.items():
            print(f"{step}: {data['messages'][-1].content_blocks}")
