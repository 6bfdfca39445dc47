"""Runs inside a pod of a service: gets tokens as the binding says, and tries what must be refused."""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

ISSUER, TOKENS, KEYS = (os.environ[f"OIDC_{each}"] for each in ("ISSUER", "TOKEN_URL", "JWKS_URL"))
CLIENT, SECRET = os.environ["OIDC_CLIENT_ID"], os.environ["OIDC_CLIENT_SECRET"]
CONTEXT = ssl.create_default_context(cafile=os.environ["KEYCLOAK_CA_FILE"])
STOP = Path("/tmp/stop")  # noqa: S108 - in the pod


def ask(url, form=None, context=CONTEXT):
    """Status and body of an answer."""
    data = urllib.parse.urlencode(form).encode() if form else None
    try:
        with urllib.request.urlopen(url, data=data, timeout=20, context=context) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


def token(secret=SECRET, client=CLIENT, url=TOKENS, context=CONTEXT):
    """Status and token for client credentials."""
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": secret}
    status, said = ask(url, form, context)
    return status, said["access_token"] if status == 200 else None


def refused(act):
    """What came of it, in a word."""
    try:
        return act()[0]
    except urllib.error.URLError as error:
        return type(error.reason).__name__
    except OSError as error:
        return type(error).__name__


def protocol(version):
    """Whether it is spoken."""
    old = ssl.create_default_context(cafile=os.environ["KEYCLOAK_CA_FILE"])
    old.minimum_version = old.maximum_version = version
    return refused(lambda: token(context=old))


def tried():
    """What the right client gets, and what the wrong ones are told."""
    plain = TOKENS.replace("https:", "http:", 1)
    return {
        "right": refused(token),
        "TLS 1.3": protocol(ssl.TLSVersion.TLSv1_3),
        "TLS 1.2": protocol(ssl.TLSVersion.TLSv1_2),
        "wrong secret": refused(lambda: token("wrong")),
        "unknown client": refused(lambda: token(client="nobody")),
        "unknown authority": refused(lambda: token(context=ssl.create_default_context())),
        "plain": refused(lambda: token(url=plain)),
        "administration": refused(lambda: ask(ISSUER.replace("/realms/", "/admin/realms/"))),
    }


def had():
    """A token, the keys that it is checked with, and what the binding says of the issuer."""
    return {"token": token()[1], "keys": ask(KEYS)[1], "issuer": ISSUER, "client": CLIENT}


def through(url):
    """What a gateway says to those with the right token, with none, and with one that was changed."""
    right = token()[1]
    head, body, signature = right.split(".")
    tried = {"right": right, "none": "", "changed": f"{head}.{body[:-4]}AAAA.{signature}", "none at all": "x"}
    return {name: shown(url, each) for name, each in tried.items()}


def shown(url, bearer):
    """Status of one answer."""
    made = urllib.request.Request(url, headers={"Authorization": f"Bearer {bearer}"} if bearer else {})
    try:
        with urllib.request.urlopen(made, timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def known(client):
    """Whether there is such a client: one with a wrong secret is told so in other words than one that is not there."""
    form = {"grant_type": "client_credentials", "client_id": client, "client_secret": "wrong"}
    return json.loads(ask(TOKENS, form)[1])["error"] == "unauthorized_client"


def wrong(count):
    """So many tries with a wrong secret; how many were let in."""
    return sum(token("wrong")[0] == 200 for _ in range(count))


def loaded():
    """Tokens until it is told to stop: how many, and what was said instead of one; who is not there is asked again."""
    STOP.unlink(missing_ok=True)
    count, others, longest = 0, {}, 0.0
    while not STOP.exists():
        began = time.monotonic()
        while (said := refused(token)) != 200:
            others[str(said)] = others.get(str(said), 0) + 1
            time.sleep(0.1)
        count, longest = count + 1, max(longest, time.monotonic() - began)
    return {"count": count, "others": others, "longest": longest}


def stop():
    """Ends the load."""
    STOP.touch()


if __name__ == "__main__":
    sys.stdout.write(json.dumps(globals()[sys.argv[1]](*json.loads(sys.argv[2]))))
