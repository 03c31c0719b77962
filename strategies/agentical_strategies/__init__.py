"""The seven strategies. The core finds them by entry point; nobody imports this package by name."""
