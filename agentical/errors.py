"""Every error agentical raises, in one tree.

AgenticalError                 code, message, recoverable, exit_status
├── PlaybookInvalid            the playbook is wrong: every mistake with its place           exit 2
├── CallInvalid                the call is wrong: inputs, ids, settings, names               exit 2
│   ├── ExecutionUnknown       no execution of that id in this store
│   └── PluginUnknown          no plug-in of that name is installed
├── AgentError                 raised by an agent (or for it): its class chooses the retry
│   ├── Transient  RateLimited  Exhausted  Invalid  Denied  Upstream
│   ├── TimedOut               no answer in time (transient)
│   └── AnswerInvalid          the answer is not JSON, or not what `output` declares (invalid)
├── TaskFailed                 what a strategy sees of a task that failed for good
├── StepFailed                 a step ended badly: NO_BRANCH, VISIT_LIMIT, STEP_TIMEOUT, …
├── ExecutionFailed            what `run` raises when asked to raise
├── StrategyDiverged           a strategy asked otherwise than its journal says
├── StrategyMisused            a strategy broke a rule of Team: same key twice, unknown member
├── CodeChanged                a strategy's code is not what an open visit began with        exit 2
├── CrashLoop                  a visit was resumed three times without a new answer
├── BudgetExceeded             time or tasks ran out
└── StoreError                 the store cannot be used now
    ├── JournalDamaged         which execution, which entry
    ├── OwnershipLost          a newer owner has taken the execution over
    └── ExecutionOwned         another live process runs it
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class AgenticalError(Exception):
    """Base of every error here. `code` is stable, `exit_status` is what the command line returns."""

    code: ClassVar[str] = "ERROR"
    exit_status: ClassVar[int] = 1
    recoverable: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wrong with a playbook, and where: line and column count from 1."""

    path: str
    message: str
    hint: str = ""
    line: int = 1
    column: int = 1
    file: str = "playbook"

    def __str__(self) -> str:
        text = f"{self.file}:{self.line}:{self.column}: {self.path or 'playbook'}: {self.message}"
        return f"{text} {self.hint}" if self.hint else text


class PlaybookInvalid(AgenticalError):
    """The playbook cannot be run. `mistakes` holds all of them, in the order of the file."""

    code = "PLAYBOOK_INVALID"
    exit_status = 2

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes, key=lambda m: (m.file, m.line, m.column, m.path)))
        super().__init__("\n".join(str(m) for m in self.mistakes))


class CallInvalid(AgenticalError):
    """The call itself is wrong: an input, an id, a setting or a name."""

    code = "CALL_INVALID"
    exit_status = 2


class ExecutionUnknown(CallInvalid):
    """No execution of that id is in the store."""

    code = "EXECUTION_UNKNOWN"

    def __init__(self, execution: str, store: str = "this store") -> None:
        self.execution = execution
        super().__init__(f"{store} holds no execution {execution!r}. See `agentical list`.")


class PluginUnknown(CallInvalid):
    """No plug-in of that name is installed."""

    code = "PLUGIN_UNKNOWN"

    def __init__(self, group: str, name: str, known: Sequence[str], hint: str = "") -> None:
        self.group, self.name, self.known = group, name, tuple(known)
        super().__init__(f"no {group} is called {name!r}. {hint or 'There are: ' + ', '.join(known) + '.'}")


class AgentError(AgenticalError):
    """A failure of an agent's own. `failure_class` chooses the retry; `retry_after` is in seconds."""

    code = "TASK_FAILED"
    failure_class: ClassVar[str] = "bug"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class Transient(AgentError):
    """It may work when asked again: a broken connection, a busy server."""

    failure_class = "transient"


class RateLimited(AgentError):
    """Asked too often: ask again after `retry_after` seconds."""

    failure_class = "rate-limited"


class Exhausted(AgentError):
    """It ran out of time, memory or another resource."""

    failure_class = "exhausted"


class Invalid(AgentError):
    """The payload or the answer is not what was agreed."""

    failure_class = "invalid"


class Denied(AgentError):
    """Not allowed: a key is missing or wrong."""

    failure_class = "denied"


class Upstream(AgentError):
    """What the agent itself depends on failed for good."""

    failure_class = "upstream"


class TimedOut(Transient):
    """No answer in time."""

    code = "TIMEOUT"


class AnswerInvalid(Invalid):
    """The answer is not a JSON value, or not what the playbook declares."""

    code = "OUTPUT_INVALID"


class TaskFailed(AgenticalError):
    """A task failed for good. Strategies catch this; siblings keep their answers."""

    code = "TASK_FAILED"

    def __init__(self, key: str, member: str, failure_class: str, message: str, code: str = "TASK_FAILED") -> None:
        self.key, self.member, self.failure_class, self.message = key, member, failure_class, message
        self.failure_code = code
        super().__init__(f"{member}: {message} ({failure_class})")


class StepFailed(AgenticalError):
    """A step ended badly. `failure_code` says how: NO_BRANCH, VISIT_LIMIT, STEP_TIMEOUT, INCOMPLETE …"""

    code = "STEP_FAILED"

    def __init__(self, message: str, *, code: str = "STEP_FAILED", failure_class: str = "upstream") -> None:
        self.failure_code, self.failure_class, self.message = code, failure_class, message
        super().__init__(message)


class ExecutionFailed(AgenticalError):
    """The execution ended as failed (or cancelled). `execution` names it."""

    code = "EXECUTION_FAILED"

    def __init__(self, execution: str, message: str) -> None:
        self.execution = execution
        super().__init__(f"execution {execution} failed: {message}")


class StrategyDiverged(AgenticalError):
    """A strategy, run again, asked a recorded key with another payload."""

    code = "STRATEGY_DIVERGED"

    def __init__(self, visit: str, key: str, what: str) -> None:
        self.visit, self.key = visit, key
        super().__init__(
            f"{visit}: {key}: {what}. A strategy must depend on its payload and its answers only: "
            "take time, random draws and choices through team.remember()."
        )


class StrategyMisused(AgenticalError):
    """A strategy broke a rule of Team."""

    code = "STRATEGY_MISUSED"


class CodeChanged(AgenticalError):
    """The code of a strategy is not the code its open visit began with."""

    code = "CODE_CHANGED"
    exit_status = 2

    def __init__(self, execution: str, names: Sequence[str]) -> None:
        self.execution, self.names = execution, tuple(names)
        super().__init__(
            f"{execution} is in the middle of a strategy whose code has changed since: {', '.join(names)}. "
            "Put the old code back, or go on with --accept-code."
        )


class CrashLoop(AgenticalError):
    """A visit was resumed three times without a new answer: something in it ends the process."""

    code = "CRASH_LOOP"

    def __init__(self, visit: str) -> None:
        self.visit = visit
        super().__init__(
            f"{visit} was resumed three times and nothing new was answered: what it asks seems to end the process. "
            "Look at its agents, then resume with --accept-crash-loop."
        )


class BudgetExceeded(AgenticalError):
    """The playbook's budget ran out."""

    code = "BUDGET_EXCEEDED"

    def __init__(self, what: str, limit: float) -> None:
        self.what, self.limit = what, limit
        super().__init__(f"the budget of {limit:g} {what} is used up")


class StoreError(AgenticalError):
    """The store cannot be used now; nothing that was acknowledged is lost."""

    code = "STORE_UNAVAILABLE"
    recoverable = True


class JournalDamaged(StoreError):
    """An entry of a journal is not what was written."""

    code = "JOURNAL_DAMAGED"
    recoverable = False

    def __init__(self, execution: str, seq: int, what: str, *, head: bytes | None = None) -> None:
        self.execution, self.seq, self.what, self.head = execution, seq, what, head
        cure = (
            f". What stands before it is intact: `agentical resume {execution} --accept-loss {seq}` goes on from there, "
            "and asks again what was answered since"
        )
        super().__init__(f"the journal of {execution} is damaged at entry {seq}: {what}{cure if head else ''}")


class OwnershipLost(StoreError):
    """A newer owner runs this execution now; this process must not write to it."""

    code = "OWNERSHIP_LOST"

    def __init__(self, execution: str) -> None:
        self.execution = execution
        super().__init__(f"another process has taken over {execution}; this one stopped writing to it")


class ExecutionOwned(StoreError):
    """Another live process runs it."""

    code = "EXECUTION_OWNED"

    def __init__(self, execution: str, owner: str) -> None:
        self.execution, self.owner = execution, owner
        super().__init__(
            f"{execution} is being run by {owner}. Follow it with `agentical events {execution} --follow`."
        )
