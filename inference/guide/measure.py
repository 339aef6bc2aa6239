"""Measures the guide on questions that training never saw: `python -m inference.guide.measure [--url http://HOST/v1]`."""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .intents import DECLINED, LANGUAGES, answer
from .questions import MeasuredQuestion, questions

MODEL = Path(__file__).with_name("model")
FIGURES = "figures.json"
LONGEST = 200  # tokens; an answer that has not ended by then runs on
BATCH = 64


@dataclass(frozen=True)
class Given:
    """What the guide said, and whether it came to an end by itself."""

    text: str
    ended: bool


Speaker = Callable[[Sequence[MeasuredQuestion]], list[Given]]


def local(folder: Path) -> Speaker:
    """The model in `folder`, run by transformers on the processor, always taking the likeliest token."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(1)  # matrices this small only lose time when threads wait for each other
    prompt = {"add_generation_prompt": True}
    tokenizer: Any = AutoTokenizer.from_pretrained(folder, padding_side="left")
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

    def speak(asked: Sequence[MeasuredQuestion]) -> list[Given]:
        prompts = [tokenizer.apply_chat_template(turns, tokenize=False, **prompt) for turns in map(messages, asked)]
        inputs = tokenizer(prompts, return_tensors="pt", padding=True, return_token_type_ids=False)
        with torch.inference_mode():
            ids = model.generate(**inputs, do_sample=False, temperature=None, max_new_tokens=LONGEST)
        spoken = [row[inputs["input_ids"].shape[1] :].tolist() for row in ids]
        return [Given(tokenizer.decode(row, skip_special_tokens=True), tokenizer.eos_token_id in row) for row in spoken]

    return speak


def remote(url: str, key: str, model: str) -> Speaker:
    """An OpenAI-compatible server: an engine, or Jarvis itself; `unix:PATH` is the socket of an engine."""
    import asyncio

    import aiohttp

    socket = url.removeprefix("unix:") if url.startswith("unix:") else None
    base = "http://engine/v1" if socket else url.rstrip("/")

    async def ask(session: aiohttp.ClientSession, question: MeasuredQuestion) -> Given:
        body = {"model": model, "messages": messages(question), "temperature": 0, "max_tokens": LONGEST}
        async with session.post(f"{base}/chat/completions", json=body, raise_for_status=True) as reply:
            choice = (await reply.json())["choices"][0]
        return Given(choice["message"]["content"] or "", choice["finish_reason"] == "stop")

    async def ask_all(asked: Sequence[MeasuredQuestion]) -> list[Given]:
        connector = aiohttp.UnixConnector(socket) if socket else None
        headers = {"Authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
            return list(await asyncio.gather(*(ask(session, question) for question in asked)))

    return lambda asked: asyncio.run(ask_all(asked))


def messages(question: MeasuredQuestion) -> list[dict[str, str]]:
    """The dialogue before the answer; what the guide said in between does not matter to it."""
    turns = [{"role": "system", "content": "You are a helpful assistant."}]
    for text in question.asked:
        turns += [{"role": "user", "content": text}, {"role": "assistant", "content": "…"}]
    return turns[:-1]


def is_right(question: MeasuredQuestion, given: Given) -> bool:
    """The intent's own answer in the language of the question, word for word."""
    return given.ended and given.text.split() == answer(question.intent, question.language).split()


def judge_answers(speak: Speaker, asked: Sequence[MeasuredQuestion]) -> list[tuple[MeasuredQuestion, Given]]:
    groups = [asked[at : at + BATCH] for at in range(0, len(asked), BATCH)]
    return [result for group in groups for result in zip(group, speak(group), strict=True)]


def share(results: Sequence[tuple[MeasuredQuestion, Given]]) -> float:
    return round(sum(is_right(*result) for result in results) / len(results), 4)


def figures(
    single: Sequence[tuple[MeasuredQuestion, Given]], dialogues: Sequence[tuple[MeasuredQuestion, Given]]
) -> dict[str, Any]:
    """The shares of right answers; those of the languages count the questions about Jarvis only."""
    known = [result for result in single if result[0].intent != DECLINED]
    declined = [result for result in single if result[0].intent == DECLINED]
    return {
        "intents": len({question.intent for question, _ in known}),
        "questions": len(known),
        "right": {name: share([result for result in known if result[0].language == name]) for name in LANGUAGES},
        "off_topic": len(declined),
        "declined": share(declined),
        "wrongly_declined": sum(given.text == answer(DECLINED, question.language) for question, given in known),
        "dialogues": len(dialogues),
        "dialogues_right": share(dialogues),
        "run_on": sum(not given.ended for _, given in (*single, *dialogues)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=MODEL, help="the model to load, and where the figures go")
    parser.add_argument("--url", help="measure an OpenAI-compatible server instead; unix:PATH for an engine's socket")
    parser.add_argument("--key", default="none", help="API key for --url")
    parser.add_argument("--model", default="guide", help="model name for --url")
    parser.add_argument("--set", default="test", choices=("test", "tune"), help="tune shows what went wrong")
    options = parser.parse_args()
    speak = remote(options.url, options.key, options.model) if options.url else local(options.folder)
    single = judge_answers(speak, questions(options.set))
    dialogues = judge_answers(speak, questions("dialogues"))
    for question, given in (*single, *dialogues) if options.set == "tune" else ():
        if not is_right(question, given):
            print(f"{question.intent}.{question.language}: {' / '.join(question.asked)}\n    {given.text[:110]!r}")
    found = figures(single, dialogues)
    print(json.dumps(found, indent=2))
    if options.set == "test" and not options.url:
        (options.folder / FIGURES).write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
