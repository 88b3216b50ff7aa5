"""One torch thread: the networks are tiny, and bit-equality must not depend on the machine's load."""

import pytest
import torch
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    torch.set_num_threads(1)
    with threadpool_limits(limits=1):
        yield
