"""AdamW (Loshchilov and Hutter, 2019) whose learning rate differs between parts."""

import keras
from keras import ops

from zoo.training.parts import first_step, rate_factor
from zoo.weights import weight_address


@keras.saving.register_keras_serializable(package="zoo")
class PartwiseAdamW(keras.optimizers.AdamW):
    """AdamW with a factor on the learning rate of each weight.

    Adam divides by the size of the gradients, so scaling gradients would change
    nothing: the factor is on the step itself, and on the weight decay.

    Args:
        rates: pairs of a pattern (see `zoo.training.parts`) and a factor; of several
            that match, the last one counts, and what none matches has factor 1.
        unfreeze: pairs of a pattern and a step: what it matches stays as it is before.
        **kwargs: as for `keras.optimizers.AdamW`.
    """

    def __init__(self, rates=(), unfreeze=(), **kwargs):
        super().__init__(**kwargs)
        self.rates = tuple((pattern, float(factor)) for pattern, factor in rates)
        self.unfreeze = tuple((pattern, float(step)) for pattern, step in unfreeze)

    def build(self, variables):
        super().build(variables)
        self._factors = tuple(
            rate_factor(weight_address(variable), self.rates) for variable in variables
        )
        self._first_steps = tuple(
            first_step(weight_address(variable), self.unfreeze)
            for variable in variables
        )

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        if self._factors[index] != 1.0:
            learning_rate = learning_rate * self._factors[index]
        if first := self._first_steps[index]:
            # `iterations` counts from 0. The momenta run all the while.
            begun = ops.cast(self.iterations >= int(first), learning_rate.dtype)
            learning_rate = learning_rate * begun
        if self.weight_decay and self._use_weight_decay(variable):
            rate = ops.cast(learning_rate, variable.dtype)
            self.assign_sub(variable, variable * self.weight_decay * rate)
        super().update_step(gradient, variable, learning_rate)

    def _apply_weight_decay(self, variables):
        """Nothing: Keras would decay all weights at one rate; `update_step` does it."""

    def get_config(self):
        return super().get_config() | {
            "rates": [list(rate) for rate in self.rates],
            "unfreeze": [list(step) for step in self.unfreeze],
        }
