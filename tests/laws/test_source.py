"""Laws of the border: any text is read or refused, and what was written is read back."""

from typing import Any

import pytest
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from genome.yaml.source import SourceError, parse

YAMLISH = (
    st.text(alphabet=st.sampled_from(list("ab1:-,[]{}&*!|>'\"%@`#?~<.\\ \n\t\r\ufeff\u2028é\0"))) | st.text()
)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)


class Quoting(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@pytest.mark.parametrize("loader", [getattr(yaml, "CSafeLoader", yaml.SafeLoader), yaml.SafeLoader])
@given(text=YAMLISH | st.binary().map(lambda data: b"a: " + data))
@example('a: "\\U99999999"')
@example("a: !<> 1")
@example("a: {c2: 1, ?}")
@example("%TAG ! tag:x,2000:\n---\na: !y 1")
@example("a: ! [1]")
def test_any_text_is_read_or_refused_in_one_line(loader: Any, text: str | bytes) -> None:
    """With libyaml, and with the slower parser that stands in where it is absent."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("genome.yaml.source._Loader", loader)
            source = parse(text)
    except SourceError as error:
        message = str(error)
        assert message.startswith("<text>:") and "\n" not in message and len(message) < 300
    else:
        assert isinstance(source.value, dict)
        assert 1 <= min(source.lines.values()) <= max(source.lines.values()) <= len(text) + 1


@given(st.dictionaries(WORDS, JSON))
def test_what_pyyaml_writes_is_read_back(value: dict[str, Any]) -> None:
    """Strings are quoted: PyYAML leaves plain what YAML 1.2 reads as a number, such as `1e3`."""
    text = yaml.dump(value, Dumper=Quoting, allow_unicode=True)
    assert parse(text).value == value


@given(
    st.dictionaries(
        st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
    )
)
def test_plain_words_are_read_back(value: dict[str, str]) -> None:
    assume(not {"true", "false", "null"} & {*value, *value.values()})
    assert parse("".join(f"{key}: {word}\n" for key, word in value.items()) or "{}").value == value
