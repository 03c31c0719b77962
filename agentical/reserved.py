"""The words of the expression language (CEL), which are no names for anything in a playbook."""

from __future__ import annotations

from typing import Final

LITERALS: Final = ("false", "in", "null", "true")
RESERVED: Final = (
    *LITERALS, "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
    "namespace", "return", "var", "void", "while",
)  # fmt: skip
"""CEL specification, "Syntax": what an identifier may not be."""
