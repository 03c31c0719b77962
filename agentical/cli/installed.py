"""strategies, agents: what is installed."""

from __future__ import annotations

from agentical.cli.options import AsJson


def strategies(as_json: AsJson = False) -> None:
    """List the strategies with their options."""
    from agentical.cli.describing import print_group

    print_group("agentical.strategies", as_json=as_json)


def agents(as_json: AsJson = False) -> None:
    """List the kinds of agents with the keys of their own."""
    from agentical.cli.describing import print_group

    print_group("agentical.agents", as_json=as_json)
