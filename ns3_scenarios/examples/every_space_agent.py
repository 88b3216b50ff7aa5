"""Drives every-space: random actions, each of which comes back as the next observation."""

import sys

from pyagent.bridge import Ns3Env


def main(executable: str) -> None:
    with Ns3Env(executable, seed=1, transport="tcp") as env:
        observation, info = env.reset()
        env.action_space.seed(1)
        ended = False
        while not ended:
            action = env.action_space.sample()
            observation, reward, terminated, truncated, info = env.step(action)
            ended = terminated or truncated
            print(f"t={info['sim_time_s']:.1f} s, reward {reward:g}, choice {observation['choice']}")


if __name__ == "__main__":
    main(sys.argv[1])
