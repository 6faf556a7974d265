"""`kvlib size`: the bytes of a model's cache, row by row."""

from dataclasses import asdict

from ..units import DTYPES, fmt
from .options import (
    add_cache_arguments,
    both,
    cache_figures,
    engine_of,
    layout_and_dtype,
    plural,
    print_json,
    print_parts,
    sequences,
    source_len,
)


def add_arguments(parser):
    add_cache_arguments(parser)


def run(args) -> int:
    """What `kvlib size` prints; returns the exit status."""
    (layout, dtype), engine = layout_and_dtype(args), engine_of(args, args.engine or "ideal")
    batch = 1 if args.batch is None else args.batch
    given = (layout, args.context, batch, dtype, source_len(args, layout))
    found, rows = cache_figures(engine, *given), engine.rows(*given)
    if args.json:
        layers = [{**asdict(layer), "elements": layer.elements} for layer in layout.layers]
        print_json(**found, layers=layers, rows=[asdict(row) for row in rows])
        return 0

    print(f"{layout.name}: {sequences(args.context, batch)}, {found['dtype']}, engine {engine.name}\n")
    for row in rows:
        _print_row(row, batch, DTYPES.get(found["dtype"]), engine.name)
    for kind, why in (("shared", "they read an earlier layer's keys and values"), ("none", "no attention")):
        if n := sum(layer.kind == kind for layer in layout.layers):
            print(f"{plural(n, kind + ' layer')}\n  0 bytes: {why}\n")
    print(f"total {found['bytes']:,} bytes = {both(found['bytes'])}")
    print_parts(found)
    per_token = found["per_token"]
    print(f"one more token, while windows have room: {per_token:,} bytes = {fmt(per_token)}")
    return 0


def _print_row(row, batch, dtype, engine):
    """`dtype` is what the rows are kept in, None for a format of the engine's own."""
    layer, layers = row.layer, f"{plural(row.n_layers, row.layer.kind + ' layer')}"
    if row.part == "state":
        each = row.bytes // (row.n_layers * batch)
        print(f"{layers}, state\n  {each:,} bytes whatever the context, as {engine} keeps it")
        product, factors = row.n_layers * each, f"{plural(row.n_layers, 'layer')} × {each:,} bytes"
    else:
        if row.part == "cross":
            print(f"{layers}, cross attention")
            numbers, what = layer.cross_elements, plural(layer.cross_elements, "number")
        else:
            print(f"{layers}{f', window {layer.window:,}' if layer.window else ''}")
            numbers, what = layer.elements + layer.indexer, _numbers(layer)
        if dtype and dtype.values == 1 and row.token_bytes == numbers * dtype.bytes:
            print(f"  {what} × {plural(dtype.bytes, 'byte')} = {row.token_bytes:,} bytes per token")
        else:
            print(f"  {what}, {row.token_bytes:,} bytes per token as {engine} keeps it")
        tokens = plural(row.tokens, "source token" if row.part == "cross" else "token")
        product = row.n_layers * row.tokens * row.token_bytes
        factors = f"{plural(row.n_layers, 'layer')} × {tokens} × {row.token_bytes:,} bytes"
    if product * batch == row.bytes:
        print(f"  {factors} × {plural(batch, 'sequence')} = {row.bytes:,} bytes")
    else:
        print(f"  {factors} = {product:,} bytes\n  {plural(batch, 'sequence')}, in all {row.bytes:,} bytes")
    print(f"  ({row.note})\n" if row.note else "")


def _numbers(layer) -> str:
    """The numbers of one token in one layer, as they come about."""
    if layer.kind == "latent":
        kept = f"{layer.elements:,} numbers"
    else:
        values = layer.v_elements // layer.n_kv_heads
        kept = f"{plural(layer.n_kv_heads, 'KV head')} × ({layer.head_dim} in a key + {values} in a value)"
    return f"({kept} + {layer.indexer} in an indexer's key)" if layer.indexer else kept
