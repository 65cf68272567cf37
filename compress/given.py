"""A user's model by name: `my.onnx`, `package.module:attribute` or `file.py:attribute`."""

import copy
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from compress.foreign import Foreign, foreign_of
from compress.nni_space import ChoiceError, frozen, is_model_space
from compress.onnx_file import OnnxFile, foreign_file
from compress.processor import VARIABLE, processor, visiting
from spaces.registry import nearest
from spaces.tasks import Data

TRAINED = 64  # examples of the step that is tried, as many as steps of recipes take by default


class GivenError(ValueError):
    """A model that cannot be loaded or does not fit the data; the message says what and what to write instead."""


def load_given(source: str, choose: Mapping[str, Any] = MappingProxyType({})) -> nn.Module:
    """The network that `source` names, float32 in main memory, in eval mode.

    An attribute is an nn.Module, or is called without arguments and returns one. choose: which network, if it is a
    model space of NNI. Raises: GivenError.
    """
    if source.endswith(".onnx"):
        if not Path(source).is_file():
            raise GivenError(f"there is no file {source}.{_beside(source, '*.onnx')}")
        return OnnxFile(Path(source))
    where, colon, attribute = source.rpartition(":")
    if not colon or not where or not attribute:
        remedy = _remedy(source)
        raise GivenError(f"a model is my.onnx, module:attribute or file.py:attribute, got {source!r}.{remedy}")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # untrained weights are the same whenever it is loaded: a study of them can be resumed
        network = _attribute(_module(where), where, attribute)
        if not isinstance(network, nn.Module) and callable(network):
            try:
                network = network()
            except (Exception, SystemExit) as error:  # the user's code may raise anything
                raise GivenError(f"{source} raised {type(error).__name__}: {error}") from error
    if not isinstance(network, nn.Module):
        raise GivenError(
            f"{source} is of type {type(network).__name__}, not a torch.nn.Module or a function returning one."
        )
    if isinstance(network, torch.jit.ScriptModule):
        raise GivenError(f"{source} is TorchScript, which cannot be exported. Give the network that it was made of.")
    network = _chosen(network, source, choose)
    try:
        return copy.deepcopy(network).cpu().float().eval().requires_grad_(True)
    except Exception as error:
        raise GivenError(f"{source} cannot be copied: {type(error).__name__}: {error}") from error


def _chosen(network: nn.Module, source: str, choose: Mapping[str, Any]) -> nn.Module:
    """The network itself, or the one of a model space that was chosen."""
    if not is_model_space(network):
        if choose:
            raise GivenError(f"{short_name(source)} is one network, there is nothing to `choose`. Leave it out.")
        return network
    try:
        return frozen(network, choose, short_name(source))
    except ChoiceError as error:
        raise GivenError(str(error)) from error


def in_its_order(network: nn.Module, data: Data) -> nn.Module:
    """The network itself, which is handed images in torch's usual order of memory from now on if it does not take them
    as they come, with the channels last: who writes `view` where `reshape` would do asks for that order."""
    x = data.normalise(data.validation.x[:2])
    if not _runs(network, x) and _runs(network, _in_usual_order(x)):
        network.register_forward_pre_hook(lambda _, given: (_in_usual_order(given[0]), *given[1:]))
    return network


def _in_usual_order(x: Tensor) -> Tensor:
    """A copy: `contiguous` keeps a single channel as it is, from which layers still take their order."""
    return x.clone(memory_format=torch.contiguous_format)


def _runs(network: nn.Module, x: Tensor) -> bool:
    try:
        with torch.no_grad():
            network(x)
    except Exception:  # `answers` says what it was
        return False
    return True


def describe_given(network: nn.Module, source: str, data: Data) -> Foreign:
    """The network's description, after trying it on two images. Raises: GivenError: if it does not fit the data."""
    name = short_name(source)
    if isinstance(network, OnnxFile):
        return foreign_file(network, name, data.input_shape, len(data.classes))
    classes = answers(network, name, data)
    if classes != len(data.classes):
        raise GivenError(f"{name} puts out {classes} classes, the data has {len(data.classes)}. Give it such a head.")
    _check_visit(network, name, data)
    return foreign_of(network, name, data.input_shape, len(data.classes))


def answers(network: nn.Module, name: str, data: Data) -> int:
    """How many logits the network puts out for images of the data. Raises: GivenError: if it does not take them."""
    x = data.normalise(data.validation.x[:2])
    try:
        with torch.no_grad():
            logits = network(x)
    except Exception as error:
        first = (str(error).splitlines() or [""])[0][:200]
        raise GivenError(
            f"{name} does not take examples of shape {data.input_shape}: {type(error).__name__}: {first} "
            "Does `task` name the data that it was made for?"
        ) from error
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(x):
        found = f"a tensor of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        raise GivenError(f"{name} must return logits of shape (images, classes), got {found} for {len(x)} images.")
    if not logits.isfinite().all():
        raise GivenError(f"{name} puts out values that are not finite for images of the data. Are its weights loaded?")
    if logits.shape[1] > 1 and logits.min() >= 0 and torch.allclose(logits.sum(1), torch.ones(len(logits)), atol=1e-3):
        raise GivenError(
            f"{name} must return logits, got numbers from 0 to 1 that add up to 1 for each image: probabilities. "
            "Leave the softmax at its end away; whoever runs the files has logits too."
        )
    return logits.shape[1]


def _check_visit(network: nn.Module, name: str, data: Data) -> None:
    """Raises GivenError if the network cannot compute where training happens: all that it holds has to go there."""
    x, where = data.normalise(data.validation.x[:2]), processor()
    try:
        with torch.no_grad(), visiting(network):
            network(x.to(where))
    except (RuntimeError, TypeError) as error:
        first = (str(error).splitlines() or [""])[0][:200]
        raise GivenError(
            f"{name} does not run on {where}: {first} Register the tensors that it holds with `register_buffer`, "
            f"or train on the CPU: {VARIABLE}=cpu"
        ) from error


def check_training(network: nn.Module, name: str, data: Data) -> None:
    """Raises GivenError if a step of training fails, or the network does not put out logits there, where it may do more
    than in use: answers of heads that only training has, for example. Cost: that step, of a copy."""
    made, x = copy.deepcopy(network).train(), data.normalise(data.train.x[:TRAINED])
    remedy = "leave out the steps with epochs."
    with torch.random.fork_rng(devices=[]), torch.enable_grad(), visiting(made) as here:
        try:
            logits = made(x.to(here))
            if isinstance(logits, Tensor):
                logits.sum().backward()
        except Exception as error:
            first = (str(error).splitlines() or [""])[0][:200]
            raise GivenError(
                f"{name} cannot be trained: with {len(x)} examples in training mode {type(error).__name__}: {first} "
                f"Mend its forward, or {remedy}"
            ) from error
    if not isinstance(logits, Tensor) or logits.shape != (len(x), len(data.classes)):
        found = f"a tensor of shape {tuple(logits.shape)}" if isinstance(logits, Tensor) else type(logits).__name__
        raise GivenError(
            f"{name} returns logits in use and {found} in training mode, and a step of the recipe trains it. "
            f"Let it return logits alone there too, or {remedy}"
        )


def short_name(source: str) -> str:
    """Without the folder: the same model has one name wherever it lies."""
    where, colon, attribute = source.rpartition(":")
    return f"{Path(where).name}:{attribute}" if colon and where.endswith(".py") else Path(source).name


def absolute(source: str, folder: Path) -> str:
    """The source with the path of its file made absolute; a module's name stays."""
    where, colon, attribute = source.rpartition(":")
    if source.endswith(".onnx"):
        return str((folder / Path(source).expanduser()).resolve())
    if colon and where.endswith(".py"):
        return f"{(folder / Path(where).expanduser()).resolve()}:{attribute}"
    return source


def _module(where: str) -> ModuleType:
    if not where.endswith(".py"):
        if "" not in sys.path:
            sys.path.insert(0, "")  # as `python -m` does: a module in the current folder is found
        try:
            return importlib.import_module(where)
        except (Exception, SystemExit) as error:
            hint = " A file is written file.py:attribute." if isinstance(error, ModuleNotFoundError) else ""
            raise GivenError(f"module {where!r} cannot be imported: {type(error).__name__}: {error}.{hint}") from error
    path = Path(where)
    if not path.is_file():
        raise GivenError(f"there is no file {where}.{_beside(where, '*.py')}")
    sys.path.insert(0, str(path.resolve().parent))  # its neighbours are its own to import
    spec = importlib.util.spec_from_file_location(f"lathe_given_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise GivenError(f"{where} cannot be imported: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module


def _attribute(module: ModuleType, where: str, attribute: str) -> Any:
    try:
        return getattr(module, attribute)
    except AttributeError:
        own = _own(module)
        close = nearest(attribute, own)
        hint = f"Did you mean {close!r}?" if close else f"It has: {', '.join(own) or 'no function and no network'}."
        raise GivenError(f"{where} has no {attribute!r}. {hint}") from None


def _own(module: ModuleType) -> list[str]:
    """The names of its networks, and of the functions and classes that it defines."""
    return [n for n, v in vars(module).items() if isinstance(v, nn.Module) or _is_own_function(v, module)]


def _remedy(source: str) -> str:
    """What a model without an attribute may have meant: a file of a bundle, or something that a file of code has."""
    if source.endswith(".py"):
        own = _own(_module(source))
        if len(own) == 1:
            return f" Did you mean '{source}:{own[0]}'?"
        return f" It has: {', '.join(f'{source}:{name}' for name in own) or 'no function and no network'}."
    inside = sorted(Path(source).glob("*.onnx"))
    return f" Did you mean {str(inside[0])!r}?" if inside else ""


def _is_own_function(value: Any, module: ModuleType) -> bool:
    return (inspect.isfunction(value) or inspect.isclass(value)) and value.__module__ == module.__name__


def _beside(path: str, pattern: str) -> str:
    folder = Path(path).parent
    close = nearest(Path(path).name, [p.name for p in folder.glob(pattern)]) if folder.is_dir() else None
    return f" Did you mean {str(folder / close)!r}?" if close else ""
