"""A private PKI that several processes may make at once, and lists of roots that say what they are for."""

from __future__ import annotations

import datetime as dt
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from provenance import keys as pki
from provenance.keys import CLAIM_SIGNING, KeysError, Purpose, Trust, TrustList, development

REPOSITORY = Path(__file__).parents[2]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_first_use_makes_keys_that_only_their_owner_can_read(home: Path) -> None:
    made = development(home)
    assert mode(made.folder) == 0o700
    assert {path.name: mode(path) for path in made.folder.iterdir()} == {
        "root.pem": 0o644,
        "authority.pem": 0o600,
        "generator.pem": 0o600,
        "gateway.pem": 0o600,
    }


def test_second_use_finds_the_same_keys(home: Path) -> None:
    first, second = development(home).identity("generator"), development(home).identity("generator")
    assert (first.chain_pem, first.key_pem) == (second.chain_pem, second.key_pem)


def test_a_leaf_is_what_c2pa_asks_of_a_signer(home: Path) -> None:
    leaf, middle = x509.load_pem_x509_certificates(development(home).identity("gateway").chain_pem)
    usages = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert CLAIM_SIGNING in [usage.dotted_string for usage in usages]
    assert leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= dt.timedelta(days=366)
    leaf.verify_directly_issued_by(middle)


def test_roles_have_their_own_keys_under_one_root(home: Path) -> None:
    made = development(home)
    assert made.identity("generator").key_pem != made.identity("gateway").key_pem
    with pytest.raises(KeysError, match="roles are generator and gateway"):
        made.identity("gatewya")


def test_a_key_is_not_shown_when_an_identity_is_printed(home: Path) -> None:
    assert "PRIVATE" not in repr(development(home).identity("generator"))


def test_a_leaf_near_its_end_is_renewed_under_the_same_root(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = development(home)
    root = made.root_path.read_bytes()
    old = made.identity("generator").chain_pem
    monkeypatch.setattr(pki, "RENEW_DAYS", pki.LEAF_DAYS)
    with pytest.raises(pki._Due):
        pki._identity(made.folder / "generator.pem", made._root(), "generator")
    monkeypatch.setattr(pki, "RENEW_DAYS", pki.LEAF_DAYS - 2)
    (made.folder / "generator.pem").unlink()
    new = made.identity("generator").chain_pem
    assert new != old
    assert made.root_path.read_bytes() == root
    leaf, middle = x509.load_pem_x509_certificates(new)
    leaf.verify_directly_issued_by(middle)
    middle.verify_directly_issued_by(x509.load_pem_x509_certificate(root))


def test_several_processes_on_an_empty_home_agree_on_one_root(home: Path) -> None:
    program = (
        "import sys, hashlib, pathlib; from provenance.keys import development;"
        "made = development(pathlib.Path(sys.argv[1]));"
        "print(hashlib.sha256(made.identity('generator').chain_pem + made.root_path.read_bytes()).hexdigest())"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", program, str(home)], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
        for _ in range(4)
    ]
    answers = {process.communicate(timeout=60)[0] for process in started}
    assert [process.returncode for process in started] == [0, 0, 0, 0]
    assert len(answers) == 1
    assert [path.name for path in home.iterdir() if path.name.startswith(".keys-")] == []


@pytest.mark.parametrize("name", ["root.pem", "generator.pem", "authority.pem"])
def test_a_damaged_file_is_named_with_what_to_do(home: Path, name: str) -> None:
    made = development(home)
    path = made.folder / name
    path.write_bytes(path.read_bytes()[:200])
    if name == "authority.pem":
        (made.folder / "generator.pem").unlink()  # makes the authority be needed
    with pytest.raises(KeysError, match=rf"{name}: .*Restore the folder"):
        development(home).identity("generator")


def test_a_key_that_does_not_belong_to_its_certificate_is_refused(home: Path) -> None:
    made = development(home)
    one, other = made.folder / "generator.pem", made.folder / "gateway.pem"
    key = one.read_bytes().partition(b"-----BEGIN CERTIFICATE")[0]
    chain = other.read_bytes().partition(b"-----BEGIN CERTIFICATE")
    one.write_bytes(key + chain[1] + chain[2])
    with pytest.raises(KeysError, match="do not belong together"):
        made.identity("generator")
    assert made.identity("gateway").role == "gateway"


def test_a_key_of_another_root_is_refused(home: Path, tmp_path: Path) -> None:
    made, stranger = development(home), development(tmp_path / "other")
    (made.folder / "generator.pem").write_bytes((stranger.folder / "generator.pem").read_bytes())
    with pytest.raises(KeysError, match=r"do not lead to root\.pem"):
        made.identity("generator")


def test_a_key_that_others_can_read_is_refused(home: Path) -> None:
    made = development(home)
    (made.folder / "generator.pem").chmod(0o644)
    with pytest.raises(KeysError, match="chmod 600"):
        made.identity("generator")
    (made.folder / "generator.pem").chmod(0o600)
    assert made.identity("generator").alg == "es256"


def test_a_home_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("x")
    with pytest.raises(KeysError, match="name a data folder"):
        development(tmp_path / "home")


def test_trust_grows_by_a_pem_file(home: Path) -> None:
    root = development(home).root_path
    one = Trust().with_pem(root)
    assert one.with_pem(root) == one
    assert len(one.lists) == 1
    assert one.lists[0].uri.startswith("urn:dramagate:file:root:")
    assert one.uris(Purpose.MANIFEST) == {one.lists[0].uri}
    assert one.uris(Purpose.TSA) == frozenset()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello", "holds no certificate"),
        (b"\xff\x00", "is not PEM text"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be parsed"),
    ],
)
def test_a_pem_file_without_certificates_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "roots.pem"
    path.write_bytes(content)
    with pytest.raises(KeysError, match=rf"roots\.pem: .*{said}"):
        Trust().with_pem(path)


def test_a_missing_pem_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeysError, match=r"none\.pem: cannot be read"):
        Trust().with_pem(tmp_path / "none.pem")


def test_one_uri_cannot_vouch_for_two_things(home: Path) -> None:
    pem = development(home).root_path.read_text("ascii")
    with pytest.raises(KeysError, match="give it two URIs"):
        Trust((TrustList("urn:x:a", pem), TrustList("urn:x:a", pem, Purpose.TSA)))
    assert Trust((TrustList("urn:x:a", pem), TrustList("urn:x:b", pem, Purpose.TSA))).uris(Purpose.TSA) == {"urn:x:b"}


@pytest.mark.parametrize("uri", ["", "no uri", "urn:a]b", "a b:c"])
def test_a_list_needs_a_uri_that_reports_can_name(home: Path, uri: str) -> None:
    with pytest.raises(KeysError, match="is not a URI"):
        TrustList(uri, development(home).root_path.read_text("ascii"))


def test_key_usages_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "store.cfg"
    path.write_text("//email\n1.3.6.1.5.5.7.3.4 \n\n1.2.3.4 # mine\n")
    assert Trust().with_ekus(path).ekus == (*Trust().ekus, "1.2.3.4")
    path.write_text("1.2.3.4\nemail\n")
    with pytest.raises(KeysError, match="line 2: 'email' is not a dotted OID"):
        Trust().with_ekus(path)
