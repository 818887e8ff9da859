"""AdamW (Loshchilov and Hutter, 2019) whose learning rate differs between parts."""

import keras
from keras import ops

from zoo.training.parts import rate_factor
from zoo.weights import weight_address


@keras.saving.register_keras_serializable(package="zoo")
class PartwiseAdamW(keras.optimizers.AdamW):
    """AdamW with a factor on the learning rate of each weight.

    Adam divides by the size of the gradients, so scaling gradients would change
    nothing: the factor is on the step itself, and on the weight decay.

    Args:
        rates: pairs of a pattern (see `zoo.training.parts`) and a factor; of several
            that match, the last one counts, and what none matches has factor 1.
        **kwargs: as for `keras.optimizers.AdamW`.
    """

    def __init__(self, rates=(), **kwargs):
        super().__init__(**kwargs)
        self.rates = tuple((pattern, float(factor)) for pattern, factor in rates)

    def build(self, variables):
        super().build(variables)
        self._factors = tuple(
            rate_factor(weight_address(variable), self.rates) for variable in variables
        )

    def update_step(self, gradient, variable, learning_rate):
        factor = self._factors[self._get_variable_index(variable)]
        if factor != 1.0:
            learning_rate = learning_rate * factor
        if self.weight_decay and self._use_weight_decay(variable):
            rate = ops.cast(learning_rate, variable.dtype)
            self.assign_sub(variable, variable * self.weight_decay * rate)
        super().update_step(gradient, variable, learning_rate)

    def _apply_weight_decay(self, variables):
        """Nothing: Keras would decay all weights at one rate; `update_step` does it."""

    def get_config(self):
        return super().get_config() | {"rates": [list(rate) for rate in self.rates]}
