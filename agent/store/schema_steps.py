"""The tables, step by step. A step that has been released is never edited: the next corrects it.

Plain SQL, because collations and WITHOUT ROWID (one page written instead of two) matter here.
Instants are text as ``agent.store.instants`` writes it. The steps go on in
``agent.store.schema_steps_later``.
"""

from __future__ import annotations

from sqlite_utils import Database, Migrations

migrations = Migrations("agent")


@migrations()
def create_outbox(database: Database) -> None:
    """Create the outbox. A parked row keeps its place, but is out of the queue."""
    database.execute(
        """
        CREATE TABLE outbox (
            sequence INTEGER PRIMARY KEY,
            unique_id TEXT NOT NULL,
            transaction_ref INTEGER NOT NULL,
            action TEXT NOT NULL,
            payload TEXT NOT NULL,
            queued_at TEXT NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            parked_at TEXT,
            problem TEXT NOT NULL DEFAULT ''
        ) STRICT
        """
    )
    # Only parked rows are in this index: the others pay nothing for it.
    database.execute("CREATE INDEX outbox_parked ON outbox (sequence) WHERE parked_at IS NOT NULL")


@migrations()
def create_transactions(database: Database) -> None:
    """Create the transactions. ``last_sequence`` keeps sequences growing when the outbox is empty.

    It costs nothing: the row is written anyway whenever one of its messages is queued.
    """
    database.execute(
        """
        CREATE TABLE transactions (
            ref INTEGER PRIMARY KEY,
            connector_id INTEGER NOT NULL,
            id_tag TEXT NOT NULL COLLATE NOCASE,
            begun_at TEXT NOT NULL,
            meter_start_wh INTEGER NOT NULL,
            last_wh INTEGER NOT NULL,
            last_at TEXT NOT NULL,
            parent_id_tag TEXT COLLATE NOCASE,
            transaction_id INTEGER,
            deauthorized INTEGER NOT NULL DEFAULT 0,
            last_sequence INTEGER NOT NULL DEFAULT 0,
            ended_at TEXT
        ) STRICT
        """
    )


@migrations()
def create_authorization_cache(database: Database) -> None:
    """Create the authorization cache. idTags compare without regard to case (OCPP 1.6, 7.28)."""
    database.execute(
        """
        CREATE TABLE authorization_cache (
            id_tag TEXT NOT NULL COLLATE NOCASE PRIMARY KEY,
            status TEXT NOT NULL,
            expires_at TEXT,
            parent_id_tag TEXT COLLATE NOCASE,
            heard_at TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """
    )


@migrations()
def create_local_list(database: Database) -> None:
    """Create the local authorization list, and the one row that says what of it counts.

    A row counts when its base is the one that counts, its generation is no later than the one that
    counts, and no later such row has the same idTag. No status: the idTag is not listed any more.
    So an update can be written while the list before it is in use. ``agent.store.local_list``.
    """
    database.execute(
        """
        CREATE TABLE local_list (
            base INTEGER NOT NULL,
            id_tag TEXT NOT NULL COLLATE NOCASE,
            generation INTEGER NOT NULL,
            status TEXT,
            expires_at TEXT,
            parent_id_tag TEXT COLLATE NOCASE,
            PRIMARY KEY (base, id_tag, generation)
        ) STRICT, WITHOUT ROWID
        """
    )
    database.execute(
        """
        CREATE TABLE local_list_version (
            only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
            version INTEGER NOT NULL DEFAULT 0,
            base INTEGER NOT NULL DEFAULT 0,
            generation INTEGER NOT NULL DEFAULT 0,
            entries INTEGER NOT NULL DEFAULT 0,
            is_untidy INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """
    )
    database.execute("INSERT INTO local_list_version (only_row) VALUES (1)")


@migrations()
def create_configuration_keys(database: Database) -> None:
    """Create the configuration keys; their names compare without regard to case (CiString)."""
    database.execute(
        """
        CREATE TABLE configuration_keys (
            key TEXT NOT NULL COLLATE NOCASE PRIMARY KEY,
            value TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """
    )


@migrations()
def create_decisions(database: Database) -> None:
    """Create the record of card decisions."""
    database.execute(
        """
        CREATE TABLE decisions (
            number INTEGER PRIMARY KEY,
            decided_at TEXT NOT NULL,
            purpose TEXT NOT NULL,
            connector_id INTEGER,
            id_tag TEXT NOT NULL COLLATE NOCASE,
            verdict TEXT NOT NULL,
            rule TEXT NOT NULL, source TEXT NOT NULL,
            status TEXT,
            list_version INTEGER,
            cache_age_s INTEGER,
            detail TEXT NOT NULL DEFAULT ''
        ) STRICT
        """
    )


@migrations()
def create_boots(database: Database) -> None:
    """Create the boots, and mark the rows whose times only an untrusted clock has given.

    Mark 0: the times are true. ``ending`` says why the last process ended while a session was open.
    """
    database.execute(
        """
        CREATE TABLE boots (
            number INTEGER PRIMARY KEY,
            boot_id TEXT NOT NULL UNIQUE,
            booted_at TEXT NOT NULL,
            is_time_known INTEGER NOT NULL,
            ending TEXT NOT NULL DEFAULT ''
        ) STRICT
        """
    )
    database.execute("ALTER TABLE outbox ADD COLUMN boot INTEGER NOT NULL DEFAULT 0")
    database.execute("ALTER TABLE transactions ADD COLUMN boot INTEGER NOT NULL DEFAULT 0")
    database.execute("ALTER TABLE transactions ADD COLUMN is_limited INTEGER NOT NULL DEFAULT 0")


@migrations()
def create_deeds(database: Database) -> None:
    """Create the record of what people did about messages that were parked."""
    database.execute(
        """
        CREATE TABLE deeds (
            number INTEGER PRIMARY KEY,
            done_at TEXT NOT NULL,
            deed TEXT NOT NULL
        ) STRICT
        """
    )


@migrations()
def create_inoperative(database: Database) -> None:
    """Create the list of what ChangeAvailability wants out of service; 0 is the charge point."""
    database.execute("CREATE TABLE inoperative (connector_id INTEGER PRIMARY KEY) STRICT")


@migrations()
def create_reservations(database: Database) -> None:
    """Create the reservations that hold; connector 0 is any one."""
    database.execute(
        """
        CREATE TABLE reservations (
            reservation_id INTEGER PRIMARY KEY,
            connector_id INTEGER NOT NULL,
            id_tag TEXT NOT NULL COLLATE NOCASE,
            expires_at TEXT NOT NULL,
            parent_id_tag TEXT COLLATE NOCASE
        ) STRICT
        """
    )


@migrations()
def create_charging_profiles(database: Database) -> None:
    """Create the charging profiles. ``transaction_ref``: the session that a TxProfile is for."""
    database.execute(
        """
        CREATE TABLE charging_profiles (
            profile_id INTEGER PRIMARY KEY,
            connector_id INTEGER NOT NULL,
            transaction_ref INTEGER,
            profile TEXT NOT NULL
        ) STRICT
        """
    )


@migrations()
def create_stop_samples(database: Database) -> None:
    """Create the samples that wait for the StopTransaction of their session."""
    database.execute(
        """
        CREATE TABLE stop_samples (
            transaction_ref INTEGER NOT NULL,
            number INTEGER NOT NULL,
            payload TEXT NOT NULL,
            PRIMARY KEY (transaction_ref, number)
        ) STRICT, WITHOUT ROWID
        """
    )


@migrations()
def create_contactors(database: Database) -> None:
    """Create the memory of the contactors: how often each closed, and who must look at it."""
    database.execute(
        """
        CREATE TABLE contactors (
            connector_id INTEGER PRIMARY KEY,
            operations INTEGER NOT NULL,
            is_locked_out INTEGER NOT NULL
        ) STRICT
        """
    )


@migrations()
def create_firmware(database: Database) -> None:
    """Create the state of the last firmware update."""
    database.execute(
        """
        CREATE TABLE firmware (
            only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
            state TEXT NOT NULL
        ) STRICT
        """
    )


@migrations()
def create_approaches(database: Database) -> None:
    """Create how the central system is reached, once that was changed over OCPP."""
    database.execute(
        """
        CREATE TABLE approaches (
            only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
            state TEXT NOT NULL
        ) STRICT
        """
    )


@migrations()
def create_registers(database: Database) -> None:
    """Create what is added to the meters' registers, since a meter was replaced or reset."""
    database.execute(
        """
        CREATE TABLE registers (
            connector_id INTEGER PRIMARY KEY,
            register_wh INTEGER NOT NULL,
            offset_wh INTEGER NOT NULL
        ) STRICT
        """
    )


@migrations()
def create_charge_log(database: Database) -> None:
    """Create the charge log, and let a session that is open keep what its record will need.

    No index besides its key: it is read by people, and written in every session's last commit.
    """
    database.execute(
        """
        CREATE TABLE charge_log (
            ref INTEGER PRIMARY KEY,
            connector_id INTEGER NOT NULL,
            id_tag TEXT NOT NULL COLLATE NOCASE,
            begun_at TEXT NOT NULL, ended_at TEXT NOT NULL,
            begun_boot INTEGER NOT NULL, ended_boot INTEGER NOT NULL,
            meter_start_wh INTEGER NOT NULL, meter_stop_wh INTEGER NOT NULL,
            highest_w INTEGER,
            longest_pause_s INTEGER NOT NULL,
            reason TEXT NOT NULL,
            rule TEXT NOT NULL,
            source TEXT NOT NULL,
            transaction_id INTEGER,
            is_discarded INTEGER NOT NULL
        ) STRICT
        """
    )
    for column in (
        "begun_boot INTEGER NOT NULL DEFAULT 0",
        "rule TEXT NOT NULL DEFAULT ''",
        "source TEXT NOT NULL DEFAULT ''",
        "highest_w INTEGER",
        "longest_pause_s INTEGER NOT NULL DEFAULT 0",
        "is_discarded INTEGER NOT NULL DEFAULT 0",
    ):
        database.execute(f"ALTER TABLE transactions ADD COLUMN {column}")
    database.execute("UPDATE transactions SET begun_boot = boot")


@migrations()
def create_certificates(database: Database) -> None:
    """Create the root certificates that the central system installed, oldest first."""
    database.execute(
        """
        CREATE TABLE certificates (
            number INTEGER PRIMARY KEY,
            certificate_type TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            pem TEXT NOT NULL,
            subject TEXT NOT NULL,
            not_before TEXT NOT NULL,
            not_after TEXT NOT NULL,
            serial TEXT NOT NULL,
            issuer_name BLOB NOT NULL,
            issuer_key BLOB NOT NULL,
            has_worked INTEGER NOT NULL,
            is_fallback INTEGER NOT NULL,
            UNIQUE (certificate_type, fingerprint)
        ) STRICT
        """
    )


@migrations()
def create_grid_limits(database: Database) -> None:
    """Create the proof of when the grid operator's contact limited the box."""
    database.execute(
        """
        CREATE TABLE grid_limits (
            number INTEGER PRIMARY KEY,
            begun_at TEXT NOT NULL,
            ended_at TEXT,
            limit_value REAL NOT NULL,
            unit TEXT NOT NULL,
            is_end_found INTEGER NOT NULL DEFAULT 0,
            begun_boot INTEGER NOT NULL,
            ended_boot INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """
    )


@migrations()
def create_security_log(database: Database) -> None:
    """Create the security log, the ends of its chain, and the events that wait to be sent."""
    event = "type TEXT NOT NULL, at TEXT NOT NULL, tech_info TEXT NOT NULL, boot INTEGER NOT NULL"
    for table, own in (("security_log", "chain"), ("security_queue", "unique_id")):
        columns = f"number INTEGER PRIMARY KEY, {event}, {own} TEXT NOT NULL"
        database.execute(f"CREATE TABLE {table} ({columns}) STRICT")
    database.execute(
        "CREATE TABLE security_log_ends (only_row INTEGER PRIMARY KEY CHECK (only_row = 1),"
        " pruned_number INTEGER NOT NULL, pruned_chain TEXT NOT NULL,"
        " last_number INTEGER NOT NULL, last_chain TEXT NOT NULL) STRICT"
    )
    database.execute("INSERT INTO security_log_ends VALUES (1, 0, '', 0, '')")


@migrations()
def create_tag_names(database: Database) -> None:
    """Create the names that people gave to tags. They stay when the list is replaced."""
    database.execute(
        "CREATE TABLE tag_names (id_tag TEXT NOT NULL COLLATE NOCASE PRIMARY KEY,"
        " name TEXT NOT NULL) STRICT, WITHOUT ROWID"
    )
