"""Measured files told in plain text: what `search measure` prints. No I/O but the size of a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from compress.devices import Device
from compress.devices.sessions import DRIFT
from compress.measurement import Measurement
from search.latency.files import FileReport
from search.report import words


def files_text(device: Device, reports: Sequence[FileReport]) -> str:
    """One paragraph a file, and one about how quiet the machine was."""
    about = device.fingerprint()
    where = [about.get("runtime", ""), about.get("runtime_version", ""), about.get("cpu", "")]
    lines = [f"{' '.join(filter(None, where))}   {about.get('options', '')}"]
    for report in reports:
        lines += ["", *_file(report, reports[0])]
    return "\n".join([*lines, "", *_machine(reports[0].latency)])


def _file(report: FileReport, first: FileReport) -> list[str]:
    found, details = report.latency, report.latency.details
    lines = [f"{report.path}   {words.size(report.path.stat().st_size)}", f"  latency   {_ms(found)}"]
    if found.samples:
        p50, p90, p99 = (float(details[name]) for name in ("p50", "p90", "p99"))
        lines.append(f"  calls     p50 {p50:.4g}   p90 {p90:.4g}   p99 {p99:.4g} ms, as this machine is now")
    choice = _choice(details)
    if choice:
        lines.append(f"  engine    {choice}")
    if report.against:
        lines.append(f"  beside    {_against(report, first)}")
    for resource in report.resources:
        if resource.metric == "resident_bytes":
            engine = f", in {resource.details['engine']}" if choice else ""
            lines.append(f"  memory    {words.size(resource.value)} at the peak, beside the engine's own{engine}")
        if resource.metric == "arena_bytes":
            lines.append(f"  arena     {words.size(resource.value)} of tensors at the peak, without weights")
        if resource.metric == "energy_mj":
            lines.append(f"  energy    {resource.value:.3g} mJ a call, {float(resource.details['watts']):.3g} W in all")
    if "fused_share" in details:
        lines.append(f"  int8      {100 * float(details['fused_share']):.0f} % of the arithmetic is run in int8")
    if "delegated_share" in details:
        lines.append(f"  delegated {100 * float(details['delegated_share']):.0f} % of the operators, to XNNPACK")
    if "notes" in details:
        lines.append(f"  note      {details['notes']}")
    return lines


def _choice(details: Mapping[str, float | int | str]) -> str:
    """Which of several engines was the fastest; "" where there was only one."""
    engine = str(details.get("engine", ""))
    beside = {key.removeprefix("times_"): float(details[key]) for key in details if key.startswith("times_")}
    if " or " in engine:
        return f"{engine}: not the same one in every session, so about as fast"
    others = [f"{name} takes {times:.2f} times as long" for name, times in beside.items()]
    return "; ".join([engine, *others]) if others else ""


def _ms(found: Measurement) -> str:
    interval = f" [{found.low:.4g}, {found.high:.4g}]" if found.low < found.high else ""
    return f"{found.value:.4g} ms{interval}" + ("" if found.kind == "measured" else f" ({found.kind})")


def _against(report: FileReport, first: FileReport) -> str:
    found = report.against
    assert found is not None
    change = f"{found.ratio:.3f} [{found.low:.3f}, {found.high:.3f}] of the latency of {first.path.name}"
    pace = {"faster": f"{1 / found.ratio:.2f}x faster", "slower": f"{found.ratio:.2f}x slower"}
    return f"{pace.get(found.verdict, found.verdict)}: {change}"


def _machine(first: Measurement) -> list[str]:
    """How far the numbers can be trusted: the first file was measured beside itself."""
    details = first.details
    if not first.samples:
        return ["These numbers are from a formula."]
    noise = 100 * abs(float(details["ratio"]) - 1)
    low, high = float(details["ratio_low"]), float(details["ratio_high"])
    lines = [
        f"{details['sessions']} sessions of {details['rounds']} rounds of {details['calls']} calls, "
        f"the 10th percentile of the rounds' fastest; 95 % intervals over sessions.",
        f"The first file beside itself: {noise:.2f} % apart [{low:.3f}, {high:.3f}]. "
        f"The machine: load {float(details['load']):.1f}, {int(details['switches'])} forced switches, "
        f"{float(details['stolen_s']):.2f} s stolen by its host.",
    ]
    if details["clock"] != "wall":
        lines.append("Others took the processor away, so time on the processor was counted and not time on the wall.")
    if abs(float(details["drift"])) > DRIFT:
        lines.append(
            f"The machine changed its pace by {100 * float(details['drift']):+.0f} % within a session: "
            "trust the comparison, not the milliseconds."
        )
    return lines
