"""The agents of hello.yaml: plain Python functions. A payload's keys become their arguments, what they return is the answer."""


def greet(name: str) -> str:
    """Agent: a greeting."""
    return f"Hello, {name}!"


def count(text: str) -> int:
    """Agent: how many letters a text has."""
    return sum(character.isalpha() for character in text)


def shout(text: str) -> str:
    """Agent: the text in capitals."""
    return text.upper()


def tell(greeting: str, about: dict[str, str | int]) -> str:
    """Agent: one sentence of what the others found."""
    return f"{about['shout']} That greeting has {about['count']} letters: {greeting}"
