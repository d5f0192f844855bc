"""Specs from what people write: keyword arguments, dicts, YAML or JSON (docs/cli.md, "Specs").

Fields have the names of sasq.v1.JobSpec. Enums are written short (`sasq`, `float`) or in full
(`METHOD_SASQ`). Short forms: a path or URI for a model or text, `METHOD[:FIRST_TOKEN]` or
`PRESET[:FIRST_TOKEN]` for a recipe, {name: path} for other texts and tasks. Paths become `file:` and the
absolute path. Ranges are left to the service.
"""

from __future__ import annotations

import difflib
import math
import os
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import yaml
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from sasq import errors
from sasq.v1 import job_spec_pb2

SpecLike = job_spec_pb2.JobSpec | Mapping[str, Any] | str | os.PathLike[str]

MAX_SPEC_FILE_BYTES = 1 << 20
# Zeros that specs as the service writes them hold: shares of which 0 is none, and the percentile of a
# recipe without one. Any other zero is no value at all on the wire.
_MAY_BE_ZERO = ("max_float_flops", "max_dynamic_flops", "percentile")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_NUMBERS = (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_DOUBLE)


def make_spec(spec: SpecLike | None, fields: Mapping[str, Any]) -> job_spec_pb2.JobSpec:
    """The spec of a message, a mapping or the path of a YAML or JSON file, with `fields` instead of its own.

    Raises InvalidSpec with every problem by its field, OSError if the file cannot be read.
    """
    folder = pathlib.Path.cwd()
    made = job_spec_pb2.JobSpec()
    reader = _SpecReader(folder)
    if isinstance(spec, job_spec_pb2.JobSpec):
        made.CopyFrom(spec)
    elif isinstance(spec, Mapping):
        reader.read_message(spec, "", made)
    elif spec is not None:
        path = pathlib.Path(spec)
        _SpecReader(folder / path.parent, reader.problems).read_message(_load(path), "", made)
    for name in fields:
        if name in made.DESCRIPTOR.fields_by_name:
            made.ClearField(name)
    reader.read_message(fields, "", made)
    if reader.problems:
        raise errors.invalid_spec(reader.problems)
    return made


class _UniqueKeyLoader(yaml.BaseLoader):
    """Scalars stay text, which each field reads in its own way: 1e-3 is a number, `off` is not `false`."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str) or key in mapping:
                what = "is given twice" if isinstance(key, str) else "is not a field name"
                raise yaml.constructor.ConstructorError(problem=f"{key!r} {what}", problem_mark=key_node.start_mark)
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping


_UniqueKeyLoader.add_constructor("tag:yaml.org,2002:map", _UniqueKeyLoader.construct_mapping)


def _load(path: pathlib.Path) -> object:
    if path.stat().st_size > MAX_SPEC_FILE_BYTES:
        raise errors.invalid_spec({str(path): "is longer than 1 MiB, want a job spec"})
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise errors.invalid_spec({str(path): f"is not valid YAML or JSON: {error}"}) from None


class _SpecReader:
    """Fills a message and collects what is wrong, by field."""

    def __init__(self, folder: pathlib.Path, problems: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.problems = {} if problems is None else problems

    def read_message(self, value: object, path: str, message: Message) -> None:
        if not isinstance(value, Mapping):
            self._report(path, "is not a mapping of field names to values")
            return
        for key, entry in value.items():
            field = message.DESCRIPTOR.fields_by_name.get(key)
            key_path = f"{path}.{key}" if path else str(key)
            if field is None:
                names = message.DESCRIPTOR.fields_by_name
                self._report(key_path, f"is not a known field{_did_you_mean(str(key), names)}")
            elif entry is None:
                self._report(key_path, "has no value; give one or leave it out")
            elif field.is_repeated:
                self._read_list(entry, key_path, field, message)
            elif field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
                self._read_inner(entry, key_path, getattr(message, field.name))
            elif (scalar := self._scalar(field, entry, key_path)) is not None:
                setattr(message, field.name, scalar)

    def _read_inner(self, value: object, path: str, message: Message) -> None:
        """A message, perhaps in short form."""
        message.SetInParent()
        if isinstance(value, type(message)):
            message.CopyFrom(value)
        elif isinstance(value, (str, os.PathLike)) and "uri" in message.DESCRIPTOR.fields_by_name:
            self.read_message({"uri": value}, path, message)
        elif isinstance(value, str) and isinstance(message, job_spec_pb2.Recipe):
            try:
                _read_short_recipe(value, message)
            except ValueError as error:
                self._report(path, str(error))
        else:
            self.read_message(value, path, message)

    def _read_list(self, value: object, path: str, field: Any, message: Message) -> None:
        entries = getattr(message, field.name)
        if field.message_type is job_spec_pb2.NamedText.DESCRIPTOR and isinstance(value, Mapping):
            value = [{"name": name, "text": text} for name, text in value.items()]
        if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Sequence):
            self._report(path, "is not a list")
            return
        for number, entry in enumerate(value):
            entry_path = f"{path}[{number}]"
            if field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
                self._read_inner(entry, entry_path, entries.add())
            elif (scalar := self._scalar(field, entry, entry_path, in_list=True)) is not None:
                entries.append(scalar)

    def _scalar(self, field: Any, value: object, path: str, in_list: bool = False) -> object:
        """The field's value; None, with a problem at the path, for what is none."""
        try:
            if field.name == "uri" and isinstance(value, (str, os.PathLike)):
                return _resolve(self.folder, _join_surrogates(os.fspath(value)))
            read = _read_scalar(field, value)
            # Of a zero the wire carries nothing. The one int64, the seed, means its zero.
            is_lost = read == 0 and field.cpp_type in _NUMBERS and not field.has_presence and not in_list
            if is_lost and field.name not in _MAY_BE_ZERO:
                _want(value, "more than 0, or nothing for the default")
            return read
        except ValueError as error:
            self._report(path, str(error))
            return None

    def _report(self, path: str, problem: str) -> None:
        self.problems.setdefault(path or "the spec", problem)


def _want(value: object, wanted: str) -> NoReturn:
    raise ValueError(f'is "{value}", want {wanted}')


def _read_scalar(field: Any, value: object) -> object:
    """Raises ValueError that says what is wrong and what was wanted."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_ENUM:
        return enum_number(field.enum_type, value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        # JSON writes characters beyond U+FFFF as two surrogates, which YAML leaves apart.
        return _join_surrogates(value) if isinstance(value, str) else _want(value, "text")
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if isinstance(value, bool):
            return value
        return value == "true" if value in ("true", "false") else _want(value, "true or false")
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        return _number(value)
    return _integer(value, 64 if field.cpp_type == FieldDescriptor.CPPTYPE_INT64 else 32)


def _join_surrogates(text: str) -> str:
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        _want(ascii(text), "text without lone surrogates")


def _integer(value: object, bits: int) -> int:
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]{1,19}", value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        _want(value, "a whole number")
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        _want(value, f"a whole number of at most {bits} bits")
    return value


def _number(value: object) -> float:
    if isinstance(value, (int, float, str)) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            _want(value, "a number")
        if math.isfinite(number):
            return number
    _want(value, "a number")


def _short_names(enum: Any) -> dict[str, int]:
    prefix = enum.values[0].name.removesuffix("UNSPECIFIED")
    return {value.name.removeprefix(prefix).lower(): value.number for value in enum.values[1:]}


def enum_number(enum: Any, value: object) -> int:
    """The number of an enum's value by its short or full name. Raises ValueError that lists the short names."""
    names = _short_names(enum)
    if isinstance(value, int) and not isinstance(value, bool) and value in enum.values_by_number:
        return value
    if isinstance(value, str):
        if value in enum.values_by_name:
            return int(enum.values_by_name[value].number)
        wanted = value.lower().replace("-", "_")
        if wanted in names:
            return names[wanted]
    _want(value, ", ".join(names) + _did_you_mean(str(value), names))


def _read_short_recipe(text: str, recipe: job_spec_pb2.Recipe) -> None:
    """`sasq_max`, `static_mse:float`."""
    name, colon, first_token = text.partition(":")
    methods, presets = (_short_names(enum.DESCRIPTOR) for enum in (job_spec_pb2.Method, job_spec_pb2.Preset))
    wanted = name.lower().replace("-", "_")
    if wanted in presets:
        recipe.preset = job_spec_pb2.Preset.Name(presets[wanted])  # type: ignore[assignment]
    elif wanted in methods:
        recipe.method = job_spec_pb2.Method.Name(methods[wanted])  # type: ignore[assignment]
    else:
        known = [*methods, *presets]
        _want(name, ", ".join(known) + _did_you_mean(wanted, known))
    if colon:
        recipe.first_token = enum_number(job_spec_pb2.FirstToken.DESCRIPTOR, first_token)  # type: ignore[assignment]


def _did_you_mean(name: str, candidates: Any) -> str:
    nearest = difflib.get_close_matches(name, list(candidates), n=1)
    return f"; did you mean {nearest[0]}?" if nearest else ""


def _resolve(folder: pathlib.Path, uri: str) -> str:
    """A path, or `file:` and a path, as `file:` and the absolute path; other schemes stay."""
    local = uri
    if _SCHEME.match(uri):
        if not uri.startswith("file:"):
            return uri
        local = uri.removeprefix("file:").removeprefix("//")  # an empty host, as in file:///models
    return f"file:{os.path.normpath(folder / local)}" if local else uri
