"""Names of models on the command line, and a demo call with each kind."""

from __future__ import annotations

from pathlib import Path

import pytest

from voiceloop.cli.models import ModelNameError, parse_llm
from voiceloop.conversation import Message
from voiceloop.errors import ModelError, VoiceloopError
from voiceloop.llm.llamacpp import LlamaCpp
from voiceloop.llm.openai import OpenAILLM
from voiceloop.weights import SMOLLM2_135M, available, fetch


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("openai:http://localhost:11434/v1#qwen3:8b", "OpenAILLM('qwen3:8b', base_url='http://localhost:11434/v1')"),
        ("openai:http://localhost:8000/v1", "OpenAILLM(None, base_url='http://localhost:8000/v1')"),
        ("openai:http://localhost:8000/v1/#", "OpenAILLM(None, base_url='http://localhost:8000/v1')"),
        ("openai:#gpt-4.1-mini", "OpenAILLM('gpt-4.1-mini', base_url='https://api.openai.com/v1')"),
        (" openai:https://x.com/v1#a/b#c ", "OpenAILLM('a/b#c', base_url='https://x.com/v1')"),
    ],
)
def test_an_endpoint_and_its_model(text: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    llm = parse_llm(text)
    assert isinstance(llm, OpenAILLM)
    assert repr(llm) == shown


def test_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF....")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (str(tmp_path / "model.gguf"), "~/model.gguf"):
        llm = parse_llm(f"gguf:{name}")
        assert isinstance(llm, LlamaCpp)
        assert llm._path == tmp_path / "model.gguf"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a model as openai:URL#MODEL, openai:#MODEL or gguf:PATH, got ''"),
        ("gpt-4.1-mini", "expected a model as openai:URL#MODEL, openai:#MODEL or gguf:PATH, got 'gpt-4.1-mini'"),
        ("ollama:qwen3", "expected a model as openai:URL#MODEL"),
        ("openai:", "wants the address of a server, or #MODEL"),
        ("openai:#", "wants the address of a server, or #MODEL"),
        ("openai:https://api.openai.com/v1/", "OpenAI offers many models: name one behind '#'"),
        ("openai:gpt-4.1-mini", "expected base_url like 'http://localhost:11434/v1', got 'gpt-4.1-mini'"),
        ("openai:localhost:11434/v1#qwen", "expected base_url like"),
        ("openai:http://me:secret@host/v1#qwen", "base_url holds a user name or password"),
        ("gguf:", "wants the path of a file"),
    ],
)
def test_anything_else_says_what_was_expected_with_examples(text: str, said: str) -> None:
    with pytest.raises(ModelNameError) as raised:
        parse_llm(text)
    assert said in str(raised.value)
    assert "openai:http://localhost:11434/v1#qwen3:8b" in str(raised.value)
    assert "gguf:model.gguf" in str(raised.value)
    assert "secret" not in str(raised.value)


def test_a_file_that_is_not_there_or_no_model_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot read the model .*gone\.gguf: No such file"):
        parse_llm(f"gguf:{tmp_path / 'gone.gguf'}")
    (tmp_path / "text.gguf").write_text("hello")
    with pytest.raises(ModelError, match=r"text\.gguf is not a GGUF file"):
        parse_llm(f"gguf:{tmp_path / 'text.gguf'}")


@pytest.mark.models
@pytest.mark.realtime
async def test_a_real_file_answers() -> None:
    if not available(SMOLLM2_135M):
        pytest.skip("the weights of SmolLM2 are not in the cache: run voiceloop demo once")
    (path,) = fetch(SMOLLM2_135M).values()
    llm = parse_llm(f"gguf:{path}")
    try:
        await llm.warm()
    except VoiceloopError as error:
        pytest.skip(str(error))
    question = [Message("system", "Answer in one short sentence."), Message("user", "What is the capital of France?")]
    said = "".join([item async for item in llm.respond(question) if isinstance(item, str)])
    await llm.aclose()
    assert "Paris" in said
