"""langchain-core as the guest of a run: callbacks, tags and metadata reach every model, tool and runnable in a node.

One callback run per graph and one per node, made only when a handler is there to see them. Tokens of chat models
come out through a handler of our own, the tap, in the config of each task.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackManager, BaseCallbackManager, CallbackManager
from langchain_core.globals import get_debug
from langchain_core.messages import BaseMessage
from langchain_core.runnables.config import _set_config_context, var_child_runnable_config
from langchain_core.tracers.context import _tracing_v2_is_enabled

from headrace.config import RunnableConfig, join_callbacks, merge, own_part
from headrace.engine.port import PAUSE
from headrace.engine.run import Run
from headrace.engine.task import Task
from headrace.graph.runnable import register
from headrace.guest import Code
from headrace.messages import commands
from headrace.messages.lazy import LazyConfig
from headrace.messages.lifecycle import tell_interrupt, tell_resume
from headrace.messages.notices import notify, tell_error, tell_output
from headrace.messages.reducer import Messages
from headrace.messages.tokens import NOSTREAM, SignTap, StopTap, Tap, TokenTap, WithheldTap, without_taps
from headrace.messages.tools import ToolTap

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig as GuestConfig


RunManager = Any
"""A callback run of langchain-core's, sync or async."""

register()
commands.adopt()


class Place(NamedTuple):
    """Where a task's code stands among the callback runs."""

    manager: RunManager
    tag: str | None
    """What clients know as the tag of whatever is called there."""

    def child(self) -> Any:
        """The callbacks of what is called."""
        return self.manager.get_child(self.tag)


class LangchainGuest:
    """See `headrace.guest.Guest`."""

    __slots__ = ("callbacks", "inherited", "manager", "observes", "run", "seen", "tells", "withholds")

    def __init__(self, run: Run) -> None:
        self.run = run
        ambient = var_child_runnable_config.get()
        if ambient is not None and type(ambient) is not LazyConfig:
            run.config = merge(taken_over(cast("RunnableConfig", ambient)), run.config)
        else:
            ambient = None
        asked = "messages" in run.puts
        quiet = (asked or run.withheld) and muted(run)
        self.tells = asked and not quiet
        """Whether its messages are streamed."""
        self.withholds = run.withheld and not asked and not quiet
        self.seen = seen_above(run)
        """Ids of messages that those who listen to this run have seen."""
        self.inherited = inherited_metadata(run)
        """What a subgraph's config has under `metadata` from the task around it."""
        self.callbacks = handlers_of(run, cast("RunnableConfig | None", ambient))
        """The handlers, as a list or a manager, that see the run."""
        self.observes = self.callbacks is not None or get_debug() or bool(_tracing_v2_is_enabled())
        self.manager: RunManager = None
        """The callback run of the graph, whose children the nodes are."""

    # the config of a task

    def enter(self, task: Task) -> None:
        config = cast("GuestConfig", LazyConfig(task))
        if task.guest is None:
            var_child_runnable_config.set(config)
        else:
            _set_config_context(config)  # it also makes the node the parent of what LangSmith traces in it

    def complete(self, task: Task, config: RunnableConfig) -> None:
        """The callbacks of what a node calls: those of its own callback run, and the tap."""
        if self.inherited:
            config["metadata"] = {**self.inherited, **config["metadata"]}
        place: Place | None = task.guest
        manager = nobody(task, config) if place is None else place.child()
        tap = self.tap(task)
        if tap is not None:
            manager.add_handler(tap)
        if "tools" in self.run.puts:
            manager.add_handler(ToolTap(task))
        config["callbacks"] = manager

    def quiet(self, task: Task) -> RunnableConfig | None:
        """The config of a call that nobody listens to: without the manager, which langchain-core would copy for it.

        None where somebody does, or may.
        """
        if task.guest is not None or self.observes or "tools" in self.run.puts or self.tap(task) is not None:
            return None
        config = self.run.config_for(task, guest=False)
        config["metadata"] = {**self.inherited, **config["metadata"]}
        config["callbacks"] = []
        return config

    def tap(self, task: Task) -> Tap | None:
        """What listens to a task's models."""
        if NOSTREAM not in task.node.tags:
            if self.tells:
                return TokenTap(task, self.seen)
            if self.withholds:
                return WithheldTap(task)
        if task.timeout is not None and task.timeout.idle_timeout is not None:
            return SignTap(task)
        return StopTap(task) if task.node.callee.awaited is None else None

    # messages that nodes return

    def emitted(self, mode: str, data: Any) -> None:
        """A message that code sent by hand is not told again."""
        if mode == "messages" and isinstance(data, tuple) and getattr(data[0], "id", None):
            self.seen.add(data[0].id)

    def returned(self, task: Task) -> None:
        """Stream the messages among a node's writes that nobody has seen yet, whole."""
        if not self.tells or NOSTREAM in task.node.tags:
            return
        metadata: dict[str, Any] | None = None
        for _, value in task.writes or ():
            for message in messages_in(value):
                if message.id in self.seen or self.known(task, message):
                    continue
                metadata = metadata or origin(task)
                task.emit("messages", (message, metadata))

    def known(self, task: Task, message: BaseMessage) -> bool:
        """Whether the node was given the message, so that the user has it already."""
        if message.id is None:
            return False
        values: Any = self.run.values if task.sent is None else task.input
        found = values.values() if isinstance(values, dict) else [values]
        return any(holds(value, message.id) for value in found)

    # callback runs

    async def around_run(self, run: Run, body: Code, sync: bool) -> None:
        """The whole run as one callback run, whose input and output are the graph's.

        It ends when its consumer has had all events: langchain-core drops what a run says after its end.
        """
        config, kind = run.config, CallbackManager if sync else AsyncCallbackManager
        metadata = {**(config.get("metadata") or {}), **thread(run), "ls_integration": "langgraph", **self.inherited}
        manager: Any = kind.configure(
            self.callbacks, inheritable_tags=config.get("tags"), inheritable_metadata=metadata
        )
        name = config.get("run_name") or run.name
        start = manager.on_chain_start(None, run.input, name=name, run_id=as_uuid(config.get("run_id")))
        self.manager = start if sync else await start
        try:
            await body()
            if run.paced:
                await PAUSE
            if run.pause and run.parent is None:
                await tell_interrupt(self.manager, run, sync)
        except BaseException as error:
            await tell_error(self.manager, error, sync)
            raise
        await notify(self.manager.on_chain_end(run.read(run.outputs)))

    async def resumed(self, run: Run, sync: bool) -> None:
        """Tell the handlers that care for it."""
        await tell_resume(self.manager, run, sync)

    async def around(self, task: Task, attempt: Code, sync: bool) -> None:
        """One attempt of a node, its routing functions included, as a callback run below the graph's."""
        child = self.manager.get_child(f"graph:step:{task.step}")
        child.add_metadata({**task.metadata, **task.node.metadata})
        start = child.on_chain_start(None, shown(task, "process_inputs", task.input), name=task.name)
        manager = start if sync else await start
        self.move(task, Place(manager, "seq:step:1"))
        try:
            output = shown(task, "process_outputs", await attempt())
            await tell_output(manager, output, sync)
        except BaseException as error:
            await tell_error(manager, error, sync)
            raise
        await notify(manager.on_chain_end(output))

    async def around_route(self, task: Task, index: int, input: Any, call: Code, sync: bool) -> Any:
        """A routing function as a callback run below its node's, or below the graph's for one that follows START."""
        node = task.guest
        child = (self.manager if node is None else node.manager).get_child(f"seq:step:{index + 3}")
        start = child.on_chain_start(None, input, name=task.node.branches[index].name)
        manager = start if sync else await start
        self.move(task, Place(manager, None))
        try:
            answer = await call()
        except BaseException as error:
            await tell_error(manager, error, sync)
            raise
        finally:
            self.move(task, node)
        await notify(manager.on_chain_end(answer))
        return answer

    def move(self, task: Task, place: Place | None) -> None:
        """From now on a task's code stands here."""
        task.guest = place
        task._config = None


def nobody(task: Task, config: RunnableConfig) -> CallbackManager:
    """The callbacks of a node that nobody watches: they have no run, but hand on all that a node's run would.

    So tags and metadata that a node gives a model add to the caller's, and `dispatch_custom_event` finds a parent.
    """
    tags, metadata = config.get("tags") or [], origin(task)
    return CallbackManager(
        [], parent_run_id=UUID(task.id), tags=[*tags], inheritable_tags=[*tags], metadata=metadata,
        inheritable_metadata=metadata.copy(),
    )  # fmt: skip


# where a run's callbacks come from


def taken_over(ambient: RunnableConfig) -> RunnableConfig:
    """What a run takes over from the runnable or tool whose code started it.

    Not its recursion limit: langchain-core puts 25 into every config, and nobody has asked for that.
    """
    own = own_part(ambient)
    kept = ("tags", "metadata", "configurable", "max_concurrency")
    return {key: value for key, value in (own or {}).items() if key in kept and value}  # type: ignore[return-value]


def handlers_of(run: Run, ambient: RunnableConfig | None) -> Any:
    """The handlers that see a run: those of the code that started it, and those it was given; None if there are none.

    A manager that was given knows the callback run it belongs to, so it stands alone; a list adds to what is there.
    """
    given = without_taps(run.config.get("callbacks"))
    if isinstance(given, BaseCallbackManager):
        return given
    if ambient is not None:
        around = without_taps(ambient.get("callbacks"))
    else:
        caller = None if run.parent is None else run.parent.guest
        around = None if caller is None else caller.child()
    return join_callbacks(around, given) if around and given else around or given


def inherited_metadata(run: Run) -> dict[str, Any]:
    """What the models of a subgraph say of the task around it."""
    parent = run.parent
    if parent is None:
        return {}
    above = parent.run.guest
    base = above.inherited if isinstance(above, LangchainGuest) else {}
    return {"checkpoint_ns": run.ns[0], **base, **parent.node.metadata}


def seen_above(run: Run) -> set[str]:
    """The ids that the listeners of this run have seen: the same as those above it, where these listen as well."""
    above = None if run.parent is None else run.parent.run
    if above is None or not any(deep and "messages" in modes for modes, deep, _ in above.sinks):
        return set()
    return above.guest.seen if isinstance(above.guest, LangchainGuest) else set()


def muted(run: Run) -> bool:
    """Whether a tag says that nothing of a run is to be streamed as messages: of its config, or of a node around it."""
    if NOSTREAM in (run.config.get("tags") or ()):
        return True
    return run.parent is not None and (NOSTREAM in run.parent.node.tags or muted(run.parent.run))


# details


def origin(task: Task) -> dict[str, Any]:
    """What a message says of the task that it comes from."""
    run = task.run
    user = run.config.get("metadata") or {}
    return {**user, **thread(run), "ls_integration": "langgraph", **task.metadata, **task.node.metadata}


def thread(run: Run) -> dict[str, Any]:
    """The thread of a run, if it has one, as metadata."""
    return {} if run.thread_id is None else {"thread_id": run.thread_id}


def as_uuid(run_id: Any) -> UUID | None:
    """A run id as langchain-core wants it; None for one that is no UUID, so that it makes one."""
    try:
        return run_id if run_id is None or isinstance(run_id, UUID) else UUID(str(run_id))
    except ValueError:
        return None


def shown(task: Task, side: str, value: Any) -> Any:
    """A node's input or output, as its trace policy lets it be seen."""
    process = getattr(task.node.trace, side, None)
    return value if process is None else process(value)


def messages_in(value: Any) -> Iterable[BaseMessage]:
    """The messages that a written value is or holds."""
    if isinstance(value, BaseMessage):
        return (value,)
    if isinstance(value, (list, tuple)):
        return (one for one in value if isinstance(one, BaseMessage))
    return ()


def holds(value: Any, id: str) -> bool:
    """Whether a value has the message with this id; a history looks it up, any other list is walked."""
    if isinstance(value, Messages):
        return value.has_id(id)
    return any(message.id == id for message in messages_in(value))
