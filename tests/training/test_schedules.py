import math

import pytest

from zoo.recipe import TrainingPlan
from zoo.training.schedules import SCHEDULES, WarmupSchedule, make_optimizer

PEAK, WARMUP, STEPS = 0.03, 7, 53


def rate_at(decay, update, warmup=WARMUP):
    """The rate of the n-th update, n from 1; Keras counts from 0."""
    return float(WarmupSchedule(PEAK, warmup, STEPS, decay)(update - 1))


@pytest.mark.parametrize("decay", SCHEDULES)
def test_the_rate_rises_linearly_to_its_peak(decay):
    for update in range(1, WARMUP + 1):
        assert rate_at(decay, update) == pytest.approx(PEAK * update / WARMUP)


@pytest.mark.parametrize("update", [8, 11, 28, 53, 1009])
def test_inverse_sqrt_falls_with_the_root_of_the_step(update):
    expected = PEAK * math.sqrt(WARMUP / update)
    assert rate_at("inverse_sqrt", update) == pytest.approx(expected)


@pytest.mark.parametrize("update", [8, 11, 30, 47])
def test_cosine_falls_along_half_a_wave(update):
    share = (update - WARMUP) / (STEPS - WARMUP)
    expected = PEAK * (1 + math.cos(math.pi * share)) / 2
    assert rate_at("cosine", update) == pytest.approx(expected, rel=1e-5)


def test_cosine_ends_at_zero_and_stays_there():
    assert rate_at("cosine", STEPS) == pytest.approx(0.0, abs=1e-8)
    assert rate_at("cosine", 2 * STEPS) == pytest.approx(0.0, abs=1e-8)


@pytest.mark.parametrize("update", [8, 53, 1009])
def test_constant_stays_at_its_peak(update):
    assert rate_at("constant", update) == pytest.approx(PEAK)


@pytest.mark.parametrize("decay", SCHEDULES)
def test_without_warm_up_the_first_update_has_the_peak_rate(decay):
    assert rate_at(decay, 1, warmup=0) == pytest.approx(PEAK)


def test_an_unknown_decay_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"inverse_sqrt, cosine, constant.*'linear'"):
        WarmupSchedule(PEAK, WARMUP, STEPS, "linear")


def test_the_config_makes_the_same_schedule():
    schedule = WarmupSchedule(PEAK, WARMUP, STEPS, "cosine")
    copy = WarmupSchedule.from_config(schedule.get_config())
    assert copy.get_config() == schedule.get_config()
    assert float(copy(29)) == float(schedule(29))


def test_the_optimizer_follows_the_plan():
    plan = TrainingPlan(
        steps=STEPS,
        learning_rate=PEAK,
        warmup_steps=WARMUP,
        schedule="cosine",
        clip_norm=0.5,
        weight_decay=0.013,
    )
    config = make_optimizer(plan).get_config()
    assert config["learning_rate"]["config"] == {
        "peak": PEAK,
        "warmup_steps": WARMUP,
        "steps": STEPS,
        "decay": "cosine",
    }
    assert config["global_clipnorm"] == 0.5
    assert config["weight_decay"] == 0.013
    assert (config["beta_1"], config["beta_2"]) == (0.9, 0.98)
