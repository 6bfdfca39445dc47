"""The laws of a plan, held against systems in memory: with others writing in between, killed anywhere."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from tests.topology.declared import item, spec
from topology.api.status import Reason, State
from topology.engine.look import look
from topology.plan import ACTS, Found, Kind, Op, Terms, plan
from topology.systems.memory import KINDS, MemorySystem

NAMES = st.sampled_from(["a", "b", "c"])
SETTINGS = {
    "account": st.just({}),
    "box": st.fixed_dictionaries({"shape": st.sampled_from(["round", "square"]), "room": st.integers(0, 3)}),
    "wire": st.fixed_dictionaries({"to": NAMES}),
}
ANY_KIND = st.sampled_from([kind.name for kind in KINDS])


@st.composite
def items(draw):
    keys = draw(st.lists(st.tuples(ANY_KIND, NAMES), unique=True, max_size=7))
    return [item(kind, name, **draw(SETTINGS[kind])) for kind, name in keys]


def found(items):
    return {each.label: Found(each.kind, dict(each.settings), each.name) for each in items}


LABELS = [f"{kind.name} {name}" for kind in KINDS for name in "abc"]
SOME = st.frozensets(st.sampled_from(LABELS))
ANY_TERMS = st.builds(Terms, made=SOME, allow=SOME, prune=st.booleans())


async def freely():
    """Nobody else holds the lease."""


async def nowhere(_made):
    """Nothing is kept."""


def looked(system, wanted, made=(), may=freely, keep=nowhere, **more):
    return asyncio.run(look(system, spec(*wanted, **more), set(made), may, keep))


@given(items(), items(), ANY_TERMS)
def test_after_a_plan_is_carried_out_the_next_writes_nothing(wanted, there, terms):
    system = MemorySystem(found(there))
    first = plan(KINDS, wanted, system.items, terms)
    for step in first:
        if step.op in ACTS:
            asyncio.run(system.act(step))
    assert [step for step in plan(KINDS, wanted, system.items, terms) if step.op in ACTS] == []
    refused = {step.label for step in first if step.op is Op.REFUSE}
    for each in wanted:
        if each.label not in refused:
            assert each.settings.items() <= system.items[each.label].settings.items()


@given(items(), items(), ANY_TERMS)
def test_nothing_goes_that_was_not_made_here_nor_that_is_declared(wanted, there, terms):
    declared = {each.label for each in wanted}
    for step in plan(KINDS, wanted, found(there), terms):
        if step.op in {Op.DELETE, Op.REPLACE}:
            assert step.label in terms.made
        if step.op is Op.DELETE:
            assert terms.prune
            assert step.label not in declared


@given(items(), items(), ANY_TERMS)
def test_what_loses_data_needs_its_name(wanted, there, terms):
    """Each box that is gone, of another shape, or with less room afterwards was allowed by name."""
    system = MemorySystem(found(there))
    before = dict(system.items)
    looked(system, wanted, terms.made, allow=sorted(terms.allow), prune=terms.prune)
    for label, was in before.items():
        if was.kind != "box" or label in terms.allow:
            continue
        now = system.items[label]
        assert now.settings["shape"] == was.settings["shape"]
        assert now.settings["room"] >= was.settings["room"]


@given(items(), items(), ANY_TERMS)
def test_every_refusal_says_why_and_what_to_do(wanted, there, terms):
    for step in plan(KINDS, wanted, found(there), terms):
        if step.op in {Op.REFUSE, Op.LEAVE}:
            assert step.reason
            assert step.fix


@given(items(), items(), SOME)
def test_doing_what_a_refusal_says_makes_it_true(wanted, there, allowed):
    """All named in ``allow`` and all made here: nothing is refused."""
    terms = Terms(frozenset(LABELS), frozenset(LABELS), prune=True)
    system = MemorySystem(found(there))
    done = looked(system, wanted, terms.made, allow=LABELS, prune=True)
    assert done.reason is Reason.RECONCILED
    assert system.items.keys() == {each.label for each in wanted}


class _KilledError(Exception):
    """The process is gone."""


class Mortal(MemorySystem):
    """Dies after so many steps, just before or just after one was taken."""

    def __init__(self, items, lives, after):
        super().__init__(items)
        self.lives, self.after = lives, after

    async def act(self, step):
        self.lives -= 1
        if self.lives == 0 and not self.after:
            raise _KilledError
        made = await super().act(step)
        if self.lives == 0:
            raise _KilledError
        return made


@given(items(), items(), SOME, st.integers(1, 6), st.booleans(), st.booleans())
def test_killed_anywhere_a_successor_ends_where_it_would_have_ended(wanted, there, allowed, lives, after, prune):
    made = {each.label for each in there}
    more = {"allow": sorted(allowed), "prune": prune}
    unharmed = MemorySystem(found(there))
    looked(unharmed, wanted, made, **more)

    kept = [set(made)]

    async def keep(now):
        kept.append(set(now))

    system = Mortal(found(there), lives, after)
    try:
        looked(system, wanted, made, keep=keep, **more)
    except _KilledError:
        system.lives = 0
        looked(system, wanted, kept[-1], **more)
    assert system.items == unharmed.items


@given(items(), items(), items(), st.data())
def test_two_at_once_do_no_harm(wanted, there, others, data):
    """Steps of two that planned from the same look, in any order, end as those of one; what others made stays."""
    system = MemorySystem({**found(there), **found(others)})
    made = {each.label for each in there} - {each.label for each in others}
    terms = Terms(frozenset(made), prune=True)
    theirs = {label: each for label, each in system.items.items() if label not in made}
    plans = [[step for step in plan(KINDS, wanted, system.items, terms) if step.op in ACTS] for _ in range(2)]
    while any(plans):
        turn = data.draw(st.sampled_from([each for each in plans if each]))
        asyncio.run(system.act(turn.pop(0)))
    assert theirs.keys() <= system.items.keys()
    assert [step for step in plan(KINDS, wanted, system.items, terms) if step.op in ACTS] == []


def test_what_others_made_is_told_and_stays_though_nothing_declares_it():
    system = MemorySystem(found([item("box", "a", shape="round", room=1), item("wire", "b", to="a")]))
    done = looked(system, [], made=["wire b"], prune=True)
    assert system.items.keys() == {"box a"}
    assert (done.items, done.made) == ([], set())


def test_what_is_left_or_refused_is_told_by_its_label():
    system = MemorySystem(found([item("box", "a", shape="round", room=3), item("box", "b", shape="round", room=1)]))
    done = looked(system, [item("box", "a", shape="round", room=2)], made=["box a", "box b"])
    assert [(each.label, each.state) for each in done.items] == [("box a", State.REFUSED), ("box b", State.LEFT)]
    assert done.items[0].reason == "room 3 → 2 loses data"
    assert "topology.allow" in done.items[0].fix
    assert (done.reason, done.written) == (Reason.REFUSED, [])


def test_what_contains_things_of_others_stays_though_its_name_is_allowed():
    kinds = (Kind("room", holds_data=True, contains=True), Kind("box", holds_data=True))
    there = {"room x": Found("room", {}, "x"), "box a @x": Found("box", {}, "a", "x")}
    terms = Terms({"room x"}, {"room x", "box a @x"}, prune=True)
    (step,) = plan(kinds, [], there, terms)
    assert (step.op, step.reason) == (Op.REFUSE, "it holds box a @x, which was not made here")
    both = Terms({"room x", "box a @x"}, terms.allow, prune=True)
    assert [(each.op, each.label) for each in plan(kinds, [], there, both)] == [
        (Op.DELETE, "box a @x"),
        (Op.DELETE, "room x"),
    ]
