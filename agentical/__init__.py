"""agentical: a multi-agent coordination framework."""
