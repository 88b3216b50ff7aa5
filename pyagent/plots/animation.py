"""A preview that moves: GIF, or MP4 where ffmpeg is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D
from PIL import Image

from pyagent.errors import UserError
from pyagent.plots import style
from pyagent.plots.preview import PreviewFigure
from pyagent.scenario.preview import Preview

FRAMES = 100
FRAMES_PER_S = 12
_DPI = 84
_COLOURS = 255
_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 2.5}


def check_animation(path: Path) -> None:
    """Raise UserError unless an animation of this name can be made here."""
    if path.suffix not in (".gif", ".mp4"):
        raise UserError(f"--animate is {str(path)!r}; valid: a name that ends in .gif or .mp4")
    if path.suffix == ".mp4" and shutil.which("ffmpeg") is None:
        raise UserError(f"--animate is {str(path)!r}, and there is no ffmpeg here; valid: a .gif file")


def animate_preview(drawn: PreviewFigure, seen: Preview, path: Path) -> None:
    """Let everyone move on the map and the time on the panels below.

    Args:
        drawn: is changed; save it first.
        seen: what was drawn.
        path: .gif or .mp4.

    Raises:
        UserError: ffmpeg failed.
    """
    frames = _frames(drawn, seen)
    if path.suffix == ".gif":
        _write_gif(frames, path)
    else:
        _write_mp4(frames, path)


def _frames(drawn: PreviewFigure, seen: Preview) -> Iterator[Image.Image]:
    """Only what moves is drawn anew: the rest stays as pixels."""
    with style.styled():
        yield from _drawn(drawn, seen)


def _drawn(drawn: PreviewFigure, seen: Preview) -> Iterator[Image.Image]:
    figure = drawn.figure
    figure.set_dpi(_DPI)
    canvas: Any = FigureCanvasAgg(figure)  # its methods have no types
    moving = np.flatnonzero(seen.moving)
    others = drawn.ground.plot([], [], "o", color="#5F5F5F", mec="white", mew=0.6, ms=5, zorder=7)[0]
    agent = drawn.ground.plot([], [], "o", color=style.VERMILLION, mec="white", mew=1.2, ms=9, zorder=8)[0]
    clock = drawn.ground.text(
        0.01, 0.98, "", transform=drawn.ground.transAxes, ha="left", va="top", bbox=_BOX, zorder=9
    )
    cursors = [panel.axvline(seen.time_s[0], color=style.VERMILLION, lw=1.1) for panel in drawn.panels]
    movers: list[Line2D] = [others, agent, *cursors]
    for artist in (*movers, clock):
        artist.set_animated(True)
    canvas.draw()
    still = canvas.copy_from_bbox(figure.bbox)
    for sample in np.unique(np.linspace(0, len(seen.time_s) - 1, FRAMES).round().astype(int)):
        places = seen.ues_m[moving[moving > 0], sample]
        others.set_data(places[:, 0], places[:, 1])
        agent.set_data(seen.ues_m[0, sample, :1], seen.ues_m[0, sample, 1:2])
        clock.set_text(f"{seen.time_s[sample]:.1f} s")
        for cursor in cursors:
            cursor.set_xdata([seen.time_s[sample]] * 2)
        canvas.restore_region(still)
        for artist in (*movers, clock):
            assert artist.axes is not None
            artist.axes.draw_artist(artist)
        yield Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def _write_gif(frames: Iterator[Image.Image], path: Path) -> None:
    first = next(frames)
    # One palette for all frames: what stands still stays the same, and costs nothing.
    palette = first.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    rest = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    palette.save(path, save_all=True, append_images=rest, duration=1000 // FRAMES_PER_S, loop=0)


def _write_mp4(frames: Iterator[Image.Image], path: Path) -> None:
    first = next(frames)
    # H.264 with 4:2:0 colours wants even sides.
    size = (first.width - first.width % 2, first.height - first.height % 2)
    command = ["ffmpeg", "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]
    command += ["-s", f"{size[0]}x{size[1]}", "-r", str(FRAMES_PER_S), "-i", "-"]
    command += ["-pix_fmt", "yuv420p", f"file:{path}"]  # else a colon in it names a protocol
    film = b"".join(frame.crop((0, 0, *size)).tobytes() for frame in (first, *frames))
    done = subprocess.run(command, input=film, capture_output=True, timeout=300, check=False)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise UserError(f"{path}: ffmpeg ended with status {done.returncode}: {said[-1]}")
