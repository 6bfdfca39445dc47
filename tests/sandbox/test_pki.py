import base64
import datetime as dt
import ssl
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from sandbox import kubeconfig, pki

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def made(tmp_path: Path, address: str = "10.201.0.2") -> Path:
    folder = tmp_path / "pki"
    pki.write(folder, pki.leaves("node", address, "10.96.0.1"), NOW)
    return folder


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_the_api_server_is_valid_for_every_name_it_is_called_by(tmp_path: Path) -> None:
    names = certificate(made(tmp_path) / "apiserver.crt").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    found = {str(name) for name in names.value.get_values_for_type(x509.IPAddress)}
    assert found == {"127.0.0.1", "10.201.0.2", "10.96.0.1"}
    assert "kubernetes.default.svc" in names.value.get_values_for_type(x509.DNSName)


def test_every_leaf_is_signed_by_its_authority(tmp_path: Path) -> None:
    folder = made(tmp_path)
    for leaf in pki.leaves("node", "10.201.0.2", "10.96.0.1"):
        certificate(folder / f"{leaf.file}.crt").verify_directly_issued_by(
            certificate(folder / f"{leaf.authority}.crt")
        )


def test_the_kubelet_is_a_node_to_the_authorizer(tmp_path: Path) -> None:
    subject = certificate(made(tmp_path) / "kubelet.crt").subject
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "system:node:node"
    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:nodes"


def test_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    keys = list(made(tmp_path).glob("*.key"))
    assert len(keys) == 11
    assert all(key.stat().st_mode & 0o077 == 0 for key in keys)


def test_a_new_address_keeps_authorities_and_account_key(tmp_path: Path) -> None:
    folder = made(tmp_path)
    kept = {name: (folder / name).read_bytes() for name in ("ca.crt", "front-proxy-ca.crt", "service-account.key")}
    leaf = (folder / "apiserver.crt").read_bytes()
    made(tmp_path, "10.201.0.6")
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    assert (folder / "apiserver.crt").read_bytes() != leaf


def test_a_kubeconfig_has_one_context_and_carries_its_certificates(tmp_path: Path) -> None:
    folder = made(tmp_path)
    path = tmp_path / "kubeconfig"
    kubeconfig.write(path, "grayling-x", "https://10.201.0.2:6443", folder, "admin")
    document = yaml.safe_load(path.read_text())
    assert document["current-context"] == "grayling-x"
    assert document["clusters"][0]["cluster"]["server"] == "https://10.201.0.2:6443"
    user = document["users"][0]["user"]
    assert base64.b64decode(user["client-certificate-data"]) == (folder / "admin.crt").read_bytes()
    assert path.stat().st_mode & 0o077 == 0


def test_the_standard_library_accepts_key_and_certificate(tmp_path: Path) -> None:
    folder = made(tmp_path)
    context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
    context.load_cert_chain(folder / "admin.crt", folder / "admin.key")
