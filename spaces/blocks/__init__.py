"""The registered blocks. A new block is one file here and one decorator."""

from spaces.blocks.attention import Attention
from spaces.blocks.biformer import BiFormer
from spaces.blocks.block import BLOCKS, Block
from spaces.blocks.bottleneck_kan import BottleneckKAN
from spaces.blocks.casvit import CASViT
from spaces.blocks.cell import Cell
from spaces.blocks.condconv import CondConv
from spaces.blocks.convfirst import ConvFirst
from spaces.blocks.convmixer import ConvMixer
from spaces.blocks.convnext import ConvNeXt
from spaces.blocks.cvt import CvT
from spaces.blocks.evit import EViT
from spaces.blocks.ewa import EWA
from spaces.blocks.expertchoice import ExpertChoice
from spaces.blocks.focal import Focal
from spaces.blocks.fused import Fused
from spaces.blocks.hornet import HorNet
from spaces.blocks.inceptionnext import InceptionNeXt
from spaces.blocks.kan import KAN
from spaces.blocks.lkca import LKCA
from spaces.blocks.mbconv import MBConv
from spaces.blocks.micronet import MicroNet
from spaces.blocks.mlpkan import MLPKAN
from spaces.blocks.moat import MOAT
from spaces.blocks.moe import MoE
from spaces.blocks.polynomial import PolynomialKAN
from spaces.blocks.resnet import ResNet
from spaces.blocks.skan import SKAN
from spaces.blocks.softmoe import SoftMoE
from spaces.blocks.sparsemoe import SparseMoE
from spaces.blocks.splinekan import SplineKAN
from spaces.blocks.unireplknet import UniRepLKNet
from spaces.blocks.xcit import XCiT

__all__ = [
    "Attention",
    "BLOCKS",
    "BiFormer",
    "Block",
    "BottleneckKAN",
    "CASViT",
    "Cell",
    "CondConv",
    "ConvFirst",
    "ConvMixer",
    "ConvNeXt",
    "CvT",
    "EViT",
    "EWA",
    "ExpertChoice",
    "Focal",
    "Fused",
    "HorNet",
    "InceptionNeXt",
    "KAN",
    "LKCA",
    "MBConv",
    "MLPKAN",
    "MOAT",
    "MicroNet",
    "MoE",
    "PolynomialKAN",
    "ResNet",
    "SKAN",
    "SoftMoE",
    "SparseMoE",
    "SplineKAN",
    "UniRepLKNet",
    "XCiT",
]
