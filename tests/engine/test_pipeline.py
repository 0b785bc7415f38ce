"""What a pipeline is built of, and what it refuses."""

from __future__ import annotations

import pytest

from voiceloop.call import Call
from voiceloop.frames import Digit
from voiceloop.pipeline import Pipeline, PipelineError
from voiceloop.processor import Processor


class Head(Processor):
    pass


class Provider:
    """What a pipeline asks of a provider: a processor of its own for each call."""

    def processor(self) -> Processor:
        processor = Head()
        processor.provider = self
        return processor


def test_nested_pipelines_are_flattened_in_place():
    a, b, c, d = Head(), Head(), Head(), Head()
    assert list(Pipeline([a, Pipeline([b, Pipeline([c])]), d])) == [a, b, c, d]


def test_provider_is_wrapped_in_a_processor_of_its_own_each_time():
    provider = Provider()
    first, second = Pipeline([provider, provider])
    assert first is not second
    assert (first.provider, second.provider) == (provider, provider)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ([], "A pipeline needs at least one processor, got an empty list."),
        ([Head], "A pipeline takes processors, providers and pipelines, got Head. Did you mean Head()?"),
        ([Provider], "A pipeline takes processors, providers and pipelines, got Provider. Did you mean Provider()?"),
        (["stt"], "A pipeline takes processors, providers and pipelines, got 'stt'."),
        ([None], "A pipeline takes processors, providers and pipelines, got None."),
    ],
)
def test_what_is_no_stage_is_refused(stages, message):
    with pytest.raises(PipelineError) as caught:
        Pipeline(stages)
    assert str(caught.value) == message


def test_same_instance_twice_is_refused():
    head = Head()
    with pytest.raises(PipelineError, match=r"^Head stands in the pipeline twice\. Build an instance for each "):
        Pipeline([head, Pipeline([head])])


async def test_instance_of_a_running_call_is_refused_by_another(session):
    head = Head()
    async with session(head):
        with pytest.raises(PipelineError, match=r"^Head belongs to another call already\."):
            await Pipeline([Head(), head]).run(Call(head))


async def test_instance_of_a_call_that_is_over_is_refused_too(session):
    head = Head()
    async with session(head):
        pass
    with pytest.raises(PipelineError, match=r"an instance serves one call\.$"):
        await Pipeline([head]).run(Call(head))


async def test_call_is_run_once(session):
    async with session(Head()) as running:
        pass
    with pytest.raises(PipelineError, match=r"^Call 'CA1' has been run already\. A Call is used once\.$"):
        await Pipeline([Head()]).run(running.call)


async def test_two_calls_of_the_same_classes_do_not_hear_each_other(session, new_tape):
    one, two = new_tape(), new_tape()
    async with session(first := Head(), one), session(Head(), two):
        first.push(Digit("1", 0.0))
        assert (one.of(Digit), two.of(Digit)) == (["Digit:1"], [])
