"""Takes out of any text what must not leave the box: secrets, and whole idTags.

What goes into a bundle is masked where it comes from. This is the second line: it knows the secrets
and the cards of this box by name, and looks for them in everything.
"""

from __future__ import annotations

import base64
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import Any
from urllib.parse import quote

from agent.config.settings import Settings
from agent.core.id_tag import mask
from agent.platform.edited_files import SECRET_BYTES_MAX, one_line, read_text
from agent.platform.errors import EditedFileError
from agent.store.offline_view import Look

GONE = "***"
SECRET_MIN = 4  # shorter ones stand in every text; no password that we take is shorter
TAG_MIN = 4  # a number needs two digits more: years and transactions have four
_NUMBER_MIN = 6
# idTags are ASCII (errata 3.74); lower() would change the length of some other letters.
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_WORD = re.compile(r"[0-9A-Za-z]+")
# A card's UID as the reader writes it: 4, 7 or 10 bytes. Masked even when the card is unknown.
_UID = re.compile(
    r"\b(?=[0-9A-F]{0,19}[A-F])(?=[0-9A-F]{0,19}[0-9])(?:[0-9A-F]{20}|[0-9A-F]{14}|[0-9A-F]{8})\b"
)
_KEY_BEGIN = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----")
_BASIC = re.compile(r"\b(Basic|Bearer)\s+[A-Za-z0-9+/=._~-]{8,}", re.IGNORECASE)
# One search holds up every other thread of this process until it has searched its text.
BLOCK_CHARS = 4096
BLOCK_MAX = 4 * BLOCK_CHARS  # cut between any two words where there is no better place before
# The end of a line, or of a word, where nothing that is looked for goes on in the next one.
_CUT, _WORDS_END = (
    re.compile(rf"(?<![\s=:])(?<!basic)(?<!bearer){end}(?![\s=:])", re.IGNORECASE)
    for end in (r"\n", r"\s")
)
# Up to the last @: a password that was not encoded may have one in it.
_USER_INFO = re.compile(r"(?<=://)[^\s\"'<>]{0,500}@")
# password = "...", secret: ..., token=...; but not password_file, which only names a file.
_NAMES = "password|passwd|secret|authorization_?key|api_?key|token"
_SECRET_NAME = re.compile(f"(?:{_NAMES})$", re.IGNORECASE)
_NAMED = re.compile(
    rf"""(?ix)
    (?P<name>(?:{_NAMES})["']?)
    (?P<is>\s*[=:]\s*)
    (?!true\b|false\b)
    (?P<value>"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s,;}}\]"']+)
    """
)


class Scrubber:
    """Knows what must not be shown. Its methods may be called from any thread."""

    def __init__(self, secrets: Iterable[str] = (), tags: Iterable[str] = ()) -> None:
        """``secrets`` as they stand in their files; ``tags`` are whole idTags."""
        forms = {form for secret in secrets for form in forms_of(secret)}
        longest_first = sorted(forms, key=lambda form: (-len(form), form))
        self._secrets = (
            re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if forms else None
        )
        # Every tag under its longest word: one look for each word of a text, however many tags.
        self._shapes: dict[str, set[tuple[int, int]]] = defaultdict(set)
        self._tags: set[str] = set()
        for tag in tags:
            self._learn(tag)

    def text(self, text: str) -> str:
        """The text without secrets, and with every card masked."""
        return "".join(map(self._clean, blocks_of(_without_keys(text))))

    def _clean(self, text: str) -> str:
        if self._secrets is not None:
            text = self._secrets.sub(GONE, text)
        text = _BASIC.sub(rf"\1 {GONE}", text)
        text = _NAMED.sub(lambda found: f"{found['name']}{found['is']}{_quoted(found)}", text)
        text = self._without_tags(_USER_INFO.sub(f"{GONE}@", text))
        return _UID.sub(lambda found: mask(found[0]), text)

    def data(self, data: Any) -> Any:
        """The same for plain data; keys are ours and stay."""
        match data:
            case dict():
                return {key: self._field(key, value) for key, value in data.items()}
            case list() | tuple():
                return [self.data(value) for value in data]
            case str():
                return self.text(data)
            case _:
                return data

    def _field(self, key: Any, value: Any) -> Any:
        is_secret = isinstance(value, str) and value and _SECRET_NAME.search(str(key))
        return GONE if is_secret else self.data(value)

    def _learn(self, tag: str) -> None:
        folded = tag.translate(_LOWER)
        words = sorted(_WORD.finditer(folded), key=lambda word: -len(word[0]))
        if len(tag) < (_NUMBER_MIN if tag.isdecimal() else TAG_MIN) or not words:
            return
        self._tags.add(folded)
        self._shapes[words[0][0]].add((words[0].start(), len(folded)))

    def _without_tags(self, text: str) -> str:
        if not self._tags:
            return text
        folded = text.translate(_LOWER)
        pieces, at = [], 0
        for word in _WORD.finditer(folded):
            found = self._tag_around(folded, word)
            if found is not None and found[0] >= at:
                pieces += [text[at : found[0]], mask(text[found[0] : found[1]])]
                at = found[1]
        return "".join([*pieces, text[at:]])

    def _tag_around(self, folded: str, word: re.Match[str]) -> tuple[int, int] | None:
        """Begin and end of the longest tag whose longest word stands here."""
        for before, length in sorted(self._shapes.get(word[0], ()), key=lambda shape: -shape[1]):
            begin = word.start() - before
            if begin >= 0 and folded[begin : begin + length] in self._tags:
                return begin, begin + length
        return None


def blocks_of(text: str) -> Iterator[str]:
    """A long text in pieces that can be cleaned one by one; together they are the text.

    A word of many thousand characters is in none of them: it is no text of ours.
    """
    begin = 0
    while len(text) - begin > BLOCK_CHARS:
        least, most = begin + BLOCK_CHARS, begin + BLOCK_MAX
        cut = _CUT.search(text, least, most) or _WORDS_END.search(text, least, most)
        if cut is not None:
            yield text[begin : cut.end()]
            begin = cut.end()
        elif len(text) <= most:
            break
        else:
            end = most
            while end < len(text) and not (cut := _WORDS_END.search(text, end, end + BLOCK_CHARS)):
                end += BLOCK_CHARS
            end = cut.start() if cut is not None else len(text)
            yield f"({end - begin} characters left out)"
            begin = end
    yield text[begin:]


def _without_keys(text: str) -> str:
    """One look for each end of a key: to go on from character to character would take long."""
    kept, at = [], 0
    while (begin := _KEY_BEGIN.search(text, at)) is not None:
        kept += [text[at : begin.start()], GONE]
        end = _KEY_END.search(text, begin.end())
        at = len(text) if end is None else end.end()
    return "".join([*kept, text[at:]])


def forms_of(secret: str) -> set[str]:
    """The forms in which a secret may turn up: as it is, in hex, in base64, in an address."""
    text = secret.strip()
    if len(text) < SECRET_MIN:
        return set()
    raw = text.encode()
    found = {text, raw.hex(), quote(text, safe=""), *_base64(raw)}
    try:
        decoded = bytes.fromhex(text)
    except ValueError:
        decoded = b""
    if len(decoded) >= SECRET_MIN:
        found |= {decoded.hex(), *_base64(decoded)}
        if decoded.isascii() and decoded.decode("ascii").isprintable():
            found.add(decoded.decode("ascii"))
    return found


def _base64(raw: bytes) -> set[str]:
    coded = base64.b64encode(raw).decode("ascii")
    return {coded, coded.rstrip("=")}


def _quoted(found: re.Match[str]) -> str:
    quotation = found["value"][:1]
    return f"{quotation}{GONE}{quotation}" if quotation in "\"'" else GONE


def scrubber_for(settings: Settings | None, look: Look) -> Scrubber:
    """One that knows everything that can be known."""
    secrets = list(look.passwords)
    tags = list(look.tags)
    if settings is not None:
        files = secret_files(settings)
        texts = {key: _content_of(path) for key, path in files.items()}
        identity = settings.charge_point.identity
        for text in texts.values():
            secrets += [text, *_lines(text)] if text else []
        secrets += [_in_header(identity, text) for text in secrets]
        tags.append(settings.authorization.free_charging_id_tag)
    return Scrubber(secrets, tags)


def secret_files(settings: Settings) -> Mapping[str, str]:
    """The files that hold secrets, by the name of the setting that names each."""
    named = {
        "central_system.authorization_key_file": settings.central_system.authorization_key_file,
        "central_system.certificate_key_file": settings.central_system.certificate_key_file,
        "mqtt.password_file": settings.mqtt.password_file,
        "house.password_file": settings.house.password_file,
    }
    for token in settings.api.tokens:
        named[f"api.tokens[name={token.name}].secret_file"] = token.secret_file
    return {key: path for key, path in named.items() if path}


def unreadable_secrets(settings: Settings) -> Iterator[str]:
    """One sentence for each secret that this user may not read, and so cannot be looked for."""
    for key, path in secret_files(settings).items():
        if _content_of(path) is None:
            yield f"{key}: {path} cannot be read by this user, so its content was not searched for"


def _content_of(path: str) -> str | None:
    """All that stands in it, for a file that is refused may hold a secret as well; None: closed."""
    try:
        return read_text(path, SECRET_BYTES_MAX).strip()
    except EditedFileError:
        pass
    try:
        with Path(path).open("rb") as file:
            return file.read(SECRET_BYTES_MAX).decode("utf-8", "replace").strip()
    except OSError:
        return None


def _lines(text: str) -> Iterator[str]:
    """Each as the agent takes it: without what is not seen at its ends."""
    for line in text.splitlines():
        with suppress(EditedFileError):
            yield one_line(line)


def _in_header(identity: str, secret: str) -> str:
    """As HTTP Basic authentication codes it: not what the secret alone would become."""
    try:
        key = bytes.fromhex(secret)
    except ValueError:
        key = secret.encode()
    return base64.b64encode(identity.encode() + b":" + key).decode("ascii")
