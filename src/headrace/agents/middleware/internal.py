"""Model calls that a middleware makes for itself: traced, and never part of the user's stream."""

from __future__ import annotations

from typing import Any

from headrace.messages.tokens import NOSTREAM


def internal_config() -> dict[str, Any]:
    """The config of such a call. It adds to the running node's, whose callbacks see the call."""
    return {"tags": [NOSTREAM], "metadata": {"lc_source": "middleware"}}
