"""What each node changed: `stream_mode="updates"`."""

from joke import graph

if __name__ == "__main__":
    for chunk in graph.stream({"topic": "ice cream"}, stream_mode="updates"):
        print(chunk)
