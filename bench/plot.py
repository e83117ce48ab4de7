"""A small SVG writer: horizontal bars in panels, and lines over a logarithmic axis. Light ground,
system fonts, readable at 100 %."""
import math
from xml.sax.saxutils import escape

WIDTH = 860
MARGIN = 24
LABEL_WIDTH = 270
BAR = 18
GAP = 6
OURS, OTHERS, TEXT, FAINT = "#1f6feb", "#b8c4d6", "#1b1f24", "#d8dee6"
LINES = ["#1f6feb", "#d1495b", "#2a9d5c", "#8a5cd1", "#c98a1b", "#4a5568"]
FONT = "font-family='system-ui, Segoe UI, Helvetica, Arial, sans-serif'"


def _text(x, y, content, size=13, anchor="start", weight="normal", fill=TEXT):
    return (f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' text-anchor='{anchor}' "
            f"font-weight='{weight}' fill='{fill}'>{escape(content)}</text>")


def _line(x1, y1, x2, y2, colour=FAINT, width=1):
    return (f"<line x1='{x1:.1f}' y1='{y1:.1f}' x2='{x2:.1f}' y2='{y2:.1f}' stroke='{colour}' "
            f"stroke-width='{width}'/>")


def _document(height, parts):
    return (f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' "
            f"viewBox='0 0 {WIDTH} {height}' {FONT}>\n"
            f"<rect width='{WIDTH}' height='{height}' fill='#ffffff'/>\n"
            + "\n".join(parts) + "\n</svg>\n")


def _heading(title, note):
    return [_text(MARGIN, 34, title, 17, weight="600"),
            _text(MARGIN, 54, note, 11.5, fill="#57606a")]


def bars(title, note, panels):
    """`panels`: (title, [(label, value, ours)]), each with a scale of its own."""
    parts = _heading(title, note)
    y = 86
    for name, rows in panels:
        parts.append(_text(MARGIN, y, name, 14, weight="600"))
        y += 12
        largest = max((value for _, value, _ in rows), default=1)
        room = WIDTH - LABEL_WIDTH - 2 * MARGIN - 70
        for label, value, ours in rows:
            left = MARGIN + LABEL_WIDTH
            length = max(value / largest * room, 1)
            parts.append(_text(left - 8, y + BAR - 5, label, 12, "end",
                               "600" if ours else "normal"))
            parts.append(f"<rect x='{left}' y='{y}' width='{length:.1f}' height='{BAR}' rx='2' "
                         f"fill='{OURS if ours else OTHERS}'/>")
            shown = f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
            parts.append(_text(left + length + 6, y + BAR - 5, shown, 12))
            y += BAR + GAP
        y += 28
    return _document(y, parts)


def _axes(left, top, width, height, ticks, top_value, unit):
    parts = []
    for step in range(5):
        value = top_value * step / 4
        y = top + height - height * step / 4
        parts.append(_line(left, y, left + width, y))
        parts.append(_text(left - 8, y + 4, unit(value), 11.5, "end"))
    for x, label in ticks:
        parts.append(_text(x, top + height + 18, label, 11.5, "middle"))
    return parts


def lines(title, note, panels, x_label):
    """`panels`: (title, unit, top value, [(series, [(x, y)])]); x is shown on a log2 scale."""
    parts = _heading(title, note)
    top = 90
    left, width, height = MARGIN + 56, WIDTH - 2 * MARGIN - 210, 200
    for name, unit, top_value, series in panels:
        parts.append(_text(MARGIN, top, name, 14, weight="600"))
        top += 16
        xs = sorted({x for _, points in series for x, _ in points})
        low, high = math.log2(xs[0]), math.log2(xs[-1])

        def place(x):
            return left + width * (math.log2(x) - low) / max(high - low, 1e-9)

        parts += _axes(left, top, width, height, [(place(x), str(x)) for x in xs], top_value, unit)
        for index, (label, points) in enumerate(series):
            colour = LINES[index % len(LINES)]
            path = " ".join(f"{place(x):.1f},{top + height - height * y / top_value:.1f}"
                            for x, y in points)
            parts.append(f"<polyline points='{path}' fill='none' stroke='{colour}' "
                         f"stroke-width='2'/>")
            parts += [f"<circle cx='{point.split(',')[0]}' cy='{point.split(',')[1]}' r='3' "
                      f"fill='{colour}'/>" for point in path.split()]
            y = top + 14 + 20 * index
            parts.append(_line(left + width + 20, y - 4, left + width + 40, y - 4, colour, 3))
            parts.append(_text(left + width + 46, y, label, 12))
        parts.append(_text(left + width / 2, top + height + 36, x_label, 11.5, "middle"))
        top += height + 68
    return _document(top, parts)
