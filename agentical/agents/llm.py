"""The agent kind `llm`: a language model, asked through pydantic-ai (extra `llm`)."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Final

import anyio
import anyio.to_thread
import msgspec

from agentical.agents.answers import to_json
from agentical.agents.python import PythonAgent
from agentical.errors import Exhausted, Invalid, PluginUnknown
from agentical.ports import TaskContext

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.models import Model
    from pydantic_ai.providers import Provider
    from pydantic_ai.settings import ModelSettings

INSTALL: Final = "Language models need it: pip install 'agentical[llm]'."

PYTHON: Final = "python:"

CLOSED_WITHIN: Final = 5.0
"""Seconds that closing the connections to a model's server may take."""


@dataclass(frozen=True, kw_only=True)
class LlmAgent:
    """A language model with instructions and tools.

    `model` is any of pydantic-ai's names (`openai:NAME`, `anthropic:NAME` …) or, with `base_url`, the name that an
    OpenAI-compatible server knows it by; local servers need no `api_key`. The payload is the message: text as it is, any
    other JSON printed. The answer is text or, where the task has a schema, JSON that meets it: a model that misses it is
    told why and asked once more. `tools` are Python functions (`python:MODULE.CALLABLE`) that the model may call.
    """

    repairs: ClassVar[bool] = True
    """It asks the model once more itself, with what was wrong."""

    folder: str = ""
    model: str = ""
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    instructions: str = ""
    tools: tuple[str, ...] = ()
    temperature: float | None = None
    max_tokens: int | None = None

    async def __call__(self, payload: Any, context: TaskContext) -> Any:
        if "_model" not in self.__dict__:  # importing takes seconds, for which the event loop must not stand still
            await anyio.to_thread.run_sync(lambda: self._model)
        from pydantic_ai.exceptions import UnexpectedModelBehavior, UsageLimitExceeded, UserError
        from pydantic_ai.usage import RunUsage

        usage = RunUsage()
        message = payload if isinstance(payload, str) else json.dumps(payload, indent=2, ensure_ascii=False)
        try:
            async with _open(self._agent(context.schema)) as agent:
                result = await agent.run(message, usage=usage)
        except UsageLimitExceeded as error:
            raise Exhausted(f"{self.model}: {error}") from error
        except (UnexpectedModelBehavior, UserError) as error:
            raise Invalid(f"{self.model}: {_reason(error)}") from error
        finally:
            context.charge(tokens_in=usage.input_tokens, tokens_out=usage.output_tokens)
        return to_json(result.output)

    def problems(self) -> Iterator[str]:
        """What is wrong with the settings, without asking the model."""
        if importlib.util.find_spec("pydantic_ai") is None:
            yield f"pydantic-ai is not installed. {INSTALL}"
        if not self.model:
            yield "model is missing: PROVIDER:NAME or, with base-url, NAME"
        elif self.base_url is None and ":" not in self.model and self.model != "test":
            yield f"model {self.model!r} names no provider: PROVIDER:NAME, or give base-url"
        for tool in self.tools:
            if tool.startswith(PYTHON):
                yield from (f"tool {tool}: {problem}" for problem in self._tool(tool).problems())
            else:
                yield f"tool {tool!r} is not {PYTHON}MODULE.CALLABLE"

    def code(self) -> str:
        """A hash of all that shapes the answer: the settings, and the source of the tools."""
        tools = [(tool, self._tool(tool).code()) for tool in self.tools]
        parts = (self.model, self.base_url, self.instructions, tools, self.temperature, self.max_tokens)
        return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]

    def _tool(self, tool: str) -> PythonAgent:
        return PythonAgent(target=tool.removeprefix(PYTHON), folder=self.folder)

    def _agent(self, schema: Mapping[str, Any] | None) -> Agent[Any, Any]:
        from pydantic_ai import Agent

        from agentical.agents.typed import check_of, output_type

        agent: Agent[Any, Any] = Agent(
            self._model,
            output_type=output_type(schema),
            instructions=self.instructions or None,
            model_settings=self._settings(),
            retries={"tools": 1, "output": 1},
            tools=[self._tool(tool).callee.function for tool in self.tools],
        )
        if schema is not None:
            agent.output_validator(check_of(schema))
        return agent

    @cached_property
    def _model(self) -> Model:
        try:
            from pydantic_ai.exceptions import UserError
            from pydantic_ai.models import infer_model
        except ImportError as error:
            raise PluginUnknown("extra", "llm", (), INSTALL) from error
        try:
            if self.base_url is not None:
                return self._compatible(self.base_url)
            return infer_model(self.model, self._provider) if self.api_key is not None else infer_model(self.model)
        except UserError as error:
            raise Invalid(f"{self.model}: {error}") from error

    def _compatible(self, base_url: str) -> Model:
        from pydantic_ai.models.openai import OpenAIChatModel
        from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

        provider = OpenAICompatibleProvider("openai-compatible", base_url=base_url, api_key=self.api_key)
        return OpenAIChatModel(self.model.removeprefix("openai:").removeprefix("openai-chat:"), provider=provider)

    def _provider(self, name: str) -> Provider[Any]:
        from pydantic_ai.providers import infer_provider_class

        kind: Any = infer_provider_class(name)
        provider: Provider[Any] = kind(api_key=self.api_key)
        return provider

    def _settings(self) -> ModelSettings:
        settings: ModelSettings = {"max_retries": 0}  # retrying is the engine's
        if self.temperature is not None:
            settings["temperature"] = self.temperature
        if self.max_tokens is not None:
            settings["max_tokens"] = self.max_tokens
        return settings


@asynccontextmanager
async def _open(agent: Agent[Any, Any]) -> AsyncIterator[Agent[Any, Any]]:
    """Its HTTP client is opened for the first ask under way and closed after the last, also when that is cancelled."""
    await agent.__aenter__()
    try:
        yield agent
    finally:
        with anyio.move_on_after(CLOSED_WITHIN, shield=True):
            await agent.__aexit__(None, None, None)


def _reason(error: BaseException) -> str:
    """What happened; of a repair that failed too, what was wrong."""
    cause = error.__cause__
    return f"{error}: {cause}" if cause is not None else str(error)
