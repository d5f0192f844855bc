"""A service that dies and comes back while its clients watch."""

import threading

import pytest

import sasq

LONG_STEPS = 1500  # seconds of training, so that there is a middle to die in


@pytest.fixture
def training_job(service, client, make_spec):
    """A job in mid training."""
    job = client.submit(make_spec(steps=LONG_STEPS, baselines=[{"method": "METHOD_FP"}]))
    next(picture for picture in job.watch() if picture.progress.step >= LONG_STEPS // 10)
    return job


def restart(service):
    service.coordinator.kill()
    service.start_coordinator()


def test_watching_goes_on(service, client, training_job, caplog):
    sequences = []
    for picture in training_job.watch(timeout=300):
        sequences.append(picture.message.sequence)
        if len(sequences) == 2:
            restart(service)
    assert training_job.state == "SUCCEEDED"
    assert sequences == sorted(set(sequences)), "nothing comes twice"
    assert training_job.message.attempt_count == 1, "the worker kept its lease"
    assert [record.message.split(",")[0] for record in caplog.records] == ["connection lost", "connected again"]


def test_waiting_goes_on(service, client, training_job):
    restarting = threading.Thread(target=restart, args=(service,))
    restarting.start()
    assert training_job.wait(timeout=300).state == "SUCCEEDED"
    restarting.join()
    assert training_job.artifact.scales().method == "sasq"


def test_logs_go_on(service, client, training_job):
    lines = []
    for line in training_job.logs(follow=True):
        lines.append(line)
        if len(lines) == 2:
            restart(service)
    assert training_job.refresh().state == "SUCCEEDED"
    assert lines == list(training_job.logs()), "each byte came once"


def test_wait_timeout_ends_an_outage(service, client, training_job):
    service.coordinator.kill()
    with pytest.raises(sasq.WaitTimeout):
        training_job.wait(timeout=0.5)
