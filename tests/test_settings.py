"""Settings: what the operator writes, what the rooms get, and what a wrong one says."""

from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from app.errors import SettingsError
from app.settings import Settings, table


def faults(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        Settings.read(environ)
    return str(caught.value).split("\n")


def test_nothing_set_gives_every_default() -> None:
    settings = Settings.read({})
    assert (settings.host, settings.port, settings.public_url) == ("127.0.0.1", 8000, "http://127.0.0.1:8000")
    assert (settings.data_dir, settings.database_url) == (Path("var"), "sqlite:///var/patchcord.db")
    assert (settings.redis_url, settings.twilio_api_base) == ("", "")
    assert (settings.max_calls, settings.drain_seconds, settings.allow_private_tools) == (150, 600.0, False)
    assert (settings.ears_encoding, settings.log_level) == ("mulaw", "info")


def test_every_variable_reaches_its_field_in_its_type() -> None:
    settings = Settings.read(
        {
            "PUBLIC_URL": "https://phone.example.com/",
            "HOST": "0.0.0.0",
            "PORT": "9000",
            "DATA_DIR": "/srv/calls",
            "DATABASE_URL": "postgresql://user:word@db/patchcord",
            "REDIS_URL": "redis://cache:6379/1",
            "TWILIO_ACCOUNT_SID": "AC1",
            "TWILIO_AUTH_TOKEN": "t",
            "TWILIO_API_BASE": "http://127.0.0.1:9100/",
            "DEEPGRAM_API_KEY": "d",
            "DEEPGRAM_URL": "ws://127.0.0.1:9100",
            "ANTHROPIC_API_KEY": "a",
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9100",
            "ELEVENLABS_API_KEY": "e",
            "ELEVENLABS_BASE_URL": "http://127.0.0.1:9100",
            "STT_URL": "http://127.0.0.1:9200/v1",
            "STT_API_KEY": "s",
            "STT_MODEL": "small.en",
            "TTS_URL": "http://127.0.0.1:9300",
            "TTS_API_KEY": "t",
            "TTS_MODEL": "kokoro",
            "TTS_VOICE": "af_heart",
            "EARS_ENCODING": "LINEAR16",
            "MAX_CALLS": "20",
            "DRAIN_SECONDS": "1.5",
            "ALLOW_PRIVATE_TOOLS": "yes",
            "LOG_LEVEL": "debug",
            "PATCHCORD_TOOL_SECRET_CRM": "Bearer token with spaces",
        }
    )
    assert settings.public_url == "https://phone.example.com"
    assert (settings.host, settings.port, settings.data_dir) == ("0.0.0.0", 9000, Path("/srv/calls"))
    assert settings.database_url == "postgresql://user:word@db/patchcord"
    assert settings.redis_url == "redis://cache:6379/1"
    assert (settings.twilio_account_sid, settings.twilio_auth_token) == ("AC1", "t")
    assert settings.twilio_api_base == "http://127.0.0.1:9100"
    assert (settings.deepgram_api_key, settings.deepgram_url) == ("d", "ws://127.0.0.1:9100")
    assert (settings.anthropic_api_key, settings.anthropic_base_url) == ("a", "http://127.0.0.1:9100")
    assert (settings.elevenlabs_api_key, settings.elevenlabs_base_url) == ("e", "http://127.0.0.1:9100")
    assert (settings.stt_url, settings.stt_api_key, settings.stt_model) == ("http://127.0.0.1:9200/v1", "s", "small.en")
    assert (settings.tts_url, settings.tts_api_key) == ("http://127.0.0.1:9300", "t")
    assert (settings.tts_model, settings.tts_voice) == ("kokoro", "af_heart")
    assert (settings.ears_encoding, settings.max_calls, settings.drain_seconds) == ("linear16", 20, 1.5)
    assert (settings.allow_private_tools, settings.log_level) == (True, "debug")
    assert settings.tool_secrets == {"CRM": "Bearer token with spaces"}


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Settings.read({"PORT": "", "PUBLIC_URL": "  "}) == Settings.read({})


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = Settings.read({})
    with pytest.raises(FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]


def test_a_wrong_value_says_what_where_and_how_to_mend_it() -> None:
    assert faults(PORT="abc") == [
        "The environment variable PORT=abc is not a whole number from 1 to 65535: write for example PORT=8000."
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "80.5"),
        ("HOST", "http://0.0.0.0"),
        ("HOST", "0.0.0.0:8000"),
        ("MAX_CALLS", "-1"),
        ("DRAIN_SECONDS", "long"),
        ("DRAIN_SECONDS", "nan"),
        ("DRAIN_SECONDS", "-1"),
        ("EARS_ENCODING", "opus"),
        ("LOG_LEVEL", "loud"),
        ("ALLOW_PRIVATE_TOOLS", "perhaps"),
        ("DATABASE_URL", "mysql://host/db"),
        ("DATABASE_URL", "patchcord.db"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("DEEPGRAM_URL", "api.deepgram.com"),
        ("DEEPGRAM_URL", "wss://host:port"),
        ("ELEVENLABS_BASE_URL", "ftp://host"),
        ("ANTHROPIC_BASE_URL", "https://"),
        ("TWILIO_API_BASE", "https://host?x=1"),
        ("DEEPGRAM_API_KEY", "key with spaces"),
        ("ANTHROPIC_API_KEY", "schlüssel"),
        ("ELEVENLABS_API_KEY", "two\nlines"),
        ("PUBLIC_URL", "phone.example.com"),
        ("PUBLIC_URL", "https://phone.example.com/twilio/voice"),
        ("PUBLIC_URL", "https://user:word@phone.example.com"),
        ("PUBLIC_URL", "wss://phone.example.com"),
    ],
)
def test_what_cannot_be_right_is_refused_in_one_sentence(name: str, value: str) -> None:
    (sentence,) = faults(**{name: value})
    assert sentence.startswith(f"The environment variable {name}")
    assert sentence.endswith(".")


def test_all_faults_are_told_at_once() -> None:
    told = faults(PORT="x", LOG_LEVEL="warn", PATCHCORD_PORT="1")
    assert [fault.split()[3].partition("=")[0] for fault in told] == ["PORT", "LOG_LEVEL", "PATCHCORD_PORT"]


def test_a_word_that_is_nearly_right_gets_the_right_one_as_example() -> None:
    assert faults(LOG_LEVEL="warn")[0].endswith("write for example LOG_LEVEL=warning.")
    assert faults(EARS_ENCODING="linear")[0].endswith("write for example EARS_ENCODING=linear16.")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000", "http://localhost:8000", "http://[::1]:8000", "https://a.example"]
)
def test_a_public_address_is_https_or_loopback(url: str) -> None:
    assert Settings.read({"PUBLIC_URL": url}).public_url == url


def test_a_public_address_without_tls_is_refused_with_the_right_one() -> None:
    (sentence,) = faults(PUBLIC_URL="http://phone.example.com")
    assert sentence.endswith("write for example PUBLIC_URL=https://phone.example.com.")


def test_an_unknown_variable_of_ours_is_refused_with_the_nearest_name() -> None:
    assert faults(PATCHCORD_MAXCALLS="3")[0].endswith("did you mean MAX_CALLS?")
    assert faults(PATCHCORD_TOOL_SECRETS_CRM="s")[0].endswith("did you mean PATCHCORD_TOOL_SECRET_NAME?")
    assert faults(PATCHCORD_TOOL_SECRET_="s")[0].endswith("did you mean PATCHCORD_TOOL_SECRET_NAME?")
    assert "remove it" in faults(PATCHCORD_ZZZ="1")[0]


def test_variables_of_others_are_left_alone() -> None:
    assert Settings.read({"ANTHROPIC_LOG": "debug", "PATH": "/bin"}) == Settings.read({})


def test_no_secret_shows_in_a_repr_or_in_a_fault() -> None:
    secret = "s3cr3t"
    keys = ("DEEPGRAM_API_KEY", "ANTHROPIC_API_KEY", "ELEVENLABS_API_KEY", "STT_API_KEY", "TTS_API_KEY")
    names = ("TWILIO_AUTH_TOKEN", *keys)
    environ = {name: secret for name in (*names, "PATCHCORD_TOOL_SECRET_X")}
    environ |= {"DATABASE_URL": f"postgresql://u:{secret}@h/d", "REDIS_URL": f"redis://:{secret}@h"}
    assert secret not in repr(Settings.read(environ))
    wrong = {name: f"{secret} {secret}" for name in names} | {"DATABASE_URL": secret, "REDIS_URL": secret}
    assert secret not in "\n".join(faults(**wrong))


@pytest.mark.parametrize(
    ("given", "http", "ws"),
    [
        ("wss://vendor.example", "https://vendor.example", "wss://vendor.example"),
        ("https://vendor.example/eu/", "https://vendor.example/eu", "wss://vendor.example/eu"),
        ("ws://127.0.0.1:9100", "http://127.0.0.1:9100", "ws://127.0.0.1:9100"),
        ("http://127.0.0.1:9100", "http://127.0.0.1:9100", "ws://127.0.0.1:9100"),
    ],
)
def test_a_vendor_address_serves_for_sockets_and_requests_alike(given: str, http: str, ws: str) -> None:
    names = ("DEEPGRAM_URL", "ELEVENLABS_BASE_URL", "ANTHROPIC_BASE_URL", "TWILIO_API_BASE")
    settings = Settings.read(dict.fromkeys(names, given))
    assert (settings.deepgram_http_url, settings.deepgram_ws_url) == (http, ws)
    assert (settings.elevenlabs_http_url, settings.elevenlabs_ws_url) == (http, ws)
    assert (settings.anthropic_base_url, settings.twilio_api_base) == (http, http)


def test_a_postgres_address_as_hosts_hand_it_out_is_understood() -> None:
    assert Settings.read({"DATABASE_URL": "postgres://u@h/d"}).database_url == "postgresql://u@h/d"


def test_the_default_database_lies_in_the_data_folder() -> None:
    assert Settings.read({"DATA_DIR": "/srv/calls"}).database_url == "sqlite:////srv/calls/patchcord.db"


def test_a_server_for_this_machines_browser_needs_no_secret_of_twilios() -> None:
    settings = Settings.read({})
    settings.require_serving()
    assert settings.public_url == "http://127.0.0.1:8000"
    assert settings.twilio_auth_token == ""


def test_no_server_that_twilio_reaches_starts_without_its_secret() -> None:
    for exposed in ({"PUBLIC_URL": "https://phone.example.com"}, {"TWILIO_ACCOUNT_SID": "AC1"}):
        with pytest.raises(SettingsError, match="TWILIO_AUTH_TOKEN is not set"):
            Settings.read(exposed).require_serving()
        Settings.read({"TWILIO_AUTH_TOKEN": "t", **exposed}).require_serving()


def test_a_server_open_to_the_network_must_know_its_public_address() -> None:
    with pytest.raises(SettingsError, match=r"PUBLIC_URL is not set while HOST is 0\.0\.0\.0"):
        Settings.read({"TWILIO_AUTH_TOKEN": "t", "HOST": "0.0.0.0"}).require_serving()
    open_and_named = {"TWILIO_AUTH_TOKEN": "t", "HOST": "0.0.0.0", "PUBLIC_URL": "https://phone.example.com"}
    Settings.read(open_and_named).require_serving()


def test_an_address_of_the_sixth_kind_is_put_in_brackets() -> None:
    assert Settings.read({"HOST": "::1"}).public_url == "http://[::1]:8000"


def test_missing_keys_are_those_of_vendors_that_will_be_asked() -> None:
    assert Settings.read({"ANTHROPIC_API_KEY": "a"}).missing_keys() == ("DEEPGRAM_API_KEY", "ELEVENLABS_API_KEY")
    own_ears = {"ANTHROPIC_API_KEY": "a", "STT_URL": "http://127.0.0.1:9200"}
    assert Settings.read(own_ears).missing_keys() == ("ELEVENLABS_API_KEY",)
    assert Settings.read(own_ears | {"TTS_URL": "http://127.0.0.1:9200"}).missing_keys() == ()
    assert Settings.read({}).missing_keys() == ()


def test_we_are_on_our_own_where_no_vendor_has_a_key_or_an_address_of_its_own() -> None:
    assert Settings.read({}).without_vendors
    assert Settings.read({"DEEPGRAM_URL": "wss://api.deepgram.com"}).without_vendors
    assert Settings.read({"STT_URL": "http://127.0.0.1:9200", "TTS_URL": "http://127.0.0.1:9200"}).without_vendors
    for vendor in ("DEEPGRAM_API_KEY", "ANTHROPIC_API_KEY", "ELEVENLABS_API_KEY"):
        assert not Settings.read({vendor: "k"}).without_vendors
    for vendor in ("DEEPGRAM_URL", "ANTHROPIC_BASE_URL", "ELEVENLABS_BASE_URL"):
        assert not Settings.read({vendor: "http://127.0.0.1:9100"}).without_vendors


def test_the_table_has_a_line_for_every_setting() -> None:
    lines = table().splitlines()[2:]
    assert len(lines) == len(fields(Settings))
    assert "| `PORT` | 8000 | The port to listen at. |" in lines
    assert all(line.count("|") == 4 for line in lines)


def test_retention_names_its_classes_and_keeps_the_rest_as_it_was() -> None:
    kept = Settings.read({"RETENTION_DAYS": "transcripts=7, calls=0"}).retention_days
    assert dict(kept) == {"transcripts": 7, "traces": 30, "recordings": 30, "calls": 0}
    with pytest.raises(SettingsError, match="names transcripts, traces, recordings, calls"):
        Settings.read({"RETENTION_DAYS": "words=7"})
