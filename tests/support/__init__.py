"""What tests share: servers, clocks, tasks and pictures made for them."""

from __future__ import annotations
