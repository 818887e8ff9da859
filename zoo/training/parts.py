"""Parts of a model, named by regular expressions: frozen, or with rates of their own.

A pattern is matched against the whole address of a weight (`zoo.weights`), such as
"encoder/forward_gru/gru_cell/kernel".
"""

import contextlib
import difflib
import re
from collections.abc import Iterable

from zoo.recipe import TrainingPlan
from zoo.weights import weight_address


def frozen_weights(model, plan: TrainingPlan) -> list:
    """The weights of a model that a plan leaves as they are.

    Args:
        model: a built model, with its LoRA factors if the plan has some.
        plan: whose `rates` and `unfreeze` are checked too.

    Raises:
        ValueError: a pattern that matches nothing (the message lists the parts and
            the nearest match), a rate for what is frozen, or nothing left to train.
    """
    weights = {weight_address(weight): weight for weight in model.trainable_weights}
    named = {pattern: matched("freeze", pattern, weights) for pattern in plan.freeze}
    frozen = set().union(*named.values())
    if plan.lora_rank:
        frozen |= {address for address in weights if not _learns_beside(address, model)}
    for name in ("rates", "unfreeze"):
        for pattern, _ in getattr(plan, name):
            if matched(name, pattern, weights) <= frozen:
                raise ValueError(
                    f"{name}={pattern!r} is without effect: every weight that it "
                    "matches is frozen. Leave it out, or freeze less."
                )
    if frozen and len(frozen) == len(weights):
        raise ValueError(
            f"freeze={', '.join(plan.freeze)} leaves nothing to train: all "
            f"{len(weights)} weights match. Freeze less; the parts are: "
            f"{', '.join(_parts(weights))}."
        )
    return [weight for address, weight in weights.items() if address in frozen]


@contextlib.contextmanager
def frozen(model, plan: TrainingPlan):
    """Freezes what a plan says, each weight by itself, and thaws it at the end.

    The optimizer, compiled within, never hears of frozen weights: neither gradients
    nor weight decay touch them.
    """
    weights = frozen_weights(model, plan)
    try:
        for weight in weights:
            weight.trainable = False
        yield
    finally:
        for weight in weights:
            weight.trainable = True


def first_step(address: str, unfreeze: Iterable[tuple[str, float]]) -> float:
    """The step from which on a weight is trained: that of the last match, else 0."""
    return rate_factor(address, unfreeze, 0.0)


def rate_factor(
    address: str, rates: Iterable[tuple[str, float]], default: float = 1.0
) -> float:
    """The factor on the learning rate of a weight: that of the last match, else 1."""
    found = [factor for pattern, factor in rates if re.fullmatch(pattern, address)]
    return found[-1] if found else default


def decayed_rates(model, decay: float) -> tuple[tuple[str, float], ...]:
    """Rates that fall with the depth: 1 for the head, `decay` below it, and so on.

    Layer-wise decay (Clark et al., 2020, https://arxiv.org/abs/2003.10555, appendix A).

    Args:
        model: has `parts_by_depth`.
        decay: in (0, 1].

    Raises:
        ValueError: a decay out of range.
    """
    if not 0 < decay <= 1:
        raise ValueError(
            f"layer_decay must be above 0 and at most 1. Received: {decay}."
        )
    parts = model.parts_by_depth()
    known = [weight_address(weight) for weight in model.trainable_weights]
    depths = range(len(parts) - 1, -1, -1)
    return tuple(
        (pattern, decay**depth)
        for pattern, depth in zip(parts, depths, strict=True)
        if any(re.fullmatch(pattern, address) for address in known)
    )


def _learns_beside(address: str, model) -> bool:
    """Whether a weight is trained beside LoRA: the factors, and what comes last."""
    if address.rpartition("/")[2].startswith("lora_"):
        return True
    return re.fullmatch(model.parts_by_depth()[-1], address) is not None


def matched(option: str, pattern: str, addresses) -> set[str]:
    """The addresses that a pattern matches whole.

    Raises:
        ValueError: there is none; the message lists the parts and the nearest match.
    """
    found = {address for address in addresses if re.fullmatch(pattern, address)}
    if found:
        return found
    parts = _parts(addresses)
    near = difflib.get_close_matches(pattern.split("/")[0], _names(parts), 1, 0.5)
    hint = f" Did you mean {_names(parts)[near[0]]!r}?" if near else ""
    raise ValueError(
        f"{option}={pattern!r} matches no weight.{hint} A pattern is a regular "
        f"expression of whole addresses; the parts are: {', '.join(parts)}."
    )


def _parts(addresses) -> list[str]:
    """Patterns of the top-level parts."""
    heads = [address.partition("/") for address in addresses]
    return sorted({f"{head}/.*" if rest else head for head, _, rest in heads})


def _names(parts) -> dict[str, str]:
    return {part.partition("/")[0]: part for part in parts}
