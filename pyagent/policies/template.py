"""A policy of your own: splitsim evaluate --policy this_file.py:MyPolicy --trace FILE"""


class MyPolicy:
    """Much on the phone while the link is slow or was lossy, little while it is fast."""

    slow_mbps = 5.0

    def split(self, features: dict[str, float], splits: tuple[int, ...]) -> int:
        """One of `splits` for the request that came: how many blocks run on the phone."""
        recently = features["link_age_s"] < 10
        slow = features["phy_rate_mbps"] < self.slow_mbps
        if slow or (recently and features["recent_loss"] > 0.1):
            return splits[-1]
        return splits[0]
