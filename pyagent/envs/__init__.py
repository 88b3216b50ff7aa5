"""Gymnasium environments. Before they load torch, its threads are told to wait without spinning."""

from pyagent.threads import wait_passively

wait_passively()
