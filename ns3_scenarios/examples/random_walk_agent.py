"""Drives random-walk at random; several walks in one process."""

import sys

from pyagent.bridge import Ns3Env


def main(executable: str) -> None:
    with Ns3Env(executable, seed=1, transport="tcp", restart="end") as env:
        env.action_space.seed(1)
        for _ in range(3):
            _, info = env.reset()
            length, ended = 0, False
            while not ended:
                _, _, terminated, truncated, info = env.step(env.action_space.sample())
                length, ended = length + 1, terminated or truncated
            print(f"walk {info['walk']}: {length} steps, {'over' if terminated else 'out of time'}")


if __name__ == "__main__":
    main(sys.argv[1])
