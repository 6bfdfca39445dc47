"""`.grayling/review.yaml`: what it means, and that what is wrong in it is told with line, key, value and fix."""

from __future__ import annotations

import pytest

from components.model.mistakes import StackError
from review.approval.policy import read_policy
from tests.review.approval.team import POLICY

HEAD = "schema: grayling.policy/1\ngroups: {reviewers: [ann@x.io, bob@x.io]}\n"


def test_the_whole_file():
    policy = read_policy(POLICY.encode())
    assert policy.rule("prod").approvals == 2
    assert policy.rule("staging").expires == 7200
    assert policy.emergency.limit == 3600
    assert policy.people("oncall") == {"bob@example.com", "dan@example.com"}


def test_what_is_not_said_has_a_default_for_each_tier():
    policy = read_policy(HEAD.encode())
    told = {
        tier: (policy.rule(tier).approvals, policy.rule(tier).by_rule) for tier in ("local", "dev", "staging", "prod")
    }
    assert told == {"local": (0, False), "dev": (0, False), "staging": (1, True), "prod": (1, False)}
    assert policy.rule("prod").high_needs == 2
    assert policy.signers == ".grayling/allowed_signers"
    assert policy.emergency is None


def test_a_tier_that_says_little_keeps_the_rest_of_its_default():
    rule = read_policy(f"{HEAD}tiers: {{prod: {{expires: 8h}}}}\n".encode()).rule("prod")
    assert (rule.approvals, rule.high_needs, rule.expires) == (1, 2, 28800)


def test_case_of_addresses_does_not_count():
    assert read_policy(HEAD.replace("ann@x.io", "Ann@X.io").encode()).people("reviewers") == {"ann@x.io", "bob@x.io"}


WRONG = [
    ("", "is no map"),
    ("groups: {}\n", "schema: is required"),
    (HEAD.replace("/1", "/2"), ":1: schema: is none of grayling.policy/1 (found 'grayling.policy/2')"),
    (HEAD + "tiers: {prd: {}}\n", ":3: tiers.prd"),
    (
        HEAD + "tiers:\n  prod: {approval: 1}\n",
        ":4: tiers.prod.approval: no such key (found 1); did you mean 'approvals'",
    ),
    (HEAD + "tiers: {prod: {approvals: -1}}\n", "tiers.prod.approvals: is too little (found -1); at least 0"),
    (HEAD + "tiers: {prod: {expires: soon}}\n", "tiers.prod.expires: is no duration"),
    (
        HEAD + "tiers: {prod: {group: nobody}}\n",
        "tiers.prod: asks for group 'nobody', which is not there; add groups.nobody",
    ),
    (HEAD + "tiers: {prod: {highNeeds: 3}}\n", "tiers.prod: needs 3 people of groups.reviewers, which has 2; add some"),
    (HEAD + "emergency: {group: reviewers, people: 1}\n", "emergency.people: is too little (found 1); at least 2"),
    (HEAD + "emergency: {group: oncall}\n", "emergency: asks for group 'oncall'"),
    (HEAD + "emergency: {group: reviewers, judge: off}\n", "emergency.judge: no such key"),
    (HEAD + "volatile: [grayling:services.a.port]\n", "is no image of a service or component"),
    (HEAD + "signers: ../keys\n", "signers: leads out of the project"),
    (HEAD.replace("ann@x.io", "'*@x.io'"), "is no e-mail address"),
    (HEAD + "identities: {github: {ann: ann}}\n", "identities.github.ann: is no e-mail address"),
    (HEAD + "more: 1\n", ":3: more: no such key"),
    (HEAD + "prices: {cpu: much}\n", "prices.cpu"),
    (HEAD + "prices: {cores: 1}\n", "prices.cores: no such key"),
    (HEAD + "prices: {currency: Euro}\n", "prices.currency"),
    (
        HEAD + "waivers: [{rule: no-such, object: Service a/b, reason: it is long gone, until: '2026-12-01', by: a}]\n",
        "no rule",
    ),
    (
        HEAD + "waivers: [{rule: storage-grown, object: '*', reason: it is long gone, until: '2026-12-01', by: a}]\n",
        "every object",
    ),
    (HEAD + "waivers: [{rule: storage-grown, object: Pod a/b, until: '2026-12-01', by: a}]\n", "reason: is required"),
    (HEAD + "tiers: [\n", "review.yaml"),
    ("schema: grayling.policy/1\n", "asks for group 'reviewers'"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_what_is_wrong_is_named(text, words):
    with pytest.raises(StackError) as caught:
        read_policy(text.encode())
    assert str(caught.value).startswith(".grayling/review.yaml")
    assert words in str(caught.value)
