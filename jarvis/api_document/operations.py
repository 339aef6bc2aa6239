"""The routes of the API's short stack, as operations of the OpenAPI document."""

from typing import Any

from jarvis.api_document import examples
from jarvis.api_document.schemas import ANSWERS, TEXT, WHOLE, ref, request_schemas
from jarvis.lib.drf.schema import REASONS

EVERYBODY: list[Any] = []  # asked by nobody
CALLERS: list[Any] = [{"apiKey": []}, {"apiKeyHeader": []}, {"cookieAuth": []}]
JSON, EVENTS = "application/json", "text/event-stream"
MORE_REASONS = {
    413: "The body is larger than this server takes.",
    429: "Too many calls or tokens; `Retry-After` says for how many seconds to wait.",
    502: "The engine failed on this answer.",
    504: "The answer was not ready in time.",
}


def operation(
    name: str,
    summary: str,
    *,
    tag: str,
    answers: dict[int, Any],
    errors: tuple[int, ...] = (),
    body: dict[str, Any] | None = None,
    parameters: tuple[dict[str, Any], ...] = (),
    security: list[Any] = CALLERS,
) -> dict[str, Any]:
    responses = {str(status): answer for status, answer in answers.items()}
    for status in sorted({401, 403, *errors} if security else errors):
        reason = MORE_REASONS.get(status) or REASONS[status]
        responses[str(status)] = {"description": reason, "content": {JSON: {"schema": ref("Error")}}}
    found = {"operationId": name, "summary": summary, "tags": [tag], "security": security, "responses": responses}
    if parameters:
        found["parameters"] = list(parameters)
    if body is not None:
        found["requestBody"] = body
    return found


def answer(schema: str, description: str = "", **media: Any) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": ref(schema)}, **media}}


def events(example: str, note: str) -> dict[str, Any]:
    return {EVENTS: {"schema": {**TEXT, "description": note}, "example": example}}


def body(schema: str, shown: dict[str, Any]) -> dict[str, Any]:
    named = {name: {"value": value} for name, value in shown.items()}
    return {"required": True, "content": {JSON: {"schema": ref(schema), "examples": named}}}


def in_query(name: str, description: str, default: int) -> dict[str, Any]:
    schema = {**WHOLE, "minimum": 0, "default": default}
    return {"name": name, "in": "query", "description": description, "schema": schema}


QUESTION = body("QuestionRequest", examples.QUESTIONS)
FAILURES = (400, 404, 413, 429, 502, 503, 504)

PATHS: dict[str, Any] = {
    "/v1/chat/completions": {
        "post": operation(
            "create_chat_completion",
            "An answer of a model, whole or streamed, as OpenAI's",
            tag="openai",
            body=body("ChatCompletionRequest", examples.CHAT_COMPLETIONS),
            answers={
                200: answer(
                    "ChatCompletion",
                    "The answer. With `stream` it comes as events.",
                    **events(
                        examples.STREAM_OF_CHUNKS,
                        "`data: ` and a ChatCompletionChunk for each event, and `data: [DONE]` at the end.",
                    ),
                )
            },
            errors=FAILURES,
        )
    },
    "/v1/models": {
        "get": operation(
            "list_offered_models",
            "The models that the caller may use, the default one first",
            tag="openai",
            answers={200: answer("OfferedModels")},
            errors=(503,),
        )
    },
    "/v1/models/{model}": {
        "get": operation(
            "retrieve_offered_model",
            "One model",
            tag="openai",
            parameters=({"name": "model", "in": "path", "required": True, "schema": TEXT},),
            answers={200: answer("OfferedModel")},
            errors=(404, 503),
        )
    },
    "/api/chat": {
        "post": operation(
            "ask",
            "A question and its whole answer, which are kept in a conversation",
            tag="chat",
            body=QUESTION,
            answers={200: answer("Answer")},
            errors=FAILURES,
        )
    },
    "/api/chat/stream": {
        "post": operation(
            "ask_streamed",
            "The same, as the answer is made",
            tag="chat",
            body=QUESTION,
            answers={
                200: {
                    "description": "",
                    "content": events(
                        examples.STREAM_OF_TOKENS,
                        '`data: {"token": …}` for each piece, and `data: {"done": true, …}` at the end.',
                    ),
                }
            },
            errors=FAILURES,
        )
    },
    "/api/history": {
        "get": operation(
            "list_history",
            "One's own messages, the newest first",
            tag="chat",
            parameters=(
                in_query("offset", "How many to pass over.", 0),
                in_query("limit", "How many at most, to 500.", 50),
            ),
            answers={200: answer("History")},
            errors=(400, 503),
        ),
        "delete": operation(
            "clear_history",
            "Delete all one's conversations",
            tag="chat",
            answers={200: answer("HistoryDeleted")},
            errors=(503,),
        ),
    },
    "/api/status": {
        "get": operation(
            "retrieve_status",
            "Models, workers, GPUs and the queue, as they are now",
            tag="operation",
            answers={200: answer("SystemStatus")},
            errors=(503,),
        )
    },
    "/health": {
        "get": operation(
            "check_alive",
            "Whether this process answers",
            tag="operation",
            answers={200: answer("Health")},
            security=EVERYBODY,
        )
    },
    "/health/ready": {
        "get": operation(
            "check_ready",
            "Whether a question would be answered now",
            tag="operation",
            answers={
                200: answer("Readiness"),
                503: answer("Readiness", "`missing` names the parts that are away."),
            },
            security=EVERYBODY,
        )
    },
}


def complete_document(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """drf-spectacular's document with the routes of the short stack, and with the address of this server."""
    components = result["components"]
    components["schemas"] = {**components["schemas"], **request_schemas(), **ANSWERS}
    components["securitySchemes"]["apiKeyHeader"] = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    home = request.build_absolute_uri("/").rstrip("/") if request is not None else "/"
    return {**result, "servers": [{"url": home}], "paths": {**PATHS, **result["paths"]}}
