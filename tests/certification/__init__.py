"""What the certification tool for OCPP 1.6 checks, case by case; a test is named by its case id."""
