# Copyright 2026 the trimodal_ros authors
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""
A network in ONNX, run by onnxruntime or OpenVINO; without PyTorch.

Providers are onnxruntime's own names, as CPUExecutionProvider, CUDAExecutionProvider,
TensorrtExecutionProvider or OpenVINOExecutionProvider, and ``openvino``: OpenVINO itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec

import numpy as np
import onnx
import onnxruntime

OPENVINO = 'openvino'
CPU = 'CPUExecutionProvider'
DOMAINS = ('', 'ai.onnx', 'ai.onnx.ml')  # of operators; any other is code of somebody's
Run = Callable[[Mapping[str, np.ndarray]], list[np.ndarray]]
PLAIN = {'CUDAExecutionProvider': {'use_tf32': '0'}}  # 10 bits of mantissa are not enough
QUIET = 3  # onnxruntime's errors only


class ProviderError(ValueError):
    """A provider that is not to be had on this machine."""


class ModelError(ValueError):
    """A model that is damaged, or that would read or run what is not in its file."""


def available_providers() -> tuple[str, ...]:
    """Return what can be named on this machine."""
    own = (OPENVINO,) if find_spec('openvino') else ()
    return (*onnxruntime.get_available_providers(), *own)


def open_model(data: bytes, provider: str = CPU, threads: int = 1) -> Run:
    """
    Return what computes a model's outputs, in order, from its inputs by name.

    Raises ProviderError where the provider is not here or can't start, ModelError for a model
    that is damaged or needs another file.
    """
    if provider not in available_providers():
        raise ProviderError(f'provider {provider!r} is not available here; available: '
                            f'{", ".join(available_providers())}. GPU providers come with '
                            'onnxruntime-gpu or onnxruntime-openvino in the place of onnxruntime')
    check_self_contained(data)
    return (_open_openvino if provider == OPENVINO else _open_onnxruntime)(
        data, provider, threads)


def _open_onnxruntime(data: bytes, provider: str, threads: int) -> Run:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = QUIET
    providers = [(provider, PLAIN.get(provider, {})), *([] if provider == CPU else [CPU])]
    try:
        session = onnxruntime.InferenceSession(data, options, providers=providers)
    except Exception as error:  # noqa: B902 - its errors have no base of their own
        raise ModelError(f'onnxruntime refuses the model: {error}') from error
    if session.get_providers()[0] != provider:  # it goes on by another in silence
        raise ProviderError(f'provider {provider!r} did not start, onnxruntime would go on with '
                            f'{session.get_providers()[0]!r}: are its libraries installed?')
    session.disable_fallback()
    return lambda inputs: session.run(None, dict(inputs))


def _open_openvino(data: bytes, provider: str, threads: int) -> Run:
    from openvino import Core
    try:
        compiled = Core().compile_model(Core().read_model(data), 'CPU', {
            'INFERENCE_NUM_THREADS': threads, 'PERFORMANCE_HINT': 'LATENCY',
            'INFERENCE_PRECISION_HINT': 'f32'})
    except RuntimeError as error:
        raise ModelError(f'OpenVINO refuses the model: {error}') from error
    return lambda inputs: [np.array(value) for value in compiled(dict(inputs)).values()]


def check_self_contained(data: bytes) -> None:
    """
    Raise ModelError for a model that would read another file, or has operators of its own.

    Weights may be said to lie in a file anywhere, and operators in a library.
    """
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # noqa: B902 - of protobuf, which has several
        raise ModelError(f'no ONNX model: {error}') from error
    strange = {each.domain for each in model.opset_import} - set(DOMAINS)
    strange |= {each.domain for each in model.functions} - set(DOMAINS)
    if strange:
        raise ModelError(f'the model has operators of {sorted(strange)}; expected those of ONNX')
    for tensor in _tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            places = {entry.key: entry.value for entry in tensor.external_data}
            raise ModelError(f'the weight {tensor.name!r} is in another file, '
                             f'{places.get("location")!r}; export writes all into the model')


def _tensors(message) -> Iterator[onnx.TensorProto]:
    """Yield every tensor in a protobuf message, at any depth."""
    if isinstance(message, onnx.TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in (value if field.is_repeated else [value]):
                yield from _tensors(part)
