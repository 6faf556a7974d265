"""One model, spelt in several ways: the layout is the same, and it is what transformers keeps."""

import copy
import json

import pytest
import transformers

from kvlib.configs import UnsupportedConfig, config, layout, parameters

from . import oracle
from .mutants import small
from .test_oracle import computed
from .test_parameters import uncounted

QWEN3_5 = {
    "model_type": "qwen3_5_text", "num_hidden_layers": 8, "hidden_size": 1024, "num_attention_heads": 8,
    "num_key_value_heads": 2, "head_dim": 256, "full_attention_interval": 4, "linear_num_key_heads": 4,
    "linear_num_value_heads": 8, "linear_key_head_dim": 128, "linear_value_head_dim": 128,
    "linear_conv_kernel_dim": 4, "vocab_size": 1000, "intermediate_size": 2048, "attn_output_gate": True,
    "mamba_ssm_dtype": "float32",
}  # fmt: skip
FALCON_MAMBA = {
    "model_type": "falcon_mamba", "hidden_size": 4096, "num_hidden_layers": 64, "state_size": 16,
    "conv_kernel": 4, "expand": 16, "intermediate_size": 8192, "vocab_size": 65024,
}  # fmt: skip
EXAONE = {
    "model_type": "exaone4", "hidden_size": 64, "num_hidden_layers": 8, "num_attention_heads": 8,
    "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 100, "sliding_window": 16,
}  # fmt: skip
BLOOM = {"model_type": "bloom", "n_layer": 2, "n_head": 8, "vocab_size": 100}
PHI4_MINI = {
    "model_type": "phi3", "hidden_size": 3072, "num_hidden_layers": 32, "num_attention_heads": 24,
    "num_key_value_heads": 8, "intermediate_size": 8192, "vocab_size": 200064, "sliding_window": 262144,
    "max_position_embeddings": 131072,
}  # fmt: skip
QWEN_MOE = {
    "model_type": "qwen2_moe", "hidden_size": 64, "num_hidden_layers": 4, "num_attention_heads": 8,
    "num_key_value_heads": 8,
}  # fmt: skip


def saved(given: dict, diff: bool) -> dict:
    """The config as transformers writes it: every field, or those that differ from the class's."""
    given = copy.deepcopy(given)
    given["model_type"] = oracle.SAME_CLASS.get(given["model_type"], given["model_type"])
    return json.loads(transformers.AutoConfig.for_model(**given).to_json_string(use_diff=diff))


@pytest.mark.parametrize("name", oracle.published())
def test_a_config_saved_again_says_the_same(name):
    given = oracle.published()[name]
    for diff in (False, True):
        again = saved(given, diff)
        assert layout(again).layers == layout(given).layers
        assert counted(again) == counted(given)


def counted(given: dict):
    """The parameters, or why they are not counted."""
    try:
        return parameters(given)
    except UnsupportedConfig as refusal:
        assert uncounted(refusal)
        return None


def test_a_class_saved_whole_says_the_same_as_nothing():
    lite = transformers.AutoConfig.for_model("glm4_moe_lite").to_dict()
    assert parameters(lite).total == pytest.approx(oracle.n_parameters(oracle.model(lite)), rel=1e-4)
    del lite["mlp_layer_types"]
    assert parameters(lite).total == pytest.approx(oracle.n_parameters(oracle.model(lite)), rel=1e-4)


def test_gemma_4_saved_again():
    again = transformers.AutoConfig.for_model(**config("gemma-4-e4b")).to_dict()
    assert layout(again).bytes_per_token() == 57_344
    inner = again["text_config"]
    inner["per_layer_config"] = {"5": {"head_dim": 128, "num_key_value_heads": 1}}
    first = layout(again).layers
    assert (first[5].n_kv_heads, first[5].head_dim, first[11].head_dim) == (1, 128, 256)
    for wrong in ({"99": {"head_dim": 8}}, {"5": {"head_dim": 7}}, {"5": {"rope": 1}}, {"5": 8}, {"x": {}}):
        inner["per_layer_config"] = wrong
        with pytest.raises(ValueError, match="per_layer_config"):
            layout(again)


def test_qwen_3_5():
    of = layout(QWEN3_5)
    parts = of.breakdown(100)
    assert (parts.tokens, parts.state) == (409_600, 3_244_032)
    plain = {
        name: value for name, value in QWEN3_5.items() if name not in ("attn_output_gate", "mamba_ssm_dtype")
    }
    assert computed(layout(plain), 100, 1, 0) == oracle.kept(oracle.model(plain), 100)
    assert layout(plain).bytes(100) == of.bytes(100) and parameters(plain) == parameters(QWEN3_5)
    with pytest.raises(ValueError, match="attn_output_gate"):
        parameters({**QWEN3_5, "attn_output_gate": False})
    # llama.cpp keeps the state in fp32, and one position of the convolution less.
    tensors = [tensor for layer in of.layers for tensor in layer.state]
    assert sum(t.nbytes("fp32", t.kernel and t.kernel - 1) for t in tensors) == 3_293_184
    assert {t.named for t in tensors} == {None, "float32"}


@pytest.mark.parametrize(
    "given, same",
    [
        (FALCON_MAMBA, {name: FALCON_MAMBA[name] for name in FALCON_MAMBA if name != "expand"}),
        ({**EXAONE, "sliding_window_pattern": "LLLG"}, {**EXAONE, "sliding_window_pattern": 4}),
        ({**BLOOM, "n_embed": 64}, {**BLOOM, "hidden_size": 64}),
        ({**PHI4_MINI, "full_attn_mod": 1}, PHI4_MINI),
        ({**QWEN_MOE, "sliding_window": 0}, QWEN_MOE),
    ],
    ids=lambda given: given["model_type"],
)
def test_other_spellings(given, same):
    assert layout(given).layers == layout(same).layers
    assert parameters(given) == parameters(same)
    readable = same if given["model_type"] == "exaone4" else given  # transformers fails on the letters
    model = oracle.model(small(readable))
    assert computed(layout(small(readable)), 9, 2, 0) == oracle.kept(model, 9, 2)


def test_falcon_mamba_keeps_what_its_width_says():
    assert layout(FALCON_MAMBA).bytes(1) == 37_748_736


def test_glm_4_7_takes_head_dim_for_its_rotary_width():
    lite = transformers.AutoConfig.for_model("glm4_moe_lite").to_dict()
    assert layout({**lite, "head_dim": lite["qk_rope_head_dim"]}).layers == layout(lite).layers
    with pytest.raises(UnsupportedConfig, match="head_dim = 24"):
        layout({**lite, "head_dim": 24})
