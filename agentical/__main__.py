"""`python -m agentical` is the command `agentical`."""

from __future__ import annotations

from agentical.cli import main

main()
