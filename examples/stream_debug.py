"""Every task's start and result: `stream_mode="debug"`."""

from joke import graph

if __name__ == "__main__":
    for chunk in graph.stream({"topic": "ice cream"}, stream_mode="debug"):
        print(chunk)
