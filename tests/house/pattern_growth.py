"""How the time of a regular expression can grow with the text, read from its structure.

A pattern becomes an automaton whose states are its characters (Glushkov's). A backtracking engine takes polynomial time
where one word can be read in two loops that follow each other and in both of them (`\\d+\\d*x`), and exponential time
where a loop can read one word in two ways (`(\\d+)*x`): Weideman et al., "Analyzing Matching Time Behavior of
Backtracking Regular Expression Matchers", 2016. A search is a loop over everything in front of the pattern, so
`\\[\\S+Z` is quadratic too: every bracket is a new start.

What bounds a repeat ends its growth: `{1,255}` is no loop here, but `(\\w{1,40}){1,40}x` still explodes. Where nothing
can fail behind a loop, nothing is tried again. Backreferences count as any text; assertions are read as true, but for
those right at the start that say what stands before.
"""

import re
import re._constants as sre  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

ALPHABET: Final = "".join(map(chr, range(128))) + "\x85\xa0éÿß\u017f\u2019\u2028\u212a中😀"
EVERYTHING: Final = (1 << len(ALPHABET)) - 1

# A repeat of at most so many is copied; of more, it is a few copies: what it costs is a constant.
_COPIED: Final = 3
_COPIED_EXACTLY: Final = 16


@cache
def _mask(expression: str, flags: int) -> int:
    compiled = re.compile(expression, flags)
    return sum(1 << at for at, character in enumerate(ALPHABET) if compiled.fullmatch(character))


NEWLINE: Final = _mask("\\n", 0)
WORD: Final = _mask("\\w", 0)


@dataclass
class Piece:
    """A part of the automaton: with which states it begins and ends, and in how many ways it can be empty."""

    empty: int = 1
    first: Counter[int] = field(default_factory=Counter)
    last: Counter[int] = field(default_factory=Counter)


class Automaton:
    """Built from one pattern. State 0 is the search for a start, where there is one. `nested`: a repeat within another
    counts as one without end, even where both are bounded. `large`: so does one of that many, anywhere."""

    def __init__(
        self, pattern: str, flags: int, searching: bool, whole: bool, nested: bool = False, large: int = 1 << 32
    ) -> None:
        self.masks: list[int] = [EVERYTHING]
        self.follow: defaultdict[int, Counter[int]] = defaultdict(Counter)
        self.possessive: set[int] = set()
        self._nested = nested
        self._large = large
        self._repeats = 0
        tree = parser.parse(pattern, flags)
        self._flags = tree.state.flags
        self._widths = tree.state.groupwidths
        items = list(tree)
        anchored = bool(items) and self._is_start(items[0])
        before = None if anchored or not searching else self._before(items)
        body = self._sequence(items)
        if searching and not anchored:
            self.follow[0][0] = 1
            start = Piece(0, Counter({0: 1}), Counter({0: 1}))
            if before is not None:
                # What starts with the text itself starts once.
                body = self._joined(self._state(before), body)
            body = self._joined(start, body)
        if not whole and not (items and self._is_end(items[-1])):
            self._succeed(body.last)

    # Building

    def _is_start(self, item: Any) -> bool:
        return item[0] is sre.AT and (
            item[1] is sre.AT_BEGINNING_STRING or (item[1] is sre.AT_BEGINNING and not self._flags & re.MULTILINE)
        )

    def _is_end(self, item: Any) -> bool:
        return item[0] is sre.AT and item[1] in (sre.AT_END, sre.AT_END_STRING)

    def _before(self, items: list[Any]) -> int | None:
        """Which characters may stand before the start, where the pattern begins by saying so."""
        operation, argument = items[0] if items else (None, None)
        if operation is sre.AT and argument is sre.AT_BEGINNING:
            return NEWLINE
        if operation is sre.AT and argument is sre.AT_BOUNDARY:
            first = self._first_mask(items[1:])
            return EVERYTHING & ~WORD if first and not first & ~WORD else None
        if operation is sre.ASSERT_NOT and argument[0] < 0 and (mask := self._one(argument[1])) is not None:
            return EVERYTHING & ~mask
        if operation is sre.ASSERT and argument[0] < 0 and (mask := self._one(argument[1])) is not None:
            return mask
        return None

    def _one(self, items: Iterable[Any]) -> int | None:
        items = list(items)
        if len(items) == 1 and items[0][0] is sre.BRANCH:
            masks = [self._one(branch) for branch in items[0][1][1]]
            return None if None in masks else self._union(masks)
        return self._characters(*items[0]) if len(items) == 1 else None

    @staticmethod
    def _union(masks: Iterable[int | None]) -> int:
        united = 0
        for mask in masks:
            united |= mask or 0
        return united

    def _first_mask(self, items: list[Any]) -> int:
        scratch = Automaton.__new__(Automaton)
        scratch.masks, scratch.follow, scratch.possessive = [EVERYTHING], defaultdict(Counter), set()
        scratch._flags, scratch._repeats = self._flags, 0
        scratch._widths = self._widths
        scratch._nested, scratch._large = False, self._large
        piece = scratch._sequence(items)
        return EVERYTHING if piece.empty else self._union(scratch.masks[state] for state in piece.first)

    def _state(self, mask: int) -> Piece:
        self.masks.append(mask)
        state = len(self.masks) - 1
        return Piece(0, Counter({state: 1}), Counter({state: 1}))

    def _sequence(self, items: Iterable[Any]) -> Piece:
        piece = Piece()
        for operation, argument in items:
            piece = self._joined(piece, self._piece(operation, argument))
        return piece

    def _joined(self, one: Piece, two: Piece) -> Piece:
        for left, ways in one.last.items():
            for right, more in two.first.items():
                self.follow[left][right] += ways * more
        first, last = Counter(one.first), Counter(two.last)
        for state, ways in two.first.items():
            first[state] += ways * one.empty
        for state, ways in one.last.items():
            last[state] += ways * two.empty
        return Piece(min(one.empty * two.empty, 2), +first, +last)

    @staticmethod
    def _optional(piece: Piece) -> Piece:
        return Piece(min(piece.empty + 1, 2), piece.first, piece.last)

    def _characters(self, operation: Any, argument: Any) -> int | None:
        """The characters that the operation reads; None where it is none that reads one."""
        flags = self._flags & (re.IGNORECASE | re.DOTALL | re.ASCII)
        if operation is sre.LITERAL:
            return _mask(re.escape(chr(argument)), flags) if chr(argument) in ALPHABET or flags & re.I else 0
        if operation is sre.NOT_LITERAL:
            return EVERYTHING & ~_mask(re.escape(chr(argument)), flags)
        if operation is sre.ANY:
            return EVERYTHING if flags & re.DOTALL else EVERYTHING & ~NEWLINE
        if operation is sre.IN:
            return self._set(argument, flags)
        return None

    def _set(self, items: list[Any], flags: int) -> int:
        mask, negated = 0, False
        for kind, value in items:
            if kind is sre.NEGATE:
                negated = True
            elif kind is sre.LITERAL:
                mask |= _mask(re.escape(chr(value)), flags)
            elif kind is sre.RANGE:
                mask |= _mask(f"[{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}]", flags)
            else:
                mask |= _mask(_CATEGORIES[value], flags)
        return EVERYTHING & ~mask if negated else mask

    def _piece(self, operation: Any, argument: Any) -> Piece:
        mask = self._characters(operation, argument)
        if mask is not None:
            return self._state(mask)
        if operation is sre.SUBPATTERN:
            return self._subpattern(argument)
        if operation is sre.BRANCH:
            return self._branches(argument[1])
        if operation in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            return self._repeat(*argument, possessive=operation is sre.POSSESSIVE_REPEAT)
        if operation is sre.ATOMIC_GROUP:
            return self._sequence(argument)
        if operation is sre.GROUPREF:
            one = self._state(EVERYTHING)
            return one if self._widths[argument][1] <= 1 else self._loop(one, 0)
        if operation is sre.GROUPREF_EXISTS:
            branches = [each for each in argument[1:] if each is not None]
            return self._branches([*branches, []])
        if operation in (sre.ASSERT, sre.ASSERT_NOT) and argument[0] > 0:
            # It is read, and whatever comes of that, reading goes on from here.
            return Piece(1, self._sequence(argument[1]).first)
        return Piece()

    def _subpattern(self, argument: Any) -> Piece:
        _, add, remove, items = argument
        kept, self._flags = self._flags, (self._flags | add) & ~remove
        piece = self._sequence(items)
        self._flags = kept
        return piece

    def _branches(self, branches: Iterable[Any]) -> Piece:
        pieces = [self._sequence(branch) for branch in branches]
        first: Counter[int] = Counter()
        last: Counter[int] = Counter()
        for piece in pieces:
            first += piece.first
            last += piece.last
        return Piece(min(sum(piece.empty for piece in pieces), 2), first, last)

    def _repeat(self, least: int, most: Any, items: Any, *, possessive: bool) -> Piece:
        endless = most is sre.MAXREPEAT
        if least == most <= _COPIED_EXACTLY and not _repeats(items):
            return self._sequence([item for _ in range(least) for item in items])
        if endless or most >= self._large or (self._nested and most > _COPIED and (self._repeats or _repeats(items))):
            self._repeats += 1
            begin = len(self.masks)
            piece = self._loop(self._sequence(items), least)
            self._repeats -= 1
            if possessive:
                self.possessive.update(range(begin, len(self.masks)))
            return piece
        self._repeats += most > 1
        piece = Piece()
        for copy in reversed(range(min(most, _COPIED))):
            piece = self._joined(self._sequence(items), piece)
            if copy >= least:
                # Within the ones before it: each number of rounds is read in one way.
                piece = self._optional(piece)
        self._repeats -= most > 1
        return piece

    def _loop(self, piece: Piece, least: int) -> Piece:
        for left, ways in piece.last.items():
            for right, more in piece.first.items():
                self.follow[left][right] += ways * more
        return Piece(1 if least == 0 or piece.empty else 0, piece.first, piece.last)

    def _succeed(self, last: Iterable[int]) -> None:
        """A loop in which the pattern may end has matched: one more round may fail and takes nothing back."""
        for component in self.components():
            for state in component & set(last):
                for onward in component:
                    self.follow[state].pop(onward, None)

    # Judging

    def components(self) -> list[set[int]]:
        """Its loops: sets of states each of which can be reached from each."""
        return [each for each in _strongly_connected(len(self.masks), self.follow) if self._is_loop(each)]

    def _is_loop(self, component: set[int]) -> bool:
        return len(component) > 1 or any(self.follow[state][state] for state in component)

    def growth(self) -> str:
        """`linear`, `polynomial` or `exponential`: the worst that its structure allows."""
        if self.explodes():
            return "exponential"
        loops = self.components()
        pairs = ((one, two) for one in loops for two in loops if one is not two)
        if any(self._share_a_word(one, two) for one, two in pairs):
            return "polynomial"
        return "linear"

    def degree(self) -> int:
        """How many loops in a row can share one word before something fails: the power of the length of the text."""
        loops = self.components()
        after: dict[int, list[int]] = {
            at: [to for to, two in enumerate(loops) if to != at and self._share_a_word(one, two)]
            for at, one in enumerate(loops)
        }

        @cache
        def longest(at: int) -> int:
            return 1 + max((longest(to) for to in after[at]), default=0)

        return max(map(longest, range(len(loops))), default=0)

    def explodes(self) -> bool:
        return any(map(self._is_ambiguous, self.components()))

    def _is_ambiguous(self, loop: set[int]) -> bool:
        if any(self.follow[left][right] > 1 for left in loop for right in loop):
            return True
        nodes = {(one, two) for one in loop for two in loop if self.masks[one] & self.masks[two]}
        edges = {
            node: [(one, two) for one in self.follow[node[0]] for two in self.follow[node[1]] if (one, two) in nodes]
            for node in nodes
        }
        start = {(state, state) for state in loop}
        forth = _reached(start, edges)
        back: defaultdict[Any, list[Any]] = defaultdict(list)
        for node, nexts in edges.items():
            for each in nexts:
                back[each].append(node)
        return any(one != two for one, two in forth & _reached(start, back))

    def _share_a_word(self, one: set[int], two: set[int]) -> bool:
        """Whether one word leads round `one`, round `two`, and from `one` to `two`."""
        if one & self.possessive and 0 not in one:
            return False
        between = self._between(one, two)
        if not between:
            return False
        return any(self._from_to(p, q, one, two, between) for p in one for q in two)

    def _between(self, one: set[int], two: set[int]) -> set[int]:
        forth = _reached(one, self.follow)
        back: defaultdict[int, list[int]] = defaultdict(list)
        for state, nexts in self.follow.items():
            for each in nexts:
                back[each].append(state)
        return (forth & _reached(two, back)) if forth & two else set()

    def _from_to(self, p: int, q: int, one: set[int], two: set[int], between: set[int]) -> bool:
        seen = {(p, p, q)}
        todo = deque(seen)
        while todo:
            a, b, c = todo.popleft()
            for x in self.follow[a]:
                if x not in one:
                    continue
                for z in self.follow[c]:
                    both = self.masks[x] & self.masks[z]
                    if z not in two or not both:
                        continue
                    for y in self.follow[b]:
                        if y in between and both & self.masks[y] and (x, y, z) not in seen:
                            if (x, y, z) == (p, q, q):
                                return True
                            seen.add((x, y, z))
                            todo.append((x, y, z))
        return False


_CATEGORIES: Final = {
    sre.CATEGORY_DIGIT: r"\d",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_WORD: r"\W",
}


def _walk(items: Any) -> Iterator[tuple[Any, Any]]:
    for operation, argument in items:
        yield operation, argument
        if operation is sre.SUBPATTERN:
            yield from _walk(argument[3])
        elif operation is sre.BRANCH:
            for branch in argument[1]:
                yield from _walk(branch)
        elif operation in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            yield from _walk(argument[2])
        elif operation is sre.ATOMIC_GROUP:
            yield from _walk(argument)


_ALL_REPEATS: Final = (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT)


def _repeats(items: Any) -> bool:
    return any(operation in _ALL_REPEATS and argument[1] > _COPIED for operation, argument in _walk(items))


def _reached(start: Iterable[Any], edges: Any) -> set[Any]:
    seen: set[Any] = set()
    todo = [each for node in start for each in edges.get(node, ())]
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo.extend(edges.get(node, ()))
    return seen


def _strongly_connected(count: int, follow: Any) -> list[set[int]]:
    """Sets of states each of which can be reached from each: Tarjan's, without recursion."""
    found: list[set[int]] = []
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    open_: list[int] = []
    for root in range(count):
        todo: list[tuple[int, Iterator[int]]] = [] if root in index else [(root, iter(()))]
        while todo:
            state, onward = todo[-1]
            if state not in index:
                index[state] = low[state] = len(index)
                open_.append(state)
                onward = iter(tuple(follow.get(state, ())))
                todo[-1] = (state, onward)
            for each in onward:
                if each not in index:
                    todo.append((each, iter(())))
                    break
                if low[each] >= 0:
                    low[state] = min(low[state], low[each])
            else:
                todo.pop()
                if todo:
                    below = todo[-1][0]
                    low[below] = min(low[below], low[state])
                if low[state] == index[state]:
                    found.append(_closed(open_, state, low))
    return found


def _closed(open_: list[int], state: int, low: dict[int, int]) -> set[int]:
    """The component that is complete with `state`; its states count for no other any more."""
    at = open_.index(state)
    component = set(open_[at:])
    del open_[at:]
    for each in component:
        low[each] = -1
    return component


def growth(pattern: str, flags: int = 0, *, searching: bool = True, whole: bool = False) -> str:
    """`searching`: it may begin anywhere. `whole`: it must reach the end of the text (fullmatch)."""
    if Automaton(pattern, flags, searching, whole, nested=True).explodes():
        return "exponential"
    return Automaton(pattern, flags, searching, whole).growth()


def degree(pattern: str, flags: int = 0, *, searching: bool = True, whole: bool = False, large: int) -> int:
    """The power with which time grows while the text is shorter than what bounds its repeats."""
    return Automaton(pattern, flags, searching, whole, large=large).degree()
