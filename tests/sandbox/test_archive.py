import contextlib
import io
import json
import tarfile
from pathlib import Path

from sandbox import archive
from sandbox.layers import Entry, LayerStore, contents_key, tree, write_files


def layer(folder: Path, name: str, content: str) -> archive.Layer:
    source = folder / f"{name}.txt"
    source.write_text(content)
    target = folder / f"{name}.tar"
    write_files(target, [Entry(source, f"opt/{name}.txt")])
    return archive.layer_of(target)


def written(images: list[archive.Image], present: frozenset[str] = frozenset()) -> dict[str, bytes]:
    sink = io.BytesIO()
    archive.write(images, sink, present)
    sink.seek(0)
    with tarfile.open(fileobj=sink) as found:
        return {entry.name: found.extractfile(entry).read() for entry in found}  # type: ignore[union-attr]


def test_an_archive_is_an_oci_layout_whose_digests_are_true(tmp_path: Path) -> None:
    shared, own = layer(tmp_path, "shared", "1"), layer(tmp_path, "own", "2")
    images = [archive.Image("a.dev/x:1", (shared,), ("/x",)), archive.Image("a.dev/y:1", (shared, own), ("/y",))]
    files = written(images)
    index = json.loads(files["index.json"])
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    assert [one["annotations"]["io.containerd.image.name"] for one in index["manifests"]] == ["a.dev/x:1", "a.dev/y:1"]
    for name, content in files.items():
        if name.startswith("blobs/"):
            assert archive.digest(content) == name.removeprefix("blobs/").replace("/", ":")
    assert [one["digest"] for one in index["manifests"]] == [image.digest() for image in images]


def test_a_shared_layer_is_written_once_and_a_present_one_not_at_all(tmp_path: Path) -> None:
    shared, own = layer(tmp_path, "shared", "1"), layer(tmp_path, "own", "2")
    images = [archive.Image(f"a.dev/x:{tag}", (shared, own), ("/x",), {"TAG": str(tag)}) for tag in range(3)]
    names = list(written(images))
    assert len(names) == len(set(names))
    without = written(images, frozenset({shared.digest}))
    assert f"blobs/{shared.digest.replace(':', '/')}" not in without
    assert f"blobs/{own.digest.replace(':', '/')}" in without


def test_the_configuration_says_how_the_image_is_run(tmp_path: Path) -> None:
    image = archive.Image("a.dev/x:1", (layer(tmp_path, "l", "1"),), ("/x",), {"B": "2", "A": "1"})
    config = json.loads(image.config())["config"]
    assert config == {"User": "65532:65532", "WorkingDir": "/", "Env": ["A=1", "B=2"], "Entrypoint": ["/x"]}


def test_the_same_files_give_the_same_digest_wherever_they_lie(tmp_path: Path) -> None:
    digests = set()
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        digests.add(layer(tmp_path / place, "same", "content").digest)
    assert len(digests) == 1


def test_files_of_a_layer_belong_to_root_and_folders_come_first(tmp_path: Path) -> None:
    path = layer(tmp_path, "l", "1").path
    with tarfile.open(path) as found:
        entries = found.getmembers()
    assert [entry.name for entry in entries] == ["opt", "opt/l.txt"]
    assert all(entry.uid == 0 and entry.mtime == 0 for entry in entries)
    assert entries[1].mode == 0o644


def test_a_tree_leaves_caches_out_and_its_key_follows_contents(tmp_path: Path) -> None:
    package = tmp_path / "package"
    (package / "__pycache__").mkdir(parents=True)
    (package / "__pycache__" / "a.pyc").write_text("x")
    (package / "a.py").write_text("one")
    entries = tree(package, "opt")
    assert [entry.target for entry in entries] == ["opt/package/a.py"]
    before = contents_key(entries)
    (package / "a.py").write_text("two")
    assert contents_key(entries) != before


def test_a_layer_is_made_once_and_old_ones_are_forgotten(tmp_path: Path) -> None:
    store, calls = LayerStore(tmp_path / "layers"), []

    def fill(path: Path) -> None:
        calls.append(path)
        write_files(path, [Entry(Path(__file__), f"opt/{len(calls)}")])

    first = store.make("x", "0" * 12, fill)
    assert store.make("x", "0" * 12, fill) == first
    assert len(calls) == 1
    for number in range(1, 6):
        store.make("x", str(number) * 12, fill)
    assert len(list((tmp_path / "layers").glob("*.tar"))) == 3
    assert store.get("x", "5" * 12) is not None


def test_a_layer_that_failed_leaves_nothing(tmp_path: Path) -> None:
    store = LayerStore(tmp_path)

    def fail(path: Path) -> None:
        path.write_text("half")
        raise OSError

    with contextlib.suppress(OSError):
        store.make("x", "0" * 12, fail)
    assert list(tmp_path.iterdir()) == []
