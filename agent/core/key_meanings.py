"""What each OCPP configuration key means, for the page and the documents (OCPP 1.6 chapter 9).

In our own words. Keys that end in MaxLength tell how much another key, or message, may hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a key is for, and the unit of its value: ``s``, ``Wh``, or none."""

    says: str
    unit: str = ""


MEANINGS: Mapping[str, Meaning] = {
    "Agent.CentralSystemUrl": Meaning("Where the central system is reached."),
    "AdditionalRootCertificateCheck": Meaning(
        "Whether a new root certificate of the central system must be signed by the one before."
    ),
    "AllowOfflineTxForUnknownId": Meaning(
        "While the central system cannot be reached, a card that nobody knows may charge."
    ),
    "AuthorizationCacheEnabled": Meaning(
        "The answers of the central system about cards are remembered."
    ),
    "AuthorizationKey": Meaning("The password of the box; nobody can read it."),
    "AuthorizeRemoteTxRequests": Meaning(
        "A card that the central system starts a session for is checked first, as at the reader."
    ),
    "CentralContractValidationAllowed": Meaning(
        "The central system may check the contract of a vehicle where the box cannot."
    ),
    "CertificateSignedMaxChainSize": Meaning(
        "How many characters the certificate of this box may have, with those above it."
    ),
    "CertificateStoreMaxLength": Meaning("How many root certificates can be installed."),
    "ChargeProfileMaxStackLevel": Meaning("The highest level that a charging profile may have."),
    "ChargingScheduleAllowedChargingRateUnit": Meaning(
        "Whether charging profiles may give their limits as a current, as a power, or both."
    ),
    "ChargingScheduleMaxPeriods": Meaning("How many periods one charging profile may have."),
    "ClockAlignedDataInterval": Meaning(
        "How often meter values are sent at round times of the clock; 0 = never.", "s"
    ),
    "ConnectionTimeOut": Meaning(
        "How long an accepted card waits for the plug, before its start is given up; "
        "0 = without end.",
        "s",
    ),
    "ConnectorPhaseRotation": Meaning(
        "How the phases of each connector are wired to those of the grid, like 0.RST,1.RST."
    ),
    "ConnectorPhaseRotationMaxLength": Meaning("How many connectors ConnectorPhaseRotation names."),
    "ConnectorSwitch3to1PhaseSupported": Meaning(
        "Whether the box can change from three phases to one during a session."
    ),
    "ContractValidationOffline": Meaning(
        "The contract of a vehicle may be accepted while the central system cannot be reached."
    ),
    "CpoName": Meaning(
        "Who operates the box: the organization in its certificate. Without it none is asked for."
    ),
    "DisableSecurityEventNotifications": Meaning(
        "Security events are kept in the box, and not reported to the central system."
    ),
    "GetConfigurationMaxKeys": Meaning("How many keys the central system may ask for at once."),
    "HeartbeatInterval": Meaning("How often the box says that it is alive.", "s"),
    "ISO15118PnCEnabled": Meaning(
        "Vehicles may identify themselves by a contract (Plug & Charge)."
    ),
    "LocalAuthListEnabled": Meaning("The local list of cards counts."),
    "LocalAuthListMaxLength": Meaning("How many cards the local list may have."),
    "LocalAuthorizeOffline": Meaning(
        "While the central system cannot be reached, the local list and remembered answers decide."
    ),
    "LocalPreAuthorize": Meaning(
        "A card that the local list or a remembered answer accepts may charge at once, "
        "before the central system is asked."
    ),
    "MaxChargingProfilesInstalled": Meaning("How many charging profiles can be installed."),
    "MaxEnergyOnInvalidId": Meaning(
        "How much a session may still take after the central system has refused its card.", "Wh"
    ),
    "MessageTimeout": Meaning("How long the box waits for an answer of the central system.", "s"),
    "MeterValuesAlignedData": Meaning("What is measured at round times of the clock."),
    "MeterValuesAlignedDataMaxLength": Meaning("How many values MeterValuesAlignedData may name."),
    "MeterValuesSampledData": Meaning("What is measured during a session."),
    "MeterValuesSampledDataMaxLength": Meaning("How many values MeterValuesSampledData may name."),
    "MeterValueSampleInterval": Meaning(
        "How often meter values are sent during a session; 0 = never.", "s"
    ),
    "MinimumStatusDuration": Meaning(
        "How long a connector must be in a state before the central system is told.", "s"
    ),
    "NumberOfConnectors": Meaning("How many connectors the box has."),
    "ReserveConnectorZeroSupported": Meaning(
        "Whether a reservation may be for any connector of the box."
    ),
    "ResetRetries": Meaning("How often a restart that failed is tried again."),
    "SecurityProfile": Meaning("How the connection to the central system is protected."),
    "SendLocalListMaxLength": Meaning("How many cards one message may put on the local list."),
    "StopTransactionMaxMeterValues": Meaning(
        "How many meter values the message at the end of a session may have."
    ),
    "StopTransactionOnEVSideDisconnect": Meaning("A session ends when the plug is pulled."),
    "StopTransactionOnInvalidId": Meaning(
        "A session ends when the central system refuses its card afterwards."
    ),
    "StopTxnAlignedData": Meaning(
        "What was measured at round times and is sent once more at the end of a session."
    ),
    "StopTxnAlignedDataMaxLength": Meaning("How many values StopTxnAlignedData may name."),
    "StopTxnSampledData": Meaning(
        "What was measured during a session and is sent once more at its end."
    ),
    "StopTxnSampledDataMaxLength": Meaning("How many values StopTxnSampledData may name."),
    "SupportedFeatureProfiles": Meaning("Which parts of OCPP 1.6 the box offers."),
    "SupportedFileTransferProtocols": Meaning(
        "How the box can fetch firmware and send diagnostics."
    ),
    "TransactionMessageAttempts": Meaning(
        "How often a message about a session is sent while the central system does not take it."
    ),
    "TransactionMessageRetryInterval": Meaning(
        "How long the box waits before it sends such a message again, times the attempts so far.",
        "s",
    ),
    "UnlockConnectorOnEVSideDisconnect": Meaning(
        "The plug is unlocked at the box when it is pulled at the vehicle."
    ),
    "WebSocketPingInterval": Meaning(
        "How often the connection to the central system is tested; 0 = never.", "s"
    ),
}
