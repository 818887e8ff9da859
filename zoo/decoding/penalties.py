"""How finished hypotheses of unlike length and coverage are compared.

Wu et al. (2016, https://arxiv.org/abs/1609.08144, equation 14):

    score = log P / lp + cp,   lp = ((5 + n) / 6)^alpha,
    cp = beta sum_s log(min(sum_t a_ts, 1))

where n counts the end token and a_ts is the attention of target token t to source token
s. A length penalty of the plain form is n^alpha. Here the cost is -cp / beta: what
coverage takes away.
"""

import tensorflow as tf

from zoo.data.vocabulary import PADDING_ID

# A source token without any attention costs this share's logarithm and not infinity.
_LEAST = 1e-6


def length_penalty(length, options):
    """lp for lengths of any shape, as `DecodingOptions` say."""
    length = tf.cast(length, tf.float32)
    if options.length_form == "gnmt":
        length = (5.0 + length) / 6.0
    return tf.pow(length, options.length_penalty)


def coverage_cost(coverage_AKS, source_ids):
    """What it costs to have left source tokens without attention, shape (A, K).

    Args:
        coverage_AKS: attention to each source token, summed over target tokens.
        source_ids: shape (A, S), 0 = padding, which costs nothing.
    """
    costs = -tf.math.log(tf.clip_by_value(coverage_AKS, _LEAST, 1.0))
    real = (source_ids != PADDING_ID)[:, None, :]
    return tf.reduce_sum(tf.where(real, costs, 0.0), axis=-1)
