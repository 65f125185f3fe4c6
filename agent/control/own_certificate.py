"""What is told of the certificate of this box, besides its end: what is asked for, what failed."""

from __future__ import annotations

from agent.core.own_certificates import OwnCertificates


def own_certificate_sentences(own: OwnCertificates) -> list[str]:
    """One sentence for each thing that a person may have to look at; mostly none."""
    sentences = []
    if own.is_asking:
        sentences.append("a key pair is being made for a certificate of this box")
    if own.refusal:
        sentences.append(f"the newest certificate of this box is not shown: {own.refusal}")
    request = own.request
    if request is not None and request.problem:
        sentences.append(f"no certificate of this box has come: {request.problem}")
    elif request is not None and request.key:
        asked_at = request.asked_at.strftime("%Y-%m-%d %H:%M UTC")
        sentences.append(f"a certificate of this box was asked for at {asked_at}")
    return sentences
