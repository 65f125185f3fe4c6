"""Which test shows which message with which answer; read by ``tests.ocpp_table``.

A line: action, status (or ``-`` where there is none), then the test, or ``never`` and why.
"""

from __future__ import annotations

FROM_CHARGE_POINT = """
Authorize Accepted certification/test_field_corners.py::test_the_switches_of_list_and_cache
Authorize Blocked core/test_authorization_reasons.py::test_every_reason_is_recorded
Authorize ConcurrentTx core/test_tag_presented.py::test_concurrent_tx_says_nothing
Authorize Expired core/test_authorization_rules.py::test_the_answer_of_the_central_system
Authorize Invalid certification/test_sessions.py::test_case_023
BootNotification Accepted certification/test_boot_and_configuration.py::test_case_001
BootNotification Pending certification/test_boot_and_configuration.py::test_case_002
BootNotification Rejected certification/test_boot_and_configuration.py::test_case_002
DataTransfer - ocpp16/test_operators_calls.py::test_the_answer_comes_back
DiagnosticsStatusNotification Idle maintenance/test_diagnostics_upload.py::test_a_trigger_tells
DiagnosticsStatusNotification UploadFailed certification/test_firmware.py::test_case_045
DiagnosticsStatusNotification Uploaded certification/test_firmware.py::test_case_045
DiagnosticsStatusNotification Uploading certification/test_firmware.py::test_case_045
FirmwareStatusNotification DownloadFailed certification/test_firmware.py::test_case_044_2
FirmwareStatusNotification Downloaded certification/test_firmware.py::test_case_044_1
FirmwareStatusNotification Downloading certification/test_firmware.py::test_case_044_1
FirmwareStatusNotification Idle maintenance/test_firmware_install.py::test_a_trigger_tells
FirmwareStatusNotification InstallationFailed certification/test_firmware.py::test_case_044_3
FirmwareStatusNotification Installed certification/test_firmware.py::test_case_044_1
FirmwareStatusNotification Installing certification/test_firmware.py::test_case_044_1
Heartbeat - ocpp16/test_heartbeat.py::test_a_heartbeat_follows
LogStatusNotification BadMessage maintenance/test_log_upload.py::test_how_a_real_server
LogStatusNotification Idle maintenance/test_log_upload.py::test_a_trigger_tells
LogStatusNotification NotSupportedOperation maintenance/test_log_upload.py::test_how_a_real_server
LogStatusNotification PermissionDenied maintenance/test_log_upload.py::test_how_a_real_server
LogStatusNotification UploadFailure maintenance/test_log_upload.py::test_two_retries
LogStatusNotification Uploaded maintenance/test_log_upload.py::test_the_security_log
LogStatusNotification Uploading maintenance/test_log_upload.py::test_the_security_log
MeterValues - certification/test_meter_values.py::test_case_070
SecurityEventNotification - app/test_application_security.py::test_a_start_is_told
SignedFirmwareStatusNotification DownloadFailed maintenance/test_signed_firmware.py::test_each_round
SignedFirmwareStatusNotification DownloadPaused never a download is not interrupted
SignedFirmwareStatusNotification DownloadScheduled maintenance/test_signed_firmware.py::test_a_download
SignedFirmwareStatusNotification Downloaded maintenance/test_signed_firmware.py::test_a_signed_update_from
SignedFirmwareStatusNotification Downloading maintenance/test_signed_firmware.py::test_a_signed_update_from
SignedFirmwareStatusNotification Idle core/test_signed_firmware.py::test_a_trigger_tells
SignedFirmwareStatusNotification InstallRebooting maintenance/test_signed_firmware.py::test_a_signed_update_from
SignedFirmwareStatusNotification InstallScheduled maintenance/test_signed_firmware.py::test_it_is
SignedFirmwareStatusNotification InstallVerificationFailed maintenance/test_signed_firmware.py::test_a_file_that_has_changed
SignedFirmwareStatusNotification InstallationFailed maintenance/test_signed_firmware.py::test_a_command_that_fails
SignedFirmwareStatusNotification Installed maintenance/test_signed_firmware.py::test_a_signed_update_from
SignedFirmwareStatusNotification Installing maintenance/test_signed_firmware.py::test_a_signed_update_from
SignedFirmwareStatusNotification InvalidSignature maintenance/test_signed_firmware.py::test_a_wrong_signature
SignedFirmwareStatusNotification SignatureVerified maintenance/test_signed_firmware.py::test_a_signed_update_from
StartTransaction - certification/test_sessions.py::test_case_010
StatusNotification Available certification/test_boot_and_configuration.py::test_case_001
StatusNotification Charging certification/test_sessions.py::test_case_008
StatusNotification Faulted certification/test_sessions.py::test_case_024
StatusNotification Finishing certification/test_sessions.py::test_case_005_1
StatusNotification Preparing certification/test_sessions.py::test_case_004_2
StatusNotification Reserved certification/test_reservation.py::test_case_046_1
StatusNotification SuspendedEV certification/test_sessions.py::test_case_005_3
StatusNotification SuspendedEVSE core/test_status_notification.py::test_each_state_of_a_connector
StatusNotification Unavailable certification/test_power_and_offline.py::test_case_034
StopTransaction DeAuthorized core/test_transaction.py::test_a_card_that_the_central_system_refuses
StopTransaction EVDisconnected certification/test_sessions.py::test_case_005_1
StopTransaction EmergencyStop core/test_connector_stopping.py::test_a_fault_that_matters
StopTransaction HardReset certification/test_boot_and_configuration.py::test_case_015
StopTransaction Local certification/test_sessions.py::test_case_069
StopTransaction Other core/test_connector_stopping.py::test_a_fault_that_matters
StopTransaction PowerLoss certification/test_power_and_offline.py::test_case_032_2
StopTransaction Reboot certification/test_power_and_offline.py::test_case_032_1
StopTransaction Remote certification/test_sessions.py::test_case_010
StopTransaction SoftReset app/test_application.py::test_a_reset_ends_the_session
StopTransaction UnlockCommand certification/test_unlock_and_trigger.py::test_case_018_1
"""  # noqa: E501

FROM_CENTRAL_SYSTEM = """
CancelReservation Accepted certification/test_reservation.py::test_case_051
CancelReservation Rejected certification/test_reservation.py::test_case_051
ChangeAvailability Accepted core/test_availability.py::test_a_free_connector
ChangeAvailability Rejected core/test_availability.py::test_a_connector_that_is_not_there
ChangeAvailability Scheduled certification/test_field_corners.py::test_a_change_of_availability
ChangeConfiguration Accepted certification/test_boot_and_configuration.py::test_case_021
ChangeConfiguration NotSupported certification/test_boot_and_configuration.py::test_case_040_1
ChangeConfiguration RebootRequired never every key that may be changed acts at once
ChangeConfiguration Rejected certification/test_boot_and_configuration.py::test_case_040_2
ClearCache Accepted certification/test_boot_and_configuration.py::test_case_061
ClearCache Rejected certification/test_field_corners.py::test_the_switches_of_list_and_cache
ClearChargingProfile Accepted certification/test_smart_charging.py::test_case_067
ClearChargingProfile Unknown certification/test_smart_charging.py::test_case_067
DeleteCertificate Accepted app/test_application_certificates.py::test_a_central_system
DeleteCertificate Failed app/test_application_certificates.py::test_a_central_system
DeleteCertificate NotFound app/test_application_certificates.py::test_a_central_system
DataTransfer Accepted never it knows no vendor's extensions
DataTransfer Rejected never it knows no vendor's extensions
DataTransfer UnknownMessageId never it knows no vendor's extensions
DataTransfer UnknownVendorId ocpp16/test_incoming_calls.py::test_data_of_a_vendor
ExtendedTriggerMessage Accepted ocpp16/test_remote_trigger.py::test_the_extended_trigger_of
ExtendedTriggerMessage NotImplemented ocpp16/test_remote_trigger.py::test_the_extended_trigger_asks
ExtendedTriggerMessage Rejected ocpp16/test_remote_trigger.py::test_the_extended_trigger_asks
GetCompositeSchedule Accepted certification/test_smart_charging.py::test_case_066
GetCompositeSchedule Rejected ocpp16/test_smart_charging.py::test_a_schedule_that_cannot
GetConfiguration - certification/test_boot_and_configuration.py::test_case_019
GetDiagnostics - certification/test_firmware.py::test_case_045
GetInstalledCertificateIds Accepted app/test_application_certificates.py::test_a_central_system
GetInstalledCertificateIds NotFound app/test_application_certificates.py::test_a_central_system
GetLog Accepted maintenance/test_log_upload.py::test_the_security_log
GetLog AcceptedCanceled maintenance/test_log_upload.py::test_a_new_request
GetLog Rejected maintenance/test_log_upload.py::test_what_cannot_be_sent
GetLocalListVersion - certification/test_local_list.py::test_case_042_2
InstallCertificate Accepted app/test_application_certificates.py::test_a_central_system
InstallCertificate Failed core/test_certificate_requests.py::test_what_cannot_be_written_has_failed
InstallCertificate Rejected core/test_certificate_requests.py::test_what_can_be_no_root
RemoteStartTransaction Accepted certification/test_sessions.py::test_case_010
RemoteStartTransaction Rejected certification/test_sessions.py::test_case_027
RemoteStopTransaction Accepted certification/test_sessions.py::test_case_005_3
RemoteStopTransaction Rejected certification/test_field_corners.py::test_two_sessions_with
ReserveNow Accepted certification/test_reservation.py::test_case_046_1
ReserveNow Faulted certification/test_reservation.py::test_case_048_4
ReserveNow Occupied certification/test_reservation.py::test_case_048_1
ReserveNow Rejected certification/test_reservation.py::test_case_050_2
ReserveNow Unavailable certification/test_reservation.py::test_case_048_3
Reset Accepted certification/test_boot_and_configuration.py::test_case_013
Reset Rejected core/test_firmware_update.py::test_while_it_is_installed_neither_reset
SendLocalList Accepted certification/test_local_list.py::test_case_043
SendLocalList Failed certification/test_local_list.py::test_case_043_3
SendLocalList NotSupported certification/test_local_list.py::test_case_043_1
SendLocalList VersionMismatch certification/test_local_list.py::test_case_043_2
SetChargingProfile Accepted certification/test_smart_charging.py::test_case_066
SetChargingProfile NotSupported never switched off it is answered with the CALLERROR (errata 3.39)
SetChargingProfile Rejected certification/test_smart_charging.py::test_case_058_1
SignedUpdateFirmware Accepted maintenance/test_signed_firmware.py::test_a_signed_update_from
SignedUpdateFirmware AcceptedCanceled maintenance/test_signed_firmware.py::test_a_second
SignedUpdateFirmware InvalidCertificate maintenance/test_signed_firmware.py::test_who_was_not_signed
SignedUpdateFirmware Rejected maintenance/test_signed_firmware.py::test_without_an_install_command
SignedUpdateFirmware RevokedCertificate never it knows no list of revoked certificates
TriggerMessage Accepted certification/test_unlock_and_trigger.py::test_case_054
TriggerMessage NotImplemented ocpp16/test_remote_trigger.py::test_messages_that_nobody_knows
TriggerMessage Rejected certification/test_unlock_and_trigger.py::test_case_055
UnlockConnector NotSupported certification/test_unlock_and_trigger.py::test_case_031
UnlockConnector UnlockFailed certification/test_unlock_and_trigger.py::test_case_030
UnlockConnector Unlocked certification/test_unlock_and_trigger.py::test_case_017_1
UpdateFirmware - certification/test_firmware.py::test_case_044_1
"""

# Messages of the security white paper that this agent does not have.
WHITE_PAPER = """
CertificateSigned SignCertificate
"""

# Keys of the library that this agent does not have, and why.
KEYS_NOT_HERE = {
    "BlinkRepeat": "optional; it has no lights of its own",
    "LightIntensity": "optional; it has no lights of its own",
    "SupportedFeatureProfilesMaxLength": "need not exist (errata 3.81)",
    "CertificateSignedMaxChainSize": "white paper: the box asks for no certificate of its own",
    "CpoName": "white paper: the box asks for no certificate of its own",
    "CertSigningWaitMinimum": "of the application note on ISO 15118",
    "CertSigningRepeatTimes": "of the application note on ISO 15118",
}
# Keys that the library does not know: of the standard (errata, white paper), and our own.
KEYS_BESIDES = {
    "MessageTimeout": "errata 3.83",
    "StopTransactionMaxMeterValues": "errata 3.91",
    "SupportedFileTransferProtocols": "errata 3.90",
    "DisableSecurityEventNotifications": "of EVerest: some central systems want none",
    "Agent.CentralSystemUrl": "our own",
}

# Errors of StatusNotification: the fault in docs/faults.md, else the test, else why never.
ERROR_CODES = """
ConnectorLockFailure certification/test_sessions.py::test_case_024
EVCommunicationError core/test_status_notification.py::test_a_pilot_error_is_a_warning
GroundFailure core/test_status_notification.py::test_every_fault_of_the_box
HighTemperature core/test_status_notification.py::test_every_fault_of_the_box
InternalError core/test_status_notification.py::test_every_fault_of_the_box
LocalListConflict core/test_local_list.py::test_an_answer_that_contradicts
NoError core/test_status_notification.py::test_a_cleared_fault_is_told
OtherError core/test_status_notification.py::test_every_fault_of_the_box
OverCurrentFailure core/test_status_notification.py::test_every_fault_of_the_box
OverVoltage never nothing in the box judges the voltage
PowerMeterFailure core/test_status_notification.py::test_every_fault_of_the_box
PowerSwitchFailure core/test_status_notification.py::test_every_fault_of_the_box
ReaderFailure core/test_status_notification.py::test_a_dead_reader_is_a_warning
ResetFailure core/test_reset.py::test_a_reset_that_is_given_up
UnderVoltage never nothing in the box judges the voltage
WeakSignal never it has no radio of its own
"""

# Codes of a CALLERROR (OCPP-J 1.6, 4.2.3).
CALL_ERRORS = """
FormationViolation strict/test_malformed.py::test_what_is_wrong
GenericError ocpp16/test_incoming_calls.py::test_an_id_that_is_still
InternalError ocpp16/test_incoming_calls.py::test_a_mistake_of_ours
NotImplemented strict/test_malformed.py::test_what_is_wrong
NotSupported strict/test_malformed.py::test_what_is_wrong
OccurenceConstraintViolation strict/test_malformed.py::test_what_is_wrong
PropertyConstraintViolation strict/test_malformed.py::test_what_is_wrong
ProtocolError strict/test_malformed.py::test_what_is_wrong
SecurityError never it is the central system that judges who is accepted
TypeConstraintViolation strict/test_malformed.py::test_what_is_wrong
"""

# The test that shows what a key does; of a key that is not here, the first test that names it.
KEYS = """
AdditionalRootCertificateCheck core/test_certificate_requests.py::test_the_present_root_must
CertificateStoreMaxLength core/test_certificate_requests.py::test_a_full_store
Agent.CentralSystemUrl core/test_connection_profile.py::test_a_new_address
AllowOfflineTxForUnknownId core/test_authorization_rules.py::test_each_switch
AuthorizationCacheEnabled certification/test_field_corners.py::test_the_switches_of_list_and_cache
AuthorizationKey core/test_connection_profile.py::test_a_new_password
AuthorizeRemoteTxRequests certification/test_sessions.py::test_case_010
ChargeProfileMaxStackLevel core/test_charging_profiles.py::test_a_profile_that_breaks_a_rule
ChargingScheduleMaxPeriods core/test_charging_profiles.py::test_a_profile_that_breaks_a_rule
ClockAlignedDataInterval certification/test_meter_values.py::test_case_071
ConnectionTimeOut certification/test_sessions.py::test_case_004_2
ConnectorPhaseRotation core/test_every_key.py::test_a_good_value_is_kept
ConnectorSwitch3to1PhaseSupported core/test_every_key.py::test_a_key_has_its_default
DisableSecurityEventNotifications app/test_application_security.py::test_the_key_switches
GetConfigurationMaxKeys certification/test_field_corners.py::test_limits_that_the_file_lowers
HeartbeatInterval certification/test_boot_and_configuration.py::test_case_001
ISO15118PnCEnabled core/test_authorization_contract.py::test_offline_and_without_plug_and_charge
LocalAuthListEnabled certification/test_field_corners.py::test_the_switches_of_list_and_cache
LocalAuthListMaxLength certification/test_field_corners.py::test_limits_that_the_file_lowers
LocalAuthorizeOffline core/test_authorization_rules.py::test_each_switch
LocalPreAuthorize certification/test_sessions.py::test_case_007
MaxChargingProfilesInstalled core/test_charging_profiles_applied.py::test_as_many_profiles_as
MaxEnergyOnInvalidId core/test_session_limits.py::test_a_refused_session_goes_on
MessageTimeout ocpp16/test_own_calls.py::test_the_message_timeout_key_acts
MeterValueSampleInterval certification/test_meter_values.py::test_case_070
MeterValuesAlignedData certification/test_meter_values.py::test_case_071
MeterValuesAlignedDataMaxLength core/test_every_key.py::test_a_bad_value_is_rejected
MeterValuesSampledData certification/test_meter_values.py::test_case_070
MeterValuesSampledDataMaxLength core/test_every_key.py::test_a_bad_value_is_rejected
MinimumStatusDuration certification/test_field_corners.py::test_minimum_status_duration
NumberOfConnectors certification/test_boot_and_configuration.py::test_case_019
ReserveConnectorZeroSupported certification/test_reservation.py::test_case_050_2
ResetRetries core/test_reset.py::test_a_reset_is_tried_as_often
SecurityProfile core/test_connection_profile.py::test_the_profile_can_be_raised
SendLocalListMaxLength certification/test_field_corners.py::test_limits_that_the_file_lowers
StopTransactionMaxMeterValues core/test_meter_values_stop.py::test_there_are_never_more
StopTransactionOnEVSideDisconnect certification/test_sessions.py::test_case_005_3
StopTransactionOnInvalidId core/test_transaction.py::test_where_the_key_says_so
StopTxnAlignedData certification/test_live_keys.py::test_what_goes_into_the_stop
StopTxnAlignedDataMaxLength core/test_every_key.py::test_a_bad_value_is_rejected
StopTxnSampledData certification/test_live_keys.py::test_what_goes_into_the_stop
StopTxnSampledDataMaxLength core/test_every_key.py::test_a_bad_value_is_rejected
SupportedFeatureProfiles certification/test_field_corners.py::test_a_profile_that_the_file
SupportedFileTransferProtocols maintenance/test_diagnostics_upload.py::test_without_a_way_to_send
TransactionMessageAttempts core/test_outbox.py::test_a_parked_message_lets_the_next_one_go
TransactionMessageRetryInterval core/test_outbox.py::test_the_wait_before_each_transmission
UnlockConnectorOnEVSideDisconnect certification/test_sessions.py::test_case_005_2
WebSocketPingInterval certification/test_live_keys.py::test_pings_and_heartbeats
"""
