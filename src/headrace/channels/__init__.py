"""The kinds of state keys and of signals between nodes."""

from headrace.channels.any_value import AnyValue
from headrace.channels.barrier import NamedBarrierValue, NamedBarrierValueAfterFinish
from headrace.channels.base import BaseChannel
from headrace.channels.binop import BinaryOperatorAggregate
from headrace.channels.delta import DeltaChannel
from headrace.channels.ephemeral_value import EphemeralValue
from headrace.channels.last_value import LastValue, LastValueAfterFinish
from headrace.channels.topic import Topic
from headrace.channels.untracked_value import UntrackedValue

__all__ = [
    "AnyValue",
    "BaseChannel",
    "BinaryOperatorAggregate",
    "DeltaChannel",
    "EphemeralValue",
    "LastValue",
    "LastValueAfterFinish",
    "NamedBarrierValue",
    "NamedBarrierValueAfterFinish",
    "Topic",
    "UntrackedValue",
]
