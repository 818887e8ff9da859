import pytest

from zoo.deployment import DeployedModel, Deployment


def test_environments_are_joined(made_export):
    wanted = {"TF_ENABLE_ONEDNN_OPTS": "1"}
    more = wanted | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    one = DeployedModel("one", made_export("one", environment=wanted))
    two = DeployedModel("two", made_export("two", environment=more))
    assert Deployment("both", [one, two]).environment == more


def test_models_that_need_different_environments_are_refused(made_export):
    name = "TF_ENABLE_ONEDNN_OPTS"
    one = DeployedModel("one", made_export("one", environment={name: "1"}))
    two = DeployedModel("two", made_export("two", environment={name: "0"}))
    with pytest.raises(ValueError, match=f"two needs {name}=0, .* {name}=1: they need"):
        Deployment("both", [one, two])


@pytest.mark.parametrize(
    "wanted", [{"LD_PRELOAD": "a.so"}, {"TF_ENABLE_ONEDNN_OPTS": "1\nRUN own"}]
)
def test_a_variable_becomes_no_instruction(made_export, wanted):
    model = DeployedModel("one", made_export(environment=wanted))
    with pytest.raises(ValueError, match="in the environment"):
        Deployment("one", [model])


def test_two_models_of_one_name_are_refused(made_export):
    model = DeployedModel("one", made_export())
    with pytest.raises(ValueError, match="Two models are called one"):
        Deployment("both", [model, model])


@pytest.mark.parametrize(
    "wrong", [{"cpus": 0}, {"replicas": 0}, {"memory": -1}, {"image": "a b"}]
)
def test_what_cannot_be_deployed_is_refused(made_export, wrong):
    with pytest.raises(ValueError):
        Deployment("one", [DeployedModel("one", made_export())], **wrong)


def test_a_deployment_needs_a_model_and_a_name(made_export):
    with pytest.raises(ValueError, match="needs a model"):
        Deployment("one", [])
    with pytest.raises(ValueError, match="DNS-1123"):
        Deployment("One", [DeployedModel("one", made_export())])


def test_memory_grows_with_the_models(made_export):
    base = made_export()
    small = Deployment("one", [DeployedModel("one", base)])
    assert small.memory_gb == 2
    with open(base / "1" / "variables" / "variables.data", "wb") as file:
        file.truncate(10**9)
    assert Deployment("one", [DeployedModel("one", base)]).memory_gb == 6
    assert Deployment("one", [DeployedModel("one", base)], memory=3).memory_gb == 3


def test_threads_are_as_many_as_processors(deployment):
    assert "--tensorflow_intra_op_parallelism=3" in deployment.flags
    assert "--tensorflow_inter_op_parallelism=3" in deployment.flags


def test_models_own_batching_is_used_where_there_is_some(made_export):
    flag = "--enable_per_model_batching_parameters=true"
    own = DeployedModel("own", made_export("own", batching=True))
    none = DeployedModel("none", made_export("none"))
    assert flag in Deployment("a", [own, none]).flags
    assert flag not in Deployment("a", [none]).flags
