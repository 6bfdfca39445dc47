"""A team at one project under git: people with keys, a policy, a cluster, and what the command line says to each."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grayling
from terminal.exits import Session, run
from tests.components.person import Result

if TYPE_CHECKING:
    from pathlib import Path

    from tests.components.person import Person

ANN, BOB, CAT, DAN, EVE = (f"{name}@example.com" for name in ("ann", "bob", "cat", "dan", "eve"))
POLICY = """\
schema: grayling.policy/1
groups:
  reviewers: [ann@example.com, bob@example.com, dan@example.com, cat@example.com]
  oncall: [bob@example.com, dan@example.com]
tiers:
  staging: {approvals: 1, group: reviewers, highNeeds: 1, byRule: false, expires: 2h, offline: true}
  prod: {approvals: 2, group: reviewers, highNeeds: 2}
emergency: {group: oncall, people: 2, limit: 1h}
volatile: [grayling:services.checkout.image]
policy: {mandatory: [house-image-moves]}
"""
STACK = """\
config:
  grayling:environment: {tier: staging, namespace: shop, owners: [a], engine: {namespace: platform}}
  grayling:components:
    redis: {image: 'registry.example.com/redis:7.0', storage: 1Gi}
"""
IGNORED = "kubeconfig*\nkeys/\n"


@dataclass
class Team:
    """The project at ``project``; everybody's key is in ``keys``."""

    person: Person
    keys: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def project(self) -> Path:
        return self.person.project

    @property
    def file(self) -> str:
        return str(self.project / "stacks" / "Pulumi.shop.yaml")

    def key(self, who: str, kind: str = "ed25519") -> Path:
        path = self.keys / f"{who}-{kind}"
        if not path.exists():
            size = ["-b", "2048"] if kind == "rsa" else []
            subprocess.run(["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", who, "-f", str(path)], check=True)
        return path

    def signers(self, *people: str, options: str = "") -> str:
        lines = []
        for who in people:
            kind, blob, *_ = self.key(who).with_name(f"{self.key(who).name}.pub").read_text().split()
            lines.append(" ".join(filter(None, [who, options, kind, blob])))
        return "\n".join(lines) + "\n"

    def write(self, name: str, text: str) -> None:
        path = self.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def git(self, *arguments: str, who: str = CAT, **more: str) -> str:
        named = {f"GIT_{role}_{what}": who for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        environment = {**os.environ, **named, **more, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        done = subprocess.run(
            ["git", "-C", str(self.project), *arguments], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, message: str = "change", who: str = CAT, **more: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, who=who, **more)
        return self.git("rev-parse", "HEAD")

    def begin(self, policy: str = POLICY, stack: str = STACK) -> None:
        """The protected branch as it is before any change, and a branch of its own for one."""
        self.write(".gitignore", IGNORED)
        self.write(".grayling/review.yaml", policy)
        self.write(".grayling/allowed_signers", self.signers(ANN, BOB, CAT, DAN))
        self.write("stacks/Pulumi.shop.yaml", stack)
        self.git("init", "-q", "-b", "main")
        self.commit("begin")
        self.git("checkout", "-q", "-b", "change")

    def change(self, old: str = "redis:7.0", new: str = "redis:7.1", who: str = CAT) -> str:
        """Edit the stack file, and commit it."""
        path = self.project / "stacks" / "Pulumi.shop.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        return self.commit(who=who)

    def run(self, *arguments: str) -> Result:
        session = Session(gate=grayling.gate)
        try:
            code = run(grayling.cli, [*arguments], prog_name="grayling", session=session)
        except SystemExit as end:
            code = end.code or 0
        said = self.person.capsys.readouterr()
        return Result(int(code), said.out, said.err)

    def review(self, verb: str, *more: str, live: bool = True) -> Result:
        place = ["--kubeconfig", self.person.kubeconfig] if live else ["--offline"]
        return self.run("review", verb, self.file, *place, *more)

    def verdict(self, *more: str, live: bool = True) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.review("verify", "-o", "json", *more, live=live).out)
        return found

    def approve(self, who: str, *more: str, digest: str = "", live: bool = True) -> Result:
        digest = digest or self.verdict(live=live)["digest"]
        key = str(self.key(who))
        return self.review("approve", "--digest", digest, "--key", key, "--as", who, *more, live=live)

    def revoke(self, who: str, digest: str, *more: str, live: bool = False) -> Result:
        key = str(self.key(who))
        place = ["--kubeconfig", self.person.kubeconfig] if live else []
        command = ["review", "revoke", self.file, "--digest", digest, "--key", key, "--as", who, "--reason", "no"]
        return self.run(*command, *place, *more)

    def apply(self, *more: str) -> Result:
        place = ["--kubeconfig", self.person.kubeconfig, "--yes", "--timeout", "0"]
        return self.run("stack", "apply", self.file, *place, *more)

    def letters(self) -> list[Path]:
        return sorted((self.project / ".grayling" / "approvals").rglob("*.json"))
