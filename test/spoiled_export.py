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

"""Exported policies that must be refused, by what was done to them."""

import hashlib
import json

import onnx

from trimodal_ros.plan.exported import MANIFEST


def replaced(folder, data: bytes) -> None:
    """Put another model in, with the right hash: by somebody who can write the manifest too."""
    (folder / 'policy.onnx').write_bytes(data)
    told = json.loads((folder / MANIFEST).read_text())
    told['files']['policy.onnx'] = hashlib.sha256(data).hexdigest()
    (folder / MANIFEST).write_text(json.dumps(told))


def _with_weights_elsewhere(folder) -> None:
    model = onnx.load(folder / 'policy.onnx')
    weight = model.graph.initializer[0]
    weight.ClearField('raw_data')
    weight.data_location = onnx.TensorProto.EXTERNAL
    weight.external_data.add(key='location', value='../../etc/hostname')
    replaced(folder, model.SerializeToString())


def _with_weights_elsewhere_in_a_branch(folder) -> None:
    model = onnx.load(folder / 'policy.onnx')
    inner = onnx.TensorProto(name='hidden', data_location=onnx.TensorProto.EXTERNAL)
    inner.external_data.add(key='location', value='/dev/zero')
    branch = onnx.GraphProto(name='branch', initializer=[inner])
    model.graph.node.add(op_type='If').attribute.add(
        name='then_branch', type=onnx.AttributeProto.GRAPH).g.CopyFrom(branch)
    replaced(folder, model.SerializeToString())


def _with_operators(folder) -> None:
    model = onnx.load(folder / 'policy.onnx')
    model.opset_import.add(domain='com.somebody', version=1)
    replaced(folder, model.SerializeToString())


def _manifest(**changes):
    def spoil(folder) -> None:
        told = json.loads((folder / MANIFEST).read_text())
        (folder / MANIFEST).write_text(json.dumps({**told, **changes}))
    return spoil


def _outside(folder) -> None:
    (folder / 'policy.onnx').rename(folder.parent / 'policy.onnx')
    (folder / 'policy.onnx').symlink_to(folder.parent / 'policy.onnx')


SPOILED = {
    'a file missing': (lambda folder: (folder / 'language.onnx').unlink(),
                       'language.onnx is missing'),
    'a file changed': (lambda folder: (folder / 'tokenizer.json').write_text('{}'),
                       'tokenizer.json is not what was exported: its SHA-256 is 44136fa355b3678a'),
    'a file more': (lambda folder: (folder / 'policy.onnx.data').write_bytes(b''),
                    "'policy.onnx.data' is no part of"),
    'a pickle': (lambda folder: (folder / 'model.pt').write_bytes(b''), "'model.pt' is a pickle"),
    'a link outside': (_outside, "'policy.onnx' leads out of the folder"),
    'weights elsewhere': (_with_weights_elsewhere, "in another file, '../../etc/hostname'"),
    'weights elsewhere, deep inside': (_with_weights_elsewhere_in_a_branch,
                                       "'hidden' is in another file, '/dev/zero'"),
    'strange operators': (_with_operators, r"operators of \['com.somebody'\]"),
    'no model': (lambda folder: replaced(folder, b'anything'), 'no ONNX model'),
    'an empty model': (lambda folder: replaced(folder, b''), 'onnxruntime refuses the model'),
    'no manifest': (lambda folder: (folder / MANIFEST).write_text('{'), 'export.json is damaged'),
    'a manifest of tomorrow': (_manifest(format=2), 'export format 2, this code reads 1'),
    'a manifest with more': (_manifest(more=1), "export.json is damaged.*'more'"),
    'a hash missing': (_manifest(files={}), 'policy.onnx is not what was exported'),
}
