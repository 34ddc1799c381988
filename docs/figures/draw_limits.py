"""Draws `limits.svg`: what a count limit pushes down, and how a multiplier comes to rest.

    .venv/bin/python docs/figures/draw_limits.py

The left half is drawn from the targets of the example in `docs/constraints.md`. The right half follows the
updates themselves on min ½(x − 1)² with x ≤ ½, whose answer is x = ½ with the multiplier ½.
"""

from pathlib import Path

HERE = Path(__file__).resolve().parent

TARGETS = (0.9, 0.8, 0.75, 0.6, 0.55, 0.2)
THRESHOLD, KEPT = 0.5, 2
STEPS, RATE = 60, 0.3
BLUE, ORANGE, GREY = "#2563eb", "#ea580c", "#9ca3af"


def bars() -> list[str]:
    """The elements as they would be, and as they are: the two largest stay, the others end at τ."""
    parts = []
    for index, target in enumerate(TARGETS):
        x, height = 50 + 45 * index, 200 * target
        served = target if index < KEPT else min(target, THRESHOLD)
        parts.append(
            f'<rect x="{x}" y="{240 - height:g}" width="30" height="{height:g}" fill="none" '
            f'stroke="{GREY}" stroke-dasharray="3 3"/>'
        )
        parts.append(
            f'<rect x="{x}" y="{240 - 200 * served:g}" width="30" height="{200 * served:g}" '
            f'fill="{BLUE}" fill-opacity="0.7"/>'
        )
    line = 240 - 200 * THRESHOLD
    parts.append(f'<line x1="40" y1="{line:g}" x2="320" y2="{line:g}" stroke="{ORANGE}"/>')
    parts.append(f'<text x="322" y="{line + 4:g}" fill="{ORANGE}">τ</text>')
    parts.append('<text x="40" y="20">at most 2 above τ: the 2 largest stay</text>')
    return parts


def trajectory(strength: float) -> tuple[list[float], list[float]]:
    """The steps of x and of λ, with the force max(0, λ + ρ·(x − ½))."""
    x, multiplier = 1.0, 0.0
    xs, multipliers = [x], [multiplier]
    for _ in range(STEPS):
        force = max(0.0, multiplier + strength * (x - 0.5))
        x -= RATE * ((x - 1.0) + force)
        multiplier = max(0.0, multiplier + 0.3 * (x - 0.5))
        xs.append(x)
        multipliers.append(multiplier)
    return xs, multipliers


def curve(values: list[float], colour: str, dash: str = "") -> str:
    """Values over steps, as a line."""
    points = " ".join(f"{380 + 4.5 * i:g},{240 - 200 * v:.1f}" for i, v in enumerate(values))
    return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'


def main() -> None:
    """Writes the file beside this script."""
    parts = bars()
    dashed = ' stroke-dasharray="4 3"'
    for strength, dash in ((0.0, dashed), (3.0, "")):
        xs, multipliers = trajectory(strength)
        parts += [curve(xs, BLUE, dash), curve(multipliers, ORANGE, dash)]
    parts.append('<text x="380" y="20">x (blue) and λ (orange), both to ½:</text>')
    parts.append('<text x="380" y="36">solid with ρ = 3, dashed with ρ = 0</text>')
    body = "\n".join(parts)
    (HERE / "limits.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 260" font-family="sans-serif" '
        f'font-size="13">\n<rect width="680" height="260" fill="white"/>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    main()
