"""Licence expressions (SPDX 2.3 annex D, and the `A/B` that crates.io took before it). It never guesses: what it cannot
read is an error.
"""

import re


def satisfiable(expression, allowed):
    """Whether some choice within the expression needs only licences of `allowed`.

    `X WITH exception` is a licence of its own name: an exception widens what a licence permits, but which one it is
    should have been read by somebody before it is let in.
    """
    tokens = re.findall(r"\(|\)|/|[^\s()/]+", expression)
    if not tokens:
        raise ValueError("no licence expression")
    verdict, rest = _either(tokens, allowed)
    if rest:
        raise ValueError(f"cannot read the licence expression {expression!r}")
    return verdict


def _either(tokens, allowed):
    verdict, tokens = _both(tokens, allowed)
    while tokens and tokens[0].upper() in ("OR", "/"):
        right, tokens = _both(tokens[1:], allowed)
        verdict = verdict or right
    return verdict, tokens


def _both(tokens, allowed):
    verdict, tokens = _one(tokens, allowed)
    while tokens and tokens[0].upper() == "AND":
        right, tokens = _one(tokens[1:], allowed)
        verdict = verdict and right
    return verdict, tokens


def _one(tokens, allowed):
    if not tokens or tokens[0] in (")", "/") or tokens[0].upper() in ("OR", "AND", "WITH"):
        raise ValueError("a licence expression breaks off")
    if tokens[0] == "(":
        verdict, tokens = _either(tokens[1:], allowed)
        if not tokens or tokens[0] != ")":
            raise ValueError("a licence expression lacks a closing bracket")
        return verdict, tokens[1:]
    name, tokens = tokens[0], tokens[1:]
    if tokens and tokens[0].upper() == "WITH":
        if len(tokens) < 2:
            raise ValueError("a licence expression breaks off")
        name, tokens = f"{name} WITH {tokens[1]}", tokens[2:]
    return name in allowed, tokens
