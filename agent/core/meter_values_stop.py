"""Meter values that are kept for the StopTransaction of their session (OCPP 1.6 section 3.16.5).

They are kept in the transaction and, one by one, in the store. There are never more of them than
StopTransactionMaxMeterValues: one between two that are close together is dropped, so that what
stays is spread over the whole session; the first and the last one are not (errata 3.91).
"""

from __future__ import annotations

from datetime import datetime

from agent.core import meter_values
from agent.core.commands import DropSample, KeepSample
from agent.core.configuration import Configuration
from agent.core.replace import replace
from agent.core.turn import Turn
from agent.core.values import MeterSample, Reading, SampledValue, Transaction

BEGIN, END = "Transaction.Begin", "Transaction.End"
SAMPLED, ALIGNED = "StopTxnSampledData", "StopTxnAlignedData"
MOST = "StopTransactionMaxMeterValues"


def begun(turn: Turn, transaction: Transaction, reading: Reading | None) -> Transaction:
    """The transaction with its first values, if any are wanted and there is a meter."""
    if reading is None:
        return transaction
    values = meter_values.values_of(reading, _wanted(turn.state.configuration), BEGIN)
    return keep(turn, transaction, transaction.begun_at, values)


def keep(
    turn: Turn, transaction: Transaction, at: datetime, values: tuple[SampledValue, ...]
) -> Transaction:
    """The transaction with one more sample; nothing is kept when there are no values."""
    if not values:
        return transaction
    samples = transaction.samples
    number = 1 + (samples[-1].number if samples else 0)
    sample = MeterSample(at, values, number, turn.time_mark)
    turn.emit(KeepSample(transaction.ref, sample))
    samples = (*samples, sample)
    # Places are left for the values of the end, and of the begin if they were not wanted then.
    most = turn.state.configuration.integer(MOST) - (1 if _has_begin(samples) else 2)
    while len(samples) > most:
        spare = _spare(samples)
        turn.emit(DropSample(transaction.ref, spare.number))
        samples = tuple(kept for kept in samples if kept is not spare)
    return replace(transaction, samples=samples)


def _spare(samples: tuple[MeterSample, ...]) -> MeterSample:
    """The sample that is missed least: neither the first nor the last."""
    inner = range(1, len(samples) - 1)
    spans = [samples[i + 1].number - samples[i - 1].number for i in inner]
    return samples[1 + spans.index(min(spans))]


def at_end(
    turn: Turn,
    transaction: Transaction,
    meter_stop_wh: int,
    ended_at: datetime,
    reading: Reading | None,
    boot: int,
) -> tuple[MeterSample, ...]:
    """All values for the StopTransaction: the begin, what was kept, and the end.

    Empty when neither list wants anything. ``reading`` is of the end of the session; None: only its
    register is known. ``boot`` says whose untrusted clock gave ``ended_at``.
    """
    wanted = _wanted(turn.state.configuration)
    if not wanted:
        return ()
    last = _register(meter_stop_wh, ended_at)
    if reading is not None:
        last = replace(reading, import_wh=meter_stop_wh)
    ends = meter_values.values_of(last, wanted, END)
    samples = transaction.samples
    if not _has_begin(samples):
        first = _register(transaction.meter_start_wh, transaction.begun_at)
        begins = meter_values.values_of(first, wanted, BEGIN)
        begin = MeterSample(transaction.begun_at, begins, boot=transaction.begun_boot)
        samples = (begin, *samples) if begins else samples
    return (*samples, MeterSample(ended_at, ends, boot=boot)) if ends else samples


def _has_begin(samples: tuple[MeterSample, ...]) -> bool:
    return bool(samples) and samples[0].values[0].context == BEGIN


def _register(import_wh: int, at: datetime) -> Reading:
    return Reading(import_wh, at)


def _wanted(configuration: Configuration) -> tuple[str, ...]:
    """Every configured measurand has a value at the begin and at the end (errata 3.14)."""
    return (*configuration.measurands(SAMPLED), *configuration.measurands(ALIGNED))
