"""Packages asked for when they are used, and what is said without them."""

import subprocess
import sys
import types

import pytest

from kvlib.needs import require


def test_a_package_that_is_there_is_returned():
    assert require("json", "a test").dumps([1]) == "[1]"


def test_a_missing_package_is_named_with_its_use_and_its_cure():
    with pytest.raises(ModuleNotFoundError) as error:
        require("no_such_package", "the model of chapter 1")
    assert error.value.name == "no_such_package"
    said = "the model of chapter 1 needs no_such_package, which is not installed: pip install no_such_package"
    assert str(error.value) == said
    with pytest.raises(ModuleNotFoundError, match=r"not installed: pip install kvlib\[gpu\]"):
        require("no_such_package", "it", "pip install kvlib[gpu]")


def test_what_a_package_itself_lacks_is_not_hidden(monkeypatch, tmp_path):
    (tmp_path / "broken_package.py").write_text("import its_own_missing_need")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'its_own_missing_need'"):
        require("broken_package", "a test")


def test_submodules():
    assert isinstance(require("json.decoder", "a test"), types.ModuleType) and "json.decoder" in sys.modules


def test_without_torch_the_real_model_says_what_it_needs():
    program = "import sys; sys.modules['torch'] = None; import kvlib; kvlib.load_smollm2"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "kvlib.load_smollm2 needs torch, which is not installed: pip install torch" in run.stderr
