"""What `import headrace.chat_models` brings along."""

from __future__ import annotations

import subprocess
import sys

import pytest

from headrace.chat_models.providers import PROVIDERS


def lines_of(program: str) -> list[str]:
    """What a Python of its own prints."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_no_provider_s_package_is_imported_before_one_of_its_models_is_made() -> None:
    loaded = lines_of(
        "import sys, headrace.chat_models as c\n"
        "model = c.init_chat_model('openai:gpt-4o', configurable_fields='any').bind_tools([])\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}), sep='\\n')"
    )
    packages = {where.module.partition(".")[0] for where in PROVIDERS.values()}
    assert {"langchain_core", "headrace"} <= set(loaded)
    assert packages.union({"langchain", "openai", "anthropic", "langgraph"}).isdisjoint(loaded)


def test_without_langchain_core_the_error_names_the_extra() -> None:
    said = lines_of(
        "import sys\n"
        "class Hidden:\n"
        "    def find_spec(self, name, path, target=None):\n"
        "        if name == 'langchain_core': raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Hidden())\n"
        "try: import headrace.chat_models\n"
        "except ImportError as error: print(type(error).__name__, error)"
    )
    text = "chat models need langchain-core, which is not installed: pip install 'headrace[agents]'"
    assert said == [f"MissingExtraError {text}"]


@pytest.mark.parametrize("name", ["BaseChatModel", "init_chat_model"])
def test_names_are_where_langchain_has_them(name: str) -> None:
    import headrace.chat_models

    assert name in headrace.chat_models.__all__
