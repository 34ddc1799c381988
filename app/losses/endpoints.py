"""The route that evaluates a loss. A worker computes it: losses and gradients are Keras's business."""

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.bodies import json_answer, json_body, problems, read_document_body
from app.calls import ask_worker
from app.losses.schemas import EvaluatedLoss
from app.spec.loss_evaluation import LossEvaluation, read_loss_evaluation
from app.state import MayTrain

router = APIRouter(tags=["losses"])


@router.post(
    "/losses/evaluate",
    response_model=EvaluatedLoss,
    responses=problems(413, 415, 422),
    openapi_extra=json_body(LossEvaluation),
)
async def evaluate_loss(request: Request, state: MayTrain) -> Response:
    """Value, terms and gradient of a loss on given predictions: try a loss before training with it."""
    body = await read_document_body(request)
    asked = await run_in_threadpool(lambda: read_loss_evaluation(body).document())
    with state.line.place():
        answer = await ask_worker(state.database, "evaluate_loss", asked, state.settings.call_seconds)
    return json_answer(answer)
