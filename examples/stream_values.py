"""The whole state after each step: `stream_mode="values"`."""

from joke import graph

if __name__ == "__main__":
    for chunk in graph.stream({"topic": "ice cream"}, stream_mode="values"):
        print(chunk)
