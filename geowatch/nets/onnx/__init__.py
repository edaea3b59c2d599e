"""ONNX graphs as torch modules, so that torch's backends run every package."""

from geowatch.nets.onnx.convert import OnnxNet, convert_graph

__all__ = ["OnnxNet", "convert_graph"]
