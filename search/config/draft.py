"""A space file for one's own data, with every choice explained: where most people start."""

from collections.abc import Iterator, Sequence

from search.config.found import Found
from search.config.yaml import parse

EXAMPLES = 200_000  # the supernet sees about so many of 32 x 32 pixels, fewer larger ones: minutes on a core
FEW = 5_000
MANY = 20_000  # then a part of the validation examples tells trials apart well enough
ATTENTION_SIDE = 16
WIDTHS = ((16, 24), (32, 48), (64, 96), (96, 128))
IMAGE_BLOCKS = (
    "- mbconv: {kernel: [3, 5], expand: [1, 2, 4], act: [relu6, hardswish]}",
    "- attention: {heads: [2, 4], head_dim: 16, ratio: [1, 2]}",
)
SERIES_BLOCKS = (
    "- resnet: {kernel: [1, 3, 5], ratio: [0.5, 1], se: [false, true]}",
    "- mbconv: {kernel: [3, 5, 9], expand: [1, 2]}",
)


def draft(name: str, found: Found, device: str, settings: str) -> str:
    """The text of a space file. device: its name in the file; settings: what stands behind it under `devices`."""
    side = max(found.shape[1:])
    larger = max(1.0, (side / 32) ** 2) if len(found.shape) == 3 else 1.0
    epochs = max(8, min(60, round(EXAMPLES / found.examples / larger)))
    stem_stride, strides = strides_for(side)
    stages = "\n".join(_stages(strides, side / stem_stride, is_image=len(found.shape) == 3))
    quality = "accuracy: max" if found.examples >= FEW else "loss: min"  # few images give few different accuracies
    judged_by = ", images: 2000}     # so many validation examples judge a trial" if found.examples > MANY else "}"
    shape = " x ".join(map(str, found.shape))
    return f"""\
# {found.examples:,} examples of {found.classes} classes, {shape}. Written by `search init`: a start to change.
# All keys: docs/reference.md.   search validate checks this file, search launch --dry-run says how long it takes.
study: {_quoted(name)}
task:
{_task(found, side)}
space:                            # every network that may be found; choices are per position
  stem: {{width: [16, 24], stride: {stem_stride}}}
  stages:
{stages}
supernet: {{rule: sandwich, distill: true, epochs: {epochs}, batch: 64, lr: 0.1, minutes: 30}}   # at most 30 minutes
search: {{sampler: surrogate, trials: 100, seed: 0{judged_by}
objectives: {{{quality}, latency_ms@{device}: min}}
# limits: {{latency_ms@{device}: 2.0, size: 400kB}}    # what the device allows: nothing above is shipped
devices: {{{device}: {settings}}}
compress:
  keep: 3
  max_drop: 1.0                   # points of accuracy that compression may cost
  steps:
    - distill: {{loss: logits, epochs: {max(4, epochs // 3)}, weight: 0.3}}
    - prune: {{latency: 0.7, epochs: {max(2, epochs // 6)}}}
    - quantize: {{kind: int8-static}}   # with `screen: int8` in `search` all latencies are of such files
export: [onnx]
"""


def strides_for(side: int) -> tuple[int, list[int]]:
    """(the stem's stride, one stride a stage): two to five stages, of which the last sees 4 to 8 positions a side where
    the input is at most 256 a side."""
    halvings = 0
    while side / 2**halvings > 8:
        halvings += 1
    stem = 2 if halvings > 2 else 1
    stages = halvings - (stem == 2)
    return stem, [1, *[2] * max(1, stages)] if stages < 4 else [2] * min(5, stages)


def _stages(strides: Sequence[int], side: float, is_image: bool) -> Iterator[str]:
    """One entry a stage. Attention costs the square of the positions: it is offered where there are few."""
    for i, stride in enumerate(strides):
        side /= stride
        blocks = (IMAGE_BLOCKS if side <= ATTENTION_SIDE else IMAGE_BLOCKS[:1]) if is_image else SERIES_BLOCKS
        yield f"    - depth: [1, 2, 3]\n      width: [{', '.join(map(str, WIDTHS[min(i, len(WIDTHS) - 1)]))}]"
        yield f"      stride: {stride}\n      blocks:"
        yield from (f"        {block}" for block in blocks)


def _task(found: Found, side: int) -> str:
    fields = {"kind": found.kind, **found.fields}
    lines = [f"  {name}: {_quoted(value)}" for name, value in fields.items() if name != "layout"]
    if "layout" in fields:
        lines.append(_remarked(f"  layout: {fields['layout']}", "axes of x: N examples, C channels, H, W or length L"))
    if len(found.shape) == 3:
        mirrored = str(found.shape[0] == 3).lower()
        lines.append(_remarked(f"  crop_pixels: {max(1, side // 8)}", "training shifts images by up to so many pixels"))
        lines.append(_remarked(f"  flip: {mirrored}", "training mirrors images: not for text, digits or signs"))
    else:
        lines.append(_remarked(f"  shift: {max(1, side // 16)}", "training shifts series by up to so many steps"))
    return "\n".join(lines)


def _remarked(line: str, remark: str) -> str:
    return f"{line:<33} # {remark}"


def _quoted(value: object) -> str:
    """A YAML scalar; text in quotes where it could be read as something else, `$` kept from being a variable."""
    if not isinstance(value, str):
        return str(value)
    text = value.replace("${", "$${")
    is_plain = all(c.isalnum() or c in "/._-+" for c in text) and parse(f"x: {text}", {}).tree == {"x": text}
    return text if is_plain else "'" + text.replace("'", "''") + "'"
