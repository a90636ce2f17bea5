"""Answers at once, without a submission: is this text fit to be shown?"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from classifiers.text_screen import TextScreen
from policies.rulebook import RulebookError
from review.api.auth import Asking
from review.api.problems import DOCUMENTED, Problem
from review.api.service import service_of
from review.api.words import Text
from review.text_verdict import judge_text

Json = dict[str, Any]
router = APIRouter(tags=["checks"], responses=DOCUMENTED)


class TextRequest(BaseModel):
    """One text, for example what a character is about to say."""

    model_config = ConfigDict(extra="forbid")
    text: Text
    lang: Literal["zh", "en"] | None = None
    rulebooks: list[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]] = Field([], max_length=16)
    territories: list[Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]] = Field([], max_length=16)


@router.post("/v1/checks/text")
def check_text(request: Request, _: Asking, asked: TextRequest) -> Json:
    """What the text screen finds in it, where, and what the rulebooks say of that."""
    limit = service_of(request).settings.text_limit_chars
    if len(asked.text) > limit:
        raise Problem("too-large", f"the text has {len(asked.text)} characters, at most {limit} are checked at once")
    try:
        return judge_text(TextScreen.load(), asked.text, asked.rulebooks, asked.territories)
    except RulebookError as unknown:
        raise Problem("unknown-rulebook", str(unknown)) from unknown
