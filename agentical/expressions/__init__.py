"""The parts of `conditions.py`: what an expression reads, what it may call, how it is evaluated."""
