"""Model calls that a middleware makes for itself: traced, and never part of the user's stream."""

from __future__ import annotations

from langchain_core.runnables import RunnableConfig

from headrace.messages.tokens import NOSTREAM


def internal_config(source: str = "middleware") -> RunnableConfig:
    """The config of such a call. It adds to the running node's, whose callbacks see the call.

    `source`: what the call is for, `lc_source` in its metadata.
    """
    return {"tags": [NOSTREAM], "metadata": {"lc_source": source}}
