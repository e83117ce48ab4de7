"""A DistilBERT classifier as ONNX Runtime runs it fastest: a graph of its fused operators
(Attention, SkipLayerNormalization, BiasGelu; in int8 QAttention and DynamicQuantizeMatMul), built
from the safetensors file that Millrace reads, so that the answers can be compared."""
import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

MICROSOFT = "com.microsoft"


class GraphBuilder:
    """Collects nodes and initializers of one ONNX graph. `int8_max` of 0 keeps products in fp32."""

    def __init__(self, tensors, int8_max):
        self.tensors = tensors
        self.int8_max = int8_max
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

    def quantised(self, name, array):
        """`array` [K x N] as int8, symmetric per column: names of (weight, scale, zero point)."""
        scale = np.abs(array).max(axis=0) / self.int8_max
        scale[scale == 0] = 1
        values = np.clip(np.rint(array / scale), -self.int8_max, self.int8_max)
        return (self.constant(name + "_q", values.astype(np.int8)),
                self.constant(name + "_scale", scale.astype(np.float32)),
                self.constant(name + "_zero", np.zeros(array.shape[1], np.int8)))

    def product(self, x, name, output, bias=None):
        """x times a linear layer's weight; adds the bias where one is named."""
        if not self.int8_max:
            out = self.node("MatMul", [x, self.weight(name + ".weight", True)], output)
            return self.node("Add", [out, self.weight(bias)], output + "_b") if bias else out
        weight = self.tensors[name + ".weight"].astype(np.float32).T
        extra = [self.weight(bias)] if bias else []
        return self.node("DynamicQuantizeMatMul", [x, *self.quantised(name, weight), *extra],
                         output, MICROSOFT)


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


def _attention(g, p, x, heads):
    parts = [p + f"attention.{n}_lin" for n in "qkv"]
    qkv = np.concatenate([g.tensors[n + ".weight"].astype(np.float32).T for n in parts], axis=1)
    bias = g.constant(p + "qkv_bias", np.concatenate(
        [g.tensors[n + ".bias"].astype(np.float32) for n in parts]))
    if not g.int8_max:
        return g.node("Attention", [x, g.constant(p + "qkv", qkv), bias, "mask"], p + "context",
                      MICROSOFT, num_heads=heads)
    weight, scale, zero = g.quantised(p + "qkv", qkv)
    g.nodes.append(helper.make_node("DynamicQuantizeLinear", [x], [p + "xq", p + "xs", p + "xz"]))
    return g.node("QAttention", [p + "xq", weight, bias, p + "xs", scale, "mask", p + "xz", zero],
                  p + "context", MICROSOFT, num_heads=heads)


def _layer(g, index, x, heads):
    p = f"distilbert.transformer.layer.{index}."
    context = _attention(g, p, x, heads)
    projected = g.product(context, p + "attention.out_lin", p + "projected")
    y = g.node("SkipLayerNormalization",
               [projected, x, g.weight(p + "sa_layer_norm.weight"),
                g.weight(p + "sa_layer_norm.bias"), g.weight(p + "attention.out_lin.bias")],
               p + "y", MICROSOFT, epsilon=1e-12)
    if g.int8_max:
        up = g.product(y, p + "ffn.lin1", p + "up", p + "ffn.lin1.bias")
        gelu = g.node("Gelu", [up], p + "gelu", MICROSOFT)
    else:
        up = g.product(y, p + "ffn.lin1", p + "up")
        gelu = g.node("BiasGelu", [up, g.weight(p + "ffn.lin1.bias")], p + "gelu", MICROSOFT)
    down = g.product(gelu, p + "ffn.lin2", p + "down")
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


def build_graph(model_dir, path, int8_max=0):
    """Writes the graph of the DistilBERT in `model_dir` to `path`: fp32, or int8 with weights of
    at most `int8_max` (127; 63 where products of two full bytes would saturate)."""
    model_dir = pathlib.Path(model_dir)
    config = json.loads((model_dir / "config.json").read_text())
    g = GraphBuilder(load_file(model_dir / "model.safetensors"), int8_max)
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
