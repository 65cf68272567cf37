"""The registered blocks. A new block is one file here and one decorator."""

from spaces.blocks.attention import Attention
from spaces.blocks.block import BLOCKS, Block
from spaces.blocks.kan import KAN
from spaces.blocks.mbconv import MBConv
from spaces.blocks.moe import MoE

__all__ = ["BLOCKS", "KAN", "Attention", "Block", "MBConv", "MoE"]
