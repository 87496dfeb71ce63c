"""Middleware: hooks before and after, jumps, wrappers around calls, state and tools of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from typing_extensions import NotRequired

from ...program import Turn
from ...roots import REFERENCE, Kit
from ..compare import agent, answer, ask, calling, scripted
from ..parts import ONE, OTHER, add, direct, fail, mirror

HI = ask("hi")
HOOKS = ("before_agent", "before_model", "after_model", "after_agent")


def log_of(kit: Kit) -> Any:
    class State(kit.agents.AgentState):  # type: ignore[name-defined,misc]
        log: NotRequired[Annotated[list[str], list.__add__]]  # type: ignore[valid-type] # the base is not known here

    return State


def logging(kit: Kit, hook: str, name: str, **settings: Any) -> Any:
    """A middleware of one hook, by its decorator."""

    def note(state: Any, runtime: Any) -> Any:
        runtime.stream_writer({"by": f"{name}.{hook}", "messages": len(state["messages"])})
        return {"log": [f"{name}.{hook}"]}

    return getattr(kit.middleware, hook)(state_schema=log_of(kit), name=name, **settings)(kit.node(note))


def middleware_class(kit: Kit, name: str) -> Any:
    """A middleware with every hook in both forms."""

    def note(hook: str) -> Any:
        def sync(self: Any, state: Any, runtime: Any) -> Any:
            return {"log": [f"{name}.{hook}"]}

        async def awaited(self: Any, state: Any, runtime: Any) -> Any:
            return {"log": [f"{name}.{hook}"]}

        return {hook: sync, f"a{hook}": awaited}

    def wrap(self: Any, request: Any, handler: Any) -> Any:
        return handler(request)

    async def awrap(self: Any, request: Any, handler: Any) -> Any:
        return await handler(request)

    members: dict[str, Any] = {"state_schema": log_of(kit)}
    for hook in HOOKS:
        members.update(note(hook))
    members.update(wrap_model_call=wrap, awrap_model_call=awrap, wrap_tool_call=wrap, awrap_tool_call=awrap)
    return type(name, (kit.middleware.AgentMiddleware,), members)


@agent(HI, shapes=True)
def every_hook_by_decorators(kit: Kit) -> Any:
    hooks = [logging(kit, hook, name) for hook in HOOKS for name in (f"first_{hook}", f"second_{hook}")]
    return kit.agents.create_agent(scripted(calling(ONE), "3"), [add], middleware=hooks)


@agent(HI)
def every_hook_of_two_classes(kit: Kit) -> Any:
    both = [middleware_class(kit, name)() for name in ("First", "Second")]
    return kit.agents.create_agent(scripted(calling(ONE), "3"), [add], middleware=both)


@agent(HI)
def a_decorated_function_gives_its_name(kit: Kit) -> Any:
    def looking(state: Any, runtime: Any) -> Any:
        return None

    return kit.agents.create_agent(scripted("hello"), middleware=[kit.middleware.before_model(kit.node(looking))])


@agent(HI, drivers=("threads",))
def sync_hooks_under_asyncio(kit: Kit) -> Any:
    hooks = [logging(kit, hook, hook) for hook in HOOKS]
    return kit.agents.create_agent(scripted(calling(ONE), "3"), [add], middleware=hooks)


@agent(HI, saved=True)
def hooks_on_a_thread(kit: Kit) -> Any:
    hooks = [logging(kit, hook, hook) for hook in HOOKS]
    return kit.agents.create_agent(
        scripted(calling(ONE), "3"), [add], middleware=hooks, checkpointer=kit.InMemorySaver()
    )


def jumping(kit: Kit, hook: str, update: dict[str, Any], times: int = 1, **settings: Any) -> Any:
    """A hook that makes this update the first times that it is called; with `jump_to` in it, it jumps."""
    left = [None] * times

    def jump(state: Any, runtime: Any) -> Any:
        return update if left and not left.pop() else None

    goal = update.get("jump_to")
    decorate = getattr(kit.middleware, hook)
    return decorate(can_jump_to=[goal] if goal else [], name="jump", **settings)(kit.node(jump))


@agent(HI, differences=["order of keys"])
def before_agent_to_the_end(kit: Kit) -> Any:
    hook = jumping(kit, "before_agent", {"jump_to": "end", "messages": [AIMessage("no", id="no")]})
    return kit.agents.create_agent(scripted("hello"), [add], middleware=[hook, logging(kit, "after_agent", "log")])


@agent(HI, differences=["order of keys"])
def before_agent_to_the_model(kit: Kit) -> Any:
    hook = jumping(kit, "before_agent", {"jump_to": "model"})
    others = [logging(kit, "before_agent", "one"), logging(kit, "before_model", "two")]
    return kit.agents.create_agent(scripted("hello"), [add], middleware=[hook, *others])


@agent(HI, differences=["order of keys"])
def before_model_to_the_end(kit: Kit) -> Any:
    hook = jumping(kit, "before_model", {"jump_to": "end", "messages": [AIMessage("no", id="no")]})
    return kit.agents.create_agent(scripted("hello"), [add], middleware=[hook, logging(kit, "after_model", "log")])


@agent(HI, differences=["order of keys"])
def before_model_to_the_end_past_after_agent(kit: Kit) -> Any:
    hook = jumping(kit, "before_model", {"jump_to": "end"})
    return kit.agents.create_agent(scripted("hello"), [add], middleware=[hook, logging(kit, "after_agent", "log")])


@agent(HI, differences=["jump to the tools"])
def before_model_to_the_tools(kit: Kit) -> Any:
    hook = jumping(kit, "before_model", {"jump_to": "tools", "messages": [calling(ONE)]})
    return kit.agents.create_agent(scripted("hello"), [add], middleware=[hook])


@agent(HI, differences=["order of keys"])
def after_model_to_the_model(kit: Kit) -> Any:
    hook = jumping(kit, "after_model", {"jump_to": "model", "messages": [HumanMessage("again", id="again")]})
    others = [logging(kit, "before_model", "one"), logging(kit, "after_model", "two")]
    return kit.agents.create_agent(scripted("hello", mirror), [add], middleware=[hook, *others])


@agent(HI, differences=["order of keys"])
def after_model_to_the_model_past_others(kit: Kit) -> Any:
    hook = jumping(kit, "after_model", {"jump_to": "model", "messages": [HumanMessage("again", id="again")]})
    others = [logging(kit, "before_model", "one"), logging(kit, "after_model", "two")]
    return kit.agents.create_agent(scripted("hello", mirror), [add], middleware=[*others, hook])


@agent(HI, differences=["order of keys"])
def after_model_to_the_end(kit: Kit) -> Any:
    hook = jumping(kit, "after_model", {"jump_to": "end"})
    return kit.agents.create_agent(scripted(calling(ONE)), [add], middleware=[hook, logging(kit, "after_agent", "log")])


@agent(HI, differences=["jump to the tools"])
def after_model_to_the_tools(kit: Kit) -> Any:
    hook = jumping(kit, "after_model", {"jump_to": "tools"})
    return kit.agents.create_agent(scripted(calling(ONE, OTHER), "3"), [add], middleware=[hook])


@agent(HI)
def after_agent_to_the_model(kit: Kit) -> Any:
    hook = jumping(kit, "after_agent", {"jump_to": "model", "messages": [HumanMessage("again", id="again")]})
    return kit.agents.create_agent(scripted("hello", mirror), [add], middleware=[hook])


@agent(HI)
def hook_config_on_a_method(kit: Kit) -> Any:
    class Stop(kit.middleware.AgentMiddleware):  # type: ignore[name-defined,misc]
        @kit.middleware.hook_config(can_jump_to=["end"])  # type: ignore[untyped-decorator,unused-ignore]
        def before_model(self, state: Any, runtime: Any) -> Any:
            return {"jump_to": "end"}

        @kit.middleware.hook_config(can_jump_to=["end"])  # type: ignore[untyped-decorator,unused-ignore]
        async def abefore_model(self, state: Any, runtime: Any) -> Any:
            return {"jump_to": "end"}

    return kit.agents.create_agent(scripted("hello"), [add], middleware=[Stop()])


@agent(HI)
def a_hook_that_adds_an_answer_to_a_call(kit: Kit) -> Any:
    """Human-in-the-loop does so for calls that are not wanted."""
    made = {"messages": [ToolMessage("not now", tool_call_id="c1", id="t", name="add")]}
    hook = jumping(kit, "after_model", made)
    return kit.agents.create_agent(scripted(calling(ONE, OTHER), "3"), [add], middleware=[hook])


@agent(HI)
def a_hook_that_answers_all_calls(kit: Kit) -> Any:
    made = {"messages": [ToolMessage("not now", tool_call_id="c1", id="t", name="add")]}
    return kit.agents.create_agent(scripted(calling(ONE), "3"), [add], middleware=[jumping(kit, "after_model", made)])


@agent(HI)
def a_hook_that_removes_messages(kit: Kit) -> Any:
    fresh = {"messages": [RemoveMessage(kit.REMOVE_ALL_MESSAGES), HumanMessage("forget it", id="new")]}
    return kit.agents.create_agent(scripted(mirror), [add], middleware=[jumping(kit, "before_model", fresh)])


@agent(HI)
def a_hook_that_fails(kit: Kit) -> Any:
    def broken(state: Any, runtime: Any) -> Any:
        raise ValueError("broken")

    return kit.agents.create_agent(scripted("hello"), middleware=[kit.middleware.before_model(kit.node(broken))])


@agent(HI, answer("yes"), saved=True)
def a_hook_that_asks(kit: Kit) -> Any:
    def ask_first(state: Any, runtime: Any) -> Any:
        return {"messages": [HumanMessage(f"{kit.interrupt('sure?')}", id="said")]}

    hook = kit.middleware.after_model(kit.node(ask_first))
    return kit.agents.create_agent(scripted("hello"), middleware=[hook], checkpointer=kit.InMemorySaver())


@agent(HI)
def a_hook_that_returns_a_command(kit: Kit) -> Any:
    def command(state: Any, runtime: Any) -> Any:
        return kit.Command(update={"messages": [HumanMessage("more", id="more")]})

    return kit.agents.create_agent(scripted(mirror), middleware=[kit.middleware.before_model(kit.node(command))])


@agent(ask("hi", context={"user": "me"}))
def hooks_with_context(kit: Kit) -> Any:
    def greet(state: Any, runtime: Any) -> Any:
        return {"messages": [HumanMessage(f"I am {runtime.context['user']}", id="me")]}

    hook = kit.middleware.before_agent(kit.node(greet))
    return kit.agents.create_agent(scripted(mirror), middleware=[hook], context_schema=dict)


# state and tools


@agent(Turn({"messages": [HumanMessage("hi", id="hi")], "public": 1, "hidden": 2, "silent": 3, "private": 4}))
def who_sees_which_state(kit: Kit) -> Any:
    types = __import__(f"{kit.middleware.__name__}.types", fromlist=["x"]) if kit.root.name == "langgraph" else None
    marks: Any = types or __import__("headrace.agents.state", fromlist=["x"])

    state = type("State", (kit.agents.AgentState,), {})
    annotations = {
        "public": NotRequired[int],
        "hidden": NotRequired[Annotated[int, marks.OmitFromInput]],
        "silent": NotRequired[Annotated[int, marks.OmitFromOutput]],
        "private": NotRequired[Annotated[int, marks.PrivateStateAttr]],
    }
    state.__annotations__.update(annotations)

    def look(state: Any, runtime: Any) -> Any:
        runtime.stream_writer({"by": "look.before_model", "sees": sorted(state)})
        return {"public": 5, "hidden": 6, "silent": 7, "private": 8}

    hook = kit.middleware.before_model(state_schema=state, name="look")(kit.node(look))
    after = kit.middleware.after_model(state_schema=state, name="again")(kit.node(look))
    return kit.agents.create_agent(scripted("hello"), middleware=[hook, after])


@agent(HI)
def tools_of_a_middleware(kit: Kit) -> Any:
    class More(kit.middleware.AgentMiddleware):  # type: ignore[name-defined,misc]
        tools = [add]  # noqa: RUF012 # as users write it

    model = scripted(calling(ONE, ("direct", {"at": "x"})), "3")
    return kit.agents.create_agent(model, [direct], middleware=[More()])


@agent(HI)
def tools_of_a_middleware_alone(kit: Kit) -> Any:
    hook = kit.middleware.before_model(tools=[add], name="more")(kit.node(lambda state, runtime: None))
    return kit.agents.create_agent(scripted(calling(ONE), "3"), middleware=[hook])


# wrappers


def wrapping(kit: Kit, change: Any, hook: str = "wrap_model_call", **settings: Any) -> Any:
    """A middleware that changes each request."""

    def wrap(request: Any, handler: Any) -> Any:
        return handler(change(request))

    async def awrap(request: Any, handler: Any) -> Any:
        return await handler(change(request))

    return getattr(kit.middleware, hook)(name="wrap", **settings)(awrap if kit.coroutines else wrap)


@agent(HI)
def another_model(kit: Kit) -> Any:
    other = scripted("the other speaks")
    change = wrapping(kit, lambda request: request.override(model=other))
    return kit.agents.create_agent(scripted("hello"), [add], middleware=[change])


@agent(HI)
def another_prompt(kit: Kit) -> Any:
    change = wrapping(kit, lambda request: request.override(system_message=SystemMessage(f"{request.system_prompt}!")))
    return kit.agents.create_agent(scripted(mirror), [add], middleware=[change], system_prompt="be brief")


@agent(HI)
def another_prompt_as_text(kit: Kit) -> Any:
    change = wrapping(kit, lambda request: request.override(system_prompt="be long"))
    return kit.agents.create_agent(scripted(mirror), [add], middleware=[change], system_prompt="be brief")


@agent(HI)
def other_messages(kit: Kit) -> Any:
    change = wrapping(kit, lambda request: request.override(messages=[*request.messages, HumanMessage("and?")]))
    return kit.agents.create_agent(scripted(mirror), [add], middleware=[change])


@agent(HI)
def fewer_tools(kit: Kit) -> Any:
    model = scripted("hello")

    def told(state: Any, runtime: Any) -> Any:
        runtime.stream_writer({"by": "told.after_model", "tools": [one.name for one in model.tools]})

    change = wrapping(kit, lambda request: request.override(tools=[add]))
    hook = kit.middleware.after_model(name="told")(kit.node(told))
    return kit.agents.create_agent(model, [add, direct], middleware=[change, hook])


@agent(HI)
def no_tools(kit: Kit) -> Any:
    change = wrapping(kit, lambda request: request.override(tools=[]))
    return kit.agents.create_agent(scripted("hello"), [add], middleware=[change])


@agent(HI)
def settings_for_the_model(kit: Kit) -> Any:
    model = scripted("hello")

    def told(state: Any, runtime: Any) -> Any:
        options = {name: value for name, value in model.options[-1].items() if name != "tools"}
        runtime.stream_writer({"by": "told.after_model", "options": dict(sorted(options.items()))})

    change = wrapping(kit, lambda request: request.override(model_settings={"temperature": 0}, tool_choice="any"))
    hook = kit.middleware.after_model(name="told")(kit.node(told))
    return kit.agents.create_agent(model, [add], middleware=[change, hook])


@agent(HI)
def options_without_any_change(kit: Kit) -> Any:
    model = scripted("hello")

    def told(state: Any, runtime: Any) -> Any:
        runtime.stream_writer({"by": "told.after_model", "options": model.options[-1]})

    hook = kit.middleware.after_model(name="told")(kit.node(told))
    return kit.agents.create_agent(model, [add, direct], middleware=[hook])


@agent(HI)
def what_a_request_holds(kit: Kit) -> Any:
    seen = []

    def look(request: Any) -> Any:
        seen.append((
            type(request.model).__name__, [one.type for one in request.messages], request.system_prompt,
            [one.name for one in request.tools], request.tool_choice, request.response_format, sorted(request.state),
            request.runtime.context, request.model_settings,
        ))  # fmt: skip
        return request

    def told(state: Any, runtime: Any) -> Any:
        runtime.stream_writer({"by": "told.after_model", "seen": seen[-1]})

    hook = kit.middleware.after_model(name="told")(kit.node(told))
    return kit.agents.create_agent(
        scripted(calling(ONE), "hello"), [add], middleware=[wrapping(kit, look), hook], system_prompt="be brief"
    )


def answering(kit: Kit, give: Any, hook: str = "wrap_model_call", **settings: Any) -> Any:
    """A middleware that gives an answer of its own, made of the request and of how to get the usual one."""

    def wrap(request: Any, handler: Any) -> Any:
        return give(request, handler(request))

    async def awrap(request: Any, handler: Any) -> Any:
        return give(request, await handler(request))

    return getattr(kit.middleware, hook)(name="wrap", **settings)(awrap if kit.coroutines else wrap)


def instead(kit: Kit, give: Any, hook: str = "wrap_model_call") -> Any:
    """The same without calling anything."""

    def wrap(request: Any, handler: Any) -> Any:
        return give(request)

    return getattr(kit.middleware, hook)(name="wrap")(kit.node(wrap))


@agent(HI)
def a_message_instead_of_a_call(kit: Kit) -> Any:
    return kit.agents.create_agent(
        scripted("hello"), [add], middleware=[instead(kit, lambda request: AIMessage("no", id="no"))]
    )


@agent(HI)
def a_response_instead_of_a_call(kit: Kit) -> Any:
    made = kit.middleware.ModelResponse(result=[AIMessage("no", id="no")])
    return kit.agents.create_agent(scripted("hello"), [add], middleware=[instead(kit, lambda request: made)])


@agent(HI)
def a_changed_answer(kit: Kit) -> Any:
    def louder(request: Any, response: Any) -> Any:
        return AIMessage(response.result[0].text.upper(), id="loud")

    return kit.agents.create_agent(scripted("hello"), [add], middleware=[answering(kit, louder)])


@agent(HI)
def an_answer_with_an_update(kit: Kit) -> Any:
    def noted(request: Any, response: Any) -> Any:
        command = kit.Command(update={"log": ["asked"]})
        return kit.middleware.ExtendedModelResponse(model_response=response, command=command)

    noting = answering(kit, noted, state_schema=log_of(kit))
    return kit.agents.create_agent(scripted(calling(ONE), "hello"), [add], middleware=[noting])


@agent(HI)
def an_answer_with_a_message_more(kit: Kit) -> Any:
    def noted(request: Any, response: Any) -> Any:
        command = kit.Command(update={"messages": [HumanMessage("noted", id="noted")]})
        return kit.middleware.ExtendedModelResponse(model_response=response, command=command)

    return kit.agents.create_agent(scripted("hello"), [add], middleware=[answering(kit, noted)])


@agent(HI)
def two_wrappers(kit: Kit) -> Any:
    def around(name: str) -> Any:
        def change(request: Any) -> Any:
            return request.override(messages=[*request.messages, HumanMessage(name)])

        def wrap(request: Any, handler: Any) -> Any:
            return handler(change(request))

        async def awrap(request: Any, handler: Any) -> Any:
            return await handler(change(request))

        return kit.middleware.wrap_model_call(name=name)(awrap if kit.coroutines else wrap)

    return kit.agents.create_agent(scripted(mirror), [add], middleware=[around("outer"), around("inner")])


@agent(HI)
def once_more_after_an_error(kit: Kit) -> Any:
    def wrap(request: Any, handler: Any) -> Any:
        try:
            return handler(request)
        except ConnectionError:
            return handler(request)

    async def awrap(request: Any, handler: Any) -> Any:
        try:
            return await handler(request)
        except ConnectionError:
            return await handler(request)

    again = kit.middleware.wrap_model_call(awrap if kit.coroutines else wrap)
    model = scripted(["well ", ConnectionError("the line is dead")], "hello")
    return kit.agents.create_agent(model, [add], middleware=[again])


@agent(HI)
def dynamic_prompt(kit: Kit) -> Any:
    def prompt(request: Any) -> str:
        return f"there are {len(request.messages)}"

    return kit.agents.create_agent(
        scripted(calling(ONE), mirror), [add], middleware=[kit.middleware.dynamic_prompt(kit.node(prompt))]
    )


@agent(HI)
def dynamic_prompt_as_a_message(kit: Kit) -> Any:
    def prompt(request: Any) -> Any:
        return SystemMessage("be brief")

    middleware = [kit.middleware.dynamic_prompt(kit.node(prompt))]
    return kit.agents.create_agent(scripted(mirror), [add], middleware=middleware, system_prompt="other")


@agent(HI)
def other_arguments_for_a_tool(kit: Kit) -> Any:
    def change(request: Any) -> Any:
        return request.override(tool_call={**request.tool_call, "args": {"a": 10, "b": 20}})

    return kit.agents.create_agent(
        scripted(calling(ONE), "30"), [add], middleware=[wrapping(kit, change, "wrap_tool_call")]
    )


@agent(HI)
def a_message_instead_of_a_tool(kit: Kit) -> Any:
    def give(request: Any) -> Any:
        return ToolMessage("no", tool_call_id=request.tool_call["id"], name=request.tool_call["name"])

    return kit.agents.create_agent(
        scripted(calling(ONE, OTHER), "no"), [add], middleware=[instead(kit, give, "wrap_tool_call")]
    )


@agent(HI)
def a_tool_that_only_a_wrapper_knows(kit: Kit) -> Any:
    @tool
    def late(at: str) -> str:
        """Come later."""
        return f"late {at}"

    def change(request: Any) -> Any:
        return request.override(tool=late) if request.tool is None else request

    model = scripted(calling(("late", {"at": "x"})), "ok")
    return kit.agents.create_agent(model, [add], middleware=[wrapping(kit, change, "wrap_tool_call")])


@agent(HI)
def a_wrapper_that_catches_the_errors_of_tools(kit: Kit) -> Any:
    def wrap(request: Any, handler: Any) -> Any:
        try:
            return handler(request)
        except ValueError as error:
            return ToolMessage(f"caught {error}", tool_call_id=request.tool_call["id"], name="fail", status="error")

    async def awrap(request: Any, handler: Any) -> Any:
        try:
            return await handler(request)
        except ValueError as error:
            return ToolMessage(f"caught {error}", tool_call_id=request.tool_call["id"], name="fail", status="error")

    catching = kit.middleware.wrap_tool_call(awrap if kit.coroutines else wrap)
    return kit.agents.create_agent(scripted(calling(("fail", {"at": "luck"})), "well"), [fail], middleware=[catching])


@agent(HI)
def a_command_of_a_wrapper(kit: Kit) -> Any:
    def noted(request: Any, response: Any) -> Any:
        return kit.Command(update={"messages": [response], "log": [request.tool_call["name"]]})

    noting = answering(kit, noted, "wrap_tool_call", state_schema=log_of(kit))
    return kit.agents.create_agent(scripted(calling(ONE), "3"), [add], middleware=[noting])


@agent(HI, differences=["id of an answer that was changed"])
def two_wrappers_of_tools(kit: Kit) -> Any:
    def around(name: str) -> Any:
        def give(response: Any) -> Any:
            return response.model_copy(update={"content": f"{name}({response.content})"})

        def wrap(request: Any, handler: Any) -> Any:
            return give(handler(request))

        async def awrap(request: Any, handler: Any) -> Any:
            return give(await handler(request))

        return kit.middleware.wrap_tool_call(name=name)(awrap if kit.coroutines else wrap)

    both = [around("outer"), around("inner")]
    return kit.agents.create_agent(scripted(calling(ONE), mirror), [add], middleware=both)


# what does not fit


@agent(HI, differences=["unannounced jump"])
def a_jump_that_was_not_announced(kit: Kit) -> Any:
    def jump(state: Any, runtime: Any) -> Any:
        return {"jump_to": "end"}

    return kit.agents.create_agent(scripted("hello"), middleware=[kit.middleware.before_model(kit.node(jump))])


@agent(HI, drivers=("threads",), differences=["sync wrapper under asyncio"])
def sync_wrappers_under_asyncio(kit: Kit) -> Any:
    middleware = [wrapping(kit, lambda request: request)]
    return kit.agents.create_agent(scripted("hello"), middleware=middleware)


@agent(HI, drivers=("threads",), differences=["sync wrapper under asyncio"])
def sync_wrappers_of_tools_under_asyncio(kit: Kit) -> Any:
    middleware = [wrapping(kit, lambda request: request, "wrap_tool_call")]
    return kit.agents.create_agent(scripted(calling(ONE), "hello"), [add], middleware=middleware)


# The same, where the reference has the form that it can run.


@agent(HI, drivers=("threads",))
def sync_wrappers_under_asyncio_do_what_async_ones_do(kit: Kit) -> Any:
    middleware = [wrapping(replace(kit, coroutines=kit.root is REFERENCE), lambda request: request)]
    return kit.agents.create_agent(scripted("hello"), middleware=middleware)


@agent(HI, drivers=("threads",))
def sync_wrappers_of_tools_under_asyncio_do_what_async_ones_do(kit: Kit) -> Any:
    middleware = [wrapping(replace(kit, coroutines=kit.root is REFERENCE), lambda request: request, "wrap_tool_call")]
    return kit.agents.create_agent(scripted(calling(ONE), "hello"), [add], middleware=middleware)


@agent(HI, drivers=("sync",))
def async_hooks_in_a_sync_run(kit: Kit) -> Any:
    async def look(state: Any, runtime: Any) -> Any:
        return None

    return kit.agents.create_agent(scripted("hello"), middleware=[kit.middleware.before_model(look)])


@agent(HI, drivers=("sync",), differences=["async wrapper in a sync run"])
def async_wrappers_in_a_sync_run(kit: Kit) -> Any:
    async def wrap(request: Any, handler: Any) -> Any:
        return await handler(request)

    return kit.agents.create_agent(scripted("hello"), middleware=[kit.middleware.wrap_model_call(wrap)])


@agent(HI, drivers=("sync",), differences=["sync wrapper under asyncio"])
def async_wrappers_of_tools_in_a_sync_run(kit: Kit) -> Any:
    async def wrap(request: Any, handler: Any) -> Any:
        return await handler(request)

    middleware = [kit.middleware.wrap_tool_call(wrap)]
    return kit.agents.create_agent(scripted(calling(ONE), "hello"), [add], middleware=middleware)


@agent(HI, drivers=("sync",))
def async_wrappers_of_tools_in_a_sync_run_do_what_sync_ones_do(kit: Kit) -> Any:
    form = replace(kit, coroutines=kit.root is not REFERENCE)
    middleware = [wrapping(form, lambda request: request, "wrap_tool_call")]
    return kit.agents.create_agent(scripted(calling(ONE), "hello"), [add], middleware=middleware)
