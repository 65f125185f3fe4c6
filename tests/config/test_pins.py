"""Which pin is used by which key, and that no pin serves two devices."""

from __future__ import annotations

import pytest

from agent.config.config_file import parse_config
from agent.config.pins import OUTPUT_KEYS, PINS_OF_DRIVERS, pin_table
from agent.config.reading import every_setting, kinds
from agent.platform.errors import ConfigError
from hw.settings import ConnectorSettings, InputsSettings, ReaderSettings
from hw.settings_indicator import IndicatorSettings

BOX = '[charge_point]\nidentity = "CP-1"\n'
GPIO = '[connectors.contactor]\ndriver = "gpio"\npin = {}\n'


def connector(number: int, keys: str) -> str:
    return f"[[connectors]]\nid = {number}\n{keys}\n"


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse_config(text)
    return caught.value.mistakes


def test_two_devices_on_one_pin_are_told_with_both_keys_and_lines():
    text = BOX + connector(1, GPIO.format(17)) + connector(2, GPIO.format(17))
    assert mistakes_of(text) == [
        "BCM pin 17 is used by connectors[id=1].contactor.pin and connectors[id=2].contactor.pin;"
        " a pin can serve one of them (lines 7 and 13)"
    ]


def test_an_entry_that_is_no_table_does_not_shift_the_names_of_the_others():
    gpio = 'contactor = { driver = "gpio", pin = 17 }'
    others = "{ id = 1, " + gpio + " }, { id = 2, " + gpio + " }"
    first, second = mistakes_of(f"connectors = [5, {others}]\n{BOX}")
    assert first.startswith("connectors[1] must be a table, got 5")
    assert "connectors[id=1].contactor.pin and connectors[id=2].contactor.pin" in second


@pytest.mark.parametrize(
    ("reader", "pin", "told"),
    [
        ("", 25, "reader.reset_pin"),
        ("", 8, "reader.spi_device (CE0)"),
        ("", 9, "reader.spi_bus (MISO)"),
        ("", 10, "reader.spi_bus (MOSI)"),
        ("", 11, "reader.spi_bus (SCLK)"),
        ("spi_device = 1", 7, "reader.spi_device (CE1)"),
        ("spi_bus = 1", 21, "reader.spi_bus (SCLK)"),
        ("spi_bus = 1\nspi_device = 2", 16, "reader.spi_device (CE2)"),
    ],
)
def test_the_pins_of_the_mfrc522_reader_are_taken(reader, pin, told):
    text = f'{BOX}[reader]\ndriver = "mfrc522"\n{reader}\n{connector(1, GPIO.format(pin))}'
    (sentence,) = mistakes_of(text)
    assert sentence.startswith(
        f"BCM pin {pin} is used by {told} and connectors[id=1].contactor.pin; "
    )


@pytest.mark.parametrize(
    ("reader", "pin"),
    [
        ('driver = "mfrc522"', 7),
        ('driver = "mfrc522"\nspi_device = 1', 8),
        ('driver = "mfrc522"\nspi_bus = 1', 9),
        ('driver = "mfrc522"\nspi_bus = 5', 9),
        ('driver = "simulated"', 25),
        ('driver = "simulated"', 9),
    ],
)
def test_pins_that_the_reader_does_not_use_are_free(reader, pin):
    text = f"{BOX}[reader]\n{reader}\n{connector(1, GPIO.format(pin))}"
    assert parse_config(text).connectors[0].contactor.pin == pin


def test_pins_of_drivers_that_are_not_in_use_do_not_count():
    parts = (
        '[connectors.contactor]\ndriver = "simulated"\npin = 17\n'
        '[connectors.lock]\ndriver = "solenoid"\npin = 17\nfeedback_pin = 18\nlock_pin = 18\n'
        '[connectors.plug]\ndriver = "none"\npin = 17\n'
        '[inputs.door]\ndriver = "simulated"\npin = 17\n'
    )
    settings = parse_config(BOX + connector(1, parts))
    assert pin_table(settings) == [
        (17, "connectors[id=1].lock.pin"),
        (18, "connectors[id=1].lock.feedback_pin"),
    ]


def test_a_wrong_reader_key_does_not_bring_a_false_pin_conflict_with_its_default():
    text = f'{BOX}[reader]\ndriver = "mfrc522"\nspi_device = "1"\nreset_pin = 99\n'
    parts = f"{GPIO.format(8)}feedback_pin = 25"
    told = [sentence.split(" ")[0] for sentence in mistakes_of(text + connector(1, parts))]
    assert told == ["reader.spi_device", "reader.reset_pin"]


def test_every_pin_key_and_driver_stands_in_the_table_of_pins():
    tables = {ReaderSettings, IndicatorSettings, *(kind for _, kind in kinds(ConnectorSettings))}
    tables |= {kind for _, kind in kinds(InputsSettings)}
    with_pins = {}
    for table in tables:
        if hasattr(table, "__dataclass_fields__"):
            pins = {f.name for f, _ in kinds(table) if f.metadata.get("is_pin")}
            choices = {
                c for f, _ in kinds(table) if f.name == "driver" for c in f.metadata["choices"]
            }
            if pins:
                with_pins[table] = pins
                assert set(PINS_OF_DRIVERS[table]) <= choices
    assert set(PINS_OF_DRIVERS) == set(with_pins)
    for table, pins in with_pins.items():
        assert {pin for used in PINS_OF_DRIVERS[table].values() for pin in used} == pins
    assert all(key in with_pins[table] for table, key in OUTPUT_KEYS)
    every_pin = [field for _, field, _ in every_setting() if field.metadata.get("is_pin")]
    assert len(every_pin) == sum(map(len, with_pins.values())) + 2  # three inputs, one table


ANY_BOARD = """
[charge_point]
identity = "CP-1"
[reader]
driver = "mfrc522"
reset_pin = "gpiochip0:9"
[inputs.door]
pin = "gpiochip1:3"
[[connectors]]
id = 1
contactor = { driver = "gpio", pin = "gpiochip1:17", feedback_pin = "gpiochip1:2" }
lock = { driver = "solenoid", pin = 17, feedback_pin = 27 }
"""


def test_a_pin_of_any_board_is_named_by_chip_and_line():
    settings = parse_config(ANY_BOARD)
    assert settings.connectors[0].contactor.pin == "gpiochip1:17"
    assert [pin for pin, _ in pin_table(settings)] == [
        *(8, 9, 10, 11, 17, 27),
        "gpiochip0:9",
        *("gpiochip1:2", "gpiochip1:3", "gpiochip1:17"),
    ]


def test_two_devices_on_one_line_of_a_chip_are_told():
    (sentence,) = mistakes_of(ANY_BOARD.replace("gpiochip1:3", "gpiochip1:17"))
    assert sentence.startswith(
        "gpiochip1:17 is used by connectors[id=1].contactor.pin and inputs.door.pin; a pin can"
    )


@pytest.mark.parametrize(
    ("pin", "words"),
    [
        ('"gpiochip1"', 'chip and line as in "gpiochip1:17", got "gpiochip1"'),
        ('"gpiochip1:017"', 'chip and line as in "gpiochip1:17"'),
        ('"/dev/gpiochip1:17"', 'chip and line as in "gpiochip1:17"'),
        ('"17"', 'must be a whole number from 0 to 53, got "17" (write it without quotes)'),
        ("54", "must be a whole number from 0 to 53, got 54"),
        ("true", "must be a whole number from 0 to 53, got true"),
        ("1.5", "must be a whole number from 0 to 53, got 1.5"),
    ],
)
def test_what_is_no_pin_is_told(pin, words):
    (sentence,) = mistakes_of(ANY_BOARD.replace('"gpiochip1:17"', pin))
    assert sentence.startswith("connectors[id=1].contactor.pin must be a whole number")
    assert words in sentence
