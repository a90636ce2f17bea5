"""Conditions in CEL, typed at load and three-valued at evaluation.

Every expression is compiled twice with cel-expr-python (Google's C++ implementation):

1. against protobuf types built at run time from the facts' shapes, so that a misspelt field, an int compared with a
   double or a condition that is not a bool is refused with its place in the text;
2. against the same names as maps that hold only what is known. Reading an unknown fact is then CEL's own "no such
   key" error, and CEL's logic treats errors exactly as a three-valued logic treats unknown: `false && unknown` is
   false, `true || unknown` is true, `exists` is true if one element is, and everything else stays unknown.

`has(x)` asks whether a fact is known and is itself always known.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any

from cel_expr_python import cel as google
from cel_expr_python.ext import ext_math, ext_strings
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2

from policies.taxonomy import nearest

MAX_SOURCE = 4_000
"""Characters in one condition. The longest shipped one has some 400; nobody reads 4,000 aloud."""


class CelError(Exception):
    """An expression cannot be used. `line` and `col` count from 1 inside the expression."""

    def __init__(self, line: int, col: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.col = col
        self.message = message


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value of a CEL type."""

    type: str
    """string | int | double | bool | timestamp"""
    choices: frozenset[str] = frozenset()
    """The only words it can be; a comparison with another word is refused at load. Empty: any."""


@dataclass(frozen=True, slots=True)
class Many:
    """A list of values of one shape."""

    of: Shape


@dataclass(frozen=True, slots=True)
class Table:
    """A map from any word to values of one shape."""

    of: Scalar


@dataclass(frozen=True, slots=True)
class Record:
    """Named fields. Whichever is absent at evaluation is unknown."""

    name: str
    fields: Mapping[str, Shape]
    dense: bool = False
    """Kept as a message at evaluation, for speed where there are many: its scalar fields are always known, and only
    those of its records of numbers can be unknown."""


Shape = Scalar | Many | Table | Record


class Sign(IntFlag):
    """How an expression can move from false to true, or a list grow, when a list it reads gets one more element."""

    STILL = 0
    UP = 1
    DOWN = 2
    EITHER = 3

    def flipped(self) -> Sign:
        """The sign of the negation."""
        return Sign((self & Sign.UP) << 1 | (self & Sign.DOWN) >> 1)


@dataclass(frozen=True, slots=True)
class Unknown:
    """What an evaluation says instead of true or false."""

    facts: tuple[str, ...]
    """Paths of the unknown facts the expression reads; empty where it failed for another reason."""
    why: str


@dataclass(frozen=True, slots=True)
class Condition:
    """One compiled expression."""

    source: str
    variables: frozenset[str]
    """Top-level names it reads."""
    reads: frozenset[str]
    """Full paths whose value it needs ("papers.production.investment_cny", "papers.filings[].scheme")."""
    asks: frozenset[str]
    """Paths it only asks about with has()."""
    signs: Mapping[str, Sign]
    """By list variable: how one more element can move the answer."""
    language: Language
    program: Any = field(repr=False)

    def holds(self, values: Mapping[str, Any]) -> bool | Unknown:
        """Whether it is true of `values` (all variables, as `Language.value` prepares them)."""
        given = {name: values[name] for name in self.variables}
        try:
            answer = self.program.eval(self.language.running.Activation(given))
        except RuntimeError as error:  # more iterations than CEL grants
            return Unknown((), str(error))
        if answer.type().name() == "BOOL":
            return bool(answer.value())
        missing = {path for path in self.reads if _missing(values, path.split("."))}
        first = sorted(p for p in missing if not any(p.startswith((f"{q}.", f"{q}[]")) for q in missing))
        return Unknown(tuple(first), str(answer.value()))


class Language:
    """CEL over a fixed set of variables."""

    def __init__(self, variables: Mapping[str, Shape]) -> None:
        self.variables = variables
        extensions = [ext_math.ExtMath(), ext_strings.ExtStrings()]
        typed, sparse = _Messages(variables, sparse=False), _Messages(variables, sparse=True)
        self._messages = sparse.classes()
        self.checking = google.NewEnv(typed.pool, variables=typed.types(variables), extensions=extensions)
        self.running = google.NewEnv(sparse.pool, variables=sparse.types(variables), extensions=extensions)

    def value(self, shape: Shape, plain: Any) -> Any:
        """`plain` (JSON values) as evaluation wants it: nulls dropped, whole doubles made doubles, records filled in
        so that only leaves are missing."""
        match shape:
            case Record(name, fields, dense=True):
                given = {k: self.value(fields[k], v) for k, v in plain.items() if v is not None}
                return self._messages[name](**given)
            case Record(_, fields):
                known = {k: self.value(fields[k], v) for k, v in plain.items() if v is not None and k in fields}
                for key, inner in fields.items():
                    if key not in known and isinstance(inner, Record):
                        known[key] = self.value(inner, {})
                return known
            case Many(of):
                return [self.value(of, v) for v in plain]
            case Table(of):
                return {k: self.value(of, v) for k, v in plain.items() if v is not None}
            case Scalar("double"):
                return float(plain)
            case _:
                return plain

    def message_of(self, record: Record) -> Any:
        """The message class of a dense record."""
        return self._messages[record.name]

    def compile(self, source: str) -> Condition:
        """`source` ready to evaluate. Raises CelError where it is not a bool expression over these variables."""
        if len(source) > MAX_SOURCE:
            raise CelError(1, 1, f"{len(source)} characters; a condition has at most {MAX_SOURCE}")
        try:
            checked = self.checking.compile(source)
        except RuntimeError as error:
            raise self._explained(str(error), source) from None
        if checked.return_type().name() != "BOOL":
            raise CelError(1, 1, f"gives {checked.return_type().name().lower()}; a condition gives true or false")
        reading = _Reading(checked.serialize(), self.variables, source)
        reading.run()
        return Condition(
            source=source,
            variables=frozenset(reading.variables),
            reads=frozenset(reading.reads),
            asks=frozenset(reading.asks),
            signs=reading.signs,
            language=self,
            program=self.running.compile(source),
        )

    def _explained(self, message: str, source: str) -> CelError:
        """The first error of CEL's report with its place, and the nearest spelling where a name is wrong."""
        found = re.search(r"<input>:(\d+):(-?\d+): (.*)", message)
        if not found:
            return CelError(1, 1, message.splitlines()[0])
        line, col, text = int(found[1]), int(found[2]), found[3].removesuffix(" [INVALID_ARGUMENT]")
        if field_name := re.search(r"undefined field '(\w+)' not found in struct '(?:\w+\.)?(\w+)'", text):
            known = _fields_of(self.variables, field_name[2])
            near = nearest(field_name[1], known)
            text = f"no field {field_name[1]!r} in {field_name[2]}"
            text += f"; did you mean {near!r}?" if near else f"; it has {', '.join(sorted(known))}"
        elif variable := re.search(r"undeclared reference to '(\w+)", text):
            near = nearest(variable[1], self.variables)
            col -= len(variable[1]) - 1 if source.splitlines()[line - 1][col - 1 : col] == "." else 0
            text = f"nothing is called {variable[1]!r}"
            text += f"; did you mean {near!r}?" if near else f"; facts are {', '.join(sorted(self.variables))}"
        elif overload := re.search(r"no matching overload for '(.+?)' applied to '(.*)'", text):
            text = f"{overload[1].strip('_')} does not go with {overload[2]}"
            if {"int", "double"} <= set(re.findall(r"\w+", overload[2])):
                text += "; write numbers with a point (1.0) beside a double and without one (1) beside an int"
        elif text.startswith("Syntax error"):
            text = "syntax error" + text.removeprefix("Syntax error").split(" expecting ")[0]
        return CelError(line, max(1, col), text)


def _missing(values: Any, path: list[str]) -> bool:
    """Whether somewhere along `path` there is nothing."""
    if not path:
        return False
    name, rest = path[0], path[1:]
    many = name.endswith("[]")
    name = name.removesuffix("[]")
    if hasattr(values, "DESCRIPTOR"):
        value = getattr(values, name)
    elif name in values:
        value = values[name]
    else:
        return True
    if many:
        return any(_missing(item, rest) for item in value)
    return _missing(value, rest) if rest else False


def _fields_of(variables: Mapping[str, Shape], record: str) -> list[str]:
    return next((list(r.fields) for r in _records(variables.values()) if r.name == record), [])


def _records(shapes: Iterable[Shape]) -> Iterable[Record]:
    """Every record among `shapes` and inside them, innermost first."""
    for shape in shapes:
        match shape:
            case Record(_, fields):
                yield from _records(fields.values())
                yield shape
            case Many(of):
                yield from _records([of])
            case _:
                pass


_PACKAGE = "facts"
_Field = descriptor_pb2.FieldDescriptorProto
_WIRE = {
    "string": _Field.TYPE_STRING,
    "int": _Field.TYPE_INT64,
    "double": _Field.TYPE_DOUBLE,
    "bool": _Field.TYPE_BOOL,
}


class _Messages:
    """Protobuf types for the shapes: typed throughout, or (sparse) only for what stays a message at evaluation."""

    def __init__(self, variables: Mapping[str, Shape], *, sparse: bool) -> None:
        self.sparse = sparse
        self.records = {r.name: r for r in _records(variables.values()) if r.dense or not sparse}
        file = descriptor_pb2.FileDescriptorProto(name="facts.proto", package=_PACKAGE, syntax="proto3")
        file.dependency.append("google/protobuf/timestamp.proto")
        for record in self.records.values():
            message = file.message_type.add(name=record.name)
            for number, (name, shape) in enumerate(record.fields.items(), 1):
                self.add(message, name, number, shape)
        self.pool = descriptor_pool.DescriptorPool()
        self.pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
        self.pool.AddSerializedFile(file.SerializeToString())

    def add(self, message: Any, name: str, number: int, shape: Shape, *, label: int = 1) -> None:
        match shape:
            case Many(of):
                self.add(message, name, number, of, label=3)
            case Scalar("timestamp"):
                message.field.add(
                    name=name,
                    number=number,
                    label=label,
                    type=_Field.TYPE_MESSAGE,
                    type_name=".google.protobuf.Timestamp",
                )
            case Scalar(kind):
                message.field.add(name=name, number=number, label=label, type=_WIRE[kind])
            case Record() if self.sparse and not shape.dense:
                self.add(message, name, number, Table(Scalar("double")))
            case Record(inner):
                message.field.add(
                    name=name, number=number, label=label, type=_Field.TYPE_MESSAGE, type_name=f".{_PACKAGE}.{inner}"
                )
            case Table(of):
                entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
                entry.options.map_entry = True
                entry.field.add(name="key", number=1, label=1, type=_Field.TYPE_STRING)
                entry.field.add(name="value", number=2, label=1, type=_WIRE[of.type])
                path = f".{_PACKAGE}.{message.name}.{entry.name}"
                message.field.add(name=name, number=number, label=3, type=_Field.TYPE_MESSAGE, type_name=path)

    def classes(self) -> dict[str, Any]:
        """The message classes, by record."""
        return {
            name: message_factory.GetMessageClass(self.pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
            for name in self.records
        }

    def types(self, variables: Mapping[str, Shape]) -> dict[str, Any]:
        """The CEL type of each variable."""
        return {name: self.type_of(shape) for name, shape in variables.items()}

    def type_of(self, shape: Shape) -> Any:
        kind = google.Type
        match shape:
            case Scalar(name):
                return getattr(kind, name.upper())
            case Many(of):
                return kind.List(self.type_of(of))
            case Table(of):
                return kind.Map(kind.STRING, self.type_of(of))
            case Record(name) if name in self.records:
                return kind(f"{_PACKAGE}.{name}")
            case Record():
                return kind.Map(kind.STRING, kind.DYN)


def _checked_expr() -> Any:
    """The message class of a compiled expression (cel.expr.CheckedExpr), as far as we read it.

    Source: cel-spec proto/cel/expr/{syntax,checked}.proto; field numbers are part of that contract.
    """
    file = descriptor_pb2.FileDescriptorProto(name="checked.proto", package="c", syntax="proto3")
    one, many = 1, 3
    message, string, boolean = _Field.TYPE_MESSAGE, _Field.TYPE_STRING, _Field.TYPE_BOOL
    layout: dict[str, list[tuple[str, int, int, int, str]]] = {
        "Checked": [("expr", 4, message, one, "Expr"), ("source_info", 5, message, one, "Info")],
        "Info": [("positions", 4, message, many, "Position")],
        "Position": [("key", 1, _Field.TYPE_INT64, one, ""), ("value", 2, _Field.TYPE_INT32, one, "")],
        "Expr": [
            ("id", 2, _Field.TYPE_INT64, one, ""),
            ("const_expr", 3, message, one, "Constant"),
            ("ident_expr", 4, message, one, "Ident"),
            ("select_expr", 5, message, one, "Select"),
            ("call_expr", 6, message, one, "Call"),
            ("list_expr", 7, message, one, "List"),
            ("struct_expr", 8, message, one, "Struct"),
            ("comprehension_expr", 9, message, one, "Comprehension"),
        ],
        "Constant": [
            ("bool_value", 2, boolean, one, ""),
            ("int64_value", 3, _Field.TYPE_INT64, one, ""),
            ("double_value", 5, _Field.TYPE_DOUBLE, one, ""),
            ("string_value", 6, string, one, ""),
        ],
        "Ident": [("name", 1, string, one, "")],
        "Select": [
            ("operand", 1, message, one, "Expr"),
            ("field", 2, string, one, ""),
            ("test_only", 3, boolean, one, ""),
        ],
        "Call": [
            ("target", 1, message, one, "Expr"),
            ("function", 2, string, one, ""),
            ("args", 3, message, many, "Expr"),
        ],
        "List": [("elements", 1, message, many, "Expr")],
        "Struct": [("entries", 2, message, many, "Entry")],
        "Entry": [("map_key", 3, message, one, "Expr"), ("value", 4, message, one, "Expr")],
        "Comprehension": [
            ("iter_var", 1, string, one, ""),
            ("iter_range", 2, message, one, "Expr"),
            ("accu_var", 3, string, one, ""),
            ("accu_init", 4, message, one, "Expr"),
            ("loop_condition", 5, message, one, "Expr"),
            ("loop_step", 6, message, one, "Expr"),
            ("result", 7, message, one, "Expr"),
        ],
    }
    for name, fields in layout.items():
        made = file.message_type.add(name=name)
        for key, number, kind, label, inner in fields:
            slot = made.field.add(name=key, number=number, type=kind, label=label)
            if inner:
                slot.type_name = f".c.{inner}"
            elif name == "Constant":
                slot.oneof_index = 0
        if name == "Constant":
            made.oneof_decl.add(name="kind")
    wrapper = file.message_type.add(name="Any")
    wrapper.field.add(name="value", number=2, type=_Field.TYPE_BYTES, label=one)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    checked = message_factory.GetMessageClass(pool.FindMessageTypeByName("c.Checked"))
    outer = message_factory.GetMessageClass(pool.FindMessageTypeByName("c.Any"))
    return lambda data: checked.FromString(outer.FromString(data).value)


_parse_checked = _checked_expr()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is known of one subexpression."""

    path: str | None = None
    shape: Shape | None = None
    signs: Mapping[str, Sign] = field(default_factory=dict)
    """For a bool: how it moves. For a list: UP where it grows with the variable."""
    number: float | None = None
    """Where it is a numeric literal."""
    size: bool = False
    """Whether it is size() of a list, so that its signs say how a number grows."""


class _Reading:
    """One walk over the syntax tree: which facts are read, which words compared, and which way lists move it."""

    def __init__(self, serialized: bytes, variables: Mapping[str, Shape], source: str) -> None:
        checked = _parse_checked(serialized)
        self.expr = checked.expr
        self.offsets = {p.key: p.value for p in checked.source_info.positions}
        self.source = source
        self.scope: dict[str, _Seen] = {
            name: _Seen(name, shape, {name: Sign.UP} if isinstance(shape, Many) else {})
            for name, shape in variables.items()
        }
        self.variables: set[str] = set()
        self.known = frozenset(variables)
        self.reads: set[str] = set()
        self.asks: set[str] = set()
        self.signs: Mapping[str, Sign] = {}

    def run(self) -> None:
        self.signs = self.used(self.expr).signs

    def used(self, expr: Any) -> _Seen:
        """Visit `expr` where its value is needed."""
        seen = self.visit(expr)
        if seen.path is not None and "." in seen.path:
            self.reads.add(seen.path)
        return seen

    def visit(self, expr: Any) -> _Seen:
        if expr.HasField("ident_expr"):
            name = expr.ident_expr.name
            if name in self.known:
                self.variables.add(name)
            return self.scope.get(name, _Seen())
        if expr.HasField("select_expr"):
            return self.select(expr)
        if expr.HasField("call_expr"):
            return self.call(expr)
        if expr.HasField("comprehension_expr"):
            return self.comprehension(expr.comprehension_expr)
        if expr.HasField("const_expr"):
            kind = expr.const_expr.WhichOneof("kind")
            number = float(getattr(expr.const_expr, kind)) if kind in ("int64_value", "double_value") else None
            return _Seen(number=number)
        parts = list(expr.list_expr.elements)
        for entry in expr.struct_expr.entries:
            parts += [entry.map_key, entry.value]
        return _Seen(signs=_either([self.used(part).signs for part in parts]))

    def select(self, expr: Any) -> _Seen:
        chosen = expr.select_expr
        seen = self.visit(chosen.operand)
        path = None if seen.path is None else f"{seen.path}.{chosen.field}"
        shape: Shape | None = None
        match seen.shape:
            case Record(_, fields):
                shape = fields.get(chosen.field)
            case Table(of):
                shape = of
            case _:
                pass
        if chosen.test_only:
            if path is not None:
                self.asks.add(path)
            return _Seen(signs=_either([seen.signs]))
        return _Seen(path, shape, _either([seen.signs]))

    def call(self, expr: Any) -> _Seen:
        call = expr.call_expr
        arguments = [call.target] if call.HasField("target") else []
        arguments += call.args
        seen = [self.used(a) for a in arguments]
        name = call.function
        if name in ("_&&_", "_||_", "@not_strictly_false"):
            return _Seen(signs=_joined([s.signs for s in seen]))
        if name in ("!_", "!_unary"):
            return _Seen(signs={k: s.flipped() for k, s in seen[0].signs.items()})
        if (name == "size" and isinstance(seen[0].shape, Many)) or (name == "size" and seen[0].path is None):
            return _Seen(signs=seen[0].signs, size=True)
        if name in ("_>_", "_>=_", "_<_", "_<=_", "_==_", "_!=_") and len(seen) == 2:
            self.words(name, arguments, seen)
            moved = self.compared(name, seen)
            if moved is not None:
                return _Seen(signs=moved)
        if name == "@in" and len(seen) == 2:
            self.words(name, arguments, seen)
        if name == "matches":
            self.regex(arguments[-1])
        if name == "_[_]" and seen[0].path is not None and isinstance(seen[0].shape, Many):
            return _Seen(seen[0].path + "[]", seen[0].shape.of, _either([s.signs for s in seen]))
        return _Seen(signs=_either([s.signs for s in seen]))

    def compared(self, name: str, seen: list[_Seen]) -> Mapping[str, Sign] | None:
        """How a comparison of size() with a literal moves; None where it is not one."""
        left, right = seen
        swapped = {"_>_": "_<_", "_>=_": "_<=_", "_<_": "_>_", "_<=_": "_>=_"}
        if right.size and left.number is not None:
            left, right, name = right, left, swapped.get(name, name)
        if not left.size or right.number is None:
            return None
        up = left.signs
        down = {k: s.flipped() for k, s in up.items()}
        if name in ("_>_", "_>=_") or (name == "_!=_" and right.number == 0):
            return up
        if name in ("_<_", "_<=_") or (name == "_==_" and right.number == 0):
            return down
        return _either([up])

    def comprehension(self, loop: Any) -> _Seen:
        over = self.used(loop.iter_range)
        if over.path is not None and f"{over.path}[]" in {s.path for s in self.scope.values()}:
            raise self.error(loop.iter_range, f"a loop over {over.path} inside another takes too long; write one loop")
        element = _Seen()
        if over.path is not None and isinstance(over.shape, Many):
            element = _Seen(over.path + "[]", over.shape.of)
        elif isinstance(over.shape, Many):
            element = _Seen(None, over.shape.of)
        elif over.path is not None and isinstance(over.shape, Table):
            element = _Seen(None, None)
        outer = dict(self.scope)
        start = self.visit(loop.accu_init)
        self.scope[loop.iter_var] = element
        self.scope[loop.accu_var] = _Seen()
        self.used(loop.loop_condition)
        step = self.used(loop.loop_step)
        result = self.used(loop.result)
        self.scope = outer
        inner = _joined([start.signs, step.signs, result.signs])
        function = loop.loop_step.call_expr.function if loop.loop_step.HasField("call_expr") else ""
        constant = loop.accu_init.const_expr.WhichOneof("kind") if loop.accu_init.HasField("const_expr") else None
        if constant == "bool_value" and function == "_||_":  # exists
            return _Seen(signs=_joined([over.signs, inner]))
        if constant == "bool_value" and function == "_&&_":  # all
            return _Seen(signs=_joined([{k: s.flipped() for k, s in over.signs.items()}, inner]))
        if loop.accu_init.HasField("list_expr") and function == "_?_:_":  # filter
            condition = self.filtered(loop, element)
            return _Seen(over.path, over.shape, _joined([over.signs, condition]))
        return _Seen(signs=_either([over.signs, inner]))

    def filtered(self, loop: Any, element: _Seen) -> Mapping[str, Sign]:
        """How the condition of a filter moves."""
        outer = dict(self.scope)
        self.scope[loop.iter_var], self.scope[loop.accu_var] = element, _Seen()
        signs = self.visit(loop.loop_step.call_expr.args[0]).signs
        self.scope = outer
        return signs

    def words(self, name: str, arguments: list[Any], seen: list[_Seen]) -> None:
        """Refuse a word that the fact it is compared with can never be."""
        for fact, other in ((0, 1), (1, 0)):
            shape = seen[fact].shape
            if name == "@in" and fact == 1:
                if not (isinstance(shape, Many) and isinstance(shape.of, Scalar)):
                    continue
                shape = shape.of
            if not isinstance(shape, Scalar) or not shape.choices:
                continue
            literals = list(arguments[other].list_expr.elements) if name == "@in" and fact == 0 else [arguments[other]]
            for literal in literals:
                if not literal.HasField("const_expr") or literal.const_expr.WhichOneof("kind") != "string_value":
                    continue
                word = literal.const_expr.string_value
                if word not in shape.choices:
                    near = nearest(word, shape.choices)
                    hint = f"did you mean {near!r}?" if near else f"it is one of {', '.join(sorted(shape.choices))}"
                    raise self.error(literal, f"{seen[fact].path or 'the fact'} is never {word!r}; {hint}")

    def regex(self, argument: Any) -> None:
        """Refuse a pattern that is no constant or that RE2 does not read."""
        if not argument.HasField("const_expr"):
            raise self.error(argument, "the pattern of matches() must be written out")
        pattern = argument.const_expr.string_value
        answer = _PLAIN.compile("''.matches(p)").eval(_PLAIN.Activation({"p": pattern}))
        if answer.type().name() != "BOOL":
            why = str(answer.value()).partition("expression: ")[2] or str(answer.value())
            raise self.error(argument, f"not a regular expression (RE2): {why}")

    def error(self, expr: Any, message: str) -> CelError:
        offset = self.offsets.get(expr.id, 0)
        before = self.source[:offset]
        return CelError(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1, message)


_PLAIN = google.NewEnv(variables={"p": google.Type.STRING})


def _joined(signs: Iterable[Mapping[str, Sign]]) -> dict[str, Sign]:
    """Signs of an expression that moves only as its parts do."""
    result: dict[str, Sign] = {}
    for one in signs:
        for name, sign in one.items():
            result[name] = result.get(name, Sign.STILL) | sign
    return result


def _either(signs: Iterable[Mapping[str, Sign]]) -> dict[str, Sign]:
    """Signs of an expression about which nothing is known but what it reads."""
    return {name: Sign.EITHER for name, sign in _joined(signs).items() if sign}
