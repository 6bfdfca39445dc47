"""One comment on a change: made once, edited in place, never somebody else's; against stand-ins for the hosts."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import pytest
from aiohttp import web

from kube.errors import UsageError
from review.ci.errors import HostError
from review.ci.forge import connected, keep
from review.ci.github import GitHub
from review.ci.gitlab import GitLab
from tests.review.ci.host import TOKEN, StandIn, github, gitlab

MARK = "<!-- grayling: prod -->"
BODY = f"{MARK}\n1 to update"
HOSTS = [pytest.param(github, GitHub, id="github"), pytest.param(gitlab, GitLab, id="gitlab")]


class Pauses(list):
    """How long was waited between tries."""

    async def __call__(self, seconds):
        self.append(seconds)


async def kept(serving, kind, stand_in, body=BODY, pauses=None, number=None):
    async with serving(stand_in) as variables, connected() as session:
        sleep = Pauses() if pauses is None else pauses
        return await keep(kind.of(variables, session, number), MARK, body, sleep)


def bodies(stand_in):
    return [each["body"] for each in stand_in.comments]


@pytest.mark.parametrize(("serving", "kind"), HOSTS)
async def test_the_first_report_makes_a_comment_and_the_next_ones_edit_it(serving, kind):
    host = StandIn()
    assert await kept(serving, kind, host) == "created"
    assert await kept(serving, kind, host) == "unchanged"
    assert await kept(serving, kind, host, f"{MARK}\nnothing to do") == "edited"
    assert bodies(host) == [f"{MARK}\nnothing to do"]


@pytest.mark.parametrize(("serving", "kind"), HOSTS)
async def test_it_is_found_behind_pages_of_what_others_say(serving, kind):
    host = StandIn(me="project_1_bot" if serving is gitlab else "github-actions[bot]")
    for _ in range(5):
        host.add("somebody", "hm")
    host.add(host.me, f"{MARK}\nold")
    assert await kept(serving, kind, host) == "edited"
    assert bodies(host) == ["hm"] * 5 + [BODY]


@pytest.mark.parametrize(("serving", "kind"), HOSTS)
async def test_a_comment_of_somebody_else_is_never_written_whatever_it_says(serving, kind):
    host = StandIn()
    host.add("mallory", f"{MARK}\nno risks at all")
    assert await kept(serving, kind, host) == "created"
    assert bodies(host) == [f"{MARK}\nno risks at all", BODY]


@pytest.mark.parametrize(("serving", "kind"), HOSTS)
async def test_a_mark_that_is_only_quoted_or_of_another_stack_is_not_ours_to_write(serving, kind):
    host = StandIn(me="project_1_bot" if serving is gitlab else "github-actions[bot]")
    host.add(host.me, "<!-- grayling: dev -->\nof dev")
    host.add(host.me, f"see\n{MARK}")
    assert await kept(serving, kind, host) == "created"
    assert len(host.comments) == 3


@pytest.mark.parametrize(("serving", "kind"), HOSTS)
async def test_two_that_came_at_once_become_one(serving, kind):
    host = StandIn(me="project_1_bot" if serving is gitlab else "github-actions[bot]")
    host.add(host.me, f"{MARK}\none")
    host.add(host.me, f"{MARK}\ntwo")
    assert await kept(serving, kind, host) == "edited"
    assert bodies(host) == [BODY]


@pytest.mark.parametrize(("serving", "kind"), HOSTS)
async def test_an_answer_that_got_lost_makes_no_second_comment(serving, kind):
    host, pauses = StandIn(lost=1), Pauses()
    assert await kept(serving, kind, host, pauses=pauses) == "unchanged"
    assert bodies(host) == [BODY]
    assert pauses == [1.0]


@pytest.mark.parametrize(("serving", "kind"), HOSTS)
async def test_a_host_that_is_busy_is_asked_again_when_it_says(serving, kind):
    limited = {"message": "You have exceeded a secondary rate limit."}
    faults = [
        web.Response(status=503),
        web.json_response(limited, status=403, headers={"retry-after": "7"}),
        web.json_response(limited, status=403),
        web.json_response({}, status=429, headers={"retry-after": "100000"}),
        web.json_response({}, status=403, headers={"x-ratelimit-remaining": "0"}),
    ]
    host, pauses = StandIn(faults=faults), Pauses()
    assert await kept(serving, kind, host, pauses=pauses) == "created"
    assert pauses == [1.0, 7.0, 4.0, 60.0, 16.0]


@pytest.mark.parametrize(("serving", "kind"), HOSTS)
async def test_a_host_that_stays_down_is_an_error_after_six_tries(serving, kind):
    host = StandIn(faults=[web.Response(status=500, text="oh  no\n") for _ in range(6)])
    with pytest.raises(HostError, match=r"GET .*/user: HTTP 500: oh no; tried 6 times: run the job again later"):
        await kept(serving, kind, host)
    assert not host.comments


@pytest.mark.parametrize(("serving", "kind"), HOSTS)
async def test_a_page_that_is_no_json_is_no_answer(serving, kind):
    host = StandIn(faults=[web.Response(text="<html>log in</html>", content_type="text/html")])
    assert await kept(serving, kind, host) == "created"
    host = StandIn(faults=[web.Response(text="{", content_type="application/json")])
    assert await kept(serving, kind, host) == "created"


async def test_an_answer_of_another_shape_is_told():
    host = StandIn(faults=[None, web.json_response({"message": "moved"})])
    with pytest.raises(HostError, match="the answer is no list: is the address that of the host's API"):
        await kept(github, GitHub, host)


async def test_a_host_that_moved_is_not_followed_with_the_token():
    host = StandIn(faults=[web.Response(status=301, headers={"Location": "http://127.0.0.1:9/"})])
    with pytest.raises(HostError, match="HTTP 301"):
        await kept(github, GitHub, host)


async def test_the_token_is_not_sent_to_a_next_page_elsewhere():
    away = web.json_response([], headers={"Link": '<http://127.0.0.2:9/x>; rel="next"'})
    with pytest.raises(HostError, match="the token is not sent there"):
        await kept(github, GitHub, StandIn(faults=[None, away]))


@pytest.mark.parametrize(
    ("serving", "kind", "needs"),
    [(github, GitHub, "pull-requests: write"), (gitlab, GitLab, "scope api")],
)
async def test_a_token_that_may_not_says_what_it_needs(serving, kind, needs):
    host = StandIn(faults=[None, None, web.json_response({"message": "Resource not accessible"}, status=403)])
    with pytest.raises(HostError, match=needs):
        await kept(serving, kind, host)


async def test_an_account_of_its_own_is_asked_for_or_told():
    host = StandIn(me="release-bot", asks_who=True)
    host.add("release-bot", f"{MARK}\nold")
    assert await kept(github, GitHub, host) == "edited"
    async with github(StandIn(me="app[bot]")) as variables, connected() as session:
        forge = GitHub.of({**variables, "GRAYLING_COMMENT_AUTHOR": "app[bot]"}, session, None)
        assert await forge.account() == "app[bot]"


@pytest.mark.parametrize(
    ("serving", "kind", "without", "message"),
    [
        (github, GitHub, "GITHUB_TOKEN", "the environment has no GITHUB_TOKEN: give the step"),
        (github, GitHub, "GITHUB_REPOSITORY", "no GITHUB_REPOSITORY: write OWNER/NAME"),
        (github, GitHub, "GITHUB_REF", "GITHUB_REF of the environment does not say: give --number N"),
        (gitlab, GitLab, "GITLAB_TOKEN", "the environment has no GITLAB_TOKEN: make a project access token"),
        (gitlab, GitLab, "CI_API_V4_URL", "no CI_API_V4_URL"),
        (gitlab, GitLab, "CI_PROJECT_ID", "no CI_PROJECT_ID"),
        (gitlab, GitLab, "CI_MERGE_REQUEST_IID", "CI_MERGE_REQUEST_IID of the environment does not say"),
    ],
)
async def test_a_variable_that_is_missing_is_named(serving, kind, without, message):
    async with serving(StandIn()) as variables, connected() as session:
        del variables[without]
        with pytest.raises(UsageError, match=message):
            kind.of(variables, session, None)


@pytest.mark.parametrize("value", ["shop", "https://github.example.com/acme/shop", TOKEN + " x"])
async def test_a_variable_that_is_wrong_is_named_and_not_shown(value):
    async with github(StandIn()) as variables, connected() as session:
        with pytest.raises(UsageError, match="GITHUB_REPOSITORY of the environment is not what it should be") as told:
            GitHub.of({**variables, "GITHUB_REPOSITORY": value}, session, None)
        assert value not in str(told.value)


async def commanded(variables, *arguments, text="1 to update\n", folder):
    report = folder / "report.md"
    report.write_text(text)
    argv = [sys.executable, "-m", "grayling", "ci", "comment", "--file", str(report), "--marker", "prod", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("GITHUB_", "GITLAB_", "CI_"))}
    run = lambda: subprocess.run(  # noqa: E731 - for the thread
        argv, env={**environment, **variables}, capture_output=True, text=True, check=False
    )
    return await asyncio.to_thread(run)


async def test_the_command_says_what_it_did_and_no_token(tmp_path):
    host = StandIn()
    async with github(host) as variables:
        done = await commanded(variables, "--host", "github", folder=tmp_path)
        other = await commanded({**variables, "GITHUB_REF": ""}, "--host", "github", "--number", "7", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, "comment created: prod\n")
    assert (other.returncode, other.stdout) == (0, "comment unchanged: prod\n")
    assert bodies(host) == [BODY]
    assert TOKEN not in done.stdout + done.stderr


async def test_a_wrong_token_ends_with_one_and_is_not_told(tmp_path):
    async with gitlab(StandIn()) as variables:
        done = await commanded({**variables, "GITLAB_TOKEN": "wrong-and-secret"}, "--host", "gitlab", folder=tmp_path)
    assert done.returncode == 1
    assert "HTTP 401" in done.stderr
    assert "Traceback" not in done.stderr
    assert "wrong-and-secret" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("x" * 65_536, 1, "65560 characters with the mark, and github takes 65536: write the report with"),
        ("\N{PARTY POPPER}" * 32_760, 1, "65544 characters"),
        ("  \n", 2, "it is empty: give a report"),
    ],
)
async def test_a_report_that_no_comment_can_hold_is_refused(text, code, message, tmp_path):
    host = StandIn()
    async with github(host) as variables:
        done = await commanded(variables, "--host", "github", text=text, folder=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert not host.seen


async def test_a_file_or_a_mark_that_cannot_be_is_refused(tmp_path):
    async with github(StandIn()) as variables:
        gone = await commanded(variables, "--host", "github", "--file", str(tmp_path / "gone.md"), folder=tmp_path)
        odd = await commanded(variables, "--host", "github", "--marker", "a --> b", folder=tmp_path)
    assert (gone.returncode, odd.returncode) == (2, 2)
    assert "No such file or directory: give a report in UTF-8" in gone.stderr
    assert "write a name of letters, digits, - and ." in odd.stderr
