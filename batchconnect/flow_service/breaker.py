"""
Tells a wrong org from wrong rows where the service does not say which it is.

Some refusals (`1001-401`, "Not entitled", …) fit both. One of them is the row's; three in a row
with the same code and no success between are the lane's, which then stops instead of failing
every row.
"""

from dataclasses import dataclass
from typing import final

from batchconnect.flow_service.answer import (
    Answer,
    NotSent,
    ObjectCreated,
    OrgLevel,
    Refused,
    StopScope,
    Throttled,
    Unknown,
)
from batchconnect.model.remedies import title_for

IN_A_ROW = 3
"""Refusals with one code that stop the lane (contract, section 5)."""


@final
@dataclass(slots=True)
class Breaker:
    """One lane's count of refusals whose origin is not stated."""

    code: str = ""
    """The code that is being counted."""
    count: int = 0

    def judge(self, answer: Answer) -> Answer:
        """
        Let an answer through, or turn the third refusal in a row into an org-level one.

        Success and a refusal that is surely the row's own show that the lane is let in, so both
        start the count again. An answer that says nothing about that (a doubt, a throttle) counts
        for nothing.

        Source:
            Contract, section 5, second table, the line with 1001, 1002, 1105, 1106, 1605, 1606.
        """
        match answer:
            case Refused(may_be_org_level=True):
                self.count = self.count + 1 if answer.code == self.code else 1
                self.code = answer.code
                return answer if self.count < IN_A_ROW else _org_level(answer)
            case ObjectCreated() | Refused():
                self.code, self.count = "", 0
                return answer
            case NotSent() | Throttled() | OrgLevel() | Unknown():  # the last case
                return answer


def _org_level(refused: Refused) -> OrgLevel:
    return OrgLevel(
        code=refused.code,
        title=title_for(refused.code),
        detail=f"{refused.detail} ({IN_A_ROW} in a row)",
        scope=StopScope.LANE,
        http_status=refused.http_status,
        request_id=refused.request_id,
    )
