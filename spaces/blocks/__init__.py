"""The registered blocks. A new block is one file here and one decorator."""

from spaces.blocks.attention import Attention
from spaces.blocks.block import BLOCKS, Block
from spaces.blocks.convmixer import ConvMixer
from spaces.blocks.convnext import ConvNeXt
from spaces.blocks.fused import Fused
from spaces.blocks.hornet import HorNet
from spaces.blocks.inceptionnext import InceptionNeXt
from spaces.blocks.kan import KAN
from spaces.blocks.mbconv import MBConv
from spaces.blocks.moe import MoE
from spaces.blocks.resnet import ResNet

__all__ = [
    "BLOCKS",
    "KAN",
    "Attention",
    "Block",
    "ConvMixer",
    "ConvNeXt",
    "Fused",
    "HorNet",
    "InceptionNeXt",
    "MBConv",
    "MoE",
    "ResNet",
]
