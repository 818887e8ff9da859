"""Beam search by the rules of Hugging Face's `generate`, a hypothesis at a time."""


def generate(log_probs, tokens, end, longest, beams, alpha=1.0, stopping="likely"):
    """The best finished hypotheses, with their scores, best first.

    Args:
        log_probs: function of the ids so far to the log probability of each next one.
        tokens: ids that may be chosen, besides the end.
        end: id.
        longest: most tokens, the end included; being ended there costs nothing.
        beams: how many hypotheses are kept.
        alpha: what the length is taken to the power of, to divide by.
        stopping: "full" (early_stopping=True) or "likely" (False).
    """
    running, ended = [(0.0, ())], []
    for length in range(1, longest + 1):
        found = []
        for total, ids in running:
            if length == longest:
                found.append((total, (*ids, end)))
                continue
            own = log_probs(ids)
            found += [(total + own[n], (*ids, n)) for n in (end, *tokens)]
        found = sorted(found, reverse=True)
        # Among the best alone.
        ended += [
            (total / length**alpha, ids)
            for total, ids in found[:beams]
            if ids[-1] == end
        ]
        ended = sorted(ended, reverse=True)[:beams]
        running = [one for one in found[: 2 * beams] if one[1][-1] != end][:beams]
        if len(ended) == beams and running:
            best = running[0][0] / length**alpha
            if stopping == "full" or best <= ended[-1][0]:
                break
    return ended
