"""What the tests share: a tiny model, texts, and a service that each test starts as it needs."""

import copy

import pytest

import tiny_model
from service import Service


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """A folder with model/, train.txt and eval.txt."""
    folder = tmp_path_factory.mktemp("inputs")
    tiny_model.write_model(folder / "model")
    tiny_model.write_text(folder / "train.txt", words=12000, seed=1)
    tiny_model.write_text(folder / "eval.txt", words=3000, seed=2)
    return folder


@pytest.fixture
def make_spec(inputs):
    """Makes a spec in proto field names: seconds of work, changed by keyword."""

    def make(steps=8, first_token="FIRST_TOKEN_QUANTIZED", **changes):
        spec = {
            "model": {"uri": f"file:{inputs}/model"},
            "training_text": {"uri": f"file:{inputs}/train.txt"},
            "evaluation_text": {"uri": f"file:{inputs}/eval.txt"},
            "recipe": {"method": "METHOD_SASQ", "first_token": first_token, "training": {
                "step_count": steps, "window_tokens": 32, "learning_rate": 0.02}},
            "calibration": {"window_count": 4, "window_tokens": 64},
            "evaluation": {"window_count": 2, "window_tokens": 128},
            "no_cache": True,  # tests run the same more than once
        }
        spec.update(copy.deepcopy(changes))
        return spec

    return make


@pytest.fixture
def bare_service(tmp_path):
    """A service of which nothing runs yet."""
    service = Service(tmp_path / "service")
    yield service
    service.close()


@pytest.fixture
def coordinator_only(bare_service):
    """A service without workers."""
    bare_service.start_coordinator()
    return bare_service


@pytest.fixture
def service(coordinator_only):
    """A service with one worker."""
    coordinator_only.start_worker()
    return coordinator_only


@pytest.fixture
def client(coordinator_only):
    """A client of the test's service, with or without workers."""
    made = coordinator_only.client()
    yield made
    made.close()
