"""Who signs, and whom we believe: a private development PKI, made on first use, and the lists of trusted roots.

    home/keys/                0700
        root.pem              the root certificate: the one file to hand to others
        authority.pem  0600   root key, intermediate key and certificate
        generator.pem  0600   leaf key and certificate of the role that makes files
        gateway.pem    0600   leaf key and certificate of the role that releases them

Every file is written beside its place and renamed, under one lock, so that any number of processes may
start at once on an empty home. A production installation brings its own chain instead: an `Identity` is
no more than a chain, a key and an algorithm.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from provenance.failure import ConfigError

ROLES = ("generator", "gateway")

DEVELOPMENT_URI = "urn:dramagate:development"
"""How reports name the list that holds this machine's own development root."""

CLAIM_SIGNING = "1.3.6.1.4.1.62558.2.1"
DEFAULT_EKUS = (CLAIM_SIGNING, "1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.36", "1.3.6.1.4.1.311.76.59.1.9")
"""What a signer's certificate may be for: c2pa-kp-claimSigning, emailProtection, documentSigning, Microsoft C2PA
signing. Without an explicit list c2pa-rs 0.91.3 accepts emailProtection alone (measured 2026-11-20)."""

LEAF_DAYS = 365
"""Life of a leaf, backdated day included. Source: C2PA conformance programme v0.2 allows at most 366 days."""
RENEW_DAYS = 180
"""A leaf with less life than this left is replaced. A seal without a trusted time-stamp dies with its leaf,
so every seal we make lives half a year at least."""
AUTHORITY_DAYS = 3650


class KeysError(ConfigError):
    """The keys cannot be used or made. The message says which file, what is wrong and what to do."""


class Purpose(StrEnum):
    """What a list of roots may vouch for."""

    MANIFEST = "manifest"
    TSA = "tsa"


@dataclass(frozen=True, slots=True)
class TrustList:
    """Roots that vouch for one thing, under the URI that reports name."""

    uri: str
    pem: str
    purpose: Purpose = Purpose.MANIFEST

    def __post_init__(self) -> None:
        """Refuse a URI that could not be told apart in a status text, and a list without certificates."""
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\[\]]+", self.uri):
            raise KeysError(f"trust list: {self.uri!r} is not a URI; use e.g. urn:example:our-roots")
        if not _certificates(self.pem):
            raise KeysError(
                f"trust list {self.uri}: holds no certificate; give PEM text with -----BEGIN CERTIFICATE-----"
            )


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom we believe: lists of roots, each for one purpose, and what a signer's certificate must be for."""

    lists: tuple[TrustList, ...] = ()
    ekus: tuple[str, ...] = DEFAULT_EKUS

    def __post_init__(self) -> None:
        """Refuse one URI with two purposes: reports could not say which list vouched."""
        purposes: dict[str, Purpose] = {}
        for entry in self.lists:
            if purposes.setdefault(entry.uri, entry.purpose) is not entry.purpose:
                raise KeysError(f"trust list {entry.uri}: is both for manifests and for time-stamps; give it two URIs")

    def with_pem(self, path: Path, *, uri: str | None = None, purpose: Purpose = Purpose.MANIFEST) -> Trust:
        """This trust and the roots of the PEM file at `path`, under `uri` or one made of the file's name and digest.

        Raises KeysError where the file cannot be read, holds no certificate, or one that cannot be parsed.
        """
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise KeysError(
                f"{path}: cannot be read ({error.strerror}); name a PEM file with root certificates"
            ) from error
        try:
            pem = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise KeysError(f"{path}: is not PEM text; convert DER with `openssl x509 -inform DER`") from error
        if uri is None:
            stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-") or "roots"
            uri = f"urn:dramagate:file:{stem}:{hashlib.sha256(raw).hexdigest()[:12]}"
        try:
            added = TrustList(uri, pem, purpose)
        except (KeysError, ValueError) as error:
            raise KeysError(f"{path}: {error}") from error
        if added in self.lists:
            return self
        return replace(self, lists=(*self.lists, added))

    def with_ekus(self, path: Path) -> Trust:
        """This trust, also accepting the key usages listed in `path`: one dotted OID per line, // or # comments.

        Raises KeysError where the file cannot be read or a line is no OID.
        """
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise KeysError(f"{path}: cannot be read as text; name a file with one dotted OID per line") from error
        added: list[str] = []
        for number, line in enumerate(text.splitlines(), 1):
            oid = re.split(r"//|#", line, maxsplit=1)[0].strip()
            if not oid:
                continue
            if not re.fullmatch(r"[0-2](\.\d+)+", oid):
                raise KeysError(f"{path}, line {number}: {oid!r} is not a dotted OID such as {CLAIM_SIGNING}")
            if oid not in self.ekus:
                added.append(oid)
        return replace(self, ekus=(*self.ekus, *added))

    def distinct(self) -> tuple[TrustList, ...]:
        """The lists, those for manifests first, every root only in the first list that holds it.

        c2pa-rs 0.91.3 keeps roots in no order: of a root in two lists it names either (measured 2026-11-20), so
        reports would differ from run to run, and a root also given for time-stamps would at times not vouch.
        """
        seen: set[bytes] = set()
        kept: list[TrustList] = []
        for entry in sorted(self.lists, key=lambda entry: entry.purpose is not Purpose.MANIFEST):
            blocks = [block for block in _BLOCK.finditer(entry.pem.encode()) if block[1] == b"CERTIFICATE"]
            fresh = {b"".join(block[0].split()): block[0] for block in blocks}
            new = b"\n".join(text for body, text in fresh.items() if body not in seen)
            seen |= fresh.keys()
            if new:
                kept.append(TrustList(entry.uri, new.decode(), entry.purpose))
        return tuple(kept)

    def uris(self, purpose: Purpose) -> frozenset[str]:
        """URIs of the lists for `purpose`."""
        return frozenset(entry.uri for entry in self.lists if entry.purpose is purpose)


@dataclass(frozen=True, slots=True)
class Identity:
    """What one role signs with."""

    chain_pem: bytes
    """Leaf first, then intermediates; the root is left out."""
    key_pem: bytes = field(repr=False)
    alg: str
    """es256 | es384 | es512 | ps256 | ps384 | ps512 | ed25519."""
    role: str


@dataclass(frozen=True, slots=True)
class Keys:
    """A development PKI on this machine. Made by `development`."""

    folder: Path

    def identity(self, role: str) -> Identity:
        """The chain and key of `role` ("generator" or "gateway"), renewed first where its leaf is near its end.

        Raises KeysError for an unknown role, and for files that are damaged or readable by others.
        """
        if role not in ROLES:
            raise KeysError(f"there is no role {role!r}; roles are {' and '.join(ROLES)}")
        leaf = self.folder / f"{role}.pem"
        root = self._root()
        try:
            return _identity(leaf, root, role)
        except _Due:
            with _locked(self.folder.parent):
                try:
                    return _identity(leaf, root, role)  # another process may have been first
                except _Due:
                    _issue_leaf(self.folder, role)
            return _identity(leaf, root, role)

    def trust(self) -> Trust:
        """Trust in this machine's own root, and in nothing else."""
        self._root()
        return Trust((TrustList(DEVELOPMENT_URI, _read(self.folder / "root.pem").decode("ascii")),))

    @property
    def root_path(self) -> Path:
        """The root certificate: the file to hand to whoever should trust what is signed here."""
        return self.folder / "root.pem"

    def _root(self) -> x509.Certificate:
        path = self.folder / "root.pem"
        found = _parse_certificates(path, _read(path))
        if len(found) != 1:
            raise _damaged(path, f"holds {len(found)} certificates instead of one")
        return found[0]


def development(home: Path) -> Keys:
    """The development keys under `home`/keys, made there first where there are none.

    Safe when several processes start at once. Raises KeysError where they are damaged or cannot be written.
    """
    folder = home / "keys"
    if not folder.is_dir():
        try:
            home.mkdir(parents=True, exist_ok=True, mode=0o700)
            with _locked(home):
                if not folder.is_dir():
                    _found(folder)
        except OSError as error:
            raise KeysError(
                f"{folder}: keys cannot be made here ({error.strerror}); name a data folder that can be written"
            ) from error
    keys = Keys(folder)
    keys.trust()
    return keys


# --- below: making, reading and checking the files


class _Due(Exception):
    """The leaf is missing or near its end; issue a new one."""


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Hold the one lock of `home` for writing keys; waits for whoever holds it."""
    descriptor = os.open(home / ".keys.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _found(folder: Path) -> None:
    """Make the whole PKI in a folder beside `folder`, then move it there in one step."""
    fresh = Path(tempfile.mkdtemp(prefix=".keys-", dir=folder.parent))  # mkdtemp makes it 0700
    try:
        now = dt.datetime.now(dt.UTC)
        root_key, middle_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        mark = x509.random_serial_number().to_bytes(20, "big").hex()[:8]
        root_name, middle_name = _name(f"development root {mark}"), _name(f"development intermediate {mark}")
        root = _certify(root_name, root_key.public_key(), root_name, root_key, now, AUTHORITY_DAYS, path_length=1)
        middle = _certify(middle_name, middle_key.public_key(), root_name, root_key, now, AUTHORITY_DAYS, path_length=0)
        _write(fresh / "root.pem", _pem(root), 0o644)
        _write(fresh / "authority.pem", _key_pem(root_key) + _key_pem(middle_key) + _pem(middle), 0o600)
        for role in ROLES:
            _issue_leaf(fresh, role)
        fresh.rename(folder)
        _sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _issue_leaf(folder: Path, role: str) -> None:
    path = folder / "authority.pem"
    raw = _read_secret(path)
    keys, certificates = _private_keys(path, raw), _parse_certificates(path, raw)
    if len(keys) != 2 or len(certificates) != 1:
        raise _damaged(path, "should hold two keys and one certificate")
    middle_key, middle = keys[1], certificates[0]
    if middle.public_key() != middle_key.public_key():
        raise _damaged(path, "its key and its certificate do not belong together")
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = _certify(
        _name(role), key.public_key(), middle.subject, middle_key, dt.datetime.now(dt.UTC), LEAF_DAYS, path_length=None
    )
    try:
        _write(folder / f"{role}.pem", _key_pem(key) + _pem(leaf) + _pem(middle), 0o600)
    except OSError as error:
        raise KeysError(
            f"{folder / role}.pem: cannot be renewed ({error.strerror}); make the folder writable"
        ) from error


def _identity(path: Path, root: x509.Certificate, role: str) -> Identity:
    """Read and prove one leaf: key fits leaf, leaf signed by intermediate, intermediate by root, all in their time."""
    if not path.exists():
        raise _Due
    raw = _read_secret(path)
    keys, chain = _private_keys(path, raw), _parse_certificates(path, raw)
    if len(keys) != 1 or len(chain) != 2:
        raise _damaged(path, "should hold one key, its certificate and the intermediate's")
    leaf, middle = chain
    if leaf.public_key() != keys[0].public_key():
        raise _damaged(path, "its key and its certificate do not belong together")
    for child, parent in ((leaf, middle), (middle, root)):
        try:
            child.verify_directly_issued_by(parent)
        except (InvalidSignature, ValueError, TypeError) as error:
            raise _damaged(path, "its certificates do not lead to root.pem") from error
    now = dt.datetime.now(dt.UTC)
    for authority in (middle, root):
        if now >= authority.not_valid_after_utc:
            raise _damaged(path, f"the development authority ended on {authority.not_valid_after_utc:%Y-%m-%d}")
    if now < leaf.not_valid_before_utc or now > leaf.not_valid_after_utc - dt.timedelta(days=RENEW_DAYS):
        raise _Due
    return Identity(_pem(leaf) + _pem(middle), _key_pem(keys[0]), "es256", role)


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "dramagate development (private)"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"dramagate {common}"),
        ]
    )


def _certify(
    subject: x509.Name,
    public: ec.EllipticCurvePublicKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
    days: int,
    *,
    path_length: int | None,
) -> x509.Certificate:
    """One certificate; `path_length` None makes a leaf that may sign claims, otherwise an authority.

    Backdated by a day, so that a clock a little behind ours does not call it not yet valid.
    """
    authority = path_length is not None
    begin = now - dt.timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=authority,
                crl_sign=authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
    if not authority:
        usages = [ObjectIdentifier(CLAIM_SIGNING), ExtendedKeyUsageOID.EMAIL_PROTECTION]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    """Put `data` at `path` whole or not at all; at no instant is it more readable than `mode` says."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mkstemp makes it 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _damaged(path, f"cannot be read ({error.strerror})") from error


def _read_secret(path: Path) -> bytes:
    raw = _read(path)
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise KeysError(
            f"{path}: others can read or write this private key (mode {mode:04o}). If nobody did, run"
            f" `chmod 600 {path}`; otherwise remove the folder {path.parent} and new keys are made"
        )
    return raw


_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n.*?-----END \1-----\r?\n?", re.DOTALL)


def _private_keys(path: Path, raw: bytes) -> list[ec.EllipticCurvePrivateKey]:
    keys: list[ec.EllipticCurvePrivateKey] = []
    for block in _BLOCK.finditer(raw):
        if not block[1].endswith(b"PRIVATE KEY"):
            continue
        try:
            key = serialization.load_pem_private_key(block[0], None)
        except (ValueError, TypeError) as error:
            raise _damaged(path, "a key in it cannot be parsed") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise _damaged(path, "a key in it is not a P-256 key")
        keys.append(key)
    return keys


def _parse_certificates(path: Path, raw: bytes) -> list[x509.Certificate]:
    try:
        return _certificates(raw.decode("latin-1"))
    except KeysError as error:
        raise _damaged(path, "a certificate in it cannot be parsed") from error


def _certificates(pem: str) -> list[x509.Certificate]:
    found = []
    for block in _BLOCK.finditer(pem.encode("utf-8")):
        if block[1] == b"CERTIFICATE":
            try:
                found.append(x509.load_pem_x509_certificate(block[0]))
            except ValueError as error:
                raise KeysError(f"certificate {len(found) + 1} cannot be parsed: {error}") from error
    return found


def _damaged(path: Path, what: str) -> KeysError:
    return KeysError(
        f"{path}: {what}. Restore the folder {path.parent} from a copy, or move it away and new keys are made"
        " (files signed with the old ones then need the old root.pem as --trust)"
    )
