"""Text of few letters on its way to a page: Huffman's code, in which a common letter takes few bits.

A page is compressed on its way, but deflate also looks for repeated strings, and in a model's weights those
that it finds cost more than the letters they stand for. So the weights travel coded. The code is canonical:
letters in the order of their lengths, then of the alphabet, take the numbers of a length one after the other.
"""

import base64
import heapq
from collections import Counter


def coded(text: str) -> dict:
    """`text` as damage.model.js reads it: {"count", "letters" by length, "lengths", "data" in base64}.

    lengths[n] is how many letters have a code of n bits. Raises ValueError for fewer than two letters.
    """
    sizes = _lengths(text)
    letters = sorted(sizes, key=lambda letter: (sizes[letter], letter))
    codes, code, last = {}, 0, 0
    for letter in letters:
        code <<= sizes[letter] - last
        last = sizes[letter]
        codes[letter] = f"{code:0{last}b}"
        code += 1
    bits = "".join(map(codes.__getitem__, text))
    whole = -(-len(bits) // 8)
    data = int(bits.ljust(8 * whole, "0"), 2).to_bytes(whole, "big")
    lengths = [list(sizes.values()).count(n) for n in range(last + 1)]
    return {
        "count": len(text),
        "letters": "".join(letters),
        "lengths": lengths,
        "data": base64.b64encode(data).decode(),
    }


def _lengths(text: str) -> dict[str, int]:
    """The bits of each letter's code."""
    counted = sorted(Counter(text).items())
    if len(counted) < 2:
        raise ValueError(f"text must have at least two letters, not {len(counted)}")
    trees = [(n, i, {letter: 0}) for i, (letter, n) in enumerate(counted)]
    heapq.heapify(trees)
    while len(trees) > 1:
        (a, i, one), (b, _, other) = heapq.heappop(trees), heapq.heappop(trees)
        deeper = {letter: bits + 1 for letter, bits in (one | other).items()}
        heapq.heappush(trees, (a + b, i, deeper))
    return trees[0][2]
