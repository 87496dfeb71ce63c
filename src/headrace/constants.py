"""A door for users who move over: names under the path that they know."""

from headrace.names import END, START, TASKS
from headrace.types import Interrupt, Send

TAG_NOSTREAM = "nostream"
"""A model, or a node, with this tag is not streamed."""

TAG_HIDDEN = "langsmith:hidden"
"""A node or edge with this tag is left out of traces."""

__all__ = ["END", "START", "TAG_HIDDEN", "TAG_NOSTREAM", "TASKS", "Interrupt", "Send"]
