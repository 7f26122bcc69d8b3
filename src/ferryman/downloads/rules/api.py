"""The API of rules: `/api/v1/downloads/rules`. Everyone who sees downloads reads them, admins change them."""

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from ferryman.accounts.model import Principal
from ferryman.core.errors import FerryError, Invalid
from ferryman.downloads.model import Line, Text
from ferryman.downloads.rules.match import check_rule, matches
from ferryman.downloads.rules.model import MOST_RULES, Effects, Rule, RuleBody
from ferryman.downloads.rules.service import Rules, facts_of
from ferryman.downloads.rules.starters import STARTERS
from ferryman.web.auth import allow
from ferryman.web.shapes import PRINTABLE, Listed, Moment, Strict, Whole, moment

Reader = Annotated[Principal, allow("downloads:read")]
Writer = Annotated[Principal, allow("settings:write")]
RuleId = Annotated[
    str, Path(max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$", description="Id or name of the rule.")
]


class RuleView(RuleBody):
    """A rule as it is kept."""

    id: str
    created_at: Moment
    updated_at: Moment


class Order(Strict):
    """All rules in their new order."""

    ids: Annotated[
        list[Annotated[str, Field(max_length=100, pattern=PRINTABLE)]], Field(max_length=MOST_RULES)
    ]


class RuleList(Strict):
    """Rules without their ids, as they are carried from one home to another."""

    rules: Annotated[list[RuleBody], Field(max_length=MOST_RULES)]


class RuleImport(RuleList):
    """Rules to take in."""

    replace: bool = Field(False, strict=True, description="Put them in place of all that are there.")


class Question(Strict):
    """A download to try the rules on; with `rule`, that rule alone is tried, which need not be kept."""

    url: Annotated[Line, Field(description="The address.")]
    name: Text | None = Field(None, description="Name of the file, where it is not that of the address.")
    size: Annotated[int, Field(ge=0, le=2**53), Whole] | None = Field(
        None, description="Bytes, where they are known."
    )
    rule: RuleBody | None = None


class EffectsView(BaseModel):
    """What follows. Null, empty and `[]` mean that no rule says anything about it."""

    category: str | None
    folder: str
    priority: int | None
    rate_limit: int | None = Field(description="Bytes per second.")
    connections: int | None
    checksum_url: str | None = Field(description="The checksum file that is asked.")
    checksum_needed: bool = Field(description="Whether an order without a checksum is refused.")
    unpack: bool | None
    hooks: list[str]


class Answer(BaseModel):
    """The rule that counts, if any, and what follows from it."""

    matched: bool
    rule: str | None = Field(description="Its name.")
    rule_id: str | None = Field(description="Its id; null for one that is not kept.")
    effects: EffectsView


def rule_view(rule: Rule) -> RuleView:
    """Return `rule` as the API shows it."""
    return RuleView(
        id=rule.id,
        created_at=moment(rule.created_at),
        updated_at=moment(rule.updated_at),
        **rule.body.model_dump(),
    )


def router(rules: Rules) -> APIRouter:
    """Return the routes of rules, to be mounted under `/api/v1`."""
    routes = APIRouter(prefix="/downloads/rules", tags=["rules"])
    _add_many(routes, rules)
    _add_test(routes, rules)

    @routes.get("")
    async def list_rules(_caller: Reader) -> Listed[RuleView]:
        """List the rules in their order; the first that matches a download counts."""
        return _listed(await rules.all())

    @routes.post("", status_code=201)
    async def add_rule(_caller: Writer, body: RuleBody) -> RuleView:
        """Add a rule after the others."""
        return rule_view((await rules.add([body]))[0])

    @routes.get("/{rule}")
    async def get_rule(_caller: Reader, rule: RuleId) -> RuleView:
        """Show a rule."""
        return rule_view(await rules.get(rule))

    @routes.put("/{rule}")
    async def change_rule(_caller: Writer, rule: RuleId, body: RuleBody) -> RuleView:
        """Replace the content of a rule; it keeps its place."""
        return rule_view(await rules.change(rule, body))

    @routes.delete("/{rule}", status_code=204)
    async def remove_rule(_caller: Writer, rule: RuleId) -> None:
        """Delete a rule. Downloads it was applied to stay as they are."""
        await rules.remove(rule)

    return routes


def _add_many(routes: APIRouter, rules: Rules) -> None:
    @routes.post("/order")
    async def order_rules(_caller: Writer, body: Order) -> Listed[RuleView]:
        """Put the rules in another order."""
        return _listed(await rules.order(body.ids))

    @routes.post("/starters", status_code=201)
    async def add_starters(_caller: Writer) -> Listed[RuleView]:
        """Add rules to begin with: archives, disk images, packages, documents, media."""
        return _listed(await rules.add(STARTERS))

    @routes.get("/export")
    async def export_rules(_caller: Reader) -> RuleList:
        """Give all rules in a form that can be imported elsewhere."""
        return RuleList(rules=[rule.body for rule in await rules.all()])

    @routes.post("/import", status_code=201)
    async def import_rules(_caller: Writer, body: RuleImport) -> Listed[RuleView]:
        """Take rules in, all or none."""
        await _check_all(rules, body.rules)
        return _listed(await (rules.replace_all if body.replace else rules.add)(body.rules))


def _add_test(routes: APIRouter, rules: Rules) -> None:
    @routes.post("/test")
    async def try_rules(_caller: Reader, question: Question) -> Answer:
        """Tell which rule counts for an address, and what follows. Changes nothing."""
        try:
            facts = facts_of(question.url, question.name, question.size)
        except FerryError as error:
            error.fields = {"url": error.message}
            raise
        kept = await rules.all() if question.rule is None else [_tried(question.rule)]
        rule, effects = rules.consequences(kept, facts)
        if question.rule is not None and not matches(kept[0].body, facts):
            rule = None
        return Answer(
            matched=rule is not None,
            rule=rule.body.name if rule else None,
            rule_id=(rule.id or None) if rule else None,
            effects=effects_view(effects),
        )


def effects_view(effects: Effects) -> EffectsView:
    """Return `effects` as the API shows them."""
    return EffectsView(
        category=effects.category,
        folder=effects.folder,
        priority=effects.priority,
        rate_limit=effects.rate_limit,
        connections=effects.connections,
        checksum_url=effects.checksum_url,
        checksum_needed=effects.checksum_needed,
        unpack=effects.unpack,
        hooks=list(effects.hooks),
    )


def _tried(body: RuleBody) -> Rule:
    try:
        return Rule("", check_rule(body.model_copy(update={"enabled": True})), 0.0, 0.0)
    except Invalid as error:
        error.fields = {f"rule.{name}": text for name, text in error.fields.items()}
        raise


async def _check_all(rules: Rules, bodies: list[RuleBody]) -> None:
    wrong: dict[str, str] = {}
    for place, body in enumerate(bodies):
        try:
            await rules.check(body)
        except Invalid as error:
            wrong |= {f"rules.{place}.{name}": text for name, text in error.fields.items()}
    if wrong:
        raise Invalid(
            "rule_invalid",
            f"{len({name.split('.')[1] for name in wrong})} of {len(bodies)} rules are wrong; none was taken.",
            advice="Correct the named fields.",
            fields=wrong,
        )


def _listed(rules: list[Rule]) -> Listed[RuleView]:
    return Listed(items=[rule_view(rule) for rule in rules], next_cursor=None)
