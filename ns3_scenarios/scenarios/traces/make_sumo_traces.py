"""Makes the vehicle and pedestrian traces of this folder with SUMO.

    pip install 'eclipse-sumo>=1.20'
    python ns3_scenarios/scenarios/traces/make_sumo_traces.py [--out FOLDER] [NAME ...]

One seed and one SUMO version give the same bytes every time. SUMO's own output is not kept: it names
the time and the folders of the run. What is kept of it is who is where, at what speed.
"""

from __future__ import annotations

import argparse
import gzip
import random
import subprocess
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import quoteattr

SEED = 1
MAX_BYTES = 150_000


@dataclass(frozen=True)
class Run:
    """One trace: a network, who moves in it, and for how long.

    Attributes:
        name: of the file, without `.fcd.xml.gz`.
        duration_s: of the simulation.
        period_s: between two samples.
        network: writes `net.xml` into a folder.
        demand: writes `routes.xml` into a folder that has `net.xml`.
    """

    name: str
    duration_s: int
    period_s: int
    network: Callable[[Path], None]
    demand: Callable[[Path], None]


def tool(name: str, *arguments: str) -> None:
    """Run one of SUMO's programs; its text is shown only where it fails."""
    import sumo  # the package eclipse-sumo

    binary = Path(sumo.SUMO_HOME) / "bin" / name
    done = subprocess.run([str(binary), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name} ended with status {done.returncode}:\n{done.stderr or done.stdout}")


def highway_network(folder: Path) -> None:
    """A straight motorway of 3 km and three lanes, from west to east."""
    (folder / "nodes.xml").write_text(
        '<nodes><node id="west" x="0" y="0"/><node id="east" x="3000" y="0"/></nodes>', encoding="utf-8"
    )
    (folder / "edges.xml").write_text(
        '<edges><edge id="motorway" from="west" to="east" numLanes="3" speed="36.1"/></edges>',
        encoding="utf-8",
    )
    tool(
        "netconvert",
        *("--node-files", str(folder / "nodes.xml"), "--edge-files", str(folder / "edges.xml")),
        *("--output-file", str(folder / "net.xml")),
    )


def highway_demand(folder: Path) -> None:
    """25 vehicles in 100 s: a third of them lorries at about 85 km/h, cars at 105 to 150 km/h."""
    draw = random.Random(SEED)
    departures = sorted(draw.uniform(0, 100) for _ in range(25))
    vehicles = []
    for index, depart in enumerate(departures):
        kind = "lorry" if index % 3 == 2 else "car"
        vehicles.append(
            f'<vehicle id="{kind}{index}" type="{kind}" route="along" depart="{depart:.1f}" '
            'departLane="free" departSpeed="max"/>'
        )
    (folder / "routes.xml").write_text(
        '<routes><vType id="car" maxSpeed="45" speedFactor="normc(1.0,0.12,0.75,1.2)"/>'
        '<vType id="lorry" vClass="truck" maxSpeed="25" speedFactor="normc(0.65,0.03,0.55,0.7)"/>'
        f'<route id="along" edges="motorway"/>{"".join(vehicles)}</routes>',
        encoding="utf-8",
    )


def grid_network(folder: Path) -> None:
    """Six by six blocks of 150 m, with lights at every crossing."""
    tool(
        "netgenerate",
        *("--grid", "--grid.number", "7", "--grid.length", "150", "--default.speed", "13.89"),
        *("--default-junction-type", "traffic_light", "--seed", str(SEED)),
        *("--output-file", str(folder / "net.xml")),
    )


def grid_demand(folder: Path) -> None:
    """12 cars, one every 5 s, each by way of two random streets to a third."""
    draw = random.Random(SEED)
    streets = _edges(folder)
    trips = []
    for index in range(12):
        start, first, second, end = draw.sample(streets, 4)
        trips.append(
            f'<trip id="car{index}" depart="{5 * index}" from="{start}" via="{first} {second}" to="{end}"/>'
        )
    (folder / "routes.xml").write_text(f"<routes>{''.join(trips)}</routes>", encoding="utf-8")


def crowd_network(folder: Path) -> None:
    """Three by three blocks of 60 m with pavements and crossings."""
    tool(
        "netgenerate",
        *("--grid", "--grid.number", "4", "--grid.length", "60", "--seed", str(SEED)),
        *("--sidewalks.guess", "--crossings.guess", "--output-file", str(folder / "net.xml")),
    )


def crowd_demand(folder: Path) -> None:
    """30 people, one every 2 s, each walking by way of two random streets to a third."""
    draw = random.Random(SEED)
    streets = _edges(folder)
    people = []
    for index in range(30):
        stops = draw.sample(streets, 4)
        walks = "".join(f'<walk from="{a}" to="{b}"/>' for a, b in pairwise(stops))
        people.append(f'<person id="walker{index}" depart="{2 * index}">{walks}</person>')
    (folder / "routes.xml").write_text(f"<routes>{''.join(people)}</routes>", encoding="utf-8")


RUNS = (
    Run("highway", 200, 1, highway_network, highway_demand),
    Run("urban-grid", 300, 1, grid_network, grid_demand),
    Run("crowd", 240, 2, crowd_network, crowd_demand),
)


def make(run: Run, out: Path) -> Path:
    """Simulate a run and write its trace."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run.network(folder)
        run.demand(folder)
        tool(
            "sumo",
            *("--net-file", str(folder / "net.xml"), "--route-files", str(folder / "routes.xml")),
            *("--begin", "0", "--end", str(run.duration_s), "--step-length", "1", "--seed", str(SEED)),
            # A car that the lights hold for long must wait, not be moved elsewhere.
            *("--time-to-teleport", "-1", "--no-step-log"),
            *("--fcd-output", str(folder / "fcd.xml"), "--fcd-output.attributes", "x,y,speed"),
            *("--device.fcd.period", str(run.period_s)),
        )
        text = compact(folder / "fcd.xml")
    path = out / f"{run.name}.fcd.xml.gz"
    with path.open("wb") as file, gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        packed.write(text.encode())
    if path.stat().st_size > MAX_BYTES:
        raise SystemExit(
            f"{path} has {path.stat().st_size} bytes; more than {MAX_BYTES} are not to be shipped"
        )
    return path


def compact(fcd: Path) -> str:
    """SUMO's FCD without its heading, places to 0.1 m and speeds to 0.1 m/s; empty timesteps left out."""
    lines = ["<fcd-export>"]
    for step in ET.parse(fcd).getroot():
        if len(step):
            lines.append(f'<timestep time="{float(step.attrib["time"]):g}">')
            lines += [
                f"<{mover.tag} id={quoteattr(mover.attrib['id'])} "
                + " ".join(f'{name}="{float(mover.attrib[name]):.1f}"' for name in ("x", "y", "speed"))
                + "/>"
                for mover in step
            ]
            lines.append("</timestep>")
    return "\n".join([*lines, "</fcd-export>", ""])


def _edges(folder: Path) -> list[str]:
    """The streets of a network, in its order, without those inside of crossings."""
    edges = ET.parse(folder / "net.xml").getroot().iter("edge")
    return [edge.attrib["id"] for edge in edges if edge.get("function") is None]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(r.name for r in RUNS)}")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder (default: this one)")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - {run.name for run in RUNS}
    if unknown:
        parser.error(f"{', '.join(sorted(unknown))}: not known; valid: {', '.join(r.name for r in RUNS)}")
    for run in RUNS:
        if run.name in (arguments.names or [run.name]):
            print(make(run, arguments.out))


if __name__ == "__main__":
    main()
