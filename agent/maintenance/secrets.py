"""Which secrets and cards a box has, so that they can be looked for before anything leaves it."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from agent.config.settings import Settings
from agent.maintenance.scrub import Scrubber
from agent.platform.edited_files import SECRET_BYTES_MAX, one_line, read_text
from agent.platform.errors import EditedFileError
from agent.store.offline_view import Look


def scrubber_for(settings: Settings | None, look: Look, more: tuple[str, ...] = ()) -> Scrubber:
    """One that knows everything that can be known; ``more`` are further secrets."""
    secrets = [*more, *look.passwords]
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
        "mqtt.password_file": settings.mqtt.password_file,
    }
    for token in settings.api.tokens:
        named[f"api.tokens[name={token.name}].secret_file"] = token.secret_file
    return {key: path for key, path in named.items() if path}


def unreadable_secrets(settings: Settings) -> Iterator[str]:
    """One sentence for each secret that this user may not read, and so cannot be looked for."""
    for key, path in secret_files(settings).items():
        if _content_of(path) is None:
            yield f"{key}: {path} cannot be read by this user, so nobody looked for its content"


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
