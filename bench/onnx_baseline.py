"""ONNX Runtime's best fp32 set-up for a DistilBERT classifier, as a baseline.

The graph uses ONNX Runtime's fused operators (Attention, SkipLayerNormalization, BiasGelu) and is
built from the same safetensors file that Millrace reads, so that the logits can be compared. Texts
run sorted by length in batches with a token budget, padded to the longest of each batch, on all
cores: the fastest of the arrangements known for it.
"""
import json
import pathlib
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

MICROSOFT = "com.microsoft"
TOKEN_BUDGET = 1024


class GraphBuilder:
    """Collects nodes and initializers of one ONNX graph."""

    def __init__(self, tensors):
        self.tensors = tensors
        self.nodes = []
        self.initializers = []
        self.names = set()

    def constant(self, name, array):
        if name not in self.names:
            self.names.add(name)
            self.initializers.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def weight(self, name, transpose=False):
        array = self.tensors[name].astype(np.float32)
        return self.constant(name, array.T if transpose else array)

    def node(self, op, inputs, output, domain="", **attributes):
        self.nodes.append(helper.make_node(op, inputs, [output], domain=domain, **attributes))
        return output


def _embeddings(g):
    base = "distilbert.embeddings."
    words = g.node("Gather", [g.weight(base + "word_embeddings.weight"), "ids"], "words")
    places = g.node("Gather", [g.weight(base + "position_embeddings.weight"), "positions"],
                    "places")
    both = g.node("Add", [words, places], "embedded")
    return g.node(
        "LayerNormalization",
        [both, g.weight(base + "LayerNorm.weight"), g.weight(base + "LayerNorm.bias")],
        "x0", axis=-1, epsilon=1e-12)


def _layer(g, index, x, heads):
    p = f"distilbert.transformer.layer.{index}."
    parts = [p + f"attention.{n}_lin" for n in "qkv"]
    qkv = g.constant(p + "qkv", np.concatenate(
        [g.tensors[n + ".weight"].astype(np.float32).T for n in parts], axis=1))
    qkv_bias = g.constant(p + "qkv_bias", np.concatenate(
        [g.tensors[n + ".bias"].astype(np.float32) for n in parts]))
    context = g.node("Attention", [x, qkv, qkv_bias, "mask"], p + "context", MICROSOFT,
                     num_heads=heads)
    projected = g.node("MatMul", [context, g.weight(p + "attention.out_lin.weight", True)],
                       p + "projected")
    y = g.node("SkipLayerNormalization",
               [projected, x, g.weight(p + "sa_layer_norm.weight"),
                g.weight(p + "sa_layer_norm.bias"), g.weight(p + "attention.out_lin.bias")],
               p + "y", MICROSOFT, epsilon=1e-12)
    up = g.node("MatMul", [y, g.weight(p + "ffn.lin1.weight", True)], p + "up")
    gelu = g.node("BiasGelu", [up, g.weight(p + "ffn.lin1.bias")], p + "gelu", MICROSOFT)
    down = g.node("MatMul", [gelu, g.weight(p + "ffn.lin2.weight", True)], p + "down")
    return g.node("SkipLayerNormalization",
                  [down, y, g.weight(p + "output_layer_norm.weight"),
                   g.weight(p + "output_layer_norm.bias"), g.weight(p + "ffn.lin2.bias")],
                  p + "out", MICROSOFT, epsilon=1e-12)


def _head(g, x):
    zero = g.constant("zero", np.array(0, np.int64))
    first = g.node("Gather", [x, zero], "first", axis=1)
    hidden = g.node("Gemm", [first, g.weight("pre_classifier.weight", True),
                             g.weight("pre_classifier.bias")], "hidden")
    active = g.node("Relu", [hidden], "active")
    return g.node("Gemm", [active, g.weight("classifier.weight", True),
                           g.weight("classifier.bias")], "logits")


def build_graph(model_dir, path):
    """Writes the fused fp32 graph of the DistilBERT in `model_dir` to `path`."""
    model_dir = pathlib.Path(model_dir)
    config = json.loads((model_dir / "config.json").read_text())
    g = GraphBuilder(load_file(model_dir / "model.safetensors"))
    x = _embeddings(g)
    for index in range(config["n_layers"]):
        x = _layer(g, index, x, config["n_heads"])
    _head(g, x)
    graph = helper.make_graph(
        g.nodes, "distilbert",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["B", "S"]),
         helper.make_tensor_value_info("positions", TensorProto.INT64, [1, "S"]),
         helper.make_tensor_value_info("mask", TensorProto.INT32, ["B", "S"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["B", "L"])],
        g.initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(MICROSOFT, 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)


def token_budget_batches(lengths, budget=TOKEN_BUDGET):
    """Indexes of texts, longest first, cut so that rows x longest stays within `budget`."""
    batches, current, longest = [], [], 0
    for index in np.argsort(-np.asarray(lengths), kind="stable"):
        longest_then = max(longest, lengths[index])
        if current and longest_then * (len(current) + 1) > budget:
            batches.append(current)
            current, longest_then = [], lengths[index]
        current.append(int(index))
        longest = longest_then
    return batches + [current] if current else batches


class Baseline:
    """A session over one graph and one set of token id lists."""

    def __init__(self, graph_path, ids, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self.session = onnxruntime.InferenceSession(str(graph_path), options,
                                                    providers=["CPUExecutionProvider"])
        self.ids = ids
        self.batches = token_budget_batches([len(i) for i in ids])

    def run(self):
        """All texts once: (seconds, logits [texts x labels])."""
        logits = [None] * len(self.ids)
        start = time.perf_counter()
        for batch in self.batches:
            longest = max(len(self.ids[i]) for i in batch)
            ids = np.zeros((len(batch), longest), np.int64)
            mask = np.zeros((len(batch), longest), np.int32)
            for row, i in enumerate(batch):
                ids[row, :len(self.ids[i])] = self.ids[i]
                mask[row, :len(self.ids[i])] = 1
            positions = np.arange(longest, dtype=np.int64)[None, :]
            out = self.session.run(None, {"ids": ids, "positions": positions, "mask": mask})[0]
            for row, i in enumerate(batch):
                logits[i] = out[row]
        return time.perf_counter() - start, np.stack(logits)
